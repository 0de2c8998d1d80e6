/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* JSON to functions: expressions and statements. Only forms are checked here; recursion ends at the limit of depth. */
#include <string.h>

#include "core/ast_impl.h"

/* One array of the document: its operation, and where the next member goes. */
struct form {
    struct ast_reader *r;
    const struct json_at *at;
    uint32_t depth, count; /* members, the name included */
    struct ast_node *n;
};

static int wrong_form(const struct form *f, const char *right)
{
    return cell_json_fail(f->at, NULL, f->r->c->e, "%s is expected", right);
}

static int too_deep(struct ast_reader *r, const struct json_at *at)
{
    cell_json_fail(at, NULL, r->c->e, "nested deeper than %u", r->c->limits.depth);
    return CELL_TOO_LARGE;
}

/* Begins an array; its first member is the name of its operation. */
static int begin(struct ast_reader *r, const struct json_at *at, uint32_t depth, struct form *f)
{
    struct json_at name;
    enum json_kind kind;
    char quoted[CELL_QUOTE_SIZE];
    int status = cell_json_item(at, 0, &name, &kind, r->c->e);
    if (status < 0)
        return status;
    if (kind != JSON_IS_STRING)
        return cell_json_fail(&name, NULL, r->c->e, "the name of an operation is expected");
    const char *text = cell_json_text_of(&name);
    enum ast_op op = cell_ast_op_of(text);
    if (op == AST_OPS || *text == ' ')
        return cell_json_fail(&name, NULL, r->c->e, "unknown operation '%s'",
                              cell_json_quote(text, quoted, sizeof(quoted)));
    *f = (struct form){.r = r, .at = at, .depth = depth, .count = (uint32_t)cell_json_count(at)};
    f->n = cell_ast_node(r, at, op, &status);
    return f->n ? CELL_OK : status;
}

static int room_for(struct form *f, uint32_t n)
{
    f->n->args = cell_arena_array(&f->r->c->doc->arena, n, sizeof(*f->n->args));
    return f->n->args ? CELL_OK : cell_ast_no_memory(f->r->c);
}

static int add(struct form *f, struct ast_node *child)
{
    child->parent = f->n;
    f->n->args[f->n->nargs++] = child;
    return CELL_OK;
}

/* Member `i` as an expression, or a block. */
static int expression_at(struct form *f, uint32_t i, uint32_t depth)
{
    struct json_at at;
    enum json_kind kind;
    struct ast_node *child;
    int r = cell_json_item(f->at, i, &at, &kind, f->r->c->e);
    if (r > 0)
        r = cell_ast_read_expression(f->r, &at, depth, &child);
    return r < 0 ? r : add(f, child);
}

static int block_at(struct form *f, uint32_t i, uint32_t depth)
{
    struct json_at at;
    enum json_kind kind;
    struct ast_node *child;
    int r = cell_json_item(f->at, i, &at, &kind, f->r->c->e);
    if (r > 0)
        r = cell_ast_read_block(f->r, &at, depth, &child);
    return r < 0 ? r : add(f, child);
}

/* Member `i` as a name, or another text. */
static int text_at(struct form *f, uint32_t i, const char **text)
{
    const char *found = NULL;
    int r = cell_json_item_string(f->at, i, &found, f->r->c->e);
    if (r < 0)
        return r;
    *text = cell_ast_copy(f->r->c, found, &r);
    return *text ? CELL_OK : r;
}

static int bound_at(struct form *f, uint32_t i)
{
    struct json_at at;
    enum json_kind kind;
    int r = cell_json_item(f->at, i, &at, &kind, f->r->c->e);
    if (r < 0)
        return r;
    if (kind != JSON_IS_INTEGER || cell_json_integer_of(&at) < 1 ||
        (uint64_t)cell_json_integer_of(&at) > CELL_AST_MAX_BOUND)
        return cell_json_fail(&at, NULL, f->r->c->e, "a loop's bound is a constant from 1 to %llu",
                              (unsigned long long)CELL_AST_MAX_BOUND);
    f->n->bound = (uint64_t)cell_json_integer_of(&at);
    return CELL_OK;
}

/* Members from `first` on as operands; a chain of them is as deep as C makes it. */
static int operands(struct form *f, uint32_t first, uint32_t chain)
{
    int r = room_for(f, f->count);
    for (uint32_t i = first; i < f->count && r == CELL_OK; i++)
        r = expression_at(f, i, f->depth + chain);
    return r;
}

static int read_operation(struct form *f)
{
    const enum ast_op op = f->n->op;
    uint32_t least, most;
    cell_ast_arity(op, &least, &most);
    if (cell_ast_class(op) == AST_CLASS_STATEMENT)
        return wrong_form(f, "an expression");
    if (op == AST_CALL || op == AST_FIELD) {
        int r = f->count < 2 || (op == AST_FIELD && f->count != 3) ? wrong_form(f, "a name") : CELL_OK;
        if (r == CELL_OK)
            r = text_at(f, op == AST_CALL ? 1 : 2, &f->n->name);
        if (r < 0 || op == AST_CALL)
            return r < 0 ? r : operands(f, 2, 1);
        r = room_for(f, 1);
        return r < 0 ? r : expression_at(f, 1, f->depth + 1);
    }
    if (f->count - 1 < least || f->count - 1 > most)
        return cell_json_fail(f->at, NULL, f->r->c->e, "%u operands; '%s' has %u%s", f->count - 1, cell_ast_op_name(op),
                              least, least == most ? "" : " or more");
    uint32_t chain = most == UINT32_MAX ? f->count - 2 : 1;
    return operands(f, 1, chain);
}

/* {"i64": 5} */
static int read_literal(struct ast_reader *r, const struct json_at *at, struct ast_node **node)
{
    void *iterator = NULL;
    struct json_at member;
    enum json_kind json;
    const char *key = cell_json_count(at) == 1 ? cell_json_next(at, &iterator) : "";
    enum cell_kind kind = cell_use_builtin(key, strlen(key));
    if (!kind || kind == CELL_KIND_BYTES)
        return cell_json_fail(at, NULL, r->c->e, "a literal is an object of one member, its type");
    int status = cell_json_member(at, key, &member, &json, r->c->e);
    return status < 0 ? status : cell_ast_read_value(r, &member, kind, node);
}

int cell_ast_read_expression(struct ast_reader *r, const struct json_at *at, uint32_t depth, struct ast_node **node)
{
    struct json_at again;
    enum json_kind kind;
    struct form f;
    int status = cell_json_item(at->parent, at->index, &again, &kind, r->c->e);
    if (status < 0)
        return status;
    if (depth > r->c->limits.depth)
        return too_deep(r, at);
    switch (kind) {
    case JSON_IS_OBJECT:
        return read_literal(r, at, node);
    case JSON_IS_INTEGER:
        return cell_ast_read_value(r, at, CELL_KIND_I32, node);
    case JSON_IS_BOOL:
        return cell_ast_read_value(r, at, CELL_KIND_BOOL, node);
    case JSON_IS_STRING:
        *node = cell_ast_node(r, at, AST_VARIABLE, &status);
        if (*node)
            (*node)->name = cell_ast_copy(r->c, cell_json_text_of(at), &status);
        return *node && (*node)->name ? CELL_OK : status;
    case JSON_IS_ARRAY:
        status = begin(r, at, depth, &f);
        if (status == CELL_OK)
            status = read_operation(&f);
        *node = f.n;
        return status;
    default:
        return cell_json_fail(at, NULL, r->c->e, "an expression is expected");
    }
}

/* ---- statements ---- */

static int read_let(struct form *f)
{
    const char *type = NULL;
    struct json_at at;
    enum json_kind kind;
    int r = f->count == 3 || f->count == 4 ? text_at(f, 1, &f->n->name) : wrong_form(f, "a name, a type and a value");
    if (r == CELL_OK)
        r = cell_json_item(f->at, 1, &at, &kind, f->r->c->e);
    if (r > 0)
        r = cell_check_name(&at, NULL, f->n->name, NAME_C, f->r->c->e);
    if (r >= 0)
        r = cell_json_item_string(f->at, 2, &type, f->r->c->e);
    if (r > 0)
        r = cell_json_item(f->at, 2, &at, &kind, f->r->c->e);
    if (r > 0)
        r = cell_ast_read_type(f->r->c, &at, type, &f->n->type);
    return r < 0 ? r : operands(f, 3, 1);
}

static int read_if(struct form *f)
{
    const uint32_t parts = f->count - 1, conditions = parts / 2;
    if (parts < 2)
        return wrong_form(f, "a condition and an array of statements");
    int r = room_for(f, parts);
    for (uint32_t i = 0; i < parts && r == CELL_OK; i++) {
        bool block = i % 2 == 1 || i + 1 == parts;
        r = block ? block_at(f, i + 1, f->depth + conditions) : expression_at(f, i + 1, f->depth + conditions);
    }
    return r;
}

static int read_labels(struct form *f, uint32_t i, struct ast_node *n)
{
    struct json_at at, item;
    enum json_kind kind;
    int r = cell_json_item(f->at, i, &at, &kind, f->r->c->e);
    if (r < 0)
        return r;
    if (kind != JSON_IS_ARRAY)
        return cell_json_fail(&at, NULL, f->r->c->e, "an array of labels is expected");
    const uint32_t count = (uint32_t)cell_json_count(&at);
    int64_t *labels = cell_arena_array(&f->r->c->doc->arena, count, sizeof(*labels));
    if (!labels)
        return cell_ast_no_memory(f->r->c);
    for (uint32_t k = 0; k < count; k++) {
        if ((r = cell_json_item(&at, k, &item, &kind, f->r->c->e)) < 0)
            return r;
        if (kind != JSON_IS_INTEGER)
            return cell_json_fail(&item, NULL, f->r->c->e, "a label is an integer");
        labels[k] = cell_json_integer_of(&item);
    }
    n->labels = labels;
    n->nlabels = count;
    return CELL_OK;
}

static int read_switch(struct form *f)
{
    if (f->count < 4 || f->count % 2)
        return wrong_form(f, "a value, and then labels and statements in turn");
    int r = room_for(f, f->count / 2);
    if (r == CELL_OK)
        r = expression_at(f, 1, f->depth + 1);
    for (uint32_t i = 2; i < f->count && r == CELL_OK; i += 2) {
        struct json_at at;
        enum json_kind kind;
        if ((r = cell_json_item(f->at, i + 1, &at, &kind, f->r->c->e)) < 0)
            break;
        struct form one = {.r = f->r, .at = f->at, .n = cell_ast_node(f->r, &at, AST_CASE, &r)};
        if (!one.n)
            break;
        r = read_labels(f, i, one.n);
        if (r == CELL_OK)
            r = room_for(&one, 1);
        if (r == CELL_OK)
            r = add(f, one.n);
        if (r == CELL_OK)
            r = block_at(&one, i + 1, f->depth + 1);
    }
    return r;
}

static int read_counted(struct form *f)
{
    struct json_at at;
    enum json_kind kind;
    if (f->count != 6)
        return wrong_form(f, "a name, two values, a bound and an array of statements");
    int r = text_at(f, 1, &f->n->name);
    if (r == CELL_OK)
        r = cell_json_item(f->at, 1, &at, &kind, f->r->c->e);
    if (r > 0)
        r = cell_check_name(&at, NULL, f->n->name, NAME_C, f->r->c->e);
    if (r >= 0)
        r = room_for(f, 3);
    for (uint32_t i = 2; i < 4 && r >= 0; i++)
        r = expression_at(f, i, f->depth + 1);
    if (r >= 0)
        r = bound_at(f, 4);
    return r < 0 ? r : block_at(f, 5, f->depth + 1);
}

static int read_loop(struct form *f)
{
    int r = f->count == 3 ? bound_at(f, 1) : wrong_form(f, "a bound and an array of statements");
    if (r == CELL_OK)
        r = room_for(f, 1);
    return r < 0 ? r : block_at(f, 2, f->depth + 1);
}

static int read_fail(struct form *f)
{
    const char *name = NULL;
    if (f->count != 2)
        return wrong_form(f, "the name of a status");
    int r = cell_json_item_string(f->at, 1, &name, f->r->c->e);
    if (r < 0)
        return r;
    int status = cell_ast_status_of(name);
    f->n->bits = (uint64_t)(int64_t)status;
    return status ? CELL_OK : cell_json_fail(f->at, NULL, f->r->c->e, "unknown status");
}

/* ["try", "f", …], ["status", place, "f", …] */
static int read_call_statement(struct form *f)
{
    const uint32_t name = f->n->op == AST_TRY ? 1 : 2;
    int r = f->count > name ? text_at(f, name, &f->n->name) : wrong_form(f, "the name of a function");
    if (r == CELL_OK)
        r = room_for(f, f->count);
    if (r == CELL_OK && name == 2)
        r = expression_at(f, 1, f->depth + 1);
    for (uint32_t i = name + 1; i < f->count && r == CELL_OK; i++)
        r = expression_at(f, i, f->depth + 1);
    return r;
}

static int read_statement(struct form *f)
{
    switch (f->n->op) {
    case AST_LET:
        return read_let(f);
    case AST_ASSIGN:
        return f->count == 3 ? operands(f, 1, 1) : wrong_form(f, "a place and a value");
    case AST_IF:
        return read_if(f);
    case AST_SWITCH:
        return read_switch(f);
    case AST_FOR:
    case AST_DOWN:
        return read_counted(f);
    case AST_LOOP:
        return read_loop(f);
    case AST_BREAK:
    case AST_CONTINUE:
        return f->count == 1 ? CELL_OK : wrong_form(f, "nothing more");
    case AST_RETURN:
        return f->count <= 2 ? operands(f, 1, 1) : wrong_form(f, "one value");
    case AST_FAIL:
        return read_fail(f);
    case AST_TRY:
    case AST_STATUS:
        return read_call_statement(f);
    default:
        return wrong_form(f, "a statement");
    }
}

int cell_ast_read_block(struct ast_reader *r, const struct json_at *at, uint32_t depth, struct ast_node **node)
{
    struct json_at item;
    enum json_kind kind = JSON_IS_ARRAY;
    int status = CELL_OK;
    if (!at->key && (status = cell_json_item(at->parent, at->index, &item, &kind, r->c->e)) < 0)
        return status;
    if (kind != JSON_IS_ARRAY)
        return cell_json_fail(at, NULL, r->c->e, "an array of statements is expected");
    if (depth > r->c->limits.depth)
        return too_deep(r, at);
    struct form block = {.r = r, .at = at, .depth = depth, .n = cell_ast_node(r, at, AST_BLOCK, &status)};
    if (!block.n || (status = room_for(&block, (uint32_t)cell_json_count(at))) < 0)
        return status;
    for (size_t i = 0, n = cell_json_count(at); i < n && status >= 0; i++) {
        struct form f;
        if ((status = cell_json_item(at, i, &item, &kind, r->c->e)) < 0)
            break;
        if (kind == JSON_IS_INTEGER) { /* the line of what follows */
            int64_t line = cell_json_integer_of(&item);
            if (line < 1 || line > INT32_MAX)
                return cell_json_fail(&item, NULL, r->c->e, "a line is a number from 1 to %d", INT32_MAX);
            r->line = (uint32_t)line;
            continue;
        }
        if (kind != JSON_IS_ARRAY)
            return cell_json_fail(&item, NULL, r->c->e, "a statement is expected");
        status = begin(r, &item, depth, &f);
        if (status == CELL_OK)
            status = read_statement(&f);
        if (status == CELL_OK)
            status = add(&block, f.n);
    }
    *node = block.n;
    return status < 0 ? status : CELL_OK;
}
