/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The operations channel: health and counters, as JSON; docs/protocol.md. Everything that is quoted here is an
 * identifier or a constant, so nothing needs escaping. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "server_parts.h"

/* Room for one more counter: what does not fit is left out, so that any number of methods gives a valid document. */
#define COUNTER_ROOM 256u

/* cell_conn_ops.name */
static const char *const carriers[CELL_CARRIERS] = {"unix", "shm"};

static unsigned carrier(const struct cell_conn_ops *ops)
{
    unsigned i = CELL_CARRIERS - 1;
    while (i && strcmp(carriers[i], ops->name) != 0)
        i--;
    return i;
}

void cell_server_count_open(struct cell_server *s, struct server_conn *conn, const struct cell_conn_ops *now)
{
    if (conn->counted)
        s->nopen[carrier(conn->counted)]--;
    conn->counted = now;
    if (!now)
        return;
    s->nopen[carrier(now)]++;
    if (carrier(now) != 0) /* it never changes back */
        cell_count(&s->counters.connections_shm, 1);
}

static void connections(struct cell_server *s, struct cell_buffer *b)
{
    uint32_t n[CELL_CARRIERS];
    pthread_mutex_lock(&s->lock);
    memcpy(n, s->nopen, sizeof(n));
    pthread_mutex_unlock(&s->lock);
    cell_buffer_puts(b, ",\"connections\":{");
    for (unsigned i = 0; i < CELL_CARRIERS; i++)
        cell_buffer_printf(b, "%s\"%s\":%u", i ? "," : "", carriers[i], n[i]);
    cell_buffer_puts(b, "}");
}

static void health(struct cell_server *s, struct cell_buffer *b)
{
    cell_buffer_printf(b,
                       "{\"status\":\"%s\",\"cell\":\"%s\",\"fingerprint\":\"%s\",\"pid\":%ld,\"uptime_ms\":%" PRIu64,
                       atomic_load(&s->draining) ? "draining" : "serving", s->cell, s->fingerprint, (long)getpid(),
                       (cell_now_ns() - s->started_ns) / CELL_NS_PER_MS);
    connections(s, b);
    char https[80];
    if (cell_server_https_address(s, https, sizeof(https)))
        cell_buffer_printf(b, ",\"https\":\"%s\"", https);
    cell_buffer_printf(b, ",\"version\":\"%s\"}", CELL_VERSION);
}

static void counter(struct cell_buffer *b, const char *name, const char *suffix, const char *method, uint64_t v)
{
    if (v == 0 || b->len + COUNTER_ROOM > CELL_MAX_OPS_REPLY)
        return;
    if (b->data[b->len - 1] != '[')
        cell_buffer_puts(b, ",");
    cell_buffer_printf(b, "{\"name\":\"%s%s\"", name, suffix);
    if (method)
        cell_buffer_printf(b, ",\"method\":\"%s\"", method);
    cell_buffer_printf(b, ",\"value\":%" PRIu64 "}", v);
}

static void method_metrics(struct cell_server *s, struct cell_buffer *b, const char *method, struct method_counters *n)
{
#define METHOD_COUNTER(member, name)                                                                                   \
    counter(b, name, "", method,                                                                                       \
            cell_server_counted(s, n, offsetof(struct method_counters, member), offsetof(struct tally, member)));
    CELL_METHOD_COUNTER_MAP(METHOD_COUNTER)
#undef METHOD_COUNTER
    for (uint32_t k = 1; k < CELL_STATUS_COUNT; k++)
        counter(b, "errors.", cell_status_name(-(int)k), method, atomic_load(&n->by_status[k]));
}

static void metrics(struct cell_server *s, struct cell_buffer *b)
{
    cell_buffer_puts(b, "{\"counters\":[");
#define SERVER_COUNTER(member, name) counter(b, name, "", NULL, atomic_load(&s->counters.member));
    CELL_SERVER_COUNTER_MAP(SERVER_COUNTER)
#undef SERVER_COUNTER
    for (uint32_t i = 0; i < s->schema->nmethods; i++)
        method_metrics(s, b, s->schema->methods[i].name, &s->method_counters[i]);
    pthread_mutex_lock(&s->matches.lock);
    for (struct bound_counters *n = s->bound_counters; n; n = n->next)
        method_metrics(s, b, n->name, &n->counters);
    pthread_mutex_unlock(&s->matches.lock);
    cell_buffer_puts(b, "]}");
}

static void locked_metrics(struct cell_server *s, struct cell_buffer *b)
{
    pthread_mutex_lock(&s->lock);
    metrics(s, b);
    pthread_mutex_unlock(&s->lock);
}

int cell_server_ops(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len)
{
    cell_body_reset(c);
    if (method == CELL_OPS_HEALTH)
        health(s, &c->message);
    else if (method == CELL_OPS_METRICS)
        locked_metrics(s, &c->message);
    else
        return cell_server_ask_consumers(s, c, method, message, len);
    return cell_buffer_ok(&c->message) ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}
