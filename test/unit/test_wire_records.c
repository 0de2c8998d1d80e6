/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Messages of records: both ways of writing and of reading one agree, and nothing that lies is believed. */
#include "test.h"

#include "wire/records.h"

struct plain {
    uint64_t a, b;
};
struct text {
    int32_t n;
    cell_str s;
};
static const struct cell_field plain_fields[] = {{"a", &cell_type_u64, 0, 0, 0, 0}, {"b", &cell_type_u64, 8, 0, 0, 0}};
static const struct cell_field text_fields[] = {{"n", &cell_type_i32, 0, 0, 0, 0}, {"s", &cell_type_str, 8, 0, 0, 0}};
static const struct cell_type plain_type = {"plain", CELL_KIND_STRUCT, 16, 8, 2, plain_fields, NULL};
static const struct cell_type text_type = {"text", CELL_KIND_STRUCT, 24, 8, 2, text_fields, NULL};
static struct cell_error e;

TEST(plain_records_have_the_documented_bytes)
{
    static const struct cell_type *const types[] = {&plain_type, &cell_type_u8, &cell_type_i32};
    static const uint8_t bytes[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (size_t t = 0; t < 3; t++)
        for (uint64_t n = 1; n <= 3; n++) {
            struct cell_records f;
            struct cell_buffer b = {0}, own = {0};
            uint8_t head[CELL_RECORDS_HEAD], zeros[8] = {0};
            cell_records_init(&f, types[t]);
            CHECK(f.plain);
            CHECK(cell_records_encode(&f, bytes, n, 1000, &b, &e) == CELL_OK);
            cell_records_head(&f, n, head);
            cell_buffer_append(&own, head, sizeof(head));
            cell_buffer_append(&own, bytes, n * types[t]->size);
            cell_buffer_append(&own, zeros, cell_records_padding(&f, n));
            CHECK(own.len == b.len && own.len % 8 == 0 && memcmp(own.data, b.data, b.len) == 0);
            cell_buffer_free(&b);
            cell_buffer_free(&own);
        }
}

TEST(records_read_back_in_any_portions)
{
    struct cell_records f;
    struct cell_buffer b = {0};
    struct cell_arena arena = {0};
    struct cell_batch batch;
    struct plain in[5] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}}, out[5];
    cell_records_init(&f, &plain_type);
    CHECK(cell_records_encode(&f, in, 5, 1000, &b, &e) == CELL_OK);
    CHECK(cell_records_take(&f, (const uint8_t *)b.data, b.len, &arena, &batch, &e) == CELL_OK && batch.lent);
    CHECK(cell_records_copy(&f, &batch, out, 2) == 2);
    CHECK(cell_records_keep(&f, &batch, &arena) == CELL_OK && !batch.lent);
    memset(b.data, 0xff, b.len); /* it is not needed any more */
    CHECK(cell_records_copy(&f, &batch, out + 2, 9) == 3 && cell_records_copy(&f, &batch, out, 1) == 0);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    cell_buffer_free(&b);
    cell_arena_free(&arena);
}

TEST(records_with_texts_are_copied_and_checked)
{
    struct cell_records f;
    struct cell_buffer b = {0};
    struct cell_arena arena = {0};
    struct cell_batch batch;
    struct text in[2] = {{1, CELL_STR("one")}, {2, CELL_STR("")}}, out[2];
    cell_records_init(&f, &text_type);
    CHECK(!f.plain);
    CHECK(cell_records_encode(&f, in, 2, 60, &b, &e) == CELL_TOO_LARGE);
    CHECK(cell_records_encode(&f, in, 2, 1000, &b, &e) == CELL_OK);
    CHECK(cell_records_take(&f, (const uint8_t *)b.data, b.len, &arena, &batch, &e) == CELL_OK && !batch.lent);
    memset(b.data, 0, b.len);
    CHECK(cell_records_copy(&f, &batch, out, 2) == 2 && out[0].n == 1 && cell_str_eq(out[0].s, in[0].s));
    CHECK(out[1].n == 2 && out[1].s.len == 0 && out[0].s.ptr[3] == '\0');
    cell_buffer_free(&b);
    cell_arena_free(&arena);
}

/* Whatever one byte of a message says, what is handed out lies in it or in the arena (and is looked at, for ASan). */
TEST(every_changed_byte_is_refused_or_harmless)
{
    static const struct text texts[2] = {{1, {"one", 3}}, {2, {"two", 3}}};
    static const struct plain plains[3] = {{1, 2}, {3, 4}, {5, 6}};
    for (int kind = 0; kind < 2; kind++) {
        struct cell_records f;
        struct cell_buffer b = {0};
        cell_records_init(&f, kind ? &text_type : &plain_type);
        CHECK(cell_records_encode(&f, kind ? (const void *)texts : plains, kind ? 2 : 3, 1000, &b, &e) == CELL_OK);
        for (size_t at = 0; at < b.len; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                uint8_t *copy = malloc(b.len); /* so that ASan sees what lies behind */
                struct cell_arena arena = {0};
                struct cell_batch batch;
                struct text out[64];
                uint64_t sum = 0;
                memcpy(copy, b.data, b.len);
                copy[at] ^= (uint8_t)(1u << bit);
                int r = cell_records_take(&f, copy, b.len, &arena, &batch, &e);
                CHECK(r == CELL_OK || r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE);
                for (size_t n; r == CELL_OK && (n = cell_records_copy(&f, &batch, out, kind ? 64 : 32)) > 0;)
                    for (size_t i = 0; kind && i < n; i++)
                        for (uint64_t k = 0; k < out[i].s.len; k++)
                            sum += (uint8_t)out[i].s.ptr[k];
                CHECK(sum < UINT64_MAX);
                cell_arena_free(&arena);
                free(copy);
            }
        for (size_t len = 0; len < b.len; len++) {
            struct cell_arena arena = {0};
            struct cell_batch batch;
            CHECK(cell_records_take(&f, (const uint8_t *)b.data, len, &arena, &batch, &e) == CELL_PROTOCOL_ERROR);
            cell_arena_free(&arena);
        }
        cell_buffer_free(&b);
    }
}
