/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is known of the programs that use the cell. They are reported on the operations channel, by who could read and
 * change the cell's files as well: its own user, and root. docs/protocol.md, "Consumers".
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/config.h"
#include "core/consumer.h"
#include "core/json.h"
#include "server_parts.h"

/* Room in a reply for what stands around the list. */
#define LIST_END_ROOM 256u

/* ---- where ---- */

/* In the first folder that systemd has made for the service's state; several cells may be one service. */
static bool in_state_directory(const struct cell_server *s, struct cell_buffer *out)
{
    const char *folders = getenv("STATE_DIRECTORY");
    if (!folders || folders[0] != '/')
        return false;
    cell_buffer_append(out, folders, strcspn(folders, ":"));
    cell_buffer_printf(out, "/%s.consumers", s->cell);
    return true;
}

/* Beside the socket; the folder where the program runs may change later. */
static void beside_socket(const char *address, struct cell_buffer *out)
{
    const char *path = strchr(address, ':');
    char *folder = NULL;
    path = path ? path + 1 : address;
    size_t len = strlen(path);
    if (!len || (path[0] != '/' && !(folder = getcwd(NULL, 0))))
        return;
    if (len > 5 && strcmp(path + len - 5, ".sock") == 0)
        len -= 5;
    cell_buffer_printf(out, "%s%s%.*s.consumers", folder ? folder : "", folder ? "/" : "", (int)len, path);
    free(folder);
}

static char *find_folder(const struct cell_server *s)
{
    struct cell_buffer b = {0};
    char *found = NULL;
    if (s->options.consumers) {
        cell_buffer_puts(&b, s->options.consumers);
    } else if (!in_state_directory(s, &b)) {
        const char *address = s->options.address;
        if (!address && cell_locate(s->cell, &found, NULL) >= 0)
            address = found;
        if (address)
            beside_socket(address, &b);
    }
    free(found);
    if (b.data || b.failed)
        return cell_buffer_ok(&b) ? b.data : NULL;
    return strdup("");
}

void cell_server_find_consumers(struct cell_server *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->consumers)
        s->consumers = find_folder(s);
    pthread_mutex_unlock(&s->lock);
}

static int folder_of(struct cell_server *s, const char **folder, struct cell_error *e)
{
    cell_server_find_consumers(s);
    if (!s->consumers)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (!s->consumers[0])
        return cell_error_set(e, CELL_UNIMPLEMENTED, "%s keeps no record of the programs that use it", s->cell);
    *folder = s->consumers;
    return CELL_OK;
}

/* ---- requests ---- */

static int report(struct cell_server *s, const char *folder, const char *json, size_t len, struct cell_buffer *out,
                  struct cell_error *e)
{
    struct cell_consumer *c = NULL;
    bool replaced = false;
    int r = cell_consumer_parse(json, len, &c, e);
    if (r == CELL_PROTOCOL_ERROR) /* of the document, not of the channel */
        r = e->status = CELL_INVALID_ARGUMENT;
    if (r >= 0 && strcmp(c->cell, s->cell) != 0)
        r = cell_error_set(e, CELL_INVALID_ARGUMENT, "it tells what is used of %s, this is %s", c->cell, s->cell);
    if (r >= 0 && c->uses->n == 0)
        r = cell_error_set(e, CELL_INVALID_ARGUMENT, "%s uses nothing of %s", c->program, s->cell);
    if (r >= 0) {
        c->reported = (int64_t)time(NULL);
        r = cell_consumers_put(folder, c, &replaced, e);
    }
    cell_consumer_free(c);
    if (r >= 0)
        cell_buffer_printf(out, "{\"replaced\":%s}", replaced ? "true" : "false");
    return r;
}

static void put_consumer(const struct cell_consumer *c, struct cell_buffer *out)
{
    const char *before = NULL;
    cell_buffer_printf(out, "{\"build\":\"%s\",\"fingerprints\":[", c->build);
    for (uint32_t i = 0; i < c->uses->n; i++) {
        const char *fingerprint = c->uses->uses[i].fingerprint;
        if (before && strcmp(before, fingerprint) == 0)
            continue;
        cell_buffer_printf(out, "%s\"%s\"", before ? "," : "", fingerprint);
        before = fingerprint;
    }
    cell_buffer_puts(out, "],\"path\":");
    cell_json_put_string(out, c->path);
    cell_buffer_puts(out, ",\"program\":");
    cell_json_put_string(out, c->program);
    cell_buffer_printf(out, ",\"reported\":%" PRId64 ",\"uses\":%u}", c->reported, c->uses->n);
}

/* All that can be read and have room. */
static int list(const char *folder, struct cell_buffer *out, struct cell_error *e)
{
    struct cell_consumer_list found = {0};
    struct cell_buffer one = {0};
    uint32_t left_out = 0, n = 0;
    int r = cell_consumers_list(folder, &found, e);
    if (r < 0)
        return r;
    cell_buffer_puts(out, "{\"consumers\":[");
    for (size_t i = 0; i < found.n; i++) {
        struct cell_consumer *c = NULL;
        r = cell_consumers_read(folder, found.files[i], &c, e);
        if (r == CELL_NOT_FOUND)
            continue; /* forgotten meanwhile */
        one.len = 0;
        if (r >= 0)
            put_consumer(c, &one);
        cell_consumer_free(c);
        if (r < 0 || out->len + one.len + LIST_END_ROOM > CELL_MAX_OPS - CELL_MAX_META_BYTES) {
            left_out++;
            continue;
        }
        cell_buffer_puts(out, n++ ? "," : "");
        cell_buffer_append(out, one.data, one.len);
    }
    cell_buffer_printf(out, "],\"left_out\":%u}", left_out);
    out->failed |= one.failed;
    cell_buffer_free(&one);
    cell_consumers_list_free(&found);
    return CELL_OK;
}

static int find(const char *folder, const char *json, size_t len, struct cell_buffer *out, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    const char *program, *path;
    struct cell_consumer *c = NULL;
    int r = cell_consumer_key(json, len, &doc, &program, &path, e);
    if (r >= 0)
        r = cell_consumers_find(folder, program, path ? path : "", &c, e);
    if (r >= 0 && cell_consumer_format(c, out) < 0)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_consumer_free(c);
    return r;
}

static int forget(const char *folder, const char *json, size_t len, struct cell_buffer *out, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    const char *program, *path;
    uint32_t n = 0;
    int r = cell_consumer_key(json, len, &doc, &program, &path, e);
    if (r >= 0)
        r = cell_consumers_forget(folder, program, path, &n, e);
    if (r >= 0)
        cell_buffer_printf(out, "{\"forgotten\":%u}", n);
    return r;
}

/* Paths of sources and programs are nobody else's business, and what is kept must not be filled up by others. */
static bool may_ask(const cell_ctx *c)
{
    struct cell_caller caller;
    return cell_ctx_caller(c, &caller) >= 0 && (caller.uid == 0 || caller.uid == geteuid());
}

int cell_server_ask_consumers(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len)
{
    const char *folder = NULL, *json = (const char *)message;
    struct cell_error e = {0};
    if (method < CELL_OPS_REPORT || method > CELL_OPS_FORGET)
        return cell_fail(c, CELL_UNIMPLEMENTED, "the operations channel has no method %d", (int)method);
    if (!may_ask(c))
        return cell_fail(c, CELL_PERMISSION_DENIED, "only the user that %s runs as, and root, may do this", s->cell);
    int r = folder_of(s, &folder, &e);
    if (r < 0)
        return cell_fail(c, r, "%s", e.text);
    r = method == CELL_OPS_REPORT      ? report(s, folder, json, len, &c->message, &e)
        : method == CELL_OPS_CONSUMERS ? list(folder, &c->message, &e)
        : method == CELL_OPS_CONSUMER  ? find(folder, json, len, &c->message, &e)
                                       : forget(folder, json, len, &c->message, &e);
    if (r < 0)
        return cell_fail(c, r, "%s", e.text);
    return cell_buffer_ok(&c->message) ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* ---- for the cell itself ---- */

struct cell_consumer_uses {
    char *folder, *name; /* name NULL = all */
    struct cell_consumer_list files;
    size_t next_file;
    struct cell_consumer *consumer; /* NULL: the next file is to be read */
    uint32_t next_use;
};

int cell_server_consumers(struct cell_server *server, const char *name, struct cell_consumer_uses **uses)
{
    const char *folder = NULL;
    if (!server || !uses)
        return CELL_INVALID_ARGUMENT;
    int r = folder_of(server, &folder, NULL);
    if (r < 0)
        return r;
    struct cell_consumer_uses *made = calloc(1, sizeof(*made));
    if (!made)
        return CELL_NO_MEMORY;
    made->folder = strdup(folder);
    made->name = name ? strdup(name) : NULL;
    r = made->folder && !made->name == !name ? cell_consumers_list(folder, &made->files, NULL) : CELL_NO_MEMORY;
    if (r < 0) {
        cell_consumer_uses_free(made);
        return r;
    }
    *uses = made;
    return CELL_OK;
}

static bool is_wanted(const struct cell_consumer_uses *uses, const struct use *use)
{
    size_t len = uses->name ? strlen(uses->name) : 0;
    return !uses->name ||
           (strncmp(use->name, uses->name, len) == 0 && (use->name[len] == '\0' || use->name[len] == '.'));
}

static void give(const struct cell_consumer *c, const struct use *from, struct cell_consumer_use *use)
{
    static const enum cell_use_kind kinds[] = {[USE_FIELD] = CELL_USE_FIELD,
                                               [USE_METHOD] = CELL_USE_METHOD,
                                               [USE_VALUE] = CELL_USE_VALUE,
                                               [USE_RESOURCE] = CELL_USE_RESOURCE,
                                               [USE_FUNCTION] = CELL_USE_FUNCTION,
                                               [USE_CAPABILITY] = CELL_USE_CAPABILITY,
                                               [USE_REQUIREMENT] = CELL_USE_REQUIREMENT};
    *use = (struct cell_consumer_use){.program = c->program,
                                      .path = c->path,
                                      .build = c->build,
                                      .project = c->project,
                                      .reported_s = c->reported,
                                      .fingerprint = from->fingerprint,
                                      .kind = kinds[from->kind],
                                      .name = from->name,
                                      .file = from->file,
                                      .line = from->line};
}

int cell_consumer_uses_next(struct cell_consumer_uses *uses, struct cell_consumer_use *use)
{
    if (!uses || !use)
        return CELL_INVALID_ARGUMENT;
    for (;;) {
        while (uses->consumer && uses->next_use < uses->consumer->uses->n) {
            const struct use *found = &uses->consumer->uses->uses[uses->next_use++];
            if (is_wanted(uses, found)) {
                give(uses->consumer, found, use);
                return 1;
            }
        }
        cell_consumer_free(uses->consumer);
        uses->consumer = NULL;
        uses->next_use = 0;
        if (uses->next_file == uses->files.n)
            return 0;
        int r = cell_consumers_read(uses->folder, uses->files.files[uses->next_file++], &uses->consumer, NULL);
        if (r < 0 && r != CELL_NOT_FOUND)
            return r;
    }
}

void cell_consumer_uses_free(struct cell_consumer_uses *uses)
{
    if (!uses)
        return;
    cell_consumer_free(uses->consumer);
    cell_consumers_list_free(&uses->files);
    free(uses->folder);
    free(uses->name);
    free(uses);
}

int cell_server_consumers_stamp(struct cell_server *server, uint64_t *stamp)
{
    const char *folder = NULL;
    if (!server || !stamp)
        return CELL_INVALID_ARGUMENT;
    int r = folder_of(server, &folder, NULL);
    return r < 0 ? r : cell_consumers_stamp(folder, stamp, NULL);
}
