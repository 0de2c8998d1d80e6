/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/ast_run_impl.h"

#include <string.h>

__extension__ typedef __int128 wide;

enum stop { RUNNING, BREAKING, CONTINUING, RETURNED, FAILED };

struct frame {
    struct ast_machine *m;
    const struct ast_function *f;
    void **variables; /* addresses */
    enum stop stop;
    int status;
    union ast_value result;
    uint64_t operations;
};

static union ast_value value_of(struct frame *c, const struct ast_node *n);
static void run_block(struct frame *c, const struct ast_node *n);

/* Whether the function goes on; nothing that was computed counts when it does not. */
static bool goes_on(struct frame *c)
{
    if (c->m->stopped) {
        c->stop = FAILED;
        c->status = c->m->stopped;
    }
    return c->stop != FAILED;
}

static void *room(struct frame *c, size_t size)
{
    void *p = cell_ast_run_room(c->m, size);
    goes_on(c);
    return p;
}

static void count(struct frame *c)
{
    c->operations++;
    cell_ast_run_charge(c->m, 1);
    goes_on(c);
}

static enum cell_kind kind_of(const struct schema_ref *t) { return t->count ? CELL_KIND_STRUCT : cell_ast_scalar(t); }

static union ast_value load(const void *from, const struct schema_ref *type)
{
    union ast_value v = {.memory = from};
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

static void store(void *to, const struct schema_ref *type, const union ast_value *v)
{
    const size_t size = cell_schema_use_size(type);
    float f;
    switch (kind_of(type)) {
    case CELL_KIND_F32:
        f = (float)v->real;
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
    if (!c->f->status)
        cell_ast_unsound(c->m, c->f->body, "a fault in a function without a status");
    c->stop = FAILED;
    c->status = c->m->stopped ? c->m->stopped : c->f->fault;
}

/* Laid out when it is needed first. */
static void *table(struct frame *c, uint32_t index)
{
    const struct ast_table *t = &c->m->doc->tables[index];
    struct schema_ref one = t->type;
    one.count = 0;
    const size_t size = cell_schema_use_size(&one);
    if (!c->m->tables && (c->m->tables = room(c, c->m->doc->ntables * sizeof(*c->m->tables))))
        memset(c->m->tables, 0, c->m->doc->ntables * sizeof(*c->m->tables));
    if (!c->m->tables || c->m->tables[index])
        return c->m->tables ? c->m->tables[index] : NULL;
    char *all = room(c, size * t->type.count);
    for (uint32_t i = 0; all && i < t->type.count; i++) {
        const struct ast_node *n = t->values[i];
        union ast_value v = {0};
        if (n->op == AST_REAL)
            v.real = n->real;
        else if (n->op == AST_STRING)
            v.str = (cell_str){n->text, n->text_len};
        else
            v.bits = n->bits;
        store(all + i * size, &one, &v);
    }
    return c->m->tables[index] = all;
}

/* The address of a place; NULL after a fault. */
static void *place_of(struct frame *c, const struct ast_node *n)
{
    if (n->op == AST_VARIABLE)
        return c->variables[n->ref];
    if (n->op == AST_TABLE)
        return table(c, n->ref);
    if (n->op == AST_FIELD) {
        char *whole = place_of(c, n->args[0]);
        return whole ? whole + n->args[0]->type.named->fields[n->ref].offset : NULL;
    }
    if (n->op != AST_ELEMENT)
        return (void *)value_of(c, n).memory;
    char *whole = place_of(c, n->args[0]);
    const uint64_t index = value_of(c, n->args[1]).bits;
    count(c);
    if (!whole || c->stop == FAILED)
        return NULL;
    if (index >= n->args[0]->type.count) {
        if (n->proven & AST_IN_BOUNDS)
            cell_ast_unsound(c->m, n, "the index is out of range");
        fault(c);
        return NULL;
    }
    return whole + index * cell_schema_use_size(&n->type);
}

int cell_ast_run_tables(struct ast_machine *m)
{
    struct frame c = {.m = m};
    for (uint32_t i = 0; i < m->doc->ntables && goes_on(&c); i++)
        table(&c, i);
    return m->stopped;
}

static union ast_value call_with(struct frame *c, const struct ast_node *n, uint32_t first, int *status)
{
    const struct ast_function *f = &c->m->doc->functions[n->ref];
    void **arguments = room(c, (f->nparams + 1) * sizeof(*arguments));
    for (uint32_t i = 0; arguments && i < f->nparams; i++) {
        const struct ast_param *p = &f->params[i];
        const struct ast_node *a = n->args[first + i];
        if (p->pointer) {
            arguments[i] = place_of(c, a);
        } else {
            union ast_value v = value_of(c, a);
            arguments[i] = room(c, cell_schema_use_size(&p->type));
            if (c->stop != FAILED)
                store(arguments[i], &p->type, &v);
        }
        if (c->stop == FAILED)
            return (union ast_value){0};
    }
    void *returns = room(c, f->status ? 1 : cell_schema_use_size(&f->returns));
    if (!goes_on(c))
        return (union ast_value){0};
    *status = cell_ast_run(c->m, f, arguments, returns);
    return !goes_on(c) || f->status ? (union ast_value){0} : load(returns, &f->returns);
}

static union ast_value call(struct frame *c, const struct ast_node *n, uint32_t first, int *status)
{
    const size_t used = c->m->stack_used;
    union ast_value v = call_with(c, n, first, status);
    c->m->stack_used = used;
    return v;
}

static union ast_value conditional(struct frame *c, const struct ast_node *n)
{
    union ast_value v = value_of(c, n->args[0]);
    if (n->op == AST_CHOOSE)
        return c->stop == FAILED ? v : value_of(c, n->args[v.bits ? 1 : 2]);
    for (uint32_t i = 1; i < n->nargs && c->stop != FAILED && (v.bits != 0) == (n->op == AST_LAND); i++)
        v = value_of(c, n->args[i]);
    return v;
}

/* `v` and `kinds` are for the operands. */
static union ast_value operate(struct frame *c, const struct ast_node *n, union ast_value *v, enum cell_kind *kinds)
{
    union ast_value r = {0};
    const size_t used = c->m->stack_used;
    bool failed = false;
    for (uint32_t i = 0; i < n->nargs; i++) {
        v[i] = value_of(c, n->args[i]);
        kinds[i] = kind_of(&n->args[i]->type);
        if (c->stop == FAILED)
            return r;
    }
    if (cell_ast_class(n->op) == AST_CLASS_TEXT)
        r = cell_ast_run_text(c->m, n, v, kinds, &failed);
    else
        r = cell_ast_run_number(c->m, n, v, kinds, &failed);
    c->m->stack_used = used;
    if (failed)
        fault(c);
    goes_on(c);
    return r;
}

/* The verifier bounds sums of many operands by how deep C nests them. */
__attribute__((noinline)) static union ast_value operate_on_many(struct frame *c, const struct ast_node *n)
{
    union ast_value v[CELL_AST_MAX_DEPTH] = {0};
    enum cell_kind kinds[CELL_AST_MAX_DEPTH];
    if (n->nargs <= CELL_AST_MAX_DEPTH)
        return operate(c, n, v, kinds);
    cell_ast_unsound(c->m, n, "it has more operands");
    goes_on(c);
    return v[0];
}

static union ast_value operation(struct frame *c, const struct ast_node *n)
{
    union ast_value v[3] = {0};
    enum cell_kind kinds[3];
    return n->nargs <= 3 ? operate(c, n, v, kinds) : operate_on_many(c, n);
}

static union ast_value value_of(struct frame *c, const struct ast_node *n)
{
    union ast_value v = {0};
    int status = CELL_OK;
    count(c);
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
        return load(c->variables[n->ref], &n->type);
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
    union ast_value value = value_of(c, n->args[0]);
    if (c->stop != FAILED)
        store(c->variables[n->ref], &v->type, &value);
}

static void run_assign(struct frame *c, const struct ast_node *n)
{
    void *to = place_of(c, n->args[0]);
    union ast_value value = value_of(c, n->args[1]);
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
    cell_ast_run_charge(c->m, 1); /* it may be empty */
    run_block(c, body);
    const bool on = c->stop == RUNNING || c->stop == CONTINUING;
    if (c->stop == CONTINUING || c->stop == BREAKING)
        c->stop = RUNNING;
    return on;
}

static void run_counted(struct frame *c, const struct ast_node *n)
{
    const struct schema_ref *type = &c->f->variables[n->ref].type;
    const wide sign = type->kind == CELL_KIND_U64 ? 1 : 0;
    const union ast_value from = value_of(c, n->args[0]), to = value_of(c, n->args[1]);
    const wide begin = sign ? (wide)from.bits : (wide)(int64_t)from.bits;
    const wide end = sign ? (wide)to.bits : (wide)(int64_t)to.bits;
    const wide low = n->op == AST_FOR ? begin : end, high = n->op == AST_FOR ? end : begin;
    if (c->stop == FAILED)
        return;
    if (n->proven & AST_IN_BOUNDS && high - low > (wide)n->bound)
        cell_ast_unsound(c->m, n, "the loop has more steps");
    for (wide i = 0; i < high - low && i < (wide)n->bound; i++) {
        const union ast_value counter = {.bits = (uint64_t)(n->op == AST_FOR ? low + i : high - 1 - i)};
        store(c->variables[n->ref], type, &counter);
        if (!run_body(c, n->args[2]))
            break;
    }
}

static void run_try(struct frame *c, const struct ast_node *n)
{
    int status = 0;
    void *to = n->op == AST_STATUS ? place_of(c, n->args[0]) : NULL;
    if (c->stop == FAILED)
        return;
    call(c, n, n->op == AST_STATUS, &status);
    if (c->stop == FAILED)
        return;
    if (to) {
        const union ast_value v = {.bits = (uint64_t)(int64_t)status};
        store(to, &n->args[0]->type, &v);
    } else if (status < 0) {
        c->stop = FAILED;
        c->status = status;
    }
}

static void run_statement(struct frame *c, const struct ast_node *n)
{
    count(c);
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

static int run(struct ast_machine *m, const struct ast_function *f, void *const *arguments, void *returns)
{
    struct frame c = {.m = m, .f = f};
    c.variables = room(&c, (f->nvariables + 1) * sizeof(*c.variables));
    for (uint32_t i = 0; goes_on(&c) && i < f->nvariables; i++)
        c.variables[i] = i < f->nparams && !f->params[i].out ? arguments[i] : room(&c, f->variables[i].bytes);
    if (goes_on(&c))
        run_block(&c, f->body);
    if (c.operations > f->cost)
        cell_ast_unsound(m, f->body, "more operations than the function's cost");
    if (!goes_on(&c))
        return c.status;
    for (uint32_t i = 0; i < f->nparams; i++)
        if (f->params[i].out)
            memcpy(arguments[i], c.variables[i], f->variables[i].bytes);
    if (!f->status)
        store(returns, &f->returns, &c.result);
    return CELL_OK;
}

int cell_ast_run(struct ast_machine *m, const struct ast_function *f, void *const *arguments, void *returns)
{
    const size_t used = m->stack_used;
    int r = run(m, f, arguments, returns);
    m->stack_used = used;
    return r;
}
