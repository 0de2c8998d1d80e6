# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of other systems (peers/), built when a benchmark is asked to compare with them."""
import os
import re
import subprocess
import sys

from bench import ROOT


def build(bench, folder=None):
    """Builds what can be built in `folder` (default: bench-peers in the build folder). The folder; the names of systems that
    are there; and of the others, why not."""
    folder = folder or bench.path("bench-peers")
    bench.progress("building the programs of other systems")
    compilers = []
    with open(bench.path("CMakeCache.txt"), encoding="utf-8") as f:
        for line in f:
            if match := re.match(r"(CMAKE_C(?:XX)?_COMPILER):\w+=(.+)", line):
                compilers.append(f"-D{match[1]}={match[2]}")
    source = os.path.join(ROOT, "utils", "bench", "peers")
    for command in (["cmake", "-G", "Ninja", "-S", source, "-B", folder] + compilers,
                    ["cmake", "--build", folder, "--parallel"]):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            sys.exit(f"{os.path.basename(sys.argv[0])}: {' '.join(command)} failed:\n{result.stdout}")
    bench.progress("")
    there, missing = [], {}
    with open(os.path.join(folder, "peers.txt"), encoding="utf-8") as f:
        for line in f:
            name, state, *packages = line.split()
            if state == "built":
                there.append(name)
            else:
                missing[name] = f"not installed: {' '.join(packages)} (utils/setup --peers)"
    return folder, there, missing
