# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A project with a store and a search cell that indexes its records, for the tests of both together.

    # RUN: %python %s %cell %t %inputs %plugin %include %llvm %builddir
    import sys; sys.path.insert(0, sys.argv[3])
    from search_project import SearchProject
    with SearchProject() as p, p.store(), p.search(): …
"""
import contextlib
import json
import os

import run_with_cell
from cli_project import wait_until
from store_project import HEAD, StoreProject, contains, lacks  # noqa: F401 (for the tests)

ARTICLES = """struct CELL_STORE(articles) article {
    int64_t id CELL_KEY;
    cell_str title;
    cell_str body;
    cell_str lang;
    int32_t year;
    float place[3];
};
"""
INDEX = """struct CELL_SEARCH(article, store.articles) article_index {
    cell_str title CELL_WEIGHT(3);
    cell_str body;
    cell_str lang CELL_KEYWORD;
    int32_t year;
    float place[3] CELL_VECTOR(cosine);
};
"""


class SearchProject(StoreProject):
    def __init__(self, name="project"):
        super().__init__(name)
        self.policy(timeout_ms=30000, cells={"store": {}, "search": {"needs": ["store"]}})
        self.env["CELL_CONFIG"] = self.folder
        os.environ["CELL_CONFIG"] = self.folder  # of the cells

    def start_search(self, *options):
        path = os.path.join(self.run_dir, "search.sock")
        command = [os.path.join(self.build, "bin", "search"), "--address", f"unix:{path}", "--folder",
                   os.path.join(self.folder, "indexes"), *options]
        return run_with_cell.start(path, command, os.path.join(self.folder, "search.log"))

    @contextlib.contextmanager
    def search(self, *options):
        process = self.start_search(*options)
        try:
            yield process
        finally:
            run_with_cell.stop(process)

    def pipelines(self):
        """What `cell pipelines` says, the part that serves first."""
        return json.loads(self.cell("pipelines", "--json").out)["out"]["pipelines"]

    def wait_even(self, name="article"):
        """Until that index has everything, and none is being built."""
        def even():
            all_ = [p for p in self.pipelines() if p["index"] == name]
            return len(all_) == 1 and all_[0]["phase"] == "SEARCH_FOLLOWING" and all_[0]["lag_records"] == 0
        wait_until(f"index {name} has everything", even)
        return [p for p in self.pipelines() if p["index"] == name][0]
