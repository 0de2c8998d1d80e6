/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Transactions on the client's side. */
#include "bank_fixture.h"

/* ---- what is done and what is not ---- */

TEST(what_a_transaction_does_is_done_together)
{
    for (int run = 0; run < 2; run++) {
        struct opened o;
        struct asked a = {.n = 5, .result = 9};
        bank_open(&o, run);
        cell_ctx_set_metadata(o.c, "tenant", CELL_STR("acme"));
        CHECK(cell_transaction(o.c, "bank", work, &a) == 9);
        CHECK(bank.value == 10 && bank.commits == 1 && bank.rollbacks == 0 && a.runs == 1 && bank.isolation == 0);
        CHECK(call_add_n(o.c, 1) == 0 && bank.value == 11 && bank.outside == 1); /* outside of it again */
        a = (struct asked){.n = 5, .result = CELL_OUT_OF_RANGE};
        CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_OUT_OF_RANGE);
        CHECK_STR(cell_ctx_message(o.c), "the body has had enough");
        CHECK(bank.value == 11 && bank.commits == 1 && bank.rollbacks == 1 && a.runs == 1);
        CHECK_STR(bank.tenant, "acme");
        a = (struct asked){.n = 3, .how = ASYNC};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 29);
        a = (struct asked){.n = 4, .how = STREAM};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 33);
        a = (struct asked){.n = 2, .how = RESET};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 35);
        CHECK(bank.outside == 1);
        bank_close(&o);
    }
}

/* Calls while a stream of the transaction is open, and when it is not any more. */
static int beside_a_stream(cell_ctx *c, void *user)
{
    int *statuses = user;
    int64_t n = 1;
    struct cell_stream *s = cell_stream_open(c, &service, bank_load, NULL);
    CHECK(cell_stream_put(s, &n, 1) == CELL_OK);
    statuses[0] = call_add_n(c, 2);
    CHECK(strstr(cell_ctx_message(c), "a stream of the same transaction, bank_load, is still open") != NULL);
    statuses[1] = cell_call_async(c, &service, bank_add, &n, NULL);
    struct cell_stream *second = cell_stream_open(c, &service, bank_load, NULL);
    statuses[2] = cell_stream_end(second, NULL);
    CHECK(cell_stream_end(s, NULL) == 0);
    statuses[3] = call_add_n(c, 4);
    return statuses[3];
}

TEST(a_call_beside_an_open_stream_of_its_transaction_fails_at_once)
{
    for (int run = 0; run < 2; run++) {
        struct opened o;
        int statuses[4];
        bank_open(&o, run);
        CHECK(cell_transaction(o.c, "bank", beside_a_stream, statuses) == 0);
        CHECK(statuses[0] == CELL_FAILED_PRECONDITION && statuses[2] == CELL_FAILED_PRECONDITION && statuses[3] == 0);
        CHECK(statuses[1] == CELL_FAILED_PRECONDITION);
        CHECK(bank.value == 5 && bank.outside == 0);
        bank_close(&o);
    }
}

static int other_cell(cell_ctx *c, void *user)
{
    const cell_str key = CELL_STR("transaction");
    cell_str value = {NULL, 0};
    void *const out[] = {&value};
    struct cell_client *bank_client = c->client;
    cell_ctx_set_client(c, user);
    int r = cell_call(c, &demo, demo_meta, &key, out);
    cell_ctx_set_client(c, bank_client);
    CHECK(r == CELL_NOT_FOUND); /* it is another cell's affair */
    return call_add_n(c, 1);
}

TEST(the_isolation_is_the_cells_affair)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, false);
    bank.abort_commits = 1;
    CHECK(cell_transaction_isolated(o.c, "bank", 3, work, &a) == 0 && bank.isolation == 3 && a.runs == 2);
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.isolation == 0);
    bank_close(&o);
}

TEST(the_shortest_calls_carry_the_token_too)
{
    struct opened o;
    bank_open(&o, true);
    for (int i = 0; i < 3; i++) { /* without metadata of the program's own */
        struct asked a = {.n = 5, .how = i == 1 ? ASYNC : TWICE};
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    }
    CHECK(bank.value == 10 + 30 + 10 && bank.outside == 0);
    bank_close(&o);
}

TEST(calls_to_other_cells_do_not_carry_the_token)
{
    struct opened o;
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    bank_open(&o, false);
    demo_new(&d);
    CHECK(cell_client_in_process(d.server, &client) == CELL_OK);
    CHECK(cell_transaction(o.c, "bank", other_cell, client) == 0 && bank.value == 1);
    cell_client_close(client);
    demo_free(&d);
    bank_close(&o);
}

TEST(a_handler_has_transactions_with_its_own_context)
{
    for (int run = 0; run < 2; run++) {
        struct opened o;
        int64_t n = 6;
        bank_open(&o, run);
        cell_ctx_set_metadata(o.c, "tenant", CELL_STR("acme"));
        CHECK(cell_call(o.c, &service, bank_nested, &n, NULL) == 0);
        CHECK(bank.value == 7 && bank.commits == 1 && bank.outside == 0);
        bank.abort_adds = 1;
        CHECK(cell_call(o.c, &service, bank_nested, &n, NULL) == 0);
        CHECK(bank.value == 14 && bank.begins == 3);
        bank_close(&o);
    }
}

/* ---- again ---- */

TEST(what_was_aborted_is_done_again_from_the_beginning)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, true);
    bank.abort_adds = 1; /* a call */
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    CHECK(a.runs == 2 && bank.value == 10 && bank.begins == 2 && bank.rollbacks == 1 && bank.commits == 1);
    bank.abort_commits = 2; /* the commit */
    a = (struct asked){.n = 5};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    CHECK(a.runs == 3 && bank.value == 20 && bank.begins == 5 && bank.rollbacks == 1);
    bank.abort_adds = 1; /* a call, and the body makes another error of it */
    a = (struct asked){.n = 5, .how = SWALLOW};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && a.runs == 2 && bank.value == 30);
    a = (struct asked){.result = CELL_NOT_FOUND, .how = PLAIN}; /* what an earlier one left is not this one's */
    cell_fail(o.c, CELL_ABORTED, "earlier");
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_NOT_FOUND && a.runs == 1);
    bank_close(&o);
}

TEST(it_is_not_tried_for_ever)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, false);
    bank.abort_commits = 1000;
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_ABORTED);
    CHECK(a.runs == 10 && bank.begins == 10 && bank.value == 0);
    CHECK(strstr(cell_ctx_message(o.c), "a transaction with 'bank', 10 times: "));
    CHECK(strstr(cell_ctx_message(o.c), "it could not be committed"));
    a = (struct asked){.n = 5, .result = CELL_ABORTED}; /* whoever says so */
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_ABORTED && a.runs == 10);
    bank_close(&o);
}

static int slow_abort(cell_ctx *c, void *user)
{
    ++*(int *)user;
    cell_ctx_set_timeout_ms(c, 1000); /* the calls have their time; it is the whole that takes too long */
    usleep(30000);
    return cell_fail(c, CELL_ABORTED, "again and again");
}

TEST(it_is_not_tried_again_when_the_time_is_over)
{
    struct opened o;
    int runs = 0;
    bank_open(&o, false);
    cell_ctx_set_timeout_ms(o.c, 20);
    CHECK(cell_transaction(o.c, "bank", slow_abort, &runs) == CELL_ABORTED);
    CHECK(runs == 1);
    bank_close(&o);
}

static void *cancel_held_commit(void *arg)
{
    while (!atomic_load(&bank.held))
        usleep(300);
    cell_ctx_cancel(arg);
    return NULL;
}

static int abort_and_be_cancelled(cell_ctx *c, void *user)
{
    cell_ctx_cancel(c); /* while nothing is called: the pause before the next attempt takes it */
    ++*(int *)user;
    return cell_fail(c, CELL_ABORTED, "again");
}

TEST(a_cancelled_transaction_is_rolled_back_and_not_tried_again)
{
    struct opened o;
    int runs = 0;
    struct asked a = {.n = 5, .how = CANCEL};
    bank_open(&o, true);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_CANCELLED);
    CHECK(bank.value == 0 && bank.rollbacks == 1 && bank.commits == 0 && a.runs == 1);
    CHECK(cell_transaction(o.c, "bank", abort_and_be_cancelled, &runs) == CELL_CANCELLED);
    CHECK(runs == 1 && bank.rollbacks == 2);
    CHECK(call_add_n(o.c, 1) == 0); /* it was taken */
    bank.hold_commits = true;
    pthread_t thread;
    a = (struct asked){.n = 5};
    pthread_create(&thread, NULL, cancel_held_commit, o.c);
    int r = cell_transaction(o.c, "bank", work, &a);
    pthread_join(thread, NULL);
    CHECK(r == CELL_CANCELLED && bank.value == 1 && bank.rollbacks == 3);
    bank.hold_commits = false;
    bank_close(&o);
}

TEST(a_commit_that_is_not_answered_is_rolled_back_if_it_did_not_happen)
{
    struct opened o;
    struct asked a = {.n = 5};
    bank_open(&o, true);
    bank.hold_commits = true;
    cell_ctx_set_timeout_ms(o.c, 50);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(cell_ctx_message(o.c), "committing a transaction with 'bank'"));
    CHECK(bank.value == 0 && bank.rollbacks == 1);
    bank_close(&o);
}

/* ---- what is refused ---- */

TEST(a_transaction_within_another_is_refused)
{
    struct opened o;
    struct asked a = {.n = 5, .how = NEST};
    bank_open(&o, false);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_FAILED_PRECONDITION);
    CHECK_STR(cell_ctx_message(o.c), "'bank': a transaction with 'bank' runs already");
    CHECK(a.runs == 1 && bank.begins == 1 && bank.rollbacks == 1);
    bank_close(&o);
}

TEST(what_a_body_leaves_unfinished_is_not_committed)
{
    struct opened o;
    struct asked a = {.n = 5, .how = LEAVE_TICKET};
    bank_open(&o, true);
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_FAILED_PRECONDITION);
    CHECK_STR(cell_ctx_message(o.c),
              "the function of a transaction with 'bank' has left 1 calls or streams unfinished");
    CHECK(bank.commits == 0 && bank.rollbacks == 1);
    cell_ctx_reset(o.c);
    a = (struct asked){.n = 5, .how = LEAVE_STREAM};
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_FAILED_PRECONDITION && bank.rollbacks == 2);
    CHECK(bank.value == 0);
    cell_ctx_reset(o.c);
    /* What was there before is not its affair. */
    int ticket = cell_call_async(o.c, &service, bank_add, &(int64_t){1}, NULL);
    a = (struct asked){.n = 5};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0);
    CHECK(cell_wait(o.c, ticket) == 0 && bank.value == 11);
    bank_close(&o);
}

static int leave_a_stream(cell_ctx *c, void *user)
{
    struct cell_stream **s = user;
    *s = cell_stream_open(c, &service, bank_load, NULL);
    CHECK(cell_stream_put(*s, &(int64_t){1}, 1) == CELL_OK);
    return CELL_OUT_OF_RANGE;
}

/* Else what rolls it back would wait for the stream. */
TEST(a_stream_that_a_body_leaves_open_is_given_up)
{
    for (int run = 0; run < 2; run++) {
        struct opened o;
        struct cell_stream *left = NULL;
        struct asked a = {.n = 5};
        bank_open(&o, run);
        CHECK(cell_transaction(o.c, "bank", leave_a_stream, &left) == CELL_OUT_OF_RANGE && bank.rollbacks == 1);
        CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && bank.value == 10); /* which knows nothing of it */
        CHECK(cell_stream_end(left, NULL) == CELL_CANCELLED);
        CHECK(strstr(cell_ctx_message(o.c), "bank_load: its transaction has ended") != NULL);
        bank_close(&o);
    }
}

/* What was lost before the commit cannot have been committed. */
TEST(what_is_lost_with_its_connection_is_done_again)
{
    struct opened o;
    struct asked a = {.n = 5, .result = 7};
    bank_open(&o, true);
    bank.lose_begins = 1;
    CHECK(cell_transaction(o.c, "bank", work, &a) == 7 && bank.begins == 2 && a.runs == 1 && bank.value == 10);
    bank.lose_adds = 1;
    a = (struct asked){.n = 5, .result = 7};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 7 && a.runs == 2 && bank.value == 20);
    bank.lose_adds = 1;
    a = (struct asked){.n = 5, .how = ASYNC};
    CHECK(cell_transaction(o.c, "bank", work, &a) == 0 && a.runs == 2);
    CHECK(call_add_n(o.c, 1) == 0);
    bank.lose_adds = 1;
    CHECK(call_add_n(o.c, 1) == CELL_UNKNOWN_OUTCOME); /* outside of one */
    bank_close(&o);
}

TEST(errors_of_the_beginning_and_the_commit_say_what_they_are)
{
    struct opened o;
    struct asked a = {.n = 5};
    static char large[CELL_MAX_TOKEN + 2];
    memset(large, 'x', CELL_MAX_TOKEN + 1);
    bank_open(&o, true);
    bank.fail_begin = CELL_PERMISSION_DENIED;
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_PERMISSION_DENIED && a.runs == 0);
    CHECK_STR(cell_ctx_message(o.c), "beginning a transaction with 'bank': no transaction now");
    bank.fail_begin = 0;
    bank.fail_commit = CELL_ALREADY_EXISTS;
    CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_ALREADY_EXISTS && a.runs == 1);
    CHECK_STR(cell_ctx_message(o.c), "committing a transaction with 'bank': it could not be committed");
    bank.fail_commit = 0;
    for (int i = 0; i < 2; i++) {
        bank.token = i ? large : "";
        CHECK(cell_transaction(o.c, "bank", work, &a) == CELL_PROTOCOL_ERROR && a.runs == 1);
        CHECK_STR(cell_ctx_message(o.c),
                  "beginning a transaction with 'bank': bank_begin: the token is empty, too long "
                  "or no text");
    }
    bank.token = NULL;
    CHECK(cell_transaction(NULL, "bank", work, &a) == CELL_NO_MEMORY);
    CHECK(cell_transaction(o.c, NULL, work, &a) == CELL_INVALID_ARGUMENT);
    CHECK(cell_transaction(o.c, "no cell", work, &a) == CELL_INVALID_ARGUMENT);
    CHECK(cell_transaction(o.c, "bank", NULL, &a) == CELL_INVALID_ARGUMENT && a.runs == 1);
    bank_close(&o);
}

TEST(a_cell_without_transactions_is_told_from_its_name)
{
    struct demo_server d = {0};
    struct cell_client *client = NULL;
    struct asked a = {.n = 5};
    demo_setup();
    demo_new(&d);
    CHECK(cell_client_in_process(d.server, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(cell_transaction(c, "demo", work, &a) == CELL_SCHEMA_MISMATCH && a.runs == 0);
    CHECK_STR(cell_ctx_message(c), "beginning a transaction with 'demo': Method 'demo_begin' no longer exists in Demo "
                                   "Cell");
    cell_ctx_close(c);
    cell_client_close(client);
    demo_free(&d);
    demo_teardown();
}

static int fake_bank(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    cell_str token;
    (void)in;
    if (strcmp(method, "bank_begin") == 0)
        *(cell_str *)out[0] = CELL_STR("fake");
    if (strcmp(method, "bank_add") == 0)
        CHECK(cell_ctx_metadata(c, "transaction", &token) == CELL_OK && cell_str_eq(token, CELL_STR("fake")));
    strcat(user, method + 4);
    return 0;
}

TEST(a_fake_cell_has_transactions_too)
{
    struct cell_client *client = NULL;
    struct asked a = {.n = 5};
    char calls[256] = "";
    free(embed_schema(&service, bank_fingerprint));
    CHECK(cell_client_fake(fake_bank, calls, &client) == CELL_OK);
    const struct cell_ctx_options options = {.client = client};
    cell_ctx *c = cell_ctx_open(&options);
    CHECK(cell_transaction(c, "bank", work, &a) == 0);
    CHECK_STR(calls, "_begin_add_add_commit");
    cell_ctx_close(c);
    cell_client_close(client);
}
