/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Fair shares of the places for handlers; server_gate.h says how and why. */
#include "server_gate.h"

#include <stddef.h>

#include "base/util.h"

#define EXPIRE_NS (GATE_RECENT_NS / 10)

/* ---- the word of a process ---- */

#define ONE_QUOTA (UINT64_C(1) << GATE_QUOTA_SHIFT)

static uint32_t running_in(uint64_t word) { return (uint32_t)(word & GATE_RUNNING); }
static uint32_t quota_in(uint64_t word) { return (uint32_t)(word >> GATE_QUOTA_SHIFT & GATE_RUNNING); }
static uint64_t word_of(const struct gate_process *p) { return atomic_load(&p->word); }

/* Takes back what is not in use of the quota, down to `keep`. */
static void trim(struct server_gate *g, struct gate_process *p, uint32_t keep)
{
    uint64_t word = word_of(p);
    uint32_t freed;
    do {
        uint32_t least = running_in(word) > keep ? running_in(word) : keep;
        freed = quota_in(word) > least ? quota_in(word) - least : 0;
    } while (freed && !atomic_compare_exchange_weak(&p->word, &word, word - freed * ONE_QUOTA));
    g->assigned -= freed;
    p->uid->quota -= freed;
}

/* ---- shares ---- */

static uint32_t at_least_one(uint32_t n) { return n ? n : 1; }

/* What `active` ones may have each, when there are more of them connected: their first calls find something free. */
static uint32_t share_of_places(uint32_t places, uint32_t active, uint32_t connected)
{
    if (connected > active && places > 1)
        places -= at_least_one(places / 8);
    return at_least_one(places / at_least_one(active));
}

static uint32_t share_of_uid(const struct server_gate *g)
{
    return share_of_places(g->limit, g->nactive_uids, g->nuids);
}

static uint32_t share_of(const struct server_gate *g, const struct gate_process *p)
{
    return share_of_places(share_of_uid(g), p->uid->nactive, p->uid->nconnected);
}

static bool below_share(const struct server_gate *g, const struct gate_process *p)
{
    return p->uid->quota < share_of_uid(g) && quota_in(word_of(p)) < share_of(g, p);
}

/* ---- who is active ---- */

/* Calls `fn` for each active process; it may deactivate that one. */
static void for_each(struct server_gate *g, void (*fn)(struct server_gate *g, struct gate_process *p))
{
    for (struct gate_uid *u = g->active, *after; u; u = after) {
        after = u->next;
        for (struct gate_process *p = u->active, *next; p; p = next) {
            next = p->next;
            fn(g, p);
        }
    }
}

static void trim_idle(struct server_gate *g, struct gate_process *p) { trim(g, p, 0); }

/* Decides whether the lock has to see every enter and leave of a process: when it runs more than its share, which is
 * taken back as it ends; when it has calls in line itself; and when its places are what others wait for. So a hostile
 * process that has its share and a long line does not slow down the others. Unused quota beyond the share is taken. */
static void settle(struct server_gate *g, struct gate_process *p)
{
    bool waited_for = g->short_of_places || p->uid->short_of_places || p->nwaiting;
    uint32_t keep = waited_for ? 0 : share_of(g, p);
    if (waited_for || quota_in(word_of(p)) > keep)
        atomic_fetch_or(&p->word, GATE_CALLS);
    trim(g, p, keep);
    if (!waited_for && quota_in(word_of(p)) <= keep)
        atomic_fetch_and(&p->word, ~GATE_CALLS);
}

static void settle_uid(struct server_gate *g, struct gate_uid *u)
{
    for (struct gate_process *p = u->active; p; p = p->next)
        settle(g, p);
}

static void deactivate(struct server_gate *g, struct gate_process *p)
{
    struct gate_uid *u = p->uid, **at_uid = &g->active;
    struct gate_process **at = &u->active;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->active = false;
    atomic_fetch_sub(&g->nactive, 1);
    if (--u->nactive)
        return;
    while (*at_uid != u)
        at_uid = &(*at_uid)->next;
    *at_uid = u->next;
    g->nactive_uids--;
}

static void activate(struct server_gate *g, struct gate_process *p)
{
    struct gate_uid *u = p->uid;
    p->active = true;
    p->next = u->active;
    u->active = p;
    atomic_fetch_add(&g->nactive, 1);
    if (u->nactive++ == 0) {
        u->next = g->active;
        g->active = u;
        g->nactive_uids++;
    }
    for_each(g, settle);
}

static void expire_one(struct server_gate *g, struct gate_process *p)
{
    uint64_t last = atomic_load_explicit(&p->last_ns, memory_order_relaxed);
    if (p->nwaiting || last + GATE_RECENT_NS + EXPIRE_NS >= g->expire_ns)
        return;
    trim(g, p, 0);
    if (quota_in(word_of(p)) == 0)
        deactivate(g, p);
}

static void expire(struct server_gate *g, uint64_t now_ns)
{
    if (now_ns < g->expire_ns)
        return;
    g->expire_ns = now_ns + EXPIRE_NS;
    for_each(g, expire_one);
}

/* ---- places ---- */

/* The process may have another place, and there is one. */
static bool place_for(struct server_gate *g, const struct gate_process *p)
{
    if (below_share(g, p) && g->assigned < g->limit)
        return true;
    for_each(g, trim_idle);
    return below_share(g, p) && g->assigned < g->limit;
}

static void take_place(struct server_gate *g, struct gate_process *p)
{
    g->assigned++;
    p->uid->quota++;
    atomic_fetch_add(&p->word, (ONE_QUOTA + 1));
}

/* Of those with less than their share, the one that was served least; NULL = nobody. */
static struct gate_process *next_process(const struct server_gate *g, const struct gate_uid *u)
{
    struct gate_process *best = NULL;
    uint32_t share = share_of(g, u->active);
    for (struct gate_process *p = u->active; p; p = p->next)
        if (p->nwaiting && quota_in(word_of(p)) < share && (!best || p->served_ns < best->served_ns))
            best = p;
    return best;
}

static struct gate_process *next_in_line(const struct server_gate *g)
{
    struct gate_process *best = NULL;
    uint32_t share = share_of_uid(g);
    for (struct gate_uid *u = g->active; u; u = u->next) {
        if (!u->nwaiting || u->quota >= share || (best && u->served_ns >= best->uid->served_ns))
            continue;
        struct gate_process *p = next_process(g, u);
        if (p)
            best = p;
    }
    return best;
}

static struct gate_waiter *take_waiter(struct server_gate *g, struct gate_process *p)
{
    struct gate_waiter *w = p->first;
    p->first = w->next;
    if (!p->first)
        p->last = &p->first;
    p->nwaiting--;
    p->uid->nwaiting--;
    g->nwaiting--;
    return w;
}

static struct gate_waiter *admit_one(struct server_gate *g, struct gate_process *p, uint64_t now_ns)
{
    struct gate_waiter *w = take_waiter(g, p);
    if (p->uid->served_ns > g->clock_ns)
        g->clock_ns = p->uid->served_ns;
    if (p->served_ns > p->uid->clock_ns)
        p->uid->clock_ns = p->served_ns;
    atomic_store_explicit(&p->last_ns, now_ns, memory_order_relaxed);
    take_place(g, p);
    settle(g, p);
    w->since_ns = now_ns;
    w->next = NULL;
    return w;
}

/* Who is next in line, after what is not in use was taken from the others if there is no place otherwise; NULL: nobody,
 * or there is none. Then the places that are waited for are seen when they get free. */
static struct gate_process *find_place(struct server_gate *g)
{
    struct gate_process *p = next_in_line(g);
    if (p && g->assigned >= g->limit)
        for_each(g, trim_idle);
    bool short_of_places = p && g->assigned >= g->limit;
    if (short_of_places != g->short_of_places) {
        /* A place that got free before everybody had to call in was seen by nobody: settle takes it. */
        g->short_of_places = short_of_places;
        for_each(g, settle);
    }
    return p && g->assigned < g->limit ? p : NULL;
}

/* The same for users that have their share, with processes that have not. True when that let in somebody. */
static bool find_place_of_user(struct server_gate *g)
{
    bool found = false;
    uint32_t share = share_of_uid(g);
    for (struct gate_uid *u = g->active; u; u = u->next) {
        bool short_of_places = u->nwaiting && u->quota >= share && next_process(g, u);
        if (short_of_places == u->short_of_places)
            continue;
        u->short_of_places = short_of_places;
        settle_uid(g, u);
        found = found || (short_of_places && u->quota < share);
    }
    return found;
}

/* Gives free places to who waits. */
static struct gate_waiter *admit(struct server_gate *g, uint64_t now_ns)
{
    struct gate_waiter *admitted = NULL, **last = &admitted;
    struct gate_process *p;
    if (g->nwaiting)
        expire(g, now_ns);
    do {
        while ((p = find_place(g)) != NULL) {
            *last = admit_one(g, p, now_ns);
            last = &(*last)->next;
        }
    } while (find_place_of_user(g));
    return admitted;
}

/* Who was away does not come back with a claim on all the time that the others had meanwhile. */
static void catch_up(const struct server_gate *g, struct gate_process *p)
{
    struct gate_uid *u = p->uid;
    if (!u->nwaiting && !u->quota && u->served_ns < g->clock_ns)
        u->served_ns = g->clock_ns;
    if (!p->nwaiting && !quota_in(word_of(p)) && p->served_ns < u->clock_ns)
        p->served_ns = u->clock_ns;
}

/* ---- the interface ---- */

void cell_gate_init(struct server_gate *g, uint32_t limit)
{
    *g = (struct server_gate){.limit = limit > GATE_MAX_LIMIT ? GATE_MAX_LIMIT : limit};
    pthread_mutex_init(&g->lock, NULL);
}

void cell_gate_destroy(struct server_gate *g) { pthread_mutex_destroy(&g->lock); }

void cell_gate_join(struct server_gate *g, struct gate_process *p, struct gate_uid *uid)
{
    *p = (struct gate_process){.uid = uid};
    p->last = &p->first;
    pthread_mutex_lock(&g->lock);
    if (uid->nconnected++ == 0)
        g->nuids++;
    for_each(g, settle);
    pthread_mutex_unlock(&g->lock);
}

void cell_gate_forget(struct server_gate *g, struct gate_process *p)
{
    pthread_mutex_lock(&g->lock);
    trim(g, p, 0);
    if (p->active)
        deactivate(g, p);
    if (--p->uid->nconnected == 0)
        g->nuids--;
    pthread_mutex_unlock(&g->lock);
}

bool cell_gate_try(struct gate_process *p, uint64_t now_ns)
{
    uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
    do {
        if ((word & GATE_CALLS) || running_in(word) >= quota_in(word))
            return false;
    } while (
        !atomic_compare_exchange_weak_explicit(&p->word, &word, word + 1, memory_order_acquire, memory_order_relaxed));
    atomic_store_explicit(&p->last_ns, now_ns, memory_order_relaxed);
    return true;
}

static bool take_out(struct gate_waiter **list, const struct gate_waiter *w)
{
    for (; *list; list = &(*list)->next)
        if (*list == w) {
            *list = w->next;
            return true;
        }
    return false;
}

bool cell_gate_enter(struct server_gate *g, struct gate_process *p, struct gate_waiter *w, uint64_t now_ns,
                     struct gate_waiter **admitted)
{
    *admitted = NULL;
    pthread_mutex_lock(&g->lock);
    expire(g, now_ns);
    if (!p->active)
        activate(g, p);
    atomic_store_explicit(&p->last_ns, now_ns, memory_order_relaxed);
    trim(g, p, 0);
    catch_up(g, p);
    bool entered = !p->nwaiting && place_for(g, p);
    if (entered) {
        take_place(g, p);
        settle(g, p);
    } else {
        *w = (struct gate_waiter){NULL, 0};
        *p->last = w;
        p->last = &w->next;
        p->nwaiting++;
        p->uid->nwaiting++;
        g->nwaiting++;
        settle(g, p);
        *admitted = admit(g, now_ns);
        entered = take_out(admitted, w);
    }
    pthread_mutex_unlock(&g->lock);
    return entered;
}

struct gate_waiter *cell_gate_leave(struct server_gate *g, struct gate_process *p, uint64_t entered_ns, uint64_t now_ns)
{
    /* Counted from the end of a call, however long it took: so whoever calls without a pause is active. */
    atomic_store_explicit(&p->last_ns, now_ns ? now_ns : cell_coarse_ns(), memory_order_relaxed);
    if (!(atomic_fetch_sub_explicit(&p->word, 1, memory_order_acq_rel) & GATE_CALLS))
        return NULL;
    return cell_gate_left(g, p, entered_ns, now_ns ? now_ns : cell_now_ns());
}

struct gate_waiter *cell_gate_left(struct server_gate *g, struct gate_process *p, uint64_t entered_ns, uint64_t now_ns)
{
    uint64_t took_ns = now_ns > entered_ns ? now_ns - entered_ns : 1;
    pthread_mutex_lock(&g->lock);
    p->served_ns += took_ns;
    p->uid->served_ns += took_ns;
    if (p->active)
        settle(g, p);
    struct gate_waiter *admitted = admit(g, now_ns);
    pthread_mutex_unlock(&g->lock);
    return admitted;
}
