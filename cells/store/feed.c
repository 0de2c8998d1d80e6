/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The feed of changes. In `feed`: space, 4 bytes, and number, 8 bytes, greatest byte first → kind, one byte, time in
 * microseconds, 8 bytes, and the body.
 */
#include <errno.h>

#include "engine_impl.h"

#define HEAD 9

struct position {
    uint8_t bytes[12];
};

static MDB_val key_of(struct position *p, uint32_t space, uint64_t number)
{
    for (int i = 0; i < 4; i++)
        p->bytes[i] = (uint8_t)(space >> (24 - 8 * i));
    st_store_be64(p->bytes + 4, number);
    return (MDB_val){sizeof(p->bytes), p->bytes};
}

int st_feed_append(struct st_engine *e, MDB_txn *txn, struct st_collection *c, enum st_change_kind kind,
                   struct st_bytes body, struct st_failure *f)
{
    struct position p;
    MDB_val key = key_of(&p, c->space, c->work.last + 1), value = {HEAD + body.n, NULL};
    int rc = mdb_put(txn, e->feed, &key, &value, MDB_RESERVE | MDB_NOOVERWRITE);

    if (rc == MDB_KEYEXIST)
        return st_fail(f, CELL_DATA_LOSS, "the feed has a change already that is to come");
    if (rc != 0)
        return st_fail_mdb(e, f, rc, "writing the feed");
    uint8_t *at = value.mv_data;
    at[0] = (uint8_t)kind;
    st_store64(at + 1, (uint64_t)st_now_us());
    if (body.n > 0)
        memcpy(at + HEAD, body.p, body.n);
    c->work.last++;
    c->work.feed_bytes += HEAD + body.n;
    c->added++;
    return CELL_OK;
}

static uint64_t changes_of(const struct st_stat *stat) { return stat->last + 1 - stat->first; }

bool st_feed_is_too_long(const struct st_engine *e, const struct st_stat *stat)
{
    const struct st_engine_options *o = &e->options;

    return (o->feed_changes && changes_of(stat) > o->feed_changes) ||
           (o->feed_bytes && stat->feed_bytes > o->feed_bytes);
}

static bool is_too_old(const struct st_engine *e, MDB_val value)
{
    return e->options.feed_age_ms && value.mv_size >= HEAD &&
           (int64_t)st_load64((const uint8_t *)value.mv_data + 1) < st_now_us() - e->options.feed_age_ms * 1000;
}

int st_feed_trim(struct st_engine *e, MDB_txn *txn, struct st_collection *c, uint32_t most, bool *more,
                 struct st_failure *f)
{
    struct st_stat *stat = &c->work;
    int rc = 0;

    for (*more = true; most > 0 && *more && rc == 0; most--) {
        struct position p;
        MDB_val key = key_of(&p, c->space, stat->first), value;
        *more = false;
        if (changes_of(stat) == 0)
            break;
        rc = mdb_get(txn, e->feed, &key, &value);
        if (rc != 0 || !(st_feed_is_too_long(e, stat) || is_too_old(e, value)))
            break;
        stat->feed_bytes -= value.mv_size;
        stat->first++;
        rc = mdb_del(txn, e->feed, &key, NULL);
        *more = true;
    }
    if (stat->thinned + 1 < stat->first)
        stat->thinned = stat->first - 1;
    return st_fail_mdb(e, f, rc, "shortening the feed");
}

/* Whether the record of a change has another version by now. */
static int is_overtaken(struct st_engine *e, MDB_txn *txn, struct st_collection *c, struct st_bytes body,
                        uint64_t number, bool *overtaken, struct st_failure *f)
{
    struct st_buffer key = {0};
    MDB_val value;

    st_key_begin(&key, c->space);
    int r = st_key_of(body, c->schema->key, c->schema->nkey, false, &key, NULL, f);
    if (r >= 0) {
        MDB_val at = st_val(st_bytes_of(&key));
        int rc = mdb_get(txn, e->data, &at, &value);
        *overtaken = rc == MDB_NOTFOUND || (rc == 0 && value.mv_size >= 8 && st_load64(value.mv_data) != number);
        r = rc == MDB_NOTFOUND ? CELL_OK : st_fail_mdb(e, f, rc, "reading a record");
    }
    st_buffer_free(&key);
    return r;
}

static int thin_one(struct st_engine *e, MDB_txn *txn, struct st_collection *c, uint64_t number, struct st_failure *f)
{
    struct position p;
    MDB_val key = key_of(&p, c->space, number), value;
    struct st_buffer only = {0};
    bool overtaken = false;
    int r = st_fail_mdb(e, f, mdb_get(txn, e->feed, &key, &value), "reading the feed");

    if (r < 0 || value.mv_size < HEAD || *(const uint8_t *)value.mv_data != ST_CHANGE_PUT)
        return r;
    struct st_bytes body = {(const uint8_t *)value.mv_data + HEAD, value.mv_size - HEAD};
    r = is_overtaken(e, txn, c, body, number, &overtaken, f);
    if (r < 0 || !overtaken)
        return r;
    st_put_byte(&only, ST_CHANGE_OVERTAKEN);
    st_put(&only, (const uint8_t *)value.mv_data + 1, 8);
    r = st_key_body(c->schema, body, &only, f);
    if (r >= 0) {
        c->work.feed_bytes -= value.mv_size - only.len;
        value = st_val(st_bytes_of(&only));
        r = st_fail_mdb(e, f, mdb_put(txn, e->feed, &key, &value, 0), "writing the feed");
    }
    st_buffer_free(&only);
    return r;
}

int st_feed_thin(struct st_engine *e, MDB_txn *txn, struct st_collection *c, uint32_t most, bool *more,
                 struct st_failure *f)
{
    uint64_t whole = e->options.feed_whole;
    int r = CELL_OK;

    while (most-- > 0 && r >= 0 && whole && c->work.last > whole && c->work.thinned < c->work.last - whole) {
        if (c->work.thinned + 1 < c->work.first)
            c->work.thinned = c->work.first - 1;
        else
            r = thin_one(e, txn, c, ++c->work.thinned, f);
    }
    *more = whole && c->work.last > whole && c->work.thinned < c->work.last - whole;
    return r;
}

static int read_change(MDB_val key, MDB_val value, uint32_t space, struct st_change *change)
{
    const uint8_t *at = key.mv_data, *data = value.mv_data;

    if (key.mv_size != 12)
        return CELL_DATA_LOSS;
    if ((uint32_t)(st_load_be64(at) >> 32) != space)
        return 0;
    if (value.mv_size < HEAD || data[0] > ST_CHANGE_OVERTAKEN)
        return CELL_DATA_LOSS;
    *change = (struct st_change){.number = st_load_be64(at + 4),
                                 .kind = (enum st_change_kind)data[0],
                                 .at_us = (int64_t)st_load64(data + 1),
                                 .body = {data + HEAD, value.mv_size - HEAD}};
    return 1;
}

static int check_position(const struct st_collection *c, const struct st_stat *stat, uint64_t after,
                          struct st_failure *f)
{
    if (after > stat->last)
        return st_fail(f, CELL_OUT_OF_RANGE, "'%s' has had %llu changes so far: position %llu is of another store",
                       c->name, (unsigned long long)stat->last, (unsigned long long)after);
    if (after + 1 < stat->first)
        return st_fail(
            f, CELL_OUT_OF_RANGE,
            "the feed of '%s' begins behind position %llu by now: what came after %llu is read in a snapshot", c->name,
            (unsigned long long)stat->first - 1, (unsigned long long)after);
    return CELL_OK;
}

int st_view_changes(const struct st_view *view, const struct st_collection *collection, uint64_t after,
                    st_change_fn *each, void *user, struct st_failure *f)
{
    struct st_engine *e = view->engine;
    struct position p;
    struct st_change change;
    struct st_stat stat;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int r = st_view_stat(view, collection, &stat, f), rc = 0;

    if (r >= 0)
        r = check_position(collection, &stat, after, f);
    if (r < 0 || after == stat.last)
        return r < 0 ? r : 0;
    key = key_of(&p, collection->space, after + 1);
    rc = mdb_cursor_open(view->txn, e->feed, &cursor);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (r = 1; rc == 0 && r == 1;) {
        r = read_change(key, value, collection->space, &change);
        /* Without a gap: a number that is missing is damage, not a change that was nothing. */
        if (r < 0 || (r == 1 && change.number != ++after))
            r = st_fail(f, CELL_DATA_LOSS, "the feed of '%s' is damaged", collection->name);
        if (r == 1)
            r = each(user, &change);
        if (r == 1)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (cursor)
        mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return st_fail_mdb(e, f, rc, "reading the feed");
    return r == 1 ? 0 : r;
}

static void deadline_in(struct timespec *t, int64_t ms)
{
    clock_gettime(CLOCK_MONOTONIC, t);
    t->tv_sec += ms / 1000;
    t->tv_nsec += (ms % 1000) * 1000000;
    if (t->tv_nsec >= 1000000000) {
        t->tv_nsec -= 1000000000;
        t->tv_sec++;
    }
}

bool st_feed_wait(struct st_engine *engine, struct st_collection *collection, uint64_t after, int64_t timeout_ms)
{
    struct timespec until;
    int rc = 0;

    deadline_in(&until, timeout_ms);
    pthread_mutex_lock(&engine->lock);
    while (collection->stat.last <= after && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&engine->changed, &engine->lock, &until);
    bool there = collection->stat.last > after;
    pthread_mutex_unlock(&engine->lock);
    return there;
}
