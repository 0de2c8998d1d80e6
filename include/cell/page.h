/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A web page of a cell, for the browser of who runs it: plain HTTP on loopback, or on a unix socket. It only reads: GET
 * and HEAD, no bodies, no cookies. Needs libcell_https.so, which is loaded then.
 *
 * Who may see it: on a unix socket its own user (mode 0600). Loopback is open to every user of the host, so there the
 * page lies below a path of 128 random bits, new with each opening, and nothing else is answered. A request whose Host
 * is no name of this host's loopback is refused, so that no site can have its own name lead here (DNS rebinding).
 * Answers are never kept, may load nothing from elsewhere, run no script that is written into them, and stand in no
 * frame (Content-Security-Policy).
 */
#ifndef CELL_PAGE_H
#define CELL_PAGE_H

#include <stddef.h>

#include <cell/errors.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct cell_page;

struct cell_page_request {
    const char *path; /* decoded, below the page's address: "" or "data/flow"; any bytes but zero */
    const char *base; /* the path of the page itself, "/" or "/0f…/": what links are relative to */
};

struct cell_page_reply { /* zeroed before */
    unsigned status;     /* 200, 404 … */
    const char *type;    /* "text/html; charset=utf-8"; lives for ever */
    char *body;          /* from malloc; freed when it was sent. NULL = empty */
    size_t len;
};

struct cell_page_options {
    const char *address; /* "127.0.0.1:0", "[::1]:8080", "localhost:0" or "unix:/path"; port 0 = any */
    void *user;
    /* Runs in a thread of the request's connection, at most 32 at the same time. */
    void (*answer)(void *user, const struct cell_page_request *r, struct cell_page_reply *reply);
};

/*
 * Listens, and answers from then on. Options are copied, but for what `user` points to. CELL_INVALID_ARGUMENT: the
 * address is none of those above; CELL_IO_ERROR: it cannot be listened on; CELL_FAILED_PRECONDITION: the library is not
 * installed; CELL_NO_MEMORY. Thread-safe.
 */
int cell_page_open(const struct cell_page_options *o, struct cell_page **page, struct cell_error *e);
/* "http://127.0.0.1:4711/0f…/", or "unix:/path" as it was given. Lives as long as the page. */
const char *cell_page_address(const struct cell_page *page);
/* Ends all connections and waits for answers that are being made. NULL is accepted. */
void cell_page_close(struct cell_page *page);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
