/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Which bound statements have a merged form, and keys of every type in one. */
#include "pg_all.h"

#include <semaphore.h>

#include "postgres/pool_impl.h"
#include "postgres/statement_impl.h"

static const struct cell_method by_value = {
    .name = "by_value", .in = row_in, .nin = 1, .in_size = 16, .out = row_out, .nout = 1};

/* The binding of "SELECT … " `sql`, whose parameters are `in`. */
static const char *each_binding(const char *op, const char *sql, const char *in, const char *more)
{
    static char text[2048];
    char escaped[1024];

    snprintf(text, sizeof(text),
             "{\"v\":1,\"op\":\"%s\",\"retry\":true,\"table\":\"alls\",\"sql\":\"%s\",\"in\":[%s],"
             "\"out\":[{\"to\":\"row.id\",\"type\":\"bigint\"}]%s}",
             op, quoted(escaped, sql), in, more);
    return text;
}

/* The merged form of what is bound so; "" when there is none. */
static const char *merged_form(const char *op, const char *sql, const char *in, const char *more)
{
    static char text[2048];
    struct pg_statement *s;
    struct pg_failure f;

    int r = bind(&by_value, each_binding(op, sql, in, more), &s, &f);
    if (r < 0) {
        snprintf(text, sizeof(text), "%s", f.text);
        return text;
    }
    snprintf(text, sizeof(text), "%s", s->prepared->merged ? s->prepared->merged->sql : "");
    pg_statement_free(s);
    return text;
}

TEST(a_plain_select_has_a_merged_form_when_its_binding_says_so)
{
    if (!pool_of(1))
        return;
#define BY_ID "{\"from\":\"row.id\",\"type\":\"bigint\"}"
#define BY_WORDS "{\"from\":\"row.words\",\"type\":\"text[]\"}"
#define EACH ",\"each\":true"
    create_all();
    CHECK_STR(merged_form("row", "SELECT \"id\" FROM alls WHERE \"id\" = $1", BY_ID, EACH),
              "SELECT cell_each.n, cell_row.* FROM ROWS FROM (pg_catalog.unnest((SELECT $1))) WITH ORDINALITY AS "
              "cell_each(k1, n), LATERAL (SELECT \"id\" FROM alls WHERE \"id\" = cell_each.k1 OFFSET 0) AS cell_row");
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE id = $2 AND text <> '$1' AND i8 = $1",
                          "{\"from\":\"row.i8\",\"type\":\"smallint\"}," BY_ID, EACH),
              "SELECT cell_each.n, cell_row.* FROM ROWS FROM (pg_catalog.unnest((SELECT $1)), "
              "pg_catalog.unnest((SELECT $2))) WITH ORDINALITY AS cell_each(k1, k2, n), LATERAL (SELECT id FROM alls "
              "WHERE id = cell_each.k2 AND text <> '$1' AND i8 = cell_each.k1 OFFSET 0) AS cell_row");
    /* Not asked for, and what the database or the cell cannot do. */
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE id = $1", BY_ID, ""), "");
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE id = $1", BY_ID, EACH ",\"write\":true"), "");
    CHECK_STR(merged_form("count", "SELECT id FROM alls WHERE id = $1", BY_ID, EACH), "");
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE id = $1 -- it", BY_ID, EACH), "");
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE id = $1 OFFSET 1", BY_ID, EACH), "");
    CHECK_STR(merged_form("row", "WITH a AS (SELECT $1 AS i) SELECT i FROM a", BY_ID, EACH), "");
    CHECK_STR(merged_form("row", "SELECT id FROM alls", "", EACH), "");
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE words = $1", BY_WORDS, EACH), "");
    CHECK_STR(merged_form("row", "SELECT id FROM alls WHERE mood = $1",
                          "{\"from\":\"row.mood\",\"type\":\"mood\",\"enum\":{\"sad\":-1,\"happy\":7}}", EACH),
              "");
}

struct begun {
    sem_t done;
    struct pg_parameters p;
    struct pg_rows rows;
    struct pg_run *run; /* it took long, and is to be waited for */
};

static void note_end(void *user, struct pg_run *run, struct pg_rows *rows)
{
    struct begun *b = user;

    if (rows)
        b->rows = *rows;
    else
        b->run = run;
    sem_post(&b->done);
}

/* Of executions with the values of three rows, how many rows each finds, as a number of three digits; what they find
 * has to be the first row. */
static int found(const char *column, const char *type, const struct all *values)
{
    CELL_CTX(c);
    struct pg_statement *s;
    struct pg_failure f;
    struct begun b[3];
    char sql[256], in[256];
    int n = 0;

    snprintf(sql, sizeof(sql), "SELECT id FROM alls WHERE \"%s\" = $1", column);
    snprintf(in, sizeof(in), "{\"from\":\"row.%s\",\"type\":\"%s\"}", column, type);
    if (bind(&by_value, each_binding("row", sql, in, EACH), &s, &f) < 0 || !s->prepared->merged)
        return -1;
    pool_time(s->prepared, 1000); /* it is fast */
    for (int i = 0; i < 3; i++) {
        b[i] = (struct begun){.rows = {0}};
        sem_init(&b[i].done, 0, 0);
        if (pg_parameters_make(s, c, &b[i].p, &f) < 0 ||
            pg_parameters_fill(s, &b[i].p, &(struct cell_ref){(void *)(uintptr_t)&values[i], 1}, NULL, &f) < 0)
            return -2;
        const struct pg_values v = {b[i].p.values, b[i].p.lengths, b[i].p.formats};
        if (!pg_pool_begin(pool, s->prepared, &v, PG_RUN_RETRY, UINT64_MAX, note_end, &b[i]))
            return -3;
    }
    pg_pool_flush(pool);
    for (int i = 0; i < 3; i++) {
        struct all got = {0};
        void *const out[] = {&got};
        while (sem_wait(&b[i].done) < 0)
            continue;
        int r = b[i].run ? pg_pool_go_on(b[i].run, &forever, &b[i].rows, &f) : CELL_OK;
        if (r == CELL_OK)
            r = pg_take_rows(s, c, &b[i].rows, out, &f);
        n = n * 10 + (r == CELL_OK ? (got.id == 1 ? 1 : 9) : r == CELL_NOT_FOUND ? 0 : 8);
        pg_rows_clear(&b[i].rows);
        pg_parameters_free(&b[i].p);
        sem_destroy(&b[i].done);
    }
    pg_statement_free(s);
    return n;
}

TEST(keys_of_every_type_find_their_rows)
{
    if (!pool_of(1))
        return;
    CELL_CTX(c);
    struct pg_statement *insert;
    struct pg_failure f;
    struct all values[3] = {sample(), sample(), sample()};
    struct pg_pool_counters before, after;

    create_all();
    REQUIRE(bind(&insert_method, insert_binding("exec", REST(COLUMNS(IN_ROW)), ""), &insert, &f) == CELL_OK);
    CHECK(pg_statement_run(insert, c, NULL, &(struct cell_ref){&values[0], 1}, NULL, &f) == 1);
    /* A connection that is open, for what is begun. */
    CHECK(pg_statement_run(insert, c, NULL,
                           &(struct cell_ref){&(struct all){.id = 7,
                                                            .dec = cell_strz("0"),
                                                            .uid_text = values[0].uid_text,
                                                            .doc = cell_strz("0"),
                                                            .mood = HAPPY},
                                              1},
                           NULL, &f) == 1);
    execute("DELETE FROM alls WHERE id = 7");
    values[1].id = 2;
    values[1].b = !values[1].b;
    values[1].i8 = 5;
    values[1].u16 = 5;
    values[1].u64 = 5;
    values[1].f64 = 5;
    values[1].dec = cell_strz("-12345678901234567890.0001234");
    values[1].text = cell_strz("J\xc3\xbcrge");
    values[1].uid_text = cell_strz("00112233-4455-6677-8899-aabbccddeefe");
    values[1].doc = cell_strz("{\"a\": [1]}");
    values[1].raw = (cell_bytes){0};
    values[1].uid[0] = 9;
    values[1].day++;
    values[1].stamp++;
    pg_pool_count(pool, &before);
    CHECK(found("id", "bigint", values) == 101);
    CHECK(found("b", "boolean", values) == 101);
    CHECK(found("i8", "smallint", values) == 101);
    CHECK(found("u16", "integer", values) == 101);
    CHECK(found("u64", "numeric", values) == 101);
    CHECK(found("f64", "double precision", values) == 101);
    CHECK(found("dec", "numeric", values) == 111); /* equal, with other digits */
    CHECK(found("text", "text", values) == 101);
    CHECK(found("uid_text", "uuid", values) == 101);
    CHECK(found("doc", "jsonb", values) == 101);
    CHECK(found("raw", "bytea", values) == 101);
    CHECK(found("uid", "uuid", values) == 101);
    CHECK(found("day", "date", values) == 101);
    CHECK(found("stamp", "timestamp with time zone", values) == 101);
    pg_pool_count(pool, &after);
    CHECK(after.merges - before.merges == 14 && after.merged - before.merged == 42 && after.merged_again == 0);
    /* A collation that takes letters of both cases for equal. */
    if (strcmp(ask("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'"), "0") != 0) {
        execute("CREATE COLLATION same_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
                "ALTER TABLE alls ALTER text TYPE text COLLATE same_case");
        values[1].text = cell_strz("j\xc3\x9cRGEN");
        values[2].text = cell_strz("Jurgen");
        CHECK(found("text", "text", values) == 110);
    }
    pg_statement_free(insert);
}

/* Whatever the database knows of a table: nothing, that it is empty, or that it is large. */
TEST(a_merged_form_uses_the_index_as_the_statement_alone_does)
{
    if (!pool_of(1))
        return;
    static const char *const tables[] = {
        "CREATE TABLE planned (id bigint PRIMARY KEY, name text)",
        "INSERT INTO planned SELECT i, 'name ' || i FROM generate_series(1, 20000) i",
        "ANALYZE planned",
    };
    struct pg_failure f = {0};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct pg_link *link = NULL;
        PGresult *result = NULL;
        execute(tables[i]);
        REQUIRE(pg_pool_pin(pool, &forever, &link, &f) == CELL_OK);
        CHECK(pg_link_exec(link,
                           "SET plan_cache_mode = force_generic_plan; PREPARE m(bigint[]) AS SELECT cell_each.n, "
                           "cell_row.* FROM ROWS FROM (pg_catalog.unnest((SELECT $1))) WITH ORDINALITY AS "
                           "cell_each(k1, n), LATERAL (SELECT id, name FROM planned WHERE id = cell_each.k1 OFFSET 0) "
                           "AS cell_row; EXPLAIN EXECUTE m('{1,2,3}')",
                           &forever, &result, &f) == CELL_OK);
        bool index = false, all = false;
        for (int row = 0; row < PQntuples(result); row++) {
            index |= strstr(PQgetvalue(result, row, 0), "Index Cond: (id = cell_each.k1)") != NULL;
            all |= strstr(PQgetvalue(result, row, 0), "Seq Scan") != NULL;
        }
        CHECK(index && !all);
        PQclear(result);
        pg_pool_unpin(pool, link, false);
    }
}
