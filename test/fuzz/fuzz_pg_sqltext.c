/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Any text as SQL and as the names of parameters: tokens, positions, refusals, what is written in it for what is only
 * planned, and the text for documentation. The first byte is a number for what wants one.
 */
// LINK: cells/postgres/sqltext.c cells/postgres/sqlrefuse.c cells/postgres/query_names.c cells/postgres/query_doc.c
// LINK: cells/postgres/memory.c cells/postgres/describe_stand_in.c
#include <stdlib.h>
#include <string.h>

#include <cell/server.h>

#include "fuzz.h"
#include "postgres/describe.h"
#include "postgres/query_names.h"
#include "postgres/sqltext.h"

/* Tokens follow each other, cover no byte twice, and come to an end. */
static void check_tokens(const char *sql, size_t size)
{
    struct sql_lexer l = {sql, size, 0};
    struct sql_token t;
    size_t end = 0;

    while ((t = sql_next(&l)).kind != SQL_END) {
        size_t at = t.at + t.length / 2;
        EXPECT(t.at >= end && t.length > 0 && t.at + t.length <= size);
        end = t.at + t.length;
        EXPECT(sql_token_at(sql, size, &at) == t.length && at == t.at);
    }
    EXPECT(sql_next(&l).kind == SQL_END && sql_trimmed_length(sql, size) <= size);
}

static void check_positions(const char *sql, size_t size, long number)
{
    size_t a = sql_byte_of_character(sql, size, number), b = sql_byte_of_character(sql, size, number + 1);

    EXPECT(a <= b && b <= size && b - a <= size);
    EXPECT(sql_byte_of_character(sql, size, 0) == 0 && sql_byte_of_character(sql, size, 1) == 0);
    EXPECT(a == size || number <= 1 || ((unsigned char)sql[a] & 0xC0) != 0x80);
}

static void check_complaint(const struct query_complaint *why, const char *sql, const char *names)
{
    const char *text = strcmp(why->field, "sql") == 0 ? sql : names;

    EXPECT(why->text[0] && why->at + why->length <= strlen(text));
}

static void check_names(struct pg_arena *arena, const char *sql, const char *text)
{
    struct query_names names;
    struct query_complaint why = {{0}, NULL, 0, 0};

    if (!query_names_parse(arena, text, &names, &why)) {
        check_complaint(&why, sql, text);
        return;
    }
    if (!query_names_match(&names, sql, &why)) {
        check_complaint(&why, sql, text);
        return;
    }
    const char *replacements[PG_QUERY_MAX_PARAMETERS];
    for (uint32_t i = 0; i < names.n; i++)
        replacements[i] = i % 2 ? "($1::text::int)" : NULL;
    EXPECT(strlen(query_names_replace(arena, sql, replacements, names.n)) >= strlen(sql));
}

/* Bytes that are kept are where they were, in order; of what is replaced the source has the beginning. */
static void check_edits(struct pg_arena *arena, const char *sql, size_t at)
{
    struct pg_stand_in all[] = {{"a", "b", "longer"}, {"longer", "b", ""}, {NULL, "c", "ccc"}, {NULL, "dd", "c"}};
    const pg_stand_ins stand_ins = {.at = all, .n = 4};
    size_t length = at < strlen(sql) ? sql_token_at(sql, strlen(sql), &at) : 0, from = 0;
    pg_edits edits = {0};

    pg_edit_tables(arena, sql, &stand_ins, &edits);
    for (int i = 0; i < 3 && length; i++)
        pg_edit_label(arena, sql, at, length, &stand_ins, &edits);
    const char *text = pg_edited(arena, sql, &edits);
    for (size_t i = 0; i <= strlen(text); i++) {
        size_t now = pg_edited_from(&edits, i);
        EXPECT(now >= from && now <= strlen(sql));
        bool kept = sql[now] == text[i];
        for (uint32_t k = 0; k < edits.n && !kept; k++)
            kept = edits.at[k].at == now;
        EXPECT(kept);
        from = now;
    }
    EXPECT(from == strlen(sql));
}

static void check_doc(const char *doc)
{
    EXPECT(!strstr(doc, "*/") && !strchr(doc, '\t') && !strchr(doc, '\r') && !strstr(doc, "\\\n"));
    EXPECT(!*doc || doc[strlen(doc) - 1] != '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pg_arena arena = {0};
    struct sql_refusal why;

    if (size == 0)
        return 0;
    char *sql = malloc(size);
    if (!sql)
        abort();
    memcpy(sql, data + 1, size - 1);
    sql[size - 1] = '\0';
    check_tokens(sql, size - 1); /* with NULs within */
    check_positions(sql, size - 1, data[0]);
    size_t length = strlen(sql);
    if (!sql_acceptable(sql, length, &why))
        EXPECT(why.text[0] && why.at + why.length <= length);
    if (sql_acceptable(sql, length, &why))
        EXPECT(sql_executable(sql, length, &why));
    /* What stands behind the last semicolon as the names. */
    char *names = strrchr(sql, ';');
    if (names)
        *names++ = '\0';
    check_names(&arena, sql, names ? names : sql);
    check_edits(&arena, sql, data[0]);
    check_doc(query_doc_text(&arena, sql));
    cell_name_problem(sql, strlen(sql));
    pg_arena_free(&arena);
    free(sql);
    return 0;
}
