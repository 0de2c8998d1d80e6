# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Certificates for tests, made by openssl, and a real cell that listens on HTTPS at a port of the system's choice."""
import json
import os
import signal
import socket
import subprocess

import cell_wire
from run_with_cell import start, stop

TOKEN = "test-token-0123456789abcdef"


def openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    """An authority in a folder of its own; makes certificates that are good for ten days."""

    def __init__(self, folder, name="ca"):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.name = folder, name
        self.ca = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "10",
                "-subj", f"/CN=Test {name}", "-keyout", self.key, "-out", self.ca)

    def certificate(self, name, alt="DNS:localhost,IP:127.0.0.1", days="10", subject=None):
        """Paths of certificate and key. `days` may be negative: it has expired."""
        base = os.path.join(self.folder, f"{self.name}-{name}")
        key, request, crt, extra = base + ".key", base + ".csr", base + ".pem", base + ".ext"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                subject or f"/CN={name}", "-keyout", key, "-out", request)
        with open(extra, "w", encoding="utf-8") as f:
            f.write(f"subjectAltName={alt}\n")
        if int(days) > 0:
            openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-days", days, "-extfile",
                    extra, "-out", crt)
        else:
            self.expired(request, extra, crt)
        os.chmod(key, 0o600)
        return crt, key

    def expired(self, request, extra, crt):
        """`openssl x509` makes none that is over; `openssl ca` does, with a database of its own."""
        database = os.path.join(self.folder, f"{self.name}-db")
        os.makedirs(database, exist_ok=True)
        open(os.path.join(database, "index.txt"), "w", encoding="utf-8").close()
        with open(os.path.join(database, "serial"), "w", encoding="utf-8") as f:
            f.write("01\n")
        config = os.path.join(database, "ca.cnf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={database}\ndatabase={database}/index.txt\n"
                    f"serial={database}/serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-config", config, "-cert", self.ca, "-keyfile", self.key, "-in", request, "-out", crt,
                "-extfile", extra, "-startdate", "200101000000Z", "-enddate", "200201000000Z", "-notext")


def ask(path, method):
    """What the cell at that socket tells of itself: 0 health, 1 counters."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(cell_wire.frame(cell_wire.HELLO, cell_wire.OPS))
        cell_wire.read_frame(s)
        s.sendall(cell_wire.frame(cell_wire.CALL, cell_wire.OPS, method, request=1, message=b"{}"))
        return json.loads(cell_wire.read_frame(s)[2])


class Cell:
    """A cell on a socket and on HTTPS, in a block; `extra` are options in place of a file with TOKEN."""

    def __init__(self, cell, folder, command, extra=None, authority=None, env=None, listen="https://127.0.0.1:0"):
        os.makedirs(folder, exist_ok=True)
        self.cell, self.folder = cell, folder
        self.socket = os.path.join(folder, "cell.sock")
        self.authority = authority or Authority(folder)
        crt, key = self.authority.certificate("server")
        self.tokens = os.path.join(folder, "tokens")
        with open(self.tokens, "w", encoding="utf-8") as f:
            f.write(f"# who may ask\nbuild {TOKEN}\nother other-token-0123456789abcdef\n")
        os.chmod(self.tokens, 0o600)
        self.command = [*command, "--address", f"unix:{self.socket}", "--listen", listen, "--tls-certificate", crt,
                        "--tls-key", key, *(["--tokens", self.tokens] if extra is None else extra)]
        self.env = env

    def __enter__(self):
        self.process = start(self.socket, self.command, os.path.join(self.folder, "log"))
        name = self.health()["cell"]
        self.address = self.health()["https"]
        self.port = int(self.address.rsplit(":", 1)[1])
        self.environment = dict(os.environ, CELL_CA_FILE=self.authority.ca, **{f"CELL_TOKEN_{name.upper()}": TOKEN})
        return self

    def __exit__(self, *_):
        stop(self.process)

    def health(self):
        """The document, by way of the socket."""
        return self.ask(0)

    def metric(self, name):
        """One of the cell's counters, likewise."""
        return next((c["value"] for c in self.ask(1)["counters"] if c["name"] == name), 0)

    def ask(self, method):
        return ask(self.socket, method)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
