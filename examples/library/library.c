/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A library of text files: they are put into a store, and found by their words or by a text that is like them. */
#include "records.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TEXT 200000

/* What a text is about, roughly: its words, hashed into a few numbers with a sign each (Weinberger et al., "Feature
 * hashing for large scale multitask learning", 2009). */
static void measure(const char *text, size_t length, float vector[DIMENSIONS])
{
    double sum = 0;

    memset(vector, 0, DIMENSIONS * sizeof(*vector));
    for (size_t i = 0; i < length;) {
        uint64_t h = UINT64_C(14695981039346656037);
        size_t n = 0;
        for (; i < length && isalpha((unsigned char)text[i]); i++, n++)
            h = (h ^ (uint64_t)tolower((unsigned char)text[i])) * UINT64_C(1099511628211);
        i += n == 0;
        if (n > 3) /* shorter words are in all texts */
            vector[(h >> 8) % DIMENSIONS] += h >> 63 ? 1 : -1;
    }
    for (int i = 0; i < DIMENSIONS; i++)
        sum += (double)vector[i] * (double)vector[i];
    for (int i = 0; sum > 0 && i < DIMENSIONS; i++)
        vector[i] = (float)((double)vector[i] / sqrt(sum));
}

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(MOST_TEXT) : NULL;

    *length = text ? fread(text, 1, MOST_TEXT, file) : 0;
    if (file)
        fclose(file);
    else
        perror(path);
    return text;
}

static int add(cell_ctx *c, const char *path)
{
    size_t length;
    char *text = read_file(path, &length);
    const char *end = text ? memchr(text, '\n', length) : NULL, *kind = strrchr(path, '.');
    struct book book = {.path = cell_strz(path), .bytes = (int64_t)length, .kind = cell_strz(kind ? kind + 1 : "")};

    if (!text)
        return 1;
    book.title = (cell_str){text, end ? (uint64_t)(end - text) : length};
    book.text = (cell_str){text, length};
    measure(text, length, book.meaning);
    int r = books_put(c, &book);
    free(text);
    return r < 0 ? cell_perror(c, path) : 0;
}

/* With [brackets] around what was found. */
static void print(const struct library_passage *p)
{
    uint64_t at = 0;

    for (uint64_t i = 0; i < p->marks.len; i++) {
        const struct library_mark m = p->marks.ptr[i];
        printf("%.*s[%.*s]", (int)(m.begin - at), p->text.ptr + at, (int)m.length, p->text.ptr + m.begin);
        at = m.begin + m.length;
    }
    printf("%.*s\n", (int)(p->text.len - at), p->text.ptr + at);
}

static int search(cell_ctx *c, cell_str query)
{
    struct library_page page;
    uint64_t count;

    if (library_count(c, query, &count) < 0 || library_search(c, query, 10, CELL_STR(""), 12, &page) < 0)
        return cell_perror(c, "search");
    printf("%" PRIu64 " found\n", count);
    for (uint64_t i = 0; i < page.hits.len; i++) {
        printf("%6.2f  %.*s\n        ", page.hits.ptr[i].score, CELL_FMT(page.hits.ptr[i].path));
        print(&page.hits.ptr[i].excerpt);
    }
    return 0;
}

static int like(cell_ctx *c, const char *path)
{
    float vector[DIMENSIONS];
    size_t length;
    char *text = read_file(path, &length);
    library_hits hits;

    if (!text)
        return 1;
    measure(text, length, vector);
    free(text);
    if (library_similar(c, vector, 10, CELL_STR(""), &hits) < 0)
        return cell_perror(c, "like");
    for (uint64_t i = 0; i < hits.len; i++)
        printf("%6.2f  %.*s\n", hits.ptr[i].score, CELL_FMT(hits.ptr[i].path));
    return 0;
}

static int kinds(cell_ctx *c, cell_str query)
{
    library_facets facets;

    if (library_facets_kind(c, query, 20, &facets) < 0)
        return cell_perror(c, "kinds");
    for (uint64_t i = 0; i < facets.len; i++)
        printf("%6" PRIu64 "  %.*s\n", facets.ptr[i].count, CELL_FMT(facets.ptr[i].text));
    return 0;
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 10000);
    const char *command = argc > 2 ? argv[1] : "";
    int status = 0;

    if (strcmp(command, "add") == 0) {
        for (int i = 2; i < argc && status == 0; i++, cell_ctx_reset(c))
            status = add(c, argv[i]);
        return status;
    }
    if (strcmp(command, "search") == 0)
        return search(c, cell_strz(argv[2]));
    if (strcmp(command, "like") == 0)
        return like(c, argv[2]);
    if (strcmp(command, "kinds") == 0)
        return kinds(c, cell_strz(argv[2]));
    fprintf(stderr, "usage: library add FILE… | search QUERY | like FILE | kinds QUERY\n");
    return 2;
}
