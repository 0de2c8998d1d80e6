#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Starts a real cell, waits until its socket accepts, runs a command, stops the cell by pid; exits with its status.

    run_with_cell.py --socket PATH [--keep-log FILE] CELL-COMMAND… -- COMMAND…
"""
import os
import signal
import socket
import subprocess
import sys
import time


def accepts(path):
    """Also at the end of a path that has no room in an address: by the descriptor of its folder."""
    try:
        folder = os.open(os.path.dirname(path) or ".", os.O_PATH)
    except OSError:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        return True
    except OSError:
        return False
    finally:
        os.close(folder)


def start(path, command, log=None, limit_s=30):
    """Starts `command`; returns the process when `path` accepts, or exits with its output."""
    out = open(log, "ab") if log else subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=out, stderr=out if log else None)
    limit = time.monotonic() + limit_s
    while not accepts(path):
        if process.poll() is not None or time.monotonic() > limit:
            process.kill()
            sys.exit(f"run_with_cell: {command[0]} did not start (status {process.wait()})")
        time.sleep(0.005)
    return process


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            sys.exit("run_with_cell: the cell did not stop on SIGTERM")


def main():
    args, path, log = sys.argv[1:], None, None
    while args and args[0] in ("--socket", "--keep-log"):
        if args[0] == "--socket":
            path = args[1]
        else:
            log = args[1]
        args = args[2:]
    split = args.index("--")
    process = start(path, args[:split], log)
    try:
        status = subprocess.run(args[split + 1:]).returncode
    finally:
        stop(process)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
