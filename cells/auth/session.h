/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Sessions in the database. A token is 256 random bits; the database holds only its BLAKE2b hash, so that a copy of the
 * file opens no session. Each function runs inside a transaction of its caller, and takes the time from it.
 */
#ifndef CELLS_AUTH_SESSION_H
#define CELLS_AUTH_SESSION_H

#include <sodium.h>

#include "account.h"

#define SESSION_TOKEN_BYTES 32
#define SESSION_TOKEN_TEXT 43 /* characters of its URL-safe base64 without padding, RFC 4648, 5 */
#define SESSION_HASH_BYTES 32
#define SESSION_MAX_ACTIVE 32                                  /* of one account; a further log-in ends the oldest */
#define SESSION_MAX_LISTED 64                                  /* of one account, with those that have ended */
#define SESSION_HISTORY_MS (INT64_C(30) * 24 * 60 * 60 * 1000) /* how long ended ones are listed */

/* Numbers of the database and of the cell's interface: never changed. */
enum session_state {
    SESSION_ACTIVE = 0,
    SESSION_EXPIRED = 1, /* not stored: it follows from the time */
    SESSION_LOGGED_OUT = 2,
    SESSION_REVOKED = 3,
};

struct session {
    int64_t id, account;
    enum session_state state;
    int64_t created_ms, expires_ms;
    uint32_t uid;     /* who logged in, as the kernel says */
    char program[64]; /* as the program called itself */
};

struct session_token {
    char text[SESSION_TOKEN_TEXT + 1];
    unsigned char hash[SESSION_HASH_BYTES];
};

void session_token_new(struct session_token *token);
/* False for what cannot be a token. */
bool session_token_parse(const char *text, size_t len, struct session_token *token);

/* Opens `s` (account, created_ms, expires_ms, uid, program are given; id is set) and ends the oldest beyond the limit.
 * CELL_ABORTED when the account's password is no longer the one of `a`. */
int session_create(struct transaction *t, const struct account *a, const struct session_token *token, struct session *s,
                   struct failure *f);

/* The session of the token in whatever state. CELL_NOT_FOUND. uid and program are not read. */
int session_by_token(struct transaction *t, const struct session_token *token, int64_t now_ms, struct session *out,
                     struct failure *f);

/* Ends one. 1 = done, 0 = it had ended before; CELL_NOT_FOUND when the account has no such session. */
int session_end(struct transaction *t, int64_t account, int64_t id, enum session_state state, int64_t now_ms,
                struct failure *f);
/* Ends all but one; the number. */
int session_end_others(struct transaction *t, int64_t account, int64_t keep, enum session_state state, int64_t now_ms,
                       struct failure *f);

/* The newest first. The number of sessions. */
int session_list(struct transaction *t, int64_t account, int64_t now_ms, struct session out[SESSION_MAX_LISTED],
                 struct failure *f);

#endif
