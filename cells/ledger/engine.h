/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A ledger in a folder: the book, its journal and its snapshots, which knows nothing of calls. Thread-safe.
 *
 * One thread at a time decides and appends, which takes microseconds; what takes long, the disk, is waited for by all
 * together (cell_journal_sync). Nothing is told before it is durable: not that an order was accepted, and not a
 * balance.
 */
#ifndef CELLS_LEDGER_ENGINE_H
#define CELLS_LEDGER_ENGINE_H

#include "archive.h"
#include "book.h"

struct lg_engine;

struct lg_engine_options {
    const char *folder; /* made when it is not there */
    bool memory;        /* answers do not wait for the disk: what was answered survives the process, not the system */
    int64_t sync_ms;    /* then: how often it goes to the disk; 0 = 1000 */
    uint64_t snapshot_every; /* records; 0 = 1,000,000 */
    uint64_t segment_bytes;  /* of the journal; 0 = its default */
    /* Told what failed that no call waits for: "sync", "snapshot". By a thread of the engine's. NULL = nobody is. */
    void (*report)(const char *what, const char *text);
};

/* CELL_UNAVAILABLE: another process has it. CELL_DATA_LOSS: journal and snapshots do not fit together, *f says how.
 * CELL_IO_ERROR, CELL_RESOURCE_EXHAUSTED, CELL_NO_MEMORY. */
int lg_engine_open(const struct lg_engine_options *options, struct lg_engine **engine, struct lg_failure *f);
/* What became of making everything durable. No function may be running; NULL is accepted. */
int lg_engine_close(struct lg_engine *e, struct lg_failure *f);

/* Is given what was refused, and what the book has, before the next call changes it; short. Negative, with *f, when it
 * cannot remember that: the call fails then, and is to be made again. */
typedef int lg_result_fn(void *user, const struct lg_book *book, struct lg_failure *f);

/*
 * Orders; accounts that are opened or changed; ids of accounts that are closed: at most LG_MOST, at least 1. CELL_OK:
 * what was not refused is durable. Otherwise some may be: CELL_RESOURCE_EXHAUSTED (the disk is full, or memory is),
 * CELL_IO_ERROR (until the ledger is opened anew), CELL_NO_MEMORY.
 */
int lg_engine_orders(struct lg_engine *e, const struct ledger_order *orders, uint32_t n, lg_result_fn *result,
                     void *user, struct lg_failure *f);
int lg_engine_accounts(struct lg_engine *e, const struct ledger_new_account *accounts, uint32_t n, bool change,
                       lg_result_fn *result, void *user, struct lg_failure *f);
int lg_engine_close_accounts(struct lg_engine *e, const uint64_t *ids, uint32_t n, lg_result_fn *result, void *user,
                             struct lg_failure *f);

/* Calls `look` with the book, and waits until all that it may have seen is durable. Negative: nothing may be told. */
int lg_engine_look(struct lg_engine *e, lg_result_fn *look, void *user, struct lg_failure *f);

/* What is durable (or committed, with `memory`), and from where on a start replays. */
uint64_t lg_engine_durable(const struct lg_engine *e);
uint64_t lg_engine_snapshot(struct lg_engine *e);
bool lg_engine_memory(const struct lg_engine *e);
struct lg_archive *lg_engine_archive(struct lg_engine *e);
/* As it was given; the journal is in its folder "journal". */
const char *lg_engine_folder(const struct lg_engine *e);
/* A reader of what is durable (committed, with `memory`), from the sequence on; CELL_OUT_OF_RANGE: it is not there yet.
 */
int lg_engine_follow(struct lg_engine *e, uint64_t from, struct cell_journal_reader **reader, struct lg_failure *f);

/* Writes a snapshot of what is durable, now, in this thread. */
int lg_engine_take_snapshot(struct lg_engine *e, struct lg_failure *f);

#endif
