# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project with a store of its own, for the tests of what compilations do to it.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm %builddir
    import sys; sys.path.insert(0, sys.argv[3])
    from store_project import StoreProject
    with StoreProject() as p, p.store(): …
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys

import run_with_cell
from lock_project import LockProject, contains, lacks  # noqa: F401 (for the tests)

HEAD = "#include <inttypes.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <cell/cell.h>\n"


class StoreProject(LockProject):
    def __init__(self, name="project"):
        super().__init__(name)
        self.build = sys.argv[7]
        self.libdir = os.path.join(self.build, "lib")
        self.env["CELL_RUN_DIR"] = self.run_dir
        self.policy(timeout_ms=30000, cells={"store": {}})

    def start(self, *options):
        path = os.path.join(self.run_dir, "store.sock")
        command = [os.path.join(self.build, "bin", "store"), "--address", f"unix:{path}", "--folder",
                   os.path.join(self.folder, "data"), *options]
        return run_with_cell.start(path, command, os.path.join(self.folder, "store.log"))

    @contextlib.contextmanager
    def store(self, *options):
        process = self.start(*options)
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    def make(self, name, **more):
        """Compiles and links NAME.c; what the compiler has said."""
        result = self.compile(name + ".c", "-Wall", **more)
        if result.code == 0:
            subprocess.run([f"clang-{self.llvm}", name + ".o", "-o", name, f"-L{self.libdir}",
                            f"-Wl,-rpath,{self.libdir}", "-lcell"], cwd=self.folder, check=True)
        return result.err

    def execute(self, name, *args, code=0):
        done = subprocess.run([os.path.join(self.folder, name), *args], cwd=self.folder, env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=False)
        assert done.returncode == code, done.stdout
        return done.stdout

    def collections(self):
        """What store_status says, by name."""
        status = json.loads(self.cell("call", "--json", "store.store_status").out)
        status = status.get("out", status)
        status = status.get("contents", status)
        return {c["name"]: c for c in status["collections"]}

    def forget(self):
        """What earlier compilations have left, but for the sources."""
        shutil.rmtree(os.path.join(self.folder, ".cell"), ignore_errors=True)
