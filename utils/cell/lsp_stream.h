/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * LSP's framing ("Content-Length: N", blank line, N bytes) over descriptors that do not block. What is read is kept
 * byte for byte; what is written waits in a queue. Both are bounded: who reads stops while the other side does not
 * take.
 */
#ifndef CELL_CLI_LSP_STREAM_H
#define CELL_CLI_LSP_STREAM_H

#include "base/buffer.h"
#include "base/error.h"

#define LSP_MAX_HEADER 4096u
#define LSP_MAX_MESSAGE (128u << 20)
#define LSP_MAX_QUEUE (4u << 20) /* more is queued only by the message that passes it */

struct lsp_in {
    struct cell_buffer b;
    size_t taken; /* of b.data: messages that were handed out */
};

struct lsp_message {
    const char *frame; /* header and body as they came; valid until the next lsp_in_read */
    size_t frame_len;
    const char *body;
    size_t body_len;
};

/* Reads what is there. 1: something came, or nothing for now; 0: the end; else CELL_IO_ERROR or CELL_NO_MEMORY. */
int lsp_in_read(struct lsp_in *in, int fd, struct cell_error *e);
/* The next whole message: 1, 0 = not yet, CELL_PROTOCOL_ERROR for what is no framing or passes a limit. */
int lsp_in_next(struct lsp_in *in, struct lsp_message *m, struct cell_error *e);
void lsp_in_free(struct lsp_in *in);

struct lsp_out {
    struct cell_buffer b;
    size_t sent;
};

void lsp_out_put(struct lsp_out *out, const void *bytes, size_t len);
/* Puts `body` with a header before it. */
void lsp_out_put_body(struct lsp_out *out, const char *body, size_t len);
/* Writes what the descriptor takes. CELL_OK; CELL_UNAVAILABLE when the reader has gone; CELL_IO_ERROR; CELL_NO_MEMORY
 * when something that was put did not fit in memory. */
int lsp_out_write(struct lsp_out *out, int fd, struct cell_error *e);
static inline size_t lsp_out_pending(const struct lsp_out *out) { return out->b.len - out->sent; }
void lsp_out_free(struct lsp_out *out);

#endif
