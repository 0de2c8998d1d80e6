# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of a check that ask the cells, each run by a thread that looks at what it says."""
import contextlib
import signal
import subprocess
import threading
import time


class Watcher(threading.Thread):
    """Runs a program, and another one where it is killed, until there is nothing to do for it."""
    def __init__(self, what, folder):
        super().__init__()
        self.what, self.folder = what, folder
        self.lives = self.lines = 0
        self.problem = self.process = None
        self.over = False

    def command(self):
        """What goes on from here; None: that was all."""
        raise NotImplementedError

    def begin(self):
        """The program runs."""

    def line(self, words):
        """Raises ValueError, with a sentence, for what cannot be."""
        raise NotImplementedError

    def run(self):
        while not self.over and not self.problem:
            command = self.command()
            if not command:
                return
            self.lives += 1
            with open(f"{self.folder}/{self.what}.log", "ab") as log:
                self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE, stderr=log, text=True)
            if self.over:  # since the loop has looked
                self.process.kill()
            try:
                self.begin()
                for text in self.process.stdout:
                    if text.endswith("\n"):
                        self.line(text.split())
                        self.lines += 1
            except ValueError as e:
                self.problem = str(e)
                self.process.kill()
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            status = self.process.wait()
            if status not in (0, -signal.SIGKILL) and not self.problem:
                with open(f"{self.folder}/{self.what}.log", encoding="utf-8") as log:
                    self.problem = f"ended with {status}: {log.read()[-500:].strip()}"

    def end(self):
        self.over = True
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.ident:
            self.join()


def balance_of(n):
    """Of a client's account after its first n orders, and what is reserved: see client.c."""
    pending = (n + 3) // 5
    posted = (n + 2) // 5
    return n - pending, pending - posted


class Client(Watcher):
    """Orders, and reads: what it reads never goes back, and is never less than what it had been told."""
    def __init__(self, folder, number, total, batch, ahead):
        """ahead(): whether it is to wait, so that the faults keep up with it."""
        super().__init__(f"client {number}", folder)
        self.number, self.total, self.batch, self.ahead = number, total, batch, ahead
        self.asked = self.told = 0
        self.balance = self.last = 0
        self.status = (0, 0, 0)
        self.full = 0

    def command(self):
        if self.told >= self.total:
            return None
        return ["./client", str(self.number), str(self.told), str(self.total), str(self.batch)]

    def begin(self):
        while self.ahead() and not self.over:
            time.sleep(0.001)
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def line(self, words):
        numbers = tuple(int(word) for word in words[1:])
        if words[0] == "ask":
            self.asked = max(self.asked, numbers[1])
        elif words[0] == "told":
            self.told = numbers[1]
            self.begin()
        elif words[0] == "full":
            self.full += 1
        elif words[0] == "at":
            if any(now < before for now, before in zip(numbers, self.status)) or numbers[2] < self.told:
                raise ValueError(f"the ledger is at {numbers} after {self.status}, {self.told} told")
            self.status = numbers
        else:
            self.read(*numbers)

    def read(self, balance, reserved, last):
        if balance < self.balance or last < self.last or not balance_of(self.told)[0] <= balance <= balance_of(
                self.asked)[0]:
            raise ValueError(f"balance {balance} after {self.balance}, record {last} after {self.last}, {self.told} told, "
                             f"{self.asked} asked")
        if self.told == self.asked and (balance, reserved) != balance_of(self.told):
            raise ValueError(f"{balance} and {reserved} reserved after {self.told} orders")
        self.balance, self.last = balance, last


class Follower(Watcher):
    """Reads the stream, each record once, over all lives."""
    def __init__(self, folder):
        super().__init__("follower", folder)
        self.at = ("0", "0", "0")

    def command(self):
        return ["./follower", *self.at, "0"]

    def line(self, words):
        self.at = tuple(words[1:])


class Flow(Watcher):
    """Compares aggregates with the journal. They go back when the cell that has them dies, to its snapshot, and else
    never."""
    def __init__(self, folder, journal, analytics):
        super().__init__("flow", folder)
        self.journal, self.analytics = journal, analytics
        self.position = self.back = 0

    def command(self):
        return ["./flow", self.journal, "0"]

    def line(self, words):
        position = int(words[1])
        if position < self.position:
            self.back += 1
            if self.back > self.analytics.deaths + 1:  # one may not be counted yet
                raise ValueError(f"aggregates went back {self.back} times, the last time from {self.position} to "
                                 f"{position}, and the cell died {self.analytics.deaths} times")
        self.position = position
