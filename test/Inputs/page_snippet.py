# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the first indented block of a section of a page: page_snippet.py PAGE HEADING"""
import sys
import textwrap


def snippet(path, heading):
    with open(path, encoding="utf-8") as f:
        page = f.read()
    section = page[page.index(f"\n## {heading}\n") + 1:]
    lines = section[:section.index("\n## ") + 1 if "\n## " in section else None].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("    "))
    last = next(i for i in range(first, len(lines) + 1)
                if i == len(lines) or lines[i] and not lines[i].startswith("    "))
    return textwrap.dedent("\n".join(lines[first:last])).rstrip()


if __name__ == "__main__":
    print(snippet(*sys.argv[1:]))
