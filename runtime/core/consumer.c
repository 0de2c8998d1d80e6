/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A consumer as a document. */
#include "core/consumer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/json.h"

#define HASH_LEN 64u

/* One that was read owns what it consists of. */
struct read_consumer {
    struct cell_consumer c; /* first */
    struct cell_arena arena;
};

/* ---- writing ---- */

static void put_text(struct cell_buffer *out, const char *key, const char *text)
{
    cell_buffer_printf(out, "\"%s\":", key);
    cell_json_put_string(out, text);
    cell_buffer_puts(out, ",");
}

static int put_uses(const struct cell_consumer *c, struct cell_buffer *out)
{
    struct cell_uses mine = {.truncated = c->uses->truncated};
    int r = CELL_OK;
    for (uint32_t i = 0; r >= 0 && i < c->uses->n; i++)
        if (strcmp(c->uses->uses[i].cell, c->cell) == 0)
            r = cell_uses_add(&mine, &c->uses->uses[i]);
    cell_buffer_puts(out, "\"uses\":");
    if (r >= 0)
        r = cell_uses_format(&mine, out);
    free(mine.uses);
    cell_arena_free(&mine.arena);
    return r;
}

int cell_consumer_format(const struct cell_consumer *c, struct cell_buffer *out)
{
    bool first = true;
    cell_buffer_puts(out, "{");
    put_text(out, "build", c->build);
    put_text(out, "cell", c->cell);
    put_text(out, "consumer", CELL_CONSUMER_FORMAT);
    put_text(out, "path", c->path);
    put_text(out, "program", c->program);
    if (c->project && *c->project)
        put_text(out, "project", c->project);
    cell_buffer_printf(out, "\"reported\":%" PRId64 ",\"schemas\":[", c->reported);
    for (uint32_t i = 0; i < c->uses->nschemas; i++) {
        const struct used_schema *s = &c->uses->schemas[i];
        if (strcmp(s->cell, c->cell) != 0)
            continue;
        cell_buffer_puts(out, first ? "" : ",");
        cell_used_schema_format(s->schema, s->fingerprint, out);
        first = false;
    }
    cell_buffer_puts(out, "],");
    int r = put_uses(c, out);
    cell_buffer_puts(out, "}");
    return r < 0 || !cell_buffer_ok(out) ? CELL_NO_MEMORY : CELL_OK;
}

void cell_project_id(const char *folder, char id[CELL_FINGERPRINT_LEN + 1])
{
    char *real = realpath(folder, NULL); /* whoever compiles and whoever reports may have come by different links */
    const char *name = real ? real : folder;
    cell_sha256_hex(name, strlen(name), id);
    free(real);
}

void cell_consumer_name(const char *path, char name[CELL_MAX_NAME + 1])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = 0;
    for (; base[n] && n < CELL_MAX_NAME; n++) {
        unsigned char c = (unsigned char)base[n];
        name[n] = c > ' ' && c < 0x7f && !(n == 0 && c == '.') ? (char)c : '_';
    }
    if (n == 0)
        name[n++] = '_';
    name[n] = '\0';
}

/* ---- reading ---- */

/* Printable ASCII, as cell_consumer_name makes it. */
static bool is_program(const char *text)
{
    char name[CELL_MAX_NAME + 1];
    cell_consumer_name(text, name);
    return strcmp(text, name) == 0;
}

static bool is_path(const char *text)
{
    if (*text && (*text != '/' || strlen(text) > CELL_MAX_CONSUMER_PATH))
        return false;
    for (const char *p = text; *p; p++)
        if (cell_json_control(p))
            return false;
    return true;
}

static int read_key(const struct json_at *root, enum json_need need, const char **program, const char **path,
                    struct cell_error *e)
{
    int r = cell_json_string(root, "program", JSON_REQUIRED, program, e);
    if (r >= 0 && !is_program(*program))
        r = cell_json_fail(root, "program", e, "no name of a program");
    if (r >= 0)
        r = cell_json_string(root, "path", need, path, e);
    if (r > 0 && !is_path(*path))
        r = cell_json_fail(root, "path", e, "no absolute path");
    return r < 0 ? r : CELL_OK;
}

/* "" when it is not there. */
static int read_hash(const struct json_at *root, const char *key, const char **hash, struct cell_error *e)
{
    *hash = "";
    int r = cell_json_string(root, key, JSON_OPTIONAL, hash, e);
    if (r >= 0 && **hash && (strlen(*hash) != HASH_LEN || strspn(*hash, "0123456789abcdef") != HASH_LEN))
        r = cell_json_fail(root, key, e, "64 hex digits are expected");
    return r;
}

static int read_head(const struct json_at *root, struct cell_consumer *c, struct cell_error *e)
{
    const char *format;
    uint64_t reported = 0;
    int r = cell_json_string(root, "consumer", JSON_REQUIRED, &format, e);
    if (r >= 0 && strcmp(format, CELL_CONSUMER_FORMAT) != 0)
        r = cell_json_fail(root, "consumer", e, "\"" CELL_CONSUMER_FORMAT "\" is expected");
    if (r >= 0)
        r = cell_json_string(root, "cell", JSON_REQUIRED, &c->cell, e);
    if (r >= 0 && !cell_is_identifier(c->cell))
        r = cell_json_fail(root, "cell", e, "no name of a cell");
    if (r >= 0)
        r = read_key(root, JSON_REQUIRED, &c->program, &c->path, e);
    if (r >= 0)
        r = read_hash(root, "build", &c->build, e);
    if (r >= 0)
        r = read_hash(root, "project", &c->project, e);
    if (r >= 0)
        r = cell_json_uint(root, "reported", JSON_OPTIONAL, 0, (UINT64_C(1) << 53) - 1, &reported, e);
    c->reported = (int64_t)reported;
    return r;
}

/* That nothing is of another cell. */
static int check_cells(const struct json_at *root, const struct cell_consumer *c, struct cell_error *e)
{
    for (uint32_t i = 0; i < c->uses->n; i++)
        if (strcmp(c->uses->uses[i].cell, c->cell) != 0)
            return cell_json_fail(root, "uses", e, "it names another cell than '%s'", c->cell);
    for (uint32_t i = 0; i < c->uses->nschemas; i++)
        if (strcmp(c->uses->schemas[i].cell, c->cell) != 0)
            return cell_json_fail(root, "schemas", e, "it holds the schema of another cell than '%s'", c->cell);
    return CELL_OK;
}

static const char *keep(struct read_consumer *read, const char *text)
{
    return cell_arena_copy(&read->arena, text, strlen(text));
}

static int read_document(const struct json_at *root, struct read_consumer *read, struct cell_error *e)
{
    struct cell_consumer *c = &read->c;
    struct json_at uses, schemas = {0};
    int r = read_head(root, c, e);
    if (r >= 0)
        r = cell_json_object(root, "uses", JSON_REQUIRED, &uses, e);
    if (r >= 0)
        r = cell_json_array(root, "schemas", JSON_OPTIONAL, &schemas, e);
    if (r >= 0)
        r = cell_uses_read_documents(&uses, &schemas, &c->uses, e);
    if (r >= 0)
        r = check_cells(root, c, e);
    if (r < 0)
        return r;
    c->cell = keep(read, c->cell);
    c->program = keep(read, c->program);
    c->path = keep(read, c->path);
    c->build = keep(read, c->build);
    c->project = keep(read, c->project);
    return c->cell && c->program && c->path && c->build && c->project
               ? CELL_OK
               : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
}

int cell_consumer_parse(const char *json, size_t len, struct cell_consumer **c, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct read_consumer *read = calloc(1, sizeof(*read));
    int r = read ? cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = read_document(&doc.root, read, e);
    if (r < 0) {
        cell_consumer_free(read ? &read->c : NULL);
        return r;
    }
    *c = &read->c;
    return CELL_OK;
}

void cell_consumer_free(struct cell_consumer *c)
{
    struct read_consumer *read = (struct read_consumer *)c;
    if (!read)
        return;
    cell_uses_free(read->c.uses);
    cell_arena_free(&read->arena);
    free(read);
}

int cell_consumer_key(const char *json, size_t len, struct cell_json *doc, const char **program, const char **path,
                      struct cell_error *e)
{
    int r = cell_json_load(json, len, CELL_INVALID_ARGUMENT, doc, e);
    *path = NULL;
    return r < 0 ? r : read_key(&doc->root, JSON_OPTIONAL, program, path, e);
}
