# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project with a database of its own, a postgres cell on it and a search cell that indexes its tables.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm %builddir
    import sys; sys.path.insert(0, sys.argv[3])
    from postgres_source import PostgresSource
    with PostgresSource() as p, p.database(), p.postgres(), p.search(): …
"""
import contextlib
import json
import os
import subprocess

import pg_cluster
import run_with_cell
from cli_project import wait_until
from search_project import HEAD, SearchProject, contains, lacks  # noqa: F401 (for the tests)

TABLE = """struct CELL_TABLE("articles") article_row {
    int64_t id CELL_KEY;
    cell_str title;
    cell_opt_str lang;
    int32_t year;
    float place[3];
};
"""
INDEX = """struct CELL_SEARCH(article, postgres.articles) article_index {
    cell_str title;
    cell_opt_str lang CELL_KEYWORD;
    int32_t year;
    float place[3] CELL_VECTOR(l2);
};
"""
# Prints how many documents a query finds, and the ids of the first thousand, in their order.
FIND = """
static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 20000);
    cell_str query = cell_strz(argc > 1 ? argv[1] : "");
    struct article_page page;
    uint64_t n;
    int64_t ids[1000];
    if (article_count(c, query, &n) < 0 || article_search(c, query, 1000, CELL_STR(""), 0, &page) < 0)
        return cell_perror(c, "find");
    for (uint64_t i = 0; i < page.hits.len; i++)
        ids[i] = page.hits.ptr[i].id;
    qsort(ids, page.hits.len, sizeof(*ids), compare);
    printf("%" PRIu64 ":", n);
    for (uint64_t i = 0; i < page.hits.len; i++)
        printf(" %" PRId64, ids[i]);
    printf("\\n");
    return 0;
}
"""


class PostgresSource(SearchProject):
    def __init__(self, name="project"):
        super().__init__(name)
        self.role = "postgres"  # the cell's own in the database
        self.policy(timeout_ms=30000, cells={"postgres": {}, "search": {"needs": ["postgres"]}})

    @contextlib.contextmanager
    def database(self, **settings):
        with pg_cluster.running(os.path.join(self.build, "test", "pg-template"), settings) as self.server:
            yield self.server

    def start_postgres(self, *options, policy="apply"):
        path = os.path.join(self.run_dir, "postgres.sock")
        command = [os.path.join(self.build, "bin", "postgres"), "--address", f"unix:{path}", "--url",
                   self.server.url().replace("user=postgres", f"user={self.role}"), "--policy", policy, *options]
        return run_with_cell.start(path, command, os.path.join(self.folder, "postgres.log"))

    @contextlib.contextmanager
    def postgres(self, *options, policy="apply"):
        process = self.start_postgres(*options, policy=policy)
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    def psql_command(self):
        return [pg_cluster.program(self.server.bindir, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
                self.server.url()]

    def sql(self, text):
        """What psql prints of it, without the last newline."""
        done = subprocess.run(self.psql_command(), input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{text}: {done.stdout}"
        return done.stdout.rstrip("\n")

    @contextlib.contextmanager
    def session(self):
        """A connection of psql: a function that executes a text, and returns when it is done."""
        process = subprocess.Popen(self.psql_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)

        def execute(text):
            process.stdin.write(text + ";\n\\echo done\n")
            process.stdin.flush()
            lines = []
            for line in iter(process.stdout.readline, ""):
                if line == "done\n":
                    return "".join(lines)
                lines.append(line)
            raise AssertionError(f"{text}: {''.join(lines)}")
        try:
            yield execute
        finally:
            process.stdin.close()
            process.stdout.read()
            process.stdout.close()
            process.wait(60)

    def tables(self):
        """What postgres_status says, by name."""
        contents = json.loads(self.cell("call", "--json", "postgres.postgres_status").out)["out"]["contents"]
        return {c["name"]: c for c in contents["collections"]}

    def found(self, query=""):
        """The ids that are found, as a text."""
        return self.execute("find", query).split(":")[1].strip()

    def wait_found(self, expected, query=""):
        """Until exactly these are found."""
        wait_until(f"'{query}' finds {expected}", lambda: self.found(query) == expected)

    def make_articles(self):
        """The table, and the program that finds its rows by an index of it."""
        self.write("table.c", HEAD + TABLE)
        self.compile("table.c")
        self.write("find.c", HEAD + INDEX + FIND)
        return self.make("find")
