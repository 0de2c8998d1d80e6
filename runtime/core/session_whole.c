/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What answers say of their subject as a whole. The cell is asked about the first struct of a table when nobody knows
 * whether there is a second: what it says of the table then holds only if there is none. It may be about other subjects
 * as well, of which some come later: it holds when the cell says it beside all of them.
 */
#include "core/session_parts.h"

/* NULL stays NULL; false when memory is short. */
static bool copy_text(struct cell_arena *arena, const char *from, const char **to)
{
    *to = from ? cell_arena_copy(arena, from, strlen(from)) : NULL;
    return !from || *to;
}

static bool copy_fix(struct cell_arena *arena, const struct schema_rule *from, struct schema_rule *to)
{
    const char **args = cell_arena_array(arena, from->nargs, sizeof(*args));
    *to = (struct schema_rule){.args = args, .nargs = from->nargs};
    bool ok = args && copy_text(arena, from->name, &to->name);
    for (uint32_t i = 0; ok && i < from->nargs; i++)
        ok = copy_text(arena, from->args[i], &args[i]);
    return ok;
}

/* The answer goes, and this stays. */
static bool copy_said(struct cell_arena *arena, const struct expansion_diagnostic *from,
                      struct expansion_diagnostic *to)
{
    *to = *from;
    to->notes = cell_arena_array(arena, from->nnotes, sizeof(*to->notes));
    bool ok = to->notes && copy_text(arena, from->text, &to->text) &&
              copy_text(arena, from->place.field, &to->place.field) && copy_fix(arena, &from->fix, &to->fix);
    for (uint32_t i = 0; ok && i < from->nnotes; i++) {
        to->notes[i] = from->notes[i];
        ok = copy_text(arena, from->notes[i].text, &to->notes[i].text) &&
             copy_text(arena, from->notes[i].place.field, &to->notes[i].place.field);
    }
    return ok;
}

int cell_session_note_whole(struct cell_session *s, struct asked *a, const struct cell_expansion *x)
{
    uint32_t n = 0, made = 0;
    for (uint32_t i = 0; i < x->ndiagnostics; i++)
        n += x->diagnostics[i].whole;
    a->nwhole = 0;
    a->whole = n ? cell_arena_array(&s->arena, n, sizeof(*a->whole)) : NULL;
    if (n && !a->whole)
        return CELL_NO_MEMORY;
    for (uint32_t i = 0; i < x->ndiagnostics; i++)
        if (x->diagnostics[i].whole && !copy_said(&s->arena, &x->diagnostics[i], &a->whole[made++]))
            return CELL_NO_MEMORY;
    a->nwhole = n;
    return CELL_OK;
}

void cell_session_replace_whole(struct known_cell *c, const struct asked *a)
{
    for (struct asked *p = c->asked; p && p != a; p = p->next)
        p->replaced |= cell_session_same_whole(p, a);
}

void cell_session_fail_whole(struct known_cell *c, const char *json, size_t len)
{
    CELL_CLEANUP(cell_cleanup_free) char *key = NULL;
    CELL_CLEANUP(cell_lock_asked_free) struct lock_asked says = {0};
    struct cell_buffer question = {0};
    if (cell_lock_question(json, len, &question, &key, &says, NULL) >= 0) {
        const struct asked failed = {.verb = says.verb, .subject = says.subject};
        /* What was answered with an error was answered: of that what it says holds. */
        for (struct asked *p = c->asked; p; p = p->next)
            p->replaced |= cell_session_same_whole(p, &failed) && strcmp(p->location, says.location) != 0;
    }
    cell_buffer_free(&question);
}

/* Where the same was said first. */
static struct session_whole said_first(const struct known_cell *c, const struct asked *last, uint32_t question,
                                       const struct expansion_diagnostic *said)
{
    uint32_t at = 0;
    for (const struct asked *p = c->asked; p != last; p = p->next, at++)
        for (uint32_t k = 0; k < p->nwhole && cell_session_same_whole(p, last); k++)
            if (p->whole[k].severity == said->severity && strcmp(p->whole[k].text, said->text) == 0)
                return (struct session_whole){at, &p->whole[k]};
    return (struct session_whole){question, said};
}

bool cell_session_whole(const struct session_cell *cell, uint32_t i, struct session_whole *w)
{
    const struct known_cell *c = (const struct known_cell *)(const void *)cell;
    uint32_t at = 0;
    for (const struct asked *a = c->asked; a; a = a->next, at++) {
        if (a->replaced)
            continue;
        if (i < a->nwhole) {
            *w = said_first(c, a, at, &a->whole[i]);
            return true;
        }
        i -= a->nwhole;
    }
    return false;
}

static bool has_whole_error(const struct asked *a)
{
    bool found = false;
    for (uint32_t i = 0; i < a->nwhole; i++)
        found = found || a->whole[i].severity == EXPANSION_ERROR;
    return found;
}

void cell_session_judge_whole(struct cell_session *s, struct session_cell *cell)
{
    struct known_cell *c = session_known(cell);
    for (struct asked *a = c->asked; a; a = a->next) {
        bool open = cell_session_has_behind(a) ? a->nwhole > 0 : c->failed.len && has_whole_error(a);
        if (!open || a->replaced)
            continue;
        const struct asked before = *a;
        struct cell_expansion *x = cell_session_beside_all(s, c, a);
        if (x && cell_session_note_whole(s, a, x) < 0)
            *a = before;
        cell_expansion_free(x);
    }
}
