# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Frames, metadata and canonical JSON from docs/protocol.md, for the fake cell and the hand-written clients of tests."""
import hashlib
import json
import struct

HEADER = struct.Struct("<IIBBBBHHiIQ")
MAGIC = 0x4C4C4543
HELLO, WELCOME, SCHEMA, CALL, REPLY, CANCEL, GOAWAY = range(1, 8)
APP, OPS, COMPILE = range(3)


def frame(kind, channel, code=0, request=0, meta=b"", message=b"", timeout_ms=0, length=None):
    """One frame as bytes; `length` overrides the announced payload length."""
    payload = meta + message
    announced = len(payload) if length is None else length
    return HEADER.pack(MAGIC, announced, 1, kind, channel, 0, len(meta), 0, code, timeout_ms, request) + payload


def meta(pairs):
    out = b""
    for key, value in pairs:
        key = key.encode() if isinstance(key, str) else key
        value = value.encode() if isinstance(value, str) else value
        out += struct.pack("<HH", len(key), len(value)) + key + value
    return out


def parse_meta(block):
    pairs, at = {}, 0
    while at < len(block):
        klen, vlen = struct.unpack_from("<HH", block, at)
        key = block[at + 4:at + 4 + klen].decode()
        pairs[key] = block[at + 4 + klen:at + 4 + klen + vlen]
        at += 4 + klen + vlen
    return pairs


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise EOFError("the peer closed the connection")
        data += part
    return data


def read_frame(sock):
    """(fields, metadata, message) of the next frame; EOFError at the end."""
    names = ("magic length version kind channel reserved meta_len reserved2 code timeout_ms id").split()
    fields = dict(zip(names, HEADER.unpack(read_exactly(sock, HEADER.size))))
    payload = read_exactly(sock, fields["length"])
    return fields, parse_meta(payload[:fields["meta_len"]]), payload[fields["meta_len"]:]


def canonical(document):
    """RFC 8785 for documents whose numbers are integers and whose keys are ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(document):
    return hashlib.sha256(canonical(document)).hexdigest()
