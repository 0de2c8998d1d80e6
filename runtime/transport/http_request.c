/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One request, from its options to its end. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "transport/http_impl.h"
#include "wire/hello.h"

/* How often a request that waits looks whether it was cancelled. */
#define SLICE_MS 50
/* A server that has begun to answer sends at least so much in such a time. */
#define SLOW_NS (UINT64_C(10000) * CELL_NS_PER_MS)
#define SLOW_BYTES 1024u

/* ---- signals ---- */

/* TLS libraries write to sockets whose other end may be gone, which is a signal to the process if nothing is done. */
void cell_http_guard_begin(struct pipe_guard *g)
{
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    g->pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &g->before);
}

void cell_http_guard_end(struct pipe_guard *g)
{
    const struct timespec now = {0};
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (!g->pending)
        sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}

/* ---- the handles ---- */

void cell_http_disconnect(struct cell_http *h, bool leak)
{
    struct pipe_guard g;
    if (!leak && (h->easy || h->multi)) {
        cell_http_guard_begin(&g);
        if (h->easy)
            h->curl->easy_cleanup(h->easy);
        if (h->multi)
            h->curl->multi_cleanup(h->multi);
        cell_http_guard_end(&g);
    }
    h->easy = NULL;
    h->multi = NULL;
}

static int connect_handles(struct cell_http *h, struct cell_error *e)
{
    if (h->pid != getpid()) /* the connection is the parent's */
        cell_http_disconnect(h, true);
    h->pid = getpid();
    if (h->easy)
        return CELL_OK;
    h->easy = h->curl->easy_init();
    h->multi = h->curl->multi_init();
    if (h->easy && h->multi)
        return CELL_OK;
    cell_http_disconnect(h, false);
    return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
}

/* ---- options ---- */

static void set_security(struct cell_http *h)
{
    const struct curl_functions *c = h->curl;
    const struct http_credentials *own = &h->credentials;
    c->easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "https");
    c->easy_setopt(h->easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    c->easy_setopt(h->easy, CURLOPT_FOLLOWLOCATION, 0L);
    c->easy_setopt(h->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    c->easy_setopt(h->easy, CURLOPT_PROXY, ""); /* not that of the environment either */
    c->easy_setopt(h->easy, CURLOPT_HTTP09_ALLOWED, 0L);
    c->easy_setopt(h->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    c->easy_setopt(h->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    c->easy_setopt(h->easy, CURLOPT_SSL_VERIFYPEER, 1L);
    c->easy_setopt(h->easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (own->ca_file) {
        c->easy_setopt(h->easy, CURLOPT_CAINFO, own->ca_file);
        c->easy_setopt(h->easy, CURLOPT_CAPATH, NULL);
    }
    if (own->certificate) {
        c->easy_setopt(h->easy, CURLOPT_SSLCERT, own->certificate);
        c->easy_setopt(h->easy, CURLOPT_SSLKEY, own->key);
    }
}

static struct curl_slist *add(struct cell_http *h, struct curl_slist *list, const char *line, bool *ok)
{
    struct curl_slist *longer = *ok ? h->curl->slist_append(list, line) : NULL;
    *ok = longer != NULL;
    return longer ? longer : list;
}

static struct curl_slist *headers(struct cell_http *h, const struct cell_http_request *q, bool *ok)
{
    char line[CELL_HTTP_MAX_TOKEN + 64];
    struct curl_slist *list = NULL;
    *ok = true;
    list = add(h, list, q->lines ? "Accept: application/x-ndjson, application/json" : "Accept: application/json", ok);
    list = add(h, list, "Accept-Encoding: identity", ok);
    list = add(h, list, "Expect:", ok); /* no waiting for 100 */
    list = add(h, list, "User-Agent: cell/" CELL_VERSION, ok);
    if (q->body)
        list = add(h, list, "Content-Type: application/json", ok);
    if (h->credentials.token[0]) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", h->credentials.token);
        list = add(h, list, line, ok);
        explicit_bzero(line, sizeof(line));
    }
    for (const char *const *at = q->headers; at && *at; at++)
        list = add(h, list, *at, ok);
    return list;
}

static int set_request(struct cell_http *h, const struct cell_http_request *q, struct curl_slist *list,
                       struct cell_error *e)
{
    const struct curl_functions *c = h->curl;
    struct cell_buffer url = {0};
    c->easy_reset(h->easy);
    set_security(h);
    cell_http_set_callbacks(h);
    c->easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->detail);
    c->easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(h->easy, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is not waited for */
    c->easy_setopt(h->easy, CURLOPT_MAXCONNECTS, 1L);
    c->easy_setopt(h->easy, CURLOPT_PATH_AS_IS, 1L);
    c->easy_setopt(h->easy, CURLOPT_HTTPHEADER, list);
    if (strcmp(q->method, "HEAD") == 0) {
        c->easy_setopt(h->easy, CURLOPT_NOBODY, 1L);
    } else if (q->body) {
        c->easy_setopt(h->easy, CURLOPT_POST, 1L);
        c->easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->len);
        c->easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, q->method);
    }
    cell_buffer_printf(&url, "%s%s", h->address, q->path);
    CURLcode r = cell_buffer_ok(&url) ? c->easy_setopt(h->easy, CURLOPT_URL, url.data) : CURLE_OUT_OF_MEMORY;
    cell_buffer_free(&url);
    return r == CURLE_OK ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
}

/* ---- waiting ---- */

/* How the rate of an answer is watched. */
struct pace {
    uint64_t since_ns;
    size_t bytes;
};

static int check_pace(const struct cell_http *h, struct pace *p, uint64_t now, struct cell_error *e)
{
    size_t bytes = h->head_bytes + h->body.len;
    if (bytes == 0 || p->since_ns == 0 || bytes - p->bytes >= SLOW_BYTES) {
        *p = (struct pace){bytes ? now : 0, bytes};
        return CELL_OK;
    }
    if (now - p->since_ns < SLOW_NS)
        return CELL_OK;
    return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "it sends its answer too slowly");
}

int cell_http_wait(struct cell_http *h, uint64_t deadline_ns, uint64_t now, struct cell_error *e)
{
    const struct cell_http_request *q = h->request;
    if (q->cancelled && q->cancelled(q->user))
        return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
    if (deadline_ns != CELL_NO_DEADLINE && now >= deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "it did not answer in time");
    int ms = SLICE_MS;
    if (deadline_ns != CELL_NO_DEADLINE && (deadline_ns - now) / CELL_NS_PER_MS < SLICE_MS)
        ms = (int)((deadline_ns - now) / CELL_NS_PER_MS) + 1;
    h->curl->multi_poll(h->multi, NULL, 0, ms, NULL);
    return CELL_OK;
}

int cell_http_explain(struct cell_http *h, CURLcode code, struct cell_error *e)
{
    char text[CURL_ERROR_SIZE];
    const char *why = h->detail[0] ? h->detail : h->curl->easy_strerror(code);
    int status = CELL_PROTOCOL_ERROR;
    if (h->failure.status < 0)
        return cell_error_set(e, h->failure.status, "%s", h->failure.text);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND:
        status = CELL_UNAVAILABLE;
        break;
    case CURLE_OPERATION_TIMEDOUT:
        status = CELL_DEADLINE_EXCEEDED;
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        status = CELL_UNAUTHENTICATED;
        break;
    case CURLE_OUT_OF_MEMORY:
        status = CELL_NO_MEMORY;
        break;
    default:
        break;
    }
    cell_text_from_peer(why, strlen(why), text, sizeof(text));
    return cell_error_set(e, status, "%s", text);
}

int cell_http_perform(struct cell_http *h, struct cell_error *e)
{
    int running = 1, left;
    if (h->curl->multi_perform(h->multi, &running) != CURLM_OK)
        return cell_error_set(e, CELL_IO_ERROR, "libcurl failed");
    h->over = !running;
    for (CURLMsg *m; h->over && (m = h->curl->multi_info_read(h->multi, &left));)
        if (m->msg == CURLMSG_DONE)
            h->result = m->data.result;
    return CELL_OK;
}

static int perform_all(struct cell_http *h, const struct cell_http_request *q, struct cell_error *e)
{
    struct pace pace = {0};
    int r = cell_http_perform(h, e);
    while (r >= 0 && !h->over) {
        uint64_t now = cell_now_ns();
        r = check_pace(h, &pace, now, e);
        if (r >= 0)
            r = cell_http_wait(h, q->deadline_ns, now, e);
        if (r >= 0)
            r = cell_http_perform(h, e);
    }
    return r >= 0 && h->result != CURLE_OK ? cell_http_explain(h, h->result, e) : r;
}

static void reset(struct cell_http *h, const struct cell_http_request *q)
{
    h->request = q;
    h->sent = h->head_bytes = h->head.len = h->body.len = h->line_bytes = 0;
    h->begun = h->answering = h->over = h->given = false;
    h->result = CURLE_OK;
    h->detail[0] = '\0';
    h->failure = (struct cell_error){0};
    cell_buffer_puts(&h->body, "");
    cell_buffer_puts(&h->head, "");
    cell_lines_clear(&h->lines);
}

int cell_http_start(struct cell_http *h, const struct cell_http_request *q, struct cell_error *e)
{
    bool ok = false;
    reset(h, q);
    int r = connect_handles(h, e);
    if (r < 0)
        return r;
    h->headers = headers(h, q, &ok);
    r = ok ? set_request(h, q, h->headers, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && h->curl->multi_add_handle(h->multi, h->easy) != CURLM_OK)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    h->added = r >= 0;
    return r;
}

void cell_http_finish(struct cell_http *h)
{
    if (h->added)
        h->curl->multi_remove_handle(h->multi, h->easy);
    h->added = false;
    if (h->headers)
        h->curl->slist_free_all(h->headers);
    h->headers = NULL;
    h->request = NULL;
}

int cell_http_request(struct cell_http *h, const struct cell_http_request *q, struct cell_http_reply *reply, bool *sent,
                      struct cell_error *e)
{
    struct cell_error local = {0};
    struct pipe_guard g;
    long status = 0;
    e = e ? e : &local;
    cell_http_guard_begin(&g);
    int r = cell_http_start(h, q, e);
    if (r >= 0)
        r = perform_all(h, q, e);
    if (r >= 0) {
        h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
        r = cell_http_check_answer(h, (unsigned)status, e);
    }
    cell_http_finish(h);
    cell_http_guard_end(&g);
    if (sent)
        *sent = h->begun;
    if (r < 0) {
        cell_http_disconnect(h, false);
        cell_error_wrap(e, "%s", h->address);
        return r;
    }
    *reply = (struct cell_http_reply){(unsigned)status, h->body.data ? h->body.data : "", h->body.len};
    return CELL_OK;
}
