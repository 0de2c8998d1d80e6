# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A disk that is full for the files of one cell (test/power/disk.h)."""
import os
import struct


class Disk:
    """How many bytes the files of a cell may still grow by, in a file at `path`."""

    def __init__(self, path, build):
        self.path, self.build = path, build
        self.set(1 << 40)

    def set(self, n):
        mode = "r+b" if os.path.exists(self.path) else "wb"
        with open(self.path, mode) as f:  # it is mapped
            f.write(struct.pack("<Q", n))

    def command(self, folder, *command):
        """That command, with its files in the folder."""
        os.makedirs(folder, exist_ok=True)
        library = os.path.join(self.build, "test", "power", "libcelldisk.so")
        return ["env", f"LD_PRELOAD={library}", f"CELL_DISK_FOLDER={folder}", f"CELL_DISK_ROOM={self.path}", *command]
