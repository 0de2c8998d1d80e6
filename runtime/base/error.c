/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

struct status_entry {
    int value;
    const char *name, *text;
};

static const struct status_entry status_table[] = {
#define STATUS_ENTRY(symbol, value, name, text) {symbol, name, text},
    CELL_STATUS_MAP(STATUS_ENTRY)
#undef STATUS_ENTRY
};

static const struct status_entry *find_status(int status)
{
    for (size_t i = 0; i < sizeof(status_table) / sizeof(status_table[0]); i++)
        if (status_table[i].value == status)
            return &status_table[i];
    return NULL;
}

const char *cell_status_name(int status)
{
    if (status >= 0)
        return "ok";
    const struct status_entry *s = find_status(status);
    return s ? s->name : find_status(CELL_UNKNOWN)->name;
}

const char *cell_status_text(int status)
{
    if (status >= 0)
        return "success";
    const struct status_entry *s = find_status(status);
    return s ? s->text : find_status(CELL_UNKNOWN)->text;
}

/* Removes an incomplete UTF-8 sequence from the end of a text that was cut. Anything else stays: the text may quote
 * bytes that never were UTF-8. */
static void drop_partial_character(char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)text[len - back];
        if (c < 0x80)
            return;
        if (c >= 0xc0) {
            size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            if (need > back)
                text[len - back] = '\0';
            return;
        }
    }
}

/* Formats at `used` of a text of CELL_ERROR_TEXT bytes; returns the new length, cut if need be. */
static size_t format_at(char *text, size_t used, const char *format, va_list args)
{
    int n = vsnprintf(text + used, CELL_ERROR_TEXT - used, format, args);
    if (n < 0) {
        text[used] = '\0';
        return used;
    }
    if ((size_t)n < CELL_ERROR_TEXT - used)
        return used + (size_t)n;
    drop_partial_character(text, CELL_ERROR_TEXT - 1);
    return strlen(text);
}

__attribute__((format(printf, 3, 4))) static size_t add(char *text, size_t used, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t len = format_at(text, used, format, args);
    va_end(args);
    return len;
}

/* All of these format into a local first: an argument may be the text of the same error. */
int cell_error_vset(struct cell_error *e, int status, const char *format, va_list args)
{
    char text[CELL_ERROR_TEXT];
    if (!e)
        return status;
    size_t len = format_at(text, 0, format, args);
    memcpy(e->text, text, len + 1);
    e->status = status;
    return status;
}

int cell_error_set(struct cell_error *e, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cell_error_vset(e, status, format, args);
    va_end(args);
    return status;
}

int cell_error_errno(struct cell_error *e, int status, int errnum, const char *format, ...)
{
    char text[CELL_ERROR_TEXT], reason[128];
    va_list args;
    if (!e)
        return status;
    va_start(args, format);
    size_t len = format_at(text, 0, format, args);
    va_end(args);
    len = add(text, len, ": %s", strerror_r(errnum, reason, sizeof(reason)));
    memcpy(e->text, text, len + 1);
    e->status = status;
    return status;
}

int cell_error_wrap(struct cell_error *e, const char *format, ...)
{
    char text[CELL_ERROR_TEXT];
    va_list args;
    if (!e)
        return CELL_UNKNOWN; /* there is no status to read; it must not look like success */
    va_start(args, format);
    size_t len = format_at(text, 0, format, args);
    va_end(args);
    len = add(text, len, ": %s", e->text);
    memcpy(e->text, text, len + 1);
    return e->status;
}
