# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmarks share: options, interleaved runs, tables, figures with bounds, chart."""
import argparse
import json
import math
import operator
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPERATORS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


class Bench:
    """add_options: given the parser, adds options of its own."""
    def __init__(self, description, add_options=None):
        # Whoever stops it finds no server left behind: an exit, unlike a signal's death, leaves every "with" block.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--build", default=os.path.join(ROOT, "build"), type=os.path.abspath,
                            help="build folder (default: build)")
        parser.add_argument("--quick", action="store_true", help="fewer runs, under a minute")
        parser.add_argument("--json", metavar="FILE", help="write all samples")
        parser.add_argument("--svg", metavar="FILE", help="write a chart")
        if add_options:
            add_options(parser)
        self.options = parser.parse_args()
        self.rows, self.notes, self.figures, self.skipped, self.samples = [], [], [], [], {}

    def path(self, *parts):
        return os.path.join(self.options.build, *parts)

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def compare(self, name, base, other, runs, unit="ms"):
        """base and other: functions that return one sample. Runs them in pairs, alternating which comes first, after
        one warm-up of each; records medians and the median of the paired ratios other/base, and returns that."""
        base(), other()
        pairs = []
        for i in range(runs):
            self.progress(f"{name}: {i + 1}/{runs}")
            pairs.append((base(), other()) if i % 2 == 0 else tuple(reversed((other(), base()))))
        self.progress("")
        ratio = statistics.median(o / b for b, o in pairs)
        self.samples[name] = pairs
        self.rows.append((name, *(statistics.median(p[i] for p in pairs) for i in (0, 1)),
                          p99([p[1] for p in pairs]), ratio, unit))
        return ratio

    def figure(self, name, value, unit, bound):
        """bound: "<=1.05"; printed last, decides the exit status."""
        op = "<=" if bound.startswith("<=") else ">=" if bound.startswith(">=") else "<"
        good = OPERATORS[op](value, float(bound[len(op):]))
        self.figures.append((name, value, unit, bound, good))

    def note(self, text):
        """What was measured and has no bound."""
        self.notes.append(text)

    def skip(self, name, reason):
        """What was not measured, and why. Never left out silently."""
        self.skipped.append((name, reason))

    def finish(self):
        if self.rows:
            print("| what | base, median | measured, median | measured, p99 | ratio |\n|---|---:|---:|---:|---:|")
            for name, base, other, high, ratio, unit in self.rows:
                print(f"| {name} | {base:.3f} {unit} | {other:.3f} {unit} | {high:.3f} {unit} | {ratio:.3f} |")
            print()
        for text in self.notes:
            print(f"- {text}")
        for name, reason in self.skipped:
            print(f"skipped {name}: {reason}")
        for name, value, unit, bound, good in self.figures:
            print(f"figure {name} {value:.4g} {unit} bound {bound} {'ok' if good else 'short'}")
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as f:
                json.dump({"samples": self.samples, "figures": self.figures, "skipped": self.skipped}, f, indent=1)
        if self.options.svg:
            self.chart()
        sys.exit(0 if all(f[4] for f in self.figures) else 1)

    def chart(self):
        write_bars(self.options.svg, "ratio to the base", [(row[0], row[4], f"{row[4]:.3f}") for row in self.rows])


def write_bars(path, title, bars, logarithmic=False):
    """Horizontal bars as SVG. bars: (label, value, the value as text); values are positive."""
    row, left, width, right = 22, 330, 420, 90
    values = [value for _, value, _ in bars]
    low = min(values, default=1) / 2 if logarithmic else 0
    high = max(values, default=1)

    def length(value):
        return width * (math.log(value / low) / math.log(high / low) if logarithmic else value / high)

    height = row * len(bars) + 50
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + right}" height="{height}" '
             'font-family="sans-serif" font-size="13">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="24" font-weight="bold">{escape(title)}</text>']
    for i, (label, value, text) in enumerate(bars):
        y = 40 + row * i
        lines += [f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>',
                  f'<rect x="{left}" y="{y + 2}" width="{length(value):.1f}" height="{row - 6}" fill="#4a78a8"/>',
                  f'<text x="{left + length(value) + 6:.1f}" y="{y + 14}">{escape(text)}</text>']
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines + ["</svg>", ""]))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    release = ".".join(platform.release().split(".")[:2])
    return f"{model}, {len(os.sched_getaffinity(0))} CPUs, Linux {release}"


def update_docs(path, program, blocks):
    """Replaces what stands between <!-- PROGRAM-NAME begin --> and <!-- PROGRAM-NAME end --> for each block."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for name, block in blocks.items():
        begin, end = f"<!-- {program}-{name} begin -->\n", f"<!-- {program}-{name} end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            sys.exit(f"{program}: {path} has no place for '{name}': {begin.strip()} … {end}")
        text = text[:text.index(begin) + len(begin)] + block + text[text.index(end):]
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def figure_lines(figures, skipped):
    lines = ["", "| figure | value | bound | |", "|---|---:|---:|---|"]
    lines += [f"| `{name}` | {value:.4g} {unit} | {bound} | {'ok' if good else 'short'} |"
              for name, value, unit, bound, good in figures]
    lines += [f"| `{name}` | – | – | skipped: {reason} |" for name, reason in skipped]
    return lines if figures or skipped else []


def p99(values):
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def timed(command, **options):
    """Wall-clock milliseconds of a command that must succeed."""
    start = time.perf_counter()
    result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    elapsed = (time.perf_counter() - start) * 1000
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr.decode(errors='replace')}")
    return elapsed
