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
    size_t max_reply; /* bytes of the body that are taken */
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
/* A header of the last answer, "" when there was none; without control characters. Until the next request. */
const char *cell_http_header(const struct cell_http *h, const char *name);
#endif
