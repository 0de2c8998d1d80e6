#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles sources with and without the plugin and compares the objects byte for byte.

One source a C header of the -dev packages in /usr/include, and the single-file libraries of libstb-dev with their
implementations.   identical_objects.py WORKDIR PLUGIN COMPILER"""
import concurrent.futures
import glob
import os
import subprocess
import sys

LARGE = {"stb_image.h": "STB_IMAGE_IMPLEMENTATION", "stb_image_write.h": "STB_IMAGE_WRITE_IMPLEMENTATION",
         "stb_truetype.h": "STB_TRUETYPE_IMPLEMENTATION", "stb_sprintf.h": "STB_SPRINTF_IMPLEMENTATION",
         "stb_ds.h": "STB_DS_IMPLEMENTATION", "stb_dxt.h": "STB_DXT_IMPLEMENTATION",
         "stb_vorbis.h": "STB_VORBIS_IMPLEMENTATION", "stb_image_resize.h": "STB_IMAGE_RESIZE_IMPLEMENTATION"}


def sources():
    """(name, text) of every translation unit to try; the ones that do not compile at all are left out later."""
    patterns = ["/usr/include/*.h", "/usr/include/x86_64-linux-gnu/sys/*.h", "/usr/include/openssl/*.h",
                "/usr/include/linux/*.h", "/usr/include/sodium/*.h", "/usr/include/postgresql/*.h"]
    for pattern in patterns:
        for header in sorted(glob.glob(pattern))[:120]:
            use = "static inline int used(int x) { return x + (int)sizeof(FILE); }\nint entry(int x) { return used(x); }\n"
            yield header, f"#include <stdio.h>\n#include <stdint.h>\n#include \"{header}\"\n{use}"
    for header, macro in LARGE.items():
        if os.path.exists(f"/usr/include/stb/{header}"):
            yield header, f"#define {macro}\n#include <stb/{header}>\n"


def compile_both(item):
    number, (name, text), work, plugin, compiler = item
    source = os.path.join(work, f"{number}.c")
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    objects = []
    for extra in ([], [f"-fplugin={plugin}"]):
        out = os.path.join(work, f"{number}.o")
        command = [compiler, "-O1", "-g", "-w", "-c", source, "-o", out] + extra
        result = subprocess.run(command, capture_output=True)
        if result.returncode != 0:
            objects.append((result.returncode, result.stderr))
            continue
        with open(out, "rb") as f:
            objects.append((0, f.read()))
        os.unlink(out)
    return name, objects


def main():
    work, plugin, compiler = sys.argv[1:4]
    items = [(n, s, work, plugin, compiler) for n, s in enumerate(sources())]
    compared = differ = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, (without, with_plugin) in pool.map(compile_both, items):
            if without[0] == 0:
                compared += 1
            if without != with_plugin:
                differ += 1
                print(f"differs: {name}")
    print(f"{compared} objects compared, {differ} differ")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
