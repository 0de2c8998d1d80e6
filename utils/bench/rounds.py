# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that are told over a pipe to run a round of a case (driver.h), and rounds that take turns between them."""
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time

from bench import p99

PLACES = {"one-cpu": "one CPU", "two-cpus": "two CPUs", "unpinned": "unpinned"}


def places():
    return [p for p in PLACES if p != "two-cpus" or len(os.sched_getaffinity(0)) > 1]


class Program:
    """A running pair of client and server. Its folder goes with it."""
    def __init__(self, path, place):
        self.folder = tempfile.TemporaryDirectory()
        self.name = os.path.basename(path)
        self.process = subprocess.Popen([path, place, self.folder.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.client, self.server = (int(n) for n in self.read("ready"))
        self.cases = self.read("cases")

    def read(self, word):
        line = self.process.stdout.readline().split()
        if not line or line[0] != word:
            self.close()
            sys.exit(f"{self.name} failed where '{word}' was expected: it said '{' '.join(line)}'")
        return line[1:]

    def ask(self, line, word):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        return self.read(word)

    def round(self, case, batches, per_batch, singles, pause_us=0):
        """(operations, median ns of one, CPU ns, ns of single runs)"""
        n, median, cpu, *single = self.ask(f"round {case} {batches} {per_batch} {singles} {pause_us}", case)
        return int(n), float(median), int(cpu), [int(s) for s in single]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.folder.cleanup()


class Programs:
    """Starts each program once for a place; closes all at the end."""
    def __init__(self, place):
        self.place, self.running = place, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.running.values():
            program.close()

    def get(self, path, which=""):
        key = (path, which)
        if key not in self.running:
            self.running[key] = Program(path, self.place)
        return self.running[key]


class Series:
    """What the rounds of one case gave."""
    def __init__(self, program, case, singles=True):
        self.program, self.case, self.wants_singles = program, case, singles
        self.medians, self.singles, self.cpu, self.operations = [], [], 0, 0

    def plan(self, budget_ns):
        """How many batches of how many runs, and how many single runs, so that each half of a round takes about
        budget_ns. A batch lasts 20 µs at the least: the clock's cost is then below 0.2 %."""
        start = time.perf_counter_ns()
        self.program.round(self.case, 0, 1, 0)
        once = time.perf_counter_ns() - start
        if once < budget_ns:
            start = time.perf_counter_ns()
            self.program.round(self.case, 1, 9, 0)
            once = max(1, (time.perf_counter_ns() - start) // 18)
            if once < 100_000:
                operations, median, _, _ = self.program.round(self.case, 5, 20, 0)
                once = max(1, median * operations / 100)
        per_batch = max(1, round(20_000 / once))
        self.batches = max(1 if once > budget_ns else 3, min(1000, int(budget_ns / (once * per_batch))))
        self.per_batch = per_batch
        self.nsingles = max(3, min(2000, int(budget_ns / once))) if self.wants_singles else 0

    def run(self):
        n, median, cpu, singles = self.program.round(self.case, self.batches, self.per_batch, self.nsingles)
        self.medians.append(median)
        self.singles += singles
        self.operations += n
        self.cpu += cpu

    @property
    def median(self):
        return statistics.median(self.medians)

    @property
    def p99(self):
        return p99(self.singles) if self.singles else None

    @property
    def cpu_seconds_per_million(self):
        return self.cpu / self.operations / 1000

    def against(self, base):
        """Median of the ratios to what the base gave in the same round."""
        return statistics.median(own / other for own, other in zip(self.medians, base.medians))


def interleave(bench, what, series, rounds, budget_ms):
    """Runs a round of each in turn, forwards and backwards."""
    for s in series:
        bench.progress(f"{what}: {s.program.name} {s.case}")
        s.plan(budget_ms * 1e6)
    for i in range(rounds):
        bench.progress(f"{what}: round {i + 1} of {rounds}")
        for s in series if i % 2 == 0 else reversed(series):
            s.run()
    bench.progress("")


def after_pauses(bench, what, pairs, rounds, pause_ms):
    """Single runs, each after a pause, of (program, case) in turn; gives the list of nanoseconds of each. Pauses are up
    to a quarter longer, spread evenly over the rounds and the same for all, so that no timer of anybody meets their end
    each time."""
    results = [[] for _ in pairs]
    for i in range(rounds):
        bench.progress(f"{what}: round {i + 1} of {rounds}")
        pause_us = round(pause_ms * 1000 * (1 + (i + 0.5) / rounds / 4))
        for (program, case), result in zip(pairs, results):
            result += program.round(case, 0, 1, 2, pause_us)[3]
    bench.progress("")
    return results


def cpu_ns(pid):
    """CPU time of a process, read from outside: the clock id that clock_getcpuclockid(3) gives."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def resident_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Rss:"))
