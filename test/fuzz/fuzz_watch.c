/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What `cell watch` draws of any answer, on a screen of any size (the first two bytes): nothing of the answer steers
 * the terminal, and no line is longer than the screen. */
// LINK: utils/cell/watch_shot.c utils/cell/watch_frame.c utils/cell/output.c
#include <string.h>

#include "../../utils/cell/watch.h"
#include "fuzz.h"

/* Bytes that a character of the screen begins with, and sequences of ours between them. */
static void check_frame(const struct cell_buffer *out, unsigned columns)
{
    unsigned width = 0;

    for (size_t i = 0; i < out->len; i++) {
        unsigned char c = (unsigned char)out->data[i];
        if (c == '\033') {
            EXPECT(out->data[i + 1] == '[');
            i += 1 + strspn(out->data + i + 2, "0123456789;") + 1;
            EXPECT(strchr("HKJm", out->data[i]));
            width = out->data[i] == 'H' ? 0 : width;
        } else if (c == '\n') {
            width = 0;
        } else if (c != '\r' && c != '\t') {
            EXPECT(c >= 0x20 && c != 0x7f);
            width += (c & 0xc0) != 0x80;
        }
        EXPECT(width <= columns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cli cli = {.command = "watch"};
    struct watch_shot *shot = NULL;
    struct cell_error e = {0};

    if (size < 2)
        return 0;
    const struct cell_buffer reply = {.data = (char *)(uintptr_t)(data + 2), .len = size - 2};
    if (watch_shot_read(&reply, &shot, &e) < 0) {
        EXPECT(e.status < 0 && e.text[0]);
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct watch_frame f = {&cli, shot, i ? shot : NULL, i ? "it is away \033[2J" : "", i ? 5 : -1};
        struct cell_buffer out = {0};
        watch_draw(&f, data[0] + 1u, data[1] + 1u, &out);
        EXPECT(cell_buffer_ok(&out));
        check_frame(&out, data[1] + 1u);
        cell_buffer_free(&out);
    }
    watch_shot_free(shot);
    return 0;
}
