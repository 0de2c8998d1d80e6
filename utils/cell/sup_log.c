/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a cell prints: a file with one older generation, and the last bytes in memory for error messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define LOG_LIMIT (10u << 20)

/* Bytes after which a log is rotated; CELL_LOG_LIMIT overrides it. */
static uint64_t log_limit(void)
{
    const char *text = getenv("CELL_LOG_LIMIT");
    unsigned long long value = text ? strtoull(text, NULL, 10) : 0;

    return value >= 1024 ? value : LOG_LIMIT;
}

static int open_file(struct sup_log *l)
{
    struct stat st;

    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0)
        return -1;
    l->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

int log_open(struct sup_log *l, const char *dir, const char *name, bool echo, struct cell_error *e)
{
    struct cell_buffer path = {0};

    *l = (struct sup_log){.fd = -1, .echo = echo, .name = name};
    cell_buffer_printf(&path, "%s/%s.log", dir, name);
    if (!cell_buffer_ok(&path)) {
        cell_buffer_free(&path);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    l->path = path.data;
    if (open_file(l) < 0) {
        int r = cell_error_errno(e, CELL_IO_ERROR, errno, "cannot write the log %s", l->path);
        log_close(l);
        return r;
    }
    return CELL_OK;
}

static void rotate(struct sup_log *l)
{
    struct cell_buffer old = {0};

    cell_buffer_printf(&old, "%s.1", l->path);
    close(l->fd);
    l->fd = -1;
    if (cell_buffer_ok(&old))
        rename(l->path, old.data); /* when it fails, the log goes on in the same file */
    cell_buffer_free(&old);
    open_file(l);
}

/* A full disk must not stop the cell: what cannot be written is lost. */
static void append(struct sup_log *l, const char *bytes, size_t len)
{
    if (l->fd >= 0 && l->size + len > log_limit() && l->size > 0)
        rotate(l);
    while (l->fd >= 0 && len > 0) {
        ssize_t n = write(l->fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        l->size += (uint64_t)n;
        bytes += n;
        len -= (size_t)n;
    }
}

static void echo_line(struct sup_log *l)
{
    struct cell_buffer b = {0};

    cell_buffer_printf(&b, "%s | ", l->name);
    cli_safe(&b, l->line, l->line_len);
    cell_buffer_puts(&b, "\n");
    if (cell_buffer_ok(&b))
        fwrite(b.data, 1, b.len, stdout);
    fflush(stdout);
    cell_buffer_free(&b);
    l->line_len = 0;
}

static void echo(struct sup_log *l, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' || l->line_len == sizeof(l->line))
            echo_line(l);
        if (bytes[i] != '\n')
            l->line[l->line_len++] = bytes[i];
    }
}

void log_write(struct sup_log *l, const char *bytes, size_t len)
{
    append(l, bytes, len);
    if (l->echo)
        echo(l, bytes, len);
    if (len >= sizeof(l->tail)) {
        memcpy(l->tail, bytes + len - sizeof(l->tail), sizeof(l->tail));
        l->tail_len = sizeof(l->tail);
        return;
    }
    if (l->tail_len + len > sizeof(l->tail)) {
        size_t drop = l->tail_len + len - sizeof(l->tail);
        memmove(l->tail, l->tail + drop, l->tail_len - drop);
        l->tail_len -= drop;
    }
    memcpy(l->tail + l->tail_len, bytes, len);
    l->tail_len += len;
}

void log_note(struct sup_log *l, const char *format, ...)
{
    char text[512], line[600], when[32];
    time_t now = time(NULL);
    struct tm tm;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    int n = snprintf(line, sizeof(line), "--- %s cell up: %s\n", when, text);
    append(l, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
    if (l->echo) {
        if (l->line_len)
            echo_line(l);
        echo(l, "--- ", 4);
        echo(l, text, strlen(text));
        echo(l, "\n", 1);
    }
}

void log_forget_tail(struct sup_log *l)
{
    if (l->echo && l->line_len)
        echo_line(l);
    l->tail_len = 0;
}

void log_close(struct sup_log *l)
{
    if (l->echo && l->line_len)
        echo_line(l);
    if (l->fd >= 0)
        close(l->fd);
    free(l->path);
    l->fd = -1;
    l->path = NULL;
}
