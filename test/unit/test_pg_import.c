/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* The header of tables that exist: names, order, literals, comments, and what it says that it cannot say. */
#include <cell/errors.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/import.h"
#include "postgres/model.h"
#include "test.h"

/* A model of a few tables: each has a column `id` of type integer, which is its key. */
static struct pg_model *model_of(const char *const *names, uint32_t n)
{
    struct pg_model *m = pg_model_new();

    m->default_schema = "public";
    m->tables = pg_array(&m->arena, n, sizeof(*m->tables));
    m->ntables = n;
    for (uint32_t i = 0; i < n; i++) {
        struct pg_table *t = &m->tables[i];
        t->schema = "public";
        t->name = names[i];
        t->kind = 'r';
        t->ncolumns = 1;
        t->columns = pg_array(&m->arena, 4, sizeof(*t->columns));
        t->columns[0] = (struct pg_column){.name = "id", .type = {PG_BASE_INT4, NULL, NULL, -1, -1, false}};
        t->primary = pg_alloc(&m->arena, sizeof(*t->primary));
        t->primary->name = "pkey";
        t->primary->columns = pg_array(&m->arena, 1, sizeof(char *));
        t->primary->columns[0] = "id";
        t->primary->n = 1;
        t->foreign = pg_array(&m->arena, 4, sizeof(*t->foreign));
        t->checks = pg_array(&m->arena, 4, sizeof(*t->checks));
        t->indexes = pg_array(&m->arena, 4, sizeof(*t->indexes));
        t->uniques = pg_array(&m->arena, 4, sizeof(*t->uniques));
    }
    return m;
}

static struct pg_column *add_column(struct pg_table *t, const char *name, enum pg_base base)
{
    struct pg_column *c = &t->columns[t->ncolumns++];

    *c = (struct pg_column){.name = name, .type = {base, NULL, NULL, -1, -1, false}};
    return c;
}

static void refer(struct pg_model *m, uint32_t from, uint32_t to)
{
    struct pg_table *t = &m->tables[from];
    const char **id = pg_array(&m->arena, 1, sizeof(*id));

    id[0] = "id";
    t->foreign[t->nforeign++] = (struct pg_foreign_key){.name = "fk",
                                                        .columns = id,
                                                        .to_schema = "public",
                                                        .to_table = m->tables[to].name,
                                                        .to_columns = id,
                                                        .n = 1,
                                                        .on_delete = PG_CASCADE,
                                                        .on_update = PG_NO_ACTION,
                                                        .valid = true};
}

static struct pg_import *import(const struct pg_model *m, const struct pg_import_options *options)
{
    static const struct pg_import_options all = {0};
    struct pg_import *made = NULL;
    char why[256] = "";

    if (pg_import_tables(m, options ? options : &all, &made, why) < 0) {
        printf("%s\n", why);
        test_failures++;
        exit(1);
    }
    return made;
}

static bool has(const struct pg_import *i, const char *text)
{
    bool found = strstr(i->header, text) != NULL;

    if (!found)
        printf("no '%s' in:\n%s\n", text, i->header);
    return found;
}

static bool lost(const struct pg_import *i, const char *text)
{
    for (uint32_t k = 0; k < i->nlost; k++)
        if (strstr(i->lost[k], text))
            return true;
    return false;
}

static bool in_order(const struct pg_import *i, const char *first, const char *second)
{
    const char *a = strstr(i->header, first), *b = strstr(i->header, second);

    return a && b && a < b;
}

/* A tag meets no function, type or tag of another table. */
TEST(tags)
{
    const char *names[] = {"a",   "a_all", "a_find_by_id", "a_fine", "a_rows", "class",
                           "1 b", "a-b",   "a b",          "_u",     "stat"};
    struct pg_model *m = model_of(names, 11);
    struct pg_import *i = import(m, NULL);

    CHECK(i->ntables == 11);
    CHECK(has(i, "CELL_TABLE(\"a\") a {"));
    CHECK(has(i, "CELL_TABLE(\"a_all\") table_a_all {"));
    CHECK(has(i, "CELL_TABLE(\"a_find_by_id\") table_a_find_by_id {"));
    CHECK(has(i, "CELL_TABLE(\"a_fine\") a_fine {"));
    CHECK(has(i, "CELL_TABLE(\"a_rows\") table_a_rows {"));
    CHECK(has(i, "CELL_TABLE(\"class\") table_class {"));
    CHECK(has(i, "CELL_TABLE(\"1 b\") table_1_b {"));
    CHECK(has(i, "CELL_TABLE(\"a-b\") a_b {"));
    CHECK(has(i, "CELL_TABLE(\"a b\") table_a_b {"));
    CHECK(has(i, "CELL_TABLE(\"_u\") table_u {"));
    CHECK(has(i, "CELL_TABLE(\"stat\") table_stat {"));
    pg_import_free(i);
    pg_model_free(m);
}

/* The table whose name is the beginning comes second here: it gives way as well. */
TEST(tags_in_any_order)
{
    const char *names[] = {"a_rows", "a"};
    struct pg_model *m = model_of(names, 2);
    struct pg_import *i = import(m, NULL);

    CHECK(has(i, "CELL_TABLE(\"a_rows\") a_rows {"));
    CHECK(has(i, "CELL_TABLE(\"a\") table_a {"));
    pg_import_free(i);
    pg_model_free(m);
}

TEST(order)
{
    const char *names[] = {"a", "b", "c", "d"};
    struct pg_model *m = model_of(names, 4);

    refer(m, 0, 2); /* a -> c -> d -> c: a circle that a is not part of */
    refer(m, 2, 3);
    refer(m, 3, 2);
    refer(m, 1, 1); /* itself */
    struct pg_import *i = import(m, NULL);
    CHECK(in_order(i, "(\"c\") c", "(\"a\") a"));
    CHECK(in_order(i, "(\"c\") c", "(\"d\") d"));
    CHECK(has(
        i, "// Not here: CELL_FOREIGN_KEY(\"id\", \"d(id) on delete cascade\"), the foreign key 'fk': that table is"));
    CHECK(i->nlost == 1 && lost(i, "(c)"));
    CHECK(strstr(i->header, "CELL_REFERENCES(b, id, on delete cascade)"));
    pg_import_free(i);
    pg_model_free(m);
}

TEST(fields)
{
    const char *names[] = {"t"};
    struct pg_model *m = model_of(names, 1);
    struct pg_table *t = &m->tables[0];

    struct pg_column *c = add_column(t, "new", PG_BASE_VARCHAR);
    c->type.modifier = 7;
    c->standard.sql = "'\\\"?"
                      "?/\n'";
    c->comment = "One.\nTwo.";
    c = add_column(t, "New \\ \"q\"", PG_BASE_UUID);
    c->comment = "bad\\";
    c = add_column(t, "n", PG_BASE_INT8);
    c->nullable = true;
    c->identity = 'd';
    t->comment = "The table.";
    t->checks[t->nchecks++] = (struct pg_check){"c1", {"(n > 0)", NULL}, true, false, NULL, NULL, NULL};
    t->checks[t->nchecks++] = (struct pg_check){"c2", {"(n > id)", NULL}, true, false, NULL, NULL, NULL};
    t->checks[t->nchecks++] = (struct pg_check){"c3", {"(id > 0)", NULL}, false, false, NULL, NULL, NULL};
    struct pg_import *i = import(m, NULL);
    CHECK(has(i, "/// The table.\nstruct CELL_TABLE(\"t\")\n    CELL_TABLE_CHECK(\"(n > id)\")\n    t {\n"));
    CHECK(has(i, "    int32_t id CELL_KEY;\n"));
    CHECK(has(i, "    /// One.\n    /// Two.\n    cell_str new_ CELL_COLUMN(\"new\") "
                 "CELL_SQL_TYPE(\"character varying(7)\") CELL_DEFAULT(\"'\\\\\\\"?\"\"?/\\n'\");\n"));
    CHECK(has(i, "uint8_t New____q_[16] CELL_COLUMN(\"New \\\\ \\\"q\\\"\") CELL_SQL_TYPE(\"uuid\");"));
    CHECK(has(i, "cell_opt_i64 n CELL_CHECK(\"(n > 0)\");"));
    CHECK(has(i, "    // Not here: its comment, which is no comment of C: bad\\.\n"));
    CHECK(lost(i, "check 'c3', which is NOT VALID") && lost(i, "its sequence") && i->nlost == 3);
    pg_import_free(i);
    pg_model_free(m);
}

/* Comments that would end or change on their way through a comment of C are told, and are no part of the program. */
TEST(comments)
{
    static const char *const bad[] = {" a",
                                      "a ",
                                      "a\n",
                                      "a*/b",
                                      "a\\",
                                      "a\\\nb",
                                      "a?"
                                      "?/",
                                      "a\tb",
                                      "a \nb",
                                      "a\n b",
                                      "a\xE2\x80\xAE"
                                      "b",
                                      "a\x7F"};
    const char *names[] = {"t"};

    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        struct pg_model *m = model_of(names, 1);
        m->tables[0].comment = bad[k];
        struct pg_import *i = import(m, NULL);
        CHECK(i->nlost == 1 && !strstr(i->header, "///"));
        for (const char *p = i->header; *p; p++)
            CHECK(*p != '\\' || p[1] != '\n');
        pg_import_free(i);
        pg_model_free(m);
    }
}

TEST(enums)
{
    static const char *labels[] = {"sad", "very_happy"}, *odd[] = {"On Hold"}, *twin[] = {"a_x", "a_y"};
    const char *names[] = {"t"};
    struct pg_enum all[] = {{"public", "mood", labels, 2}, {"public", "odd", odd, 1}, {"public", "twin", twin, 2}};
    static const char *const types[] = {"mood", "odd", "twin"};
    const struct pg_import_options options = {.types = types, .ntypes = 3};
    struct pg_model *m = model_of(names, 1);

    m->enums = all;
    m->nenums = 3;
    for (uint32_t k = 0; k < 3; k++) {
        struct pg_column *c = add_column(&m->tables[0], all[k].name, PG_BASE_OTHER);
        c->type.name = all[k].name;
        c->nullable = true;
    }
    struct pg_import *i = import(m, &options);
    CHECK(has(i, "enum mood {\n    MOOD_SAD,\n    MOOD_VERY_HAPPY\n};\nCELL_OPT(mood_opt, enum mood);\n"));
    CHECK(has(i, "    mood_opt mood CELL_SQL_TYPE(\"mood\");\n    cell_opt_str odd CELL_SQL_TYPE(\"odd\");\n"
                 "    cell_opt_str twin CELL_SQL_TYPE(\"twin\");\n"));
    CHECK(i->nlost == 1 && lost(i, "the types odd, twin:"));
    pg_import_free(i);
    pg_model_free(m);
}

TEST(indexes)
{
    const char *names[] = {"t"};
    struct pg_model *m = model_of(names, 1);
    struct pg_table *t = &m->tables[0];
    struct pg_index_part id = {.column = "id"}, desc = {.column = "select", .descending = true, .nulls_first = true},
                         expr = {.expr = {"lower(x)", NULL}, .opclass = "text_pattern_ops"}, both[] = {desc, expr};

    add_column(t, "select", PG_BASE_TEXT);
    t->indexes[0] = (struct pg_index){.name = "a", .method = "btree", .parts = both, .n = 2, .valid = true};
    t->indexes[1] = (struct pg_index){.name = "b", .method = "gin", .parts = &id, .n = 1, .valid = true};
    t->indexes[2] = (struct pg_index){.name = "c", .method = "gin", .parts = &id, .n = 1, .valid = true};
    t->indexes[3] = (struct pg_index){.name = "d", .method = "btree", .parts = &id, .n = 1, .valid = false};
    t->nindexes = 4;
    struct pg_import *i = import(m, NULL);
    CHECK(has(i, "CELL_INDEX(\"\\\"select\\\" desc, lower(x) text_pattern_ops\")"));
    CHECK(has(i, "int32_t id CELL_KEY CELL_INDEXED_BY(\"gin\");"));
    CHECK(i->nlost == 2 && lost(i, "index 'c', which is the same") && lost(i, "index 'd', which is not valid"));
    pg_import_free(i);
    pg_model_free(m);
}

TEST(choice)
{
    const char *names[] = {"users", "visits", "v"};
    const char *const one[] = {"visits"}, *const wrong[] = {"user"};
    struct pg_import_fact facts[] = {{"users", NULL, "trigger x", false}, {"v", NULL, "it is a partition", true}};
    struct pg_model *m = model_of(names, 3);
    struct pg_import_options options = {.tables = one, .ntables = 1, .facts = facts, .nfacts = 2};
    struct pg_import *i = import(m, &options);
    char why[256] = "";

    CHECK(i->ntables == 1 && i->nlost == 0 && !strstr(i->header, "\"users\""));
    pg_import_free(i);
    options.tables = wrong;
    CHECK(pg_import_tables(m, &options, &i, why) == CELL_NOT_FOUND);
    CHECK(strcmp(why, "schema 'public' has no table 'user'; did you mean 'users'?") == 0);
    options.tables = NULL;
    options.ntables = 0;
    i = import(m, &options);
    CHECK(i->ntables == 2 && i->nlost == 2);
    CHECK(has(i, "// Not here: trigger x.\nstruct CELL_TABLE(\"users\")"));
    CHECK(has(i, "// Not here: table 'v': it is a partition.\n"));
    pg_import_free(i);
    options.rows = true;
    i = import(m, &options);
    CHECK(has(i, "CELL_ROWS(\"users\")") && !strstr(i->header, "CELL_KEY") && !strstr(i->header, "trigger"));
    pg_import_free(i);
    pg_model_free(m);
    pg_import_free(NULL);
}
