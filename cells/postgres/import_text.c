/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Texts of the database as texts of C: literals, comments. */
#include <stdarg.h>
#include <string.h>

#include "import_parts.h"
#include "sql.h"

void import_literal(struct pg_text *t, const char *text)
{
    pg_puts(t, "\"");
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            pg_putf(t, "\\%c", c);
        else if (c == '\n')
            pg_puts(t, "\\n");
        else if (c == '\t')
            pg_puts(t, "\\t");
        else if (c < 0x20 || c == 0x7F)
            pg_putf(t, "\\%03o", c);
        else if (c == '?' && p[1] == '?') /* no trigraph begins here */
            pg_puts(t, "?\"\"");
        else
            pg_append(t, p, 1);
    }
    pg_puts(t, "\"");
}

const char *import_macro(struct pg_arena *arena, const char *macro, const char *const *args, uint32_t n)
{
    struct pg_text t = {.arena = arena};

    while (n > 1 && !args[n - 1])
        n--;
    pg_putf(&t, "%s(", macro);
    for (uint32_t i = 0; i < n; i++) {
        pg_puts(&t, i ? ", " : "");
        import_literal(&t, args[i] ? args[i] : "");
    }
    pg_puts(&t, ")");
    return t.data;
}

const char *import_macro1(struct pg_arena *arena, const char *macro, const char *arg)
{
    return import_macro(arena, macro, &arg, 1);
}

void import_sql_name(struct pg_text *t, const char *name)
{
    /* These mean something at the end of an index's part, or in front of a condition. */
    static const char *const words[] = {"include", "where", "nulls", "first", "last"};
    bool plain = pg_sql_is_plain(name);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        plain = plain && strcmp(name, words[i]) != 0;
    if (plain)
        pg_puts(t, name);
    else
        pg_sql_name(t, name);
}

const char *import_sql_names(struct pg_arena *arena, const char *const *names, uint32_t n)
{
    struct pg_text t = {.arena = arena};

    for (uint32_t i = 0; i < n; i++) {
        pg_puts(&t, i ? ", " : "");
        import_sql_name(&t, names[i]);
    }
    return t.data;
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t'; }

/* Characters that terminals and editors obey: they are no part of what a program documents. */
static bool is_control(const char *p)
{
    const unsigned char *c = (const unsigned char *)p;

    if ((c[0] < 0x20 && c[0] != '\n') || c[0] == 0x7F)
        return true;
    if (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0) /* U+0080 to U+009F */
        return true;
    if (c[0] == 0xD8 && c[1] == 0x9C) /* U+061C */
        return true;
    if (c[0] != 0xE2)
        return false;
    return (c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE))) ||
           (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9);
}

bool import_is_doc(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || is_blank(text[0]) || is_blank(text[len - 1]) || strstr(text, "*/"))
        return false;
    for (const char *p = text; *p; p++) {
        bool ends = p[1] == '\n' || p[1] == '\0';
        if (is_control(p) || (*p == '\n' && p[1] == ' '))
            return false;
        if (ends && (*p == ' ' || *p == '\\' || (p >= text + 2 && memcmp(p - 2, "\?\?/", 3) == 0)))
            return false;
    }
    return true;
}

void import_doc(struct pg_text *t, const char *indent, const char *text)
{
    for (const char *line = text; line;) {
        size_t len = strcspn(line, "\n");
        pg_putf(t, "%s///%s%.*s\n", indent, len ? " " : "", (int)len, line);
        line = line[len] ? line + len + 1 : NULL;
    }
}

/* What may stand in a comment of one line, and in a message. */
static const char *one_line(struct pg_arena *arena, const char *text)
{
    char *line = pg_strdup(arena, text), *to = line;

    for (const char *p = line; *p; p++) {
        bool control = is_control(p) || *p == '\n';
        *to++ = control ? ' ' : *p;
        while (control && ((unsigned char)p[1] & 0xC0) == 0x80) /* the rest of that character */
            p++;
    }
    *to = '\0';
    return line;
}

void import_comment(struct pg_text *t, const char *indent, const char *text)
{
    size_t room = 118 - 3 - strlen(indent);

    for (text = one_line(t->arena, text); *text;) {
        size_t len = strlen(text);
        if (len > room) { /* broken at a space */
            len = room;
            while (len && text[len] != ' ')
                len--;
            if (!len)
                len = strcspn(text, " ");
        }
        /* a line that ends in a backslash would go on in the next one */
        bool goes_on = (len >= 1 && text[len - 1] == '\\') || (len >= 3 && memcmp(text + len - 3, "\?\?/", 3) == 0);
        pg_putf(t, "%s// %.*s%s\n", indent, (int)len, text, goes_on ? " ." : "");
        text += len;
        while (*text == ' ')
            text++;
    }
}

void import_note(struct importing *s, struct import_table *t, struct import_field *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *text = pg_vprintf(s->arena, format, args);
    va_end(args);
    import_comment(f ? &f->notes : &t->notes, f ? "    " : "", pg_printf(s->arena, "Not here: %s.", text));
    const char *place = f ? pg_printf(s->arena, "table '%s', column '%s'", t->from->name, f->column->name)
                          : pg_printf(s->arena, "table '%s'", t->from->name);
    *pg_push(s->arena, &s->lost) = one_line(s->arena, pg_printf(s->arena, "%s: %s", place, text));
}
