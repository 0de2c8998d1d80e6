/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What was written against what PostgreSQL prints of it: the printed text has casts that PostgreSQL has put in where
 * types meet. Those may be there in addition. One that was written is printed as well, and one that is printed because
 * it was written cannot be told from the others, for which there are records (model.h, pg_expr).
 *
 * Both texts are in the spelling of sql_normal.c, where a cast is "(:: value type)".
 */
#include <string.h>

#include "sql.h"

#define CAST "(:: "
#define STEPS_MAX 20000 /* a cast is tried in two ways, one in another one in four … */

struct walk {
    const char *written, *printed;
};

static bool starts(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

/* Behind a name, a number, a string or an operator. */
static const char *behind_atom(const char *s)
{
    while (*s && !strchr(" )]", *s)) {
        const char *close = *s == '\'' || *s == '"' ? strchr(s + 1, *s) : NULL;
        s = (close ? close : s) + 1;
    }
    return s;
}

/* Behind the parenthesis that closes a cast, from its type. */
static const char *behind_type(const char *s)
{
    unsigned open = 0;

    for (; *s && (*s != ')' || open); s++)
        open += *s == '(' ? 1u : *s == ')' ? -1u : 0;
    return *s ? s + 1 : s;
}

/* Casts that PostgreSQL puts in by itself when types meet; of a literal it tells any type. */
static bool is_implicit(const char *value, const char *type, size_t len)
{
    static const char *const types[] = {"text", "text[]", "character varying", "numeric", "double precision"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strlen(types[i]) == len && memcmp(types[i], type, len) == 0)
            return true;
    return *value == '\'' || *value == '#' || starts(value, "null ");
}

static bool match(struct walk *w, unsigned *steps);

/* The printed text is at a cast. */
static bool match_cast(struct walk *w, unsigned *steps)
{
    struct walk both = {w->written + strlen(CAST), w->printed + strlen(CAST)}, one = {w->written, both.printed};
    const char *value = both.printed;

    if (starts(w->written, CAST) && match(&both, steps)) {
        size_t len = (size_t)(behind_type(both.printed) - both.printed);
        if (strncmp(both.written, both.printed, len) == 0) {
            *w = (struct walk){both.written + len, both.printed + len};
            return true;
        }
    }
    if (!match(&one, steps) || *one.printed != ' ')
        return false;
    const char *type = one.printed + 1, *end = behind_type(type);
    if (end == type || !is_implicit(value, type, (size_t)(end - type) - 1))
        return false;
    *w = (struct walk){one.written, end};
    return true;
}

/* One expression of each; then both are behind it. */
static bool match(struct walk *w, unsigned *steps)
{
    if (++*steps > STEPS_MAX)
        return false;
    if (starts(w->printed, CAST))
        return match_cast(w, steps);
    if (*w->printed != '(' && *w->printed != '[') {
        size_t len = (size_t)(behind_atom(w->printed) - w->printed);
        bool same = len && strncmp(w->written, w->printed, len) == 0 && behind_atom(w->written) == w->written + len;
        w->written += len;
        w->printed += len;
        return same;
    }
    char open = *w->printed, close = open == '(' ? ')' : ']';
    if (*w->written != open)
        return false;
    for (w->written++, w->printed++; *w->printed != close;) {
        bool space = *w->printed == ' ';
        if (space != (*w->written == ' '))
            return false;
        w->written += space;
        w->printed += space;
        if (!match(w, steps))
            return false;
    }
    w->printed++;
    return *w->written++ == close;
}

bool pg_sql_covers(const char *printed, const char *written)
{
    struct walk w = {written, printed};
    unsigned steps = 0;

    if (*written == '?' || *printed == '?') /* not understood: by tokens */
        return strcmp(written, printed) == 0;
    return match(&w, &steps) && !*w.written && !*w.printed;
}
