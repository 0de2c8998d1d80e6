/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell with capabilities, for tests:  search_cell [CAPABILITY,…]  starts it without some. Compile with the plugin;
 * -DSIZE=N and -DGONE make other versions of it. */
#include <cell/serve.h>
#include <stdio.h>

#ifndef SIZE
#define SIZE 2048
#endif

CELL_PROVIDE(search, "Finds articles");
#ifndef GONE
CELL_CAPABILITY(vector_hnsw, "Nearest neighbours by HNSW.\nIn memory.", CELL_ARG(max_dimensions, SIZE),
                CELL_ARG(metric, "cosine"), CELL_ARG(least, -5), CELL_ARG(most, 18446744073709551615u));
#else
CELL_CAPABILITY(vector_flat, "Nearest neighbours, one by one");
#endif
CELL_CAPABILITY(facets, "Counts by field");

struct search_hits {
    uint32_t n;
    cell_str by;
};
CELL_METHOD int search_keyword(cell_ctx *c, cell_str text, struct search_hits *out)
{
    out->n = (uint32_t)text.len;
    out->by = CELL_STR("keyword");
    return c ? 0 : CELL_INTERNAL;
}
#ifdef GONE
CELL_METHOD
#else
CELL_METHOD CELL_NEEDS(vector_hnsw) CELL_FALLBACK(search_keyword)
#endif
int search_similar(cell_ctx *c, cell_str like, struct search_hits *hits)
{
    hits->n = (uint32_t)like.len + 100;
    hits->by = CELL_STR("vector");
    return c ? 0 : CELL_INTERNAL;
}
CELL_METHOD CELL_NEEDS(facets)
int search_facets(cell_ctx *c, struct search_hits *hits)
{
    hits->n = 7;
    return c ? 0 : CELL_INTERNAL;
}
CELL_WRITER(search_rows, struct search_hits);
#ifndef GONE
CELL_METHOD CELL_NEEDS(vector_hnsw)
#else
CELL_METHOD
#endif
    CELL_NEEDS(facets) int search_all(cell_ctx *c, uint32_t n, search_rows rows)
{
    const struct search_hits one = {n, CELL_STR("row")};
    for (uint32_t i = 0; c && i < n; i++)
        if (search_rows_put(rows, &one, 1) < 0)
            return CELL_CANCELLED;
    return 0;
}

int main(int argc, char **argv)
{
    struct cell_server *server = NULL;
    const struct cell_server_options options = {.without = argc > 1 ? argv[1] : NULL};
    int r = cell_server_new(&options, &server);
    if (r == CELL_OK)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "%s\n", cell_server_message(server));
    cell_server_free(server);
    return r < 0;
}
