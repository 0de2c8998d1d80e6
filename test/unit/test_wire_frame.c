/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frame headers and metadata blocks. */
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "wire/frame.h"
#include "wire/limits.h"

#define MAX_PAYLOAD 100000u

/* Two pages of which the second cannot be touched; what is put before it is read to its end or not at all. */
struct guarded {
    uint8_t *pages;
    size_t page;
};

static struct guarded guard(void)
{
    struct guarded g = {NULL, (size_t)sysconf(_SC_PAGESIZE)};
    g.pages = mmap(NULL, 2 * g.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.pages == MAP_FAILED || mprotect(g.pages + g.page, g.page, PROT_NONE) < 0)
        abort();
    return g;
}

static const uint8_t *against(struct guarded *g, const void *bytes, size_t len)
{
    uint8_t *p = g->pages + g->page - len;
    if (len)
        memcpy(p, bytes, len);
    return p;
}

static void unguard(struct guarded *g) { munmap(g->pages, 2 * g->page); }

static struct cell_frame call_frame(void)
{
    return (struct cell_frame){.length = 0x1234,
                               .kind = CELL_FRAME_CALL,
                               .channel = CELL_CHANNEL_COMPILE,
                               .meta_len = 0x0102,
                               .code = 5,
                               .timeout_ms = 0x01020304,
                               .id = UINT64_C(0x1122334455667788)};
}

TEST(header_has_the_documented_bytes)
{
    static const uint8_t expected[32] = {'C',  'E',  'L',  'L',  0x34, 0x12, 0,    0,    1,    4,    2,
                                         0,    0x02, 0x01, 0,    0,    5,    0,    0,    0,    0x04, 0x03,
                                         0x02, 0x01, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    uint8_t header[32];
    struct cell_frame f = call_frame();
    cell_frame_encode(&f, header);
    CHECK(memcmp(header, expected, 32) == 0);
}

TEST(every_kind_of_frame_reads_back)
{
    struct cell_error e = {0};
    for (uint8_t kind = CELL_FRAME_HELLO; kind <= CELL_FRAME_GOAWAY; kind++) {
        bool call = kind == CELL_FRAME_CALL, reply = kind == CELL_FRAME_REPLY;
        bool empty = kind == CELL_FRAME_CANCEL || kind == CELL_FRAME_GOAWAY;
        struct cell_frame g = {0}, f = {.kind = kind, .channel = CELL_CHANNEL_OPS};
        f.length = empty ? 0 : 64;
        f.meta_len = empty ? 0 : 64;
        f.code = call ? 3 : reply || kind == CELL_FRAME_WELCOME ? -17 : 0;
        f.timeout_ms = call ? 5000 : 0;
        f.id = call || reply || kind == CELL_FRAME_CANCEL ? UINT64_MAX : 0;
        uint8_t header[32];
        cell_frame_encode(&f, header);
        CHECK(cell_frame_decode(header, 32, MAX_PAYLOAD, &g, &e) == 1);
        CHECK(g.length == f.length && g.kind == f.kind && g.channel == f.channel && g.meta_len == f.meta_len);
        CHECK(g.code == f.code && g.timeout_ms == f.timeout_ms && g.id == f.id);
    }
}

TEST(every_prefix_of_a_header_needs_more_and_nothing_beyond_it_is_read)
{
    struct guarded g = guard();
    struct cell_frame f = call_frame(), out;
    uint8_t header[32];
    cell_frame_encode(&f, header);
    for (size_t len = 0; len < 32; len++)
        CHECK(cell_frame_decode(against(&g, header, len), len, MAX_PAYLOAD, &out, NULL) == 0);
    CHECK(cell_frame_decode(against(&g, header, 32), 32, MAX_PAYLOAD, &out, NULL) == 1);
    unguard(&g);
}

/* A header that is bad at byte `at` is refused as soon as what tells it has arrived, and not before. */
static void bad_from(uint8_t header[32], size_t needed, int status)
{
    struct guarded g = guard();
    struct cell_frame out = {.length = 77};
    struct cell_error e = {0};
    for (size_t len = 0; len <= 32; len++) {
        int r = cell_frame_decode(against(&g, header, len), len, MAX_PAYLOAD, &out, &e);
        CHECK(r == (len < needed ? 0 : status));
    }
    CHECK(out.length == 77);
    CHECK(e.status == status && e.text[0]);
    unguard(&g);
}

TEST(bad_header_is_refused_as_soon_as_it_shows)
{
    struct cell_frame f = call_frame();
    uint8_t h[32];
    static const struct {
        size_t at;
        uint8_t value;
        size_t needed;
        int status;
    } bad[] = {
        {0, 'c', 1, CELL_PROTOCOL_ERROR},  {1, 0, 2, CELL_PROTOCOL_ERROR},     {2, 'l', 3, CELL_PROTOCOL_ERROR},
        {3, 'M', 4, CELL_PROTOCOL_ERROR},  {7, 1, 8, CELL_TOO_LARGE},          {8, 2, 9, CELL_PROTOCOL_ERROR},
        {8, 0, 9, CELL_PROTOCOL_ERROR},    {9, 0, 10, CELL_PROTOCOL_ERROR},    {9, 8, 10, CELL_PROTOCOL_ERROR},
        {9, 255, 10, CELL_PROTOCOL_ERROR}, {10, 3, 11, CELL_PROTOCOL_ERROR},   {11, 1, 12, CELL_PROTOCOL_ERROR},
        {14, 1, 15, CELL_PROTOCOL_ERROR},  {15, 128, 16, CELL_PROTOCOL_ERROR}, {13, 0x40, 14, CELL_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cell_frame_encode(&f, h);
        h[bad[i].at] = bad[i].value;
        bad_from(h, bad[i].needed, bad[i].status);
    }
}

static int decode_one(const struct cell_frame *f, uint32_t max, struct cell_error *e)
{
    uint8_t header[32];
    struct cell_frame out;
    cell_frame_encode(f, header);
    return cell_frame_decode(header, 32, max, &out, e);
}

TEST(frames_about_shared_memory_carry_a_bounded_payload_and_nothing_else)
{
    struct cell_error e = {0};
    struct cell_frame g;
    for (uint8_t kind = CELL_FRAME_SHM_OPEN; kind <= CELL_FRAME_SHM_BLOB; kind++) {
        struct cell_frame f = {.kind = kind};
        bool empty = kind == CELL_FRAME_SHM_WAKE;
        CHECK(cell_frame_is_internal(kind));
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == 1);
        f.length = CELL_MAX_CONTROL;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == (empty ? CELL_PROTOCOL_ERROR : 1));
        f.length++;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
        g = (struct cell_frame){.kind = kind, .length = 1, .meta_len = 1};
        CHECK(decode_one(&g, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
        g = (struct cell_frame){.kind = kind, .code = 1};
        CHECK(decode_one(&g, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
        g = (struct cell_frame){.kind = kind, .timeout_ms = 1};
        CHECK(decode_one(&g, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
        g = (struct cell_frame){.kind = kind, .id = 1};
        CHECK(decode_one(&g, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
    }
    CHECK(!cell_frame_is_internal(CELL_FRAME_GOAWAY));
    g = (struct cell_frame){.kind = CELL_FRAME_SHM_BLOB + 1};
    CHECK(decode_one(&g, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
}

TEST(a_header_in_another_form_is_checked_alike)
{
    struct cell_error e = {0};
    uint32_t x = 1;
    unsigned good = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t draw[7];
        for (int k = 0; k < 7; k++)
            draw[k] = (x = x * 1664525 + 1013904223) >> 8;
        const struct cell_frame f = {.kind = (uint8_t)(draw[0] % 15),
                                     .channel = (uint8_t)(draw[1] % 4),
                                     .length = draw[2] % 3 ? draw[2] % 300 : draw[2] << 4,
                                     .meta_len = (uint16_t)(draw[3] % 3 ? 0 : draw[3] % 300),
                                     .code = draw[4] % 2 ? (int32_t)draw[4] : 0,
                                     .timeout_ms = draw[5] % 4 ? 0 : draw[5],
                                     .id = draw[6] % 2 ? draw[6] : 0};
        int r = decode_one(&f, MAX_PAYLOAD, &e);
        good += r == 1;
        CHECK(cell_frame_check(&f, MAX_PAYLOAD, &e) == (r == 1 ? CELL_OK : r));
    }
    CHECK(good > 500);
}

TEST(length_is_held_against_the_limit_of_the_channel)
{
    struct cell_error e = {0};
    struct cell_frame f = call_frame();
    CHECK(decode_one(&f, f.length, &e) == 1);
    CHECK(decode_one(&f, f.length - 1, &e) == CELL_TOO_LARGE);
    CHECK_STR(e.text, "frame of 4660 bytes; the limit is 4659");
    f.length = UINT32_MAX;
    CHECK(decode_one(&f, UINT32_MAX, &e) == 1);
}

TEST(metadata_is_within_the_payload_and_its_limit)
{
    struct cell_error e = {0};
    struct cell_frame f = call_frame();
    f.length = f.meta_len;
    CHECK(decode_one(&f, MAX_PAYLOAD, &e) == 1);
    f.length--;
    CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
    f.length = 60000;
    f.meta_len = CELL_MAX_META_BYTES;
    CHECK(decode_one(&f, MAX_PAYLOAD, &e) == 1);
    f.meta_len++;
    CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
}

TEST(greetings_are_metadata_only_and_small)
{
    struct cell_error e = {0};
    struct cell_frame f = {.kind = CELL_FRAME_HELLO, .length = CELL_MAX_HELLO, .meta_len = CELL_MAX_HELLO};
    for (uint8_t kind = CELL_FRAME_HELLO; kind <= CELL_FRAME_WELCOME; kind++) {
        f.kind = kind;
        f.length = f.meta_len = CELL_MAX_HELLO;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == 1);
        f.length = f.meta_len = CELL_MAX_HELLO + 1;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_TOO_LARGE);
        f.length = 100;
        f.meta_len = 99;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
    }
}

TEST(fields_that_a_kind_does_not_have_are_zero)
{
    struct cell_error e = {0};
    for (uint8_t kind = CELL_FRAME_HELLO; kind <= CELL_FRAME_GOAWAY; kind++) {
        bool has_id = kind == CELL_FRAME_CALL || kind == CELL_FRAME_REPLY || kind == CELL_FRAME_CANCEL;
        bool has_code = kind == CELL_FRAME_CALL || kind == CELL_FRAME_REPLY || kind == CELL_FRAME_WELCOME;
        struct cell_frame good = {.kind = kind, .id = has_id}, f = good;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == 1);
        f.id = !has_id;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
        f = good;
        f.code = 1;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == (has_code ? 1 : CELL_PROTOCOL_ERROR));
        f = good;
        f.timeout_ms = 1;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == (kind == CELL_FRAME_CALL ? 1 : CELL_PROTOCOL_ERROR));
        f = good;
        f.length = 8;
        bool any = kind == CELL_FRAME_CALL || kind == CELL_FRAME_REPLY || kind == CELL_FRAME_SCHEMA;
        CHECK(decode_one(&f, MAX_PAYLOAD, &e) == (any ? 1 : CELL_PROTOCOL_ERROR));
    }
}

/* ---- metadata ---- */

TEST(metadata_reads_back_in_order)
{
    struct cell_buffer b = {0};
    struct cell_meta_pair p;
    size_t offset = 0;
    CHECK(cell_meta_append(&b, ":cell", "auth", 4) == CELL_OK);
    CHECK(cell_meta_append(&b, "x-trace.id_1", "\0\xff", 2) == CELL_OK);
    CHECK(cell_meta_append(&b, "empty", NULL, 0) == CELL_OK);
    const uint8_t *block = (const uint8_t *)b.data;
    CHECK(cell_meta_check(block, b.len, NULL) == CELL_OK);
    CHECK(cell_meta_next(block, b.len, &offset, &p) == 1 && p.key_len == 5 && memcmp(p.key, ":cell", 5) == 0);
    CHECK(p.value_len == 4 && memcmp(p.value, "auth", 4) == 0);
    CHECK(cell_meta_next(block, b.len, &offset, &p) == 1 && p.value_len == 2 && memcmp(p.value, "\0\xff", 2) == 0);
    CHECK(cell_meta_next(block, b.len, &offset, &p) == 1 && p.key_len == 5 && p.value_len == 0);
    CHECK(cell_meta_next(block, b.len, &offset, &p) == 0 && offset == b.len);
    CHECK(cell_meta_find(block, b.len, "x-trace.id_1", &p) == CELL_OK && p.value_len == 2);
    CHECK(cell_meta_find(block, b.len, "x-trace.id_", &p) == CELL_NOT_FOUND);
    CHECK(cell_meta_find(block, 0, "x", &p) == CELL_NOT_FOUND);
    cell_buffer_free(&b);
}

TEST(metadata_pair_has_the_documented_bytes)
{
    struct cell_buffer b = {0};
    CHECK(cell_meta_append(&b, "ab", "xyz", 3) == CELL_OK);
    CHECK(b.len == 9 && memcmp(b.data, "\2\0\3\0abxyz", 9) == 0);
    cell_buffer_free(&b);
}

TEST(metadata_of_every_truncated_length_is_refused_or_ends_at_a_pair)
{
    struct guarded g = guard();
    struct cell_buffer b = {0};
    cell_meta_append(&b, "first", "1", 1);
    size_t whole = b.len;
    cell_meta_append(&b, "second", "22", 2);
    for (size_t len = 0; len <= b.len; len++) {
        const uint8_t *block = against(&g, b.data, len);
        struct cell_meta_pair p;
        struct cell_error e = {0};
        bool good = len == 0 || len == whole || len == b.len;
        CHECK(cell_meta_check(block, len, &e) == (good ? CELL_OK : CELL_PROTOCOL_ERROR));
        CHECK(good || strstr(e.text, len < whole ? "pair 1" : "pair 2"));
        CHECK(cell_meta_find(block, len, "none", &p) == (good ? CELL_NOT_FOUND : CELL_PROTOCOL_ERROR));
        CHECK(cell_meta_find(block, len, "first", &p) == (len >= whole ? CELL_OK
                                                          : good       ? CELL_NOT_FOUND
                                                                       : CELL_PROTOCOL_ERROR));
    }
    unguard(&g);
    cell_buffer_free(&b);
}

TEST(metadata_offset_beyond_the_block_is_refused)
{
    struct cell_meta_pair p;
    size_t offset = 5;
    CHECK(cell_meta_next((const uint8_t *)"\1\0\0\0a", 4, &offset, &p) == CELL_PROTOCOL_ERROR);
    CHECK(offset == 5);
}

TEST(metadata_keys_keep_to_their_alphabet)
{
    static const char *const bad[] = {"", ":", "A", "a b", "a:b", "::a", "\xc3\xa9", "a/b", "a\n"};
    static const char *const good[] = {"a", ":a", "0", "a.b_c-d", ":detail.quota"};
    struct cell_buffer b = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t block[16] = {(uint8_t)strlen(bad[i])};
        memcpy(block + 4, bad[i], strlen(bad[i]));
        CHECK(cell_meta_append(&b, bad[i], "v", 1) == CELL_INVALID_ARGUMENT);
        CHECK(cell_meta_check(block, 4 + strlen(bad[i]), NULL) == CELL_PROTOCOL_ERROR);
    }
    CHECK(b.len == 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(cell_meta_append(&b, good[i], "v", 1) == CELL_OK);
    CHECK(cell_meta_check((const uint8_t *)b.data, b.len, NULL) == CELL_OK);
    cell_buffer_free(&b);
}

TEST(metadata_key_with_a_nul_is_refused)
{
    CHECK(cell_meta_check((const uint8_t *)"\3\0\0\0a\0b", 7, NULL) == CELL_PROTOCOL_ERROR);
}

TEST(metadata_keeps_to_its_limits)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    static char big[70000];
    CHECK(cell_meta_append(&b, "k", big, CELL_MAX_META_BYTES - 4) == CELL_TOO_LARGE);
    CHECK(cell_meta_append(&b, "k", big, 65536) == CELL_TOO_LARGE);
    CHECK(cell_meta_append(&b, "k", big, SIZE_MAX) == CELL_TOO_LARGE);
    CHECK(b.len == 0);
    CHECK(cell_meta_append(&b, "k", big, CELL_MAX_META_BYTES - 5) == CELL_OK);
    CHECK(b.len == CELL_MAX_META_BYTES);
    CHECK(cell_meta_check((const uint8_t *)b.data, b.len, &e) == CELL_OK);
    CHECK(cell_meta_append(&b, "k", "", 0) == CELL_OK);
    CHECK(cell_meta_check((const uint8_t *)b.data, b.len, &e) == CELL_TOO_LARGE);
    cell_buffer_free(&b);
    for (unsigned i = 0; i < CELL_MAX_META_PAIRS; i++)
        cell_meta_append(&b, "k", "", 0);
    CHECK(cell_meta_check((const uint8_t *)b.data, b.len, &e) == CELL_OK);
    cell_meta_append(&b, "k", "", 0);
    CHECK(cell_meta_check((const uint8_t *)b.data, b.len, &e) == CELL_TOO_LARGE);
    cell_buffer_free(&b);
}

TEST(metadata_into_a_failed_buffer_is_reported)
{
    struct cell_buffer b = {.failed = true};
    CHECK(cell_meta_append(&b, "k", "v", 1) == CELL_NO_MEMORY);
}

TEST(frames_of_streams_have_an_id_and_no_metadata)
{
    struct cell_error e = {0};
    struct cell_frame records = {.kind = CELL_FRAME_RECORDS, .id = 7, .length = 64},
                      end = {.kind = CELL_FRAME_END, .id = 7};
    CHECK(decode_one(&records, MAX_PAYLOAD, &e) == 1 && decode_one(&end, MAX_PAYLOAD, &e) == 1);
    CHECK(cell_frame_check(&records, MAX_PAYLOAD, &e) == CELL_OK && cell_frame_check(&end, MAX_PAYLOAD, &e) == CELL_OK);
    CHECK(!cell_frame_is_internal(CELL_FRAME_RECORDS) && !cell_frame_is_internal(CELL_FRAME_END));
    for (int way = 0; way < 4; way++)
        for (int k = 0; k < 2; k++) {
            struct cell_frame f = k ? end : records;
            f.id = way == 0 ? 0 : f.id;
            f.code = way == 1;
            f.timeout_ms = way == 2;
            f.meta_len = way == 3 && !k ? 8 : 0;
            f.length = way == 3 && k ? 8 : f.length;
            CHECK(decode_one(&f, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
        }
    end.kind = CELL_FRAME_END + 1;
    CHECK(decode_one(&end, MAX_PAYLOAD, &e) == CELL_PROTOCOL_ERROR);
}
