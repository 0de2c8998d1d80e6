/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_MS 5000      /* for one look: a server that hangs holds up nothing longer */
#define FIRST_MS 1000     /* before the first one */
#define NOTHING_MS 60000  /* between two looks whether tables are followed */
#define UNREAD_MS 5000    /* between two looks when nobody waits */
#define UNNOTIFIED_MS 500 /* when somebody does: a notification may be missing */
#define TRIM_MS 10000
#define RETRY_MS 1000

struct pg_feed {
    struct pg_feed_options options;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stop;
    uint32_t followers;
    uint64_t turn;
    /* the thread's */
    struct pg_listener *listener;
    int64_t trimmed_ms;
};

const struct pg_feed_options *pg_feed_options_of(const struct pg_feed *feed) { return &feed->options; }

static struct timespec after_ms(int64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void stop_listening(struct pg_feed *feed)
{
    pg_unlisten(feed->listener);
    feed->listener = NULL;
}

/* ---- the thread ---- */

static int trim(struct pg_feed *feed, PGconn *conn, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn, "SELECT id FROM cell.followed", 0, NULL, &result, f);

    for (int i = 0; r >= 0 && i < PQntuples(result); i++)
        r = pg_feed_trim(conn, PQgetvalue(result, i, 0), &feed->options.limits, f);
    PQclear(result);
    feed->trimmed_ms = pg_now_ms();
    return r;
}

/* Numbers what there is. 1: something was. */
static int take_turn(struct pg_feed *feed, bool *any, struct pg_failure *f)
{
    PGconn *conn = NULL;
    struct pg_failure ignored;
    int r = pg_lease_take(feed->options.leases, pg_now_ms() + TURN_MS, &conn, f);

    if (r < 0)
        return r;
    r = pg_feed_number_all(conn, PG_FEED_MOST, any, f);
    if (r >= 0 && *any && pg_now_ms() - feed->trimmed_ms >= TRIM_MS)
        trim(feed, conn, &ignored);
    return pg_lease_give(feed->options.leases, conn, r, f);
}

/* False: the feed ends. */
static bool rest(struct pg_feed *feed, int64_t ms, bool unless_waited_for)
{
    struct timespec until = after_ms(ms);
    int waited = 0;

    pthread_mutex_lock(&feed->lock);
    while (!feed->stop && !(unless_waited_for && feed->followers > 0) && waited == 0)
        waited = pthread_cond_timedwait(&feed->changed, &feed->lock, &until);
    bool stop = feed->stop;
    pthread_mutex_unlock(&feed->lock);
    return !stop;
}

/* Until there is something to do. Notifications that have come meanwhile are all answered by one look. */
static bool wait_for_changes(struct pg_feed *feed)
{
    struct pg_notice notice;
    struct pg_failure ignored;

    pthread_mutex_lock(&feed->lock);
    bool waited_for = feed->followers > 0, stop = feed->stop;
    pthread_mutex_unlock(&feed->lock);
    if (stop || !waited_for)
        return !stop && rest(feed, UNREAD_MS, true);
    if (!feed->listener && pg_listen(feed->options.listeners, PG_FEED_CHANNEL, &feed->listener, &ignored) < 0)
        return rest(feed, UNNOTIFIED_MS, false);
    for (int64_t ms = UNNOTIFIED_MS; pg_listener_next(feed->listener, ms, &notice); ms = 0)
        free(notice.payload);
    return true;
}

static void *feed_thread(void *user)
{
    struct pg_feed *feed = user;
    bool on = rest(feed, FIRST_MS, true);

    while (on) {
        struct pg_failure f;
        bool any = false;
        int r = take_turn(feed, &any, &f);
        if (r != CELL_OK) {
            pthread_mutex_lock(&feed->lock);
            feed->turn++;
            pthread_cond_broadcast(&feed->changed);
            pthread_mutex_unlock(&feed->lock);
        }
        if (r > 0) { /* there may be more */
            on = rest(feed, 0, false);
        } else if (any) {
            on = wait_for_changes(feed);
        } else {
            stop_listening(feed);
            on = rest(feed, NOTHING_MS, true) && rest(feed, RETRY_MS, false);
        }
    }
    stop_listening(feed);
    return NULL;
}

/* ---- from outside ---- */

int pg_feed_open(const struct pg_feed_options *options, struct pg_feed **feed, struct pg_failure *f)
{
    struct pg_feed *made = calloc(1, sizeof(*made));
    pthread_condattr_t clock;

    if (!made)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    made->options = *options;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &clock);
    pthread_condattr_destroy(&clock);
    made->running = pthread_create(&made->thread, NULL, feed_thread, made) == 0;
    if (!made->running) {
        pg_feed_close(made);
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "a thread cannot be made");
    }
    *feed = made;
    return CELL_OK;
}

void pg_feed_close(struct pg_feed *feed)
{
    if (!feed)
        return;
    pthread_mutex_lock(&feed->lock);
    feed->stop = true;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
    if (feed->running)
        pthread_join(feed->thread, NULL);
    pthread_cond_destroy(&feed->changed);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

int pg_feed_enter(struct pg_feed *feed, struct pg_failure *f)
{
    pthread_mutex_lock(&feed->lock);
    bool room = feed->followers < feed->options.followers;
    feed->followers += room;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
    return room ? CELL_OK
                : pg_fail(f, CELL_RESOURCE_EXHAUSTED, "there are too many followers: %u is the most",
                          feed->options.followers);
}

void pg_feed_leave(struct pg_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    feed->followers--;
    pthread_mutex_unlock(&feed->lock);
}

uint64_t pg_feed_turn(struct pg_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    uint64_t turn = feed->turn;
    pthread_mutex_unlock(&feed->lock);
    return turn;
}

void pg_feed_wait(struct pg_feed *feed, uint64_t turn, int64_t ms)
{
    struct timespec until = after_ms(ms);
    int waited = 0;

    pthread_mutex_lock(&feed->lock);
    while (feed->turn == turn && !feed->stop && waited == 0)
        waited = pthread_cond_timedwait(&feed->changed, &feed->lock, &until);
    pthread_mutex_unlock(&feed->lock);
}
