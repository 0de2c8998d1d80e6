/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Registration, log-in and passwords. What a session alone may do is in service_session.c. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limiter.h"
#include "service_impl.h"

int service_open(const struct service_options *options, struct service **s, struct failure *f)
{
    if (sodium_init() < 0)
        return fail(f, CELL_INTERNAL, "libsodium cannot be initialized");
    struct service *made = calloc(1, sizeof(*made));
    if (!made)
        return fail(f, CELL_NO_MEMORY, "out of memory");
    made->session_ttl_ms = options->session_ttl_ms;
    made->hasher = hasher_new(&options->cost);
    made->of_account = limiter_new(options->login_limit, 60000 / options->login_limit);
    made->of_caller = limiter_new(options->caller_limit, 60000 / options->caller_limit);
    int r = made->hasher && made->of_account && made->of_caller ? store_open(options->database, &made->store, f)
                                                                : fail(f, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        service_close(made);
        return r;
    }
    *s = made;
    return CELL_OK;
}

void service_close(struct service *s)
{
    if (!s)
        return;
    store_close(s->store);
    limiter_free(s->of_caller);
    limiter_free(s->of_account);
    hasher_free(s->hasher);
    free(s);
}

static int check_max_password(cell_str password, struct failure *f)
{
    if (password.len > SERVICE_MAX_PASSWORD)
        return fail(f, CELL_INVALID_ARGUMENT, "the password is longer than %d bytes", SERVICE_MAX_PASSWORD);
    return CELL_OK;
}

static int check_new_password(cell_str password, struct failure *f)
{
    size_t characters = 0;

    for (uint64_t i = 0; i < password.len; i++)
        characters += ((unsigned char)password.ptr[i] & 0xc0) != 0x80; /* not a UTF-8 continuation */
    if (characters < SERVICE_MIN_PASSWORD)
        return fail(f, CELL_INVALID_ARGUMENT, "the password is shorter than %d characters", SERVICE_MIN_PASSWORD);
    return check_max_password(password, f);
}

static int too_many(struct failure *f, const char *whose, int64_t retry_after_ms)
{
    fail(f, CELL_RESOURCE_EXHAUSTED, "too many failed attempts %s; try again in %lld s", whose,
         (long long)(retry_after_ms + 999) / 1000);
    f->retry_after_ms = retry_after_ms;
    return CELL_RESOURCE_EXHAUSTED;
}

/* An attempt counts as failed until `settle` says otherwise: many at once must not all find the allowance untouched. */
static int admit_caller(struct service *s, const struct request *by, struct failure *f)
{
    int64_t retry_after_ms = 0;

    if (limiter_take(s->of_caller, &by->uid, sizeof(by->uid), by->monotonic_ms, &retry_after_ms))
        return CELL_OK;
    return too_many(f, "by this user", retry_after_ms);
}

static void refund_caller(struct service *s, const struct request *by)
{
    limiter_refund(s->of_caller, &by->uid, sizeof(by->uid), by->monotonic_ms);
}

static int admit(struct service *s, const struct request *by, const char *email, struct failure *f)
{
    int64_t retry_after_ms = 0;
    int r = admit_caller(s, by, f);

    if (r < 0 || limiter_take(s->of_account, email, strlen(email), by->monotonic_ms, &retry_after_ms))
        return r;
    refund_caller(s, by);
    return too_many(f, "for this account", retry_after_ms);
}

/* Only a wrong password keeps counting: not a right one, and not a check that did not take place. */
static void settle(struct service *s, const struct request *by, const char *email, int result)
{
    if (result == CELL_UNAUTHENTICATED)
        return;
    refund_caller(s, by);
    limiter_refund(s->of_account, email, strlen(email), by->monotonic_ms);
}

static int find_account(struct service *s, const char *email, struct account *out, struct failure *f)
{
    struct transaction t;
    int r = store_begin(s->store, false, &t, f);

    return r < 0 ? r : store_end(&t, account_by_email(&t, email, out, f), f);
}

static int add_account(struct service *s, const struct request *by, const char *email, const char *hash,
                       struct account *out, struct failure *f)
{
    struct transaction t;
    int r = store_begin(s->store, true, &t, f);

    return r < 0 ? r : store_end(&t, account_create(&t, email, hash, by->now_ms, out, f), f);
}

static int register_account(struct service *s, const struct request *by, const char *email, cell_str password,
                            struct account *out, struct failure *f)
{
    char hash[PASSWORD_HASH_SIZE];
    int r = find_account(s, email, out, f);

    if (r >= 0)
        return fail(f, CELL_ALREADY_EXISTS, "there is an account with this e-mail address");
    if (r != CELL_NOT_FOUND)
        return r;
    r = password_hash(s->hasher, password.ptr, password.len, &by->patience, hash, f);
    return r < 0 ? r : add_account(s, by, email, hash, out, f);
}

int service_register(struct service *s, const struct request *by, cell_str email, cell_str password,
                     struct account *out, struct failure *f)
{
    char normal[EMAIL_MAX + 1];
    struct account made;
    int r = email_normalize(email.ptr, email.len, normal, f);

    if (r >= 0)
        r = check_new_password(password, f);
    if (r >= 0)
        r = admit_caller(s, by, f);
    if (r < 0)
        return r;
    r = register_account(s, by, normal, password, &made, f);
    if (r != CELL_ALREADY_EXISTS)
        refund_caller(s, by);
    if (r >= 0)
        *out = made;
    return r;
}

/* What travels as text must be UTF-8, and what is shown in lists must not move a terminal's cursor. */
static void copy_program(cell_str program, char out[64])
{
    size_t n = program.len < 63 ? (size_t)program.len : 63;

    for (size_t i = 0; i < n; i++)
        out[i] = program.ptr[i] >= ' ' && program.ptr[i] < 0x7f ? program.ptr[i] : '?';
    out[n] = '\0';
}

static int open_session(struct service *s, const struct request *by, const struct account *a, const char *new_hash,
                        struct session *session, struct session_token *token, struct failure *f)
{
    struct transaction t;
    int r;

    *session = (struct session){.created_ms = by->now_ms, .expires_ms = by->now_ms + s->session_ttl_ms, .uid = by->uid};
    copy_program(by->program, session->program);
    session_token_new(token);
    r = store_begin(s->store, true, &t, f);
    if (r < 0)
        return r;
    if (new_hash)
        r = account_rehash(&t, a, new_hash, f);
    if (r >= 0)
        r = session_create(&t, a, token, session, f);
    r = store_end(&t, r, f);
    /* The password that was checked is no longer the account's: it is a wrong one. */
    return r == CELL_ABORTED ? fail(f, CELL_UNAUTHENTICATED, "wrong e-mail address or password") : r;
}

static int check_login(struct service *s, const struct request *by, const char *email, cell_str password,
                       struct account *a, struct failure *f)
{
    int r = find_account(s, email, a, f);

    if (r < 0 && r != CELL_NOT_FOUND)
        return r;
    return password_verify(s->hasher, r < 0 ? NULL : a->password, password.ptr, password.len, &by->patience, f);
}

int service_login(struct service *s, const struct request *by, cell_str email, cell_str password,
                  struct account *account, struct session *session, struct session_token *token, struct failure *f)
{
    char normal[EMAIL_MAX + 1], hash[PASSWORD_HASH_SIZE];
    struct account a;
    struct session made;
    struct session_token secret;
    int r = email_normalize(email.ptr, email.len, normal, f);

    if (r >= 0)
        r = check_max_password(password, f);
    if (r >= 0)
        r = admit(s, by, normal, f);
    if (r < 0)
        return r;
    r = check_login(s, by, normal, password, &a, f);
    settle(s, by, normal, r);
    if (r < 0)
        return r;
    /* The only moment at which an old hash can be renewed. Without it the log-in is as good. */
    struct failure ignored;
    bool renewed = password_is_outdated(s->hasher, a.password) &&
                   password_hash(s->hasher, password.ptr, password.len, &by->patience, hash, &ignored) >= 0;
    r = open_session(s, by, &a, renewed ? hash : NULL, &made, &secret, f);
    if (r >= 0) {
        *account = a;
        *session = made;
        *token = secret;
    }
    sodium_memzero(&secret, sizeof(secret));
    return r;
}

/* Everything that changes in the database when a password does. */
static int replace_password(struct service *s, const struct request *by, cell_str token, const struct account *a,
                            const char *hash, struct failure *f)
{
    struct transaction t;
    struct session own;
    int r = store_begin(s->store, true, &t, f);

    if (r < 0)
        return r;
    /* Again: it may have been revoked while passwords were hashed. */
    r = service_find_active(&t, by, token, &own, f);
    if (r >= 0)
        r = account_set_password(&t, a, hash, f);
    if (r >= 0)
        r = session_end_others(&t, a->id, own.id, SESSION_REVOKED, by->now_ms, f);
    return store_end(&t, r, f);
}

int service_change_password(struct service *s, const struct request *by, cell_str token, cell_str old_password,
                            cell_str new_password, struct failure *f)
{
    char hash[PASSWORD_HASH_SIZE];
    struct session own;
    struct account a;
    int r = check_new_password(new_password, f);

    if (r >= 0)
        r = check_max_password(old_password, f);
    if (r >= 0)
        r = service_authenticate(s, by, token, &own, &a, f);
    /* Who has found a token must not be able to find the password with it. */
    if (r >= 0)
        r = admit(s, by, a.email, f);
    if (r < 0)
        return r;
    r = password_verify(s->hasher, a.password, old_password.ptr, old_password.len, &by->patience, f);
    settle(s, by, a.email, r);
    if (r == CELL_UNAUTHENTICATED)
        return fail(f, CELL_PERMISSION_DENIED, "the old password is wrong");
    if (r >= 0)
        r = password_hash(s->hasher, new_password.ptr, new_password.len, &by->patience, hash, f);
    return r < 0 ? r : replace_password(s, by, token, &a, hash, f);
}
