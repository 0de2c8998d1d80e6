/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "interpret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum stop { RUNNING, BREAKING, CONTINUING, RETURNED, FAILED };

struct frame {
    struct hot_machine *m;
    const struct ast_function *f;
    void **variables; /* addresses */
    enum stop stop;
    int status;
    struct hot_value result;
    uint64_t operations;
};

static struct hot_value value_of(struct frame *c, const struct ast_node *n);
static void run_block(struct frame *c, const struct ast_node *n);

void hot_unsound(const struct ast_node *n, const char *why)
{
    fprintf(stderr, "unsound: '%s', statement of line %u: %s\n", cell_ast_op_name(n->op), n->line, why);
    abort();
}

static void *room(struct frame *c, size_t size)
{
    void *p = cell_arena_alloc(&c->m->arena, size);
    if (!p)
        abort();
    return p;
}

static enum cell_kind kind_of(const struct schema_ref *t) { return t->count ? CELL_KIND_STRUCT : cell_ast_scalar(t); }

static struct hot_value load(const void *from, const struct schema_ref *type)
{
    struct hot_value v = {.memory = from};
    float f;
    switch (kind_of(type)) {
#define INTEGER(KIND, T)                                                                                               \
    case CELL_KIND_##KIND: {                                                                                           \
        T x;                                                                                                           \
        memcpy(&x, from, sizeof(x));                                                                                   \
        v.bits = (uint64_t)(int64_t)x;                                                                                 \
        break;                                                                                                         \
    }
        INTEGER(BOOL, uint8_t)
        INTEGER(I8, int8_t)
        INTEGER(U8, uint8_t)
        INTEGER(I16, int16_t)
        INTEGER(U16, uint16_t)
        INTEGER(I32, int32_t)
        INTEGER(U32, uint32_t)
        INTEGER(I64, int64_t)
        INTEGER(U64, uint64_t)
#undef INTEGER
    case CELL_KIND_F32:
        memcpy(&f, from, sizeof(f));
        v.real = (double)f;
        break;
    case CELL_KIND_F64:
        memcpy(&v.real, from, sizeof(v.real));
        break;
    case CELL_KIND_STR:
        memcpy(&v.str, from, sizeof(v.str));
        break;
    default:
        break;
    }
    return v;
}

static void store(void *to, const struct schema_ref *type, const struct hot_value *v)
{
    const size_t size = cell_schema_use_size(type);
    const float f = (float)v->real;
    switch (kind_of(type)) {
    case CELL_KIND_F32:
        memcpy(to, &f, size);
        break;
    case CELL_KIND_F64:
        memcpy(to, &v->real, size);
        break;
    case CELL_KIND_STR:
        memcpy(to, &v->str, size);
        break;
    case CELL_KIND_STRUCT:
        memmove(to, v->memory, size);
        break;
    default:
        memcpy(to, &v->bits, size); /* little-endian: the lower bytes come first */
    }
}

static void fault(struct frame *c)
{
    if (!c->f->status) {
        fprintf(stderr, "unsound: '%s' faults and has no status\n", c->f->name);
        abort();
    }
    c->stop = FAILED;
    c->status = c->f->fault;
}

/* The address of a place; NULL after a fault. */
static void *place_of(struct frame *c, const struct ast_node *n)
{
    if (n->op == AST_VARIABLE)
        return c->variables[n->ref];
    if (n->op == AST_TABLE) {
        const struct ast_table *t = &c->m->doc->tables[n->ref];
        struct schema_ref one = t->type;
        one.count = 0;
        const size_t size = cell_schema_use_size(&one);
        char *all = room(c, size * t->type.count);
        const uint64_t operations = c->operations; /* compiled, it lies there */
        for (uint32_t i = 0; i < t->type.count; i++) {
            struct hot_value v = value_of(c, t->values[i]);
            store(all + i * size, &one, &v);
            c->operations--; /* compiled code has it there */
        }
        c->operations = operations;
        return all;
    }
    if (n->op == AST_FIELD) {
        char *whole = place_of(c, n->args[0]);
        return whole ? whole + n->args[0]->type.named->fields[n->ref].offset : NULL;
    }
    if (n->op != AST_ELEMENT)
        return (void *)value_of(c, n).memory;
    char *whole = place_of(c, n->args[0]);
    const uint64_t index = value_of(c, n->args[1]).bits;
    c->operations++;
    if (!whole || c->stop == FAILED)
        return NULL;
    if (index >= n->args[0]->type.count) {
        if (n->proven & AST_IN_BOUNDS)
            hot_unsound(n, "the index is out of range");
        fault(c);
        return NULL;
    }
    return whole + index * cell_schema_use_size(&n->type);
}

static struct hot_value call(struct frame *c, const struct ast_node *n, uint32_t first, int *status)
{
    const struct ast_function *f = &c->m->doc->functions[n->ref];
    void **arguments = room(c, (f->nparams + 1) * sizeof(*arguments));
    for (uint32_t i = 0; i < f->nparams; i++) {
        const struct ast_param *p = &f->params[i];
        const struct ast_node *a = n->args[first + i];
        if (p->pointer) {
            arguments[i] = place_of(c, a);
        } else {
            struct hot_value v = value_of(c, a);
            arguments[i] = room(c, cell_schema_use_size(&p->type));
            if (c->stop != FAILED)
                store(arguments[i], &p->type, &v);
        }
        if (c->stop == FAILED)
            return (struct hot_value){0};
    }
    void *returns = room(c, f->status ? 1 : cell_schema_use_size(&f->returns));
    *status = hot_interpret(c->m, f, arguments, returns);
    return f->status ? (struct hot_value){0} : load(returns, &f->returns);
}

static struct hot_value conditional(struct frame *c, const struct ast_node *n)
{
    struct hot_value v = value_of(c, n->args[0]);
    if (n->op == AST_CHOOSE)
        return c->stop == FAILED ? v : value_of(c, n->args[v.bits ? 1 : 2]);
    for (uint32_t i = 1; i < n->nargs && c->stop != FAILED && (v.bits != 0) == (n->op == AST_LAND); i++)
        v = value_of(c, n->args[i]);
    return v;
}

static struct hot_value operation(struct frame *c, const struct ast_node *n)
{
    struct hot_value v[64] = {0}, r = {0};
    enum cell_kind kinds[64];
    bool failed = false;
    for (uint32_t i = 0; i < n->nargs && i < 64; i++) {
        v[i] = value_of(c, n->args[i]);
        kinds[i] = kind_of(&n->args[i]->type);
        if (c->stop == FAILED)
            return r;
    }
    if (cell_ast_class(n->op) == AST_CLASS_TEXT)
        r = hot_text(n, v, kinds, &failed);
    else
        r = hot_number(n, v, kinds, &failed);
    if (failed)
        fault(c);
    return r;
}

static struct hot_value value_of(struct frame *c, const struct ast_node *n)
{
    struct hot_value v = {0};
    int status;
    c->operations++;
    switch (n->op) {
    case AST_INTEGER:
        v.bits = n->bits;
        return v;
    case AST_REAL:
        v.real = n->real;
        return v;
    case AST_STRING:
        v.str = (cell_str){n->text, n->text_len};
        return v;
    case AST_LAND:
    case AST_LOR:
    case AST_CHOOSE:
        return conditional(c, n);
    case AST_CALL:
        return call(c, n, 0, &status);
    case AST_VARIABLE:
    case AST_TABLE:
    case AST_ELEMENT:
    case AST_FIELD: {
        const void *at = place_of(c, n);
        return at ? load(at, &n->type) : v;
    }
    default:
        return operation(c, n);
    }
}

/* ---- statements ---- */

static void run_let(struct frame *c, const struct ast_node *n)
{
    const struct ast_variable *v = &c->f->variables[n->ref];
    memset(c->variables[n->ref], 0, v->bytes);
    if (!n->nargs)
        return;
    struct hot_value value = value_of(c, n->args[0]);
    if (c->stop != FAILED)
        store(c->variables[n->ref], &v->type, &value);
}

static void run_assign(struct frame *c, const struct ast_node *n)
{
    void *to = place_of(c, n->args[0]);
    struct hot_value value = value_of(c, n->args[1]);
    if (c->stop != FAILED)
        store(to, &n->args[0]->type, &value);
}

static void run_if(struct frame *c, const struct ast_node *n)
{
    for (uint32_t i = 0; i + 1 < n->nargs; i += 2) {
        const bool holds = value_of(c, n->args[i]).bits;
        if (c->stop == FAILED)
            return;
        if (holds) {
            run_block(c, n->args[i + 1]);
            return;
        }
    }
    if (n->nargs % 2)
        run_block(c, n->args[n->nargs - 1]);
}

static void run_switch(struct frame *c, const struct ast_node *n)
{
    const uint64_t value = value_of(c, n->args[0]).bits;
    const struct ast_node *chosen = NULL;
    if (c->stop == FAILED)
        return;
    for (uint32_t i = 1; i < n->nargs && !chosen; i++) {
        chosen = n->args[i]->nlabels ? NULL : n->args[i];
        for (uint32_t k = 0; k < n->args[i]->nlabels; k++)
            if ((uint64_t)n->args[i]->labels[k] == value)
                chosen = n->args[i];
    }
    if (chosen)
        run_block(c, chosen->args[0]);
    if (c->stop == BREAKING)
        c->stop = RUNNING;
}

/* Runs a body; whether the loop goes on. */
static bool run_body(struct frame *c, const struct ast_node *body)
{
    run_block(c, body);
    const bool on = c->stop == RUNNING || c->stop == CONTINUING;
    if (c->stop == CONTINUING || c->stop == BREAKING)
        c->stop = RUNNING;
    return on;
}

static void run_counted(struct frame *c, const struct ast_node *n)
{
    const struct schema_ref *type = &c->f->variables[n->ref].type;
    const __int128 sign = type->kind == CELL_KIND_U64 ? 1 : 0;
    const struct hot_value from = value_of(c, n->args[0]), to = value_of(c, n->args[1]);
    const __int128 begin = sign ? (__int128)from.bits : (__int128)(int64_t)from.bits;
    const __int128 end = sign ? (__int128)to.bits : (__int128)(int64_t)to.bits;
    const __int128 low = n->op == AST_FOR ? begin : end, high = n->op == AST_FOR ? end : begin;
    if (c->stop == FAILED)
        return;
    if (n->proven & AST_IN_BOUNDS && high - low > (__int128)n->bound)
        hot_unsound(n, "the loop has more steps");
    for (__int128 i = 0; i < high - low && i < (__int128)n->bound; i++) {
        const struct hot_value counter = {.bits = (uint64_t)(n->op == AST_FOR ? low + i : high - 1 - i)};
        store(c->variables[n->ref], type, &counter);
        if (!run_body(c, n->args[2]))
            break;
    }
}

static void run_try(struct frame *c, const struct ast_node *n)
{
    int status = 0;
    void *to = n->op == AST_STATUS ? place_of(c, n->args[0]) : NULL;
    call(c, n, n->op == AST_STATUS, &status);
    if (c->stop == FAILED)
        return;
    if (to) {
        const struct hot_value v = {.bits = (uint64_t)(int64_t)status};
        store(to, &n->args[0]->type, &v);
    } else if (status < 0) {
        c->stop = FAILED;
        c->status = status;
    }
}

static void run_statement(struct frame *c, const struct ast_node *n)
{
    c->operations++;
    switch (n->op) {
    case AST_LET:
        run_let(c, n);
        break;
    case AST_ASSIGN:
        run_assign(c, n);
        break;
    case AST_IF:
        run_if(c, n);
        break;
    case AST_SWITCH:
        run_switch(c, n);
        break;
    case AST_FOR:
    case AST_DOWN:
        run_counted(c, n);
        break;
    case AST_LOOP:
        for (uint64_t i = 0; i < n->bound && run_body(c, n->args[0]); i++) {
        }
        break;
    case AST_BREAK:
        c->stop = BREAKING;
        break;
    case AST_CONTINUE:
        c->stop = CONTINUING;
        break;
    case AST_RETURN:
        if (n->nargs)
            c->result = value_of(c, n->args[0]);
        c->stop = c->stop == FAILED ? FAILED : RETURNED;
        break;
    case AST_FAIL:
        c->stop = FAILED;
        c->status = (int)(int64_t)n->bits;
        break;
    default:
        run_try(c, n);
    }
}

static void run_block(struct frame *c, const struct ast_node *n)
{
    for (uint32_t i = 0; i < n->nargs && c->stop == RUNNING; i++)
        run_statement(c, n->args[i]);
}

int hot_interpret(struct hot_machine *m, const struct ast_function *f, void *const *arguments, void *returns)
{
    struct frame c = {.m = m, .f = f};
    c.variables = room(&c, (f->nvariables + 1) * sizeof(*c.variables));
    for (uint32_t i = 0; i < f->nvariables; i++)
        c.variables[i] = i < f->nparams && !f->params[i].out ? arguments[i] : room(&c, f->variables[i].bytes);
    run_block(&c, f->body);
    if (c.operations > f->cost) {
        fprintf(stderr, "unsound: '%s' took more than %llu operations\n", f->name, (unsigned long long)f->cost);
        abort();
    }
    if (c.stop == FAILED)
        return c.status;
    for (uint32_t i = 0; i < f->nparams; i++)
        if (f->params[i].out)
            memcpy(arguments[i], c.variables[i], f->variables[i].bytes);
    if (!f->status)
        store(returns, &f->returns, &c.result);
    return CELL_OK;
}
