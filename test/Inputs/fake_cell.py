#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A scriptable cell: serves any reply, byte for byte, while a command runs, and exits with the command's status.

    fake_cell.py --socket PATH --schema FILE [options] -- COMMAND…

As a module: `with FakeCell(path, Behaviour(...)) as fake:`; `fake.connections` and `fake.requests` count what came.
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import Optional

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cell_sign
import cell_wire as wire


@dataclass
class Behaviour:
    """What the fake cell does. `schema` is a document (dict) or raw bytes sent as they are."""
    schema: object = None
    cell: Optional[str] = None          # name in WELCOME; default: the schema's
    fingerprint: Optional[str] = None   # in WELCOME; default: the right one
    expand: object = None               # reply to expand: a document, raw bytes, or {"answers": {KEY: document}} where
                                        # KEY is "NAME VERB ARGUMENTS…" of the annotated declaration, "-" for an
                                        # argument that is left out
    state: Optional[str] = None         # reply to state; None: it has none. With "{n}" in it, n counts what was applied
    apply: object = None                # reply to apply: a document, raw bytes; True: everything is done as asked
    hang_at: Optional[str] = None       # accept | hello | reply: from there on it says nothing
    close_at: Optional[str] = None      # accept | hello | reply | middle (of the reply)
    welcome: Optional[bytes] = None     # raw bytes in place of WELCOME
    welcome_code: int = 0
    welcome_meta: Optional[bytes] = None
    reply: Optional[bytes] = None       # raw bytes in place of the whole REPLY frame
    reply_code: int = 0
    reply_meta: bytes = b""
    reply_length: Optional[int] = None  # announced length
    reply_id: Optional[int] = None
    endless: bool = False               # keeps sending after the reply's announced length
    signed: Optional[dict] = None       # arguments of cell_sign.sign for the schema; "document": over other bytes;
                                        # "text": in place of the signature
    goaway_first: bool = False          # a GOAWAY before the reply
    late: bool = False                  # WELCOME is sent when the first request is there, and not before
    log: list = field(default_factory=list)


class FakeCell:
    def __init__(self, path, behaviour):
        self.path, self.behaviour = path, behaviour
        self.connections, self.requests, self.applied = 0, [], 0
        self.stopping = threading.Event()

    def __enter__(self):
        if os.path.lexists(self.path):
            os.unlink(self.path)
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def _accept(self):
        held = []
        while not self.stopping.is_set():
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            held.append(conn)
            if self.behaviour.close_at == "accept":
                conn.close()
            elif self.behaviour.hang_at != "accept":
                threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            self._talk(conn)
        except (EOFError, OSError):
            pass
        finally:
            if self.behaviour.hang_at is None:
                conn.close()

    def _talk(self, conn):
        b = self.behaviour
        fields, pairs, _ = wire.read_frame(conn)
        channel = fields["channel"]
        if b.hang_at == "hello":
            self.stopping.wait()
            return
        if b.close_at == "hello":
            return
        first = wire.read_frame(conn) if b.late else None
        conn.sendall(self._welcome(channel, pairs))
        while True:
            fields, pairs, message = first or wire.read_frame(conn)
            first = None
            self.requests.append((fields["code"], message))
            b.log.append({"code": fields["code"], "message": message.decode("utf-8", "replace")})
            if b.hang_at == "reply":
                self.stopping.wait()
                return
            if b.close_at == "reply":
                return
            if b.goaway_first:
                conn.sendall(wire.frame(wire.GOAWAY, channel))
            data = self._reply(fields, message)
            if b.close_at == "middle":
                conn.sendall(data[:len(data) // 2])
                return
            conn.sendall(data)
            while b.endless and not self.stopping.is_set():
                conn.sendall(b" " * 65536)

    def _welcome(self, channel, hello):
        b = self.behaviour
        if b.welcome is not None:
            return b.welcome
        schema = b.schema if isinstance(b.schema, dict) else {}
        name = b.cell or schema.get("cell") or hello.get(":cell", b"?").decode()
        print_ = b.fingerprint or (wire.fingerprint(schema) if schema else "0" * 64)
        pairs = b.welcome_meta
        if pairs is None:
            pairs = wire.meta([(":cell", str(name)), (":fingerprint", print_), (":max-message", "4194304")])
        return wire.frame(wire.WELCOME, channel, code=b.welcome_code, meta=pairs)

    def _answer(self, request):
        document = self.behaviour.expand
        if not isinstance(document, dict) or "answers" not in document:
            return document
        request = json.loads(request)
        annotation = request["annotation"]
        args = ["-" if arg is None else arg for arg in annotation["args"]]
        key = " ".join([request["declaration"]["name"], annotation["verb"], *args])
        if key not in document["answers"]:
            raise EOFError(f"no answer to '{key}'")  # the connection ends here
        return document["answers"][key]

    def _state(self):
        return self.behaviour.state.replace("{n}", str(self.applied)) if self.behaviour.state is not None else None

    def _apply(self, request):
        document = self.behaviour.apply
        self.applied += 1
        if document is True:
            document = {"applied": [{"id": "ab", "steps": 1} for _ in json.loads(request)["requests"]]}
            if self._state() is not None:
                document["state"] = self._state()
        return document

    def _compile(self, code, request):
        """The reply to one request of the compile channel, and its code."""
        b = self.behaviour
        if code == 1:
            return self._answer(request), b.reply_code
        if code == 2 and b.apply is not None:
            return self._apply(request), b.reply_code
        if code == 3 and b.state is not None:
            return {"state": self._state()}, b.reply_code
        return (b.schema, b.reply_code) if code == 0 else (b"", -12)

    def _signature(self, message):
        """Metadata of the reply with the schema."""
        how = dict(self.behaviour.signed)
        text = how.pop("text", None)
        return wire.meta([(":signature", text if text is not None else
                           cell_sign.sign(**{"document": message, **how}))])

    def _reply(self, fields, request):
        b = self.behaviour
        if b.reply is not None:
            return b.reply
        code = b.reply_code
        document = b.schema
        if fields["channel"] == wire.COMPILE:
            document, code = self._compile(fields["code"], request)
        message = wire.canonical(document) if isinstance(document, dict) else (document or b"")
        meta = b.reply_meta
        if b.signed is not None and fields["channel"] == wire.COMPILE and fields["code"] == 0:
            meta = self._signature(message)
        return wire.frame(wire.REPLY, fields["channel"], code=code,
                          request=fields["id"] if b.reply_id is None else b.reply_id,
                          meta=meta, message=message, length=b.reply_length)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--schema", help="file with the schema document")
    parser.add_argument("--expand", help="file with the reply to expand")
    parser.add_argument("--state", help="reply to state")
    parser.add_argument("--apply", help="file with the reply to apply; '-': everything is done as asked")
    parser.add_argument("--hang-at", choices=["accept", "hello", "reply"])
    parser.add_argument("--close-at", choices=["accept", "hello", "reply", "middle"])
    parser.add_argument("--log", help="file that gets one JSON line a request, and last the number of connections")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    behaviour = Behaviour(hang_at=args.hang_at, close_at=args.close_at, state=args.state, apply=args.apply == "-" or None)
    for name in ("schema", "expand", "apply"):
        if getattr(args, name) not in (None, "-"):
            with open(getattr(args, name), encoding="utf-8") as f:
                setattr(behaviour, name, json.load(f))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with FakeCell(args.socket, behaviour) as fake:
        status = subprocess.run(args.command).returncode
        if args.log:
            with open(args.log, "w", encoding="utf-8") as f:
                for entry in behaviour.log:
                    f.write(json.dumps(entry) + "\n")
                f.write(f"connections {fake.connections}\n")
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
