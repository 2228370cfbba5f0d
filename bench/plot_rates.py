#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prefill rate against the number of tokens, as a table and a plot for docs/SPEED.md.

    sparsevlm bench -m 7b-Q4_0.gguf --settings none --repeat 3 -n 2 --json \\
        --tokens 1,2,4,8,16,24,32,48,64,96,128,192,256,320,448,576,640,700 > q4_0.json
    bench/plot_rates.py docs/rates.svg Q4_0=q4_0.json Q4_K_M=q4_k_m.json

Writes the plot to the first argument and prints the table: medians, with lines from the
slowest to the fastest round in the plot. Every series is one LABEL=FILE of `bench --json`;
rows with pruning are left out.
"""
import json
import math
import sys

W, H = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 92, 24, 52
COLOURS = ("#0b62a4", "#c2410c", "#15803d", "#7c3aed", "#6b7280")
TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 700)


def read(path):
    """[(tokens, median, low, high)] in tokens a second, by rising tokens."""
    with open(path, encoding="utf-8") as f:
        rows = [r for r in json.load(f)["rows"] if r["setting"] == "none"]
    if not rows:
        sys.exit(f"{path}: no rows without pruning")
    rate = []
    for r in rows:
        n, s = r["tokens"], r["prefill_seconds"]
        rate.append((n, n / s["median"], n / s["high"], n / s["low"]))
    return sorted(rate)


def print_table(series):
    counts = sorted({n for _, rate in series for n, *_ in rate})
    print("| tokens |" + "".join(f" {label} |" for label, _ in series))
    print("|---|" + "---|" * len(series))
    for n in counts:
        cells = [next((f"{m:.1f} ({low:.1f} to {high:.1f})" for k, m, low, high in rate if k == n), "")
                 for _, rate in series]
        print(f"| {n} |" + "".join(f" {c} |" for c in cells))


def step_of(top):
    """A round number that divides the axis into four to ten parts."""
    size = 10 ** math.floor(math.log10(top))
    return next(s * size for s in (0.1, 0.2, 0.25, 0.5, 1) if top / (s * size) <= 10)


class Plot:
    def __init__(self, series):
        self.n_max = max(rate[-1][0] for _, rate in series)
        self.top = 1.05 * max(high for _, rate in series for *_, high in rate)
        self.out = []

    def x(self, n):
        share = math.log(n) / math.log(self.n_max) if self.n_max > 1 else 0
        return LEFT + (W - LEFT - RIGHT) * share

    def y(self, rate):
        return H - BOTTOM - (H - TOP - BOTTOM) * rate / self.top

    def line(self, x1, y1, x2, y2, style):
        self.out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>')

    def text(self, x, y, words, style=""):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>')

    def axes(self):
        step = step_of(self.top)
        for i in range(int(self.top / step) + 1):
            y = self.y(i * step)
            self.line(LEFT, y, W - RIGHT, y, 'stroke="#ddd"')
            self.text(LEFT - 8, y + 4, f"{i * step:g}", 'text-anchor="end"')
        for n in TICKS:
            if n <= self.n_max:
                self.line(self.x(n), H - BOTTOM, self.x(n), H - BOTTOM + 5, 'stroke="#444"')
                self.text(self.x(n), H - BOTTOM + 19, str(n), 'text-anchor="middle"')
        self.text((LEFT + W - RIGHT) / 2, H - 10, "tokens in the prompt", 'text-anchor="middle"')
        self.text(LEFT - 40, TOP - 8, "prefill, tokens a second")

    def series(self, label, rate, colour, label_y):
        points = " ".join(f"{self.x(n):.1f},{self.y(m):.1f}" for n, m, _, _ in rate)
        self.out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                        'stroke-width="2"/>')
        for n, m, low, high in rate:
            self.line(self.x(n), self.y(low), self.x(n), self.y(high), f'stroke="{colour}"')
            self.out.append(f'<circle cx="{self.x(n):.1f}" cy="{self.y(m):.1f}" r="3" '
                            f'fill="{colour}"/>')
        self.text(W - RIGHT + 10, label_y + 4, label, f'fill="{colour}"')

    def svg(self):
        return "\n".join(
            [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" '
             'font-family="sans-serif" font-size="13" fill="#333">',
             f'<rect width="{W}" height="{H}" fill="#fff"/>', *self.out, "</svg>", ""])


def escape(words):
    return words.replace("&", "&amp;").replace("<", "&lt;")


def label_places(plot, series):
    """Labels stand at their lines' ends, apart by a line of text at least."""
    places, last = {}, -math.inf
    for label, rate in sorted(series, key=lambda s: plot.y(s[1][-1][1])):
        last = places[label] = max(plot.y(rate[-1][1]), last + 16)
    return places


def main():
    pairs = [a.partition("=") for a in sys.argv[2:]]
    if not pairs or not all(path for _, _, path in pairs):
        sys.exit(__doc__)
    series = [(label, read(path)) for label, _, path in pairs]
    if len(series) > len(COLOURS):
        sys.exit(f"at most {len(COLOURS)} series")
    plot = Plot(series)
    plot.axes()
    places = label_places(plot, series)
    for (label, rate), colour in zip(series, COLOURS):
        plot.series(label, rate, colour, places[label])
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write(plot.svg())
    print_table(series)


if __name__ == "__main__":
    main()
