/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Cells that are asked for their tables: each has one connection, and is called as its own schema says. */
#include <stdlib.h>
#include <string.h>

#include "ask/link.h"
#include "core/schema.h"
#include "sql.h"
#include "wire/message.h"

#define CONNECT_MS 5000u
#define CALL_MS 60000u

struct sql_cell {
    struct sql *sql;
    struct sql_cell *next;
    const char *name;
    struct cell_schema *schema;
    const struct cell_method *methods;
    struct cell_link *link;
};

static uint64_t deadline_in(const struct sql *sql, uint32_t ms)
{
    uint64_t at = cell_now_ns() + ms * CELL_NS_PER_MS;

    return at < sql->deadline_ns ? at : sql->deadline_ns;
}

static int learn(struct sql_cell *c, const char *address, struct cell_error *e)
{
    const struct cell_config *config = c->sql->cli->config;
    uint64_t deadline = deadline_in(c->sql, CONNECT_MS);
    char *json = NULL;
    size_t length;
    int r = cell_link_schema(address, c->name, config->trust_any_owner, deadline, &json, &length, e);

    if (r >= 0)
        r = cell_schema_parse(json, length, &c->schema, e);
    free(json);
    if (r >= 0)
        r = cell_schema_describe(c->schema, &c->methods, e);
    return r < 0 ? r
                 : cell_link_open(address, c->name, CELL_CHANNEL_APP, c->schema->fingerprint, config->trust_any_owner,
                                  deadline, &c->link, e);
}

int sql_cell_open(struct sql *sql, const char *name, struct sql_cell **cell, struct cell_error *e)
{
    for (*cell = sql->cells; *cell; *cell = (*cell)->next)
        if (strcmp((*cell)->name, name) == 0)
            return CELL_OK;
    const char *address = cell_config_address(sql->cli->config, name);
    struct sql_cell *c = cell_arena_alloc(&sql->arena, sizeof(*c));
    if (!address || !c || !(c->name = cell_arena_copy(&sql->arena, name, strlen(name))))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (cell_config_is_remote(address))
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "it runs on another host: run `cell sql` there");
    c->sql = sql;
    sql_stop_wait(true);
    int r = learn(c, address, e);
    sql_stop_wait(false);
    if (r < 0) {
        cell_link_close(c->link);
        cell_schema_free(c->schema);
        return r;
    }
    c->next = sql->cells;
    sql->cells = *cell = c;
    return CELL_OK;
}

void sql_cells_close(struct sql *sql)
{
    for (struct sql_cell *c = sql->cells; c; c = c->next) {
        cell_link_close(c->link);
        cell_schema_free(c->schema);
    }
    sql->cells = NULL;
}

/* ---- members ---- */

static const struct cell_field *find_member(const struct cell_type *type, const char *name, enum cell_kind kind)
{
    for (uint32_t i = 0; type->kind == CELL_KIND_STRUCT && i < type->nfields; i++) {
        const struct cell_field *f = &type->fields[i];
        if (strcmp(f->name, name) == 0 && f->type->kind == (uint32_t)kind && f->count == 0)
            return f;
    }
    return NULL;
}

bool sql_member(const struct cell_type *type, const void *of, const char *name, enum cell_kind kind, void *to,
                size_t size)
{
    const struct cell_field *f = find_member(type, name, kind);

    memset(to, 0, size);
    if (!f || f->type->size != size)
        return false;
    memcpy(to, (const char *)of + f->offset, size);
    return true;
}

const struct cell_type *sql_member_list(const struct cell_type *type, const void *of, const char *name,
                                        struct cell_ref *list)
{
    const struct cell_field *f = find_member(type, name, CELL_KIND_LIST);

    return sql_member(type, of, name, CELL_KIND_LIST, list, sizeof(*list)) ? f->type->elem : NULL;
}

/* ---- calls ---- */

static int put_argument(const struct cell_method *m, const struct sql_argument *a, uint8_t *in, struct cell_error *e)
{
    for (uint32_t i = 0; i < m->nin; i++) {
        const struct cell_field *f = &m->in[i];
        if (strcmp(f->name, a->name) != 0 || f->type->kind != (uint32_t)a->kind || f->count ||
            f->flags & CELL_FIELD_REF)
            continue;
        if (a->kind == CELL_KIND_STR)
            memcpy(in + f->offset, &a->text, sizeof(a->text));
        else
            memcpy(in + f->offset, &a->number, f->type->size);
        return CELL_OK;
    }
    return cell_error_set(e, CELL_UNIMPLEMENTED, "%s has no parameter '%s' as it was expected", m->name, a->name);
}

static const struct cell_method *find_method(const struct sql_cell *c, const char *name, uint32_t *id)
{
    char full[2 * CELL_MAX_NAME];

    snprintf(full, sizeof(full), "%s_%s", c->name, name);
    const struct schema_method *m = cell_schema_method(c->schema, full);
    *id = m ? (uint32_t)(m - c->schema->methods) : 0;
    return m ? &c->methods[*id] : NULL;
}

static int request(struct sql_cell *c, uint32_t id, const uint8_t *in, struct cell_link_reply *reply,
                   struct cell_error *e)
{
    const struct cell_method *m = &c->methods[id];
    const struct cell_layout layout = {.fields = m->in, .n = m->nin, .size = m->in_size};
    struct cell_buffer message = {0};
    uint64_t deadline = deadline_in(c->sql, CALL_MS);
    int r = cell_message_encode(&layout, in, CELL_MAX_MESSAGE, &message, e);

    if (r >= 0) {
        sql_stop_wait(true);
        r = cell_link_request(c->link, (int32_t)id, NULL, 0, message.data, message.len, CALL_MS, deadline, reply, e);
        sql_stop_wait(false);
    }
    cell_buffer_free(&message);
    return r >= 0 && reply->code < 0 ? cell_link_failure(c->link, reply, e) : r;
}

int sql_cell_call(struct sql_cell *c, const char *method, const struct sql_argument *in, size_t n,
                  struct cell_arena *arena, const struct cell_type **type, struct cell_ref *out, struct cell_error *e)
{
    struct cell_link_reply reply;
    uint32_t id;
    const struct cell_method *m = find_method(c, method, &id);

    if (!m || m->stream || m->nout != 1 || m->out[0].count)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "it has no method %s_%s that tells of tables", c->name, method);
    uint8_t *request_struct = cell_arena_alloc(arena, m->in_size + 1);
    int r = request_struct ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = put_argument(m, &in[i], request_struct, e);
    if (r >= 0)
        r = request(c, id, request_struct, &reply, e);
    if (r < 0)
        return r;
    const struct cell_layout layout = {.fields = m->out, .n = m->nout, .size = sizeof(*out)};
    r = cell_message_decode(&layout, reply.message, reply.message_len, arena, out, e);
    if (r >= 0 && (!out->ptr || out->len < 1))
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "the answer of %s is empty", m->name);
    *type = m->out[0].type;
    return r;
}
