#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a program, and calls with `cell call`, against an HTTPS server that behaves badly in each of many ways: every
time one clear error, in time; no crash, no object.   hostile_https.py WORKDIR CELL COMPILER…"""
import gzip
import json
import os
import re
import shutil
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cell_sign import sign
from https_cell import Authority
from https_server import Cell, Server, Stop, reply, reset, tls
from schemas import small
import cell_wire as wire

PROGRAM = "#include <cell/cell.h>\nCELL_REMOTE(demo);\nint main(void) { return 0; }\n"
GOOD = small()
CELL = Cell(GOOD)
CASES = {}
ELSEWHERE = Server(cell=CELL) # a good cell at another origin, which nobody has named; it listens while the cases run
TOKEN = "secret-0123456789abcdef"
LATE = r"did not answer|in time|too slowly"
LOST = r"clos|lost|reset|[Ee]mpty|unexpected|EOF|SSL|connect|transfer"
LIMIT = 60 # seconds; only reached when something hangs


def case(expected, certificate="good", cli=None, version=ssl.TLSVersion.TLSv1_3):
    """A function respond(server, conn, method, path, body). `cli`: what `cell call` says, when that is something else."""
    def register(function):
        CASES[function.__name__.replace("_", "-")] = (function, expected, certificate, cli or expected, version)
        return function
    return register


def good(conn, method, path, body):
    conn.sendall(CELL.answer(method, path, body))


def raw_case(expected):
    def register(function):
        CASES[function.__name__.replace("_", "-")] = (function, expected, None, expected, None)
        return function
    return register


# ---- below HTTP ----

@raw_case(LATE)
def tls_hangs(server, conn):
    server.wait()


@raw_case(LOST)
def tls_truncated(server, conn):
    conn.recv(100)


@raw_case(r"SSL|wrong version|record|packet")
def tls_garbage(server, conn):
    conn.recv(100)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 20)


@raw_case(LOST)
def tls_reset(server, conn):
    conn.recv(10)
    reset(conn)


@case(r"certificate.*(match|name)|SSL: no alternative", "wrong-name")
def certificate_of_another_name(server, conn, *request):
    good(conn, *request)


@case(r"certificate.*expired", "expired")
def certificate_expired(server, conn, *request):
    good(conn, *request)


@case(r"certificate|self.signed", "self-signed")
def certificate_self_signed(server, conn, *request):
    good(conn, *request)


@case(r"certificate|issuer", "stranger")
def certificate_of_a_stranger(server, conn, *request):
    good(conn, *request)


@case(r"protocol version|SSL|version", version=ssl.TLSVersion.TLSv1_2)
def tls_too_old(server, conn, *request):
    good(conn, *request)


# ---- the head ----

def drip(server, conn, data, pause=0.02):
    for i in range(len(data)):
        conn.sendall(data[i:i + 1])
        if server.over.wait(pause):
            raise Stop


@case(LATE)
def slow_head(server, conn, method, path, body):
    drip(server, conn, b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 100000)


@case(r"head.*more than")
def endless_headers(server, conn, *request):
    conn.sendall(b"HTTP/1.1 200 OK\r\n")
    for i in range(10 ** 6):
        conn.sendall(b"X-Header-%d: value\r\n" % i)


@case(r"head.*more than|header|[Tt]oo (long|large)|memory")
def endless_header(server, conn, *request):
    conn.sendall(b"HTTP/1.1 200 OK\r\nX-Header: ")
    while True:
        conn.sendall(b"x" * 4096)


@case(r"head.*more than|header|[Tt]oo (long|large)|status|HTTP|memory")
def huge_status_line(server, conn, *request):
    conn.sendall(b"HTTP/1.1 200 " + b"O" * (1 << 20) + b"K\r\n\r\n")


@case(r"head.*more than")
def flood_of_1xx(server, conn, *request):
    while True:
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)


@case(r"redirects")
def redirect_to_itself(server, conn, method, path, body):
    conn.sendall(reply(b"", "302 Found", [f"Location: {server.address}{path}"]))


@case(r"redirects")
def redirect_to_http(server, conn, *request):
    conn.sendall(reply(b"", "301 Moved", ["Location: http://127.0.0.1:1/v1/cell"]))


def redirect_elsewhere(status):
    def redirect(server, conn, method, path, body):
        conn.sendall(reply(b"", f"{status} Elsewhere", [f"Location: {ELSEWHERE.address}{path}"]))
    redirect.__name__ = f"redirect_elsewhere_{status}"
    case(r"redirects")(redirect)


for moved in 301, 302, 303, 307, 308:
    redirect_elsewhere(moved)


@case(r"redirects")
def redirect_to_a_file(server, conn, *request):
    conn.sendall(reply(b"{}", "307 Temporary", ["Location: file:///etc/passwd"]))


@case(r"HTTP/0\.9|[Uu]nsupported|header")
def noise_of_http_09(server, conn, *request):
    conn.sendall(b"{\"cell\":\"demo\"}\n" * 100)
    raise Stop


@case(LOST)
def empty_reply(server, conn, *request):
    raise Stop


@case(r"NUL|[Nn]ul|header")
def nul_in_a_header(server, conn, *request):
    conn.sendall(b"HTTP/1.1 200 OK\r\nCell-Name: de\0mo\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")


@case(r"'text/html'.*no cell's JSON")
def another_type(server, conn, *request):
    conn.sendall(reply(b"<html>hello</html>", kind="text/html"))


@case(r"HTTP 500 and 'text/html'")
def error_page(server, conn, *request):
    conn.sendall(reply(b"<html>oops</html>" * 1000, "500 Internal Server Error", kind="text/html"))


@case(r"no type")
def without_a_type(server, conn, *request):
    conn.sendall(reply(b"{}", kind=None))


@case(r"no cell\b|is no cell")
def json_of_something_else(server, conn, *request):
    conn.sendall(reply(b"{\"hello\":\"world\"}"))


@case(r"status|HTTP|[Uu]nsupported|header")
def status_of_nobody(server, conn, *request):
    conn.sendall(reply(b"{}", "099 What"))
    raise Stop


@case(r"no cell|\?|'demo'")
def steering_a_terminal(server, conn, method, path, body):
    conn.sendall(reply(b"{}", extra=["Cell-Name: \x1b[2J\x1b]0;owned\x07", f"Cell-Fingerprint: {CELL.fingerprint}"]))


# ---- the body ----

def begin(conn, path, *extra, **how):
    conn.sendall(reply(b"", extra=[*CELL.headers(path), *extra], **how))


@case(LATE)
def slow_body(server, conn, method, path, body):
    begin(conn, path, length=1000)
    drip(server, conn, b" " * 1000)


@case(r"more than \d+ bytes|too large|larger")
def endless_body(server, conn, method, path, body):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        conn.sendall(b" " * 65536)


@case(r"more than \d+ bytes|too large|larger")
def endless_chunks(server, conn, method, path, body):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        conn.sendall(b"8\r\n        \r\n" * 1000)


@case(r"head.*more than|header|too (long|large)|trailer")
def endless_trailers(server, conn, method, path, body):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"2\r\n{}\r\n0\r\n")
    while True:
        conn.sendall(b"X-Trailer: value\r\n" * 100)


@case(r"hex|chunk|[Mm]alformed|Illegal")
def garbage_for_chunks(server, conn, method, path, body):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")
    raise Stop


@case(r"JSON|schema|transfer|clos|object|end|invalid")
def length_too_short(server, conn, method, path, body):
    whole = CELL.answer(method, path, body)
    head, content = whole.split(b"\r\n\r\n", 1)
    conn.sendall(re.sub(rb"Content-Length: \d+", b"Content-Length: 10", head) + b"\r\n\r\n" + content)
    if path == "/v1/schema":
        raise Stop


@case(LOST + "|bytes remaining")
def length_too_long(server, conn, method, path, body):
    whole = CELL.answer(method, path, body)
    conn.sendall(re.sub(rb"Content-Length: \d+", b"Content-Length: 100000", whole))
    raise Stop


@case(r"length.*no number")
def length_that_is_no_number(server, conn, method, path, body):
    whole = CELL.answer(method, path, body)
    conn.sendall(re.sub(rb"Content-Length: \d+", b"Content-Length: 99999999999999999999999", whole))
    raise Stop


BOMB = gzip.compress(b" " * (64 << 20))


@case(r"coded as 'gzip'")
def gzip_bomb(server, conn, method, path, body):
    conn.sendall(reply(BOMB, extra=[*CELL.headers(path), "Content-Encoding: gzip"]))


@case(LOST)
def reset_in_the_middle(server, conn, method, path, body):
    whole = CELL.answer(method, path, body)
    conn.sendall(whole[:len(whole) // 2])
    reset(conn)


# ---- documents ----

def schema_case(name, document, expected, cli=None):
    def respond(server, conn, method, path, body):
        conn.sendall(reply(document, extra=CELL.headers(path)) if path == "/v1/schema" else
                     CELL.answer(method, path, body))
    CASES[name] = (respond, expected, "good", cli or expected, ssl.TLSVersion.TLSv1_3)


schema_case("depth-bomb", b"{\"a\":" * 100000, r"nested|depth|levels|deep")
schema_case("member-bomb", b"[" + b"1," * 200000 + b"1]", r"more than 100000|members|elements|object")
schema_case("invalid-utf-8", wire.canonical(GOOD).replace(b"demo", b"\xff\xfe\xfd\xfc", 1), r"UTF-8")
schema_case("nul-in-json", wire.canonical(GOOD)[:-1] + b",\"x\":\"a\0b\"}", r"NUL")
schema_case("escaped-nul-in-json", wire.canonical(GOOD)[:-1] + b",\"x\":\"a\\u0000b\"}", r"NUL")
schema_case("schema-of-another-cell", wire.canonical(dict(GOOD, cell="other")), r"other", r"there is nothing")
schema_case("not-the-schema-of-its-fingerprint", wire.canonical(dict(GOOD, doc="another")), r"fingerprint",
            r"fingerprint|answered|HTTP 404|there is nothing")


@case(r"'other' answers there")
def another_cell(server, conn, method, path, body):
    conn.sendall(Cell(dict(GOOD, cell="other")).answer(method, path, body))


@case(r"HTTP 403 and a document of another kind|error without")
def error_without_its_code(server, conn, method, path, body):
    conn.sendall(reply(b"{\"error\":{\"message\":\"no\"}}", "403 Forbidden", CELL.headers(path)))


@case(r"only for friends", cli=r"only for friends")
def error_in_words(server, conn, method, path, body):
    conn.sendall(reply(b'{"error":{"status":"permission-denied","code":-7,"message":"only for friends\\u001b[2J",'
                       b'"details":{}},"metadata":{}}', "403 Forbidden", CELL.headers(path)))


# ---- running ----

def certificates(folder):
    good_ca, stranger = Authority(os.path.join(folder, "tls")), Authority(os.path.join(folder, "tls"), "stranger")
    alone = Authority(os.path.join(folder, "tls"), "alone")
    return good_ca.ca, {"good": good_ca.certificate("good"),
                        "wrong-name": good_ca.certificate("wrong", alt="DNS:example.org"),
                        "expired": good_ca.certificate("expired", days="-1"),
                        "stranger": stranger.certificate("good"), "self-signed": (alone.ca, alone.key)}


def look(name, what, done, expected, problems):
    """One way of asking: it failed, as it should."""
    text = done.stdout + done.stderr
    errors = [line for line in text.split("\n") if re.search(r"\berror: |^cell: ", line)]
    if done.returncode not in (1, 3) or "Stack dump" in text or "Sanitizer" in text:
        problems.append(f"{name}: {what}: exit {done.returncode}\n{text}")
    elif len(errors) != 1 or not re.search(expected, errors[0]):
        problems.append(f"{name}: {what}: not one error like /{expected}/:\n{text}")
    elif re.search(r"[\x00-\x08\x0b-\x1f]", text) or "secret" in text:
        problems.append(f"{name}: {what}: control characters or a secret in\n{text!r}")


def attempt(folder, name, address, environment, cell, compiler, expected, cli, problems):
    timeout = 300 if expected == LATE else 20000 # what is not about time must not depend on a machine's load
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "cell.json"), "w", encoding="utf-8") as f:
        json.dump({"timeout_ms": timeout, "cells": {"demo": {"address": address}}}, f)
    with open(os.path.join(folder, "use.c"), "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    how = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "errors": "replace",
           "timeout": LIMIT}
    look(name, "compile", subprocess.run([*compiler, "-c", "use.c", "-o", "use.o"], **how), expected, problems)
    if os.path.exists(os.path.join(folder, "use.o")):
        problems.append(f"{name}: there is an object")
    call = [cell, "call", "--timeout", str(timeout), "demo.demo_get", "id=1"]
    look(name, "call", subprocess.run(call, **how), cli, problems)


def main():
    folder, cell, compiler = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.makedirs(folder)
    ca, crt = certificates(folder)
    environment = dict(os.environ, CELL_CA_FILE=ca, CELL_TOKEN_DEMO=TOKEN, https_proxy="http://127.0.0.1:1",
                       ALL_PROXY="http://127.0.0.1:1")
    problems = []
    ELSEWHERE.context = tls(*crt["good"])
    with ELSEWHERE:
        cases(folder, crt, environment, cell, compiler, problems)
    if ELSEWHERE.connections:
        problems.append("somebody followed a redirect to another origin")
    replayed(folder, crt, environment, compiler, problems)
    for problem in problems:
        print("not ok", problem)
    print(f"{len(CASES) + 1} hostile servers, {len(problems)} handled badly")


def cases(folder, crt, environment, cell, compiler, problems):
    for name, (function, expected, certificate, cli, version) in CASES.items():
        if certificate is None:
            server = Server(raw=function)
        else:
            server = Server(tls(*crt[certificate], version), respond=function)
        with server:
            attempt(os.path.join(folder, name), name, server.address, environment, cell, compiler, expected, cli,
                    problems)
        if certificate == "good" and any(f.get("authorization") != f"Bearer {TOKEN}" for _, _, f in server.requests):
            problems.append(f"{name}: the origin itself was not shown the token")
        if certificate not in ("good", None) and server.requests:
            problems.append(f"{name}: somebody whose certificate is not good was shown a request")


def replayed(folder, crt, environment, compiler, problems):
    """A schema that was signed before the one that was seen: somebody sends an old one again."""
    new, old = dict(GOOD, doc="new"), GOOD
    cells = [Cell(new, sign(wire.canonical(new), cell="demo", version=7)),
             Cell(old, sign(wire.canonical(old), cell="demo", version=6))]
    place = os.path.join(folder, "replayed")
    os.makedirs(place)
    with open(os.path.join(place, "use.c"), "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    with Server(tls(*crt["good"]), cell=cells[0]) as server:
        with open(os.path.join(place, "cell.json"), "w", encoding="utf-8") as f:
            json.dump({"cells": {"demo": {"address": server.address}}}, f)
        environment = dict(environment, CELL_KNOWN_CELLS=os.path.join(place, "known"))
        with open(environment["CELL_KNOWN_CELLS"], "w", encoding="utf-8") as f:
            f.write("folder\t/\n")
        how = {"cwd": place, "env": environment, "capture_output": True, "text": True, "timeout": LIMIT}
        first = subprocess.run([*compiler, "-c", "use.c", "-o", "use.o"], **how)
        if first.returncode != 0:
            problems.append(f"replayed: the new one: {first.stderr}")
        server.cell = cells[1]
        look("replayed", "compile", subprocess.run([*compiler, "-c", "use.c", "-o", "again.o"], **how),
             r"version 6, and version 7", problems)


main()
