/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The ledger cell: accounts and transfers that nothing is lost of. See README.md. */
#include "ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "common/program.h"
#include "engine.h"

CELL_PROVIDE(ledger, "Double-entry accounts: transfers that are carried out once, durable, and readable as a stream.");

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static void report(const char *what, const char *text) { program_error("ledger", "%s: %s", what, text); }

/* --check: everything is read, nothing is changed. */
static int check(const char *folder)
{
    struct lg_checked checked;
    struct lg_failure f = {0};

    if (lg_check(folder, &checked, &f) < 0) {
        program_error("ledger", "%s", f.text);
        return 1;
    }
    printf("%" PRIu64 " records, %" PRIu64 " accounts, %" PRIu64 " transfers, %" PRIu64 " pending, %" PRIu32
           " snapshots: all is as it must be\n",
           checked.records, checked.accounts, checked.transfers, checked.pending, checked.snapshots);
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    const char *folder = ".cell/ledger", *durability = "disk", *to_check = NULL;
    int64_t sync_ms = 1000, snapshot_every = 1000000, segment = 64;
    const struct program_option options[] = {
        {"folder", "DIR", "where the ledger is; made when it is missing", PROGRAM_TEXT, &folder, 0, 0},
        {"durability", "WHAT",
         "disk: what was answered survives a failure of power;\nmemory: it survives the process, and goes to the disk "
         "later",
         PROGRAM_TEXT, &durability, 0, 0},
        {"sync-every", "TIME", "with --durability memory: how often it goes to the disk", PROGRAM_DURATION, &sync_ms, 1,
         DAY_MS},
        {"snapshot-every", "N", "records between snapshots: as many are replayed at a\nstart, at most", PROGRAM_NUMBER,
         &snapshot_every, 1000, INT64_MAX / 2},
        {"segment-size", "MIB", "of new files of the journal", PROGRAM_NUMBER, &segment, 2, 1024},
        {"check", "DIR",
         "read all of the ledger in this folder, which no cell\nserves meanwhile, say whether it is "
         "sound, and end",
         PROGRAM_TEXT, &to_check, 0, 0},
    };
    struct cell_server_options server = {0};
    const struct program program = {
        "ledger", "Accounts and transfers.", options, sizeof(options) / sizeof(options[0]), &server, NULL};
    struct lg_engine *engine = NULL;
    struct lg_failure f = {0};

    program_prepare();
    int status = program_parse(&program, argc, argv);
    if (status != PROGRAM_GO)
        return status;
    if (to_check)
        return check(to_check);
    if (strcmp(durability, "disk") != 0 && strcmp(durability, "memory") != 0) {
        program_error("ledger", "--durability: '%s' is none of disk, memory", durability);
        return 2;
    }
    const struct lg_engine_options how = {.folder = folder,
                                          .memory = strcmp(durability, "memory") == 0,
                                          .sync_ms = sync_ms,
                                          .snapshot_every = (uint64_t)snapshot_every,
                                          .segment_bytes = (uint64_t)segment << 20,
                                          .report = report};
    if (lg_engine_open(&how, &engine, &f) < 0) {
        program_error("ledger", "%s", f.text);
        return 1;
    }
    server.user = engine;
    status = program_serve(&program);
    if (lg_engine_close(engine, &f) < 0) {
        program_error("ledger", "%s", f.text);
        return 1;
    }
    return status;
}
