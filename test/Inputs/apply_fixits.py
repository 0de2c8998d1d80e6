# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Applies the fix-its of -fdiagnostics-parseable-fixits on standard input to the files that they name."""
import collections
import re
import sys

found = collections.defaultdict(set)
for line in sys.stdin:
    m = re.match(r'fix-it:"(.*)":\{(\d+):(\d+)-(\d+):(\d+)\}:"(.*)"$', line)
    if m:
        found[m[1]].add((int(m[2]), int(m[3]), int(m[4]), int(m[5]), m[6]))
for path, fixes in found.items():
    lines = open(path).read().split("\n")
    for row, begin, end_row, end, text in sorted(fixes, reverse=True):
        assert row == end_row
        line = lines[row - 1]
        lines[row - 1] = line[: begin - 1] + text + line[end - 1 :]
    open(path, "w").write("\n".join(lines))
