/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Views, and what is read in them. */
#include "engine_impl.h"

/* Transactions of readers are kept, for beginning one anew takes a lock that all processes have in common. */
MDB_txn *st_reader_take(struct st_engine *e, int *rc)
{
    MDB_txn *txn = NULL;

    pthread_mutex_lock(&e->lock);
    if (e->nidle > 0)
        txn = e->idle[--e->nidle];
    pthread_mutex_unlock(&e->lock);
    *rc = txn ? mdb_txn_renew(txn) : mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);
    if (*rc != 0 && txn) {
        mdb_txn_abort(txn);
        txn = NULL;
    }
    return txn;
}

void st_reader_give(struct st_engine *e, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    pthread_mutex_lock(&e->lock);
    if (e->nidle < ST_IDLE_READERS) {
        e->idle[e->nidle++] = txn;
        txn = NULL;
    }
    pthread_mutex_unlock(&e->lock);
    if (txn)
        mdb_txn_abort(txn);
}

int st_view_stat(const struct st_view *view, const struct st_collection *collection, struct st_stat *stat,
                 struct st_failure *f)
{
    return st_stat_read(view->engine, view->txn, collection->space, stat, f);
}

static int record_at(const struct st_view *view, MDB_val key, struct st_found *found, struct st_failure *f, bool must)
{
    MDB_val value;
    int rc = mdb_get(view->txn, view->engine->data, &key, &value);

    if (rc == MDB_NOTFOUND && !must)
        return st_fail(f, CELL_NOT_FOUND, "there is no such record");
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
    MDB_val at = st_val(key), owner;

    found->key = key;
    if (!index)
        return record_at(view, at, found, f, false);
    int rc = mdb_get(view->txn, view->engine->data, &at, &owner);
    if (rc == MDB_NOTFOUND)
        return st_fail(f, CELL_NOT_FOUND, "there is no such record");
    return rc == 0 ? record_at(view, owner, found, f, true) : st_fail_mdb(view->engine, f, rc, "reading an index");
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
    if (range->index)
        return record_at(view, value, found, f, true);
    if (value.mv_size < 8)
        return st_fail(f, CELL_DATA_LOSS, "a stored record is damaged");
    found->version = st_load64(value.mv_data);
    found->body = (struct st_bytes){(const uint8_t *)value.mv_data + 8, value.mv_size - 8};
    return CELL_OK;
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
