/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The HTTP end of a server and of pages, as a library of its own (libcell_https.so) that a cell loads when it is told
 * to listen: the only user of libmicrohttpd and GnuTLS, and nothing of the rest of Cell is in it. It keeps TLS, HTTP
 * and the limits on slow, many and large; what requests mean is the server's business (call/server_https.c), which is
 * asked twice: with the head of a request, and when its body is complete.
 */
#ifndef CELL_HTTPS_LISTENER_H
#define CELL_HTTPS_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTPS_LIBRARY "libcell_https.so.0"
#define HTTPS_ENTRY "cell_https_listener"
#define HTTPS_ABI 2u /* of what follows; the library refuses another */
#define HTTPS_MAX_NAME 128u
#define HTTPS_MAX_EXTRA 4u

/* One request. Everything lives until it was answered. */
struct https_request {
    const char *method; /* "GET" */
    const char *path;   /* decoded, without the query */
    const char *body;   /* NULL until it is complete */
    size_t len;
    const char *address;     /* of the peer, numeric */
    const char *certificate; /* the name in the client's certificate, which was verified; "" = it has none */
    int fd;                  /* of the connection: to be polled for its end */
    const char *(*header)(const struct https_request *r, const char *name); /* NULL = none */
};

/* A body of lines that are made while it is sent. Both are called by the connection's own thread. */
struct https_lines {
    /* Waits until there is more, and gives up to `size` bytes of it. 0: that was all; negative: the body breaks off. */
    ptrdiff_t (*read)(struct https_lines *lines, char *to, size_t size);
    /* The connection has no use for it any more; once, whatever happened. The request is there until this returns. */
    void (*close)(struct https_lines *lines);
};

/* What is said to it; zeroed before. */
struct https_reply {
    unsigned status;
    const char *type; /* of the body, lives for ever; NULL = "application/json" */
    char *body;       /* from malloc; the listener frees it */
    size_t len;
    struct https_lines *lines; /* in place of `body`; NULL = none */
    bool close;                /* the connection, after it */
    struct {
        const char *name;
        char value[640];
    } extra[HTTPS_MAX_EXTRA]; /* header fields, in order; name NULL = no more */
};

struct https_options {
    uint32_t abi;
    const char *host; /* numeric, or "localhost" */
    const char *port; /* decimal; "0" = any */
    /* In place of both a path for a unix socket, which its own user alone may connect to; NULL = none. One that nobody
     * listens on any more is replaced. */
    const char *socket;
    /* PEM, as text. Without a certificate it is plain HTTP. */
    const char *certificate, *key;
    const char *client_authorities; /* that may vouch for clients; NULL = none is asked for a certificate */
    uint32_t max_connections, max_per_address;
    uint32_t idle_s;     /* how long a connection may be without a whole request */
    uint32_t request_s;  /* how long a request may take to arrive, from its first line on */
    uint32_t send_s;     /* how long its answer may take to be read; of one in lines, how long nothing of it is read */
    uint64_t max_bodies; /* bytes of all requests that are being received */
    void *user;
    /* The head of a request is there. Returns how many bytes its body may have; negative: *reply is the answer. */
    int64_t (*admit)(void *user, const struct https_request *r, struct https_reply *reply);
    /* All of it is. Runs in the connection's own thread, and may block. */
    void (*answer)(void *user, const struct https_request *r, struct https_reply *reply);
};

struct https_listener;

/* What the library offers. */
struct https_functions {
    /* Listens. NULL with a sentence in `error`. Strings of the options are copied. */
    struct https_listener *(*open)(const struct https_options *o, char *error, size_t size);
    uint16_t (*port)(const struct https_listener *l);
    /* Accepts nothing more; requests of connections that there are go on. */
    void (*quiesce)(struct https_listener *l);
    /* Ends all connections. Waits for answers that are being made. */
    void (*close)(struct https_listener *l);
};

/* The entry: the functions for this version, NULL for another. */
typedef const struct https_functions *https_entry_fn(uint32_t abi);

#endif
