/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls that are answered in this process: by a server without its socket, or by a fake. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/schema.h"
#include "pool.h"
#include "server_parts.h"

struct local_origin {
    struct ctx_origin origin;
    cell_ctx *parent;
};

static bool parent_gone(struct ctx_origin *origin)
{
    return cell_ctx_cancelled(((struct local_origin *)origin)->parent);
}

static bool parent_aside(struct ctx_origin *origin)
{
    cell_ctx *parent = ((struct local_origin *)origin)->parent;
    return !parent->origin || cell_ctx_stand_aside(parent);
}

static void set_child(cell_ctx *c, cell_ctx *child)
{
    pthread_mutex_lock(&c->lock);
    c->child = child;
    if (child && atomic_load(&c->cancelled))
        atomic_store(&child->cancelled, true);
    pthread_mutex_unlock(&c->lock);
}

/* A call whose time is over has no result, whatever the handler did. */
static int stopped(cell_ctx *c, const struct client_call *k)
{
    if (!cell_ctx_cancelled(c))
        return CELL_OK;
    int status = atomic_load(&c->cancelled) ? CELL_CANCELLED : CELL_DEADLINE_EXCEEDED;
    return cell_fail(c, status, "%s: %s", k->method->name, cell_status_text(status));
}

/* How the server sees a service's schema: by the fingerprint that the service states, and what it was built for. */
struct local_match {
    struct local_match *next;
    struct server_match *match;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    char capabilities[]; /* that the service was built for */
};

static int new_match(struct cell_client *client, const struct cell_service *service, struct local_match **made,
                     struct cell_error *e)
{
    struct cell_schema *schema = NULL;
    const char *capabilities = cell_service_capabilities(service);
    struct local_match *m = calloc(1, sizeof(*m) + strlen(capabilities) + 1);
    int r = m ? cell_schema_from_service(service, &schema, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = cell_server_match(client->server, schema, &m->match, e);
    if (r < 0) {
        free(m);
        return r;
    }
    strncpy(m->fingerprint, service->fingerprint, CELL_FINGERPRINT_LEN);
    strcpy(m->capabilities, capabilities);
    m->next = client->matches;
    *made = client->matches = m;
    return CELL_OK;
}

void cell_client_forget_matches(struct cell_client *client)
{
    while (client->matches) {
        struct local_match *m = client->matches;
        client->matches = m->next;
        cell_server_match_give(client->server, m->match, NULL);
        free(m);
    }
    if (client->server)
        cell_server_reap(client->server);
}

/* *match stays NULL when the schema of this service is the server's own. */
static int find_match(struct cell_client *client, const struct cell_service *service, struct server_match **match,
                      struct cell_error *e)
{
    struct cell_server *s = client->server;
    if (strcmp(service->name, cell_server_cell(s)) != 0)
        return cell_error_set(e, CELL_NOT_FOUND, "the cell there is '%s', not '%s'", cell_server_cell(s),
                              service->name);
    if (strcmp(service->fingerprint, cell_server_fingerprint(s)) == 0)
        return CELL_OK;
    struct local_match *m;
    int r = CELL_OK;
    pthread_mutex_lock(&client->lock);
    for (m = client->matches; m; m = m->next)
        if (strcmp(m->fingerprint, service->fingerprint) == 0 &&
            strcmp(m->capabilities, cell_service_capabilities(service)) == 0)
            break;
    if (!m)
        r = new_match(client, service, &m, e);
    pthread_mutex_unlock(&client->lock);
    if (r >= 0)
        *match = m->match;
    return r;
}

int cell_local_answer(cell_ctx *inner, const struct client_call *k, const uint8_t *message, size_t len,
                      const struct cell_buffer **meta)
{
    static const struct call_hooks no_hooks;
    struct cell_client *client = k->client;
    if (client->fake) {
        const struct call_target t = {k->service->name, k->method,         k->layouts,      &no_hooks,
                                      client->fake,     client->fake_user, CELL_MAX_MESSAGE};
        return cell_serve_request(inner, &t, message, len, meta);
    }
    struct server_match *match = NULL;
    struct cell_error e = {0};
    int r = find_match(client, k->service, &match, &e);
    if (r < 0)
        return cell_serve_refusal(inner, &e, meta);
    return cell_server_answer(client->server, match, NULL, inner, k->id, message, len, meta);
}

const struct cell_method *cell_local_method(const struct client_call *k)
{
    struct server_match *match = NULL;
    if (k->client->fake || find_match(k->client, k->service, &match, NULL) < 0)
        return k->method;
    const struct cell_method *m = cell_server_method(k->client->server, match, k->id);
    return m && m->stream ? m : k->method;
}

int cell_call_local(cell_ctx *c, struct client_call *k)
{
    k->in_place = false; /* the reply lies in the handler's context, which is closed */
    cell_ctx *inner = cell_ctx_open_handler(c->arena.limit);
    if (!inner)
        return cell_fail(c, CELL_NO_MEMORY, "%s: out of memory", k->method->name);
    const char *program = program_invocation_short_name ? program_invocation_short_name : "";
    struct local_origin o = {{k->client->server ? cell_server_user(k->client->server) : NULL,
                              k->client->server,
                              {getuid(), getgid(), getpid(), cell_strz(program)},
                              parent_gone,
                              parent_aside,
                              NULL,
                              c->origin ? c->origin->fd : -1,
                              c->origin ? c->origin->events : 0,
                              NULL},
                             c};
    const struct cell_buffer *meta = NULL;
    int r = CELL_OK, code = CELL_OK;
    cell_ctx_begin_handler(inner, &o.origin, c->deadline_ns);
    if (c->meta.len)
        r = cell_ctx_receive_metadata(inner, (const uint8_t *)c->meta.data, c->meta.len, false, NULL);
    r = r < 0 ? cell_fail(c, r, "%s: no memory for the metadata", k->method->name) : stopped(c, k);
    if (r == CELL_OK) {
        set_child(c, inner);
        code = cell_local_answer(inner, k, (const uint8_t *)c->message.data, c->message.len, &meta);
        set_child(c, NULL);
        r = stopped(c, k);
    }
    if (r == CELL_OK)
        r = cell_take_reply(c, k, code, (const uint8_t *)meta->data, meta->len, (const uint8_t *)inner->message.data,
                            inner->message.len);
    cell_ctx_close(inner);
    return r;
}
