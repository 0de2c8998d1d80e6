/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Filters as they are written, compiled while they are read: each part's operations come before those that use it. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_impl.h"

#define MOST_WORD 63

__attribute__((format(printf, 3, 4))) void an_filter_fail(struct parser *p, const char *at, const char *format, ...)
{
    va_list args;
    uint32_t n = 0;

    if (p->failed)
        return;
    p->failed = true;
    va_start(args, format);
    vsnprintf(p->problem->text, sizeof(p->problem->text), format, args);
    va_end(args);
    while (isalnum((unsigned char)at[n]) || at[n] == '_')
        n++;
    p->problem->at = (uint32_t)(at - p->text);
    p->problem->length = n || !*at ? n : 1;
}

struct an_step *an_filter_emit(struct parser *p, enum an_opcode code)
{
    struct an_filter *f = p->filter;

    if (f->nops == AN_MOST_OPS)
        an_filter_fail(p, p->at, "the condition is too long: it has more than %d operations", AN_MOST_OPS);
    if (p->failed)
        return &p->nowhere;
    memset(&f->ops[f->nops], 0, sizeof(f->ops[0]));
    f->ops[f->nops].code = (uint8_t)code;
    return &f->ops[f->nops++];
}

static void skip_spaces(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
        p->at++;
}

bool an_filter_accept(struct parser *p, const char *token)
{
    size_t n = strlen(token);

    skip_spaces(p);
    if (p->failed || strncmp(p->at, token, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* ---- parts ---- */

struct part an_filter_truth(struct parser *p, const struct part *part)
{
    const struct part zero = {WHOLE, 0, 0, part->at};

    if (part->kind == REAL)
        an_filter_fail(p, part->at, "a number with fractions is neither true nor false: compare it");
    if (part->kind != WHOLE)
        return (struct part){TRUTH, 0, 1, part->at};
    an_filter_emit(p, AN_OP_UNEQUAL)->immediate = true; /* 0 */
    return an_filter_compared(p, AN_OP_UNEQUAL, part, &zero);
}

static struct part read_number(struct parser *p)
{
    const char *at = p->at;
    bool hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    size_t n = strspn(at, hex ? "0123456789abcdefABCDEFxX" : "0123456789");
    char *end;

    errno = 0;
    if (!hex && (at[n] == '.' || at[n] == 'e' || at[n] == 'E')) {
        double real = strtod(at, &end);
        an_filter_emit(p, AN_OP_REAL_NUMBER)->number.real = real;
        if (!isfinite(real))
            an_filter_fail(p, at, "this number is too large");
        p->at = end;
        if (isalnum((unsigned char)*end) || *end == '_' || *end == '.')
            an_filter_fail(p, at, "this is no number");
        return (struct part){REAL, 0, 0, at};
    }
    uint64_t number = strtoull(at, &end, 0);
    if (errno == ERANGE)
        an_filter_fail(p, at, "this number has more than 64 bits");
    while (end > at && strchr("uUlL", *end) && *end)
        end++;
    if (isalnum((unsigned char)*end) || *end == '_' || *end == '.')
        an_filter_fail(p, at, "this is no number");
    p->at = end;
    an_filter_emit(p, AN_OP_NUMBER)->number.whole = number;
    return (struct part){WHOLE, number, number, at};
}

/* field == 'text' */
static struct part read_text(struct parser *p, const struct an_field *field, const char *at)
{
    bool unequal = an_filter_accept(p, "!=");
    struct an_filter *f = p->filter;

    if (!unequal && !an_filter_accept(p, "=="))
        an_filter_fail(p, at, "this field is bytes, which are compared with text by == and != only");
    if (!an_filter_accept(p, "'"))
        an_filter_fail(p, p->at, "bytes are compared with text in single quotation marks");
    if (p->failed)
        return (struct part){TRUTH, 0, 1, at};
    size_t n = strcspn(p->at, "'");
    if (p->at[n] != '\'')
        an_filter_fail(p, p->at - 1, "the text does not end");
    else if (n > field->size)
        an_filter_fail(p, p->at - 1, "the field has %d bytes, and this text more", field->size);
    else if (field->size > sizeof(f->text) - f->ntext)
        an_filter_fail(p, p->at - 1, "the texts are longer than %d bytes together", (int)sizeof(f->text));
    struct an_step *op = an_filter_emit(p, AN_OP_TEXT);
    op->field = *field;
    op->text = f->ntext;
    if (!p->failed) {
        memcpy(f->text + f->ntext, p->at, n);
        f->ntext += field->size;
        p->at += n + 1;
    }
    if (unequal)
        an_filter_emit(p, AN_OP_NOT);
    return (struct part){TRUTH, 0, 1, at};
}

static struct part field_part(struct parser *p, const struct an_field *field, const char *at)
{
    uint32_t bits = field->size * 8u;

    if (field->class == AN_BYTES)
        return read_text(p, field, at);
    an_filter_emit(p, AN_OP_FIELD)->field = *field;
    if (field->class == AN_REAL)
        return (struct part){REAL, 0, 0, at};
    if (field->class == AN_SIGNED)
        return (struct part){WHOLE, -((__int128)1 << (bits - 1)), ((__int128)1 << (bits - 1)) - 1, at};
    return (struct part){WHOLE, 0, ((__int128)1 << bits) - 1, at};
}

static struct part read_name(struct parser *p)
{
    char name[MOST_WORD + 1];
    const char *at = p->at;
    struct an_field field;
    __int128 number = 0;

    while (isalnum((unsigned char)*p->at) || *p->at == '_')
        p->at++;
    size_t n = (size_t)(p->at - at);
    snprintf(name, sizeof(name), "%.*s", (int)(n < MOST_WORD ? n : MOST_WORD), at);
    skip_spaces(p);
    if (*p->at == '(')
        return an_filter_read_call(p, n <= MOST_WORD ? name : "", at);
    enum an_name is = n <= MOST_WORD ? p->find(p->user, name, &field, &number) : AN_NAME_NONE;
    if (is == AN_NAME_FIELD)
        return field_part(p, &field, at);
    if (is == AN_NAME_NONE)
        an_filter_fail(p, at, "'%s' is no field of the records, and no enumerator of an enum in the struct", name);
    an_filter_emit(p, AN_OP_NUMBER)->number.whole = number;
    return (struct part){WHOLE, number, number, at};
}

static struct part read_primary(struct parser *p)
{
    skip_spaces(p);
    const char *at = p->at;
    if (isdigit((unsigned char)*p->at) || (*p->at == '.' && isdigit((unsigned char)p->at[1])))
        return read_number(p);
    if (isalpha((unsigned char)*p->at) || *p->at == '_')
        return read_name(p);
    if (!an_filter_accept(p, "(")) {
        an_filter_fail(p, at, "a field, a number or '(' is missing here");
        return (struct part){WHOLE, 0, 0, at};
    }
    struct part part = an_filter_read(p, 1);
    if (!an_filter_accept(p, ")"))
        an_filter_fail(p, p->at, "')' is missing here, for the '(' of character %d", (int)(at - p->text) + 1);
    return part;
}

static void need_whole(struct parser *p, const struct part *part, bool or_real, const char *what)
{
    if (part->kind == TRUTH)
        an_filter_fail(p, part->at, "a comparison is no number, which %s needs: is a '(' missing?", what);
    else if (part->kind == REAL && !or_real)
        an_filter_fail(p, part->at, "%s is for whole numbers only", what);
}

static struct part read_unary(struct parser *p)
{
    struct part part = {WHOLE, 0, 0, p->at};
    char is;

    skip_spaces(p);
    if (++p->nesting > AN_MOST_NESTING)
        an_filter_fail(p, p->at, "this is nested more than %d times", AN_MOST_NESTING);
    is = *p->at;
    const char *at = p->at;
    if (p->failed || !is || !strchr("!-+~", is)) {
        part = p->failed ? part : read_primary(p);
        p->nesting--;
        return part;
    }
    p->at++;
    part = read_unary(p);
    p->nesting--;
    if (is == '!') {
        part = an_filter_truth(p, &part);
        an_filter_emit(p, AN_OP_NOT);
    } else {
        need_whole(p, &part, is != '~', is == '~' ? "~" : "a sign");
        if (is == '-')
            an_filter_emit(p, part.kind == REAL ? AN_OP_REAL_NEGATE : AN_OP_NEGATE);
        else if (is == '~')
            an_filter_emit(p, AN_OP_INVERT);
        if (is != '+' && part.kind == WHOLE)
            part = an_filter_whole(p, at, true, -part.high - (is == '~'), -part.low - (is == '~'));
    }
    part.at = at;
    return part;
}

/* ---- operators ---- */

struct operator
{
    const char *text;
    int level; /* the larger the stronger */
    enum an_opcode whole, real;
};

/* Those that begin with another one come before it. */
static const struct operator operators[] = {
    {"||", 1, AN_OP_IF_TRUE, AN_OP_COUNT},
    {"&&", 2, AN_OP_IF_FALSE, AN_OP_COUNT},
    {"|", 3, AN_OP_OR, AN_OP_COUNT},
    {"^", 4, AN_OP_XOR, AN_OP_COUNT},
    {"&", 5, AN_OP_AND, AN_OP_COUNT},
    {"==", 6, AN_OP_EQUAL, AN_OP_REAL_EQUAL},
    {"!=", 6, AN_OP_UNEQUAL, AN_OP_REAL_UNEQUAL},
    {"<<", 8, AN_OP_SHIFT_LEFT, AN_OP_COUNT},
    {">>", 8, AN_OP_SHIFT_RIGHT, AN_OP_COUNT},
    {"<=", 7, AN_OP_LESS_EQUAL, AN_OP_REAL_LESS_EQUAL},
    {">=", 7, AN_OP_GREATER_EQUAL, AN_OP_REAL_GREATER_EQUAL},
    {"<", 7, AN_OP_LESS, AN_OP_REAL_LESS},
    {">", 7, AN_OP_GREATER, AN_OP_REAL_GREATER},
    {"in", 7, AN_OP_IS, AN_OP_COUNT},
    {"+", 9, AN_OP_ADD, AN_OP_REAL_ADD},
    {"-", 9, AN_OP_SUBTRACT, AN_OP_REAL_SUBTRACT},
    {"*", 10, AN_OP_MULTIPLY, AN_OP_REAL_MULTIPLY},
    {"/", 10, AN_OP_DIVIDE, AN_OP_REAL_DIVIDE},
    {"%", 10, AN_OP_REMAINDER, AN_OP_COUNT}
};

/* NULL: none follows. */
static const struct operator* next_operator(struct parser *p)
{
    skip_spaces(p);
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        size_t n = strlen(operators[i].text);
        if (strncmp(p->at, operators[i].text, n) == 0 &&
            (operators[i].whole != AN_OP_IS || !(isalnum((unsigned char)p->at[n]) || p->at[n] == '_')))
            return &operators[i];
    }
    return NULL;
}

/* left && right: the right side is not looked at where the left one decides. */
static struct part read_logical(struct parser *p, const struct part *left, const struct operator* operator)
{
    struct part part = an_filter_truth(p, left);
    uint32_t jump = p->filter->nops;

    an_filter_emit(p, operator->whole);
    struct part right = an_filter_read(p, operator->level + 1);
    an_filter_truth(p, &right);
    if (!p->failed)
        p->filter->ops[jump].jump = (uint16_t)p->filter->nops;
    return part;
}

/* left in (1, 2, 3) */
static struct part read_in(struct parser *p, const struct part *left)
{
    uint32_t first = p->filter->nops;

    need_whole(p, left, false, "in");
    if (!an_filter_accept(p, "("))
        an_filter_fail(p, p->at, "behind 'in' there is a list of numbers: (1, 2)");
    do {
        uint32_t before = p->filter->nops;
        struct part number = read_unary(p);
        if (number.kind != WHOLE || number.low != number.high)
            an_filter_fail(p, number.at, "this is no whole number");
        else if (number.low < left->low || number.low > left->high)
            an_filter_fail(p, number.at, "what is compared is never this number");
        if (!p->failed) {
            p->filter->nops = before;
            an_filter_emit(p, AN_OP_IS)->number.whole = number.low;
        }
    } while (an_filter_accept(p, ","));
    if (!an_filter_accept(p, ")"))
        an_filter_fail(p, p->at, "')' is missing here, behind the numbers");
    for (uint32_t i = first; !p->failed && i + 1 < p->filter->nops; i++)
        p->filter->ops[i].jump = (uint16_t)p->filter->nops;
    return (struct part){TRUTH, 0, 1, left->at};
}

static struct part combine(struct parser *p, const struct part *left, const struct part *right, uint32_t begin,
                           const struct operator* operator)
{
    struct an_filter *f = p->filter;
    bool real = left->kind == REAL || right->kind == REAL, compares = operator->level == 6 || operator->level == 7;

    need_whole(p, left, operator->real != AN_OP_COUNT, operator->text);
    need_whole(p, right, operator->real != AN_OP_COUNT, operator->text);
    if (p->failed)
        return *left;
    if (real) {
        if (left->kind == WHOLE || right->kind == WHOLE)
            an_filter_emit(p, left->kind == WHOLE ? AN_OP_TO_REAL_BELOW : AN_OP_TO_REAL);
        an_filter_emit(p, operator->real);
        return (struct part){compares ? TRUTH : REAL, 0, 1, left->at};
    }
    if (right->low == right->high) { /* a number, whatever it was made of */
        f->nops = begin;
        struct an_step *op = an_filter_emit(p, operator->whole);
        op->immediate = true;
        op->number.whole = right->low;
    } else {
        an_filter_emit(p, operator->whole);
    }
    return compares ? an_filter_compared(p, operator->whole, left, right)
                    : an_filter_result(p, operator->whole, left, right);
}

struct part an_filter_read(struct parser *p, int level)
{
    struct part left = read_unary(p);
    const struct operator* operator;

    while (!p->failed && (operator= next_operator(p)) && operator->level >= level) {
        p->at += strlen(operator->text);
        if (operator->level <= 2) {
            left = read_logical(p, &left, operator);
        } else if (operator->whole == AN_OP_IS) {
            left = read_in(p, &left);
        } else {
            uint32_t begin = p->filter->nops;
            struct part right = an_filter_read(p, operator->level + 1);
            left = combine(p, &left, &right, begin, operator);
        }
    }
    return left;
}

bool an_filter_parse(const char *text, const struct cell_hot *functions, an_find_fn *find, void *user,
                     struct an_filter *filter, struct an_problem *problem)
{
    struct parser p = {.text = text, .at = text, .find = find, .user = user, .filter = filter, .problem = problem};

    memset(filter, 0, sizeof(*filter));
    filter->functions = functions;
    skip_spaces(&p);
    if (!*p.at)
        return true;
    if (strlen(text) > AN_MOST_FILTER_TEXT)
        an_filter_fail(&p, text, "the condition is longer than %d characters", AN_MOST_FILTER_TEXT);
    struct part part = an_filter_read(&p, 1);
    an_filter_truth(&p, &part);
    skip_spaces(&p);
    if (*p.at)
        an_filter_fail(&p, p.at,
                       *p.at == '=' ? "'=' does not compare, '==' does" : "an operator such as && is missing here");
    if (!p.failed && !an_filter_is_sound(filter, UINT32_MAX))
        an_filter_fail(&p, text, "the condition needs more than %d intermediate values: divide it", AN_MOST_STACK);
    return !p.failed;
}
