/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What reading, verifying and rendering of functions share. Internal to core/. */
#ifndef CELL_CORE_AST_IMPL_H
#define CELL_CORE_AST_IMPL_H

#include "core/ast.h"
#include "core/json.h"
#include "core/schema_impl.h"

enum ast_class {
    AST_CLASS_LITERAL,
    AST_CLASS_NAME,
    AST_CLASS_CAST,
    AST_CLASS_ARITH1,
    AST_CLASS_ARITH,
    AST_CLASS_DIVIDE,
    AST_CLASS_BITS1,
    AST_CLASS_BITS,
    AST_CLASS_SHIFT,
    AST_CLASS_COMPARE,
    AST_CLASS_EQUAL,
    AST_CLASS_LOGIC1,
    AST_CLASS_LOGIC,
    AST_CLASS_CHOICE,
    AST_CLASS_INT1,
    AST_CLASS_INT2,
    AST_CLASS_EXACT1,
    AST_CLASS_EXACT2,
    AST_CLASS_TEST1,
    AST_CLASS_MATH1,
    AST_CLASS_MATH2,
    AST_CLASS_MATH3,
    AST_CLASS_SCALE,
    AST_CLASS_TEXT,
    AST_CLASS_PART,
    AST_CLASS_CALLING,
    AST_CLASS_STATEMENT
};

/* Operands of a TEXT operation: s a string, n an integer of any type, l an i64, f an f64. */
struct ast_text_form {
    const char *operands;
    enum cell_kind result;
};

/* ast.c */
enum ast_class cell_ast_class(enum ast_op op);
/* How many operands there are at least and at most; UINT32_MAX = any number. Of expressions. */
void cell_ast_arity(enum ast_op op, uint32_t *least, uint32_t *most);
const struct ast_text_form *cell_ast_text_form(enum ast_op op);
/* The kind that a CAST makes; 0 for any other operation. */
enum cell_kind cell_ast_cast_kind(enum ast_op op);
/* The kind that values of the type have in expressions: an enum's is its integer's. */
static inline enum cell_kind cell_ast_scalar(const struct schema_ref *r)
{
    return r->kind == CELL_KIND_ENUM ? r->named->elem.kind : r->kind;
}
static inline bool cell_ast_is_float(enum cell_kind k) { return k == CELL_KIND_F32 || k == CELL_KIND_F64; }
static inline bool cell_ast_is_number(enum cell_kind k) { return k >= CELL_KIND_I8 && k <= CELL_KIND_F64; }
static inline bool cell_ast_is_signed(enum cell_kind k)
{
    return k == CELL_KIND_I8 || k == CELL_KIND_I16 || k == CELL_KIND_I32 || k == CELL_KIND_I64;
}
static inline unsigned cell_ast_width(enum cell_kind k) /* of an integer, bits */
{
    return k <= CELL_KIND_U8 ? 8 : k <= CELL_KIND_U16 ? 16 : k <= CELL_KIND_U32 ? 32 : 64;
}
/* Anything but a scalar or a string. */
static inline bool cell_ast_is_aggregate(const struct schema_ref *r) { return r->count || r->kind == CELL_KIND_STRUCT; }
bool cell_ast_same_type(const struct schema_ref *a, const struct schema_ref *b);
/* The status of that name in scripts ("not-found"), 0 = there is none. */
int cell_ast_status_of(const char *name);

/* A document on its way through the checks. */
struct ast_check {
    struct cell_ast *doc;
    struct ast_limits limits; /* no zeros */
    struct ast_function *f;   /* the one that is looked at */
    int status;               /* of failures, but for limits */
    struct cell_error *e;
};

int cell_ast_no_memory(struct ast_check *c);
/* "functions[2].body[3][1]: …" with c->status, or CELL_TOO_LARGE. `n` NULL = the function. Returns the status. */
int cell_ast_refuse(struct ast_check *c, const struct ast_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int cell_ast_too_large(struct ast_check *c, const struct ast_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ast_read.c: the JSON of one function. */
struct ast_reader {
    struct ast_check *c;
    uint32_t line; /* of what is read next */
};
/* Allocates a node and counts it; NULL and an error at `at`, with its status in *status. */
struct ast_node *cell_ast_node(struct ast_reader *r, const struct json_at *at, enum ast_op op, int *status);
/* A type's text as a use of it. */
int cell_ast_read_type(struct ast_check *c, const struct json_at *at, const char *text, struct schema_ref *use);
char *cell_ast_copy(struct ast_check *c, const char *text, int *status);
/* {"f64": "1.5"} and its like, also as an entry of a table, which is of `kind`: 1.5 alone. */
int cell_ast_read_value(struct ast_reader *r, const struct json_at *at, enum cell_kind kind, struct ast_node **node);

/* ast_read_body.c: `depth` is that of the node itself. */
int cell_ast_read_expression(struct ast_reader *r, const struct json_at *at, uint32_t depth, struct ast_node **node);
int cell_ast_read_block(struct ast_reader *r, const struct json_at *at, uint32_t depth, struct ast_node **node);

/* ast_verify.c: names, types, places, cost; fills in type, ref, variables, cost, stack. */
int cell_ast_verify(struct ast_check *c);
/* ast_verify_expr.c */
struct ast_scope {
    struct ast_check *c;
    uint32_t *visible; /* indices of variables that can be named here, in the order of their declaration */
    uint32_t nvisible;
    uint32_t room;  /* of c->f->variables */
    uint32_t loops; /* around what is looked at */
    uint32_t exits; /* loops and switches */
    uint64_t cost;  /* of what was looked at */
    uint64_t bytes; /* of variables and temporaries */
    uint64_t below; /* the most that a function called here needs */
};
int cell_ast_verify_expression(struct ast_scope *s, struct ast_node *n);
/* A variable, or a part of one, that may be written. */
int cell_ast_verify_place(struct ast_scope *s, struct ast_node *n);
/* Arguments of a call; args[first] is the first one. */
int cell_ast_verify_call(struct ast_scope *s, struct ast_node *n, uint32_t first);
int cell_ast_find_function(struct ast_scope *s, struct ast_node *n);
const char *cell_ast_type_text(const struct schema_ref *r, char *text, size_t size);
#define AST_TYPE_TEXT 160u

/* ast_flow.c: definite assignment, and which checks are needed; fills in `proven`. */
int cell_ast_flow(struct ast_check *c);

#endif
