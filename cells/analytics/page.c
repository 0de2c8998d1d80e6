/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define JSON_TYPE "application/json"
#define HTML_TYPE "text/html; charset=utf-8"

/* ---- JSON ---- */

/* Of 64 bits without a sign: what JSON readers hold exactly ends far below. */
static json_t *number(uint64_t n) { return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n); }

/* An error may tell of a path in another coding, and may have been cut within a character. */
static json_t *sentence(const char *text)
{
    json_t *json = json_string(text);
    char plain[400];

    if (json)
        return json;
    snprintf(plain, sizeof(plain), "%s", text);
    for (char *p = plain; *p; p++)
        *p = (unsigned char)*p < 0x80 ? *p : '?';
    return json_string(plain);
}

static json_t *summary_json(const struct an_summary *s)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", s->name, "source",
                     s->source, "building", s->building, "phase", an_phase_name(s->phase), "position",
                     number(s->position), "lag_records", number(s->lag_records), "lag_ms", number(s->lag_ms), "groups",
                     number(s->counters.groups), "missed", number(s->missed), "late", number(s->counters.late),
                     "errors", number(s->errors), "error", sentence(s->error));
}

static json_t *list_json(const struct an_summary *all, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, summary_json(&all[i]));
    return json_pack("{s:o}", "aggregates", list);
}

static json_t *table_json(const struct an_table *t)
{
    json_t *columns = json_array(), *rows = json_array();
    const char *value = t->values;

    for (uint32_t i = 0; i < t->columns->ncolumns; i++)
        json_array_append_new(columns, json_pack("{s:s, s:s, s:s}", "name", t->columns->columns[i].name, "type",
                                                 an_table_type(t, i), "as", an_table_as(t, i)));
    for (uint32_t i = 0; i < t->rows; i++) {
        json_t *row = json_array();
        for (uint32_t k = 0; k < t->columns->ncolumns; k++, value += strlen(value) + 1)
            json_array_append_new(row, json_string(value));
        json_array_append_new(rows, row);
    }
    return json_pack("{s:o, s:s, s:I, s:o, s:o}", "aggregate", summary_json(&t->summary), "by", t->by, "window_us",
                     (json_int_t)t->window_us, "columns", columns, "rows", rows);
}

/* ---- answers ---- */

static void say(struct cell_page_reply *reply, unsigned status, const char *text)
{
    reply->status = status;
    reply->type = "text/plain; charset=utf-8";
    reply->body = NULL;
    int n = asprintf(&reply->body, "%s\n", text);
    reply->len = n < 0 ? 0 : (size_t)n;
    reply->body = n < 0 ? NULL : reply->body;
}

static void give_json(struct cell_page_reply *reply, json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

    json_decref(document);
    if (!text) {
        say(reply, 503, "out of memory");
        return;
    }
    *reply = (struct cell_page_reply){200, JSON_TYPE, text, strlen(text)};
}

/* Every part that there is, at most twice as many as aggregates. NULL: memory is short. */
static struct an_summary *summarize_all(struct an_service *service, uint32_t *n)
{
    struct an_summary *all = NULL;
    struct an_part *part;
    bool building;

    for (*n = 0; *n < 2 * AN_MOST_WATCHES && (part = an_part_at(service, *n, &building)); ++*n) {
        struct an_summary *grown = realloc(all, (*n + 1) * sizeof(*all));
        if (grown)
            an_summarize(part, building, &grown[*n]);
        an_part_give(part);
        if (!grown) {
            free(all);
            return NULL;
        }
        all = grown;
    }
    return all ? all : calloc(1, sizeof(*all));
}

struct asking {
    struct an_service *service;
    const char *base;
    bool json;
    struct cell_page_reply *reply;
};

/* A document that `write` writes; in memory, which can be short. */
static void give_html(const struct asking *a, const struct an_summary *all, uint32_t n, const struct an_table *table)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out && table)
        an_page_table(out, a->base, table);
    else if (out)
        an_page_list(out, a->base, all, n);
    bool good = out && !ferror(out);
    good = out && fclose(out) == 0 && good;
    if (good) {
        *a->reply = (struct cell_page_reply){200, HTML_TYPE, text, len};
        return;
    }
    free(text);
    say(a->reply, 503, "out of memory");
}

static void answer_list(const struct asking *a)
{
    uint32_t n;
    struct an_summary *all = summarize_all(a->service, &n);

    if (!all)
        say(a->reply, 503, "out of memory");
    else if (a->json)
        give_json(a->reply, list_json(all, n));
    else
        give_html(a, all, n, NULL);
    free(all);
}

static bool is_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

/* `path`: "NAME" or "NAME/FIELD". */
static void answer_table(const struct asking *a, const char *path)
{
    char name[AN_MOST_NAME + 1], field[AN_MOST_NAME + 1] = "";
    const char *slash = strchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : strlen(path);
    struct an_table table;
    struct an_failure f = {0};

    if (n <= AN_MOST_NAME) {
        memcpy(name, path, n);
        name[n] = '\0';
    }
    if (slash && strlen(slash + 1) <= AN_MOST_NAME)
        strcpy(field, slash + 1);
    if (n > AN_MOST_NAME || (slash && strlen(slash + 1) > AN_MOST_NAME) || !is_word(name) || !is_word(field)) {
        say(a->reply, 404, "that is no name");
        return;
    }
    if (an_table_make(a->service, name, field, AN_PAGE_ROWS, &table, &f) < 0) {
        say(a->reply, f.status == CELL_NO_MEMORY ? 503 : 404, f.text);
        return;
    }
    if (a->json)
        give_json(a->reply, table_json(&table));
    else
        give_html(a, NULL, 0, &table);
    an_table_free(&table);
}

static const char *behind(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

void an_page_answer(void *user, const struct cell_page_request *r, struct cell_page_reply *reply)
{
    struct asking a = {user, r->base, false, reply};
    const char *rest;

    if (!r->path[0]) {
        answer_list(&a);
    } else if (strcmp(r->path, "data") == 0) {
        a.json = true;
        answer_list(&a);
    } else if ((rest = behind(r->path, "of/"))) {
        answer_table(&a, rest);
    } else if ((rest = behind(r->path, "data/"))) {
        a.json = true;
        answer_table(&a, rest);
    } else {
        const struct an_asset *asset = &an_assets[1];
        while (asset->path && strcmp(asset->path, r->path) != 0)
            asset++;
        char *bytes = asset->path ? malloc(asset->len) : NULL;
        if (bytes)
            *reply = (struct cell_page_reply){200, asset->type, memcpy(bytes, asset->bytes, asset->len), asset->len};
        else
            say(reply, asset->path ? 503 : 404, asset->path ? "out of memory" : "there is no such page");
    }
}

/* ---- life ---- */

static void file_path(const struct an_service *service, char path[AN_MOST_PATH])
{
    snprintf(path, AN_MOST_PATH, "%s/page", service->folder);
}

/* One that was left by a kill is replaced. */
static int write_address(const struct an_service *service, const char *address, struct an_failure *f)
{
    char path[AN_MOST_PATH];

    file_path(service, path);
    if (unlink(path) < 0 && errno != ENOENT)
        return an_fail_io(f, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return an_fail_io(f, path);
    bool good = dprintf(fd, "%s\n", address) > 0;
    if (close(fd) < 0 || !good)
        return an_fail_io(f, path);
    return CELL_OK;
}

int an_page_open(struct an_service *service, const char *address, struct cell_page **page, struct an_failure *f)
{
    const struct cell_page_options o = {address, service, an_page_answer};
    struct cell_error e = {0};
    int r = cell_page_open(&o, page, &e);

    if (r < 0)
        return an_fail(f, r, "%s", e.text);
    r = write_address(service, cell_page_address(*page), f);
    if (r >= 0)
        fprintf(stderr, "analytics: its page is at %s\n", cell_page_address(*page));
    else
        cell_page_close(*page);
    return r;
}

void an_page_close(struct an_service *service, struct cell_page *page)
{
    char path[AN_MOST_PATH];

    if (!page)
        return;
    cell_page_close(page);
    file_path(service, path);
    unlink(path);
}
