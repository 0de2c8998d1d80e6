/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The questions of a compilation, and what is kept of the answers to them. */
#include <stdlib.h>

#include "core/consumer.h"
#include "core/schema_impl.h"
#include "core/session_parts.h"

#define MAX_ANSWERS 4000u
#define MAX_ANSWER_BYTES (256u << 20)

static int ask_state(struct cell_session *s, struct known_cell *c, char token[CELL_STATE_MAX + 1], struct cell_error *e)
{
    const char *reply;
    size_t len;
    int r = cell_session_request(s, c, CELL_COMPILE_STATE, "{}", 2, &reply, &len, e);
    if (r < 0)
        return r;
    r = cell_state_parse(reply, len, token, e);
    return r < 0 && e ? cell_error_wrap(e, "%s: its answer is not valid", session_place(c)) : r;
}

int cell_session_know_state(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    if (c->has_state != STATE_UNKNOWN)
        return CELL_OK;
    int r = ask_state(s, c, c->state, e);
    if (r < 0 && r != CELL_UNIMPLEMENTED)
        return r;
    c->has_state = r < 0 ? STATE_NONE : STATE_KNOWN;
    return CELL_OK;
}

int cell_session_state(struct cell_session *s, struct session_cell *cell, char token[CELL_STATE_MAX + 1],
                       struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    if (cell->status < 0)
        return session_fail_again(cell, e);
    if (s->mode == SESSION_MIRROR || cell->stale || cell->lock_path)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "the cell is not asked here");
    int r = cell_session_know_state(s, c, e);
    if (r >= 0 && c->has_state == STATE_NONE)
        r = cell_error_set(e, CELL_UNIMPLEMENTED, "%s: the cell has no state", session_place(c));
    if (r >= 0)
        memcpy(token, c->state, sizeof(c->state));
    return r;
}

/* ---- questions ---- */

bool cell_session_same_subject(const struct asked *a, const struct asked *b)
{
    return a->subject && b->subject && strcmp(a->subject, b->subject) == 0;
}

bool cell_session_same_whole(const struct asked *a, const struct asked *b)
{
    return cell_session_same_subject(a, b) && strcmp(a->verb, b->verb) == 0;
}

/* Another declaration of what `a` is about, a second struct of a table for example, before it. */
static bool is_beside(const struct asked *p, const struct asked *a)
{
    return p->good && cell_session_same_subject(p, a) && strcmp(p->key, a->key) != 0;
}

void cell_session_hash_asked(const struct known_cell *c, struct asked *a)
{
    struct cell_sha256 h;
    uint8_t digest[32];
    if (!a->question)
        return;
    cell_sha256_init(&h);
    /* Where cell.json has another address for another environment, the state may look alike. */
    cell_sha256_update(&h, c->pub.address, strlen(c->pub.address) + 1);
    cell_sha256_update(&h, a->key, strlen(a->key)); /* which is of the question */
    if (c->nplanned) {
        /* Of a copy: more may follow. */
        struct cell_sha256 pending = c->pending;
        cell_sha256_final(&pending, digest);
        cell_sha256_update(&h, "\n", 1);
        cell_sha256_update(&h, digest, sizeof(digest));
    }
    for (const struct asked *p = c->asked; p && p != a; p = p->next)
        if (is_beside(p, a))
            cell_sha256_update(&h, p->key, strlen(p->key) + 1);
    cell_sha256_final(&h, digest);
    for (unsigned i = 0; i < 16; i++) {
        a->hash[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        a->hash[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    a->hash[32] = '\0';
}

void cell_session_add_planned(struct known_cell *c, struct asked *a)
{
    if (!c->nplanned++)
        cell_sha256_init(&c->pending);
    a->planned = true;
    /* With their NUL, so that no two questions are like one. */
    const char *question = a->question ? a->question : "";
    cell_sha256_update(&c->pending, question, strlen(question) + 1);
}

void cell_session_forget_planned(struct known_cell *c)
{
    for (struct asked *a = c->asked; a; a = a->next)
        a->planned = false;
    c->nplanned = 0;
}

int cell_session_add_asked(struct cell_session *s, struct known_cell *c, const char *json, size_t len,
                           struct asked **asked, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *key = NULL;
    CELL_CLEANUP(cell_lock_asked_free) struct lock_asked says = {0};
    struct cell_buffer question = {0};
    struct asked *a = cell_arena_alloc(&s->arena, sizeof(*a));
    int r = a ? cell_lock_question(json, len, &question, &key, &says, NULL) : CELL_NO_MEMORY;
    if (r >= 0) {
        a->question = cell_arena_copy(&s->arena, question.data, question.len);
        a->key = cell_arena_copy(&s->arena, key, strlen(key));
        a->location = cell_arena_copy(&s->arena, says.location, strlen(says.location));
        a->verb = cell_arena_copy(&s->arena, says.verb, strlen(says.verb));
        a->subject = says.subject ? cell_arena_copy(&s->arena, says.subject, strlen(says.subject)) : NULL;
    }
    cell_buffer_free(&question);
    if (a)
        a->request = cell_arena_copy(&s->arena, json, len);
    bool whole = r < 0 || (a->question && a->key && a->location && a->verb && !a->subject == !says.subject);
    if (r == CELL_NO_MEMORY || !a->request || !whole)
        return session_no_memory(e);
    a->len = len;
    cell_session_hash_asked(c, a);
    if (!c->asked_end)
        c->asked_end = &c->asked;
    *c->asked_end = a;
    c->asked_end = &a->next;
    c->nasked++;
    cell_session_replace_whole(c, a);
    *asked = a;
    return CELL_OK;
}

/* What comes behind `a` and has a plan. Of the declarations of one subject the later ones are told of the earlier. */
static bool comes_behind(const struct asked *p, const struct asked *a)
{
    return p->planned && !cell_session_same_subject(p, a);
}

/* The request with what is pending, what has failed, and whose project it is, as its first members; `all`: at the end
 * of the unit, beside all that it has. */
static void put_request(const struct cell_session *s, const struct known_cell *c, const struct asked *a, bool all,
                        struct cell_buffer *out)
{
    const char *before = "\"pending\":[";
    char project[CELL_FINGERPRINT_LEN + 1];
    bool behind = false;
    if (a->len < 2 || a->request[0] != '{') {
        cell_buffer_append(out, a->request, a->len);
        return;
    }
    cell_buffer_puts(out, "{");
    for (const struct asked *p = c->asked; p && (all || p != a); p = p->next) {
        behind = behind || p == a;
        if (p == a || !(behind ? comes_behind(p, a) : p->planned || is_beside(p, a)))
            continue;
        cell_buffer_puts(out, before);
        cell_buffer_append(out, p->request, p->len);
        before = ",";
    }
    cell_buffer_puts(out, before[0] == ',' ? "]," : "");
    if (c->failed.len) {
        cell_buffer_puts(out, "\"failed\":[");
        cell_buffer_append(out, c->failed.data, c->failed.len);
        cell_buffer_puts(out, "],");
    }
    cell_project_id(s->dir, project);
    cell_buffer_printf(out, "\"project\":\"%s\",", project);
    cell_buffer_append(out, a->request + 1, a->len - 1);
}

static int request_expand(struct cell_session *s, struct known_cell *c, const struct asked *a, bool all,
                          const char **reply, size_t *len, struct cell_error *e)
{
    struct cell_buffer sent = {0};
    put_request(s, c, a, all, &sent);
    int r = cell_buffer_ok(&sent) ? cell_session_request(s, c, CELL_COMPILE_EXPAND, sent.data, sent.len, reply, len, e)
                                  : session_no_memory(e);
    cell_buffer_free(&sent);
    return r;
}

int cell_session_ask_expand(struct cell_session *s, struct known_cell *c, struct asked *a, struct cell_error *e)
{
    const char *reply;
    size_t len;
    int r = request_expand(s, c, a, false, &reply, &len, e);
    if (r < 0)
        return r;
    a->document = cell_arena_copy(&s->arena, reply, len);
    a->document_len = len;
    return a->document ? CELL_OK : session_no_memory(e);
}

bool cell_session_has_behind(const struct asked *a)
{
    const struct asked *p = a->next;
    while (p && !comes_behind(p, a))
        p = p->next;
    return p;
}

struct cell_expansion *cell_session_beside_all(struct cell_session *s, struct known_cell *c, const struct asked *a)
{
    struct cell_schema *declared = NULL;
    struct cell_expansion *x = NULL;
    const char *reply;
    size_t len;
    bool asks = c->pub.status >= 0 && !c->pub.lock_path && !c->pub.stale && s->mode != SESSION_MIRROR;
    if (asks && request_expand(s, c, a, true, &reply, &len, NULL) >= 0 &&
        cell_request_declared(a->request, a->len, &declared, NULL) >= 0)
        cell_expansion_parse(reply, len, declared, &x, NULL);
    cell_schema_free(declared);
    return x;
}

/* ---- what is kept ---- */

int cell_session_note(struct cell_session *s, struct asked *a, const struct cell_expansion *x)
{
    struct answer_notes notes = {.resources = cell_arena_array(&s->arena, x->nresources, sizeof(*notes.resources)),
                                 .nresources = x->nresources};
    for (uint32_t i = 0; notes.resources && i < x->nresources; i++)
        if (!(notes.resources[i] = cell_arena_copy(&s->arena, x->resources[i], strlen(x->resources[i]))))
            return CELL_NO_MEMORY;
    if (!notes.resources)
        return CELL_NO_MEMORY;
    bool silent = !x->ndiagnostics && !x->plan.id && !x->depends;
    bool declares =
        x->content->nconstants || x->content->nmethods || x->content->ntypes > cell_declared_count(x->content);
    if (silent && declares)
        memcpy(notes.content, x->content->fingerprint, sizeof(notes.content));
    a->notes = notes;
    return cell_session_note_whole(s, a, x);
}

char *cell_session_kept(struct cell_session *s, const struct known_cell *c, const struct asked *a, bool any,
                        struct answer_notes *notes, size_t *len)
{
    if (!a->hash[0] || (!any && c->has_state != STATE_KNOWN))
        return NULL;
    return cell_store_answer(&s->store, c->pub.name, a->hash, any ? NULL : c->pub.fingerprint, c->state, notes, len);
}

/* Whether what the cell has answered since the state was asked can be told to be of that state. */
static bool state_held(struct cell_session *s, struct known_cell *c)
{
    char now[CELL_STATE_MAX + 1];
    return c->has_state == STATE_KNOWN && ask_state(s, c, now, NULL) >= 0 && strcmp(now, c->state) == 0;
}

static bool settle_cell(struct cell_session *s, struct known_cell *c)
{
    bool any = false, added = false;
    for (const struct asked *a = c->asked; a; a = a->next)
        any |= a->document && a->hash[0];
    if (!any)
        return false;
    const char *state = state_held(s, c) ? c->state : NULL;
    for (struct asked *a = c->asked; a; a = a->next)
        if (a->document && a->hash[0]) {
            cell_store_keep_answer(&s->store, c->pub.name, a->hash, c->pub.fingerprint, state, &a->notes, a->document,
                                   a->document_len, &added);
            a->document = NULL;
        }
    return added;
}

void cell_session_prune_answers(struct cell_session *s)
{
    cell_store_prune_answers(&s->store, MAX_ANSWERS, MAX_ANSWER_BYTES);
}

void cell_session_settle(struct cell_session *s)
{
    bool added = false;
    for (struct known_cell *c = s->cells; c; c = c->next)
        added |= settle_cell(s, c);
    if (added)
        cell_session_prune_answers(s);
}
