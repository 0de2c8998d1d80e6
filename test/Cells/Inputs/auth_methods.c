/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every method of the auth cell, with good and with bad arguments, through generated functions. */
#include <inttypes.h>
#include <stdio.h>

#include <cell/cell.h>

CELL_REMOTE(auth);

_Static_assert(AUTH_MIN_PASSWORD == 8 && AUTH_MAX_PASSWORD == 1024 && AUTH_MAX_SESSIONS == 32, "constants");

#define ADA CELL_STR("ada@example.org")
#define PASSWORD CELL_STR("correct horse")
#define EXPECT(status, call) expect(c, status, call, #call, __LINE__)

static int failures;

static void expect(cell_ctx *c, int expected, int found, const char *call, int line)
{
    if (found == expected && (found >= 0 || cell_ctx_message(c)[0] != '\0'))
        return;
    failures++;
    printf("line %d: %s is %d, not %d: %s\n", line, call, found, expected, cell_ctx_message(c));
}

static void check(int good, int line)
{
    if (good)
        return;
    failures++;
    printf("line %d: check failed\n", line);
}
#define CHECK(good) check(good, __LINE__)

static void test_register(cell_ctx *c)
{
    struct auth_account a = {.id = 99};
    char big[AUTH_MAX_PASSWORD + 1];

    memset(big, 'x', sizeof(big));
    EXPECT(CELL_INVALID_ARGUMENT, auth_register(c, cell_strz("ada"), PASSWORD, &a));
    EXPECT(CELL_INVALID_ARGUMENT, auth_register(c, cell_strz(""), PASSWORD, &a));
    EXPECT(CELL_INVALID_ARGUMENT, auth_register(c, ADA, cell_strz("short"), &a));
    EXPECT(CELL_INVALID_ARGUMENT, auth_register(c, ADA, ((cell_str){big, sizeof(big)}), &a));
    CHECK(a.id == 99);
    EXPECT(CELL_OK, auth_register(c, CELL_STR("Ada@Example.org"), PASSWORD, &a));
    CHECK(a.id != 99 && a.created_ms > INT64_C(1500000000000) && cell_str_eq(a.email, ADA));
    EXPECT(CELL_ALREADY_EXISTS, auth_register(c, CELL_STR("ADA@example.org"), PASSWORD, &a));
}

static void test_login(cell_ctx *c)
{
    struct auth_session s = {.id = 99}, t;
    struct auth_account a;

    EXPECT(CELL_UNAUTHENTICATED, auth_login(c, ADA, CELL_STR("wrong horse"), &s));
    char wrong[200];
    snprintf(wrong, sizeof(wrong), "%s", cell_ctx_message(c));
    cell_ctx_reset(c);
    EXPECT(CELL_UNAUTHENTICATED, auth_login(c, CELL_STR("nobody@example.org"), CELL_STR("wrong horse"), &s));
    CHECK(strcmp(wrong, cell_ctx_message(c)) == 0);
    EXPECT(CELL_INVALID_ARGUMENT, auth_login(c, CELL_STR("@"), PASSWORD, &s));
    CHECK(s.id == 99);
    EXPECT(CELL_OK, auth_login(c, CELL_STR("ADA@example.org"), PASSWORD, &s));
    CHECK(s.token.len == 43 && cell_str_eq(s.email, ADA) && s.expires_ms - s.created_ms == INT64_C(14) * 86400000);
    EXPECT(CELL_OK, auth_login(c, ADA, PASSWORD, &t));
    CHECK(!cell_str_eq(s.token, t.token) && s.id != t.id);
    EXPECT(CELL_OK, auth_whoami(c, s.token, &a));
    CHECK(cell_str_eq(a.email, ADA));
    a.id = 99;
    int both[2] = {auth_whoami_async(c, CELL_STR("no token"), &a), auth_whoami_async(c, s.token, &a)};
    CHECK(both[0] >= 0 && both[1] >= 0 && a.id == 99);
    EXPECT(CELL_OK, cell_wait(c, both[1]));
    CHECK(cell_str_eq(a.email, ADA) && a.id != 99);
    EXPECT(CELL_UNAUTHENTICATED, cell_wait(c, both[0]));
    EXPECT(CELL_UNAUTHENTICATED, auth_whoami(c, CELL_STR(""), &a));
    EXPECT(CELL_UNAUTHENTICATED, auth_whoami(c, CELL_STR("no token"), &a));
    EXPECT(CELL_OK, auth_logout(c, s.token));
    EXPECT(CELL_OK, auth_logout(c, s.token));
    EXPECT(CELL_UNAUTHENTICATED, auth_logout(c, CELL_STR("no token")));
    EXPECT(CELL_UNAUTHENTICATED, auth_whoami(c, s.token, &a));
    EXPECT(CELL_OK, auth_logout(c, t.token));
}

static void test_sessions(cell_ctx *c)
{
    struct auth_session s, t, u;
    struct auth_account a;
    auth_session_list list = {0};

    EXPECT(CELL_OK, auth_login(c, ADA, PASSWORD, &s));
    EXPECT(CELL_OK, auth_login(c, ADA, PASSWORD, &t));
    EXPECT(CELL_OK, auth_list_sessions(c, s.token, &list));
    CHECK(list.len == 4 && list.ptr[0].id == t.id && list.ptr[0].state == AUTH_ACTIVE && !list.ptr[0].current);
    CHECK(list.ptr[1].id == s.id && list.ptr[1].current && list.ptr[3].state == AUTH_LOGGED_OUT);
    CHECK(cell_str_eq(list.ptr[0].program, CELL_STR("auth_methods")));
    EXPECT(CELL_UNAUTHENTICATED, auth_list_sessions(c, CELL_STR("x"), &list));
    EXPECT(CELL_NOT_FOUND, auth_revoke_session(c, s.token, 4711));
    EXPECT(CELL_UNAUTHENTICATED, auth_revoke_session(c, CELL_STR("x"), t.id));
    EXPECT(CELL_OK, auth_revoke_session(c, s.token, t.id));
    EXPECT(CELL_OK, auth_revoke_session(c, s.token, t.id));
    EXPECT(CELL_UNAUTHENTICATED, auth_whoami(c, t.token, &a));

    EXPECT(CELL_OK, auth_login(c, ADA, PASSWORD, &t));
    EXPECT(CELL_PERMISSION_DENIED, auth_change_password(c, s.token, CELL_STR("wrong horse"), CELL_STR("new password")));
    EXPECT(CELL_INVALID_ARGUMENT, auth_change_password(c, s.token, PASSWORD, cell_strz("short")));
    EXPECT(CELL_UNAUTHENTICATED, auth_change_password(c, CELL_STR("x"), PASSWORD, CELL_STR("new password")));
    EXPECT(1, auth_change_password(c, s.token, PASSWORD, CELL_STR("new password")));
    EXPECT(CELL_UNAUTHENTICATED, auth_whoami(c, t.token, &a));
    EXPECT(CELL_OK, auth_whoami(c, s.token, &a));
    EXPECT(CELL_UNAUTHENTICATED, auth_login(c, ADA, PASSWORD, &u));
    EXPECT(CELL_OK, auth_login(c, ADA, CELL_STR("new password"), &u));
}

int main(void)
{
    CELL_CTX(c, .timeout_ms = 60000);

    test_register(c);
    test_login(c);
    test_sessions(c);
    printf("%d failures\n", failures);
    return failures != 0;
}
