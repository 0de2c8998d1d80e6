/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The inside of http.c, http_credentials.c and http_request.c. */
#ifndef CELL_TRANSPORT_HTTP_IMPL_H
#define CELL_TRANSPORT_HTTP_IMPL_H

#include <signal.h>
#include <sys/types.h>

#include "base/lines.h"
#include "transport/curl_lazy.h"
#include "transport/http.h"

#define HTTP_HOST_MAX 254u

/* What a process shows to an origin, and by what it knows it. */
struct http_credentials {
    char token[CELL_HTTP_MAX_TOKEN + 1]; /* "" = none */
    const char *ca_file;                 /* NULL = the system's authorities */
    const char *certificate, *key;       /* NULL = none */
};

struct cell_http {
    char host[HTTP_HOST_MAX + 1]; /* without the brackets of an IPv6 address */
    bool is_local;                /* it says itself that it is this host */
    struct http_credentials credentials;
    const struct curl_functions *curl;
    CURL *easy;
    CURLM *multi;
    pid_t pid; /* that made them */

    /* Of the request that runs: */
    const struct cell_http_request *request;
    struct curl_slist *headers;
    bool added;              /* libcurl has it */
    size_t sent;             /* bytes of the body that were taken */
    bool begun;              /* the request was being sent */
    struct cell_buffer head; /* the header lines of the answer */
    size_t head_bytes;       /* … of all answers, with those of 1xx */
    struct cell_buffer body;
    struct cell_lines lines;   /* of an answer in lines, in place of `body` */
    size_t line_bytes;         /* that have come of these */
    bool answering;            /* its head was looked at, and something of its body is there */
    bool over;                 /* nothing more will come */
    bool given;                /* the document that was answered in place of lines */
    CURLcode result;           /* once it is over */
    struct cell_error failure; /* found by a callback */
    char detail[CURL_ERROR_SIZE];
    char value[512]; /* of cell_http_header */
    char address[];
};

/* http_request.c: one request from its options on, and away with what it needed; between these the signal that writing
 * to a lost connection raises is held back. */
struct pipe_guard {
    sigset_t before;
    bool pending;
};
void cell_http_guard_begin(struct pipe_guard *g);
void cell_http_guard_end(struct pipe_guard *g);
int cell_http_start(struct cell_http *h, const struct cell_http_request *q, struct cell_error *e);
void cell_http_finish(struct cell_http *h);
/* Lets libcurl do what it can without waiting; h->over and h->result tell whether that was all. */
int cell_http_perform(struct cell_http *h, struct cell_error *e);
/* Why no more is to be waited for: cancelled, or late. Else waits a little, until something happens. */
int cell_http_wait(struct cell_http *h, uint64_t deadline_ns, uint64_t now, struct cell_error *e);
/* What libcurl says of a failure, in our terms. */
int cell_http_explain(struct cell_http *h, CURLcode code, struct cell_error *e);
/* http_credentials.c; the errors of cell_http_open. */
int cell_http_credentials(const char *cell, struct http_credentials *c, struct cell_error *e);
/* http_request.c: what it has open; `leak`: it belongs to the process that this one was forked from. */
void cell_http_disconnect(struct cell_http *h, bool leak);
/* http_callbacks.c */
void cell_http_set_callbacks(struct cell_http *h);
/* Whether the answer that has begun is one in lines. */
bool cell_http_in_lines(const struct cell_http *h);
/* After the whole answer: what is wrong with it, if nothing was before. */
int cell_http_check_answer(struct cell_http *h, unsigned status, struct cell_error *e);

#endif
