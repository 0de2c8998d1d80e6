/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A tokenizer of FTS5 (https://www.sqlite.org/fts5.html, 7.1) around its own unicode61. */
#include "words.h"

#include <stdlib.h>
#include <string.h>

#include <libstemmer.h>

#include "words_common.h"

#define MOST_LANGUAGE 31
#define MOST_TOKEN 255 /* bytes of a word that is stemmed; longer ones are no words of a language */

struct search_words {
    fts5_tokenizer base;
    Fts5Tokenizer *words;
    struct sb_stemmer *stemmer;   /* NULL = none */
    struct search_common *common; /* what says nothing */
};

/* One text that is being cut. */
struct cutting {
    struct search_words *w;
    void *user;
    int (*token)(void *user, int flags, const char *token, int length, int begin, int end);
    bool query, prefix;
    bool places; /* all that is wanted: no stems */
    bool held;   /* with a prefix: the last word, of which it is not known yet that it is the last */
    char word[MOST_TOKEN + 1];
    int length, begin, end;
};

bool search_language_is_known(const char *language)
{
    if (strcmp(language, SEARCH_NO_LANGUAGE) == 0)
        return true;
    const char **all = sb_stemmer_list();
    for (size_t i = 0; all[i]; i++)
        if (strcmp(all[i], language) == 0)
            return strlen(language) <= MOST_LANGUAGE;
    return false;
}

/* ---- cutting ---- */

/* In a text: the word, and beside it its stem. In a query: the stem as a word, and as a stem. */
static int give_stemmed(struct cutting *c, const char *word, int length, int begin, int end)
{
    char marked[MOST_TOKEN + 2] = "=";
    const sb_symbol *stem = NULL;
    int n = 0;

    if (c->w->stemmer && length <= MOST_TOKEN && !c->places) {
        stem = sb_stemmer_stem(c->w->stemmer, (const sb_symbol *)word, length);
        n = stem ? sb_stemmer_length(c->w->stemmer) : 0;
        if (!stem)
            return SQLITE_NOMEM;
    }
    bool other = n > 0 && n <= MOST_TOKEN && (n != length || memcmp(stem, word, (size_t)n) != 0);
    if (n > 0 && n <= MOST_TOKEN)
        memcpy(marked + 1, stem, (size_t)n);
    if (c->query && n > 0 && n <= MOST_TOKEN) {
        int r = c->token(c->user, 0, marked + 1, n, begin, end);
        return r ? r : c->token(c->user, FTS5_TOKEN_COLOCATED, marked, n + 1, begin, end);
    }
    int r = c->token(c->user, 0, word, length, begin, end);
    return r || !other ? r : c->token(c->user, FTS5_TOKEN_COLOCATED, marked, n + 1, begin, end);
}

static int give(struct cutting *c, const char *word, int length, int begin, int end)
{
    if (search_common_has(c->w->common, word, (size_t)length))
        return SQLITE_OK;
    return give_stemmed(c, word, length, begin, end);
}

static int give_held(struct cutting *c)
{
    bool held = c->held;

    c->held = false;
    return held ? give(c, c->word, c->length, c->begin, c->end) : SQLITE_OK;
}

static int found(void *user, int flags, const char *word, int length, int begin, int end)
{
    struct cutting *c = user;

    (void)flags; /* unicode61 has one word at a place */
    if (!c->prefix)
        return give(c, word, length, begin, end);
    int r = give_held(c);
    if (r)
        return r;
    if (length > MOST_TOKEN) /* it stays a beginning if it is the last one */
        length = MOST_TOKEN;
    memcpy(c->word, word, (size_t)length);
    c->length = length;
    c->begin = begin;
    c->end = end;
    c->held = true;
    return SQLITE_OK;
}

static int cut(Fts5Tokenizer *t, void *user, int flags, const char *text, int length,
               int (*token)(void *, int, const char *, int, int, int))
{
    struct search_words *w = (struct search_words *)t;
    struct cutting c = {.w = w, .user = user, .token = token};

    c.query = (flags & FTS5_TOKENIZE_QUERY) != 0;
    c.prefix = (flags & FTS5_TOKENIZE_PREFIX) != 0;
    c.places = (flags & FTS5_TOKENIZE_AUX) != 0;
    int r = w->base.xTokenize(w->words, &c, flags, text, length, found);
    /* The beginning of a word is neither stemmed nor common. */
    return r || !c.held ? r : token(user, 0, c.word, c.length, c.begin, c.end);
}

/* ---- making ---- */

static void destroy(Fts5Tokenizer *t)
{
    struct search_words *w = (struct search_words *)t;

    if (!w)
        return;
    if (w->words)
        w->base.xDelete(w->words);
    if (w->stemmer)
        sb_stemmer_delete(w->stemmer);
    search_common_free(w->common);
    free(w);
}

static int make(fts5_api *api, const char *language, bool all, const char *stop_words, struct search_words **words)
{
    static const char *arguments[] = {"remove_diacritics", "2"};
    void *context = NULL;

    if (!search_language_is_known(language))
        return SQLITE_ERROR;
    struct search_words *w = calloc(1, sizeof(*w));
    if (!w)
        return SQLITE_NOMEM;
    w->common = search_common_new(all ? NULL : language, stop_words ? stop_words : "");
    int r = w->common ? api->xFindTokenizer(api, "unicode61", &context, &w->base) : SQLITE_NOMEM;
    if (r == SQLITE_OK)
        r = w->base.xCreate(context, arguments, 2, &w->words);
    if (r == SQLITE_OK && strcmp(language, SEARCH_NO_LANGUAGE) != 0) {
        w->stemmer = sb_stemmer_new(language, NULL);
        r = w->stemmer ? SQLITE_OK : SQLITE_NOMEM;
    }
    if (r != SQLITE_OK) {
        destroy((Fts5Tokenizer *)w);
        return r;
    }
    *words = w;
    return SQLITE_OK;
}

/* With a space between; NULL when memory is short. */
static char *join(const char *const *words, int n)
{
    size_t size = 1;

    for (int i = 0; i < n; i++)
        size += strlen(words[i]) + 1;
    char *joined = calloc(size, 1), *at = joined;
    for (int i = 0; at && i < n; i++)
        at = stpcpy(stpcpy(at, words[i]), " ");
    return joined;
}

static int create(void *api, const char **arguments, int n, Fts5Tokenizer **t)
{
    struct search_words *made = NULL;
    bool all = n > 1 && strcmp(arguments[1], SEARCH_ALL_WORDS) == 0;

    if (n < 1 || (n > 1 && !all && strcmp(arguments[1], SEARCH_LISTED_WORDS) != 0))
        return SQLITE_ERROR;
    char *stop_words = n > 2 ? join(arguments + 2, n - 2) : NULL;
    int r = n > 2 && !stop_words ? SQLITE_NOMEM : make(api, arguments[0], all, stop_words, &made);
    free(stop_words);
    *t = (Fts5Tokenizer *)made;
    return r;
}

fts5_api *search_words_api(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_bind_pointer(s, 1, &api, "fts5_api_ptr", NULL) == SQLITE_OK)
        sqlite3_step(s);
    sqlite3_finalize(s);
    return api;
}

static int no_api(struct search_failure *f)
{
    return search_fail(f, CELL_INTERNAL, "SQLite %s was built without FTS5", sqlite3_libversion());
}

int search_words_register(sqlite3 *db, struct search_failure *f)
{
    fts5_tokenizer t = {create, destroy, cut};
    fts5_api *api = search_words_api(db);

    if (!api)
        return no_api(f);
    if (api->xCreateTokenizer(api, SEARCH_TOKENIZER, api, &t, NULL) != SQLITE_OK)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    return CELL_OK;
}

int search_words_new(sqlite3 *db, const char *language, bool all, const char *stop_words, struct search_words **words,
                     struct search_failure *f)
{
    fts5_api *api = search_words_api(db);

    if (!api)
        return no_api(f);
    int r = make(api, language, all, stop_words, words);
    if (r == SQLITE_ERROR)
        return search_fail(f, CELL_INVALID_ARGUMENT, "words are not known in the language '%s'", language);
    return r == SQLITE_OK ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");
}

void search_words_free(struct search_words *words) { destroy((Fts5Tokenizer *)words); }

static int count_one(void *user, int flags, const char *token, int length, int begin, int end)
{
    (void)token, (void)length, (void)begin, (void)end;
    *(uint32_t *)user += !(flags & FTS5_TOKEN_COLOCATED);
    return SQLITE_OK;
}

uint32_t search_words_count(void *words, const char *text, size_t length, bool prefix)
{
    uint32_t n = 0;

    cut((Fts5Tokenizer *)words, &n, FTS5_TOKENIZE_QUERY | (prefix ? FTS5_TOKENIZE_PREFIX : 0), text, (int)length,
        count_one);
    return n;
}

struct showing {
    search_take_folded *take;
    void *user;
};

static int show_one(void *user, int flags, const char *token, int length, int begin, int end)
{
    const struct showing *s = user;

    (void)flags, (void)begin, (void)end;
    s->take(s->user, token, (size_t)length);
    return SQLITE_OK;
}

void search_words_each(struct search_words *words, const char *text, size_t length, search_take_folded *take,
                       void *user)
{
    struct showing s = {take, user};

    words->base.xTokenize(words->words, &s, FTS5_TOKENIZE_QUERY, text, (int)length, show_one);
}

/* ---- lists of stop words ---- */

struct listing {
    const char *words[SEARCH_MOST_STOP_WORDS];
    char *memory;
    size_t n, used;
    bool many, large;
};

static void list_one(void *user, const char *word, size_t length)
{
    struct listing *l = user;
    char *at = l->memory + l->used;

    l->large = l->large || length > SEARCH_MOST_STOP_WORD;
    l->many = l->many || l->n == SEARCH_MOST_STOP_WORDS;
    if (l->large || l->many)
        return;
    memcpy(at, word, length);
    at[length] = '\0';
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->words[i], at) == 0)
            return;
    l->words[l->n++] = at;
    l->used += length + 1;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_folded(struct listing *l, struct search_words *words, const char *text, char **folded,
                       struct search_failure *f)
{
    search_words_each(words, text, strlen(text), list_one, l);
    if (l->many)
        return search_fail(f, CELL_INVALID_ARGUMENT, "there are more than %d stop words", SEARCH_MOST_STOP_WORDS);
    if (l->large)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a stop word has more than %d bytes", SEARCH_MOST_STOP_WORD);
    qsort(l->words, l->n, sizeof(l->words[0]), compare_texts);
    *folded = join(l->words, (int)l->n);
    if (!*folded)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    if (l->used > 0)
        (*folded)[l->used - 1] = '\0'; /* the last space */
    return CELL_OK;
}

int search_stop_words(const char *text, char **folded, struct search_failure *f)
{
    struct listing l = {.memory = malloc(SEARCH_MOST_STOP_WORDS * (SEARCH_MOST_STOP_WORD + 1) + SEARCH_MOST_STOP_WORD)};
    struct search_words *words = NULL;
    sqlite3 *db = NULL;
    int r = l.memory && sqlite3_open(":memory:", &db) == SQLITE_OK ? CELL_OK
                                                                   : search_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0)
        r = search_words_new(db, SEARCH_NO_LANGUAGE, true, NULL, &words, f);
    if (r >= 0)
        r = list_folded(&l, words, text, folded, f);
    search_words_free(words);
    sqlite3_close(db);
    free(l.memory);
    return r;
}
