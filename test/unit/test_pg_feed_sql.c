/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Tables as collections: the types of their columns, and the SQL that is made of them. */
// LIBS: cell_postgres_sanitized
#include <cell/errors.h>
#include <jansson.h>

#include "postgres/feed_table.h"
#include "test.h"

static struct pg_arena arena;

static const char *ctype(const char *type, bool nullable, uint32_t dimensions)
{
    struct pg_feed_column column = {.name = "c", .type = type, .nullable = nullable, .dimensions = dimensions};
    jmp_buf escape;

    arena.escape = &escape;
    if (setjmp(escape))
        return "no memory";
    pg_feed_column_set(&arena, &column);
    arena.escape = NULL;
    return pg_printf(&arena, "%s %s", column.ctype, column.travels);
}

TEST(columns_have_types_as_a_schema_writes_them)
{
    CHECK_STR(ctype("bigint", false, 0), "i64 bigint");
    CHECK_STR(ctype("integer", true, 0), "opt<i32> integer");
    CHECK_STR(ctype("boolean", false, 0), "bool boolean");
    CHECK_STR(ctype("character varying(20)", true, 0), "opt<str> character varying(20)");
    CHECK_STR(ctype("uuid", false, 0), "u8[16] uuid");
    CHECK_STR(ctype("uuid", true, 0), "opt<str> uuid");
    CHECK_STR(ctype("numeric(20,0)", false, 0), "u64 numeric(20,0)");
    CHECK_STR(ctype("numeric(20,0)", true, 0), "opt<u64> numeric(20,0)");
    CHECK_STR(ctype("numeric(12,2)", false, 0), "str numeric(12,2)");
    CHECK_STR(ctype("timestamp with time zone", false, 0), "i64 timestamp with time zone");
    CHECK_STR(ctype("real[]", false, 3), "f32[3] real[]");
    CHECK_STR(ctype("real[]", true, 3), "f32[3] real[]");
    CHECK_STR(ctype("real[]", false, 0), "list<f32> real[]");
    CHECK_STR(ctype("vector(384)", true, 384), "f32[384] vector(384)");
    CHECK_STR(ctype("integer[]", true, 0), "opt<str> text");
    CHECK_STR(ctype("app.mood", false, 0), "str text");
    CHECK_STR(ctype("point", true, 0), "opt<str> text");
    pg_arena_free(&arena);
}

static struct pg_feed_column columns[] = {{.name = "lang", .type = "text", .key = 2},
                                          {.name = "id", .type = "bigint", .key = 1},
                                          {.name = "title", .type = "text", .nullable = true},
                                          {.name = "place", .type = "real[]", .nullable = true, .dimensions = 3}};
static struct pg_feed_table table = {.name = "odd\"name", .columns = columns, .ncolumns = 4, .nkey = 2, .feed = "7"};

/* The methods of a client that wants these columns. */
static const struct cell_field record_fields[] = {{.name = "title", .type = &cell_type_opt_str},
                                                  {.name = "id", .type = &cell_type_i64},
                                                  {.name = "lang", .type = &cell_type_str},
                                                  {.name = "place", .type = &cell_type_f32, .count = 3}};
static const struct cell_type record = {"r", CELL_KIND_STRUCT, 64, 8, 4, record_fields, NULL};
static const struct cell_field range_fields[] = {{.name = "descending", .type = &cell_type_bool}};
static const struct cell_type range = {"q", CELL_KIND_STRUCT, 8, 8, 1, range_fields, NULL};
static const struct cell_field scan_in[] = {{.name = "range", .type = &range, .flags = CELL_FIELD_REF}};
static const struct cell_field rows[] = {{.name = "rows", .type = &record}};
static const struct cell_field change_fields[] = {{.name = "position", .type = &cell_type_u64},
                                                  {.name = "at_us", .type = &cell_type_i64},
                                                  {.name = "event", .type = &cell_type_i32},
                                                  {.name = "record", .type = &record}};
static const struct cell_type change = {"c", CELL_KIND_STRUCT, 96, 8, 4, change_fields, NULL};
static const struct cell_field changes_stream[] = {{.name = "changes", .type = &change}};
static const struct cell_method scan_method = {.name = "scan", .in = scan_in, .nin = 1, .stream = rows};
static const struct cell_method changes_method = {.name = "changes", .stream = changes_stream};

/* The binding's member `name`; of a list the values of `key` with spaces between. */
static const char *member(const char *binding, const char *name, const char *key)
{
    json_t *json = json_loads(binding, 0, NULL), *value = json_object_get(json, name), *entry;
    struct pg_text t = {.arena = &arena};
    size_t i;

    pg_puts(&t, json_is_string(value) ? json_string_value(value) : "");
    json_array_foreach(value, i, entry)
        pg_putf(&t, "%s%s", i ? " " : "", json_string_value(json_object_get(entry, key)));
    json_decref(json);
    return t.data;
}

static const char *make(bool changes, bool descending, uint32_t *nkey, struct pg_failure *f)
{
    jmp_buf escape;
    const char *volatile binding = NULL;

    arena.escape = &escape;
    if (setjmp(escape))
        return NULL;
    for (uint32_t i = 0; i < 4; i++)
        pg_feed_column_set(&arena, &columns[i]);
    binding = changes ? pg_feed_changes(&arena, &table, &changes_method, nkey, f)
                      : pg_feed_scan(&arena, &table, &scan_method, descending, f);
    arena.escape = NULL;
    return binding;
}

TEST(a_scan_is_a_range_in_the_order_of_the_key)
{
    struct pg_failure f = {0};
    const char *binding = make(false, false, NULL, &f);

    REQUIRE(binding);
    CHECK_STR(member(binding, "sql", NULL),
              "SELECT t.\"title\", t.\"id\", t.\"lang\", coalesce(t.\"place\", array_fill(0::real, ARRAY[3])::real[]) "
              "FROM \"public\".\"odd\"\"name\" t "
              "WHERE ($1 IS NULL OR t.\"id\" > $1::bigint OR t.\"id\" = $1::bigint AND ($2 IS NULL OR t.\"lang\" >= "
              "$2::text)) "
              "AND ($3 IS NULL OR t.\"id\" < $3::bigint OR t.\"id\" = $3::bigint AND ($4 IS NOT NULL AND (t.\"lang\" < "
              "$4::text))) "
              "AND ($5 IS NULL OR t.\"id\" > $5::bigint OR t.\"id\" = $5::bigint AND ($6 IS NOT NULL AND (t.\"lang\" > "
              "$6::text))) ORDER BY t.\"id\", t.\"lang\"");
    CHECK_STR(member(binding, "in", "from"),
              "range.from_id range.from_lang range.to_id range.to_lang range.after_id range.after_lang");
    CHECK_STR(member(binding, "in", "type"), "bigint text bigint text bigint text");
    CHECK_STR(member(binding, "out", "to"), "rows.title rows.id rows.lang rows.place");
    binding = make(false, true, NULL, &f);
    REQUIRE(binding);
    CHECK(strstr(member(binding, "sql", NULL), "t.\"id\" < $5::bigint OR") != NULL);
    CHECK(strstr(member(binding, "sql", NULL), "ORDER BY t.\"id\" DESC, t.\"lang\" DESC") != NULL);
    pg_arena_free(&arena);
}

TEST(changes_begin_with_the_key)
{
    struct pg_failure f = {0};
    uint32_t nkey = 0;
    const char *binding = make(true, false, &nkey, &f);

    REQUIRE(binding);
    CHECK(nkey == 2);
    CHECK_STR(member(binding, "out", "to"), "changes.position changes.at_us changes.event changes.record.id "
                                            "changes.record.lang changes.record.title changes.record.place");
    const char *sql = member(binding, "sql", NULL);
    CHECK(strstr(sql, "coalesce(t.\"id\", c.key[1]::bigint), coalesce(t.\"lang\", c.key[2]::text), t.\"title\"") !=
          NULL);
    CHECK(strstr(sql, "WHERE feed = 7 AND number > $1 ORDER BY number LIMIT 256") != NULL);
    CHECK(strstr(sql, "LEFT JOIN \"public\".\"odd\"\"name\" t ON t.\"id\" = c.key[1]::bigint "
                      "AND t.\"lang\" = c.key[2]::text ORDER BY c.number") != NULL);
    pg_arena_free(&arena);
}

TEST(a_column_that_is_not_there_is_named)
{
    struct pg_failure f = {0};
    uint32_t nkey;

    columns[2].name = "header";
    CHECK(!make(false, false, NULL, &f));
    CHECK(f.status == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "table 'odd\"name' has no column 'title'");
    f = (struct pg_failure){0};
    CHECK(!make(true, false, &nkey, &f));
    CHECK(f.status == CELL_FAILED_PRECONDITION);
    columns[2].name = "title";
    pg_arena_free(&arena);
}

TEST(triggers_write_the_key_and_its_former_one)
{
    jmp_buf escape;

    arena.escape = &escape;
    REQUIRE(!setjmp(escape));
    const char *sql = pg_feed_function(&arena, &table, "7");
    CHECK(strstr(sql, "FUNCTION cell.follow_7() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS '") != NULL);
    CHECK(strstr(sql, "was := ARRAY[OLD.\"id\"::pg_catalog.text, OLD.\"lang\"::pg_catalog.text]") != NULL);
    CHECK(strstr(sql, "is_now := ARRAY[NEW.\"id\"::pg_catalog.text, NEW.\"lang\"::pg_catalog.text]") != NULL);
    columns[0].type = "date"; /* has another text with another datestyle */
    sql = pg_feed_function(&arena, &table, "7");
    CHECK(strstr(sql, "SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD'") != NULL);
    columns[0].type = "text";
    sql = pg_feed_triggers(&arena, &table, "7");
    CHECK(strstr(sql, "ALTER TABLE \"public\".\"odd\"\"name\" ENABLE ALWAYS TRIGGER cell_follow, "
                      "ENABLE ALWAYS TRIGGER cell_follow_all") != NULL);
    arena.escape = NULL;
    pg_arena_free(&arena);
}
