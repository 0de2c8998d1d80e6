/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* SQL within documentation: it is to be read, and must not end the comment that it comes to stand in. */
#include <string.h>

#include "query_names.h"

#define MAX_DOC 4000

/* What must not stand in a text: control characters, bidirectional controls, line and paragraph separators. */
static bool is_forbidden(const unsigned char *s)
{
    if (s[0] < 0x20 || s[0] == 0x7F)
        return true;
    if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0) /* U+0080 to U+009F */
        return true;
    if (s[0] == 0xD8 && s[1] == 0x9C) /* U+061C */
        return true;
    return s[0] == 0xE2 && ((s[1] == 0x80 && ((s[2] >= 0x8E && s[2] <= 0x8F) || (s[2] >= 0xA8 && s[2] <= 0xAE))) ||
                            (s[1] == 0x81 && s[2] >= 0xA6 && s[2] <= 0xA9));
}

/* With the bytes that continue it, whatever they are: nothing of ASCII is among them. */
static size_t character_length(const unsigned char *s)
{
    size_t n = 1;

    while ((s[n] & 0xC0) == 0x80 && n < 4)
        n++;
    return n;
}

static void end_line(struct pg_text *t)
{
    while (t->len > 0 && t->data[t->len - 1] == ' ')
        t->data[--t->len] = '\0';
    size_t n = t->len;
    if (n > 0 && (t->data[n - 1] == '\\' || (n > 2 && memcmp(t->data + n - 3,
                                                             "?"
                                                             "?/",
                                                             3) == 0)))
        pg_puts(t, " .");
}

const char *query_doc_text(struct pg_arena *arena, const char *sql)
{
    struct pg_text t = {.arena = arena};
    const unsigned char *s = (const unsigned char *)sql;
    size_t length = strlen(sql);

    pg_puts(&t, "    ");
    for (size_t i = 0, n; i < length && t.len < MAX_DOC; i += n) {
        n = character_length(s + i);
        if (s[i] == '\n') {
            end_line(&t);
            pg_puts(&t, "\n    ");
        } else if (s[i] == '\t' || s[i] == '\r') {
            pg_puts(&t, " ");
        } else if (is_forbidden(s + i)) {
            pg_puts(&t, "?");
        } else if (s[i] == '/' && t.len > 0 && t.data[t.len - 1] == '*') {
            pg_puts(&t, " /");
        } else {
            pg_append(&t, s + i, n);
        }
        if (i + n < length && t.len >= MAX_DOC)
            pg_puts(&t, "\n    …");
    }
    end_line(&t);
    return t.data;
}
