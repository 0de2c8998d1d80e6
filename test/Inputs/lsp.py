#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Opens one file in clangd with the plugin preloaded and prints what an editor would show.

    lsp.py CLANGD PLUGIN FILE QUESTION…      a QUESTION is KIND:LINE:COLUMN, counted from 1; KIND is hover, definition,
                                             signature or completion; "diagnostics" alone prints those

What clangd says is waited for, never slept for; after 60 seconds without a word the script fails.
"""
import json
import os
import queue
import subprocess
import sys
import threading

METHODS = {"hover": "textDocument/hover", "definition": "textDocument/definition",
           "signature": "textDocument/signatureHelp", "completion": "textDocument/completion"}


class Server:
    def __init__(self, command, **environment):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ, **environment))
        self.messages, self.id, self.diagnostics = queue.Queue(), 0, {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        out = self.process.stdout
        while True:
            length = 0
            line = out.readline()
            while line not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = out.readline()
            if not line:
                self.messages.put(None)
                return
            self.messages.put(json.loads(out.read(length)))

    def send(self, method, params, wants=False):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if wants:
            self.id += 1
            message["id"] = self.id
        data = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.process.stdin.flush()
        return self.id

    def wait(self, done):
        """Takes messages until done(message) is true; returns that one."""
        while True:
            message = self.messages.get(timeout=60)
            if message is None:
                sys.exit(f"clangd ended with status {self.process.wait()}")
            if message.get("method") == "textDocument/publishDiagnostics":
                self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            if done(message):
                return message

    def request(self, method, params):
        number = self.send(method, params, True)
        return self.wait(lambda m: m.get("id") == number and "method" not in m).get("result")


def show(kind, result):
    if kind == "hover":
        return result["contents"]["value"] if result else "nothing"
    if kind == "definition":
        return "\n".join(f"{r['uri']}:{r['range']['start']['line'] + 1}" for r in result)
    if kind == "signature":
        return "\n".join(s["label"] for s in result["signatures"])
    return "\n".join(i["label"].strip() + " " + i.get("detail", "") for i in result["items"])


def main():
    clangd, plugin, path, questions = sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3]), sys.argv[4:]
    server = Server([clangd, "--log=error", "--background-index=false", "--clang-tidy=false"], LD_PRELOAD=plugin)
    server.request("initialize", {"processId": None, "rootUri": "file://" + os.path.dirname(path),
                                  "capabilities": {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}})
    server.send("initialized", {})
    uri = "file://" + path
    with open(path, encoding="utf-8") as f:
        text = f.read()
    language = "cpp" if path.endswith(".cpp") else "c"
    server.send("textDocument/didOpen",
                {"textDocument": {"uri": uri, "languageId": language, "version": 1, "text": text}})
    server.wait(lambda m: m.get("method") == "textDocument/publishDiagnostics" and m["params"]["uri"] == uri)
    for question in questions:
        kind, *place = question.split(":")
        print(f"== {question}")
        if kind == "diagnostics":
            for d in server.diagnostics[uri]:
                print(f"{d['range']['start']['line'] + 1}:{d['range']['start']['character'] + 1}: {d['message']}")
            continue
        line, column = map(int, place)
        print(show(kind, server.request(METHODS[kind], {"textDocument": {"uri": uri},
                                                        "position": {"line": line - 1, "character": column - 1}})))
    server.request("shutdown", None)
    server.send("exit", None)
    sys.exit(server.process.wait(60))


if __name__ == "__main__":
    main()
