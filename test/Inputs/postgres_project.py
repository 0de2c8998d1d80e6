# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project on a database of its own, for the tests of what compilations do to it.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm %builddir
    import sys; sys.path.insert(0, sys.argv[3])
    from postgres_project import PostgresProject
    with PostgresProject() as p, p.database() as db, p.postgres(db): …
"""
import contextlib
import os
import shutil
import subprocess
import sys

import full_disk
import pg_cluster
import run_with_cell
from lock_project import LockProject, contains, lacks  # noqa: F401 (for the tests)
from postgres_database import Database

HEAD = "#include <cell/cell.h>\n"


class PostgresProject(LockProject):
    def __init__(self, name="project"):
        super().__init__(name)
        self.build = sys.argv[7]
        self.policy(cells={"postgres": {}})
        self.env["CELL_RUN_DIR"] = self.run_dir

    @contextlib.contextmanager
    def database(self, can_be_full=False):
        """A context manager: a fresh server, and its empty database. `can_be_full`: its server.disk can."""
        library = full_disk.Disk.library_of(self.build) if can_be_full else None
        with pg_cluster.running(os.path.join(self.build, "test", "pg-template"), disk_library=library) as server:
            yield Database(server)

    @contextlib.contextmanager
    def postgres(self, db, *options):
        """The cell, on the database."""
        path = os.path.join(self.run_dir, "postgres.sock")
        command = [os.path.join(self.build, "bin", "postgres"), "--address", f"unix:{path}", "--url", db.url, "--policy",
                   "apply", *options]
        process = run_with_cell.start(path, command, os.path.join(self.folder, "postgres.log"))
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    def command(self, name, output):
        return [f"clang-{self.llvm}", f"-fplugin={self.plugin}", f"-I{self.include}", "-c", name, "-o", output]

    def start_compile(self, name, output):
        return subprocess.Popen(self.command(name, output), cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def remove(self, name):
        os.unlink(os.path.join(self.folder, name))

    def forget(self):
        """What earlier compilations have left, but for the sources."""
        shutil.rmtree(os.path.join(self.folder, ".cell"), ignore_errors=True)
