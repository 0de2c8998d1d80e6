/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the holder of a session may do. */
#include "service_impl.h"

static int find_session(struct transaction *t, const struct request *by, cell_str text, struct session *out,
                        struct failure *f)
{
    struct session_token token;
    int r = CELL_NOT_FOUND;

    if (session_token_parse(text.ptr, text.len, &token))
        r = session_by_token(t, &token, by->now_ms, out, f);
    sodium_memzero(&token, sizeof(token));
    return r == CELL_NOT_FOUND ? fail(f, CELL_UNAUTHENTICATED, "no session has this token") : r;
}

int service_find_active(struct transaction *t, const struct request *by, cell_str token, struct session *out,
                        struct failure *f)
{
    int r = find_session(t, by, token, out, f);

    if (r < 0)
        return r;
    switch (out->state) {
    case SESSION_ACTIVE:
        return CELL_OK;
    case SESSION_EXPIRED:
        return fail(f, CELL_UNAUTHENTICATED, "the session has expired");
    case SESSION_LOGGED_OUT:
        return fail(f, CELL_UNAUTHENTICATED, "the session was logged out");
    case SESSION_REVOKED:
        return fail(f, CELL_UNAUTHENTICATED, "the session was revoked");
    }
    return fail(f, CELL_DATA_LOSS, "the account database is damaged");
}

int service_authenticate(struct service *s, const struct request *by, cell_str token, struct session *session,
                         struct account *account, struct failure *f)
{
    struct transaction t;
    int r = store_begin(s->store, false, &t, f);

    if (r < 0)
        return r;
    r = service_find_active(&t, by, token, session, f);
    if (r >= 0)
        r = account_by_id(&t, session->account, account, f);
    return store_end(&t, r, f);
}

int service_whoami(struct service *s, const struct request *by, cell_str token, struct account *out, struct failure *f)
{
    struct session session;
    struct account account;
    int r = service_authenticate(s, by, token, &session, &account, f);

    if (r >= 0)
        *out = account;
    return r;
}

int service_logout(struct service *s, const struct request *by, cell_str token, struct failure *f)
{
    struct transaction t;
    struct session own;
    int r = store_begin(s->store, true, &t, f);

    if (r < 0)
        return r;
    /* In whatever state: to log out twice is to log out. */
    r = find_session(&t, by, token, &own, f);
    if (r >= 0)
        r = session_end(&t, own.account, own.id, SESSION_LOGGED_OUT, by->now_ms, f);
    r = store_end(&t, r, f);
    return r < 0 ? r : CELL_OK;
}

int service_list(struct service *s, const struct request *by, cell_str token, struct session out[SESSION_MAX_LISTED],
                 int64_t *current, struct failure *f)
{
    struct transaction t;
    struct session own;
    int r = store_begin(s->store, false, &t, f);

    if (r < 0)
        return r;
    r = service_find_active(&t, by, token, &own, f);
    if (r >= 0)
        r = session_list(&t, own.account, by->now_ms, out, f);
    r = store_end(&t, r, f);
    if (r >= 0)
        *current = own.id;
    return r;
}

int service_revoke(struct service *s, const struct request *by, cell_str token, uint64_t id, struct failure *f)
{
    struct transaction t;
    struct session own;
    int r = store_begin(s->store, true, &t, f);

    if (r < 0)
        return r;
    r = service_find_active(&t, by, token, &own, f);
    if (r >= 0)
        r = id > INT64_MAX ? fail(f, CELL_NOT_FOUND, "the account has no such session")
                           : session_end(&t, own.account, (int64_t)id, SESSION_REVOKED, by->now_ms, f);
    r = store_end(&t, r, f);
    return r < 0 ? r : CELL_OK;
}
