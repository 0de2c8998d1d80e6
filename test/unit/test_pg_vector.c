/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Vectors of pgvector on the wire, byte for byte as its vector_send and vector_recv have them (src/vector.c). */
// LIBS: cell_postgres_sanitized
#include "postgres/codec.h"
#include "test.h"

/* Three dimensions, two bytes of zero, and 1, -2.5 and 0 as float4. */
static const char wire[16] = {0, 3, 0, 0, 0x3f, '\x80', 0, 0, '\xc0', 0x20, 0, 0, 0, 0, 0, 0};

static struct pg_slot slot_of(uint32_t count)
{
    struct pg_slot p = {.name = "v", .type = &cell_type_f32, .integer = &cell_type_f32, .count = count};

    p.in_database = (struct pg_type_use){.base = PG_BASE_VECTOR, .modifier = 3, .scale = -1};
    p.list = count == 0;
    return p;
}

TEST(arrays_and_lists_become_vectors_and_come_back)
{
    const float three[3] = {1, -2.5F, 0};
    const cell_list_f32 list = {three, 3};
    struct pg_arena arena = {0};
    const struct pg_sink sink = {.arena = &arena};
    struct pg_failure f;

    for (int lists = 0; lists < 2; lists++) {
        struct pg_slot p = slot_of(lists ? 0 : 3);
        struct pg_encoded value;
        float back[3] = {9, 9, 9};
        cell_list_f32 back_list = {0};
        REQUIRE(pg_codec_choose(&p, false, &f) == CELL_OK && p.codec == PG_CODEC_VECTOR);
        REQUIRE(pg_encode(&p, lists ? (const void *)&list : three, &arena, &value, &f) == CELL_OK);
        CHECK(value.length == sizeof(wire) && memcmp(value.data, wire, sizeof(wire)) == 0);
        REQUIRE(pg_decode(&p, wire, sizeof(wire), lists ? (void *)&back_list : back, &sink, &f) == CELL_OK);
        CHECK(!lists || back_list.len == 3);
        CHECK(memcmp(lists ? back_list.ptr : back, three, sizeof(three)) == 0);
    }
    pg_arena_free(&arena);
}

TEST(what_is_no_vector_is_refused)
{
    struct pg_slot three = slot_of(3), four = slot_of(4);
    struct pg_arena arena = {0};
    const struct pg_sink sink = {.arena = &arena};
    struct pg_failure f;
    float out[4];

    REQUIRE(pg_codec_choose(&three, true, &f) == CELL_OK && pg_codec_choose(&four, true, &f) == CELL_OK);
    for (int length = 0; length < (int)sizeof(wire); length++)
        CHECK(pg_decode(&three, wire, length, out, &sink, &f) == CELL_DATA_LOSS);
    CHECK(pg_decode(&four, wire, sizeof(wire), out, &sink, &f) == CELL_DATA_LOSS);
    CHECK(strstr(f.text, "v: 3 elements are in the database, and not 4"));
    CHECK(pg_decode(&three, NULL, 0, out, &sink, &f) == CELL_DATA_LOSS);
    three.type = three.integer = &cell_type_f64;
    CHECK(pg_codec_choose(&three, true, &f) == CELL_INVALID_ARGUMENT);
    pg_arena_free(&arena);
}
