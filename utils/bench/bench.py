# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmarks share: options, interleaved runs, tables, figures with bounds, chart."""
import argparse
import json
import operator
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPERATORS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


class Bench:
    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="build folder (default: build)")
        parser.add_argument("--quick", action="store_true", help="fewer runs, under a minute")
        parser.add_argument("--json", metavar="FILE", help="write all samples")
        parser.add_argument("--svg", metavar="FILE", help="write a chart of the ratios (needs gnuplot)")
        self.options = parser.parse_args()
        self.rows, self.figures, self.samples = [], [], {}

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

    def finish(self):
        if self.rows:
            print("| what | base, median | measured, median | measured, p99 | ratio |\n|---|---:|---:|---:|---:|")
            for name, base, other, high, ratio, unit in self.rows:
                print(f"| {name} | {base:.3f} {unit} | {other:.3f} {unit} | {high:.3f} {unit} | {ratio:.3f} |")
            print()
        for name, value, unit, bound, good in self.figures:
            print(f"figure {name} {value:.4g} {unit} bound {bound} {'ok' if good else 'short'}")
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as f:
                json.dump({"samples": self.samples, "figures": self.figures}, f, indent=1)
        if self.options.svg:
            self.chart()
        sys.exit(0 if all(f[4] for f in self.figures) else 1)

    def chart(self):
        data = "\n".join(f'"{row[0]}" {row[4]}' for row in self.rows)
        script = (f"set terminal svg size 900,500\nset output '{self.options.svg}'\nset style fill solid\n"
                  "set boxwidth 0.6\nset yrange [0:*]\nset ylabel 'ratio'\nset xtics rotate by -25\n"
                  f"$data << EOD\n{data}\nEOD\nplot $data using 0:2:xtic(1) with boxes notitle\n")
        try:
            subprocess.run(["gnuplot"], input=script.encode(), check=True)
        except FileNotFoundError:
            print("chart skipped: gnuplot is not installed", file=sys.stderr)


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
