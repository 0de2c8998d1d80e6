# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project folder for the tests of the command line: its cell.json, its cells, and proof that nothing stays behind.

A test is a Python program in a .test file:

    # RUN: %python %s %cell %t %inputs
    import sys; sys.path.insert(0, sys.argv[3])
    from cli_project import Project
    with Project() as p:
        p.config(auth=p.fake("auth"))
        p.cell("up")

Every process that comes from it carries CELL_TEST_PROJECT in its environment; leaving the block stops what runs and fails
when something is left.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

INPUTS = os.path.dirname(os.path.abspath(__file__))
MARK = "CELL_TEST_PROJECT"
# The runner of the tests ignores it, and what is ignored stays so in programs that are started.
signal.signal(signal.SIGINT, signal.default_int_handler)
LIMIT = 60  # seconds that anything may take; only reached when something is broken


class Result:
    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    def json(self):
        document = json.loads(self.out)
        assert isinstance(document, dict), self.out
        return document

    def __str__(self):
        return f"{' '.join(map(str, self.args))}\nexit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def wait_until(what, condition, limit=LIMIT):
    """The first true value of condition()."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s for: {what}")
        time.sleep(0.01)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


class Project:
    def __init__(self, name="project"):
        self.program = sys.argv[1]
        self.folder = os.path.join(os.path.realpath(os.path.dirname(sys.argv[2])), os.path.basename(sys.argv[2]), name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.path = os.path.join(self.folder, "cell.json")
        self.run_dir = os.path.join(self.folder, ".cell", "run")
        self.log_dir = os.path.join(self.folder, ".cell", "log")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("CELL_") and k != "NO_COLOR"}
        self.env[MARK] = self.folder
        self.known = self.env["CELL_KNOWN_CELLS"] = self.folder + ".known-cells"
        if os.path.exists(self.known):
            os.unlink(self.known)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        left = []
        try:
            if kind is None:
                subprocess.run([self.program, "-C", self.folder, "down", "--timeout", "1"], env=self.env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT, check=False)
                left = self.processes()
        finally:
            self.kill_all()
        assert not left, f"still running: {left}"
        if kind is not None:
            for name in sorted(os.listdir(self.log_dir)) if os.path.isdir(self.log_dir) else []:
                print(f"--- {name}\n{read(os.path.join(self.log_dir, name))[-4000:]}", file=sys.stderr)

    # ---- cell.json ----

    def fake(self, name, *args, needs=(), **members):
        """The definition of a fake cell (cli_cell.py)."""
        script = os.path.join(INPUTS, "cli_cell.py")
        return {"command": [sys.executable, script, name, *args], "needs": list(needs), **members}

    def config(self, text=None, /, run_dir=None, **cells):
        document = {"cells": cells}
        if run_dir:
            document["run_dir"] = run_dir
        self.write("cell.json", text if text is not None else json.dumps(document, indent=2))

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path, mode)
        return path

    def log(self, name):
        path = os.path.join(self.log_dir, name + ".log")
        return read(path) if os.path.exists(path) else ""

    # ---- running ----

    def cell(self, *args, code=0, stdin=None, env=None, cwd=None):
        """Runs `cell`; fails when its exit code is not `code` (None = any)."""
        done = subprocess.run([self.program, *args], cwd=cwd or self.folder, env={**self.env, **(env or {})},
                              input=stdin if isinstance(stdin, bytes) else (stdin or "").encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, check=False)
        result = Result(["cell", *args], done.returncode, done.stdout.decode(errors="replace"),
                        done.stderr.decode(errors="replace"))
        assert code is None or result.code == code, f"expected exit code {code}\n{result}"
        return result

    def json(self, *args, code=0, **more):
        return self.cell("--json", *args, code=code, **more).json()

    def start(self, *args, env=None, **more):
        """Starts `cell` in the background."""
        return subprocess.Popen([self.program, *args], cwd=self.folder, env={**self.env, **(env or {})},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                **more)

    def finish(self, process, code=0):
        out, err = process.communicate(timeout=LIMIT)
        result = Result(process.args, process.returncode, out, err)
        assert code is None or result.code == code, f"expected exit code {code}\n{result}"
        return result

    def state(self, name):
        """What `cell status --json` says of one cell."""
        return {c["name"]: c for c in self.json("status", code=None)["cells"]}[name]

    def wait_state(self, name, state):
        return wait_until(f"{name} is {state}", lambda: (c := self.state(name))["state"] == state and c)

    # ---- processes ----

    def processes(self):
        """{pid: command line} of what comes from this project and lives; zombies are dead."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    environment = f.read().split(b"\0")
                with open(f"/proc/{pid}/stat", "rb") as f:
                    state = f.read().rpartition(b")")[2].split()[0]
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    command = f.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"{MARK}={self.folder}".encode() in environment and state not in (b"Z", b"X"):
                found[int(pid)] = command
        return found

    def supervisor(self):
        """Its pid, as the lock file says."""
        return int(read(os.path.join(self.run_dir, "cell-up.lock")))

    def wait_gone(self):
        wait_until("nothing is left running", lambda: not self.processes())

    def kill_all(self):
        while True:
            left = self.processes()
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)


def contains(text, *parts):
    """Every part occurs, in this order."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"'{part}' is missing, or not in this place, in:\n{text}"
        at = found + len(part)


def lacks(text, part):
    assert part not in text, f"'{part}' must not be in:\n{text}"
