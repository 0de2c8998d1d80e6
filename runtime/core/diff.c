/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/diff.h"

#include <stdlib.h>
#include <string.h>

#include "core/diff_impl.h"

static const char *const rule_ids[] = {
#define RULE_ID(symbol, id, breaks) [DIFF_##symbol] = id,
    CELL_DIFF_RULE_MAP(RULE_ID)
#undef RULE_ID
};

unsigned diff_rule_breaks(enum diff_rule rule)
{
    static const unsigned char breaks_of[] = {
#define RULE_BREAKS(symbol, id, breaks) [DIFF_##symbol] = (breaks),
        CELL_DIFF_RULE_MAP(RULE_BREAKS)
#undef RULE_BREAKS
    };
    return breaks_of[rule];
}

static const char *keep(struct diff_work *w, const char *text)
{
    if (!text)
        return NULL;
    const char *copy = cell_arena_copy(&w->diff->arena, text, strlen(text));
    w->failed |= !copy;
    return copy;
}

static bool grow(struct diff_work *w)
{
    uint32_t capacity = w->capacity ? 2 * w->capacity : 16;
    struct diff_change *changes = capacity > w->capacity ? realloc(w->changes, capacity * sizeof(*changes)) : NULL;
    if (!changes) {
        w->failed = true;
        return false;
    }
    w->changes = changes;
    w->capacity = capacity;
    return true;
}

void diff_add_as(struct diff_work *w, enum diff_rule rule, unsigned breaks, const char *sentence,
                 const struct diff_change *texts)
{
    if (w->failed || (w->diff->n == w->capacity && !grow(w)))
        return;
    struct diff_change c = {.rule = rule,
                            .id = rule_ids[rule],
                            .breaks = breaks,
                            .owner = keep(w, texts->owner),
                            .member = keep(w, texts->member),
                            .now = keep(w, texts->now),
                            .before = keep(w, texts->before)};
    c.sentence = diff_sentence(&w->diff->arena, sentence ? sentence : diff_template(rule), texts, w->cell);
    w->failed |= !c.sentence;
    w->changes[w->diff->n++] = c;
    w->diff->breaks |= breaks;
}

void diff_add(struct diff_work *w, enum diff_rule rule, const struct diff_change *texts)
{
    diff_add_as(w, rule, diff_rule_breaks(rule), NULL, texts);
}

const char *diff_rule_id(enum diff_rule rule) { return rule_ids[rule]; }

static bool alike_constants(const void *old, const void *now)
{
    const struct schema_constant *a = old, *b = now;
    return a->kind == b->kind && strcmp(a->text, b->text) == 0;
}

static bool alike_methods(const void *old, const void *now)
{
    const struct schema_method *a = old, *b = now;
    if (a->nparams != b->nparams)
        return false;
    for (uint32_t i = 0; i < a->nparams; i++)
        if (!diff_same_shape(&a->params[i], &b->params[i]))
            return false;
    return true;
}

static bool alike_functions(const void *old, const void *now)
{
    return strcmp(((const struct schema_function *)old)->signature, ((const struct schema_function *)now)->signature) ==
           0;
}

static void diff_constant(struct diff_work *w, const struct schema_constant *before,
                          const struct schema_constant *after)
{
    struct diff_change c = {.owner = before->name};
    char before_type[DIFF_TEXT], now_type[DIFF_TEXT];
    if (strcmp(before->name, after->name) != 0)
        diff_add(w, DIFF_CONSTANT_RENAMED, &(struct diff_change){.owner = before->name, .now = after->name});
    if (before->kind != after->kind) {
        cell_schema_ref_format(&(struct schema_ref){.kind = before->kind}, before_type, sizeof(before_type));
        cell_schema_ref_format(&(struct schema_ref){.kind = after->kind}, now_type, sizeof(now_type));
        c.before = before_type;
        c.now = now_type;
        diff_add(w, DIFF_CONSTANT_RETYPED, &c);
    }
    if (strcmp(before->text, after->text) != 0) {
        c.before = before->text;
        c.now = after->text;
        diff_add(w, DIFF_CONSTANT_CHANGED, &c);
    }
}

static void diff_types(struct diff_work *w)
{
    for (uint32_t i = 0; i < w->before->ntypes && !w->failed; i++) {
        const struct schema_type *t = &w->before->types[i], *now = cell_schema_type(w->after, t->name);
        cell_arena_reset(&w->scratch);
        if (now)
            diff_type(w, t, now);
        else
            diff_add(w, DIFF_TYPE_REMOVED, &(struct diff_change){.owner = t->name});
    }
}

static void diff_constants(struct diff_work *w, const struct diff_match *m)
{
    for (uint32_t i = 0; i < w->before->nconstants; i++) {
        const struct schema_constant *k = &w->before->constants[i];
        if (m->to[i] == DIFF_NONE)
            diff_add(w, DIFF_CONSTANT_REMOVED, &(struct diff_change){.owner = k->name});
        else
            diff_constant(w, k, &w->after->constants[m->to[i]]);
    }
}

/* A program that calls the former name can be served: servers know it. Not the other way round: an older server has not
 * heard of the newer name. */
static void diff_method_name(struct diff_work *w, const struct schema_method *old, const struct schema_method *now)
{
    bool known = now->renamed_from && strcmp(now->renamed_from, old->name) == 0;
    if (strcmp(old->name, now->name) != 0)
        diff_add_as(w, DIFF_METHOD_RENAMED, diff_rule_breaks(DIFF_METHOD_RENAMED) | (known ? 0u : DIFF_WIRE), NULL,
                    &(struct diff_change){.owner = old->name, .now = now->name});
}

static void diff_methods(struct diff_work *w, const struct diff_match *m)
{
    for (uint32_t i = 0; i < w->before->nmethods && !w->failed; i++) {
        const struct schema_method *old = &w->before->methods[i];
        cell_arena_reset(&w->scratch);
        if (m->to[i] == DIFF_NONE) {
            diff_add(w, DIFF_METHOD_REMOVED, &(struct diff_change){.owner = old->name});
            continue;
        }
        diff_method_name(w, old, &w->after->methods[m->to[i]]);
        diff_method(w, old, &w->after->methods[m->to[i]]);
    }
}

/* One that is called otherwise is another one: that its logic is as well goes without saying. */
static void diff_function(struct diff_work *w, const struct schema_function *old, const struct schema_function *now)
{
    if (strcmp(old->name, now->name) != 0)
        diff_add(w, DIFF_FUNCTION_RENAMED, &(struct diff_change){.owner = old->name, .now = now->name});
    if (strcmp(old->signature, now->signature) != 0)
        diff_add(w, DIFF_FUNCTION_RETYPED,
                 &(struct diff_change){.owner = old->name, .before = old->signature, .now = now->signature});
    else if (strcmp(old->logic, now->logic) != 0)
        diff_add(w, DIFF_FUNCTION_LOGIC_CHANGED, &(struct diff_change){.owner = old->name});
}

static void diff_functions(struct diff_work *w, const struct diff_match *m)
{
    for (uint32_t i = 0; i < w->before->nvisible_functions && !w->failed; i++) {
        const struct schema_function *old = &w->before->visible_functions[i];
        if (m->to[i] == DIFF_NONE)
            diff_add(w, DIFF_FUNCTION_REMOVED, &(struct diff_change){.owner = old->name});
        else
            diff_function(w, old, &w->after->visible_functions[m->to[i]]);
    }
}

struct matches {
    struct diff_match constants, methods, functions;
};

static void diff_additions(struct diff_work *w, const struct matches *m)
{
    for (uint32_t i = 0; i < w->after->ntypes; i++)
        if (!cell_schema_type(w->before, w->after->types[i].name))
            diff_add(w, DIFF_TYPE_ADDED, &(struct diff_change){.owner = w->after->types[i].name});
    for (uint32_t i = 0; i < w->after->nconstants; i++)
        if (m->constants.from[i] == DIFF_NONE)
            diff_add(w, DIFF_CONSTANT_ADDED, &(struct diff_change){.owner = w->after->constants[i].name});
    for (uint32_t i = 0; i < w->after->nmethods; i++)
        if (m->methods.from[i] == DIFF_NONE)
            diff_add(w, DIFF_METHOD_ADDED, &(struct diff_change){.owner = w->after->methods[i].name});
    diff_new_capabilities(w);
    for (uint32_t i = 0; i < w->after->nvisible_functions; i++)
        if (m->functions.from[i] == DIFF_NONE)
            diff_add(w, DIFF_FUNCTION_ADDED, &(struct diff_change){.owner = w->after->visible_functions[i].name});
}

static void diff_all(struct diff_work *w)
{
    const struct cell_schema *a = w->before, *b = w->after;
    struct matches m;
    if (!diff_match_entries(w, &w->lasting,
                            DIFF_LISTS(struct schema_constant, a->constants, a->nconstants, b->constants, b->nconstants,
                                       alike_constants),
                            &m.constants) ||
        !diff_match_entries(
            w, &w->lasting,
            DIFF_LISTS(struct schema_method, a->methods, a->nmethods, b->methods, b->nmethods, alike_methods),
            &m.methods) ||
        !diff_match_entries(w, &w->lasting,
                            DIFF_LISTS(struct schema_function, a->visible_functions, a->nvisible_functions,
                                       b->visible_functions, b->nvisible_functions, alike_functions),
                            &m.functions))
        return;
    diff_types(w);
    diff_constants(w, &m.constants);
    diff_methods(w, &m.methods);
    diff_functions(w, &m.functions);
    diff_capabilities(w);
    diff_additions(w, &m);
}

/* "auth" is spoken of as "Auth Cell". */
static const char *display_name(struct diff_work *w)
{
    const char *cell = w->after->cell ? w->after->cell : w->before->cell;
    char *name = cell_arena_printf(&w->diff->arena, "%s Cell", cell ? cell : "this");
    if (name && name[0] >= 'a' && name[0] <= 'z' && cell)
        name[0] = (char)(name[0] - 'a' + 'A');
    return name;
}

static bool compare(struct diff_work *w)
{
    w->cell = display_name(w);
    if (!w->cell)
        return false;
    diff_all(w);
    if (w->failed)
        return false;
    w->diff->changes = cell_arena_array(&w->diff->arena, w->diff->n, sizeof(*w->changes));
    if (!w->diff->changes)
        return false;
    if (w->diff->n)
        memcpy(w->diff->changes, w->changes, w->diff->n * sizeof(*w->changes));
    return true;
}

int cell_diff_new(const struct cell_schema *before, const struct cell_schema *after, struct cell_diff **diff,
                  struct cell_error *e)
{
    if (before->cell && after->cell && strcmp(before->cell, after->cell) != 0)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "schemas of two cells, '%s' and '%s'", before->cell,
                              after->cell);
    struct diff_work w = {.diff = calloc(1, sizeof(*w.diff)), .before = before, .after = after};
    bool done = w.diff && compare(&w);
    free(w.changes);
    cell_arena_free(&w.scratch);
    cell_arena_free(&w.lasting);
    if (!done) {
        cell_diff_free(w.diff);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    *diff = w.diff;
    return CELL_OK;
}

void cell_diff_free(struct cell_diff *d)
{
    if (!d)
        return;
    cell_arena_free(&d->arena);
    free(d);
}

/* Marks the types that are reached from fields or parameters: each is put on the list when it is first met, so that
 * types which hold lists of themselves end it. `list` has room for all. */
static void reach(const struct cell_schema *s, const struct schema_ref *r, bool *seen, uint32_t *list, uint32_t *n)
{
    if (!r->named)
        return;
    uint32_t index = (uint32_t)(r->named - s->types);
    if (seen[index])
        return;
    seen[index] = true;
    list[(*n)++] = index;
}

void diff_reach(const struct cell_schema *s, const struct schema_method *m, bool *seen, uint32_t *list)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->nparams; i++)
        reach(s, &m->params[i].type, seen, list, &n);
    for (uint32_t done = 0; done < n; done++) {
        const struct schema_type *t = &s->types[list[done]];
        for (uint32_t i = 0; i < t->nfields; i++)
            reach(s, &t->fields[i].type, seen, list, &n);
        reach(s, &t->elem, seen, list, &n);
    }
}

/* Types and methods share one scope, so an owner's name tells which it is. */
bool diff_concerns(const struct cell_schema *before, const bool *seen, const char *method, const char *owner)
{
    const struct schema_type *t = cell_schema_type(before, owner);
    return t ? seen[t - before->types] : strcmp(owner, method) == 0;
}

int cell_diff_method(const struct cell_diff *d, const struct cell_schema *before, const char *name,
                     struct cell_buffer *out)
{
    const struct schema_method *m = cell_schema_method(before, name);
    if (!m)
        return CELL_NOT_FOUND;
    if (!(d->breaks & DIFF_WIRE))
        return 0;
    struct cell_arena scratch = {0};
    bool *seen = cell_arena_array(&scratch, before->ntypes, sizeof(*seen));
    uint32_t *list = cell_arena_array(&scratch, before->ntypes, sizeof(*list));
    int n = CELL_NO_MEMORY;
    if (seen && list) {
        diff_reach(before, m, seen, list);
        n = 0;
        for (uint32_t i = 0; i < d->n; i++) {
            const struct diff_change *c = &d->changes[i];
            if (!(c->breaks & DIFF_WIRE) || !diff_concerns(before, seen, name, c->owner))
                continue;
            if (out)
                cell_buffer_printf(out, "%s%s", n ? "; " : "", c->sentence);
            n++;
        }
    }
    cell_arena_free(&scratch);
    return n;
}

const char *cell_diff_method_now(const struct cell_diff *d, const char *name)
{
    for (uint32_t i = 0; i < d->n; i++) {
        const struct diff_change *c = &d->changes[i];
        if (strcmp(c->owner, name) != 0)
            continue;
        if (c->rule == DIFF_METHOD_REMOVED)
            return NULL;
        if (c->rule == DIFF_METHOD_RENAMED)
            return c->now;
    }
    return name;
}
