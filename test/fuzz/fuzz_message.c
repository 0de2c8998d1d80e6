/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A message against a descriptor of every kind. The first byte chooses what is decoded and whether the header is made
 * to agree with the length, so that damage elsewhere is reached. */
#include "fuzz.h"
#include "hex_seed.h"

#include "../rich_message.h"
#include "wire/limits.h"

/* What an older and a newer build would have made of the same request. */
static const struct cell_layout older_layout = {rich_fields, 14, offsetof(struct rich_request, numbers)};

static const struct cell_field reply_fields[] = {
    {"account", &account_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
    {"words", &cell_type_list_str, 16, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
    {"limits", &padded_opt_type, 32, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
    {"tree", &node_type, 48, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
};
static const struct cell_layout reply_layout = {reply_fields, COUNT(reply_fields), 64};

static const struct cell_field accounts_field[] = {{"accounts", &account_list_type, 0, 0, 0, 0}};
static const struct cell_layout accounts_layout = {accounts_field, 1, 16};

static void check_message(const struct cell_layout *layout, const uint8_t *bytes, size_t len)
{
    /* The limit keeps an input that refers to one text many times from making the run slow. */
    struct cell_arena a = {.limit = 4u << 20};
    struct cell_buffer one = {0}, two = {0};
    struct cell_error e = {0};
    union {
        struct rich_request request;
        uint8_t bytes[sizeof(struct rich_request)];
    } out;
    struct cell_layout prepared = *layout;
    EXPECT(cell_layout_prepare(&prepared) == CELL_OK);
    int r = cell_message_decode(&prepared, bytes, len, &a, &out, &e);
    cell_arena_reset(&a);
    EXPECT(cell_message_decode(layout, bytes, len, &a, &out, &e) == r);
    cell_arena_reset(&a);
    int in_place = cell_message_decode_in_place(&prepared, bytes, len, &a, &out, &e);
    EXPECT(in_place == r || r == CELL_TOO_LARGE); /* it needs less memory */
    if (in_place >= 0)
        EXPECT(cell_message_encode(layout, &out, 64u << 20, &one, NULL) == CELL_OK);
    one.len = 0;
    cell_arena_reset(&a);
    EXPECT(cell_message_decode(layout, bytes, len, &a, &out, &e) == r);
    if (r < 0) {
        EXPECT(e.status == r && e.text[0]);
        for (size_t i = 0; i < layout->size; i++)
            EXPECT(out.bytes[i] == 0);
    } else {
        /* What was accepted can be sent on, and reads back as the same. */
        EXPECT(cell_message_encode(layout, &out, 64u << 20, &one, &e) == CELL_OK);
        cell_arena_reset(&a);
        a.limit = 0;
        EXPECT(cell_message_decode(&prepared, (const uint8_t *)one.data, one.len, &a, &out, &e) == CELL_OK);
        EXPECT(cell_message_encode(&prepared, &out, 64u << 20, &two, &e) == CELL_OK);
        EXPECT(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    }
    cell_layout_release(&prepared);
    cell_buffer_free(&one);
    cell_buffer_free(&two);
    cell_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cell_layout *const layouts[] = {&rich_layout, &older_layout, &reply_layout, &accounts_layout};
    size_t len;
    uint8_t *bytes = hex_seed(data, size, &len);
    if (len >= 1) {
        size_t n = len - 1;
        uint8_t *m = malloc(n), choice = bytes[0];
        if (n)
            memcpy(m, bytes + 1, n);
        if (choice & 0x80) {
            n = n / 8 * 8;
            m = realloc(m, n ? n : 1);
            const uint32_t header = (uint32_t)n;
            if (n)
                memcpy(m, &header, sizeof(header));
        }
        check_message(layouts[choice % 4], m, n);
        free(m);
    }
    free(bytes);
    return 0;
}
