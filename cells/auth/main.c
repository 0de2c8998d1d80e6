/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The auth cell: accounts and sessions. See README.md. */
#include "auth.h"

#include <sys/resource.h>

#include "common/program.h"
#include "service.h"

CELL_PROVIDE(auth, "Accounts with Argon2id passwords, and sessions that expire and can be revoked.");

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (INT64_C(24) * 60 * MINUTE_MS)

int main(int argc, char **argv)
{
    struct service_options o = {
        .database = "auth.db",
        .session_ttl_ms = 14 * DAY_MS,
        .login_limit = 10,
        .caller_limit = 600,
        .cost = {.passes = 2, .memory_mib = 64, .jobs = 2},
    };
    const struct program_option options[] = {
        {"database", "FILE", "the SQLite database; created when it does not exist", PROGRAM_TEXT, &o.database, 0, 0},
        {"session-ttl", "TIME", "how long a session lives", PROGRAM_DURATION, &o.session_ttl_ms, 1000, 3650 * DAY_MS},
        {"login-limit", "N", "failed log-ins of an account in a row and per minute", PROGRAM_NUMBER, &o.login_limit, 1,
         60000},
        {"caller-limit", "N", "failed log-ins and registrations of a calling Unix user,\nover all accounts",
         PROGRAM_NUMBER, &o.caller_limit, 1, 60000},
        {"hash-jobs", "N", "passwords that are hashed at once", PROGRAM_NUMBER, &o.cost.jobs, 1, 64},
        {"hash-memory", "MIB", "memory of each hash (Argon2's m); passwords are hashed\nagain when it changes",
         PROGRAM_NUMBER, &o.cost.memory_mib, 1, 4096},
        {"hash-passes", "N", "passes over that memory (Argon2's t)", PROGRAM_NUMBER, &o.cost.passes, 1, 100},
    };
    struct cell_server_options server = {0};
    const struct program program = {
        "auth", "Accounts, log-ins and sessions.", options, sizeof(options) / sizeof(options[0]), &server, NULL};
    /* A core file would hold passwords. */
    const struct rlimit no_core = {0, 0};
    struct service *service = NULL;
    struct failure f;

    program_prepare();
    setrlimit(RLIMIT_CORE, &no_core);
    int status = program_parse(&program, argc, argv);
    if (status != PROGRAM_GO)
        return status;
    /* The other half of the threads stays free for calls that need no hash. */
    o.cost.queue = server.max_threads / 2;
    if (service_open(&o, &service, &f) < 0) {
        program_error("auth", "%s", f.text);
        return 1;
    }
    server.user = service;
    status = program_serve(&program);
    service_close(service);
    return status;
}
