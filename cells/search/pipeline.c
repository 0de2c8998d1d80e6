/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What feeds a part of an index. First all records of the source, in the order of their keys, beside the number of the
 * change that was the last when the scan began; then the changes behind that number. A record that changed during the
 * scan is so brought to its latest state again, and one that went is taken out, so that no snapshot has to be held for
 * as long as a scan takes. Every batch is committed with the position that it leads to:
 *
 *   identity NUL 'S' number key   the scan has come to that key; changes count from `number` on
 *   identity NUL 'F' number at    everything up to the change `number`, made at `at`, is in the index
 *
 * So whoever is killed, it goes on behind the last batch, and a batch is there as a whole or not at all.
 *
 * A batch goes on while more has arrived already: to end one costs FTS5 as much as hundreds of records, so that a few
 * at a time, as a stream brings them, would leave it behind. Whoever keeps up has each group at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "place.h"
#include "service.h"

#define ASK_MS 5000
#define LEAST_PAUSE_MS 20
#define MOST_PAUSE_MS 2000
#define STOPPED_PAUSE_MS 500
#define LOST_PAUSE_MS 200 /* a part that another one replaces has nothing to do any more */
#define POLL_MS 100       /* where the source has no place for a follower */
#define SAVE_EVERY 50000  /* changes, after which graphs are saved */
#define MOST_IN_BATCH 4096
#define MOST_WITH_VECTORS 256 /* they go into the graphs behind it, which takes a millisecond each */
#define MOST_BATCH_US 15000   /* after which a batch takes no more */
#define LOST 1                /* what is missing cannot be had any more: all is read again */

struct pipeline {
    struct sc_service *service;
    struct sc_part *part;
    struct sc_source *source;
    struct sc_place place;
    uint64_t unsaved;
    /* The batch that is open. */
    bool open;
    size_t gathered, most; /* records */
    int64_t begun_us;
    struct sc_place before; /* where it began */
    bool damaged;           /* the index, in this session */
};

static bool stops(struct sc_part *part)
{
    pthread_mutex_lock(&part->lock);
    bool stop = part->stop;
    pthread_mutex_unlock(&part->lock);
    return stop;
}

static void set_phase(struct sc_part *part, enum sc_phase phase)
{
    pthread_mutex_lock(&part->lock);
    part->progress.phase = phase;
    if (phase == SC_FOLLOWING) { /* nothing is wrong any more */
        part->progress.status = CELL_OK;
        part->progress.error[0] = '\0';
    }
    pthread_mutex_unlock(&part->lock);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- batches ---- */

static void note_refusal(struct pipeline *p, const struct sc_record *record, const char *why)
{
    char key[120];
    struct sc_part *part = p->part;

    sc_key_print(part->definition, record->key, key, sizeof(key));
    pthread_mutex_lock(&part->lock);
    part->progress.refused++;
    snprintf(part->progress.refusal, sizeof(part->progress.refusal), "%s: %s", key, why);
    pthread_mutex_unlock(&part->lock);
}

/* A record that is refused is not in the index, also when an earlier state of it was. */
static int apply(struct pipeline *p, const struct sc_record *record, struct search_failure *f)
{
    struct search_index *index = p->part->index;
    uint8_t key[SEARCH_MOST_KEY];
    size_t length;

    if (record->event == SC_OVERTAKEN)
        return CELL_OK;
    if (sc_key_write(p->part->definition, record->key, key, &length, f) < 0) {
        if (record->event == SC_PUT)
            note_refusal(p, record, f->text);
        return CELL_OK;
    }
    if (record->event == SC_DELETED)
        return search_index_delete(index, key, length, f);
    int r = record->refused ? search_fail(f, CELL_INVALID_ARGUMENT, "%s", record->refused)
                            : search_index_put(index, key, length, record->content, f);
    if (r != CELL_INVALID_ARGUMENT)
        return r;
    note_refusal(p, record, f->text);
    return search_index_delete(index, key, length, f);
}

/* `r` is what the index has said: whether it is the file that is damaged, and not what the source has. */
static int note_damage(struct pipeline *p, int r)
{
    p->damaged = p->damaged || r == CELL_DATA_LOSS;
    return r;
}

static int commit(struct pipeline *p, size_t n, struct search_failure *f)
{
    uint8_t position[SEARCH_MOST_POSITION];
    size_t length = sc_place_write(&p->place, position);
    struct sc_part *part = p->part;
    int r = search_index_commit(part->index, position, length, f);

    if (r < 0)
        return r;
    part->saved = part->saved && n == 0;
    p->unsaved += n;
    pthread_mutex_lock(&part->lock);
    part->progress.position = p->place.scanning ? 0 : p->place.number;
    part->progress.at_us = p->place.at_us;
    part->progress.applied += n;
    part->progress.scanned += p->place.scanning ? n : 0;
    part->progress.status = CELL_OK;
    part->progress.error[0] = '\0';
    pthread_mutex_unlock(&part->lock);
    return CELL_OK;
}

static void save(struct pipeline *p)
{
    struct search_failure f;

    if (!p->part->saved && search_index_checkpoint(p->part->index, &f) >= 0)
        p->part->saved = true;
    p->unsaved = 0;
}

static int begin_batch(struct pipeline *p, struct search_failure *f)
{
    int r = stops(p->part) ? search_fail(f, CELL_CANCELLED, "the cell ends") : search_index_begin(p->part->index, f);

    if (r < 0)
        return r;
    p->open = true;
    p->gathered = 0;
    p->begun_us = now_us();
    p->before = p->place;
    return CELL_OK;
}

static void undo_batch(struct pipeline *p)
{
    search_index_rollback(p->part->index);
    p->place = p->before;
    p->open = false;
}

static int end_batch(struct pipeline *p, struct search_failure *f)
{
    int r = note_damage(p, commit(p, p->gathered, f));

    if (r < 0) {
        undo_batch(p);
        return r;
    }
    p->open = false;
    if (p->unsaved > SAVE_EVERY)
        save(p);
    return CELL_OK;
}

static int take_group(void *user, const struct sc_record *records, size_t n, bool more, struct search_failure *f)
{
    struct pipeline *p = user;
    int r = p->open ? CELL_OK : note_damage(p, begin_batch(p, f));

    if (r < 0)
        return r;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = sc_place_check(p->part->definition, &p->place, &records[i], f);
        if (r >= 0)
            r = note_damage(p, apply(p, &records[i], f));
        if (r >= 0)
            sc_place_advance(p->part->definition, &p->place, &records[i]);
    }
    if (r < 0) {
        undo_batch(p);
        return r;
    }
    p->gathered += n;
    more = more && p->gathered < p->most && now_us() - p->begun_us < MOST_BATCH_US;
    return more ? CELL_OK : end_batch(p, f);
}

/* Behind the last group, whatever has ended the reading with `r`: what has come so far is good. */
static int end_reading(struct pipeline *p, int r, struct search_failure *f)
{
    struct search_failure later;

    if (!p->open)
        return r;
    int end = end_batch(p, r < 0 ? &later : f);
    return r < 0 ? r : end;
}

/* Nothing but the position changes. */
static int commit_place(struct pipeline *p, struct search_failure *f)
{
    int r = search_index_begin(p->part->index, f);

    if (r >= 0)
        r = commit(p, 0, f);
    if (r < 0)
        search_index_rollback(p->part->index);
    return note_damage(p, r);
}

/* ---- a session with the source ---- */

static int scan(struct pipeline *p, struct search_failure *f)
{
    struct sc_key_value after[SC_MOST_KEYS];
    bool resumes =
        p->place.key_length > 0 && sc_key_read(p->part->definition, p->place.key, p->place.key_length, after, f) >= 0;
    uint8_t key[SEARCH_MOST_POSITION];

    memcpy(key, p->place.key, sizeof(key)); /* `after` points to what the first batch replaces */
    if (resumes)
        sc_key_read(p->part->definition, key, p->place.key_length, after, f);
    set_phase(p->part, SC_SCANNING);
    int r = end_reading(p, sc_source_scan(p->source, resumes ? after : NULL, take_group, p, f), f);
    if (r < 0)
        return r;
    p->place.scanning = false;
    p->place.key_length = 0;
    return commit_place(p, f);
}

/* Waits, but for being stopped. True: it is. */
static bool pause_ms(struct sc_part *part, int64_t ms)
{
    pthread_mutex_lock(&part->lock);
    if (!part->stop)
        sc_cond_wait(&part->changed, &part->lock, ms);
    bool stop = part->stop;
    pthread_mutex_unlock(&part->lock);
    return stop;
}

static bool drifted(struct sc_part *part)
{
    pthread_mutex_lock(&part->lock);
    bool drifted = part->drifted;
    pthread_mutex_unlock(&part->lock);
    return drifted;
}

static int changes(struct pipeline *p, bool follow, struct search_failure *f)
{
    return end_reading(p, sc_source_changes(p->source, p->place.number, follow, take_group, p, f), f);
}

static int follow(struct pipeline *p, struct search_failure *f)
{
    int r = CELL_OK;

    set_phase(p->part, SC_CATCHING_UP);
    r = changes(p, false, f);
    if (r < 0)
        return r;
    sc_service_complete(p->service, p->part);
    set_phase(p->part, SC_FOLLOWING);
    while (r >= 0) {
        r = changes(p, true, f);
        if (r != CELL_RESOURCE_EXHAUSTED)
            break;
        /* Somebody else follows in its place: it asks now and then. */
        r = changes(p, false, f);
        if (r >= 0 && (pause_ms(p->part, POLL_MS) || drifted(p->part)))
            r = search_fail(f, CELL_CANCELLED, "the source has another schema now, or the cell ends");
    }
    return r;
}

/* What the position says, compared with what the source is now: LOST when these do not belong together. */
static int find_place(struct pipeline *p, const struct sc_source_status *status, struct search_failure *f)
{
    uint8_t position[SEARCH_MOST_POSITION];
    int n = search_index_position(p->part->index, position, f);

    if (n < 0)
        return note_damage(p, n);
    if (n == 0) {
        p->place = (struct sc_place){.scanning = true, .number = status->position};
        snprintf(p->place.identity, sizeof(p->place.identity), "%s", status->identity);
        return commit_place(p, f);
    }
    if (!sc_place_read(position, (size_t)n, &p->place) || strcmp(p->place.identity, status->identity) != 0 ||
        p->place.number < status->oldest || p->place.number > status->position) {
        search_fail(f, CELL_OUT_OF_RANGE, "%s does not have the changes any more that are missing: all is read again",
                    p->part->definition->source);
        return LOST;
    }
    pthread_mutex_lock(&p->part->lock);
    p->part->progress.position = p->place.scanning ? 0 : p->place.number;
    p->part->progress.at_us = p->place.at_us;
    pthread_mutex_unlock(&p->part->lock);
    return CELL_OK;
}

static void set_source(struct sc_part *part, struct sc_source *source, uint64_t hash)
{
    pthread_mutex_lock(&part->lock);
    part->source = source;
    part->source_hash = hash;
    part->drifted = false;
    if (source && part->stop)
        sc_source_cancel(source);
    pthread_mutex_unlock(&part->lock);
}

/* By somebody who read it. */
static bool was_found_damaged(struct sc_part *part)
{
    pthread_mutex_lock(&part->lock);
    bool damaged = part->damaged;
    pthread_mutex_unlock(&part->lock);
    return damaged;
}

static int session(struct pipeline *p, struct search_failure *f)
{
    const struct sc_definition *d = p->part->definition;
    struct sc_source_status status = {.found = false};

    p->damaged = false;
    set_source(p->part, NULL, 0); /* what has drifted is looked at now */
    int r = sc_source_ask(d->source, d->collection, ASK_MS, &status, f);
    if (r >= 0 && !status.found)
        r = search_fail(f, CELL_NOT_FOUND, "%s has no collection '%s' yet", d->source, d->collection);
    if (r >= 0)
        r = sc_source_check(d, &status, f);
    if (r >= 0)
        r = find_place(p, &status, f);
    if (r == CELL_OK)
        r = sc_source_open(d, &status, &p->source, f);
    if (r == CELL_OK) {
        set_source(p->part, p->source, sc_source_hash(&status));
        if (p->place.scanning)
            r = scan(p, f);
        if (r >= 0)
            r = follow(p, f);
        set_source(p->part, NULL, 0);
        sc_source_close(p->source);
        p->source = NULL;
        r = r == CELL_OUT_OF_RANGE ? LOST : r;
    }
    sc_source_status_free(&status);
    return p->damaged || was_found_damaged(p->part) ? LOST : r;
}

/* ---- the thread ---- */

static size_t most_in_batch(const struct sc_definition *d)
{
    for (uint32_t i = 0; i < d->nfields; i++)
        if (d->fields[i].as == SEARCH_VECTOR)
            return MOST_WITH_VECTORS;
    return MOST_IN_BATCH;
}

/* How long it rests after that result, and what is told of it. */
static int64_t note(struct sc_part *part, int r, const struct search_failure *f, int64_t pause)
{
    bool stopped = r == CELL_FAILED_PRECONDITION;

    pthread_mutex_lock(&part->lock);
    bool drifted = part->drifted;
    part->progress.phase = stopped ? SC_STOPPED : SC_WAITING;
    if (r < 0 && !drifted && r != CELL_CANCELLED) {
        part->progress.errors += part->progress.status != r;
        part->progress.status = r;
        snprintf(part->progress.error, sizeof(part->progress.error), "%s", f->text);
    }
    pthread_mutex_unlock(&part->lock);
    return drifted ? 0 : stopped ? STOPPED_PAUSE_MS : pause;
}

void sc_pipeline_run(struct sc_service *service, struct sc_part *part)
{
    struct pipeline p = {.service = service, .part = part, .most = most_in_batch(part->definition)};
    int64_t pause = LEAST_PAUSE_MS;
    uint64_t before = 0;

    while (!stops(part)) {
        struct search_failure f = {.status = CELL_OK};
        int r = session(&p, &f);
        bool lost = r == LOST;
        if (lost) {
            struct search_failure why = f;
            r = sc_service_rebuild(service, part, &f);
            pause = r < 0 ? pause : LOST_PAUSE_MS;
            f = r < 0 ? f : why;
        }
        if (part->progress.applied != before) /* it has got on; nobody else writes that number */
            pause = LEAST_PAUSE_MS;
        before = part->progress.applied;
        if (pause_ms(part, note(part, lost && r >= 0 && f.status < 0 ? f.status : r, &f, pause)))
            break;
        pause = pause * 2 < MOST_PAUSE_MS ? pause * 2 : MOST_PAUSE_MS;
    }
}
