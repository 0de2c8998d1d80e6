/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a new schema does to a program, from what it uses. */
#include <stdlib.h>
#include <string.h>

#include "core/diff_impl.h"
#include "core/schema_impl.h"
#include "core/uses.h"

struct check {
    const struct cell_uses *u;
    const struct cell_diff *diff;
    const struct cell_schema *old;
    struct cell_arena *arena;
    const struct use **mine; /* of this cell and schema */
    uint32_t nmine;
    bool *at;         /* which of them the change at hand concerns */
    uint32_t *method; /* which method of the old schema each of them is a call of; DIFF_NONE */
    bool **reached;   /* by method: the types that it reaches; NULL for one that is not called */
};

static bool is_field(const struct use *use, const char *owner, const char *member)
{
    size_t len = strlen(owner);
    return use->kind == USE_FIELD && strncmp(use->name, owner, len) == 0 && use->name[len] == '.' &&
           (!member || strcmp(use->name + len + 1, member) == 0);
}

/* A use of capability `owner`; with `member` one of that parameter. */
static bool is_capability(const struct use *use, const char *owner, const char *member)
{
    size_t len = strlen(owner);
    if ((use->kind != USE_CAPABILITY && use->kind != USE_REQUIREMENT) || strncmp(use->name, owner, len) != 0)
        return false;
    return member ? use->name[len] == '.' && strcmp(use->name + len + 1, member) == 0
                  : use->name[len] == '\0' || use->name[len] == '.';
}

static const struct schema_method *called(const struct check *c, const struct use *use)
{
    return use->kind == USE_METHOD ? cell_schema_method_of(c->old, use->name) : NULL;
}

/* A method that the old schema served itself, with the capability. */
static bool needs(const struct check *c, const struct use *use, const char *capability)
{
    const struct schema_method *m = called(c, use);
    for (uint32_t i = 0; m && i < m->nneeds; i++)
        if (strcmp(m->needs[i], capability) == 0)
            return !cell_schema_lacks(c->old, m);
    return false;
}

/* Whether the use names what changed. */
static bool names(const struct check *c, const struct use *use, const struct diff_change *change)
{
    const struct schema_method *m;
    switch (change->rule) {
    case DIFF_CONSTANT_REMOVED:
    case DIFF_CONSTANT_RENAMED:
    case DIFF_CONSTANT_CHANGED:
    case DIFF_CONSTANT_RETYPED:
        return use->kind == USE_VALUE && strcmp(use->name, change->owner) == 0;
    case DIFF_ENUM_VALUE_REMOVED:
    case DIFF_ENUM_VALUE_RENAMED:
    case DIFF_ENUM_VALUE_CHANGED:
        return use->kind == USE_VALUE && strcmp(use->name, change->member) == 0;
    case DIFF_METHOD_REMOVED:
    case DIFF_METHOD_RENAMED:
    case DIFF_PARAM_ADDED:
    case DIFF_PARAM_REMOVED:
    case DIFF_PARAM_CHANGED:
    case DIFF_NEEDS_CHANGED:
    case DIFF_FALLBACK_CHANGED:
        m = called(c, use);
        return m && strcmp(m->name, change->owner) == 0;
    case DIFF_CAPABILITY_REMOVED:
    case DIFF_CAPABILITY_LOST:
        return is_capability(use, change->owner, NULL) || needs(c, use, change->owner);
    case DIFF_CAPABILITY_PARAM_REMOVED:
    case DIFF_CAPABILITY_PARAM_CHANGED:
        return is_capability(use, change->owner, change->member);
    case DIFF_FUNCTION_REMOVED:
    case DIFF_FUNCTION_RENAMED:
    case DIFF_FUNCTION_RETYPED:
    case DIFF_FUNCTION_LOGIC_CHANGED:
        return use->kind == USE_FUNCTION && strcmp(use->name, change->owner) == 0;
    case DIFF_TYPE_REMOVED:
    case DIFF_TYPE_KIND_CHANGED:
        return is_field(use, change->owner, NULL);
    case DIFF_RULE_ADDED:
    case DIFF_RULE_TIGHTENED:
    case DIFF_RULE_CHANGED:
        m = use->kind == USE_METHOD ? cell_schema_method_of(c->old, use->name) : NULL;
        return (m && strcmp(m->name, change->owner) == 0) || is_field(use, change->owner, change->member);
    default:
        return (diff_rule_retyped(change->rule) || change->rule == DIFF_FIELD_REMOVED ||
                change->rule == DIFF_FIELD_RENAMED) &&
               is_field(use, change->owner, change->member);
    }
}

/* A number or an enumerator's type: one converts to any other without a word of the compiler. */
static bool is_scalar(const struct cell_schema *s, const char *type)
{
    enum cell_kind kind = cell_use_builtin(type, strlen(type));
    const struct schema_type *named = cell_schema_type(s, type);
    return (kind >= CELL_KIND_BOOL && kind <= CELL_KIND_F64) || (named && named->kind == CELL_KIND_ENUM);
}

/* A program adapts to a capability that is gone, unless it requires it or calls a method that has no fallback. */
static bool breaks_without(const struct check *c)
{
    for (uint32_t i = 0; i < c->nmine; i++)
        if (c->at[i] && (c->mine[i]->kind == USE_REQUIREMENT ||
                         (c->mine[i]->kind == USE_METHOD && !called(c, c->mine[i])->fallback)))
            return true;
    return false;
}

/* Whether a program that uses it by name does not compile any more. */
static bool breaks_compilation(const struct check *c, const struct diff_change *change)
{
    const struct cell_schema *old = c->old;
    switch (change->rule) {
    case DIFF_FIELD_REMOVED:
    case DIFF_FIELD_RENAMED:
    case DIFF_TYPE_REMOVED:
    case DIFF_TYPE_KIND_CHANGED:
    case DIFF_ENUM_VALUE_REMOVED:
    case DIFF_ENUM_VALUE_RENAMED:
    case DIFF_METHOD_REMOVED:
    case DIFF_METHOD_RENAMED:
    case DIFF_PARAM_ADDED:
    case DIFF_PARAM_REMOVED:
    case DIFF_CONSTANT_REMOVED:
    case DIFF_CONSTANT_RENAMED:
    case DIFF_CAPABILITY_REMOVED:
    case DIFF_CAPABILITY_PARAM_REMOVED:
    case DIFF_FUNCTION_REMOVED:
    case DIFF_FUNCTION_RENAMED:
    case DIFF_FUNCTION_RETYPED:
        return true;
    case DIFF_CAPABILITY_LOST:
        return breaks_without(c);
    case DIFF_NEEDS_CHANGED:
    case DIFF_FALLBACK_CHANGED:
    case DIFF_PARAM_CHANGED:
        return (change->breaks & DIFF_SOURCE) != 0;
    default:
        return diff_rule_retyped(change->rule) && !(is_scalar(old, change->before) && is_scalar(old, change->now));
    }
}

/* Marks the uses of methods that the change keeps from being called. */
static bool mark_refused(struct check *c, const struct diff_change *change)
{
    bool any = false;
    for (uint32_t i = 0; i < c->nmine && (change->breaks & DIFF_WIRE); i++) {
        uint32_t m = c->method[i];
        if (m != DIFF_NONE && diff_concerns(c->old, c->reached[m], c->old->methods[m].name, change->owner)) {
            c->at[i] = true;
            any = true;
        }
    }
    return any;
}

/* Whoever was built for what the cell no longer can do is refused when it connects. */
static bool is_refused_whole(const struct diff_change *change)
{
    return change->rule == DIFF_CAPABILITY_REMOVED || change->rule == DIFF_CAPABILITY_LOST;
}

static bool mark_named(struct check *c, const struct diff_change *change)
{
    bool any = false;
    for (uint32_t i = 0; i < c->nmine; i++)
        if (names(c, c->mine[i], change)) {
            c->at[i] = true;
            any = true;
        }
    return any;
}

static int compare_places(const void *x, const void *y)
{
    const struct use *a, *b;
    memcpy(&a, x, sizeof(a));
    memcpy(&b, y, sizeof(b));
    int r = strcmp(a->file, b->file);
    return r ? r : (a->line > b->line) - (a->line < b->line);
}

/* The marked places, each once: a line may use several things. */
static bool collect(struct check *c, struct use_break *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->nmine; i++)
        n += c->at[i];
    b->at = cell_arena_array(c->arena, n, sizeof(*b->at));
    if (!b->at)
        return false;
    n = 0;
    for (uint32_t i = 0; i < c->nmine; i++)
        if (c->at[i])
            b->at[n++] = c->mine[i];
    if (n > 1)
        qsort(b->at, n, sizeof(*b->at), compare_places);
    for (uint32_t i = 0; i < n; i++)
        if (b->nat == 0 || compare_places(&b->at[b->nat - 1], &b->at[i]) != 0)
            b->at[b->nat++] = b->at[i];
    return true;
}

static bool select_mine(struct check *c, const char *cell, const char *fingerprint)
{
    c->mine = cell_arena_array(c->arena, c->u->n, sizeof(*c->mine));
    c->at = cell_arena_array(c->arena, c->u->n, sizeof(*c->at));
    if (!c->mine || !c->at)
        return false;
    for (uint32_t i = 0; i < c->u->n; i++)
        if (strcmp(c->u->uses[i].cell, cell) == 0 && strcmp(c->u->uses[i].fingerprint, fingerprint) == 0)
            c->mine[c->nmine++] = &c->u->uses[i];
    return true;
}

/* Once a method that is called, not once a call and change. */
static bool find_reached(struct check *c)
{
    uint32_t *list = cell_arena_array(c->arena, c->old->ntypes, sizeof(*list));
    c->method = cell_arena_array(c->arena, c->nmine, sizeof(*c->method));
    c->reached = cell_arena_array(c->arena, c->old->nmethods, sizeof(*c->reached));
    if (!list || !c->method || !c->reached)
        return false;
    for (uint32_t i = 0; i < c->nmine; i++) {
        const struct schema_method *m =
            c->mine[i]->kind == USE_METHOD ? cell_schema_method_of(c->old, c->mine[i]->name) : NULL;
        c->method[i] = m ? (uint32_t)(m - c->old->methods) : DIFF_NONE;
        if (!m || c->reached[c->method[i]])
            continue;
        bool *seen = cell_arena_array(c->arena, c->old->ntypes, sizeof(*seen));
        if (!seen)
            return false;
        diff_reach(c->old, m, seen, list);
        c->reached[c->method[i]] = seen;
    }
    return true;
}

int cell_uses_check(const struct cell_uses *u, const char *cell, const char *fingerprint, const struct cell_diff *diff,
                    const struct cell_schema *old, struct cell_arena *arena, struct use_break **breaks, uint32_t *n)
{
    struct check c = {.u = u, .diff = diff, .old = old, .arena = arena};
    struct use_break *found = cell_arena_array(arena, diff->n, sizeof(*found));
    uint32_t nfound = 0;
    if (!found || !select_mine(&c, cell, fingerprint) || !find_reached(&c))
        return CELL_NO_MEMORY;
    for (uint32_t i = 0; i < diff->n; i++) {
        const struct diff_change *change = &diff->changes[i];
        memset(c.at, 0, c.nmine * sizeof(*c.at));
        bool named = mark_named(&c, change), refused = mark_refused(&c, change);
        if (!named && !refused)
            continue;
        struct use_break *b = &found[nfound++];
        *b = (struct use_break){.change = change,
                                .compile = named && breaks_compilation(&c, change),
                                .running = refused || (named && is_refused_whole(change))};
        if (!collect(&c, b))
            return CELL_NO_MEMORY;
    }
    *breaks = found;
    *n = nfound;
    return CELL_OK;
}
