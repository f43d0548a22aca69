#!/usr/bin/env python3
"""Draws recovery times over what changed since the last snapshot: `recovery_plot.py docs/recovery.json docs/recovery.svg`.

Also prints the straight lines through the medians. `recovery.py --only kill --json` measures.
"""
import json
import pathlib
import statistics
import sys

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 56, 50
COLOURS = ("#1f6fb4", "#c0561a", "#3a8a4a", "#7a4fa3")
KINDS = (("recovery", "restoring the slower task", "circle"), ("ready", "start of the process to ready", "square"))


def medians(points, name):
    """One (megabytes, seconds, least, most) for each step."""
    steps = {}
    for point in points:
        steps.setdefault(point["step"], []).append(point)
    return [
        (statistics.median(p["changed"] for p in step) / 1e6, statistics.median(p[name] for p in step),
         min(p[name] for p in step), max(p[name] for p in step))
        for step in steps.values()]


def line(points):
    """Intercept and slope of least squares, and how much of the variance they explain."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    slope, intercept = statistics.linear_regression(xs, ys)
    return intercept, slope, statistics.correlation(xs, ys) ** 2


def ticks(most):
    """About five round numbers from 0 to `most` or a little more."""
    step = next(size * 10 ** power for power in range(-2, 6) for size in (1, 2, 5) if size * 10 ** power * 6 >= most)
    return [round(number * step, 6) for number in range(int(most / step + 0.999) + 1)]


def draw(figures):
    series = []
    for colour, state in zip(COLOURS, figures["kill"]):
        for name, title, mark in KINDS:
            series.append((f"{title}, {state['state'] / 1e9:.2f} GB of state", colour, mark, medians(state["points"], name)))
    across = ticks(max(x for *_, points in series for x, *_ in points))
    up = ticks(max(most for *_, points in series for *_, most in points))

    def x(value):
        return LEFT + value / across[-1] * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - value / up[-1] * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{WIDTH / 2}" y="20" text-anchor="middle" font-size="15">Recovery after SIGKILL, local state kept</text>',
        f'<text x="{WIDTH / 2}" y="38" text-anchor="middle" fill="#555">medians, with the shortest and the longest; lines by least squares</text>',
    ]
    for value in across:
        out.append(f'<line x1="{x(value):.1f}" y1="{y(0):.1f}" x2="{x(value):.1f}" y2="{TOP}" stroke="#ddd"/>')
        out.append(f'<text x="{x(value):.1f}" y="{y(0) + 18:.1f}" text-anchor="middle">{value:g}</text>')
    for value in up:
        out.append(f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">deltas since the last snapshot, MB (both tasks)</text>')
    out.append(f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">seconds</text>')
    for number, (title, colour, mark, points) in enumerate(series):
        intercept, slope, _ = line(points)
        dashes = "" if mark == "circle" else ' stroke-dasharray="5 4"'
        out.append(
            f'<line x1="{x(0):.1f}" y1="{y(intercept):.1f}" x2="{x(across[-1]):.1f}" y2="{y(intercept + slope * across[-1]):.1f}" '
            f'stroke="{colour}" stroke-opacity="0.6"{dashes}/>')
        for at, middle, least, most in points:
            out.append(f'<line x1="{x(at):.1f}" y1="{y(least):.1f}" x2="{x(at):.1f}" y2="{y(most):.1f}" stroke="{colour}"/>')
            out.append(symbol(mark, x(at), y(middle), colour))
        out.append(symbol(mark, LEFT + 14, TOP + 14 + 17 * number, colour))
        out.append(f'<text x="{LEFT + 24}" y="{TOP + 18 + 17 * number}">{title}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def symbol(mark, x, y, colour):
    if mark == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="white" stroke="{colour}"/>'


def tell(figures):
    print("| state | | without deltas | for 100 MB of deltas more | R² |\n|---|---|---|---|---|")
    for state in figures["kill"]:
        for name, title, _ in KINDS:
            intercept, slope, explained = line(medians(state["points"], name))
            print(f"| {state['state'] / 1e9:.2f} GB | {title} | {intercept:.2f} s | {slope * 100:.2f} s | {explained:.2f} |")


def main():
    source, target = map(pathlib.Path, sys.argv[1:3])
    figures = json.loads(source.read_text())
    target.write_text(draw(figures))
    tell(figures)


if __name__ == "__main__":
    main()
