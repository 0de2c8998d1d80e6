/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Messages between an older and a newer build: appended fields and parameters, both ways. */
#include "test.h"

#include "rich_message.h"
#include "wire/limits.h"

#define MAX CELL_MAX_MESSAGE

struct item_v1 {
    int64_t id;
    cell_str name;
};
struct item_v2 { /* three fields appended; the u32 lies where v1 ends */
    int64_t id;
    cell_str name;
    uint32_t size;
    cell_str owner;
    cell_opt_i32 age;
    cell_list_i64 parts;
    bool bits[2];
};
static const struct cell_field item_v1_type_fields[] = {FIELD(struct item_v1, id, cell_type_i64),
                                                        FIELD(struct item_v1, name, cell_type_str)};
STRUCT_TYPE(item_v1_type, struct item_v1);
static const struct cell_field item_v2_type_fields[] = {
    FIELD(struct item_v2, id, cell_type_i64),       FIELD(struct item_v2, name, cell_type_str),
    FIELD(struct item_v2, size, cell_type_u32),     FIELD(struct item_v2, owner, cell_type_str),
    FIELD(struct item_v2, age, cell_type_opt_i32),  FIELD(struct item_v2, parts, cell_type_list_i64),
    FIELDS(struct item_v2, bits, cell_type_bool, 2)};
STRUCT_TYPE(item_v2_type, struct item_v2);
CELL_LIST(list_v1, struct item_v1);
CELL_LIST(list_v2, struct item_v2);
LIST_TYPE(list_v1_type, item_v1_type);
LIST_TYPE(list_v2_type, item_v2_type);

struct call_v1 {
    list_v1 items;
    struct cell_ref item;
    int32_t n;
};
struct call_v2 { /* a parameter of each kind appended; `m` lies in v1's trailing padding */
    list_v2 items;
    struct cell_ref item;
    int32_t n, m;
    cell_str text;
    struct item_v2 inner;
    struct cell_ref added;
    struct cell_ref key;
};
static const struct cell_field call_v1_fields[] = {FIELD(struct call_v1, items, list_v1_type),
                                                   PARAM(struct call_v1, item, item_v1_type),
                                                   FIELD(struct call_v1, n, cell_type_i32)};
static const struct cell_field call_v2_fields[] = {
    FIELD(struct call_v2, items, list_v2_type), PARAM(struct call_v2, item, item_v2_type),
    FIELD(struct call_v2, n, cell_type_i32),    FIELD(struct call_v2, m, cell_type_i32),
    FIELD(struct call_v2, text, cell_type_str), FIELD(struct call_v2, inner, item_v2_type),
    PARAM(struct call_v2, added, item_v2_type), PARAMS(struct call_v2, key, cell_type_u8, 4)};
static const struct cell_layout layout_v1 = {call_v1_fields, COUNT(call_v1_fields), sizeof(struct call_v1)};
static const struct cell_layout layout_v2 = {call_v2_fields, COUNT(call_v2_fields), sizeof(struct call_v2)};

static void check_absent(const struct item_v2 *i)
{
    CHECK(i->size == 0 && i->owner.len == 0 && i->owner.ptr && !i->owner.ptr[0]);
    CHECK(!i->age.has && i->parts.len == 0 && !i->bits[0] && !i->bits[1]);
}

TEST(new_receiver_takes_what_an_old_sender_lacks_as_zero)
{
    const struct item_v1 items[3] = {{1, CELL_STR("one")}, {2, CELL_STR("")}, {3, CELL_STR("three")}};
    const struct call_v1 in = {{items, 3}, {&items[2], 1}, -7};
    struct call_v2 out;
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    struct cell_error e = {0};
    REQUIRE(cell_message_encode(&layout_v1, &in, MAX, &b, NULL) == CELL_OK);
    REQUIRE(cell_message_decode(&layout_v2, (const uint8_t *)b.data, b.len, &a, &out, &e) == CELL_OK);
    REQUIRE(out.items.len == 3 && out.n == -7 && out.m == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(out.items.ptr[i].id == i + 1 && cell_str_eq(out.items.ptr[i].name, items[i].name));
        check_absent(&out.items.ptr[i]);
    }
    const struct item_v2 *item = out.item.ptr;
    CHECK(item->id == 3 && cell_str_eq(item->name, CELL_STR("three")));
    check_absent(item);
    CHECK(out.text.ptr && out.text.len == 0);
    check_absent(&out.inner);
    /* A parameter that the sender does not know is zero, not NULL. */
    item = out.added.ptr;
    REQUIRE(item && out.key.ptr && out.key.len == 4);
    CHECK(item->id == 0 && item->name.ptr && item->name.len == 0);
    check_absent(item);
    CHECK(memcmp(out.key.ptr, "\0\0\0\0", 4) == 0);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(old_receiver_ignores_what_a_new_sender_adds)
{
    int64_t parts[2] = {8, 9};
    struct item_v2 items[2] = {{.id = 1, .name = CELL_STR("one"), .size = 9, .owner = CELL_STR("me")},
                               {.id = 2, .name = CELL_STR("two"), .age = CELL_SOME(3), .parts = {parts, 2}}};
    struct call_v2 in = {.items = {items, 2},
                         .item = {&items[1], 1},
                         .n = 4,
                         .m = 5,
                         .text = CELL_STR("t"),
                         .inner = items[0],
                         .added = {&items[0], 1},
                         .key = {"abcd", 4}};
    struct call_v1 out;
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    REQUIRE(cell_message_encode(&layout_v2, &in, MAX, &b, NULL) == CELL_OK);
    REQUIRE(cell_message_decode(&layout_v1, (const uint8_t *)b.data, b.len, &a, &out, NULL) == CELL_OK);
    CHECK(out.items.len == 2 && out.n == 4);
    CHECK(out.items.ptr[0].id == 1 && cell_str_eq(out.items.ptr[0].name, CELL_STR("one")));
    CHECK(out.items.ptr[1].id == 2 && cell_str_eq(out.items.ptr[1].name, CELL_STR("two")));
    CHECK(((const struct item_v1 *)out.item.ptr)->id == 2);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

/* Decodes one element of which only `stride` bytes belong to it; what follows is another element's, all ones. */
TEST(field_that_the_stride_cuts_is_absent)
{
    struct holder {
        list_v2 items;
    };
    static const struct cell_field fields[] = {FIELD(struct holder, items, list_v2_type)};
    static const struct cell_layout layout = {fields, 1, sizeof(struct holder)};
    struct cell_arena a = {0};
    for (uint32_t stride = 1; stride <= sizeof(struct item_v2); stride++) {
        struct holder out;
        uint8_t m[24 + 88] = {sizeof(m), 0, 0, 0, 16, 0, 0, 0, 24, 0, 0, 0, (uint8_t)stride, 0, 0, 0, 1};
        _Static_assert(sizeof(struct item_v2) <= 88, "the message has room for the element");
        memset(m + 24, 0x01, 8); /* id */
        memset(m + 24 + offsetof(struct item_v2, size), 0x01, 4);
        m[24 + offsetof(struct item_v2, age)] = 1;
        memset(m + 24 + offsetof(struct item_v2, age) + 4, 0x01, 4);
        memset(m + 24 + offsetof(struct item_v2, bits), 1, 2);
        REQUIRE(cell_message_decode(&layout, m, sizeof(m), &a, &out, NULL) == CELL_OK);
        const struct item_v2 *i = out.items.ptr;
        CHECK(i->id == (stride >= 8 ? INT64_C(0x0101010101010101) : 0));
        CHECK(i->size == (stride >= offsetof(struct item_v2, size) + 4 ? 0x01010101u : 0));
        bool age = stride >= offsetof(struct item_v2, age) + 8;
        CHECK(i->age.has == age && i->age.value == (age ? 0x01010101 : 0));
        CHECK(i->bits[0] == (stride > offsetof(struct item_v2, bits)));
        CHECK(i->bits[1] == (stride > offsetof(struct item_v2, bits) + 1));
        cell_arena_reset(&a);
    }
    cell_arena_free(&a);
}
