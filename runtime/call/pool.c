/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A client's connections: taking, returning, and what a fork does to them. */
#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ticks.h"
#include "core/config.h"
#include "https.h"
#include "server_parts.h"

/* A connection that was used so recently is not asked whether it is still good: the answer to a call tells as well, and
 * asking costs a system call. */
#define RECENT_NS (UINT64_C(1000) * CELL_NS_PER_MS)
#define RETRY_COST 10u

/* ---- all clients of the process ---- */

/*
 * A child of fork shares the sockets. It must neither send on them nor keep them open, so its copies of all
 * connections are closed, the idle ones as well as those of threads that it does not have. The locks are held across
 * the fork, so that no list is copied half changed.
 */
static pthread_mutex_t clients_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cell_client *clients;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_result;

static void before_fork(void)
{
    cell_defaults_lock();
    pthread_mutex_lock(&clients_lock);
    for (struct cell_client *c = clients; c; c = c->next)
        pthread_mutex_lock(&c->lock);
}

static void after_fork_in_parent(void)
{
    for (struct cell_client *c = clients; c; c = c->next)
        pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&clients_lock);
    cell_defaults_unlock();
}

static void close_all(struct cell_client *client)
{
    for (struct client_conn *c = client->all, *next; c; c = next) {
        next = c->next;
        cell_conn_close(c->conn);
        free(c->capabilities);
        free(c);
    }
    client->all = client->idle = NULL;
    client->nidle = 0;
}

static void after_fork_in_child(void)
{
    for (struct cell_client *c = clients; c; c = c->next) {
        close_all(c);
        c->forks++;
        atomic_store(&c->leases, 0);
        c->random ^= (uint64_t)getpid() * UINT64_C(0x9e3779b97f4a7c15);
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&clients_lock);
    cell_defaults_unlock();
}

static void register_fork(void)
{
    fork_result = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int cell_client_new(struct cell_client **client)
{
    pthread_once(&fork_once, register_fork);
    cell_ticks_begin();
    struct cell_client *c = fork_result ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return CELL_NO_MEMORY;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        return CELL_NO_MEMORY;
    }
    atomic_init(&c->retry_tokens, CELL_RETRY_TOKENS);
    c->random = cell_now_ns() ^ (uint64_t)(uintptr_t)c ^ (uint64_t)getpid() << 32;
    c->random |= 1;
    pthread_mutex_lock(&clients_lock);
    c->next = clients;
    if (clients)
        clients->prev = c;
    clients = c;
    pthread_mutex_unlock(&clients_lock);
    *client = c;
    return CELL_OK;
}

static void free_located(struct located *l)
{
    while (l) {
        struct located *next = l->next;
        free(l->name);
        free(l->address);
        free(l);
        l = next;
    }
}

void cell_client_close(struct cell_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&clients_lock);
    if (client->next)
        client->next->prev = client->prev;
    if (client->prev)
        client->prev->next = client->next;
    else
        clients = client->next;
    pthread_mutex_unlock(&clients_lock);
    close_all(client);
    cell_client_forget_origins(client);
    cell_client_forget_matches(client);
    cell_client_forget_services(client);
    free_located(client->located);
    free(client->address);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* ---- connections ---- */

static void link_conn(struct cell_client *client, struct client_conn *conn)
{
    pthread_mutex_lock(&client->lock);
    conn->next = client->all;
    if (conn->next)
        conn->next->prev = conn;
    client->all = conn;
    pthread_mutex_unlock(&client->lock);
}

static void unlink_conn(struct cell_client *client, struct client_conn *conn)
{
    pthread_mutex_lock(&client->lock);
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        client->all = conn->next;
    pthread_mutex_unlock(&client->lock);
}

/* ---- leases ---- */

static void lease(cell_ctx *c, struct cell_client *client, struct client_conn *conn)
{
    pthread_mutex_lock(&c->lock);
    c->lease = conn;
    c->lessor = client;
    c->lease_forks = client->forks;
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add(&client->leases, 1);
}

/* Afterwards nobody else touches the connection. */
struct client_conn *cell_pool_detach(cell_ctx *c)
{
    struct client_conn *conn = c->lease;
    if (!conn)
        return NULL;
    pthread_mutex_lock(&c->lock);
    c->lease = NULL;
    pthread_mutex_unlock(&c->lock);
    if (c->lease_forks != c->lessor->forks)
        return NULL;
    atomic_fetch_sub(&c->lessor->leases, 1);
    return conn;
}

void cell_pool_close(struct cell_client *client, struct client_conn *conn)
{
    unlink_conn(client, conn);
    cell_conn_close(conn->conn);
    free(conn->capabilities);
    free(conn);
}

void cell_pool_drop(cell_ctx *c)
{
    struct client_conn *conn = cell_pool_detach(c);
    if (conn && conn == c->lend.conn)
        c->lend.lost = true;
    else if (conn)
        cell_pool_close(c->lessor, conn);
}

static uint32_t most_idle(const struct cell_client *client)
{
    uint32_t most = client->nservices < CELL_MOST_IDLE ? CELL_IDLE_PER_SERVICE * client->nservices : CELL_MOST_IDLE;
    return most < CELL_MAX_IDLE ? CELL_MAX_IDLE : most < CELL_MOST_IDLE ? most : CELL_MOST_IDLE;
}

/* The last of the stack. */
static struct client_conn *unlink_longest_idle(struct cell_client *client)
{
    struct client_conn **last = &client->idle, *conn;
    while ((*last)->next_idle)
        last = &(*last)->next_idle;
    conn = *last;
    *last = NULL;
    client->nidle--;
    return conn;
}

static void make_idle(struct cell_client *client, struct client_conn *conn)
{
    struct client_conn *over = NULL;
    cell_conn_release(conn->conn, true);
    pthread_mutex_lock(&client->lock);
    conn->next_idle = client->idle;
    client->idle = conn;
    if (++client->nidle > most_idle(client))
        over = unlink_longest_idle(client);
    pthread_mutex_unlock(&client->lock);
    if (over)
        cell_pool_close(client, over);
}

void cell_pool_return(cell_ctx *c)
{
    struct client_conn *conn = cell_pool_detach(c);
    if (conn)
        make_idle(c->lessor, conn);
}

void cell_pool_keep(cell_ctx *c, struct cell_client *client, struct client_conn *conn)
{
    if (c->lease)
        make_idle(client, conn);
    else
        lease(c, client, conn);
}

static struct client_conn *pop_idle(struct cell_client *client, const struct cell_service *service)
{
    struct client_conn *found = NULL;
    pthread_mutex_lock(&client->lock);
    for (struct client_conn **c = &client->idle; *c; c = &(*c)->next_idle)
        if (strcmp((*c)->fingerprint, service->fingerprint) == 0 && strcmp((*c)->cell, service->name) == 0 &&
            strcmp((*c)->capabilities ? (*c)->capabilities : "", cell_service_capabilities(service)) == 0) {
            found = *c;
            *c = found->next_idle;
            client->nidle--;
            break;
        }
    pthread_mutex_unlock(&client->lock);
    return found;
}

static int locate(struct cell_client *client, const char *name, char **address, struct cell_error *e)
{
    struct located *l;
    pthread_mutex_lock(&client->lock);
    for (l = client->located; l && strcmp(l->name, name) != 0; l = l->next)
        continue;
    if (l)
        *address = l->address;
    pthread_mutex_unlock(&client->lock);
    if (l)
        return CELL_OK;
    char *found = NULL;
    int r = cell_locate(name, &found, e);
    if (r < 0)
        return r;
    l = calloc(1, sizeof(*l));
    if (l)
        l->name = strdup(name);
    if (!l || !l->name) {
        free(l);
        free(found);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    /* Another thread may have been as fast: two entries that say the same do no harm. */
    *address = l->address = found;
    pthread_mutex_lock(&client->lock);
    l->next = client->located;
    client->located = l;
    pthread_mutex_unlock(&client->lock);
    return CELL_OK;
}

const char *cell_client_address(struct cell_client *client, const char *cell, bool (*wanted)(const char *address))
{
    char *address = client->address;
    if (!address && locate(client, cell, &address, NULL) < 0)
        return NULL; /* whoever connects says why */
    return wanted(address) ? address : NULL;
}

static void note_use(struct client_conn *conn, const struct client_call *k)
{
    conn->used_ns = k->now_ns;
    conn->used_ticks = cell_ticks();
    if (conn->service != k->service || !conn->known)
        conn->known = cell_client_find(k->client, k->service);
    conn->service = k->service;
}

static int new_conn(cell_ctx *c, struct client_call *k, struct client_conn **conn, struct cell_error *e)
{
    char *address = k->client->address;
    int r = address ? CELL_OK : locate(k->client, k->service->name, &address, e);
    if (r < 0)
        return r;
    struct client_conn *n = calloc(1, sizeof(*n));
    if (!n)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    note_use(n, k);
    link_conn(k->client, n); /* from the beginning, for a fork in the meantime */
    r = cell_client_connect(c, k, address, n, e);
    if (r < 0) {
        cell_pool_close(k->client, n);
        return r;
    }
    n->fresh = true;
    lease(c, k->client, n);
    cell_ctx_enter(c);
    r = cell_client_greet(c, k, n, e);
    if (r < 0) {
        cell_ctx_leave(c);
        cell_pool_drop(c);
        return r;
    }
    *conn = n;
    return CELL_OK;
}

/* An idle connection has nothing to say, except that it is over: GOAWAY, or the end. */
static bool is_over(const struct client_call *k, struct client_conn *conn)
{
    bool recent = k->now_ns - conn->used_ns < RECENT_NS;
    return !recent && cell_conn_readable(conn->conn);
}

int cell_pool_take(cell_ctx *c, struct client_call *k, bool fresh, struct client_conn **conn, struct cell_error *e)
{
    struct client_conn *old = c->lease;
    bool leased =
        old && !fresh && c->lessor == k->client && c->lease_forks == k->client->forks && old->service == k->service;
    if (leased && is_over(k, old)) {
        cell_pool_drop(c);
        leased = false;
    } else if (!leased) {
        cell_pool_return(c);
    }
    while (!leased && !fresh && (old = pop_idle(k->client, k->service)) != NULL) {
        leased = !is_over(k, old);
        if (leased)
            lease(c, k->client, old);
        else
            cell_pool_close(k->client, old);
    }
    if (!leased)
        return new_conn(c, k, conn, e);
    note_use(old, k);
    cell_ctx_enter(c);
    *conn = old;
    return CELL_OK;
}

bool cell_pool_may_retry(struct cell_client *client, uint64_t *random)
{
    pthread_mutex_lock(&client->lock);
    bool may = atomic_load(&client->retry_tokens) >= RETRY_COST; /* only grows while the lock is held */
    if (may)
        atomic_fetch_sub(&client->retry_tokens, RETRY_COST);
    /* xorshift64: only to spread attempts in time */
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    *random = client->random;
    pthread_mutex_unlock(&client->lock);
    return may;
}
