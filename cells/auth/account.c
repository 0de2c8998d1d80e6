/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "account.h"

#include <stdio.h>

int account_create(struct transaction *t, const char *email, const char *hash, int64_t now_ms, struct account *out,
                   struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, ACCOUNT_INSERT);

    sqlite3_bind_text(q, 1, email, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, now_ms);
    int r = store_run(t, q, f);
    if (r == CELL_ALREADY_EXISTS)
        return fail(f, r, "there is an account with this e-mail address");
    if (r < 0)
        return r;
    *out = (struct account){.id = sqlite3_last_insert_rowid(sqlite3_db_handle(q)), .version = 1, .created_ms = now_ms};
    snprintf(out->email, sizeof(out->email), "%s", email);
    snprintf(out->password, sizeof(out->password), "%s", hash);
    return CELL_OK;
}

/* Reads the one row of `q`. */
static int read_account(struct transaction *t, sqlite3_stmt *q, struct account *out, struct failure *f)
{
    int r = store_step(t, q, f);

    if (r < 0)
        return r;
    if (r == 0)
        return fail(f, CELL_NOT_FOUND, "no such account");
    const char *email = (const char *)sqlite3_column_text(q, 1), *hash = (const char *)sqlite3_column_text(q, 2);
    if (!email || !hash)
        return fail(f, CELL_NO_MEMORY, "out of memory");
    *out = (struct account){.id = sqlite3_column_int64(q, 0),
                            .version = sqlite3_column_int64(q, 3),
                            .created_ms = sqlite3_column_int64(q, 4)};
    snprintf(out->email, sizeof(out->email), "%s", email);
    snprintf(out->password, sizeof(out->password), "%s", hash);
    return CELL_OK;
}

int account_by_email(struct transaction *t, const char *email, struct account *out, struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, ACCOUNT_BY_EMAIL);

    sqlite3_bind_text(q, 1, email, -1, SQLITE_STATIC);
    return read_account(t, q, out, f);
}

int account_by_id(struct transaction *t, int64_t id, struct account *out, struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, ACCOUNT_BY_ID);

    sqlite3_bind_int64(q, 1, id);
    return read_account(t, q, out, f);
}

/* The number of accounts whose hash was replaced: 0 or 1. */
static int update_hash(struct transaction *t, enum store_statement which, const struct account *a, const char *hash,
                       struct failure *f)
{
    sqlite3_stmt *q = store_statement(t, which);

    sqlite3_bind_int64(q, 1, a->id);
    sqlite3_bind_int64(q, 2, a->version);
    sqlite3_bind_text(q, 3, hash, -1, SQLITE_STATIC);
    return store_run(t, q, f);
}

int account_set_password(struct transaction *t, const struct account *a, const char *hash, struct failure *f)
{
    int r = update_hash(t, ACCOUNT_SET_PASSWORD, a, hash, f);

    return r == 0 ? fail(f, CELL_ABORTED, "the password was changed meanwhile") : r < 0 ? r : CELL_OK;
}

int account_rehash(struct transaction *t, const struct account *a, const char *hash, struct failure *f)
{
    int r = update_hash(t, ACCOUNT_REHASH, a, hash, f);

    return r < 0 ? r : CELL_OK;
}
