/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements: names and their scopes, types, loops, and what a function costs at worst in time and memory. */
#include <stdlib.h>
#include <string.h>

#include "core/ast_impl.h"

#define FRAME_BYTES 128u /* of a call, beside the variables */

static int verify_block(struct ast_scope *s, struct ast_node *n);

static uint64_t saturating_product(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t saturating_sum(uint64_t a, uint64_t b) { return a + b < a ? UINT64_MAX : a + b; }

/* Makes the name of a new variable visible. */
static int declare(struct ast_scope *s, const struct ast_node *n, const char *name, const struct schema_ref *type,
                   int origin, uint32_t *ref)
{
    struct ast_function *f = s->c->f;
    bool taken = cell_ast_function(s->c->doc, name) || cell_schema_type(s->c->doc->types, name);
    for (uint32_t i = 0; i < s->c->doc->ntables; i++)
        taken = taken || strcmp(s->c->doc->tables[i].name, name) == 0;
    for (uint32_t i = 0; i < s->nvisible; i++)
        taken = taken || strcmp(f->variables[s->visible[i]].name, name) == 0;
    if (taken)
        return cell_ast_refuse(s->c, n, "the name '%s' is taken", name);
    if (f->nvariables >= s->c->limits.variables)
        return cell_ast_too_large(s->c, n, "more than %u variables", s->c->limits.variables);
    if (f->nvariables == s->room) {
        uint32_t room = s->room ? s->room * 2 : 16;
        struct ast_variable *more = cell_arena_array(&s->c->doc->arena, room, sizeof(*more));
        uint32_t *visible = realloc(s->visible, room * sizeof(*visible));
        s->visible = visible ? visible : s->visible;
        if (!more || !visible)
            return cell_ast_no_memory(s->c);
        if (f->nvariables)
            memcpy(more, f->variables, f->nvariables * sizeof(*more));
        f->variables = more;
        s->room = room;
    }
    struct ast_variable *v = &f->variables[f->nvariables];
    *v = (struct ast_variable){.name = name, .type = *type, .bytes = cell_schema_use_size(type)};
    v->origin = origin == AST_IN ? AST_IN : origin == AST_OUT ? AST_OUT : origin == AST_LOCAL ? AST_LOCAL : AST_COUNTER;
    s->bytes += v->bytes;
    s->cost = saturating_sum(s->cost, 1 + v->bytes / 8);
    s->visible[s->nvisible++] = f->nvariables;
    *ref = f->nvariables++;
    return CELL_OK;
}

static int verify_value(struct ast_scope *s, struct ast_node *n, struct ast_node *value, const struct schema_ref *type)
{
    char got[AST_TYPE_TEXT], right[AST_TYPE_TEXT];
    int r = cell_ast_verify_expression(s, value);
    if (r < 0)
        return r;
    if (value->type.count)
        return cell_ast_refuse(s->c, n, "arrays are assigned one element at a time");
    if (!cell_ast_same_type(&value->type, type))
        return cell_ast_refuse(s->c, n, "the value is of type %s, %s is expected",
                               cell_ast_type_text(&value->type, got, sizeof(got)),
                               cell_ast_type_text(type, right, sizeof(right)));
    return CELL_OK;
}

static int verify_let(struct ast_scope *s, struct ast_node *n)
{
    struct schema_ref type = n->type;
    int r = n->nargs ? verify_value(s, n, n->args[0], &type) : CELL_OK;
    n->type = (struct schema_ref){0};
    return r < 0 ? r : declare(s, n, n->name, &type, AST_LOCAL, &n->ref);
}

static int verify_assign(struct ast_scope *s, struct ast_node *n)
{
    int r = cell_ast_verify_place(s, n->args[0]);
    if (r == CELL_OK)
        r = verify_value(s, n, n->args[1], &n->args[0]->type);
    s->cost = saturating_sum(s->cost, cell_schema_use_size(&n->args[0]->type) / 8);
    return r;
}

static int verify_if(struct ast_scope *s, struct ast_node *n)
{
    int r = CELL_OK;
    for (uint32_t i = 0; i < n->nargs && r == CELL_OK; i++) {
        struct ast_node *part = n->args[i];
        if (part->op == AST_BLOCK) {
            r = verify_block(s, part);
        } else {
            r = cell_ast_verify_expression(s, part);
            if (r == CELL_OK && (part->type.kind != CELL_KIND_BOOL || part->type.count))
                return cell_ast_refuse(s->c, n, "a condition is a bool");
        }
    }
    return r;
}

static int compare_labels(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static bool label_fits(int64_t label, enum cell_kind kind)
{
    const unsigned width = cell_ast_width(kind);
    if (!cell_ast_is_signed(kind))
        return label >= 0 && (width == 64 || label < INT64_C(1) << width);
    return width == 64 || (label >= -(INT64_C(1) << (width - 1)) && label < INT64_C(1) << (width - 1));
}

static int verify_labels(struct ast_scope *s, const struct ast_node *n)
{
    size_t count = 0;
    int r = CELL_OK;
    for (uint32_t i = 1; i < n->nargs; i++)
        count += n->args[i]->nlabels;
    int64_t *all = malloc((count + 1) * sizeof(*all));
    if (!all)
        return cell_ast_no_memory(s->c);
    count = 0;
    for (uint32_t i = 1; i < n->nargs && r == CELL_OK; i++) {
        const struct ast_node *one = n->args[i];
        if (!one->nlabels && i + 1 < n->nargs)
            r = cell_ast_refuse(s->c, one, "the default, which has no labels, comes last");
        for (uint32_t k = 0; k < one->nlabels && r == CELL_OK; k++) {
            if (!label_fits(one->labels[k], cell_ast_scalar(&n->args[0]->type)))
                r = cell_ast_refuse(s->c, one, "the value is never %lld", (long long)one->labels[k]);
            all[count++] = one->labels[k];
        }
    }
    qsort(all, count, sizeof(*all), compare_labels);
    for (size_t i = 1; i < count && r == CELL_OK; i++)
        if (all[i] == all[i - 1])
            r = cell_ast_refuse(s->c, n, "the label %lld is there twice", (long long)all[i]);
    free(all);
    return r;
}

static int verify_switch(struct ast_scope *s, struct ast_node *n)
{
    int r = cell_ast_verify_expression(s, n->args[0]);
    if (r < 0)
        return r;
    if (n->args[0]->type.count || !cell_kind_is_integer(cell_ast_scalar(&n->args[0]->type)))
        return cell_ast_refuse(s->c, n, "a switch is over an integer");
    r = verify_labels(s, n);
    s->exits++;
    for (uint32_t i = 1; i < n->nargs && r == CELL_OK; i++)
        r = verify_block(s, n->args[i]->args[0]);
    s->exits--;
    return r;
}

/* The body of a loop, `bound` times. */
static int verify_body(struct ast_scope *s, struct ast_node *body, uint64_t bound)
{
    const uint64_t before = s->cost;
    s->cost = 2;
    s->loops++;
    s->exits++;
    int r = verify_block(s, body);
    s->loops--;
    s->exits--;
    s->cost = saturating_sum(before, saturating_product(s->cost, bound));
    return r;
}

static int verify_counted(struct ast_scope *s, struct ast_node *n)
{
    const uint32_t visible = s->nvisible;
    int r = CELL_OK;
    for (uint32_t i = 0; i < 2 && r == CELL_OK; i++)
        r = cell_ast_verify_expression(s, n->args[i]);
    if (r < 0)
        return r;
    const struct schema_ref type = {.kind = cell_ast_scalar(&n->args[0]->type)};
    if (n->args[0]->type.count || !cell_kind_is_integer(type.kind) || n->args[1]->type.count ||
        cell_ast_scalar(&n->args[1]->type) != type.kind)
        return cell_ast_refuse(s->c, n, "a loop counts between two integers of one type");
    r = declare(s, n, n->name, &type, AST_COUNTER, &n->ref);
    if (r == CELL_OK)
        r = verify_body(s, n->args[2], n->bound);
    s->nvisible = visible;
    return r;
}

static int verify_return(struct ast_scope *s, struct ast_node *n)
{
    const struct ast_function *f = s->c->f;
    if (f->status && n->nargs)
        return cell_ast_refuse(s->c, n, "a function with a status returns no value");
    if (f->status) { /* its text is as long as there are outputs to write */
        s->c->doc->nodes += f->nparams;
        return s->c->doc->nodes <= s->c->limits.nodes
                   ? CELL_OK
                   : cell_ast_too_large(s->c, n, "the functions have more than %u nodes", s->c->limits.nodes);
    }
    if (!n->nargs)
        return cell_ast_refuse(s->c, n, "a value is to be returned");
    return verify_value(s, n, n->args[0], &f->returns);
}

/* What a status can come from, and where it can go. */
static int verify_try(struct ast_scope *s, struct ast_node *n)
{
    const uint32_t first = n->op == AST_STATUS;
    int r = cell_ast_find_function(s, n);
    if (r < 0)
        return r;
    if (!s->c->doc->functions[n->ref].status)
        return cell_ast_refuse(s->c, n, "'%s' returns no status: it is called in an expression", n->name);
    if (!first && !s->c->f->status)
        return cell_ast_refuse(s->c, n, "a function without a status cannot fail: use \"status\"");
    if (first) {
        r = cell_ast_verify_place(s, n->args[0]);
        if (r == CELL_OK && (n->args[0]->type.kind != CELL_KIND_I32 || n->args[0]->type.count))
            return cell_ast_refuse(s->c, n, "a status is an i32");
    }
    return r < 0 ? r : cell_ast_verify_call(s, n, first);
}

static int verify_statement(struct ast_scope *s, struct ast_node *n)
{
    s->cost = saturating_sum(s->cost, 1);
    switch (n->op) {
    case AST_LET:
        return verify_let(s, n);
    case AST_ASSIGN:
        return verify_assign(s, n);
    case AST_IF:
        return verify_if(s, n);
    case AST_SWITCH:
        return verify_switch(s, n);
    case AST_FOR:
    case AST_DOWN:
        return verify_counted(s, n);
    case AST_LOOP:
        return verify_body(s, n->args[0], n->bound);
    case AST_BREAK:
        return s->exits ? CELL_OK : cell_ast_refuse(s->c, n, "there is no loop and no switch to leave");
    case AST_CONTINUE:
        return s->loops ? CELL_OK : cell_ast_refuse(s->c, n, "there is no loop to continue");
    case AST_RETURN:
        return verify_return(s, n);
    case AST_FAIL:
        return s->c->f->status ? CELL_OK : cell_ast_refuse(s->c, n, "a function without a status cannot fail");
    default:
        return verify_try(s, n);
    }
}

static int verify_block(struct ast_scope *s, struct ast_node *n)
{
    const uint32_t visible = s->nvisible;
    int r = CELL_OK;
    for (uint32_t i = 0; i < n->nargs && r == CELL_OK; i++)
        r = verify_statement(s, n->args[i]);
    s->nvisible = visible;
    return r;
}

static int verify_limits(struct ast_check *c, const struct ast_scope *s)
{
    c->f->cost = s->cost;
    c->f->stack = s->bytes + FRAME_BYTES + s->below;
    if (s->cost > c->limits.cost)
        return cell_ast_too_large(c, NULL, "'%s' may take %llu operations, %llu is the limit", c->f->name,
                                  (unsigned long long)s->cost, (unsigned long long)c->limits.cost);
    if (s->bytes > c->limits.locals)
        return cell_ast_too_large(c, NULL, "the variables of '%s' need %llu bytes, %u is the limit", c->f->name,
                                  (unsigned long long)s->bytes, c->limits.locals);
    if (c->f->stack > c->limits.stack)
        return cell_ast_too_large(c, NULL, "'%s' and what it calls need %llu bytes, %u is the limit", c->f->name,
                                  (unsigned long long)c->f->stack, c->limits.stack);
    return CELL_OK;
}

static int verify_function(struct ast_check *c)
{
    struct ast_scope s = {.c = c};
    struct ast_function *f = c->f;
    uint32_t ref;
    int r = CELL_OK;
    for (uint32_t i = 0; i < f->nparams && r == CELL_OK; i++) {
        const struct ast_param *p = &f->params[i];
        r = declare(&s, NULL, p->name, &p->type, p->out ? AST_OUT : AST_IN, &ref);
        if (r == CELL_OK && p->pointer && !p->out)
            s.bytes -= f->variables[ref].bytes; /* it stays where it is */
    }
    if (r == CELL_OK)
        r = verify_block(&s, f->body);
    if (r == CELL_OK)
        r = verify_limits(c, &s);
    free(s.visible);
    return r;
}

int cell_ast_verify(struct ast_check *c)
{
    int r = CELL_OK;
    for (uint32_t i = 0; i < c->doc->nfunctions && r == CELL_OK; i++) {
        c->f = &c->doc->functions[i];
        r = verify_function(c);
    }
    return r;
}
