/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A request between libmicrohttpd and the server: its head, its body, its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "listener_impl.h"

/* What libmicrohttpd is to ask for at once; it asks for less when a connection's memory is short. */
#define LINES_BYTES (16u << 10)

static const char *find_header(const struct https_request *r, const char *name)
{
    const struct incoming *in = (const struct incoming *)r;
    return MHD_lookup_connection_value(in->connection, MHD_HEADER_KIND, name);
}

static struct peer *peer_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void *https_begun(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct peer *p = peer_of(c);
    (void)uri;
    if (p)
        https_peer_enter(cls, p, PEER_RECEIVING);
    return NULL;
}

/* ---- answers ---- */

static void refuse(struct https_reply *reply, unsigned status, const char *name, int code, const char *text)
{
    reply->status = status;
    reply->close = true;
    int n = asprintf(&reply->body,
                     "{\"error\":{\"status\":\"%s\",\"code\":%d,\"message\":\"%s\",\"details\":{}},\"metadata\":{}}",
                     name, code, text);
    if (n < 0)
        reply->body = NULL;
    reply->len = n < 0 ? 0 : (size_t)n;
}

/* What is asked for was sent: from one part to the next the client has the time that is its limit. */
static ssize_t read_lines(void *cls, uint64_t at, char *to, size_t size)
{
    struct incoming *in = cls;
    (void)at;
    https_peer_enter(in->listener, in->peer, PEER_ANSWERING);
    ptrdiff_t n = in->lines->read(in->lines, to, size);
    https_peer_enter(in->listener, in->peer, PEER_SENDING);
    return n > 0 ? n : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *new_response(struct incoming *in, const struct https_reply *reply)
{
    if (reply->lines) {
        in->lines = reply->lines;
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LINES_BYTES, read_lines, in, NULL);
    }
    return reply->body ? MHD_create_response_from_buffer(reply->len, reply->body, MHD_RESPMEM_MUST_FREE)
                       : MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_reply(struct https_listener *l, struct incoming *in, struct https_reply *reply)
{
    struct MHD_Response *r = new_response(in, reply);
    if (!r) {
        free(reply->body);
        return MHD_NO;
    }
    const char *type = reply->lines ? "application/x-ndjson" : reply->type ? reply->type : "application/json";
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    for (unsigned i = 0; i < HTTPS_MAX_EXTRA && reply->extra[i].name; i++)
        MHD_add_response_header(r, reply->extra[i].name, reply->extra[i].value);
    if (reply->close)
        MHD_add_response_header(r, "Connection", "close");
    https_peer_enter(l, in->peer, PEER_SENDING);
    in->queued = true;
    enum MHD_Result sent = MHD_queue_response(in->connection, reply->status, r);
    MHD_destroy_response(r);
    return sent;
}

/* ---- the body ---- */

static void drop_body(struct https_listener *l, struct incoming *in)
{
    atomic_fetch_sub(&l->bodies, in->capacity);
    free(in->body);
    in->body = NULL;
    in->capacity = in->len = 0;
}

/* Memory grows with what came, not with what was announced. False: it is too much. */
static bool append(struct https_listener *l, struct incoming *in, const char *data, size_t size)
{
    if (size > in->limit - in->len)
        return false;
    if (in->len + size + 1 > in->capacity) {
        size_t capacity = in->capacity ? 2 * in->capacity : 4096;
        while (capacity < in->len + size + 1)
            capacity *= 2;
        size_t more = capacity - in->capacity;
        if (atomic_fetch_add(&l->bodies, more) + more > l->o.max_bodies) {
            atomic_fetch_sub(&l->bodies, more);
            return false;
        }
        char *grown = realloc(in->body, capacity);
        if (!grown) {
            atomic_fetch_sub(&l->bodies, more);
            return false;
        }
        in->body = grown;
        in->capacity = capacity;
    }
    memcpy(in->body + in->len, data, size);
    in->len += size;
    in->body[in->len] = '\0';
    return true;
}

/* ---- the head ---- */

/* What no request may have, whatever it is for. */
static bool check_head(const struct incoming *in, const char *version, struct https_reply *reply)
{
    const char *length = find_header(&in->request, "Content-Length");
    const char *coding = find_header(&in->request, "Transfer-Encoding");
    if (strcmp(version, "HTTP/1.1") != 0)
        refuse(reply, 505, "unimplemented", -12, "only HTTP/1.1 is spoken here");
    else if (length && coding) /* two lengths: who is in between may have believed the other one */
        refuse(reply, 400, "protocol-error", -18, "a request has one length, not Content-Length and Transfer-Encoding");
    else if (coding && strcasecmp(coding, "chunked") != 0)
        refuse(reply, 501, "unimplemented", -12, "the transfer coding is not known here");
    else if (find_header(&in->request, "Content-Encoding"))
        refuse(reply, 415, "unimplemented", -12, "a coded body is not taken");
    else
        return true;
    return false;
}

static bool announced_too_much(const struct incoming *in)
{
    const char *length = find_header(&in->request, "Content-Length");
    return length && (strspn(length, "0123456789") != strlen(length) || strlen(length) > 18 ||
                      strtoull(length, NULL, 10) > in->limit);
}

static enum MHD_Result begin(struct https_listener *l, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, void **state)
{
    struct https_reply reply = {0};
    struct peer *p = peer_of(c);
    struct incoming *in = p ? calloc(1, sizeof(*in)) : NULL;
    if (!in)
        return MHD_NO;
    *state = in;
    in->connection = c;
    in->listener = l;
    in->peer = p;
    in->request = (struct https_request){.method = method,
                                         .path = url,
                                         .address = p->address,
                                         .certificate = p->certificate,
                                         .fd = p->fd,
                                         .header = find_header};
    if (!check_head(in, version, &reply))
        return send_reply(l, in, &reply);
    if (!p->verified && !https_peer_verify(p, c)) {
        p->verified = false; /* its next request is refused as well */
        refuse(&reply, 401, "unauthenticated", -16, "the client's certificate is not good");
        return send_reply(l, in, &reply);
    }
    int64_t limit = l->o.admit(l->o.user, &in->request, &reply);
    if (limit < 0)
        return send_reply(l, in, &reply);
    in->limit = (size_t)limit;
    if (!announced_too_much(in))
        return MHD_YES;
    refuse(&reply, 413, "too-large", -20, "the body is larger than the limit");
    return send_reply(l, in, &reply);
}

enum MHD_Result https_handle(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, const char *data, size_t *size, void **state)
{
    struct https_listener *l = cls;
    struct https_reply reply = {0};
    struct incoming *in = *state;
    if (!in)
        return begin(l, c, url, method, version, state);
    if (in->queued) {
        *size = 0;
        return MHD_YES;
    }
    if (*size) {
        bool good = append(l, in, data, *size);
        *size = 0;
        return good ? MHD_YES : MHD_NO; /* there is no way to answer in the middle of a body */
    }
    https_peer_enter(l, in->peer, PEER_ANSWERING);
    in->request.body = in->body ? in->body : "";
    in->request.len = in->len;
    l->o.answer(l->o.user, &in->request, &reply);
    in->request.body = NULL;
    drop_body(l, in);
    return send_reply(l, in, &reply);
}

void https_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
    struct https_listener *l = cls;
    struct incoming *in = *state;
    struct peer *p = peer_of(c);
    (void)code;
    if (in) {
        if (in->lines)
            in->lines->close(in->lines);
        drop_body(l, in);
        free(in);
    }
    *state = NULL;
    if (p)
        https_peer_enter(l, p, PEER_IDLE);
}
