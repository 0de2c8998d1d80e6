/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Counts of what is found, by values, and words that begin like one. */
#include "index_read_impl.h"

#include <string.h>

static int fail_reading(struct search_reader *r, struct search_failure *f)
{
    return index_fail(r->db, f, "reading the index");
}

static int count(struct search_reader *r, const struct reading *reading, uint64_t *count, struct search_failure *f)
{
    sqlite3_str *sql = sqlite3_str_new(r->db);
    sqlite3_stmt *s = NULL;

    sqlite3_str_appendall(sql, "SELECT count(*)");
    reading_append_from(r, reading, sql);
    int status = reading_prepare(r, reading, sql, &s, f);
    if (status < 0)
        return status;
    status = sqlite3_step(s) == SQLITE_ROW ? CELL_OK : fail_reading(r, f);
    if (status >= 0)
        *count = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return status;
}

int search_count(struct search_reader *r, const char *query, size_t length, uint64_t *found, struct search_failure *f)
{
    struct reading reading;
    int status = reading_begin(r, query, length, &reading, f);

    if (status >= 0)
        status = count(r, &reading, found, f);
    reading_end(&reading);
    return status;
}

/* ---- facets ---- */

static struct search_facet read_facet(sqlite3_stmt *s, enum search_kind kind)
{
    struct search_facet facet = {.count = (uint64_t)sqlite3_column_int64(s, 1)};

    facet.absent = sqlite3_column_type(s, 0) == SQLITE_NULL;
    if (facet.absent)
        return facet;
    if (kind != SEARCH_KEYWORD) {
        facet.integer = sqlite3_column_int64(s, 0);
        return facet;
    }
    facet.text = (const char *)sqlite3_column_text(s, 0);
    facet.length = (size_t)sqlite3_column_bytes(s, 0);
    return facet;
}

static int count_values(struct search_reader *r, const struct reading *reading, uint32_t field, uint32_t limit,
                        search_take_facet *take, void *user, struct search_failure *f)
{
    const struct search_field *is = &r->index->definition.fields.at[field];
    sqlite3_str *sql = sqlite3_str_new(r->db);
    sqlite3_stmt *s = NULL;
    int step = SQLITE_ROW;

    sqlite3_str_appendf(sql, "SELECT d.\"f_%s\", count(*)", is->name);
    if (reading->query.match && !reading->query.nfilters)
        sqlite3_str_appendall(sql, " FROM text CROSS JOIN docs AS d ON d.id = text.rowid WHERE text MATCH ?");
    else
        reading_append_from(r, reading, sql);
    sqlite3_str_appendall(sql, " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?");
    int status = reading_prepare(r, reading, sql, &s, f);
    if (status < 0)
        return status;
    sqlite3_bind_int64(s, sqlite3_bind_parameter_count(s), limit);
    while (step == SQLITE_ROW && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct search_facet facet = read_facet(s, is->kind);
        if (!take(user, &facet))
            step = SQLITE_DONE;
    }
    status = step == SQLITE_DONE ? CELL_OK : fail_reading(r, f);
    sqlite3_finalize(s);
    return status;
}

int search_facets(struct search_reader *r, const char *query, size_t length, uint32_t field, uint32_t limit,
                  search_take_facet *take, void *user, struct search_failure *f)
{
    const struct search_fields *fields = &r->index->definition.fields;
    struct reading reading;

    if (field >= fields->n || !index_is_plain(&fields->at[field]) || fields->at[field].kind == SEARCH_REAL)
        return search_fail(f, CELL_INVALID_ARGUMENT, "the values of field '%s' are not counted",
                           field < fields->n ? fields->at[field].name : "?");
    int status = reading_begin(r, query, length, &reading, f);
    if (status >= 0)
        status = count_values(r, &reading, field, limit, take, user, f);
    reading_end(&reading);
    return status;
}

/* ---- words ---- */

#define MOST_WORD 255 /* bytes of a suggestion: what is longer is no word that somebody would write */

struct last_word {
    char bytes[MOST_WORD + 1];
    int length;
};

static void keep_word(void *user, const char *word, size_t length)
{
    struct last_word *last = user;

    if (length < sizeof(last->bytes)) {
        memcpy(last->bytes, word, length);
        last->length = (int)length;
    }
}

/* The smallest text that is behind all that begin like `word`: words are UTF-8, in which no byte is 0xff. */
static int suggest(struct search_reader *r, const struct last_word *last, uint32_t limit, search_take_word *take,
                   void *user, struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    char end[sizeof(last->bytes) + 1];
    int step = SQLITE_ROW;
    int status = index_prepare(r->db, &s, f,
                               "SELECT term, doc FROM terms WHERE term >= ?1 AND term < ?2 AND "
                               "length(CAST(term AS BLOB)) <= %d ORDER BY doc DESC, term LIMIT ?3",
                               MOST_WORD);

    if (status < 0)
        return status;
    memcpy(end, last->bytes, (size_t)last->length);
    end[last->length] = (char)0xff;
    sqlite3_bind_text(s, 1, last->bytes, last->length, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, end, last->length + 1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, limit);
    while (step == SQLITE_ROW && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *word = (const char *)sqlite3_column_text(s, 0);
        if (word && !take(user, word, (size_t)sqlite3_column_bytes(s, 0), (uint64_t)sqlite3_column_int64(s, 1)))
            step = SQLITE_DONE;
    }
    status = step == SQLITE_DONE ? CELL_OK : fail_reading(r, f);
    sqlite3_finalize(s);
    return status;
}

int search_suggest(struct search_reader *r, const char *text, size_t length, uint32_t limit, search_take_word *take,
                   void *user, struct search_failure *f)
{
    struct last_word last = {.length = 0};

    if (length > SEARCH_MOST_QUERY)
        return search_fail(f, CELL_INVALID_ARGUMENT, "the text is longer than %d bytes", SEARCH_MOST_QUERY);
    if (r->index->ntexts == 0)
        return CELL_OK;
    search_words_each(r->words, text, length, keep_word, &last);
    return last.length ? suggest(r, &last, limit, take, user, f) : CELL_OK;
}
