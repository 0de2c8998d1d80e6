/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The types of an annotated declaration, as an expansion may use them: on both sides of the compile channel. */
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"

struct copier {
    const struct cell_schema *from;
    struct cell_schema *to;
    uint32_t known; /* types that are copied and may be used */
    struct cell_error *e;
};

static int no_memory(struct copier *c) { return cell_error_set(c->e, CELL_NO_MEMORY, "expansion: out of memory"); }

static int copy_text(struct copier *c, const char *text, const char **to)
{
    if (!text)
        return cell_error_set(c->e, CELL_INVALID_ARGUMENT, "declaration.types[%u]: a name is missing", c->known);
    *to = cell_arena_copy(&c->to->arena, text, strlen(text));
    return *to ? CELL_OK : no_memory(c);
}

static int copy_use(struct copier *c, const struct schema_ref *from, struct schema_ref *to)
{
    *to = *from;
    if (!from->named)
        return CELL_OK;
    uintptr_t begin = (uintptr_t)c->from->types, here = (uintptr_t)from->named, size = sizeof(*from->named);
    if (here >= begin && here < begin + c->known * size && (here - begin) % size == 0) {
        to->named = &c->to->types[(here - begin) / size];
        return CELL_OK;
    }
    return cell_error_set(c->e, CELL_INVALID_ARGUMENT, "declaration.types[%u]: a type is used before it is defined",
                          c->known);
}

/* Names, types and places; documentation and rules are the program's and the cell's business. */
static int copy_fields(struct copier *c, const struct schema_type *from, struct schema_type *to)
{
    int r = CELL_OK;
    to->fields = cell_arena_array(&c->to->arena, from->nfields, sizeof(*to->fields));
    if (!to->fields)
        return no_memory(c);
    for (uint32_t i = 0; r == CELL_OK && i < from->nfields; i++) {
        to->fields[i].offset = from->fields[i].offset;
        r = copy_text(c, from->fields[i].name, &to->fields[i].name);
        if (r == CELL_OK)
            r = copy_use(c, &from->fields[i].type, &to->fields[i].type);
    }
    to->nfields = from->nfields;
    return r;
}

static int copy_values(struct copier *c, const struct schema_type *from, struct schema_type *to)
{
    int r = CELL_OK;
    to->values = cell_arena_array(&c->to->arena, from->nvalues, sizeof(*to->values));
    if (!to->values)
        return no_memory(c);
    for (uint32_t i = 0; r == CELL_OK && i < from->nvalues; i++) {
        r = copy_text(c, from->values[i].name, &to->values[i].name);
        if (r == CELL_OK)
            r = copy_text(c, from->values[i].text, &to->values[i].text);
    }
    to->nvalues = from->nvalues;
    return r;
}

static int copy_type(struct copier *c, const struct schema_type *from, struct schema_type *to)
{
    *to = (struct schema_type){.kind = from->kind, .size = from->size, .align = from->align, .declared = true};
    int r = copy_text(c, from->name, &to->name);
    if (r == CELL_OK)
        r = copy_use(c, &from->elem, &to->elem);
    if (r == CELL_OK)
        r = copy_fields(c, from, to);
    return r == CELL_OK ? copy_values(c, from, to) : r;
}

int cell_declared_copy(const struct cell_schema *declared, uint32_t more, struct cell_schema *s, struct cell_error *e)
{
    struct copier c = {.from = declared, .to = s, .e = e};
    int r = CELL_OK;
    s->types = cell_arena_array(&s->arena, (size_t)declared->ntypes + more, sizeof(*s->types));
    if (!s->types)
        return no_memory(&c);
    for (; r == CELL_OK && c.known < declared->ntypes; c.known++)
        r = copy_type(&c, &declared->types[c.known], &s->types[c.known]);
    s->ntypes = declared->ntypes;
    return r;
}

uint32_t cell_declared_count(const struct cell_schema *s)
{
    uint32_t n = 0;
    while (n < s->ntypes && s->types[n].declared)
        n++;
    return n;
}

int cell_declared_check(const struct cell_schema *declared, struct cell_error *e)
{
    if (!declared)
        return CELL_OK;
    const struct json_at root = {.status = CELL_INVALID_ARGUMENT};
    const struct json_at declaration = {.parent = &root, .key = "declaration", .status = CELL_INVALID_ARGUMENT};
    const struct json_at types = {.parent = &declaration, .key = "types", .status = CELL_INVALID_ARGUMENT};
    struct cell_schema *copy = cell_schema_new();
    int r =
        copy ? cell_declared_copy(declared, 0, copy, e) : cell_error_set(e, CELL_NO_MEMORY, "expansion: out of memory");
    if (r == CELL_OK)
        r = cell_schema_check(copy, SCHEMA_OF_EXPANSION, CELL_INVALID_ARGUMENT, e);
    if (r == CELL_OK)
        r = cell_check_unique(&types, copy->types, copy->ntypes, sizeof(*copy->types), e);
    cell_schema_free(copy);
    return r;
}

/* What it uses is listed apart from the struct or enum itself, which may be used as well. */
static int read_declaration(const struct json_at *declaration, struct cell_schema *uses, struct cell_schema *s,
                            struct cell_error *e)
{
    const char *kind;
    struct json_at type;
    int r = cell_json_string(declaration, "kind", JSON_REQUIRED, &kind, e);
    if (r >= 0)
        r = cell_schema_read(declaration, false, NULL, uses, e);
    if (r < 0)
        return r;
    if (strcmp(kind, "struct") != 0 && strcmp(kind, "enum") != 0)
        return cell_declared_copy(uses, 0, s, e);
    r = cell_json_object(declaration, "type", JSON_REQUIRED, &type, e);
    return r < 0 ? r : cell_schema_read_type(&type, uses, s, e);
}

int cell_declared_read(const struct json_at *request, struct cell_schema **declared, struct cell_error *e)
{
    struct json_at declaration;
    struct cell_schema *uses = cell_schema_new(), *s = cell_schema_new();
    int r = uses && s ? cell_json_object(request, "declaration", JSON_OPTIONAL, &declaration, e)
                      : cell_error_set(e, CELL_NO_MEMORY, "expansion: out of memory");
    if (r > 0)
        r = read_declaration(&declaration, uses, s, e);
    if (r >= 0)
        r = cell_declared_check(s, e);
    cell_schema_free(uses);
    if (r < 0)
        cell_schema_free(s);
    else
        *declared = s;
    return r;
}

int cell_request_declared(const char *json, size_t len, struct cell_schema **declared, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);
    return r < 0 ? r : cell_declared_read(&doc.root, declared, e);
}
