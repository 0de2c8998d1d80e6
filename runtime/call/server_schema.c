/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a program provides, checked before it is offered. */
#include <stdlib.h>
#include <string.h>

#include "core/diff.h"
#include "server_parts.h"

static int fail(struct cell_server *s, const char *cell, const char *what)
{
    return cell_error_set(&s->error, CELL_FAILED_PRECONDITION, "%s: %s", cell, what);
}

static int format_schema(struct cell_server *s)
{
    s->schema_json.len = 0;
    if (cell_schema_format(s->schema, &s->schema_json) < 0)
        return cell_error_set(&s->error, CELL_NO_MEMORY, "out of memory");
    return CELL_OK;
}

/* Puts the verbs that this program answers into its schema. They are the document's last member. */
static int add_verbs(struct cell_server *s, const char *name)
{
    static const char none[] = "\"verbs\":[]}";
    struct cell_buffer json = {0};
    struct cell_schema *schema = NULL;
    size_t len = s->schema_json.len - 1, tail = sizeof(none) - 1;
    if (s->schema->nverbs)
        return fail(s, name, "its embedded schema has verbs of its own");
    if (len > tail && strcmp(s->schema_json.data + s->schema_json.len - tail, none) == 0)
        len = s->schema_json.len - tail - 1;
    cell_buffer_append(&json, s->schema_json.data, len);
    cell_buffer_printf(&json, ",\"verbs\":%s}", s->options.verbs);
    int r = cell_buffer_ok(&json) ? cell_schema_parse(json.data, json.len, &schema, &s->error)
                                  : cell_error_set(&s->error, CELL_NO_MEMORY, "out of memory");
    cell_buffer_free(&json);
    if (r < 0)
        return cell_error_wrap(&s->error, "%s: the verbs of its options", name);
    cell_schema_free(s->schema);
    s->schema = schema;
    return format_schema(s);
}

/* The schema as clients get it: the embedded document, without what the options take away, and with their verbs. */
static int take_document(struct cell_server *s, const struct cell_provided *p)
{
    struct cell_schema_header header;
    memcpy(&header, p->schema, sizeof(header));
    if (memcmp(header.magic, CELL_SCHEMA_MAGIC, sizeof(header.magic)) != 0)
        return fail(s, p->name, "its embedded schema has another format");
    if (header.size == 0 || header.size > CELL_MAX_COMPILE_REPLY)
        return fail(s, p->name, "its embedded schema has an impossible size");
    int r = cell_schema_parse(p->schema + sizeof(header), (size_t)header.size, &s->schema, &s->error);
    if (r < 0) {
        cell_error_wrap(&s->error, "%s: its embedded schema", p->name);
        return s->error.status = r == CELL_NO_MEMORY ? r : CELL_FAILED_PRECONDITION;
    }
    if (memcmp(header.fingerprint, s->schema->fingerprint, sizeof(header.fingerprint)) != 0)
        return fail(s, p->name, "its embedded schema is not the one of its fingerprint");
    if (s->options.without && (r = cell_schema_without(&s->schema, s->options.without, &s->error)) < 0) {
        cell_error_wrap(&s->error, "%s", p->name);
        return s->error.status = r == CELL_NO_MEMORY ? r : CELL_FAILED_PRECONDITION;
    }
    r = format_schema(s);
    if (r >= 0 && s->options.verbs)
        r = add_verbs(s, p->name);
    if (r < 0)
        return r;
    if (s->schema_json.len > CELL_MAX_COMPILE_REPLY)
        return fail(s, p->name, "its schema is too large");
    memcpy(s->fingerprint, s->schema->fingerprint, sizeof(s->fingerprint));
    return CELL_OK;
}

/* ---- methods ---- */

static int find_handlers(struct cell_server *s, const struct cell_provided *p)
{
    size_t provided = p->methods_begin ? (size_t)(p->methods_end - p->methods_begin) : 0;
    s->methods = calloc(s->schema->nmethods + 1, sizeof(*s->methods));
    s->layouts = calloc(s->schema->nmethods + 1, sizeof(*s->layouts));
    s->method_counters = calloc(s->schema->nmethods + 1, sizeof(*s->method_counters));
    s->lacks = calloc(s->schema->nmethods + 1, sizeof(*s->lacks));
    if (!s->methods || !s->layouts || !s->method_counters || !s->lacks)
        return cell_error_set(&s->error, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < provided; i++) {
        const struct cell_method *m = p->methods_begin[i];
        const struct schema_method *known = m ? cell_schema_method(s->schema, m->name) : NULL;
        if (!m || !m->invoke)
            return fail(s, p->name, "a method has no handler");
        if (!known)
            return cell_error_set(&s->error, CELL_FAILED_PRECONDITION,
                                  "%s: the handler %s is not in the schema: declare it with CELL_METHOD where "
                                  "CELL_PROVIDE sees it",
                                  p->name, m->name);
        const struct cell_method **place = &s->methods[known - s->schema->methods];
        if (*place && *place != m)
            return cell_error_set(&s->error, CELL_FAILED_PRECONDITION, "%s: %s has two handlers", p->name, m->name);
        *place = m;
    }
    for (uint32_t i = 0; i < s->schema->nmethods; i++) {
        if (!s->methods[i])
            return cell_error_set(&s->error, CELL_FAILED_PRECONDITION, "%s: %s has no handler", p->name,
                                  s->schema->methods[i].name);
        s->lacks[i] = cell_schema_lacks(s->schema, &s->schema->methods[i]);
        if (cell_method_layouts_new(s->methods[i], &s->layouts[i]) < 0)
            return cell_error_set(&s->error, CELL_NO_MEMORY, "out of memory");
    }
    return CELL_OK;
}

/* The schema that the descriptors stand for must be the embedded one, or requests would be decoded with the wrong
 * layout. Files compiled at different times differ in this way. */
static int check_descriptors(struct cell_server *s, const struct cell_provided *p)
{
    uint32_t n = s->schema->nmethods;
    struct cell_method *methods = calloc(n + 1, sizeof(*methods));
    if (!methods)
        return cell_error_set(&s->error, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        methods[i] = *s->methods[i];
    const struct cell_service service = {CELL_DESC_ABI, n, p->name, s->fingerprint, methods, NULL, NULL};
    struct cell_schema *described = NULL;
    struct cell_diff *diff = NULL;
    struct cell_buffer why = {0};
    int r = cell_schema_from_service(&service, &described, &s->error);
    if (r >= 0)
        r = cell_diff_new(described, s->schema, &diff, &s->error);
    if (r < 0)
        cell_error_wrap(&s->error, "%s: its descriptors", p->name);
    for (uint32_t i = 0; r >= 0 && i < n; i++)
        if (cell_diff_method(diff, described, methods[i].name, &why) > 0)
            r = cell_error_set(&s->error, CELL_FAILED_PRECONDITION,
                               "%s: the handler %s and the schema differ, compile all files again: %.*s", p->name,
                               methods[i].name, (int)(why.len > 300 ? 300 : why.len), why.data);
    cell_buffer_free(&why);
    cell_diff_free(diff);
    cell_schema_free(described);
    free(methods);
    return r;
}

int cell_server_take_schema(struct cell_server *s, const struct cell_provided *p)
{
    s->cell = p->name ? p->name : "";
    if (p->abi != CELL_DESC_ABI)
        return cell_error_set(&s->error, CELL_FAILED_PRECONDITION,
                              "%s: its descriptors have version %u, this library has %u: compile it again", s->cell,
                              p->abi, CELL_DESC_ABI);
    if (!p->schema || !p->name || strlen(p->name) > CELL_MAX_CELL_NAME)
        return fail(s, s->cell, "it has no name or no schema");
    if (s->options.bound && (!s->options.bound->bind || !s->options.bound->invoke))
        return fail(s, s->cell, "its functions for methods with bindings are not complete");
    int r = take_document(s, p);
    if (r >= 0 && strcmp(s->schema->cell, p->name) != 0)
        r = cell_error_set(&s->error, CELL_FAILED_PRECONDITION, "%s: its embedded schema is that of '%s'", p->name,
                           s->schema->cell);
    if (r >= 0)
        r = find_handlers(s, p);
    return r < 0 ? r : check_descriptors(s, p);
}
