/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Who has connections: users, and their processes. What is limited or shared is limited and shared between them and not
 * between connections, of which a hostile client can make any number. The boundary is the user: a process that makes
 * others gets their shares too, but takes them from its own user.
 */
#include <stdlib.h>
#include <unistd.h>

#include "server_parts.h"

/* ---- users and processes ---- */

uint32_t cell_callers_limit(const struct cell_server *s, uint32_t uid)
{
    if (s->options.max_connections_per_uid)
        return s->options.max_connections_per_uid;
    if (uid == 0 || uid == geteuid())
        return UINT32_MAX;
    return s->options.max_connections - s->options.max_connections / 4;
}

static struct caller_process **bucket(struct cell_server *s, int32_t pid)
{
    return &s->callers[(uint32_t)pid % CALLER_HASH];
}

static struct caller_uid *uid_of(struct cell_server *s, uint32_t uid)
{
    struct caller_uid *u = s->uids;
    while (u && u->uid != uid)
        u = u->next;
    if (u || !(u = calloc(1, sizeof(*u))))
        return u;
    u->uid = uid;
    u->memory.limit = (size_t)s->options.max_bytes_per_uid;
    u->ready_last = &u->ready_first;
    u->next = s->uids;
    s->uids = u;
    return u;
}

static void forget_uid(struct cell_server *s, struct caller_uid *u)
{
    struct caller_uid **at = &s->uids;
    if (u->nprocesses)
        return;
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    free(u);
}

int cell_callers_join(struct cell_server *s, struct server_conn *conn)
{
    const struct cell_caller *who = &conn->origin.caller;
    struct caller_process **at = bucket(s, who->pid), *p = *at;
    while (p && (p->pid != who->pid || p->uid->uid != who->uid))
        p = p->next;
    if (!p) {
        struct caller_uid *u = uid_of(s, who->uid);
        if (!u)
            return CELL_NO_MEMORY;
        p = calloc(1, sizeof(*p));
        if (!p) {
            forget_uid(s, u);
            return CELL_NO_MEMORY;
        }
        p->uid = u;
        p->pid = who->pid;
        p->ready_last = &p->ready_first;
        p->next = *at;
        *at = p;
        u->nprocesses++;
        cell_gate_join(&s->gate, &p->gate, &u->gate);
    }
    p->nconns++;
    conn->caller = p;
    conn->conn->memory = &p->uid->memory;
    return CELL_OK;
}

void cell_callers_leave(struct cell_server *s, struct server_conn *conn)
{
    struct caller_process *p = conn->caller, **at = bucket(s, p->pid);
    struct caller_uid *u = p->uid;
    if (--p->nconns)
        return;
    cell_gate_forget(&s->gate, &p->gate);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
    u->nprocesses--;
    forget_uid(s, u);
}

struct server_conn *cell_callers_victim(const struct cell_server *s)
{
    const struct caller_uid *most = NULL;
    for (const struct caller_uid *u = s->uids; u; u = u->next)
        if (u->idle_first && (!most || u->nconns > most->nconns))
            most = u;
    return most ? most->idle_first : NULL;
}

/* ---- what waits for a thread: users in turn, of each its processes in turn, of each its connections ---- */

/* A process may keep as many threads busy with receiving, as it may run handlers, and one more. What a call costs
 * beside its handler is processor time too, and small calls are hardly anything else. */
static bool may_have_thread(const struct cell_server *s, const struct caller_process *p)
{
    unsigned active = atomic_load_explicit(&s->gate.nactive, memory_order_relaxed);
    return active < 2 || p->nserved <= s->options.max_threads / active || p->nserved <= 1;
}

static void put_uid(struct cell_server *s, struct caller_uid *u)
{
    u->next_ready = NULL;
    *s->ready_last = u;
    s->ready_last = &u->next_ready;
}

/* Puts the process in line if it may be there and has something. */
static bool put_process(struct cell_server *s, struct caller_process *p)
{
    struct caller_uid *u = p->uid;
    if (p->in_line || !p->ready_first || !may_have_thread(s, p))
        return false;
    if (!u->ready_first)
        put_uid(s, u);
    p->next_ready = NULL;
    *u->ready_last = p;
    u->ready_last = &p->next_ready;
    p->in_line = true;
    s->nready += p->nready;
    return true;
}

void cell_ready_put(struct cell_server *s, struct server_conn *conn)
{
    struct caller_process *p = conn->caller;
    conn->next_ready = NULL;
    *p->ready_last = conn;
    p->ready_last = &conn->next_ready;
    p->nready++;
    if (p->in_line)
        s->nready++;
    else
        put_process(s, p);
}

static struct caller_process *take_process(struct cell_server *s)
{
    struct caller_uid *u = s->ready_first;
    struct caller_process *p = u->ready_first;
    s->ready_first = u->next_ready;
    if (!s->ready_first)
        s->ready_last = &s->ready_first;
    u->ready_first = p->next_ready;
    if (u->ready_first)
        put_uid(s, u);
    else
        u->ready_last = &u->ready_first;
    p->in_line = false;
    s->nready -= p->nready;
    return p;
}

struct server_conn *cell_ready_take(struct cell_server *s, struct server_thread *t)
{
    if (!s->ready_first)
        return NULL;
    struct caller_process *p = take_process(s);
    struct server_conn *conn = p->ready_first;
    p->ready_first = conn->next_ready;
    if (!p->ready_first)
        p->ready_last = &p->ready_first;
    p->nready--;
    p->nserved++;
    t->counted = true;
    t->caller = p;
    put_process(s, p);
    return conn;
}

bool cell_ready_done(struct cell_server *s, struct server_thread *t)
{
    if (!t->counted)
        return false;
    t->counted = false;
    t->caller->nserved--;
    return put_process(s, t->caller);
}

/* ---- threads that wait for the next call ---- */

bool cell_parking_take(struct cell_server *s, struct caller_process *p)
{
    unsigned active = atomic_load_explicit(&s->gate.nactive, memory_order_relaxed);
    unsigned share = active > 1 ? s->max_parked / active : s->max_parked;
    bool mine = atomic_fetch_add_explicit(&p->parked, 1, memory_order_relaxed) < (share ? share : 1);
    if (mine && atomic_fetch_add_explicit(&s->parked, 1, memory_order_relaxed) < s->max_parked)
        return true;
    if (mine)
        atomic_fetch_sub_explicit(&s->parked, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&p->parked, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->parking_refused, 1, memory_order_relaxed);
    return false;
}

void cell_parking_give(struct cell_server *s, struct caller_process *p)
{
    atomic_fetch_sub_explicit(&s->parked, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&p->parked, 1, memory_order_relaxed);
}
