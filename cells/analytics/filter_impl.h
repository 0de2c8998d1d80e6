/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between the files that compile filters. */
#ifndef CELLS_ANALYTICS_FILTER_IMPL_H
#define CELLS_ANALYTICS_FILTER_IMPL_H

#include "filter.h"

/* In magnitude, so that everything has a negative. */
#define MOST_WHOLE ((__int128)(((unsigned __int128)1 << 127) - 1))

enum kind { WHOLE, REAL, TRUTH };

/* A part that was read: its value is on the stack when its operations have run. */
struct part {
    enum kind kind;
    __int128 low, high; /* of WHOLE: what it can be */
    const char *at;     /* where it begins */
};

struct parser {
    const char *text, *at;
    an_find_fn *find;
    void *user;
    struct an_filter *filter;
    struct an_problem *problem;
    uint32_t nesting;
    bool failed;            /* the first problem is the one that is told */
    struct an_step nowhere; /* where operations go then */
};

struct an_step *an_filter_emit(struct parser *p, enum an_opcode code);
/* Takes the token behind the spaces, when it is that one. */
bool an_filter_accept(struct parser *p, const char *token);
/* An expression of operators of that level and stronger ones; 1: of all. */
struct part an_filter_read(struct parser *p, int level);
struct part an_filter_truth(struct parser *p, const struct part *part);
/* name(…), where the name begins at `at` and the parser is behind it. */
struct part an_filter_read_call(struct parser *p, const char *name, const char *at);

/* Tells the first problem only. */
__attribute__((format(printf, 3, 4))) void an_filter_fail(struct parser *p, const char *at, const char *format, ...);

/* A whole number between low and high; not `possible`: its ends are beyond 128 bits, which is a problem. */
struct part an_filter_whole(struct parser *p, const char *at, bool possible, __int128 low, __int128 high);
/* What an operation of two whole numbers makes of them. */
struct part an_filter_result(struct parser *p, enum an_opcode code, const struct part *a, const struct part *b);
/* A comparison, which has to depend on the record. */
struct part an_filter_compared(struct parser *p, enum an_opcode code, const struct part *a, const struct part *b);

#endif
