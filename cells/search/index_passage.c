/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Texts of documents with what a query finds marked. */
#include "index_read_impl.h"

static int fail_reading(struct search_reader *r, struct search_failure *f)
{
    return index_fail(r->db, f, "reading the index");
}

int index_passage(struct search_reader *r, const struct reading *reading, int64_t id, int column, uint32_t words,
                  struct search_passage *passage, struct search_failure *f)
{
    struct index_marking *m = &r->marking;
    int status = r->mark ? CELL_OK
                         : index_prepare(r->db, &r->mark, f,
                                         "SELECT index_mark(text, ?2) FROM text WHERE text MATCH ?1 AND rowid = ?3");

    if (status < 0)
        return status;
    m->column = column;
    m->words = words;
    m->stop = r->stop;
    m->user = r->user;
    sqlite3_reset(r->mark);
    sqlite3_bind_text(r->mark, 1, reading->query.found, -1, SQLITE_STATIC);
    index_mark_bind(r->mark, 2, m);
    sqlite3_bind_int64(r->mark, 3, id);
    int step = sqlite3_step(r->mark);
    *passage = step == SQLITE_ROW ? m->passage : (struct search_passage){.text = ""};
    return step == SQLITE_ROW || step == SQLITE_DONE ? CELL_OK : fail_reading(r, f);
}

void index_passages_end(struct search_reader *r)
{
    if (!r->mark)
        return;
    sqlite3_reset(r->mark);
    sqlite3_clear_bindings(r->mark);
}

/* ---- whole texts ---- */

static int find_document(struct search_reader *r, const void *key, size_t length, int64_t *id, struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int status = index_prepare(r->db, &s, f, "SELECT id FROM docs WHERE key = ?1");

    if (status < 0)
        return status;
    sqlite3_bind_blob(s, 1, key, (int)length, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        *id = sqlite3_column_int64(s, 0);
    else
        status =
            step == SQLITE_DONE ? search_fail(f, CELL_NOT_FOUND, "the index has no such record") : fail_reading(r, f);
    sqlite3_finalize(s);
    return status;
}

/* The text as it is, where nothing of it is found. */
static int read_text(struct search_reader *r, const char *name, int64_t id, struct search_passage *passage,
                     struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int status = index_prepare(r->db, &s, f, "SELECT \"f_%s\" FROM text WHERE rowid = ?1", name);

    if (status < 0)
        return status;
    sqlite3_bind_int64(s, 1, id);
    if (sqlite3_step(s) == SQLITE_ROW)
        status = index_mark_copy(&r->marking, (const char *)sqlite3_column_text(s, 0),
                                 (size_t)sqlite3_column_bytes(s, 0), f);
    else
        status = fail_reading(r, f);
    *passage = r->marking.passage;
    sqlite3_finalize(s);
    return status;
}

static int highlight(struct search_reader *r, const struct reading *reading, const void *key, size_t length,
                     uint32_t field, struct search_passage *passage, struct search_failure *f)
{
    const struct search_fields *fields = &r->index->definition.fields;
    int64_t id = 0;
    int column = 0;
    int status = find_document(r, key, length, &id, f);

    for (uint32_t i = 0; i < field; i++)
        column += fields->at[i].kind == SEARCH_TEXT;
    if (status >= 0 && reading->query.found)
        status = index_passage(r, reading, id, column, 0, passage, f);
    index_passages_end(r);
    return status < 0 || passage->nmarks > 0 ? status : read_text(r, fields->at[field].name, id, passage, f);
}

int search_highlight(struct search_reader *r, const void *key, size_t key_length, uint32_t field, const char *query,
                     size_t length, struct search_passage *passage, struct search_failure *f)
{
    struct reading reading;

    *passage = (struct search_passage){.text = ""};
    if (field >= r->index->definition.fields.n || r->index->definition.fields.at[field].kind != SEARCH_TEXT)
        return search_fail(f, CELL_INVALID_ARGUMENT, "what is found is marked in texts only");
    int status = reading_begin(r, query, length, &reading, f);
    if (status >= 0)
        status = index_execute(r->db, f, "reading the index", "BEGIN");
    if (status >= 0) {
        status = highlight(r, &reading, key, key_length, field, passage, f);
        sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL); /* it has changed nothing: it cannot fail to do that */
    }
    reading_end(&reading);
    return status;
}
