#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A client of the auth cell written from docs/protocol.md alone.   python_client.py SOCKET EMAIL PASSWORD"""
import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cell_wire as wire


def connect(path, channel, pairs):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(wire.frame(wire.HELLO, channel, meta=wire.meta([(":cell", "auth"), (":abi", "lp64-le")] + pairs)))
    fields, welcome, _ = wire.read_frame(s)
    assert fields["kind"] == wire.WELCOME and fields["code"] == 0, (fields, welcome)
    return s, welcome


def call(s, channel, method, message=b"", request=1):
    s.sendall(wire.frame(wire.CALL, channel, code=method, request=request, message=message, timeout_ms=20000))
    fields, pairs, reply = wire.read_frame(s)
    assert fields["kind"] == wire.REPLY and fields["id"] == request
    return fields["code"], pairs, reply


def request(*texts):
    """The request message for text parameters: one reference each, then the texts at multiples of 8."""
    fixed, tail, at = b"", b"", 8 + 16 * len(texts)
    for text in texts:
        data = text.encode()
        fixed += struct.pack("<IIQ", at if data else 0, 1, len(data))
        data += bytes(-len(data) % 8)
        tail += data
        at += len(data)
    return struct.pack("<II", at, len(fixed)) + fixed + tail


def text_at(message, where):
    offset, stride, count = struct.unpack_from("<IIQ", message, where)
    assert stride == 1 or count == 0
    return message[offset:offset + count].decode()


def main():
    path, email, password = sys.argv[1:4]
    ops, _ = connect(path, wire.OPS, [])
    print("health", json.loads(call(ops, wire.OPS, 0)[2])["status"])

    compile_, welcome = connect(path, wire.COMPILE, [])
    schema = json.loads(call(compile_, wire.COMPILE, 0, b"{}")[2])
    print("fingerprint", "matches" if wire.fingerprint(schema) == welcome[":fingerprint"].decode() else "differs")

    app, _ = connect(path, wire.APP, [(":fingerprint", wire.fingerprint(schema))])
    ids = {method["name"]: n for n, method in enumerate(schema["methods"])}
    fields = {t["name"]: t.get("fields") for t in schema["types"]}
    code, pairs, reply = call(app, wire.APP, ids["auth_register"], request(email, password))
    assert code == 0, pairs
    offset, stride, count = struct.unpack_from("<IIQ", reply, 8)
    at = next(f["offset"] for f in fields["auth_account"] if f["name"] == "email")
    print("registered", text_at(reply, offset + at), "count", count)

    code, pairs, _ = call(app, wire.APP, ids["auth_login"], request(email, "wrong password"), request=2)
    print("login", code, pairs[":message"].decode())
    broken = struct.pack("<II", 40, 32) + struct.pack("<IIQ", 0xFFFFFFF8, 1, 1 << 40) * 2
    code, pairs, _ = call(app, wire.APP, ids["auth_login"], broken, request=3)
    print("broken", code)


if __name__ == "__main__":
    main()
