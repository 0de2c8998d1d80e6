/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One thread for what nobody waits for: indexes are built, fields that are gone are taken out of records, what dropped
 * indexes leave behind is removed, feeds are kept short, snapshots end, and a lazy store is synced. All in pieces, each
 * a write among the others. What was begun when the process died is begun again: doing it twice is doing it once.
 */
#include <errno.h>
#include <stdio.h>

#include "engine_impl.h"

#define PIECE 256

/* ---- building an index ---- */

struct pair {
    size_t index_key, index_len, key, key_len; /* in `bytes` */
};
struct building {
    struct st_collection *collection;
    uint32_t space;
    bool end;
    char problem[512]; /* it cannot be built; "" = it can */
    struct st_buffer bytes;
    struct pair pairs[PIECE];
    uint32_t n;
};

static const struct st_index *index_of(const struct st_schema *schema, uint32_t space)
{
    for (uint32_t i = 0; i < schema->nindexes; i++)
        if (schema->indexes[i].space == space)
            return &schema->indexes[i];
    return NULL;
}

static int collect_one(struct st_engine *e, const struct st_index *index, struct building *b, MDB_val key,
                       MDB_val value, struct st_failure *f)
{
    struct st_bytes body = {(const uint8_t *)value.mv_data + 8, value.mv_size - 8};
    struct st_buffer index_key = {0};
    struct pair *p = &b->pairs[b->n++];

    if (value.mv_size < 8)
        return st_fail_mdb(e, f, MDB_INVALID, "building an index");
    int r = st_index_key(index, body, st_of_val(key), &index_key, f);
    *p = (struct pair){.index_key = b->bytes.len, .index_len = index_key.len};
    st_put(&b->bytes, index_key.data, index_key.len);
    p->key = b->bytes.len;
    p->key_len = key.mv_size;
    st_put(&b->bytes, key.mv_data, key.mv_size);
    st_buffer_free(&index_key);
    return r >= 0 && b->bytes.failed ? st_fail(f, CELL_NO_MEMORY, "out of memory") : r;
}

/* The cursor on the first record behind the job's place. */
static int seek(struct st_engine *e, MDB_cursor *cursor, uint32_t space, MDB_val *key, MDB_val *value)
{
    uint8_t first[4] = {(uint8_t)(space >> 24), (uint8_t)(space >> 16), (uint8_t)(space >> 8), (uint8_t)space};
    struct st_bytes at = st_bytes_of(&e->job.at);

    *key = at.n ? st_val(at) : (MDB_val){4, first};
    int rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (rc == 0 && at.n && st_compare(st_of_val(*key), at) == 0)
        rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    if (rc == 0 && (key->mv_size < 4 || st_load_be64((uint8_t[8]){[4] = ((uint8_t *)key->mv_data)[0],
                                                                  [5] = ((uint8_t *)key->mv_data)[1],
                                                                  [6] = ((uint8_t *)key->mv_data)[2],
                                                                  [7] = ((uint8_t *)key->mv_data)[3]}) != space))
        rc = MDB_NOTFOUND;
    return rc;
}

static int put_pair(struct st_engine *e, MDB_txn *txn, const struct st_index *index, struct building *b,
                    const struct pair *p, struct st_failure *f)
{
    MDB_val key = {p->index_len, b->bytes.data + p->index_key}, value = {p->key_len, b->bytes.data + p->key};
    MDB_val there = value;
    int rc = mdb_put(txn, e->data, &key, &there, MDB_NOOVERWRITE);

    if (rc != MDB_KEYEXIST)
        return st_fail_mdb(e, f, rc, "building an index");
    if (index->unique && st_compare(st_of_val(there), st_of_val(value)) != 0)
        snprintf(b->problem, sizeof(b->problem), "two records have the same %s", index->name);
    return CELL_OK;
}

/* A piece of records gets its places. The transaction of who writes: what is read here is what there is. */
static int build_piece(struct st_engine *e, MDB_txn *txn, void *user, struct st_failure *f)
{
    struct building *b = user;
    const struct st_index *index = index_of(b->collection->schema, b->space);
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    struct st_failure why = {0};
    int r = CELL_OK;

    b->n = 0;
    b->bytes.len = 0;
    b->problem[0] = '\0';
    b->end = !index;
    if (!index)
        return CELL_OK;
    int rc = mdb_cursor_open(txn, e->data, &cursor);
    if (rc == 0)
        rc = seek(e, cursor, b->collection->space, &key, &value);
    while (rc == 0 && r >= 0 && b->n < PIECE) {
        r = collect_one(e, index, b, key, value, &why);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (rc == 0 && memcmp(key.mv_data, b->bytes.data + b->pairs[0].key, 4) != 0)
            rc = MDB_NOTFOUND;
    }
    if (cursor)
        mdb_cursor_close(cursor);
    b->end = rc == MDB_NOTFOUND;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return st_fail_mdb(e, f, rc, "building an index");
    if (r == CELL_TOO_LARGE || r == CELL_INVALID_ARGUMENT || r == CELL_DATA_LOSS) {
        snprintf(b->problem, sizeof(b->problem), "%s", why.text);
        return CELL_OK;
    }
    if (r < 0)
        return st_fail(f, r, "%s", why.text);
    for (uint32_t i = 0; r >= 0 && i < b->n && !b->problem[0]; i++)
        r = put_pair(e, txn, index, b, &b->pairs[i], f);
    return r;
}

/* ---- taking out fields that are gone ---- */

static bool is_live(const struct st_schema *schema, uint32_t id)
{
    for (uint32_t i = 0; i < schema->record.n; i++)
        if (schema->record.fields[i].id == id)
            return true;
    return false;
}

/* What is left of a record, with its version; empty when nothing of it is gone. */
static int strip_one(const struct st_schema *schema, struct st_bytes value, struct st_buffer *left)
{
    struct st_bytes rest = {value.p + 8, value.n - 8};
    struct st_item item;
    bool gone = false;
    int r;

    left->len = 0;
    st_put(left, value.p, 8);
    while ((r = st_body_next(&rest, &item)) > 0) {
        if (is_live(schema, item.id))
            st_put(left, item.whole.p, item.whole.n);
        else
            gone = true;
    }
    if (!gone)
        left->len = 0;
    return r < 0 ? r : left->failed ? CELL_NO_MEMORY : CELL_OK;
}

static int strip_piece(struct st_engine *e, MDB_txn *txn, void *user, struct st_failure *f)
{
    struct building *b = user;
    struct st_buffer left = {0};
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int r = CELL_OK, rc = mdb_cursor_open(txn, e->data, &cursor);

    b->n = 0;
    b->bytes.len = 0;
    b->problem[0] = '\0';
    if (rc == 0)
        rc = seek(e, cursor, b->collection->space, &key, &value);
    while (rc == 0 && r >= 0 && b->n < PIECE) {
        if (value.mv_size >= 8 && strip_one(b->collection->schema, st_of_val(value), &left) == CELL_NO_MEMORY)
            r = st_fail(f, CELL_NO_MEMORY, "out of memory");
        b->pairs[0] = (struct pair){.key = 0, .key_len = key.mv_size};
        b->bytes.len = 0;
        st_put(&b->bytes, key.mv_data, key.mv_size);
        b->n++;
        if (r >= 0 && left.len > 0) {
            MDB_val anew = st_val(st_bytes_of(&left)), at = st_val(st_bytes_of(&b->bytes));
            rc = mdb_cursor_put(cursor, &at, &anew, MDB_CURRENT);
        }
        left.len = 0;
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (rc == 0 && memcmp(key.mv_data, b->bytes.data, 4) != 0)
            rc = MDB_NOTFOUND;
    }
    if (cursor)
        mdb_cursor_close(cursor);
    st_buffer_free(&left);
    b->end = rc == MDB_NOTFOUND;
    return r < 0 || b->end ? r : st_fail_mdb(e, f, rc, "writing records anew");
}

/* ---- jobs ---- */

/* The document says what has come of it. */
static int end_job(struct st_engine *e, const struct building *b)
{
    json_t *document, *index;
    size_t i;
    int r = CELL_NO_MEMORY;

    st_catalog_lock(e);
    document = st_catalog_get(e, b->collection->name);
    if (document && b->space == 0)
        json_object_del(document, "strip");
    json_array_foreach(json_object_get(document, "indexes"), i, index)
    {
        if (json_integer_value(json_object_get(index, "space")) != b->space)
            continue;
        json_object_set_new(index, "state", json_string(b->problem[0] ? "failed" : "ready"));
        if (b->problem[0])
            json_object_set_new(index, "problem", json_string(b->problem));
    }
    if (document)
        r = st_catalog_put(e, document, NULL);
    json_decref(document);
    st_catalog_unlock(e);
    return r;
}

/* With the lock. False: there is nothing to do. */
static bool find_job(struct st_engine *e, struct st_collection **c, uint32_t *space)
{
    for (size_t i = 0; i < e->ncollections; i++) {
        const struct st_schema *s = e->collections[i]->schema;
        *c = e->collections[i];
        for (uint32_t k = 0; k < s->nindexes; k++) {
            *space = s->indexes[k].space;
            if (s->indexes[k].state == ST_INDEX_BUILDING)
                return true;
        }
        *space = 0;
        if (s->strip)
            return true;
    }
    return false;
}

/* A piece of whatever is to be done; with the lock, which it leaves meanwhile. False when it has failed. */
static bool do_piece(struct st_engine *e, struct building *b)
{
    struct st_job *job = &e->job;

    if (job->collection != b->collection || job->space != b->space) {
        job->collection = b->collection;
        job->space = b->space;
        job->done = 0;
        job->at.len = 0;
    }
    e->working = true;
    pthread_mutex_unlock(&e->lock);
    int r = st_engine_work(e, b->space ? build_piece : strip_piece, NULL, b, NULL);
    bool over = r >= 0 && (b->end || b->problem[0]);
    if (over)
        r = end_job(e, b);
    pthread_mutex_lock(&e->lock);
    if (r >= 0 && b->n > 0) {
        const struct pair *last = &b->pairs[b->space ? b->n - 1 : 0];
        job->done += b->n;
        job->at.len = 0;
        st_put(&job->at, b->bytes.data + last->key, last->key_len);
    }
    if (over && r >= 0)
        job->collection = NULL;
    e->working = false;
    return r >= 0 && !job->at.failed;
}

/* ---- garbage, feeds ---- */

static int clear_piece(struct st_engine *e, MDB_txn *txn, void *user, struct st_failure *f)
{
    uint8_t name[5];
    MDB_cursor *spaces = NULL, *cursor = NULL;
    MDB_val key = {1, "g"}, value;
    int rc = mdb_cursor_open(txn, e->meta, &spaces);

    *(bool *)user = false;
    if (rc == 0)
        rc = mdb_cursor_get(spaces, &key, &value, MDB_SET_RANGE);
    bool found = rc == 0 && key.mv_size == 5 && *(uint8_t *)key.mv_data == 'g';
    if (found)
        memcpy(name, key.mv_data, 5);
    if (spaces)
        mdb_cursor_close(spaces);
    if (!found)
        return rc == MDB_NOTFOUND || rc == 0 ? CELL_OK : st_fail_mdb(e, f, rc, "reading the catalog");
    *(bool *)user = true;
    rc = mdb_cursor_open(txn, e->data, &cursor);
    key = (MDB_val){4, name + 1};
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (int i = 0; rc == 0 && i < 4 * PIECE && memcmp(key.mv_data, name + 1, 4) == 0; i++) {
        rc = mdb_cursor_del(cursor, 0);
        key = (MDB_val){4, name + 1}; /* what a cursor is on after a deletion depends on the page */
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    }
    bool more = rc == 0 && memcmp(key.mv_data, name + 1, 4) == 0;
    if (cursor)
        mdb_cursor_close(cursor);
    if (rc == MDB_NOTFOUND) /* behind the last */
        rc = 0;
    key = (MDB_val){5, name};
    if (rc == 0 && !more)
        rc = mdb_del(txn, e->meta, &key, NULL);
    return st_fail_mdb(e, f, rc, "emptying an index");
}

struct keeping {
    struct st_collection *collection;
    bool more;
};

static int keep_feed(struct st_engine *e, MDB_txn *txn, void *user, struct st_failure *f)
{
    struct keeping *k = user;
    bool longer = false, thicker = false;

    st_touch(k->collection);
    int r = st_feed_trim(e, txn, k->collection, PIECE, &longer, f);
    if (r >= 0)
        r = st_feed_thin(e, txn, k->collection, PIECE, &thicker, f);
    k->more = longer || thicker;
    return r;
}

/* Whether there is anything for keep_feed to do, without writing. */
static bool feed_needs_work(struct st_engine *e, struct st_collection *c)
{
    pthread_mutex_lock(&e->lock);
    struct st_stat stat = c->stat;
    pthread_mutex_unlock(&e->lock);
    if (stat.last + 1 == stat.first)
        return false;
    return e->options.feed_age_ms || st_feed_is_too_long(e, &stat) ||
           (e->options.feed_whole && stat.last > e->options.feed_whole &&
            stat.thinned < stat.last - e->options.feed_whole);
}

static bool first_is_young(struct st_engine *e, struct st_collection *c);

static void keep_feeds(struct st_engine *e)
{
    struct keeping k;

    for (size_t i = 0; (k.collection = st_collection_at(e, i)); i++)
        for (k.more = true; k.more && !e->ending && feed_needs_work(e, k.collection);) {
            if (first_is_young(e, k.collection) || st_engine_work(e, keep_feed, NULL, &k, NULL) < 0)
                break;
        }
}

static int look_at_first(void *user, const struct st_change *change)
{
    *(int64_t *)user = change->at_us;
    return 0;
}

/* With an age as the only limit, most of the time nothing is old enough. */
static bool first_is_young(struct st_engine *e, struct st_collection *c)
{
    struct st_view view;
    struct st_stat stat = {0};
    int64_t at_us = 0;

    if (!e->options.feed_age_ms || e->options.feed_whole || st_view_begin(e, NULL, &view, NULL) < 0)
        return false;
    int r = st_view_stat(&view, c, &stat, NULL);
    if (r >= 0)
        r = st_view_changes(&view, c, stat.first - 1, look_at_first, &at_us, NULL);
    st_view_end(&view);
    return r >= 0 && !st_feed_is_too_long(e, &stat) && at_us >= st_now_us() - e->options.feed_age_ms * 1000;
}

static void keep_house(struct st_engine *e, int64_t *synced_ms)
{
    bool more = true;

    st_snapshots_expire(e);
    keep_feeds(e);
    while (more && !e->ending && st_engine_work(e, clear_piece, NULL, &more, NULL) >= 0)
        continue;
    if (e->options.lazy && st_monotonic_ms() - *synced_ms >= e->options.sync_ms) {
        mdb_env_sync(e->env, 1); /* tried again next time */
        *synced_ms = st_monotonic_ms();
    }
}

static void wait_a_while(struct st_engine *e, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&e->work, &e->lock, &until);
}

static void *background(void *user)
{
    struct st_engine *e = user;
    struct building *b = calloc(1, sizeof(*b));
    int64_t synced_ms = st_monotonic_ms();

    pthread_mutex_lock(&e->lock);
    while (!e->ending) {
        bool done = true, job = b && find_job(e, &b->collection, &b->space);
        if (job)
            done = do_piece(e, b);
        else
            pthread_cond_broadcast(&e->rest);
        if (job && done)
            continue;
        pthread_mutex_unlock(&e->lock);
        keep_house(e, &synced_ms);
        pthread_mutex_lock(&e->lock);
        struct st_collection *c;
        uint32_t space;
        if (!e->ending && (!done || !find_job(e, &c, &space)))
            wait_a_while(e, e->options.lazy && e->options.sync_ms < e->options.pause_ms ? e->options.sync_ms
                                                                                        : e->options.pause_ms);
    }
    pthread_mutex_unlock(&e->lock);
    if (b)
        st_buffer_free(&b->bytes);
    free(b);
    st_buffer_free(&e->job.at);
    return NULL;
}

void st_background_wake(struct st_engine *e) { pthread_cond_signal(&e->work); }

int st_background_start(struct st_engine *e, struct st_failure *f)
{
    int rc = pthread_create(&e->thread, NULL, background, e);

    e->has_thread = rc == 0;
    return rc == 0 ? CELL_OK : st_fail(f, CELL_RESOURCE_EXHAUSTED, "no thread can be begun: %s", strerror(rc));
}

void st_background_stop(struct st_engine *e)
{
    if (!e->has_thread)
        return;
    pthread_mutex_lock(&e->lock);
    e->ending = true;
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    e->has_thread = false;
}

void st_background_progress(struct st_engine *engine, struct st_collection *collection, const char *index,
                            struct st_progress *progress)
{
    struct st_engine *e = engine;

    pthread_mutex_lock(&e->lock);
    const struct st_index *of = index ? st_schema_index(collection->schema, index) : NULL;
    uint32_t space = of ? of->space : 0;
    bool wanted = index ? of && of->state == ST_INDEX_BUILDING : collection->schema->strip;
    *progress = (struct st_progress){.running = wanted, .all = wanted ? collection->stat.count : 0};
    if (wanted && e->job.collection == collection && e->job.space == space)
        progress->done = e->job.done;
    pthread_mutex_unlock(&e->lock);
}

bool st_background_wait(struct st_engine *engine, int64_t timeout_ms)
{
    struct st_engine *e = engine;
    struct st_collection *c;
    uint32_t space;
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000 + 1;
    pthread_mutex_lock(&e->lock);
    while ((e->working || find_job(e, &c, &space)) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&e->rest, &e->lock, &until);
    bool rested = !find_job(e, &c, &space);
    pthread_mutex_unlock(&e->lock);
    return rested;
}
