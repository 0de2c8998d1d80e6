# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the auth cell costs while it does nothing: private memory, wake-ups, start-up time."""
import os
import socket
import subprocess
import sys
import time

from bench import ROOT

sys.path.insert(0, os.path.join(ROOT, "test", "Inputs"))
import cell_wire as wire


def health(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(wire.frame(wire.HELLO, wire.OPS, meta=wire.meta([(":cell", "auth"), (":abi", "lp64-le")])))
        wire.read_frame(s)
        s.sendall(wire.frame(wire.CALL, wire.OPS, code=0, request=1))
        wire.read_frame(s)


def start(bench, work):
    """The process, and the milliseconds from its start to the first reply."""
    path = os.path.join(work, "auth.sock")
    begin = time.perf_counter()
    process = subprocess.Popen([bench.path("bin", "auth"), "--database", os.path.join(work, "auth.db"),
                                "--address", f"unix:{path}"])
    while True:
        try:
            health(path)
            return process, (time.perf_counter() - begin) * 1000
        except (FileNotFoundError, ConnectionRefusedError):
            if process.poll() is not None:
                sys.exit("call: the auth cell does not start")
            time.sleep(0.0002)


def stop(process):
    process.terminate()
    process.wait()


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("Private_Clean", "Private_Dirty")))


def switches(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as f:
            total += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
    return total
