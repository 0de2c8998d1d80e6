/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expansions: from the lock, from what is kept, or from the cell. */
#include <stdlib.h>

#include "core/schema_impl.h"
#include "core/session_parts.h"

#define MAX_FAILED (64u << 10) /* bytes */

/* Parsed once for a lock, as what a cell answers is. */
static int expand_locked(struct cell_session *s, struct known_cell *c, struct asked *a,
                         const struct cell_schema *declared, struct session_answer *answer, struct cell_error *e)
{
    const struct lock_answer *locked = NULL;
    struct answer_notes notes;
    if (answer->unparsed && cell_session_kept_locked(s, c, a, &notes)) {
        a->notes = notes;
        memcpy(answer->content, notes.content, sizeof(notes.content));
        return CELL_OK;
    }
    int r = cell_session_locked_answer(s, c, a, &locked, e);
    if (r < 0)
        return r;
    r = cell_expansion_parse(locked->document, locked->document_len, declared, &answer->x, e);
    if (r >= 0)
        cell_session_keep_locked(s, c, a, declared);
    return r < 0 && e ? cell_error_wrap(e, "%s: its answer '%s' is not valid", c->pub.lock_path, locked->key) : r;
}

/* Whether the lock, if there is one, is known to declare that as well. */
static bool lock_agrees(struct cell_session *s, struct known_cell *c, const struct asked *a, const char *content)
{
    struct answer_notes locked;
    if (cell_session_kept_locked(s, c, a, &locked))
        return strcmp(locked.content, content) == 0;
    return !cell_session_lock(s, c);
}

/* Takes an answer for this compilation. */
static void take(struct known_cell *c, struct asked *a, const struct cell_expansion *x)
{
    a->good = !cell_expansion_refusal(x) && !x->depends;
    if (x->plan.id)
        cell_session_add_planned(c, a);
}

/* Whatever the cell answered last, for who cannot wait for it. `why` has the reason. */
static int expand_stale(struct cell_session *s, struct known_cell *c, struct asked *a,
                        const struct cell_schema *declared, struct cell_expansion **x, const struct cell_error *why)
{
    size_t len = 0;
    struct answer_notes notes;
    CELL_CLEANUP(cell_cleanup_free)
    char *document = s->hurried ? cell_session_kept(s, c, a, true, &notes, &len) : NULL;
    if (!document || cell_expansion_parse(document, len, declared, x, NULL) < 0)
        return CELL_NOT_FOUND;
    c->pub.answer_stale = true;
    c->pub.answer_error = *why;
    take(c, a, *x);
    return CELL_OK;
}

/* An answer that is as good as asking. Parsed only when there is something to say, or to compare it with. */
static bool expand_kept(struct cell_session *s, struct known_cell *c, struct asked *a,
                        const struct cell_schema *declared, struct session_answer *answer)
{
    size_t len = 0;
    struct answer_notes notes;
    CELL_CLEANUP(cell_cleanup_free) char *document = cell_session_kept(s, c, a, false, &notes, &len);
    if (document && answer->unparsed && notes.content[0] && lock_agrees(s, c, a, notes.content)) {
        a->notes = notes;
        memcpy(answer->content, notes.content, sizeof(notes.content));
        a->good = true;
        return true;
    }
    if (!document || cell_expansion_parse(document, len, declared, &answer->x, NULL) < 0)
        return false;
    c->pub.answer_differs = cell_session_answer_differs(s, c, a, document, len);
    cell_session_keep_locked(s, c, a, declared);
    take(c, a, answer->x);
    return true;
}

/* The answer that the cell has given, checked. */
static int take_document(struct known_cell *c, struct asked *a, const struct cell_schema *declared,
                         struct cell_expansion **x, struct cell_error *e)
{
    int r = cell_expansion_parse(a->document, a->document_len, declared, x, e);
    if (r >= 0 && (*x)->depends && !c->failed.len) {
        cell_expansion_free(*x);
        *x = NULL;
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "depends: nothing has failed before");
    }
    if (r < 0 && e)
        cell_error_wrap(e, "%s: its answer is not valid", session_place(c));
    return r;
}

static int expand_asking(struct cell_session *s, struct known_cell *c, struct asked *a,
                         const struct cell_schema *declared, struct session_answer *answer, struct cell_error *e)
{
    uint64_t granted_ns = s->budget_ns;
    int r = cell_session_know_state(s, c, e);
    if (r >= 0 && expand_kept(s, c, a, declared, answer))
        return CELL_OK;
    if (r >= 0)
        r = cell_session_ask_expand(s, c, a, e);
    if (r < 0) {
        cell_session_remember_hung(s, c, granted_ns);
        return r;
    }
    r = take_document(c, a, declared, &answer->x, e);
    if (r < 0 || answer->x->depends) {
        a->document = NULL; /* good for this compilation only, or for none */
        return r;
    }
    c->pub.answer_differs = cell_session_answer_differs(s, c, a, a->document, a->document_len);
    take(c, a, answer->x);
    return CELL_OK;
}

/* Who may be told, and by whom. */
static int check_asking(const struct cell_session *s, const struct session_cell *cell, struct cell_error *e)
{
    if (cell->status < 0)
        return session_fail_again(cell, e);
    if (s->mode == SESSION_MIRROR)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "cells are not asked in this kind of compilation");
    if (cell->stale)
        return cell_error_set(e, cell->error.status, "%s", cell->error.text);
    return CELL_OK;
}

static int find_answer(struct cell_session *s, struct session_cell *cell, struct asked *a,
                       const struct cell_schema *declared, struct session_answer *answer, struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    int r;
    if (cell->lock_path) {
        r = expand_locked(s, c, a, declared, answer, e);
    } else {
        r = check_asking(s, cell, e);
        if (r >= 0)
            r = expand_asking(s, c, a, declared, answer, e);
        if (r < 0 && expand_stale(s, c, a, declared, &answer->x, e) >= 0)
            r = CELL_OK;
    }
    if (r >= 0 && answer->x && cell_session_note(s, a, answer->x) < 0) {
        cell_expansion_free(answer->x);
        answer->x = NULL;
        return session_no_memory(e);
    }
    return r;
}

static int expand(struct cell_session *s, struct session_cell *cell, const char *json, size_t len,
                  const struct cell_schema *declared, struct session_answer *answer, struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    cell->answer_differs = cell->answer_stale = false;
    if (cell->status < 0)
        return session_fail_again(cell, e);
    int r = cell_declared_check(declared, e);
    if (r >= 0)
        r = cell_session_add_asked(s, c, json, len, &answer->asked, e);
    if (r >= 0 && s->begun == SESSION_LIVE)
        r = cell_session_used_answer(s, c, answer->asked, e);
    return r < 0 ? r : find_answer(s, cell, answer->asked, declared, answer, e);
}

int cell_session_expand(struct cell_session *s, struct session_cell *cell, const char *json, size_t len,
                        const struct cell_schema *declared, struct cell_expansion **x, struct cell_error *e)
{
    struct session_answer answer = {0};
    struct cell_error local = {0};
    int r = expand(s, cell, json, len, declared, &answer, e ? e : &local);
    if (r >= 0)
        *x = answer.x;
    return r;
}

int cell_session_answer(struct cell_session *s, struct session_cell *cell, const char *json, size_t len,
                        const struct cell_schema *declared, struct session_answer *answer, struct cell_error *e)
{
    struct session_answer found = {.unparsed = true};
    struct cell_error local = {0};
    int r = expand(s, cell, json, len, declared, &found, e ? e : &local);
    if (r >= 0)
        *answer = found;
    return r;
}

int cell_session_parse_answer(struct cell_session *s, struct session_cell *cell, const struct cell_schema *declared,
                              struct session_answer *answer, struct cell_error *e)
{
    struct cell_error local = {0};
    answer->unparsed = false;
    return answer->x ? CELL_OK : find_answer(s, cell, answer->asked, declared, answer, e ? e : &local);
}

int cell_session_failed(struct session_cell *cell, const char *json, size_t len)
{
    struct cell_buffer *failed = &session_known(cell)->failed;
    cell_session_fail_whole(session_known(cell), json, len);
    if (failed->len > MAX_FAILED)
        return CELL_OK; /* who has so many knows what to do first */
    if (failed->len)
        cell_buffer_puts(failed, ",");
    cell_buffer_append(failed, json, len);
    return cell_buffer_ok(failed) ? CELL_OK : CELL_NO_MEMORY;
}

uint32_t cell_session_planned(const struct session_cell *cell)
{
    return ((const struct known_cell *)(const void *)cell)->nplanned;
}

uint32_t cell_session_questions(const struct session_cell *cell)
{
    return ((const struct known_cell *)(const void *)cell)->nasked;
}

static const struct asked *asked_at(const struct session_cell *cell, uint32_t i)
{
    const struct asked *a = ((const struct known_cell *)(const void *)cell)->asked;
    while (a && i--)
        a = a->next;
    return a;
}

const char *cell_session_asked(const struct session_cell *cell, uint32_t i)
{
    const struct asked *a = asked_at(cell, i);
    return a ? a->request : NULL;
}

const char *cell_session_asked_resource(const struct session_cell *cell, uint32_t i, uint32_t k)
{
    const struct asked *a = asked_at(cell, i);
    return a && k < a->notes.nresources ? a->notes.resources[k] : NULL;
}

const char *cell_session_asked_location(const struct session_cell *cell, uint32_t i)
{
    const struct asked *a = asked_at(cell, i);
    return a && a->location ? a->location : "";
}

struct cell_expansion *cell_session_beside(struct cell_session *s, struct session_cell *cell, uint32_t i)
{
    const struct asked *a = asked_at(cell, i);
    return a && cell_session_has_behind(a) ? cell_session_beside_all(s, session_known(cell), a) : NULL;
}

bool cell_session_next(struct cell_session *s, struct session_cell **cell)
{
    struct known_cell *next = *cell ? session_known(*cell)->next : s->cells;
    *cell = next ? &next->pub : NULL;
    return next != NULL;
}
