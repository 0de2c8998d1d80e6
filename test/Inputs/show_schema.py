#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the schema that an object or program holds: `show_schema.py FILE [objcopy]`. Checks header and fingerprint."""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile


def section(path, name):
    tool = shutil.which("llvm-objcopy") or shutil.which("objcopy")
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "dump")
        subprocess.run([tool, f"--dump-section={name}={dump}", path, os.path.join(folder, "rest")], check=True)
        with open(dump, "rb") as f:
            return f.read()


def main():
    data = section(sys.argv[1], "cell_schema")
    magic, size, fingerprint = struct.unpack("<8sQ64s", data[:80])
    assert magic == b"CELLSCH1", magic
    text = data[80:80 + size]
    assert len(text) == size and set(data[80 + size:]) <= {0}, (len(data), size)
    assert hashlib.sha256(text).hexdigest() == fingerprint.decode(), fingerprint
    document = json.loads(text)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert canonical == text, text
    print("fingerprint", fingerprint.decode())
    for kind in ("types", "constants", "methods"):
        for entry in document.pop(kind):
            print(kind[:-1], json.dumps(entry, sort_keys=True, ensure_ascii=False))
    print("cell", json.dumps(document, sort_keys=True, ensure_ascii=False))


if __name__ == "__main__":
    main()
