/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What changed in one method. In and out parameters travel apart: their order among each other is only the source's. */
#include <stdio.h>
#include <string.h>

#include "core/diff_impl.h"

bool diff_same_shape(const struct schema_field *a, const struct schema_field *b)
{
    return a->out == b->out && a->inout == b->inout && a->by_pointer == b->by_pointer && a->stream == b->stream &&
           diff_same_ref(&a->type, &b->type);
}

/* "out auth_session *" */
static void param_format(const struct schema_field *p, char text[DIFF_TEXT])
{
    char type[DIFF_TEXT - 8];
    const char *direction = p->inout ? "inout " : "out ";
    cell_schema_ref_format(&p->type, type, sizeof(type));
    snprintf(text, DIFF_TEXT, "%s%s%s", p->out ? direction : "", type, p->by_pointer && !p->type.count ? " *" : "");
}

/* Those of the request, those of the reply, and streams do. */
static bool travels_with(const struct schema_field *a, const struct schema_field *b)
{
    return (a->stream && b->stream) || (cell_param_goes_in(a) && cell_param_goes_in(b)) ||
           (cell_param_comes_out(a) && cell_param_comes_out(b));
}

/* Which one it is of those that it travels with. */
static uint32_t position(const struct schema_method *m, uint32_t param)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < param; i++)
        n += travels_with(&m->params[i], &m->params[param]);
    return n;
}

/* The name of a parameter is not seen by a caller in C: in the same place and of the same type it is the same one. */
static void match_renamed(const struct schema_method *before, const struct schema_method *after, struct diff_match *m)
{
    for (uint32_t i = 0; i < before->nparams; i++)
        for (uint32_t j = 0; j < after->nparams && m->to[i] == DIFF_NONE; j++)
            if (m->from[j] == DIFF_NONE && diff_same_shape(&before->params[i], &after->params[j]) &&
                position(before, i) == position(after, j)) {
                m->to[i] = j;
                m->from[j] = i;
            }
}

/* Which one parameter `i` is among those that exist on both sides, before and now: 0, or what another place breaks. */
static unsigned order_breaks(const struct schema_method *before, const struct diff_match *m, uint32_t i)
{
    uint32_t place = 0, now = 0, wire_place = 0, wire_now = 0;
    for (uint32_t k = 0; k < before->nparams; k++) {
        bool together = travels_with(&before->params[k], &before->params[i]);
        if (m->to[k] == DIFF_NONE || before->params[k].stream)
            continue; /* the client's function has no parameter for a stream */
        place += k < i;
        now += m->to[k] < m->to[i];
        wire_place += together && k < i;
        wire_now += together && m->to[k] < m->to[i];
    }
    return (place != now ? DIFF_SOURCE : 0u) | (wire_place != wire_now ? DIFF_WIRE : 0u);
}

static void add_place(struct diff_work *w, const char *method, const char *param, unsigned breaks, const char *sentence,
                      uint32_t before, uint32_t now)
{
    char before_text[16], now_text[16];
    snprintf(before_text, sizeof(before_text), "%u", before);
    snprintf(now_text, sizeof(now_text), "%u", now);
    struct diff_change c = {.owner = method, .member = param, .before = before_text, .now = now_text};
    diff_add_as(w, DIFF_PARAM_CHANGED, breaks, sentence, &c);
}

/* A stream is the same one whatever its name, and nothing else is. */
static void match_streams(const struct schema_method *before, const struct schema_method *after, struct diff_match *m)
{
    for (uint32_t i = 0; i < before->nparams; i++)
        for (uint32_t j = 0; j < after->nparams; j++) {
            bool old = before->params[i].stream, now = after->params[j].stream;
            if (old != now && m->to[i] == j)
                m->to[i] = m->from[j] = DIFF_NONE;
            if (old && now) {
                m->to[i] = j;
                m->from[j] = i;
            }
        }
}

static void diff_stream(struct diff_work *w, const char *method, const struct schema_field *old,
                        const struct schema_field *now)
{
    static const char *const ends[] = {"client to server", "server to client"};
    char before_text[DIFF_TEXT], now_text[DIFF_TEXT];
    unsigned breaks = diff_rule_breaks(DIFF_PARAM_CHANGED);
    struct diff_change c = {.owner = method, .member = old->name, .before = ends[old->out], .now = ends[now->out]};
    if (old->out != now->out)
        diff_add_as(w, DIFF_PARAM_CHANGED, breaks, "Stream '$m' of '$o' changed its direction from $b to $n in $c", &c);
    if (diff_same_ref(&old->type, &now->type))
        return;
    cell_schema_ref_format(&old->type, before_text, sizeof(before_text));
    cell_schema_ref_format(&now->type, now_text, sizeof(now_text));
    c.before = before_text;
    c.now = now_text;
    diff_add_as(w, DIFF_PARAM_CHANGED, breaks, "Records of stream '$m' of '$o' changed from '$b' to '$n' in $c", &c);
}

/* Returns whether messages have it in another place or of another type. */
static bool diff_param(struct diff_work *w, const struct schema_method *before, const struct schema_method *after,
                       const struct diff_match *m, uint32_t i)
{
    const struct schema_field *old = &before->params[i], *now = &after->params[m->to[i]];
    char before_text[DIFF_TEXT], now_text[DIFF_TEXT];
    if (strcmp(old->name, now->name) != 0)
        diff_add(w, DIFF_PARAM_RENAMED,
                 &(struct diff_change){.owner = before->name, .member = old->name, .now = now->name});
    diff_rules(w, before->name, old, now);
    if (old->stream && !diff_same_shape(old, now)) {
        diff_stream(w, before->name, old, now);
        return true;
    }
    if (!diff_same_shape(old, now)) {
        param_format(old, before_text);
        param_format(now, now_text);
        diff_add(
            w, DIFF_PARAM_CHANGED,
            &(struct diff_change){.owner = before->name, .member = old->name, .before = before_text, .now = now_text});
        return true;
    }
    unsigned breaks = old->stream ? 0 : order_breaks(before, m, i);
    if (breaks)
        add_place(w, before->name, old->name, breaks, "Parameter '$m' of '$o' has another place in $c", i + 1,
                  m->to[i] + 1);
    return (breaks & DIFF_WIRE) != 0;
}

/* With the same parameters in the same order in messages: a value that has grown pushes those behind it away. */
static void diff_slots(struct diff_work *w, const struct schema_method *before, const struct schema_method *after,
                       const struct diff_match *m)
{
    for (uint32_t i = 0; i < before->nparams; i++) {
        const struct schema_field *old = &before->params[i], *now = &after->params[m->to[i]];
        if (cell_param_goes_in(old) && old->offset != now->offset)
            add_place(w, before->name, old->name, DIFF_WIRE,
                      "Parameter '$m' of '$o' moved from offset $b to $n of the request in $c", old->offset,
                      now->offset);
        if (!old->by_pointer && diff_elements_moved(&old->type, &now->type))
            add_place(w, before->name, old->name, DIFF_WIRE,
                      "Elements of parameter '$m' of '$o' moved from $b to $n bytes apart in $c", old->type.named->size,
                      now->type.named->size);
    }
}

void diff_method(struct diff_work *w, const struct schema_method *before, const struct schema_method *after)
{
    struct diff_match m;
    bool same = true;
    if (!diff_match_entries(
            w, &w->scratch,
            DIFF_LISTS(struct schema_field, before->params, before->nparams, after->params, after->nparams, NULL), &m))
        return;
    match_streams(before, after, &m);
    match_renamed(before, after, &m);
    for (uint32_t i = 0; i < before->nparams; i++) {
        if (m.to[i] == DIFF_NONE) {
            diff_add_as(w, DIFF_PARAM_REMOVED, diff_rule_breaks(DIFF_PARAM_REMOVED),
                        before->params[i].stream ? "Stream '$m' of '$o' no longer exists in $c" : NULL,
                        &(struct diff_change){.owner = before->name, .member = before->params[i].name});
            same = false;
        } else if (diff_param(w, before, after, &m, i)) {
            same = false;
        }
    }
    for (uint32_t j = 0; j < after->nparams; j++) {
        if (m.from[j] != DIFF_NONE)
            continue;
        diff_add_as(w, DIFF_PARAM_ADDED, diff_rule_breaks(DIFF_PARAM_ADDED),
                    after->params[j].stream ? "Stream '$m' of '$o' is new in $c" : NULL,
                    &(struct diff_change){.owner = before->name, .member = after->params[j].name});
        same = false;
    }
    if (same)
        diff_slots(w, before, after, &m);
    if (before->binding && after->binding && strcmp(before->binding, after->binding) != 0)
        diff_add(w, DIFF_BINDING_CHANGED, &(struct diff_change){.owner = before->name});
    diff_needs(w, before, after);
    if (before->idempotent != after->idempotent)
        diff_add(w, DIFF_IDEMPOTENCY_CHANGED,
                 &(struct diff_change){.owner = before->name,
                                       .before = before->idempotent ? "idempotent" : "not idempotent",
                                       .now = after->idempotent ? "idempotent" : "not idempotent"});
}
