/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Requests to one HTTPS origin. libcurl is loaded with the first one; what a server may do to the process is bounded
 * here: only https, no redirects, no proxies, no content codings, TLS 1.3 with verified certificates, bytes counted as
 * they arrive, one deadline for everything. It knows no schemas and never repeats a request. Addresses are
 * "https://HOST:PORT", with nothing behind it; a port that is left out is 443.
 */
#ifndef CELL_TRANSPORT_HTTP_H
#define CELL_TRANSPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define CELL_HTTP_SCHEME "https://"
#define CELL_HTTP_MAX_HEADERS (32u << 10) /* bytes of all header lines of one answer, with those of 1xx */
#define CELL_HTTP_MAX_TOKEN 512u

struct cell_http;

/* Whether `address` is meant for here; it need not be a good one. */
bool cell_http_is(const char *address);
/* Whether it is a good one. CELL_INVALID_ARGUMENT says what is wrong. */
int cell_http_check(const char *address, struct cell_error *e);

/*
 * An origin and its connection, which is kept between requests. Connects to nothing. The credentials for it are found
 * here (docs/security.md): CELL_TOKEN_CELL or the file that CELL_TOKEN_FILE_CELL names, CELL_CA_FILE,
 * CELL_CLIENT_CERTIFICATE and CELL_CLIENT_KEY; `cell` NULL: no token. Errors: those of cell_http_check;
 * CELL_PERMISSION_DENIED, CELL_NOT_FOUND, CELL_INVALID_ARGUMENT of such a file; CELL_FAILED_PRECONDITION when libcurl
 * is missing. One thread at a time.
 */
int cell_http_open(const char *address, const char *cell, struct cell_http **h, struct cell_error *e);
void cell_http_close(struct cell_http *h); /* NULL is accepted */
const char *cell_http_address(const struct cell_http *h);

struct cell_http_request {
    const char *method;         /* "GET", "HEAD", "POST", "PUT" */
    const char *path;           /* "/v1/schema" */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL = none */
    const char *body;           /* JSON; NULL = none */
    size_t len;
    size_t max_reply; /* bytes of the body that are taken; of one in lines, of a line */
    bool lines;       /* an answer in lines is taken as well: for cell_http_begin */
    uint64_t deadline_ns;
    /* Asked every 50 ms while it waits: true ends the request with CELL_CANCELLED. NULL: nobody to ask. */
    bool (*cancelled)(void *user);
    void *user;
};

struct cell_http_reply {
    unsigned status;
    const char *body; /* until the next request; NUL-terminated */
    size_t len;
};

/*
 * One request, one answer of type application/json. CELL_OK whatever its status. *sent tells whether the cell may have
 * got the request. After a failure the connection is closed, and the next request makes another one.
 * CELL_UNAVAILABLE: no connection, or it was lost; CELL_UNAUTHENTICATED: the certificate is not good; CELL_DEADLINE_
 * EXCEEDED; CELL_CANCELLED; CELL_TOO_LARGE; CELL_PERMISSION_DENIED: the name has no address that may be asked;
 * CELL_PROTOCOL_ERROR: anything else that is not such an answer; CELL_NO_MEMORY. The text names the origin.
 */
int cell_http_request(struct cell_http *h, const struct cell_http_request *q, struct cell_http_reply *reply, bool *sent,
                      struct cell_error *e);
/*
 * A request whose answer comes in lines, application/x-ndjson, for as long as both sides like, or as one document when
 * its type is application/json. begin returns when the request was sent; *q and what it refers to stay until stop. Its
 * errors are those of cell_http_request.
 *
 * cell_http_line waits for the next line that is not empty: 1, without its end, until the next call; a document counts
 * as one line. 0: the answer is complete, as far as HTTP goes. Errors are those of cell_http_request; CELL_UNAVAILABLE
 * also when nothing has come for 30 s, not even an empty line. After an error there is only stop.
 *
 * The deadline is that of this one step. What is not read stays in the socket: the server has to wait.
 */
int cell_http_begin(struct cell_http *h, const struct cell_http_request *q, struct cell_error *e);
int cell_http_line(struct cell_http *h, uint64_t deadline_ns, const char **line, size_t *len, struct cell_error *e);
/* Whether a line is there, or none will come. Without waiting. */
bool cell_http_ready(struct cell_http *h);
/* Of the answer, once a line of it was there. */
unsigned cell_http_status(const struct cell_http *h);
/* Ends it. The connection is kept if the answer was complete, and closed if not, or `cut`. */
void cell_http_stop(struct cell_http *h, bool cut);
/* A header of the last answer, "" when there was none; without control characters. Until the next request. */
const char *cell_http_header(const struct cell_http *h, const char *name);
#endif
