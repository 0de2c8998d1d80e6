/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "cell/hot.h"

#include <stdlib.h>
#include <string.h>

#include "core/ast_run_impl.h"

#define MOST_TABLES (1u << 20) /* bytes, laid out */

struct cell_hot {
    struct cell_ast *doc;
    struct ast_machine tables;
    struct cell_hot_function *functions; /* by their numbers in the document; without a name: none for others */
};

/* ---- what calls need ---- */

static size_t whole(size_t size) { return (size + 15) & ~(size_t)15; }

/* What the interpreter takes of its stack beside the variables of `n`'s function. `below`: what functions need. */
static size_t need_of_node(const struct cell_ast *doc, const struct ast_node *n, const size_t *below, size_t texts)
{
    size_t most = 0, own = 0;

    if (n->op == AST_CALL || n->op == AST_TRY || n->op == AST_STATUS) {
        const struct ast_function *f = &doc->functions[n->ref];
        own = whole((f->nparams + 1) * sizeof(void *)) + whole(f->status ? 1 : cell_schema_use_size(&f->returns));
        for (uint32_t i = 0; i < f->nparams; i++)
            own += f->params[i].pointer ? 0 : whole(cell_schema_use_size(&f->params[i].type));
        most = below[n->ref];
    } else if (cell_ast_class(n->op) == AST_CLASS_TEXT) {
        most = texts;
    }
    for (uint32_t i = 0; i < n->nargs; i++) {
        const size_t size = need_of_node(doc, n->args[i], below, texts);
        most = size > most ? size : most;
    }
    return own + most;
}

static size_t need_of_function(const struct cell_ast *doc, const struct ast_function *f, const size_t *below,
                               size_t texts)
{
    size_t own = whole((f->nvariables + 1) * sizeof(void *));

    for (uint32_t i = 0; i < f->nvariables; i++)
        own += i < f->nparams && !f->params[i].out ? 0 : whole(f->variables[i].bytes);
    return own + need_of_node(doc, f->body, below, texts);
}

/* That every function has memory enough, whatever it is called with. `texts`: a copy of the longest one. */
static int check_memory(const struct cell_ast *doc, size_t texts, struct cell_error *e)
{
    size_t *need = calloc(doc->nfunctions + 1, sizeof(*need));
    int r = need ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "functions: out of memory");

    for (uint32_t i = 0; r >= 0 && i < doc->nfunctions; i++) {
        need[i] = need_of_function(doc, &doc->functions[i], need, texts);
        if (need[i] > CELL_HOT_MOST_MEMORY)
            r = cell_error_set(e, CELL_TOO_LARGE,
                               "'%s' needs %zu bytes for variables and what it calls, %u is the limit",
                               doc->functions[i].name, need[i], CELL_HOT_MOST_MEMORY);
    }
    free(need);
    return r;
}

/* ---- documents ---- */

/* 0: it is no number, bool or enum. */
static enum cell_kind plain(const struct schema_ref *type)
{
    const enum cell_kind kind = type->count ? CELL_KIND_STRUCT : cell_ast_scalar(type);

    return kind >= CELL_KIND_BOOL && kind <= CELL_KIND_F64 ? kind : (enum cell_kind)0;
}

static int describe(const struct ast_function *f, struct cell_hot_function *to, struct cell_error *e)
{
    if (f->status || !plain(&f->returns))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' does not return a number, bool or enum", f->name);
    if (f->nparams > CELL_HOT_MOST_PARAMETERS)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' has more than %u parameters", f->name,
                              CELL_HOT_MOST_PARAMETERS);
    *to = (struct cell_hot_function){f->name, f->cost, plain(&f->returns), f->nparams, {0}};
    for (uint32_t i = 0; i < f->nparams; i++) {
        to->parameters[i] = plain(&f->params[i].type);
        if (!to->parameters[i] || f->params[i].out || f->params[i].pointer)
            return cell_error_set(e, CELL_INVALID_ARGUMENT,
                                  "parameter '%s' of '%s' is no number, bool or enum by value", f->params[i].name,
                                  f->name);
    }
    return CELL_OK;
}

static int prepare(struct cell_hot *hot, size_t length, struct cell_error *e)
{
    const struct cell_ast *doc = hot->doc;

    hot->functions = calloc(doc->nfunctions + 1, sizeof(*hot->functions));
    if (!hot->functions)
        return cell_error_set(e, CELL_NO_MEMORY, "functions: out of memory");
    for (uint32_t i = 0; i < doc->nfunctions; i++) {
        int r = doc->functions[i].internal ? CELL_OK : describe(&doc->functions[i], &hot->functions[i], e);
        if (r < 0)
            return r;
    }
    hot->tables = (struct ast_machine){.doc = doc, .memory = MOST_TABLES};
    int stopped = cell_ast_run_tables(&hot->tables);
    if (stopped)
        return cell_error_set(e, stopped, "the tables of the functions have more than %u bytes", MOST_TABLES);
    return check_memory(doc, whole(length + 1), e);
}

int cell_hot_open(const char *json, size_t length, struct cell_hot **hot, struct cell_error *e)
{
    const struct ast_limits limits = {.bytes = CELL_HOT_MOST_BYTES, .cost = CELL_HOT_MOST_COST};
    struct cell_hot *made = calloc(1, sizeof(*made));
    int r = made ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "functions: out of memory");

    if (r >= 0)
        r = cell_ast_parse(json, length, &limits, &made->doc, e);
    if (r >= 0)
        r = prepare(made, length, e);
    if (r >= 0)
        *hot = made;
    else
        cell_hot_close(made);
    return r < 0 ? r : CELL_OK;
}

void cell_hot_close(struct cell_hot *hot)
{
    if (!hot)
        return;
    cell_arena_free(&hot->tables.arena);
    free(hot->functions);
    cell_ast_free(hot->doc);
    free(hot);
}

int cell_hot_find(const struct cell_hot *hot, const char *name)
{
    for (uint32_t i = 0; hot && i < hot->doc->nfunctions; i++)
        if (hot->functions[i].name && strcmp(hot->functions[i].name, name) == 0)
            return (int)i;
    return -1;
}

const struct cell_hot_function *cell_hot_function(const struct cell_hot *hot, int number)
{
    if (!hot || number < 0 || (uint32_t)number >= hot->doc->nfunctions || !hot->functions[number].name)
        return NULL;
    return &hot->functions[number];
}

/* ---- calls ---- */

union cell_hot_value cell_hot_call(const struct cell_hot *hot, int number, const union cell_hot_value *arguments)
{
    const struct cell_hot_function *f = &hot->functions[number];
    _Alignas(16) char stack[CELL_HOT_MOST_MEMORY];
    struct ast_machine m = {.doc = hot->doc,
                            .steps = UINT64_MAX, /* it ends: that is proven */
                            .tables = hot->tables.tables,
                            .stack = stack,
                            .stack_size = sizeof(stack)};
    union cell_hot_value given[CELL_HOT_MOST_PARAMETERS], result = {0};
    void *addresses[CELL_HOT_MOST_PARAMETERS];

    for (uint32_t i = 0; i < f->nparameters; i++) {
        given[i] = arguments[i]; /* little-endian: a narrower number is its first bytes */
        if (f->parameters[i] == CELL_KIND_BOOL)
            given[i].bits &= 1;
        if (f->parameters[i] == CELL_KIND_F32)
            memcpy(&given[i], &(float){(float)arguments[i].real}, sizeof(float));
        addresses[i] = &given[i];
    }
    if (cell_ast_run(&m, &hot->doc->functions[number], addresses, &result) < 0)
        return (union cell_hot_value){0}; /* not while the verifier is right */
    if (f->result == CELL_KIND_F32) {
        float single;
        memcpy(&single, &result, sizeof(single));
        result.real = (double)single;
    } else if (cell_ast_is_signed(f->result)) {
        const unsigned unused = 64 - cell_ast_width(f->result);
        result.bits = (uint64_t)((int64_t)(result.bits << unused) >> unused);
    }
    return result;
}
