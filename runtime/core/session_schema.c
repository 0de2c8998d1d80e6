/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Schemas of the compile session: from the cell, and from the copies in .cell. */
#include <stdlib.h>

#include "core/schema_impl.h"
#include "core/session_parts.h"
#include "core/uses.h"
#include "wire/limits.h"

/* Parses `json` as the schema of `c` with the fingerprint that it has; takes it over on success. */
static int take_schema(struct known_cell *c, const char *json, size_t len, const char *from, struct cell_error *e)
{
    struct cell_schema *schema = NULL;
    char quoted[CELL_QUOTE_SIZE];
    int r = cell_schema_parse(json, len, &schema, e);
    if (r < 0)
        return e ? cell_error_wrap(e, "%s: its schema is not valid", from) : r;
    if (strcmp(schema->cell, c->pub.name) != 0)
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: this is the schema of cell '%s'", from,
                           cell_json_quote(schema->cell, quoted, sizeof(quoted)));
    else if (strcmp(schema->fingerprint, c->pub.fingerprint) != 0)
        r = cell_error_set(e, CELL_PROTOCOL_ERROR,
                           "%s: its schema has the fingerprint %.12s…, its greeting said %.12s…", from,
                           schema->fingerprint, c->pub.fingerprint);
    if (r < 0) {
        cell_schema_free(schema);
        return r;
    }
    cell_schema_free(c->schema);
    c->schema = schema;
    return CELL_OK;
}

static int fetch_schema(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    struct cell_signature signature;
    const char *reply;
    size_t len;
    int r = cell_session_request(s, c, CELL_COMPILE_SCHEMA, "{}", 2, &reply, &len, e);
    if (r >= 0)
        r = cell_session_judge(s, c, reply, len, &signature, e);
    if (r >= 0)
        r = take_schema(c, reply, len, session_place(c), e);
    return r < 0 ? r : cell_session_believe(s, c, &signature, e);
}

/* True when the file at `path` holds the schema of that fingerprint. `learn`: it is the mirror. */
static bool holds(struct cell_session *s, struct known_cell *c, const char *path, bool learn)
{
    struct store_file file;
    if (cell_store_read(path, &file, NULL) < 0)
        return false;
    bool same = strcmp(file.sha256, c->pub.fingerprint) == 0;
    if (same && learn)
        cell_store_learn(&s->store, c->pub.name, &file);
    free(file.data);
    return same;
}

static int write_schema(struct cell_session *s, struct known_cell *c, const char *path, struct cell_error *e)
{
    struct cell_buffer b = {0};
    int r = cell_schema_format(c->schema, &b);
    if (r < 0 || !cell_buffer_ok(&b))
        r = session_no_memory(e);
    else
        r = cell_store_write(&s->store, path, b.data, b.len, e);
    cell_buffer_free(&b);
    return r;
}

int cell_session_update_mirror(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    char known[CELL_FINGERPRINT_LEN + 1];
    const char *path = c->pub.mirror_path;
    bool vouched;
    int r = cell_session_vouched(s, c, &vouched, e);
    if (r < 0)
        return r;
    if (vouched && cell_store_known(&s->store, c->pub.name, path, known) && strcmp(known, c->pub.fingerprint) == 0)
        return CELL_OK;
    if (vouched && holds(s, c, path, true))
        return CELL_OK;
    r = fetch_schema(s, c, e);
    if (r < 0 || holds(s, c, path, true)) /* another compilation may have been faster */
        return r;
    r = write_schema(s, c, path, e);
    if (r >= 0)
        holds(s, c, path, true);
    return r;
}

int cell_session_take_lock(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    const struct cell_lock *lock = c->schema ? NULL : cell_session_lock(s, c);
    int r = c->schema ? CELL_OK
            : lock    ? take_schema(c, lock->schema, lock->schema_len, c->pub.lock_path, e)
                      : cell_error_set(e, c->lock_error.status, "%s", c->lock_error.text);
    if (r >= 0 && !holds(s, c, c->pub.mirror_path, true) && write_schema(s, c, c->pub.mirror_path, NULL) >= 0)
        holds(s, c, c->pub.mirror_path, true);
    return r;
}

int cell_session_read_mirror(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    const char *path = c->pub.mirror_path;
    struct store_file file;
    if (cell_store_known(&s->store, c->pub.name, path, c->pub.fingerprint))
        return CELL_OK;
    int r = cell_store_read(path, &file, e);
    if (r == CELL_NOT_FOUND)
        return cell_error_set(e, r, "there is no mirror %s yet: compile a file that imports the cell while it runs",
                              path);
    if (r < 0)
        return r;
    memcpy(c->pub.fingerprint, file.sha256, sizeof(file.sha256));
    r = take_schema(c, file.data, file.len, path, e);
    if (r >= 0)
        cell_store_learn(&s->store, c->pub.name, &file);
    free(file.data);
    return r;
}

int cell_session_load_schema(struct known_cell *c, const char *path, struct cell_error *e)
{
    struct store_file file;
    int r = path ? cell_store_read(path, &file, e) : session_no_memory(e);
    if (r < 0)
        return r;
    if (strcmp(file.sha256, c->pub.fingerprint) != 0)
        r = cell_error_set(e, CELL_NOT_FOUND, "%s has changed meanwhile; compile again", path);
    else
        r = take_schema(c, file.data, file.len, path, e);
    free(file.data);
    return r;
}

const struct cell_schema *cell_session_schema(struct cell_session *s, struct session_cell *cell, struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    if (cell->status < 0) {
        session_fail_again(cell, e);
        return NULL;
    }
    if (c->schema)
        return c->schema;
    if (cell->lock_path)
        return cell_session_take_lock(s, c, e) < 0 ? NULL : c->schema;
    int r = cell_session_load_schema(c, cell->mirror_path, e);
    if (r < 0 && r != CELL_PROTOCOL_ERROR) /* another compilation met a newer cell, or somebody cleans up */
        if (cell_session_load_schema(c, cell_store_path(&s->store, "schemas", cell->fingerprint, ".json"), NULL) >= 0)
            return c->schema;
    if (r < 0 && r != CELL_PROTOCOL_ERROR && s->mode != SESSION_MIRROR)
        r = fetch_schema(s, c, e);
    return r < 0 ? NULL : c->schema;
}

static bool read_verbs(struct known_cell *c, const char *path)
{
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    size_t len;
    return cell_file_read(path, CELL_MAX_COMPILE_REPLY, &text, &len, NULL) >= 0 &&
           cell_verbs_parse(text, len, c->pub.name, &c->verbs) >= 0;
}

const struct cell_schema *cell_session_verbs(struct cell_session *s, struct session_cell *cell, struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    if (c->verbs && cell->status >= 0)
        return c->verbs;
    /* A lock is read for its answers anyway. */
    bool keep = cell->status >= 0 && !c->verbs_kept && !cell->lock_path;
    const char *path = keep ? cell_store_path(&s->store, "verbs", cell->fingerprint, "") : NULL;
    if (path && !c->schema && read_verbs(c, path))
        return c->verbs;
    c->verbs_kept = true;
    const struct cell_schema *schema = cell_session_schema(s, cell, e);
    struct cell_buffer text = {0};
    if (schema && path && s->mode != SESSION_MIRROR) {
        cell_verbs_put(schema, &text);
        if (cell_buffer_ok(&text))
            cell_store_write(&s->store, path, text.data, text.len, NULL); /* only a cache */
    }
    cell_buffer_free(&text);
    return schema;
}

/* Whether the file at `path` of .cell/schemas is there and whole. */
static bool is_kept(struct cell_session *s, struct known_cell *c, const char *path)
{
    struct stat kept, mirror;
    /* Its name is its content, so the size tells whether it is whole. */
    off_t size = c->lock && c->pub.lock_path              ? (off_t)c->lock->schema_len
                 : stat(c->pub.mirror_path, &mirror) == 0 ? mirror.st_size
                                                          : -1;
    return (stat(path, &kept) == 0 && S_ISREG(kept.st_mode) && kept.st_size == size) || holds(s, c, path, false);
}

int cell_session_keep_schema(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    const char *path = cell_store_path(&s->store, "schemas", c->pub.fingerprint, ".json");
    if (!path)
        return session_no_memory(e);
    if (is_kept(s, c, path))
        return CELL_OK;
    struct cell_error cause = {0};
    if (!cell_session_schema(s, &c->pub, &cause))
        return cell_error_set(e, cause.status, "%s", cause.text);
    return write_schema(s, c, path, e);
}

bool cell_session_keep_built_on(struct cell_session *s, struct known_cell *c)
{
    const char *path = cell_store_path(&s->store, "schemas", c->pub.fingerprint, ".json");
    if (!path)
        return false;
    return is_kept(s, c, path) ||
           (cell_session_load_schema(c, c->pub.mirror_path, NULL) >= 0 && write_schema(s, c, path, NULL) >= 0);
}

/* A record with its checksum behind it, so that a damaged one is made again. */
static bool read_used(const char *path, struct cell_buffer *out)
{
    char *data = NULL;
    size_t len = 0;
    uint64_t sum;
    if (cell_file_read(path, 2 * CELL_MAX_COMPILE_REPLY, &data, &len, NULL) < 0)
        return false;
    bool whole = len > sizeof(sum);
    if (whole) {
        len -= sizeof(sum);
        memcpy(&sum, data + len, sizeof(sum));
        whole = sum == cell_checksum(data, len);
    }
    if (whole)
        cell_buffer_append(out, data, len);
    free(data);
    return whole;
}

static int make_used(struct cell_session *s, const char *path, const struct cell_schema *schema,
                     struct cell_buffer *out)
{
    struct cell_buffer file = {0};
    int r = cell_used_schema_record(schema, &file);
    if (r >= 0) {
        cell_buffer_append(out, file.data, file.len);
        const uint64_t sum = cell_checksum(file.data, file.len);
        cell_buffer_append(&file, &sum, sizeof(sum));
        if (cell_buffer_ok(&file))
            cell_store_write(&s->store, path, file.data, file.len, NULL); /* only a cache */
    }
    cell_buffer_free(&file);
    return r < 0 || !cell_buffer_ok(out) ? CELL_NO_MEMORY : CELL_OK;
}

int cell_session_used_schema(struct cell_session *s, const char *name, const char *fingerprint, struct cell_buffer *out,
                             struct cell_error *e)
{
    struct known_cell c = {.pub = {.name = name}};
    if (!cell_is_identifier(name) || !session_is_fingerprint(fingerprint))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "no name of a cell, or no fingerprint");
    memcpy(c.pub.fingerprint, fingerprint, CELL_FINGERPRINT_LEN + 1);
    const char *path = cell_store_path(&s->store, "used", fingerprint, "");
    if (!path)
        return session_no_memory(e);
    int r = cell_store_check(&s->store, e);
    if (r < 0 || read_used(path, out))
        return r;
    r = cell_session_load_schema(&c, cell_store_path(&s->store, "mirror", name, ".json"), NULL);
    if (r < 0)
        r = cell_session_load_schema(&c, cell_store_path(&s->store, "schemas", fingerprint, ".json"), e);
    if (r >= 0 && (r = make_used(s, path, c.schema, out)) < 0)
        session_no_memory(e);
    cell_schema_free(c.schema);
    return r;
}
