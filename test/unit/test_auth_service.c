/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/auth/service.c cells/auth/service_session.c cells/auth/account.c cells/auth/session.c
// LINK: cells/auth/store.c cells/auth/store_open.c cells/auth/password.c cells/auth/limiter.c cells/auth/email.c
// LINK: cells/auth/failure.c
// LIBS: sodium sqlite3
#include "auth_fixture.h"

#define ADA "ada@example.org"
#define PASSWORD "correct horse"

static void setup(struct fixture *x)
{
    fixture_folder(x);
    if (fixture_open(x) < 0 || do_register(x, ADA, PASSWORD) < 0) {
        printf("%s\n", x->f.text);
        abort();
    }
}

static int sessions(struct fixture *x, const struct login *l, struct session out[SESSION_MAX_LISTED])
{
    int64_t current = 0;
    int n = service_list(x->service, &x->by, cell_strz(l->token.text), out, &current, &x->f);

    CHECK(n < 0 || current == l->session.id);
    return n;
}

TEST(an_account_is_registered_once_without_regard_to_case)
{
    struct fixture x;
    struct account a = {.id = -1};

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK);
    CHECK(service_register(x.service, &x.by, CELL_STR("Ada@Example.org"), CELL_STR(PASSWORD), &a, &x.f) == CELL_OK);
    CHECK(a.id > 0 && a.created_ms == START_MS);
    CHECK_STR(a.email, ADA);
    CHECK(do_register(&x, "ADA@example.ORG", "another password") == CELL_ALREADY_EXISTS);
    CHECK(do_register(&x, "bob@example.org", PASSWORD) == CELL_OK);
    fixture_remove(&x);
}

TEST(passwords_have_a_least_and_a_greatest_length)
{
    struct fixture x;
    char long_one[SERVICE_MAX_PASSWORD + 2];
    struct login l;

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK);
    memset(long_one, 'x', sizeof(long_one));
    long_one[SERVICE_MAX_PASSWORD + 1] = '\0';
    CHECK(do_register(&x, ADA, "") == CELL_INVALID_ARGUMENT);
    CHECK(do_register(&x, ADA, "seven77") == CELL_INVALID_ARGUMENT);
    /* eight bytes, but four characters */
    CHECK(do_register(&x, ADA, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9") == CELL_INVALID_ARGUMENT);
    CHECK(do_register(&x, ADA, long_one) == CELL_INVALID_ARGUMENT);
    CHECK(do_login(&x, ADA, long_one, &l) == CELL_INVALID_ARGUMENT);
    long_one[SERVICE_MAX_PASSWORD] = '\0';
    CHECK(do_register(&x, ADA, long_one) == CELL_OK);
    CHECK(do_register(&x, "bob@example.org", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9") ==
          CELL_OK);
    CHECK(do_register(&x, "not an address", PASSWORD) == CELL_INVALID_ARGUMENT);
    fixture_remove(&x);
}

TEST(a_log_in_opens_a_session_that_knows_its_account)
{
    struct fixture x;
    struct login l, other;
    struct account a;

    setup(&x);
    REQUIRE(do_login(&x, "ADA@example.org", PASSWORD, &l) == CELL_OK);
    CHECK_STR(l.account.email, ADA);
    CHECK(strlen(l.token.text) == SESSION_TOKEN_TEXT);
    CHECK(l.session.created_ms == START_MS && l.session.expires_ms == START_MS + TTL_MS);
    REQUIRE(do_login(&x, ADA, PASSWORD, &other) == CELL_OK);
    CHECK(strcmp(l.token.text, other.token.text) != 0 && l.session.id != other.session.id);
    REQUIRE(service_whoami(x.service, &x.by, cell_strz(l.token.text), &a, &x.f) == CELL_OK);
    CHECK_STR(a.email, ADA);
    CHECK(a.id == l.account.id);
    fixture_remove(&x);
}

TEST(a_wrong_password_and_an_unknown_account_get_the_same_answer)
{
    struct fixture x;
    struct failure wrong;
    struct login l = {.session = {.id = -7}};

    setup(&x);
    CHECK(do_login(&x, ADA, "wrong horse", &l) == CELL_UNAUTHENTICATED);
    wrong = x.f;
    CHECK(do_login(&x, "nobody@example.org", "wrong horse", &l) == CELL_UNAUTHENTICATED);
    CHECK_STR(x.f.text, wrong.text);
    CHECK(l.session.id == -7); /* outputs change only on success */
    fixture_remove(&x);
}

TEST(what_is_no_token_opens_nothing)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                      "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    struct fixture x;
    struct account a;
    struct login l;

    setup(&x);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(service_whoami(x.service, &x.by, cell_strz(bad[i]), &a, &x.f) == CELL_UNAUTHENTICATED);
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    l.token.text[20] = l.token.text[20] == 'A' ? 'B' : 'A';
    CHECK(whoami(&x, &l) == CELL_UNAUTHENTICATED);
    fixture_remove(&x);
}

TEST(sessions_expire)
{
    struct fixture x;
    struct login old, new;
    struct session list[SESSION_MAX_LISTED];

    setup(&x);
    REQUIRE(do_login(&x, ADA, PASSWORD, &old) == CELL_OK);
    x.by.now_ms = START_MS + TTL_MS - 1;
    CHECK(whoami(&x, &old) == CELL_OK);
    x.by.now_ms++;
    CHECK(whoami(&x, &old) == CELL_UNAUTHENTICATED);
    CHECK_STR(x.f.text, "the session has expired");
    CHECK(sessions(&x, &old, list) == CELL_UNAUTHENTICATED);
    CHECK(service_logout(x.service, &x.by, cell_strz(old.token.text), &x.f) == CELL_OK);
    REQUIRE(do_login(&x, ADA, PASSWORD, &new) == CELL_OK);
    REQUIRE(sessions(&x, &new, list) == 2);
    CHECK(list[0].id == new.session.id &&list[0].state == SESSION_ACTIVE);
    CHECK(list[1].id == old.session.id && list[1].state == SESSION_EXPIRED);
    fixture_remove(&x);
}

TEST(logging_out_ends_one_session_and_may_be_repeated)
{
    struct fixture x;
    struct login a, b;

    setup(&x);
    REQUIRE(do_login(&x, ADA, PASSWORD, &a) == CELL_OK && do_login(&x, ADA, PASSWORD, &b) == CELL_OK);
    CHECK(service_logout(x.service, &x.by, cell_strz(a.token.text), &x.f) == CELL_OK);
    CHECK(whoami(&x, &a) == CELL_UNAUTHENTICATED);
    CHECK_STR(x.f.text, "the session was logged out");
    CHECK(service_logout(x.service, &x.by, cell_strz(a.token.text), &x.f) == CELL_OK);
    CHECK(service_logout(x.service, &x.by, CELL_STR("unknown"), &x.f) == CELL_UNAUTHENTICATED);
    CHECK(whoami(&x, &b) == CELL_OK);
    fixture_remove(&x);
}

TEST(a_session_revokes_sessions_of_its_own_account_only)
{
    struct fixture x;
    struct login a, b, bob;
    cell_str token;

    setup(&x);
    REQUIRE(do_register(&x, "bob@example.org", PASSWORD) == CELL_OK);
    REQUIRE(do_login(&x, ADA, PASSWORD, &a) == CELL_OK && do_login(&x, ADA, PASSWORD, &b) == CELL_OK);
    REQUIRE(do_login(&x, "bob@example.org", PASSWORD, &bob) == CELL_OK);
    token = cell_strz(a.token.text);
    CHECK(service_revoke(x.service, &x.by, token, (uint64_t)bob.session.id, &x.f) == CELL_NOT_FOUND);
    CHECK(service_revoke(x.service, &x.by, token, UINT64_MAX, &x.f) == CELL_NOT_FOUND);
    CHECK(service_revoke(x.service, &x.by, token, 0, &x.f) == CELL_NOT_FOUND);
    CHECK(whoami(&x, &bob) == CELL_OK);
    CHECK(service_revoke(x.service, &x.by, token, (uint64_t)b.session.id, &x.f) == CELL_OK);
    CHECK(service_revoke(x.service, &x.by, token, (uint64_t)b.session.id, &x.f) == CELL_OK);
    CHECK(whoami(&x, &b) == CELL_UNAUTHENTICATED);
    CHECK_STR(x.f.text, "the session was revoked");
    CHECK(service_revoke(x.service, &x.by, cell_strz(b.token.text), (uint64_t)a.session.id, &x.f) ==
          CELL_UNAUTHENTICATED);
    CHECK(service_revoke(x.service, &x.by, token, (uint64_t)a.session.id, &x.f) == CELL_OK);
    CHECK(whoami(&x, &a) == CELL_UNAUTHENTICATED);
    fixture_remove(&x);
}

TEST(changing_the_password_ends_the_other_sessions)
{
    struct fixture x;
    struct login a, b, c;
    cell_str token;

    setup(&x);
    REQUIRE(do_login(&x, ADA, PASSWORD, &a) == CELL_OK && do_login(&x, ADA, PASSWORD, &b) == CELL_OK);
    token = cell_strz(a.token.text);
    CHECK(service_change_password(x.service, &x.by, token, CELL_STR("wrong"), CELL_STR("new password"), &x.f) ==
          CELL_PERMISSION_DENIED);
    CHECK(service_change_password(x.service, &x.by, token, CELL_STR(PASSWORD), CELL_STR("short"), &x.f) ==
          CELL_INVALID_ARGUMENT);
    CHECK(service_change_password(x.service, &x.by, CELL_STR("none"), CELL_STR(PASSWORD), CELL_STR("new password"),
                                  &x.f) == CELL_UNAUTHENTICATED);
    CHECK(whoami(&x, &b) == CELL_OK);
    CHECK(service_change_password(x.service, &x.by, token, CELL_STR(PASSWORD), CELL_STR("new password"), &x.f) == 1);
    CHECK(whoami(&x, &a) == CELL_OK);
    CHECK(whoami(&x, &b) == CELL_UNAUTHENTICATED);
    CHECK(do_login(&x, ADA, PASSWORD, &c) == CELL_UNAUTHENTICATED);
    CHECK(do_login(&x, ADA, "new password", &c) == CELL_OK);
    fixture_remove(&x);
}

TEST(the_oldest_session_ends_when_there_are_too_many)
{
    struct fixture x;
    struct login first, l;
    struct session list[SESSION_MAX_LISTED];
    int active = 0;

    setup(&x);
    REQUIRE(do_login(&x, ADA, PASSWORD, &first) == CELL_OK);
    for (int i = 1; i < SESSION_MAX_ACTIVE; i++)
        REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(whoami(&x, &first) == CELL_OK);
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(whoami(&x, &first) == CELL_UNAUTHENTICATED);
    REQUIRE(sessions(&x, &l, list) == SESSION_MAX_ACTIVE + 1);
    for (int i = 0; i <= SESSION_MAX_ACTIVE; i++)
        active += list[i].state == SESSION_ACTIVE;
    CHECK(active == SESSION_MAX_ACTIVE);
    fixture_remove(&x);
}

TEST(sessions_that_ended_long_ago_are_forgotten)
{
    struct fixture x;
    struct login old, l;
    struct session list[SESSION_MAX_LISTED];

    setup(&x);
    REQUIRE(do_login(&x, ADA, PASSWORD, &old) == CELL_OK);
    x.by.now_ms = START_MS + TTL_MS + SESSION_HISTORY_MS;
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(sessions(&x, &l, list) == 2);
    x.by.now_ms++;
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(sessions(&x, &l, list) == 2);
    for (int i = 0; i < SESSION_MAX_LISTED + 5; i++)
        REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(sessions(&x, &l, list) == SESSION_MAX_LISTED);
    fixture_remove(&x);
}

TEST(failed_log_ins_of_an_account_are_limited)
{
    struct fixture x;
    struct login l;

    fixture_folder(&x);
    x.options.login_limit = 3;
    REQUIRE(fixture_open(&x) == CELL_OK && do_register(&x, ADA, PASSWORD) == CELL_OK);
    for (int i = 0; i < 9; i++) /* right passwords do not count */
        CHECK(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    for (int i = 0; i < 3; i++)
        CHECK(do_login(&x, "Ada@example.org", "wrong horse", &l) == CELL_UNAUTHENTICATED);
    CHECK(do_login(&x, ADA, PASSWORD, &l) == CELL_RESOURCE_EXHAUSTED);
    CHECK(x.f.retry_after_ms == 20000);
    x.by.uid++; /* also for another user */
    CHECK(do_login(&x, ADA, PASSWORD, &l) == CELL_RESOURCE_EXHAUSTED);
    CHECK(do_login(&x, "bob@example.org", PASSWORD, &l) == CELL_UNAUTHENTICATED);
    x.by.monotonic_ms += 20000;
    CHECK(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    fixture_remove(&x);
}

TEST(failures_of_a_calling_user_are_limited_over_all_accounts)
{
    struct fixture x;
    struct login l;
    char email[32];

    fixture_folder(&x);
    x.options.caller_limit = 4;
    REQUIRE(fixture_open(&x) == CELL_OK && do_register(&x, ADA, PASSWORD) == CELL_OK);
    CHECK(do_register(&x, ADA, PASSWORD) == CELL_ALREADY_EXISTS);
    for (int i = 0; i < 3; i++) {
        snprintf(email, sizeof(email), "u%d@example.org", i);
        CHECK(do_login(&x, email, "wrong horse", &l) == CELL_UNAUTHENTICATED);
    }
    CHECK(do_login(&x, ADA, PASSWORD, &l) == CELL_RESOURCE_EXHAUSTED && x.f.retry_after_ms == 15000);
    CHECK(do_register(&x, "new@example.org", PASSWORD) == CELL_RESOURCE_EXHAUSTED);
    x.by.uid++;
    CHECK(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    fixture_remove(&x);
}

TEST(a_stolen_token_does_not_help_to_guess_the_password)
{
    struct fixture x;
    struct login l;
    cell_str token, new = CELL_STR("new password");

    fixture_folder(&x);
    x.options.login_limit = 2;
    REQUIRE(fixture_open(&x) == CELL_OK && do_register(&x, ADA, PASSWORD) == CELL_OK);
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    token = cell_strz(l.token.text);
    for (int i = 0; i < 2; i++)
        CHECK(service_change_password(x.service, &x.by, token, CELL_STR("guess"), new, &x.f) == CELL_PERMISSION_DENIED);
    CHECK(service_change_password(x.service, &x.by, token, CELL_STR(PASSWORD), new, &x.f) == CELL_RESOURCE_EXHAUSTED);
    fixture_remove(&x);
}

TEST(hashes_are_renewed_when_the_parameters_change)
{
    struct fixture x;
    struct login l;

    setup(&x);
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(strstr(l.account.password, "m=1024,t=1") != NULL);
    x.options.cost.passes = 3;
    REQUIRE(fixture_reopen(&x) == CELL_OK);
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK); /* read before it was renewed */
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    CHECK(strstr(l.account.password, "m=1024,t=3") != NULL);
    CHECK(whoami(&x, &l) == CELL_OK);
    fixture_remove(&x);
}

TEST(program_names_are_made_harmless)
{
    struct fixture x;
    struct login l;
    struct session list[SESSION_MAX_LISTED];

    setup(&x);
    x.by.program = CELL_STR("\x1b[2Jprogram\xff with a name of more than sixty-three characters, which is cut");
    REQUIRE(do_login(&x, ADA, PASSWORD, &l) == CELL_OK);
    REQUIRE(sessions(&x, &l, list) == 1);
    CHECK(strncmp(list[0].program, "?[2Jprogram? with", 17) == 0 && strlen(list[0].program) == 63);
    CHECK(list[0].uid == 1000);
    fixture_remove(&x);
}
