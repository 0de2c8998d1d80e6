# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Servers that answer a stream with something else than its lines: what each is to be for whoever reads, a status."""
import json
import re

from https_server import Server, Stop, reset, tls

CASES = {}
ENTRY = {"id_high": 0, "id_low": 1, "from": 1, "to": 2, "amount": 5, "pending": 0, "from_previous": 0, "to_previous": 0,
         "from_balance": -5, "to_balance": 5, "time_us": 1, "user_data": 0, "overdraft": 0, "limit": 0, "currency": 978,
         "code": 0, "kind": 0, "linked": 0}
END = b'{"result":0,"out":{},"metadata":{}}\n'


def records(first, n=1, **changed):
    return json.dumps({"records": [{"sequence": first + i, "entry": dict(ENTRY, **changed)} for i in range(n)]}
                      ).encode() + b"\n"


def head(kind="application/x-ndjson", status="200 OK"):
    return (f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\nCell-Name: ledger\r\n"
            f"Cell-Fingerprint: {'ab' * 32}\r\n\r\n").encode()


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def case(expected):
    def add(function):
        CASES[function.__name__] = (expected, function)
        return function
    return add


def sends(name, expected, *parts, ends=True):
    """Sends what it is told in chunks, and the last one or none."""
    def respond(server, conn, method, path, body):
        conn.sendall(head() + b"".join(chunk(p) for p in parts) + (b"0\r\n\r\n" if ends else b""))
        raise Stop
    CASES[name] = (expected, respond)


sends("good", r"^ended at 2: ok", records(0), b"\n\n", records(1), END)
sends("in_the_middle_of_a_record", r"ended at 1: unavailable", records(0), records(1)[:30], ends=False)
sends("ended_in_the_middle_of_a_record", r"ended at 1: unavailable", records(0), records(1)[:30])
sends("without_a_last_line", r"ended at 1: unavailable: .*lost", records(0))
sends("a_last_line_without_its_end", r"ended at 1: unavailable", records(0), END[:-1])
sends("lines_after_the_last", r"ended at 1: ok", records(0), END, records(1))
sends("bytes_that_are_none_of_json", r"ended at 1: protocol-error", records(0), b"\x00\x01\x02garbage\n")
sends("a_text_cut_in_a_character", r"ended at 0: protocol-error: .*UTF-8", b'{"records":"\xe2\x82"}\n')
sends("another_type", r"ended at 0: protocol-error: .*amount", records(0, amount="much"))
sends("a_number_too_large", r"ended at 0: protocol-error: .*sequence", records(2 ** 64))
sends("a_field_is_missing", r"ended at 0: protocol-error: .*entry", b'{"records":[{"sequence":0}]}\n')
sends("no_records", r"ended at 0: protocol-error: .*without records", b'{"records":[]}\n')
sends("records_twice", r"ended at 0: protocol-error: .*twice", records(0)[:-2] + b"," + records(0)[1:])
sends("records_and_none", r"ended at 0: protocol-error", b'{"records":{}}\n')
sends("nested", r"ended at 0: protocol-error", b'{"x":' * 1000 + b"\n")
sends("neither", r"ended at 0: protocol-error", b"{}\n")
sends("an_error", r"ended at 1: aborted: .*gone\?", records(0),
      b'{"error":{"status":"aborted","code":-10,"message":"gone\\u001b","details":{}},"metadata":{}}\n')
sends("an_error_that_is_none", r"ended at 0: protocol-error", b'{"error":{"code":5,"message":"x"}}\n')


@case(r"ended at 1: (unavailable|protocol-error)")
def in_the_middle_of_a_chunk(server, conn, *request):
    conn.sendall(head() + chunk(records(0)) + b"400\r\n" + records(1)[:50])
    raise Stop


@case(r"ended at [01]: (unavailable|protocol-error)")
def lost(server, conn, *request):
    conn.sendall(head() + chunk(records(0)))
    reset(conn)


@case(r"ended at [01]: (unavailable|protocol-error)")
def garbage_for_chunks(server, conn, *request):
    conn.sendall(head() + chunk(records(0)) + b"zz\r\nhello\r\n")
    raise Stop


@case(r"ended at 0: too-large: .*a line of its answer has more than")
def an_endless_line(server, conn, *request):
    conn.sendall(head() + chunk(b'{"records":[{"sequence":"'))
    while True:
        conn.sendall(chunk(b"1" * 65536))


@case(r"ended at 0: deadline-exceeded")
def nothing_but_empty_lines(server, conn, *request):
    conn.sendall(head())
    while not server.over.wait(0.01):
        conn.sendall(chunk(b"\n" * 100))


@case(r"ended at 0: deadline-exceeded")
def silence(server, conn, *request):
    server.wait()


@case(r"ended at 1: unavailable: .*silent for 30 s")
def silence_after_a_record(server, conn, *request):
    conn.sendall(head() + chunk(records(0)))
    server.wait()


@case(r"ended at 0: protocol-error: .*text/html")
def a_page(server, conn, *request):
    conn.sendall(head("text/html") + chunk(b"<html>") + b"0\r\n\r\n")


@case(r"ended at 0: not-found: .*'other'")
def another_cell(server, conn, *request):
    conn.sendall(head().replace(b"Cell-Name: ledger", b"Cell-Name: other") + chunk(records(0)) + b"0\r\n\r\n")


@case(r"ended at 0: schema-mismatch")
def never_content_with_a_schema(server, conn, method, path, body):
    status = "428 Precondition Required" if method == "POST" else "200 OK"
    error = b'{"error":{"status":"schema-mismatch","code":-17,"message":"send yours","details":{}},"metadata":{}}'
    conn.sendall(head("application/json", status) + chunk(error) + b"0\r\n\r\n")


@case(r"ended at 0: permission-denied: .*go away")
def a_refusal(server, conn, *request):
    conn.sendall(head("application/json", "403 Forbidden") +
                 chunk(b'{"error":{"status":"permission-denied","code":-7,"message":"go away","details":{}}}') + b"0\r\n\r\n")


def check(certificate, read):
    """read(address, timeout_ms): what a program printed that reads the stream there."""
    problems = []
    for name, (expected, respond) in CASES.items():
        with Server(tls(*certificate), respond=respond) as server:
            late = "deadline" in expected
            printed = read(server.address, 300 if late else 60000)
        if not re.search(expected, printed) or re.search(r"[\x00-\x08\x0b-\x1f]", printed):
            problems.append(f"{name}: not /{expected}/: {printed!r}")
    assert not problems, "\n".join(problems)
