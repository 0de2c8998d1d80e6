#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults while clients order, and a look at everything that clients were told, after the manner of Jepsen.

    ledger_checker.py --build DIR --client PROGRAM --folder DIR [--transfers N] [--faults N] [--seed N] [-- LEDGER-OPTION…]

Clients (ledger_client.c) write down what they ask for and what they are told. Meanwhile, at random moments: the ledger or a
client is killed, or stopped for a moment, or the disk is full for one (where test/power's library is built). Afterwards:

- every order that was acknowledged is there, once; of others only such as were asked for;
- what clients read never goes back, and is never less than what they had been told;
- balances are what the journal adds up to, and the journal is sound (ledger --check), snapshots included.
"""
import argparse
import collections
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_with_cell

sys.dont_write_bytecode = True


def balance_of(n):
    """Of a client's account after its first n orders, and what is reserved: see ledger_client.c."""
    pending = (n + 3) // 5
    posted = (n + 2) // 5
    return n - pending, pending - posted


class Ledger:
    def __init__(self, args):
        self.path = os.path.join(args.folder, "run", "ledger.sock")
        self.data = os.path.join(args.folder, "data")
        self.log = os.path.join(args.folder, "ledger.log")
        self.room = os.path.join(args.folder, "room")
        self.program = os.path.join(args.build, "bin", "ledger")
        library = os.path.join(args.build, "test", "power", "libcelldisk.so")
        self.command = [self.program, "--address", "unix:" + self.path, "--folder", self.data, *args.options]
        self.may_fill = os.path.exists(library)
        if self.may_fill:
            self.command = ["env", f"LD_PRELOAD={library}", f"CELL_DISK_FOLDER={self.data}",
                            f"CELL_DISK_ROOM={self.room}", *self.command]
        self.set_room(1 << 50)

    def set_room(self, n):
        with open(self.room, "r+b" if os.path.exists(self.room) else "wb") as f:  # it is mapped
            f.write(struct.pack("<Q", n))

    def start(self):
        os.makedirs(self.data, exist_ok=True)
        self.process = run_with_cell.start(self.path, self.command, self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()


class Client(threading.Thread):
    """Runs a client, and another one where it is killed, until all is ordered."""

    def __init__(self, args, number, total):
        super().__init__()
        self.args, self.number, self.total = args, number, total
        self.asked = self.told = 0
        self.read = (0, 0)
        self.reads = self.lives = 0
        self.problem = None
        self.process = None

    def line(self, words):
        if words[0] == "ask":
            self.asked = max(self.asked, int(words[2]))
        elif words[0] == "told":
            self.told = int(words[2])
        else:
            balance, reserved = int(words[1]), int(words[2])
            posted, _ = balance_of(self.told)
            if balance < self.read[0] or balance < posted or balance > balance_of(self.asked)[0]:
                self.problem = f"balance {balance} after {self.read[0]}, {self.told} told, {self.asked} asked"
            if self.told == self.asked and (balance, reserved) != balance_of(self.told):
                self.problem = f"{balance} and {reserved} reserved after {self.told} orders"
            self.read = (balance, reserved)
            self.reads += 1

    def run(self):
        while self.told < self.total and not self.problem:
            self.lives += 1
            self.process = subprocess.Popen([self.args.client, str(self.number), str(self.told), str(self.total),
                                             str(self.args.batch)], cwd=self.args.folder, stdout=subprocess.PIPE,
                                            text=True)
            for text in self.process.stdout:
                if text.endswith("\n"):
                    self.line(text.split())
            status = self.process.wait()
            if status not in (0, -signal.SIGKILL):
                self.problem = f"the client ended with {status}"


def stop_for(process, seconds):
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def inject(ledger, clients, chance, counts):
    kinds = ["kill the ledger", "stop the ledger", "kill a client", "stop a client"]
    if ledger.may_fill:
        kinds.append("fill the disk")
    kind = chance.choice(kinds)
    client = chance.choice(clients)
    counts[kind] += 1
    try:
        if kind == "kill the ledger":
            ledger.kill()
        elif kind == "stop the ledger":
            stop_for(ledger.process, chance.uniform(0, 0.2))
        elif kind == "fill the disk":
            ledger.set_room(chance.randrange(100000))
            time.sleep(chance.uniform(0, 0.3))
            ledger.set_room(1 << 50)
        elif client.process:
            if kind == "kill a client":
                client.process.kill()
            else:
                stop_for(client.process, chance.uniform(0, 0.2))
    except ProcessLookupError:
        pass


def look_at_all(args, ledger, clients):
    def call(*words):
        done = subprocess.run([os.path.join(args.build, "bin", "cell"), "call", "--json", *words], cwd=args.folder,
                              stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        found = found.get("out", found)
        return next(iter(found.values())) if len(found) == 1 else found

    for client in clients:
        assert not client.problem, f"client {client.number}: {client.problem}"
        account = call("ledger.ledger_account_of", f"id={1000 + client.number}")
        found = int(account["balance"]), int(account["incoming"])
        assert found == balance_of(client.told), f"client {client.number}: {found} after {client.told} orders"
    state = call("ledger.ledger_status")
    assert int(state["transfers"]) == sum(client.told for client in clients), state
    assert all(int(each["sum"]) == 0 for each in state["sums"]), state
    run_with_cell.stop(ledger.process)
    print(subprocess.run([ledger.program, "--check", ledger.data], stdout=subprocess.PIPE, text=True,
                         check=True).stdout.strip())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--transfers", type=int, default=10_000_000)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    own = sys.argv[1:]
    options = []
    if "--" in own:
        own, options = own[:own.index("--")], own[own.index("--") + 1:]
    args = parser.parse_args(own)
    args.options = options
    os.makedirs(os.path.join(args.folder, "run"), exist_ok=True)
    with open(os.path.join(args.folder, "cell.json"), "w") as f:
        json.dump({"run_dir": "run", "cells": {"ledger": {}}}, f)
    chance = random.Random(args.seed)
    ledger = Ledger(args)
    ledger.start()
    total = args.transfers // args.clients
    clients = [Client(args, number, total) for number in range(args.clients)]
    counts = collections.Counter()
    try:
        for client in clients:
            client.start()
        while any(client.is_alive() for client in clients):
            done = sum(client.told for client in clients)
            if sum(counts.values()) < args.faults * done // args.transfers + 1:
                inject(ledger, clients, chance, counts)
            time.sleep(0.002)
        while sum(counts.values()) < args.faults:  # those that came too late for anybody
            inject(ledger, clients, chance, counts)
        look_at_all(args, ledger, clients)
    finally:
        if ledger.process.poll() is None:
            ledger.process.kill()
            ledger.process.wait()
        for client in clients:
            if client.process and client.process.poll() is None:
                client.process.kill()
                client.process.wait()
    print(f"{sum(client.told for client in clients)} transfers, {sum(client.reads for client in clients)} reads, "
          f"{sum(client.lives for client in clients)} clients, {sum(counts.values())} faults:",
          ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
