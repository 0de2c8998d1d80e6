/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Snapshots: transactions of readers that stay open for those who have their token. One thread reads in it at a time,
 * as LMDB wants it; the pages that it sees cannot be used again, so that it ends when nobody has used it for a time.
 */
#include "engine_impl.h"

static struct st_snapshot *find(struct st_engine *e, const char *token)
{
    struct st_snapshot *s = e->snapshots;

    while (s && strcmp(s->token, token) != 0)
        s = s->next;
    return s;
}

static void destroy(struct st_snapshot *s)
{
    mdb_txn_abort(s->txn);
    pthread_mutex_destroy(&s->turn);
    free(s);
}

/* Out of the list; whoever uses it last frees it. */
static void unlink_snapshot(struct st_engine *e, struct st_snapshot *s)
{
    struct st_snapshot **at = &e->snapshots;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    e->nsnapshots--;
    s->released = true;
}

int st_snapshot_take(struct st_engine *engine, int64_t *lease_ms, char token[ST_TOKEN_SIZE], struct st_failure *f)
{
    struct st_engine *e = engine;
    int64_t lease = *lease_ms > 0 && *lease_ms < e->options.most_lease_ms ? *lease_ms : e->options.most_lease_ms;
    struct st_snapshot *s = calloc(1, sizeof(*s));
    int rc = 0;

    if (!s || st_random_token(s->token) < 0) {
        free(s);
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    s->txn = st_reader_take(e, &rc);
    if (!s->txn) {
        free(s);
        return st_fail_mdb(e, f, rc, "beginning a snapshot");
    }
    pthread_mutex_init(&s->turn, NULL);
    s->lease_ms = lease;
    s->expires_ms = st_monotonic_ms() + lease;
    st_snapshots_expire(e);
    pthread_mutex_lock(&e->lock);
    bool room = e->nsnapshots < e->options.most_snapshots;
    if (room) {
        s->next = e->snapshots;
        e->snapshots = s;
        e->nsnapshots++;
        memcpy(token, s->token, ST_TOKEN_SIZE);
    }
    pthread_mutex_unlock(&e->lock);
    if (!room) {
        destroy(s);
        return st_fail(f, CELL_RESOURCE_EXHAUSTED, "there are %u snapshots already", e->options.most_snapshots);
    }
    *lease_ms = lease;
    return CELL_OK;
}

int st_snapshot_release(struct st_engine *engine, const char *token, struct st_failure *f)
{
    pthread_mutex_lock(&engine->lock);
    struct st_snapshot *s = find(engine, token);
    bool mine = s && s->users == 0;
    if (s)
        unlink_snapshot(engine, s);
    pthread_mutex_unlock(&engine->lock);
    if (mine)
        destroy(s);
    return s ? CELL_OK : st_fail(f, CELL_NOT_FOUND, "there is no such snapshot any more");
}

void st_snapshots_expire(struct st_engine *e)
{
    int64_t now = st_monotonic_ms();
    struct st_snapshot *over = NULL;

    pthread_mutex_lock(&e->lock);
    for (struct st_snapshot *s = e->snapshots, *next; s; s = next) {
        next = s->next;
        if (s->users > 0 || s->expires_ms > now)
            continue;
        unlink_snapshot(e, s);
        s->next = over;
        over = s;
    }
    pthread_mutex_unlock(&e->lock);
    while (over) {
        struct st_snapshot *next = over->next;
        destroy(over);
        over = next;
    }
}

void st_snapshots_free(struct st_engine *e)
{
    while (e->snapshots) {
        struct st_snapshot *s = e->snapshots;
        e->snapshots = s->next;
        destroy(s);
    }
}

int st_view_begin(struct st_engine *engine, const char *token, struct st_view *view, struct st_failure *f)
{
    struct st_snapshot *s = NULL;
    int rc = 0;

    *view = (struct st_view){.engine = engine};
    if (!token) {
        view->txn = st_reader_take(engine, &rc);
        return view->txn ? CELL_OK : st_fail_mdb(engine, f, rc, "reading");
    }
    pthread_mutex_lock(&engine->lock);
    s = find(engine, token);
    if (s && s->users == 0 && s->expires_ms <= st_monotonic_ms())
        s = NULL;
    if (s)
        s->users++;
    pthread_mutex_unlock(&engine->lock);
    if (!s) /* not CELL_NOT_FOUND, which would say something about a record */
        return st_fail(f, CELL_FAILED_PRECONDITION, "there is no such snapshot any more");
    pthread_mutex_lock(&s->turn);
    view->snapshot = s;
    view->txn = s->txn;
    return CELL_OK;
}

void st_view_end(struct st_view *view)
{
    struct st_snapshot *s = view->snapshot;

    if (!s) {
        st_reader_give(view->engine, view->txn);
        return;
    }
    pthread_mutex_unlock(&s->turn);
    pthread_mutex_lock(&view->engine->lock);
    bool last = --s->users == 0 && s->released;
    s->expires_ms = st_monotonic_ms() + s->lease_ms;
    pthread_mutex_unlock(&view->engine->lock);
    if (last)
        destroy(s);
}
