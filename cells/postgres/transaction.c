/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "transaction.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pool_impl.h"

struct pg_transaction {
    struct pg_link *link; /* NULL = this place is free */
    char token[PG_TRANSACTION_TOKEN_SIZE];
    uint32_t uid;
    int32_t pid;
    int process;                            /* a pidfd; −1 when there is none */
    bool used;                              /* a call runs in it, or it is being made */
    bool doomed;                            /* nobody can go on with it: whoever uses it ends it */
    bool aborted;                           /* by a conflict; who uses it looks and says */
    char before[PG_TRANSACTION_TOKEN_SIZE]; /* of the one that its caller has ended here last */
};

/* Somebody who waits for a place. */
struct waiting {
    uint32_t uid;
    struct waiting *next;
};

struct pg_transactions {
    struct pg_pool *pool;
    uint32_t most, most_per_uid, idle_ms;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t put;   /* one is not used any more, or has ended */
    struct waiting *first, **last;
    struct pg_transaction *all;
    pthread_t watcher;
    bool watching; /* the thread is there, and looks at everything again when it is woken */
    bool started;  /* and has to be joined */
    bool stop;
    int wake; /* an eventfd */
};

struct pg_transactions *pg_transactions_new(struct pg_pool *pool, uint32_t most, uint32_t most_per_uid,
                                            uint32_t idle_ms)
{
    struct pg_transactions *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    *t = (struct pg_transactions){.pool = pool, .most = most, .most_per_uid = most_per_uid, .idle_ms = idle_ms};
    t->last = &t->first;
    t->all = calloc(most, sizeof(*t->all));
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&t->lock, NULL);
    pool_init_cond(&t->put);
    if (!t->all || t->wake < 0) {
        pg_transactions_free(t);
        return NULL;
    }
    return t;
}

static void make_free(struct pg_transaction *x)
{
    struct pg_transaction none = {.process = -1};

    memcpy(none.before, x->before, sizeof(none.before));
    *x = none;
}

/* With the lock. Its link is the caller's now, to be given back. */
static struct pg_link *clear(struct pg_transaction *x)
{
    struct pg_link *link = x->link;

    if (x->process >= 0)
        close(x->process);
    make_free(x);
    return link;
}

static void wake(struct pg_transactions *t)
{
    const uint64_t one = 1;

    /* When it is full the thread is awake already. */
    if (write(t->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return;
}

void pg_transactions_free(struct pg_transactions *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    bool join = t->started;
    pthread_mutex_unlock(&t->lock);
    if (join) {
        wake(t);
        pthread_join(t->watcher, NULL);
    }
    for (uint32_t i = 0; t->all && i < t->most; i++)
        if (t->all[i].link)
            pg_pool_unpin(t->pool, clear(&t->all[i]), false);
    if (t->wake >= 0)
        close(t->wake);
    pthread_cond_destroy(&t->put);
    pthread_mutex_destroy(&t->lock);
    free(t->all);
    free(t);
}

/* With the lock: those whose process has ended. Without anything to look at the thread ends, and says so. */
static nfds_t collect(struct pg_transactions *t, struct pollfd *fds)
{
    nfds_t n = 1;

    fds[0] = (struct pollfd){.fd = t->wake, .events = POLLIN};
    for (uint32_t i = 0; i < t->most; i++) {
        if (!t->all[i].link || t->all[i].process < 0 || t->all[i].doomed)
            continue;
        fds[n++] = (struct pollfd){.fd = t->all[i].process, .events = POLLIN};
    }
    return n;
}

/* With the lock. What was waited for without it may be another file by now, or none. */
static bool has_ended(const struct pg_transaction *x)
{
    struct pollfd now = {.fd = x->process, .events = POLLIN};

    return x->link && x->process >= 0 && poll(&now, 1, 0) > 0 && now.revents & POLLIN;
}

/* Of those with which nobody can go on. */
static void roll_back_doomed(struct pg_transactions *t)
{
    for (uint32_t i = 0; i < t->most; i++) {
        struct pg_transaction *x = &t->all[i];
        struct pg_link *link = NULL;
        pthread_mutex_lock(&t->lock);
        x->doomed = x->doomed || has_ended(x);
        if (x->link && x->doomed && !x->used) {
            link = clear(x);
            pthread_cond_broadcast(&t->put);
        }
        pthread_mutex_unlock(&t->lock);
        if (link)
            pg_pool_unpin(t->pool, link, true);
    }
}

/* With the lock. That may be one more since it was looked. */
static bool has_doomed(const struct pg_transactions *t)
{
    for (uint32_t i = 0; i < t->most; i++)
        if (t->all[i].link && t->all[i].doomed && !t->all[i].used)
            return true;
    return false;
}

static void *watch(void *argument)
{
    struct pg_transactions *t = argument;
    struct pollfd *fds = calloc((size_t)t->most + 1, sizeof(*fds));
    uint64_t ignored;

    for (;;) {
        roll_back_doomed(t);
        pthread_mutex_lock(&t->lock);
        nfds_t n = fds ? collect(t, fds) : 1;
        if (t->stop || (n == 1 && !has_doomed(t))) {
            t->watching = false;
            pthread_mutex_unlock(&t->lock);
            break;
        }
        pthread_mutex_unlock(&t->lock);
        if (n > 1 && poll(fds, n, -1) > 0 && fds[0].revents && read(t->wake, &ignored, sizeof(ignored)) < 0 &&
            errno != EAGAIN)
            continue;
    }
    free(fds);
    return NULL;
}

/* With the lock. */
static void see_to_watcher(struct pg_transactions *t)
{
    if (t->watching) {
        wake(t);
        return;
    }
    if (t->started)
        pthread_join(t->watcher, NULL); /* it has said that it ends, and takes no lock any more */
    /* Without a thread the idle timeout remains. */
    t->started = t->watching = pthread_create(&t->watcher, NULL, watch, t) == 0;
}

/* ---- places; the lock is held ---- */

static uint32_t count_of(const struct pg_transactions *t, uint32_t uid)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->most; i++)
        n += (t->all[i].link || t->all[i].used) && t->all[i].uid == uid;
    return n;
}

static struct pg_transaction *find_free(const struct pg_transactions *t)
{
    for (uint32_t i = 0; i < t->most; i++)
        if (!t->all[i].link && !t->all[i].used)
            return &t->all[i];
    return NULL;
}

/* Whose turn it is: of the users who may have one more, the one who has the fewest, then who came first. */
static const struct waiting *find_next(const struct pg_transactions *t)
{
    const struct waiting *next = NULL;
    uint32_t fewest = t->most_per_uid;

    for (const struct waiting *w = t->first; w; w = w->next) {
        uint32_t n = count_of(t, w->uid);
        if (n < fewest) {
            fewest = n;
            next = w;
        }
    }
    return next;
}

static struct pg_transaction *take_in_turn(struct pg_transactions *t, const struct waiting *self)
{
    struct pg_transaction *x = find_free(t);

    if (!x || find_next(t) != self)
        return NULL;
    make_free(x);
    x->uid = self->uid;
    x->used = true;
    return x;
}

static void leave_line(struct pg_transactions *t, const struct waiting *self)
{
    struct waiting **at = &t->first;

    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    if (t->last == &self->next)
        t->last = at;
}

static int fail_all_used(const struct pg_transactions *t, uint32_t uid, bool waited, struct pg_failure *f)
{
    bool own = count_of(t, uid) >= t->most_per_uid;
    uint32_t n = own ? t->most_per_uid : t->most;
    char all[32];

    snprintf(all, sizeof(all), n == 1 ? "the one transaction" : "all %u transactions", n);
    return pg_fail(f, CELL_RESOURCE_EXHAUSTED,
                   "%s that %s may have open at once %s in use%s: end %s sooner, or start the cell with a larger "
                   "--own-connections",
                   all, own ? "one user" : "all users together", n == 1 ? "is" : "are",
                   waited ? "" : ", and as many calls wait as may", n == 1 ? "it" : "some of them");
}

static void make_token(char token[PG_TRANSACTION_TOKEN_SIZE])
{
    unsigned char bytes[16];

    while (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        continue;
    for (unsigned i = 0; i < 16; i++)
        snprintf(token + (size_t)2 * i, 3, "%02x", bytes[i]);
}

/* Ends those that PostgreSQL has ended, so that their places and connections are free. */
static void sweep(struct pg_transactions *t)
{
    for (uint32_t i = 0; i < t->most; i++) {
        struct pg_transaction *x = &t->all[i];
        struct pg_link *link = NULL;
        pthread_mutex_lock(&t->lock);
        if (x->link && !x->used && !pg_link_is_alive(x->link)) {
            link = clear(x);
            pthread_cond_broadcast(&t->put);
        }
        pthread_mutex_unlock(&t->lock);
        if (link)
            pg_pool_unpin(t->pool, link, false);
    }
}

/* ---- beginning ---- */

/* Waits for a place, without the lock. What the database ends by itself nobody tells. */
static int wait_in_line(struct pg_transactions *t, struct waiting *self, const struct pg_patience *whole,
                        struct pg_transaction **taken, struct pg_failure *f)
{
    const struct pg_patience patience = pool_most_of(whole);
    bool waits = pool_stand_aside(&patience);
    int r = CELL_OK;

    while (r >= 0 && !*taken) {
        sweep(t);
        pthread_mutex_lock(&t->lock);
        *taken = take_in_turn(t, self);
        if (!*taken && waits) {
            pool_wait_cond(&t->put, &t->lock, &patience);
            *taken = take_in_turn(t, self);
        }
        if (!*taken)
            r = waits ? pool_check_patience(&patience, f) : CELL_DEADLINE_EXCEEDED;
        if (r == CELL_DEADLINE_EXCEEDED)
            r = fail_all_used(t, self->uid, waits, f);
        pthread_mutex_unlock(&t->lock);
    }
    return r;
}

/* A free place, which is taken. */
static int take_place(struct pg_transactions *t, uint32_t uid, const struct pg_patience *patience,
                      struct pg_transaction **taken, struct pg_failure *f)
{
    struct waiting self = {.uid = uid};
    int r = CELL_OK;

    pthread_mutex_lock(&t->lock);
    *t->last = &self;
    t->last = &self.next;
    *taken = take_in_turn(t, &self);
    pthread_mutex_unlock(&t->lock);
    if (!*taken)
        r = wait_in_line(t, &self, patience, taken, f);
    pthread_mutex_lock(&t->lock);
    leave_line(t, &self);
    /* There may be another place, and it was this one's turn. */
    if (t->first)
        pthread_cond_broadcast(&t->put);
    pthread_mutex_unlock(&t->lock);
    return r;
}

static int begin_on_one(struct pg_transactions *t, const char *begin, const struct pg_patience *patience,
                        struct pg_link **link, struct pg_failure *f)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "%s; SET LOCAL idle_in_transaction_session_timeout = %" PRIu32, begin, t->idle_ms);
    return pg_pool_pin_begun(t->pool, sql, patience, link, f);
}

int pg_transaction_begin(struct pg_transactions *t, const struct cell_caller *caller, const char *begin,
                         const struct pg_patience *patience, char token[PG_TRANSACTION_TOKEN_SIZE],
                         struct pg_failure *f)
{
    struct pg_link *link = NULL;
    struct pg_transaction *x = NULL;
    /* Before anything is begun, so that an end in between is seen. Where it is another process that has this number,
     * or none can be seen, there is the idle timeout. */
    int process = caller->pid > 0 ? (int)syscall(SYS_pidfd_open, caller->pid, 0) : -1;

    *f = (struct pg_failure){0};
    if (process < 0 && caller->pid > 0 && errno == ESRCH)
        return pg_fail(f, CELL_CANCELLED, "the program has ended");
    int r = take_place(t, caller->uid, patience, &x, f);
    if (r < 0) {
        if (process >= 0)
            close(process);
        return r;
    }
    r = begin_on_one(t, begin, patience, &link, f);
    if (r >= 0)
        r = pool_check_patience(patience, f); /* nobody would end it */
    pthread_mutex_lock(&t->lock);
    if (r < 0) {
        make_free(x);
        pthread_cond_broadcast(&t->put);
    } else {
        x->link = link;
        x->pid = caller->pid;
        x->process = process;
        x->used = false;
        make_token(x->token);
        memcpy(token, x->token, PG_TRANSACTION_TOKEN_SIZE);
        if (process >= 0)
            see_to_watcher(t);
    }
    pthread_mutex_unlock(&t->lock);
    if (r < 0 && process >= 0)
        close(process);
    if (r < 0 && link)
        pg_pool_unpin(t->pool, link, true);
    return r;
}

/* Without telling by its time how much of a token is right. */
static bool same_token(const char *a, cell_str b)
{
    unsigned different = b.len != PG_TRANSACTION_TOKEN_SIZE - 1;

    for (uint64_t i = 0; i < b.len && i < PG_TRANSACTION_TOKEN_SIZE - 1; i++)
        different |= (unsigned char)a[i] ^ (unsigned char)b.ptr[i];
    return different == 0;
}

/* With the lock. */
static struct pg_transaction *find(struct pg_transactions *t, const struct cell_caller *caller, cell_str token)
{
    for (uint32_t i = 0; i < t->most; i++) {
        struct pg_transaction *x = &t->all[i];
        if (x->link && same_token(x->token, token) && x->uid == caller->uid && x->pid == caller->pid)
            return x;
    }
    return NULL;
}

static bool has_ended_lately(const struct pg_transactions *t, cell_str token)
{
    for (uint32_t i = 0; i < t->most; i++)
        if (same_token(t->all[i].before, token))
            return true;
    return false;
}

static int fail_gone(const struct pg_transactions *t, cell_str token, struct pg_failure *f)
{
    if (has_ended_lately(t, token))
        return pg_fail(f, CELL_FAILED_PRECONDITION, "this transaction was committed or rolled back already");
    return pg_fail(f, CELL_ABORTED,
                   "there is no such transaction of this program any more: it was idle for longer than %" PRIu32
                   " s, its connection was lost, or the cell was started anew. Nothing of it was stored",
                   t->idle_ms / 1000);
}

int pg_transaction_get(struct pg_transactions *t, const struct cell_caller *caller, cell_str token,
                       const struct pg_patience *patience, struct pg_transaction **transaction, struct pg_failure *f)
{
    struct pg_transaction *x;
    int r = CELL_OK;

    pthread_mutex_lock(&t->lock);
    while ((x = find(t, caller, token)) && x->used && r >= 0) {
        pool_wait_cond(&t->put, &t->lock, patience);
        r = pool_check_patience(patience, f);
    }
    if (x && r >= 0) {
        x->used = true;
        *transaction = x;
    }
    if (!x)
        r = fail_gone(t, token, f);
    pthread_mutex_unlock(&t->lock);
    return r;
}

void pg_transactions_forget(struct pg_transactions *t, const char *token)
{
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->most; i++) {
        struct pg_transaction *x = &t->all[i];
        if (!x->link || !same_token(x->token, cell_strz(token)))
            continue;
        x->doomed = true;
        see_to_watcher(t);
    }
    pthread_mutex_unlock(&t->lock);
}

struct pg_link *pg_transaction_link(struct pg_transaction *transaction) { return transaction->link; }

int pg_transaction_result(struct pg_transaction *transaction, int r, struct pg_failure *f)
{
    if (r < 0 && r != CELL_ABORTED && transaction->aborted)
        r = pg_fail(f, CELL_ABORTED, "an earlier call of this transaction was aborted by a conflict with another one");
    transaction->aborted = transaction->aborted || r == CELL_ABORTED;
    return r;
}

void pg_transaction_put(struct pg_transactions *t, struct pg_transaction *transaction)
{
    struct pg_link *link = NULL;

    pthread_mutex_lock(&t->lock);
    transaction->used = false;
    if (transaction->doomed)
        link = clear(transaction);
    pthread_cond_broadcast(&t->put);
    pthread_mutex_unlock(&t->lock);
    if (link)
        pg_pool_unpin(t->pool, link, true);
}

void pg_transaction_end(struct pg_transactions *t, struct pg_transaction *transaction, bool by_caller)
{
    pthread_mutex_lock(&t->lock);
    if (by_caller)
        memcpy(transaction->before, transaction->token, sizeof(transaction->before));
    struct pg_link *link = clear(transaction);
    /* The thread has nothing to wait for when this was the last one. */
    if (t->watching)
        wake(t);
    pthread_cond_broadcast(&t->put);
    pthread_mutex_unlock(&t->lock);
    pg_pool_unpin(t->pool, link, true);
}
