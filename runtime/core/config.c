/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* cell.json: from text to struct cell_config. Where the file is found is locate.c's business. */
#include "core/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/config_parts.h"
#include "core/json.h"

#define DEFAULT_TIMEOUT_MS 2000u
#define MAX_TIMEOUT_MS 600000u

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

char *cell_config_join(struct cell_arena *a, const char *dir, const char *path)
{
    char *joined = path[0] == '/' ? cell_arena_printf(a, "%s", path) : cell_arena_printf(a, "%s/%s", dir, path);
    if (!joined)
        return NULL;
    /* "//" and "/./" say nothing; ".." stays, because what it means depends on symbolic links. */
    char *to = joined;
    for (const char *from = joined; *from;) {
        size_t n = strcspn(from + 1, "/") + 1;
        if (n > 1 && !(n == 2 && from[1] == '.')) {
            memmove(to, from, n);
            to += n;
        }
        from += n;
    }
    if (to == joined)
        *to++ = '/';
    *to = '\0';
    return joined;
}

/* What a host may be called is for those who connect (transport/http.h); here it matters that nothing is in it that
 * could be taken for something else where an address is shown or written down. */
static int resolve_https(struct cell_arena *a, const char *text, const char **address, struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    const char *host = text + 8;
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]");
    if (strchr(host, '@'))
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "an address holds no user and no password; a token is given by CELL_TOKEN_NAME");
    if (!len || (host[len] && strcmp(host + len, "/") != 0))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is not an address; write \"https://HOST:PORT\"",
                              cell_json_quote(text, quoted, sizeof(quoted)));
    *address = cell_arena_copy(a, text, 8 + len);
    return *address ? CELL_OK : no_memory(e);
}

int cell_config_resolve(struct cell_arena *a, const char *dir, const char *text, const char **address,
                        struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    size_t scheme = strcspn(text, ":/");
    if (text[scheme] != ':' || scheme == 0)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "'%s' is not an address; write \"unix:PATH\" or \"https://HOST:PORT\"",
                              cell_json_quote(text, quoted, sizeof(quoted)));
    if (cell_config_is_remote(text))
        return resolve_https(a, text, address, e);
    if (scheme != 4 || memcmp(text, "unix", 4) != 0)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "the scheme of address '%s' is not known; \"unix:PATH\" and \"https://HOST:PORT\" are",
                              cell_json_quote(text, quoted, sizeof(quoted)));
    if (!text[5])
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the address names no socket; write \"unix:PATH\"");
    const char *path = cell_config_join(a, dir, text + 5);
    const char *made = path ? cell_arena_printf(a, "unix:%s", path) : NULL;
    if (!made)
        return no_memory(e);
    *address = made;
    return CELL_OK;
}

bool cell_config_is_name(const char *name) { return cell_is_identifier(name) && strlen(name) <= CELL_MAX_CELL_NAME; }

int cell_config_check_members(const struct json_at *object, const char *const *known, size_t n, struct cell_error *e)
{
    void *iterator = NULL;
    const char *key;
    while ((key = cell_json_next(object, &iterator))) {
        size_t i = 0;
        while (i < n && strcmp(known[i], key) != 0)
            i++;
        if (i < n)
            continue;
        const char *near = cell_suggest(key, known, n);
        if (near)
            return cell_json_fail(object, key, e, "unknown member; did you mean \"%s\"?", near);
        char all[160] = "";
        for (i = 0; i < n; i++) {
            size_t used = strlen(all);
            snprintf(all + used, sizeof(all) - used, "%s\"%s\"", i ? ", " : "", known[i]);
        }
        return cell_json_fail(object, key, e, "unknown member; expected one of %s", all);
    }
    return CELL_OK;
}

/* An optional array of texts that are not empty, as a NULL-terminated array in the arena. */
static int read_texts(struct cell_arena *a, const struct json_at *object, const char *key, const char *const **texts,
                      struct cell_error *e)
{
    struct json_at array = {0};
    int r = cell_json_array(object, key, JSON_OPTIONAL, &array, e);
    if (r <= 0)
        return r;
    size_t n = cell_json_count(&array);
    const char **made = cell_arena_array(a, n + 1, sizeof(*made));
    if (!made)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        const char *text;
        r = cell_json_item_string(&array, i, &text, e);
        if (r < 0)
            return r;
        made[i] = cell_arena_copy(a, text, strlen(text));
        if (!made[i])
            return no_memory(e);
    }
    *texts = made;
    return 1;
}

static int read_command(struct cell_config *c, struct config_cell *cell, const struct json_at *object,
                        struct cell_error *e)
{
    const char *const *words;
    int r = read_texts(&c->arena, object, "command", &words, e);
    if (r <= 0)
        return r;
    if (!words[0] || !words[0][0])
        return cell_json_fail(object, "command", e, "names no program; write [\"PROGRAM\", \"ARGUMENT\", …]");
    if (strchr(words[0], '/')) {
        const char *program = cell_config_join(&c->arena, c->dir, words[0]);
        if (!program)
            return no_memory(e);
        memcpy((void *)(uintptr_t)words, &program, sizeof(program)); /* the array is ours, and still being made */
    }
    cell->command = words;
    return CELL_OK;
}

static int read_env(struct cell_config *c, struct config_cell *cell, const struct json_at *object, struct cell_error *e)
{
    static const char *const none[] = {NULL};
    struct json_at env = {0};
    cell->env = none;
    int r = cell_json_object(object, "env", JSON_OPTIONAL, &env, e);
    if (r <= 0)
        return r;
    const char **made = cell_arena_array(&c->arena, cell_json_count(&env) + 1, sizeof(*made));
    if (!made)
        return no_memory(e);
    void *iterator = NULL;
    const char *key;
    for (size_t n = 0; (key = cell_json_next(&env, &iterator)); n++) {
        const char *value;
        if (!cell_is_identifier(key))
            return cell_json_fail(&env, key, e, "not the name of an environment variable: letters, digits and '_' are");
        r = cell_json_string(&env, key, JSON_REQUIRED, &value, e);
        if (r < 0)
            return r;
        made[n] = cell_arena_printf(&c->arena, "%s=%s", key, value);
        if (!made[n])
            return no_memory(e);
    }
    cell->env = made;
    return CELL_OK;
}

static int read_cell(struct cell_config *c, struct config_cell *cell, const struct json_at *cells, const char *name,
                     struct cell_error *e)
{
    static const char *const known[] = {"command", "address", "needs", "env", "trust"};
    static const char *const none[] = {NULL};
    struct json_at object = {0};
    struct cell_error cause = {0};
    const char *address;
    if (!cell_config_is_name(name))
        return cell_json_fail(cells, name, e, "not the name of a cell: a C identifier of at most %u characters is",
                              CELL_MAX_CELL_NAME);
    int r = cell_json_object(cells, name, JSON_REQUIRED, &object, e);
    if (r >= 0)
        r = cell_config_check_members(&object, known, COUNT(known), e);
    if (r >= 0)
        r = cell_json_string(&object, "address", JSON_OPTIONAL, &address, e);
    if (r < 0)
        return r;
    cell->name = cell_arena_copy(&c->arena, name, strlen(name));
    cell->needs = none;
    if (r == 0)
        cell->address = cell_arena_printf(&c->arena, "unix:%s/%s.sock", c->run_dir, name);
    else if ((r = cell_config_resolve(&c->arena, c->dir, address, &cell->address, &cause)) == CELL_INVALID_ARGUMENT)
        return cell_json_fail(&object, "address", e, "%s", cause.text);
    if (!cell->name || !cell->address)
        return no_memory(e);
    r = read_command(c, cell, &object, e);
    if (r >= 0)
        r = read_texts(&c->arena, &object, "needs", &cell->needs, e);
    if (r >= 0 && (r = cell_config_read_trust(&object, &cell->trust, e)) > 0)
        cell->has_trust = true;
    return r < 0 ? r : read_env(c, cell, &object, e);
}

/* The position of a needed cell, or an error that names what may have been meant. */
static int find_needed(const struct cell_config *c, const struct json_at *cells, uint32_t from, size_t need,
                       struct cell_error *e)
{
    const char *name = c->cells[from].needs[need];
    const struct config_cell *found = cell_config_cell(c, name);
    if (found)
        return (int)(found - c->cells);
    struct json_at object = {.parent = cells, .key = c->cells[from].name, .status = cells->status};
    struct json_at array = {.parent = &object, .key = "needs", .status = cells->status};
    struct json_at item = {.parent = &array, .index = need, .status = cells->status};
    const char **names = calloc(c->ncells, sizeof(*names));
    if (!names)
        return no_memory(e);
    for (uint32_t i = 0; i < c->ncells; i++)
        names[i] = c->cells[i].name;
    const char *near = cell_suggest(name, names, c->ncells);
    char quoted[CELL_QUOTE_SIZE];
    free(names);
    return cell_json_fail(&item, NULL, e, "there is no cell '%s'%s%s%s", cell_json_quote(name, quoted, sizeof(quoted)),
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "a needs b needs a", for the cells of `path` from the first `again` on. */
static int report_cycle(const struct cell_config *c, const struct json_at *cells, const uint32_t *path, size_t depth,
                        uint32_t again, struct cell_error *e)
{
    char text[256] = "";
    size_t i = 0;
    while (path[i] != again)
        i++;
    for (; i < depth; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s needs ", c->cells[path[i]].name);
    }
    struct json_at object = {.parent = cells, .key = c->cells[again].name, .status = cells->status};
    return cell_json_fail(&object, "needs", e, "cells need each other in a circle: %s%s", text, c->cells[again].name);
}

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

/* Walks from `root` along "needs", depth first and without recursion: a chain may be as long as the file allows.
 * next[i] is the need of cell i that is looked at next. */
static int walk_needs(const struct cell_config *c, const struct json_at *cells, uint32_t root, unsigned char *marks,
                      uint32_t *path, uint32_t *next, struct cell_error *e)
{
    size_t depth = 0;
    path[depth++] = root;
    marks[root] = MARK_OPEN;
    while (depth) {
        uint32_t i = path[depth - 1];
        if (!c->cells[i].needs[next[i]]) {
            marks[i] = MARK_DONE;
            depth--;
            continue;
        }
        int needed = find_needed(c, cells, i, next[i]++, e);
        if (needed < 0)
            return needed;
        if (marks[needed] == MARK_OPEN)
            return report_cycle(c, cells, path, depth, (uint32_t)needed, e);
        if (marks[needed] == MARK_NEW) {
            marks[needed] = MARK_OPEN;
            path[depth++] = (uint32_t)needed;
        }
    }
    return CELL_OK;
}

static int check_needs(const struct cell_config *c, const struct json_at *cells, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) unsigned char *marks = calloc(c->ncells + 1, 1);
    CELL_CLEANUP(cell_cleanup_free) uint32_t *path = calloc(c->ncells + 1, sizeof(*path));
    CELL_CLEANUP(cell_cleanup_free) uint32_t *next = calloc(c->ncells + 1, sizeof(*next));
    if (!marks || !path || !next)
        return no_memory(e);
    for (uint32_t i = 0; i < c->ncells; i++) {
        int r = marks[i] == MARK_NEW ? walk_needs(c, cells, i, marks, path, next, e) : CELL_OK;
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

static int read_cells(struct cell_config *c, const struct json_at *root, struct cell_error *e)
{
    struct json_at cells = {0};
    int r = cell_json_object(root, "cells", JSON_OPTIONAL, &cells, e);
    if (r <= 0)
        return r;
    c->cells = cell_arena_array(&c->arena, cell_json_count(&cells), sizeof(*c->cells));
    if (!c->cells)
        return no_memory(e);
    void *iterator = NULL;
    const char *name;
    while ((name = cell_json_next(&cells, &iterator))) {
        r = read_cell(c, &c->cells[c->ncells], &cells, name, e);
        if (r < 0)
            return r;
        c->ncells++;
    }
    return check_needs(c, &cells, e);
}

static int read_root(struct cell_config *c, const struct json_at *root, struct cell_error *e)
{
    static const char *const known[] = {"run_dir",     "trust_any_owner", "timeout_ms",   "cells", "mode",
                                        "unreachable", "environment",     "environments", "trust"};
    const char *run_dir = ".cell/run";
    uint64_t timeout_ms = DEFAULT_TIMEOUT_MS;
    int r = cell_config_check_members(root, known, COUNT(known), e);
    if (r >= 0)
        r = cell_json_string(root, "run_dir", JSON_OPTIONAL, &run_dir, e);
    if (r >= 0 && !run_dir[0])
        r = cell_json_fail(root, "run_dir", e, "names no folder");
    if (r >= 0)
        r = cell_json_bool(root, "trust_any_owner", JSON_OPTIONAL, &c->trust_any_owner, e);
    if (r >= 0)
        r = cell_json_uint(root, "timeout_ms", JSON_OPTIONAL, 1, MAX_TIMEOUT_MS, &timeout_ms, e);
    c->has_timeout = r > 0;
    if (r >= 0)
        r = cell_config_read_policy(c, root, e);
    if (r < 0)
        return r;
    c->timeout_ms = (uint32_t)timeout_ms;
    c->run_dir = cell_config_join(&c->arena, c->dir, run_dir);
    return c->run_dir ? read_cells(c, root, e) : no_memory(e);
}

/* *is_json: errors are about the content of a well-formed document. */
static int read_text(struct cell_config *c, const char *json, size_t len, bool *is_json, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    int r = cell_json_load(json, len, CELL_INVALID_ARGUMENT, &doc, e);
    if (r < 0)
        return r;
    *is_json = true;
    if (json[strspn(json, " \t\r\n")] != '{')
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "expected an object: { \"cells\": { … } }");
    return read_root(c, &doc.root, e);
}

struct cell_config *cell_config_new(void)
{
    struct cell_config *c = calloc(1, sizeof(*c));
    if (c)
        c->timeout_ms = DEFAULT_TIMEOUT_MS;
    return c;
}

/* Puts "PATH:LINE: " or what of it is known before the error. `json` is NULL when it is none. */
static int place_error(const char *path, const char *json, size_t len, const struct cell_error *cause,
                       struct cell_error *e)
{
    unsigned line, column;
    int begin = 0;
    if (sscanf(cause->text, "line %u, column %u: %n", &line, &column, &begin) == 2 && begin > 0)
        return cell_error_set(e, cause->status, "%s:%u:%u: %s", path, line, column, cause->text + begin);
    line = json ? cell_config_line(json, len, cause->text) : 0;
    if (line)
        return cell_error_set(e, cause->status, "%s:%u: %s", path, line, cause->text);
    return cell_error_set(e, cause->status, "%s: %s", path, cause->text);
}

int cell_config_parse(const char *path, const char *json, size_t len, struct cell_config **config, struct cell_error *e)
{
    struct cell_error cause = {0};
    const char *slash = strrchr(path, '/');
    if (path[0] != '/')
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is not an absolute path", path);
    if (len > CELL_CONFIG_MAX_BYTES)
        return cell_error_set(e, CELL_TOO_LARGE, "%s is larger than %u bytes", path, CELL_CONFIG_MAX_BYTES);
    struct cell_config *c = cell_config_new();
    if (!c)
        return no_memory(e);
    c->path = cell_arena_copy(&c->arena, path, strlen(path));
    c->dir = cell_arena_copy(&c->arena, path, slash == path ? 1 : (size_t)(slash - path));
    bool is_json = false;
    int r = c->path && c->dir ? read_text(c, json, len, &is_json, &cause) : no_memory(&cause);
    if (r < 0) {
        cell_config_free(c);
        return place_error(path, is_json ? json : NULL, len, &cause, e);
    }
    *config = c;
    return CELL_OK;
}

void cell_config_free(struct cell_config *c)
{
    if (!c)
        return;
    cell_arena_free(&c->arena);
    free(c);
}

const struct config_cell *cell_config_cell(const struct cell_config *c, const char *name)
{
    for (uint32_t i = 0; i < c->ncells; i++)
        if (strcmp(c->cells[i].name, name) == 0)
            return &c->cells[i];
    return NULL;
}

const char *cell_config_address(struct cell_config *c, const char *name)
{
    const struct config_cell *cell = cell_config_cell(c, name);
    if (cell)
        return cell->address;
    return cell_config_is_name(name) ? cell_arena_printf(&c->arena, "unix:%s/%s.sock", c->run_dir, name) : NULL;
}
