# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A disk that is full for the files of one cell (test/power/disk.h)."""
import os
import struct


class Disk:
    """How many bytes the files of a cell may still grow by, in a file at `path`."""

    def __init__(self, path, build, library=None):
        self.path, self.library = path, library or self.library_of(build)
        self.set(1 << 40)

    @staticmethod
    def library_of(build):
        return os.path.join(build, "test", "power", "libcelldisk.so")

    def set(self, n):
        mode = "r+b" if os.path.exists(self.path) else "wb"
        with open(self.path, mode) as f:  # it is mapped
            f.write(struct.pack("<Q", n))

    def command(self, folder, *command):
        """That command, with its files in the folder."""
        os.makedirs(folder, exist_ok=True)
        return ["env", f"LD_PRELOAD={self.library}", f"CELL_DISK_FOLDER={folder}", f"CELL_DISK_ROOM={self.path}", *command]
