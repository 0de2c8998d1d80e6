/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random changes of a document. */
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
    const struct token at = t[hot_below(random, n)], other = t[hot_below(random, n)];
    cell_buffer_append(out, text->data, at.begin);
    switch (hot_below(random, 4)) {
    case 0:
        cell_buffer_puts(out, words[hot_below(random, sizeof(words) / sizeof(words[0]))]);
        break;
    case 1: { /* left out, with its comma */
        size_t skip = at.end + strspn(text->data + at.end, ", ");
        cell_buffer_append(out, text->data + skip, text->len - skip);
        return;
    }
    case 2: /* twice */
        cell_buffer_append(out, text->data + at.begin, at.end - at.begin);
        cell_buffer_puts(out, ", ");
        cell_buffer_append(out, text->data + at.begin, at.end - at.begin);
        break;
    default:
        cell_buffer_append(out, text->data + other.begin, other.end - other.begin);
    }
    cell_buffer_append(out, text->data + at.end, text->len - at.end);
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
