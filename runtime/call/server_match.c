/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What clients that were built from another schema may call. A schema is compared once: all connections that send the
 * same one share the result, and with it what their methods were bound to, and some are kept for who comes back. What
 * is in use is bounded by the memory of its users, what is not by the numbers here.
 */
#include <stdlib.h>
#include <string.h>

#include "core/diff.h"
#include "server_parts.h"

/* That nobody uses now. */
#define MOST_UNUSED 64u
#define MOST_UNUSED_BYTES ((size_t)16 << 20)

/* Of the layouts that the first call of a method makes, about. */
#define LAYOUT_FIELD_BYTES 64u

/* A user, by the memory that all of the user's connections share. */
struct match_payer {
    struct match_payer *next;
    struct cell_memory *memory;
    uint32_t connections;
};

/* ---- comparing ---- */

/* A program that was built for what this cell has not: whatever it would call, it would do so for the wrong reason. */
static int check_capabilities(const struct cell_server *s, const struct cell_schema *client, struct cell_error *e)
{
    for (uint32_t i = 0; i < client->ncapabilities; i++) {
        const char *name = client->capabilities[i].name;
        const struct schema_capability *c = cell_schema_capability(s->schema, name);
        if (!c || c->absent)
            return cell_error_set(e, CELL_SCHEMA_MISMATCH,
                                  "%s Cell no longer has %s, which this program was built for: %s", s->cell, name,
                                  c ? "start the cell with it, or build the program again" : "build the program again");
    }
    return CELL_OK;
}

static int refuse_method(struct server_match *m, uint32_t i, const struct cell_buffer *why)
{
    m->methods[i].why = why->len ? cell_arena_copy(&m->arena, why->data, why->len) : NULL;
    m->refused++;
    return m->methods[i].why ? CELL_OK : CELL_NO_MEMORY;
}

static int match_method(const struct cell_server *s, const struct cell_schema *client, const struct cell_diff *diff,
                        struct server_match *m, uint32_t i)
{
    const char *name = client->methods[i].name;
    const char *now = cell_diff_method_now(diff, name);
    const struct schema_method *known = now ? cell_schema_method(s->schema, now) : NULL;
    struct cell_buffer why = {0};
    int differences = cell_diff_method(diff, client, name, &why);
    int r = CELL_OK;
    if (known)
        m->methods[i].id = (uint32_t)(known - s->schema->methods);
    const char *lacking = known ? cell_schema_lacks(s->schema, known) : NULL;
    if (differences > 0 || !known || lacking) {
        if (lacking)
            cell_buffer_printf(&why, "%s%s needs %s, which %s was started without", why.len ? "; " : "", name, lacking,
                               s->cell);
        if (!why.len)
            cell_buffer_printf(&why, "%s no longer exists in %s", name, s->cell);
        r = refuse_method(m, i, &why);
    }
    cell_buffer_free(&why);
    return r;
}

/* One that the client brings with it. */
static int match_bound(const struct cell_server *s, const struct cell_schema *client, struct server_match *m,
                       uint32_t i)
{
    struct cell_buffer why = {0};
    int r = CELL_OK;
    m->methods[i].bound = true;
    if (!s->options.bound) {
        cell_buffer_printf(&why, "%s has a binding, and %s takes no methods with bindings", client->methods[i].name,
                           s->cell);
        r = refuse_method(m, i, &why);
    }
    cell_buffer_free(&why);
    return r;
}

static int match_methods(const struct cell_server *s, const struct cell_schema *client, struct server_match *m,
                         struct cell_error *e)
{
    struct cell_diff *diff = NULL;
    bool own = false; /* of the cell */
    int r = CELL_OK;
    for (uint32_t i = 0; i < m->n; i++)
        own |= !client->methods[i].binding;
    if (own)
        r = cell_diff_new(client, s->schema, &diff, e);
    for (uint32_t i = 0; r >= 0 && i < m->n; i++) {
        r = client->methods[i].binding ? match_bound(s, client, m, i) : match_method(s, client, diff, m, i);
        if (r < 0)
            cell_error_set(e, r, "out of memory");
    }
    cell_diff_free(diff);
    return r;
}

/* With bound methods the client's schema is kept, for their descriptors. */
static int keep_schema(struct server_match *m, struct cell_schema *client, struct cell_error *e)
{
    bool any = false;
    m->bytes = sizeof(*m) + m->arena.used;
    for (uint32_t i = 0; i < m->n; i++)
        any |= m->methods[i].bound && !m->methods[i].why;
    if (!any)
        return CELL_OK;
    m->bound = cell_arena_array(&m->arena, m->n, sizeof(*m->bound));
    int r =
        m->bound ? cell_schema_describe(client, &m->described, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r < 0)
        return r;
    m->schema = client;
    m->bytes = sizeof(*m) + m->arena.used + client->arena.used;
    for (uint32_t i = 0; i < m->n; i++) {
        const struct cell_method *d = &m->described[i];
        m->has_streams |= m->methods[i].bound && d->stream;
        m->bytes += sizeof(struct method_layouts) + (d->nin + d->nout) * LAYOUT_FIELD_BYTES;
    }
    return CELL_OK;
}

static void free_match(struct cell_server *s, struct server_match *m)
{
    cell_bound_free(s, m);
    cell_schema_free(m->schema);
    cell_arena_free(&m->arena);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct server_match *new_match(const struct cell_schema *client)
{
    pthread_condattr_t attr;
    struct server_match *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    memcpy(m->fingerprint, client->fingerprint, sizeof(m->fingerprint));
    m->users = 1;
    m->n = client->nmethods;
    m->methods = cell_arena_array(&m->arena, m->n, sizeof(*m->methods));
    for (uint32_t i = 0; m->methods && i < m->n; i++) {
        const struct schema_field *stream = cell_schema_stream(&client->methods[i]);
        m->methods[i].puts = stream && !stream->out;
    }
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &attr);
    pthread_condattr_destroy(&attr);
    return m;
}

static int compare(struct cell_server *s, struct cell_schema *client, struct server_match **match, struct cell_error *e)
{
    struct server_match *m = new_match(client);
    int r = m && m->methods ? match_methods(s, client, m, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = keep_schema(m, client, e);
    if (!m || m->schema != client)
        cell_schema_free(client);
    if (r >= 0)
        *match = m;
    else if (m)
        free_match(s, m);
    return r;
}

/* ---- sharing; with the lock of the matches ---- */

static struct server_match *hold(struct server_matches *all, struct server_match *m)
{
    if (m && m->users++ == 0) {
        all->nunused--;
        all->unused_bytes -= m->bytes;
    }
    return m;
}

static struct server_match *find(struct server_matches *all, const char *fingerprint)
{
    struct server_match *m = all->first;
    while (m && strcmp(m->fingerprint, fingerprint) != 0)
        m = m->next;
    return hold(all, m);
}

static void drop_longest_unused(struct server_matches *all)
{
    struct server_match **oldest = NULL;
    for (struct server_match **at = &all->first; *at; at = &(*at)->next)
        if ((*at)->users == 0 && (!oldest || (*at)->left < (*oldest)->left))
            oldest = at;
    struct server_match *m = *oldest;
    *oldest = m->next;
    m->next = all->over;
    all->over = m;
    all->nunused--;
    all->unused_bytes -= m->bytes;
    atomic_store(&all->any_over, true);
}

static void leave(struct server_matches *all, struct server_match *m)
{
    if (--m->users)
        return;
    m->left = ++all->turns;
    all->nunused++;
    all->unused_bytes += m->bytes;
    while (all->nunused > MOST_UNUSED || (all->nunused && all->unused_bytes > MOST_UNUSED_BYTES))
        drop_longest_unused(all);
}

struct server_match *cell_server_match_known(struct cell_server *s, const char *fingerprint)
{
    pthread_mutex_lock(&s->matches.lock);
    struct server_match *m = find(&s->matches, fingerprint);
    pthread_mutex_unlock(&s->matches.lock);
    return m;
}

int cell_server_match(struct cell_server *s, struct cell_schema *client, struct server_match **match,
                      struct cell_error *e)
{
    struct server_match *made;
    int r = check_capabilities(s, client, e);
    if (r < 0) {
        cell_schema_free(client);
        return r;
    }
    struct server_match *known = cell_server_match_known(s, client->fingerprint);
    if (known) {
        cell_schema_free(client);
        *match = known;
        return CELL_OK;
    }
    r = compare(s, client, &made, e);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->matches.lock);
    known = find(&s->matches, made->fingerprint); /* another thread was faster */
    if (!known) {
        made->next = s->matches.first;
        s->matches.first = made;
    }
    pthread_mutex_unlock(&s->matches.lock);
    if (known)
        free_match(s, made);
    cell_server_reap(s);
    *match = known ? known : made;
    return CELL_OK;
}

static struct match_payer **find_payer(struct server_match *m, const struct cell_memory *memory)
{
    struct match_payer **at = &m->payers;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    return at;
}

int cell_server_match_pay(struct cell_server *s, struct server_match *match, struct cell_memory *memory,
                          struct cell_error *e)
{
    int r = CELL_OK;
    if (!memory)
        return CELL_OK;
    pthread_mutex_lock(&s->matches.lock);
    struct match_payer *p = *find_payer(match, memory);
    if (p) {
        p->connections++;
    } else if (!cell_memory_take(memory, match->bytes)) {
        r = cell_memory_fail(memory, e);
    } else if (!(p = malloc(sizeof(*p)))) {
        cell_memory_give(memory, match->bytes);
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    } else {
        *p = (struct match_payer){match->payers, memory, 1};
        match->payers = p;
    }
    pthread_mutex_unlock(&s->matches.lock);
    return r;
}

void cell_server_match_give(struct cell_server *s, struct server_match *match, struct cell_memory *memory)
{
    if (!match)
        return;
    pthread_mutex_lock(&s->matches.lock);
    struct match_payer **at = memory ? find_payer(match, memory) : NULL;
    if (at && *at && --(*at)->connections == 0) {
        struct match_payer *p = *at;
        *at = p->next;
        cell_memory_give(memory, match->bytes);
        free(p);
    }
    leave(&s->matches, match);
    pthread_mutex_unlock(&s->matches.lock);
}

void cell_server_reap(struct cell_server *s)
{
    if (!atomic_load_explicit(&s->matches.any_over, memory_order_relaxed))
        return;
    pthread_mutex_lock(&s->matches.lock);
    struct server_match *over = s->matches.over, *next;
    s->matches.over = NULL;
    atomic_store(&s->matches.any_over, false);
    pthread_mutex_unlock(&s->matches.lock);
    for (; over; over = next) {
        next = over->next;
        free_match(s, over);
    }
}

void cell_server_matches_free(struct cell_server *s)
{
    struct server_match *m = s->matches.first, *next;
    cell_server_reap(s);
    for (; m; m = next) {
        next = m->next;
        free_match(s, m);
    }
    s->matches.first = NULL;
}

void cell_server_for_matches(struct cell_server *s, void (*each)(struct cell_server *s, struct server_match *m))
{
    struct server_matches *all = &s->matches;
    pthread_mutex_lock(&all->lock);
    struct server_match *m = hold(all, all->first);
    while (m) {
        pthread_mutex_unlock(&all->lock);
        each(s, m);
        pthread_mutex_lock(&all->lock);
        struct server_match *next = hold(all, m->next);
        leave(all, m);
        m = next;
    }
    pthread_mutex_unlock(&all->lock);
    cell_server_reap(s);
}
