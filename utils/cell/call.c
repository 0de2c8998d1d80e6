/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell call`: learns the schema from the running cell, reads the arguments by it, calls, and prints the reply. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/link.h"
#include "call.h"
#include "wire/message.h"

#define COMPILE_MS 5000u

/* ---- the method ---- */

static int unknown_method(struct call *c, const char *name)
{
    const char **names = cell_arena_array(&c->arena, 2 * (size_t)c->schema->nmethods + 1, sizeof(*names));
    size_t n = 0, prefix = strlen(c->cell);
    char hint[300];

    for (uint32_t i = 0; names && i < c->schema->nmethods; i++) {
        const char *full = names[n++] = c->schema->methods[i].name;
        if (strncmp(full, c->cell, prefix) == 0 && full[prefix] == '_' && full[prefix + 1])
            names[n++] = full + prefix + 1; /* find_method takes this as well */
    }
    const char *near = names ? cell_suggest(name, names, n) : NULL;
    if (near)
        snprintf(hint, sizeof(hint), "did you mean %s.%s?", c->cell, near);
    else
        snprintf(hint, sizeof(hint), "run `cell schema %s`", c->cell);
    return cli_error(c->cli, CLI_FAILED, hint, "%s has no method '%s'", c->cell, name);
}

/* Both "auth.auth_login" and "auth.login" name auth_login. */
static int find_method(struct call *c, const char *name)
{
    char prefixed[2 * CELL_MAX_NAME + 2];

    snprintf(prefixed, sizeof(prefixed), "%s_%.127s", c->cell, name);
    c->method = cell_schema_method(c->schema, name);
    if (!c->method)
        c->method = cell_schema_method(c->schema, prefixed);
    if (!c->method)
        return unknown_method(c, name);
    c->id = (uint32_t)(c->method - c->schema->methods);
    c->descriptor += c->id;
    return CLI_OK;
}

/* Says why a cell cannot be asked, with the next step. */
static int unreachable(struct call *c, int status, const char *text)
{
    int code = cli_exit_of(status);
    char hint[300] = "";

    if (!cell_config_cell(c->cli->config, c->cell))
        cli_near_cell(c->cli, c->cell, hint, sizeof(hint));
    if (!hint[0])
        snprintf(hint, sizeof(hint), "run `cell up %s`, or `cell doctor`", c->cell);
    return cli_error(c->cli, code, code == CLI_UNAVAILABLE ? hint : NULL, "%s cannot be asked: %s", c->cell, text);
}

static int learn_schema(struct call *c, uint64_t timeout_ms)
{
    uint64_t ms = timeout_ms && timeout_ms < COMPILE_MS ? timeout_ms : COMPILE_MS;
    struct cell_error e = {0};
    const struct cell_method *methods = NULL;
    char *json = NULL;
    size_t len = 0;

    cli_progress(c->cli, "asking %s for its schema …", c->cell);
    int r = cell_link_schema(c->address, c->cell, c->any_owner, cell_now_ns() + ms * CELL_NS_PER_MS, &json, &len, &e);
    cli_progress(c->cli, "%s", "");
    if (r < 0)
        return unreachable(c, r, e.text);
    r = cell_schema_parse(json, len, &c->schema, &e);
    free(json);
    if (r < 0)
        return cli_error(c->cli, CLI_FAILED, NULL, "%s sent a schema that is invalid: %s", c->cell, e.text);
    if (cell_schema_describe(c->schema, &methods, &e) < 0)
        return cli_error(c->cli, CLI_FAILED, NULL, "%s", e.text);
    c->descriptor = methods;
    return CLI_OK;
}

/* ---- the call and its answer ---- */

/* The value of a pair: text as it is, other bytes as they are written on the command line. */
static void out_bytes(struct cli_json *j, const char *key, const uint8_t *bytes, size_t len)
{
    struct cell_buffer b = {0};

    if (cell_utf8_valid((const char *)bytes, len)) {
        out_strn(j, key, (const char *)bytes, len);
        return;
    }
    cell_buffer_puts(&b, "hex:");
    for (size_t i = 0; i < len; i++)
        cell_buffer_printf(&b, "%02x", bytes[i]);
    out_strn(j, key, b.data ? b.data : "", b.len);
    cell_buffer_free(&b);
}

/* The reply's own metadata, or the error details among it; without their prefix. */
static void out_metadata(struct cli_json *j, const struct cell_link_reply *reply, bool details)
{
    const size_t prefix = strlen(CELL_META_DETAIL);
    struct cell_meta_pair pair;
    size_t offset = 0;

    out_begin(j, details ? "details" : "metadata", '{');
    while (reply && cell_meta_next(reply->meta, reply->meta_len, &offset, &pair) > 0) {
        bool is_detail = pair.key_len > prefix && memcmp(pair.key, CELL_META_DETAIL, prefix) == 0;
        size_t skip = details ? prefix : 0;
        char key[256];

        if (pair.key_len - skip >= sizeof(key) || (details ? !is_detail : pair.key[0] == ':'))
            continue;
        snprintf(key, sizeof(key), "%.*s", (int)(pair.key_len - skip), pair.key + skip);
        out_bytes(j, key, pair.value, pair.value_len);
    }
    out_end(j, '}');
}

/* The call failed, here or in the cell (`reply` is set then). Only a cell that cannot be reached is "unavailable": what
 * a method answers, and a call that takes too long, are failures of the call. */
int call_failed(struct call *c, int status, const char *message, const struct cell_link_reply *reply)
{
    int code = status == CELL_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_FAILED;
    const char *hint = status == CELL_SCHEMA_MISMATCH && !reply ? "run it again" : NULL;
    struct cli_json j = {.text = !c->cli->json};

    cli_complain(c->cli, hint, "%s: %s (%s)", c->descriptor->name, message, cell_status_name(status));
    out_begin(&j, NULL, '{');
    if (c->cli->json) {
        out_begin(&j, "error", '{');
        out_int(&j, "exit", code);
        out_str(&j, "message", message);
        out_str(&j, "hint", hint);
        out_str(&j, "status", cell_status_name(status));
        out_int(&j, "code", status);
        out_metadata(&j, reply, true);
        out_metadata(&j, reply, false);
        out_end(&j, '}');
        out_end(&j, '}');
        c->cli->reported = true;
        out_print(c->cli, &j);
        return code;
    }
    out_metadata(&j, reply, true);
    out_end(&j, '}');
    if (cell_buffer_ok(&j.b) && strchr(j.b.data, '\n'))
        cli_say(c->cli, "%s", j.b.data);
    cell_buffer_free(&j.b);
    return code;
}

static int refused(struct call *c, const struct cell_link_reply *reply)
{
    struct cell_buffer text = {0};
    struct cell_meta_pair pair;

    if (cell_meta_find(reply->meta, reply->meta_len, CELL_META_MESSAGE, &pair) == CELL_OK)
        cell_buffer_append(&text, pair.value, pair.value_len);
    else
        cell_buffer_puts(&text, cell_status_text(reply->code));
    int r = call_failed(c, reply->code, cell_buffer_ok(&text) && text.data ? text.data : "", reply);
    cell_buffer_free(&text);
    return r;
}

static int succeeded(struct call *c, const struct cell_link_reply *reply)
{
    const struct cell_method *d = c->descriptor;
    const struct cell_layout layout = {
        .fields = d->out, .n = d->nout, .size = d->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *outs = cell_arena_array(&c->arena, d->nout + 1, sizeof(*outs));
    struct cell_error e = {0};
    bool json = c->cli->json || c->into;
    struct cli_json j = {.text = !json};

    if (!outs)
        return cli_error(c->cli, CLI_FAILED, NULL, "out of memory");
    if (d->nout > 0 && cell_message_decode(&layout, reply->message, reply->message_len, &c->arena, outs, &e) < 0)
        return cli_error(c->cli, CLI_FAILED, NULL, "%s sent a reply that is invalid: %s", c->cell, e.text);
    out_begin(&j, NULL, '{');
    if (json || reply->code > 0 || (d->nout == 0 && !d->stream))
        out_int(&j, "result", reply->code);
    if (json)
        out_begin(&j, "out", '{');
    for (uint32_t i = 0; i < d->nout; i++) {
        if (outs[i].ptr && outs[i].len >= (d->out[i].count ? d->out[i].count : 1))
            value_print(&j, d->out[i].name, d->out[i].type, d->out[i].count, outs[i].ptr);
        else
            out_null(&j, d->out[i].name);
    }
    if (json) {
        out_end(&j, '}');
        out_metadata(&j, reply, false);
    }
    out_end(&j, '}');
    if (!c->into)
        return out_print(c->cli, &j);
    *c->into = j.b;
    return cell_buffer_ok(c->into) ? CLI_OK : cli_error(c->cli, CLI_FAILED, NULL, "out of memory");
}

static int add_metadata(struct call *c, const struct cli_list *list, struct cell_buffer *meta)
{
    struct cell_error e = {0};

    for (size_t i = 0; i < list->n; i++) {
        const char *equals = strchr(list->items[i], '=');
        size_t len = equals ? (size_t)(equals - list->items[i]) : 0;
        char key[256];

        if (len == 0 || len >= sizeof(key))
            return cli_error(c->cli, CLI_USAGE, NULL, "--meta takes KEY=VALUE");
        memcpy(key, list->items[i], len);
        key[len] = '\0';
        if (key[0] == ':' || cell_meta_append(meta, key, equals + 1, strlen(equals + 1)) < 0)
            return cli_error(c->cli, CLI_USAGE, "keys are lower-case letters, digits, '.', '_' and '-'",
                             "--meta: '%s' cannot be sent", key);
    }
    if (!cell_buffer_ok(meta))
        return cli_error(c->cli, CLI_FAILED, NULL, "out of memory");
    if (meta->len > 0 && cell_meta_check((const uint8_t *)meta->data, meta->len, &e) < 0)
        return cli_error(c->cli, CLI_USAGE, NULL, "--meta: %s", e.text);
    return CLI_OK;
}

static int answered(struct call *c, const struct cell_link_reply *reply)
{
    return reply->code < 0 ? refused(c, reply) : succeeded(c, reply);
}

static int send_stream(struct call *c, struct cell_link *l, const struct cell_buffer *meta,
                       const struct cell_buffer *message, uint64_t timeout_ms)
{
    struct cell_link_reply reply;
    bool replied = false;

    cli_progress(c->cli, "%s", "");
    int r = call_stream(c, l, meta, message, timeout_ms, &reply, &replied);
    return replied ? answered(c, &reply) : r;
}

static int send_https(struct call *c, const struct cell_buffer *meta, uint64_t timeout_ms)
{
    struct cell_buffer got_meta = {0}, got_message = {0};
    struct cell_link_reply reply;
    struct cell_error e = {0};
    bool replied = true;
    int r;

    if (c->descriptor->stream) {
        cli_progress(c->cli, "%s", "");
        r = call_https_stream(c, meta, timeout_ms, &got_meta, &got_message, &reply, &replied, &e);
    } else {
        r = call_https(c, meta, timeout_ms, &got_meta, &got_message, &reply, &e);
        cli_progress(c->cli, "%s", "");
    }
    if (replied)
        r = r < 0 ? call_failed(c, r, e.text, NULL) : answered(c, &reply);
    cell_buffer_free(&got_meta);
    cell_buffer_free(&got_message);
    return r;
}

static int send_call(struct call *c, const struct cell_buffer *meta, const struct cell_buffer *message,
                     uint64_t timeout_ms)
{
    uint64_t deadline = timeout_ms ? cell_now_ns() + timeout_ms * CELL_NS_PER_MS : CELL_NO_DEADLINE;
    struct cell_error e = {0};
    struct cell_link *l = NULL;
    struct cell_link_reply reply;

    cli_progress(c->cli, "calling %s …", c->descriptor->name);
    if (cell_config_is_remote(c->address))
        return send_https(c, meta, timeout_ms);
    int r =
        cell_link_open(c->address, c->cell, CELL_CHANNEL_APP, c->schema->fingerprint, c->any_owner, deadline, &l, &e);
    if (r >= 0 && c->descriptor->stream) {
        r = send_stream(c, l, meta, message, timeout_ms);
        cell_link_close(l);
        return r;
    }
    if (r >= 0)
        r = cell_link_request(l, (int32_t)c->id, meta->data, meta->len, message->data, message->len,
                              (uint32_t)timeout_ms, deadline, &reply, &e);
    cli_progress(c->cli, "%s", "");
    if (r < 0)
        r = call_failed(c, r, e.text, NULL);
    else
        r = answered(c, &reply);
    cell_link_close(l);
    return r;
}

static int perform(struct call *c, const struct cli_args *args, const struct cli_list *meta_list, uint64_t timeout_ms)
{
    const char *method = strchr(args->items[0], '.') + 1;
    struct cell_buffer meta = {0}, message = {0};
    struct cell_error e = {0};
    int r = learn_schema(c, timeout_ms);

    if (r == CLI_OK)
        r = find_method(c, method);
    if (r == CLI_OK)
        r = add_metadata(c, meta_list, &meta);
    if (r == CLI_OK)
        r = call_read_arguments(c, args->items + 1, args->n - 1);
    if (r == CLI_OK) {
        const struct cell_layout layout = {
            .fields = c->descriptor->in, .n = c->descriptor->nin, .size = c->descriptor->in_size};

        if (cell_message_encode(&layout, c->request, CELL_MAX_MESSAGE, &message, &e) < 0)
            r = call_bad_usage(c, e.text);
    }
    if (r == CLI_OK)
        r = send_call(c, &meta, &message, timeout_ms);
    cell_buffer_free(&meta);
    cell_buffer_free(&message);
    return r;
}

int call_method(struct cli *cli, const char *cell, const char *method, char **operands, int n, uint64_t timeout_ms,
                struct cell_buffer *reply)
{
    char *items[16] = {NULL}, name[256];
    struct cli_args args = {items, 1, 0};
    const struct cli_list no_metadata = {0};
    struct call c = {.cli = cli, .cell = cell, .into = reply};
    int r = CLI_FAILED;

    snprintf(name, sizeof(name), "%s.%s", cell, method);
    items[0] = name;
    for (; args.n <= n && args.n < 16; args.n++)
        items[args.n] = operands[args.n - 1];
    if (!cli_config(cli, false))
        return CLI_FAILED;
    c.any_owner = cli->config->trust_any_owner;
    c.address = cell_config_address(cli->config, cell);
    r = c.address ? perform(&c, &args, &no_metadata, timeout_ms) : cli_error(cli, CLI_FAILED, NULL, "out of memory");
    cell_schema_free(c.schema);
    cell_arena_free(&c.arena);
    return r;
}

int cmd_call(struct cli *cli, int argc, char **argv)
{
    const char *timeout = "5000", *address = NULL;
    struct cli_list meta = {0};
    const struct cli_option options[] = {{.name = "meta", .letter = 'H', .list = &meta},
                                         {.name = "timeout", .value = &timeout},
                                         {.name = "address", .value = &address}};
    struct call c = {.cli = cli};
    struct cli_args args;
    uint64_t timeout_ms;
    char name[CELL_MAX_CELL_NAME + 1];
    int r = cli_parse(cli, argc, argv, options, 3, &args);

    if (r == 0 && !cli_number(cli, "timeout", timeout, 0, UINT32_MAX - 1, &timeout_ms))
        r = CLI_USAGE;
    const char *dot = r == 0 && args.n > 0 ? strchr(args.items[0], '.') : NULL;
    if (r == 0 && (!dot || dot == args.items[0] || !dot[1] || dot - args.items[0] > (long)CELL_MAX_CELL_NAME))
        r = cli_error(cli, CLI_USAGE, "run `cell list`, then `cell schema CELL`",
                      "call takes CELL.METHOD and its arguments");
    if (r == 0 && !cli_config(cli, false))
        r = CLI_FAILED;
    if (r == 0) {
        snprintf(name, sizeof(name), "%.*s", (int)(dot - args.items[0]), args.items[0]);
        c.cell = name;
        c.any_owner = cli->config->trust_any_owner;
        c.address = address ? address : cell_config_address(cli->config, name);
        r = c.address ? perform(&c, &args, &meta, timeout_ms) : cli_error(cli, CLI_FAILED, NULL, "out of memory");
    }
    cell_schema_free(c.schema);
    cell_arena_free(&c.arena);
    cli_list_free(&meta);
    return r;
}
