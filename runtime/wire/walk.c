/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CUT "\xe2\x80\xa6" /* an ellipsis */

int cell_walk_fail(struct cell_walk *w, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(w->reason, sizeof(w->reason), format, args);
    va_end(args);
    w->status = status;
    return status;
}

static void prepend(struct cell_walk *w, const char *text)
{
    size_t len = strlen(text);
    bool dot = w->path[w->begin] != '\0' && w->path[w->begin] != '[';
    if (strncmp(w->path + w->begin, CUT, strlen(CUT)) == 0)
        return;
    if (len + dot + strlen(CUT) > w->begin) {
        text = CUT;
        len = strlen(CUT);
        dot = false;
    }
    if (dot)
        w->path[--w->begin] = '.';
    w->begin -= len;
    memcpy(w->path + w->begin, text, len);
}

void cell_walk_name(struct cell_walk *w, const char *name) { prepend(w, name); }

void cell_walk_index(struct cell_walk *w, uint64_t index)
{
    char text[24];
    snprintf(text, sizeof(text), "[%" PRIu64 "]", index);
    prepend(w, text);
}

int cell_walk_error(const struct cell_walk *w, struct cell_error *e)
{
    if (!w->path[w->begin])
        return cell_error_set(e, w->status, "%s", w->reason);
    return cell_error_set(e, w->status, "%s: %s", w->path + w->begin, w->reason);
}

bool cell_walk_plain(const struct cell_type *type)
{
    uint64_t end = 0;
    switch (type->kind) {
    case CELL_KIND_I8:
    case CELL_KIND_U8:
    case CELL_KIND_I16:
    case CELL_KIND_U16:
    case CELL_KIND_I32:
    case CELL_KIND_U32:
    case CELL_KIND_I64:
    case CELL_KIND_U64:
    case CELL_KIND_F32:
    case CELL_KIND_F64:
    case CELL_KIND_ENUM:
        return true;
    case CELL_KIND_STRUCT:
        for (uint32_t i = 0; i < type->nfields; i++) {
            const struct cell_field *f = &type->fields[i];
            if (f->flags & ~CELL_FIELD_RULED || f->offset != end || !cell_walk_plain(f->type))
                return false;
            end += (uint64_t)f->type->size * (f->count ? f->count : 1);
        }
        return end == type->size;
    default:
        return false;
    }
}

uint32_t cell_walk_runs(const struct cell_type *type, struct cell_run *runs)
{
    uint32_t n = 0;
    for (uint32_t i = 0; type->kind == CELL_KIND_STRUCT && i < type->nfields; i++) {
        const struct cell_field *f = &type->fields[i];
        bool plain = !(f->flags & CELL_FIELD_REF) && cell_walk_plain(f->type);
        uint32_t size = plain ? f->type->size * (f->count ? f->count : 1) : 0;
        if (plain && n && !runs[n - 1].field && runs[n - 1].offset + runs[n - 1].size == f->offset) {
            runs[n - 1].size += size;
            continue;
        }
        if (n == CELL_WALK_RUNS)
            return 0;
        runs[n++] = (struct cell_run){plain ? NULL : f, f->offset, size};
    }
    return n;
}
