/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Diagnostics: how they are made, and how they look in a document. */
#include <string.h>

#include "declare.h"
#include "declare_parts.h"

/* Texts of a document hold no control characters but line breaks, and none that change the direction of writing. */
void pg_make_fit(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if ((*p < 0x20 && *p != '\n') || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* U+0080 to U+009F */
            p[0] = p[1] = '?';
        else if (p[0] == 0xe2 &&
                 ((p[1] == 0x80 && ((p[2] >= 0x8e && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
                  (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)))
            p[0] = p[1] = p[2] = '?';
        else if (p[0] == 0xd8 && p[1] == 0x9c) /* U+061C */
            p[0] = p[1] = '?';
    }
}

struct pg_diagnostic *pg_diagnose(struct pg_arena *arena, pg_diagnostics *list, enum pg_severity severity,
                                  struct pg_place place, const char *format, ...)
{
    struct pg_diagnostic *d = pg_push(arena, list);
    va_list args;

    va_start(args, format);
    char *text = pg_vprintf(arena, format, args);
    va_end(args);
    pg_make_fit(text);
    *d = (struct pg_diagnostic){.severity = severity,
                                .text = text,
                                .field = place.field,
                                .rule = place.rule,
                                .argument = place.argument,
                                .against = UINT32_MAX,
                                .at = -1,
                                .length = -1};
    return d;
}

void pg_add_note(struct pg_arena *arena, struct pg_diagnostic *d, const char *field, const char *format, ...)
{
    struct pg_note *notes = pg_array(arena, d->nnotes + 1, sizeof(*notes));
    va_list args;

    va_start(args, format);
    char *text = pg_vprintf(arena, format, args);
    va_end(args);
    pg_make_fit(text);
    for (uint32_t i = 0; i < d->nnotes; i++)
        notes[i] = d->notes[i];
    notes[d->nnotes++] = (struct pg_note){text, field};
    d->notes = notes;
}

bool pg_has_errors(const pg_diagnostics *diagnostics, uint32_t declared)
{
    for (uint32_t i = 0; i < diagnostics->n; i++)
        if (diagnostics->at[i].severity == PG_ERROR &&
            (declared == UINT32_MAX || diagnostics->at[i].declared == declared))
            return true;
    return false;
}

bool pg_has_refusals(const pg_diagnostics *diagnostics, uint32_t declared)
{
    for (uint32_t i = 0; i < diagnostics->n; i++)
        if (diagnostics->at[i].severity == PG_ERROR && !diagnostics->at[i].whole &&
            (declared == UINT32_MAX || diagnostics->at[i].declared == declared))
            return true;
    return false;
}

static json_t *notes_json(const struct pg_diagnostic *d)
{
    json_t *notes = json_array();

    for (uint32_t i = 0; i < d->nnotes; i++)
        json_array_append_new(notes, json_pack("{s:s, s:s*}", "text", d->notes[i].text, "field", d->notes[i].field));
    return notes;
}

static json_t *fix_json(const struct pg_diagnostic *d)
{
    json_t *args = json_array();

    for (int i = 0; i < 2 && d->fix_args[i]; i++)
        json_array_append_new(args, json_string(d->fix_args[i]));
    return json_pack("{s:s, s:o}", "rule", d->fix_rule, "args", args);
}

static json_t *diagnostic_json(const struct pg_diagnostic *d)
{
    static const char *const severities[] = {"error", "warning", "remark", "note"};
    json_t *o = json_pack("{s:s, s:s, s:s*}", "severity", severities[d->severity], "text", d->text, "field", d->field);

    if (!o)
        return NULL;
    if (d->rule >= 0)
        json_object_set_new(o, "rule", json_integer(d->rule));
    if (d->rule >= 0 && d->argument >= 0)
        json_object_set_new(o, "argument", json_integer(d->argument));
    bool within = d->field && d->at >= 0; /* of rules on the struct the rule's place has to do */
    if (within)
        json_object_set_new(o, "at", json_integer(d->at));
    if (within && d->length >= 0)
        json_object_set_new(o, "length", json_integer(d->length));
    if (d->whole)
        json_object_set_new(o, "whole", json_true());
    if (d->fix_rule)
        json_object_set_new(o, "fix", fix_json(d));
    if (d->nnotes)
        json_object_set_new(o, "notes", notes_json(d));
    return o;
}

json_t *pg_diagnostics_json(const pg_diagnostics *diagnostics, uint32_t declared)
{
    json_t *list = json_array();

    for (uint32_t i = 0; list && i < diagnostics->n; i++) {
        const struct pg_diagnostic *d = &diagnostics->at[i];
        if (declared != UINT32_MAX && d->declared != declared)
            continue;
        if (json_array_append_new(list, diagnostic_json(d)) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
