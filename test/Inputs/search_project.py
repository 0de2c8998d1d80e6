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
# compare(c) says "equal" when the index of such articles, whose titles are "wordYEAR common", has what the store has.
COMPARE = """
/* Each record that is stored is found by its own word, once; and there are no others. */
static int compare(cell_ctx *c)
{
    CELL_CTX(s, .timeout_ms = 20000);
    uint64_t stored, found, all;
    int64_t n = 0;
    if (articles_count(c, &stored) < 0 || article_count(c, CELL_STR(""), &all) < 0 ||
        article_count(c, CELL_STR("common"), &found) < 0)
        return cell_perror(c, "count");
    struct articles_scan_iter it = articles_scan(c, &(struct articles_range){.descending = 0});
    while (articles_scan_next(&it)) {
        char query[80];
        struct article_page page;
        snprintf(query, sizeof(query), "word%d year:%d", it.row.year, it.row.year);
        if (article_search(s, cell_strz(query), 1000, CELL_STR(""), 0, &page) < 0)
            return cell_perror(s, query);
        int times = 0;
        for (uint64_t i = 0; i < page.hits.len; i++)
            times += page.hits.ptr[i].id == it.row.id;
        if (times != 1 || page.hits.len != 1)
            printf("%" PRId64 " with %s was found %d times of %d\\n", it.row.id, query, times, (int)page.hits.len);
        article_hits near;
        if (article_similar(s, it.row.place, 5, cell_strz(query), &near) < 0)
            return cell_perror(s, "similar");
        times = 0;
        for (uint64_t i = 0; i < near.len; i++)
            times += near.ptr[i].id == it.row.id;
        if (times != 1)
            printf("%" PRId64 " was near %d times\\n", it.row.id, times);
        n++;
        cell_ctx_reset(s);
    }
    if (articles_scan_end(&it) < 0)
        return cell_perror(c, "scan");
    if ((uint64_t)n == stored && stored == found && found == all)
        puts("equal");
    else
        printf("%" PRId64 " of %" PRIu64 " stored, %" PRIu64 " found, %" PRIu64 " in all\\n", n, stored, found, all);
    return 0;
}
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
            # Of a source that does not answer nothing is known: then its position is 0, and so is the lag.
            return len(all_) == 1 and all_[0]["phase"] == "SEARCH_FOLLOWING" and all_[0]["lag_records"] == 0 and \
                all_[0]["source_position"] >= all_[0]["position"]
        wait_until(f"index {name} has everything", even)
        return [p for p in self.pipelines() if p["index"] == name][0]
