/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What may be asked over HTTPS, and how it is answered. The documents are those of the other channels; what is not a
 * call goes through the same functions as over the socket. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json_call.h"
#include "core/openapi.h"
#include "server_https.h"

#define CALL_PREFIX "/v1/call/"
/* A handler's context, as those of the server's threads. */
#define CONTEXT_MEMORY CELL_DEFAULT_MEMORY
/* What one who shows a wrong token, or none, is counted for. */
#define REFUSAL_COST 20.0

enum route_kind { ROUTE_CELL, ROUTE_COMPILE, ROUTE_OPS, ROUTE_OPENAPI, ROUTE_CLIENT, ROUTE_CALL };

struct route {
    const char *path;
    enum route_kind kind;
    int method;       /* of the channel */
    const char *verb; /* GET allows HEAD as well */
    bool known_only;  /* not for those who are let in without a name */
    bool handler;     /* code of the cell's runs */
};

static const struct route routes[] = {{"/v1/cell", ROUTE_CELL, 0, "GET", false, false},
                                      {"/v1/schema", ROUTE_COMPILE, CELL_COMPILE_SCHEMA, "GET", false, false},
                                      {"/v1/expand", ROUTE_COMPILE, CELL_COMPILE_EXPAND, "POST", false, true},
                                      {"/v1/state", ROUTE_COMPILE, CELL_COMPILE_STATE, "POST", false, true},
                                      {"/v1/apply", ROUTE_COMPILE, CELL_COMPILE_APPLY, "POST", true, true},
                                      {"/v1/health", ROUTE_OPS, CELL_OPS_HEALTH, "GET", false, false},
                                      {"/v1/metrics", ROUTE_OPS, CELL_OPS_METRICS, "GET", false, false},
                                      {"/v1/client", ROUTE_CLIENT, 0, "PUT", true, false},
                                      {"/openapi.json", ROUTE_OPENAPI, 0, "GET", false, false}};
static const struct route call_route = {CALL_PREFIX, ROUTE_CALL, 0, "POST", false, true};

static const struct route *find_route(const char *path)
{
    if (strncmp(path, CALL_PREFIX, strlen(CALL_PREFIX)) == 0)
        return &call_route;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

/* ---- answers ---- */

unsigned cell_https_status(int code)
{
    switch (code) {
    case CELL_INVALID_ARGUMENT:
    case CELL_OUT_OF_RANGE:
    case CELL_PROTOCOL_ERROR:
        return 400;
    case CELL_UNAUTHENTICATED:
        return 401;
    case CELL_PERMISSION_DENIED:
        return 403;
    case CELL_NOT_FOUND:
        return 404;
    case CELL_ALREADY_EXISTS:
    case CELL_ABORTED:
        return 409;
    case CELL_FAILED_PRECONDITION:
    case CELL_SCHEMA_MISMATCH:
        return 412;
    case CELL_TOO_LARGE:
        return 413;
    case CELL_RESOURCE_EXHAUSTED:
        return 429;
    case CELL_UNIMPLEMENTED:
        return 501;
    case CELL_UNAVAILABLE:
    case CELL_CANCELLED:
        return 503;
    case CELL_DEADLINE_EXCEEDED:
        return 504;
    default:
        return code >= 0 ? 200 : 500;
    }
}

static void add_header(struct https_reply *reply, const char *name, const char *value)
{
    unsigned i = 0;
    while (i < HTTPS_MAX_EXTRA && reply->extra[i].name)
        i++;
    if (i == HTTPS_MAX_EXTRA || strlen(value) >= sizeof(reply->extra[i].value))
        return;
    strcpy(reply->extra[i].value, value);
    reply->extra[i].name = name;
}

static void put_error(struct cell_buffer *out, int code, const char *text)
{
    struct cell_buffer meta = {0};
    cell_meta_append(&meta, CELL_META_MESSAGE, text, strlen(text));
    cell_json_put_reply(out, NULL, code, NULL, meta.data, meta.len);
    cell_buffer_free(&meta);
}

void cell_https_give(struct https_reply *reply, struct cell_buffer *out)
{
    reply->body = cell_buffer_ok(out) ? out->data : NULL;
    reply->len = reply->body ? out->len : 0;
    if (reply->body)
        *out = (struct cell_buffer){0};
    else
        reply->status = 500;
}

static int64_t refuse(struct https_reply *reply, unsigned status, int code, const char *text)
{
    struct cell_buffer out = {0};
    reply->status = status;
    reply->close = true;
    put_error(&out, code, text);
    cell_https_give(reply, &out);
    cell_buffer_free(&out);
    return -1;
}

void cell_https_fail(struct https_call *x, const struct cell_error *e)
{
    x->out.len = 0;
    x->code = cell_status_normal(e ? e->status : x->c->error.status);
    put_error(&x->out, x->code, e ? e->text : cell_ctx_message(x->c));
}

/* ---- admission ---- */

static bool is_json(const char *type)
{
    size_t len = strlen("application/json");
    return type && strncasecmp(type, "application/json", len) == 0 && (!type[len] || type[len] == ';');
}

/* How many bytes the body may have. Text of bytes takes twice their number. */
static int64_t body_limit(const struct cell_server *s, const struct route *route)
{
    if (strcmp(route->verb, "GET") == 0)
        return 0;
    return route->kind == ROUTE_CALL ? 2 * (int64_t)s->options.max_message + CELL_MAX_META_BYTES
                                     : (int64_t)CELL_MAX_COMPILE_REPLY;
}

static int64_t admit(struct server_https *h, const struct https_request *r, struct https_reply *reply)
{
    struct cell_server *s = h->server;
    char name[HTTPS_MAX_NAME];
    struct cell_error e = {0};
    if (atomic_load(&s->draining))
        return refuse(reply, 503, CELL_UNAVAILABLE, "it is shutting down");
    const struct route *route = find_route(r->path);
    bool known = cell_https_who(h, r, name, &e) >= 0;
    bool may = cell_https_may_ask(h, r->address, known ? 1 : REFUSAL_COST);
    cell_count(known && may ? &s->counters.https_requests : &s->counters.https_refused, 1);
    if (!may) {
        add_header(reply, "Retry-After", "1");
        return refuse(reply, 429, CELL_RESOURCE_EXHAUSTED, "this address asks too often");
    }
    if (!known) {
        add_header(reply, "WWW-Authenticate", "Bearer");
        return refuse(reply, 401, CELL_UNAUTHENTICATED, e.text);
    }
    if (!route)
        return refuse(reply, 404, CELL_NOT_FOUND, "there is nothing of that path; /openapi.json says what there is");
    if (strcmp(r->method, route->verb) != 0 && !(strcmp(route->verb, "GET") == 0 && strcmp(r->method, "HEAD") == 0)) {
        add_header(reply, "Allow", route->verb);
        return refuse(reply, 405, CELL_UNIMPLEMENTED, "this path takes another method");
    }
    if (!name[0] && route->known_only)
        return refuse(reply, 403, CELL_PERMISSION_DENIED, "this is done only for those who show who they are");
    if (strcmp(route->verb, "GET") != 0 && !is_json(r->header(r, "Content-Type")))
        return refuse(reply, 415, CELL_INVALID_ARGUMENT, "the body has to be application/json");
    return body_limit(s, route);
}

int64_t cell_https_admit(void *user, const struct https_request *r, struct https_reply *reply)
{
    struct server_https *h = user;
    pthread_mutex_lock(&h->lock);
    bool over = h->over;
    pthread_mutex_unlock(&h->lock);
    return over ? refuse(reply, 503, CELL_UNAVAILABLE, "it has stopped") : admit(h, r, reply);
}

/* ---- the gate and the context ---- */

static bool caller_gone(struct ctx_origin *origin)
{
    struct https_call *x = (struct https_call *)origin;
    struct pollfd p = {.fd = x->request->fd, .events = POLLRDHUP};
    if (x->conn.hung_up || atomic_load(&x->conn.server->hard_stop))
        return true;
    if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLRDHUP | POLLHUP | POLLERR)))
        return false;
    cell_count(&x->conn.server->counters.cancelled, 1);
    return x->conn.hung_up = true;
}

void cell_https_enter(struct https_call *x)
{
    struct cell_server *s = x->conn.server;
    struct gate_waiter *admitted;
    x->aside = false;
    x->entered_ns = cell_now_ns();
    if (cell_gate_try(&x->caller->gate, x->entered_ns))
        return;
    bool entered = cell_gate_enter(&s->gate, &x->caller->gate, &x->conn.waiter, x->entered_ns, &admitted);
    cell_server_resume(s, admitted);
    if (entered)
        return;
    cell_count(&s->counters.calls_waited, 1);
    while (sem_wait(&x->turn) < 0 && errno == EINTR)
        continue;
    x->entered_ns = x->conn.waiter.since_ns;
}

void cell_https_leave(struct https_call *x)
{
    struct cell_server *s = x->conn.server;
    if (!x->aside)
        cell_server_resume(s, cell_gate_leave(&s->gate, &x->caller->gate, x->entered_ns, 0));
}

/* Its thread is the listener's, of which there is one for each connection. */
static bool stand_aside(struct ctx_origin *origin)
{
    struct https_call *x = (struct https_call *)origin;
    cell_https_leave(x);
    return x->aside = true;
}

static uint64_t deadline_of(const struct https_request *r)
{
    const char *text = r->header(r, "Cell-Timeout-Ms");
    size_t digits = text ? strspn(text, "0123456789") : 0;
    uint64_t ms = digits && digits < 11 && !text[digits] ? strtoull(text, NULL, 10) : 0;
    return ms ? cell_now_ns() + ms * CELL_NS_PER_MS : CELL_NO_DEADLINE;
}

static int begin(struct https_call *x, struct server_https *h, const struct https_request *r)
{
    struct cell_server *s = h->server;
    struct cell_error e = {0};
    x->h = h;
    x->request = r;
    if (cell_https_who(h, r, x->name, &e) < 0)
        return e.status;
    x->caller = cell_https_caller(h, x->name);
    x->c = cell_ctx_open_handler(CONTEXT_MEMORY);
    if (!x->caller || !x->c)
        return CELL_NO_MEMORY;
    x->conn.server = s;
    x->conn.turn = &x->turn;
    sem_init(&x->turn, 0, 0);
    /* No user of this host: what cells know by the uid of a caller holds for nobody from outside. */
    x->conn.origin = (struct ctx_origin){s->options.user, s,           {UINT32_MAX, UINT32_MAX, 0, cell_strz(x->name)},
                                         caller_gone,     stand_aside, NULL,
                                         r->fd,           POLLRDHUP,   NULL};
    cell_ctx_begin_handler(x->c, &x->conn.origin, deadline_of(r));
    return CELL_OK;
}

void cell_https_end(struct https_call *x)
{
    if (!x)
        return;
    if (x->c) {
        cell_ctx_end_handler(x->c);
        cell_ctx_close(x->c);
    }
    if (x->conn.turn)
        sem_destroy(&x->turn);
    cell_buffer_free(&x->out);
    free(x);
}

/* ---- what is answered ---- */

static void say_state(struct https_call *x, struct https_reply *reply)
{
    static const char prefix[] = "{\"state\":\"";
    char token[CELL_STATE_MAX + 1];
    cell_https_enter(x);
    int r = cell_server_compile(x->conn.server, x->c, CELL_COMPILE_STATE, (const uint8_t *)"{}", 2);
    cell_https_leave(x);
    size_t skip = sizeof(prefix) - 1, len = x->c->message.len;
    if (r >= 0 && len > skip + 2 && len - skip - 2 < sizeof(token)) {
        memcpy(token, x->c->message.data + skip, len - skip - 2);
        token[len - skip - 2] = '\0';
        add_header(reply, "Cell-State", token);
    }
}

/* Who is here. With the state, so that a compilation that has all answers asks for nothing else. */
static void answer_cell(struct https_call *x, struct https_reply *reply)
{
    const struct cell_server *s = x->conn.server;
    if (s->options.state)
        say_state(x, reply);
    cell_buffer_printf(&x->out, "{\"cell\":\"%s\",\"fingerprint\":\"%s\",\"abi\":\"" CELL_ABI_NAME "\"}", s->cell,
                       s->fingerprint);
}

static void answer_compile(struct https_call *x, const struct route *route, struct https_reply *reply)
{
    struct cell_server *s = x->conn.server;
    const struct https_request *r = x->request;
    struct cell_meta_pair p;
    char text[CELL_SIGNATURE_MAX];
    if (route->handler)
        cell_https_enter(x);
    x->code = cell_server_compile(s, x->c, route->method, (const uint8_t *)r->body, r->len);
    if (route->handler)
        cell_https_leave(x);
    if (x->code < 0) {
        if (x->c->error.status != x->code)
            cell_fail(x->c, x->code, "%s", cell_status_text(x->code));
        cell_https_fail(x, NULL);
        return;
    }
    cell_buffer_append(&x->out, x->c->message.data, x->c->message.len);
    if (cell_meta_find((const uint8_t *)x->c->meta.data, x->c->meta.len, CELL_META_SIGNATURE, &p) == CELL_OK &&
        p.value_len < sizeof(text)) {
        memcpy(text, p.value, p.value_len);
        text[p.value_len] = '\0';
        add_header(reply, "Cell-Signature", text);
    }
}

static void answer_ops(struct https_call *x, const struct route *route)
{
    x->code = cell_server_ops(x->conn.server, x->c, route->method, (const uint8_t *)"{}", 2);
    if (x->code < 0)
        cell_https_fail(x, NULL);
    else
        cell_buffer_append(&x->out, x->c->message.data, x->c->message.len);
}

/* True: `x` goes on by itself, and *reply is filled in. */
static bool dispatch(struct https_call *x, struct https_reply *reply)
{
    const struct route *route = find_route(x->request->path);
    switch (route->kind) {
    case ROUTE_CELL:
        answer_cell(x, reply);
        break;
    case ROUTE_COMPILE:
        answer_compile(x, route, reply);
        break;
    case ROUTE_OPS:
        answer_ops(x, route);
        break;
    case ROUTE_OPENAPI:
        cell_openapi_put(&x->out, x->conn.server->schema);
        break;
    case ROUTE_CLIENT:
        cell_https_schema(x);
        break;
    default:
        return cell_https_call(x, x->request->path + strlen(CALL_PREFIX), reply);
    }
    return false;
}

/* Whether the schema is the one that the client has already. */
static bool is_known(const struct https_call *x)
{
    const struct https_request *r = x->request;
    const char *tag = r->header(r, "If-None-Match"), *fingerprint = x->conn.server->fingerprint;
    return strcmp(r->path, "/v1/schema") == 0 && tag && strlen(tag) == CELL_FINGERPRINT_LEN + 2 && tag[0] == '"' &&
           strncmp(tag + 1, fingerprint, CELL_FINGERPRINT_LEN) == 0;
}

bool cell_https_count(struct server_https *h, int n)
{
    pthread_mutex_lock(&h->lock);
    /* Of a server that drains no request is begun, as of a connection on its socket. */
    struct cell_server *s = n > 0 && (h->over || atomic_load(&h->server->draining)) ? NULL : h->server;
    bool last = false;
    if (s) {
        pthread_mutex_lock(&s->lock);
        s->nremote += (uint32_t)n;
        last = n < 0 && s->abandoned && cell_server_is_alone(s);
        if (n < 0 && atomic_load(&s->draining))
            cell_server_wake(s);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&h->lock);
    if (last)
        cell_server_delete(s);
    return s != NULL;
}

void cell_https_answer(void *user, const struct https_request *r, struct https_reply *reply)
{
    struct server_https *h = user;
    if (!cell_https_count(h, 1)) {
        refuse(reply, 503, CELL_UNAVAILABLE, "it is shutting down");
        return;
    }
    struct https_call *x = calloc(1, sizeof(*x));
    int s = x ? begin(x, h, r) : CELL_NO_MEMORY;
    if (s < 0) {
        refuse(reply, cell_https_status(s), s, cell_status_text(s));
    } else {
        add_header(reply, "Cell-Name", h->server->cell);
        add_header(reply, "Cell-Fingerprint", h->server->fingerprint);
        if (is_known(x)) {
            reply->status = 304;
        } else if (dispatch(x, reply)) {
            x = NULL;
        } else {
            reply->status = x->wants_schema ? 428 : cell_https_status(x->code);
            cell_https_give(reply, &x->out);
        }
        reply->close = atomic_load(&h->server->draining);
    }
    cell_https_end(x);
    cell_https_count(h, -1);
}
