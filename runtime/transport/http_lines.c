/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Answers in lines. libcurl is driven by whoever wants a line, and by nobody else: it reads some hundred KiB at most
 * ahead of that, and what comes then waits in the socket.
 */
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "transport/http_impl.h"

/* A server that has begun to answer says something at least so often. */
#define SILENT_NS (UINT64_C(30000) * CELL_NS_PER_MS)

static int fail(struct cell_http *h, int r, struct cell_error *e)
{
    cell_http_stop(h, true);
    cell_error_wrap(e, "%s", h->address);
    return r;
}

/* ---- sending ---- */

static int send_request(struct cell_http *h, const struct cell_http_request *q, struct cell_error *e)
{
    int r = cell_http_start(h, q, e);
    if (r >= 0)
        r = cell_http_perform(h, e);
    while (r >= 0 && !h->over && h->head_bytes == 0 && !(h->begun && h->sent == q->len)) {
        r = cell_http_wait(h, q->deadline_ns, cell_now_ns(), e);
        if (r >= 0)
            r = cell_http_perform(h, e);
    }
    return r >= 0 && h->over && h->result != CURLE_OK ? cell_http_explain(h, h->result, e) : r;
}

int cell_http_begin(struct cell_http *h, const struct cell_http_request *q, struct cell_error *e)
{
    struct pipe_guard g;
    cell_http_guard_begin(&g);
    int r = send_request(h, q, e);
    cell_http_guard_end(&g);
    return r < 0 ? fail(h, r, e) : r;
}

/* ---- reading ---- */

static bool is_blank(const char *line, size_t len)
{
    while (len && strchr(" \t\r", line[len - 1]) && line[len - 1])
        len--;
    return len == 0;
}

/* A line that is there. 1; 0: none is. */
static int next_line(struct cell_http *h, const char **line, size_t *len, struct cell_error *e)
{
    size_t max = h->request->max_reply;
    bool found = false;
    while ((found = cell_lines_next(&h->lines, line, len)) && is_blank(*line, *len))
        continue;
    if (found ? *len > max : cell_lines_left(&h->lines) > max)
        return cell_error_set(e, CELL_TOO_LARGE, "a line of its answer has more than %zu bytes", max);
    return found;
}

/* After all: the document that was answered, once, or what went wrong. What follows the last end of a line is none. */
static int finish(struct cell_http *h, const char **line, size_t *len, struct cell_error *e)
{
    if (h->result != CURLE_OK)
        return cell_http_explain(h, h->result, e);
    int r = cell_http_check_answer(h, cell_http_status(h), e);
    if (r < 0 || h->given || cell_http_in_lines(h))
        return r;
    h->given = true;
    *line = h->body.data;
    *len = h->body.len;
    return 1;
}

static int wait_for_line(struct cell_http *h, uint64_t deadline_ns, const char **line, size_t *len,
                         struct cell_error *e)
{
    uint64_t heard_ns = cell_now_ns();
    size_t bytes = 0;
    for (;;) {
        int r = next_line(h, line, len, e);
        if (r != 0)
            return r;
        if (h->over)
            return finish(h, line, len, e);
        size_t before = h->line_bytes;
        r = cell_http_perform(h, e);
        if (r < 0)
            return r;
        if (h->over || h->line_bytes != before)
            continue;
        uint64_t now = cell_now_ns();
        if (bytes != h->line_bytes + h->head_bytes) {
            bytes = h->line_bytes + h->head_bytes;
            heard_ns = now;
        }
        if (h->answering && now - heard_ns > SILENT_NS)
            return cell_error_set(e, CELL_UNAVAILABLE, "it has been silent for %u s",
                                  (unsigned)(SILENT_NS / CELL_NS_PER_MS / 1000));
        r = cell_http_wait(h, deadline_ns, now, e);
        if (r < 0)
            return r;
    }
}

int cell_http_line(struct cell_http *h, uint64_t deadline_ns, const char **line, size_t *len, struct cell_error *e)
{
    struct pipe_guard g;
    if (!h->request)
        return cell_error_set(e, CELL_UNAVAILABLE, "%s: the connection was closed", h->address);
    cell_http_guard_begin(&g);
    int r = wait_for_line(h, deadline_ns, line, len, e);
    cell_http_guard_end(&g);
    return r < 0 ? fail(h, r, e) : r;
}

/* Whether a line is there that is not empty; those before it are not needed. */
static bool any_line(struct cell_http *h)
{
    const struct cell_lines *l = &h->lines;
    const char *line;
    size_t len;
    while (cell_lines_any(&h->lines)) {
        if (!is_blank(l->bytes.data + l->at, l->known - l->at))
            return true;
        cell_lines_next(&h->lines, &line, &len);
    }
    return false;
}

bool cell_http_ready(struct cell_http *h)
{
    struct pipe_guard g;
    if (!h->request || h->over || any_line(h))
        return true;
    cell_http_guard_begin(&g);
    int r = cell_http_perform(h, NULL);
    cell_http_guard_end(&g);
    return r < 0 || h->over || any_line(h);
}

unsigned cell_http_status(const struct cell_http *h)
{
    long status = 0;
    if (h->easy)
        h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    return (unsigned)status;
}

void cell_http_stop(struct cell_http *h, bool cut)
{
    struct pipe_guard g;
    bool ours = h->pid == getpid();
    if (!h->request)
        return;
    cut |= !h->over || h->result != CURLE_OK;
    cell_http_guard_begin(&g);
    if (ours)
        cell_http_finish(h);
    h->request = NULL;
    cell_http_guard_end(&g);
    if (cut)
        cell_http_disconnect(h, !ours);
}
