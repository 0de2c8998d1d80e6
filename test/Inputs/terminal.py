# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program on a terminal of its own, and what it has drawn there. Knows the sequences that `cell watch` uses.

    with Terminal(command, rows=24, columns=80) as t:
        t.until(lambda: "total↓" in t.text()); t.type("q"); t.wait()
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Terminal:
    def __init__(self, command, rows=24, columns=80, cwd=None, env=None):
        self.rows, self.columns = rows, columns
        self.data, self.seen, self.status = b"", b"", None
        self.other = self.cursor_hidden = False  # the other screen; no cursor
        self.styles = set()  # what was ever in effect
        self.marked = set()  # (row, text before it) of characters that are bold and yellow
        self.clear()
        # As in a shell: another process leads the session, and the program is in the foreground, in a group of its own,
        # which alone can be stopped by keys. The copy of the slave keeps the terminal's settings when all have ended.
        self.master, self.slave = pty.openpty()
        self.set_size(rows, columns)
        self.settings = termios.tcgetattr(self.slave)
        tell, told = os.pipe()
        self.leader = os.fork()
        if self.leader == 0:
            try:
                os.chdir(cwd or ".")
                self.lead(told, command, env or os.environ)
            finally:
                os._exit(127)
        os.close(told)
        self.pid = int(os.read(tell, 20))
        os.close(tell)

    def lead(self, told, command, env):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(self.slave, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.write(told, str(os.getpid()).encode())
            for fd in (0, 1, 2):
                os.dup2(self.slave, fd)
            os.closerange(3, 64)
            os.execvpe(command[0], command, env)
        os.close(told)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(code if code >= 0 else 128 - code)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.leader, 0)
        os.close(self.master)
        os.close(self.slave)

    def clear(self):
        self.lines = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0
        self.style = ""

    def set_size(self, rows, columns):
        fcntl.ioctl(self.slave if hasattr(self, "slave") else self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.clear()
        self.set_size(rows, columns)
        os.kill(self.pid, signal.SIGWINCH)

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)

    def is_cooked(self):
        """As it was before: with lines, echo, cursor, and on its first screen."""
        return termios.tcgetattr(self.slave) == self.settings and not self.other and not self.cursor_hidden

    def read(self, seconds=0.05):
        if not select.select([self.master], [], [], seconds)[0]:
            return
        self.data += os.read(self.master, 65536)
        self.draw()

    def until(self, condition, what="what was expected was not drawn", seconds=60):
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, what + "\n" + self.text()
            self.read()

    def type(self, text):
        os.write(self.master, text.encode())

    def kill(self, number):
        os.kill(self.pid, number)

    def state(self):
        """The letter of /proc: T = stopped."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def wait(self, seconds=60):
        """The exit status, after the rest was drawn; 128 and more: the signal."""
        def ended():
            pid, status = os.waitpid(self.leader, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            return pid
        self.until(ended, "it did not end", seconds)
        self.read()
        return self.status

    def draw(self):
        text = self.data.decode(errors="ignore") if self.data[-1:] < b"\x80" else ""
        self.seen += self.data if text else b""
        while text:
            match = SEQUENCE.match(text)
            if text[0] == "\x1b" and not match:
                break  # the rest comes
            if match:
                self.apply(match[1], match[2])
                text = text[match.end():]
                continue
            self.put(text[0])
            text = text[1:]
        else:
            if self.data[-1:] >= b"\x80":
                return
        self.data = text.encode()
        self.seen = self.seen[:len(self.seen) - len(self.data)]

    def put(self, c):
        if c == "\r":
            self.column = 0
        elif c == "\n":
            self.row = min(self.row + 1, self.rows - 1)
        else: # without going on in the next line: more than fits is written into the last place
            at = min(self.column, self.columns - 1)
            self.lines[self.row][at] = c
            if self.style == "1;33":
                self.marked.add((self.row, "".join(self.lines[self.row][:at + 1])))
            self.column += 1

    def apply(self, numbers, letter):
        parts = numbers.split(";") if numbers else []
        if letter == "H":
            self.row = min(int(parts[0]) - 1 if parts else 0, self.rows - 1)
            self.column = int(parts[1]) - 1 if len(parts) > 1 else 0
        elif letter == "K":
            self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "J" and numbers == "2":
            self.lines = [[" "] * self.columns for _ in range(self.rows)]
        elif letter == "J":
            self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
            for i in range(self.row + 1, self.rows):
                self.lines[i] = [" "] * self.columns
        elif letter == "m":
            self.style = "" if numbers in ("", "0") else ";".join(filter(None, (self.style, numbers)))
            self.styles.add(numbers)
        elif numbers == "?1049":
            self.other = letter == "h"
        elif numbers == "?25":
            self.cursor_hidden = letter == "l"
        else:
            assert numbers == "?7", (numbers, letter)
