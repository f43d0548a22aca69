"""The Nexmark queries of config/bench, on generated bids, against the same questions put to DuckDB."""
import decimal
import json

import duckdb
import pyarrow
import pytest

from harness import ROOT, Site

NEXMARK = ROOT / "config/bench/nexmark"
BIDS = 40_000
START = 1_767_225_600_000
RANKS = {"rank1": "price < 10000", "rank2": "price >= 10000 and price < 1000000", "rank3": "price >= 1000000"}
BID_RANKS = ", ".join(f"count(*) filter ({condition}) bids_{rank}" for rank, condition in RANKS.items())
DAY = "ts // 86400000 * 86400000"
WINDOW = f"{DAY} window_start, {DAY} + 86400000 window_end"


def ranks(what, column):
    return ", ".join(f"count(distinct {column}) filter ({condition}) {what}_{rank}" for rank, condition in RANKS.items())


# What comes out, as DuckDB says it of the table `bids`, with `ts` for the milliseconds of `dateTime`.
QUERIES = {
    "q0": "select auction, bidder, price, ts dateTime, extra from bids",
    "q1": "select auction, bidder, 0.908 * price price, ts dateTime, extra from bids",
    "q2": "select auction, price from bids where auction % 123 = 0",
    "q7": """select 'all' market, ts // 10000 * 10000 window_start, ts // 10000 * 10000 + 10000 window_end, max(price) price, count(*) bids
             from bids group by all""",
    "q11": """select bidder, min(ts) window_start, max(ts) + 10000 window_end, count(*) bid_count
              from (select *, sum(is_first) over (partition by bidder order by ts) session
                    from (select *, case when ts - lag(ts) over (partition by bidder order by ts) <= 10000 then 0 else 1 end is_first from bids))
              group by bidder, session""",
    "q14": """select auction, bidder, 0.908 * price price,
                     case when hour between 8 and 18 then 'dayTime' when hour <= 6 or hour >= 20 then 'nightTime' else 'otherTime' end bidTimeType,
                     ts dateTime, extra
              from (select *, ts // 3600000 % 24 as hour from bids) where 0.908 * price > 1000000 and 0.908 * price < 50000000""",
    "q16": f"""select channel, {WINDOW}, count(*) total_bids, {BID_RANKS}, count(distinct bidder) total_bidders, {ranks("bidders", "bidder")},
                      count(distinct auction) total_auctions, {ranks("auctions", "auction")} from bids group by all""",
    "q17": f"""select auction, {WINDOW}, count(*) total_bids, {BID_RANKS}, min(price) min_price, max(price) max_price, avg(price) avg_price,
                      sum(price) sum_price from bids group by all""",
    "q18": f"""select auction, bidder, {WINDOW}, arg_max(price, ts) price, arg_max(channel, ts) channel, arg_max(url, ts) url, max(ts) dateTime,
                      arg_max(extra, ts) extra from bids group by all""",
}


def test_every_job_has_its_question():
    assert {path.stem for path in NEXMARK.glob("*.yaml")} == set(QUERIES)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    s = Site(tmp_path_factory.mktemp("nexmark"), job="")
    s.start_log()
    s.create("bids")
    # Over the end of a day, for the queries that go by days.
    s.command("generate", "--events", BIDS, "--of", "bids", "--start", START + 82_800_000, "--span", "3h", "--brokers", s.brokers, "bids")
    yield s
    for process in s.processes:
        s.kill(process)


@pytest.fixture(scope="module")
def bids(site):
    records = site.json_records("bids")
    assert len(records) == BIDS
    for record in records:
        record["ts"] = record.pop("dateTime")
    return pyarrow.Table.from_pylist(records)


def test_bids_are_as_skewed_as_the_benchmark_says(bids):
    """Half of the bids on hot auctions and three in four of hot bidders, apart from what the others hit by chance."""
    hot = duckdb.sql("select avg((auction % 100 = 0)::int), avg((bidder % 100 = 1)::int), avg((channel not like 'channel-%')::int) from bids").fetchall()[0]
    assert 0.48 < hot[0] < 0.54 and 0.73 < hot[1] < 0.80 and 0.48 < hot[2] < 0.52, hot
    low, high, size = duckdb.sql("select min(price), max(price), avg(length(extra)) from bids").fetchall()[0]
    assert 100 <= low < 110 and 90_000_000 < high <= 100_000_000 and 60 < size < 75, (low, high, size)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_says_what_the_database_says(site, bids, query):
    job = site.directory / f"{query}.yaml"
    job.write_text((NEXMARK / f"{query}.yaml").read_text().replace("${MILLRACE_BROKERS:-embedded}", site.brokers))
    config = site.directory / f"{query}-daemon.yaml"
    config.write_text(f"state: {{directory: ./{query}/state, memory: 128MiB}}\ncheckpoint: {{interval: 200ms, storage: ./{query}/checkpoints}}\n")
    site.command("run", job, "--config", config, "--until-end", "--flush")
    found = [json.loads(record.value(), parse_float=decimal.Decimal) for record in site.consume(f"nexmark-{query}")]
    table = duckdb.sql(QUERIES[query])
    expected = [dict(zip(table.columns, row)) for row in table.fetchall()]
    assert len(expected) > (1 if query == "q7" else 100) and list(found[0]) == table.columns

    def normal(row):
        return tuple(round(float(value), 6) if isinstance(value, (float, decimal.Decimal)) else value for value in row.values())

    assert sorted(map(normal, found)) == sorted(map(normal, expected))
