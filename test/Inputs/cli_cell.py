#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small cell for the tests of the command line: serves health, metrics and a schema, and misbehaves on demand.

    cli_cell.py NAME [--socket PATH] [--schema FILE] [--fail TEXT] [--fail-unless FILE] [--mute] [--never-ready]
                     [--ignore-term] [--log FILE] [--lines N] [--leave-child] [--reply HEX] [--reply-code N]
                     [--connections JSON]
"""
import argparse
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cell_wire as wire


# A reply whose one out parameter is the text "hi": header, the reference to it, the text's reference, the text.
ECHO_HI = struct.pack("<IIIIQIIQ8s", 48, 16, 24, 16, 1, 40, 1, 2, b"hi").hex()


def schema_of(name):
    return {
        "schema": "cell.schema/1", "cell": name, "abi": "lp64-le", "doc": f"The {name} cell of the tests",
        "types": [
            {"name": f"{name}_color", "kind": "enum", "type": "i32", "size": 4, "align": 4,
             "values": [{"name": "RED", "value": "1"}, {"name": "GREEN", "value": "2"}]},
            {"name": f"{name}_point", "kind": "struct", "size": 16, "align": 4, "doc": "A point",
             "fields": [{"name": "x", "type": "i32", "offset": 0}, {"name": "y", "type": "i32", "offset": 4},
                        {"name": "age", "type": "opt<i32>", "offset": 8}]},
        ],
        "constants": [{"name": "LIMIT", "type": "i64", "value": "32"}],
        "methods": [
            {"name": f"{name}_echo", "idempotent": True, "doc": "Gives back what it got", "params": [
                {"name": "text", "type": "str", "dir": "in"},
                {"name": "small", "type": "u8", "dir": "in"},
                {"name": "out", "type": "str", "dir": "out", "pointer": True}]},
            {"name": f"{name}_everything", "doc": "One parameter of each kind", "params": [
                {"name": "flag", "type": "bool", "dir": "in"},
                {"name": "big", "type": "i64", "dir": "in"},
                {"name": "ratio", "type": "f64", "dir": "in"},
                {"name": "color", "type": f"{name}_color", "dir": "in"},
                {"name": "data", "type": "bytes", "dir": "in"},
                {"name": "ids", "type": "list<u32>", "dir": "in"},
                {"name": "key", "type": "u8[4]", "dir": "in", "pointer": True},
                {"name": "age", "type": "opt<i32>", "dir": "in"},
                {"name": "point", "type": f"{name}_point", "dir": "in", "pointer": True}]},
        ],
        "streams": [], "capabilities": [], "functions": [], "verbs": [],
    }


class Cell:
    def __init__(self, args):
        self.args, self.calls, self.started, self.kept = args, 0, time.monotonic(), []
        self.schema = schema_of(args.name)
        if args.schema:
            with open(args.schema, encoding="utf-8") as f:
                self.schema = json.load(f)
        self.fingerprint = wire.fingerprint(self.schema)

    def path(self):
        return self.args.socket or os.path.join(os.environ["CELL_RUN_DIR"], self.args.name + ".sock")

    def health(self):
        health = {"status": "starting" if self.args.never_ready else "serving", "cell": self.args.name,
                  "fingerprint": self.fingerprint, "pid": os.getpid(),
                  "uptime_ms": int((time.monotonic() - self.started) * 1000), "version": "9.9"}
        if self.args.connections:
            health["connections"] = json.loads(self.args.connections)
        return health

    def metrics(self):
        return {"counters": [{"name": "calls", "method": f"{self.args.name}_echo", "value": self.calls}]}

    def answer(self, fields, message):
        if fields["channel"] == wire.OPS:
            return 0, b"", wire.canonical(self.metrics() if fields["code"] else self.health())
        if fields["channel"] == wire.COMPILE:
            return 0, b"", wire.canonical(self.schema)
        self.calls += 1
        if self.args.log:
            with open(self.args.log, "a", encoding="utf-8") as f:
                f.write(f"call {fields['code']} {fields['timeout_ms']} {message.hex()}\n")
        if self.args.reply_code:
            return self.args.reply_code, wire.meta([(":message", "while testing: no such account\x1b[31m"),
                                                    (":detail.reason", "gone"), ("answered-by", "python")]), b""
        return 0, wire.meta([("answered-by", "python")]), bytes.fromhex(self.args.reply)

    def talk(self, conn):
        try:
            fields, hello, _ = wire.read_frame(conn)
            channel = fields["channel"]
            if hello.get(":cell", b"").decode() not in ("", self.args.name):
                conn.sendall(wire.frame(wire.WELCOME, channel, code=-5, meta=wire.meta(
                    [(":message", f"this is the cell {self.args.name}")])))
                return
            conn.sendall(wire.frame(wire.WELCOME, channel, meta=wire.meta(
                [(":cell", self.args.name), (":fingerprint", self.fingerprint), (":max-message", "1048576")])))
            while True:
                fields, _, message = wire.read_frame(conn)
                code, meta, reply = self.answer(fields, message)
                conn.sendall(wire.frame(wire.REPLY, channel, code=code, request=fields["id"], meta=meta, message=reply))
        except (EOFError, OSError):
            pass
        finally:
            conn.close()

    def serve(self):
        path = self.path()
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        os.chdir(os.path.dirname(path))  # a socket address has room for 107 bytes
        listener.bind(os.path.basename(path))
        os.chmod(path, 0o600)
        listener.listen(64)
        while True:
            conn, _ = listener.accept()
            if self.args.mute:
                self.kept.append(conn)  # open, and never answered
            else:
                threading.Thread(target=self.talk, args=(conn,), daemon=True).start()


def stop(cell):
    if os.path.lexists(cell.path()):
        os.unlink(cell.path())
    if cell.args.log:
        with open(cell.args.log, "a", encoding="utf-8") as f:
            f.write(f"stop {cell.args.name}\n")
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--socket")
    parser.add_argument("--schema")
    parser.add_argument("--fail")
    parser.add_argument("--fail-unless")
    parser.add_argument("--mute", action="store_true")
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--log")
    parser.add_argument("--lines", type=int, default=0)
    parser.add_argument("--leave-child", action="store_true")
    parser.add_argument("--reply", default=ECHO_HI)
    parser.add_argument("--reply-code", type=int, default=0)
    parser.add_argument("--connections")
    args = parser.parse_args()
    args.log = args.log and os.path.abspath(args.log)
    print(f"{args.name} begins", flush=True)
    for i in range(args.lines):
        print(f"{args.name} line {i} " + "x" * 60, flush=True)
    if args.fail or (args.fail_unless and not os.path.exists(args.fail_unless)):
        print(args.fail or f"{args.fail_unless} is missing", file=sys.stderr, flush=True)
        sys.exit(7)
    if args.leave_child:
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
    cell = Cell(args)
    if args.log:
        with open(args.log, "a", encoding="utf-8") as f:
            f.write(f"start {args.name}\n")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if args.ignore_term else lambda *_: stop(cell))
    cell.serve()


if __name__ == "__main__":
    main()
