/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules of fields and parameters in a schema: what schema_check.c asks of each. */
#include "core/rule.h"
#include "core/schema_impl.h"

static struct json_at member(const struct json_at *of, const char *key)
{
    return (struct json_at){.parent = of, .key = key, .status = of->status};
}

static struct json_at element(const struct json_at *of, size_t index)
{
    return (struct json_at){.parent = of, .index = index, .status = of->status};
}

/* What is wrong with the meaning of a rule, at its argument. */
static int fail_rule(const struct json_at *rule, const struct rule_mistake *wrong, struct cell_error *e)
{
    const struct json_at args = member(rule, "args");
    if (wrong->argument < 0)
        return cell_json_fail(rule, NULL, e, "%s", wrong->text);
    const struct json_at arg = element(&args, (size_t)wrong->argument);
    if (wrong->has_at)
        return cell_json_fail(&arg, NULL, e, "at byte %zu of the pattern: %s", wrong->at, wrong->text);
    return cell_json_fail(&arg, NULL, e, "%s", wrong->text);
}

static int check_texts(const struct json_at *at, const struct schema_rule *rule, struct cell_error *e)
{
    const struct json_at args = member(at, "args");
    int r = cell_check_name(at, "rule", rule->name, NAME_WORD, e);
    for (uint32_t i = 0; r == CELL_OK && i < rule->nargs; i++) {
        const struct json_at arg = element(&args, i);
        r = cell_check_text(&arg, NULL, rule->args[i], false, e);
    }
    return r == CELL_OK && rule->message ? cell_check_text(at, "message", rule->message, false, e) : r;
}

/* That the functions are there which rules name, and can be given the field's values. */
static int check_functions(const struct cell_schema *s, const struct json_at *rules, const struct schema_field *f,
                           struct cell_error *e)
{
    char type[256];
    for (uint32_t i = 0; i < f->nrules && !s->functions_follow; i++) {
        if (cell_rule_named(f->rules[i].name) != CELL_RULE_FUNCTION)
            continue;
        const struct json_at rule = element(rules, i), args = member(&rule, "args"), arg = element(&args, 0);
        const struct schema_function *function = cell_schema_function(s, f->rules[i].args[0]);
        const struct schema_ref value = cell_rule_value_type(&f->type);
        if (!function)
            return cell_json_fail(&arg, NULL, e, "there is no function '%s'", f->rules[i].args[0]);
        cell_schema_ref_format(&value, type, sizeof(type));
        if (!cell_rule_takes(function, &value))
            return cell_json_fail(&arg, NULL, e, "'%s' is not a function bool(%s)", f->rules[i].args[0], type);
    }
    return CELL_OK;
}

int cell_check_field_rules(const struct cell_schema *s, const struct json_at *field, const struct schema_field *f,
                           struct cell_arena *scratch, uint64_t *steps, struct cell_error *e)
{
    const struct json_at rules = member(field, "rules");
    struct cell_rule meanings[CELL_RULE_MOST];
    struct rule_mistake wrong;
    uint32_t n = 0, which = 0;
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < f->nrules; i++) {
        const struct json_at rule = element(&rules, i);
        r = check_texts(&rule, &f->rules[i], e);
        if (r == CELL_OK && f->out && !f->inout && cell_rule_named(f->rules[i].name))
            r = cell_json_fail(&rule, NULL, e, "rule '%s' is for what goes in", f->rules[i].name);
    }
    if (r < 0 || f->nrules == 0)
        return r;
    r = cell_rule_read_all(f, scratch, steps, meanings, &n, &which, &wrong);
    const struct json_at rule = element(&rules, which);
    cell_arena_reset(scratch);
    if (r == CELL_INVALID_ARGUMENT)
        return fail_rule(&rule, &wrong, e);
    return r < 0 ? cell_error_set(e, r, "schema: out of memory") : check_functions(s, &rules, f, e);
}
