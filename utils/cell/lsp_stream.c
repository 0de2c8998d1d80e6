/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lsp_stream.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define READ_SIZE 65536u
#define KEEP_SIZE (1u << 20) /* memory of a larger message is given back after it */

/* Drops the first `n` bytes. Moving the rest is worth it when that is little. */
static void drop(struct cell_buffer *b, size_t *n)
{
    if (*n == b->len) {
        b->len = *n = 0;
        if (b->capacity > KEEP_SIZE)
            cell_buffer_free(b);
    } else if (*n > b->len / 2) {
        memmove(b->data, b->data + *n, b->len - *n);
        b->len -= *n;
        *n = 0;
    }
}

int lsp_in_read(struct lsp_in *in, int fd, struct cell_error *e)
{
    drop(&in->b, &in->taken);
    void *room = cell_buffer_reserve(&in->b, READ_SIZE);
    if (!room)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    ssize_t n = read(fd, room, READ_SIZE);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read");
    in->b.len += (size_t)n;
    return n > 0;
}

/* The length that a header line names; -1 = another header, -2 = one that is wrong. */
static long long read_length(const char *line, size_t len)
{
    static const char name[] = "content-length:";
    long long value = 0;
    size_t at = sizeof(name) - 1, digits = 0;

    if (!memchr(line, ':', len))
        return -2;
    if (len < at || strncasecmp(line, name, at) != 0)
        return -1;
    while (at < len && line[at] == ' ')
        at++;
    for (; at < len && line[at] >= '0' && line[at] <= '9' && digits < 12; at++, digits++)
        value = value * 10 + (line[at] - '0');
    while (at < len && line[at] == ' ')
        at++;
    return digits && at == len ? value : -2;
}

/* The length in the header of `len` bytes, which ends in an empty line; negative when it is wrong. */
static long long read_header(const char *header, size_t len)
{
    const char *end = header + len - 2;
    long long found = -1;

    while (header < end) {
        const char *line_end = memmem(header, (size_t)(end - header), "\r\n", 2);
        if (!line_end)
            return -2;
        long long length = read_length(header, (size_t)(line_end - header));
        if (length == -2 || (length >= 0 && found >= 0))
            return -2;
        found = length >= 0 ? length : found;
        header = line_end + 2;
    }
    return found;
}

int lsp_in_next(struct lsp_in *in, struct lsp_message *m, struct cell_error *e)
{
    const char *frame = in->b.data + in->taken;
    size_t there = in->b.len - in->taken;

    if (there == 0)
        return 0;
    size_t looked = there < LSP_MAX_HEADER ? there : LSP_MAX_HEADER;
    const char *blank = memmem(frame, looked, "\r\n\r\n", 4);
    if (!blank && looked == LSP_MAX_HEADER)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a header is longer than %u bytes", LSP_MAX_HEADER);
    if (!blank)
        return 0;
    size_t header = (size_t)(blank - frame) + 4;
    long long length = read_header(frame, header);
    if (length < 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a header has no usable Content-Length");
    if (length > LSP_MAX_MESSAGE)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a message of %lld bytes; at most %u are taken", length,
                              LSP_MAX_MESSAGE);
    if (there - header < (size_t)length)
        return 0;
    *m = (struct lsp_message){frame, header + (size_t)length, frame + header, (size_t)length};
    in->taken += m->frame_len;
    return 1;
}

void lsp_in_free(struct lsp_in *in) { cell_buffer_free(&in->b); }

void lsp_out_put(struct lsp_out *out, const void *bytes, size_t len) { cell_buffer_append(&out->b, bytes, len); }

void lsp_out_put_body(struct lsp_out *out, const char *body, size_t len)
{
    cell_buffer_printf(&out->b, "Content-Length: %zu\r\n\r\n", len);
    cell_buffer_append(&out->b, body, len);
}

int lsp_out_write(struct lsp_out *out, int fd, struct cell_error *e)
{
    if (!cell_buffer_ok(&out->b))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    while (lsp_out_pending(out) > 0) {
        ssize_t n = write(fd, out->b.data + out->sent, lsp_out_pending(out));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return errno == EPIPE ? cell_error_set(e, CELL_UNAVAILABLE, "the reader has gone")
                                  : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot write");
        out->sent += (size_t)n;
    }
    drop(&out->b, &out->sent);
    return CELL_OK;
}

void lsp_out_free(struct lsp_out *out) { cell_buffer_free(&out->b); }
