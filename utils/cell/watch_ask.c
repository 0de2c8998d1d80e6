/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The thread that asks the analytics cell, over one connection for as long as that lasts. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "call.h"
#include "watch.h"
#include "wire/message.h"

#define NS_PER_S (1000 * CELL_NS_PER_MS)
#define CONNECT_MS 3000u
#define ANSWER_MS 10000u /* of an aggregate with many groups that is counting */

struct watch_asker {
    pthread_t thread;
    int fd;
    char *address, *cell, *aggregate;
    bool any_owner;
    uint64_t interval_ms;
    /* of the thread alone */
    struct cell_link *link;
    struct cell_schema *schema;
    const struct cell_method *method;
    uint32_t id;
    /* guarded by the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop, asking, wanted; /* wanted: at once */
    char by[CELL_MAX_NAME + 1];
    uint32_t limit;
    struct watch_news news;
};

/* ---- one question ---- */

static void disconnect(struct watch_asker *a)
{
    cell_link_close(a->link);
    cell_schema_free(a->schema);
    a->link = NULL;
    a->schema = NULL;
}

static int learn(struct watch_asker *a, uint64_t deadline, struct cell_error *e)
{
    char name[2 * CELL_MAX_NAME + 8];
    char *json = NULL;
    size_t len = 0;
    int r = cell_link_schema(a->address, a->cell, a->any_owner, deadline, &json, &len, e);

    if (r >= 0)
        r = cell_schema_parse(json, len, &a->schema, e);
    free(json);
    if (r >= 0)
        r = cell_schema_describe(a->schema, &a->method, e);
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%s_top", a->cell);
    const struct schema_method *top = cell_schema_method(a->schema, name);
    if (!top)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "%s has no method '%s', by which aggregates are watched", a->cell,
                              name);
    a->id = (uint32_t)(top - a->schema->methods);
    a->method += a->id;
    return CELL_OK;
}

static int connect_to(struct watch_asker *a, struct cell_error *e)
{
    uint64_t deadline = cell_now_ns() + CONNECT_MS * CELL_NS_PER_MS;
    int r = a->schema ? CELL_OK : learn(a, deadline, e);

    if (r >= 0 && !a->link && !cell_config_is_remote(a->address))
        r = cell_link_open(a->address, a->cell, CELL_CHANNEL_APP, a->schema->fingerprint, a->any_owner, deadline,
                           &a->link, e);
    return r;
}

/* The parameter of that name; what it does not know stays zero. */
static void give(const struct cell_method *m, void *request, const char *name, uint32_t kind, const void *value)
{
    for (uint32_t i = 0; i < m->nin; i++)
        if (strcmp(m->in[i].name, name) == 0 && m->in[i].type->kind == kind && m->in[i].count == 0 &&
            !(m->in[i].flags & CELL_FIELD_REF))
            memcpy((char *)request + m->in[i].offset, value, m->in[i].type->size);
}

static int encode(struct call *c, const char *aggregate, const char *by, uint32_t limit, struct cell_buffer *message,
                  struct cell_error *e)
{
    const struct cell_method *m = c->descriptor;
    const struct cell_layout layout = {.fields = m->in, .n = m->nin, .size = m->in_size};
    const cell_str name = cell_strz(aggregate), field = cell_strz(by);

    c->request = cell_arena_alloc(&c->arena, m->in_size);
    if (!c->request)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    memset(c->request, 0, m->in_size);
    give(m, c->request, "name", CELL_KIND_STR, &name);
    give(m, c->request, "by", CELL_KIND_STR, &field);
    give(m, c->request, "limit", CELL_KIND_U32, &limit);
    return cell_message_encode(&layout, c->request, CELL_MAX_MESSAGE, message, e);
}

static int decode(struct call *c, const struct cell_link_reply *reply, struct watch_shot **shot, struct cell_error *e)
{
    const struct cell_method *m = c->descriptor;
    const struct cell_layout layout = {
        .fields = m->out, .n = m->nout, .size = m->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *outs = cell_arena_array(&c->arena, m->nout + 1, sizeof(*outs));
    struct cli_json j = {0};
    int r = outs ? cell_message_decode(&layout, reply->message, reply->message_len, &c->arena, outs, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r < 0)
        return r;
    out_begin(&j, NULL, '{');
    out_begin(&j, "out", '{');
    for (uint32_t i = 0; i < m->nout; i++)
        if (outs[i].ptr && outs[i].len >= (m->out[i].count ? m->out[i].count : 1))
            value_print(&j, m->out[i].name, m->out[i].type, m->out[i].count, outs[i].ptr);
    out_end(&j, '}');
    out_end(&j, '}');
    r = cell_buffer_ok(&j.b) ? watch_shot_read(&j.b, shot, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_buffer_free(&j.b);
    return r < 0 ? (cell_error_wrap(e, "the cell's answer is not what was expected"), r) : r;
}

/* A negative code of the cell's, with its sentence. */
static int refusal(const struct cell_link_reply *reply, struct cell_error *e)
{
    struct cell_meta_pair pair;

    if (cell_meta_find(reply->meta, reply->meta_len, CELL_META_MESSAGE, &pair) == CELL_OK)
        return cell_error_set(e, reply->code, "%.*s", (int)pair.value_len, (const char *)pair.value);
    return cell_error_set(e, reply->code, "%s", cell_status_text(reply->code));
}

static int ask(struct watch_asker *a, const char *by, uint32_t limit, struct watch_news *news)
{
    struct call c = {.cell = a->cell, .address = a->address, .any_owner = a->any_owner};
    struct cell_buffer none = {0}, message = {0}, got_meta = {0}, got_message = {0};
    struct cell_link_reply reply = {0};
    struct cell_error *e = &news->error;
    int r = connect_to(a, e);

    c.schema = a->schema;
    c.descriptor = a->method;
    if (r >= 0)
        r = encode(&c, a->aggregate, by, limit, &message, e);
    if (r >= 0 && cell_config_is_remote(a->address))
        r = call_https(&c, &none, ANSWER_MS, &got_meta, &got_message, &reply, e);
    else if (r >= 0)
        r = cell_link_request(a->link, (int32_t)a->id, NULL, 0, message.data, message.len, ANSWER_MS,
                              cell_now_ns() + ANSWER_MS * CELL_NS_PER_MS, &reply, e);
    news->refused = r >= 0 && reply.code < 0;
    if (news->refused)
        refusal(&reply, e);
    else if (r >= 0)
        r = decode(&c, &reply, &news->shot, e);
    if (r < 0) /* the next question begins anew: it may be another process, with another schema */
        disconnect(a);
    news->error.status = news->refused ? reply.code : r < 0 ? r : CELL_OK;
    cell_buffer_free(&message);
    cell_buffer_free(&got_meta);
    cell_buffer_free(&got_message);
    cell_arena_free(&c.arena);
    return r;
}

/* ---- the thread ---- */

/* With the lock. */
static void tell(struct watch_asker *a, const struct watch_news *news)
{
    const uint64_t one = 1;

    if (news->shot)
        watch_shot_free(a->news.shot);
    struct watch_shot *shot = news->shot ? news->shot : a->news.shot;
    a->news = *news;
    a->news.shot = shot;
    if (write(a->fd, &one, sizeof(one)) < 0)
        return; /* it is readable already */
}

static void *run(void *arg)
{
    struct watch_asker *a = arg;
    char by[CELL_MAX_NAME + 1];
    uint64_t next = 0;

    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        uint64_t now = cell_now_ns();
        const struct timespec until = {(time_t)(next / NS_PER_S), (long)(next % NS_PER_S)};
        if (now < next && !a->wanted) {
            pthread_cond_timedwait(&a->changed, &a->lock, &until);
            continue;
        }
        a->wanted = false;
        a->asking = true;
        next = now + a->interval_ms * CELL_NS_PER_MS;
        memcpy(by, a->by, sizeof(by));
        uint32_t limit = a->limit;
        struct watch_news news = {0};
        pthread_mutex_unlock(&a->lock);
        ask(a, by, limit, &news);
        pthread_mutex_lock(&a->lock);
        a->asking = false;
        tell(a, &news);
    }
    pthread_mutex_unlock(&a->lock);
    disconnect(a);
    return NULL;
}

static void free_asker(struct watch_asker *a)
{
    watch_shot_free(a->news.shot);
    if (a->fd >= 0)
        close(a->fd);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->address);
    free(a->cell);
    free(a->aggregate);
    free(a);
}

int watch_asker_open(const struct cell_config *config, const char *cell, const char *aggregate, uint64_t interval_ms,
                     const char *by, uint32_t limit, struct watch_asker **asker, struct cell_error *e)
{
    struct watch_asker *a = calloc(1, sizeof(*a));
    const char *address = cell_config_address((struct cell_config *)(uintptr_t)config, cell);
    pthread_condattr_t attr;

    if (!a)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
    a->address = address ? strdup(address) : NULL;
    a->cell = strdup(cell);
    a->aggregate = strdup(aggregate);
    a->any_owner = config->trust_any_owner;
    a->interval_ms = interval_ms;
    a->limit = limit;
    snprintf(a->by, sizeof(a->by), "%s", by);
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->address && a->cell && a->aggregate && a->fd >= 0 && pthread_create(&a->thread, NULL, run, a) == 0) {
        *asker = a;
        return CELL_OK;
    }
    free_asker(a);
    return cell_error_set(e, CELL_NO_MEMORY, "out of memory, threads or descriptors");
}

int watch_asker_fd(const struct watch_asker *asker) { return asker->fd; }

void watch_asker_take(struct watch_asker *a, struct watch_news *news)
{
    uint64_t count;

    pthread_mutex_lock(&a->lock);
    *news = a->news;
    a->news.shot = NULL;
    if (read(a->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        news->error.status = CELL_IO_ERROR;
    pthread_mutex_unlock(&a->lock);
}

void watch_asker_change(struct watch_asker *a, const char *by, uint32_t limit)
{
    pthread_mutex_lock(&a->lock);
    snprintf(a->by, sizeof(a->by), "%s", by);
    a->limit = limit;
    a->wanted = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

void watch_asker_close(struct watch_asker *a)
{
    pthread_mutex_lock(&a->lock);
    bool asking = a->asking;
    a->stop = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (asking) { /* it may hang for seconds, and who has pressed a key goes now */
        pthread_detach(a->thread);
        return;
    }
    pthread_join(a->thread, NULL);
    free_asker(a);
}
