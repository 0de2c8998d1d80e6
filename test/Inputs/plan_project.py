# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project that uses a cell with plans (plan_cell.c), for the tests of plans.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm %libdir
    import sys; sys.path.insert(0, sys.argv[3])
    from plan_project import PlanProject
    with PlanProject() as p, p.shelf(): …
"""
import contextlib
import json
import os
import subprocess
import sys

import run_with_cell
from lock_project import LockProject, contains, lacks  # noqa: F401 (for the tests)

HEAD = "#include <cell/cell.h>\n"
USER = "struct CELL_VERB(\"shelf.table\", \"users\") user { int64_t id CELL_KEY; cell_str name; };\n"


def query(name, sql, verb="query", parameters=""):
    """What CELL_QUERY does, of this cell."""
    return (f"enum CELL_VERB(\"shelf.{verb}\", \"{name}\", {sql}, \"{parameters}\") "
            f"{name}_query {{ {name}_query_declared }};\n")


class PlanProject(LockProject):
    def __init__(self, name="project"):
        super().__init__(name)
        self.libdir = sys.argv[7]
        self.binary = os.path.join(self.folder, "shelf")
        self.clang("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                   os.path.join(sys.argv[3], "plan_cell.c"), "-o", self.binary, "-ljansson", f"-L{self.libdir}", "-lcell",
                   f"-Wl,-rpath,{self.libdir}")

    @contextlib.contextmanager
    def shelf(self, *trouble, store="store"):
        """The cell, over the tables in `store`."""
        folder = os.path.join(self.folder, store)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(self.run_dir, "shelf.sock")
        os.environ["CELL_RUN_DIR"] = self.run_dir
        process = run_with_cell.start(path, [self.binary, folder, *trouble], os.path.join(folder, "output"))
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    def tables(self, store="store"):
        path = os.path.join(self.folder, store, "tables")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as f:
            return json.load(f)

    def acts(self, store="store"):
        """The lines since the last time."""
        path = os.path.join(self.folder, store, "log")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        os.unlink(path)
        return lines

    def answers(self):
        folder = os.path.join(self.folder, ".cell", "answers")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def there(self, name):
        return os.path.exists(os.path.join(self.folder, name))

    def remove(self, name):
        os.unlink(os.path.join(self.folder, name))

    def start_compile(self, name, output):
        command = [f"clang-{self.llvm}", f"-fplugin={self.plugin}", f"-I{self.include}", "-c", name, "-o", output]
        return subprocess.Popen(command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
