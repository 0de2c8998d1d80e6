#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A postgres cell on databases that refuse. Usage: pg_failures.py CELL-PROGRAM CELL FOLDER COMPILER (in pg_cluster.py)"""
import atexit
import os
import shutil
import signal
import socket as sockets
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Inputs"))
import run_with_cell # noqa: E402

program, cell, folder, compiler = sys.argv[1:]
socket = os.path.join(folder, "run", "postgres.sock")
log = os.path.join(folder, "cell.log")
SECRET = "open-sesame-4711"


def check(condition, *text):
    if not condition:
        sys.exit("\n".join(map(str, text)))


def source(table="users", more=""):
    with open(os.path.join(folder, "a.c"), "w", encoding="ascii") as f:
        f.write(f'#include <cell/cell.h>\nstruct CELL_TABLE("{table}") user {{\n    int64_t id CELL_KEY CELL_AUTO;\n'
                f"    cell_str email CELL_UNIQUE;\n{more}}};\n")


def compile_it(*options):
    """(status, output) of a compilation, without anything kept from the one before."""
    shutil.rmtree(os.path.join(folder, ".cell"), ignore_errors=True)
    done = subprocess.run(compiler.split() + ["-c", "a.c", *options], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def psql(sql, url=os.environ["PG_URL"]):
    done = subprocess.run(["psql", "-XAtqd", url, "-c", sql], capture_output=True, text=True)
    check(done.returncode == 0, sql, done.stderr)
    return done.stdout.strip()


class Cell:
    def __init__(self, url, policy="apply", *options, **env):
        self.url, self.policy, self.options, self.env = url, policy, options, env

    def __enter__(self):
        os.environ.update(self.env)
        open(log, "w", encoding="ascii").close()
        self.process = run_with_cell.start(socket, [program, "--address", f"unix:{socket}", "--url", self.url, "--policy",
                                                    self.policy, *self.options], log)
        for name in self.env:
            del os.environ[name]

    def __exit__(self, *_):
        run_with_cell.stop(self.process)


def refused(url, *texts, policy="apply", **env):
    with Cell(url, policy, **env):
        status, out = compile_it()
        call = subprocess.run([cell, "-C", folder, "call", "postgres.connection"], capture_output=True, text=True)
    check(status != 0, "the compilation should have failed", url)
    for text in texts:
        check(text in out, f"'{text}' is missing in", out)
    with open(log, encoding="utf-8", errors="replace") as f:
        everything = out + call.stdout + call.stderr + f.read()
    check(SECRET not in everything, "the password was printed", everything)
    return out


HOST = os.environ["PG_DIR"]
DUMP = ["pg_dump", "--schema-only", "--restrict-key=a", os.environ["PG_URL"]]


def dump():
    done = subprocess.run(DUMP, capture_output=True, text=True)
    if "restrict-key" in done.stderr:
        DUMP.remove("--restrict-key=a")
        return dump()
    check(done.returncode == 0, done.stderr)
    return done.stdout


source()
before = dump()

# Nobody there.
refused(f"host={folder} dbname=test user=postgres", "connecting to the database")

# A password that is wrong comes from the environment, and goes nowhere.
hba = os.path.join(HOST, "data", "pg_hba.conf")
with open(hba, encoding="ascii") as f:
    trusting = f.read()
with open(hba, "w", encoding="ascii") as f:
    f.write("local all idle scram-sha-256\n" + trusting)
psql("ALTER ROLE idle PASSWORD 'another'")
psql("SELECT pg_reload_conf()")
refused(f"host={HOST} dbname=test user=idle", "password authentication failed", PGPASSWORD=SECRET)
refused(f"host={HOST} dbname=test user=idle", "password", PGPASSWORD="")
for url in (f"postgresql://idle:{SECRET}@/test", f"host={HOST} password={SECRET}"):
    done = subprocess.run([program, "--url", url], capture_output=True, text=True)
    check(done.returncode == 1 and "a password does not belong here" in done.stderr, done.stderr)
    check(SECRET not in done.stderr, done.stderr)

# A role that may read only, a database that only reads, a replica.
refused(f"host={HOST} dbname=test user=reader", "permission denied")
psql("ALTER ROLE idle PASSWORD NULL")
with open(hba, "w", encoding="ascii") as f:
    f.write(trusting)
psql("SELECT pg_reload_conf()")
psql("ALTER ROLE idle SET default_transaction_read_only = on")
refused(f"host={HOST} dbname=test user=idle", "read-only")
refused(os.environ["PG_STANDBY_URL"], "the database is a replica")

# A policy, of the cell or of the database itself.
refused(os.environ["PG_URL"], "'plan'", policy="plan")
psql("ALTER DATABASE test SET cell.policy = 'plan'")
refused(os.environ["PG_URL"], "'plan'")
psql("ALTER DATABASE test RESET cell.policy")
check(dump() == before, "a refusal has changed something")

# A table that somebody else holds costs the deadline, and is named.
with Cell(os.environ["PG_URL"]):
    status, out = compile_it()
    check(status == 0, out)
    holder = subprocess.Popen(["psql", "-XAtqd", os.environ["PG_URL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    holder.stdin.write("BEGIN; LOCK TABLE users; SELECT 'held';\n")
    holder.stdin.flush()
    check(holder.stdout.readline().strip() == "held", "the table is held")
    source(more='    cell_str name CELL_DEFAULT("\'\'");\n')
    status, out = compile_it()
    check(status != 0 and "psql" in out and "users" in out, "the holder is named", out)
    holder.stdin.write("COMMIT;\n")
    holder.stdin.close()
    holder.wait()
    status, out = compile_it()
    check(status == 0, "and then it is done", out)

# The server goes away and comes back: so do answers.
with Cell(os.environ["PG_URL"]):
    check(compile_it("-fsyntax-only")[0] == 0, "it compiles")
    psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cell%'")
    status, out = compile_it("-fsyntax-only")
    check(status == 0, "connections are made anew", out)

# A pooler in transaction mode: what is there can be used, and migrations are told to go around it.
if bouncer := shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin"):
    pool = os.path.join(HOST, "pool")
    os.mkdir(pool)
    owner = os.stat(os.path.join(HOST, "data"))
    with open(os.path.join(pool, "users"), "w", encoding="ascii") as f:
        f.write('"postgres" ""\n')
    with open(os.path.join(pool, "ini"), "w", encoding="ascii") as f:
        f.write(f"[databases]\ntest = host={HOST} port=5432 user=postgres\n[pgbouncer]\nlisten_addr =\n"
                f"listen_port = 6432\nunix_socket_dir = {pool}\nauth_type = any\nauth_file = {pool}/users\n"
                "pool_mode = transaction\n")
    os.chown(pool, owner.st_uid, owner.st_gid)

    def become():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)

    process = subprocess.Popen([bouncer, os.path.join(pool, "ini")], preexec_fn=become, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    atexit.register(process.kill)
    while not os.path.exists(os.path.join(pool, ".s.PGSQL.6432")):
        check(process.poll() is None, "pgbouncer does not start")
        time.sleep(0.01)
    pooled = f"host={pool} port=6432 dbname=test user=postgres"
    with Cell(pooled):
        status, out = compile_it()
        check(status == 0, "what is there already needs no migration", out)
    source(table="pooled")
    refused(pooled, "a connection pooler stands before the database", "--migrate-url")
    with Cell(pooled, "apply", "--migrate-url", os.environ["PG_URL"]):
        status, out = compile_it()
        check(status == 0, "around the pooler", out)
    process.terminate()
    process.wait()


# A server that is too old: it says so itself when it greets.
def old_server(path):
    def string(text):
        return text.encode() + b"\0"

    def message(kind, body):
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    listener = sockets.socket(sockets.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        client, _ = listener.accept()
        while len(first := client.recv(8192)) == 8: # a question for encryption
            client.sendall(b"N")
        if first:
            client.sendall(message(b"R", (0).to_bytes(4, "big")) + message(b"S", string("server_version") + string("12.3"))
                           + message(b"Z", b"I"))
            client.recv(8192)
        client.close()


old = os.path.join(HOST, "old")
os.mkdir(old)
threading.Thread(target=old_server, args=(os.path.join(old, ".s.PGSQL.5432"),), daemon=True).start()
while not os.path.exists(os.path.join(old, ".s.PGSQL.5432")):
    time.sleep(0.01)
refused(f"host={old} dbname=test user=postgres", "the server is PostgreSQL 12.3; 13 or newer is needed")
signal.signal(signal.SIGTERM, signal.SIG_DFL)
