/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reading a binding, which comes from a client: everything in it is checked against the descriptors. */
#include "statement_impl.h"

#include <string.h>

#include "sql_parts.h"

#define MOST_BINDING 65536
#define MOST_LABELS 4096

static int refuse(struct pg_failure *f, const char *what)
{
    return pg_fail(f, CELL_INVALID_ARGUMENT, "the binding of this method is not one of this cell: %s", what);
}

static const char *text_of(struct pg_statement *s, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? pg_strdup(&s->arena, text) : NULL;
}

static int read_op(struct pg_statement *s, const json_t *binding, struct pg_failure *f)
{
    static const char *const names[] = {"row", "rows", "stream", "count", "exec", "many", "load"};
    const char *op = json_string_value(json_object_get(binding, "op"));

    for (size_t i = 0; op && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(op, names[i]) != 0)
            continue;
        s->op = (enum pg_op)i;
        return CELL_OK;
    }
    return refuse(f, "op");
}

/*
 * One statement that neither begins nor ends a transaction, nor changes the session: it may run on a connection that
 * others use. The protocol itself refuses a second statement behind a semicolon.
 */
static bool is_plain_statement(const char *sql)
{
    static const char *const allowed[] = {"select", "insert", "update", "delete", "with", "values", "table", "merge"};
    size_t length = strlen(sql), from = 0;
    struct pg_token t;

    do {
        t = pg_sql_token(sql, length, from);
        from = t.at + t.len;
    } while (t.kind == PG_TOKEN_COMMENT || (t.kind == PG_TOKEN_PUNCT && sql[t.at] == '('));
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (t.kind == PG_TOKEN_NAME && pg_token_is(sql, t, allowed[i]))
            return true;
    return false;
}

/* COPY table (columns) FROM STDIN …: nothing that reads or writes files of the server. */
static bool is_copy_from_stdin(const char *sql)
{
    size_t length = strlen(sql);
    int depth = 0;
    bool from = false;

    struct pg_token t = pg_sql_token(sql, length, 0);
    if (t.kind != PG_TOKEN_NAME || !pg_token_is(sql, t, "copy"))
        return false;
    for (t = pg_sql_token(sql, length, t.at + t.len); t.kind != PG_TOKEN_END;
         t = pg_sql_token(sql, length, t.at + t.len)) {
        bool punct = t.kind == PG_TOKEN_PUNCT && t.len == 1;
        if (t.kind == PG_TOKEN_BAD || t.kind == PG_TOKEN_COMMENT || (punct && sql[t.at] == ';'))
            return false;
        depth += punct && sql[t.at] == '(' ? 1 : punct && sql[t.at] == ')' ? -1 : 0;
        if (from)
            return t.kind == PG_TOKEN_NAME && pg_token_is(sql, t, "stdin") && !memchr(sql + t.at, ';', length - t.at);
        from = depth == 0 && t.kind == PG_TOKEN_NAME && pg_token_is(sql, t, "from");
    }
    return false;
}

static const struct cell_field *find(const struct cell_field *fields, uint32_t n, const char *name, size_t length,
                                     uint32_t *index)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strncmp(fields[i].name, name, length) != 0 || fields[i].name[length] != '\0')
            continue;
        *index = i;
        return &fields[i];
    }
    return NULL;
}

static void set_leaf(struct pg_slot *p, const struct cell_type *type, uint32_t count)
{
    p->type = type;
    p->count = count;
    if (count > 0)
        return;
    if (type->kind == CELL_KIND_OPT) {
        p->optional = true;
        p->type = type->elem;
        p->value_offset = type->elem->align;
    } else if (type->kind == CELL_KIND_LIST) {
        p->list = true;
        p->type = type->elem;
    }
}

/* Goes the rest of a path from a value of `type`; `rest` begins with '.' or is empty. */
static bool descend(struct pg_slot *p, const struct cell_type *type, uint32_t count, const char *rest)
{
    while (*rest == '.') {
        size_t length = strcspn(++rest, ".");
        uint32_t i;
        const struct cell_field *field =
            type->kind == CELL_KIND_STRUCT && count == 0 ? find(type->fields, type->nfields, rest, length, &i) : NULL;
        if (!field)
            return false;
        p->name = field->name;
        p->offset += field->offset;
        type = field->type;
        count = field->count;
        rest += length;
    }
    set_leaf(p, type, count);
    return true;
}

/* A record's values: of the stream, or of the list parameter that the paths begin with. */
static bool resolve_record(struct pg_statement *s, struct pg_part *part, const struct cell_field *field, uint32_t index,
                           const char *rest)
{
    const struct cell_type *record = field == s->method->stream ? field->type : field->type->elem;

    if (s->record && (s->record != record || (field != s->method->stream && s->list != index)))
        return false;
    s->record = record;
    s->list = index;
    part->home = PG_HOME_RECORD;
    part->place.name = field->name;
    return descend(&part->place, record, 0, rest);
}

static bool resolve(struct pg_statement *s, struct pg_part *part, const char *path, bool reading)
{
    const struct cell_method *m = s->method;
    size_t length = strcspn(path, ".");
    uint32_t i = 0;
    bool streams = reading ? s->op == PG_OP_STREAM : s->op == PG_OP_LOAD;
    bool lists = reading ? s->op == PG_OP_ROWS : s->op == PG_OP_MANY;

    if (streams && m->stream && find(m->stream, 1, path, length, &i))
        return resolve_record(s, part, m->stream, 0, path + length);
    const struct cell_field *field = find(reading ? m->out : m->in, reading ? m->nout : m->nin, path, length, &i);
    if (!field || (reading && (streams || lists) && field->type->kind != CELL_KIND_LIST))
        return false;
    if (lists && field->type->kind == CELL_KIND_LIST && field->count == 0)
        return resolve_record(s, part, field, i, path + length);
    part->home = PG_HOME_PARAMETER;
    part->parameter = i;
    part->place.name = field->name;
    return !(reading && (streams || lists)) && descend(&part->place, field->type, field->count, path + length);
}

static bool read_labels(struct pg_statement *s, const json_t *labels, struct pg_slot *p)
{
    const char *text;
    json_t *number;
    size_t n = json_object_size(labels);

    if (n > MOST_LABELS)
        return false;
    p->labels = pg_array(&s->arena, n + 1, sizeof(*p->labels));
    json_object_foreach((json_t *)(uintptr_t)labels, text, number)
    {
        if (!json_is_integer(number))
            return false;
        p->labels[p->nlabels++] =
            (struct pg_label){pg_strdup(&s->arena, text), strlen(text), json_integer_value(number)};
    }
    return true;
}

static int read_part(struct pg_statement *s, const json_t *entry, bool reading, struct pg_part *part,
                     struct pg_failure *f)
{
    const char *path = json_string_value(json_object_get(entry, reading ? "to" : "from"));
    const char *type = json_string_value(json_object_get(entry, "type"));
    const json_t *labels = json_object_get(entry, "enum");

    if (!path || !type || !resolve(s, part, path, reading))
        return refuse(f, "a path");
    if (pg_type_parse(&s->arena, type, &part->place.in_database, NULL) < 0)
        return refuse(f, "a type");
    part->place.column = pg_strdup(&s->arena, json_string_value(json_object_get(entry, "column")));
    if (labels && !read_labels(s, labels, &part->place))
        return refuse(f, "enum");
    /* What a value can hold depends on the type alone. */
    part->place.in_database.modifier = part->place.in_database.scale = -1;
    part->place.oid = pg_type_oid(&part->place.in_database, &part->place.element);
    return pg_codec_choose(&part->place, reading, f);
}

static int read_parts(struct pg_statement *s, const json_t *list, bool reading, struct pg_part **parts, uint32_t *n,
                      struct pg_failure *f)
{
    size_t size = json_array_size(list);

    if (list && (!json_is_array(list) || size > PG_MOST_PARAMETERS))
        return refuse(f, reading ? "out" : "in");
    *parts = pg_array(&s->arena, size + 1, sizeof(**parts));
    for (size_t i = 0; i < size; i++) {
        int r = read_part(s, json_array_get(list, i), reading, &(*parts)[i], f);
        if (r < 0)
            return r;
    }
    *n = (uint32_t)size;
    return CELL_OK;
}

/* Whether a method of this form can do this. */
static bool op_fits(const struct pg_statement *s)
{
    const struct cell_method *m = s->method;
    bool to_client = m->stream && !(m->flags & CELL_METHOD_WRITES);
    bool from_client = m->stream && (m->flags & CELL_METHOD_WRITES);

    switch (s->op) {
    case PG_OP_ROW:
        return !m->stream && s->nout > 0;
    case PG_OP_ROWS:
        return !m->stream && s->record && s->nout > 0;
    case PG_OP_STREAM:
        return to_client && s->record && s->nout > 0;
    case PG_OP_COUNT:
        return !m->stream && s->nout <= 1;
    case PG_OP_EXEC:
        return !m->stream && s->nout == 0;
    case PG_OP_MANY:
        return !m->stream && s->record && s->nout == 0;
    case PG_OP_LOAD:
        return from_client && s->record && s->nout == 0;
    }
    return false;
}

static int read_first(struct pg_statement *s, const json_t *first, struct pg_failure *f)
{
    if (!first)
        return CELL_OK;
    struct pg_statement *made = pg_alloc(&s->arena, sizeof(*made));
    *made = *s;
    made->arena = (struct pg_arena){0};
    made->sql = text_of(s, first, "sql");
    if (!made->sql || !is_plain_statement(made->sql) || s->op > PG_OP_COUNT || s->op == PG_OP_STREAM)
        return refuse(f, "first");
    made->in = NULL;
    made->nin = 0;
    /* Its parts are in the arena of the whole. */
    int r = read_parts(s, json_object_get(first, "in"), false, &made->in, &made->nin, f);
    s->first = made;
    return r;
}

static int read_binding(struct pg_statement *s, const json_t *binding, struct pg_failure *f)
{
    if (json_integer_value(json_object_get(binding, "v")) != 1)
        return pg_fail(f, CELL_INVALID_ARGUMENT,
                       "the program was built with another version of this cell: build it again");
    int r = read_op(s, binding, f);
    if (r < 0)
        return r;
    s->sql = text_of(s, binding, "sql");
    s->copy = text_of(s, binding, "copy");
    s->table = text_of(s, binding, "table");
    if (!s->sql || !is_plain_statement(s->sql))
        return refuse(f, "sql");
    if (s->copy && ((s->op != PG_OP_MANY && s->op != PG_OP_LOAD) || !is_copy_from_stdin(s->copy)))
        return refuse(f, "copy");
    s->must = json_is_true(json_object_get(binding, "must"));
    s->each = json_is_true(json_object_get(binding, "each"));
    s->flags = (json_is_true(json_object_get(binding, "write")) ? PG_RUN_WRITE : 0) |
               (json_is_true(json_object_get(binding, "retry")) ? PG_RUN_RETRY : 0) |
               (json_is_true(json_object_get(binding, "shared")) ? PG_RUN_SHARED : 0);
    if (!(s->flags & PG_RUN_WRITE))
        s->flags &= ~(unsigned)PG_RUN_SHARED;
    r = read_parts(s, json_object_get(binding, "in"), false, &s->in, &s->nin, f);
    if (r >= 0)
        r = read_parts(s, json_object_get(binding, "out"), true, &s->out, &s->nout, f);
    if (r >= 0 && !op_fits(s))
        r = refuse(f, "op");
    return r < 0 ? r : read_first(s, json_object_get(binding, "first"), f);
}

int pg_binding_read(struct pg_statement *s, const char *binding, struct pg_failure *f)
{
    size_t length = strnlen(binding, MOST_BINDING + 1);
    json_t *json = length <= MOST_BINDING ? json_loadb(binding, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    jmp_buf escape, *outer = s->arena.escape;
    int r;

    if (!json)
        return refuse(f, "no JSON");
    s->arena.escape = &escape;
    if (setjmp(escape))
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    else
        r = json_is_object(json) ? read_binding(s, json, f) : refuse(f, "no object");
    s->arena.escape = outer;
    json_decref(json);
    return r;
}
