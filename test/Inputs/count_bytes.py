# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""count_bytes.py FILE TEXT…: how often each text is in the file."""
import sys

data = open(sys.argv[1], "rb").read()
print(*(f"{t} {data.count(t.encode())}" for t in sys.argv[2:]))
