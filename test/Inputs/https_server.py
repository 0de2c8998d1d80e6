# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An HTTPS server of a few lines that can do anything wrong: what docs/protocol.md says of a cell, byte for byte, with a
place to change each of it. It counts connections and requests."""
import json
import socket
import ssl
import struct
import threading

import cell_wire as wire


class Stop(Exception):
    """The connection ends."""


def tls(certificate, key, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(certificate, key)
    return context


def reply(body, status="200 OK", extra=(), length=None, kind="application/json"):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *extra]
    if kind:
        head.append(f"Content-Type: {kind}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Cell:
    """How a good cell answers: answer(method, path, body) gives the bytes of the whole response."""

    def __init__(self, schema, signature=None):
        self.schema = schema if isinstance(schema, bytes) else wire.canonical(schema)
        self.fingerprint = wire.fingerprint(schema) if isinstance(schema, dict) else "ab" * 32
        self.name = schema["cell"] if isinstance(schema, dict) else "auth"
        self.signature = signature

    def headers(self, path):
        lines = [f"Cell-Name: {self.name}", f"Cell-Fingerprint: {self.fingerprint}"]
        if path == "/v1/schema" and self.signature:
            lines.append(f"Cell-Signature: {self.signature}")
        return lines

    def answer(self, method, path, body):
        del method, body
        if path == "/v1/schema":
            return reply(self.schema, extra=self.headers(path))
        if path == "/v1/cell":
            return reply(json.dumps({"cell": self.name}).encode(), extra=self.headers(path))
        error = {"error": {"status": "not-found", "code": -5, "message": "there is nothing", "details": {}}}
        return reply(json.dumps(error).encode(), "404 Not Found", self.headers(path))


class Server:
    """Serves in a block. raw(socket): in place of TLS; respond(connection, method, path, body): sends what it likes."""

    def __init__(self, context=None, respond=None, raw=None, cell=None):
        self.context, self.respond, self.raw, self.cell = context, respond, raw, cell
        self.connections, self.requests, self.over = 0, [], threading.Event()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.address = f"https://localhost:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.close()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            if self.raw:
                self.raw(self, conn)
                return
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.context.wrap_socket(conn, server_side=True) as secure:
                while self.request(secure):
                    pass
        except (OSError, Stop, ValueError):
            pass # the client has gone, which is what it is to do
        finally:
            conn.close()

    def request(self, conn):
        data = b""
        while b"\r\n\r\n" not in data:
            part = conn.recv(65536)
            if not part:
                return False
            data += part
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        method, path, _ = lines[0].split(" ")
        fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        while len(body) < int(fields.get("content-length", 0)):
            body += conn.recv(65536)
        self.requests.append((method, path, fields))
        if self.respond:
            self.respond(self, conn, method, path, body)
        else:
            conn.sendall(self.cell.answer(method, path, body))
        return True

    def wait(self):
        """Hangs until the test is over."""
        self.over.wait(120)
        raise Stop


def reset(conn):
    """The connection ends with RST."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()
    raise Stop
