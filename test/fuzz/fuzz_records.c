/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A message of a stream's records, plain ones and others. The first byte chooses which, whether the header is made to
 * agree with the length, and how many are taken at once. */
#include "fuzz.h"
#include "hex_seed.h"

#include "../rich_message.h"
#include "wire/records.h"

static const struct cell_field pair_fields[] = {{"a", &cell_type_u64, 0, 0, 0, 0}, {"b", &cell_type_f64, 8, 0, 0, 0}};
static const struct cell_type pair_type = {"pair", CELL_KIND_STRUCT, 16, 8, 2, pair_fields, NULL};

/* What was accepted can be sent on, and gives the same records. */
static void check_records(const struct cell_records *f, const uint8_t *bytes, size_t len, size_t portion)
{
    struct cell_arena a = {.limit = 4u << 20}, b = {0};
    struct cell_batch batch, again;
    struct cell_buffer one = {0}, two = {0};
    struct cell_error e = {0};
    if (cell_records_take(f, bytes, len, &a, &batch, &e) < 0) {
        EXPECT(e.status < 0 && e.text[0]);
        cell_arena_free(&a);
        return;
    }
    uint64_t n = batch.left;
    uint8_t *all = calloc(n, f->type->size);
    EXPECT(n > 0 && all);
    for (size_t at = 0, got; (got = cell_records_copy(f, &batch, all + at * f->type->size, portion)) > 0; at += got) {
        EXPECT(at + got <= n);
        EXPECT(cell_records_keep(f, &batch, &b) == CELL_OK);
    }
    EXPECT(batch.left == 0);
    if (cell_records_encode(f, all, n, 64u << 20, &one, &e) == CELL_OK) {
        struct cell_arena c = {0};
        EXPECT(cell_records_take(f, (const uint8_t *)one.data, one.len, &c, &again, &e) == CELL_OK && again.left == n);
        EXPECT(cell_records_encode(f, again.next, n, 64u << 20, &two, &e) == CELL_OK);
        EXPECT(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
        cell_arena_free(&c);
    }
    free(all);
    cell_buffer_free(&one);
    cell_buffer_free(&two);
    cell_arena_free(&a);
    cell_arena_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cell_type *const types[] = {&pair_type, &account_type, &cell_type_str, &cell_type_bool};
    size_t len;
    uint8_t *bytes = hex_seed(data, size, &len);
    if (len >= 1) {
        struct cell_records f;
        uint32_t whole = (uint32_t)(len - 1);
        if ((bytes[0] & 4) && len >= 5)
            memcpy(bytes + 1, &whole, sizeof(whole));
        cell_records_init(&f, types[bytes[0] & 3]);
        check_records(&f, bytes + 1, len - 1, 1 + (bytes[0] >> 3) % 7);
    }
    free(bytes);
    return 0;
}
