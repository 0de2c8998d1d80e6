/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A cell whose requests and replies are large: grey images, one byte a pixel. What it answers is written where it is
 * sent from. `image [ADDRESS]`; image_client.c is a program that calls it.
 */
#include <stdio.h>

#include <cell/serve.h>

CELL_PROVIDE(image, "Makes and measures images");

CELL_EXPORT(IMAGE_MAX_SIDE, 4000);

struct image_stats {
    uint64_t pixels;
    uint8_t darkest, lightest;
};

/// An image that goes from black on the left to white on the right.
CELL_METHOD int image_gradient(cell_ctx *c, uint32_t width, uint32_t height, cell_bytes *pixels)
{
    if (width == 0 || height == 0 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return cell_fail(c, CELL_OUT_OF_RANGE, "%u x %u pixels; each side has 1 to %d", width, height, IMAGE_MAX_SIDE);
    size_t size = (size_t)width * height;
    uint8_t *bytes = cell_ctx_lend(c, size);
    if (!bytes)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "no memory for %zu pixels", size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = width > 1 ? (uint8_t)(i % width * 255 / (width - 1)) : 0;
    *pixels = (cell_bytes){bytes, size};
    return 0;
}

/// What there is in an image.
CELL_METHOD int image_measure(cell_ctx *c, cell_bytes pixels, struct image_stats *stats)
{
    if (pixels.len == 0)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "an image without pixels");
    struct image_stats s = {pixels.len, 255, 0};
    for (uint64_t i = 0; i < pixels.len; i++) {
        s.darkest = pixels.ptr[i] < s.darkest ? pixels.ptr[i] : s.darkest;
        s.lightest = pixels.ptr[i] > s.lightest ? pixels.ptr[i] : s.lightest;
    }
    *stats = s;
    return 0;
}

int main(int argc, char **argv)
{
    const struct cell_server_options options = {.address = argc > 1 ? argv[1] : NULL};
    struct cell_server *server = NULL;
    int r = cell_server_new(&options, &server);

    if (r >= 0)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "image: %s\n", server ? cell_server_message(server) : cell_status_text(r));
    cell_server_free(server);
    return r < 0;
}
