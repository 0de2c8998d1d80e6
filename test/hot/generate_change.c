/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random changes of a document. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

struct token {
    size_t begin, end;
};

/* Strings, numbers, words and brackets of the part behind "functions". */
static unsigned tokens(const struct cell_buffer *text, struct token *t, unsigned most)
{
    const char *p = strstr(text->data, "\"functions\"") + 13;
    unsigned n = 0;
    while (*p && n < most) {
        const char *begin = p;
        if (*p == '"') {
            for (p++; *p != '"'; p++)
                p += *p == '\\';
            p++;
            if (*p == ':') /* of a member, without which it is no JSON */
                continue;
        } else if (strchr("[]{},: ", *p)) {
            p++;
            if (*begin != '[')
                continue;
            unsigned depth = 1; /* an array is a token too, up to its end */
            for (const char *q = p; *q; q++) {
                depth += *q == '[';
                depth -= *q == ']';
                if (!depth) {
                    t[n++] = (struct token){(size_t)(begin - text->data), (size_t)(q + 1 - text->data)};
                    break;
                }
            }
            continue;
        } else {
            p += strcspn(p, "[]{},: ");
        }
        t[n++] = (struct token){(size_t)(begin - text->data), (size_t)(p - text->data)};
    }
    return n;
}

/* Names of operations and types that can stand for each other. */
static const char *const alike[] = {
    "\"<\" \"<=\" \">\" \">=\" \"==\" \"!=\"",
    "\"+\" \"-\" \"*\" \"/\" \"%\" \"min\" \"max\" \"&\" \"|\" \"^\" \"<<\" \">>\"",
    "\"&&\" \"||\"",
    "\"i8\" \"u8\" \"i16\" \"u16\" \"i32\" \"u32\" \"i64\" \"u64\" \"f32\" \"f64\" \"bool\"",
    "\"for\" \"down\"",
    "\"break\" \"continue\" \"return\"",
    "\"neg\" \"~\" \"abs\"",
    "\"isnan\" \"isinf\" \"isfinite\" \"signbit\"",
    "\"fmin\" \"fmax\" \"copysign\"",
    "\"same\" \"starts\" \"ends\"",
    "\"try\" \"call\" \"status\"",
    "\"[]\" \"byte\" \".\"",
    "\"utf8_at\" \"utf8_next\"",
    "\"v0\" \"v1\" \"v2\" \"v3\" \"v4\" \"v5\" \"v6\" \"v7\"",
};

/* Appends another one of those that are like `text`; false: there are none. */
static bool append_alike(struct hot_random *random, const char *text, size_t len, struct cell_buffer *out)
{
    char name[32];
    if (len >= sizeof(name))
        return false;
    memcpy(name, text, len);
    name[len] = '\0';
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        if (!strstr(alike[i], name))
            continue;
        unsigned n = 1;
        for (const char *p = alike[i]; *p; p++)
            n += *p == ' ';
        const char *chosen = alike[i];
        for (unsigned k = hot_below(random, n); k > 0; k--)
            chosen = strchr(chosen, ' ') + 1;
        cell_buffer_append(out, chosen, strcspn(chosen, " "));
        return true;
    }
    return false;
}

/* A number, a bit more or less; a name, another one that is like it. */
static bool append_near(struct hot_random *random, const char *text, size_t len, struct cell_buffer *out)
{
    const bool quoted = *text == '"' && (text[1] == '-' || (text[1] >= '0' && text[1] <= '9'));
    if (*text == '"' && !quoted)
        return append_alike(random, text, len, out);
    if (*text == '[' || *text == 't' || *text == 'f')
        return false;
    const long long value = strtoll(text + quoted, NULL, 10);
    if (value > 1000000000000 || value < -1000000000000)
        return false;
    cell_buffer_printf(out, quoted ? "\"%lld\"" : "%lld", value + (hot_below(random, 2) ? 1 : -1));
    return true;
}

static char kind_of(const struct cell_buffer *text, struct token t)
{
    const char c = text->data[t.begin];
    return c == '"' || c == '[' ? c : '0';
}

/* From `at` to `other` of the same kind, if a few tries find one. */
static struct token like(struct hot_random *random, const struct cell_buffer *text, const struct token *t, unsigned n,
                         struct token at)
{
    struct token other = t[hot_below(random, n)];
    for (unsigned tries = 0; tries < 20 && kind_of(text, other) != kind_of(text, at); tries++)
        other = t[hot_below(random, n)];
    return other;
}

static void mutate_once(struct hot_random *random, const struct cell_buffer *text, struct cell_buffer *out)
{
    static const char *const words[] = {"0",        "-1",    "7",     "8",          "true",   "\"i32\"",
                                        "\"u8\"",   "\"+\"", "\"/\"", "\"[]\"",     "\"v0\"", "\"v1\"",
                                        "\"byte\"", "\"=\"", "1",     "\"status\"", "[]",     "\"f64\""};
    static struct token t[4096];
    const unsigned n = tokens(text, t, 4096);
    if (!n) {
        cell_buffer_append(out, text->data, text->len);
        return;
    }
    const struct token at = t[hot_below(random, n)];
    size_t begin = at.begin, end = at.end;
    const unsigned change = hot_below(random, 10);
    if (change == 0) { /* left out, with a comma */
        const size_t behind = strspn(text->data + end, ", ");
        end += behind;
        while (!behind && strchr(", ", text->data[begin - 1]))
            begin--;
    }
    cell_buffer_append(out, text->data, begin);
    if (change == 1) {
        cell_buffer_puts(out, words[hot_below(random, sizeof(words) / sizeof(words[0]))]);
    } else if (change == 2) { /* twice */
        cell_buffer_append(out, text->data + begin, end - begin);
        cell_buffer_puts(out, ", ");
        cell_buffer_append(out, text->data + begin, end - begin);
    } else if (change == 3 || (change > 3 && !append_near(random, text->data + begin, end - begin, out))) {
        const struct token other = like(random, text, t, n, at);
        cell_buffer_append(out, text->data + other.begin, other.end - other.begin);
    }
    cell_buffer_append(out, text->data + end, text->len - end);
}

void hot_mutate(struct hot_random *random, const struct cell_buffer *text, struct cell_buffer *out)
{
    mutate_once(random, text, out);
    for (unsigned i = hot_below(random, 3); i > 0; i--) {
        struct cell_buffer again = {0};
        mutate_once(random, out, &again);
        cell_buffer_free(out);
        *out = again;
    }
}
