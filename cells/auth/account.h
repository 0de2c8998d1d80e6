/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Accounts in the database. Each function runs inside a transaction of its caller. */
#ifndef CELLS_AUTH_ACCOUNT_H
#define CELLS_AUTH_ACCOUNT_H

#include "email.h"
#include "password.h"
#include "store.h"

struct account {
    int64_t id;
    char email[EMAIL_MAX + 1];
    char password[PASSWORD_HASH_SIZE];
    int64_t version; /* counts changes of the password */
    int64_t created_ms;
};

/* `email` is normalized, `hash` from password_hash. CELL_ALREADY_EXISTS. */
int account_create(struct transaction *t, const char *email, const char *hash, int64_t now_ms, struct account *out,
                   struct failure *f);

/* CELL_NOT_FOUND. */
int account_by_email(struct transaction *t, const char *email, struct account *out, struct failure *f);
int account_by_id(struct transaction *t, int64_t id, struct account *out, struct failure *f);

/* A new password. CELL_ABORTED when the account's version is no longer the one given: it was changed meanwhile. */
int account_set_password(struct transaction *t, const struct account *a, const char *hash, struct failure *f);

/* The same password hashed with other parameters; does nothing when it was changed meanwhile. */
int account_rehash(struct transaction *t, const struct account *a, const char *hash, struct failure *f);

#endif
