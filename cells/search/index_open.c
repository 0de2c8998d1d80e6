/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The file of an index: SQLite in WAL mode, synced at checkpoints (index_checkpoint.c). What a power failure takes is
 * whole batches from the end, and with them the position.
 *
 *   meta(name, value)             "definition": what the index was made for; "position"
 *   docs(id, key, "f_NAME"…)      what is compared and counted
 *   text("f_NAME"…)               FTS5, rowid = docs.id: what words are looked for in
 *   terms                         its words (fts5vocab)
 *   vectors, vector_changes       see index_vectors.c
 */
#include "index_impl.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FORMAT "2" /* of the file */
#define BUSY_MS 5000

/* ---- SQLite ---- */

static int status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return CELL_RESOURCE_EXHAUSTED;
    case SQLITE_NOMEM:
        return CELL_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return CELL_DATA_LOSS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return CELL_UNAVAILABLE;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return CELL_PERMISSION_DENIED;
    case SQLITE_INTERRUPT:
        return CELL_CANCELLED;
    default:
        return CELL_INTERNAL;
    }
}

int index_fail(sqlite3 *db, struct search_failure *f, const char *doing)
{
    int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM, status = status_of(code);

    switch (status) {
    case CELL_RESOURCE_EXHAUSTED:
        return search_fail(f, status, "%s: the disk is full", doing);
    case CELL_DATA_LOSS:
        return search_fail(f, status, "%s: its file is damaged, or no index", doing);
    case CELL_UNAVAILABLE:
        return search_fail(f, status, "%s: another process writes it", doing);
    case CELL_CANCELLED:
        return search_fail(f, status, "cancelled");
    default:
        return search_fail(f, status, "%s: %s", doing, db ? sqlite3_errmsg(db) : "out of memory");
    }
}

int index_execute(sqlite3 *db, struct search_failure *f, const char *doing, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? CELL_OK : index_fail(db, f, doing);
}

int index_prepare(sqlite3 *db, sqlite3_stmt **s, struct search_failure *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    if (!sql)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    int r = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
    sqlite3_free(sql);
    return r == SQLITE_OK ? CELL_OK : index_fail(db, f, "reading the index");
}

int index_connect(const char *path, bool write, sqlite3 **db, struct search_failure *f)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (write ? SQLITE_OPEN_CREATE : 0);
    sqlite3 *made = NULL;
    int r = sqlite3_open_v2(path, &made, flags, NULL) == SQLITE_OK ? CELL_OK : index_fail(made, f, "opening the index");

    if (r >= 0) {
        sqlite3_busy_timeout(made, BUSY_MS);
        sqlite3_db_config(made, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(made, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        r = search_words_register(made, f);
    }
    if (r >= 0)
        r = index_execute(made, f, "opening the index",
                          write ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY"
                                : "PRAGMA query_only=1; PRAGMA temp_store=MEMORY");
    if (r < 0) {
        sqlite3_close(made);
        return r;
    }
    *db = made;
    return CELL_OK;
}

/* ---- the definition ---- */

static int check_field(const struct search_fields *fields, uint32_t i, struct search_failure *f)
{
    const struct search_field *field = &fields->at[i];
    size_t length = strlen(field->name);

    if (length == 0 || length > 63 ||
        strspn(field->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") < length)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a field's name is an identifier of at most 63 characters");
    for (uint32_t k = 0; k < i; k++)
        if (strcasecmp(fields->at[k].name, field->name) == 0)
            return search_fail(f, CELL_INVALID_ARGUMENT, "the fields '%s' and '%s' have the same name",
                               fields->at[k].name, field->name);
    if (field->kind == SEARCH_TEXT && !(field->weight > 0 && isfinite(field->weight)))
        return search_fail(f, CELL_INVALID_ARGUMENT, "the weight of field '%s' is more than 0", field->name);
    if (field->kind == SEARCH_VECTOR && field->bytes && field->metric != SEARCH_COSINE)
        return search_fail(f, CELL_INVALID_ARGUMENT, "the vector '%s' of bytes is compared by the cosine", field->name);
    if (field->kind == SEARCH_VECTOR && (field->dimensions == 0 || field->dimensions > SEARCH_MOST_DIMENSIONS))
        return search_fail(f, CELL_INVALID_ARGUMENT, "the vector '%s' has 1 to %d dimensions", field->name,
                           SEARCH_MOST_DIMENSIONS);
    return CELL_OK;
}

static int check_definition(const struct search_definition *d, struct search_failure *f)
{
    int r = CELL_OK;

    if (d->fields.n == 0 || d->fields.n > SEARCH_MOST_FIELDS)
        return search_fail(f, CELL_INVALID_ARGUMENT, "an index has 1 to %d fields", SEARCH_MOST_FIELDS);
    if (!search_language_is_known(d->language))
        return search_fail(f, CELL_INVALID_ARGUMENT, "words are not known in the language '%s'", d->language);
    for (uint32_t i = 0; r >= 0 && i < d->fields.n; i++)
        r = check_field(&d->fields, i, f);
    return r;
}

static int copy_definition(struct search_index *x, const struct search_definition *d)
{
    const char *stop_words = d->stop_words ? d->stop_words : "";
    size_t size = d->fields.n * sizeof(*d->fields.at) + strlen(d->language) + strlen(stop_words) + 2;

    for (uint32_t i = 0; i < d->fields.n; i++)
        size += strlen(d->fields.at[i].name) + 1;
    struct search_field *fields = x->memory = malloc(size);
    if (!fields)
        return CELL_NO_MEMORY;
    char *texts = (char *)(fields + d->fields.n);
    memcpy(fields, d->fields.at, d->fields.n * sizeof(*fields));
    for (uint32_t i = 0; i < d->fields.n; i++) {
        fields[i].name = texts;
        texts = stpcpy(texts, d->fields.at[i].name) + 1;
        x->ntexts += fields[i].kind == SEARCH_TEXT;
        x->nplain += index_is_plain(&fields[i]);
        x->nvectors += index_is_vector(&fields[i]);
    }
    const char *language = texts;
    texts = stpcpy(texts, d->language) + 1;
    strcpy(texts, stop_words);
    x->definition = (struct search_definition){{fields, d->fields.n}, language, d->all_words, texts};
    return CELL_OK;
}

/* One spelling of what decides what is in the file. Weights are not: they are used when it is read. */
static char *spell(const struct search_definition *d)
{
    sqlite3_str *s = sqlite3_str_new(NULL);

    sqlite3_str_appendf(s, FORMAT " %s %s %s\n", d->language, d->all_words ? "all" : "-", d->stop_words);
    for (uint32_t i = 0; i < d->fields.n; i++) {
        const struct search_field *f = &d->fields.at[i];
        sqlite3_str_appendf(s, "%s %d %u %d\n", f->name, (int)f->kind, f->kind == SEARCH_VECTOR ? f->dimensions : 0,
                            f->kind == SEARCH_VECTOR ? (int)f->metric : 0);
    }
    return sqlite3_str_finish(s);
}

/* ---- making ---- */

char *index_list_columns(const struct search_index *x, bool (*which)(const struct search_field *), bool behind)
{
    sqlite3_str *s = sqlite3_str_new(NULL);

    for (uint32_t i = 0; i < x->definition.fields.n; i++) {
        const struct search_field *f = &x->definition.fields.at[i];
        if (!which(f))
            continue;
        sqlite3_str_appendf(s, "%s\"f_%s\"", behind ? ", " : "", f->name);
        behind = true;
    }
    char *made = sqlite3_str_finish(s);
    return made ? made : sqlite3_mprintf("");
}

char *index_list_parameters(uint32_t n)
{
    sqlite3_str *s = sqlite3_str_new(NULL);

    for (uint32_t i = 0; i < n; i++)
        sqlite3_str_appendall(s, ", ?");
    char *made = sqlite3_str_finish(s);
    return made ? made : sqlite3_mprintf("");
}

static int create_tables(struct search_index *x, const char *definition, struct search_failure *f)
{
    char *plain = index_list_columns(x, index_is_plain, true), *texts = index_list_columns(x, index_is_text, false);
    char *sql = sqlite3_mprintf("CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
                                "CREATE TABLE docs(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE%s);"
                                "INSERT INTO meta VALUES('definition', %Q);",
                                plain, definition);
    char *text = x->ntexts ? sqlite3_mprintf("CREATE VIRTUAL TABLE text USING fts5(%s, tokenize='" SEARCH_TOKENIZER
                                             " %s %s %s');CREATE VIRTUAL TABLE terms USING fts5vocab(text, row);",
                                             texts, x->definition.language,
                                             x->definition.all_words ? SEARCH_ALL_WORDS : SEARCH_LISTED_WORDS,
                                             x->definition.stop_words)
                           : sqlite3_mprintf("");
    char *vectors = index_vector_tables(x);
    int r = plain && texts && sql && text && vectors ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0)
        r = index_execute(x->db, f, "making the index", sql);
    if (r >= 0)
        r = index_execute(x->db, f, "making the index", text);
    if (r >= 0)
        r = index_execute(x->db, f, "making the index", vectors);
    sqlite3_free(plain);
    sqlite3_free(texts);
    sqlite3_free(sql);
    sqlite3_free(text);
    sqlite3_free(vectors);
    return r;
}

int index_read_meta(sqlite3 *db, const char *name, char **value, struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int r = index_prepare(db, &s, f, "SELECT value FROM meta WHERE name = %Q", name);

    *value = NULL;
    if (r < 0)
        return r;
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW) {
        *value = sqlite3_mprintf("%s", sqlite3_column_text(s, 0));
        r = *value ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");
    } else if (step != SQLITE_DONE) {
        r = index_fail(db, f, "reading the index");
    }
    sqlite3_finalize(s);
    return r;
}

static int check_made_for(struct search_index *x, const char *definition, struct search_failure *f)
{
    char *is = NULL;
    int r = index_read_meta(x->db, "definition", &is, f);

    if (r >= 0 && (!is || strcmp(is, definition) != 0))
        r = search_fail(f, CELL_FAILED_PRECONDITION, "the index was made for other fields, or by another version");
    sqlite3_free(is);
    return r;
}

static int has_tables(sqlite3 *db, bool *has, struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int r = index_prepare(db, &s, f, "SELECT count(*) FROM sqlite_schema");

    if (r >= 0)
        r = sqlite3_step(s) == SQLITE_ROW ? CELL_OK : index_fail(db, f, "opening the index");
    if (r >= 0)
        *has = sqlite3_column_int64(s, 0) > 0;
    sqlite3_finalize(s);
    return r;
}

/* Under the write lock, so that two who make it at once do so one after the other. */
static int make_or_check(struct search_index *x, struct search_failure *f)
{
    char *definition = spell(&x->definition);
    bool has = false;
    int r = definition ? index_execute(x->db, f, "opening the index", "BEGIN IMMEDIATE")
                       : search_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0) {
        r = has_tables(x->db, &has, f);
        if (r >= 0)
            r = has ? check_made_for(x, definition, f) : create_tables(x, definition, f);
        struct search_failure ignored;
        int end = index_execute(x->db, r < 0 ? &ignored : f, "making the index", r < 0 ? "ROLLBACK" : "COMMIT");
        r = r < 0 ? r : end;
    }
    sqlite3_free(definition);
    return r;
}

/* ---- opening ---- */

static int prepare_put(struct search_index *x, bool plain, struct search_failure *f)
{
    char *columns = index_list_columns(x, plain ? index_is_plain : index_is_text, true);
    char *values = index_list_parameters(plain ? x->nplain : x->ntexts);
    int r = columns && values ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0 && plain)
        r = index_prepare(x->db, &x->put, f, "INSERT INTO docs(id, key%s) VALUES(?, ?%s)", columns, values);
    else if (r >= 0)
        r = index_prepare(x->db, &x->put_text, f, "INSERT INTO text(rowid%s) VALUES(?%s)", columns, values);
    sqlite3_free(columns);
    sqlite3_free(values);
    return r;
}

static int prepare_all(struct search_index *x, struct search_failure *f)
{
    const struct {
        sqlite3_stmt **s;
        bool of_texts;
        const char *sql;
    } others[] = {{&x->find, false, "SELECT id FROM docs WHERE key = ?"},
                  {&x->erase, false, "DELETE FROM docs WHERE id = ?"},
                  {&x->erase_text, true, "DELETE FROM text WHERE rowid = ?"},
                  {&x->merge_text, true, "INSERT INTO text(text, rank) VALUES('merge', ?)"},
                  {&x->read_position, false, "SELECT value FROM meta WHERE name = 'position'"},
                  {&x->put_position, false, "INSERT OR REPLACE INTO meta(name, value) VALUES('position', ?)"},
                  {&x->read_size, false,
                   "SELECT (page_count - freelist_count) * page_size "
                   "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"}};
    int r = prepare_put(x, true, f);

    if (r >= 0 && x->ntexts)
        r = prepare_put(x, false, f);
    for (size_t i = 0; r >= 0 && i < sizeof(others) / sizeof(*others); i++)
        if (x->ntexts || !others[i].of_texts)
            r = index_prepare(x->db, others[i].s, f, "%s", others[i].sql);
    return r;
}

/* Each batch merges (index_write.c): also in a file of a version that left it to FTS5. */
static int merge_by_hand(struct search_index *x, struct search_failure *f)
{
    if (x->ntexts == 0)
        return CELL_OK;
    return index_execute(x->db, f, "opening the index",
                         "INSERT INTO text(text, rank) SELECT 'automerge', 0 "
                         "WHERE NOT EXISTS(SELECT 1 FROM text_config WHERE k = 'automerge' AND v = 0)");
}

int search_index_open(const char *path, const struct search_definition *definition, struct search_index **index,
                      struct search_failure *f)
{
    int r = check_definition(definition, f);

    if (r < 0)
        return r;
    struct search_index *x = calloc(1, sizeof(*x));
    if (!x || !(x->path = strdup(path)) || copy_definition(x, definition) < 0) {
        search_index_close(x);
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    r = index_connect(path, true, &x->db, f);
    if (r >= 0)
        r = make_or_check(x, f);
    if (r >= 0)
        r = merge_by_hand(x, f);
    if (r >= 0)
        r = prepare_all(x, f);
    if (r >= 0)
        r = index_vectors_open(x, f);
    if (r >= 0)
        index_checkpoints_begin(x);
    if (r < 0) {
        search_index_close(x);
        return r;
    }
    *index = x;
    return CELL_OK;
}

void search_index_close(struct search_index *x)
{
    if (!x)
        return;
    if (x->in_batch)
        search_index_rollback(x);
    sqlite3_stmt *const all[] = {x->find,       x->put,           x->put_text,     x->erase,    x->merge_text,
                                 x->erase_text, x->read_position, x->put_position, x->read_size};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        sqlite3_finalize(all[i]);
    index_vectors_close(x);
    index_checkpoints_end(x);
    sqlite3_close(x->db);
    free(x->memory);
    free(x->path);
    free(x);
}
