#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes the C blocks out of a page of documentation.   snippets.py PAGE SOURCE FOLDER

What follows "c" in the line that opens a block says what it is:

  examples/FILE      an excerpt: FILE must contain it, character by character
  NAME.c             a file, written to FOLDER
  server             declarations of a cell that includes greeter.h, written to FOLDER/server-N.c
  server-imports     likewise, of one that imports another cell: FOLDER/imports-N.c
  client             statements of a program that imports greeter: FOLDER/client-N.c
  nothing            a program: FOLDER/program-N.c

Prints a line for each block, and fails for a block that is none of these.
"""
import os
import re
import sys

INCLUDES = "".join(f"#include <{name}>\n" for name in ("inttypes.h", "stdio.h", "time.h", "unistd.h"))
FORMS = {
    "server": ("server-{}.c", INCLUDES + '#include "greeter.h"\n{}'),
    "server-imports": ("imports-{}.c", INCLUDES + '#include "greeter.h"\n{}'),
    "client": ("client-{}.c", INCLUDES + "#include <cell/cell.h>\nCELL_REMOTE(greeter);\nint snippet(cell_ctx *c);\n"
                              "int snippet(cell_ctx *c)\n{{\n{}    return 0;\n}}\n"),
    "": ("program-{}.c", "{}"),
}


def main():
    page, source, folder = sys.argv[1:4]
    with open(page, encoding="utf-8") as f:
        blocks = re.findall(r"^```c\b *([^\n]*)\n(.*?)^```$", f.read(), re.MULTILINE | re.DOTALL)
    for number, (kind, text) in enumerate(blocks, 1):
        if kind.startswith("examples/"):
            with open(os.path.join(source, kind), encoding="utf-8") as f:
                if text not in f.read():
                    sys.exit(f"{page}: block {number} is not what {kind} says:\n{text}")
            print("excerpt", kind)
            continue
        if kind in FORMS:
            name, form = FORMS[kind][0].format(number), FORMS[kind][1].format(text)
        elif re.fullmatch(r"[a-z_]+\.[ch]", kind):
            name, form = kind, text
        else:
            sys.exit(f"{page}: block {number} begins with the unknown word '{kind}'")
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(form)
        print("wrote", name)


if __name__ == "__main__":
    main()
