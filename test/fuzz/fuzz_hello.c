/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The greeting of a peer: one byte that chooses HELLO or WELCOME and a code, then the metadata. */
#include "fuzz.h"
#include "hex_seed.h"

#include "wire/hello.h"
#include "wire/message.h"

static void check_shown(const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    EXPECT(len < size && cell_utf8_valid(text, len));
    for (size_t i = 0; i < len; i++)
        EXPECT((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_greeting g = {0}, again = {0};
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    size_t len;
    uint8_t *bytes = hex_seed(data, size, &len);
    if (len > 0 && len <= UINT16_MAX) {
        enum cell_frame_kind kind = bytes[0] & 1 ? CELL_FRAME_WELCOME : CELL_FRAME_HELLO;
        struct cell_frame f = {.kind = (uint8_t)kind,
                               .length = (uint32_t)len - 1,
                               .meta_len = (uint16_t)(len - 1),
                               .code = kind == CELL_FRAME_WELCOME ? -(bytes[0] >> 1) : 0};
        int r = cell_greeting_decode(&f, bytes + 1, &g, &e);
        EXPECT(r == CELL_OK || (r == e.status && e.text[0]));
        check_shown(g.message, sizeof(g.message));
        check_shown(g.program, sizeof(g.program));
        /* What was understood can be said again, and is understood in the same way. */
        if (r == CELL_OK) {
            EXPECT(cell_greeting_encode(&g, kind, 0, &f, &b, &e) == CELL_OK);
            EXPECT(cell_greeting_decode(&f, (uint8_t *)b.data, &again, &e) == CELL_OK);
            EXPECT(strcmp(g.cell, again.cell) == 0 && strcmp(g.fingerprint, again.fingerprint) == 0);
            EXPECT(g.code == again.code);
            EXPECT(g.code >= 0 || strcmp(g.message, again.message) == 0);
        }
    }
    cell_buffer_free(&b);
    free(bytes);
    return 0;
}
