/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The search cell: indexes of other cells' records. See README.md. */
#include "search.h"

#include <string.h>

#include <sqlite3.h>

#include "common/program.h"
#include "declare.h"
#include "service.h"
#include "vectors.h"

CELL_PROVIDE(search, "Finds records of other cells by words (BM25) and by vectors (HNSW), and follows their changes.");
CELL_CAPABILITY(vectors, SC_VECTORS_DOC, CELL_ARG(max_dimensions, SEARCH_MOST_DIMENSIONS));

#define MOST_INDEX 16384 /* MiB */

/* Whether the capability is among those that --without names. */
static bool names_vectors(const char *without)
{
    for (const char *at = without; at && *at;) {
        size_t n = strcspn(at, ",");
        if (n == 7 && memcmp(at, "vectors", 7) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

int main(int argc, char **argv)
{
    const char *folder = ".cell/search", *policy = "apply";
    bool without_vectors = false;
    int64_t threads = 0, most_index = MOST_INDEX;
    const struct program_option options[] = {
        {"folder", "DIR", "where the indexes are; made when it is missing", PROGRAM_TEXT, &folder, 0, 0},
        {"policy", "POLICY",
         "what compilations may do: apply, additive (nothing that\ntakes anything away) or plan (nothing)",
         PROGRAM_TEXT, &policy, 0, 0},
        {"build-threads", "N", "that put vectors into graphs at once (0: one for each\nprocessor)", PROGRAM_NUMBER,
         &threads, 0, 64},
        {"max-index", "MIB", "size at which an index stops to follow its source\n(0: none)", PROGRAM_NUMBER,
         &most_index, 0, INT32_MAX},
        {"without-vectors", "", "as --without vectors", PROGRAM_FLAG, &without_vectors, 0, 0},
    };
    struct cell_server_options server = {
        .expand = sc_expand, .state = sc_state, .apply = sc_apply, .bound = &sc_bound_ops, .verbs = sc_verbs};
    const struct program program = {"search", "Indexes of other cells' records.",
                                    options,  sizeof(options) / sizeof(options[0]),
                                    &server,  "vectors"};
    struct sc_service service = {0};
    struct search_failure f;

    program_prepare();
    int status = program_parse(&program, argc, argv);
    if (status != PROGRAM_GO)
        return status;
    if (strcmp(policy, "apply") != 0 && strcmp(policy, "additive") != 0 && strcmp(policy, "plan") != 0) {
        program_error("search", "--policy: '%s' is none of apply, additive, plan", policy);
        return 2;
    }
    if (without_vectors && !names_vectors(server.without))
        server.without = "vectors";
    /* Counts of its memory have a lock that its threads, of which each has a file of its own, would wait for. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    search_vectors_threads((unsigned)threads);
    service.folder = folder;
    service.most_index = (uint64_t)most_index << 20;
    service.additive_only = strcmp(policy, "additive") == 0;
    service.plan_only = strcmp(policy, "plan") == 0;
    service.vectors = !names_vectors(server.without);
    if (sc_service_open(&service, &f) < 0) {
        program_error("search", "%s", f.text);
        return 1;
    }
    server.user = &service;
    status = program_serve(&program);
    sc_service_close(&service);
    return status;
}
