/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Declarations for tests, from a short notation in place of the compiler's request. */
#ifndef CELL_TEST_PG_BUILD_H
#define CELL_TEST_PG_BUILD_H

#include <jansson.h>

#include "postgres/diff.h"
#include "test.h"

/* "range 0;150" -> {"rule": "range", "args": ["0", "150"]}: arguments are apart by `;`, `\;` is one of the text. */
static inline json_t *pg_build_rule(const char *text)
{
    size_t word = strcspn(text, " ");
    json_t *args = json_array();
    char buffer[1024];
    size_t n = 0;
    for (const char *p = text[word] ? text + word + 1 : NULL; p; p++) {
        if (*p == '\\' && p[1] == ';')
            buffer[n++] = *++p;
        else if (*p == ';' || *p == '\0') {
            json_array_append_new(args, json_stringn(buffer, n));
            n = 0;
            if (*p == '\0')
                break;
        } else if (n + 1 < sizeof(buffer))
            buffer[n++] = *p;
    }
    return json_pack("{s:o, s:o}", "rule", json_stringn(text, word), "args", args);
}

/* The next line or part of *text up to `end`, without spaces around, in `buffer`; false = there is none. */
static inline int pg_build_part(const char **text, char end, char buffer[1024])
{
    if (!**text)
        return 0;
    const char *stop = strchr(*text, end);
    size_t len = stop ? (size_t)(stop - *text) : strlen(*text);
    const char *begin = *text;
    *text = stop ? stop + 1 : begin + len;
    while (len && *begin == ' ')
        begin++, len--;
    while (len && begin[len - 1] == ' ')
        len--;
    snprintf(buffer, 1024, "%.*s", (int)len, begin);
    return 1;
}

/* One line a field: "age opt<i32> | range 0;150 | default 18". "| doc …" and "| renamed_from …" are members. */
static inline json_t *pg_build_fields(const char *text)
{
    json_t *fields = json_array();
    char line[1024], part[1024];
    while (pg_build_part(&text, '\n', line)) {
        const char *rest = line;
        json_t *rules = json_array(), *field = json_object();
        pg_build_part(&rest, '|', part);
        if (!part[0])
            continue;
        size_t name = strcspn(part, " ");
        json_object_set_new(field, "name", json_stringn(part, name));
        json_object_set_new(field, "type", json_string(part + name + (part[name] == ' ')));
        while (pg_build_part(&rest, '|', part)) {
            if (strncmp(part, "doc ", 4) == 0)
                json_object_set_new(field, "doc", json_string(part + 4));
            else if (strncmp(part, "renamed_from ", 13) == 0)
                json_object_set_new(field, "renamed_from", json_string(part + 13));
            else
                json_array_append_new(rules, pg_build_rule(part));
        }
        json_object_set_new(field, "rules", rules);
        json_array_append_new(fields, field);
    }
    return fields;
}

/* Types that fields may have: mood and temper (enums of u8), point (struct), tags (list of str), opt_mood. */
static inline json_t *pg_build_types(void)
{
    static const char text[] =
        "[{\"name\":\"mood\",\"kind\":\"enum\",\"type\":\"u8\",\"values\":[{\"name\":\"MOOD_SAD\",\"value\":\"0\"},"
        "{\"name\":\"MOOD_OK\",\"value\":\"1\"},{\"name\":\"MOOD_HAPPY\",\"value\":\"2\"}]},"
        "{\"name\":\"temper\",\"kind\":\"enum\",\"type\":\"u8\",\"values\":[{\"name\":\"TEMPER_SAD\",\"value\":\"0\"},"
        "{\"name\":\"TEMPER_OK\",\"value\":\"1\"}]},"
        "{\"name\":\"point\",\"kind\":\"struct\",\"fields\":[{\"name\":\"x\",\"type\":\"f64\"}]},"
        "{\"name\":\"points\",\"kind\":\"list\",\"of\":\"point\"},"
        "{\"name\":\"opt_mood\",\"kind\":\"opt\",\"of\":\"mood\"},{\"name\":\"opt_point\",\"kind\":\"opt\",\"of\":"
        "\"point\"}]";
    return json_loads(text, 0, NULL);
}

/* `rules`: one line each, "index name, email;where age > 1". The struct's tag is the table's name with _t behind. */
static inline json_t *pg_build_request(const char *verb, const char *table, const char *fields, const char *rules)
{
    json_t *list = json_array();
    char line[1024], tag[128];
    while (pg_build_part(&rules, '\n', line))
        if (line[0])
            json_array_append_new(list, pg_build_rule(line));
    snprintf(tag, sizeof(tag), "%.100s_t", table);
    json_t *type = json_pack("{s:s, s:s, s:o}", "name", tag, "kind", "struct", "fields", pg_build_fields(fields));
    return json_pack("{s:{s:s, s:[s], s:s}, s:{s:s, s:s, s:o, s:o, s:o}}", "annotation", "verb", verb, "args", table,
                     "location", "a.c:1:1", "declaration", "kind", "struct", "name", tag, "type", type, "types",
                     pg_build_types(), "rules", list);
}

static inline struct pg_declared *pg_build(const struct pg_model *catalog, const char *verb, const char *table,
                                           const char *fields, const char *rules)
{
    json_t *request = pg_build_request(verb, table, fields, rules);
    struct pg_declared *d = NULL;
    char why[256] = "";
    if (pg_declare(request, catalog, &d, why) < 0) {
        printf("declaration: %s\n", why);
        test_failures++;
    }
    json_decref(request);
    return d;
}

static inline void pg_print_diagnostics(const pg_diagnostics *list)
{
    static const char *const words[] = {"error", "warning", "remark", "note"};
    for (uint32_t i = 0; i < list->n; i++)
        printf("  %s: %s: %s\n", words[list->at[i].severity], list->at[i].field ? list->at[i].field : "-",
               list->at[i].text);
}

static inline void pg_print_plan(const struct pg_plan *p)
{
    for (uint32_t i = 0; i < p->nsteps; i++)
        for (uint32_t k = 0; k < p->steps[i].nsql; k++)
            printf("  %s %d [%s]: %s\n", pg_step_name(p->steps[i].kind), p->steps[i].mode, p->steps[i].hazard,
                   p->steps[i].sql[k]);
    pg_print_diagnostics(&p->diagnostics);
}

/* The first diagnostic of that severity whose text holds `part`; NULL. */
static inline const struct pg_diagnostic *pg_find_diagnostic(const pg_diagnostics *list, enum pg_severity severity,
                                                             const char *part)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->at[i].severity == severity && strstr(list->at[i].text, part))
            return &list->at[i];
    return NULL;
}

static inline const struct pg_step *pg_find_step(const struct pg_plan *p, enum pg_step_kind kind, const char *object)
{
    for (uint32_t i = 0; i < p->nsteps; i++)
        if (p->steps[i].kind == kind && (!object || (p->steps[i].object && strcmp(p->steps[i].object, object) == 0)))
            return &p->steps[i];
    return NULL;
}

#endif
