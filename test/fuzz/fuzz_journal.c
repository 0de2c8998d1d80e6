/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A segment with blocks as the input says, whose sums are right: a reader and the recovery of a writer meet them.
 * Nothing may crash, and a journal that was recovered is whole: it is read to its end, without an error, and goes on.
 *
 * Input: blocks of 8 bytes: place (0: where the last one ended), how the sequence differs, count, bytes of payload in
 * 64s, epoch, durable in 256s before the place, kind, flags (1: the sum is wrong).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "hex_seed.h"
#include "journal/files.h"

#define SEGMENT CELL_JOURNAL_MIN_SEGMENT
#define SPACE (1u << 16)

static char folder[64];
static struct cell_journal_format format = {.journal = 7, .segment_bytes = SEGMENT};

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0)
        abort();
}

static void make_folder(void)
{
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    int fd;
    snprintf(folder, sizeof(folder), "%s/fuzz-journal-XXXXXX", where);
    if (!mkdtemp(folder))
        abort();
    atexit(remove_folder);
    for (uint64_t number = 0; number < 2; number++) {
        if (cell_segment_make(folder, &format, number, &fd, NULL) < 0)
            abort();
        close(fd);
    }
}

static void describe(uint32_t epoch, uint64_t durable)
{
    static struct cell_description d;
    d = (struct cell_description){.format = format, .epoch = epoch, .durable = durable, .type = "any"};
    for (uint32_t i = 0; i < epoch; i++)
        d.epochs[i] = (struct cell_epoch){.offset = CELL_SEGMENT_HEAD};
    if (cell_description_write(folder, &d, NULL) < 0)
        abort();
}

/* The bytes of the segment behind its head, as the input says. */
static void lay_out(const uint8_t *in, size_t n, uint8_t *space)
{
    uint64_t at = 0, sequence = 0;
    memset(space, 0, SPACE);
    for (; n >= 8; n -= 8, in += 8) {
        at = in[0] ? (uint64_t)in[0] * 64 : at;
        struct cell_block b = {.position = CELL_SEGMENT_HEAD + at,
                               .sequence = sequence + (uint64_t)(int8_t)in[1],
                               .count = in[2],
                               .length = in[3] * 64u,
                               .epoch = in[4] % 8,
                               .kind = in[6],
                               .journal = format.journal};
        b.durable = b.position - (uint64_t)in[5] * 256;
        if (at + cell_block_size(b.length) > SPACE)
            return;
        memset(space + at + sizeof(b), in[2], b.length);
        b.sum = cell_block_sum(&b, space + at + sizeof(b)) + (in[7] & 1);
        memcpy(space + at, &b, sizeof(b));
        at += cell_block_size(b.length);
        sequence = b.sequence + b.count;
    }
}

static void put(const uint8_t *space)
{
    int fd;
    if (cell_segment_open(folder, &format, 0, true, &fd, NULL) < 0 ||
        cell_write_at(fd, space, SPACE, CELL_SEGMENT_HEAD, NULL) < 0)
        abort();
    close(fd);
}

/* Returns what ended it; *records are those that were read. */
static int read_all(uint32_t flags, uint64_t *records)
{
    struct cell_journal_reader_options o = {.flags = flags};
    struct cell_journal_reader *r = NULL;
    struct cell_span s;
    int x = cell_journal_reader_open(folder, &o, NULL, &r, NULL);
    *records = 0;
    while (x >= 0 && (x = cell_journal_read(r, &s, 0, NULL)) == 1)
        *records = s.sequence + s.count;
    cell_journal_reader_close(r);
    return x;
}

static void try_input(const uint8_t *data, size_t size)
{
    static uint8_t space[SPACE];
    const struct cell_journal_options o = {.type = "any", .segment_bytes = SEGMENT, .tail_bytes = 64u << 10};
    struct cell_journal *j = NULL;
    uint64_t n, there;
    if (size < 2)
        return;
    if (!folder[0])
        make_folder();
    describe(1 + data[0] % 7, CELL_SEGMENT_HEAD + data[1] * UINT64_C(256));
    lay_out(data + 2, size - 2, space);
    put(space);
    read_all(0, &n);
    read_all(CELL_JOURNAL_VOLATILE, &n);
    int x = cell_journal_open(folder, &o, &j, NULL);
    EXPECT(x == CELL_OK || x == CELL_DATA_LOSS);
    if (x < 0)
        return;
    there = cell_journal_committed(j).sequence;
    EXPECT(cell_journal_append(j, "more", 1, 4, NULL, NULL) == CELL_OK);
    EXPECT(cell_journal_close(j, NULL) == CELL_OK);
    EXPECT(read_all(0, &n) == 0 && n == there + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;
    uint8_t *input = hex_seed(data, size, &n);
    try_input(input, n);
    free(input);
    return 0;
}
