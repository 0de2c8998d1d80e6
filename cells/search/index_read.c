/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Readers of an index, and hits. */
#include "index_read_impl.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_BETWEEN_LOOKS 1000 /* of SQLite's machine: some 20 us */
#define MOST_LIMIT 10000

static int fail_reading(struct search_reader *r, struct search_failure *f)
{
    return index_fail(r->db, f, "reading the index");
}

/* ---- opening ---- */

static int look(void *user)
{
    struct search_reader *r = user;

    return r->stop(r->user);
}

void search_reader_watch(struct search_reader *r, bool (*stop)(void *user), void *user)
{
    r->stop = stop;
    r->user = user;
    sqlite3_progress_handler(r->db, STEPS_BETWEEN_LOOKS, stop ? look : NULL, r);
}

int search_reader_open(struct search_index *index, struct search_reader **reader, struct search_failure *f)
{
    struct search_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    r->index = index;
    int status = index_connect(index->path, false, &r->db, f);
    if (status >= 0)
        status = index_mark_register(r->db, f);
    if (status >= 0)
        status = search_words_new(r->db, index->definition.language, index->definition.all_words,
                                  index->definition.stop_words, &r->words, f);
    if (status < 0) {
        search_reader_close(r);
        return status;
    }
    *reader = r;
    return CELL_OK;
}

void search_reader_close(struct search_reader *r)
{
    if (!r)
        return;
    sqlite3_finalize(r->mark);
    index_mark_free(&r->marking);
    search_words_free(r->words);
    sqlite3_close(r->db);
    free(r);
}

/* ---- searching ---- */

/* The columns are rowid, score, key of the best that come after the cursor. */
static void append_best(const struct search_reader *r, const struct reading *reading, sqlite3_str *sql)
{
    const struct search_fields *fields = &r->index->definition.fields;

    sqlite3_str_appendall(sql, "SELECT text.rowid, text.rank");
    reading_append_from(r, reading, sql);
    sqlite3_str_appendall(sql, " AND text.rank MATCH 'bm25(");
    for (uint32_t i = 0, n = 0; i < fields->n; i++)
        if (fields->at[i].kind == SEARCH_TEXT)
            sqlite3_str_appendf(sql, "%s%!.15g", n++ ? "," : "", fields->at[i].weight);
    sqlite3_str_appendall(sql, ")'");
}

static int prepare_hits(struct search_reader *r, const struct search_request *request, const struct reading *reading,
                        sqlite3_stmt **s, struct search_failure *f)
{
    sqlite3_str *sql = sqlite3_str_new(r->db);
    bool after = request->after.id != 0;

    if (reading->query.match) {
        append_best(r, reading, sql);
        if (after)
            sqlite3_str_appendall(sql, " AND (text.rank > ? OR (text.rank = ? AND text.rowid > ?))");
        sqlite3_str_appendall(sql, " ORDER BY text.rank, text.rowid LIMIT ?");
    } else {
        sqlite3_str_appendall(sql, "SELECT d.id, 0.0");
        reading_append_from(r, reading, sql);
        sqlite3_str_appendall(sql, after ? " AND d.id > ? ORDER BY d.id LIMIT ?" : " ORDER BY d.id LIMIT ?");
    }
    int status = reading_prepare(r, reading, sql, s, f);
    if (status < 0)
        return status;
    int at = sqlite3_bind_parameter_count(*s);
    sqlite3_bind_int64(*s, at--, request->limit);
    if (after)
        sqlite3_bind_int64(*s, at--, request->after.id);
    if (after && reading->query.match) {
        sqlite3_bind_double(*s, at--, -request->after.score);
        sqlite3_bind_double(*s, at, -request->after.score);
    }
    return CELL_OK;
}

/* ---- a page ---- */

struct page {
    struct search_reader *r;
    const struct reading *reading;
    sqlite3_stmt *hits, *key;
    uint32_t excerpt;
};

static int read_hit(struct page *p, struct search_hit *hit, struct search_failure *f)
{
    *hit = (struct search_hit){.id = sqlite3_column_int64(p->hits, 0), .score = -sqlite3_column_double(p->hits, 1)};
    sqlite3_reset(p->key);
    sqlite3_bind_int64(p->key, 1, hit->id);
    int step = sqlite3_step(p->key);
    if (step == SQLITE_DONE)
        return search_fail(f, CELL_DATA_LOSS, "the index is damaged: it has words of no document");
    if (step != SQLITE_ROW)
        return fail_reading(p->r, f);
    hit->key = sqlite3_column_blob(p->key, 0);
    hit->key_length = (size_t)sqlite3_column_bytes(p->key, 0);
    return p->excerpt ? index_passage(p->r, p->reading, hit->id, INDEX_ANY_COLUMN, p->excerpt, &hit->excerpt, f)
                      : CELL_OK;
}

static int read_page(struct page *p, search_take_hit *take, void *user, struct search_failure *f)
{
    struct search_hit hit;
    int step, status = CELL_OK;
    bool more = true;

    while (more && status >= 0 && (step = sqlite3_step(p->hits)) != SQLITE_DONE) {
        status = step == SQLITE_ROW ? read_hit(p, &hit, f) : fail_reading(p->r, f);
        if (status >= 0)
            more = take(user, &hit);
    }
    return status;
}

static int run(struct search_reader *r, const struct search_request *request, const struct reading *reading,
               search_take_hit *take, void *user, struct search_failure *f)
{
    struct page p = {.r = r, .reading = reading, .excerpt = reading->query.match ? request->excerpt : 0};
    /* The hits and what belongs to them are of one state. */
    int status = index_execute(r->db, f, "reading the index", "BEGIN");

    if (status < 0)
        return status;
    status = prepare_hits(r, request, reading, &p.hits, f);
    if (status >= 0)
        status = index_prepare(r->db, &p.key, f, "SELECT key FROM docs WHERE id = ?1");
    if (status >= 0)
        status = read_page(&p, take, user, f);
    sqlite3_finalize(p.hits);
    sqlite3_finalize(p.key);
    index_passages_end(r);
    sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL); /* it has changed nothing: it cannot fail to do that */
    return status;
}

int search_run(struct search_reader *r, const struct search_request *request, search_take_hit *take, void *user,
               struct search_failure *f)
{
    struct reading reading;

    if (request->limit == 0 || request->limit > MOST_LIMIT)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a page has 1 to %d hits", MOST_LIMIT);
    if (request->excerpt > SEARCH_MOST_EXCERPT)
        return search_fail(f, CELL_INVALID_ARGUMENT, "an excerpt has at most %d words", SEARCH_MOST_EXCERPT);
    int status = reading_begin(r, request->query, request->query_length, &reading, f);
    if (status >= 0)
        status = run(r, request, &reading, take, user, f);
    reading_end(&reading);
    return status;
}
