/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The error trail of a context, its details, and how it is printed. */
#include "call.h"

#include <stdio.h>
#include <string.h>

int cell_status_normal(int status)
{
    switch (status) {
#define STATUS_CASE(symbol, value, name, text) case value:
        CELL_STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
        return status;
    default:
        return status < 0 ? CELL_UNKNOWN : status;
    }
}

int cell_fail(cell_ctx *c, int status, const char *format, ...)
{
    va_list args;
    status = status < 0 ? cell_status_normal(status) : CELL_UNKNOWN; /* success is no failure */
    if (!c)
        return status;
    va_start(args, format);
    cell_error_vset(&c->error, status, format, args);
    va_end(args);
    return status;
}

int cell_trail(cell_ctx *c, int status, const char *format, ...)
{
    struct cell_error context;
    va_list args;
    if (!c || status >= 0)
        return status;
    if (c->error.status != cell_status_normal(status))
        cell_error_set(&c->error, cell_status_normal(status), "%s", cell_status_text(status));
    va_start(args, format);
    cell_error_vset(&context, status, format, args);
    va_end(args);
    cell_error_wrap(&c->error, "%s", context.text);
    return status;
}

int cell_ctx_status(const cell_ctx *c) { return c ? c->error.status : CELL_NO_MEMORY; }

const char *cell_ctx_message(const cell_ctx *c) { return c ? c->error.text : cell_status_text(CELL_NO_MEMORY); }

int cell_perror(const cell_ctx *c, const char *what)
{
    int status = cell_ctx_status(c);
    const char *message = cell_ctx_message(c);
    if (status == CELL_OK)
        message = cell_status_text(CELL_OK);
    fprintf(stderr, "%s%s%s (%s)\n", what ? what : "", what && what[0] ? ": " : "", message, cell_status_name(status));
    return 1;
}

/* ---- details ---- */

static struct ctx_pair *find_detail(const cell_ctx *c, const char *type)
{
    for (struct ctx_pair *p = c->details; p; p = p->next)
        if (strcmp(p->key, type) == 0)
            return p;
    return NULL;
}

static bool type_valid(const char *type)
{
    return type && type[0] && strlen(type) <= CELL_MAX_NAME &&
           strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(type);
}

int cell_add_detail(cell_ctx *c, const char *type, cell_bytes value)
{
    if (!c)
        return CELL_NO_MEMORY;
    if (!type_valid(type) || (value.len && !value.ptr))
        return CELL_INVALID_ARGUMENT;
    struct ctx_pair *p = find_detail(c, type);
    size_t bytes = c->detail_bytes - (p ? strlen(type) + p->value.len : 0);
    if (c->ndetails >= CELL_MAX_DETAILS && !p)
        return CELL_TOO_LARGE;
    if (value.len > CELL_MAX_DETAIL_BYTES || bytes + strlen(type) + value.len > CELL_MAX_DETAIL_BYTES)
        return CELL_TOO_LARGE;
    char *copy = cell_arena_copy(&c->arena, value.ptr, (size_t)value.len);
    if (!copy)
        return CELL_NO_MEMORY;
    if (!p) {
        struct ctx_pair *added = cell_arena_alloc(&c->arena, sizeof(*added));
        char *key = cell_arena_copy(&c->arena, type, strlen(type));
        if (!added || !key)
            return CELL_NO_MEMORY;
        added->key = key;
        struct ctx_pair **last = &c->details;
        while (*last)
            last = &(*last)->next;
        *last = p = added;
        c->ndetails++;
    }
    p->value = (cell_str){copy, value.len};
    c->detail_bytes = bytes + strlen(type) + (size_t)value.len;
    return CELL_OK;
}

int cell_detail(const cell_ctx *c, const char *type, cell_bytes *value)
{
    if (!c)
        return CELL_NO_MEMORY;
    const struct ctx_pair *p = type ? find_detail(c, type) : NULL;
    if (!p)
        return CELL_NOT_FOUND;
    *value = (cell_bytes){(const uint8_t *)p->value.ptr, p->value.len};
    return CELL_OK;
}
