/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a cell says of a declaration: diagnostics with places, notes and fixes. */
#include <string.h>

#include "core/schema_impl.h"

#define MAX_PLACE 0x7fffffffu
#define MAX_WHOLE 1000u /* of an answer; more are taken as what they are without that: each is compared with others */

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "expansion: out of memory"); }

int cell_copy_member(const struct json_at *at, const char *key, enum json_need need, struct cell_arena *arena,
                     const char **text, struct cell_error *e)
{
    const char *found = NULL;
    int r = cell_json_string(at, key, need, &found, e);
    if (r <= 0)
        return r;
    *text = cell_arena_copy(arena, found, strlen(found));
    return *text ? CELL_OK : no_memory(e);
}

static int read_severity(const struct json_at *at, struct expansion_diagnostic *d, struct cell_error *e)
{
    static const char *const names[] = {[EXPANSION_ERROR] = "error",
                                        [EXPANSION_WARNING] = "warning",
                                        [EXPANSION_NOTE] = "note",
                                        [EXPANSION_REMARK] = "remark"};
    const char *text;
    char quoted[CELL_QUOTE_SIZE];
    int r = cell_json_string(at, "severity", JSON_REQUIRED, &text, e);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            memcpy(&d->severity, &i, sizeof(d->severity));
            return CELL_OK;
        }
    return cell_json_fail(at, "severity", e, "unknown severity '%s'", cell_json_quote(text, quoted, sizeof(quoted)));
}

/* "text", and where. */
static int read_text(const struct json_at *at, struct cell_arena *arena, const char **text,
                     struct expansion_place *place, struct cell_error *e)
{
    uint64_t begin = 0, length = 0;
    int r = cell_copy_member(at, "text", JSON_REQUIRED, arena, text, e);
    if (r == CELL_OK)
        r = cell_check_text(at, "text", *text, true, e);
    if (r == CELL_OK)
        r = cell_copy_member(at, "field", JSON_OPTIONAL, arena, &place->field, e);
    if (r == CELL_OK)
        r = cell_check_text(at, "field", place->field, false, e);
    if (r < 0 || (r = cell_json_uint(at, "at", JSON_OPTIONAL, 0, MAX_PLACE, &begin, e)) < 0)
        return r;
    place->has_at = r > 0;
    r = cell_json_uint(at, "length", JSON_OPTIONAL, 0, MAX_PLACE, &length, e);
    if (r < 0)
        return r;
    if (place->has_at && !place->field)
        return cell_json_fail(at, "at", e, "it is a place in the text of 'field', which is not there");
    place->at = (uint32_t)begin;
    place->length = place->has_at ? (uint32_t)length : 0;
    return CELL_OK;
}

static int read_notes(const struct json_at *at, struct cell_arena *arena, struct expansion_diagnostic *d,
                      struct cell_error *e)
{
    struct json_at list, note;
    int r = cell_json_array(at, "notes", JSON_OPTIONAL, &list, e);
    if (r <= 0)
        return r;
    size_t n = cell_json_count(&list);
    d->notes = cell_arena_array(arena, n, sizeof(*d->notes));
    if (!d->notes)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        if ((r = cell_json_item_object(&list, i, &note, e)) < 0)
            return r;
        if ((r = read_text(&note, arena, &d->notes[i].text, &d->notes[i].place, e)) < 0)
            return r;
    }
    d->nnotes = (uint32_t)n;
    return CELL_OK;
}

static int read_fix(const struct json_at *at, struct cell_arena *arena, struct schema_rule *fix, struct cell_error *e)
{
    struct json_at object, list = {0};
    const char **args, *text;
    int r = cell_json_object(at, "fix", JSON_OPTIONAL, &object, e);
    if (r <= 0)
        return r;
    r = cell_copy_member(&object, "rule", JSON_REQUIRED, arena, &fix->name, e);
    if (r == CELL_OK)
        r = cell_check_name(&object, "rule", fix->name, NAME_WORD, e);
    if (r < 0 || (r = cell_json_array(&object, "args", JSON_OPTIONAL, &list, e)) < 0)
        return r;
    size_t n = cell_json_count(&list);
    if (!(args = cell_arena_array(arena, n, sizeof(*args))))
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        if ((r = cell_json_item_string(&list, i, &text, e)) < 0)
            return r;
        if (!(args[i] = cell_arena_copy(arena, text, strlen(text))))
            return no_memory(e);
    }
    fix->args = args;
    fix->nargs = (uint32_t)n;
    return CELL_OK;
}

int cell_diagnostic_read(const struct json_at *at, bool severity, struct cell_arena *arena,
                         struct expansion_diagnostic *d, struct cell_error *e)
{
    int r = severity ? read_severity(at, d, e) : CELL_OK;
    if (r == CELL_OK)
        r = read_text(at, arena, &d->text, &d->place, e);
    if (r == CELL_OK)
        r = read_fix(at, arena, &d->fix, e);
    if (r == CELL_OK && severity)
        r = cell_json_bool(at, "whole", JSON_OPTIONAL, &d->whole, e);
    return r >= 0 ? read_notes(at, arena, d, e) : r;
}

const struct expansion_diagnostic *cell_expansion_refusal(const struct cell_expansion *x)
{
    for (uint32_t i = 0; i < x->ndiagnostics; i++)
        if (x->diagnostics[i].severity == EXPANSION_ERROR && !x->diagnostics[i].whole)
            return &x->diagnostics[i];
    return NULL;
}

int cell_diagnostics_read(const struct json_at *root, struct cell_expansion *x, struct cell_error *e)
{
    struct json_at list, at;
    struct cell_arena *arena = &x->content->arena;
    int r = cell_json_array(root, "diagnostics", JSON_OPTIONAL, &list, e);
    if (r <= 0)
        return r;
    size_t n = cell_json_count(&list);
    uint32_t whole = 0;
    x->diagnostics = cell_arena_array(arena, n, sizeof(*x->diagnostics));
    if (!x->diagnostics)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        if ((r = cell_json_item_object(&list, i, &at, e)) < 0)
            return r;
        if ((r = cell_diagnostic_read(&at, true, arena, &x->diagnostics[i], e)) < 0)
            return r;
        x->diagnostics[i].whole = x->diagnostics[i].whole && whole++ < MAX_WHOLE;
    }
    x->ndiagnostics = (uint32_t)n;
    return CELL_OK;
}
