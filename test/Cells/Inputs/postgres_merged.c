/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Threads that get the same rows at the same time, while these change: merged THREADS CALLS; says how many were found,
 * and how many were not. */
#include <cell/cell.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CELL_REMOTE(postgres);

enum { KEYS = 24 }; /* those of the first half are always there */

struct CELL_TABLE("merged_items") item {
    int64_t id CELL_KEY;
    cell_str name CELL_UNIQUE; /* "item ID" */
    int64_t version;
    int64_t product; /* version * id */
};

struct CELL_TABLE("merged_pairs") CELL_PRIMARY_KEY("left, right") pair {
    int32_t left;
    cell_str right;
    int64_t sum;
};

struct reader {
    pthread_t thread;
    int calls;
    unsigned seed;
    uint64_t found, missing;
};

static void check(bool right, const char *what, cell_ctx *c)
{
    if (right)
        return;
    printf("wrong: %s: %s\n", what, cell_ctx_message(c));
    exit(1);
}

static void check_item(cell_ctx *c, struct reader *r, int64_t id, int status, const struct item *got)
{
    char name[32];
    int n = snprintf(name, sizeof(name), "item %" PRId64, id);

    r->found += status == CELL_OK;
    r->missing += status == CELL_NOT_FOUND;
    check(status == CELL_OK || (status == CELL_NOT_FOUND && id > KEYS / 2), "status", c);
    if (status < 0)
        return;
    check(got->id == id && got->product == got->version * id, "row", c);
    check(got->name.len == (size_t)n && memcmp(got->name.ptr, name, (size_t)n) == 0, "name", c);
}

static void *read_items(void *arg)
{
    struct reader *r = arg;
    CELL_CTX(c, .timeout_ms = 60000);

    for (int i = 0; i < r->calls; i++) {
        int64_t id = 1 + rand_r(&r->seed) % KEYS;
        char name[32];
        struct item got;
        struct pair pair;
        snprintf(name, sizeof(name), "item %" PRId64, id);
        check_item(c, r, id, item_get(c, id, &got), &got);
        check_item(c, r, id, item_find_by_name(c, cell_strz(name), &got), &got);
        int status = pair_get(c, (int32_t)id, cell_strz(id % 2 ? "odd" : "even"), &pair);
        check(status == CELL_OK && pair.left == id && pair.sum == id + (id % 2 ? 3 : 4), "pair", c);
        check(pair_get(c, (int32_t)id, cell_strz("neither"), &pair) == CELL_NOT_FOUND, "no pair", c);
        cell_ctx_reset(c);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct reader readers[64];
    int n = argc > 2 ? atoi(argv[1]) : 0;
    uint64_t found = 0, missing = 0;

    for (int i = 0; i < n && i < 64; i++) {
        readers[i].seed = (unsigned)i;
        readers[i].calls = atoi(argv[2]);
        pthread_create(&readers[i].thread, NULL, read_items, &readers[i]);
    }
    for (int i = 0; i < n && i < 64; i++) {
        pthread_join(readers[i].thread, NULL);
        found += readers[i].found;
        missing += readers[i].missing;
    }
    printf("%" PRIu64 " %" PRIu64 "\n", found, missing);
    return 0;
}
