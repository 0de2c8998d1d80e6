/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The words of a query as an expression of SQLite's FTS5 (https://www.sqlite.org/fts5.html, 3): every word in quotation
 * marks, every operation in parentheses, so that nothing that a user writes is read as anything else.
 */
#include "query_parts.h"

#include <stdio.h>
#include <stdlib.h>

/* What is ignored is so with all that consists of it. */
static bool ignore(struct parser *p, uint32_t node)
{
    struct node *n = &p->nodes[node];

    if (n->first == NO_NODE || n->ignored)
        return n->ignored;
    n->ignored = true;
    for (uint32_t child = n->first; child != NO_NODE; child = p->nodes[child].next)
        if (!ignore(p, child))
            n->ignored = false;
    return n->ignored;
}

/* FTS5 can leave out of what is found, but not find all that lacks something. */
static int check_negations(struct parser *p, uint32_t node, bool beside)
{
    const struct node *n = &p->nodes[node];
    bool positive = false;
    int r = CELL_OK;

    if (n->ignored)
        return CELL_OK;
    if (n->kind == NODE_NOT && !beside)
        return query_fail(p, n->begin, n->end, "what is not to be found stands beside something that is");
    for (uint32_t child = n->first; child != NO_NODE; child = p->nodes[child].next)
        positive |= !p->nodes[child].ignored && p->nodes[child].kind != NODE_NOT;
    for (uint32_t child = n->first; r >= 0 && child != NO_NODE; child = p->nodes[child].next)
        r = check_negations(p, child, n->kind == NODE_AND && positive);
    return r;
}

static void write_term(const struct parser *p, const struct node *n, FILE *out)
{
    putc('"', out);
    for (uint32_t i = n->text; i < n->text_end; i++)
        putc(p->text[i], out); /* there are no quotation marks in it */
    fputs(n->prefix ? "\"*" : "\"", out);
}

static void write_node(const struct parser *p, uint32_t node, FILE *out);

/* The children, but for those that are ignored, and first those that are not negated: a AND b NOT c NOT d. */
static void write_list(const struct parser *p, const struct node *n, FILE *out)
{
    const char *between = "";

    for (int negated = 0; negated < 2; negated++) {
        for (uint32_t child = n->first; child != NO_NODE; child = p->nodes[child].next) {
            const struct node *c = &p->nodes[child];
            if (c->ignored || (c->kind == NODE_NOT) != negated)
                continue;
            fputs(negated ? ") NOT " : between, out);
            write_node(p, negated ? c->first : child, out);
            between = n->kind == NODE_OR ? " OR " : " AND ";
        }
    }
}

static uint32_t count_negated(const struct parser *p, const struct node *n)
{
    uint32_t count = 0;

    for (uint32_t child = n->first; child != NO_NODE; child = p->nodes[child].next)
        count += p->nodes[child].kind == NODE_NOT && !p->nodes[child].ignored;
    return count;
}

static void write_node(const struct parser *p, uint32_t node, FILE *out)
{
    const struct node *n = &p->nodes[node];

    if (n->kind == NODE_TERM) {
        write_term(p, n, out);
        return;
    }
    if (n->kind == NODE_FIELD)
        fprintf(out, "\"f_%s\" : ", p->fields->at[n->field].name);
    /* One for all, and one for what is before each negation. */
    for (uint32_t i = count_negated(p, n) + 1; i > 0; i--)
        putc('(', out);
    write_list(p, n, out);
    putc(')', out);
}

/* What is to be found of it, one or the other. */
static void write_found(const struct parser *p, uint32_t node, const char **between, FILE *out)
{
    const struct node *n = &p->nodes[node];

    if (n->ignored || n->kind == NODE_NOT)
        return;
    if (n->kind == NODE_TERM || n->kind == NODE_FIELD) {
        fputs(*between, out);
        *between = " OR ";
    }
    if (n->kind == NODE_TERM)
        write_term(p, n, out);
    const char *first = "";
    if (n->kind == NODE_FIELD) {
        fprintf(out, "\"f_%s\" : (", p->fields->at[n->field].name);
        between = &first;
    }
    for (uint32_t child = n->first; child != NO_NODE; child = p->nodes[child].next)
        write_found(p, child, between, out);
    if (n->kind == NODE_FIELD)
        putc(')', out);
}

/* What it writes, `match` or what is found; NULL when memory is short. */
static char *write_text(const struct parser *p, uint32_t root, bool match)
{
    const char *between = "";
    char *made = NULL;
    size_t length;
    FILE *out = open_memstream(&made, &length);

    if (!out)
        return NULL;
    if (match)
        write_node(p, root, out);
    else
        write_found(p, root, &between, out);
    bool failed = ferror(out);
    if (fclose(out) == 0 && !failed)
        return made;
    free(made);
    return NULL;
}

int query_write_match(struct parser *p, uint32_t root, struct search_query *query)
{
    if (ignore(p, root))
        return CELL_OK;
    int r = check_negations(p, root, false);
    if (r < 0)
        return r;
    query->match = write_text(p, root, true);
    query->found = write_text(p, root, false);
    return query->match && query->found ? CELL_OK : search_fail(p->f, CELL_NO_MEMORY, "out of memory");
}
