/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell call` of a method with a stream. Records that come are printed one by one; records that go are the lines of
 * standard input, each the JSON of one, and sent as they are read. The timeout is that of each step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "wire/records.h"

static uint64_t step_deadline(uint64_t timeout_ms)
{
    return timeout_ms ? cell_now_ns() + timeout_ms * CELL_NS_PER_MS : CELL_NO_DEADLINE;
}

/* ---- records that come ---- */

int call_print_record(struct call *c, const struct cell_type *type, const void *record)
{
    struct cli_json j = {.text = !c->cli->json};

    out_begin(&j, NULL, j.text ? '[' : '{');
    value_print(&j, j.text ? NULL : "record", type, 0, record);
    out_end(&j, j.text ? ']' : '}');
    return out_print(c->cli, &j);
}

static int print_batch(struct call *c, const struct cell_records *f, struct cell_arena *arena, const uint8_t *message,
                       size_t len)
{
    struct cell_batch batch;
    struct cell_error e = {0};
    void *record = NULL;
    int r = CLI_OK;

    cell_arena_reset(arena);
    if (cell_records_take(f, message, len, arena, &batch, &e) < 0)
        return cli_error(c->cli, CLI_FAILED, NULL, "%s sent records that are invalid: %s", c->cell, e.text);
    record = cell_arena_alloc(arena, f->type->size);
    if (!record)
        return cli_error(c->cli, CLI_FAILED, NULL, "out of memory");
    while (r == CLI_OK && cell_records_copy(f, &batch, record, 1) == 1)
        r = call_print_record(c, f->type, record);
    return r;
}

static int print_records(struct call *c, struct cell_link *l, const struct cell_records *f, uint64_t timeout_ms,
                         struct cell_link_reply *reply, bool *replied)
{
    struct cell_arena arena = {0};
    struct cell_error e = {0};
    const uint8_t *message;
    size_t len;
    int r = CLI_OK, more;

    while ((more = cell_link_next(l, &message, &len, reply, step_deadline(timeout_ms), &e)) > 0 && r == CLI_OK)
        r = print_batch(c, f, &arena, message, len);
    cell_arena_free(&arena);
    *replied = more == 0;
    return more < 0 ? call_failed(c, more, e.text, NULL) : r;
}

/* ---- records that go ---- */

static bool is_blank(const char *line) { return line[strspn(line, " \t\r\n")] == '\0'; }

/* CELL_OK: sent; 1: the cell has answered already; negative: reported, and *r is what to return. */
static int send_line(struct cell_link *l, const struct cell_records *f, struct cell_arena *arena, const char *line,
                     size_t len, uint64_t timeout_ms, struct cell_error *e)
{
    const struct value_env env = {.arena = arena};
    struct cell_buffer message = {0};

    cell_arena_reset(arena);
    void *record = cell_arena_alloc(arena, f->type->size);
    int r = record ? cell_value_json(&env, f->type, 0, line, len, record, e)
                   : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = cell_records_encode(f, record, 1, cell_link_limit(l), &message, e);
    if (r >= 0)
        r = cell_link_put(l, message.data, message.len, step_deadline(timeout_ms), e);
    cell_buffer_free(&message);
    return r;
}

static int send_lines(struct call *c, struct cell_link *l, const struct cell_records *f, uint64_t timeout_ms)
{
    struct cell_arena arena = {0};
    struct cell_error e = {0};
    char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t len;
    int r = CELL_OK;

    while (r == CELL_OK && (len = getline(&line, &size, stdin)) >= 0) {
        number++;
        if (!is_blank(line))
            r = send_line(l, f, &arena, line, (size_t)len, timeout_ms, &e);
    }
    free(line);
    cell_arena_free(&arena);
    if (r == CELL_OK && ferror(stdin))
        return cli_error(c->cli, CLI_FAILED, NULL, "cannot read standard input: %s", strerror(errno));
    if (r == CELL_OK)
        r = cell_link_end(l, step_deadline(timeout_ms), &e);
    if (r == CELL_INVALID_ARGUMENT || r == CELL_TOO_LARGE)
        return cli_error(c->cli, CLI_FAILED, NULL, "line %zu of standard input: %s", number, e.text);
    return r < 0 ? call_failed(c, r, e.text, NULL) : CLI_OK;
}

int call_stream(struct call *c, struct cell_link *l, const struct cell_buffer *meta, const struct cell_buffer *message,
                uint64_t timeout_ms, struct cell_link_reply *reply, bool *replied)
{
    bool writes = c->descriptor->flags & CELL_METHOD_WRITES;
    struct cell_records format;
    struct cell_error e = {0};

    if (writes && c->stdin_read)
        return call_bad_usage(c, "standard input was read for an argument, and holds the records");
    cell_records_init(&format, c->descriptor->stream->type);
    int r = cell_link_begin(l, (int32_t)c->id, meta->data, meta->len, message->data, message->len,
                            step_deadline(timeout_ms), &e);
    if (r < 0)
        return call_failed(c, r, e.text, NULL);
    r = writes ? send_lines(c, l, &format, timeout_ms) : CLI_OK;
    return r == CLI_OK ? print_records(c, l, &format, timeout_ms, reply, replied) : r;
}
