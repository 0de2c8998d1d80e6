/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements on what is only planned: what is written in them for it, and where their words are in the source. */
#include <string.h>

#include "describe.h"
#include "sqltext.h"

char *pg_unquoted(struct pg_arena *arena, const char *sql, size_t at)
{
    struct sql_lexer l = {sql, strlen(sql), at};
    struct sql_token t = sql_next(&l);
    bool quoted = t.kind == SQL_NAME;
    char *name = t.length < 2 && quoted ? NULL : pg_copy(arena, sql + t.at + quoted, t.length - 2 * quoted);
    char *out = name;

    for (const char *c = name; c && *c; c++) {
        *out++ = !quoted && *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
        c += quoted && c[0] == '"' && c[1] == '"';
    }
    if (out)
        *out = '\0';
    return name;
}

static bool is_name(struct sql_token t) { return t.kind == SQL_WORD || t.kind == SQL_NAME; }

static bool is_symbol(const struct sql_lexer *l, struct sql_token t, const char *symbol)
{
    return t.kind == SQL_SYMBOL && t.length == strlen(symbol) && memcmp(l->text + t.at, symbol, t.length) == 0;
}

/* What is always before a table's name, or a type's. Elsewhere `a.b` may be a column of what is called `a`. */
static bool comes_before_table(const struct sql_lexer *l, struct sql_token t)
{
    static const char *const words[] = {"from", "join", "into", "update", "using", "only", "table"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (sql_is(l, t, words[i]))
            return true;
    return is_symbol(l, t, "::");
}

/* Between tables, or between columns. */
static bool may_come_before_table(const struct sql_lexer *l, struct sql_token t)
{
    return is_symbol(l, t, ",") || is_symbol(l, t, "(");
}

/* Something in the statement is called so: a name that is not the first part of another one. */
static bool is_called(struct pg_arena *arena, const char *sql, const char *name)
{
    struct sql_lexer l = {sql, strlen(sql), 0};

    for (struct sql_token t = sql_next(&l); t.kind != SQL_END; t = sql_next(&l)) {
        struct sql_lexer ahead = l;
        const char *called = is_name(t) && !is_symbol(&l, sql_next(&ahead), ".") ? pg_unquoted(arena, sql, t.at) : NULL;
        if (called && strcmp(called, name) == 0)
            return true;
    }
    return false;
}

static const char *stand_in_of(struct pg_arena *arena, const char *sql, struct sql_token schema, struct sql_token name,
                               const pg_stand_ins *all)
{
    const char *in = pg_unquoted(arena, sql, schema.at), *called = pg_unquoted(arena, sql, name.at);

    for (uint32_t i = 0; in && called && i < all->n; i++)
        if (all->at[i].schema && strcmp(all->at[i].schema, in) == 0 && strcmp(all->at[i].name, called) == 0)
            return all->at[i].by;
    return NULL;
}

void pg_edit_tables(struct pg_arena *arena, const char *sql, const pg_stand_ins *stand_ins, pg_edits *edits)
{
    struct sql_lexer l = {sql, strlen(sql), 0};
    struct sql_token before = {0};

    for (struct sql_token t = sql_next(&l); t.kind != SQL_END && stand_ins->n; before = t, t = sql_next(&l)) {
        struct sql_lexer ahead = l;
        struct sql_token dot = sql_next(&ahead), name = sql_next(&ahead), end = sql_next(&ahead);
        if (!is_name(t) || !is_symbol(&l, dot, ".") || !is_name(name) || is_symbol(&l, before, "."))
            continue;
        const char *by = stand_in_of(arena, sql, t, name, stand_ins);
        if (by && (comes_before_table(&l, before) || is_symbol(&l, end, ".") ||
                   (may_come_before_table(&l, before) && !is_called(arena, sql, pg_unquoted(arena, sql, t.at)))))
            *pg_push(arena, edits) = (struct pg_edit){t.at, t.length, by};
    }
}

static bool is_within_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

/* The first `label` in sql[at … end), as a whole word, that is not replaced; *place is its own among the edits. NULL.
 */
static const char *find_label(const char *sql, size_t at, size_t end, const char *label, const pg_edits *edits,
                              uint32_t *place)
{
    size_t n = strlen(label);
    const char *found;

    for (; (found = memmem(sql + at, end - at, label, n)) != NULL; at = (size_t)(found - sql) + 1) {
        bool whole = (found == sql || !is_within_word(found[-1])) && !is_within_word(found[n]);
        for (*place = 0; *place < edits->n && edits->at[*place].at < (size_t)(found - sql);)
            ++*place;
        /* One that was replaced already is not what is wrong. */
        if (whole && (*place == edits->n || edits->at[*place].at != (size_t)(found - sql)))
            return found;
    }
    return NULL;
}

bool pg_edit_label(struct pg_arena *arena, const char *sql, size_t at, size_t length, const pg_stand_ins *stand_ins,
                   pg_edits *edits)
{
    for (uint32_t i = 0; i < stand_ins->n; i++) {
        const struct pg_stand_in *s = &stand_ins->at[i];
        uint32_t place = 0;
        const char *found = s->schema ? NULL : find_label(sql, at, at + length, s->name, edits, &place);
        if (!found)
            continue;
        (void)pg_push(arena, edits);
        memmove(&edits->at[place + 1], &edits->at[place], (edits->n - 1 - place) * sizeof(*edits->at));
        edits->at[place] = (struct pg_edit){(size_t)(found - sql), strlen(s->name), s->by};
        return true;
    }
    return false;
}

const char *pg_edited(struct pg_arena *arena, const char *sql, const pg_edits *edits)
{
    struct pg_text text = {.arena = arena};
    size_t at = 0;

    for (uint32_t i = 0; i < edits->n; i++) {
        pg_append(&text, sql + at, edits->at[i].at - at);
        pg_puts(&text, edits->at[i].by);
        at = edits->at[i].at + edits->at[i].length;
    }
    pg_puts(&text, sql + at);
    return text.data;
}

size_t pg_edited_from(const pg_edits *edits, size_t at)
{
    size_t longer = 0; /* by which the edited text is, so far: may wrap around, and back */

    for (uint32_t i = 0; i < edits->n; i++) {
        const struct pg_edit *e = &edits->at[i];
        size_t begins = e->at + longer, by = strlen(e->by);
        if (at < begins)
            break;
        if (at < begins + by)
            return e->at;
        longer += by - e->length;
    }
    return at - longer;
}

bool pg_edit_refused(struct pg_arena *arena, const char *sql, long position, const pg_stand_ins *stand_ins,
                     pg_edits *edits)
{
    const char *text = pg_edited(arena, sql, edits);
    size_t at = sql_byte_of_character(text, strlen(text), position), length = sql_token_at(text, strlen(text), &at);
    size_t from = pg_edited_from(edits, at);

    return position > 0 && pg_edit_label(arena, sql, from, pg_edited_from(edits, at + length) - from, stand_ins, edits);
}
