/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which records count: an expression as in C over their fields, compiled to a few operations on a stack. It ends, for
 * nothing jumps back; it reads nothing but the record; and nothing of it is undefined: whole numbers are what they are
 * in mathematics, in 128 bits, and what could be beyond that, or divide by 0, is refused when it is compiled, by the
 * range that every part of it can have.
 *
 *   or       and { "||" and }                                     truth
 *   and      bits { "&&" bits }                                   truth
 *   bits     "|", "^" and "&", which bind in this order            whole numbers
 *   compare  "==" "!=", and stronger "<" "<=" ">" ">=", "in" "(" number { "," number } ")"
 *   sum      "<<" ">>" by a number up to 64, and stronger "+" "-", and stronger "*" "/" "%"
 *   unary    { "!" | "-" | "+" | "~" } ( number | name | call | "(" or ")" )
 *   call     name "(" [ or { "," or } ] ")"                        truth
 *
 * This is the order of C. A whole number stands for whether it is not 0 where a truth is needed, and for a double
 * beside one. A truth is no number. A field of bytes is compared with text, name == 'text', which zeros fill up.
 * Functions are the program's, which were verified (cell/hot.h); what they are given has to fit their parameters.
 */
#ifndef CELLS_ANALYTICS_FILTER_H
#define CELLS_ANALYTICS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <cell/hot.h>

#define AN_MOST_OPS 128
#define AN_MOST_STACK 16
#define AN_MOST_FILTER_TEXT 4000 /* of an expression */
#define AN_MOST_NESTING 32

enum an_class { AN_SIGNED, AN_UNSIGNED, AN_REAL, AN_BYTES };

struct an_field {
    uint32_t offset;
    uint16_t size;  /* 1, 2, 4 or 8; of AN_BYTES any */
    uint16_t class; /* enum an_class */
};

enum an_opcode {
    AN_OP_FIELD,  /* pushes it */
    AN_OP_NUMBER, /* pushes a whole number, or a real one */
    AN_OP_REAL_NUMBER,
    AN_OP_TEXT,          /* pushes whether a field of bytes is `text` */
    AN_OP_TO_REAL,       /* the whole number on the top */
    AN_OP_TO_REAL_BELOW, /* the one below it */
    AN_OP_NOT,           /* of a truth */
    AN_OP_NEGATE,
    AN_OP_INVERT, /* ~ */
    AN_OP_REAL_NEGATE,
    /* Of two whole numbers, of which the upper one may be in the operation itself: a whole number, */
    AN_OP_ADD,
    AN_OP_SUBTRACT,
    AN_OP_MULTIPLY,
    AN_OP_DIVIDE,
    AN_OP_REMAINDER,
    AN_OP_AND,
    AN_OP_OR,
    AN_OP_XOR,
    AN_OP_SHIFT_LEFT,
    AN_OP_SHIFT_RIGHT,
    AN_OP_EQUAL, /* or a truth. */
    AN_OP_UNEQUAL,
    AN_OP_LESS,
    AN_OP_LESS_EQUAL,
    AN_OP_GREATER,
    AN_OP_GREATER_EQUAL,
    /* The same of two real ones. */
    AN_OP_REAL_ADD,
    AN_OP_REAL_SUBTRACT,
    AN_OP_REAL_MULTIPLY,
    AN_OP_REAL_DIVIDE,
    AN_OP_REAL_EQUAL,
    AN_OP_REAL_UNEQUAL,
    AN_OP_REAL_LESS,
    AN_OP_REAL_LESS_EQUAL,
    AN_OP_REAL_GREATER,
    AN_OP_REAL_GREATER_EQUAL,
    /* Jumps with the truth on the top when it is that, and takes it away otherwise. */
    AN_OP_IF_FALSE,
    AN_OP_IF_TRUE,
    /* The whole number on the top becomes true when it is that one, with a jump; of the last, without one, a truth. */
    AN_OP_IS,
    AN_OP_CALL, /* takes the arguments away, the last one from the top, and pushes a truth */
    AN_OP_COUNT
};

struct an_step {
    uint8_t code;   /* enum an_opcode */
    bool immediate; /* the upper operand is `number` */
    uint16_t jump;  /* to the operation of that number, which comes later; 0: none */
    struct an_field field;
    uint32_t text; /* where in the filter's; of AN_OP_CALL the number of the function */
    union {
        __int128 whole;
        double real;
    } number;
};

/* No operation: all records count. */
struct an_filter {
    const struct cell_hot *functions; /* NULL: it calls none; not owned */
    uint32_t nops, ntext;
    struct an_step ops[AN_MOST_OPS];
    char text[256];
};

/* What a name is. */
enum an_name { AN_NAME_NONE, AN_NAME_FIELD, AN_NAME_NUMBER };
typedef enum an_name an_find_fn(void *user, const char *name, struct an_field *field, __int128 *number);

/* What is wrong, and with which bytes of the text. */
struct an_problem {
    char text[300];
    uint32_t at, length;
};

/* False: there is a problem. `functions` (NULL: none) are those that it may call, and outlive the filter. Thread-safe.
 */
bool an_filter_parse(const char *text, const struct cell_hot *functions, an_find_fn *find, void *user,
                     struct an_filter *filter, struct an_problem *problem);
/* Whether it can be run on records of that size: the parser's work, looked at once more without it. */
bool an_filter_is_sound(const struct an_filter *filter, uint32_t record_size);
/* Of a sound one. */
bool an_filter_passes(const struct an_filter *filter, const void *record);

#endif
