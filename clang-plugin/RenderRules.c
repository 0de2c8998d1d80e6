/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules of fields and parameters: the tables that the library checks them by, and the attributes by which Clang refuses
 * constants that break them. */
#include <stdio.h>
#include <string.h>

#include "RenderText.h"
#include "core/rule.h"
#include "wire/rules.h"

#define LINE_BYTES 100u /* of a table on a line */

struct rules {
    struct cell_rule rule[CELL_RULE_MOST];
    uint32_t n;
};

/* Rules that were checked when the schema was read or made. */
static bool read_rules(struct render *r, const struct schema_field *f, struct cell_arena *arena, struct rules *rules)
{
    struct rule_mistake wrong;
    uint32_t which;
    bool good = cell_rule_read_all(f, arena, NULL, rules->rule, &rules->n, &which, &wrong) == CELL_OK;
    uint32_t kept = 0;
    r->out->failed |= !good;
    for (uint32_t i = 0; good && i < rules->n; i++)
        if (rules->rule[i].kind != CELL_RULE_FUNCTION || render_has_function(r, rules->rule[i].function->name))
            rules->rule[kept++] = rules->rule[i];
    rules->n = kept;
    return good;
}

static uint32_t count_rules(const struct render *r, const struct schema_field *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->nrules; i++) {
        enum cell_rule_kind kind = cell_rule_named(f->rules[i].name);
        n += kind == CELL_RULE_FUNCTION ? render_has_function(r, f->rules[i].args[0]) : kind != CELL_RULE_END;
    }
    return n;
}

static void render_owner(struct render *r, const struct rule_owner *o, const char *what)
{
    if (o->type)
        render_described_name(r, o->type, what);
    else
        render_printf(r, "cellgen_%s_%s", o->method->name, what);
}

static void render_table(struct render *r, const struct rule_owner *o, const char *what, uint32_t number,
                         const unsigned char *bytes, size_t n)
{
    render_put(r, "static const unsigned char ");
    render_owner(r, o, what);
    render_printf(r, "_%u[] = \"", number);
    for (size_t i = 0; i < n; i++) {
        if (i && i % LINE_BYTES == 0)
            render_put(r, "\"\n    \"");
        render_literal_byte(r, bytes[i], true);
    }
    render_put(r, "\";\n");
}

static void render_pattern(struct render *r, const struct rule_owner *o, uint32_t number, const struct cell_pattern *p)
{
    render_table(r, o, "classes", number, p->classes, 256);
    render_table(r, o, "next", number, p->next, (size_t)p->nstates * p->nclasses * (p->wide ? 2 : 1));
    render_printf(r, "static const struct %scell_pattern ", r->scope);
    render_owner(r, o, "pattern");
    render_printf(r, "_%u = {", number);
    render_string(r, p->text);
    render_put(r, ", ");
    render_owner(r, o, "classes");
    render_printf(r, "_%u, ", number);
    render_owner(r, o, "next");
    render_printf(r, "_%u, %u, %u, %u, %u, %u};\n", number, p->nclasses, p->nstates, p->start, p->accepting, p->wide);
}

static void render_rule(struct render *r, const struct rule_owner *o, uint32_t number, const struct cell_rule *rule)
{
    render_printf(r, "    {%u, 0, %lluu, %lluu, ", rule->kind, (unsigned long long)rule->low,
                  (unsigned long long)rule->high);
    if (rule->pattern) {
        render_put(r, "&");
        render_owner(r, o, "pattern");
        render_printf(r, "_%u, ", number);
    } else {
        render_put(r, "0, ");
    }
    if (rule->message)
        render_string(r, rule->message);
    else
        render_put(r, "0");
    if (rule->function)
        render_printf(r, ", &cellgen_%s__rule},\n", rule->function->name);
    else
        render_put(r, ", 0},\n");
}

void render_rules(struct render *r, const struct rule_owner *o)
{
    uint32_t all = 0, number = 0;
    struct cell_arena arena = {0};
    for (uint32_t i = 0; i < o->n; i++)
        all += count_rules(r, &o->fields[i]);
    struct rules *rules = all ? cell_arena_array(&arena, o->n, sizeof(*rules)) : NULL;
    r->out->failed |= all && !rules;
    for (uint32_t i = 0; rules && i < o->n; i++) {
        if (!read_rules(r, &o->fields[i], &arena, &rules[i]))
            break;
        for (uint32_t k = 0; k < rules[i].n; k++, number++)
            if (rules[i].rule[k].pattern)
                render_pattern(r, o, number, rules[i].rule[k].pattern);
    }
    if (rules && !r->out->failed) {
        render_printf(r, "static const struct %scell_rule ", r->scope);
        render_owner(r, o, "rules");
        render_put(r, "[] = {\n");
        number = 0;
        for (uint32_t i = 0; i < o->n; i++) {
            for (uint32_t k = 0; k < rules[i].n; k++)
                render_rule(r, o, number++, &rules[i].rule[k]);
            if (rules[i].n)
                render_put(r, "    {0, 0, 0, 0, 0, 0, 0},\n");
        }
        render_put(r, "};\n");
    }
    cell_arena_free(&arena);
}

void render_rules_of(struct render *r, const struct rule_owner *o, uint32_t index)
{
    uint32_t before = 0;
    if (!count_rules(r, &o->fields[index])) {
        render_put(r, "0");
        return;
    }
    for (uint32_t i = 0; i < index; i++) {
        uint32_t n = count_rules(r, &o->fields[i]);
        before += n ? n + 1 : 0;
    }
    render_owner(r, o, "rules");
    render_printf(r, " + %u", before);
}

/* ---- constants ---- */

/* One way in which an argument can break a rule, and what its value is called. */
struct refusing {
    struct render *r;
    const struct schema_field *param;
    const char *value; /* "age.value" */
    const struct cell_rule *rule;
    uint32_t kind; /* of the value */
    bool any;      /* the condition has begun */
};

static void begin_condition(struct refusing *f)
{
    render_put(f->r, f->any ? " || " : "");
    f->any = true;
}

static void render_real(struct render *r, uint64_t bits)
{
    double value;
    char text[40];
    memcpy(&value, &bits, sizeof(value));
    snprintf(text, sizeof(text), "%.17g", value);
    for (char *p = text; *p; p++)
        *p = strchr("0123456789+-e", *p) ? *p : '.'; /* whatever the locale has for a point */
    render_printf(r, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void render_range(struct refusing *f)
{
    const struct cell_rule *rule = f->rule;
    struct render *r = f->r;
    char low[32], high[32];
    bool no_low, no_high;
    if (rule->kind == CELL_RULE_REAL) { /* NaN is refused as well */
        begin_condition(f);
        render_printf(r, "!(%s >= ", f->value);
        render_real(r, rule->low);
        render_printf(r, " && %s <= ", f->value);
        render_real(r, rule->high);
        render_put(r, ")");
        return;
    }
    bool is_signed = rule->kind == CELL_RULE_SIGNED;
    snprintf(low, sizeof(low), is_signed ? "%lld" : "%llu", (long long)rule->low);
    snprintf(high, sizeof(high), is_signed ? "%lld" : "%llu", (long long)rule->high);
    cell_rule_open_ends(rule, f->kind, &no_low, &no_high);
    if (!no_low) {
        begin_condition(f);
        render_printf(r, "%s < ", f->value);
        render_integer(r, low);
    }
    if (!no_high) {
        begin_condition(f);
        render_printf(r, "%s > ", f->value);
        render_integer(r, high);
    }
}

/* A character is 1 to 4 bytes. */
static void render_length(struct refusing *f)
{
    uint64_t high = f->rule->high;
    if (f->kind == CELL_KIND_STR)
        high = high > UINT64_MAX / 4 ? UINT64_MAX : 4 * high;
    if (f->rule->low) {
        begin_condition(f);
        render_printf(f->r, "%s.len < %lluu", f->value, (unsigned long long)f->rule->low);
    }
    if (high != UINT64_MAX) {
        begin_condition(f);
        render_printf(f->r, "%s.len > %lluu", f->value, (unsigned long long)high);
    }
}

/* Nothing runs an automaton in a constant expression of C; these are what all texts that match have in common. */
static void render_match(struct refusing *f)
{
    struct pattern_facts facts;
    if (cell_pattern_facts(f->rule->pattern, &facts) < 0) {
        f->r->out->failed = true;
        return;
    }
    if (facts.least) {
        begin_condition(f);
        render_printf(f->r, "%s.len < %uu", f->value, facts.least);
    }
    if (facts.most != UINT32_MAX) {
        begin_condition(f);
        render_printf(f->r, "%s.len > %uu", f->value, facts.most);
    }
    for (uint32_t i = 0; i < facts.nneeded; i++) {
        begin_condition(f);
        render_printf(f->r, "!__builtin_memchr(%s.ptr, %d, %s.len)", f->value, facts.needed[i], f->value);
    }
}

static void render_text(struct refusing *f)
{
    char says[CELL_RULE_TEXT], text[CELL_RULE_TEXT + 160];
    cell_rule_says(f->rule, f->kind, says);
    snprintf(text, sizeof(text), "%s %s", f->param->name, says);
    render_string(f->r, f->rule->message ? f->rule->message : text);
}

static void render_refusal(struct refusing *f)
{
    struct render *r = f->r;
    struct cell_buffer condition = {0}, *out = r->out;
    r->out = &condition;
    if (f->rule->kind == CELL_RULE_LENGTH)
        render_length(f);
    else if (f->rule->kind == CELL_RULE_PATTERN)
        render_match(f);
    else
        render_range(f);
    r->out = out;
    out->failed |= condition.failed;
    if (condition.len) {
        const char *absent = f->param->type.kind == CELL_KIND_OPT ? f->param->name : NULL;
        render_put(r, r->plain ? "\n    CELL_REFUSE_IF(" : "\n    __attribute__((diagnose_if(");
        render_printf(r, absent ? "%s.has && (%s), " : "%s%s, ", absent ? absent : "", condition.data);
        render_text(f);
        render_put(r, r->plain ? ")" : ", \"error\")))");
    }
    cell_buffer_free(&condition);
}

void render_refusals(struct render *r, const struct schema_method *m)
{
    struct cell_arena arena = {0};
    for (uint32_t i = 0; i < m->nparams; i++) {
        const struct schema_field *p = &m->params[i];
        struct rules rules = {.n = 0};
        char value[160];
        if (!cell_param_goes_in(p) || p->by_pointer || !count_rules(r, p) || !read_rules(r, p, &arena, &rules))
            continue;
        snprintf(value, sizeof(value), "%s%s", p->name, p->type.kind == CELL_KIND_OPT ? ".value" : "");
        for (uint32_t k = 0; k < rules.n; k++) {
            struct refusing f = {r, p, value, &rules.rule[k], 0, false};
            f.kind = cell_rule_value_kind(&p->type, rules.rule[k].kind);
            if (f.rule->kind == CELL_RULE_FUNCTION) /* no constant expression of C calls one: RuleConstants.cpp */
                continue;
            if (p->type.kind != CELL_KIND_LIST || rules.rule[k].kind == CELL_RULE_LENGTH)
                render_refusal(&f);
        }
    }
    cell_arena_free(&arena);
}
