# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The database of a server that a test runs: what is in it."""
import contextlib
import re
import subprocess

import pg_cluster


class Database:
    def __init__(self, server):
        self.server, self.url = server, server.url()

    def psql(self, *args):
        command = [pg_cluster.program(self.server.bindir, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        done = subprocess.run(command + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def sql(self, text):
        return self.psql("-c", text)

    def schema(self):
        """Everything but the rows. (Some versions of pg_dump write a random word after \\restrict.)"""
        done = subprocess.run([pg_cluster.program(self.server.bindir, "pg_dump"), "--schema-only", "-d", self.url],
                              stdout=subprocess.PIPE, text=True, check=True)
        return re.sub(r"(?m)^\\(un)?restrict .*", "", done.stdout)

    def everything(self):
        """The schema, the rows of all tables, and how many sequences were used."""
        tables = self.sql("SELECT oid::regclass FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'S') ORDER BY 1")
        return "\n".join([self.schema()] + [f"{name}: " + self.sql(f"TABLE {name}") for name in tables.splitlines()])

    def history(self):
        """The steps that were carried out, as they were written."""
        return self.sql("SELECT text FROM cell.history ORDER BY id").splitlines()

    @contextlib.contextmanager
    def locked(self, table):
        """Somebody else has the table for itself."""
        command = [pg_cluster.program(self.server.bindir, "psql"), "-X", "-q", "-A", "-t", "-d", self.url]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            holder.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
            holder.stdin.flush()
            assert holder.stdout.readline().strip() == "locked"
            yield holder
        finally:
            holder.stdin.close()
            holder.wait()
