/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Queries as SQL. Nothing of what a user writes becomes SQL: words are a parameter of MATCH, values are parameters. */
#include "index_read_impl.h"

#include <stdlib.h>
#include <string.h>

int reading_begin(struct search_reader *r, const char *query, size_t length, struct reading *reading,
                  struct search_failure *f)
{
    size_t spaces = 0;

    *reading = (struct reading){0};
    while (spaces < length && query[spaces] == ' ')
        spaces++;
    reading->any = spaces == length;
    if (reading->any)
        return CELL_OK;
    int status = search_query_parse(&r->index->definition.fields, query, length, search_words_count, r->words,
                                    &reading->query, f);
    if (status >= 0 && reading->query.match && r->index->ntexts == 0) {
        reading_end(reading);
        return search_fail(f, CELL_INVALID_ARGUMENT,
                           "the index has no texts: conditions on its fields can be looked for");
    }
    return status;
}

void reading_end(struct reading *reading) { search_query_free(&reading->query); }

static void append_filter(const struct search_field *field, const struct search_filter *filter, sqlite3_str *sql)
{
    static const char *const comparisons[] = {"= ?", "< ?", "<= ?", "> ?", ">= ?", "BETWEEN ? AND ?"};
    const char *comparison = comparisons[filter->comparison];

    /* What has no value has not the value either. */
    sqlite3_str_appendf(sql, filter->negated ? " AND NOT coalesce(d.\"f_%s\" %s, 0)" : " AND d.\"f_%s\" %s",
                        field->name, comparison);
}

void reading_append_from(const struct search_reader *r, const struct reading *reading, sqlite3_str *sql)
{
    const struct search_query *q = &reading->query;

    if (!q->match)
        sqlite3_str_appendall(sql, " FROM docs AS d WHERE 1");
    else
        sqlite3_str_appendall(sql, q->nfilters
                                       ? " FROM text CROSS JOIN docs AS d ON d.id = text.rowid WHERE text MATCH ?"
                                       : " FROM text WHERE text MATCH ?");
    for (uint32_t i = 0; i < q->nfilters; i++)
        append_filter(&r->index->definition.fields.at[q->filters[i].field], &q->filters[i], sql);
}

static int bind_value(sqlite3_stmt *s, int at, enum search_kind kind, const struct search_value *v)
{
    if (kind == SEARCH_KEYWORD)
        return sqlite3_bind_text(s, at, v->text.bytes, (int)v->text.length, SQLITE_STATIC);
    if (kind == SEARCH_REAL)
        return sqlite3_bind_double(s, at, v->real);
    return sqlite3_bind_int64(s, at, v->integer);
}

int reading_bind(const struct search_reader *r, const struct reading *reading, sqlite3_stmt *s)
{
    const struct search_query *q = &reading->query;
    int at = 1, code = SQLITE_OK;

    if (q->match)
        code = sqlite3_bind_text(s, at++, q->match, -1, SQLITE_STATIC);
    for (uint32_t i = 0; code == SQLITE_OK && i < q->nfilters; i++) {
        const struct search_filter *filter = &q->filters[i];
        enum search_kind kind = r->index->definition.fields.at[filter->field].kind;
        code = bind_value(s, at++, kind, &filter->value);
        if (code == SQLITE_OK && filter->comparison == SEARCH_BETWEEN)
            code = bind_value(s, at++, kind, &filter->high);
    }
    return code == SQLITE_OK ? at : -1;
}

int reading_prepare(struct search_reader *r, const struct reading *reading, sqlite3_str *sql, sqlite3_stmt **s,
                    struct search_failure *f)
{
    char *text = sqlite3_str_finish(sql);
    int status = text ? index_prepare(r->db, s, f, "%s", text) : search_fail(f, CELL_NO_MEMORY, "out of memory");

    sqlite3_free(text);
    if (status >= 0 && reading_bind(r, reading, *s) < 0) {
        sqlite3_finalize(*s);
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    return status;
}
