# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project with fake cells in this process and a compiler, for the tests of locks.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm
    import sys; sys.path.insert(0, sys.argv[3])
    from lock_project import LockProject
    with LockProject() as p, p.serve(p.schema("auth")) as auth: …
"""
import copy
import json
import os
import subprocess
import sys

from cli_project import LIMIT, Project, Result, contains, lacks  # noqa: F401 (for the tests)
from fake_cell import Behaviour, FakeCell

PLUGIN_INPUTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Plugin", "Inputs")
USE_AUTH = "#include <cell/cell.h>\nCELL_REMOTE(auth);\nint run(cell_ctx *c) { return auth_forget(c, CELL_STR(\"x\")); }\n"
USE_DB = ("#include <cell/cell.h>\nstruct CELL_VERB(\"db.table\", \"{table}\") {name} {{ int64_t id; cell_str text; }};\n"
          "long columns_of_{name}(void) {{ return (long)COLUMNS_{name}; }}\n")


class LockProject(Project):
    def __init__(self, name="project"):
        super().__init__(name)
        self.plugin, self.include, self.llvm = sys.argv[4:7]
        self.run_dir = os.path.join(self.folder, "run")
        os.makedirs(self.run_dir)
        self.policy()

    def policy(self, **members):
        self.write("cell.json", json.dumps({"run_dir": "run", "timeout_ms": 5000, **members}))

    @staticmethod
    def schema(name):
        with open(os.path.join(PLUGIN_INPUTS, name + ".json"), encoding="utf-8") as f:
            return json.load(f)

    def serve(self, schema, **behaviour):
        """A context manager: the cell of that schema, at its socket."""
        return FakeCell(os.path.join(self.run_dir, schema["cell"] + ".sock"),
                        Behaviour(schema=copy.deepcopy(schema), **behaviour))

    def db(self, *names, columns=2, **behaviour):
        """The db cell, which answers for the structs `names`."""
        answers = {f"{name} table {name}s": {"expansion": "cell.expansion/1", "types": [], "methods": [], "constants": [
            {"name": f"COLUMNS_{name}", "type": "i64", "value": str(columns)}]} for name in names}
        return self.serve(self.schema("db"), expand={"answers": answers}, **behaviour)

    def use_db(self, name):
        self.write(f"{name}.c", USE_DB.format(name=name, table=name + "s"))

    def clang(self, *args, code=0, env=None, language="c", prefix=()):
        program = f"clang++-{self.llvm}" if language == "c++" else f"clang-{self.llvm}"
        command = [*prefix, program, f"-fplugin={self.plugin}", f"-I{self.include}", *args]
        done = subprocess.run(command, cwd=self.folder, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
        result = Result(command, done.returncode, done.stdout, done.stderr)
        assert code is None or (done.returncode != 0) == bool(code), f"expected {code}\n{result}"
        return result

    def compile(self, name, *args, **more):
        return self.clang("-c", name, "-o", os.path.splitext(name)[0] + ".o", *args, **more)

    def lock(self, name):
        """What is locked, as a document."""
        with open(os.path.join(self.folder, "cells.lock", name + ".json"), encoding="utf-8") as f:
            return json.load(f)

    def lock_path(self, name):
        return os.path.join(self.folder, "cells.lock", name + ".json")

    def git(self, *args, code=0):
        env = {**self.env, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "a",
               "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x"}
        done = subprocess.run(["git", *args], cwd=self.folder, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
        assert code is None or done.returncode == code, (args, done.returncode, done.stdout)
        return done.stdout


def answers(lock):
    """{"user.table": document} of a lock."""
    return {key.split()[1]: value["document"] for key, value in lock.items() if key.startswith("answer ")}
