/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The line of a value in a JSON document, by its path. The document was parsed before; the parser keeps no places. */
#include <stdlib.h>
#include <string.h>

#include "core/config_parts.h"

struct scan {
    const char *text;
    size_t len, at;
};

static char peek(struct scan *s)
{
    while (s->at < s->len &&
           (s->text[s->at] == ' ' || s->text[s->at] == '\t' || s->text[s->at] == '\n' || s->text[s->at] == '\r'))
        s->at++;
    return s->at < s->len ? s->text[s->at] : '\0';
}

/* Behind the string that begins here. */
static void skip_string(struct scan *s)
{
    for (s->at++; s->at < s->len && s->text[s->at] != '"'; s->at++)
        if (s->text[s->at] == '\\')
            s->at++;
    s->at = s->at < s->len ? s->at + 1 : s->len;
}

/* Behind the value that begins here. */
static void skip_value(struct scan *s)
{
    size_t depth = 0;
    do {
        char c = peek(s);
        if (c == '"') {
            skip_string(s);
        } else if (c == '{' || c == '[') {
            depth++;
            s->at++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            s->at++;
        } else if (c == ',' || c == ':') {
            s->at++;
        } else {
            do
                s->at++;
            while (s->at < s->len && !strchr(",:]} \t\r\n", s->text[s->at]));
        }
    } while (depth && s->at < s->len);
}

/* Behind the first step of `where` when it names the key: `key`, or `['key']` for one that is no identifier. */
static const char *step_over(const char *where, const char *key, size_t n)
{
    bool quoted = strncmp(where, "['", 2) == 0;
    where += quoted ? 2 : 0;
    if (strncmp(where, key, n) != 0)
        return NULL;
    where += n;
    if (quoted && strncmp(where, "']", 2) != 0)
        return NULL;
    where += quoted ? 2 : 0;
    if (!*where || !strchr(".:[", *where))
        return NULL;
    return where + (*where == '.');
}

/* Goes to the member of the object here that is the first step of `where`. Sets *place to where its key stands. */
static const char *enter_member(struct scan *s, const char *where, size_t *place)
{
    for (s->at++; peek(s) == '"';) {
        size_t begin = s->at;
        skip_string(s);
        const char *rest = step_over(where, s->text + begin + 1, s->at - begin - 2);
        if (peek(s) == ':')
            s->at++;
        if (rest) {
            *place = begin;
            return rest;
        }
        skip_value(s);
        if (peek(s) == ',')
            s->at++;
    }
    return NULL;
}

static const char *enter_element(struct scan *s, const char *where, size_t *place)
{
    char *end;
    unsigned long index = strtoul(where + 1, &end, 10);
    if (*end != ']')
        return NULL;
    for (s->at++; peek(s) != ']' && s->at < s->len; index--) {
        if (index == 0) {
            *place = s->at;
            return end + 1 + (end[1] == '.');
        }
        skip_value(s);
        if (peek(s) == ',')
            s->at++;
    }
    return NULL;
}

unsigned cell_config_line(const char *json, size_t len, const char *where)
{
    struct scan s = {json, len, 0};
    size_t place = len;
    while (where && *where && *where != ':') {
        char c = peek(&s);
        if (c == '{')
            where = enter_member(&s, where, &place);
        else
            where = c == '[' && *where == '[' ? enter_element(&s, where, &place) : NULL;
    }
    if (place == len)
        return 0;
    unsigned line = 1;
    for (size_t i = 0; i < place; i++)
        line += json[i] == '\n';
    return line;
}
