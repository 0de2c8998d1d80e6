/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls to cells of other hosts: https.c. */
#ifndef CELL_CALL_HTTPS_H
#define CELL_CALL_HTTPS_H

#include "call.h"
#include "core/schema.h"
#include "transport/http.h"
#include "wire/hello.h"

/* Base64 takes less and hexadecimal twice as much, and names of fields come on top. */
#define HTTPS_MAX_REPLY (2 * (size_t)CELL_MAX_MESSAGE + (1u << 20))

/* The address of the call's cell when that is on another host; NULL: it is not, or has none. */
const char *cell_https_address(cell_ctx *c, const struct client_call *k);
/* Carries out a call whose request was encoded, and so checked. As cell_call_remote. */
int cell_call_https(cell_ctx *c, struct client_call *k, const char *address);
void cell_client_forget_origins(struct cell_client *client); /* when it is closed */

/* ---- what calls and streams share ---- */

/* A connection; its credentials are those of one cell. */
struct https_origin {
    struct https_origin *next; /* of those that no call uses */
    struct cell_http *http;
    char cell[CELL_MAX_CELL_NAME + 1];
    /* The schema that was sent for this service: what its descriptors stand for, which is not all that the cell had
     * when the program was compiled. NULL: none was asked for. */
    const struct cell_service *described;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
};
/* One that nobody uses, or a new one; it goes back, or is freed. */
int cell_https_take_origin(const struct client_call *k, const char *address, struct https_origin **origin,
                           struct cell_error *e);
void cell_https_give_origin(struct cell_client *client, struct https_origin *o);
void cell_https_free_origin(struct https_origin *o);

/* The parts of a request that make the call. */
struct https_head {
    char path[CELL_MAX_NAME + 16], fingerprint[96], method[32], timeout[48];
    const char *lines[4];
};
void cell_https_describe_call(const struct client_call *k, const struct https_origin *o, struct https_head *head);
bool cell_https_is_cancelled(void *ctx); /* for cell_http_request */
/* After an answer: whether it is of the cell that was meant; CELL_NOT_FOUND. */
int cell_https_check_who(const struct https_origin *o, const struct cell_service *s, struct cell_error *e);
/* The cell was built from another schema, and wants to compare. */
int cell_https_send_schema(cell_ctx *c, const struct client_call *k, struct https_origin *o, struct cell_error *e);
/* Whether what the cell answers may have members that this program does not know. */
bool cell_https_skips(const struct client_call *k, const struct https_origin *o);

/* A reply as it would have come over a socket. */
struct https_reply_message {
    int code;
    struct cell_buffer meta, message;
};
int cell_https_read_reply(const struct client_call *k, bool skips, const char *json, size_t len,
                          struct https_reply_message *reply, struct cell_error *e);
int cell_https_take_reply(cell_ctx *c, const struct client_call *k, const struct https_reply_message *reply);
void cell_https_free_reply(struct https_reply_message *reply);

#endif
