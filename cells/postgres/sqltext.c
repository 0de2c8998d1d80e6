/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sqltext.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}
static bool in_word(char c) { return begins_word(c) || is_digit(c) || c == '$'; }
static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_operator(char c) { return c && strchr("+-*/<>=~!@#%^&|`?", c); }

static char peek(const struct sql_lexer *l, size_t ahead)
{
    return l->at + ahead < l->length ? l->text[l->at + ahead] : 0;
}

/* White space and comments, of which those in slashes nest. False when a comment does not end. */
static bool skip_space(struct sql_lexer *l)
{
    for (;;) {
        if (l->at < l->length && is_space(l->text[l->at])) {
            l->at++;
        } else if (peek(l, 0) == '-' && peek(l, 1) == '-') {
            while (l->at < l->length && l->text[l->at] != '\n')
                l->at++;
        } else if (peek(l, 0) == '/' && peek(l, 1) == '*') {
            size_t depth = 1, at = l->at + 2;
            while (depth && at + 1 < l->length) {
                bool opens = l->text[at] == '/' && l->text[at + 1] == '*';
                bool closes = l->text[at] == '*' && l->text[at + 1] == '/';
                depth = depth + opens - closes;
                at += opens || closes ? 2 : 1;
            }
            if (depth)
                return false;
            l->at = at;
        } else {
            return true;
        }
    }
}

/* From the opening quote on; a doubled quote is one, and so is one behind a backslash where those count. */
static bool quoted(struct sql_lexer *l, char quote, bool escapes)
{
    for (l->at++; l->at < l->length; l->at++) {
        if (escapes && l->text[l->at] == '\\' && l->at + 1 < l->length)
            l->at++;
        else if (l->text[l->at] == quote && peek(l, 1) == quote)
            l->at++;
        else if (l->text[l->at] == quote) {
            l->at++;
            return true;
        }
    }
    return false;
}

/* $tag$…$tag$; false, with `at` where it was, when it is none, and with `at` at the end when it does not end. */
static bool dollar_quoted(struct sql_lexer *l)
{
    size_t tag = l->at + 1;
    while (tag < l->length && l->text[tag] != '$' && in_word(l->text[tag]))
        tag++;
    if (tag >= l->length || l->text[tag] != '$' || is_digit(l->text[l->at + 1]))
        return false;
    size_t size = tag + 1 - l->at;
    const char *end = memmem(l->text + tag + 1, l->length - tag - 1, l->text + l->at, size);
    l->at = end ? (size_t)(end - l->text) + size : l->length;
    return end != NULL;
}

static enum sql_kind parameter(struct sql_lexer *l, uint32_t *number)
{
    uint32_t n = 0;
    for (l->at++; is_digit(peek(l, 0)); l->at++)
        if (n < 65536)
            n = n * 10 + (uint32_t)(l->text[l->at] - '0');
    *number = n < 65536 ? n : 65536;
    return SQL_PARAMETER;
}

static enum sql_kind number(struct sql_lexer *l)
{
    while (is_digit(peek(l, 0)))
        l->at++;
    if (peek(l, 0) == '.' && peek(l, 1) != '.')
        for (l->at++; is_digit(peek(l, 0));)
            l->at++;
    if (peek(l, 0) == 'e' || peek(l, 0) == 'E') {
        size_t sign = peek(l, 1) == '+' || peek(l, 1) == '-';
        if (is_digit(peek(l, 1 + sign)))
            for (l->at += 1 + sign; is_digit(peek(l, 0));)
                l->at++;
    }
    return SQL_NUMBER;
}

/* A word, or the string or name whose prefix it is: E'…', B'…', X'…', N'…', U&'…', U&"…". */
static enum sql_kind word(struct sql_lexer *l)
{
    char first = (char)(peek(l, 0) | 0x20), second = peek(l, 1);
    if (second == '\'' && strchr("ebxn", first)) {
        l->at++;
        return quoted(l, '\'', first == 'e') ? SQL_STRING : SQL_BROKEN;
    }
    if (first == 'u' && second == '&' && (peek(l, 2) == '\'' || peek(l, 2) == '"')) {
        char quote = peek(l, 2);
        l->at += 2;
        return !quoted(l, quote, false) ? SQL_BROKEN : quote == '"' ? SQL_NAME : SQL_STRING;
    }
    while (l->at < l->length && in_word(l->text[l->at]))
        l->at++;
    return SQL_WORD;
}

/* An operator ends where a comment begins. */
static enum sql_kind operator_(struct sql_lexer *l)
{
    while (is_operator(peek(l, 0)) && !(peek(l, 0) == '-' && peek(l, 1) == '-') &&
           !(peek(l, 0) == '/' && peek(l, 1) == '*'))
        l->at++;
    return SQL_OPERATOR;
}

static enum sql_kind token(struct sql_lexer *l, uint32_t *n)
{
    char c = l->text[l->at];
    if (begins_word(c))
        return word(l);
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        return number(l);
    if (c == '\'' || c == '"')
        return !quoted(l, c, false) ? SQL_BROKEN : c == '"' ? SQL_NAME : SQL_STRING;
    if (c == '$' && is_digit(peek(l, 1)))
        return parameter(l, n);
    if (c == '$') {
        if (dollar_quoted(l))
            return SQL_STRING;
        if (l->at < l->length)
            l->at++;
        return SQL_BROKEN;
    }
    if (c && strchr("()[],;.:", c)) {
        l->at += c == ':' && peek(l, 1) == ':' ? 2 : 1;
        return SQL_SYMBOL;
    }
    if (is_operator(c))
        return operator_(l);
    l->at++;
    return SQL_BROKEN;
}

struct sql_token sql_next(struct sql_lexer *l)
{
    struct sql_token t = {0};
    bool complete = skip_space(l);
    t.at = l->at;
    if (!complete) {
        t.kind = SQL_BROKEN;
        l->at = l->length;
    } else {
        t.kind = l->at < l->length ? token(l, &t.number) : SQL_END;
    }
    t.length = l->at - t.at;
    return t;
}

bool sql_is(const struct sql_lexer *l, struct sql_token t, const char *name)
{
    return t.kind == SQL_WORD && strlen(name) == t.length && strncasecmp(l->text + t.at, name, t.length) == 0;
}

size_t sql_byte_of_character(const char *text, size_t length, long character)
{
    size_t at = 0;
    while (character > 1 && at < length) {
        at++;
        while (at < length && ((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
        character--;
    }
    return at;
}

size_t sql_token_at(const char *text, size_t length, size_t *at)
{
    struct sql_lexer l = {text, length, 0};
    struct sql_token t;
    while ((t = sql_next(&l)).kind != SQL_END && t.at <= *at)
        if (*at < t.at + t.length) {
            *at = t.at;
            return t.length;
        }
    return 0;
}

size_t sql_trimmed_length(const char *text, size_t length)
{
    struct sql_lexer l = {text, length, 0};
    struct sql_token t;
    size_t end = 0;
    while ((t = sql_next(&l)).kind != SQL_END)
        if (t.kind != SQL_SYMBOL || text[t.at] != ';')
            end = t.at + t.length;
    return end;
}
