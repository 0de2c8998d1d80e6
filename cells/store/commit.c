/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Who writes: one of the threads that want to, for all that wait with it. So writes that come while a commit is on its
 * way to the disk share the next one. A request that fails after it has written something is carried out once more
 * alone, as are the others of its batch, for a transaction cannot be undone in part.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "engine_impl.h"

#define MORE_BYTES (1 << 20)

/* LMDB takes a write that was cut short, which is how a disk that becomes full begins, for a failure of the disk. */
static int commit(struct st_engine *e, MDB_txn *txn)
{
    int rc = mdb_txn_commit(txn), fd = -1, no_room;
    struct stat st;

    if (rc != EIO || mdb_env_get_fd(e->env, &fd) != 0 || fstat(fd, &st) < 0)
        return rc;
    no_room = posix_fallocate(fd, st.st_size, MORE_BYTES);
    return no_room == ENOSPC || no_room == EDQUOT || no_room == EFBIG ? no_room : rc;
}

static int run_request(struct st_engine *e, MDB_txn *txn, struct st_request *q, bool *dirty)
{
    if (q->work) {
        *dirty = true;
        return q->work(e, txn, q->user, &q->f);
    }
    return st_apply_writes(e, txn, q->collection, q->writes, q->n, dirty, &q->f);
}

/* What the collections have to say at the end of a transaction: what is too much in their feeds, and how much it is. */
static int finish_collections(struct st_engine *e, MDB_txn *txn, struct st_failure *f)
{
    int r = CELL_OK;
    bool more;

    for (size_t i = 0; r >= 0 && i < e->ncollections; i++) {
        struct st_collection *c = e->collections[i];
        if (!c->touched)
            continue;
        r = st_feed_trim(e, txn, c, 2 * c->added + 16, &more, f);
        if (r >= 0)
            r = st_stat_write(e, txn, c->space, &c->work, f);
    }
    return r;
}

static void settle(struct st_engine *e, bool committed)
{
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->ncollections; i++) {
        struct st_collection *c = e->collections[i];
        if (c->touched && committed)
            c->stat = c->work;
        c->touched = false;
    }
    if (committed)
        pthread_cond_broadcast(&e->changed);
    st_readers_go_on(e);
    pthread_mutex_unlock(&e->lock);
}

/* False: each of them is to be tried alone. */
static bool try_batch(struct st_engine *e, struct st_request **batch, uint32_t n)
{
    MDB_txn *txn = NULL;
    struct st_failure f = {0};
    bool all_wrote_nothing = true, undone = false;
    st_readers_rest(e);
    int r = st_fail_mdb(e, &f, mdb_txn_begin(e->env, NULL, 0, &txn), "writing");

    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        bool dirty = false;
        batch[i]->r = run_request(e, txn, batch[i], &dirty);
        undone = undone || (batch[i]->r < 0 && dirty);
        all_wrote_nothing = all_wrote_nothing && batch[i]->r < 0;
        if (undone)
            break;
    }
    if (r >= 0 && !undone && !all_wrote_nothing)
        r = finish_collections(e, txn, &f);
    if (txn && (r < 0 || undone || all_wrote_nothing)) {
        mdb_txn_abort(txn);
        txn = NULL;
    } else if (txn) {
        r = st_fail_mdb(e, &f, commit(e, txn), "writing to the disk");
    }
    settle(e, txn && r >= 0);
    if (n > 1 && (undone || r < 0))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct st_request *q = batch[i];
        if (r < 0 && q->r >= 0) {
            q->r = r;
            q->f = f;
        }
        if (q->r >= 0 && q->done)
            q->done(e, q->user);
    }
    return true;
}

static void run_batch(struct st_engine *e, struct st_request **batch, uint32_t n)
{
    if (try_batch(e, batch, n))
        return;
    for (uint32_t i = 0; i < n; i++) {
        batch[i]->r = CELL_OK;
        try_batch(e, &batch[i], 1);
    }
}

static uint32_t take_batch(struct st_engine *e, struct st_request *batch[ST_MOST_BATCH])
{
    uint32_t n = 0;

    while (e->first && n < ST_MOST_BATCH) {
        batch[n++] = e->first;
        e->first = e->first->next;
    }
    if (!e->first)
        e->last = &e->first;
    return n;
}

/* Waits for its turn, or for somebody who does it; with the lock. */
static void take_part(struct st_engine *e, struct st_request *q)
{
    struct st_request *batch[ST_MOST_BATCH];

    *e->last = q;
    e->last = &q->next;
    while (!q->complete && e->leading)
        pthread_cond_wait(&q->wake, &e->lock);
    if (q->complete)
        return;
    e->leading = true;
    while (!q->complete) {
        uint32_t n = take_batch(e, batch);
        pthread_mutex_unlock(&e->lock);
        run_batch(e, batch, n);
        pthread_mutex_lock(&e->lock);
        for (uint32_t i = 0; i < n; i++) {
            batch[i]->complete = true;
            pthread_cond_signal(&batch[i]->wake);
        }
    }
    e->leading = false;
    if (e->first)
        pthread_cond_signal(&e->first->wake);
}

static int submit(struct st_engine *e, struct st_request *q, struct st_failure *f)
{
    pthread_cond_init(&q->wake, NULL);
    pthread_mutex_lock(&e->lock);
    take_part(e, q);
    pthread_mutex_unlock(&e->lock);
    pthread_cond_destroy(&q->wake);
    if (q->r < 0 && f)
        *f = q->f;
    return q->r;
}

int st_engine_write(struct st_engine *engine, struct st_collection *collection, struct st_write *writes, uint32_t n,
                    struct st_failure *f)
{
    struct st_request q = {.collection = collection, .writes = writes, .n = n};

    return n == 0 ? CELL_OK : submit(engine, &q, f);
}

int st_engine_work(struct st_engine *e, st_work_fn *work, void (*done)(struct st_engine *e, void *user), void *user,
                   struct st_failure *f)
{
    struct st_request q = {.work = work, .done = done, .user = user};

    return submit(e, &q, f);
}
