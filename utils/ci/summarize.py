#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts tests and shows what failed.

usage: summarize.py JUNIT.xml [LIT-RESULTS.json…]

JUNIT.xml is CTest's report. A unit test program counts as its single tests ("ok NAME", "not ok NAME"), a run of lit as
the tests in its results file, anything else as one. Failures with their output, and what was not run and why, go to
standard error; the only line on standard output is "PASSED FAILED".
"""
import json
import os
import re
import sys
import xml.etree.ElementTree

UNIT = re.compile(r"^(ok|not ok) (\w+)\s*$", re.MULTILINE)
OUTPUT_LINES = 150 # of one failure
SHOWN = 25         # failures with output; of the others only the name


class Summary:
    def __init__(self):
        self.passed = 0
        self.failures = []    # (name, output)
        self.unsupported = {} # reason → names
        self.elsewhere = 0    # tests that run with the main compiler only

    def fail(self, name, output):
        self.failures.append((name, output))

    def add_program(self, name, status, output):
        cases = UNIT.findall(output)
        bad = [case for result, case in cases if result != "ok"]
        self.passed += len(cases) - len(bad)
        if status == "run":
            self.passed += not cases
        elif status in ("disabled", "notrun") and not output.strip():
            self.fail(f"{name} (not run)", "its program could not be built, or not be started: see the build above")
        elif bad:
            for case in bad:
                self.fail(f"{name}: {case}", before(output, case))
        else:
            self.fail(name, output)

    def add_lit(self, path):
        with open(path, encoding="utf-8") as f:
            tests = json.load(f)["tests"]
        for test in tests:
            if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
                self.passed += 1
            elif test["code"] == "UNSUPPORTED" and test["output"].strip().endswith(": main-llvm"):
                self.elsewhere += 1 # one compiler is enough for it
            elif test["code"] in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
                reason = " ".join(test["output"].split()) or test["code"].lower()
                self.unsupported.setdefault(reason, []).append(test["name"])
            else:
                self.fail(f"{test['name']} ({test['code']})", test["output"])


def before(output, case):
    """The lines that a failed unit test printed: those between the last result and its own."""
    end = output.index(f"not ok {case}")
    start = max((m.end() for m in UNIT.finditer(output, 0, end)), default=0)
    return output[start:end].strip("\n")


def show(summary):
    out = sys.stderr
    for number, (name, output) in enumerate(summary.failures):
        if number >= SHOWN:
            break
        lines = output.rstrip().split("\n")
        print(f"\n==== FAILED {name}", file=out)
        if len(lines) > OUTPUT_LINES:
            print(f"(the last {OUTPUT_LINES} of {len(lines)} lines)", file=out)
        print("\n".join(lines[-OUTPUT_LINES:]), file=out)
    if summary.elsewhere:
        print(f"\n{summary.elsewhere} tests ran with the main compiler only.", file=out)
    if summary.unsupported:
        print("\nNot run:", file=out)
        for reason, names in sorted(summary.unsupported.items()):
            print(f"  {reason}", file=out)
            for name in sorted(names):
                print(f"    {name}", file=out)
    if summary.failures:
        print("\nFailed:", file=out)
        for name, _ in summary.failures:
            print(f"  {name}", file=out)


def main():
    if len(sys.argv) < 2 or sys.argv[1] == "--help":
        print(__doc__.strip())
        return 0 if len(sys.argv) > 1 else 2
    summary = Summary()
    for path in sys.argv[2:]:
        if os.path.exists(path):
            summary.add_lit(path)
    for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        if name.startswith("lit-"):
            version = name.removeprefix("lit-")
            if not any(f"/{version}/" in path and os.path.exists(path) for path in sys.argv[2:]):
                summary.fail(f"{name} (no results)", output)
            continue
        summary.add_program(name, status, output)
    show(summary)
    print(summary.passed, len(summary.failures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
