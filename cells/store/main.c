/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The store cell: collections of records that structs declare. See README.md. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "common/program.h"
#include "service.h"

CELL_PROVIDE(store, "Records of structs in LMDB: by key and index, in snapshots, and as a feed of their changes.");

#define MIB (INT64_C(1) << 20)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static int read_word(const char *option, const char *text, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    program_error("store", "--%s: '%s' is none of %s, %s%s%s", option, text, words[0], words[1], n > 2 ? ", " : "",
                  n > 2 ? words[2] : "");
    return -1;
}

int main(int argc, char **argv)
{
    static const char *const policies[] = {"apply", "additive", "plan"}, *const syncs[] = {"commit", "lazy"};
    const char *folder = ".cell/store", *policy = "apply", *sync = "commit";
    int64_t size = 65536, sync_ms = 1000, changes = 0, bytes = 1024, age = 0, whole = 0, cache = 16, lease = 600000,
            snapshots = 32;
    const struct program_option options[] = {
        {"folder", "DIR", "where the records are; made when it is missing", PROGRAM_TEXT, &folder, 0, 0},
        {"max-size", "MIB", "the greatest size of the data file; address space, not\ndisk", PROGRAM_NUMBER, &size, 1,
         INT64_C(1) << 24},
        {"sync", "WHEN",
         "commit: what was answered is on the disk; lazy: a crash of\nthe system may undo the last writes",
         PROGRAM_TEXT, &sync, 0, 0},
        {"sync-every", "TIME", "with --sync lazy: how often it goes to the disk", PROGRAM_DURATION, &sync_ms, 1,
         DAY_MS},
        {"feed-changes", "N", "changes that are kept of each collection; 0: no limit", PROGRAM_NUMBER, &changes, 0,
         INT64_MAX},
        {"feed-size", "MIB", "and how large they may be; 0: no limit", PROGRAM_NUMBER, &bytes, 0, INT64_C(1) << 24},
        {"feed-age", "TIME", "and how old; 0s: no limit", PROGRAM_DURATION, &age, 0, 3650 * DAY_MS},
        {"feed-whole", "N", "behind the newest N changes, those that were overtaken\nkeep only the key; 0: never",
         PROGRAM_NUMBER, &whole, 0, INT64_MAX},
        {"read-cache", "MIB", "memory for where records lie that were read; 0: none", PROGRAM_NUMBER, &cache, 0, 65536},
        {"max-lease", "TIME", "how long a snapshot lives that nobody reads in", PROGRAM_DURATION, &lease, 10, DAY_MS},
        {"max-snapshots", "N", "snapshots at once", PROGRAM_NUMBER, &snapshots, 1, 900},
        {"policy", "POLICY", "what compilations may do: apply, additive (nothing that\nloses values) or plan (nothing)",
         PROGRAM_TEXT, &policy, 0, 0},
    };
    struct cell_server_options server = {
        .expand = st_expand, .state = st_state, .apply = st_apply, .bound = &st_bound_ops, .verbs = st_verbs};
    const struct program program = {
        "store", "Records of C structs, kept in LMDB.", options, sizeof(options) / sizeof(options[0]), &server, NULL};
    struct st_service service = {0};
    struct st_failure f;

    program_prepare();
    int status = program_parse(&program, argc, argv);
    if (status != PROGRAM_GO)
        return status;
    int how = read_word("policy", policy, policies, 3), when = read_word("sync", sync, syncs, 2);
    if (how < 0 || when < 0)
        return 2;
    const struct st_engine_options engine = {.path = folder,
                                             .max_bytes = (uint64_t)(size * MIB),
                                             .lazy = when == 1,
                                             .sync_ms = sync_ms,
                                             .feed_changes = (uint64_t)changes,
                                             .feed_bytes = (uint64_t)(bytes * MIB),
                                             .feed_age_ms = age,
                                             .feed_whole = (uint64_t)whole,
                                             .cache_bytes = (uint64_t)(cache * MIB),
                                             .most_lease_ms = lease,
                                             .most_snapshots = (uint32_t)snapshots};
    if (st_engine_open(&engine, &service.engine, &f) < 0) {
        program_error("store", "%s", f.text);
        return 1;
    }
    service.policy = (enum st_policy)how;
    service.most_followers =
        server.max_threads > 1 ? server.max_threads / 2 : 1; /* the others are for calls that end */
    server.user = &service;
    status = program_serve(&program);
    st_engine_close(service.engine);
    return status;
}
