/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One spelling for expressions that say the same: read with the precedences of PostgreSQL
 * (https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE) and written with the operator first,
 * all parentheses there. What this grammar does not know is compared token by token.
 */
#include <string.h>

#include "sql.h"
#include "sql_parts.h"

#define DEPTH_MAX 64

struct normal {
    struct pg_arena *arena;
    const char *sql;
    size_t len;
    struct pg_token t; /* the next one */
    unsigned depth;
    bool failed;
};

static const char *expression(struct normal *p, int above);

static void advance(struct normal *p)
{
    p->t = pg_sql_token(p->sql, p->len, p->t.at + p->t.len);
    if (p->t.kind == PG_TOKEN_BAD || p->t.kind == PG_TOKEN_COMMENT)
        p->failed = true;
}

static bool is(const struct normal *p, const char *word) { return pg_token_is(p->sql, p->t, word); }

static bool accept(struct normal *p, const char *word)
{
    if (!is(p, word))
        return false;
    advance(p);
    return true;
}

static const char *fail(struct normal *p)
{
    p->failed = true;
    return "";
}

static void expect(struct normal *p, const char *word)
{
    if (!accept(p, word))
        p->failed = true;
}

static const char *word_of(struct normal *p)
{
    const char *word = pg_token_name(p->arena, p->sql, p->t);
    advance(p);
    return word;
}

/* Up to the closing bracket, which is taken: "a, b" as " a b". */
static const char *list_until(struct normal *p, const char *close)
{
    struct pg_text list = {.arena = p->arena};

    pg_puts(&list, "");
    while (!p->failed && !is(p, close)) {
        pg_putf(&list, " %s", expression(p, 0));
        if (!accept(p, ",") && !is(p, close))
            return fail(p);
    }
    expect(p, close);
    return list.data;
}

/* The name of a type, at a cast: words, modifiers in parentheses, [] behind. */
static const char *type_name(struct normal *p)
{
    size_t begin = p->t.at, end = begin;
    struct pg_type_use type;

    if (p->t.kind != PG_TOKEN_NAME && p->t.kind != PG_TOKEN_QUOTED)
        return fail(p);
    do {
        end = p->t.at + p->t.len;
        advance(p);
        static const char *const more[] = {"varying", "precision", "with", "without", "time", "zone", "."};
        bool goes_on = pg_token_is(p->sql, (struct pg_token){PG_TOKEN_PUNCT, end - 1, 1}, ".");
        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]) && !goes_on; i++)
            goes_on = is(p, more[i]);
        if (is(p, "(") || is(p, "[")) {
            const char *close = is(p, "(") ? ")" : "]";
            while (p->t.kind != PG_TOKEN_END && !is(p, close))
                advance(p);
            end = p->t.at + p->t.len;
            expect(p, close);
            goes_on = is(p, "[") || is(p, "with") || is(p, "without");
        }
        if (!goes_on)
            break;
    } while (p->t.kind != PG_TOKEN_END);
    const char *text = pg_copy(p->arena, p->sql + begin, end - begin);
    return pg_type_parse(p->arena, text, &type, NULL) < 0 ? fail(p) : pg_type_name(p->arena, &type);
}

static bool is_number(const char *text)
{
    text += *text == '-';
    return *text && strspn(text, "0123456789.") == strlen(text);
}

/* The type that a number has as it stands. */
static enum pg_base type_of_number(const char *text)
{
    const char *digits = text + (*text == '-');
    size_t len = strlen(digits);

    if (strchr(digits, '.') || len > 19 || (len == 19 && strcmp(digits, "9223372036854775807") > 0))
        return PG_BASE_NUMERIC;
    return len > 10 || (len == 10 && strcmp(digits, "2147483647") > 0) ? PG_BASE_INT8 : PG_BASE_INT4;
}

/* value::type as "(:: value type)". '-5'::integer is the number -5, and a string is text. */
static const char *cast(struct normal *p, const char *value, const char *type)
{
    size_t len = strlen(value);

    if (value[0] == '\'' && len > 2) {
        const char *inner = pg_copy(p->arena, value + 1, len - 2);
        struct pg_type_use use;
        bool number = pg_type_parse(p->arena, type, &use, NULL) >= 0 && use.base >= PG_BASE_INT2 &&
                      use.base <= PG_BASE_NUMERIC && use.modifier == -1 && !use.array && is_number(inner);
        if (number && use.base == type_of_number(inner))
            return pg_printf(p->arena, "#%s", inner);
        if (number)
            value = pg_printf(p->arena, "#%s", inner);
    }
    return value[0] == '\'' && strcmp(type, "text") == 0 ? value : pg_printf(p->arena, "(:: %s %s)", value, type);
}

/* A string as its value in plain quotes, so that E'a' and 'a' are one; those with other prefixes as written. */
static const char *string(struct normal *p)
{
    const char *s = p->sql + p->t.at;
    size_t len = p->t.len, begin = s[0] == 'e' || s[0] == 'E' ? 1 : 0;
    struct pg_text text = {.arena = p->arena};

    bool plain = s[begin] == '\'' && !memchr(s, '\\', len) && !memchr(s, '\n', len);
    pg_append(&text, s + (plain ? begin : 0), len - (plain ? begin : 0));
    advance(p);
    return text.data;
}

static const char *case_expression(struct normal *p)
{
    struct pg_text text = {.arena = p->arena};

    pg_puts(&text, "(case");
    if (!is(p, "when"))
        pg_putf(&text, " %s", expression(p, 0));
    while (!p->failed && accept(p, "when")) {
        pg_putf(&text, " when %s", expression(p, 0));
        expect(p, "then");
        pg_putf(&text, " %s", expression(p, 0));
    }
    if (accept(p, "else"))
        pg_putf(&text, " else %s", expression(p, 0));
    expect(p, "end");
    pg_puts(&text, ")");
    return text.data;
}

/* extract(year FROM x), substring(s FROM 1 FOR 2), position(a IN b), trim(BOTH FROM s) */
static const char *call(struct normal *p, const char *name)
{
    static const char *const words[] = {"from", "for", "in", "both", "leading", "trailing"};
    struct pg_text text = {.arena = p->arena};

    pg_putf(&text, "(%s", name);
    while (!p->failed && !is(p, ")")) {
        bool word = false;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !word; i++)
            if (accept(p, words[i])) {
                pg_putf(&text, " %s", words[i]);
                word = true;
            }
        if (word)
            continue;
        /* Above IN, where this is a word of the call. */
        bool position = strcmp(name, "position") == 0;
        pg_putf(&text, " %s", accept(p, "*") ? "*" : expression(p, position ? 6 : 0));
        accept(p, ",");
    }
    expect(p, ")");
    pg_puts(&text, ")");
    return text.data;
}

static const char *named(struct normal *p)
{
    struct pg_text text = {.arena = p->arena};
    bool quoted = p->t.kind == PG_TOKEN_QUOTED;
    const char *first = word_of(p);

    if (!quoted && strcmp(first, "case") == 0)
        return case_expression(p);
    if (!quoted && strcmp(first, "array") == 0 && accept(p, "["))
        return pg_printf(p->arena, "[%s]", list_until(p, "]"));
    if (!quoted && strcmp(first, "cast") == 0 && accept(p, "(")) {
        const char *value = expression(p, 0);
        expect(p, "as");
        const char *type = type_name(p);
        expect(p, ")");
        return cast(p, value, type);
    }
    if (!quoted && strcmp(first, "null") == 0)
        return "null";
    if (p->t.kind == PG_TOKEN_STRING && !quoted) { /* date '2000-01-01' */
        const char *value = string(p);
        return cast(p, value, first);
    }
    bool keyword = !quoted && pg_sql_is_keyword(first);
    if (keyword)
        pg_puts(&text, first);
    else
        pg_sql_name(&text, first);
    const char *last = first;
    while (accept(p, ".")) {
        if (p->t.kind != PG_TOKEN_NAME && p->t.kind != PG_TOKEN_QUOTED)
            return fail(p);
        last = word_of(p);
        pg_puts(&text, ".");
        pg_sql_name(&text, last);
    }
    return accept(p, "(") ? call(p, last == first ? first : text.data) : text.data;
}

static const char *primary(struct normal *p)
{
    if (accept(p, "(")) {
        const char *first = expression(p, 0);
        if (accept(p, ","))
            return pg_printf(p->arena, "(row %s%s)", first, list_until(p, ")"));
        expect(p, ")");
        return first;
    }
    if (p->t.kind == PG_TOKEN_STRING)
        return string(p);
    if (p->t.kind == PG_TOKEN_NUMBER)
        return pg_printf(p->arena, "#%s", word_of(p));
    if (p->t.kind == PG_TOKEN_NAME || p->t.kind == PG_TOKEN_QUOTED)
        return named(p);
    return fail(p);
}

/* Casts and subscripts behind, as they bind closest. */
static const char *suffixed(struct normal *p)
{
    const char *value = primary(p);

    while (!p->failed) {
        if (accept(p, "::"))
            value = cast(p, value, type_name(p));
        else if (accept(p, "["))
            value = pg_printf(p->arena, "([] %s%s)", value, list_until(p, "]"));
        else
            break;
    }
    return value;
}

static const char *prefixed(struct normal *p)
{
    if (accept(p, "not"))
        return pg_printf(p->arena, "(not %s)", expression(p, 3));
    if (accept(p, "-")) {
        const char *value = expression(p, 10);
        return value[0] == '#' && value[1] != '-' ? pg_printf(p->arena, "#-%s", value + 1)
                                                  : pg_printf(p->arena, "(- %s)", value);
    }
    if (accept(p, "+"))
        return expression(p, 10);
    if (p->t.kind == PG_TOKEN_OPERATOR) {
        const char *operator= word_of(p);
        return pg_printf(p->arena, "(%s %s)", operator, expression(p, 6));
    }
    return suffixed(p);
}

/* Of the operator that comes; 0 = none comes. */
static int precedence(const struct normal *p)
{
    static const struct {
        const char *word;
        int binds;
    } words[] = {{"or", 1},   {"and", 2},   {"is", 4},      {"isnull", 4}, {"notnull", 4}, {"<", 5},  {">", 5},
                 {"=", 5},    {"<=", 5},    {">=", 5},      {"<>", 5},     {"!=", 5},      {"in", 6}, {"between", 6},
                 {"like", 6}, {"ilike", 6}, {"similar", 6}, {"not", 6},    {"+", 8},       {"-", 8},  {"*", 9},
                 {"/", 9},    {"%", 9},     {"^", 10},      {"at", 11},    {"collate", 12}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (is(p, words[i].word))
            return words[i].binds;
    return p->t.kind == PG_TOKEN_OPERATOR ? 7 : 0;
}

static const char *negated(struct normal *p, bool not, const char *text)
{
    return not ? pg_printf(p->arena, "(not %s)", text) : text;
}

/* Behind IS: [NOT] NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM x */
static const char *is_what(struct normal *p, const char *left)
{
    bool not = accept(p, "not");

    if (accept(p, "distinct")) {
        expect(p, "from");
        return negated(p, not, pg_printf(p->arena, "(distinct %s %s)", left, expression(p, 5)));
    }
    if (p->t.kind != PG_TOKEN_NAME)
        return fail(p);
    return negated(p, not, pg_printf(p->arena, "(is-%s %s)", word_of(p), left));
}

/* [NOT] IN, BETWEEN, LIKE, ILIKE, SIMILAR TO */
static const char *membership(struct normal *p, const char *left)
{
    bool not = accept(p, "not");

    if (accept(p, "in")) {
        expect(p, "(");
        const char *list = list_until(p, ")");
        return pg_printf(p->arena, not? "(<> %s (all [%s]))" : "(= %s (any [%s]))", left, list);
    }
    if (accept(p, "between")) {
        accept(p, "asymmetric");
        const char *low = expression(p, 6);
        expect(p, "and");
        const char *high = expression(p, 6);
        return not ? pg_printf(p->arena, "(or (< %s %s) (> %s %s))", left, low, left, high)
                   : pg_printf(p->arena, "(and (>= %s %s) (<= %s %s))", left, low, left, high);
    }
    if (accept(p, "like"))
        return pg_printf(p->arena, "(%s %s %s)", not? "!~~" : "~~", left, expression(p, 6));
    if (accept(p, "ilike"))
        return pg_printf(p->arena, "(%s %s %s)", not? "!~~*" : "~~*", left, expression(p, 6));
    if (accept(p, "similar") && accept(p, "to"))
        return pg_printf(p->arena, "(%s %s (similar_to_escape %s))", not? "!~" : "~", left, expression(p, 6));
    return fail(p);
}

/* a AND b AND c is one list, however it is nested. */
static const char *joined(struct normal *p, const char *word, const char *left, const char *right)
{
    const char *head = pg_printf(p->arena, "(%s ", word);
    size_t len = strlen(head), nleft = strlen(left), nright = strlen(right);

    if (strncmp(left, head, len) == 0)
        left = pg_copy(p->arena, left + len, nleft - len - 1);
    if (strncmp(right, head, len) == 0)
        right = pg_copy(p->arena, right + len, nright - len - 1);
    return pg_printf(p->arena, "%s%s %s)", head, left, right);
}

static const char *infix(struct normal *p, const char *left, int binds)
{
    if (binds == 1 || binds == 2) {
        const char *word = word_of(p);
        return joined(p, word, left, expression(p, binds));
    }
    if (accept(p, "is"))
        return is_what(p, left);
    if (accept(p, "isnull"))
        return pg_printf(p->arena, "(is-null %s)", left);
    if (accept(p, "notnull"))
        return pg_printf(p->arena, "(not (is-null %s))", left);
    if (binds == 6)
        return membership(p, left);
    if (accept(p, "at")) {
        expect(p, "time");
        expect(p, "zone");
        return pg_printf(p->arena, "(at-time-zone %s %s)", left, expression(p, 11));
    }
    if (accept(p, "collate"))
        return p->t.kind == PG_TOKEN_NAME || p->t.kind == PG_TOKEN_QUOTED
                   ? pg_printf(p->arena, "(collate %s %s)", left, word_of(p))
                   : fail(p);
    const char *operator= word_of(p);
    if (strcmp(operator, "!=") == 0)
        operator= "<>";
    return pg_printf(p->arena, "(%s %s %s)", operator, left, expression(p, binds));
}

static const char *expression(struct normal *p, int above)
{
    if (p->failed || ++p->depth > DEPTH_MAX)
        return fail(p);
    const char *left = prefixed(p);
    for (int binds; !p->failed && (binds = precedence(p)) > above;)
        left = infix(p, left, binds);
    p->depth--;
    return left;
}

/* Each token by itself; words in lower case. */
static const char *by_tokens(struct pg_arena *arena, const char *sql)
{
    struct pg_text text = {.arena = arena};
    size_t len = strlen(sql);

    pg_puts(&text, "?");
    for (struct pg_token t = pg_sql_token(sql, len, 0); t.kind != PG_TOKEN_END;
         t = pg_sql_token(sql, len, t.at + t.len)) {
        pg_puts(&text, " ");
        if (t.kind == PG_TOKEN_NAME)
            pg_puts(&text, pg_token_name(arena, sql, t));
        else
            pg_append(&text, sql + t.at, t.len);
    }
    return text.data;
}

const char *pg_sql_normal(struct pg_arena *arena, const char *sql)
{
    struct normal p = {.arena = arena, .sql = sql, .len = strlen(sql)};

    advance(&p);
    const char *text = expression(&p, 0);
    return p.failed || p.t.kind != PG_TOKEN_END ? by_tokens(arena, sql) : text;
}
