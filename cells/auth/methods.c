/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods: from a call to the domain and back. */
#include "auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "service.h"

_Static_assert((int)AUTH_MIN_PASSWORD == SERVICE_MIN_PASSWORD && (int)AUTH_MAX_PASSWORD == SERVICE_MAX_PASSWORD &&
                   (int)AUTH_MAX_SESSIONS == SESSION_MAX_ACTIVE,
               "the interface says what the domain does");
_Static_assert((int)AUTH_ACTIVE == SESSION_ACTIVE && (int)AUTH_EXPIRED == SESSION_EXPIRED &&
                   (int)AUTH_LOGGED_OUT == SESSION_LOGGED_OUT && (int)AUTH_REVOKED == SESSION_REVOKED,
               "states have the same numbers in the interface and in the database");

static bool is_cancelled(void *c) { return cell_ctx_cancelled(c); }

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct request request_of(cell_ctx *c)
{
    struct request by = {.now_ms = clock_ms(CLOCK_REALTIME), .monotonic_ms = clock_ms(CLOCK_MONOTONIC)};
    struct cell_caller caller;
    uint64_t left_ns = cell_ctx_remaining_ns(c);

    if (cell_ctx_caller(c, &caller) >= 0) {
        by.uid = caller.uid;
        by.program = caller.program;
    }
    by.patience = (struct patience){UINT64_MAX, is_cancelled, c};
    if (left_ns != UINT64_MAX)
        by.patience.until_ns = (uint64_t)by.monotonic_ms * 1000000 + left_ns;
    return by;
}

static int answer_failure(cell_ctx *c, int status, const struct failure *f)
{
    cell_fail(c, status, "%s", f->text);
    if (f->retry_after_ms > 0) {
        char text[24];
        int n = snprintf(text, sizeof(text), "%" PRId64, f->retry_after_ms);
        cell_add_detail(c, "retry-after-ms", (cell_bytes){(const uint8_t *)text, (uint64_t)n});
    }
    return status;
}

static int no_memory(cell_ctx *c) { return cell_fail(c, CELL_NO_MEMORY, "out of memory"); }

/* The request is the server's private copy: nobody reads it after the handler. */
static void wipe(cell_str secret)
{
    if (secret.len)
        sodium_memzero((void *)(uintptr_t)secret.ptr, (size_t)secret.len);
}

static int answer_account(cell_ctx *c, const struct account *a, struct auth_account *out)
{
    cell_str email = cell_ctx_copy(c, cell_strz(a->email));

    if (!email.ptr)
        return no_memory(c);
    *out = (struct auth_account){(uint64_t)a->id, email, a->created_ms};
    return CELL_OK;
}

int auth_register(cell_ctx *c, cell_str email, cell_str password, struct auth_account *account)
{
    struct request by = request_of(c);
    struct failure f;
    struct account a;
    int r = service_register(cell_ctx_user(c), &by, email, password, &a, &f);

    wipe(password);
    return r < 0 ? answer_failure(c, r, &f) : answer_account(c, &a, account);
}

static int answer_session(cell_ctx *c, const struct account *a, const struct session *s,
                          const struct session_token *token, struct auth_session *out)
{
    cell_str text = cell_ctx_copy(c, cell_strz(token->text)), email = cell_ctx_copy(c, cell_strz(a->email));

    if (!text.ptr || !email.ptr)
        return no_memory(c);
    *out = (struct auth_session){
        .id = (uint64_t)s->id,
        .token = text,
#ifndef AUTH_DRIFT
        .email = email,
#endif
        .created_ms = s->created_ms,
        .expires_ms = s->expires_ms,
    };
    return CELL_OK;
}

int auth_login(cell_ctx *c, cell_str email, cell_str password, struct auth_session *session)
{
    struct request by = request_of(c);
    struct failure f;
    struct account a;
    struct session s;
    struct session_token token;
    int r = service_login(cell_ctx_user(c), &by, email, password, &a, &s, &token, &f);

    wipe(password);
    if (r < 0)
        return answer_failure(c, r, &f);
    r = answer_session(c, &a, &s, &token, session);
    sodium_memzero(&token, sizeof(token));
    return r;
}

int auth_whoami(cell_ctx *c, cell_str token, struct auth_account *account)
{
    struct request by = request_of(c);
    struct failure f;
    struct account a;
    int r = service_whoami(cell_ctx_user(c), &by, token, &a, &f);

    return r < 0 ? answer_failure(c, r, &f) : answer_account(c, &a, account);
}

int auth_change_password(cell_ctx *c, cell_str token, cell_str old_password, cell_str new_password)
{
    struct request by = request_of(c);
    struct failure f;
    int r = service_change_password(cell_ctx_user(c), &by, token, old_password, new_password, &f);

    wipe(old_password);
    wipe(new_password);
    return r < 0 ? answer_failure(c, r, &f) : r;
}

int auth_logout(cell_ctx *c, cell_str token)
{
    struct request by = request_of(c);
    struct failure f;
    int r = service_logout(cell_ctx_user(c), &by, token, &f);

    return r < 0 ? answer_failure(c, r, &f) : CELL_OK;
}

int auth_list_sessions(cell_ctx *c, cell_str token, auth_session_list *sessions)
{
    struct request by = request_of(c);
    struct failure f;
    struct session found[SESSION_MAX_LISTED];
    int64_t current;
    int n = service_list(cell_ctx_user(c), &by, token, found, &current, &f);

    if (n < 0)
        return answer_failure(c, n, &f);
    struct auth_session_info *out = cell_ctx_alloc(c, (size_t)(n ? n : 1) * sizeof(*out));
    if (!out)
        return no_memory(c);
    for (int i = 0; i < n; i++) {
        out[i] = (struct auth_session_info){
            .id = (uint64_t)found[i].id,
            .state = (enum auth_state)found[i].state,
            .current = found[i].id == current,
            .created_ms = found[i].created_ms,
            .expires_ms = found[i].expires_ms,
            .uid = found[i].uid,
            .program = cell_ctx_copy(c, cell_strz(found[i].program)),
        };
        if (!out[i].program.ptr)
            return no_memory(c);
    }
    *sessions = (auth_session_list){out, (uint64_t)n};
    return CELL_OK;
}

int auth_revoke_session(cell_ctx *c, cell_str token, uint64_t id)
{
    struct request by = request_of(c);
    struct failure f;
    int r = service_revoke(cell_ctx_user(c), &by, token, id, &f);

    return r < 0 ? answer_failure(c, r, &f) : CELL_OK;
}
