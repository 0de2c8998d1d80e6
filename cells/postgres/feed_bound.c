/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The methods of a source that programs bring with them: the rows of a table, and its changes. What is sent of a change
 * is the row as it is then, so that no row is stored twice, and a reader who applies all has what the table has.
 */
#include "feed.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "statement_impl.h"

#define CONNECT_MS 5000
#define SLICE_MS 100   /* how long one waits before it looks whether its client is still there */
#define LOOK_MS 2000   /* and whether the triggers are */
#define FIRST_FIELDS 3 /* of a change, before the key */

struct pg_feed_bound {
    struct pg_feed *feed;
    struct pg_pool *pool;
    char *table, *number; /* of the table's feed */
    bool changes;
    struct pg_statement *statement, *descending;
    struct pg_statement gone; /* `statement` for a row that is no more: its key only */
};

/* ---- binding ---- */

static json_t *read_binding(const char *binding)
{
    json_t *json = json_loads(binding, JSON_REJECT_DUPLICATES, NULL);

    if (json && json_integer_value(json_object_get(json, "v")) == 1 &&
        json_is_string(json_object_get(json, "collection")))
        return json;
    json_decref(json);
    return NULL;
}

bool pg_feed_is_bound(const char *binding)
{
    json_t *json = strlen(binding) < 1024 ? read_binding(binding) : NULL;

    json_decref(json);
    return json != NULL;
}

static bool is_struct(const struct cell_field *field) { return field->type->kind == CELL_KIND_STRUCT && !field->count; }

/* Whether the method looks as one of a source: what is within the structs is checked when it is resolved. */
static bool fits(const struct cell_method *m, bool changes)
{
    if (!m->stream || (m->flags & CELL_METHOD_WRITES) || m->nout > 0 || !is_struct(m->stream))
        return false;
    if (!changes)
        return m->nin == 1 && is_struct(&m->in[0]) && (m->in[0].flags & CELL_FIELD_REF);
    const struct cell_type *change = m->stream->type;
    return m->nin == 2 && m->in[0].type->kind == CELL_KIND_U64 && m->in[1].type->kind == CELL_KIND_BOOL &&
           strcmp(m->in[0].name, "after") == 0 && strcmp(m->in[1].name, "follow") == 0 && change->nfields == 4 &&
           is_struct(&change->fields[3]);
}

/* The table, followed; 1: it was not before. */
static int look(struct pg_feed *feed, const char *name, bool follow, struct pg_arena *arena,
                struct pg_feed_table *table, struct pg_failure *f)
{
    const struct pg_feed_options *o = pg_feed_options_of(feed);
    struct pg_feed_tables tables;
    PGconn *conn = NULL;
    int r = pg_lease_take(o->leases, pg_now_ms() + CONNECT_MS, &conn, f);

    if (r < 0)
        return r;
    r = pg_feed_read(conn, arena, name, &tables, f);
    if (r >= 0 && tables.n == 0)
        r = pg_fail(f, CELL_NOT_FOUND, "there is no table '%s' in the schema public", name);
    if (r >= 0)
        *table = tables.at[0];
    if (r >= 0 && follow)
        r = pg_feed_follow(conn, arena, o->policy, table, f);
    return pg_lease_give(o->leases, conn, r, f);
}

static int bind_statement(struct pg_feed_bound *b, cell_ctx *c, const struct cell_method *method, const char *binding,
                          struct pg_statement **s, struct pg_failure *f)
{
    struct pg_patience patience = pg_patience_of(c);

    return binding ? pg_statement_bind(b->pool, method, binding, &patience, s, f) : f->status;
}

static int bind_table(struct pg_feed_bound *b, cell_ctx *c, const struct cell_method *method,
                      const struct pg_feed_table *table, struct pg_arena *arena, struct pg_failure *f)
{
    jmp_buf escape, *outer = arena->escape;
    const char *volatile sql[2] = {NULL, NULL};
    uint32_t nkey = 0;
    int r = CELL_OK;

    arena->escape = &escape;
    if (setjmp(escape)) {
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    } else if (b->changes) {
        sql[0] = pg_feed_changes(arena, table, method, &nkey, f);
    } else {
        sql[0] = pg_feed_scan(arena, table, method, false, f);
        sql[1] = sql[0] ? pg_feed_scan(arena, table, method, true, f) : NULL;
    }
    arena->escape = outer;
    if (r >= 0)
        r = bind_statement(b, c, method, sql[0], &b->statement, f);
    if (r >= 0 && !b->changes)
        r = bind_statement(b, c, method, sql[1], &b->descending, f);
    b->number = r >= 0 && table->feed ? strdup(table->feed) : NULL;
    if (r >= 0 && b->changes) {
        b->gone = *b->statement;
        b->gone.nout = FIRST_FIELDS + nkey;
    }
    return r < 0 || b->number || !b->changes ? r : pg_fail(f, CELL_NO_MEMORY, "out of memory");
}

static int bind(struct pg_feed_bound *b, cell_ctx *c, const struct cell_method *method, const json_t *binding,
                struct pg_failure *f)
{
    const char *op = json_string_value(json_object_get(binding, "op"));
    struct pg_arena arena = {0};
    struct pg_feed_table table;

    b->changes = op && strcmp(op, "changes") == 0;
    if (!op || (!b->changes && strcmp(op, "scan") != 0) || !fits(method, b->changes))
        return pg_fail(f, CELL_INVALID_ARGUMENT, "the binding of this method is not one of a source");
    b->table = strdup(json_string_value(json_object_get(binding, "collection")));
    int r = b->table ? look(b->feed, b->table, true, &arena, &table, f) : pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = bind_table(b, c, method, &table, &arena, f);
    pg_arena_free(&arena);
    return r < 0 ? r : CELL_OK;
}

int pg_feed_bind(struct pg_feed *feed, struct pg_pool *pool, cell_ctx *c, const struct cell_method *method,
                 struct pg_feed_bound **bound)
{
    struct pg_feed_bound *b = calloc(1, sizeof(*b));
    json_t *binding = read_binding(method->binding);
    struct pg_failure f = {0};
    int r = b && binding ? CELL_OK : pg_fail(&f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0) {
        b->feed = feed;
        b->pool = pool;
        r = bind(b, c, method, binding, &f);
    }
    json_decref(binding);
    if (r < 0) {
        pg_feed_unbind(b);
        return pg_answer_failure(c, &f);
    }
    *bound = b;
    return CELL_OK;
}

void pg_feed_unbind(struct pg_feed_bound *bound)
{
    if (!bound)
        return;
    pg_statement_free(bound->statement);
    pg_statement_free(bound->descending);
    free(bound->table);
    free(bound->number);
    free(bound);
}

/* ---- scan ---- */

/* A table that is followed from now on only: who has asked for its position before may miss what came in between. */
static int follows_only_now(const struct pg_feed_bound *b, struct pg_failure *f)
{
    return pg_fail(f, CELL_OUT_OF_RANGE, "changes of table '%s' are kept from now on only", b->table);
}

static bool is_descending(const struct pg_feed_bound *b, const void *in)
{
    const struct cell_field *range = &b->statement->method->in[0];
    struct cell_ref ref;

    memcpy(&ref, (const char *)in + range->offset, sizeof(ref));
    for (uint32_t i = 0; ref.ptr && i < range->type->nfields; i++) {
        const struct cell_field *field = &range->type->fields[i];
        if (strcmp(field->name, "descending") == 0 && field->type->kind == CELL_KIND_BOOL)
            return *((const char *)ref.ptr + field->offset) != 0;
    }
    return false;
}

static int scan(struct pg_feed_bound *b, cell_ctx *c, const void *in, struct pg_failure *f)
{
    struct pg_arena arena = {0};
    struct pg_feed_table table;
    int r = look(b->feed, b->table, true, &arena, &table, f);

    pg_arena_free(&arena);
    if (r > 0)
        return follows_only_now(b, f);
    return r < 0 ? r : pg_statement_run(is_descending(b, in) ? b->descending : b->statement, c, NULL, in, NULL, f);
}

/* ---- changes ---- */

struct sending {
    struct pg_feed_bound *b;
    cell_ctx *c;
    struct cell_stream *to;
    char *records;
    uint64_t position; /* the last one that was sent */
};

static int64_t int8_at(const PGresult *result, int row, int column)
{
    uint64_t wire;

    memcpy(&wire, PQgetvalue(result, row, column), sizeof(wire));
    return (int64_t)be64toh(wire);
}

static int32_t int4_at(const PGresult *result, int row, int column)
{
    uint32_t wire;

    memcpy(&wire, PQgetvalue(result, row, column), sizeof(wire));
    return (int32_t)be32toh(wire);
}

/* Numbers have no gaps but where changes are missing. */
static int send_rows(struct sending *s, const PGresult *result, struct pg_failure *f)
{
    struct pg_arena arena = {0};
    const struct pg_sink sink = {.arena = &arena, .borrow = true};
    size_t size = s->b->statement->record->size, n = 0;
    int r = pg_check_columns(s->b->statement, result, 0, f), rows = PQntuples(result);
    bool missing = false;

    memset(s->records, 0, size * PG_FEED_GROUP);
    for (int i = 0; r >= 0 && i < rows && i < PG_FEED_GROUP; i++) {
        int32_t event = int4_at(result, i, 2);
        missing = (uint64_t)int8_at(result, i, 0) != s->position + n + 1 || event == 2;
        if (missing)
            break;
        r = pg_decode_row(event == 1 ? &s->b->gone : s->b->statement, result, i, 0, NULL, s->records + size * n, &sink,
                          f);
        n += r >= 0;
    }
    if (r >= 0 && n > 0 && cell_stream_put(s->to, s->records, n) < 0)
        r = pg_fail(f, CELL_CANCELLED, "the client takes no more changes");
    s->position += n;
    pg_arena_free(&arena);
    return r >= 0 && missing ? pg_fail(f, CELL_OUT_OF_RANGE, "changes behind %llu are not kept any more",
                                       (unsigned long long)s->position)
                             : r;
}

/* How many came. */
static int send_some(struct sending *s, struct pg_failure *f)
{
    uint64_t wire = htobe64(s->position);
    const char *values[] = {(const char *)&wire};
    const int lengths[] = {8}, formats[] = {1};
    const struct pg_values all = {values, lengths, formats};
    struct pg_patience patience = pg_patience_of(s->c);
    PGresult *result = NULL;
    int r = pg_pool_run(s->b->pool, NULL, s->b->statement->prepared, &all, PG_RUN_RETRY, &patience, &result, f);

    if (r >= 0)
        r = send_rows(s, result, f);
    int n = r < 0 ? r : PQntuples(result);
    PQclear(result);
    return n;
}

/* Whether the position is one that can be read from, and the table is followed. */
static int check_bounds(struct sending *s, struct pg_failure *f)
{
    const struct pg_feed_options *o = pg_feed_options_of(s->b->feed);
    struct pg_feed_bounds bounds = {0};
    struct pg_arena arena = {0};
    struct pg_feed_table table;
    PGconn *conn = NULL;
    int r = pg_lease_take(o->leases, pg_now_ms() + CONNECT_MS, &conn, f);

    if (r >= 0)
        r = pg_lease_give(o->leases, conn, pg_feed_bounds(conn, s->b->number, &bounds, f), f);
    if (r >= 0 && (s->position > (uint64_t)bounds.last || s->position < (uint64_t)bounds.forgotten))
        return pg_fail(f, CELL_OUT_OF_RANGE,
                       "the changes of table '%s' that are kept begin behind %lld and end with "
                       "%lld",
                       s->b->table, (long long)bounds.forgotten, (long long)bounds.last);
    if (r < 0 || bounds.followed)
        return r;
    r = look(s->b->feed, s->b->table, true, &arena, &table, f); /* again, if that may be */
    pg_arena_free(&arena);
    return r < 0 ? r : follows_only_now(s->b, f);
}

static int number(struct pg_feed_bound *b, struct pg_failure *f)
{
    const struct pg_feed_options *o = pg_feed_options_of(b->feed);
    PGconn *conn = NULL;
    int r = pg_lease_take(o->leases, pg_now_ms() + CONNECT_MS, &conn, f);

    if (r < 0)
        return r;
    do
        r = pg_feed_number(conn, b->number, f) > 0 ? 1 : f->status;
    while (r > 0);
    return pg_lease_give(o->leases, conn, r, f);
}

/* Until something has happened, or it is time to look. */
static void rest(struct sending *s, uint64_t turn, int64_t until_ms)
{
    while (pg_feed_turn(s->b->feed) == turn && pg_now_ms() < until_ms && !cell_ctx_cancelled(s->c))
        pg_feed_wait(s->b->feed, turn, SLICE_MS);
}

/* Everything that was committed before; then, with `follow`, what comes. */
static int send_all(struct sending *s, bool follow, struct pg_failure *f)
{
    int64_t looked = pg_now_ms();
    int r = number(s->b, f);

    if (r >= 0) /* before keys are read that may be of another type than the key is now */
        r = check_bounds(s, f);
    while (r >= 0 && !cell_ctx_cancelled(s->c)) {
        uint64_t turn = pg_feed_turn(s->b->feed);
        r = send_some(s, f);
        if (r != 0)
            continue;
        if (pg_now_ms() - looked >= LOOK_MS) {
            r = check_bounds(s, f);
            looked = pg_now_ms();
        }
        if (!follow || r < 0)
            return r;
        rest(s, turn, looked + LOOK_MS);
    }
    return r < 0 ? r : pg_fail(f, CELL_CANCELLED, "cancelled");
}

static int changes(struct pg_feed_bound *b, cell_ctx *c, const void *in, struct pg_failure *f)
{
    const struct cell_method *m = b->statement->method;
    struct sending s = {.b = b, .c = c, .to = cell_ctx_stream(c)};
    bool follow = *((const char *)in + m->in[1].offset) != 0;

    memcpy(&s.position, (const char *)in + m->in[0].offset, sizeof(s.position));
    s.records = cell_ctx_alloc(c, b->statement->record->size * PG_FEED_GROUP);
    if (!s.records || !s.to)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (s.position > INT64_MAX)
        return pg_fail(f, CELL_OUT_OF_RANGE, "there is no such position");
    int r = follow ? pg_feed_enter(b->feed, f) : CELL_OK;
    if (r < 0)
        return r;
    r = send_all(&s, follow, f);
    if (follow)
        pg_feed_leave(b->feed);
    return r;
}

int pg_feed_invoke(struct pg_feed_bound *bound, cell_ctx *c, const void *in)
{
    struct pg_failure f = {0};
    int r = bound->changes ? changes(bound, c, in, &f) : scan(bound, c, in, &f);

    return r < 0 ? pg_answer_failure(c, &f) : r;
}
