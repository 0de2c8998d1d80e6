/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Streams of statements that write, whose clients take no more at some point. */
#include "call/stream.h"
#include "pg_all.h"
#include "postgres/engine.h"
#include "postgres/statement_impl.h"
#include "wire/frame.h"

struct row {
    int32_t id;
};
static const struct cell_field row_fields[] = {FIELD(row, id, &cell_type_i32)};
static const struct cell_type row_type = {"row", CELL_KIND_STRUCT, sizeof(struct row), 4, 1, row_fields, NULL};
static const struct cell_field row_stream = {.name = "rows", .type = &row_type};
static const struct cell_method left_method = {.name = "left", .stream = &row_stream};
static const struct cell_method whole_method = {.name = "whole", .stream = &row_stream, .flags = CELL_METHOD_WHOLE};

static uint32_t takes;            /* batches before no more are taken */
static int then = CELL_CANCELLED; /* what the rest is answered with */

static bool gives_up;     /* the client, when it has got the first batch */
static cell_ctx *cancels; /* when a batch was taken; NULL = none */

static int send(struct cell_stream *s, const struct iovec *parts, int n, uint32_t length, struct cell_error *e)
{
    (void)s;
    (void)parts;
    (void)n;
    (void)length;
    if (cancels)
        atomic_store(&cancels->cancelled, true);
    return takes > 0 ? (takes--, CELL_OK) : cell_error_set(e, then, "no more");
}

static const struct stream_ops ops = {.send = send};

/* Executes `sql` for a client of that method, which takes `batches`. */
static int stream(const struct cell_method *m, const char *sql, const char *type, uint32_t batches,
                  struct pg_link *link, struct pg_failure *f)
{
    char binding[1024];
    struct pg_statement *s = NULL;
    struct cell_stream to;
    CELL_CTX(c);

    snprintf(binding, sizeof(binding),
             "{\"v\":1,\"op\":\"stream\",\"sql\":\"%s\",\"write\":true,\"out\":[{\"to\":\"rows.id\",\"type\":\"%s\"}]}",
             sql, type);
    int r = bind(m, binding, &s, f);
    if (r < 0) {
        printf("%s: %s\n", sql, f->text);
        return r;
    }
    takes = batches;
    cancels = gives_up ? c : NULL;
    cell_stream_init(&to, &ops, m, true, CELL_MAX_MESSAGE, CELL_MAX_DECODED);
    c->stream = &to;
    r = pg_statement_run(s, c, link, NULL, NULL, f);
    c->stream = NULL;
    cell_stream_release(&to);
    pg_statement_free(s);
    return r;
}

#define FILL "INSERT INTO kept SELECT i FROM generate_series(1, 50000) i RETURNING id"

TEST(a_program_that_can_leave_has_the_statement_done)
{
    if (!the_pool())
        return;
    struct pg_failure f;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)");
    for (uint32_t batches = 0; batches < 3; batches++) {
        CHECK(stream(&left_method, FILL, "integer", batches, NULL, &f) == CELL_OK);
        CHECK_STR(ask("SELECT count(*) FROM kept"), "50000");
        execute("TRUNCATE kept");
    }
    execute("INSERT INTO kept VALUES (50000)");
    CHECK(stream(&left_method, FILL, "integer", 1, NULL, &f) == CELL_ALREADY_EXISTS);
    CHECK_STR(ask("SELECT count(*) FROM kept"), "1");
}

TEST(one_that_never_leaves_has_given_up)
{
    if (!the_pool())
        return;
    struct pg_failure f;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)");
    for (uint32_t batches = 0; batches < 3; batches++) {
        CHECK(stream(&whole_method, FILL, "integer", batches, NULL, &f) == CELL_CANCELLED);
        CHECK_STR(ask("SELECT count(*) FROM kept"), "0");
    }
    CHECK(stream(&whole_method, FILL, "integer", UINT32_MAX, NULL, &f) == CELL_OK);
    CHECK_STR(ask("SELECT count(*) FROM kept"), "50000");
}

TEST(records_that_cannot_be_sent_leave_nothing_written)
{
    if (!the_pool())
        return;
    struct pg_failure f;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)");
    then = CELL_RESOURCE_EXHAUSTED;
    CHECK(stream(&left_method, FILL, "integer", 2, NULL, &f) == CELL_RESOURCE_EXHAUSTED);
    then = CELL_TOO_LARGE;
    CHECK(stream(&left_method, FILL, "integer", 2, NULL, &f) == CELL_TOO_LARGE);
    CHECK(strstr(f.text, "a row is larger than 16 MiB"));
    then = CELL_CANCELLED;
    CHECK_STR(ask("SELECT count(*) FROM kept"), "0");
}

/* It has all rows, and nobody wants the commit. */
TEST(a_client_that_gave_up_before_the_commit_leaves_nothing_written)
{
    if (!the_pool())
        return;
    struct pg_failure f;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)");
    gives_up = true;
    CHECK(stream(&whole_method, "INSERT INTO kept VALUES (1) RETURNING id", "integer", UINT32_MAX, NULL, &f) ==
          CELL_CANCELLED);
    gives_up = false;
    CHECK_STR(ask("SELECT count(*) FROM kept"), "0");
}

/* What is refused at its commit was not done. */
TEST(what_the_commit_says_is_the_result)
{
    if (!the_pool())
        return;
    struct pg_failure f;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    execute("INSERT INTO kept VALUES (1)");
    CHECK(stream(&whole_method, FILL, "integer", UINT32_MAX, NULL, &f) == CELL_ALREADY_EXISTS);
    CHECK_STR(ask("SELECT count(*) FROM kept"), "1");
}

TEST(within_a_transaction_it_ends_with_that)
{
    if (!the_pool())
        return;
    struct pg_failure f;
    struct pg_link *link = NULL;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)");
    REQUIRE(pg_pool_pin(pool, &forever, &link, &f) == CELL_OK);
    for (int give_up = 0; give_up < 2; give_up++) {
        REQUIRE(pg_link_exec(link, "BEGIN", &forever, NULL, &f) == CELL_OK);
        CHECK(stream(give_up ? &whole_method : &left_method, FILL, "integer", 1, link, &f) ==
              (give_up ? CELL_CANCELLED : CELL_OK));
        CHECK(PQtransactionStatus(pg_link_connection(link)) == (give_up ? PQTRANS_INERROR : PQTRANS_INTRANS));
        CHECK(pg_link_exec(link, "ROLLBACK", &forever, NULL, &f) == CELL_OK);
    }
    pg_pool_unpin(pool, link, true);
}

/* The backend would wait for it, with its locks, for ever. */
TEST(a_program_that_takes_no_more_rows_loses_its_transaction)
{
    const struct pg_engine_options options = {
        .pool.conninfo = pg_fixture_url, .transaction_idle_ms = 60000, .stream_idle_ms = 70000};
    struct pg_engine *engine = NULL;
    struct pg_statement *s = NULL;
    struct cell_stream to;
    struct cell_buffer meta = {0};
    struct pg_failure f;
    cell_str token = {NULL, 0};
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct ctx_origin origin = {.caller = {.uid = 7, .pid = getpid()}, .fd = -1};
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY)");
    REQUIRE(pg_engine_open(&options, &engine, &f) == CELL_OK);
    c->origin = &origin;
    REQUIRE(pg_engine_begin(engine, c, 0, &token) == CELL_OK);
    cell_meta_append(&meta, CELL_TRANSACTION_KEY, token.ptr, token.len);
    REQUIRE(cell_ctx_receive_metadata(c, (const uint8_t *)meta.data, meta.len, false, NULL) == CELL_OK);
    REQUIRE(bind(&whole_method,
                 "{\"v\":1,\"op\":\"stream\",\"sql\":\"SELECT generate_series(1, 900000) AS id\",\"out\":[{\"to\":"
                 "\"rows.id\",\"type\":\"integer\"}]}",
                 &s, &f) == CELL_OK);
    cell_stream_init(&to, &ops, &whole_method, true, CELL_MAX_MESSAGE, CELL_MAX_DECODED);
    c->stream = &to;
    takes = 1;
    then = CELL_DEADLINE_EXCEEDED;
    CHECK(pg_engine_invoke(engine, c, s, NULL, NULL) == CELL_ABORTED && to.most_wait_ms == 60000);
    CHECK(strstr(cell_ctx_message(c), "took no more rows"));
    cell_stream_release(&to);
    /* In no transaction it has a limit of its own. */
    struct cell_ctx *alone = cell_ctx_open(NULL);
    cell_stream_init(&to, &ops, &whole_method, true, CELL_MAX_MESSAGE, CELL_MAX_DECODED);
    alone->stream = &to;
    takes = 1;
    CHECK(pg_engine_invoke(engine, alone, s, NULL, NULL) == CELL_DEADLINE_EXCEEDED && to.most_wait_ms == 70000);
    CHECK(strstr(cell_ctx_message(alone), "--stream-idle"));
    alone->stream = c->stream = NULL;
    cell_ctx_close(alone);
    then = CELL_CANCELLED;
    /* It has no place and no locks any more. */
    CHECK_STR(ask("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"), "0");
    CHECK(pg_engine_commit(engine, c, token) == CELL_ABORTED);
    cell_stream_release(&to);
    pg_statement_free(s);
    pg_engine_close(engine);
    cell_buffer_free(&meta);
    c->origin = NULL;
}

static const struct cell_field one_out[] = {{"id", &cell_type_i32, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field time_out[] = {{"id", &cell_type_i64, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_method one_method = {.name = "one", .out = one_out, .nout = 1};
static const struct cell_method time_method = {.name = "time", .out = time_out, .nout = 1};

static bool is_held(const struct cell_method *m, const char *sql, const char *type, const char *more)
{
    char binding[1024];
    struct pg_statement *s = NULL;
    struct pg_failure f;

    snprintf(binding, sizeof(binding),
             "{\"v\":1,\"op\":\"row\",\"sql\":\"%s\",\"out\":[{\"to\":\"id\",\"type\":\"%s\"}]%s}", sql, type, more);
    if (bind(m, binding, &s, &f) < 0) {
        printf("%s: %s\n", sql, f.text);
        return test_failures++, false;
    }
    bool held = s->held;
    pg_statement_free(s);
    return held;
}

TEST(only_what_may_have_no_answer_is_held)
{
    static const struct {
        const char *sql;
        bool held;
    } cases[] = {
        {"INSERT INTO kept (id, at) VALUES (1, (SELECT at FROM kept LIMIT 1)) RETURNING id", false},
        {"INSERT INTO kept (id) VALUES (generate_series(1, 2)) RETURNING id", true},
        {"INSERT INTO kept VALUES (1) ON CONFLICT (id) DO UPDATE SET at = now() RETURNING id", false},
        {"INSERT INTO kept VALUES (1), (2) RETURNING id", true},
        {"INSERT INTO kept VALUES (1) RETURNING id AS \\\"id!\\\"", true},
        {"INSERT INTO kept SELECT 1 RETURNING id", true},
        {"INSERT INTO kept DEFAULT VALUES RETURNING id", true},
        {"UPDATE kept SET at = now() RETURNING id", true},
        {"WITH x AS (DELETE FROM kept RETURNING id) SELECT id FROM x", true},
    };
    if (!the_pool())
        return;
    execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY, at timestamptz)");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (is_held(&one_method, cases[i].sql, "integer", ",\"write\":true") != cases[i].held)
            printf("%s\n", cases[i].sql), test_failures++;
        CHECK(!is_held(&one_method, cases[i].sql, "integer", ",\"write\":true,\"table\":\"kept\""));
    }
    CHECK(is_held(&time_method, "INSERT INTO kept VALUES (1) RETURNING at", "timestamp with time zone",
                  ",\"write\":true"));
    CHECK(!is_held(&one_method, "SELECT id FROM kept", "integer", ",\"retry\":true"));
}

TEST(the_end) { pg_pool_close(pool); }
