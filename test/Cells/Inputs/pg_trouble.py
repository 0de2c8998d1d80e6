#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of programs while connections to the database are lost, a client is killed, a pooler stands before the database.
Usage: pg_trouble.py CELL-PROGRAM FOLDER COMPILER CLANG LIBRARIES (in pg_cluster.py)"""
import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

INPUTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(INPUTS, "../../Inputs"))
import run_with_cell # noqa: E402

program, folder, compiler, clang, libraries = sys.argv[1:]
socket, log = os.path.join(folder, "run", "postgres.sock"), os.path.join(folder, "cell.log")
URL, HOST = os.environ["PG_URL"], os.environ["PG_DIR"]
WRITERS, ROWS = 4, 400


def check(condition, *text):
    if not condition:
        sys.exit("\n".join(map(str, text)))


def psql(sql):
    """Waits for a server that starts again."""
    for _ in range(1000):
        done = subprocess.run(["psql", "-XAtqd", URL, "-c", sql], capture_output=True, text=True)
        if done.returncode != 2: # no connection, or lost
            break
        time.sleep(0.02)
    check(done.returncode == 0, sql, done.stderr)
    return done.stdout.strip()


class Cell:
    def __init__(self, url, *options):
        self.arguments = [program, "--address", f"unix:{socket}", "--url", url, "--policy", "apply", *options]

    def __enter__(self):
        self.process = run_with_cell.start(socket, self.arguments, log)

    def __exit__(self, *_):
        run_with_cell.stop(self.process)


def build(name):
    shutil.copy(os.path.join(INPUTS, f"postgres_{name}.c"), os.path.join(folder, f"{name}.c"))
    for command in (f"{compiler} -c {name}.c -o {name}.o",
                    f"{clang} {name}.o -L{libraries} -lcell -Wl,-rpath,{libraries} -o {name}"):
        done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True)
        check(done.returncode == 0, command, done.stderr)


def start(*arguments):
    return subprocess.Popen([f"./{arguments[0]}", *map(str, arguments[1:])], cwd=folder, stdout=subprocess.PIPE, text=True)


def become():
    if os.geteuid() == 0:
        owner = os.stat(os.path.join(HOST, "data"))
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


VICTIMS = ("SELECT pid FROM pg_stat_activity WHERE application_name = 'cell' AND pid <> pg_backend_pid() "
           "ORDER BY random() LIMIT 1")


def write_while(trouble):
    """What the programs were told of each row, checked against what is there; how often there was trouble."""
    writers = [start("trouble", "write", i * ROWS, ROWS) for i in range(WRITERS)]
    reader = start("trouble", "read", WRITERS * ROWS)
    outputs = [None] * WRITERS
    threads = [threading.Thread(target=lambda i=i: outputs.__setitem__(i, writers[i].communicate()[0]))
               for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    times = 0
    while any(thread.is_alive() for thread in threads):
        times += trouble() != ""
    out = reader.communicate()[0]
    check(reader.returncode == 0, out)
    said = dict(line.split() for text in outputs for line in text.splitlines())
    there = set(psql("SELECT id FROM events").split())
    check(len(said) == WRITERS * ROWS, "answers are missing", said)
    for number, status in said.items():
        check(status != "ok" or number in there, f"{number} was stored, it was said, and is not there")
        check(status != "unavailable" or number not in there, f"{number} was not stored, it was said, and is there")
    return said, times


def stored():
    """How many rows of each writer are there."""
    rows = dict(line.split("|") for line in psql(f"SELECT id / {ROWS}, count(*) FROM events GROUP BY 1").split())
    return [int(rows.get(str(i), 0)) for i in range(WRITERS)]


def terminate():
    """Ends a connection. What is lost with one is executed again once, so all writers get on before the next one ends."""
    ended, before, begin = psql(f"SELECT pg_terminate_backend(pid) FROM ({VICTIMS}) x"), stored(), time.monotonic()
    while any(now < min(then + 2, ROWS) for now, then in zip(stored(), before)):
        check(time.monotonic() - begin < 60, "a writer does not get on", before, stored())
    return ended


with Cell(URL):
    build("trouble")
    build("table")

    # Backends end while programs write and read. What was said of each row is true. As long as they are told to end,
    # everything is done in the end; one that is killed takes all others with it, and the server starts again.
    said, kills = write_while(terminate)
    check(kills > 0 and set(said.values()) == {"ok"}, kills, set(said.values()))
    psql("TRUNCATE events")
    crashed = []

    def crash():
        # Twice as many as are expected below: what was stored and not answered for is lost to its writer.
        if not crashed and psql("SELECT count(*) > 100 FROM events") == "t" and (victim := psql(VICTIMS)):
            crashed.append(victim)
            os.kill(int(victim), signal.SIGKILL)
        return ""

    said, _ = write_while(crash)
    check(crashed and list(said.values()).count("ok") > 50 and set(said.values()) <= {"ok", "unavailable", "unknown-outcome"},
          crashed, set(said.values()))

    # A client is killed in its transaction: what it holds is free soon, long before the time limit.
    holder = start("trouble", "hold")
    check(holder.stdout.readline() == "held\n", "the transaction did not begin")
    check(psql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == "1")
    holder.send_signal(signal.SIGKILL)
    begin = time.monotonic()
    while psql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") != "0":
        check(time.monotonic() - begin < 20, "the transaction of a killed client is still there")
    check(psql("SELECT count(*) FROM events WHERE id = -1") == "0")

# The functions of a table through a pooler in transaction mode.
if bouncer := shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin"):
    pool = os.path.join(HOST, "pool")
    os.mkdir(pool)
    with open(os.path.join(pool, "ini"), "w", encoding="ascii") as f:
        f.write(f"[databases]\ntest = host={HOST} port=5432 user=postgres\n[pgbouncer]\nlisten_addr =\n"
                f"listen_port = 6432\nunix_socket_dir = {pool}\nauth_type = any\npool_mode = transaction\n"
                "default_pool_size = 3\n")
    owner = os.stat(os.path.join(HOST, "data"))
    os.chown(pool, owner.st_uid, owner.st_gid)
    process = subprocess.Popen([bouncer, os.path.join(pool, "ini")], preexec_fn=become, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    atexit.register(process.kill)
    while not os.path.exists(os.path.join(pool, ".s.PGSQL.6432")):
        check(process.poll() is None, "pgbouncer does not start")
        time.sleep(0.01)
    with Cell(f"host={pool} port=6432 dbname=test user=postgres", "--migrate-url", URL):
        done = start("table")
        out = done.communicate()[0]
        check(done.returncode == 0 and "reader u1@x" in out, out)
        psql("TRUNCATE events")
        writers = [start("trouble", "write", i * ROWS, ROWS) for i in range(WRITERS)]
        for writer in writers:
            out = writer.communicate()[0]
            check(all(line.endswith(" ok") for line in out.splitlines()), out)
        check(psql("SELECT count(*) FROM events") == str(WRITERS * ROWS))
    process.terminate()
    process.wait()
