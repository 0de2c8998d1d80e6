/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What an object was compiled against, and when that is recorded. */
#include <stdlib.h>

#include "core/session_parts.h"
#include "wire/limits.h"
#include "wire/message.h"

#define MAX_RECORD (4u << 20)

/* Reads this object's record; what is wrong with it counts as not there. */
static void read_record(struct cell_session *s)
{
    if (s->record_sought || !s->record_path)
        return;
    s->record_sought = true;
    if (cell_file_read(s->record_path, MAX_RECORD, &s->record, &s->record_len, NULL) < 0)
        return;
    if (cell_json_load(s->record, s->record_len, CELL_DATA_LOSS, &s->record_doc, NULL) < 0)
        cell_json_free(&s->record_doc);
}

/* The fingerprint that the record has for the cell, or NULL. */
static const char *recorded(struct cell_session *s, const char *name)
{
    struct json_at cells = {0};
    const char *fingerprint;
    read_record(s);
    if (!s->record_doc.root.value || cell_json_object(&s->record_doc.root, "cells", JSON_REQUIRED, &cells, NULL) < 0 ||
        cell_json_string(&cells, name, JSON_REQUIRED, &fingerprint, NULL) < 0)
        return NULL;
    return session_is_fingerprint(fingerprint) ? fingerprint : NULL;
}

/* The next name in a part of the record. */
static const char *next_recorded(struct cell_session *s, const char *part, void **iterator)
{
    struct json_at cells = {0};
    read_record(s);
    if (!s->record_doc.root.value || cell_json_object(&s->record_doc.root, part, JSON_REQUIRED, &cells, NULL) < 0)
        return NULL;
    return cell_json_next(&cells, iterator);
}

const char *cell_session_recorded(struct cell_session *s, void **iterator)
{
    return next_recorded(s, "cells", iterator);
}

const char *cell_session_answered(struct cell_session *s, void **iterator)
{
    return next_recorded(s, "answers", iterator);
}

static int64_t written_at(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

/* The schema that this object was last compiled against, when it is another one; NULL else. */
static struct cell_schema *recorded_schema(struct cell_session *s, const struct session_cell *cell)
{
    const char *then = recorded(s, cell->name);
    if (!then || strcmp(then, cell->fingerprint) == 0)
        return NULL;
    struct known_cell before = {.pub = {.name = cell->name}};
    memcpy(before.pub.fingerprint, then, CELL_FINGERPRINT_LEN + 1);
    if (cell_session_load_schema(&before, cell_store_path(&s->store, "schemas", then, ".json"), NULL) < 0)
        return NULL;
    return before.schema;
}

static struct cell_schema *locked_schema(const struct cell_lock *lock, const struct session_cell *cell)
{
    struct cell_schema *schema = NULL;
    if (strcmp(lock->fingerprint, cell->fingerprint) != 0)
        cell_schema_parse(lock->schema, lock->schema_len, &schema, NULL);
    return schema;
}

const struct cell_schema *cell_session_baseline(struct cell_session *s, struct session_cell *cell)
{
    struct known_cell *c = session_known(cell);
    if (cell->status >= 0 && !c->baseline_sought) {
        c->baseline_sought = true;
        char locked[CELL_FINGERPRINT_LEN + 1];
        bool same = cell_session_locked_as(s, c, locked) && strcmp(locked, cell->fingerprint) == 0;
        const struct cell_lock *lock = same ? NULL : cell_session_lock(s, c);
        cell->baseline_is_lock = same || lock;
        c->baseline = same ? NULL : lock ? locked_schema(lock, cell) : recorded_schema(s, cell);
        cell->baseline_time = cell->baseline_is_lock ? 0 : written_at(s->record_path);
        cell->schema_time = written_at(cell->mirror_path);
    }
    return c->baseline;
}

/* Names of files are any bytes; JSON holds text. The name is there for readers only. */
static void put_object_name(struct cell_buffer *b, const char *object)
{
    char *text = strdup(object);
    for (char *p = text; p && *p && !cell_utf8_valid(text, strlen(text)); p++)
        if (*p & 0x80)
            *p = '?';
    if (text)
        cell_json_put_string(b, text);
    else
        b->failed = true;
    free(text);
}

static int compare_cells(const void *a, const void *b)
{
    const struct known_cell *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x->pub.name, y->pub.name);
}

/* "answers", when there are any; of each cell sorted by key. */
static void format_answers(struct known_cell **cells, size_t n, struct cell_buffer *b)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!cells[i]->answers)
            continue;
        cell_buffer_printf(b, "%s\"%s\":[", any ? "," : "\"answers\":{", cells[i]->pub.name);
        any = true;
        for (const struct used_answer *a = cells[i]->answers; a; a = a->next)
            cell_buffer_printf(b, "\"%s\"%s", a->key, a->next ? "," : "]");
    }
    if (any)
        cell_buffer_puts(b, "},");
}

static void format_record(const struct cell_session *s, struct known_cell **cells, size_t n, struct cell_buffer *b)
{
    qsort(cells, n, sizeof(struct known_cell *), compare_cells);
    cell_buffer_puts(b, "{");
    format_answers(cells, n, b);
    cell_buffer_puts(b, "\"cells\":{");
    for (size_t i = 0; i < n; i++)
        cell_buffer_printf(b, "%s\"%s\":\"%s\"", i ? "," : "", cells[i]->pub.name, cells[i]->pub.fingerprint);
    cell_buffer_puts(b, "},\"object\":");
    put_object_name(b, s->object);
    cell_buffer_puts(b, "}");
}

static int write_record(struct cell_session *s, const struct cell_buffer *b, struct cell_error *e)
{
    read_record(s);
    if (!cell_buffer_ok(b))
        return session_no_memory(e);
    if (s->record && s->record_len == b->len && memcmp(s->record, b->data, b->len) == 0)
        return CELL_OK;
    int r = cell_store_write(&s->store, s->record_path, b->data, b->len, e);
    return r < 0 ? r : cell_store_write(&s->store, s->source_record_path, b->data, b->len, e);
}

static struct known_cell *find_cell(struct known_cell *cells, const char *name)
{
    while (cells && strcmp(cells->pub.name, name) != 0)
        cells = cells->next;
    return cells;
}

int cell_session_built_on(struct cell_session *s, const char *name, const char *fingerprint)
{
    if (!cell_is_identifier(name) || strlen(name) > CELL_MAX_CELL_NAME || !session_is_fingerprint(fingerprint))
        return CELL_INVALID_ARGUMENT;
    struct known_cell *c = find_cell(s->built_on, name);
    if (!c) {
        c = cell_arena_alloc(&s->arena, sizeof(*c));
        if (!c)
            return CELL_NO_MEMORY;
        c->pub.name = cell_arena_copy(&s->arena, name, strlen(name));
        c->pub.mirror_path = cell_store_path(&s->store, "mirror", name, ".json");
        if (!c->pub.name || !c->pub.mirror_path)
            return CELL_NO_MEMORY;
        c->next = s->built_on;
        s->built_on = c;
    }
    memcpy(c->pub.fingerprint, fingerprint, CELL_FINGERPRINT_LEN + 1);
    return CELL_OK;
}

/* Which cells the record is about, and makes .cell hold what it refers to. */
static int collect_cells(struct cell_session *s, struct known_cell **cells, size_t *n, struct cell_error *e)
{
    int r = CELL_OK;
    for (struct known_cell *c = s->cells; c && r >= 0; c = c->next)
        if (c->pub.status >= 0) {
            cells[(*n)++] = c;
            r = cell_session_keep_schema(s, c, e);
            if (r >= 0)
                r = cell_session_keep_questions(s, c, e);
        }
    /* A schema that nobody has any more is no baseline, and no reason to complain. */
    for (struct known_cell *c = s->built_on; c && r >= 0; c = c->next) {
        const struct known_cell *asked = find_cell(s->cells, c->pub.name);
        if ((!asked || asked->pub.status < 0) && cell_session_keep_built_on(s, c))
            cells[(*n)++] = c;
    }
    return r;
}

int cell_session_commit(struct cell_session *s, struct cell_error *e)
{
    size_t n = 0;
    if (!s->object || s->begun != SESSION_LIVE)
        return CELL_OK;
    for (struct known_cell *c = s->cells; c; c = c->next)
        n++;
    for (struct known_cell *c = s->built_on; c; c = c->next)
        n++;
    CELL_CLEANUP(cell_cleanup_free) struct known_cell **cells = calloc(n + 1, sizeof(struct known_cell *));
    if (!cells)
        return session_no_memory(e);
    n = 0;
    int r = collect_cells(s, cells, &n, e);
    if (r < 0 || n == 0)
        return r;
    struct cell_buffer b = {0};
    format_record(s, cells, n, &b);
    r = write_record(s, &b, e);
    cell_buffer_free(&b);
    return r;
}
