/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is written in a statement for what is only planned, and where errors are then in the source. Pure. */
// LIBS: cell_postgres_sanitized
#include <string.h>

#include "postgres/describe.h"
#include "test.h"

static struct pg_arena arena;
static struct pg_stand_in all[] = {
    {"app", "users", "pg_temp"}, {"A p\"p", "Users", "s"}, {NULL, "happy", "ok"}, {NULL, "sad", "not at all"}};
static const pg_stand_ins stand_ins = {.at = all, .n = 4};

static const char *edited(const char *sql)
{
    pg_edits edits = {0};

    pg_edit_tables(&arena, sql, &stand_ins, &edits);
    const char *text = pg_edited(&arena, sql, &edits);
    /* What is not replaced is where it was, what is replaced at its beginning. */
    for (size_t at = 0, last = 0; at <= strlen(text); at++) {
        size_t from = pg_edited_from(&edits, at);
        CHECK(from >= last && from <= strlen(sql));
        bool kept = sql[from] == text[at];
        for (uint32_t i = 0; i < edits.n && !kept; i++)
            kept = edits.at[i].at == from;
        CHECK(kept);
        last = from;
    }
    CHECK(pg_edited_from(&edits, strlen(text)) == strlen(sql));
    return text;
}

TEST(schemas_of_tables_are_replaced)
{
    static const char *const pairs[][2] = {
        {"SELECT * FROM app.users", "SELECT * FROM pg_temp.users"},
        {"INSERT INTO App . \"users\" (id) VALUES (1)", "INSERT INTO pg_temp . \"users\" (id) VALUES (1)"},
        {"UPDATE ONLY app.users SET x = 1", "UPDATE ONLY pg_temp.users SET x = 1"},
        {"SELECT 1 FROM a, (app.users u JOIN \"A p\"\"p\".\"Users\" USING (id))",
         "SELECT 1 FROM a, (pg_temp.users u JOIN s.\"Users\" USING (id))"},
        {"SELECT app.users.id, x::app.users FROM ONLY app.users",
         "SELECT pg_temp.users.id, x::pg_temp.users FROM ONLY pg_temp.users"},
        {"DELETE FROM t USING app.users WHERE app.users.id = t.id",
         "DELETE FROM t USING pg_temp.users WHERE pg_temp.users.id = t.id"},
        /* and nothing else */
        {"SELECT app.users FROM t AS app", "SELECT app.users FROM t AS app"},
        {"SELECT id, app.users, sum(app.users) FROM t app", "SELECT id, app.users, sum(app.users) FROM t app"},
        {"SELECT id FROM t, app.users", "SELECT id FROM t, pg_temp.users"},
        {"SELECT id FROM t app WHERE app.users > 1", "SELECT id FROM t app WHERE app.users > 1"},
        {"SELECT 'FROM app.users' FROM app.user", "SELECT 'FROM app.users' FROM app.user"},
        {"SELECT * FROM \"APP\".users", "SELECT * FROM \"APP\".users"},
        {"SELECT * FROM db.app.users", "SELECT * FROM db.app.users"},
        {"SELECT * FROM app.", "SELECT * FROM app."},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        CHECK_STR(edited(pairs[i][0]), pairs[i][1]);
    pg_arena_free(&arena);
}

TEST(values_of_an_enum_are_replaced_where_they_are_met)
{
    const char *sql = "SELECT * FROM app.users WHERE m = 'happy' OR m = ANY ('{sad,happy}')";
    pg_edits edits = {0};

    pg_edit_tables(&arena, sql, &stand_ins, &edits);
    size_t list = (size_t)(strstr(sql, "'{") - sql), one = (size_t)(strstr(sql, "'happy'") - sql);
    CHECK(pg_edit_label(&arena, sql, list, 13, &stand_ins, &edits));
    CHECK(pg_edit_label(&arena, sql, one, 7, &stand_ins, &edits));
    CHECK(!pg_edit_label(&arena, sql, one, 7, &stand_ins, &edits)); /* that did not help */
    CHECK(!pg_edit_label(&arena, sql, 0, 6, &stand_ins, &edits));
    const char *twice = "SELECT 'unhappy', '{happy,happy_end,happy}'";
    pg_edits both = {0};
    CHECK(!pg_edit_label(&arena, twice, 7, 9, &stand_ins, &both)); /* another word */
    CHECK(pg_edit_label(&arena, twice, 18, 25, &stand_ins, &both) &&
          pg_edit_label(&arena, twice, 18, 25, &stand_ins, &both));
    CHECK(!pg_edit_label(&arena, twice, 18, 25, &stand_ins, &both));
    CHECK_STR(pg_edited(&arena, twice, &both), "SELECT 'unhappy', '{ok,happy_end,ok}'");
    const char *shifted = "SELECT 'é', 'sad', 'happy'"; /* places are counted in characters of what was sent */
    pg_edits one_by_one = {0};
    CHECK(pg_edit_refused(&arena, shifted, 13, &stand_ins, &one_by_one));
    CHECK(pg_edit_refused(&arena, shifted, 27, &stand_ins, &one_by_one));
    CHECK(!pg_edit_refused(&arena, shifted, 27, &stand_ins, &one_by_one));
    CHECK_STR(pg_edited(&arena, shifted, &one_by_one), "SELECT 'é', 'not at all', 'ok'");
    CHECK_STR(pg_edited(&arena, sql, &edits), "SELECT * FROM pg_temp.users WHERE m = 'ok' OR m = ANY ('{sad,ok}')");
    CHECK(pg_edit_label(&arena, sql, list, 13, &stand_ins, &edits));
    const char *text = pg_edited(&arena, sql, &edits);
    CHECK_STR(text, "SELECT * FROM pg_temp.users WHERE m = 'ok' OR m = ANY ('{not at all,ok}')");
    CHECK(!pg_edit_refused(&arena, sql, 0, &stand_ins, &edits)); /* it is not said where */
    CHECK(pg_edited_from(&edits, (size_t)(strstr(text, "ok}") - text)) == (size_t)(strstr(sql, "happy}") - sql));
    CHECK(pg_edited_from(&edits, (size_t)(strstr(text, "}')") - text)) == (size_t)(strstr(sql, "}')") - sql));
    pg_arena_free(&arena);
}
