/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reading queries: a tree of words and conditions, by recursive descent. */
#include "query_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"

/* ---- places ---- */

static uint32_t characters(const char *text, uint32_t n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
}

int query_fail(struct parser *p, uint32_t begin, uint32_t end, const char *format, ...)
{
    char text[sizeof(p->f->text)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    search_fail(p->f, CELL_INVALID_ARGUMENT, "%s", text);
    p->f->at = characters(p->text, begin) + 1;
    p->f->count = characters(p->text + begin, end - begin);
    return CELL_INVALID_ARGUMENT;
}

/* ---- characters ---- */

static bool is_space(char c) { return (unsigned char)c <= ' '; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void skip_spaces(struct parser *p)
{
    while (p->at < p->length && is_space(p->text[p->at]))
        p->at++;
}

uint32_t query_word_end(const struct parser *p, uint32_t at)
{
    while (at < p->length && !is_space(p->text[at]) && !strchr("()\"", p->text[at]))
        at++;
    return at;
}

int query_quoted_end(struct parser *p, uint32_t at, uint32_t *end)
{
    const char *close = memchr(p->text + at + 1, '"', p->length - at - 1);

    if (!close)
        return query_fail(p, at, p->length, "a quotation mark is opened here and never closed");
    *end = (uint32_t)(close - p->text) + 1;
    return CELL_OK;
}

/* Whether the word `word` stands at p->at, as an operator. */
static bool at_operator(const struct parser *p, const char *word)
{
    uint32_t n = (uint32_t)strlen(word);

    return query_word_end(p, p->at) == p->at + n && memcmp(p->text + p->at, word, n) == 0;
}

/* ---- the tree ---- */

int query_new_node(struct parser *p, enum node_kind kind, uint32_t begin, uint32_t *node)
{
    if (p->nnodes == MOST_NODES)
        return query_fail(p, begin, p->length, "the query is too long: at most %d words", SEARCH_MOST_TERMS);
    p->nodes[p->nnodes] = (struct node){.kind = kind, .first = NO_NODE, .next = NO_NODE, .begin = begin};
    *node = p->nnodes++;
    return CELL_OK;
}

static int read_or(struct parser *p, uint32_t *node);

static int enter(struct parser *p, uint32_t begin)
{
    if (++p->depth > SEARCH_MOST_DEPTH)
        return query_fail(p, begin, begin + 1, "the query is nested too deeply: at most %d times", SEARCH_MOST_DEPTH);
    return CELL_OK;
}

static int read_group(struct parser *p, uint32_t *node)
{
    uint32_t open = p->at;
    int r = enter(p, open);

    p->at++;
    if (r >= 0)
        r = read_or(p, node);
    if (r < 0)
        return r;
    if (p->at == p->length)
        return query_fail(p, open, open + 1, "a parenthesis is opened here and never closed");
    p->at++; /* only a closing one ends what is read */
    p->depth--;
    return CELL_OK;
}

/* What is looked for: text of [begin, end), quotation marks not in it. */
static int add_term(struct parser *p, uint32_t begin, uint32_t end, bool prefix, uint32_t *node)
{
    int r = query_new_node(p, NODE_TERM, p->at, node);

    if (r < 0)
        return r;
    if (++p->nterms > SEARCH_MOST_TERMS)
        return query_fail(p, begin, end, "the query is too long: at most %d words", SEARCH_MOST_TERMS);
    struct node *n = &p->nodes[*node];
    n->text = begin;
    n->text_end = end;
    n->ignored = p->count(p->user, p->text + begin, end - begin, prefix) == 0;
    n->prefix = prefix;
    p->query->nignored += n->ignored;
    return CELL_OK;
}

static int read_word(struct parser *p, uint32_t *node)
{
    uint32_t end = query_word_end(p, p->at), text_end = end;
    bool prefix = p->text[end - 1] == '*';

    while (text_end > p->at && p->text[text_end - 1] == '*')
        text_end--;
    if (text_end == p->at)
        return query_fail(p, p->at, end, "'*' stands at the end of the beginning of a word: \"begin*\"");
    int r = add_term(p, p->at, text_end, prefix, node);
    if (r < 0)
        return r;
    p->nodes[*node].end = p->at = end;
    return CELL_OK;
}

static int read_quoted(struct parser *p, uint32_t *node)
{
    uint32_t end;
    int r = query_quoted_end(p, p->at, &end);

    if (r < 0)
        return r;
    bool prefix = end < p->length && p->text[end] == '*';
    r = add_term(p, p->at + 1, end - 1, prefix, node);
    if (r < 0)
        return r;
    p->nodes[*node].end = p->at = end + prefix;
    return CELL_OK;
}

/* How long the name is when "name:" stands here, else 0. */
static uint32_t field_name(const struct parser *p)
{
    uint32_t n = p->at;

    if (n == p->length || !is_letter(p->text[n]))
        return 0;
    while (n < p->length && (is_letter(p->text[n]) || is_digit(p->text[n])))
        n++;
    return n < p->length && p->text[n] == ':' ? n - p->at : 0;
}

static int find_field(struct parser *p, uint32_t length, uint32_t *field)
{
    const char *name = p->text + p->at;

    for (uint32_t i = 0; i < p->fields->n; i++) {
        const char *is = p->fields->at[i].name;
        if (strlen(is) == length && strncasecmp(is, name, length) == 0) {
            *field = i;
            return CELL_OK;
        }
    }
    uint32_t shown = length < 64 ? length : 64;
    return query_fail(p, p->at, p->at + length,
                      "there is no field '%.*s' to search in; write it in quotation marks if it is text to look for",
                      (int)shown, name);
}

static int read_primary(struct parser *p, uint32_t *node);

static int read_field(struct parser *p, uint32_t length, uint32_t *node)
{
    uint32_t begin = p->at, field, child;
    int r = find_field(p, length, &field);

    if (r < 0)
        return r;
    p->at += length + 1;
    if (p->fields->at[field].kind == SEARCH_VECTOR)
        return query_fail(p, begin, p->at, "field '%s' is a vector: no words are looked for in it",
                          p->fields->at[field].name);
    if (p->fields->at[field].kind != SEARCH_TEXT)
        return query_filter(p, begin, field, node);
    if (p->at == p->length || is_space(p->text[p->at]) || p->text[p->at] == ')')
        return query_fail(p, begin, p->at, "what is to be looked for in '%s' follows its colon without a space",
                          p->fields->at[field].name);
    if (p->in_field)
        return query_fail(p, begin, p->at, "a field stands within another field's words here");
    if (p->text[p->at] == '-')
        return query_fail(p, begin, p->at + 1, "'-' stands before the field's name: -%s:word",
                          p->fields->at[field].name);
    p->in_field = true;
    r = query_new_node(p, NODE_FIELD, begin, node);
    if (r >= 0)
        r = read_primary(p, &child);
    if (r < 0)
        return r;
    p->in_field = false;
    struct node *n = &p->nodes[*node];
    n->field = field;
    n->first = child;
    n->end = p->at;
    return CELL_OK;
}

static int read_primary(struct parser *p, uint32_t *node)
{
    uint32_t name = field_name(p);

    if (p->text[p->at] == '(')
        return read_group(p, node);
    if (p->text[p->at] == '"')
        return read_quoted(p, node);
    return name ? read_field(p, name, node) : read_word(p, node);
}

/* p->at is at something that is neither a space nor the end. */
static int read_unary(struct parser *p, uint32_t *node)
{
    uint32_t begin = p->at, child;
    bool sign = p->text[p->at] == '-' && p->at + 1 < p->length && !is_space(p->text[p->at + 1]);

    if (!sign && !at_operator(p, "NOT"))
        return read_primary(p, node);
    p->at += sign ? 1 : 3;
    skip_spaces(p);
    if (p->at == p->length || p->text[p->at] == ')')
        return query_fail(p, begin, p->at, "what is not to be found is missing here");
    int r = query_new_node(p, NODE_NOT, begin, node);
    if (r >= 0)
        r = enter(p, begin);
    if (r >= 0)
        r = read_unary(p, &child);
    if (r < 0)
        return r;
    p->depth--;
    p->nodes[*node].first = child;
    p->nodes[*node].end = p->at;
    return CELL_OK;
}

/* Reads a list of what `item` reads, until nothing follows that belongs to it, and makes it a node if there are
 * several. */
struct list {
    uint32_t first, last, n, begin;
};

static void append(struct parser *p, struct list *l, uint32_t node)
{
    if (l->n++)
        p->nodes[l->last].next = node;
    else
        l->first = node;
    l->last = node;
}

static int close_list(struct parser *p, const struct list *l, enum node_kind kind, uint32_t *node)
{
    if (l->n == 1) {
        *node = l->first;
        return CELL_OK;
    }
    int r = query_new_node(p, kind, l->begin, node);
    if (r < 0)
        return r;
    p->nodes[*node].first = l->first;
    p->nodes[*node].end = p->at;
    return CELL_OK;
}

static bool ends_list(const struct parser *p) { return p->at == p->length || p->text[p->at] == ')'; }

static int read_and(struct parser *p, uint32_t *node)
{
    struct list l = {.begin = p->at};

    for (;;) {
        uint32_t item, before = p->at;
        skip_spaces(p);
        bool and = l.n > 0 && at_operator(p, "AND");
        if (and) {
            before = p->at;
            p->at += 3;
            skip_spaces(p);
        }
        bool end = ends_list(p) || at_operator(p, "OR");
        if (end && and)
            return query_fail(p, before, p->at, "something to look for is missing behind this");
        if (end && l.n == 0)
            return query_fail(p, p->at, p->at + !(p->at == p->length),
                              p->at == p->length ? "there is nothing to look for"
                                                 : "something to look for is missing before this");
        if (end)
            return close_list(p, &l, NODE_AND, node);
        if (at_operator(p, "AND"))
            return query_fail(p, p->at, p->at + 3, "something to look for is missing before this");
        int r = read_unary(p, &item);
        if (r < 0)
            return r;
        append(p, &l, item);
    }
}

static int read_or(struct parser *p, uint32_t *node)
{
    struct list l = {.begin = p->at};

    for (;;) {
        uint32_t item;
        int r = read_and(p, &item);
        if (r < 0)
            return r;
        append(p, &l, item);
        if (ends_list(p))
            return close_list(p, &l, NODE_OR, node);
        p->at += 2; /* OR */
    }
}

/* ---- the whole ---- */

static int check_text(struct parser *p)
{
    for (uint32_t at = 0, n; at < p->length; at += n) {
        n = (uint32_t)search_utf8_length(p->text + at, p->length - at);
        if (n == 0)
            return query_fail(p, at, at + 1, "the query is not a text in UTF-8 here");
    }
    return CELL_OK;
}

/* Conditions hold for the whole query: above one are conjunctions only, or one negation. */
static int check_filters(struct parser *p, uint32_t node, bool whole)
{
    struct node *n = &p->nodes[node];
    int r = CELL_OK;

    if (n->kind == NODE_FILTER) {
        if (!whole)
            return query_fail(p, n->begin, n->end,
                              "a condition on '%s' holds for the whole query: it cannot stand here",
                              p->fields->at[p->query->filters[n->filter].field].name);
        n->ignored = true;
    }
    if (whole && n->kind == NODE_NOT && p->nodes[n->first].kind == NODE_FILTER) {
        p->query->filters[p->nodes[n->first].filter].negated = true;
        n->ignored = true;
        return CELL_OK;
    }
    for (uint32_t child = n->first; r >= 0 && child != NO_NODE; child = p->nodes[child].next)
        r = check_filters(p, child, whole && n->kind == NODE_AND);
    return r;
}

static int parse(struct parser *p)
{
    uint32_t root;
    int r = check_text(p);

    if (r >= 0)
        r = read_or(p, &root);
    if (r < 0)
        return r;
    if (p->at < p->length)
        return query_fail(p, p->at, p->at + 1, "a parenthesis is closed here that was never opened");
    r = check_filters(p, root, true);
    if (r >= 0)
        r = query_write_match(p, root, p->query);
    if (r < 0 || p->query->match || p->query->nfilters)
        return r;
    return query_fail(p, 0, p->length, "there is nothing to look for: these words are in nearly every text");
}

int search_query_parse(const struct search_fields *fields, const char *text, size_t length, search_count_words *count,
                       void *user, struct search_query *query, struct search_failure *f)
{
    if (length > SEARCH_MOST_QUERY)
        return search_fail(f, CELL_INVALID_ARGUMENT, "the query is too long: at most %d bytes", SEARCH_MOST_QUERY);
    struct search_query made = {0};
    struct parser *p = calloc(1, sizeof(*p));
    if (!p)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    *p = (struct parser){.fields = fields, .text = text, .length = (uint32_t)length, .count = count, .user = user};
    p->query = &made;
    p->f = f;
    int r = parse(p);
    free(p);
    if (r >= 0)
        *query = made;
    else
        search_query_free(&made);
    return r;
}

void search_query_free(struct search_query *query)
{
    free(query->match);
    free(query->found);
    query->match = query->found = NULL;
}
