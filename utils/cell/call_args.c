/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The arguments of `cell call`: NAME=VALUE, NAME=@FILE, NAME=@- (standard input; asked for without echo on a terminal),
 * NAME:=JSON and NAME:=@FILE. Secrets need not stand on the command line, where every process can read them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "call.h"
#include "schema_text.h"

int call_bad_usage(struct call *c, const char *text)
{
    struct cell_buffer b = {0};

    cell_buffer_puts(&b, "usage: cell call ");
    schema_call_signature(&b, c->schema, c->method);
    int r = cli_error(c->cli, CLI_USAGE, cell_buffer_ok(&b) ? b.data : NULL, "%s", text);
    cell_buffer_free(&b);
    return r;
}

/* ---- where a value comes from ---- */

/* One line from the terminal, not shown. Ctrl-C arrives as a byte meanwhile, so that the terminal is always
 * restored. */
static int read_terminal(const char *name, struct cell_buffer *b, struct cell_error *e)
{
    struct termios before, quiet;
    char c = '\0';
    ssize_t n;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot use the terminal");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG | ICANON);
    /* Before the prompt: what is typed as soon as it appears must not be shown. */
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot hide what is typed");
    fprintf(stderr, "%s: ", name);
    fflush(stderr);
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n' && c != '\r' && c != 3 && c != 4) {
        if (c == before.c_cc[VERASE] && b->len > 0)
            b->len--;
        else if (c != before.c_cc[VERASE])
            cell_buffer_append(b, &c, 1);
    }
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return n == 1 && c == 3 ? cell_error_set(e, CELL_CANCELLED, "interrupted") : CELL_OK;
}

static int read_stream(FILE *f, const char *name, struct cell_buffer *b, struct cell_error *e)
{
    char bytes[65536];
    size_t n;

    while (b->len <= CELL_MAX_MESSAGE && (n = fread(bytes, 1, sizeof(bytes), f)) > 0)
        cell_buffer_append(b, bytes, n);
    memset(bytes, 0, sizeof(bytes));
    if (ferror(f))
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", name);
    if (b->len > CELL_MAX_MESSAGE)
        return cell_error_set(e, CELL_TOO_LARGE, "%s holds more than a message can carry", name);
    return CELL_OK;
}

/* Reads a file, or standard input for "-", into the arena. */
static int read_source(struct call *c, const char *path, const char *name, const char **text, size_t *len,
                       struct cell_error *e)
{
    bool standard = strcmp(path, "-") == 0;
    struct cell_buffer b = {0};
    int r;

    if (standard && c->stdin_read)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "standard input was read for another argument already");
    if (standard) {
        c->stdin_read = true;
        r = isatty(STDIN_FILENO) ? read_terminal(name, &b, e) : read_stream(stdin, "standard input", &b, e);
    } else {
        FILE *f = fopen(path, "re");

        r = f ? read_stream(f, path, &b, e) : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
        if (f)
            fclose(f);
    }
    if (r >= 0) {
        *text = cell_buffer_ok(&b) ? cell_arena_copy(&c->arena, b.data ? b.data : "", b.len) : NULL;
        *len = b.len;
        if (!*text)
            r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    cell_buffer_free(&b);
    return r;
}

static bool holds_bytes(const struct cell_field *f)
{
    return f->count ? f->type->kind == CELL_KIND_U8 : f->type->kind == CELL_KIND_BYTES;
}

/* Of bytes every one counts; a text loses one line end, which the editor or `echo` has added; else white space at the
 * end means nothing. */
static void trim(const struct cell_field *f, bool json, const char *text, size_t *len)
{
    if (!json && holds_bytes(f))
        return;
    if (!json && !f->count && f->type->kind == CELL_KIND_STR) {
        *len -= *len > 0 && text[*len - 1] == '\n';
        *len -= *len > 0 && text[*len - 1] == '\r';
        return;
    }
    while (*len > 0 && strchr(" \t\r\n", text[*len - 1]) && text[*len - 1])
        --*len;
}

/* Replaces "@FILE" by what it stands for; "@@…" is a value that begins with one @. */
static int resolve(struct call *c, const struct cell_field *f, bool json, const char **text, size_t *len,
                   bool *from_file, struct cell_error *e)
{
    *from_file = false;
    if ((*text)[0] != '@')
        return CELL_OK;
    if ((*text)[1] == '@') {
        ++*text;
        --*len;
        return CELL_OK;
    }
    *from_file = true;
    int r = read_source(c, *text + 1, f->name, text, len, e);
    if (r >= 0)
        trim(f, json, *text, len);
    return r;
}

/* ---- one argument ---- */

/* The bytes of a file, as they are. */
static int raw_bytes(const struct cell_field *f, const char *text, size_t len, void *out, struct cell_error *e)
{
    const cell_bytes bytes = {(const uint8_t *)text, len};

    if (f->count && len != f->count)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "it needs %u bytes, there are %zu", f->count, len);
    if (f->count)
        memcpy(out, text, len);
    else
        memcpy(out, &bytes, sizeof(bytes));
    return CELL_OK;
}

static int report(struct call *c, uint32_t i, int status, const struct cell_error *e)
{
    char message[CELL_ERROR_TEXT + 400], type[192];
    uint32_t at = 0;

    if (status == CELL_CANCELLED)
        return cli_error(c->cli, CLI_INTERRUPTED, NULL, "%s", e->text);
    /* The descriptor's in parameters are the schema's without the out parameters and the stream. */
    for (uint32_t in = 0; at < c->method->nparams; at++)
        if (!c->method->params[at].out && !c->method->params[at].stream && in++ == i)
            break;
    cell_schema_ref_format(&c->method->params[at].type, type, sizeof(type));
    snprintf(message, sizeof(message), "argument '%s' (%s): %s", c->descriptor->in[i].name, type, e->text);
    return status == CELL_INVALID_ARGUMENT ? call_bad_usage(c, message)
                                           : cli_error(c->cli, CLI_FAILED, NULL, "%s", message);
}

static int set_argument(struct call *c, uint32_t i, const char *text, bool json)
{
    const struct value_env env = {.arena = &c->arena};
    const struct cell_field *f = &c->descriptor->in[i];
    struct cell_error e = {0};
    size_t len = strlen(text);
    char *out = (char *)c->request + f->offset;
    bool from_file = false;

    if (f->flags & CELL_FIELD_REF) {
        struct cell_ref ref = {cell_arena_array(&c->arena, f->count ? f->count : 1, f->type->size),
                               f->count ? f->count : 1};

        if (!ref.ptr)
            return cli_error(c->cli, CLI_FAILED, NULL, "out of memory");
        memcpy(out, &ref, sizeof(ref));
        out = (char *)(uintptr_t)ref.ptr;
    }
    int r = resolve(c, f, json, &text, &len, &from_file, &e);
    if (r >= 0 && json)
        r = cell_value_json(&env, f->type, f->count, text, len, out, &e);
    else if (r >= 0 && from_file && holds_bytes(f))
        r = raw_bytes(f, text, len, out, &e);
    else if (r >= 0)
        r = cell_value_text(&env, f->type, f->count, text, len, out, &e);
    if (r < 0)
        return report(c, i, r, &e);
    c->given[i] = true;
    return CLI_OK;
}

static int unknown_argument(struct call *c, const char *name)
{
    const struct cell_method *d = c->descriptor;
    const char **names = cell_arena_array(&c->arena, d->nin + 1, sizeof(*names));
    char message[400];

    for (uint32_t i = 0; names && i < d->nin; i++)
        names[i] = d->in[i].name;
    const char *near = names ? cell_suggest(name, names, d->nin) : NULL;
    snprintf(message, sizeof(message), "%s has no argument '%.100s'%s%s%s", d->name, name,
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return call_bad_usage(c, message);
}

static int read_argument(struct call *c, const char *operand)
{
    const char *equals = strchr(operand, '=');
    char name[CELL_MAX_NAME + 2], message[400];

    if (!equals || equals == operand) {
        /* Not repeated: it may be a secret that was meant as a value. */
        return call_bad_usage(c, "an argument is written NAME=VALUE");
    }
    bool json = equals[-1] == ':';
    snprintf(name, sizeof(name), "%.*s", (int)(equals - operand) - json, operand);
    for (uint32_t i = 0; i < c->descriptor->nin; i++) {
        if (strcmp(c->descriptor->in[i].name, name) != 0)
            continue;
        if (!c->given[i])
            return set_argument(c, i, equals + 1, json);
        snprintf(message, sizeof(message), "argument '%s' is given twice", name);
        return call_bad_usage(c, message);
    }
    return unknown_argument(c, name);
}

int call_read_arguments(struct call *c, char **operands, int n)
{
    const struct cell_method *d = c->descriptor;
    char message[400];

    c->request = cell_arena_alloc(&c->arena, d->in_size);
    c->given = cell_arena_array(&c->arena, d->nin + 1, sizeof(*c->given));
    if (!c->request || !c->given)
        return cli_error(c->cli, CLI_FAILED, NULL, "out of memory");
    for (int i = 0; i < n; i++) {
        int r = read_argument(c, operands[i]);

        if (r != CLI_OK)
            return r;
    }
    for (uint32_t i = 0; i < d->nin; i++) {
        bool optional = d->in[i].type->kind == CELL_KIND_OPT && !(d->in[i].flags & CELL_FIELD_REF);

        if (c->given[i] || optional)
            continue;
        snprintf(message, sizeof(message), "argument '%s' of %s is missing", d->in[i].name, d->name);
        return call_bad_usage(c, message);
    }
    return CLI_OK;
}
