/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the query language share: query.c reads, query_filter.c reads conditions, query_match.c writes. */
#ifndef CELLS_SEARCH_QUERY_PARTS_H
#define CELLS_SEARCH_QUERY_PARTS_H

#include "query.h"

#define MOST_NODES (6 * SEARCH_MOST_TERMS)
#define NO_NODE UINT32_MAX

enum node_kind { NODE_TERM, NODE_FILTER, NODE_AND, NODE_OR, NODE_NOT, NODE_FIELD };

/* A tree: the children of one are a list. Of NOT and FIELD there is one. */
struct node {
    enum node_kind kind;
    uint32_t first, next; /* child, sibling; NO_NODE */
    uint32_t begin, end;  /* bytes of the query */
    uint32_t text, text_end;
    uint32_t field;  /* of FIELD */
    uint32_t filter; /* of FILTER */
    bool prefix;     /* of TERM */
    bool ignored;    /* nothing of it is looked for */
};

struct parser {
    const struct search_fields *fields;
    const char *text;
    uint32_t length, at, depth;
    bool in_field;
    search_count_words *count;
    void *user;
    struct node nodes[MOST_NODES];
    uint32_t nnodes, nterms;
    struct search_query *query;
    struct search_failure *f;
};

/* CELL_INVALID_ARGUMENT at those bytes. */
int query_fail(struct parser *p, uint32_t begin, uint32_t end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Where a word that begins at `at` ends: at a space, a parenthesis or a quotation mark. */
uint32_t query_word_end(const struct parser *p, uint32_t at);
/* From an opening quotation mark to behind the closing one. */
int query_quoted_end(struct parser *p, uint32_t at, uint32_t *end);

/* A condition on a field whose colon is before p->at; `begin` is where its name began. */
int query_filter(struct parser *p, uint32_t begin, uint32_t field, uint32_t *node);
int query_new_node(struct parser *p, enum node_kind kind, uint32_t begin, uint32_t *node);

/* The tree as expressions of FTS5, `match` and `found`; none when all of it is ignored. */
int query_write_match(struct parser *p, uint32_t root, struct search_query *query);

#endif
