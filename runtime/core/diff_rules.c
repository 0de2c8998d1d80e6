/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How the rules of a field or parameter changed: by the values that they let through. */
#include <string.h>

#include "core/diff_impl.h"
#include "core/rule.h"

/* The rule of that name; NULL = the field has none. */
static const struct schema_rule *find_rule(const struct schema_field *f, const char *name)
{
    for (uint32_t i = 0; i < f->nrules; i++)
        if (strcmp(f->rules[i].name, name) == 0)
            return &f->rules[i];
    return NULL;
}

/* "range 0 to 150", "pattern [a-z]+" */
static const char *rule_text(struct diff_work *w, const struct schema_rule *rule)
{
    const char *text = rule->nargs == 1
                           ? cell_arena_printf(&w->scratch, "%s %s", rule->name, rule->args[0])
                           : cell_arena_printf(&w->scratch, "%s %s to %s", rule->name, rule->args[0], rule->args[1]);
    w->failed |= !text;
    return text;
}

static enum diff_rule changed_rule(struct diff_work *w, const struct schema_field *before,
                                   const struct schema_rule *old, const struct schema_field *after,
                                   const struct schema_rule *now)
{
    struct cell_rule was, is;
    struct rule_mistake wrong;
    enum pattern_relation relation = PATTERN_OTHER;
    int r = cell_rule_read(old, &before->type, &w->scratch, NULL, &was, &wrong);
    if (r == CELL_OK)
        r = cell_rule_read(now, &after->type, &w->scratch, NULL, &is, &wrong);
    if (r == CELL_OK)
        r = cell_rule_compare(&is, &was, &relation);
    w->failed |= r == CELL_NO_MEMORY;
    switch (relation) {
    case PATTERN_SAME:
        return DIFF_RULE_SAME;
    case PATTERN_NARROWER:
        return DIFF_RULE_TIGHTENED;
    case PATTERN_WIDER:
        return DIFF_RULE_LOOSENED;
    default:
        return DIFF_RULE_CHANGED;
    }
}

static bool same_arguments(const struct schema_rule *a, const struct schema_rule *b)
{
    bool same = a->nargs == b->nargs;
    for (uint32_t i = 0; same && i < a->nargs; i++)
        same = strcmp(a->args[i], b->args[i]) == 0;
    return same;
}

void diff_rules(struct diff_work *w, const char *owner, const struct schema_field *before,
                const struct schema_field *after)
{
    static const char *const names[] = {"range", "length", "pattern", "rule"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct schema_rule *old = find_rule(before, names[i]), *now = find_rule(after, names[i]);
        struct diff_change c = {.owner = owner, .member = before->name};
        if ((!old && !now) || (old && now && same_arguments(old, now)))
            continue;
        c.before = old ? rule_text(w, old) : NULL;
        c.now = now ? rule_text(w, now) : NULL;
        enum diff_rule rule = !old   ? DIFF_RULE_ADDED
                              : !now ? DIFF_RULE_REMOVED
                                     : changed_rule(w, before, old, after, now);
        if (!w->failed)
            diff_add(w, rule, &c);
    }
}
