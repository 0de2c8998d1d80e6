/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names of C for those of the database. */
#include <stdlib.h>
#include <string.h>

#include <cell/server.h>

#include "import_parts.h"

/* Sorted: macros that are often there. */
static const char *const macros[] = {"EOF",   "NULL",     "assert",   "complex", "errno", "i386",   "imaginary",
                                     "linux", "noreturn", "offsetof", "stderr",  "stdin", "stdout", "unix"};

/* Sorted: structs of POSIX, which a program may include beside the header. */
static const char *const foreign_tags[] = {"dirent",    "flock",    "group",    "hostent",  "iovec",  "lconv",
                                           "msghdr",    "option",   "passwd",   "rlimit",   "rusage", "servent",
                                           "sigaction", "sigevent", "sockaddr", "spwd",     "stat",   "statfs",
                                           "termios",   "timespec", "timeval",  "timezone", "tm",     "user"};

static int compare(const void *a, const void *b) { return strcmp(a, *(const char *const *)b); }

#define IN(list, name) (bsearch(name, list, sizeof(list) / sizeof(list[0]), sizeof(list[0]), compare) != NULL)

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

bool import_is_reserved(const char *name)
{
    return IN(macros, name) || begins(name, "CELL_") || cell_name_problem(name, strlen(name));
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

const char *import_identifier(struct pg_arena *arena, const char *name)
{
    struct pg_text t = {.arena = arena};

    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (is_letter(*p) || (*p >= '0' && *p <= '9'))
            pg_append(&t, p, 1);
        else if (c < 0x80 || c >= 0xC0) /* one for each character */
            pg_puts(&t, "_");
    }
    return t.data ? t.data : "";
}

bool import_name_taken(const struct importing *s, const char *name)
{
    for (uint32_t i = 0; i < s->names.n; i++)
        if (strcmp(s->names.at[i], name) == 0)
            return true;
    return false;
}

/* What the names of a table's functions and types have behind its tag. */
static bool is_generated(const char *rest)
{
    static const char *const whole[] = {"rows",   "insert", "insert_many", "load", "update", "upsert",
                                        "delete", "get",    "list",        "all",  "count"};
    static const char *const beginning[] = {"find_by_", "list_by_", "opt_"};

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (strcmp(rest, whole[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(beginning) / sizeof(beginning[0]); i++)
        if (begins(rest, beginning[i]))
            return true;
    return false;
}

/* Whether `longer` is, or begins like, a name that is generated for the table `tag`. */
static bool meets(const char *tag, const char *longer)
{
    size_t len = strlen(tag);

    return strncmp(tag, longer, len) == 0 && longer[len] == '_' && is_generated(longer + len + 1);
}

static bool tag_is_free(const struct importing *s, const char *tag)
{
    if (import_name_taken(s, tag) || IN(foreign_tags, tag) || import_is_reserved(tag))
        return false;
    for (uint32_t i = 0; i < s->names.n; i++)
        if (meets(s->names.at[i], tag) || meets(tag, s->names.at[i]))
            return false;
    return true;
}

static const char *free_tag(struct importing *s, const char *name)
{
    const char *wanted = import_identifier(s->arena, name), *tag = wanted;

    if (!is_letter(tag[0]) || tag[0] == '_')
        tag = pg_printf(s->arena, "table_%s", wanted[0] == '_' ? wanted + 1 : wanted);
    if (tag_is_free(s, tag))
        return tag;
    tag = pg_printf(s->arena, "table_%s", wanted);
    for (unsigned i = 2; !tag_is_free(s, tag); i++)
        tag = pg_printf(s->arena, "table%u_%s", i, wanted);
    return tag;
}

void import_name_tables(struct importing *s)
{
    for (uint32_t i = 0; i < s->tables.n; i++) {
        struct import_table *t = &s->tables.at[i];
        t->tag = free_tag(s, t->from->name);
        *pg_push(s->arena, &s->names) = t->tag;
    }
}

static bool field_taken(const struct import_table *t, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(t->fields[i].name, name) == 0)
            return true;
    return false;
}

/* Columns that need no other name keep theirs, whatever stands before them. */
static bool is_own_name(struct pg_arena *arena, const char *column)
{
    return strcmp(import_identifier(arena, column), column) == 0 && is_letter(column[0]) && !import_is_reserved(column);
}

static bool is_a_column(const struct import_table *t, const char *name)
{
    return pg_table_column(t->from, name) != NULL;
}

void import_name_fields(struct importing *s, struct import_table *t)
{
    for (uint32_t i = 0; i < t->from->ncolumns; i++) {
        const char *column = t->from->columns[i].name, *name = column;
        if (!is_own_name(s->arena, column)) {
            const char *like = import_identifier(s->arena, column);
            while (*like == '_')
                like++;
            name = !*like || (*like >= '0' && *like <= '9') ? pg_printf(s->arena, "column_%s", like)
                   : import_is_reserved(like)               ? pg_printf(s->arena, "%s_", like)
                                                            : like;
            if (import_is_reserved(name))
                name = pg_printf(s->arena, "column_%s", like);
            const char *stem = name;
            for (unsigned k = 2; field_taken(t, i, name) || is_a_column(t, name); k++)
                name = pg_printf(s->arena, "%s_%u", stem, k);
        }
        t->fields[i].name = name;
    }
}
