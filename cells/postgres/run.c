/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Executing bound statements: parameters, rows, results. */
#include "pool_impl.h"
#include "statement_impl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* Less than what a client waits for a record unless it says otherwise. */
#define STREAM_PLACE_NS UINT64_C(3000000000)

const void *pg_home_of(const struct pg_statement *s, const struct pg_part *part, const void *in, const void *record)
{
    if (part->home == PG_HOME_RECORD)
        return record;
    const struct cell_field *field = &s->method->in[part->parameter];
    const char *slot = (const char *)in + field->offset;
    if (!(field->flags & CELL_FIELD_REF))
        return slot;
    struct cell_ref ref;
    memcpy(&ref, slot, sizeof(ref));
    return ref.ptr;
}

int pg_parameters_make(const struct pg_statement *s, cell_ctx *c, struct pg_parameters *p, struct pg_failure *f)
{
    size_t n = (size_t)s->nin + 1;

    *p = (struct pg_parameters){0};
    char *memory = cell_ctx_alloc(c, n * (sizeof(*p->encoded) + sizeof(*p->values) + 2 * sizeof(*p->lengths)));
    if (!memory)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    p->encoded = (struct pg_encoded *)(void *)memory;
    p->values = (const char **)(void *)(p->encoded + n);
    p->lengths = (int *)(void *)(p->values + n);
    p->formats = p->lengths + n;
    for (uint32_t i = 0; i < s->nin; i++)
        p->formats[i] = 1;
    return CELL_OK;
}

int pg_parameters_fill(const struct pg_statement *s, struct pg_parameters *p, const void *in, const void *record,
                       struct pg_failure *f)
{
    for (uint32_t i = 0; i < s->nin; i++) {
        const struct pg_part *part = &s->in[i];
        int r = pg_encode(&part->place, pg_home_of(s, part, in, record), &p->arena, &p->encoded[i], f);
        if (r < 0)
            return r;
        p->values[i] = p->encoded[i].data;
        p->lengths[i] = p->encoded[i].length;
    }
    return CELL_OK;
}

void pg_parameters_free(struct pg_parameters *p) { pg_arena_free(&p->arena); }

int pg_check_columns(const struct pg_statement *s, const PGresult *result, int column, struct pg_failure *f)
{
    bool same = PQnfields(result) == column + (int)s->nout;

    for (uint32_t i = 0; same && i < s->nout; i++, column++)
        same = pg_same_wire(PQftype(result, column), s->out[i].place.oid) && PQfformat(result, column) == 1;
    if (same)
        return CELL_OK;
    int r =
        pg_fail(f, CELL_FAILED_PRECONDITION, "table '%s' was changed: build the program again, or run 'cell migrate'",
                s->table ? s->table : "?");
    f->other_columns = true;
    return r;
}

int pg_decode_row(const struct pg_statement *s, const PGresult *result, int row, int column, void *const *out,
                  void *record, const struct pg_sink *sink, struct pg_failure *f)
{
    for (uint32_t i = 0; i < s->nout; i++, column++) {
        const struct pg_part *part = &s->out[i];
        bool null = PQgetisnull(result, row, column);
        int r = pg_decode(&part->place, null ? NULL : PQgetvalue(result, row, column), PQgetlength(result, row, column),
                          record ? record : out[part->parameter], sink, f);
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

int pg_affected(PGresult *result)
{
    unsigned long long n = strtoull(PQcmdTuples(result), NULL, 10);

    return n > INT_MAX ? INT_MAX : (int)n;
}

static int not_found(const struct pg_statement *s, struct pg_failure *f)
{
    return s->table ? pg_fail(f, CELL_NOT_FOUND, "there is no such row in '%s'", s->table)
                    : pg_fail(f, CELL_NOT_FOUND, "there is no such row");
}

static int take_row(struct pg_statement *s, cell_ctx *c, const struct pg_rows *rows, void *const *out,
                    struct pg_failure *f)
{
    const struct pg_sink sink = {.c = c};
    int r = pg_check_columns(s, rows->result, rows->column, f);

    if (r < 0)
        return r;
    if (rows->n == 0)
        return not_found(s, f);
    if (rows->n > 1)
        return pg_fail(f, CELL_FAILED_PRECONDITION, "%d rows were found where at most one is expected", rows->n);
    return pg_decode_row(s, rows->result, rows->first, rows->column, out, NULL, &sink, f);
}

static int take_list(struct pg_statement *s, cell_ctx *c, const struct pg_rows *rows, void *const *out,
                     struct pg_failure *f)
{
    const struct pg_sink sink = {.c = c};
    size_t n = (size_t)rows->n;
    int r = pg_check_columns(s, rows->result, rows->column, f);
    char *records = r < 0 ? NULL : cell_ctx_alloc(c, (n + (n == 0)) * s->record->size);

    if (r >= 0 && !records)
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED,
                       "%zu rows are more than a reply can hold: use LIMIT, or take them as a stream", n);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = pg_decode_row(s, rows->result, rows->first + (int)i, rows->column, NULL, records + i * s->record->size,
                          &sink, f);
    if (r < 0)
        return r;
    memcpy(out[s->list], &(cell_bytes){(const uint8_t *)records, n}, sizeof(cell_bytes));
    return CELL_OK;
}

/* One number: into the out parameter, or as the result. */
static int take_count(struct pg_statement *s, cell_ctx *c, const struct pg_rows *rows, void *const *out,
                      struct pg_failure *f)
{
    if (s->nout == 1)
        return take_row(s, c, rows, out, f);
    return pg_affected(rows->result);
}

static int take_rows(struct pg_statement *s, cell_ctx *c, const struct pg_rows *rows, void *const *out,
                     struct pg_failure *f)
{
    switch (s->op) {
    case PG_OP_ROW:
        return take_row(s, c, rows, out, f);
    case PG_OP_ROWS:
        return take_list(s, c, rows, out, f);
    case PG_OP_COUNT:
        return take_count(s, c, rows, out, f);
    default:
        return s->must && pg_affected(rows->result) == 0 ? not_found(s, f) : pg_affected(rows->result);
    }
}

/* A result that is within the limit of what is received may be more than a message can hold. It is counted when it is
 * large enough for that: what is written in a few bytes there has at most eight here. */
static bool fits_reply(const struct pg_statement *s, const struct pg_rows *rows, void *const *out)
{
    const struct cell_method *m = s->method;
    uint64_t most = (uint64_t)PG_REPLY_MIB << 20, bytes = 8; /* of a message: its sizes */
    uint64_t records = s->record ? (uint64_t)rows->n * s->record->size : 0;

    if (records + 8 * (uint64_t)PQresultMemorySize(rows->result) < most)
        return true;
    for (uint32_t i = 0; i < m->nout; i++) {
        const struct cell_field *o = &m->out[i];
        uint64_t size = (uint64_t)o->type->size * (o->count ? o->count : 1);
        bytes += sizeof(struct cell_ref) + (size + 7) / 8 * 8 + pg_referred_bytes(o->type, o->count, out[i]);
    }
    return bytes <= most;
}

int pg_take_rows(struct pg_statement *s, cell_ctx *c, const struct pg_rows *rows, void *const *out,
                 struct pg_failure *f)
{
    int r = take_rows(s, c, rows, out, f);

    return r >= 0 && !fits_reply(s, rows, out) ? pg_fail_large(f) : r;
}

int pg_statement_from_start(const struct pg_statement *s, const void *in, bool *absent, struct pg_failure *f)
{
    uint32_t n = 0, missing = 0;
    const char *name = NULL;

    for (uint32_t i = 0; i < s->nin; i++) {
        const struct pg_part *part = &s->in[i];
        if (!part->place.optional)
            continue;
        n++;
        if (*((const char *)pg_home_of(s, part, in, NULL) + part->place.offset))
            name = part->place.name;
        else
            missing++;
    }
    if (missing > 0 && missing < n)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s is given, and others that belong to it are not", name);
    *absent = missing > 0;
    return CELL_OK;
}

static int run_one(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, void *const *out,
                   const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_parameters p;
    struct pg_rows rows = {0};
    int r = pg_parameters_make(s, c, &p, f);

    if (r >= 0)
        r = pg_parameters_fill(s, &p, in, NULL, f);
    if (r >= 0)
        r = pg_pool_fetch(s->pool, link, s->prepared, &(struct pg_values){p.values, p.lengths, p.formats}, s->flags,
                          patience, &rows, f);
    if (r >= 0) {
        r = pg_take_rows(s, c, &rows, out, f);
        if (r < 0 && r != CELL_NOT_FOUND && link && s->flags & PG_RUN_WRITE)
            pg_spoil(link);
    }
    pg_rows_clear(&rows);
    pg_parameters_free(&p);
    return r;
}

/* Those that need a connection of their own. */
static int run_pinned(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f)
{
    switch (s->op) {
    case PG_OP_STREAM:
        return pg_run_stream(s, c, link, in, f);
    case PG_OP_MANY:
        return pg_run_many(s, c, link, in, f);
    default:
        return pg_run_load(s, c, link, in, f);
    }
}

static const char *field_of(void *user, const char *column)
{
    const struct pg_statement *s = user;

    for (uint32_t i = 0; i < s->nin; i++)
        if (s->in[i].place.column && strcmp(s->in[i].place.column, column) == 0)
            return s->in[i].place.name;
    return column;
}

/* No such column, no such table: it was there when the statement was bound. */
static bool is_gone(const struct pg_failure *f)
{
    return strcmp(f->sqlstate, "42703") == 0 || strcmp(f->sqlstate, "42P01") == 0;
}

/* The column of a check with a name that was shortened: the one that it is made of. */
static void find_checked(const struct pg_statement *s, struct pg_failure *f)
{
    struct pg_arena arena = {0};
    const char *end = strrchr(f->constraint, '_');

    for (uint32_t i = 0; end && i < s->nin + s->nout && !f->column[0]; i++) {
        const struct pg_slot *place = i < s->nin ? &s->in[i].place : &s->out[i - s->nin].place;
        const char *column = place->column ? place->column : place->name;
        const char *name = column ? pg_made_name(&arena, f->table, column, end + 1) : NULL;
        if (name && strcmp(name, f->constraint) == 0)
            pg_failure_check_column(f, column);
    }
    pg_arena_free(&arena);
}

int pg_in_words_of(const struct pg_statement *s, int r, struct pg_failure *f)
{
    if (r >= 0)
        return r;
    if (s->table && is_gone(f)) {
        const struct pg_failure said = *f;
        char text[200];
        pg_fail(f, said.status, "table '%s' was changed (%s): build the program again, or run 'cell migrate'", s->table,
                pg_shorten(text, sizeof(text), said.text, SIZE_MAX));
        memcpy(f->sqlstate, said.sqlstate, sizeof(f->sqlstate));
    }
    if (pg_failure_of_check(f))
        find_checked(s, f);
    pg_failure_name_fields(f, field_of, (void *)(uintptr_t)s);
    return r;
}

/* How long a call waits for a connection of its own. Of a stream the client's time is not known here, and it would give
 * up without knowing for what: it is told before. */
static struct pg_patience patience_for_place(const struct pg_statement *s, const struct pg_patience *patience)
{
    struct pg_patience p = *patience;

    if (s->method->stream && p.until_ns == UINT64_MAX)
        p.until_ns = pool_wait_ns(STREAM_PLACE_NS).until_ns;
    return p;
}

int pg_statement_run(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, void *const *out,
                     struct pg_failure *f)
{
    struct pg_patience patience = pg_patience_of(c);
    struct pg_link *own = NULL;

    *f = (struct pg_failure){0};
    if (s->held && !link)
        return pg_in_words_of(s, pg_run_held(s, c, in, out, &patience, f), f);
    if (pg_statement_is_single(s)) {
        bool from_start = false;
        int status = s->first ? pg_statement_from_start(s, in, &from_start, f) : CELL_OK;
        if (status >= 0)
            status = run_one(from_start ? s->first : s, c, link, in, out, &patience, f);
        return pg_in_words_of(s, status, f);
    }
    if (link)
        return pg_in_words_of(s, run_pinned(s, c, link, in, f), f);
    const struct pg_patience for_place = patience_for_place(s, &patience);
    int r = pg_pool_pin(s->pool, &for_place, &own, f);
    if (r < 0)
        return r;
    r = run_pinned(s, c, own, in, f);
    pg_pool_unpin(s->pool, own, true);
    return pg_in_words_of(s, r, f);
}
