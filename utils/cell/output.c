/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Messages, colours, progress, and the JSON writer. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cell/errors.h"
#include "cli.h"
#include "wire/message.h"

static bool progress_shown;
static int output_errno; /* why standard output failed first */

static void flush_output(void)
{
    if (fflush(stdout) != 0 && !output_errno)
        output_errno = errno;
}

const char *cli_style(const struct cli *cli, FILE *stream, enum cli_style style)
{
    static const char *const sequences[] = {"\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m", "\033[2m"};
    bool on = stream == stdout ? cli->color_out : cli->color;

    return on ? sequences[style] : "";
}

static void progress_clear(void)
{
    if (progress_shown) {
        fputs("\r\033[K", stderr);
        progress_shown = false;
    }
}

void cli_progress(struct cli *cli, const char *format, ...)
{
    struct winsize size = {0};
    char text[256];
    va_list args;

    if (cli->json || !isatty(STDERR_FILENO))
        return;
    progress_clear();
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!text[0])
        return;
    /* A line that wraps could not be removed again. */
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    fprintf(stderr, "%.*s", width, text);
    fflush(stderr);
    progress_shown = true;
}

/* The bytes of the code point at `text` when it is well-formed, or 0. */
static size_t utf8_length(const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return n <= len && cell_utf8_valid(text, n) ? n : 0;
}

/* The code point of `n` well-formed bytes when it steers a terminal or deceives a reader: C0, DEL, C1, line and
 * paragraph separator, and what changes the direction of text. Else 0 (U+0000 is 0x110000 here). */
static uint32_t harmful(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t c = n == 1   ? p[0]
                 : n == 2 ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
                 : n == 3 ? (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu)
                          : 0xffff;

    if (c == 0)
        return 0x110000;
    bool bad = c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return bad ? c : 0;
}

void cli_safe(struct cell_buffer *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        if (n > 0 && (!harmful(text + i, n) || text[i] == '\n' || text[i] == '\t')) {
            cell_buffer_append(out, text + i, n);
        } else {
            n = n ? n : 1;
            for (size_t k = 0; k < n; k++)
                cell_buffer_printf(out, "\\x%02x", (unsigned char)text[i + k]);
        }
        i += n;
    }
}

void cli_write(const char *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, stdout) != len && !output_errno)
        output_errno = errno;
}

void cli_print_safe(FILE *stream, const char *text)
{
    struct cell_buffer b = {0};

    cli_safe(&b, text, strlen(text));
    if (cell_buffer_ok(&b) && b.len)
        fwrite(b.data, 1, b.len, stream);
    cell_buffer_free(&b);
}

/* One line on stderr: "cell: " and the text, made safe. */
static void say(struct cli *cli, enum cli_style style, const char *label, const char *text)
{
    flush_output();
    progress_clear();
    if (label[0])
        fprintf(stderr, "%s%s%s ", cli_style(cli, stderr, style), label, cli_style(cli, stderr, CLI_PLAIN));
    cli_print_safe(stderr, text);
    fputc('\n', stderr);
}

static void vsay(struct cli *cli, enum cli_style style, const char *label, const char *format, va_list args)
{
    struct cell_buffer b = {0};

    cell_buffer_vprintf(&b, format, args);
    say(cli, style, label, cell_buffer_ok(&b) && b.data ? b.data : format);
    cell_buffer_free(&b);
}

static void complain(struct cli *cli, const char *hint, const char *text)
{
    say(cli, CLI_RED, "cell:", text);
    if (hint)
        say(cli, CLI_DIM, "  help:", hint);
}

void cli_complain(struct cli *cli, const char *hint, const char *format, ...)
{
    struct cell_buffer b = {0};
    va_list args;

    va_start(args, format);
    cell_buffer_vprintf(&b, format, args);
    va_end(args);
    complain(cli, hint, cell_buffer_ok(&b) && b.data ? b.data : "out of memory");
    cell_buffer_free(&b);
}

int cli_error(struct cli *cli, int code, const char *hint, const char *format, ...)
{
    struct cell_buffer b = {0};
    va_list args;

    va_start(args, format);
    cell_buffer_vprintf(&b, format, args);
    va_end(args);
    const char *text = cell_buffer_ok(&b) && b.data ? b.data : "out of memory";
    complain(cli, hint, text);
    if (cli->json && !cli->reported) {
        struct cli_json j = {0};

        out_begin(&j, NULL, '{');
        out_begin(&j, "error", '{');
        out_int(&j, "exit", code);
        out_str(&j, "message", text);
        out_str(&j, "hint", hint);
        out_end(&j, '}');
        out_end(&j, '}');
        out_print(cli, &j);
        cli->reported = true;
    }
    cell_buffer_free(&b);
    return code;
}

int cli_exit_of(int status)
{
    return status == CELL_UNAVAILABLE || status == CELL_NOT_FOUND || status == CELL_DEADLINE_EXCEEDED ? CLI_UNAVAILABLE
                                                                                                      : CLI_FAILED;
}

int cli_flush(struct cli *cli)
{
    flush_output();
    if (!output_errno && !ferror(stdout))
        return CLI_OK;
    if (!cli->write_failed && output_errno != EPIPE)
        fprintf(stderr, "cell: cannot write the output: %s\n", strerror(output_errno ? output_errno : EIO));
    cli->write_failed = true;
    return CLI_FAILED;
}

void cli_warn(struct cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsay(cli, CLI_YELLOW, "cell: warning:", format, args);
    va_end(args);
}

void cli_say(struct cli *cli, const char *format, ...)
{
    va_list args;

    if (cli->json)
        return;
    va_start(args, format);
    vsay(cli, CLI_PLAIN, "", format, args);
    va_end(args);
}

const char *cli_duration(uint64_t ms, char text[32])
{
    uint64_t s = ms / 1000;

    if (s < 60)
        snprintf(text, 32, "%" PRIu64 " s", s);
    else if (s < 3600)
        snprintf(text, 32, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, 32, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s / 60 % 60);
    else
        snprintf(text, 32, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    return text;
}

const char *cli_size(uint64_t bytes, char text[32])
{
    if (bytes < 1024 * 1024)
        snprintf(text, 32, "%" PRIu64 " KiB", (bytes + 1023) / 1024);
    else
        snprintf(text, 32, "%.1f MiB", (double)bytes / (1024 * 1024));
    return text;
}

/* ---- the JSON writer ---- */

static void escaped(struct cell_buffer *b, const char *text, size_t len)
{
    cell_buffer_puts(b, "\"");
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = utf8_length(text + i, len - i);

        if (n == 0) {
            cell_buffer_puts(b, "\xef\xbf\xbd");
            i++;
            continue;
        }
        if (c == '"' || c == '\\')
            cell_buffer_printf(b, "\\%c", c);
        else if (c == '\n')
            cell_buffer_puts(b, "\\n");
        else if (harmful(text + i, n))
            cell_buffer_printf(b, "\\u%04x", (unsigned)(harmful(text + i, n) & 0xffff));
        else
            cell_buffer_append(b, text + i, n);
        i += n;
    }
    cell_buffer_puts(b, "\"");
}

/* A string for people stands bare when nothing in it can be misread. */
static bool is_plain(const char *text, size_t len)
{
    if (len == 0 || text[0] == ' ' || text[len - 1] == ' ' || strchr("\"[{", text[0]))
        return false;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        if (n == 0 || harmful(text + i, n))
            return false;
        i += n;
    }
    return true;
}

/* What goes before a member or an element: in the text form its line, indentation and "key:" or "-". */
static void text_element(struct cli_json *j, const char *key)
{
    if (j->depth == 0)
        return;
    if (!j->inlined) {
        if (j->b.len > 0)
            cell_buffer_puts(&j->b, "\n");
        for (unsigned i = 1; i < j->depth; i++)
            cell_buffer_puts(&j->b, "  ");
    }
    j->inlined = false;
    if (!key) {
        cell_buffer_puts(&j->b, "- ");
        return;
    }
    cell_buffer_puts(&j->b, key);
    cell_buffer_puts(&j->b, ": ");
}

static void element(struct cli_json *j, const char *key)
{
    if (j->text)
        text_element(j, key);
    else if (j->depth > 0 && !j->first)
        cell_buffer_puts(&j->b, ",");
    j->first = false;
    if (key && !j->text) {
        escaped(&j->b, key, strlen(key));
        cell_buffer_puts(&j->b, ":");
    }
}

void out_begin(struct cli_json *j, const char *key, char bracket)
{
    element(j, key);
    if (!j->text)
        cell_buffer_append(&j->b, &bracket, 1);
    else if (key && cell_buffer_ok(&j->b))
        j->b.len--; /* what it holds goes to lines of its own */
    j->inlined = j->text && !key && j->depth > 0;
    j->depth++;
    j->first = true;
}

void out_end(struct cli_json *j, char bracket)
{
    j->depth--;
    if (!j->text)
        cell_buffer_append(&j->b, &bracket, 1);
    else if (j->first && j->depth > 0)
        cell_buffer_puts(&j->b, bracket == '}' ? " {}" : " []");
    j->first = j->inlined = false;
}

void out_str(struct cli_json *j, const char *key, const char *text)
{
    if (!text) {
        out_null(j, key);
        return;
    }
    out_strn(j, key, text, strlen(text));
}

void out_strn(struct cli_json *j, const char *key, const char *text, size_t len)
{
    element(j, key);
    if (j->text && is_plain(text, len))
        cell_buffer_append(&j->b, text, len);
    else
        escaped(&j->b, text, len);
}

void out_int(struct cli_json *j, const char *key, int64_t value)
{
    element(j, key);
    cell_buffer_printf(&j->b, "%" PRId64, value);
}

void out_uint(struct cli_json *j, const char *key, uint64_t value)
{
    element(j, key);
    cell_buffer_printf(&j->b, "%" PRIu64, value);
}

void out_bool(struct cli_json *j, const char *key, bool value)
{
    element(j, key);
    cell_buffer_puts(&j->b, value ? "true" : "false");
}

void out_null(struct cli_json *j, const char *key)
{
    element(j, key);
    cell_buffer_puts(&j->b, "null");
}

void out_raw(struct cli_json *j, const char *key, const char *json, size_t len)
{
    element(j, key);
    cell_buffer_append(&j->b, json, len);
}

int out_print(struct cli *cli, struct cli_json *j)
{
    bool ok = cell_buffer_ok(&j->b);

    progress_clear();
    if (j->b.len > 0 || !j->text)
        cell_buffer_puts(&j->b, "\n");
    if (ok && j->b.len > 0)
        cli_write(j->b.data, j->b.len);
    cell_buffer_free(&j->b);
    if (ok)
        return cli_flush(cli);
    fputs("cell: out of memory\n", stderr);
    return CLI_FAILED;
}
