/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Conditions of queries: field:value, field:>=value, field:low..high. */
#include "query_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_NUMBER 40 /* characters of one */

static const struct {
    const char *text;
    enum search_comparison comparison;
} operators[] = {{">=", SEARCH_GREATER_EQUAL},
                 {"<=", SEARCH_LESS_EQUAL},
                 {">", SEARCH_GREATER},
                 {"<", SEARCH_LESS},
                 {"=", SEARCH_EQUAL}};

static const char *kind_name(enum search_kind kind)
{
    return kind == SEARCH_INTEGER ? "a whole number of 64 bits" : kind == SEARCH_REAL ? "a number" : "true or false";
}

static bool read_bool(const char *text, size_t n, int64_t *value)
{
    static const char *const words[2][2] = {{"false", "0"}, {"true", "1"}};

    for (int i = 0; i < 4; i++) {
        const char *word = words[i / 2][i % 2];
        if (strlen(word) == n && strncasecmp(text, word, n) == 0) {
            *value = i / 2;
            return true;
        }
    }
    return false;
}

static bool read_number(const char *text, size_t n, bool whole, struct search_value *value)
{
    char copy[MOST_NUMBER + 1], *end;

    if (n == 0 || n > MOST_NUMBER)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (copy[strspn(copy, whole ? "+-0123456789" : "+-.0123456789eE")])
        return false; /* what strtod reads and nobody means: hexadecimal, names */
    errno = 0;
    if (whole)
        value->integer = strtoll(copy, &end, 10);
    else
        value->real = strtod(copy, &end);
    return *end == '\0' && end > copy && errno == 0 && (whole || isfinite(value->real));
}

/* One value from [begin, end) of the query, of the field's kind. */
static int read_value(struct parser *p, uint32_t field, uint32_t begin, uint32_t end, struct search_value *value)
{
    const struct search_field *is = &p->fields->at[field];
    const char *text = p->text + begin;
    size_t n = end - begin;
    bool good = is->kind == SEARCH_BOOL ? read_bool(text, n, &value->integer)
                                        : read_number(text, n, is->kind == SEARCH_INTEGER, value);

    if (good)
        return CELL_OK;
    return query_fail(p, begin, end, "field '%s' is compared with %s", is->name, kind_name(is->kind));
}

static int read_keyword(struct parser *p, uint32_t begin, uint32_t end, struct search_filter *filter)
{
    bool quoted = p->text[begin] == '"';

    if (filter->comparison != SEARCH_EQUAL)
        return query_fail(p, begin, end, "field '%s' is compared as a whole only: %s:value",
                          p->fields->at[filter->field].name, p->fields->at[filter->field].name);
    filter->value.text.bytes = p->text + begin + quoted;
    filter->value.text.length = end - begin - 2 * (size_t)quoted;
    return CELL_OK;
}

/* low..high, of which one may be missing. `dots` is where they are. */
static int read_range(struct parser *p, uint32_t begin, uint32_t dots, uint32_t end, struct search_filter *filter)
{
    bool low = dots > begin, high = dots + 2 < end;
    int r = CELL_OK;

    if (!low && !high)
        return query_fail(p, begin, end, "a range has one end at least: low..high, low.., ..high");
    filter->comparison = low && high ? SEARCH_BETWEEN : low ? SEARCH_GREATER_EQUAL : SEARCH_LESS_EQUAL;
    if (low)
        r = read_value(p, filter->field, begin, dots, &filter->value);
    if (r >= 0 && high)
        r = read_value(p, filter->field, dots + 2, end, low ? &filter->high : &filter->value);
    return r;
}

static int read_comparison(struct parser *p, uint32_t end, struct search_filter *filter)
{
    uint32_t begin = p->at;
    const struct search_field *is = &p->fields->at[filter->field];

    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        uint32_t n = (uint32_t)strlen(operators[i].text);
        if (end - begin >= n && memcmp(p->text + begin, operators[i].text, n) == 0) {
            filter->comparison = operators[i].comparison;
            begin += n;
            break;
        }
    }
    if (begin == end && begin < p->length && p->text[begin] == '"') {
        int r = query_quoted_end(p, begin, &end);
        if (r < 0)
            return r;
    }
    if (begin == end)
        return query_fail(p, p->at, end, "the value that '%s' is compared with is missing; it follows without a space",
                          is->name);
    p->at = end;
    if (is->kind == SEARCH_KEYWORD)
        return read_keyword(p, begin, end, filter);
    if (is->kind == SEARCH_BOOL && filter->comparison != SEARCH_EQUAL)
        return query_fail(p, begin, end, "field '%s' is true or false: %s:true", is->name, is->name);
    const char *dots = begin == p->at ? NULL : memmem(p->text + begin, end - begin, "..", 2);
    if (dots && is->kind != SEARCH_BOOL && filter->comparison == SEARCH_EQUAL)
        return read_range(p, begin, (uint32_t)(dots - p->text), end, filter);
    return read_value(p, filter->field, begin, end, &filter->value);
}

int query_filter(struct parser *p, uint32_t begin, uint32_t field, uint32_t *node)
{
    struct search_filter filter = {.field = field, .comparison = SEARCH_EQUAL};
    uint32_t end = query_word_end(p, p->at);

    if (p->query->nfilters == SEARCH_MOST_FILTERS)
        return query_fail(p, begin, end, "there are too many conditions: at most %d", SEARCH_MOST_FILTERS);
    int r = read_comparison(p, end, &filter);
    if (r >= 0)
        r = query_new_node(p, NODE_FILTER, begin, node);
    if (r < 0)
        return r;
    p->nodes[*node].end = p->at;
    p->nodes[*node].filter = p->query->nfilters;
    p->query->filters[p->query->nfilters++] = filter;
    return CELL_OK;
}
