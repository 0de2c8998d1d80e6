/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The postgres cell: tables that structs declare, queries that the database has checked. See README.md. */
#include "postgres.h"

#include <stdlib.h>

#include "common/program.h"
#include "expand.h"
#include "service.h"

CELL_PROVIDE(postgres, "PostgreSQL: structs are its tables, and queries are checked by it while they are compiled.");

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static void progress(void *user, const char *text)
{
    (void)user;
    program_error("postgres", "%s", text);
}

int main(int argc, char **argv)
{
    struct pg_service_options o = {.state = ".cell/postgres",
                                   .environment = getenv("CELL_ENV"),
                                   .progress = progress,
                                   .own_connections = 32,
                                   .stream_idle_ms = INT64_C(5) * 60 * 1000,
                                   .feed = {.changes = 1000000, .age_ms = 7 * DAY_MS}};
    bool upgrade = false;
    const struct program_option options[] = {
        {"url", "URL",
         "the database, as libpq reads it (postgresql://host/name)\nwithout a password: that comes from "
         "PGPASSWORD, ~/.pgpass\nor a service file; default: a private server in --state",
         PROGRAM_TEXT, &o.url, 0, 0},
        {"service", "NAME", "in place of --url: an entry of the service file", PROGRAM_TEXT, &o.service, 0, 0},
        {"migrate-url", "URL", "for migrations, which need a direct connection, when --url\ngoes through a pooler",
         PROGRAM_TEXT, &o.migrate_url, 0, 0},
        {"state", "DIR", "folder of the private server; made when it is missing", PROGRAM_TEXT, &o.state, 0, 0},
        {"upgrade", "",
         "bring the private server's cluster to the newest PostgreSQL\nthat is installed (or the one of --bindir), and "
         "end",
         PROGRAM_FLAG, &upgrade, 0, 0},
        {"bindir", "DIR", "PostgreSQL's programs; default: searched", PROGRAM_TEXT, &o.bindir, 0, 0},
        {"policy", "POLICY",
         "what compilations may do: apply, additive (nothing with a\nhazard) or plan (nothing); "
         "default: apply with a private\nserver, else plan",
         PROGRAM_TEXT, &o.policy, 0, 0},
        {"policy-file", "FILE", "the same, for each environment; the stricter one holds", PROGRAM_TEXT, &o.policy_file,
         0, 0},
        {"environment", "NAME", "the environment that holds in --policy-file;\ndefault: $CELL_ENV", PROGRAM_TEXT,
         &o.environment, 0, 0},
        {"shared-commit", "N", "1: inserts of single rows that come together share a commit", PROGRAM_NUMBER,
         &o.shared_commit, 0, 1},
        {"own-connections", "N",
         "connections that transactions, streams and slow statements\nhave of their own, at most at once",
         PROGRAM_NUMBER, &o.own_connections, 4, 1024},
        {"stream-idle", "TIME",
         "a stream of which its program takes no row for so long is\nended, and its connection free; 0s: no limit",
         PROGRAM_DURATION, &o.stream_idle_ms, 0, 30 * DAY_MS},
        {"scan-rows", "N", "a remark for queries that read a whole table of so many\nrows; 0: none", PROGRAM_NUMBER,
         &o.scan_rows, 0, INT64_MAX},
        {"feed-changes", "N", "changes that are kept of each table that is followed;\n0: no limit", PROGRAM_NUMBER,
         &o.feed.changes, 0, INT64_MAX},
        {"feed-age", "TIME", "and how old; 0s: no limit", PROGRAM_DURATION, &o.feed.age_ms, 0, 3650 * DAY_MS},
    };
    char *verbs = pg_verbs();
    struct cell_server_options server = {.expand = pg_expand,
                                         .state = pg_state,
                                         .apply = pg_apply_requests,
                                         .bound = &pg_bound_ops,
                                         .stop = pg_service_quiet,
                                         .verbs = verbs};
    const struct program program = {"postgres", "PostgreSQL tables and queries for C programs.",
                                    options,    sizeof(options) / sizeof(options[0]),
                                    &server,    NULL};
    struct pg_service *service = NULL;
    struct pg_failure f;

    program_prepare();
    int status = program_parse(&program, argc, argv);
    if (status != PROGRAM_GO)
        return status;
    o.listeners = server.max_threads / 2; /* a quarter is left for calls that end by themselves */
    o.followers = server.max_threads / 4;
    if (upgrade) {
        const struct pg_cluster_options cluster = {o.state, o.bindir, o.progress, o.user};
        status = pg_cluster_upgrade(&cluster, &f) < 0;
        if (status)
            program_error("postgres", "%s", f.text);
        free(verbs);
        return status;
    }
    if (pg_service_open(&o, &service, &f) < 0) {
        program_error("postgres", "%s", f.text);
        return 1;
    }
    server.user = service;
    status = program_serve(&program);
    pg_service_close(service);
    free(verbs);
    return status;
}
