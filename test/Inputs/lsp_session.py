# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An editor, as far as a language server can tell: what tests say to clangd, and what it says.

    with Editor([cell, "clangd"], folder) as editor:
        editor.open("use.c")
        editor.diagnostics("use.c", lambda found: …)     waits until a published list satisfies it
        editor.hover("use.c", "auth_forget")             at the first place of that text

Everything is waited for, never slept for; after LIMIT seconds without a word the test fails.
"""
import json
import os
import queue
import subprocess
import threading
import time

LIMIT = 60


class Editor:
    def __init__(self, command, folder, env=None, stderr=None):
        self.folder, self.texts, self.versions = os.path.abspath(folder), {}, {}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                                        env={**os.environ, **(env or {})}, cwd=self.folder)
        self.messages, self.id, self.published = queue.Queue(), 0, {}
        self.log = []  # every message that came, in order
        threading.Thread(target=self._read, daemon=True).start()
        self.capabilities = self.request("initialize", {
            "processId": None, "rootUri": "file://" + self.folder,
            "capabilities": {"textDocument": {
                "hover": {"contentFormat": ["plaintext"]},
                "publishDiagnostics": {"relatedInformation": True, "codeActionsInline": False},
                "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}},
                "semanticTokens": {"requests": {"full": True}}}}})["capabilities"]
        self.send("initialized", {})

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            assert self.close() == 0
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.request("shutdown", None)
        self.send("exit", None)
        return self.process.wait(LIMIT)

    # ---- messages ----

    def _read(self):
        out = self.process.stdout
        while True:
            length, line = 0, out.readline()
            while line not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = out.readline()
            if not line:
                self.messages.put(None)
                return
            self.messages.put(json.loads(out.read(length)))

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method, params, wants=False):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if wants:
            self.id += 1
            message["id"] = self.id
        data = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        return self.id

    def wait(self, done):
        """Takes messages until done(message) is true; returns that one."""
        while True:
            message = self.messages.get(timeout=LIMIT)
            assert message is not None, f"the server ended with status {self.process.wait(LIMIT)}"
            self.log.append(message)
            if message.get("method") == "textDocument/publishDiagnostics":
                self.published[os.path.basename(message["params"]["uri"])] = message["params"]
            if done(message):
                return message

    def request(self, method, params):
        number = self.send(method, params, True)
        answer = self.wait(lambda m: m.get("id") == number and "method" not in m)
        assert "error" not in answer, answer
        return answer.get("result")

    @staticmethod
    def until(ask, good):
        """Asks again until the answer is good; returns it."""
        end = time.monotonic() + LIMIT
        while not good(answer := ask()):
            assert time.monotonic() < end, answer
            time.sleep(0.01)
        return answer

    # ---- documents ----

    def uri(self, name):
        return "file://" + os.path.join(self.folder, name)

    def open(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
            self.texts[name], self.versions[name] = f.read(), 1
        self.send("textDocument/didOpen", {"textDocument": {
            "uri": self.uri(name), "languageId": "cpp" if name.endswith(".cpp") else "c", "version": 1,
            "text": self.texts[name]}})

    def edit(self, name, before, after):
        """Replaces a text in an open document, as typing does."""
        assert before in self.texts[name], before
        self.texts[name] = self.texts[name].replace(before, after, 1)
        self.versions[name] += 1
        self.send("textDocument/didChange", {
            "textDocument": {"uri": self.uri(name), "version": self.versions[name]},
            "contentChanges": [{"text": self.texts[name]}]})

    def save(self, name):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(self.texts[name])
        self.send("textDocument/didSave", {"textDocument": {"uri": self.uri(name)}})

    def diagnostics(self, name, wanted=lambda found: True, fresh=True):
        """The diagnostics of the document as it is now that satisfy `wanted`; with `fresh` only later ones count."""
        def fits(params):
            return params and params.get("version", self.versions[name]) == self.versions[name] and \
                wanted(params["diagnostics"])
        while fresh or not fits(self.published.get(name)):
            self.wait(lambda m: m.get("method") == "textDocument/publishDiagnostics" and
                      m["params"]["uri"] == self.uri(name))
            fresh = False
        return self.published[name]["diagnostics"]

    def place(self, name, text, after=0):
        """The position of `text` in the document, `after` characters into it."""
        at = self.texts[name].index(text) + after
        line = self.texts[name].count("\n", 0, at)
        return {"line": line, "character": at - (self.texts[name].rfind("\n", 0, at) + 1)}

    def ask(self, method, name, text, after=0):
        return self.request("textDocument/" + method, {"textDocument": {"uri": self.uri(name)},
                                                       "position": self.place(name, text, after)})

    def hover(self, name, text):
        found = self.ask("hover", name, text, 1)
        return found["contents"]["value"] if found else ""

    def definition(self, name, text):
        return [d["uri"] for d in self.ask("definition", name, text, 1)]

    def completion(self, name, text):
        """The labels that are offered behind `text`, without clangd's mark for those that also bring an #include."""
        return [i["label"].strip(" \u2022") for i in self.ask("completion", name, text, len(text))["items"]]

    def actions(self, name, diagnostic):
        """The fixes for one diagnostic: title → texts that would be put into the document."""
        found = self.request("textDocument/codeAction", {
            "textDocument": {"uri": self.uri(name)}, "range": diagnostic["range"],
            "context": {"diagnostics": [diagnostic]}})
        changes = {a["title"]: a["edit"]["changes"] for a in found if "edit" in a}
        return {title: [e["newText"] for e in edits[self.uri(name)]] for title, edits in changes.items()}


def messages(found):
    return [d["message"] for d in found]


class Workspace:
    """A project folder of a test in test/Ide, whose command line is

        # RUN: %python %s %t %inputs %cell %clangd %plugin %clang %include
    """

    def __init__(self, files):
        import shutil
        import sys
        self.folder, self.inputs, self.cell, self.clangd, self.plugin, self.clang, self.include = sys.argv[1:8]
        self.folder = os.path.realpath(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, text in {"compile_flags.txt": f"-I{self.include}\n", **files}.items():
            self.write(name, text)
        os.mkdir(os.path.join(self.folder, "run"))
        self.env = {"CELL_CLANGD": self.clangd, "CELL_PLUGIN": self.plugin}

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def socket(self, cell):
        return os.path.join(self.folder, "run", cell + ".sock")

    def schema(self, name):
        with open(os.path.join(self.inputs, "..", "Plugin", "Inputs", name), encoding="utf-8") as f:
            return json.load(f)

    def editor(self, *options, env=None, **more):
        """Its cells have more time than somebody who types would give them: what is tested is not how fast the machine is."""
        return Editor([self.cell, "clangd", "--log=error", "--background-index=false", *options], self.folder,
                      env={**self.env, "CELL_EDITOR_MS": "20000", **(env or {})}, **more)

    def compile(self, name):
        """As a build does it: what was compiled is remembered."""
        subprocess.run([self.clang, f"-fplugin={self.plugin}", f"-I{self.include}", "-c", name, "-o", name + ".o"],
                       cwd=self.folder, check=True)
