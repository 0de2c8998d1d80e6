/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Functions that a cell writes and a program runs: documents "cell.ast/1", read, proven harmless and rendered as C.
 * Format and meaning: docs/hot-functions.md; the members of a document: docs/schema/cell.ast.json.
 *
 *     struct cell_ast *doc = NULL;
 *     if (cell_ast_parse(json, len, NULL, &doc, e) < 0) …      "functions[2].body[3][1]: 'n' is an i32, not an f64"
 *     cell_ast_render(doc, &(struct ast_render_options){.unit = "maths"}, &text)
 *
 * There is no document that was read and not verified: whatever a struct cell_ast holds is total (it ends, within its
 * cost), reads and writes nothing but its parameters and its own variables, and has no undefined behaviour in C.
 *
 * Lifetime: every pointer in a document belongs to its arena, types to the schema below it. A document is immutable and
 * may be read by any thread.
 */
#ifndef CELL_CORE_AST_H
#define CELL_CORE_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "core/schema.h"

#define CELL_AST_FORMAT "cell.ast/1"

/* What a document may cost before anybody runs it, and a function when it runs. A zero stands for the default. */
struct ast_limits {
    uint32_t bytes;     /* of JSON */
    uint32_t nodes;     /* of all functions together: expressions, statements, entries of tables */
    uint32_t depth;     /* of nesting, where a chain (else if, a + b + c) counts as what C makes of it */
    uint32_t variables; /* of one function, with parameters */
    uint32_t locals;    /* bytes of one function's variables and temporaries */
    uint32_t stack;     /* bytes of a function's variables and those of all that it calls, at once */
    uint64_t cost;      /* operations of one call, at worst */
};
#define CELL_AST_MAX_BYTES (1u << 20)
#define CELL_AST_MAX_NODES 100000u
#define CELL_AST_MAX_DEPTH 64u
#define CELL_AST_MAX_VARIABLES 256u
#define CELL_AST_MAX_LOCALS (64u << 10)
#define CELL_AST_MAX_STACK (256u << 10)
#define CELL_AST_MAX_COST UINT64_C(50000000)
#define CELL_AST_MAX_LINE 0x7fffffffu
/* A loop's bound may not be larger than this, whatever its body costs. */
#define CELL_AST_MAX_BOUND UINT64_C(50000000)

/*
 * X(symbol, name in the document, class). Names of statements that are not written as such begin with a space.
 * Classes: what the reader and the verifier make of the members behind the name.
 *   LITERAL, NAME       no array: {"i64": 5}, "x"
 *   CAST                [name, value]           the name is the type
 *   ARITH1, ARITH       numbers, same type as the result; ARITH has two or more operands, from left to right
 *   DIVIDE              as ARITH, with exactly two operands; of integers the divisor is checked
 *   BITS1, BITS, SHIFT  integers; a shift's count is any integer
 *   COMPARE, EQUAL      two numbers (EQUAL: or bools) of one type; bool
 *   LOGIC1, LOGIC       bools; LOGIC has two or more, and evaluates from left to right as far as needed
 *   MATH1, MATH2, MATH3 f64 to f64; EXACT1, EXACT2 also f32 to f32; TEST1 f64 or f32 to bool
 *   INT1, INT2          integers of one type
 *   CHOICE              a bool, and two values of one type;  SCALE  an f64 and an i32
 *   TEXT                on strings, see the table in ast.c
 *   PART                element, field
 *   STATEMENT
 */
#define CELL_AST_OP_MAP(X)                                                                                             \
    X(INTEGER, " integer", LITERAL)                                                                                    \
    X(REAL, " real", LITERAL)                                                                                          \
    X(STRING, " string", LITERAL)                                                                                      \
    X(VARIABLE, " variable", NAME)                                                                                     \
    X(TABLE, " table", NAME)                                                                                           \
    X(CAST_BOOL, "bool", CAST)                                                                                         \
    X(CAST_I8, "i8", CAST)                                                                                             \
    X(CAST_U8, "u8", CAST)                                                                                             \
    X(CAST_I16, "i16", CAST)                                                                                           \
    X(CAST_U16, "u16", CAST)                                                                                           \
    X(CAST_I32, "i32", CAST)                                                                                           \
    X(CAST_U32, "u32", CAST)                                                                                           \
    X(CAST_I64, "i64", CAST)                                                                                           \
    X(CAST_U64, "u64", CAST)                                                                                           \
    X(CAST_F32, "f32", CAST)                                                                                           \
    X(CAST_F64, "f64", CAST)                                                                                           \
    X(NEG, "neg", ARITH1)                                                                                              \
    X(ADD, "+", ARITH)                                                                                                 \
    X(SUB, "-", ARITH)                                                                                                 \
    X(MUL, "*", ARITH)                                                                                                 \
    X(DIV, "/", DIVIDE)                                                                                                \
    X(REM, "%", DIVIDE)                                                                                                \
    X(NOT, "~", BITS1)                                                                                                 \
    X(AND, "&", BITS)                                                                                                  \
    X(OR, "|", BITS)                                                                                                   \
    X(XOR, "^", BITS)                                                                                                  \
    X(SHL, "<<", SHIFT)                                                                                                \
    X(SHR, ">>", SHIFT)                                                                                                \
    X(LT, "<", COMPARE)                                                                                                \
    X(LE, "<=", COMPARE)                                                                                               \
    X(GT, ">", COMPARE)                                                                                                \
    X(GE, ">=", COMPARE)                                                                                               \
    X(EQ, "==", EQUAL)                                                                                                 \
    X(NE, "!=", EQUAL)                                                                                                 \
    X(LNOT, "!", LOGIC1)                                                                                               \
    X(LAND, "&&", LOGIC)                                                                                               \
    X(LOR, "||", LOGIC)                                                                                                \
    X(CHOOSE, "?:", CHOICE)                                                                                            \
    X(ABS, "abs", INT1)                                                                                                \
    X(MIN, "min", INT2)                                                                                                \
    X(MAX, "max", INT2)                                                                                                \
    X(FABS, "fabs", EXACT1)                                                                                            \
    X(SQRT, "sqrt", EXACT1)                                                                                            \
    X(FLOOR, "floor", EXACT1)                                                                                          \
    X(CEIL, "ceil", EXACT1)                                                                                            \
    X(TRUNC, "trunc", EXACT1)                                                                                          \
    X(ROUND, "round", EXACT1)                                                                                          \
    X(RINT, "rint", EXACT1)                                                                                            \
    X(FMIN, "fmin", EXACT2)                                                                                            \
    X(FMAX, "fmax", EXACT2)                                                                                            \
    X(COPYSIGN, "copysign", EXACT2)                                                                                    \
    X(ISNAN, "isnan", TEST1)                                                                                           \
    X(ISINF, "isinf", TEST1)                                                                                           \
    X(ISFINITE, "isfinite", TEST1)                                                                                     \
    X(SIGNBIT, "signbit", TEST1)                                                                                       \
    X(CBRT, "cbrt", MATH1)                                                                                             \
    X(EXP, "exp", MATH1)                                                                                               \
    X(EXP2, "exp2", MATH1)                                                                                             \
    X(EXPM1, "expm1", MATH1)                                                                                           \
    X(LOG, "log", MATH1)                                                                                               \
    X(LOG2, "log2", MATH1)                                                                                             \
    X(LOG10, "log10", MATH1)                                                                                           \
    X(LOG1P, "log1p", MATH1)                                                                                           \
    X(SIN, "sin", MATH1)                                                                                               \
    X(COS, "cos", MATH1)                                                                                               \
    X(TAN, "tan", MATH1)                                                                                               \
    X(ASIN, "asin", MATH1)                                                                                             \
    X(ACOS, "acos", MATH1)                                                                                             \
    X(ATAN, "atan", MATH1)                                                                                             \
    X(SINH, "sinh", MATH1)                                                                                             \
    X(COSH, "cosh", MATH1)                                                                                             \
    X(TANH, "tanh", MATH1)                                                                                             \
    X(ASINH, "asinh", MATH1)                                                                                           \
    X(ACOSH, "acosh", MATH1)                                                                                           \
    X(ATANH, "atanh", MATH1)                                                                                           \
    X(ERF, "erf", MATH1)                                                                                               \
    X(ERFC, "erfc", MATH1)                                                                                             \
    X(TGAMMA, "tgamma", MATH1)                                                                                         \
    X(LGAMMA, "lgamma", MATH1)                                                                                         \
    X(POW, "pow", MATH2)                                                                                               \
    X(ATAN2, "atan2", MATH2)                                                                                           \
    X(HYPOT, "hypot", MATH2)                                                                                           \
    X(FMOD, "fmod", MATH2)                                                                                             \
    X(REMAINDER, "remainder", MATH2)                                                                                   \
    X(FDIM, "fdim", MATH2)                                                                                             \
    X(LDEXP, "ldexp", SCALE)                                                                                           \
    X(FMA, "fma", MATH3)                                                                                               \
    X(LENGTH, "length", TEXT)                                                                                          \
    X(BYTE, "byte", TEXT)                                                                                              \
    X(SAME, "same", TEXT)                                                                                              \
    X(ORDER, "compare", TEXT)                                                                                          \
    X(FIND, "find", TEXT)                                                                                              \
    X(STARTS, "starts", TEXT)                                                                                          \
    X(ENDS, "ends", TEXT)                                                                                              \
    X(SUB_STR, "sub", TEXT)                                                                                            \
    X(UTF8_AT, "utf8_at", TEXT)                                                                                        \
    X(UTF8_NEXT, "utf8_next", TEXT)                                                                                    \
    X(IS_I64, "is_i64", TEXT)                                                                                          \
    X(PARSE_I64, "parse_i64", TEXT)                                                                                    \
    X(IS_F64, "is_f64", TEXT)                                                                                          \
    X(PARSE_F64, "parse_f64", TEXT)                                                                                    \
    X(ELEMENT, "[]", PART)                                                                                             \
    X(FIELD, ".", PART)                                                                                                \
    X(CALL, "call", CALLING)                                                                                           \
    X(BLOCK, " block", STATEMENT)                                                                                      \
    X(CASE, " case", STATEMENT)                                                                                        \
    X(LET, "let", STATEMENT)                                                                                           \
    X(ASSIGN, "=", STATEMENT)                                                                                          \
    X(IF, "if", STATEMENT)                                                                                             \
    X(SWITCH, "switch", STATEMENT)                                                                                     \
    X(FOR, "for", STATEMENT)                                                                                           \
    X(DOWN, "down", STATEMENT)                                                                                         \
    X(LOOP, "loop", STATEMENT)                                                                                         \
    X(BREAK, "break", STATEMENT)                                                                                       \
    X(CONTINUE, "continue", STATEMENT)                                                                                 \
    X(RETURN, "return", STATEMENT)                                                                                     \
    X(FAIL, "fail", STATEMENT)                                                                                         \
    X(TRY, "try", STATEMENT)                                                                                           \
    X(STATUS, "status", STATEMENT)

enum ast_op {
#define CELL_AST_OP_ENUM(symbol, name, class) AST_##symbol,
    CELL_AST_OP_MAP(CELL_AST_OP_ENUM)
#undef CELL_AST_OP_ENUM
        AST_OPS
};

/* What the verifier has found out about an operation; nothing is set that is not proven. */
enum ast_proven {
    AST_IN_BOUNDS = 1,  /* ELEMENT, BYTE: the index is in bounds. DIV, REM of integers: the divisor is not 0. SHIFT: the
                         * count is less than the width. Casts of floats: the value fits. FMIN, FMAX, COPYSIGN:
                         * the second operand is not NaN; SIGNBIT: the only one. FOR, DOWN: the range has no
                         * more than `bound` steps */
    AST_NO_OVERFLOW = 2 /* ADD, SUB, MUL, NEG of integers: nothing wraps. DIV, REM: never the smallest number by -1 */
};

/*
 * One expression, statement or block. Members by operation:
 *   INTEGER     bits: the value, extended to 64 bits as its type is; bools are 0 and 1
 *   REAL        real: the value; of f32 one that an f32 holds
 *   STRING      text, text_len
 *   VARIABLE    ref: index in the function's variables.   TABLE  ref: index in the document's tables
 *   FIELD       args[0] the struct, ref: index of the field, name
 *   ELEMENT     args[0] the array, args[1] the index
 *   CALL        ref: index of the function, of those before this one; args as its parameters
 *   BLOCK       args: the statements in order
 *   LET         ref: the variable; args[0] its value, nargs 0 = without
 *   ASSIGN      args[0] the place, args[1] the value
 *   IF          args: condition, block, condition, block, …, and, when nargs is odd, the else block
 *   SWITCH      args[0] the value, then CASEs
 *   CASE        args[0] the block; labels, nlabels; none: the default, which comes last
 *   FOR, DOWN   ref: the counter; args: from, to, block; bound; steps: at most so many are proven, whatever the bound
 *   LOOP        args: block; bound
 *   RETURN      args[0] the value, nargs 0 in functions with a status
 *   FAIL        bits: the status, negative
 *   TRY         ref: the function, args as its parameters, in their order: places for those that are out
 *   STATUS      the same behind args[0], the place of the status, an i32
 */
struct ast_node {
    enum ast_op op;
    uint32_t nargs;
    struct ast_node **args;
    const struct ast_node *parent; /* NULL: a function's body */
    uint32_t at;                   /* where it stands in its parent's array */
    uint32_t line;                 /* statements: the line in the author's file; 0 = not known */
    struct schema_ref
        type; /* of the value; kind 0 of statements. A place of an enum keeps it, its value is an integer */
    uint32_t ref;
    uint32_t proven; /* enum ast_proven */
    const char *name;
    union {
        uint64_t bits;
        double real;
        struct {
            uint64_t bound, steps;
        };
        struct {
            const char *text;
            uint64_t text_len;
        };
        struct {
            const int64_t *labels; /* u64 as its bits */
            uint32_t nlabels;
        };
    };
};

struct ast_variable {
    const char *name;
    struct schema_ref type; /* as declared: an enum stays one */
    enum { AST_IN, AST_OUT, AST_LOCAL, AST_COUNTER } origin;
    uint64_t bytes;
};

struct ast_param {
    const char *name;
    const char *doc; /* NULL = none */
    struct schema_ref type;
    bool out;     /* written when the function succeeds, and only then; a pointer */
    bool pointer; /* in: `const T *`; arrays always */
};

struct ast_function {
    const char *name;
    const char *doc;           /* NULL = none */
    const char *file;          /* of the author; NULL = not known */
    uint32_t line;             /* of its name there; 0 = not known */
    const char *renamed_from;  /* NULL */
    bool internal;             /* for other functions of the document only: its name is not the program's affair */
    bool status;               /* returns an int: CELL_OK or negative, and may have outputs */
    struct schema_ref returns; /* when it has no status */
    int fault;                 /* the status with which a fault ends it */
    struct ast_param *params;  /* the first nparams variables are these */
    uint32_t nparams;
    struct ast_variable *variables;
    uint32_t nvariables;
    struct ast_node *body; /* a BLOCK */
    uint64_t cost;         /* operations, at worst, with all it calls */
    uint64_t stack;        /* bytes, with all it calls */
};

/* A constant array. */
struct ast_table {
    const char *name;
    struct schema_ref type;   /* of a scalar or str, with its count */
    struct ast_node **values; /* INTEGER, REAL, STRING */
};

struct cell_ast {
    struct cell_arena arena;
    const struct cell_schema *types; /* of the functions' signatures and variables */
    struct cell_schema *own;         /* the same when the document brought them, else NULL */
    struct ast_table *tables;
    uint32_t ntables;
    struct ast_function *functions; /* each calls only those before it */
    uint32_t nfunctions;
    uint32_t nodes;
};

struct json_at;

/*
 * Reads and verifies one document of `len` bytes, with its own types. `limits` NULL = the defaults. CELL_PROTOCOL_ERROR
 * with path and cause; CELL_TOO_LARGE over a limit; CELL_NO_MEMORY. Free with cell_ast_free.
 */
int cell_ast_parse(const char *json, size_t len, const struct ast_limits *limits, struct cell_ast **doc,
                   struct cell_error *e);
/*
 * The same for an object that is a part of another document: its members "tables" and "functions" (both optional) are
 * read. `types`, whose types the functions use, must outlive the document. Failures have object->status.
 */
int cell_ast_read(const struct json_at *object, const struct cell_schema *types, const struct ast_limits *limits,
                  struct cell_ast **doc, struct cell_error *e);
void cell_ast_free(struct cell_ast *doc); /* NULL is accepted */

/*
 * The functions of a schema, which must outlive the document: those of s->functions, NULL in *doc when it has none.
 * CELL_PROTOCOL_ERROR with the path in "functions", and as cell_ast_parse.
 */
int cell_ast_of_schema(const struct cell_schema *s, const struct ast_limits *limits, struct cell_ast **doc,
                       struct cell_error *e);

/* NULL = there is none. */
const struct ast_function *cell_ast_function(const struct cell_ast *doc, const char *name);

struct ast_render_options {
    bool cplusplus;
    bool lines;  /* with #line directives where the author's file is known; they hold up to the function's end */
    bool fences; /* the compiler fuses products with sums whatever pragmas say (-ffp-contract=fast, which is a part
                  * of -ffast-math): keeps it from that, at some cost */
    /* NULL, or why this compiler's flags let no function compute with floats: those are declared, and their use is an
     * error with this text behind "'NAME' computes with floating-point numbers, and". Neither quotation marks nor
     * backslashes in it. */
    const char *no_floats;
    const char *unit; /* internal functions, tables and helpers are called cellgen_UNIT_…; an identifier */
};
/*
 * Appends the functions as C11, or C++11: `static inline`, in the document's order, with what they need, and without
 * macros and includes. Before it must stand the definitions of the types (`struct T`, `enum T`), of cell_str when
 * strings are used, and of <stdint.h>'s types. Math functions need -lm. What the text computes depends neither on the
 * optimisation level nor on -ffast-math, except for -ffinite-math-only, which no text can revoke: see `no_floats`.
 * CELL_NO_MEMORY.
 */
int cell_ast_render(const struct cell_ast *doc, const struct ast_render_options *o, struct cell_buffer *out);
/* floats[i], of doc->nfunctions: whether the function computes with floating-point numbers, itself or in what it calls,
 * so that `no_floats` leaves it out. */
void cell_ast_find_floats(const struct cell_ast *doc, bool *floats);
/* "static inline int f(double x, struct point *out)" without anything behind it; of no internal function. */
int cell_ast_render_prototype(const struct ast_function *f, const struct ast_render_options *o,
                              struct cell_buffer *out);

/* Appends one function, or table, as people read it: one statement a line, C-like, stable, ending in a newline; for
 * `cell diff`, which compares by line. CELL_NO_MEMORY. */
int cell_ast_print_function(const struct cell_ast *doc, const struct ast_function *f, struct cell_buffer *out);
int cell_ast_print_table(const struct cell_ast *doc, const struct ast_table *t, struct cell_buffer *out);

/* The operation's name in a document, and the other way: AST_OPS = there is none of this name. */
const char *cell_ast_op_name(enum ast_op op);
enum ast_op cell_ast_op_of(const char *name);

#endif
