# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A headless Chromium, driven by chromedriver over the WebDriver protocol (W3C), with the standard library alone.

    with Browser(folder) as b:
        b.go(url); b.script("return document.title"); b.errors()
"""
import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time


class Browser:
    def __init__(self, folder, *flags):
        """`folder` gets the profile; flags are Chromium's."""
        self.folder, self.flags = folder, flags
        self.session = None

    def __enter__(self):
        # A process group of its own: what chromedriver starts is ended with it.
        self.driver = subprocess.Popen(["chromedriver", "--port=0", "--log-level=WARNING"], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                       env={**os.environ, "HOME": self.folder})
        try:
            self.port = self.find_port()
            args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    "--disable-background-networking", "--no-proxy-server", "--window-size=1100,900",
                    "--user-data-dir=" + os.path.join(self.folder, "profile"), *self.flags]
            made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": {"args": args},
                "goog:loggingPrefs": {"browser": "ALL"}}}})
            self.session = "/session/" + made["sessionId"]
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        except (OSError, AssertionError) as e:
            print("the browser was not closed:", e, file=sys.stderr)
        try:
            os.killpg(self.driver.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.driver.wait()
        self.driver.stdout.close()

    def find_port(self):
        for line in self.driver.stdout:
            if "successfully on port" in line:
                return int(line.strip().rstrip(".").split()[-1])
        raise AssertionError("chromedriver did not start")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            reply = connection.getresponse()
            value = json.loads(reply.read())["value"]
        finally:
            connection.close()
        assert reply.status == 200, value
        return value

    def go(self, url):
        self.ask("POST", self.session + "/url", {"url": url})

    def script(self, text, *args):
        """The value that the script returns."""
        return self.ask("POST", self.session + "/execute/sync", {"script": text, "args": list(args)})

    def until(self, text, what, seconds=60):
        """Runs a script until it returns something true; that."""
        limit = time.monotonic() + seconds
        while not (value := self.script(text)):
            assert time.monotonic() < limit, what
            time.sleep(0.05)
        return value

    def keys(self, *keys):
        """Presses keys, one after the other, on what has the focus."""
        actions = [{"type": t, "value": k} for k in keys for t in ("keyDown", "keyUp")]
        self.ask("POST", self.session + "/actions",
                 {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def command(self, name, **parameters):
        """A command of the DevTools protocol."""
        return self.ask("POST", self.session + "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def errors(self):
        """What the console had to complain of since the last time: broken rules of the page's policy, too."""
        log = self.ask("POST", self.session + "/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("GET", self.session + "/screenshot")))
