"""Draws the figures of a file that `bench.sh --json` has written: where the processor time goes, and throughput over partitions."""
import pathlib
import statistics

import records

WIDTH, LEFT, RIGHT, TOP, ROW = 860, 130, 90, 50, 26
COLOURS = ["#355070", "#6d597a", "#b56576", "#e56b6f", "#eaac8b", "#457b9d", "#2a9d8f", "#8ab17d", "#bc6c25", "#999999"]
# What is told apart in the picture, of the parts that a run knows.
PARTS = {
    "log": ("log network", "log disk"), "librdkafka": ("librdkafka",), "consume": ("consume",), "decode": ("decode",), "dedupe": ("dedupe",),
    "window": ("window",), "other operators": ("other_operators",), "freeze": ("freeze",),
    "commit": ("delta", "storage", "files", "transaction", "other commit"), "other": ("maintenance", "other"),
}


def median(result, pick):
    return statistics.median(pick(run) for run in result["runs"])


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def svg(height, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif" fill="#222"><rect width="{WIDTH}" height="{height}" fill="white"/>')
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def processor_time(results, machine):
    """A bar for each job, of the parts of an event's processor time."""
    totals = {result["job"]: median(result, lambda run: run["cpu_us_per_event"]) for result in results}
    scale = (WIDTH - LEFT - RIGHT) / max(totals.values())
    out = [text(10, 20, f"Processor time of an event, us, log included ({machine})", size=14)]
    for number, name in enumerate(PARTS):
        x = 10 + number * 85
        out += [f'<rect x="{x}" y="28" width="10" height="10" fill="{COLOURS[number]}"/>', text(x + 14, 37, name, size=10)]
    for row, result in enumerate(results):
        y, x = TOP + row * ROW, float(LEFT)
        out.append(text(LEFT - 6, y + 15, result["job"], "end"))
        for number, parts in enumerate(PARTS.values()):
            width = max(0, median(result, lambda run: sum(run["split_us_per_event"].get(part, 0) for part in parts))) * scale
            out.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="20" fill="{COLOURS[number]}"/>')
            x += width
        out.append(text(x + 5, y + 15, f"{totals[result['job']]:.2f}"))
    return svg(TOP + len(results) * ROW + 10, out)


def partitions(results, machine):
    """Throughput over partitions, a line for each number of workers."""
    height, bottom = 340, 290
    rate = lambda result: median(result, lambda run: run["events_per_second"])
    counts = sorted({result["partitions"] for result in results})
    top = max(rate(result) for result in results) * 1.1
    x = lambda count: LEFT + counts.index(count) * (WIDTH - LEFT - RIGHT) / max(1, len(counts) - 1)
    y = lambda value: bottom - value / top * (bottom - TOP)
    out = [text(10, 20, f"{results[0]['job']}: events a second over partitions ({machine})", size=14)]
    for step in range(5):
        value = top * step / 4
        out += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>',
                text(LEFT - 8, y(value) + 4, f"{value / 1000:,.0f} k", "end")]
    out += [text(x(count), bottom + 20, count, "middle") for count in counts] + [text((LEFT + WIDTH - RIGHT) / 2, bottom + 40, "partitions", "middle")]
    for number, workers in enumerate(sorted({result["workers"] for result in results})):
        line = sorted((result["partitions"], rate(result)) for result in results if result["workers"] == workers)
        points = " ".join(f"{x(count):.1f},{y(value):.1f}" for count, value in line)
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[number * 3]}" stroke-width="2"/>')
        out += [f'<circle cx="{x(count):.1f}" cy="{y(value):.1f}" r="3" fill="{COLOURS[number * 3]}"/>' for count, value in line]
        out.append(text(x(line[-1][0]) + 8, y(line[-1][1]) + 4, f"{workers} worker{'s' if workers > 1 else ''}"))
    return svg(height, out)


def main(file, directory):
    kept = records.read(file)
    jobs = [result for result in kept["jobs"] if result["workers"] is None]
    scale = [result for result in kept["jobs"] if result["workers"] is not None]
    directory = pathlib.Path(directory)
    if jobs:
        (directory / "processor-time.svg").write_text(processor_time(jobs, kept["machine"]))
    if scale:
        (directory / "partitions.svg").write_text(partitions(scale, kept["machine"]))
