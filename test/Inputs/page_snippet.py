# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the first indented block of a section of a page: page_snippet.py PAGE HEADING"""
import sys
import textwrap

page = open(sys.argv[1], encoding="utf-8").read()
section = page[page.index(f"\n## {sys.argv[2]}\n") + 1:]
lines = section[:section.index("\n## ") + 1 if "\n## " in section else None].splitlines()
first = next(i for i, line in enumerate(lines) if line.startswith("    "))
last = next(i for i in range(first, len(lines) + 1) if i == len(lines) or lines[i] and not lines[i].startswith("    "))
print(textwrap.dedent("\n".join(lines[first:last])).rstrip())
