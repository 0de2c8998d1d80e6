/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Views, and what is read in them. */
#include "engine_impl.h"

/*
 * Transactions of readers are kept, for beginning one anew takes a lock that all processes have in common. Those of the
 * last commit are kept begun, for renewing one makes LMDB look for its tables again, which costs a good part of a get.
 * Who writes ends them first (st_readers_rest), so that they keep no page from being used again and show nothing that
 * is past: what is in use meanwhile is ended when it is given back.
 */
MDB_txn *st_reader_take(struct st_engine *e, int *rc)
{
    struct st_reader reader = {0};

    pthread_mutex_lock(&e->lock);
    if (e->nidle > 0)
        reader = e->idle[--e->nidle];
    pthread_mutex_unlock(&e->lock);
    *rc = 0;
    if (reader.begun)
        return reader.txn;
    *rc = reader.txn ? mdb_txn_renew(reader.txn) : mdb_txn_begin(e->env, NULL, MDB_RDONLY, &reader.txn);
    if (*rc != 0 && reader.txn) {
        mdb_txn_abort(reader.txn);
        reader.txn = NULL;
    }
    return reader.txn;
}

void st_reader_give(struct st_engine *e, MDB_txn *txn)
{
    pthread_mutex_lock(&e->lock);
    struct st_reader reader = {txn, !e->writing && mdb_txn_id(txn) == e->committed};
    if (!reader.begun)
        mdb_txn_reset(txn);
    bool kept = e->nidle < ST_IDLE_READERS;
    if (kept)
        e->idle[e->nidle++] = reader;
    pthread_mutex_unlock(&e->lock);
    if (!kept)
        mdb_txn_abort(txn);
}

void st_readers_rest(struct st_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->writing = true;
    for (uint32_t i = 0; i < e->nidle; i++) {
        if (e->idle[i].begun)
            mdb_txn_reset(e->idle[i].txn);
        e->idle[i].begun = false;
    }
    pthread_mutex_unlock(&e->lock);
}

void st_readers_go_on(struct st_engine *e)
{
    MDB_envinfo info = {0};

    mdb_env_info(e->env, &info); /* of a commit that failed as well, whatever came of it */
    e->committed = info.me_last_txnid;
    e->writing = false;
}

int st_view_stat(const struct st_view *view, const struct st_collection *collection, struct st_stat *stat,
                 struct st_failure *f)
{
    return st_stat_read(view->engine, view->txn, collection->space, stat, f);
}

/* mdb_get of the records. */
static int look_up(const struct st_view *view, MDB_val *key, MDB_val *value)
{
    struct st_engine *e = view->engine;
    struct st_bytes found;
    uint64_t commit = mdb_txn_id(view->txn);

    if (st_cache_find(e->cache, commit, st_of_val(*key), &found)) {
        *value = st_val(found);
        return 0;
    }
    int rc = mdb_get(view->txn, e->data, key, value);
    if (rc == 0)
        st_cache_keep(e->cache, commit, st_of_val(*key), st_of_val(*value));
    return rc;
}

static int take_record(const struct st_view *view, int rc, MDB_val value, struct st_found *found, struct st_failure *f)
{
    if (rc == 0 && value.mv_size < 8)
        rc = MDB_INVALID;
    if (rc != 0)
        return st_fail_mdb(view->engine, f, rc, "reading a record");
    found->version = st_load64(value.mv_data);
    found->body = (struct st_bytes){(const uint8_t *)value.mv_data + 8, value.mv_size - 8};
    return CELL_OK;
}

int st_view_get(const struct st_view *view, struct st_bytes key, bool index, struct st_found *found,
                struct st_failure *f)
{
    MDB_val at = st_val(key), value;
    int rc = look_up(view, &at, &value);

    found->key = key;
    if (rc == MDB_NOTFOUND)
        return st_fail(f, CELL_NOT_FOUND, "there is no such record");
    if (rc == 0 && index) {
        at = value;
        rc = look_up(view, &at, &value);
    }
    return take_record(view, rc, value, found, f);
}

/* The last key below `to`. */
static int seek_below(MDB_cursor *cursor, struct st_bytes to, MDB_val *key, MDB_val *value)
{
    *key = st_val(to);
    int rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);

    if (rc == MDB_NOTFOUND)
        return mdb_cursor_get(cursor, key, value, MDB_LAST);
    return rc == 0 ? mdb_cursor_get(cursor, key, value, MDB_PREV) : rc;
}

static int found_at(const struct st_view *view, const struct st_range *range, MDB_val key, MDB_val value,
                    struct st_found *found, struct st_failure *f)
{
    found->key = st_of_val(key);
    MDB_val at = value;
    int rc = range->index ? mdb_get(view->txn, view->engine->data, &at, &value) : 0;

    return take_record(view, rc, value, found, f);
}

int st_view_scan(const struct st_view *view, const struct st_range *range, st_found_fn *each, void *user,
                 struct st_failure *f)
{
    MDB_cursor *cursor = NULL;
    MDB_val key = st_val(range->from), value;
    struct st_found found;
    int rc, r = 1;

    if (st_compare(range->from, range->to) >= 0)
        return 0;
    rc = mdb_cursor_open(view->txn, view->engine->data, &cursor);
    if (rc == 0)
        rc = range->descending ? seek_below(cursor, range->to, &key, &value)
                               : mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && r == 1) {
        if (range->descending ? st_compare(st_of_val(key), range->from) < 0
                              : st_compare(st_of_val(key), range->to) >= 0)
            break;
        r = found_at(view, range, key, value, &found, f);
        if (r < 0)
            break;
        r = each(user, &found);
        if (r == 1)
            rc = mdb_cursor_get(cursor, &key, &value, range->descending ? MDB_PREV : MDB_NEXT);
    }
    if (cursor)
        mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return st_fail_mdb(view->engine, f, rc, "reading");
    return r == 1 ? 0 : r;
}
