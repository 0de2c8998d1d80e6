/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What was committed goes from SQLite's log into the file by a thread of its own: that waits for the disk, twice, and
 * who writes would wait with it, and all that is to be found meanwhile. The log begins anew when nothing is in it that
 * the file has not. While it is written all the time there is always something, so where it has become long the writer
 * does the rest, behind the thread: that are a few pages.
 */
#include "index_impl.h"

/* The shorter the log, the less the disk has to take at once while others wait for it. */
#define EVERY_PAGES 150
#define LONG_PAGES 600
#define MOST_PAGES 3000 /* then the writer waits for all of it */

static void work(sqlite3 *db) { sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL); }

static void *run(void *user)
{
    struct search_index *x = user;
    struct index_checkpoints *c = &x->checkpoints;
    struct search_failure f;
    sqlite3 *db = NULL;
    int r = index_connect(x->path, true, &db, &f);

    pthread_mutex_lock(&c->lock);
    c->broken = r < 0;
    while (!c->stop && !c->broken) {
        if (!c->wanted) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        c->running = true;
        bool again = c->small;
        pthread_mutex_unlock(&c->lock);
        work(db);
        if (again) /* for what has come meanwhile, so that less is left to the writer */
            work(db);
        pthread_mutex_lock(&c->lock);
        c->wanted = c->running = false;
        c->done = true;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    sqlite3_close(db);
    return NULL;
}

/* With the lock. False: there is no thread that does it. */
static bool ask(struct search_index *x)
{
    struct index_checkpoints *c = &x->checkpoints;

    if (!c->has_thread)
        c->has_thread = pthread_create(&c->thread, NULL, run, x) == 0;
    if (!c->has_thread || c->broken)
        return false;
    c->wanted = true;
    pthread_cond_broadcast(&c->changed);
    return true;
}

/* After each commit, in the writer's thread: so many pages are in the log. */
static int committed(void *user, sqlite3 *db, const char *name, int pages)
{
    struct search_index *x = user;
    struct index_checkpoints *c = &x->checkpoints;
    bool here = false;

    (void)name;
    pthread_mutex_lock(&c->lock);
    if (pages < c->seen) /* it has begun anew */
        c->asked = c->seen = 0;
    c->small = pages - c->seen < EVERY_PAGES;
    c->seen = pages;
    if (pages >= MOST_PAGES || (pages >= LONG_PAGES && c->done)) {
        while (c->running)
            pthread_cond_wait(&c->changed, &c->lock);
        here = true;
    } else if (pages - c->asked >= EVERY_PAGES) {
        c->asked = pages;
        here = !ask(x);
    }
    c->done = false;
    pthread_mutex_unlock(&c->lock);
    if (here)
        work(db);
    return SQLITE_OK;
}

void index_checkpoints_begin(struct search_index *x)
{
    pthread_mutex_init(&x->checkpoints.lock, NULL);
    pthread_cond_init(&x->checkpoints.changed, NULL);
    x->checkpoints.begun = true;
    sqlite3_wal_hook(x->db, committed, x);
}

void index_checkpoints_end(struct search_index *x)
{
    struct index_checkpoints *c = &x->checkpoints;

    if (!c->begun)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->has_thread)
        pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
}
