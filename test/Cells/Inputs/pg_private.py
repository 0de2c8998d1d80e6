#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A postgres cell with a server of its own, treated badly.

usage: pg_private.py CELL-PROGRAM CELL FOLDER PGBIN SCENARIO…       one after the other on the same cluster
"""
import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

program, cell, folder, pgbin = sys.argv[1:5]
state = os.path.join(folder, "state")
data = os.path.join(state, "data")
socket = os.path.join(folder, "run", "postgres.sock")
log = os.path.join(folder, "cell.log")
os.makedirs(os.path.dirname(socket), exist_ok=True)
with open(os.path.join(folder, "cell.json"), "w", encoding="ascii") as f:
    f.write('{"run_dir": "run", "cells": {"postgres": {}}}')


def check(condition, text):
    if not condition:
        with open(log, encoding="utf-8", errors="replace") as f:
            sys.exit(f"{scenario}: {text}\n{f.read()}")


def wait_for(condition, text, seconds=60):
    limit = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < limit, f"{text}: not within {seconds} s")
        time.sleep(0.01)


started = []


@atexit.register
def kill_all():
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def start(*options, at=socket, where=state):
    with open(log, "ab") as out:
        started.append(subprocess.Popen([program, "--address", f"unix:{at}", "--state", where, *options],
                                        stdout=out, stderr=out))
    return started[-1]


def ask(sql):
    """The first value, through the cell's own connection string; None when it cannot be asked."""
    done = subprocess.run([cell, "-C", folder, "psql", "--", "-XAtqc", sql], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def serves(process):
    wait_for(lambda: process.poll() is not None or ask("SELECT 1") == "1", "the cell serves")
    check(process.poll() is None, f"the cell ended with {process.poll()}")


def workers(path=data):
    """The processes whose working folder is the cluster."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samefile(f"/proc/{pid}/cwd", path):
                found.append(int(pid))
        except OSError:
            pass
    return found


def postmaster():
    with open(os.path.join(data, "postmaster.pid"), encoding="ascii") as f:
        return int(f.readline())


def is_ready():
    """Whether the server that wrote the pid file says there that it takes connections."""
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="ascii") as f:
            return "\nready" in f.read()
    except FileNotFoundError:
        return False


def stop(process):
    process.send_signal(signal.SIGTERM)
    check(process.wait(60) == 0, "SIGTERM ends it with status 0")
    check(not workers(), "nothing is left running")


def times(text):
    with open(log, encoding="utf-8", errors="replace") as f:
        return f.read().count(text)


def said(text):
    return times(text) > 0


def fails(text, *options, where=state):
    process = start(*options, where=where)
    check(process.wait(60) == 1, "it fails with status 1")
    check(said(text), f"it says '{text}'")


def fresh():
    process = start()
    serves(process)
    check(ask("SHOW listen_addresses") == "" and ask("SHOW data_checksums") == "on", "the settings are those")
    check(ask("SELECT current_user || current_database()") == "cellcell", "user and database are called cell")
    check(ask("SHOW server_encoding") == "UTF8", "the encoding is UTF-8")
    second = start(at=socket + "2")
    check(second.wait(60) == 1 and said("is in use by another postgres cell (pid"), "a second cell is refused")
    stop(process)
    check(not os.path.exists(os.path.join(data, "postmaster.pid")), "the shutdown was clean")


def killed():
    process = start()
    serves(process)
    ask("CREATE TABLE kept AS SELECT 42 AS a")
    for number in range(2):
        os.kill(postmaster(), signal.SIGKILL)
        wait_for(lambda: times("it is started again") > number and ask("SELECT a FROM kept") == "42", "a killed server comes back")
    process.kill()
    process.wait()
    again = start() # at once: the old server may still be on its way out
    serves(again)
    check(ask("SELECT a FROM kept") == "42", "rows survive")
    again.kill()
    again.wait()
    wait_for(lambda: not workers(), "without a cell no server stays")
    again = start()
    serves(again)
    stop(again)


def stale():
    process = start()
    serves(process)
    stop(process)
    # A pid file of a crashed system, whose number another process has by now.
    with open(os.path.join(data, "postmaster.pid"), "w", encoding="ascii") as f:
        f.write(f"{os.getpid()}\n{data}\n1\n5432\n/nowhere\n\n1 1\nready\n")
    process = start()
    serves(process)
    stop(process)
    # A server of the cluster that nobody watches: as if a cell of another kernel namespace had left it.
    shutil.rmtree(os.path.join(state, "run"))
    owner = os.stat(data)
    os.chmod(state, 0o711) # it goes there by itself, as the cell's does not
    for path in (os.path.join(state, "run"), os.path.join(folder, "alone")):
        os.mkdir(path)
        os.chown(path, owner.st_uid, owner.st_gid)
    alone = subprocess.Popen([os.path.join(pgbin, "postgres"), "-D", data, "-c", f"unix_socket_directories={folder}/alone",
                              "-c", "listen_addresses="], preexec_fn=lambda: become(owner),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: alone.poll() is not None or is_ready(), "it starts")
    check(alone.poll() is None, "it runs")
    before = times("stopping the server that an earlier cell has left")
    process = start()
    serves(process)
    check(alone.wait(60) is not None, "it was stopped")
    check(times("stopping the server that an earlier cell has left") == before + 1, "it is said that it is stopped")
    stop(process)


def become(owner):
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def halfway():
    """Killed while the cluster is made, at several moments: the next one makes it anew."""
    for number in range(4):
        process = start()
        wait_for(lambda: any(name.startswith("data.new-") for name in os.listdir(state))
                 if os.path.isdir(state) else False, "initdb begins")
        time.sleep(0.15 * number) # another moment each time
        process.kill()
        process.wait()
        if os.path.exists(data):
            break
    process = start()
    serves(process)
    check(not [name for name in os.listdir(state) if name.startswith("data.new-")], "nothing half made is left")
    stop(process)


def missing():
    fails("PostgreSQL's server programs, of version 13 to 17, are not in", "--bindir", folder)


def versions():
    fails("whose programs are not in", "--bindir", folder)
    process = start()
    serves(process)
    stop(process)
    with open(os.path.join(data, "PG_VERSION"), "w", encoding="ascii") as f:
        f.write("14\n")
    fails("the cluster was made by PostgreSQL 14, whose programs are not", "--bindir", pgbin)
    with open(os.path.join(data, "PG_VERSION"), "w", encoding="ascii") as f:
        f.write("old\n")
    fails("is no PostgreSQL cluster")


def far():
    """A path that is too long for a socket."""
    where = os.path.join(state, "x" * 60, "y" * 60)
    process = start(where=where)
    serves(process)
    check(ask("SHOW unix_socket_directories") == "/proc/self/fd/4", "the socket has a short name")
    process.send_signal(signal.SIGTERM)
    check(process.wait(60) == 0, "it stops")


def full():
    """A file system without room: an error that says so, and nothing half made."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.makedirs(state)
    if libc.mount(b"none", state.encode(), b"tmpfs", 0, b"size=12m") != 0:
        print("no file system can be mounted here")
        return
    try:
        fails("No space left on device")
        check(not [name for name in os.listdir(state) if name.startswith("data")], "nothing half made is left")
    finally:
        libc.umount2(state.encode(), 2)


def newer(restore=""):
    """A folder of programs that say that they are of version 17, with a pg_restore that does something before."""
    where = os.path.join(folder, "newer")
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)
    for name in os.listdir(pgbin):
        if name not in ("initdb", "pg_restore"):
            os.symlink(os.path.join(pgbin, name), os.path.join(where, name))
    for name, text in (("initdb", '[ "$1" = -V ] && { echo "initdb (PostgreSQL) 17.1"; exit 0; }'),
                       ("pg_restore", restore)):
        with open(os.path.join(where, name), "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\n{text}\nexec {pgbin}/{name} "$@"\n')
        os.chmod(os.path.join(where, name), 0o755)
    return where


def upgrade_with(programs, *inject):
    """The exit code, and what is said. inject: strace's faults, by system call."""
    traced = ["strace", "-f", "-qq", "-o", os.path.join(folder, "trace"), "-e", "trace=renameat2,renameat"]
    traced += [part for fault in inject for part in ("-e", f"inject={fault}")]
    done = subprocess.run([*(traced if inject else []), program, "--state", state, "--bindir", programs, "--upgrade"],
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def clusters():
    return sorted(name for name in os.listdir(state) if name == "upgrade" or name.startswith("data"))


def rows_are(expected, *options):
    process = start(*options)
    serves(process)
    check(ask("SELECT string_agg(a::text, ',' ORDER BY a) FROM kept") == expected, f"the rows are {expected}")
    stop(process)


def upgraded():
    """Nothing is lost, whatever happens to an upgrade. All versions are this one, under other numbers."""
    process = start()
    serves(process)
    ask("CREATE TABLE kept AS SELECT 1 AS a")
    stop(process)
    with open(os.path.join(data, "PG_VERSION"), encoding="ascii") as f:
        version = int(f.read())

    # A cell that comes while the dump is restored writes into the old cluster: its rows must not stay behind there.
    busy = newer(f"""cd {folder}
{program} --address unix:{socket} --state {state} >> {log} 2>&1 & pid=$!
until {cell} psql -- -qc 'INSERT INTO kept VALUES (2)' 2>> {log}; do sleep 0.1; kill -0 $pid || exit 9; done
kill $pid; wait $pid; cd - > {log}.cd""")
    status, text = upgrade_with(busy)
    check(status == 1 and "was used by a cell while its dump was restored" in text, text)
    check(clusters() == ["data"], clusters())
    rows_are("1,2")

    # Killed when the new cluster has its name and the old one has not: the next upgrade finds it.
    status, text = upgrade_with(newer(), "renameat:signal=KILL:when=2")
    check(status != 0 and clusters() == ["data", "upgrade"], f"{status} {clusters()} {text}")
    rows_are("1,2")
    old = os.path.join(state, "upgrade", "data", "PG_VERSION")
    with open(old, "w", encoding="ascii") as f:
        f.write(f"{version - 1}\n") # as it would be
    status, text = upgrade_with(newer())
    check(status == 0 and clusters() == ["data", f"data.{version - 1}", f"data.{version}"], f"{text} {clusters()}")
    rows_are("1,2")
    for name in clusters()[1:]:
        shutil.rmtree(os.path.join(state, name))

    # Where two names cannot be exchanged there is a moment without a cluster of that name: none is made then. (The new
    # cluster was renamed once before, when it was complete.)
    cannot = "renameat2:error=EINVAL:when=1"
    status, text = upgrade_with(newer(), cannot, "renameat:signal=KILL:when=3")
    check(status != 0 and clusters() == [f"data.{version}", "upgrade"], f"{status} {clusters()} {text}")
    fails(f"data is missing, and data.{version} is there")
    check(upgrade_with(newer())[0] == 1 and clusters() == [f"data.{version}", "upgrade"], clusters())
    os.rename(data + f".{version}", data)
    status, text = upgrade_with(newer(), cannot)
    check(status == 0 and clusters() == ["data", f"data.{version}"], f"{text} {clusters()}")
    rows_are("1,2")

    # Any other failure of the exchange is told as it is, and changes nothing.
    shutil.rmtree(data + f".{version}")
    status, text = upgrade_with(newer(), "renameat2:error=EROFS:when=1")
    check(status == 1 and "cannot be exchanged: Read-only file system" in text and clusters() == ["data"], text)
    status, text = upgrade_with(newer())
    check(status == 0, text)

    # An older backup stays.
    status, text = upgrade_with(newer())
    check(status == 1 and "is there already; move it away" in text, text)


shutil.rmtree(state, ignore_errors=True)
for scenario in sys.argv[5:]:
    globals()[scenario]()
