/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The lexical rules of PostgreSQL (https://www.postgresql.org/docs/current/sql-syntax-lexical.html), with
 * standard_conforming_strings on, and what is decided by tokens alone. */
#include <string.h>

#include <cell/errors.h>

#include "sql.h"
#include "sql_parts.h"

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_operator(char c) { return c != '\0' && strchr("+-*/<>=~!@#%^&|`?", c) != NULL; }

/* Bytes over 127 are letters: PostgreSQL does not look at what they are. */
static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 128;
}
static bool continues_name(char c) { return begins_name(c) || is_digit(c) || c == '$'; }

static struct pg_token token(enum pg_token_kind kind, size_t at, size_t end)
{
    return (struct pg_token){kind, at, end - at};
}

/* From the opening quote at `at`: behind the closing one; 0 = there is none. Doubled quotes are part of it. */
static size_t quoted_end(const char *s, size_t len, size_t at, bool backslashes)
{
    char quote = s[at];

    for (size_t i = at + 1; i < len; i++) {
        if (backslashes && s[i] == '\\')
            i++;
        else if (s[i] == quote) {
            if (i + 1 < len && s[i + 1] == quote)
                i++;
            else
                return i + 1;
        }
    }
    return 0;
}

/* A string goes on, by the same rules, in quotes on a later line; comments may stand between. Where it does, or 0. */
static size_t string_goes_on(const char *s, size_t len, size_t at)
{
    bool line = false;

    while (at < len && (is_space(s[at]) || (s[at] == '-' && at + 1 < len && s[at + 1] == '-'))) {
        if (s[at] == '-')
            while (at + 1 < len && s[at + 1] != '\n' && s[at + 1] != '\r')
                at++;
        line = line || s[at] == '\n' || s[at] == '\r';
        at++;
    }
    return line && at < len && s[at] == '\'' ? at : 0;
}

static struct pg_token quoted(const char *s, size_t len, size_t at, size_t quote, bool backslashes)
{
    size_t end = quoted_end(s, len, quote, backslashes), next;

    while (end && s[quote] == '\'' && (next = string_goes_on(s, len, end)) != 0)
        end = quoted_end(s, len, next, backslashes);
    if (end == 0)
        return token(PG_TOKEN_BAD, at, len);
    return token(s[quote] == '"' ? PG_TOKEN_QUOTED : PG_TOKEN_STRING, at, end);
}

/* $1, or $tag$ … $tag$ */
static struct pg_token dollar(const char *s, size_t len, size_t at)
{
    size_t i = at + 1;

    if (i < len && is_digit(s[i])) {
        while (i < len && is_digit(s[i]))
            i++;
        return token(i < len && begins_name(s[i]) ? PG_TOKEN_BAD : PG_TOKEN_PARAMETER, at, i);
    }
    if (i < len && begins_name(s[i]))
        while (i < len && continues_name(s[i]) && s[i] != '$')
            i++;
    if (i == len || s[i] != '$')
        return token(PG_TOKEN_BAD, at, at + 1);
    size_t tag = i + 1 - at;
    for (size_t j = i + 1; j + tag <= len; j++)
        if (s[j] == '$' && memcmp(s + j, s + at, tag) == 0)
            return token(PG_TOKEN_STRING, at, j + tag);
    return token(PG_TOKEN_BAD, at, len);
}

/* Behind digits, point and exponent. What follows a number without space (12abc) is refused: versions differ on it. */
static struct pg_token number(const char *s, size_t len, size_t at)
{
    size_t i = at;
    bool hex = s[i] == '0' && i + 1 < len && s[i + 1] != '\0' && strchr("xXoObB", s[i + 1]);

    if (hex) {
        while (i < len && continues_name(s[i]) && s[i] != '$')
            i++;
        return token(i < len && (s[i] == '$' || s[i] == '\'') ? PG_TOKEN_BAD : PG_TOKEN_NUMBER, at, i);
    }
    while (i < len && (is_digit(s[i]) || s[i] == '_'))
        i++;
    if (i < len && s[i] == '.' && !(i + 1 < len && s[i + 1] == '.')) {
        i++;
        while (i < len && (is_digit(s[i]) || s[i] == '_'))
            i++;
    }
    if (i < len && (s[i] == 'e' || s[i] == 'E')) {
        size_t j = i + 1;
        if (j < len && (s[j] == '+' || s[j] == '-'))
            j++;
        if (j < len && is_digit(s[j])) {
            while (j < len && is_digit(s[j]))
                j++;
            i = j;
        }
    }
    return token(i < len && continues_name(s[i]) ? PG_TOKEN_BAD : PG_TOKEN_NUMBER, at, i);
}

static struct pg_token comment(const char *s, size_t len, size_t at)
{
    size_t i = at + 2, depth = 1;

    if (s[at] == '-') {
        while (i < len && s[i] != '\n' && s[i] != '\r')
            i++;
        return token(PG_TOKEN_COMMENT, at, i);
    }
    while (i < len && depth) { /* they nest */
        if (s[i] == '*' && i + 1 < len && s[i + 1] == '/') {
            depth--;
            i += 2;
        } else if (s[i] == '/' && i + 1 < len && s[i + 1] == '*') {
            depth++;
            i += 2;
        } else
            i++;
    }
    return token(depth ? PG_TOKEN_BAD : PG_TOKEN_COMMENT, at, i);
}

static bool begins_comment(const char *s, size_t len, size_t at)
{
    return at + 1 < len && ((s[at] == '-' && s[at + 1] == '-') || (s[at] == '/' && s[at + 1] == '*'));
}

static struct pg_token name(const char *s, size_t len, size_t at)
{
    size_t i = at;
    bool unicode = (s[at] == 'u' || s[at] == 'U') && at + 2 < len && s[at + 1] == '&';

    if (unicode && (s[at + 2] == '\'' || s[at + 2] == '"'))
        return quoted(s, len, at, at + 2, false);
    if (at + 1 < len && s[at + 1] == '\'' && strchr("eEbBxXnN", s[at]))
        return quoted(s, len, at, at + 1, s[at] == 'e' || s[at] == 'E');
    while (i < len && continues_name(s[i]))
        i++;
    return token(PG_TOKEN_NAME, at, i);
}

static struct pg_token operator_at(const char *s, size_t len, size_t at)
{
    size_t i = at;

    while (i < len && is_operator(s[i]) && !begins_comment(s, len, i))
        i++;
    return token(PG_TOKEN_OPERATOR, at, i);
}

struct pg_token pg_sql_token(const char *sql, size_t len, size_t from)
{
    while (from < len && is_space(sql[from]))
        from++;
    if (from >= len)
        return token(PG_TOKEN_END, len, len);
    char c = sql[from];
    if (begins_comment(sql, len, from))
        return comment(sql, len, from);
    if (c == '\'' || c == '"')
        return quoted(sql, len, from, from, false);
    if (begins_name(c))
        return name(sql, len, from);
    if (is_digit(c) || (c == '.' && from + 1 < len && is_digit(sql[from + 1])))
        return number(sql, len, from);
    if (c == '$')
        return dollar(sql, len, from);
    if (c == ':' && from + 1 < len && sql[from + 1] == ':')
        return token(PG_TOKEN_PUNCT, from, from + 2);
    if (c != '\0' && strchr("()[],;:.", c))
        return token(PG_TOKEN_PUNCT, from, from + 1);
    if (is_operator(c))
        return operator_at(sql, len, from);
    return token(PG_TOKEN_BAD, from, from + 1);
}

bool pg_token_is(const char *sql, struct pg_token t, const char *word)
{
    size_t len = strlen(word);

    if (t.len != len || (t.kind != PG_TOKEN_NAME && t.kind != PG_TOKEN_PUNCT && t.kind != PG_TOKEN_OPERATOR))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = sql[t.at + i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != word[i])
            return false;
    }
    return true;
}

/* Parentheses and brackets that are open. */
#define NEST_MAX 64
struct nest {
    char open[NEST_MAX];
    unsigned n;
};

/* NULL, or what is wrong with the token. */
static const char *nest_token(struct nest *nest, const char *sql, struct pg_token t)
{
    char c = t.kind == PG_TOKEN_PUNCT && t.len == 1 ? sql[t.at] : '\0';

    if (c == '(' || c == '[') {
        if (nest->n == NEST_MAX)
            return "it is nested too deeply";
        nest->open[nest->n++] = c;
    } else if (c == ')' || c == ']') {
        if (nest->n == 0 || nest->open[--nest->n] != (c == ')' ? '(' : '['))
            return c == ')' ? "a ')' has no '('" : "a ']' has no '['";
    }
    return NULL;
}

static const char *bad_token(const char *sql, struct pg_token t)
{
    switch (sql[t.at]) {
    case '"':
        return "a quoted name does not end";
    case '/':
        return "a comment does not end";
    case '$':
        return "a '$' begins nothing";
    case '\\':
        return "a '\\' stands outside of quotes";
    default:
        break;
    }
    if (is_digit(sql[t.at]) || sql[t.at] == '.')
        return "a number is followed by a letter";
    return strchr("'eEbBxXnNuU", sql[t.at]) ? "a string does not end" : "it has a character that SQL does not know";
}

static int complain(const char *text, size_t where, char why[128], size_t *at)
{
    if (why) {
        strncpy(why, text, 127);
        why[127] = '\0';
    }
    if (at)
        *at = where;
    return CELL_INVALID_ARGUMENT;
}

static const char *refused_in_expression(const char *sql, struct pg_token t)
{
    if (t.kind == PG_TOKEN_BAD)
        return bad_token(sql, t);
    if (t.kind == PG_TOKEN_COMMENT)
        return "it has a comment";
    if (t.kind == PG_TOKEN_PARAMETER)
        return "it has a parameter";
    return pg_token_is(sql, t, ";") ? "it has a semicolon" : NULL;
}

int pg_sql_check(const char *sql, char why[128], size_t *at)
{
    size_t len = strlen(sql), from = 0;
    struct nest nest = {.n = 0};
    bool empty = true, comma = false;

    for (;;) {
        struct pg_token t = pg_sql_token(sql, len, from);
        if (t.kind == PG_TOKEN_END)
            break;
        const char *wrong = refused_in_expression(sql, t);
        comma = comma || (nest.n == 0 && pg_token_is(sql, t, ","));
        wrong = wrong ? wrong : nest_token(&nest, sql, t);
        wrong = wrong || !comma ? wrong : "it is a list: a ',' stands outside of parentheses";
        if (wrong)
            return complain(wrong, t.at, why, at);
        from = t.at + t.len;
        empty = false;
    }
    if (empty)
        return complain("it is empty", 0, why, at);
    if (nest.n)
        return complain(nest.open[nest.n - 1] == '(' ? "a '(' has no ')'" : "a '[' has no ']'", len, why, at);
    return CELL_OK;
}

int pg_sql_parts(const char *sql, struct pg_token *parts, uint32_t max, uint32_t *n, char why[128], size_t *at)
{
    size_t len = strlen(sql), from = 0, begin = 0, end = 0;
    struct nest nest = {.n = 0};
    uint32_t found = 0;

    for (bool some = false;;) {
        struct pg_token t = pg_sql_token(sql, len, from);
        bool last = t.kind == PG_TOKEN_END, comma = nest.n == 0 && pg_token_is(sql, t, ",");
        const char *wrong = last ? NULL : refused_in_expression(sql, t);
        wrong = wrong || last ? wrong : nest_token(&nest, sql, t);
        if (!wrong && (last || comma) && !some)
            wrong = found || comma ? "a part between two commas is empty" : "it is empty";
        if (!wrong && last && nest.n)
            wrong = nest.open[nest.n - 1] == '(' ? "a '(' has no ')'" : "a '[' has no ']'";
        if (!wrong && (last || comma) && found == max)
            wrong = "it has too many parts";
        if (wrong)
            return complain(wrong, t.at, why, at);
        if (last || comma) {
            parts[found++] = (struct pg_token){PG_TOKEN_NAME, begin, end - begin};
            some = false;
        } else {
            begin = some ? begin : t.at;
            end = t.at + t.len;
            some = true;
        }
        if (last)
            break;
        from = t.at + t.len;
    }
    *n = found;
    return CELL_OK;
}

/* What would end the transaction that a step runs in, or needs the client. */
static const char *refused_statement(const char *sql, struct pg_token first)
{
    static const char *const words[] = {"begin",     "start",   "commit",  "end",     "rollback", "abort",
                                        "savepoint", "release", "prepare", "copy",    "vacuum",   "listen",
                                        "declare",   "discard", "reindex", "cluster", "reset",    "checkpoint"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (pg_token_is(sql, first, words[i]))
            return "a step runs in a transaction of its own: transaction control, COPY, VACUUM, REINDEX, session "
                   "commands cannot be in it";
    struct pg_token next = pg_sql_token(sql, strlen(sql), first.at + first.len);
    if (pg_token_is(sql, first, "set") && !pg_token_is(sql, next, "local") && !pg_token_is(sql, next, "constraints"))
        return "what SET sets would hold for what comes after the step as well: SET LOCAL sets it for the step";
    return NULL;
}

int pg_sql_split(struct pg_arena *arena, const char *sql, const char ***statements, uint32_t *n, char why[128],
                 size_t *at)
{
    size_t len = strlen(sql), from = 0;
    PG_LIST(const char *) found = {0};
    struct pg_text text = {.arena = arena};
    struct nest nest = {.n = 0};

    for (bool some = false;;) {
        struct pg_token t = pg_sql_token(sql, len, from);
        bool last = t.kind == PG_TOKEN_END, end = last || (nest.n == 0 && pg_token_is(sql, t, ";"));
        const char *wrong = t.kind == PG_TOKEN_BAD         ? bad_token(sql, t)
                            : t.kind == PG_TOKEN_PARAMETER ? "it has a parameter"
                            : !last                        ? nest_token(&nest, sql, t)
                                                           : NULL;
        if (!wrong && !some && !end && t.kind != PG_TOKEN_COMMENT)
            wrong = refused_statement(sql, t);
        if (!wrong && (last || pg_token_is(sql, t, ";")) && nest.n)
            wrong = "a statement ends within parentheses";
        if (wrong)
            return complain(wrong, t.at, why, at);
        if (end && some) {
            *pg_push(arena, &found) = pg_copy(arena, text.data, text.len);
            text = (struct pg_text){.arena = arena};
            some = false;
        } else if (!end && t.kind != PG_TOKEN_COMMENT) {
            /* Strings on two lines are one only with the line break between them, so that is kept as it is. */
            if (some)
                pg_append(&text, sql + from, t.at - from);
            pg_append(&text, sql + t.at, t.len);
            some = true;
        } else if (some && !end)
            pg_puts(&text, " ");
        if (last)
            break;
        from = t.at + t.len;
    }
    if (found.n == 0)
        return complain("it has no statement", 0, why, at);
    *statements = found.at;
    *n = found.n;
    return CELL_OK;
}
