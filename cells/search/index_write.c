/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Batches of documents. */
#include "index_impl.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "utf8.h"

#define MERGED_LEAST 16     /* pages that a batch merges, */
#define MERGED_FOR_EACH 512 /* and one for so many bytes of its text: a page has 4,000, on some eight levels; */
#define MERGED_PART 4       /* such a part of these, and of what was left by those before */

static int fail_writing(struct search_index *x, struct search_failure *f)
{
    return index_fail(x->db, f, "writing the index");
}

/* ---- what a document may have in it ---- */

static int check_vector(const struct search_field *field, const float *vector, struct search_failure *f)
{
    double square = 0;

    for (uint32_t i = 0; i < field->dimensions; i++) {
        if (!isfinite(vector[i]))
            return search_fail(f, CELL_INVALID_ARGUMENT, "value %u of the vector '%s' is no number", i, field->name);
        square += (double)vector[i] * (double)vector[i];
    }
    if (field->metric == SEARCH_COSINE && square == 0)
        return search_fail(f, CELL_INVALID_ARGUMENT, "the vector '%s' is zero, and has no direction", field->name);
    return CELL_OK;
}

static int check_content(const struct search_field *field, const struct search_content *c, struct search_failure *f)
{
    if (c->absent)
        return CELL_OK;
    switch (field->kind) {
    case SEARCH_TEXT:
    case SEARCH_KEYWORD:
        if (c->text.length > SEARCH_MOST_TEXT)
            return search_fail(f, CELL_INVALID_ARGUMENT, "the text '%s' is longer than %u bytes", field->name,
                               SEARCH_MOST_TEXT);
        if (!search_is_utf8(c->text.bytes, c->text.length))
            return search_fail(f, CELL_INVALID_ARGUMENT, "the text '%s' is not UTF-8", field->name);
        return CELL_OK;
    case SEARCH_REAL:
        return isnan(c->real) ? search_fail(f, CELL_INVALID_ARGUMENT, "the value of '%s' is no number", field->name)
                              : CELL_OK;
    case SEARCH_VECTOR:
        return check_vector(field, c->vector, f);
    default:
        return CELL_OK;
    }
}

static int check_document(struct search_index *x, size_t key_length, const struct search_content *content,
                          struct search_failure *f)
{
    int r = CELL_OK;

    if (key_length == 0 || key_length > SEARCH_MOST_KEY)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a key has 1 to %d bytes", SEARCH_MOST_KEY);
    for (uint32_t i = 0; r >= 0 && i < x->definition.fields.n; i++)
        r = check_content(&x->definition.fields.at[i], &content[i], f);
    return r;
}

/* ---- statements ---- */

/*
 * No statement of a batch may be one that SQLite has to be able to undo by itself, as INSERT OR REPLACE: it sets a
 * savepoint then, at which FTS5 writes what it has gathered, and that for each document makes a batch take twice as
 * long.
 */

/* Runs one that has no rows, and makes it ready for the next time. What it was bound to may go then. */
static int run(struct search_index *x, sqlite3_stmt *s, struct search_failure *f)
{
    int step = sqlite3_step(s), r = step == SQLITE_DONE ? CELL_OK : fail_writing(x, f);

    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return r;
}

/* *id is 0 when there is no document with that key. */
static int find(struct search_index *x, const void *key, size_t length, int64_t *id, struct search_failure *f)
{
    sqlite3_bind_blob(x->find, 1, key, (int)length, SQLITE_STATIC);
    int step = sqlite3_step(x->find);
    int r = step == SQLITE_ROW || step == SQLITE_DONE ? CELL_OK : fail_writing(x, f);

    *id = step == SQLITE_ROW ? sqlite3_column_int64(x->find, 0) : 0;
    sqlite3_reset(x->find);
    sqlite3_clear_bindings(x->find);
    return r;
}

static void bind(sqlite3_stmt *s, int at, const struct search_field *field, const struct search_content *c)
{
    if (c->absent)
        sqlite3_bind_null(s, at);
    else if (field->kind == SEARCH_REAL)
        sqlite3_bind_double(s, at, c->real);
    else if (field->kind == SEARCH_TEXT || field->kind == SEARCH_KEYWORD)
        sqlite3_bind_text(s, at, c->text.bytes ? c->text.bytes : "", (int)c->text.length, SQLITE_STATIC);
    else
        sqlite3_bind_int64(s, at, c->integer);
}

static int erase_rows(struct search_index *x, int64_t id, struct search_failure *f)
{
    sqlite3_bind_int64(x->erase, 1, id);
    int r = run(x, x->erase, f);

    if (r < 0 || x->ntexts == 0)
        return r;
    sqlite3_bind_int64(x->erase_text, 1, id);
    return run(x, x->erase_text, f);
}

/* *id is 0 of a new document, and is what it gets. */
static int put_rows(struct search_index *x, int64_t *id, const void *key, size_t length,
                    const struct search_content *content, struct search_failure *f)
{
    const struct search_fields *fields = &x->definition.fields;
    int at = 3, at_text = 2;

    if (*id)
        sqlite3_bind_int64(x->put, 1, *id);
    sqlite3_bind_blob(x->put, 2, key, (int)length, SQLITE_STATIC);
    for (uint32_t i = 0; i < fields->n; i++)
        if (index_is_plain(&fields->at[i]))
            bind(x->put, at++, &fields->at[i], &content[i]);
    int r = run(x, x->put, f);
    if (r >= 0 && *id == 0)
        *id = sqlite3_last_insert_rowid(x->db);
    if (r < 0 || x->ntexts == 0)
        return r;
    sqlite3_bind_int64(x->put_text, 1, *id);
    for (uint32_t i = 0; i < fields->n; i++)
        if (fields->at[i].kind == SEARCH_TEXT) {
            bind(x->put_text, at_text++, &fields->at[i], &content[i]);
            x->text_bytes += content[i].absent ? 0 : content[i].text.length;
        }
    return run(x, x->put_text, f);
}

/* ---- batches ---- */

void search_index_limit(struct search_index *x, uint64_t bytes) { x->most_bytes = bytes; }

static int check_size(struct search_index *x, struct search_failure *f)
{
    if (x->most_bytes == 0)
        return CELL_OK;
    int r = sqlite3_step(x->read_size) == SQLITE_ROW ? CELL_OK : index_fail(x->db, f, "reading the index");
    if (r >= 0 && (uint64_t)sqlite3_column_int64(x->read_size, 0) > x->most_bytes)
        r = search_fail(f, CELL_RESOURCE_EXHAUSTED, "the index has its greatest size, %" PRIu64 " MiB (--max-index)",
                        x->most_bytes >> 20);
    sqlite3_reset(x->read_size);
    return r;
}

int search_index_begin(struct search_index *x, struct search_failure *f)
{
    int r = index_execute(x->db, f, "writing the index", "BEGIN IMMEDIATE");

    x->in_batch = r >= 0;
    x->text_bytes = 0;
    if (r >= 0)
        r = check_size(x, f);
    if (r < 0)
        search_index_rollback(x);
    return r;
}

int search_index_put(struct search_index *x, const void *key, size_t length, const struct search_content *content,
                     struct search_failure *f)
{
    int64_t id;
    int r = check_document(x, length, content, f);

    if (r >= 0)
        r = find(x, key, length, &id, f);
    if (r >= 0 && id)
        r = erase_rows(x, id, f);
    if (r >= 0)
        r = put_rows(x, &id, key, length, content, f);
    return r < 0 ? r : index_put_vectors(x, id, content, f);
}

int search_index_delete(struct search_index *x, const void *key, size_t length, struct search_failure *f)
{
    int64_t id;
    int r = find(x, key, length, &id, f);

    if (r < 0 || id == 0)
        return r;
    r = erase_rows(x, id, f);
    return r < 0 ? r : index_erase_vectors(x, id, f);
}

/* Each batch becomes a segment, and segments are merged into greater ones. FTS5 does that by itself, when 64 pages were
 * written: then some hundred pages at once, for which all that comes meanwhile waits. So it is told not to
 * ('automerge'), and each batch merges in its turn, more than its own pages on all levels. A large one leaves most of
 * that to the next ones: it may be large because much came while the disk was waited for, and has waited already. */
static int merge(struct search_index *x, struct search_failure *f)
{
    if (x->ntexts == 0)
        return CELL_OK;
    x->to_merge += x->text_bytes / MERGED_FOR_EACH;
    uint64_t part = x->to_merge / MERGED_PART;
    x->to_merge -= part;
    sqlite3_bind_int64(x->merge_text, 1, (int64_t)(MERGED_LEAST + part));
    return run(x, x->merge_text, f);
}

int search_index_commit(struct search_index *x, const void *position, size_t length, struct search_failure *f)
{
    if (length > SEARCH_MOST_POSITION)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a position has at most %d bytes", SEARCH_MOST_POSITION);
    int r = merge(x, f);
    sqlite3_bind_blob(x->put_position, 1, length ? position : "", (int)length, SQLITE_STATIC);
    if (r >= 0)
        r = run(x, x->put_position, f);
    if (r >= 0)
        r = index_execute(x->db, f, "writing the index", "COMMIT");
    x->in_batch = r < 0;
    struct search_failure later; /* the batch is there; the graphs come after it, now or with the next one */
    if (r >= 0)
        index_vectors_follow(x, &later);
    return r;
}

void search_index_rollback(struct search_index *x)
{
    if (x->in_batch && !sqlite3_get_autocommit(x->db))
        sqlite3_exec(x->db, "ROLLBACK", NULL, NULL, NULL);
    x->in_batch = false;
}

int search_index_position(struct search_index *x, void *position, struct search_failure *f)
{
    int step = sqlite3_step(x->read_position), length = 0;
    int r = step == SQLITE_ROW || step == SQLITE_DONE ? CELL_OK : index_fail(x->db, f, "reading the index");

    if (step == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(x->read_position, 0);
        length = sqlite3_column_bytes(x->read_position, 0);
        if (length > SEARCH_MOST_POSITION)
            r = search_fail(f, CELL_DATA_LOSS, "the index is damaged: its position is too long");
        else if (length)
            memcpy(position, bytes, (size_t)length);
    }
    sqlite3_reset(x->read_position);
    return r < 0 ? r : length;
}
