/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/scan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAST (UINT32_C(64) << 10)
#define USUAL (UINT32_C(256) << 10) /* what is summed up is still in the cache */
#define MOST (UINT32_C(2) << 20)    /* more than the largest block */

void cell_scan_init(struct cell_scan *s, const char *folder, const struct cell_journal_format *format)
{
    *s = (struct cell_scan){.folder = folder, .format = format, .fd = -1, .capacity = LEAST};
}

void cell_scan_free(struct cell_scan *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->buffer);
    *s = (struct cell_scan){.fd = -1};
}

static int open_segment(struct cell_scan *s, uint64_t number, struct cell_error *e)
{
    if (s->fd >= 0 && s->number == number)
        return CELL_OK;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->length = 0;
    s->number = number;
    return cell_segment_open(s->folder, s->format, number, false, &s->fd, e);
}

/* Reads from `offset` on, as much as the buffer is for. */
static int fill(struct cell_scan *s, uint64_t offset, struct cell_error *e)
{
    uint64_t segment = s->format->segment_bytes, in = offset % segment;
    size_t n = s->capacity < segment - in ? s->capacity : (size_t)(segment - in);
    s->length = 0;
    if (!s->buffer && !(s->buffer = aligned_alloc(CELL_BLOCK_ALIGN, MOST)))
        return cell_error_set(e, CELL_NO_MEMORY, "no memory to read the journal");
    s->at = offset;
    return cell_read_at(s->fd, s->buffer, n, in, &s->length, e);
}

static enum cell_block_found look(struct cell_scan *s, uint64_t offset, bool sums, struct cell_block *b, uint64_t *size)
{
    *size = sizeof(*b);
    if (offset < s->at || offset - s->at >= s->length)
        return CELL_BLOCK_MORE;
    return cell_block_check(s->format, offset, s->buffer + (offset - s->at), s->length - (size_t)(offset - s->at), sums,
                            b, size);
}

int cell_scan_block(struct cell_scan *s, uint64_t offset, bool sums, enum cell_block_found *found, struct cell_block *b,
                    const uint8_t **payload, uint64_t *size, struct cell_error *e)
{
    int r = open_segment(s, offset / s->format->segment_bytes, e);
    if (r < 0)
        return r;
    bool follows = s->length && offset >= s->at && offset <= s->at + s->length;
    *found = look(s, offset, sums, b, size);
    if (*found != CELL_BLOCK_WHOLE) {
        /* What follows what was read is probably read on; who jumps needs little. */
        if (!follows)
            s->capacity = LEAST;
        else if (offset > s->at && s->capacity < USUAL)
            s->capacity *= 2;
        r = fill(s, offset, e);
        *found = r < 0 ? CELL_BLOCK_NONE : look(s, offset, sums, b, size);
    }
    if (r == CELL_OK && *found == CELL_BLOCK_MORE && s->capacity < *size) {
        s->capacity = MOST;
        r = fill(s, offset, e);
        *found = r < 0 ? CELL_BLOCK_NONE : look(s, offset, sums, b, size);
    }
    if (*found == CELL_BLOCK_MORE)
        *found = CELL_BLOCK_DAMAGED; /* the file ends in it */
    *payload = s->buffer + (offset - s->at) + sizeof(*b);
    return r;
}

int cell_scan_next(struct cell_scan *s, uint64_t *offset, bool *there, struct cell_block *b, struct cell_error *e)
{
    uint64_t number = *offset / s->format->segment_bytes, end = (number + 1) * s->format->segment_bytes, size;
    int r = open_segment(s, number, e);
    *there = false;
    s->capacity = MOST;
    s->length = 0;
    for (; r == CELL_OK && *offset < end; *offset += CELL_BLOCK_ALIGN) {
        enum cell_block_found found = look(s, *offset, true, b, &size);
        if (found == CELL_BLOCK_MORE) {
            r = fill(s, *offset, e);
            found = r < 0 ? CELL_BLOCK_NONE : look(s, *offset, true, b, &size);
        }
        *there = found == CELL_BLOCK_WHOLE;
        if (*there)
            break;
    }
    return r;
}

int cell_scan_zeros(struct cell_scan *s, uint64_t offset, bool *zeros, struct cell_error *e)
{
    uint64_t end = (offset / s->format->segment_bytes + 1) * s->format->segment_bytes;
    int r = open_segment(s, offset / s->format->segment_bytes, e);
    *zeros = true;
    s->capacity = MOST;
    while (r == CELL_OK && *zeros && offset < end) {
        r = fill(s, offset, e);
        if (r < 0 || s->length == 0)
            break;
        *zeros = s->buffer[0] == 0 && memcmp(s->buffer, s->buffer + 1, s->length - 1) == 0;
        offset += s->length;
    }
    s->length = 0;
    return r;
}
