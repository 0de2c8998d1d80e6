/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a running cell answers to the questions of a project. A question may need what another one's plan will make,
 * and nobody has kept in which order the sources have them: so all that have no plan are asked again for as long as
 * others turn out to have one.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "locks.h"
#include "wire/frame.h"

struct wanted {
    const char *key;
    char *question;   /* NULL: it is not there any more */
    bool used;        /* by a recorded build */
    bool planned;     /* its answer had a plan */
    uint32_t pending; /* how many plans there were when it was asked last; UINT32_MAX = never */
    char *document;   /* canonical; NULL: it is refused */
    char *refusal;
};

struct asking {
    struct lock_asker *a;
    struct wanted *list;
    size_t n;
    struct cell_error *e;
};

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

/* ---- which questions ---- */

/* The question of `key`, from the records or a lock; *used tells of the records. Caller frees. */
static char *find_question(const struct lock_wanted *w, const char *name, const char *key, bool *used)
{
    char *question = NULL;
    *used = false;
    for (uint32_t i = 0; w->records && i < w->records->n; i++) {
        const struct record_use *use = &w->records->uses[i];
        if (use->key && strcmp(use->cell, name) == 0 && strcmp(use->key, key) == 0) {
            *used = true;
            question = cell_records_question(w->dir, use);
        }
    }
    for (unsigned i = 0; !question && i < 2; i++) {
        const struct lock_answer *old = w->locks[i] ? cell_lock_answer(w->locks[i], key) : NULL;
        question = old ? strdup(old->question) : NULL;
    }
    return question;
}

static int compare_texts(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* The keys that are asked for, sorted; some may come several times. NULL: memory was short. */
static const char **wanted_keys(const struct lock_asker *a, const char *name, size_t *n)
{
    const struct lock_wanted *w = a->wanted;
    size_t most = w->records ? w->records->n : 0, count = 0;
    for (unsigned i = 0; i < 2; i++)
        most += w->locks[i] ? w->locks[i]->nanswers : 0;
    const char **keys = cell_arena_array(&a->live->lock.arena, most + 1, sizeof(*keys));
    for (uint32_t i = 0; keys && w->records && i < w->records->n; i++)
        if (w->records->uses[i].key && strcmp(w->records->uses[i].cell, name) == 0)
            keys[count++] = w->records->uses[i].key;
    for (unsigned l = 0; keys && !w->only_used && l < 2; l++)
        for (uint32_t i = 0; w->locks[l] && i < w->locks[l]->nanswers; i++)
            keys[count++] = w->locks[l]->answers[i].key;
    if (keys && count)
        qsort(keys, count, sizeof(*keys), compare_texts);
    *n = count;
    return keys;
}

static int list_wanted(struct asking *q, const char *name)
{
    size_t n = 0;
    const char **keys = wanted_keys(q->a, name, &n);
    q->list = keys ? calloc(n + 1, sizeof(*q->list)) : NULL;
    if (!q->list)
        return no_memory(q->e);
    for (size_t i = 0; i < n; i++) {
        if (i && strcmp(keys[i], keys[i - 1]) == 0)
            continue;
        struct wanted *w = &q->list[q->n++];
        *w = (struct wanted){.key = keys[i], .pending = UINT32_MAX};
        w->question = find_question(q->a->wanted, name, keys[i], &w->used);
    }
    return CELL_OK;
}

/* ---- asking ---- */

/* What is pending when a question is asked: `n` plans, but for its own, number `self` (UINT32_MAX = it has none), and
 * for those behind it of the same subject, which are told of it; these, too, when it is about the subject as a `whole`,
 * and then also what is recorded of that without a plan. */
struct among {
    const struct lock_plan *plans;
    uint32_t n, self;
    bool whole;
};

/* The subject of a declaration is its first argument; NULL when that is no text. */
static int copy_subject(struct cell_arena *arena, const struct cell_buffer *request, const char **subject,
                        struct cell_error *e)
{
    struct cell_buffer question = {0};
    struct lock_asked says = {0};
    char *key = NULL;
    int r = cell_lock_question(request->data, request->len, &question, &key, &says, e);
    if (r >= 0 && says.subject && !(*subject = cell_arena_copy(arena, says.subject, strlen(says.subject))))
        r = no_memory(e);
    cell_lock_asked_free(&says);
    cell_buffer_free(&question);
    free(key);
    return r;
}

static bool same_subject(const struct lock_plan *a, const struct lock_plan *b)
{
    return a->subject && b->subject && strcmp(a->subject, b->subject) == 0;
}

static void put_pending(const char *request, bool *any, struct cell_buffer *out)
{
    cell_buffer_puts(out, *any ? "," : "{\"pending\":[");
    cell_buffer_puts(out, request);
    *any = true;
}

/* What is recorded of the subject, and has no plan. */
static int put_unplanned(const struct asking *q, const struct lock_plan *of, bool *any, struct cell_buffer *out,
                         struct cell_error *e)
{
    int r = CELL_OK;
    for (size_t i = 0; i < q->n && r >= 0; i++) {
        const struct wanted *w = &q->list[i];
        struct cell_buffer request = {0};
        struct lock_plan plan = {0};
        if (!w->question || !w->used || w->planned)
            continue;
        r = cell_lock_request(w->question, strlen(w->question), CELL_LOCK_FOLDER "/", false, &request, e);
        if (r >= 0)
            r = copy_subject(&q->a->live->lock.arena, &request, &plan.subject, e);
        if (r >= 0 && same_subject(&plan, of))
            put_pending(request.data, any, out);
        cell_buffer_free(&request);
    }
    return r;
}

/* The request beside `among`. */
static int put_request(const struct asking *q, const struct among *among, const struct cell_buffer *request,
                       struct cell_buffer *out, struct cell_error *e)
{
    const struct lock_plan *plans = among->plans;
    uint32_t self = among->self;
    bool any = false;
    for (uint32_t i = 0; i < among->n; i++)
        if (i != self && (i < self || among->whole || !same_subject(&plans[i], &plans[self])))
            put_pending(plans[i].request, &any, out);
    int r = among->whole ? put_unplanned(q, &plans[self], &any, out, e) : CELL_OK;
    cell_buffer_puts(out, any ? "]," : "");
    cell_buffer_append(out, request->data + any, request->len - any); /* the brace stands before that */
    return r;
}

/* *x is the answer; *why is set when the cell refuses the declaration, or the answer is not valid. */
static int check_answer(const char *sent, size_t sent_len, const char *reply, size_t len, struct cell_expansion **x,
                        struct cell_error *why)
{
    struct cell_schema *declared = NULL;
    int r = cell_request_declared(sent, sent_len, &declared, why);
    if (r >= 0)
        r = cell_expansion_parse(reply, len, declared, x, why);
    cell_schema_free(declared);
    /* What it says of all declarations of a unit as a whole is for who compiles that unit. */
    const struct expansion_diagnostic *wrong = r >= 0 ? cell_expansion_refusal(*x) : NULL;
    return wrong ? cell_error_set(why, CELL_FAILED_PRECONDITION, "%s", wrong->text) : r;
}

static int take_plan(struct asking *q, struct wanted *w, const struct cell_buffer *request, struct cell_expansion *x)
{
    struct lock_live *live = q->a->live;
    struct cell_arena *arena = &live->lock.arena;
    struct lock_plan *plan = &live->plans[live->nplans];
    *plan = (struct lock_plan){.key = cell_arena_copy(arena, w->key, strlen(w->key)),
                               .question = cell_arena_copy(arena, w->question, strlen(w->question)),
                               .request = cell_arena_copy(arena, request->data, request->len)};
    if (!plan->key || !plan->question || !plan->request)
        return no_memory(q->e);
    int r = copy_subject(arena, request, &plan->subject, q->e);
    if (r < 0)
        return r;
    plan->x = x;
    live->nplans++;
    w->planned = true;
    return CELL_OK;
}

/* One question, as it is refused or answered. Negative: the cell cannot be asked any more. *x: the answer, the
 * caller's;
 * NULL: it is refused. */
static int ask_among(struct asking *q, struct wanted *w, const struct among *among, struct cell_buffer *request,
                     struct cell_expansion **x)
{
    struct cell_error why = {0};
    struct cell_buffer sent = {0}, document = {0};
    const char *reply;
    size_t len;
    int r = cell_lock_request(w->question, strlen(w->question), CELL_LOCK_FOLDER "/", false, request, &why);
    if (r >= 0)
        r = put_request(q, among, request, &sent, &why);
    if (r >= 0) {
        r = cell_buffer_ok(&sent) ? locks_request(q->a, CELL_COMPILE_EXPAND, sent.data, sent.len, &reply, &len, &why)
                                  : no_memory(&why);
    }
    if (r >= 0)
        r = check_answer(request->data, request->len, reply, len, x, &why);
    if (r >= 0)
        r = cell_lock_document(reply, len, &document, &why);
    free(w->document), free(w->refusal);
    w->document = w->refusal = NULL;
    bool lost = r == CELL_UNAVAILABLE || r == CELL_DEADLINE_EXCEEDED || r == CELL_NO_MEMORY;
    if (lost)
        r = cell_error_set(q->e, r, "%s", why.text);
    else if (r < 0)
        r = (w->refusal = strdup(why.text)) ? CELL_OK : no_memory(q->e);
    else if (!(w->document = strdup(document.data)))
        r = no_memory(q->e);
    if (r < 0 || !w->document) {
        cell_expansion_free(*x);
        *x = NULL;
    }
    cell_buffer_free(&sent);
    cell_buffer_free(&document);
    return r;
}

static int ask(struct asking *q, struct wanted *w)
{
    const struct lock_live *live = q->a->live;
    struct cell_buffer request = {0};
    struct cell_expansion *x = NULL;
    w->pending = live->nplans;
    int r = ask_among(q, w, &(struct among){live->plans, live->nplans, UINT32_MAX, false}, &request, &x);
    if (r >= 0 && x && x->plan.id) {
        r = take_plan(q, w, &request, x);
        x = r >= 0 ? NULL : x;
    }
    cell_expansion_free(x);
    cell_buffer_free(&request);
    return r;
}

/* Until no other plan turns up. */
static int ask_all(struct asking *q)
{
    struct lock_live *live = q->a->live;
    int r = CELL_OK;
    for (uint32_t before = UINT32_MAX; r >= 0 && before != live->nplans;) {
        before = live->nplans;
        for (size_t i = 0; i < q->n && r >= 0; i++) {
            struct wanted *w = &q->list[i];
            if (w->question && !w->planned && w->pending != live->nplans)
                r = ask(q, w);
        }
    }
    return r;
}

static struct wanted *find_wanted(const struct asking *q, const char *key)
{
    size_t i = 0;
    while (strcmp(q->list[i].key, key) != 0)
        i++;
    return &q->list[i];
}

/* An error of its subject as a whole keeps a plan from being carried out; NULL = there is none. */
static const struct expansion_diagnostic *whole_error(const struct cell_expansion *x)
{
    for (uint32_t i = 0; i < x->ndiagnostics; i++)
        if (x->diagnostics[i].severity == EXPANSION_ERROR && x->diagnostics[i].whole)
            return &x->diagnostics[i];
    return NULL;
}

static int refuse(struct asking *q, struct wanted *w, const char *why)
{
    free(w->document);
    w->document = NULL;
    w->refusal = strdup(why);
    return w->refusal ? CELL_OK : no_memory(q->e);
}

/* Something is wrong with the subject of a plan as a whole, as far as that shows it: is it beside all that builds have
 * recorded of it? Else the document is one of which nothing is wrong. */
static int judge_whole(struct asking *q, struct wanted *w, const struct among *among)
{
    const struct among all = {among->plans, among->n, among->self, true};
    struct cell_buffer request = {0};
    struct cell_expansion *x = NULL;
    int r = ask_among(q, w, &all, &request, &x);
    const struct expansion_diagnostic *wrong = r >= 0 && x ? whole_error(x) : NULL;
    if (wrong)
        r = refuse(q, w, wrong->text);
    cell_expansion_free(x);
    cell_buffer_free(&request);
    return r;
}

/* What is to be done for a plan beside all others, as it will be carried out; goes to those that stay unless there is
 * nothing left to do, or it is refused. */
static int judge(struct asking *q, struct lock_plan *plans, uint32_t n, uint32_t i)
{
    const struct among among = {plans, n, i, false};
    struct lock_live *live = q->a->live;
    struct wanted *w = find_wanted(q, plans[i].key);
    struct cell_buffer request = {0};
    struct cell_expansion *x = NULL;
    int r = CELL_OK;
    if (n > 1) {
        r = ask_among(q, w, &among, &request, &x);
        cell_buffer_free(&request);
    } else {
        x = plans[i].x;
        plans[i].x = NULL;
    }
    if (r >= 0 && x && whole_error(x))
        r = judge_whole(q, w, &among);
    if (r >= 0 && x && x->plan.id && w->document) {
        live->plans[live->nplans] = plans[i];
        live->plans[live->nplans++].x = x;
        x = NULL;
    }
    cell_expansion_free(x);
    return r;
}

/* Of some plans the cell did not know when it was asked about others. */
static int judge_all(struct asking *q)
{
    struct lock_live *live = q->a->live;
    uint32_t n = live->nplans;
    struct lock_plan *plans = cell_arena_array(&live->lock.arena, n + 1, sizeof(*plans));
    int r = plans ? CELL_OK : no_memory(q->e);
    if (r < 0)
        return r;
    live->nplans = 0;
    for (uint32_t i = 0; i < n; i++)
        plans[i] = live->plans[i];
    for (uint32_t i = 0; r >= 0 && i < n; i++)
        r = judge(q, plans, n, i);
    for (uint32_t i = 0; i < n; i++)
        cell_expansion_free(plans[i].x);
    return r;
}

/* ---- what came of it ---- */

static int keep_one(struct asking *q, const struct wanted *w)
{
    static const char gone[] = "its question is not in .cell any more; compile what uses it again";
    struct cell_lock *lock = &q->a->live->lock;
    struct cell_arena *arena = &lock->arena;
    const char *key = cell_arena_copy(arena, w->key, strlen(w->key));
    if (w->document) {
        struct lock_answer made = {.key = key,
                                   .question = cell_arena_copy(arena, w->question, strlen(w->question)),
                                   .question_len = strlen(w->question),
                                   .document = cell_arena_copy(arena, w->document, strlen(w->document)),
                                   .document_len = strlen(w->document)};
        lock->answers[lock->nanswers++] = made;
        return key && made.question && made.document ? CELL_OK : no_memory(q->e);
    }
    const char *why = w->refusal ? w->refusal : gone;
    struct lock_refusal refusal = {.key = key, .text = cell_arena_copy(arena, why, strlen(why)), .used = w->used};
    q->a->live->refused[q->a->live->nrefused++] = refusal;
    return key && refusal.text ? CELL_OK : no_memory(q->e);
}

static int keep(struct asking *q)
{
    int r = CELL_OK;
    for (size_t i = 0; i < q->n && r >= 0; i++)
        r = keep_one(q, &q->list[i]);
    return r;
}

int locks_ask_answers(struct lock_asker *a, const char *name, struct cell_error *e)
{
    struct asking q = {.a = a, .e = e};
    struct lock_live *live = a->live;
    struct cell_arena *arena = &live->lock.arena;
    int r = list_wanted(&q, name);
    live->lock.answers = cell_arena_array(arena, q.n + 1, sizeof(*live->lock.answers));
    live->refused = cell_arena_array(arena, q.n + 1, sizeof(*live->refused));
    live->plans = cell_arena_array(arena, q.n + 1, sizeof(*live->plans));
    if (r >= 0 && (!live->lock.answers || !live->refused || !live->plans))
        r = no_memory(e);
    if (r >= 0)
        r = ask_all(&q);
    if (r >= 0)
        r = judge_all(&q);
    if (r >= 0)
        r = keep(&q);
    for (size_t i = 0; i < q.n; i++) {
        free(q.list[i].question);
        free(q.list[i].document);
        free(q.list[i].refusal);
    }
    free(q.list);
    return r;
}
