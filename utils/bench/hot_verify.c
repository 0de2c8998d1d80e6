/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a document of functions costs a compilation: reading and verifying it, and rendering it as C. For
 * utils/bench/hot.
 *
 *   bench-hot-verify FILE RUNS     prints "NODES FUNCTIONS BYTES-OF-C", and a line "PARSE-NS RENDER-NS" for each run
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/util.h"
#include "core/ast.h"

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int once(const char *json, size_t len, bool first)
{
    static const struct ast_render_options options = {.unit = "bench"};
    struct cell_error e = {0};
    struct cell_buffer text = {0};
    struct cell_ast *doc = NULL;
    const int64_t start = now_ns();
    if (cell_ast_parse(json, len, NULL, &doc, &e) < 0) {
        fprintf(stderr, "bench-hot-verify: %s\n", e.text);
        return 1;
    }
    const int64_t parsed = now_ns();
    if (cell_ast_render(doc, &options, &text) < 0) {
        fprintf(stderr, "bench-hot-verify: out of memory\n");
        return 1;
    }
    const int64_t rendered = now_ns();
    if (first)
        printf("%" PRIu32 " %" PRIu32 " %zu\n", doc->nodes, doc->nfunctions, text.len);
    else
        printf("%" PRId64 " %" PRId64 "\n", parsed - start, rendered - parsed);
    cell_buffer_free(&text);
    cell_ast_free(doc);
    return 0;
}

int main(int argc, char **argv)
{
    char *json = NULL;
    size_t len;
    struct cell_error e = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: bench-hot-verify FILE RUNS\n");
        return 2;
    }
    if (cell_file_read(argv[1], CELL_AST_MAX_BYTES, &json, &len, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    int r = once(json, len, true);
    for (long i = strtol(argv[2], NULL, 10); i > 0 && r == 0; i--)
        r = once(json, len, false);
    free(json);
    return r;
}
