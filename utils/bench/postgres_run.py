# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A database, cells on it, and the program that measures, for utils/bench/postgres."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench import ROOT

INPUTS = os.path.join(ROOT, "test", "Inputs")


class Cell:
    """The postgres cell, in a project of its own (a folder with cell.json)."""
    def __init__(self, run, name, options):
        self.folder = os.path.join(run.folder, name)
        os.makedirs(os.path.join(self.folder, "run"))
        with open(os.path.join(self.folder, "cell.json"), "w", encoding="utf-8") as f:
            f.write('{ "run_dir": "run", "cells": { "postgres": {} } }')
        socket = os.path.join(self.folder, "run", "postgres.sock")
        self.process = subprocess.Popen([run.build("bin", "postgres"), "--address", "unix:" + socket, "--url", run.url,
                                         "--policy", "apply", "--max-threads", "64", *options])
        for _ in range(500):
            if os.path.exists(socket):
                break
            time.sleep(0.02)
        else:
            sys.exit("bench: the cell did not start")
        run.cells.append(self) # stopped from here on
        self.program, self.pool_program = self.compile(run), run.build("bin", "bench-postgres-pool")

    def compile(self, run):
        """The program's tables are made by this, too."""
        for name in ("postgres.c", "postgres_direct.c", "postgres_direct.h"):
            shutil.copy(os.path.join(ROOT, "utils", "bench", name), self.folder)
        plugins = sorted(glob.glob(run.build("lib", "llvm-*", "libcellplugin.so")))
        if not plugins:
            sys.exit("bench: the plugin is not built")
        clang = "clang-" + os.path.basename(os.path.dirname(plugins[-1])).removeprefix("llvm-")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq"], capture_output=True, text=True, check=True)
        library = run.build("lib")
        program = os.path.join(self.folder, "postgres")
        done = subprocess.run([clang, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-I" + os.path.join(ROOT, "include"), "-fplugin=" + plugins[-1],
                               "postgres.c", "postgres_direct.c", "-o", program, "-L" + library, "-Wl,-rpath," + library,
                               "-lcell", "-pthread", *flags.stdout.split()],
                              cwd=self.folder, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bench: the program does not compile:\n{done.stderr}")
        return program

    def ask(self, *arguments):
        """Lines of answers, each a list of words."""
        result = subprocess.run([self.program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                                check=False)
        if result.returncode != 0:
            sys.exit(f"bench: {' '.join(map(str, arguments))}: {result.stderr}")
        return [line.split() for line in result.stdout.splitlines()]

    def pool(self, *arguments):
        """The same of the connections that a cell shares, without one."""
        result = subprocess.run([self.pool_program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            sys.exit(f"bench: {' '.join(map(str, arguments))}: {result.stderr}")
        return [line.split() for line in result.stdout.splitlines()]

    @contextlib.contextmanager
    def processors_awake(self):
        spinner = subprocess.Popen([self.program, "spin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        spinner.stdout.readline()
        yield
        spinner.communicate()

    def resident_kib(self, key="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Run:
    """with Run(bench) as run: a server of its own, whose disk is synced as one's that matters."""
    def __init__(self, bench):
        self.bench, self.cells = bench, []
        self.folder = tempfile.mkdtemp(prefix="pgb")

    def build(self, *parts):
        return os.path.abspath(self.bench.path(*parts))

    def __enter__(self):
        settings = [f"--set={s}" for s in ("fsync=on", "synchronous_commit=on", "full_page_writes=on",
                                           "shared_buffers=128MB", "max_wal_size=2GB")]
        self.server = subprocess.Popen([sys.executable, os.path.join(INPUTS, "pg_cluster.py"), "--template",
                                        os.path.join(self.folder, "template"), *settings, "--hold"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.server.stdout.readline().strip()
        if not self.url:
            sys.exit("bench: the database did not start")
        os.environ["PG_URL"] = self.url
        return self

    def cell(self, name, *options):
        return Cell(self, name, options)

    def __exit__(self, *_):
        for cell in self.cells:
            cell.stop()
        self.server.stdin.close()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
