/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Indexes in a folder of the test's own, and what searches in them find, as texts. */
#ifndef TEST_SEARCH_INDEX_H
#define TEST_SEARCH_INDEX_H

#include "search/index.h"

#include "temp_folder.h"
#include "test.h"

static const struct search_field article_fields[] = {
    {.name = "title", .kind = SEARCH_TEXT, .weight = 3},
    {.name = "body", .kind = SEARCH_TEXT, .weight = 1},
    {.name = "lang", .kind = SEARCH_KEYWORD},
    {.name = "year", .kind = SEARCH_INTEGER},
    {.name = "score", .kind = SEARCH_REAL},
    {.name = "draft", .kind = SEARCH_BOOL},
};
enum { TITLE, BODY, LANG, YEAR, SCORE, DRAFT, NFIELDS };
static const struct search_definition articles = {{article_fields, NFIELDS}, "english", false, NULL};

static struct search_failure f;
static char path[128];

static struct search_index *open_index(const struct search_definition *definition)
{
    struct search_index *x = NULL;

    if (search_index_open(path, definition, &x, &f) < 0)
        printf("open: %s\n", f.text);
    return x;
}

static struct search_index *new_index(const struct search_definition *definition)
{
    temp_folder_make();
    snprintf(path, sizeof(path), "%s/index.db", temp_folder);
    return open_index(definition);
}

static struct search_content text(const char *s)
{
    return (struct search_content){.absent = !s, .text = {s, s ? strlen(s) : 0}};
}

static int put(struct search_index *x, const char *key, const char *title, const char *body, const char *lang,
               int64_t year, double score, bool draft)
{
    const struct search_content c[NFIELDS] = {text(title),       text(body),      text(lang),
                                              {.integer = year}, {.real = score}, {.integer = draft}};
    return search_index_put(x, key, strlen(key), c, &f);
}

struct found {
    char keys[4096]; /* with a space between */
    char excerpt[1024];
    uint32_t n;
    struct search_cursor last;
};

/* What is marked in [brackets]. */
static void bracket(const struct search_passage *p, char *to, size_t size)
{
    size_t at = 0, n = 0;

    for (size_t i = 0; i <= p->nmarks && n < size; i++) {
        size_t next = i < p->nmarks ? p->marks[i].begin : p->length;
        size_t end = i < p->nmarks ? next + p->marks[i].length : next;
        CHECK(next >= at && end <= p->length && (i == p->nmarks || end > next));
        n += (size_t)snprintf(to + n, size - n, "%.*s%s", (int)(next - at), p->text + at, i < p->nmarks ? "[" : "");
        if (i < p->nmarks && n < size)
            n += (size_t)snprintf(to + n, size - n, "%.*s]", (int)(end - next), p->text + next);
        at = end;
    }
}

static bool take_hit(void *user, const struct search_hit *hit)
{
    struct found *to = user;
    size_t at = strlen(to->keys);

    snprintf(to->keys + at, sizeof(to->keys) - at, "%s%.*s", at ? " " : "", (int)hit->key_length,
             (const char *)hit->key);
    if (hit->excerpt.length && to->n == 0)
        bracket(&hit->excerpt, to->excerpt, sizeof(to->excerpt));
    to->last = (struct search_cursor){hit->score, hit->id};
    to->n++;
    return true;
}

/* The keys of what is found, best first; the sentence of an error. */
__attribute__((unused)) static const char *find(struct search_reader *r, const char *query)
{
    static struct found found;
    const struct search_request request = {.query = query, .query_length = strlen(query), .limit = 100, .excerpt = 24};

    found = (struct found){0};
    if (search_run(r, &request, take_hit, &found, &f) < 0)
        return f.text;
    return found.keys;
}

#endif
