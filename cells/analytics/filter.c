/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Filters as operations: what they do to a record, and whether they can. */
#include "filter.h"

#include <string.h>

#include "plan.h"

union value {
    __int128 whole; /* or a truth: 0 or 1 */
    double real;
};

/* ---- running ---- */

static bool takes_real(const struct cell_hot_function *f, uint32_t i)
{
    return f->parameters[i] == CELL_KIND_F32 || f->parameters[i] == CELL_KIND_F64;
}

static union value field_of(const struct an_field *field, const void *record)
{
    union an_number n = an_load(field, record);

    if (field->class == AN_REAL)
        return (union value){.real = n.d};
    return (union value){.whole = field->class == AN_SIGNED ? (__int128)n.i : (__int128)n.u};
}

/* The remainder of C, and shifts as multiplications and divisions that round down. */
static __int128 of_wholes(enum an_opcode code, __int128 a, __int128 b)
{
    switch (code) {
    case AN_OP_ADD:
        return a + b;
    case AN_OP_SUBTRACT:
        return a - b;
    case AN_OP_MULTIPLY:
        return a * b;
    case AN_OP_DIVIDE:
        return a / b;
    case AN_OP_REMAINDER:
        return a % b;
    case AN_OP_AND:
        return a & b;
    case AN_OP_OR:
        return a | b;
    case AN_OP_XOR:
        return a ^ b;
    case AN_OP_SHIFT_LEFT:
        return a * ((__int128)1 << b);
    case AN_OP_SHIFT_RIGHT:
        return a >> b;
    case AN_OP_EQUAL:
        return a == b;
    case AN_OP_UNEQUAL:
        return a != b;
    case AN_OP_LESS:
        return a < b;
    case AN_OP_LESS_EQUAL:
        return a <= b;
    case AN_OP_GREATER:
        return a > b;
    default:
        return a >= b;
    }
}

static union value of_reals(enum an_opcode code, double a, double b)
{
    switch (code) {
    case AN_OP_REAL_ADD:
        return (union value){.real = a + b};
    case AN_OP_REAL_SUBTRACT:
        return (union value){.real = a - b};
    case AN_OP_REAL_MULTIPLY:
        return (union value){.real = a * b};
    case AN_OP_REAL_DIVIDE:
        return (union value){.real = a / b};
    case AN_OP_REAL_EQUAL:
        return (union value){.whole = a == b};
    case AN_OP_REAL_UNEQUAL:
        return (union value){.whole = a != b};
    case AN_OP_REAL_LESS:
        return (union value){.whole = a < b};
    case AN_OP_REAL_LESS_EQUAL:
        return (union value){.whole = a <= b};
    case AN_OP_REAL_GREATER:
        return (union value){.whole = a > b};
    default:
        return (union value){.whole = a >= b};
    }
}

static union value of_one(enum an_opcode code, union value a)
{
    switch (code) {
    case AN_OP_TO_REAL:
        return (union value){.real = (double)a.whole};
    case AN_OP_NOT:
        return (union value){.whole = !a.whole};
    case AN_OP_NEGATE:
        return (union value){.whole = -a.whole};
    case AN_OP_INVERT:
        return (union value){.whole = ~a.whole};
    default:
        return (union value){.real = -a.real};
    }
}

/* Where the truth is that takes the place of the arguments up to `top`. */
static union value *call(const struct an_filter *filter, const struct an_step *op, union value *top)
{
    const struct cell_hot_function *f = cell_hot_function(filter->functions, (int)op->text);
    union cell_hot_value arguments[AN_MOST_STACK];
    const union value *first = top - f->nparameters + 1;

    for (uint32_t i = 0; i < f->nparameters; i++) {
        if (takes_real(f, i))
            arguments[i].real = first[i].real;
        else
            arguments[i].bits = (uint64_t)first[i].whole;
    }
    top -= f->nparameters;
    (++top)->whole = (__int128)cell_hot_call(filter->functions, (int)op->text, arguments).bits;
    return top;
}

bool an_filter_passes(const struct an_filter *filter, const void *record)
{
    union value stack[AN_MOST_STACK + 1], *top = stack; /* the lowest is not used */

    for (uint32_t i = 0; i < filter->nops; i++) {
        const struct an_step *op = &filter->ops[i];
        enum an_opcode code = (enum an_opcode)op->code;
        if (code == AN_OP_FIELD) {
            *++top = field_of(&op->field, record);
        } else if (code >= AN_OP_ADD && code <= AN_OP_GREATER_EQUAL) {
            __int128 right = op->immediate ? op->number.whole : (top--)->whole;
            top->whole = of_wholes(code, top->whole, right);
        } else if (code == AN_OP_IF_FALSE || code == AN_OP_IF_TRUE) {
            if ((top->whole != 0) == (code == AN_OP_IF_TRUE))
                i = op->jump - 1u;
            else
                top--;
        } else if (code == AN_OP_IS) {
            bool same = top->whole == op->number.whole;
            if (same || !op->jump)
                top->whole = same;
            if (same && op->jump)
                i = op->jump - 1u;
        } else if (code >= AN_OP_REAL_ADD && code <= AN_OP_REAL_GREATER_EQUAL) {
            top--;
            *top = of_reals(code, top[0].real, top[1].real);
        } else if (code == AN_OP_NUMBER) {
            (++top)->whole = op->number.whole;
        } else if (code == AN_OP_REAL_NUMBER) {
            (++top)->real = op->number.real;
        } else if (code == AN_OP_TEXT) {
            (++top)->whole =
                memcmp((const uint8_t *)record + op->field.offset, filter->text + op->text, op->field.size) == 0;
        } else if (code == AN_OP_CALL) {
            top = call(filter, op, top);
        } else if (code == AN_OP_TO_REAL_BELOW) {
            top[-1].real = (double)top[-1].whole;
        } else {
            *top = of_one(code, *top);
        }
    }
    return filter->nops == 0 || top->whole != 0;
}

/* ---- looking at it once more ---- */

enum kind { WHOLE, REAL, TRUTH };

struct looking {
    const struct an_filter *filter;
    uint32_t record_size, depth;
    uint8_t stack[AN_MOST_STACK];
    uint8_t depths[AN_MOST_OPS + 1]; /* at operations that something jumps to; 0: nothing does */
};

static bool push(struct looking *l, enum kind kind)
{
    if (l->depth == AN_MOST_STACK)
        return false;
    l->stack[l->depth++] = kind;
    return true;
}

static bool pop(struct looking *l, enum kind kind) { return l->depth > 0 && l->stack[--l->depth] == kind; }

static bool is_inside(const struct looking *l, const struct an_field *field)
{
    return field->offset <= l->record_size && field->size <= l->record_size - field->offset && field->size > 0;
}

static bool can_jump(struct looking *l, uint32_t i, uint32_t to)
{
    if (to <= i || to > l->filter->nops || l->depth == 0 || (l->depths[to] && l->depths[to] != l->depth))
        return false;
    l->depths[to] = (uint8_t)l->depth;
    return true;
}

static bool look_at_binary(struct looking *l, const struct an_step *op)
{
    bool real = op->code >= AN_OP_REAL_ADD, shifts = op->code == AN_OP_SHIFT_LEFT || op->code == AN_OP_SHIFT_RIGHT;
    bool truth = real ? op->code >= AN_OP_REAL_EQUAL : op->code >= AN_OP_EQUAL;
    enum kind kind = real ? REAL : WHOLE;

    if (op->immediate ? real : !pop(l, kind))
        return false;
    if (shifts && (!op->immediate || op->number.whole < 0 || op->number.whole > 64))
        return false;
    if (op->immediate && (op->code == AN_OP_DIVIDE || op->code == AN_OP_REMAINDER) && op->number.whole == 0)
        return false;
    return pop(l, kind) && push(l, truth ? TRUTH : kind);
}

static bool look_at_call(struct looking *l, const struct an_step *op)
{
    const struct cell_hot_function *f =
        op->text <= INT32_MAX ? cell_hot_function(l->filter->functions, (int)op->text) : NULL;

    if (!f || f->result != CELL_KIND_BOOL)
        return false;
    for (uint32_t i = f->nparameters; i > 0; i--)
        if (!pop(l, f->parameters[i - 1] == CELL_KIND_BOOL ? TRUTH : takes_real(f, i - 1) ? REAL : WHOLE))
            return false;
    return push(l, TRUTH);
}

static bool look_at(struct looking *l, uint32_t i)
{
    const struct an_step *op = &l->filter->ops[i];
    uint16_t class = op->field.class;

    switch (op->code) {
    case AN_OP_FIELD:
        return is_inside(l, &op->field) && class <= AN_REAL && op->field.size <= 8 &&
               push(l, class == AN_REAL ? REAL : WHOLE);
    case AN_OP_NUMBER:
    case AN_OP_REAL_NUMBER:
        return push(l, op->code == AN_OP_NUMBER ? WHOLE : REAL);
    case AN_OP_TEXT:
        return is_inside(l, &op->field) && class == AN_BYTES && op->text <= sizeof(l->filter->text) &&
               op->field.size <= sizeof(l->filter->text) - op->text && push(l, TRUTH);
    case AN_OP_TO_REAL:
        return pop(l, WHOLE) && push(l, REAL);
    case AN_OP_TO_REAL_BELOW:
        return pop(l, REAL) && pop(l, WHOLE) && push(l, REAL) && push(l, REAL);
    case AN_OP_NOT:
        return pop(l, TRUTH) && push(l, TRUTH);
    case AN_OP_NEGATE:
    case AN_OP_INVERT:
        return pop(l, WHOLE) && push(l, WHOLE);
    case AN_OP_REAL_NEGATE:
        return pop(l, REAL) && push(l, REAL);
    case AN_OP_IF_FALSE:
    case AN_OP_IF_TRUE:
        return can_jump(l, i, op->jump) && pop(l, TRUTH);
    case AN_OP_IS:
        if (!pop(l, WHOLE) || !push(l, TRUTH) || (op->jump && !can_jump(l, i, op->jump)))
            return false;
        l->stack[l->depth - 1] = op->jump ? WHOLE : TRUTH; /* that is what goes on */
        return true;
    case AN_OP_CALL:
        return look_at_call(l, op);
    default:
        return op->code < AN_OP_COUNT && look_at_binary(l, op);
    }
}

bool an_filter_is_sound(const struct an_filter *filter, uint32_t record_size)
{
    struct looking l = {.filter = filter, .record_size = record_size};

    if (filter->nops > AN_MOST_OPS)
        return false;
    for (uint32_t i = 0; i <= filter->nops; i++) {
        if (l.depths[i] && (l.depths[i] != l.depth || l.stack[l.depth - 1] != TRUTH))
            return false;
        if (i < filter->nops && !look_at(&l, i))
            return false;
    }
    return filter->nops == 0 || (l.depth == 1 && l.stack[0] == TRUTH);
}
