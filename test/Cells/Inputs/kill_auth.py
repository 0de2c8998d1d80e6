#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kills the auth cell in the middle of registrations, three times, and checks that every account that was acknowledged
is there afterwards.   kill_auth.py AUTH FOLDER"""
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Inputs"))
import cell_wire as wire
from python_client import call, connect, request
from run_with_cell import start, stop


def open_app(path):
    """An app connection and the ids of methods by name."""
    with connect(path, wire.COMPILE, [])[0] as s:
        schema = wire.json.loads(call(s, wire.COMPILE, 0, b"{}")[2])
    app, _ = connect(path, wire.APP, [(":fingerprint", wire.fingerprint(schema))])
    return app, {method["name"]: n for n, method in enumerate(schema["methods"])}


def register_until_killed(path, who, acknowledged):
    app, ids = open_app(path)
    try:
        for n in range(100000):
            email = f"{who}-{n}@example.org"
            code, pairs, _ = call(app, wire.APP, ids["auth_register"], request(email, "correct horse"), request=n + 1)
            assert code == 0, pairs
            acknowledged.append(email)
    except (EOFError, OSError):
        pass


def main():
    auth, folder = sys.argv[1:3]
    path = os.path.join(folder, "auth.sock")
    command = [auth, "--database", os.path.join(folder, "auth.db"), "--address", f"unix:{path}", "--hash-memory", "1",
               "--hash-passes", "1"]
    acknowledged = []
    for round_ in range(3):
        process = start(path, command)
        threads = [threading.Thread(target=register_until_killed, args=(path, f"r{round_}-{t}", acknowledged))
                   for t in range(2)]
        before = len(acknowledged)
        for thread in threads:
            thread.start()
        while len(acknowledged) < before + 20 and process.poll() is None:
            threading.Event().wait(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for thread in threads:
            thread.join()
    process = start(path, command)
    app, ids = open_app(path)
    lost = [email for n, email in enumerate(acknowledged)
            if call(app, wire.APP, ids["auth_login"], request(email, "correct horse"), request=n + 1)[0] != 0]
    print(f"{'enough' if len(acknowledged) >= 60 else 'too few'} acknowledged, {len(lost)} lost")
    app.close()
    stop(process)


if __name__ == "__main__":
    main()
