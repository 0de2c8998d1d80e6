/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* On the text, because to read all of it as JSON would be most of the work that is to be saved. */
#include "pending.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BEGIN "{\"pending\":["
#define ARGS "\"args\":"
#define MOST_NAME 63 /* bytes of a PostgreSQL identifier */
/* Comparing each with each is no work for a list of so many. */
#define MOST_ITEMS 4096u

/* One request, in the text. */
struct item {
    const char *at;
    size_t len;
    char name[MOST_NAME + 1]; /* of its table; "" = it may have to do with any */
    bool matters;
};

struct items {
    struct item *all;
    size_t n, room;
};

static bool is_plain(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Where the object that begins at `at` ends; NULL when it does not. */
static const char *end_of_object(const char *at, const char *end)
{
    unsigned depth = 0;

    for (; at < end; at++) {
        if (*at == '"') {
            for (at++; at < end && *at != '"'; at++)
                at += *at == '\\';
            if (at >= end)
                return NULL;
        } else if (*at == '{') {
            depth++;
        } else if (*at == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

static bool contains(const struct item *in, const char *what)
{
    return memmem(in->at, in->len, what, strlen(what)) != NULL;
}

/* Whether the name occurs, be it as a part of another one; SQL folds names that are not quoted. */
static bool names(const struct item *in, const char *name)
{
    size_t n = strlen(name);
    const char first[2] = {(char)tolower((unsigned char)name[0]), (char)toupper((unsigned char)name[0])};

    if (n > in->len)
        return false;
    for (int i = 0; i < 2; i++) {
        const char *at = in->at, *last = in->at + in->len - n;
        while (at <= last && (at = memchr(at, first[i], (size_t)(last - at) + 1)) != NULL) {
            if (strncasecmp(at, name, n) == 0)
                return true;
            at++;
        }
        if (first[0] == first[1])
            break;
    }
    return false;
}

/* A step may do anything; a schema, a type or an extension is made for the first who needs it. In SQL a name may be
 * written with escapes. */
static bool concerns_all(const struct item *item)
{
    return contains(item, "\"step\"") || contains(item, "\"schema\"") || contains(item, "\"sql_type\"") ||
           contains(item, "f32[") || contains(item, "U&") || contains(item, "u&");
}

/* The table is the first argument of the annotation; a name of other characters may be written in several ways. */
static void find_name(struct item *item)
{
    const char *args = memmem(item->at, item->len, ARGS, strlen(ARGS)), *end = item->at + item->len;
    size_t n = 0;

    item->name[0] = '\0';
    if (!args || concerns_all(item))
        return;
    args += strlen(ARGS);
    if (args >= end || *args != '[' || end - args < 3 || args[1] != '"')
        return;
    for (args += 2; args < end && n < MOST_NAME && is_plain(*args); args++)
        item->name[n++] = *args;
    if (args < end && *args == '"')
        item->name[n] = '\0';
    else
        item->name[0] = '\0';
}

static bool add(struct items *items, const char *at, size_t len)
{
    if (items->n == MOST_ITEMS)
        return false;
    if (items->n == items->room) {
        size_t room = 2 * items->room + 64;
        struct item *grown = realloc(items->all, room * sizeof(*grown));
        if (!grown)
            return false;
        items->all = grown;
        items->room = room;
    }
    struct item *item = &items->all[items->n++];
    *item = (struct item){.at = at, .len = len};
    find_name(item);
    return true;
}

/* The list behind BEGIN; where it ends, behind its bracket. NULL when it is no list of objects. */
static const char *split(struct items *items, const char *at, const char *end)
{
    while (at < end && *at == '{') {
        const char *stop = end_of_object(at, end);
        if (!stop || stop >= end || !add(items, at, (size_t)(stop - at)))
            return NULL;
        if (*stop == ']')
            return stop + 1;
        if (*stop != ',')
            return NULL;
        at = stop + 1;
    }
    return NULL;
}

/* What `from` names, and, of what is asked about, what names it. An unknown name may be in anything. */
static bool matters_to(const struct item *from, const struct item *item, bool asked)
{
    return !item->name[0] || names(from, item->name) || (asked && names(item, from->name));
}

/* Those that matter to the last one, then those that these name. Returns how many do not. */
static size_t mark(struct items *items)
{
    size_t last = items->n - 1, *todo = malloc(items->n * sizeof(*todo)), n = 0, left = last;

    if (!todo)
        return 0;
    todo[n++] = last;
    items->all[last].matters = true;
    while (n) {
        size_t at = todo[--n];
        const struct item *from = &items->all[at];
        if (!from->name[0]) {
            left = 0;
            break;
        }
        for (size_t i = 0; i < last; i++) {
            struct item *item = &items->all[i];
            if (item->matters || !matters_to(from, item, at == last))
                continue;
            item->matters = true;
            todo[n++] = i;
            left--;
        }
    }
    free(todo);
    return left;
}

/* The pending ones that matter, and what follows the list. */
static char *join(const struct items *items, const char *rest, const char *end, size_t *out_len)
{
    char *text = malloc(sizeof(BEGIN) + (size_t)(end - items->all[0].at) + 1), *at = text;
    bool any = false;

    if (!text)
        return NULL;
    memcpy(at, BEGIN, strlen(BEGIN));
    at += strlen(BEGIN);
    for (size_t i = 0; i + 1 < items->n; i++) {
        if (!items->all[i].matters)
            continue;
        if (any)
            *at++ = ',';
        memcpy(at, items->all[i].at, items->all[i].len);
        at += items->all[i].len;
        any = true;
    }
    *at++ = ']';
    memcpy(at, rest, (size_t)(end - rest));
    at += end - rest;
    *at = '\0';
    *out_len = (size_t)(at - text);
    return text;
}

char *pg_pending_that_matter(const char *request, size_t len, size_t *out_len)
{
    const char *end = request + len;
    struct items items = {0};
    char *text = NULL;

    if (len < strlen(BEGIN) || memcmp(request, BEGIN, strlen(BEGIN)) != 0)
        return NULL;
    const char *rest = split(&items, request + strlen(BEGIN), end);
    /* The last one is what is asked about: all that follows the list. */
    if (rest && items.n > 1 && rest < end && add(&items, rest, (size_t)(end - rest)) && mark(&items) > 0)
        text = join(&items, rest, end, out_len);
    free(items.all);
    return text;
}
