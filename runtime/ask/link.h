/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One connection to a cell on one channel, with its handshake: the client of those that speak frames themselves, the
 * compiler's and the command line's. To a cell of another host, "https://HOST:PORT", the same requests travel as
 * documents (link_https.h); there is no app channel then. Blocking; not thread-safe. Every error names the socket or
 * the origin and says what went wrong there, in text that can be shown whatever the peer sent.
 */
#ifndef CELL_ASK_LINK_H
#define CELL_ASK_LINK_H

#include "transport/transport.h"

struct cell_link;

struct cell_link_reply {
    int code;            /* a result, or a status of cell/errors.h */
    const uint8_t *meta; /* checked; valid until the next request */
    size_t meta_len;
    const uint8_t *message;
    size_t message_len;
};

/* Connects and shakes hands. `cell` NULL or "" names none; `fingerprint` NULL sends none (it must be given on the app
 * channel). Errors: those of the transport; the status and text of a WELCOME that refuses; CELL_NOT_FOUND when another
 * cell answers; CELL_SCHEMA_MISMATCH when the server asks for a schema; CELL_UNAVAILABLE when it is shutting down. Free
 * *l with cell_link_close. */
int cell_link_open(const char *address, const char *cell, enum cell_channel channel, const char *fingerprint,
                   bool any_owner, uint64_t deadline_ns, struct cell_link **l, struct cell_error *e);
void cell_link_close(struct cell_link *l); /* NULL is accepted */

/* The same in two steps, to a socket: `start` connects and sends the greeting with a CALL behind it, and waits for
 * nothing (CELL_DEADLINE_EXCEEDED when it would have to, CELL_UNIMPLEMENTED for another host); `welcomed` waits for the
 * answer to the greeting, and `started` for that to the CALL. Nothing else may be asked before. */
int cell_link_start(const char *address, const char *cell, enum cell_channel channel, bool any_owner, int32_t method,
                    const void *message, size_t len, uint32_t timeout_ms, struct cell_link **l, struct cell_error *e);
int cell_link_welcomed(struct cell_link *l, const char *cell, uint64_t deadline_ns, struct cell_error *e);
int cell_link_started(struct cell_link *l, uint64_t deadline_ns, struct cell_link_reply *reply, struct cell_error *e);
bool cell_link_has_started(const struct cell_link *l); /* and is not answered */

/* One CALL and its REPLY. CELL_OK when a reply came, whatever its code. `meta` is an encoded block. After an error, but
 * for CELL_TOO_LARGE of the request itself, the connection is of no use any more: every further request fails. */
int cell_link_request(struct cell_link *l, int32_t method, const void *meta, size_t meta_len, const void *message,
                      size_t len, uint32_t timeout_ms, uint64_t deadline_ns, struct cell_link_reply *reply,
                      struct cell_error *e);

/*
 * A CALL of a method with a stream, on a connection for it alone. Begin sends it. put sends one message of records:
 * CELL_OK, or 1 when the reply is there already; end says that there are no more. next waits for the next message of
 * records: 1, and *message until the next call; 0: the reply came. A stream is given up by closing the link. Errors as
 * of cell_link_request.
 */
int cell_link_begin(struct cell_link *l, int32_t method, const void *meta, size_t meta_len, const void *message,
                    size_t len, uint64_t deadline_ns, struct cell_error *e);
int cell_link_put(struct cell_link *l, const void *message, size_t len, uint64_t deadline_ns, struct cell_error *e);
int cell_link_end(struct cell_link *l, uint64_t deadline_ns, struct cell_error *e);
int cell_link_next(struct cell_link *l, const uint8_t **message, size_t *len, struct cell_link_reply *reply,
                   uint64_t deadline_ns, struct cell_error *e);
/* The largest message of records that put takes. */
uint32_t cell_link_limit(const struct cell_link *l);

/* The metadata `key` of the last reply to cell_link_request, copied: its length, 0 when there is none or it has more
 * than `size` bytes. */
size_t cell_link_replied(const struct cell_link *l, const char *key, char *value, size_t size);

/* A reply with a negative code as an error: returns the code, or CELL_UNKNOWN for one that is no status, with the text
 * that the cell sent. */
int cell_link_failure(const struct cell_link *l, const struct cell_link_reply *reply, struct cell_error *e);

/* What the server said of itself in WELCOME ("" when it did not), and who it is by the kernel's word: nobody, of
 * another host. */
const char *cell_link_cell(const struct cell_link *l);
const char *cell_link_fingerprint(const struct cell_link *l);
void cell_link_peer(const struct cell_link *l, struct cell_peer *peer);

/* Asks a running cell for its schema document on the compile channel; *json, NUL-terminated after *len bytes that are
 * not checked, is the caller's to free. */
int cell_link_schema(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, char **json,
                     size_t *len, struct cell_error *e);

#endif
