# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Records of 64 bytes through other systems, for utils/bench/stream."""
import contextlib
import glob
import json
import os
import subprocess
import time

import peer_programs

PEERS = {"zeromq": "ZeroMQ, PUSH and PULL over ipc, a message each", "redis": "a Redis stream over a Unix socket",
         "nats": "a NATS subject on loopback"}
RECORDS = {"zeromq": 3_000_000, "redis": 500_000, "nats": 1_000_000}


def wait_for(process, ready):
    """What ready() says, once it says something."""
    end = time.monotonic() + 30
    while not (there := ready()):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"bench-stream: {process.args[0]} does not start")
        time.sleep(0.01)
    return there


def port_of_nats(folder):
    """From the file in which it says so; None: not all of that is there yet."""
    with contextlib.suppress(ValueError):
        for path in glob.glob(os.path.join(folder, "*.ports")):
            with open(path, encoding="utf-8") as f:
                return json.load(f)["nats"][0].rsplit(":", 1)[1]
    return None


@contextlib.contextmanager
def server(name, folder):
    """A server of its own; what its programs are to be told of it."""
    if name == "zeromq":
        yield folder
        return
    log = open(os.path.join(folder, name + ".log"), "wb")
    path = os.path.join(folder, "redis.sock")
    if name == "redis":  # what is called redis-check-rdb is the server, under its own name
        command = dict(args=["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no",
                             "--dir", folder], executable="/usr/bin/redis-check-rdb")
    else:
        command = dict(args=["nats-server", "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder],
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    process = subprocess.Popen(**command, stdout=log, stderr=log)
    try:
        if name == "redis":
            wait_for(process, lambda: os.path.exists(path))
            yield path
        else:
            yield wait_for(process, lambda: port_of_nats(folder))
    finally:
        process.kill()
        process.wait()
        log.close()


def once(programs, name, folder):
    """Records a second, of a server that was just started."""
    where = os.path.join(folder, f"{name}-{time.monotonic_ns()}")
    os.mkdir(where)
    with server(name, where) as told:
        program = ["peer-stream-zeromq"] if name == "zeromq" else ["peer-stream", name]
        command = [os.path.join(programs, program[0]), *program[1:], told, str(RECORDS[name])]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def measure(bench, folder, tail, rounds):
    """tail(): records a second through a journal's tail, in the same rounds."""
    programs, there, missing = peer_programs.build(bench)
    for name in PEERS:
        if name in missing:
            bench.skip(PEERS[name], missing[name])
    for name in [name for name in PEERS if name in there]:
        ratio = bench.compare(f"{PEERS[name]}; the tail of a journal", lambda name=name: once(programs, name, folder) / 1e6,
                              lambda: tail() / 1e6, rounds, "M/s")
        bench.note(f"through the tail of a journal go {ratio:.0f} times as many records as through {PEERS[name]}")
