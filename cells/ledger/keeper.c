/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Snapshots are made without the book: the last one is read, brought forward by the records of the journal, and
 * written. So no call waits for it, and each record is checked a second time by another reader.
 */
#include "engine_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GATHERED 64

/* Records that came one by one, to be applied together: the processor fetches the accounts of the next ones then. */
struct gathered {
    struct ledger_entry entries[GATHERED];
    uint32_t n;
};

static int apply_gathered(struct lg_snapshot *s, int ids, struct gathered *g, struct lg_failure *f)
{
    uint32_t n = g->n;

    g->n = 0;
    return lg_snapshot_apply(s, ids, g->entries, n, f);
}

static int apply(struct lg_snapshot *s, int ids, struct gathered *g, const struct cell_span *span, struct lg_failure *f)
{
    if (span->sequence != s->state.sequence + g->n)
        return lg_fail(f, CELL_DATA_LOSS, "the journal has a gap");
    int r = g->n + (uint64_t)span->count > GATHERED ? apply_gathered(s, ids, g, f) : CELL_OK;
    if (r < 0 || span->count > GATHERED)
        return r < 0 ? r : lg_snapshot_apply(s, ids, span->records, span->count, f);
    memcpy(&g->entries[g->n], span->records, span->count * sizeof(g->entries[0]));
    g->n += span->count;
    return CELL_OK;
}

static int catch_up(struct lg_engine *e, struct lg_snapshot *s, int ids, uint64_t target, struct lg_failure *f)
{
    static const struct cell_journal_reader_options options = {.record_size = sizeof(struct ledger_entry),
                                                               .type = LG_RECORDS};
    struct cell_journal_reader *reader = NULL;
    struct cell_error error = {0};
    struct cell_span span;
    struct gathered gathered;
    int r = CELL_OK;

    gathered.n = 0;
    if (cell_journal_reader_open_local(e->journal, &options, &s->position, &reader, &error) < 0)
        return lg_fail_journal(f, &error, "reading the journal for a snapshot");
    while (r >= 0 && s->state.sequence + gathered.n < target) {
        r = cell_journal_read(reader, &span, 0, &error);
        if (r <= 0) {
            r = r < 0 ? lg_fail_journal(f, &error, "reading the journal for a snapshot")
                      : lg_fail(f, CELL_DATA_LOSS, "the journal ends before what is durable");
            break;
        }
        r = apply(s, ids, &gathered, &span, f);
        s->position = cell_journal_reader_position(reader);
        if (r >= 0 && !lg_index_add(&s->index, &s->position))
            r = lg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    cell_journal_reader_close(reader);
    return r < 0 ? r : apply_gathered(s, ids, &gathered, f);
}

static int take_snapshot(struct lg_engine *e, struct lg_failure *f)
{
    uint64_t target = cell_journal_durable(e->journal).sequence;
    struct lg_snapshot s = {0};
    uint32_t damaged;
    int r = lg_snapshot_load(e->folder, target, &s, &damaged, f), ids = -1;

    if (r == CELL_NOT_FOUND) {
        lg_snapshot_free(&s);
        r = lg_snapshot_empty(&s, f);
        memcpy(s.secret, e->book.secret, sizeof(s.secret)); /* it never changes */
    }
    if (r >= 0)
        r = ids = lg_ids_open(e->folder, f);
    if (r >= 0)
        r = catch_up(e, &s, ids, target, f);
    if (r >= 0)
        r = lg_state_verify(&s.state, f);
    if (r >= 0 && fdatasync(ids) < 0)
        r = lg_fail_errno(f, "syncing", "ids");
    if (r >= 0)
        r = lg_snapshot_save(e->folder, &s, f);
    if (r >= 0) {
        pthread_mutex_lock(&e->keeper_lock);
        e->snapshot = s.position.sequence;
        pthread_mutex_unlock(&e->keeper_lock);
    }
    if (ids >= 0)
        close(ids);
    lg_snapshot_free(&s);
    return r < 0 ? r : CELL_OK;
}

int lg_engine_take_snapshot(struct lg_engine *e, struct lg_failure *f)
{
    pthread_mutex_lock(&e->snapshot_lock);
    int r = take_snapshot(e, f);
    pthread_mutex_unlock(&e->snapshot_lock);
    return r;
}

/* ---- the thread ---- */

static void report(const struct lg_engine *e, const char *what, const struct lg_failure *f)
{
    if (e->options.report)
        e->options.report(what, f->text);
}

/* Until there is something to do, or it is to end. What is not durable may wait for a moment, so that it is many
 * records. */
static void wait_for_work(struct lg_engine *e)
{
    while (!e->stops && !e->dirty && e->told < e->next_snapshot)
        pthread_cond_wait(&e->wake, &e->keeper_lock);
    if (!e->dirty || e->told >= e->next_snapshot)
        return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += e->options.sync_ms / 1000;
    until.tv_nsec += e->options.sync_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (!e->stops && e->told < e->next_snapshot && pthread_cond_timedwait(&e->wake, &e->keeper_lock, &until) == 0)
        continue;
}

static void sync_now(struct lg_engine *e)
{
    const struct cell_position end = cell_journal_committed(e->journal);
    struct cell_error error = {0};
    struct lg_failure f;

    if (cell_journal_sync(e->journal, &end, &error) < 0) {
        lg_fail_journal(&f, &error, "the journal cannot be made durable");
        report(e, "sync", &f);
    }
}

static void *keep(void *user)
{
    struct lg_engine *e = user;
    struct lg_failure f;

    pthread_mutex_lock(&e->keeper_lock);
    while (wait_for_work(e), !e->stops) {
        bool sync = e->dirty, snapshot = e->told >= e->next_snapshot;
        e->dirty = false;
        pthread_mutex_unlock(&e->keeper_lock);
        if (sync || e->options.memory)
            sync_now(e); /* a snapshot is of what is durable */
        if (snapshot && lg_engine_take_snapshot(e, &f) < 0)
            report(e, "snapshot", &f);
        pthread_mutex_lock(&e->keeper_lock);
        if (snapshot) /* also after a failure: then the next one is tried as much later */
            e->next_snapshot = e->told + e->options.snapshot_every;
        lg_keeper_aim(e);
    }
    pthread_mutex_unlock(&e->keeper_lock);
    return NULL;
}

/* What calls compare with, so that most of them take no lock here. */
void lg_keeper_aim(struct lg_engine *e)
{
    bool told_all = e->options.memory && !e->dirty;
    atomic_store(&e->tell_from, told_all ? 0 : e->next_snapshot);
}

void lg_keeper_tell(struct lg_engine *e, uint64_t sequence)
{
    if (sequence < atomic_load_explicit(&e->tell_from, memory_order_relaxed))
        return;
    pthread_mutex_lock(&e->keeper_lock);
    e->told = sequence > e->told ? sequence : e->told;
    e->dirty = e->options.memory;
    lg_keeper_aim(e);
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->keeper_lock);
}

int lg_keeper_start(struct lg_engine *e, struct lg_failure *f)
{
    e->next_snapshot = e->snapshot + e->options.snapshot_every;
    e->told = e->book.state.sequence;
    lg_keeper_aim(e);
    e->has_keeper = pthread_create(&e->keeper, NULL, keep, e) == 0;
    return e->has_keeper ? CELL_OK : lg_fail(f, CELL_NO_MEMORY, "no thread can be made");
}

void lg_keeper_stop(struct lg_engine *e)
{
    if (!e->has_keeper)
        return;
    pthread_mutex_lock(&e->keeper_lock);
    e->stops = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->keeper_lock);
    pthread_join(e->keeper, NULL);
    e->has_keeper = false;
}
