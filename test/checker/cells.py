# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cells of a check, between which and the system stand test/power's libraries."""
import os
import struct
import time

import run_with_cell

PLENTY = 1 << 50


class Number:
    """A file of 8 bytes that other processes have mapped."""
    def __init__(self, path, value=0):
        self.path = path
        with open(path, "wb") as f:
            f.write(struct.pack("<q", value))

    def set(self, value):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("<Q", value & (1 << 64) - 1))

    def get(self):
        with open(self.path, "rb") as f:
            return struct.unpack("<q", f.read(8))[0]


class Clock:
    """That of all cells: it is set back and forth by hours, and goes on by some minutes with each step, so that there
    are times which nobody has seen before."""
    def __init__(self, folder):
        self.number, self.us = Number(os.path.join(folder, "clock")), 0

    def step(self, chance):
        self.us += 300 * 1000000
        self.number.set(self.us + int(chance.uniform(-3, 3) * 3600 * 1000000))


class Cell:
    def __init__(self, name, build, folder, clock, options):
        self.name = name
        self.data = os.path.join(folder, "data-" + name)
        self.path = os.path.join(folder, "run", name + ".sock")
        self.log = os.path.join(folder, name + ".log")
        self.program = os.path.join(build, "bin", name)
        self.room = Number(os.path.join(folder, name + ".room"), PLENTY)
        self.torn = Number(os.path.join(folder, name + ".torn"))
        libraries = [os.path.join(build, "test", "power", library) for library in ("libcelldisk.so", "libcellclock.so")]
        self.command = ["env", "LD_PRELOAD=" + " ".join(libraries), "CELL_DISK_FOLDER=" + self.data,
                        "CELL_DISK_ROOM=" + self.room.path, "CELL_DISK_TEAR=" + self.torn.path,
                        "CELL_CLOCK_STEP=" + clock.number.path, self.program, "--address", "unix:" + self.path,
                        "--folder", self.data, *options]
        self.process = None
        self.deaths = 0
        os.makedirs(self.data)

    def start(self):
        try:
            self.process = run_with_cell.start(self.path, self.command, self.log, limit_s=120)
        except SystemExit as e:
            with open(self.log, encoding="utf-8") as f:
                raise AssertionError(f"{e}: {f.read()[-500:].strip()}") from e

    def stop(self):
        if self.process:
            run_with_cell.stop(self.process)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.deaths += 1
        self.start()

    def tear(self, chance):
        """Its next write is torn, and its last. False: there was none for a while."""
        self.torn.set(chance.getrandbits(64) | 1 << chance.randrange(64))
        end = time.monotonic() + 2
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        self.torn.set(0)
        if self.process.poll() is None:
            time.sleep(0.05)  # it may have taken the number just now
        died = self.process.poll() is not None
        if died:
            self.deaths += 1
            self.start()
        return died

    def fill(self, chance, enough):
        """Its disk is full until that is enough, or for two seconds."""
        end = time.monotonic() + 2
        self.room.set(chance.randrange(100000))
        while not enough() and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        self.room.set(PLENTY)
