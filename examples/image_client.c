/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Gets an image from the image cell, darkens it, and has the result measured, without a copy of either on the way where
 * the two programs share memory. `image_client WIDTH HEIGHT`
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <cell/cell.h>

CELL_REMOTE(image);

/* The image stays where it arrived; the darker one is written where the next request is sent from. */
static int measure_darker(cell_ctx *c, uint32_t width, uint32_t height, struct image_stats *stats)
{
    cell_bytes image;
    uint8_t *darker;

    int r = image_gradient_send(c, width, height, &image);
    if (r < 0)
        return r;
    darker = image_measure_begin(c, (size_t)image.len);
    if (darker) {
        for (uint64_t i = 0; i < image.len; i++)
            darker[i] = image.ptr[i] / 2;
        r = image_measure_send(c, (cell_bytes){darker, image.len}, stats);
    } else {
        r = cell_ctx_status(c);
    }
    image_gradient_release(c); /* what this context holds, of every method */
    return r;
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 5000);
    struct image_stats stats;

    if (argc != 3) {
        fprintf(stderr, "usage: %s WIDTH HEIGHT\n", argv[0]);
        return 2;
    }
    if (measure_darker(c, (uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]), &stats) < 0)
        return cell_perror(c, "image");
    printf("%" PRIu64 " pixels from %u to %u\n", stats.pixels, stats.darkest, stats.lightest);
    return 0;
}
