/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What counts for a part: its thread reads the source's journal, durable records only, from the position of its
 * snapshot on. Counting and position change together, under the lock, and are saved together: so whatever is killed,
 * every record is counted once. The journal keeps what no snapshot has, for it is told their positions and nothing
 * later.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "snapshot.h"

#define ASK_MS 3000
#define SLICE_MS 100      /* how long it waits for records before it looks whether it is to end */
#define PAUSE_MS 250      /* after a failure */
#define SNAPSHOT_MS 10000 /* after records that were counted, when there are few of them */
#define RETRY_MS 1000     /* after a snapshot that could not be written */
#define GONE 1            /* the writer has left: what comes next has another one */

struct following {
    struct an_part *part;
    struct cell_journal_reader *reader;
    struct an_snapshot snapshot;
    uint64_t saved;      /* sequence of the last snapshot, or of the one that is being written */
    int64_t last_try_ms; /* when it was begun */
    char unsaved[400];   /* why the last one was given up; "": it was not */
    bool complete;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool stops(const struct an_part *part) { return atomic_load(&part->stop) || atomic_load(&part->service->stop); }

static void rest(const struct an_part *part, int64_t ms)
{
    const struct timespec slice = {.tv_nsec = 20 * 1000000};

    for (; ms > 0 && !stops(part); ms -= 20)
        nanosleep(&slice, NULL);
}

static void set_phase(struct an_part *part, enum an_phase phase, const char *error)
{
    pthread_mutex_lock(&part->lock);
    part->progress.phase = phase;
    part->progress.errors += error != NULL;
    snprintf(part->progress.error, sizeof(part->progress.error), "%s", error ? error : "");
    pthread_mutex_unlock(&part->lock);
}

/* ---- the source ---- */

static int open_reader(struct following *w, struct an_failure *f)
{
    struct an_part *part = w->part;
    const struct an_definition *d = part->definition;
    struct an_source source;
    struct cell_error e = {0};
    char name[65];
    int r = an_source_ask(d->source, d->stream, ASK_MS, &source, f);

    if (r < 0)
        return r;
    r = an_source_check(d, &source, f);
    if (r >= 0) {
        an_part_reader(part, name);
        const char *folder = json_string_value(json_object_get(source.stream, "folder"));
        const struct cell_journal_reader_options options = {.record_size = d->plan.record_size,
                                                            .type = d->type,
                                                            .name = name,
                                                            .lease_ms = (uint64_t)part->service->lease_ms};
        r = cell_journal_reader_open(folder ? folder : "", &options, &part->place.position, &w->reader, &e);
        if (r < 0)
            an_fail(f, r, "the journal of %s.%s: %s", d->source, d->stream, e.text);
    }
    an_source_free(&source);
    return r;
}

/* ---- snapshots ---- */

/* The one before is still there; it is told until there is a new one. */
static void give_up_snapshot(struct following *w, const char *why)
{
    snprintf(w->unsaved, sizeof(w->unsaved), "%s", why);
    w->saved = w->part->progress.snapshot;
    set_phase(w->part, w->part->progress.phase, why);
}

static void begin_snapshot(struct following *w)
{
    struct an_part *part = w->part;
    struct an_failure f = {0};
    uint64_t behind = part->place.position.sequence - w->saved;
    int64_t now = clock_ms(CLOCK_MONOTONIC);

    int64_t pause = w->unsaved[0] ? RETRY_MS : behind < part->service->snapshot_every ? SNAPSHOT_MS : 0;

    if (w->snapshot.fd >= 0 || behind == 0 || now - w->last_try_ms < pause)
        return;
    w->last_try_ms = now;
    w->saved = part->place.position.sequence;
    if (an_snapshot_begin(&w->snapshot, part, &f) < 0)
        give_up_snapshot(w, f.text);
}

static void step_snapshot(struct following *w, bool wait)
{
    struct an_part *part = w->part;
    struct an_failure f = {0};
    struct cell_position at;
    struct cell_error e = {0};
    int r = an_snapshot_step(&w->snapshot, wait, &at, &f);

    if (r < 0)
        give_up_snapshot(w, f.text);
    if (r <= 0)
        return;
    w->unsaved[0] = '\0';
    pthread_mutex_lock(&part->lock);
    part->progress.snapshot = at.sequence;
    pthread_mutex_unlock(&part->lock);
    if (w->reader && cell_journal_reader_acknowledge(w->reader, &at, &e) < 0)
        set_phase(part, part->progress.phase, e.text);
}

/* ---- records ---- */

static int count(struct following *w, const struct cell_span *span, struct an_failure *f)
{
    struct an_part *part = w->part;
    int64_t age = clock_ms(CLOCK_REALTIME) - (int64_t)(span->time_us / 1000);

    for (int i = 0; i < 50 && atomic_load(&part->waiting); i++) /* a mutex is not fair */
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    pthread_mutex_lock(&part->lock);
    if (span->sequence > part->place.position.sequence) /* removed before they were counted */
        part->place.missed += span->sequence - part->place.position.sequence;
    int r = an_take(part->aggregator, span->records, span->count, f);
    part->place.position = cell_journal_reader_position(w->reader);
    part->progress.lag = cell_journal_reader_lag(w->reader);
    part->progress.lag_ms = part->progress.lag && age > 0 ? (uint64_t)age : 0;
    pthread_mutex_unlock(&part->lock);
    return r;
}

static void even(struct following *w)
{
    struct an_part *part = w->part;

    pthread_mutex_lock(&part->lock);
    part->progress.phase = AN_FOLLOWING;
    part->progress.lag = cell_journal_reader_lag(w->reader);
    part->progress.lag_ms = 0;
    snprintf(part->progress.error, sizeof(part->progress.error), "%s", w->unsaved);
    pthread_mutex_unlock(&part->lock);
    if (!w->complete)
        an_service_complete(part);
    w->complete = true;
}

/* Replaces what was counted by what a snapshot has, or by nothing: what there is cannot be relied on. */
static int reload(struct following *w, bool from_snapshot, struct an_failure *f)
{
    struct an_part *part = w->part;
    struct an_aggregator *a = NULL, *former;
    struct an_place place = {.missed = 0};

    an_snapshot_cancel(&w->snapshot);
    int r = from_snapshot ? an_snapshot_load(part, &a, &place, f) : an_open(&part->definition->plan, &a, f);
    if (r < 0)
        return r;
    pthread_mutex_lock(&part->lock);
    former = part->aggregator;
    part->aggregator = a;
    part->place = place;
    part->generation++;
    part->progress.snapshot = place.position.sequence;
    pthread_mutex_unlock(&part->lock);
    w->saved = place.position.sequence;
    an_close(former);
    return CELL_OK;
}

/* One step. Negative: the reader is of no use any more; 0; GONE. */
static int step(struct following *w, struct an_failure *f)
{
    struct cell_error e = {0};
    struct cell_span span;
    int r = cell_journal_read(w->reader, &span, w->snapshot.fd >= 0 ? 1 : SLICE_MS, &e);

    switch (r) {
    case 1:
        return count(w, &span, f);
    case 0:
        even(w);
        return GONE;
    case CELL_DEADLINE_EXCEEDED:
        even(w);
        return 0;
    case CELL_OUT_OF_RANGE: /* the next records tell how many are missing */
        set_phase(w->part, AN_CATCHING_UP, e.text);
        return 0;
    case CELL_ABORTED: /* records that were counted are no more */
        return reload(w, false, f) < 0 ? f->status : an_fail(f, r, "%s: all is counted again", e.text);
    default:
        return an_fail(f, r, "%s", e.text);
    }
}

static void read_on(struct following *w)
{
    struct an_part *part = w->part;
    struct an_failure f = {0};
    int r = 0;

    set_phase(part, AN_CATCHING_UP, NULL);
    w->last_try_ms = clock_ms(CLOCK_MONOTONIC);
    while (r >= 0 && !stops(part)) {
        r = step(w, &f);
        if (r == GONE)
            rest(part, PAUSE_MS);
        begin_snapshot(w);
        step_snapshot(w, false);
    }
    if (stops(part))
        return;
    set_phase(part, AN_WAITING, f.text);
    if (r == CELL_NO_MEMORY)
        reload(w, true, &f);
}

void *an_follow_source(void *user)
{
    struct following w = {.part = user, .snapshot = AN_SNAPSHOT_NONE};
    struct an_part *part = user;
    struct an_failure f = {0};

    while (!stops(part) && !part->aggregator)
        if (reload(&w, true, &f) < 0) {
            set_phase(part, AN_WAITING, f.text);
            rest(part, PAUSE_MS);
        }
    while (!stops(part)) {
        int r = open_reader(&w, &f);
        if (r >= 0)
            read_on(&w);
        else
            set_phase(part, r == CELL_FAILED_PRECONDITION ? AN_STOPPED : AN_WAITING, f.text);
        if (!stops(part)) {
            cell_journal_reader_close(w.reader);
            w.reader = NULL;
            rest(part, PAUSE_MS);
        }
    }
    /* A part that goes needs no snapshot; of one that stays, the next start is quicker. */
    if (!atomic_load(&part->stop) && part->aggregator && part->place.position.sequence != w.saved) {
        an_snapshot_cancel(&w.snapshot);
        if (an_snapshot_begin(&w.snapshot, part, &f) >= 0)
            step_snapshot(&w, true);
    }
    an_snapshot_cancel(&w.snapshot);
    cell_journal_reader_close(w.reader);
    return NULL;
}
