#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts tests from a verbose CTest log and lit's JSON results; prints "PASSED FAILED", and failures to stderr.

    summarize.py CTEST-LOG [LIT-RESULTS.json…]
"""
import json
import re
import sys

UNIT = re.compile(r"^(\d+): (ok|not ok) (\w+)\s*$")
CTEST = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) \.+\s*(\*{0,3}\w[\w ]*?)\s+[\d.]+ sec")


def main():
    passed, failed, failures, units = 0, 0, [], {}
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        lines = log.readlines()
    for line in lines:
        if match := UNIT.match(line):
            units.setdefault(match[1], []).append((match[2] == "ok", match[3]))
    for line in lines:
        if not (match := CTEST.match(line)):
            continue
        number, name, good = match[1], match[2], match[3] == "Passed"
        cases = units.get(number, [])
        if name.startswith("lit-") and len(sys.argv) > 2:
            continue
        passed += sum(ok for ok, _ in cases)
        bad = [case for ok, case in cases if not ok]
        failed += len(bad)
        failures += [f"{name}: {case}" for case in bad]
        if not cases and good:
            passed += 1
        elif not good and not bad:
            failed += 1
            failures.append(f"{name}: {match[3]}")
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as f:
            for test in json.load(f)["tests"]:
                if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
                    passed += 1
                elif test["code"] not in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
                    failed += 1
                    failures.append(f"{test['name']}: {test['code']}\n{test['output']}")
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    for number, cases in units.items():
        assert cases, number
    print(passed, failed)


if __name__ == "__main__":
    main()
