"""`python3 scripts/bench WHAT`: see bench.sh."""
import argparse
import sys

import backfill
import drain
import latency
import log
import pauses
import plot
import records
from jobs import JOBS
from processes import machine


def measure_jobs(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh")
    parser.add_argument("job", nargs="*", default=["sessions"], choices=JOBS)
    parser.add_argument("--events", type=int, help="instead of the job's own number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--partitions", type=int, nargs="+", default=[4])
    parser.add_argument("--workers", type=int, nargs="+", default=[None])
    parser.add_argument("--directory", help="where the files go: the disk that is measured")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    for name in options.job:
        for partitions in options.partitions:
            for result in drain.measure(name, options, partitions, options.workers):
                drain.report(result, machine())
                if options.json:
                    records.keep(options.json, "jobs", result, ("job", "partitions", "workers"))


def measure_latency(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh latency")
    parser.add_argument("--rate", type=int, default=50_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--interval", default="100ms", help="from commit to commit")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--directory", help="where the files go: the disk that is measured")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    result = latency.measure(options)
    latency.report(result, machine())
    if options.json:
        records.keep(options.json, "latency", result)


def measure_pauses(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh pauses")
    parser.add_argument("--rate", type=int, default=220_000, help="events a second")
    parser.add_argument("--users", type=int, default=20_000_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--directory", help="where the files go: the disk that is measured")
    options = parser.parse_args(arguments)
    pauses.report(pauses.measure(options), options, machine())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["log"]:
        log.main(arguments[1:])
    elif arguments[:1] == ["backfill"]:
        backfill.main(arguments[1:])
    elif arguments[:1] == ["plot"]:
        plot.main(*arguments[1:])
    elif arguments[:1] == ["latency"]:
        measure_latency(arguments[1:])
    elif arguments[:1] == ["pauses"]:
        measure_pauses(arguments[1:])
    else:
        measure_jobs(arguments)
