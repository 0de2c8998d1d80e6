#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""32 threads that get rows by key, while the rows change and connections to the database end: each answer is right, and
the database has executed fewer statements than there were calls. Usage: pg_merged.py CELL-PROGRAM FOLDER COMPILER CLANG
LIBRARIES (in pg_cluster.py --set log_statement=all)"""
import os
import re
import shutil
import subprocess
import sys

INPUTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(INPUTS, "../../Inputs"))
import run_with_cell # noqa: E402

program, folder, compiler, clang, libraries = sys.argv[1:]
socket, log = os.path.join(folder, "run", "postgres.sock"), os.path.join(folder, "cell.log")
URL = os.environ["PG_URL"]
THREADS, CALLS, KEYS = 32, 120, 24
# Those that have read rows: one that is only being connected would make calls fail.
END = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%merged_%' AND application_name = 'cell' "
       "ORDER BY random() LIMIT 1")


def check(condition, *text):
    if not condition:
        sys.exit("\n".join(map(str, text)))


def psql(sql):
    done = subprocess.run(["psql", "-XAtqd", URL, "-c", sql], capture_output=True, text=True)
    check(done.returncode == 0, sql, done.stderr)
    return done.stdout.strip()


def build():
    shutil.copy(os.path.join(INPUTS, "postgres_merged.c"), os.path.join(folder, "merged.c"))
    for command in (f"{compiler} -c merged.c -o merged.o",
                    f"{clang} merged.o -L{libraries} -lcell -pthread -Wl,-rpath,{libraries} -o merged"):
        done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True)
        check(done.returncode == 0, command, done.stderr)


def statements():
    """How often the log has a statement that reads the tables: as it is, and merged."""
    with open(os.path.join(os.environ["PG_DIR"], "log." + os.environ["PGPORT"]), encoding="utf-8", errors="replace") as f:
        executed = [line for line in f if re.search(r"execute \S+: SELECT .*merged_(items|pairs)", line)]
    merged = [line for line in executed if "cell_each" in line]
    return len(executed) - len(merged), len(merged)


process = run_with_cell.start(socket, [program, "--address", f"unix:{socket}", "--url", URL, "--policy", "apply"], log)
try:
    build()
    psql(f"INSERT INTO merged_items SELECT i, 'item ' || i, 1, i FROM generate_series(1, {KEYS}) i;"
         f"INSERT INTO merged_pairs SELECT i, CASE i % 2 WHEN 1 THEN 'odd' ELSE 'even' END, i + 4 - i % 2 "
         f"FROM generate_series(1, {KEYS}) i")
    readers = subprocess.Popen(["./merged", str(THREADS), str(CALLS)], cwd=folder, stdout=subprocess.PIPE, text=True)
    turns = 0
    while readers.poll() is None:
        turns += 1
        psql("UPDATE merged_items SET version = version + 1, product = (version + 1) * id;" +
             (f"DELETE FROM merged_items WHERE id > {KEYS // 2}" if turns % 2 else
              f"INSERT INTO merged_items SELECT i, 'item ' || i, 1, i FROM generate_series({KEYS // 2 + 1}, {KEYS}) i"))
        if turns % 8 == 3:
            psql(END)
    out = readers.communicate()[0]
    check(readers.returncode == 0, out)
    found, missing = map(int, out.split())
    check(turns > 3 and found > 0 and missing > 0 and found + missing == THREADS * CALLS * 2, turns, out)
    single, merged = statements()
    check(merged > 0 and single + merged < THREADS * CALLS * 4, single, merged)
finally:
    run_with_cell.stop(process)
