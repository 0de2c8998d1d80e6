#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stands for clangd where a test is of the proxy before it: sends back every byte that it gets.

FAKE_CLANGD says what else it does: "crash" (ends by a signal after the first message), "exit N" (with status N, then),
"nonsense" (sends what is no message), "stay" (does not end with its input, nor on SIGTERM).
FAKE_CLANGD_PID is a file that gets its process id.
"""
import os
import signal
import sys


def main():
    if "--version" in sys.argv:
        print("Debian clangd version 19.1.7")
        return
    behaviour = os.environ.get("FAKE_CLANGD", "")
    if behaviour == "stay":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "FAKE_CLANGD_PID" in os.environ:
        with open(os.environ["FAKE_CLANGD_PID"] + ".new", "w", encoding="utf-8") as f:
            f.write(f"{os.getpid()} {sys.argv[1:]} {os.environ.get('CELL_EDITOR_MS')}")
        os.rename(os.environ["FAKE_CLANGD_PID"] + ".new", os.environ["FAKE_CLANGD_PID"])
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        if behaviour == "nonsense":
            os.write(1, b"Hello, world\r\n\r\n")
            continue
        while data:
            data = data[os.write(1, data):]
        if behaviour == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if behaviour.startswith("exit"):
            sys.exit(int(behaviour.split()[1]))
    while behaviour == "stay":
        signal.pause()


main()
