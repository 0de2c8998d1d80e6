/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "catalog_build.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* A row of a result. Texts are copied into the model's arena. */
struct row {
    const PGresult *result;
    int at;
    struct pg_arena *arena;
};

static const char *text(const struct row *r, int column)
{
    return PQgetisnull(r->result, r->at, column) ? NULL : pg_strdup(r->arena, PQgetvalue(r->result, r->at, column));
}
static bool truth(const struct row *r, int column) { return PQgetvalue(r->result, r->at, column)[0] == 't'; }
static char letter(const struct row *r, int column) { return PQgetvalue(r->result, r->at, column)[0]; }
static int64_t number(const struct row *r, int column)
{
    return strtoll(PQgetvalue(r->result, r->at, column), NULL, 10);
}

/* A JSON value in a column; NULL for an SQL NULL. json_decref it. It is the server's own, so it is well-formed. */
static json_t *json(const struct row *r, int column)
{
    if (PQgetisnull(r->result, r->at, column))
        return NULL;
    return json_loadb(PQgetvalue(r->result, r->at, column), (size_t)PQgetlength(r->result, r->at, column),
                      JSON_DECODE_ANY, NULL);
}

/* A list of names; NULL when it is empty. The arena has no escape while JSON is held, so what is missing is noticed by
 * its number. */
static const char **names(const struct row *r, int column, uint32_t *n)
{
    json_t *list = json(r, column), *entry;
    jmp_buf *escape = r->arena->escape;
    bool complete = true;
    size_t i;

    *n = (uint32_t)json_array_size(list);
    if (*n == 0) {
        json_decref(list);
        return NULL;
    }
    r->arena->escape = NULL;
    const char **out = pg_array(r->arena, *n, sizeof(*out));
    json_array_foreach(list, i, entry)
    {
        const char *name = out ? pg_strdup(r->arena, json_string_value(entry)) : NULL;
        if (out)
            out[i] = name;
        complete = complete && name;
    }
    json_decref(list);
    r->arena->escape = escape;
    if (!out || !complete)
        longjmp(*escape, 1);
    return out;
}

/* The rows of a result that belong to table number `table`: rows are ordered by that. *at moves on. */
static int count_rows(const PGresult *result, int *at, uint32_t table)
{
    int first = *at;

    while (*at < PQntuples(result) && strtoul(PQgetvalue(result, *at, 0), NULL, 10) == table)
        ++*at;
    return *at - first;
}

static void build_column(const struct row *r, struct pg_column *c)
{
    struct pg_expr value = {text(r, 6), NULL, true};

    c->name = text(r, 1);
    if (pg_type_parse(r->arena, PQgetvalue(r->result, r->at, 2), &c->type, NULL) < 0)
        c->type = (struct pg_type_use){.base = PG_BASE_OTHER, .name = text(r, 2), .modifier = -1, .scale = -1};
    c->nullable = !truth(r, 3);
    c->identity = letter(r, 4);
    if (!c->identity && truth(r, 8) && value.sql && strncmp(value.sql, "nextval(", 8) == 0)
        c->identity = 'd';
    if (letter(r, 5))
        c->generated = value;
    else
        c->standard = value;
    c->comment = text(r, 7);
}

static void build_key(const struct row *r, struct pg_key *k)
{
    k->name = text(r, 1);
    k->columns = names(r, 3, &k->n);
}

static void build_foreign(const struct row *r, struct pg_foreign_key *k)
{
    uint32_t n;

    k->name = text(r, 1);
    k->columns = names(r, 3, &k->n);
    k->to_schema = text(r, 4);
    k->to_table = text(r, 5);
    k->to_columns = names(r, 6, &n);
    k->on_delete = (enum pg_action)letter(r, 7);
    k->on_update = (enum pg_action)letter(r, 8);
    k->deferrable = truth(r, 9);
    k->deferred = truth(r, 10);
    k->valid = truth(r, 11);
}

static void build_constraints(struct pg_arena *arena, const PGresult *result, int first, int n, struct pg_table *t)
{
    t->uniques = pg_array(arena, (size_t)n + 1, sizeof(*t->uniques));
    t->foreign = pg_array(arena, (size_t)n + 1, sizeof(*t->foreign));
    t->checks = pg_array(arena, (size_t)n + 1, sizeof(*t->checks));
    for (int i = 0; i < n; i++) {
        const struct row r = {result, first + i, arena};
        switch (letter(&r, 2)) {
        case 'p':
            t->primary = pg_alloc(arena, sizeof(*t->primary));
            build_key(&r, t->primary);
            break;
        case 'u':
            build_key(&r, &t->uniques[t->nuniques++]);
            break;
        case 'f':
            build_foreign(&r, &t->foreign[t->nforeign++]);
            break;
        default:
            t->checks[t->nchecks++] =
                (struct pg_check){.name = text(&r, 1), .expr = {text(&r, 12), NULL, true}, .valid = truth(&r, 11)};
        }
    }
}

/* As `names`: no jump while JSON is held. */
static void build_parts(const struct row *r, struct pg_index *x)
{
    json_t *list = json(r, 6), *part;
    jmp_buf *escape = r->arena->escape;
    bool complete = true;
    size_t i;

    r->arena->escape = NULL;
    x->parts = pg_array(r->arena, json_array_size(list) + 1, sizeof(*x->parts));
    x->n = x->parts ? (uint32_t)json_array_size(list) : 0;
    json_array_foreach(list, i, part)
    {
        const char *const from[] = {json_string_value(json_object_get(part, "column")),
                                    json_string_value(json_object_get(part, "expr")),
                                    json_string_value(json_object_get(part, "opclass"))};
        if (!x->parts)
            break;
        struct pg_index_part *p = &x->parts[i];
        const char **to[] = {&p->column, &p->expr.sql, &p->opclass};
        for (size_t k = 0; k < 3; k++) {
            *to[k] = pg_strdup(r->arena, from[k]);
            complete = complete && (!from[k] || *to[k]);
        }
        p->expr.printed = true;
        p->descending = json_is_true(json_object_get(part, "descending"));
        p->nulls_first = json_is_true(json_object_get(part, "nulls_first"));
    }
    json_decref(list);
    r->arena->escape = escape;
    if (!x->parts || !complete)
        longjmp(*escape, 1);
}

static void build_index(const struct row *r, struct pg_index *x)
{
    x->name = text(r, 1);
    x->method = text(r, 2);
    x->unique = truth(r, 3);
    x->valid = truth(r, 4);
    x->predicate = (struct pg_expr){text(r, 5), NULL, true};
    build_parts(r, x);
    x->included = names(r, 7, &x->nincluded);
}

static void build_tables(const struct pg_readings *from, struct pg_model *m)
{
    struct pg_arena *a = &m->arena;
    int columns = 0, constraints = 0, indexes = 0;

    m->ntables = (uint32_t)PQntuples(from->tables);
    m->tables = pg_array(a, m->ntables + 1u, sizeof(*m->tables));
    for (uint32_t i = 0; i < m->ntables; i++) {
        const struct row r = {from->tables, (int)i, a};
        struct pg_table *t = &m->tables[i];
        *t = (struct pg_table){.schema = text(&r, 1),
                               .name = text(&r, 2),
                               .kind = letter(&r, 3),
                               .comment = text(&r, 4),
                               .rows = number(&r, 5)};
        int first = columns, n = count_rows(from->columns, &columns, i);
        t->ncolumns = (uint32_t)n;
        t->columns = pg_array(a, (size_t)n + 1, sizeof(*t->columns));
        for (int k = 0; k < n; k++)
            build_column(&(const struct row){from->columns, first + k, a}, &t->columns[k]);
        first = constraints;
        n = count_rows(from->constraints, &constraints, i);
        build_constraints(a, from->constraints, first, n, t);
        first = indexes;
        n = count_rows(from->indexes, &indexes, i);
        t->nindexes = (uint32_t)n;
        t->indexes = pg_array(a, (size_t)n + 1, sizeof(*t->indexes));
        for (int k = 0; k < n; k++)
            build_index(&(const struct row){from->indexes, first + k, a}, &t->indexes[k]);
    }
}

static void build_relations(const PGresult *result, struct pg_model *m)
{
    m->nrelations = (uint32_t)PQntuples(result);
    m->relations = pg_array(&m->arena, m->nrelations + 1u, sizeof(*m->relations));
    for (uint32_t i = 0; i < m->nrelations; i++) {
        const struct row r = {result, (int)i, &m->arena};
        m->relations[i] = (struct pg_relation){text(&r, 0), text(&r, 1), letter(&r, 2), text(&r, 3)};
    }
}

static void build_enums(const PGresult *result, struct pg_model *m)
{
    m->nenums = (uint32_t)PQntuples(result);
    m->enums = pg_array(&m->arena, m->nenums + 1u, sizeof(*m->enums));
    for (uint32_t i = 0; i < m->nenums; i++) {
        const struct row r = {result, (int)i, &m->arena};
        m->enums[i].schema = text(&r, 0);
        m->enums[i].name = text(&r, 1);
        m->enums[i].labels = names(&r, 2, &m->enums[i].n);
    }
}

/* What is recorded of an object that Cell has made: columns kind, name, source, unchanged. */
struct record {
    const char *kind, *name, *source; /* source: NULL when the object is not as it was recorded */
};

static bool record_of(const struct record *r, const char *kind, const char *name)
{
    return strcmp(r->kind, kind) == 0 && strcmp(r->name, name) == 0;
}

static void mark_constraints(struct pg_table *t, const struct record *r)
{
    if (t->primary && record_of(r, "key", t->primary->name))
        t->primary->made = true;
    for (uint32_t i = 0; i < t->nuniques; i++)
        t->uniques[i].made |= record_of(r, "key", t->uniques[i].name);
    for (uint32_t i = 0; i < t->nforeign; i++)
        t->foreign[i].made |= record_of(r, "foreign", t->foreign[i].name);
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (record_of(r, "check", t->checks[i].name) ||
            (record_of(r, "implied", t->checks[i].name) && !t->checks[i].made)) { /* which comes behind "check" */
            t->checks[i].made = true;
            t->checks[i].implied = strcmp(r->kind, "implied") == 0;
            t->checks[i].expr.source = r->source;
        }
}

static void mark(struct pg_arena *arena, struct pg_table *t, const struct record *r)
{
    struct pg_column *c = pg_table_column(t, r->name);

    if (c && strcmp(r->kind, "default") == 0) {
        c->default_made = true;
        c->standard.source = r->source;
        if (!c->standard.sql) /* PostgreSQL keeps no default that is simply NULL, however that was written */
            c->standard.sql = r->source;
    } else if (c && strcmp(r->kind, "generated") == 0) {
        c->generated.source = r->source;
    }
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (record_of(r, "index", t->indexes[i].name)) {
            t->indexes[i].made = true;
            if (r->source)
                pg_index_sources(arena, r->source, &t->indexes[i]);
        }
    mark_constraints(t, r);
}

/* And what the columns are made of that have one. */
static void build_domains(const PGresult *result, struct pg_model *m)
{
    m->ndomains = (uint32_t)PQntuples(result);
    m->domains = pg_array(&m->arena, m->ndomains + 1u, sizeof(*m->domains));
    for (uint32_t i = 0; i < m->ndomains; i++) {
        const struct row r = {result, (int)i, &m->arena};
        struct pg_domain *d = &m->domains[i];
        *d = (struct pg_domain){.schema = text(&r, 0), .name = text(&r, 1), .visible = truth(&r, 2)};
        if (pg_type_parse(&m->arena, text(&r, 3), &d->base, NULL) < 0)
            d->base = (struct pg_type_use){.base = PG_BASE_OTHER, .name = text(&r, 3), .modifier = -1, .scale = -1};
        d->definition = text(&r, 4);
    }
    for (uint32_t i = 0; i < m->ntables; i++)
        for (uint32_t k = 0; k < m->tables[i].ncolumns; k++)
            pg_model_resolve(m, &m->tables[i].columns[k].type);
}

/* As pg_in_step_source makes it. */
static void build_in_step(const struct row *r, int left, struct pg_table *t)
{
    const char *source = text(r, 4), *first = source ? strchr(source, '\n') : NULL;
    const char *second = first ? strchr(first + 1, '\n') : NULL;

    if (!second)
        return;
    if (!t->in_step)
        t->in_step = pg_array(r->arena, (size_t)left, sizeof(*t->in_step));
    t->in_step[t->nin_step++] = (struct pg_in_step){text(r, 3), pg_copy(r->arena, source, (size_t)(first - source)),
                                                    pg_copy(r->arena, first + 1, (size_t)(second - first - 1)),
                                                    truth(r, 5) ? second + 1 : NULL};
}

static enum pg_past past_of(const char *kind)
{
    static const char *const kinds[] = {"dropped",  "renamed", "retyped",    "step", "filled",
                                        "dropping", "filling", "giving-way", "shape"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return (enum pg_past)(PG_PAST_DROPPED + i);
    return (enum pg_past)0;
}

static void build_records(const PGresult *result, struct pg_model *m)
{
    int n = result ? PQntuples(result) : 0;

    for (int i = 0; i < n; i++) {
        const struct row r = {result, i, &m->arena};
        struct pg_table *t = pg_model_table(m, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
        if (!t)
            continue;
        const struct record record = {text(&r, 2), text(&r, 3), truth(&r, 5) ? text(&r, 4) : NULL};
        enum pg_past past = past_of(record.kind);
        if (strcmp(record.kind, "in_step") == 0) {
            build_in_step(&r, n - i, t);
            continue;
        }
        struct pg_column *numbered = strcmp(record.kind, "numbers") == 0 ? pg_table_column(t, record.name) : NULL;
        if (numbered)
            numbered->numbers = text(&r, 4);
        if (!past) {
            mark(&m->arena, t, &record);
            continue;
        }
        if (!t->events)
            t->events = pg_array(&m->arena, (size_t)(n - i), sizeof(*t->events));
        t->events[t->nevents++] = (struct pg_event){past, record.name, number(&r, 6), text(&r, 4), text(&r, 7)};
    }
}

int pg_catalog_build(const struct pg_readings *from, int version, struct pg_model **model, struct pg_failure *f)
{
    struct pg_model *m = pg_model_new();
    jmp_buf escape;

    if (!m)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (setjmp(escape)) {
        pg_model_free(m);
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    m->arena.escape = &escape;
    const struct row server = {from->server, 0, &m->arena};
    m->version = version;
    m->default_schema = text(&server, 0);
    if (!m->default_schema)
        m->default_schema = "public";
    m->vector = (enum pg_extension)number(&server, 2);
    m->schemas = names(&server, 3, &m->nschemas);
    build_tables(from, m);
    build_relations(from->relations, m);
    build_enums(from->enums, m);
    build_domains(from->domains, m);
    build_records(from->objects, m);
    m->arena.escape = NULL;
    *model = m;
    return CELL_OK;
}
