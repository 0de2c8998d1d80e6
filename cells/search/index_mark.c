/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "index_mark.h"

#include <stdlib.h>
#include <string.h>

#include "words.h"

#define POINTER "index_marking"
#define MOST_BYTES_OF_WORD 64 /* of an excerpt, in the mean: one word may be as long as the text */
#define TOKENS_BETWEEN_LOOKS 4096
#define MORE "\xe2\x80\xa6" /* stands where an excerpt leaves text out */

/* ---- what is found, in the order of its places ---- */

struct phrase {
    Fts5PhraseIter at;
    int column, token, size; /* column < 0: there are no more */
};

struct places {
    const Fts5ExtensionApi *api;
    Fts5Context *fts;
    struct phrase *phrases;
    int n, now; /* now: whose turn it is; -1 = the end */
};

static void choose(struct places *p)
{
    p->now = -1;
    for (int i = 0; i < p->n; i++) {
        const struct phrase *a = &p->phrases[i], *b = p->now < 0 ? NULL : &p->phrases[p->now];
        if (a->column >= 0 && (!b || a->column < b->column || (a->column == b->column && a->token < b->token)))
            p->now = i;
    }
}

static void advance(struct places *p)
{
    struct phrase *a = &p->phrases[p->now];

    p->api->xPhraseNext(p->fts, &a->at, &a->column, &a->token);
    choose(p);
}

/* To the first place; `phrases` has room for all. */
static int begin_places(struct places *p, const Fts5ExtensionApi *api, Fts5Context *fts, struct phrase *phrases)
{
    int r = SQLITE_OK;

    *p = (struct places){api, fts, phrases, api->xPhraseCount(fts), -1};
    for (int i = 0; r == SQLITE_OK && i < p->n; i++) {
        struct phrase *a = &phrases[i];
        a->size = api->xPhraseSize(fts, i);
        r = api->xPhraseFirst(fts, i, &a->at, &a->column, &a->token);
    }
    if (r == SQLITE_OK)
        choose(p);
    return r;
}

/* ---- which words of which text ---- */

struct window {
    int column, begin, end; /* tokens */
};

/* How much of what is looked for is in the window that moves over the places: `first` is the first in it, and `last`
 * the last one. */
struct moving {
    struct places first, last;
    uint32_t *counts, distinct, inside;
};

static int end_of(const struct phrase *a) { return a->token + a->size; }

static void leave_behind(struct moving *m, int words)
{
    const struct phrase *last = &m->last.phrases[m->last.now];

    for (;;) {
        const struct phrase *first = &m->first.phrases[m->first.now];
        if (m->inside < 2 || (first->column == last->column && end_of(last) - first->token <= words))
            return;
        m->distinct -= --m->counts[m->first.now] == 0;
        m->inside--;
        advance(&m->first);
    }
}

/* Most different ones, then most of all, then the first. False: nothing is found in that column. */
static bool find_window(struct moving *m, int column, int words, struct window *best)
{
    uint64_t most = 0;

    for (; m->last.now >= 0; advance(&m->last)) {
        const struct phrase *last = &m->last.phrases[m->last.now];
        m->distinct += m->counts[m->last.now]++ == 0;
        m->inside++;
        leave_behind(m, words);
        const struct phrase *first = &m->first.phrases[m->first.now];
        uint64_t much = (uint64_t)m->distinct << 32 | m->inside;
        if (much > most && (column == INDEX_ANY_COLUMN || column == last->column)) {
            most = much;
            *best = (struct window){last->column, first->token, end_of(last)};
        }
    }
    return most > 0;
}

/* What was found stands in the middle, as far as the text goes. */
static void widen(struct window *w, int words, int size)
{
    int around = words - (w->end - w->begin);

    if (around > 0)
        w->begin = w->begin > around / 2 ? w->begin - around / 2 : 0;
    if (w->begin > size - words)
        w->begin = size > words ? size - words : 0;
    w->end = w->begin + words;
}

/* ---- places of tokens as those of bytes ---- */

struct locating {
    struct index_marking *m;
    struct window window;
    struct places at;
    int token, marked_end; /* tokens: the next one, and where the last mark ends */
    size_t begin, end;     /* bytes of the passage */
    bool more;             /* behind it */
};

static bool grow(void **memory, size_t *room, size_t wanted)
{
    size_t next = *room ? *room : 256;

    if (wanted <= *room)
        return true;
    while (next < wanted)
        next *= 2;
    void *grown = realloc(*memory, next);
    if (!grown)
        return false;
    *memory = grown;
    *room = next;
    return true;
}

static bool add_mark(struct index_marking *m, uint32_t begin, uint32_t end)
{
    void *memory = m->marks;
    bool has = grow(&memory, &m->marks_room, (m->passage.nmarks + 1) * sizeof(*m->marks));

    m->marks = memory;
    if (has)
        m->marks[m->passage.nmarks++] = (struct search_mark){begin, end - begin};
    return has;
}

/* Marks that overlap become one. */
static bool mark(struct locating *l, int begin, int end)
{
    bool marked = l->token < l->marked_end, found = false;

    for (; l->at.now >= 0; advance(&l->at)) {
        const struct phrase *a = &l->at.phrases[l->at.now];
        if (a->column > l->window.column || (a->column == l->window.column && a->token > l->token))
            break;
        if (a->column < l->window.column || a->token < l->token)
            continue;
        found = true;
        l->marked_end = l->marked_end > end_of(a) ? l->marked_end : end_of(a);
    }
    struct index_marking *m = l->m;
    if (marked && m->passage.nmarks > 0)
        m->marks[m->passage.nmarks - 1].length = (uint32_t)end - m->marks[m->passage.nmarks - 1].begin;
    else if (found)
        return add_mark(m, (uint32_t)begin, (uint32_t)end);
    return true;
}

static int locate(void *user, int flags, const char *word, int length, int begin, int end)
{
    struct locating *l = user;

    (void)word, (void)length;
    if (flags & FTS5_TOKEN_COLOCATED)
        return SQLITE_OK;
    if (l->token % TOKENS_BETWEEN_LOOKS == 0 && l->m->stop && l->m->stop(l->m->user))
        return SQLITE_INTERRUPT;
    if (l->token == l->window.end) {
        l->more = true;
        return SQLITE_DONE;
    }
    if (l->token >= l->window.begin) {
        if (l->token == l->window.begin && l->token > 0)
            l->begin = (size_t)begin;
        l->end = (size_t)end;
        if (!mark(l, begin, end))
            return SQLITE_NOMEM;
    }
    l->token++;
    return SQLITE_OK;
}

/* ---- the passage ---- */

static bool is_within(char c) { return (c & 0xc0) == 0x80; } /* a character of UTF-8 */

/* An excerpt with words without end, or much between them, is cut, so that the first mark stays in it. */
static void shorten(struct locating *l, const char *text, size_t length)
{
    const struct search_passage *p = &l->m->passage;
    size_t most = (size_t)l->m->words * MOST_BYTES_OF_WORD;
    size_t anchor = p->nmarks > 0 ? l->m->marks[0].begin : l->begin;

    if (l->m->words == 0 || l->end - l->begin <= most)
        return;
    if (anchor - l->begin > most / 4)
        l->begin = anchor - most / 4;
    while (l->begin < l->end && is_within(text[l->begin]))
        l->begin++;
    if (l->end - l->begin > most) {
        l->end = l->begin + most;
        while (l->end > l->begin && is_within(text[l->end]))
            l->end--;
    }
    l->more = l->end < length;
}

/* Of the passage, no longer of the text; what was cut off goes. */
static void move_marks(struct locating *l, size_t before)
{
    struct search_passage *p = &l->m->passage;
    size_t kept = 0;

    for (size_t i = 0; i < p->nmarks; i++) {
        size_t begin = l->m->marks[i].begin, end = begin + l->m->marks[i].length;
        begin = begin > l->begin ? begin : l->begin;
        end = end < l->end ? end : l->end;
        if (begin < end)
            l->m->marks[kept++] = (struct search_mark){(uint32_t)(begin - l->begin + before), (uint32_t)(end - begin)};
    }
    p->nmarks = kept;
    p->marks = l->m->marks;
}

static int copy_passage(struct locating *l, const char *text)
{
    struct index_marking *m = l->m;
    size_t n = strlen(MORE), before = l->begin > 0 ? n : 0, length = l->end - l->begin;
    void *memory = m->text;
    bool has = grow(&memory, &m->text_room, length + 2 * n);

    m->text = memory;
    if (!has)
        return SQLITE_NOMEM;
    memcpy(m->text, MORE, before);
    if (length)
        memcpy(m->text + before, text + l->begin, length);
    memcpy(m->text + before + length, MORE, l->more ? n : 0);
    m->passage.text = m->text;
    m->passage.length = before + length + (l->more ? n : 0);
    move_marks(l, before);
    return SQLITE_OK;
}

static int mark_passage(struct index_marking *m, const Fts5ExtensionApi *api, Fts5Context *fts,
                        const struct window *window, struct phrase *phrases)
{
    struct locating l = {.m = m, .window = *window};
    const char *text = NULL;
    int length = 0, r = begin_places(&l.at, api, fts, phrases);

    if (r == SQLITE_OK)
        r = api->xColumnText(fts, window->column, &text, &length);
    if (r == SQLITE_OK)
        r = api->xTokenize(fts, text, length, &l, locate);
    if (r != SQLITE_OK && r != SQLITE_DONE)
        return r;
    if (!l.more)
        l.end = (size_t)length;
    shorten(&l, text, (size_t)length);
    return copy_passage(&l, text);
}

static int find_passage(struct index_marking *m, const Fts5ExtensionApi *api, Fts5Context *fts, struct phrase *phrases,
                        uint32_t *counts)
{
    int n = api->xPhraseCount(fts), size = 0, words = m->words < INT32_MAX / 2 ? (int)m->words : INT32_MAX / 2;
    struct window window = {m->column, 0, INT32_MAX};
    struct moving moving = {.counts = counts};

    if (m->words == 0)
        return mark_passage(m, api, fts, &window, phrases);
    int r = begin_places(&moving.first, api, fts, phrases);
    if (r == SQLITE_OK)
        r = begin_places(&moving.last, api, fts, phrases + n);
    if (r != SQLITE_OK || !find_window(&moving, m->column, words, &window))
        return r;
    r = api->xColumnSize(fts, window.column, &size);
    widen(&window, words, size);
    return r == SQLITE_OK ? mark_passage(m, api, fts, &window, phrases) : r;
}

static void index_mark(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *context, int nvalues,
                       sqlite3_value **values)
{
    struct index_marking *m = nvalues == 1 ? sqlite3_value_pointer(values[0], POINTER) : NULL;
    size_t n = (size_t)api->xPhraseCount(fts);
    struct phrase *phrases = calloc(2 * n + 1, sizeof(*phrases));
    uint32_t *counts = calloc(n + 1, sizeof(*counts));
    int r = !m ? SQLITE_MISUSE : phrases && counts ? SQLITE_OK : SQLITE_NOMEM;

    if (m)
        m->passage = (struct search_passage){.text = ""};
    if (r == SQLITE_OK)
        r = find_passage(m, api, fts, phrases, counts);
    free(phrases);
    free(counts);
    if (r != SQLITE_OK)
        sqlite3_result_error_code(context, r);
}

int index_mark_register(sqlite3 *db, struct search_failure *f)
{
    fts5_api *api = search_words_api(db);

    if (!api || api->xCreateFunction(api, "index_mark", NULL, index_mark, NULL) != SQLITE_OK)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    return CELL_OK;
}

int index_mark_bind(sqlite3_stmt *s, int at, struct index_marking *marking)
{
    return sqlite3_bind_pointer(s, at, marking, POINTER, NULL);
}

int index_mark_copy(struct index_marking *marking, const char *text, size_t length, struct search_failure *f)
{
    struct locating l = {.m = marking, .end = length};

    marking->passage = (struct search_passage){.text = ""};
    return copy_passage(&l, text) == SQLITE_OK ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");
}

void index_mark_free(struct index_marking *marking)
{
    free(marking->text);
    free(marking->marks);
    *marking = (struct index_marking){0};
}
