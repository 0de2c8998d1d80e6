#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A fresh PostgreSQL server for one test: starts it, runs a command against it, and leaves nothing behind.

    pg_cluster.py --template DIR [--set NAME=VALUE]… [--sql TEXT]… [--standby]
                  [--cell PROGRAM --socket PATH [--option ARG]… [--keep-log FILE]] -- COMMAND…
    pg_cluster.py --template DIR [--set NAME=VALUE]… [--sql TEXT]… --hold
    pg_cluster.py --find | --version | --dump

The server listens on a Unix socket in a folder of its own in the temporary folder (socket paths are short) and trusts
everybody who reaches it. The command finds in its environment PG_URL (a connection string), PG_DIR (that folder),
PG_PID (the server's) and libpq's own variables (PGHOST, PGUSER=postgres, PGDATABASE=test), and psql, pg_dump, … in PATH.
Its exit status is the one of this program.

    --template DIR  where the cluster that is copied for each test is kept; made by the first one that needs it
    --set N=V       a setting of the server. Nothing is synced to the disk unless a test says fsync=on
    --sql TEXT      run by psql before the command, in the database test
    --standby       a second server, PG_STANDBY_URL: a hot standby of the first one
    --cell PROGRAM  run that cell on the database too, with --address unix:PATH --url … --policy apply and the options
    --hold          in place of a command: print the connection string, and stop when standard input ends
    --find          print the folder of PostgreSQL's programs; status 1 when there is none
    --version       print the server's major version
    --dump          print the path of a pg_dump that can read that server; status 1 when there is none
As root everything of the server's runs as the user postgres, for PostgreSQL refuses root.
CELL_TEST_POSTGRES in the environment is the folder of another server's programs (utils/ci/postgres-versions).
"""
import argparse
import contextlib
import ctypes
import fcntl
import glob
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import full_disk # noqa: E402
import run_with_cell # noqa: E402

OLDEST, NEWEST = 13, 17
SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB",
    "max_connections": "100", "autovacuum": "off", "listen_addresses": "", "unix_socket_permissions": "0777",
    "log_min_messages": "warning", "jit": "off", "max_wal_size": "256MB", "min_wal_size": "32MB", "timezone": "UTC",
    "max_prepared_transactions": "0", "dynamic_shared_memory_type": "posix", "lc_messages": "C",
}
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def find():
    """The folder of initdb and postgres of the newest supported version, or None."""
    return os.environ.get("CELL_TEST_POSTGRES") or installed()


def installed():
    found = []
    for folder in glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin") + path_folders():
        if os.access(os.path.join(folder, "initdb"), os.X_OK) and (version := version_of(folder)):
            found.append((version, folder))
    return max(found)[1] if found else None


def path_folders():
    initdb = shutil.which("initdb")
    return [os.path.dirname(os.path.realpath(initdb))] if initdb else []


def program(bindir, name):
    """A client program: a package with a server alone has none, and those that are installed serve as well."""
    path = os.path.join(bindir, name)
    return path if os.path.exists(path) else os.path.join(installed() or "", name)


def dump_program(bindir):
    """pg_dump reads servers of its own version and of older ones. None when there is none."""
    path = program(bindir or "", "pg_dump")
    if not os.path.exists(path) or (version_of(os.path.dirname(path)) or 0) < (version_of(bindir) or 0):
        return None
    return path


def version_of(folder):
    try:
        text = subprocess.run([os.path.join(folder, "postgres"), "-V"], capture_output=True, text=True).stdout
    except OSError:
        return None
    number = re.search(r"\(PostgreSQL\) (\d+)", text)
    return int(number[1]) if number and OLDEST <= int(number[1]) <= NEWEST else None


def account():
    """(uid, gid) that the server runs as when this is root; None otherwise."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
        except KeyError:
            pass
    sys.exit("pg_cluster: neither the user postgres nor nobody exists")


def as_server():
    """Before exec: another user when this is root, and an end when this process ends."""
    who = account()
    parent = os.getpid()

    def prepare():
        if who:
            os.setgroups([])
            os.setgid(who[1])
            os.setuid(who[0])
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    return prepare


def own(path):
    who = account()
    if not who:
        return
    os.chown(path, *who)
    for base, folders, names in os.walk(path):
        for name in folders + names:
            os.chown(os.path.join(base, name), *who, follow_symlinks=False)


def run(command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        sys.exit(f"pg_cluster: {' '.join(command)}: {done.stdout.decode(errors='replace')}")


def temporary():
    """A folder that the server's user can reach; the system's own one when TMPDIR is somebody's private folder."""
    folder = tempfile.mkdtemp(prefix="pg.", dir=None if account() is None else "/tmp")
    os.chmod(folder, 0o755)
    return folder


def make_template(bindir, path):
    work = temporary()
    try:
        own(work)
        data = os.path.join(work, "data")
        run([os.path.join(bindir, "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust",
             "--no-sync", "--wal-segsize=1"], cwd=work, preexec_fn=as_server())
        server = Server(bindir, work, data, {})
        server.start()
        server.sql("postgres", "CREATE DATABASE test TEMPLATE template0")
        server.stop(signal.SIGINT)
        for name in os.listdir(work):
            if name != "data":
                os.unlink(os.path.join(work, name))
        shutil.move(data, path + ".new")
        os.rename(path + ".new", path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def template(bindir, folder):
    """The cluster that others are copied from, made by the first who comes."""
    with open(__file__, "rb") as f:
        key = hashlib.sha256(f.read() + bindir.encode()).hexdigest()[:12]
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{version_of(bindir)}-{key}")
    with open(path + ".lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            shutil.rmtree(path + ".new", ignore_errors=True)
            make_template(bindir, path)
    return path


class Server:
    def __init__(self, bindir, folder, data, settings, port=5432):
        self.bindir, self.folder, self.data, self.settings, self.port = bindir, folder, data, settings, port
        self.process = None
        self.disk = None # full_disk.Disk that its files are on; None = that of everybody
        self.log = os.path.join(folder, f"log.{port}")

    def url(self, database="test"):
        return f"host={self.folder} port={self.port} user=postgres dbname={database}"

    def start(self):
        command = [os.path.join(self.bindir, "postgres"), "-D", self.data, "-p", str(self.port),
                   "-c", f"unix_socket_directories={self.folder}"]
        for name, value in {**SETTINGS, **self.settings}.items():
            command += ["-c", f"{name}={value}"]
        if self.disk:
            command = self.disk.command(self.data, *command)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            preexec_fn=as_server(), start_new_session=True)
        limit = time.monotonic() + 60
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    sys.exit(f"pg_cluster: the server did not start: {log.read()}")
            time.sleep(0.005)

    def ready(self):
        """Its pid file ends with a line that says so."""
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii", errors="replace") as f:
                lines = f.read().split("\n")
            return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].strip() in ("ready", "standby")
        except OSError:
            return False

    def stop(self, number=signal.SIGQUIT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def sql(self, database, text):
        run([program(self.bindir, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", text])


@contextlib.contextmanager
def running(template_folder, settings=None, disk_library=None):
    """A fresh server, with an empty database `test`. Gone with the context. `disk_library`: what plays a disk that can be
    full (full_disk.Disk.library_of); the server's `disk` tells how full."""
    bindir = find()
    source = template(bindir, template_folder)
    folder = temporary()
    server = None
    try:
        data = os.path.join(folder, "data")
        run(["cp", "-r", "--reflink=auto", source, data])
        os.chmod(data, 0o700)
        server = Server(bindir, folder, data, settings or {})
        if disk_library: # the server's user can read it here
            server.disk = full_disk.Disk(os.path.join(folder, "room"), None, shutil.copy(disk_library, folder))
        own(folder)
        server.start()
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def standby_of(primary, folder):
    data = os.path.join(folder, "standby")
    run([program(primary.bindir, "pg_basebackup"), "-D", data, "-d", primary.url("postgres"), "-R", "--no-sync",
         "-c", "fast"], preexec_fn=as_server(), cwd=folder)
    server = Server(primary.bindir, folder, data, primary.settings, port=5433)
    server.start()
    return server


def environment(server, standby):
    env = dict(os.environ, PG_URL=server.url(), PG_DIR=server.folder, PG_PID=str(server.process.pid),
               PGHOST=server.folder, PGPORT=str(server.port), PGUSER="postgres", PGDATABASE="test",
               PATH=os.pathsep.join([server.bindir, installed() or server.bindir, os.environ["PATH"]]))
    if standby:
        env["PG_STANDBY_URL"] = standby.url()
    return env


def parse(arguments):
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--template")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--sql", action="append", default=[])
    parser.add_argument("--option", action="append", default=[])
    for name in ("cell", "socket", "keep-log"):
        parser.add_argument("--" + name)
    for name in ("standby", "hold", "find", "version", "dump", "help"):
        parser.add_argument("--" + name, action="store_true")
    options = parser.parse_args(arguments)
    options.settings = dict(setting.split("=", 1) for setting in options.set)
    return options


def serve(options, server, standby, command):
    if options.hold:
        print(server.url(), flush=True)
        sys.stdin.buffer.read()
        return 0
    env = environment(server, standby)
    cell = None
    if options.cell:
        os.environ.update(env)
        cell = run_with_cell.start(options.socket, [options.cell, "--address", f"unix:{options.socket}", "--url",
                                   server.url(), "--policy", "apply"] + options.option, options.keep_log)
    try:
        status = subprocess.run(command, env=env).returncode
    finally:
        if cell:
            run_with_cell.stop(cell)
    return status if status >= 0 else 128 - status


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, command = parse(sys.argv[1:split]), sys.argv[split + 1:]
    bindir = find()
    if options.help:
        print(__doc__.strip())
        return 0
    if options.find:
        print(bindir or "")
        return 0 if bindir else 1
    if options.version:
        print(version_of(bindir) if bindir else 0)
        return 0
    if options.dump:
        path = dump_program(bindir)
        print(path or "")
        return 0 if path else 1
    if not bindir:
        sys.exit("pg_cluster: PostgreSQL's server programs are not installed")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with running(options.template, options.settings) as server:
        for text in options.sql:
            server.sql("test", text)
        if not options.standby:
            return serve(options, server, None, command)
        standby = standby_of(server, server.folder)
        try:
            return serve(options, server, standby, command)
        finally:
            standby.stop()


if __name__ == "__main__":
    sys.exit(main())
