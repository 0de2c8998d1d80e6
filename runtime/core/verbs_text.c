/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The verbs of a schema without the rest of it, and without JSON: what a compilation needs of a cell whose answers it
 * has. Lines of words:
 *
 *     cell.verbs/1
 *     verb NAME ON                    ON: letters of "sefv", for struct, enum, function and variable
 *     arg NAME TYPE required          of the verb above, as is what follows
 *     arg NAME TYPE optional[ VALUE]  VALUE: the default, to the end of the line
 *     field RULE
 *     rule RULE
 *     checksum of all before, 16 hex digits
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"

#define FORMAT "cell.verbs/1\n"
#define SUM_LEN 17u /* 16 digits, "\n" */

static void put_sum(const char *text, size_t len, char sum[SUM_LEN + 1])
{
    snprintf(sum, SUM_LEN + 1, "%016" PRIx64 "\n", cell_checksum(text, len));
}

static void put_verb(const struct schema_verb *v, struct cell_buffer *out)
{
    cell_buffer_printf(out, "verb %s %s%s%s%s\n", v->name, v->on_struct ? "s" : "", v->on_enum ? "e" : "",
                       v->on_function ? "f" : "", v->on_variable ? "v" : "");
    for (uint32_t i = 0; i < v->nargs; i++)
        cell_buffer_printf(out, "arg %s %s %s%s%s\n", v->args[i].name, v->args[i].type,
                           v->args[i].required ? "required" : "optional", v->args[i].value ? " " : "",
                           v->args[i].value ? v->args[i].value : "");
    for (uint32_t i = 0; i < v->nfield_rules; i++)
        cell_buffer_printf(out, "field %s\n", v->field_rules[i]);
    for (uint32_t i = 0; i < v->nrules; i++)
        cell_buffer_printf(out, "rule %s\n", v->rules[i]);
}

void cell_verbs_put(const struct cell_schema *s, struct cell_buffer *out)
{
    char sum[SUM_LEN + 1];
    size_t begin = out->len;
    cell_buffer_puts(out, FORMAT);
    for (uint32_t i = 0; i < s->nverbs; i++)
        put_verb(&s->verbs[i], out);
    if (!cell_buffer_ok(out))
        return;
    put_sum(out->data + begin, out->len - begin, sum);
    cell_buffer_puts(out, sum);
}

struct reader {
    char *at; /* the lines that are left, NUL-terminated */
    struct cell_schema *s;
    struct schema_verb *v; /* the one that is being read */
    const char **field_rules, **rules;
};

/* How many of the lines at `at` begin with `word`, up to the next verb. */
static uint32_t count_lines(const char *at, const char *word, bool all)
{
    uint32_t n = 0;
    while (*at && (all || strncmp(at, "verb ", 5) != 0)) {
        const char *end = strchr(at, '\n');
        n += strncmp(at, word, strlen(word)) == 0;
        if (!end)
            break;
        at = end + 1;
    }
    return n;
}

/* The next word of a line, which ends there; NULL = there is none. */
static char *next_word(char **line)
{
    char *word = *line, *space = word ? strchr(word, ' ') : NULL;
    *line = space ? space + 1 : NULL;
    if (space)
        *space = '\0';
    return word;
}

static int read_verb(struct reader *r, char *line)
{
    struct schema_verb *v = r->v ? r->v + 1 : r->s->verbs;
    uint32_t nargs = count_lines(r->at, "arg ", false), nfields = count_lines(r->at, "field ", false),
             nrules = count_lines(r->at, "rule ", false);
    v->name = next_word(&line);
    for (const char *on = line ? line : ""; *on; on++) {
        bool *flag = *on == 's'   ? &v->on_struct
                     : *on == 'e' ? &v->on_enum
                     : *on == 'f' ? &v->on_function
                     : *on == 'v' ? &v->on_variable
                                  : NULL;
        if (!flag)
            return CELL_DATA_LOSS;
        *flag = true;
    }
    v->args = cell_arena_array(&r->s->arena, nargs, sizeof(*v->args));
    v->field_rules = r->field_rules = cell_arena_array(&r->s->arena, nfields, sizeof(*r->field_rules));
    v->rules = r->rules = cell_arena_array(&r->s->arena, nrules, sizeof(*r->rules));
    r->v = v;
    r->s->nverbs++;
    return v->args && v->field_rules && v->rules ? CELL_OK : CELL_NO_MEMORY;
}

static int read_arg(struct schema_verb *v, char *line)
{
    struct schema_verb_arg *arg = &v->args[v->nargs++];
    arg->name = next_word(&line);
    arg->type = next_word(&line);
    const char *need = next_word(&line);
    if (!arg->type || !need)
        return CELL_DATA_LOSS;
    arg->required = strcmp(need, "required") == 0;
    arg->value = line;
    return arg->required || strcmp(need, "optional") == 0 ? CELL_OK : CELL_DATA_LOSS;
}

static int read_line(struct reader *r, char *line)
{
    char *rest = line;
    const char *kind = next_word(&rest);
    if (!rest)
        return CELL_DATA_LOSS;
    if (strcmp(kind, "verb") == 0)
        return read_verb(r, rest);
    if (!r->v)
        return CELL_DATA_LOSS;
    if (strcmp(kind, "arg") == 0)
        return read_arg(r->v, rest);
    if (strcmp(kind, "field") == 0)
        r->field_rules[r->v->nfield_rules++] = rest;
    else if (strcmp(kind, "rule") == 0)
        r->rules[r->v->nrules++] = rest;
    else
        return CELL_DATA_LOSS;
    return CELL_OK;
}

/* `text`: in the schema's arena, after the first line. */
static int read_lines(char *text, struct cell_schema *s)
{
    struct reader r = {.at = text, .s = s};
    s->verbs = cell_arena_array(&s->arena, count_lines(text, "verb ", true), sizeof(*s->verbs));
    int status = s->verbs ? CELL_OK : CELL_NO_MEMORY;
    while (status >= 0 && *r.at) {
        char *line = r.at, *end = strchr(line, '\n');
        if (!end)
            return CELL_DATA_LOSS;
        *end = '\0';
        r.at = end + 1;
        status = read_line(&r, line);
    }
    return status;
}

/* How much of the text is lines of verbs; 0 = it is not whole, or of another format. */
static size_t check_whole(const char *text, size_t len)
{
    char sum[SUM_LEN + 1];
    if (len < strlen(FORMAT) + SUM_LEN || strncmp(text, FORMAT, strlen(FORMAT)) != 0 || memchr(text, '\0', len))
        return 0;
    put_sum(text, len - SUM_LEN, sum);
    return memcmp(text + len - SUM_LEN, sum, SUM_LEN) == 0 ? len - SUM_LEN : 0;
}

int cell_verbs_parse(const char *text, size_t len, const char *cell, struct cell_schema **out)
{
    size_t whole = check_whole(text, len);
    if (!whole)
        return CELL_DATA_LOSS;
    struct cell_schema *s = cell_schema_new();
    char *lines = s ? cell_arena_copy(&s->arena, text + strlen(FORMAT), whole - strlen(FORMAT)) : NULL;
    if (s)
        s->cell = cell_arena_copy(&s->arena, cell, strlen(cell));
    int r = lines && s->cell ? read_lines(lines, s) : CELL_NO_MEMORY;
    if (r >= 0)
        r = cell_schema_check(s, SCHEMA_OF_CELL, CELL_DATA_LOSS, NULL);
    if (r < 0)
        cell_schema_free(s);
    else
        *out = s;
    return r;
}
