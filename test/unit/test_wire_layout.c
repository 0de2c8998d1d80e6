/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A prepared layout gives the same bytes, values and errors as one that is not, whatever comes. */
#include "message_random.h"
#include "rich_message.h"
#include "test.h"
#include "wire/message.h"

struct spot {
    int32_t x, y;
};
static const struct cell_field spot_fields[] = {{"x", &cell_type_i32, 0, 0, 0, 0}, {"y", &cell_type_i32, 4, 0, 0, 0}};
static const struct cell_type spot_type = {"spot", CELL_KIND_STRUCT, 8, 4, 2, spot_fields, NULL};

/* Plain fields that adjoin and that do not, arrays, parameters by pointer and an array of structs. */
struct mixed {
    uint8_t a, b;
    uint32_t c;
    int64_t d[3];
    struct cell_ref point, points;
    struct spot in_place;
    cell_str text;
    double e;
};
static const struct cell_field mixed_fields[] = {
    {"a", &cell_type_u8, offsetof(struct mixed, a), 0, 0, 0},
    {"b", &cell_type_u8, offsetof(struct mixed, b), 0, 0, 0},
    {"c", &cell_type_u32, offsetof(struct mixed, c), 0, 0, 0},
    {"d", &cell_type_i64, offsetof(struct mixed, d), 3, 0, 0},
    {"point", &spot_type, offsetof(struct mixed, point), 0, CELL_FIELD_REF, 0},
    {"points", &spot_type, offsetof(struct mixed, points), 5, CELL_FIELD_REF, 0},
    {"in_place", &spot_type, offsetof(struct mixed, in_place), 0, 0, 0},
    {"text", &cell_type_str, offsetof(struct mixed, text), 0, 0, 0},
    {"e", &cell_type_f64, offsetof(struct mixed, e), 0, 0, 0}};
static const struct cell_layout mixed_layout = {.fields = mixed_fields, .n = 9, .size = sizeof(struct mixed)};

static void encode(const struct cell_layout *layout, const void *in, struct cell_buffer *b)
{
    struct cell_error e = {0};
    b->len = 0;
    REQUIRE(cell_message_encode(layout, in, 1u << 20, b, &e) == CELL_OK);
}

/* Decodes the bytes with both; when that succeeds, what came out must be encoded alike. */
static void compare_decoded(const struct cell_layout *bare, const struct cell_layout *prepared, const uint8_t *bytes,
                            size_t len)
{
    _Alignas(16) uint8_t out[2][4096];
    struct cell_arena arena[2] = {{0}, {0}};
    struct cell_error e[2] = {{0}, {0}};
    struct cell_buffer again[2] = {{0}, {0}};
    REQUIRE(bare->size <= sizeof(out[0]));
    memset(out[1], 0xa5, sizeof(out[1])); /* what was there before must not show */
    memset(out[0], 0x5a, sizeof(out[0]));
    int a = cell_message_decode(bare, bytes, len, &arena[0], out[0], &e[0]);
    int b = cell_message_decode(prepared, bytes, len, &arena[1], out[1], &e[1]);
    CHECK(a == b);
    CHECK_STR(e[0].text, e[1].text);
    if (a == CELL_OK) {
        encode(bare, out[0], &again[0]);
        encode(prepared, out[1], &again[1]);
        CHECK(again[0].len == again[1].len && memcmp(again[0].data, again[1].data, again[0].len) == 0);
    } else {
        CHECK(memcmp(out[0], out[1], bare->size) == 0);
    }
    for (int i = 0; i < 2; i++) {
        cell_buffer_free(&again[i]);
        cell_arena_free(&arena[i]);
    }
}

static void compare(const struct cell_layout *bare)
{
    _Alignas(16) uint8_t in[4096];
    struct cell_layout prepared = *bare;
    struct cell_buffer b[2] = {{0}, {0}};
    REQUIRE(cell_layout_prepare(&prepared) == CELL_OK);
    REQUIRE(prepared.steps && prepared.nsteps <= bare->n);
    for (unsigned round = 0; round < 500; round++) {
        struct cell_arena arena = {0};
        struct filler f = {round, &arena};
        memset(in, (int)round, sizeof(in)); /* padding holds garbage */
        fill_fields(&f, bare->fields, bare->n, in);
        encode(bare, in, &b[0]);
        encode(&prepared, in, &b[1]);
        CHECK(b[0].len == b[1].len && memcmp(b[0].data, b[1].data, b[0].len) == 0);
        compare_decoded(bare, &prepared, (const uint8_t *)b[0].data, b[0].len);
        for (unsigned damage = 0; damage < 20; damage++) {
            size_t at = fill_random(&f, (uint32_t)b[0].len);
            char before = b[0].data[at];
            b[0].data[at] = (char)fill_random(&f, 256);
            compare_decoded(bare, &prepared, (const uint8_t *)b[0].data, b[0].len);
            b[0].data[at] = before;
        }
        cell_arena_free(&arena);
    }
    cell_layout_release(&prepared);
    CHECK(!prepared.steps);
    cell_buffer_free(&b[0]);
    cell_buffer_free(&b[1]);
}

TEST(preparing_changes_no_byte_and_no_value) { compare(&mixed_layout); }
TEST(preparing_changes_nothing_for_any_kind_of_field)
{
    struct cell_layout layout = rich_layout;
    layout.n--; /* without the last, a tree, which random values would make endless */
    compare(&layout);
}

TEST(fields_that_adjoin_are_one_step)
{
    struct cell_layout layout = mixed_layout;
    REQUIRE(cell_layout_prepare(&layout) == CELL_OK);
    /* a and b; c and d do not adjoin b; two parameters; in_place; text; e */
    CHECK(layout.nsteps == 7);
    CHECK(cell_layout_prepare(&layout) == CELL_OK && layout.nsteps == 7);
    cell_layout_release(&layout);
    cell_layout_release(&layout);
}

TEST(a_shorter_fixed_part_is_taken_as_an_older_senders)
{
    struct cell_layout older = mixed_layout, prepared = mixed_layout;
    struct cell_buffer b = {0};
    struct mixed m = {.a = 1, .b = 2, .c = 3, .d = {4, 5, 6}};
    struct spot p[5] = {{7, 8}};
    m.point = (struct cell_ref){p, 1};
    m.points = (struct cell_ref){p, 5};
    older.n = 6;
    older.size = offsetof(struct mixed, in_place);
    REQUIRE(cell_layout_prepare(&prepared) == CELL_OK);
    encode(&older, &m, &b);
    compare_decoded(&mixed_layout, &prepared, (const uint8_t *)b.data, b.len);
    cell_layout_release(&prepared);
    cell_buffer_free(&b);
}

static const struct cell_field plain_out_fields[] = {{"spot", &spot_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
                                                     {"key", &cell_type_u8, 16, 5, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
                                                     {"spots", &spot_type, 32, 3, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

TEST(plain_replies_are_taken_without_an_arena_when_nothing_is_wrong_with_them)
{
    struct cell_layout layout = {.fields = plain_out_fields, .n = 3, .size = 48};
    struct spot spot = {1, 2}, spots[3] = {{3, 4}, {5, 6}, {7, 8}}, got_spot, got_spots[3];
    uint8_t key[5] = "abcd", got_key[5];
    void *const out[] = {&got_spot, got_key, got_spots};
    const struct cell_ref in[3] = {{&spot, 1}, {key, 5}, {spots, 3}};
    struct cell_buffer b = {0};
    unsigned taken = 0;
    encode(&layout, in, &b);
    const uint8_t *bytes = (const uint8_t *)b.data;
    CHECK(!cell_message_take_plain(&layout, bytes, b.len, out)); /* not prepared */
    REQUIRE(cell_layout_prepare(&layout) == CELL_OK && layout.all_plain);
    REQUIRE(cell_message_take_plain(&layout, bytes, b.len, out));
    CHECK(memcmp(&got_spot, &spot, sizeof(spot)) == 0 && memcmp(got_key, key, 5) == 0);
    CHECK(memcmp(got_spots, spots, sizeof(spots)) == 0);
    for (size_t len = 0; len < b.len; len++)
        CHECK(!cell_message_take_plain(&layout, bytes, len, out));
    /* Whatever is taken in this way, the other way takes as the same. */
    for (size_t at = 0; at < b.len; at++)
        for (int value = 0; value < 256; value++) {
            struct cell_arena arena = {0};
            struct cell_ref refs[3];
            struct cell_error e;
            char before = b.data[at];
            memset(&got_spot, 0xee, sizeof(got_spot));
            b.data[at] = (char)value;
            bool ok = cell_message_take_plain(&layout, bytes, b.len, out);
            int r = cell_message_decode(&layout, bytes, b.len, &arena, refs, &e);
            CHECK(!ok || (r == CELL_OK && memcmp(refs[0].ptr, &got_spot, sizeof(spot)) == 0 &&
                          memcmp(refs[1].ptr, got_key, 5) == 0 && memcmp(refs[2].ptr, got_spots, sizeof(spots)) == 0));
            CHECK(ok || got_spot.x == (int32_t)0xeeeeeeee);
            taken += ok;
            b.data[at] = before;
            cell_arena_free(&arena);
        }
    CHECK(taken > 0);
    cell_layout_release(&layout);
    cell_buffer_free(&b);
    layout = mixed_layout; /* has a text */
    REQUIRE(cell_layout_prepare(&layout) == CELL_OK);
    CHECK(!layout.all_plain);
    cell_layout_release(&layout);
}
