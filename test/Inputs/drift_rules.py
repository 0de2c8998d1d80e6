# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the rules of runtime/core/diff.h and the sentences beside them with the table in docs/drift.md."""
import difflib
import os
import re
import sys


def read(*names):
    return open(os.path.join(sys.argv[1], *names)).read()


rules = re.findall(r'X\((\w+), "(\w+)", ([^)]*)\)', read("runtime", "core", "diff.h"))
sentences = dict(re.findall(r'\[DIFF_(\w+)\] = "([^"]*)"', read("runtime", "core", "diff_sentence.c")))
assert len(rules) > 20 and len(set(i for _, i, _ in rules)) == len(rules) and set(sentences) == {r[0] for r in rules}
code = []
for symbol, rule, breaks in rules:
    words = [w.lower() for w in ("SOURCE", "WIRE", "ABI") if f"DIFF_{w}" in breaks]
    code.append(f"| `{rule}` | {', '.join(words) or 'nothing'} | {sentences[symbol]} |")
page = re.findall(r"^\| `[A-Z_]+` \| .*$", read("docs", "drift.md"), re.M)
if page != code:
    sys.exit("docs/drift.md is not what the code says:\n" + "\n".join(difflib.unified_diff(page, code, "page", "code")))
