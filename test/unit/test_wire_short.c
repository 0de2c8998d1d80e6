/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Short messages are the same bytes and values as by the general way, and what is not as usual is left to that. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "wire/message.h"
#include "wire/walk.h"

struct spot {
    int32_t x, y;
};
static const struct cell_field spot_fields[] = {{"x", &cell_type_i32, 0, 0, 0, 0}, {"y", &cell_type_i32, 4, 0, 0, 0}};
static const struct cell_type spot_type = {"spot", CELL_KIND_STRUCT, 8, 4, 2, spot_fields, NULL};

/* Gaps between fields and at the end, a parameter by pointer, an array of three bytes. */
struct request {
    uint8_t a;
    uint32_t b;
    uint16_t c[3];
    struct cell_ref point, bytes;
    struct spot in_place;
    uint8_t last;
};
#define AT(member) offsetof(struct request, member)
static const struct cell_field request_fields[] = {{"a", &cell_type_u8, AT(a), 0, 0, 0},
                                                   {"b", &cell_type_u32, AT(b), 0, 0, 0},
                                                   {"c", &cell_type_u16, AT(c), 3, 0, 0},
                                                   {"point", &spot_type, AT(point), 0, CELL_FIELD_REF, 0},
                                                   {"bytes", &cell_type_u8, AT(bytes), 3, CELL_FIELD_REF, 0},
                                                   {"in_place", &spot_type, AT(in_place), 0, 0, 0},
                                                   {"last", &cell_type_u8, AT(last), 0, 0, 0}};
static const struct cell_field few_bytes[] = {{"n", &cell_type_u8, 0, 0, 0, 0}};
static const struct cell_field out_fields[] = {{"point", &spot_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
                                               {"words", &cell_type_u16, 16, 5, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
                                               {"byte", &cell_type_u8, 32, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

static struct cell_layout prepared(const struct cell_field *fields, uint32_t n, uint32_t size)
{
    struct cell_layout l = {.fields = fields, .n = n, .size = size};
    if (cell_layout_prepare(&l) < 0)
        abort();
    return l;
}

/* What is written is what the general way writes. */
static void check_bytes(const struct cell_layout *l, const void *in)
{
    uint8_t mine[CELL_SHORT_MESSAGE];
    struct cell_layout bare = {.fields = l->fields, .n = l->n, .size = l->size};
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    REQUIRE(cell_message_encode(&bare, in, 4096, &b, &e) == CELL_OK);
    CHECK(l->short_size == b.len && l->short_size <= sizeof(mine));
    memset(mine, 0xa5, sizeof(mine));
    CHECK(cell_short_put(l, in, mine));
    CHECK(memcmp(mine, b.data + 8, b.len - 8) == 0);
    CHECK(mine[b.len - 8] == 0xa5);
    cell_buffer_free(&b);
}

static const struct spot point = {-3, 4};
static const uint8_t bytes[3] = {7, 8, 9};

static struct request some_request(void)
{
    struct request in;
    memset(&in, 0x5a, sizeof(in)); /* what is in the gaps does not travel */
    in.a = 1;
    in.b = 0xdeadbeef;
    memcpy(in.c, (uint16_t[]){2, 3, 4}, sizeof(in.c));
    in.point = (struct cell_ref){&point, 1};
    in.bytes = (struct cell_ref){bytes, 3};
    in.in_place = (struct spot){5, 6};
    in.last = 255;
    return in;
}

TEST(the_bytes_are_those_of_the_general_way)
{
    struct cell_layout l = prepared(request_fields, 7, sizeof(struct request));
    struct request in = some_request();
    check_bytes(&l, &in);
    cell_layout_release(&l);
    CHECK(l.short_size == 0);
    for (uint32_t size = 1; size <= 112; size++) { /* every way in which bytes are copied */
        const struct cell_field f = {"n", &cell_type_u8, 0, size, 0, 0};
        uint8_t value[112];
        for (uint32_t i = 0; i < size; i++)
            value[i] = (uint8_t)(i + size);
        l = prepared(&f, 1, size);
        check_bytes(&l, value);
        cell_layout_release(&l);
    }
    l = prepared(NULL, 0, 0);
    check_bytes(&l, "");
    cell_layout_release(&l);
}

TEST(a_request_is_taken_as_it_was_put)
{
    struct cell_layout l = prepared(request_fields, 7, sizeof(struct request));
    struct request in = some_request(), got;
    uint64_t words[CELL_SHORT_MESSAGE / 8], before[CELL_SHORT_MESSAGE / 8];
    uint32_t *message = (uint32_t *)words;
    message[0] = l.short_size;
    message[1] = (sizeof(struct request) + 7) / 8 * 8;
    REQUIRE(cell_short_put(&l, &in, (uint8_t *)(message + 2)));
    memcpy(before, words, sizeof(words));
    /* Sizes, offsets, strides and counts that are not the usual ones are the general way's business. */
    CHECK(!cell_short_take(&l, words, l.short_size - 8));
    for (size_t bit = 0; bit < 64; bit++) {
        message[bit / 32] ^= 1u << bit % 32;
        CHECK(!cell_short_take(&l, words, l.short_size));
        message[bit / 32] ^= 1u << bit % 32;
    }
    for (size_t bit = 0; bit < 2 * 128; bit++) {
        uint32_t *word = message + 2 + offsetof(struct request, point) / 4 + bit / 32;
        *word ^= 1u << bit % 32;
        CHECK(!cell_short_take(&l, words, l.short_size));
        *word ^= 1u << bit % 32;
    }
    CHECK(memcmp(before, words, l.short_size) == 0);
    REQUIRE(cell_short_take(&l, words, l.short_size));
    memcpy(&got, words + 1, sizeof(got));
    CHECK(got.a == 1 && got.b == 0xdeadbeef && got.c[2] == 4 && got.in_place.y == 6 && got.last == 255);
    CHECK(got.point.len == 1 && memcmp(got.point.ptr, &point, sizeof(point)) == 0);
    CHECK(got.bytes.len == 3 && memcmp(got.bytes.ptr, bytes, 3) == 0);
    CHECK((uintptr_t)got.point.ptr % 8 == 0 && (uintptr_t)got.bytes.ptr % 8 == 0);
    cell_layout_release(&l);
}

TEST(a_reply_goes_from_its_places_to_the_caller)
{
    struct cell_layout l = prepared(out_fields, 3, 48);
    struct cell_short s;
    void *places[CELL_SHORT_STEPS];
    struct spot got = {0, 0};
    uint16_t words[5] = {0};
    uint8_t byte = 0;
    void *const out[] = {&got, words, &byte};
    uint32_t message[CELL_SHORT_MESSAGE / 4] = {l.short_size, 48};
    memset(&s, 0xa5, sizeof(s));
    cell_short_places(&l, &s, places);
    CHECK(((struct spot *)places[0])->x == 0 && ((uint16_t *)places[1])[4] == 0 && *(uint8_t *)places[2] == 0);
    memcpy(places[0], &point, sizeof(point));
    memcpy(places[1], (uint16_t[]){1, 2, 3, 4, 5}, 10);
    *(uint8_t *)places[2] = 99;
    check_bytes(&l, s.refs);
    REQUIRE(cell_short_put(&l, s.refs, (uint8_t *)(message + 2)));
    for (size_t bit = 0; bit < 64 + 3 * 128; bit++) {
        message[bit / 32] ^= 1u << bit % 32;
        CHECK(!cell_short_take_to(&l, (const uint8_t *)message, l.short_size, out));
        message[bit / 32] ^= 1u << bit % 32;
    }
    CHECK(got.x == 0 && words[0] == 0 && byte == 0); /* nothing was written */
    REQUIRE(cell_short_take_to(&l, (const uint8_t *)message, l.short_size, out));
    CHECK(got.x == -3 && got.y == 4 && words[0] == 1 && words[4] == 5 && byte == 99);
    cell_layout_release(&l);
}

TEST(what_is_not_plain_or_too_large_is_not_short)
{
    static const struct cell_field text[] = {{"text", &cell_type_str, 0, 0, 0, 0}};
    static const struct cell_field flag[] = {{"flag", &cell_type_bool, 0, 0, 0, 0}}; /* a value of 2 is an error */
    static const struct cell_field large[] = {{"n", &cell_type_u8, 0, 121, 0, 0}};
    static const struct cell_field largest[] = {{"n", &cell_type_u8, 0, 120, 0, 0}};
    struct cell_field many[CELL_SHORT_STEPS + 1];
    for (uint32_t i = 0; i <= CELL_SHORT_STEPS; i++)
        many[i] = (struct cell_field){"n", &cell_type_u8, i * 2, 0, 0, 0};
    struct cell_layout l[] = {prepared(text, 1, 16), prepared(flag, 1, 1), prepared(large, 1, 121),
                              prepared(many, CELL_SHORT_STEPS + 1, 18)};
    for (size_t i = 0; i < sizeof(l) / sizeof(l[0]); i++) {
        CHECK(l[i].short_size == 0);
        cell_layout_release(&l[i]);
    }
    struct cell_layout few = prepared(few_bytes, 1, 1), most = prepared(largest, 1, 120);
    CHECK(few.short_size == 16 && most.short_size == CELL_SHORT_MESSAGE);
    cell_layout_release(&few);
    cell_layout_release(&most);
    struct cell_layout request = prepared(request_fields, 7, sizeof(struct request));
    struct request in = some_request();
    uint8_t to[CELL_SHORT_MESSAGE];
    in.bytes.ptr = NULL;
    CHECK(!cell_short_put(&request, &in, to));
    cell_layout_release(&request);
}
