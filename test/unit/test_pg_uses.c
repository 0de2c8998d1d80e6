/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What programs use of the database: names of columns, which a statement may use, and whom a plan waits for. */
// LIBS: cell_postgres_sanitized
#include "pg_build.h"
#include "postgres/uses.h"

static const char *name_of(struct pg_arena *a, const char *schema, const char *table, const char *column,
                           const char *type)
{
    struct pg_column c = {.name = column};
    CHECK(pg_type_parse(a, type, &c.type, NULL) >= 0);
    return pg_resource_name(a, schema, table, &c);
}

TEST(names_are_read_back_as_they_were_written)
{
    static const char *const names[][4] = {{"public", "users", "age", "integer"},
                                           {"a.b", "Users", "my \"age\" is", "numeric(12,2)"},
                                           {"select", "ünïcode", " ", "character varying(20)[]"},
                                           {"\"", ".", "\"\"", "timestamp with time zone"}};
    struct pg_arena a = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct pg_use u = {0};
        const char *name = name_of(&a, names[i][0], names[i][1], names[i][2], names[i][3]);
        REQUIRE(name && pg_resource_parse(&a, name, &u));
        CHECK_STR(u.schema, names[i][0]);
        CHECK_STR(u.table, names[i][1]);
        CHECK_STR(u.column, names[i][2]);
        CHECK_STR(u.type, names[i][3]);
    }
    CHECK_STR(name_of(&a, "public", "users", "age", "int4"), "public.users.age integer");
    CHECK(!name_of(&a, "public", "us\ners", "age", "int4")); /* no text that a record may hold */
    pg_arena_free(&a);
}

TEST(what_is_no_name_is_none)
{
    static const char *const bad[] = {"",
                                      "a",
                                      "a.b",
                                      "a.b.c",
                                      "a.b.c ",
                                      "a..c integer",
                                      "\"a.b.c integer",
                                      "a.\"b\"x.c integer",
                                      "a.b. integer",
                                      ".b.c integer",
                                      "\"\".b.c integer"};
    struct pg_arena a = {0};
    struct pg_use u;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!pg_resource_parse(&a, bad[i], &u));
    pg_arena_free(&a);
}

/* The columns of users(id, age, "Odd Name") and notes(id, author, text) that a statement is said to use. */
static char *used_by(const char *sql)
{
    struct pg_arena a = {0};
    struct pg_column users[] = {{.name = "id"}, {.name = "age"}, {.name = "Odd Name"}};
    struct pg_column notes[] = {{.name = "id"}, {.name = "author"}, {.name = "text"}};
    const struct pg_table tables[] = {{.schema = "public", .name = "users", .columns = users, .ncolumns = 3},
                                      {.schema = "app", .name = "notes", .columns = notes, .ncolumns = 3}};
    static char text[512];
    json_t *document = json_object(), *one;
    size_t i;
    for (int k = 0; k < 3; k++)
        users[k].type = notes[k].type = (struct pg_type_use){.base = PG_BASE_INT4, .modifier = -1, .scale = -1};
    text[0] = '\0';
    CHECK(pg_uses_put_statement(document, sql, (const struct pg_table *const[]){&tables[0], &tables[1]}, 2) >= 0);
    json_array_foreach(json_object_get(document, "resources"), i, one)
    {
        size_t n = strlen(text);
        const char *name = json_string_value(one);
        snprintf(text + n, sizeof(text) - n, "%s%.*s", n ? " " : "", (int)(strlen(name) - strlen(" integer")), name);
    }
    json_decref(document);
    pg_arena_free(&a);
    return text;
}

TEST(a_statement_uses_what_it_names)
{
    CHECK_STR(used_by("SELECT u.ID FROM Users u WHERE u.\"age\" > $1"), "public.users.id public.users.age");
    CHECK_STR(used_by("SELECT 'age' AS x, \"Odd Name\" /* id */ FROM users -- age"), "public.users.\"Odd Name\"");
    CHECK_STR(used_by("SELECT \"odd name\" AS age_ FROM users"), "");
    CHECK_STR(used_by("SELECT 1 FROM \"Users\" WHERE age = 1"), "");
    CHECK_STR(used_by("SELECT n.text FROM app.notes n JOIN users ON users.id = author"),
              "public.users.id app.notes.id app.notes.author app.notes.text");
    CHECK_STR(used_by("UPDATE users SET age = age + 1 RETURNING id"), "public.users.id public.users.age");
    CHECK_STR(used_by("INSERT INTO users (age) VALUES ($1)"), "public.users.age");
    CHECK_STR(used_by("INSERT INTO public.users AS u (age) SELECT 1"), "public.users.age");
}

TEST(a_statement_that_names_no_columns_uses_all)
{
    const char *all = "public.users.id public.users.age public.users.\"Odd Name\"";
    CHECK_STR(used_by("SELECT * FROM users"), all);
    CHECK_STR(used_by("SELECT u.* FROM users u"), all);
    CHECK_STR(used_by("SELECT 1 AS one, * FROM users"), all);
    CHECK_STR(used_by("DELETE FROM users RETURNING *"), all);
    CHECK_STR(used_by("TABLE users"), all);
    CHECK_STR(used_by("INSERT INTO users VALUES (1, 2, 3)"), all);
    CHECK_STR(used_by("INSERT INTO public.users AS u SELECT 1, 2, 3"), all);
    CHECK_STR(used_by("INSERT INTO users DEFAULT VALUES"), all);
    CHECK_STR(used_by("INSERT INTO users (SELECT 1, 2, 3)"), all);
    CHECK_STR(used_by("WITH x AS (INSERT INTO users VALUES (1, 2, 3)) SELECT 1"), all);
    CHECK_STR(used_by("SELECT count(*) FROM users"), "");
    CHECK_STR(used_by("SELECT age * 2 AS twice FROM users"), "public.users.age");
    CHECK_STR(used_by("SELECT (age) * (2) FROM users"), "public.users.age");
}

TEST(tables_of_a_statement_are_looked_for_in_the_schemas_that_it_names)
{
    struct pg_arena a = {0};
    const char *(*names)[2] = NULL;
    bool plain = false, qualified = false, other = false;
    uint32_t n = pg_uses_tables(&a, "SELECT 1 FROM app.\"Notes\" x, app.\"Notes\" y", &names);
    for (uint32_t i = 0; i < n; i++) {
        plain = plain || (!names[i][0] && strcmp(names[i][1], "Notes") == 0);
        qualified = qualified || (names[i][0] && strcmp(names[i][0], "app") == 0 && strcmp(names[i][1], "Notes") == 0);
        other = other || (names[i][0] && strcmp(names[i][1], "x") == 0);
    }
    CHECK(plain && qualified && !other);
    pg_arena_free(&a);
}

static struct pg_recorded_use recorded(const char *program, const char *path, const char *project, const char *table,
                                       const char *file)
{
    return (struct pg_recorded_use){{"public", table, "age", program, "integer", NULL}, path, project, file, 3};
}

TEST(only_programs_that_are_built_anew_are_left_out)
{
    struct pg_recorded_use uses[] = {recorded("own", "/p/own", "P", "users", "src/user.h"),
                                     recorded("own", "/p/own", "P", "users", "src/query.c"),
                                     recorded("other-file", "/p/b", "P", "users", "src/user.hpp"),
                                     recorded("other-project", "/q/own", "Q", "users", "src/user.h"),
                                     recorded("deployed", "", "P", "users", "src/user.h"),
                                     recorded("other-table", "/p/t", "P", "people", "src/user.h"),
                                     recorded("unknown-project", "/r/own", "", "users", "src/user.h")};
    const struct pg_recorded all = {.uses = uses, .n = sizeof(uses) / sizeof(uses[0]), .unknown = "why"};
    struct pg_declared d = {
        .owned = true, .location = "src/user.h:7:8", .table = {.schema = "public", .name = "users"}};
    const struct pg_declared *list[] = {&d};
    struct pg_arena a = {0};
    struct pg_diff_options o;

    pg_uses_of_others(&a, &(struct pg_known){&all, "P"}, list, 1, &o);
    CHECK(o.nuses == 5);
    CHECK_STR(o.unknown, "why");
    for (uint32_t i = 0; i < o.nuses; i++)
        CHECK(strcmp(o.uses[i].program, "own") != 0);
    CHECK_STR(o.uses[0].place, "src/user.hpp:3");
    pg_uses_of_others(&a, &(struct pg_known){&all, NULL}, list, 1, &o); /* it is not known who builds */
    CHECK(o.nuses == 7);
    pg_uses_of_others(&a, &(struct pg_known){&all, ""}, list, 1, &o);
    CHECK(o.nuses == 7);
    d.owned = false; /* who reads declares nothing */
    pg_uses_of_others(&a, &(struct pg_known){&all, "P"}, list, 1, &o);
    CHECK(o.nuses == 7);
    pg_uses_of_others(&a, NULL, list, 1, &o);
    CHECK(o.nuses == 0 && !o.unknown);
    pg_arena_free(&a);
}
