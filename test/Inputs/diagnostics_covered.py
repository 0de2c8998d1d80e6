#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that a test expects every message of Diagnostics.def, in full: a line that FileCheck or -verify matches.
A line counts for the message that explains most of it.   diagnostics_covered.py DIAGNOSTICS.DEF TESTS…

Messages that are nothing but an argument (the cell's or the library's own words) are named here with what a test expects
in their place.
"""
import re
import sys

WORDS_OF_OTHERS = {
    "Config": "error: {{.*}}cell.json{{.*}}cels",
    "ExpansionError": "expected-error@+5 {{an error about the limit}}",
    "ExpansionWarning": "expected-warning@+9 {{a warning about 'second'}}",
    "ExpansionRemark": "expected-remark@+4 {{a remark of the cell}}",
    "ExpansionNote": "expected-note@+4 {{a note}}",
    "VerbArgumentFile": "r\"' of argument 'sql' cannot be used: \"",
    "PlanIncluded": "r\"pre.pch' needs of its cells cannot be found out: \"",
    "DriftGone": "error: Field 'email' no longer exists in Auth Cell",
    "RuleConstant": "expected-error@+1 {{card must satisfy bank_is_card}}",
    "DriftChanged": "remark: {{.*}}AUTH_MAX_SESSIONS",
}


def pattern(text):
    """A regular expression for what the message may look like, and how many characters of it are its own."""
    out, own = "", 0
    for part in re.split(r"(%(?:select|plural)\{[^}]*\}\d|%s\d|%\d)", text):
        if part.startswith("%select"):
            out += "(?:" + "|".join(re.escape(choice) for choice in part[8:-2].split("|")) + ")"
        elif part.startswith("%"):
            out += ".*?"
        else:
            out, own = out + re.escape(part), own + len(part)
    return re.compile(out), own


def expectations(paths):
    wanted = re.compile(r"expected-(error|warning|note|remark)|^\W*[A-Z0-9_]+(-[A-Z]+)*:|r\"|implicit-check-not")
    for path in paths:
        with open(path, encoding="utf-8") as f:
            yield from (line for line in f if wanted.search(line))


def main():
    lines = list(expectations(sys.argv[2:]))
    with open(sys.argv[1], encoding="utf-8") as f:
        messages = re.findall(r'^CELL_DIAG\((\w+), \w+, "((?:[^"\\]|\\.)*)"\)', f.read(), re.M)
    patterns = {name: pattern(text) for name, text in messages if name not in WORDS_OF_OTHERS}
    seen = {name for name, words in WORDS_OF_OTHERS.items() if any(words in line for line in lines)}
    for line in lines:
        matching = [(own, name) for name, (regex, own) in patterns.items() if regex.search(line)]
        if matching:
            seen.add(max(matching)[1])
    missing = [f"{name}: {text}" for name, text in messages if name not in seen]
    print(*missing, sep="\n")
    print(f"{len(messages)} messages, {len(missing)} that no test expects")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
