/// The page at `/`: one document, nothing loaded from outside, live by asking `/api/jobs` once a second, and `/metrics` for the log.
enum Dashboard {
    static let page = #"""
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Millrace</title>
        <style>
          :root { color-scheme: light dark; --line: #8884; --soft: #8882; --good: #2a7; --bad: #d43; --dim: #888; }
          body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 1.2rem; }
          h1 { font-size: 1.3rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 0; }
          section { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin-bottom: 1rem; }
          header { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
          .state { padding: .05rem .5rem; border-radius: 99px; background: var(--soft); }
          .running { color: var(--good); } .waiting, .failed { color: var(--bad); }
          .reason { color: var(--bad); margin: .4rem 0 0; overflow-wrap: anywhere; }
          .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .6rem; margin: 1rem 0; }
          .tile { background: var(--soft); border-radius: 6px; padding: .5rem .7rem; }
          .tile b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; } .tile span, th { color: var(--dim); }
          svg { width: 100%; height: 56px; display: block; background: var(--soft); border-radius: 6px; }
          table { border-collapse: collapse; width: 100%; margin-top: .8rem; font-variant-numeric: tabular-nums; }
          th, td { text-align: right; padding: .2rem .5rem; border-top: 1px solid var(--line); font-weight: normal; }
          th:first-child, td:first-child { text-align: left; }
        </style>
        <h1>Millrace</h1>
        <main id="jobs"><p>Waiting for the daemon&hellip;</p></main>
        <div id="log"></div>
        <script>
          const history = {}, number = new Intl.NumberFormat("en"), main = document.getElementById("jobs");
          const text = value => String(value).replace(/[&<>"']/g, c => "&#" + c.charCodeAt(0) + ";");
          const count = value => value === null || value === undefined ? "–" : number.format(Math.round(value));
          const age = seconds => seconds === null ? "–" : seconds < 1 ? Math.max(0, seconds * 1000).toFixed(0) + " ms"
            : seconds < 120 ? seconds.toFixed(1) + " s" : seconds < 7200 ? (seconds / 60).toFixed(0) + " min"
            : seconds < 172800 ? (seconds / 3600).toFixed(1) + " h" : (seconds / 86400).toFixed(0) + " d";
          const sum = values => values.reduce((a, b) => a + b, 0);
          function spark(values) {
            const top = Math.max(1, ...values), step = 600 / Math.max(1, values.length - 1);
            const points = values.map((v, i) => (i * step).toFixed(1) + "," + (54 - 50 * v / top).toFixed(1)).join(" ");
            return `<svg viewBox="0 0 600 56" preserveAspectRatio="none" role="img" aria-label="records a second">` +
              `<polyline points="${points}" fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke"/></svg>`;
          }
          function rate(job, now) {
            const seen = history[job.name] ||= { points: [], rates: [], commits: [] };
            const out = sum(Object.values(job.produced)), last = seen.points.at(-1);
            let rates = { input: 0, output: 0 };
            if (last && now > last.now) {
              const seconds = (now - last.now) / 1000;
              rates = { input: Math.max(0, job.ledger.consumed - last.consumed) / seconds, output: Math.max(0, out - last.out) / seconds };
            }
            seen.points.push({ now, consumed: job.ledger.consumed, out });
            seen.rates.push(rates.input);
            if (seen.rates.length > 120) { seen.rates.shift(); seen.points.shift(); }
            return { ...rates, values: seen.rates };
          }
          const tile = (label, value) => `<div class="tile"><b>${value}</b><span>${label}</span></div>`;
          function show(job, now) {
            const rates = rate(job, now), marks = job.tasks.map(t => t.watermark_ms).filter(w => w !== null);
            const behind = marks.length ? now / 1000 - Math.min(...marks) / 1000 : null;
            const lags = job.tasks.map(t => t.lag).filter(l => l !== null), l = job.ledger;
            const reasons = Object.entries(l.dead_letters).filter(([, n]) => n > 0);
            return `<section><header><h2>${text(job.name)}</h2><span class="state ${job.state}">${job.state}</span>` +
              `<span>epoch ${count(job.epoch)}, last commit ${job.last_commit ? age(now / 1000 - job.last_commit) + " ago" : "–"}</span></header>` +
              (job.reason ? `<p class="reason">${text(job.reason)}</p>` : "") +
              `<div class="tiles">` + tile("records in / s", count(rates.input)) + tile("records out / s", count(rates.output)) +
              tile("lag, records", lags.length ? count(sum(lags)) : "–") + tile("watermark behind wall clock", age(behind)) +
              tile("commits (p50 / p99)", job.commit_p50 === undefined ? count(job.epoch) : age(job.commit_p50) + " / " + age(job.commit_p99)) +
              tile("dead letters", count(l.dead_lettered)) + `</div>` + spark(rates.values) +
              `<table><tr><th>ledger<th>consumed<th>aggregated<th>filtered<th>duplicate<th>dead-lettered</tr>` +
              `<tr><td>committed since start<td>${count(l.consumed)}<td>${count(l.aggregated)}<td>${count(l.filtered)}<td>${count(l.duplicate)}<td>${count(l.dead_lettered)}</tr></table>` +
              (reasons.length ? `<table><tr><th>dead letters by reason<th></tr>` + reasons.map(([r, n]) => `<tr><td>${text(r)}<td>${count(n)}</tr>`).join("") + `</table>` : "") +
              `<table><tr><th>sink<th>records out</tr>` + Object.entries(job.produced).map(([t, n]) => `<tr><td>${text(t)}<td>${count(n)}</tr>`).join("") + `</table>` +
              `<table><tr><th>task<th>position<th>lag<th>watermark<th>idle</tr>` + job.tasks.map(t => `<tr><td>${text(t.task)}<td>${count(t.position)}<td>${count(t.lag)}` +
              `<td>${t.watermark_ms === null ? "–" : new Date(t.watermark_ms).toISOString()}<td>${t.idle ? "yes" : ""}</tr>`).join("") + `</table></section>`;
          }
          async function look() {
            try {
              const answer = await fetch("api/jobs"), now = Date.now();
              if (!answer.ok) throw new Error(await answer.text());
              const jobs = await answer.json();
              main.innerHTML = jobs.length ? jobs.map(job => show(job, now)).join("") : "<p>No jobs run here: this is a log alone. See <a href=metrics>/metrics</a>.</p>";
            } catch (error) {
              main.innerHTML = `<p class="reason">No answer: ${text(error.message)}</p>` + main.innerHTML.replace(/^<p class="reason">.*?<\/p>/, "");
            }
            setTimeout(look, 1000);
          }
          let last;
          function showLog(metrics, now) {
            const sums = {};
            for (const line of metrics.split("\n")) {
              const found = /^millrace_log_(\w+)(?:\{.*\})? (\S+)$/.exec(line);
              if (found) sums[found[1]] = (sums[found[1]] || 0) + Number(found[2]);
            }
            if (sums.usable === undefined) return "";
            const seconds = last ? (now - last.now) / 1000 : 0;
            const rate = name => seconds ? count(Math.max(0, sums[name] - last.sums[name]) / seconds) : "–";
            const syncs = last ? sums.fsync_duration_seconds_count - last.sums.fsync_duration_seconds_count : 0;
            const sync = syncs > 0 ? age((sums.fsync_duration_seconds_sum - last.sums.fsync_duration_seconds_sum) / syncs) : "–";
            last = { now, sums };
            return `<section><header><h2>log</h2><span class="state ${sums.usable ? "running" : "failed"}">${sums.usable ? "usable" : "not usable"}</span></header>` +
              `<div class="tiles">` + tile("records in / s", rate("records_in_total")) + tile("records out / s", rate("records_out_total")) +
              tile("bytes in / s", rate("bytes_in_total")) + tile("bytes out / s", rate("bytes_out_total")) +
              tile("bytes on disk", count(sums.topic_bytes ?? 0)) + tile("fsync, mean", sync) + tile("groups", count(sums.groups ?? 0)) +
              tile("open transactions", count(sums.open_transactions)) + tile("connections", count(sums.connections)) + `</div></section>`;
          }
          async function lookAtLog() {
            try {
              const answer = await fetch("metrics");
              if (answer.ok) document.getElementById("log").innerHTML = showLog(await answer.text(), Date.now());
            } catch { /* The jobs' part says that nobody answers. */ }
            setTimeout(lookAtLog, 5000);
          }
          look();
          lookAtLog();
        </script>
        """#
}
