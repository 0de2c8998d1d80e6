/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The end of a compilation whose answers had plans: they are carried out, and what follows from that is learnt. */
#include <stdlib.h>

#include "core/consumer.h"
#include "core/session_parts.h"

/* What has a plan, and what has none and the same verb or the same subject: plans may not contradict that, which the
 * cell could not tell when it was asked. */
static bool takes_part(const struct known_cell *c, const struct asked *a)
{
    bool found = a->planned;
    for (const struct asked *p = a->verb ? c->asked : NULL; p && !found; p = p->next)
        found = p->planned && p->verb && (strcmp(p->verb, a->verb) == 0 || cell_session_same_subject(p, a));
    return found;
}

/* Returns how many; in questions[], which. */
static uint32_t put_requests(const struct cell_session *s, const struct known_cell *c, struct cell_buffer *out,
                             uint32_t *questions)
{
    char project[CELL_FINGERPRINT_LEN + 1];
    uint32_t n = 0, at = 0;
    for (const struct asked *a = c->asked; a; a = a->next, at++) {
        if (!takes_part(c, a))
            continue;
        cell_buffer_puts(out, n == 0 ? "{\"requests\":[" : ",");
        cell_buffer_append(out, a->request, a->len);
        questions[n++] = at;
    }
    cell_project_id(s->dir, project);
    cell_buffer_printf(out, "],\"project\":\"%s\"}", project);
    return n;
}

static int request_apply(struct cell_session *s, struct known_cell *c, struct cell_applied **applied,
                         struct cell_error *e)
{
    struct cell_buffer sent = {0};
    const char *reply;
    size_t len;
    uint32_t *questions = cell_arena_array(&s->arena, cell_session_questions(&c->pub), sizeof(*questions));
    uint32_t n = questions ? put_requests(s, c, &sent, questions) : 0;
    /* A file with many declarations has more time than one with few. */
    s->more_ns = n * cell_session_prompt_ns(s);
    int r = questions && cell_buffer_ok(&sent)
                ? cell_session_request(s, c, CELL_COMPILE_APPLY, sent.data, sent.len, &reply, &len, e)
                : session_no_memory(e);
    s->more_ns = 0;
    cell_buffer_free(&sent);
    if (r < 0)
        return r;
    r = cell_applied_parse(reply, len, n, applied, e);
    if (r < 0)
        return e ? cell_error_wrap(e, "%s: its report of what it has done is not valid", session_place(c)) : r;
    (*applied)->questions = questions;
    return CELL_OK;
}

/* Is it an answer? Else the next compilation shall ask. */
static bool is_valid(struct cell_session *s, struct asked *a)
{
    struct cell_schema *declared = NULL;
    struct cell_expansion *x = NULL;
    bool valid = cell_request_declared(a->request, a->len, &declared, NULL) >= 0 &&
                 cell_expansion_parse(a->document, a->document_len, declared, &x, NULL) >= 0 &&
                 cell_session_note(s, a, x) >= 0;
    cell_expansion_free(x);
    cell_schema_free(declared);
    return valid;
}

/* Nothing is pending any more, and everything may have another answer. */
static void ask_again(struct cell_session *s, struct known_cell *c)
{
    bool asks = c->has_state == STATE_KNOWN;
    for (struct asked *a = c->asked; a; a = a->next) {
        cell_session_hash_asked(c, a);
        a->document = NULL;
        asks = asks && cell_session_ask_expand(s, c, a, NULL) >= 0;
        if (a->document && !is_valid(s, a))
            a->document = NULL;
    }
}

int cell_session_apply(struct cell_session *s, struct session_cell *cell, struct cell_applied **applied,
                       struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    struct cell_applied *done = NULL;
    *applied = NULL;
    if (!c->nplanned || s->mode != SESSION_LIVE)
        return CELL_OK;
    int r = request_apply(s, c, &done, e);
    /* In any case: what was answered before is not true any more. */
    for (struct asked *a = c->asked; a; a = a->next)
        a->document = NULL;
    c->has_state = r >= 0 && done->state[0] ? STATE_KNOWN : STATE_NONE;
    if (r < 0)
        return r;
    memcpy(c->state, done->state, sizeof(c->state));
    cell_session_forget_planned(c);
    if (!done->failed)
        ask_again(s, c);
    *applied = done;
    return CELL_OK;
}
