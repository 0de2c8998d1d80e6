/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "logic.h"

#include <stdlib.h>
#include <string.h>

#include "core/ast.h"

#define CONTEXT 2u
#define MOST_CELLS (4u << 20) /* of the table below: what is larger is shown as a whole, before and after */

struct texts {
    char **lines;
    uint32_t n;
};

static bool split(const char *text, struct cell_arena *arena, struct texts *t)
{
    uint32_t n = 0;
    for (const char *p = text; *p; p++)
        n += *p == '\n';
    t->n = 0;
    t->lines = cell_arena_array(arena, n, sizeof(*t->lines));
    for (; t->lines && t->n < n; t->n++) {
        const size_t len = strcspn(text, "\n");
        if (!(t->lines[t->n] = cell_arena_copy(arena, text, len)))
            return false;
        text += len + 1;
    }
    return t->lines != NULL;
}

struct comparison {
    struct texts before, after;
    uint32_t first, old_end, new_end; /* what is the same at the beginning and at the end is left out of the table */
    uint32_t *common;                 /* of the lines behind (i, j): how many can be kept; NULL = none are looked for */
    char *marks;                      /* '-', '+', ' ' of `lines` */
    char **lines;
    uint32_t n;
};

static uint32_t *common_at(const struct comparison *c, uint32_t i, uint32_t j)
{
    return &c->common[(size_t)(i - c->first) * (c->new_end - c->first + 1) + (j - c->first)];
}

static bool same(const struct comparison *c, uint32_t i, uint32_t j)
{
    return strcmp(c->before.lines[i], c->after.lines[j]) == 0;
}

/* The longest common subsequence. */
static bool make_table(struct comparison *c)
{
    while (c->first < c->before.n && c->first < c->after.n && same(c, c->first, c->first))
        c->first++;
    for (c->old_end = c->before.n, c->new_end = c->after.n;
         c->old_end > c->first && c->new_end > c->first && same(c, c->old_end - 1, c->new_end - 1);
         c->old_end--, c->new_end--)
        ;
    const uint64_t cells = (uint64_t)(c->old_end - c->first + 1) * (c->new_end - c->first + 1);
    if (cells > MOST_CELLS)
        return true;
    c->common = calloc(cells, sizeof(*c->common));
    for (uint32_t i = c->old_end; c->common && i-- > c->first;)
        for (uint32_t j = c->new_end; j-- > c->first;) {
            const uint32_t less = *common_at(c, i + 1, j), more = *common_at(c, i, j + 1);
            *common_at(c, i, j) = same(c, i, j) ? *common_at(c, i + 1, j + 1) + 1 : less > more ? less : more;
        }
    return c->common != NULL;
}

static void take(struct comparison *c, char mark, char *line)
{
    c->marks[c->n] = mark;
    c->lines[c->n++] = line;
}

/* What goes stands before what comes. */
static void walk(struct comparison *c)
{
    uint32_t i = 0, j = 0;
    while (i < c->before.n || j < c->after.n) {
        const bool inside = i >= c->first && (i < c->old_end || j < c->new_end);
        if (!inside || (c->common && i < c->old_end && j < c->new_end && same(c, i, j))) {
            take(c, ' ', c->before.lines[i++]);
            j++;
        } else if (i < c->old_end &&
                   (j == c->new_end || !c->common || *common_at(c, i + 1, j) >= *common_at(c, i, j + 1))) {
            take(c, '-', c->before.lines[i++]);
        } else {
            take(c, '+', c->after.lines[j++]);
        }
    }
}

/* The lines that changed and those around them. */
static bool shown(const struct comparison *c, uint32_t i)
{
    const uint32_t from = i > CONTEXT ? i - CONTEXT : 0;
    for (uint32_t k = from; k <= i + CONTEXT && k < c->n; k++)
        if (c->marks[k] != ' ')
            return true;
    return false;
}

bool logic_lines(const char *before, const char *after, struct cell_arena *arena, const char ***lines, uint32_t *n)
{
    struct comparison c = {.first = 0};
    bool ok = split(before, arena, &c.before) && split(after, arena, &c.after) && make_table(&c);
    const uint32_t most = ok ? c.before.n + c.after.n : 0;
    c.marks = cell_arena_array(arena, most, 1);
    c.lines = cell_arena_array(arena, most, sizeof(*c.lines));
    *lines = cell_arena_array(arena, most, sizeof(**lines));
    *n = 0;
    ok = ok && c.marks && c.lines && *lines;
    if (ok)
        walk(&c);
    for (uint32_t i = 0; ok && i < c.n; i++)
        if (shown(&c, i)) {
            (*lines)[*n] = cell_arena_printf(arena, "%c%s", c.marks[i], c.lines[i]);
            ok = (*lines)[(*n)++] != NULL;
        }
    free(c.common);
    return ok;
}

/* ---- functions and tables ---- */

struct pair {
    const struct cell_ast *before, *after; /* NULL: there are none */
    const struct cell_diff *diff;
    struct logic_changes *to;
};

static const char *name_before(const struct pair *p, const char *name)
{
    for (uint32_t i = 0; i < p->diff->n; i++)
        if (p->diff->changes[i].rule == DIFF_FUNCTION_RENAMED && strcmp(p->diff->changes[i].now, name) == 0)
            return p->diff->changes[i].owner;
    return name;
}

static bool has(const struct cell_ast *doc, const char *name)
{
    bool found = doc && cell_ast_function(doc, name);
    for (uint32_t i = 0; !found && doc && i < doc->ntables; i++)
        found = strcmp(doc->tables[i].name, name) == 0;
    return found;
}

/* Functions and tables share one scope. NULL: memory is short; "" there is nothing of that name. */
static char *print(const struct cell_ast *doc, const char *name, struct cell_arena *arena)
{
    struct cell_buffer text = {0};
    const struct ast_function *f = doc ? cell_ast_function(doc, name) : NULL;
    int r = f ? cell_ast_print_function(doc, f, &text) : CELL_OK;
    for (uint32_t i = 0; !f && doc && i < doc->ntables; i++)
        if (strcmp(doc->tables[i].name, name) == 0)
            r = cell_ast_print_table(doc, &doc->tables[i], &text);
    char *copy = r >= 0 && cell_buffer_ok(&text) ? cell_arena_copy(arena, text.len ? text.data : "", text.len) : NULL;
    cell_buffer_free(&text);
    return copy;
}

/* Programs see what comes and goes: that it does was said, and all of its text says no more. */
static int compare_item(struct pair *p, const char *before, const char *now, bool visible)
{
    struct cell_arena *arena = &p->to->arena;
    const char *old_text = print(p->before, before, arena), *new_text = print(p->after, now, arena);
    struct logic_change *item = &p->to->items[p->to->n];
    if (!old_text || !new_text)
        return CELL_NO_MEMORY;
    if (strcmp(old_text, new_text) == 0 || (visible && (!*old_text || !*new_text)))
        return CELL_OK;
    item->name = cell_arena_copy(arena, now, strlen(now));
    if (!item->name || !logic_lines(old_text, new_text, arena, &item->lines, &item->nlines))
        return CELL_NO_MEMORY;
    p->to->n++;
    return CELL_OK;
}

static int compare_all(struct pair *p)
{
    int r = CELL_OK;
    for (uint32_t i = 0; p->after && r >= 0 && i < p->after->ntables; i++)
        r = compare_item(p, p->after->tables[i].name, p->after->tables[i].name, false);
    for (uint32_t i = 0; p->after && r >= 0 && i < p->after->nfunctions; i++) {
        const struct ast_function *f = &p->after->functions[i];
        r = compare_item(p, name_before(p, f->name), f->name, !f->internal);
    }
    /* What is gone, and was not seen above. */
    for (uint32_t i = 0; p->before && r >= 0 && i < p->before->ntables; i++)
        if (!has(p->after, p->before->tables[i].name))
            r = compare_item(p, p->before->tables[i].name, p->before->tables[i].name, false);
    for (uint32_t i = 0; p->before && r >= 0 && i < p->before->nfunctions; i++) {
        const struct ast_function *f = &p->before->functions[i];
        if (f->internal && !has(p->after, f->name))
            r = compare_item(p, f->name, f->name, false);
    }
    return r;
}

static uint32_t count(const struct cell_ast *doc) { return doc ? doc->nfunctions + doc->ntables : 0; }

int logic_compare(const struct cell_schema *before, const struct cell_schema *after, const struct cell_diff *diff,
                  struct logic_changes *changes, struct cell_error *e)
{
    struct cell_ast *old = NULL, *now = NULL;
    *changes = (struct logic_changes){.n = 0};
    int r = cell_ast_of_schema(before, NULL, &old, e);
    if (r >= 0)
        r = cell_ast_of_schema(after, NULL, &now, e);
    if (r >= 0) {
        struct pair p = {.before = old, .after = now, .diff = diff, .to = changes};
        changes->items = cell_arena_array(&changes->arena, count(old) + count(now), sizeof(*changes->items));
        r = changes->items ? compare_all(&p) : CELL_NO_MEMORY;
        if (r == CELL_NO_MEMORY)
            cell_error_set(e, r, "out of memory");
    }
    cell_ast_free(old);
    cell_ast_free(now);
    return r;
}

void logic_free(struct logic_changes *changes) { cell_arena_free(&changes->arena); }
