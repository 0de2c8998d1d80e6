/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "session.h"

#include <stdio.h>
#include <string.h>

static void hash_token(const unsigned char bytes[SESSION_TOKEN_BYTES], unsigned char hash[SESSION_HASH_BYTES])
{
    crypto_generichash(hash, SESSION_HASH_BYTES, bytes, SESSION_TOKEN_BYTES, NULL, 0);
}

void session_token_new(struct session_token *token)
{
    unsigned char bytes[SESSION_TOKEN_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2base64(token->text, sizeof(token->text), bytes, sizeof(bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    hash_token(bytes, token->hash);
    sodium_memzero(bytes, sizeof(bytes));
}

bool session_token_parse(const char *text, size_t len, struct session_token *token)
{
    unsigned char bytes[SESSION_TOKEN_BYTES];
    size_t n = 0;

    if (len != SESSION_TOKEN_TEXT || sodium_base642bin(bytes, sizeof(bytes), text, len, NULL, &n, NULL,
                                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    if (n != sizeof(bytes))
        return false;
    memcpy(token->text, text, len);
    token->text[len] = '\0';
    hash_token(bytes, token->hash);
    sodium_memzero(bytes, sizeof(bytes));
    return true;
}

static enum session_state state_at(int64_t stored, int64_t expires_ms, int64_t now_ms)
{
    return stored == SESSION_ACTIVE && expires_ms <= now_ms ? SESSION_EXPIRED : (enum session_state)stored;
}

static int end_oldest(struct transaction *t, int64_t account, int64_t now_ms, struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_END_OLDEST);

    sqlite3_bind_int64(q, 1, account);
    sqlite3_bind_int(q, 2, SESSION_REVOKED);
    sqlite3_bind_int64(q, 3, now_ms);
    sqlite3_bind_int(q, 4, SESSION_MAX_ACTIVE);
    return store_run(t, q, f);
}

static int forget_old(struct transaction *t, int64_t account, int64_t now_ms, struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_FORGET);

    sqlite3_bind_int64(q, 1, account);
    sqlite3_bind_int64(q, 2, now_ms);
    sqlite3_bind_int64(q, 3, now_ms - SESSION_HISTORY_MS);
    sqlite3_bind_int(q, 4, SESSION_MAX_LISTED);
    return store_run(t, q, f);
}

int session_create(struct transaction *t, const struct account *a, const struct session_token *token, struct session *s,
                   struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_INSERT);

    sqlite3_bind_int64(q, 1, a->id);
    sqlite3_bind_int64(q, 2, a->version);
    sqlite3_bind_blob(q, 3, token->hash, sizeof(token->hash), SQLITE_STATIC);
    sqlite3_bind_int64(q, 4, s->created_ms);
    sqlite3_bind_int64(q, 5, s->expires_ms);
    sqlite3_bind_int64(q, 6, s->uid);
    sqlite3_bind_text(q, 7, s->program, -1, SQLITE_STATIC);
    int r = store_run(t, q, f);
    if (r < 0)
        return r;
    if (r == 0)
        return fail(f, CELL_ABORTED, "the password was changed meanwhile");
    s->id = sqlite3_last_insert_rowid(sqlite3_db_handle(q));
    s->account = a->id;
    s->state = SESSION_ACTIVE;
    r = end_oldest(t, a->id, s->created_ms, f);
    if (r >= 0)
        r = forget_old(t, a->id, s->created_ms, f);
    return r < 0 ? r : CELL_OK;
}

int session_by_token(struct transaction *t, const struct session_token *token, int64_t now_ms, struct session *out,
                     struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_BY_TOKEN);

    sqlite3_bind_blob(q, 1, token->hash, sizeof(token->hash), SQLITE_STATIC);
    int r = store_step(t, q, f);
    if (r < 0)
        return r;
    /* The index found the row by comparing bytes of hashes, which says nothing about tokens; the decision is made in
     * constant time all the same. */
    const void *stored = r ? sqlite3_column_blob(q, 2) : NULL;
    if (!stored || sqlite3_column_bytes(q, 2) != SESSION_HASH_BYTES ||
        sodium_memcmp(stored, token->hash, SESSION_HASH_BYTES) != 0)
        return fail(f, CELL_NOT_FOUND, "no such session");
    *out = (struct session){.id = sqlite3_column_int64(q, 0),
                            .account = sqlite3_column_int64(q, 1),
                            .created_ms = sqlite3_column_int64(q, 4),
                            .expires_ms = sqlite3_column_int64(q, 5)};
    out->state = state_at(sqlite3_column_int64(q, 3), out->expires_ms, now_ms);
    return CELL_OK;
}

int session_end(struct transaction *t, int64_t account, int64_t id, enum session_state state, int64_t now_ms,
                struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_END);

    sqlite3_bind_int64(q, 1, account);
    sqlite3_bind_int64(q, 2, id);
    sqlite3_bind_int(q, 3, (int)state);
    sqlite3_bind_int64(q, 4, now_ms);
    int r = store_run(t, q, f);
    if (r != 0)
        return r;
    q = store_statement(t, SESSION_EXISTS);
    sqlite3_bind_int64(q, 1, account);
    sqlite3_bind_int64(q, 2, id);
    r = store_step(t, q, f);
    return r < 0 ? r : r == 0 ? fail(f, CELL_NOT_FOUND, "the account has no such session") : 0;
}

int session_end_others(struct transaction *t, int64_t account, int64_t keep, enum session_state state, int64_t now_ms,
                       struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_END_OTHERS);

    sqlite3_bind_int64(q, 1, account);
    sqlite3_bind_int64(q, 2, keep);
    sqlite3_bind_int(q, 3, (int)state);
    sqlite3_bind_int64(q, 4, now_ms);
    return store_run(t, q, f);
}

int session_list(struct transaction *t, int64_t account, int64_t now_ms, struct session out[SESSION_MAX_LISTED],
                 struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, SESSION_LIST);
    int n = 0, r;

    sqlite3_bind_int64(q, 1, account);
    sqlite3_bind_int(q, 2, SESSION_MAX_LISTED);
    while ((r = store_step(t, q, f)) > 0) {
        const char *program = (const char *)sqlite3_column_text(q, 5);
        struct session *s = &out[n++];
        *s = (struct session){.id = sqlite3_column_int64(q, 0),
                              .account = account,
                              .created_ms = sqlite3_column_int64(q, 2),
                              .expires_ms = sqlite3_column_int64(q, 3),
                              .uid = (uint32_t)sqlite3_column_int64(q, 4)};
        s->state = state_at(sqlite3_column_int64(q, 1), s->expires_ms, now_ms);
        snprintf(s->program, sizeof(s->program), "%s", program ? program : "");
    }
    return r < 0 ? r : n;
}
