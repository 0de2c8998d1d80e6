# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project with a tape (analytics_tape.c) and an analytics cell that counts its records.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm %builddir
    import sys; sys.path.insert(0, sys.argv[3])
    from analytics_project import AnalyticsProject
    with AnalyticsProject() as p, p.tape(), p.analytics(): …
"""
import contextlib
import json
import os

import run_with_cell
from cli_project import wait_until
from store_project import StoreProject, contains, lacks  # noqa: F401 (for the tests)

HEAD = """#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <cell/cell.h>
#include <cell/watch.h>
#include "analytics_tape.h"
"""


class AnalyticsProject(StoreProject):
    def __init__(self, name="project"):
        super().__init__(name)
        self.policy(timeout_ms=30000, cells={"tape": {}, "analytics": {"needs": ["tape"]}})
        self.env["CELL_CONFIG"] = self.folder
        os.environ["CELL_CONFIG"] = self.folder  # of the cells
        self.disk = None  # full_disk.Disk of the analytics cell
        for name in ("analytics_tape.c", "analytics_tape.h"):
            with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as f:
                self.write(name, f.read())

    def start_tape(self, *options):
        path = os.path.join(self.run_dir, "tape.sock")
        if not os.path.exists(os.path.join(self.folder, "analytics_tape")):
            said = self.make("analytics_tape")
            assert "error" not in said, said
        command = [os.path.join(self.folder, "analytics_tape"), f"unix:{path}", os.path.join(self.folder, "moves"),
                   *options]
        return run_with_cell.start(path, command, os.path.join(self.folder, "tape.log"))

    def start_analytics(self, *options):
        path = os.path.join(self.run_dir, "analytics.sock")
        folder = os.path.join(self.folder, "counts")
        command = [os.path.join(self.build, "bin", "analytics"), "--address", f"unix:{path}", "--folder", folder, *options]
        if self.disk:
            command = self.disk.command(folder, *command)
        return run_with_cell.start(path, command, os.path.join(self.folder, "analytics.log"))

    @contextlib.contextmanager
    def tape(self, *options):
        process = self.start_tape(*options)
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    @contextlib.contextmanager
    def analytics(self, *options):
        process = self.start_analytics(*options)
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    def append(self, n, amount=0):
        """The sequence behind them."""
        said = json.loads(self.cell("call", "--json", "tape.tape_append", f"n={n}", f"amount={amount}").out)
        return int(said["out"]["end"]["sequence"])

    def pipelines(self):
        return json.loads(self.cell("pipelines", "analytics", "--json").out)["out"]["pipelines"]

    def wait_even(self, name, end):
        """Until that aggregate has all records before `end`, and none is being built."""
        def even():
            all_ = [p for p in self.pipelines() if p["index"] == name]
            return len(all_) == 1 and int(all_[0]["position"]) == end and not all_[0]["building"]
        wait_until(f"aggregate {name} has everything", even)
        return [p for p in self.pipelines() if p["index"] == name][0]
