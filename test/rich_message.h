/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Types with everything that a message can hold, and their descriptors: for the unit tests and the fuzz target. */
#ifndef CELL_TEST_RICH_MESSAGE_H
#define CELL_TEST_RICH_MESSAGE_H

#include <stddef.h>

#include "wire/message.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define FIELD(S, member, descriptor) {#member, &(descriptor), offsetof(S, member), 0, 0, 0}
#define FIELDS(S, member, descriptor, n) {#member, &(descriptor), offsetof(S, member), n, 0, 0}
#define PARAM(S, member, descriptor) {#member, &(descriptor), offsetof(S, member), 0, CELL_FIELD_REF, 0}
#define PARAMS(S, member, descriptor, n) {#member, &(descriptor), offsetof(S, member), n, CELL_FIELD_REF, 0}
#define STRUCT_TYPE(id, S)                                                                                             \
    static const struct cell_type id = {                                                                               \
        #id, CELL_KIND_STRUCT, sizeof(S), _Alignof(S), COUNT(id##_fields), id##_fields, NULL}
#define LIST_TYPE(id, element) static const struct cell_type id = {#id, CELL_KIND_LIST, 16, 8, 0, NULL, &(element)}
#define OPT_TYPE(id, S, element)                                                                                       \
    static const struct cell_type id = {#id, CELL_KIND_OPT, sizeof(S), _Alignof(S), 0, NULL, &(element)}

static const struct cell_field color_values[] = {{"COLOR_RED", NULL, 0, 0, 0, 0},
                                                 {"COLOR_NONE", NULL, UINT32_MAX, UINT32_MAX, 0, 0}};
static const struct cell_type color_type = {"color", CELL_KIND_ENUM, 4, 4, 2, color_values, &cell_type_i32};
static const struct cell_field level_values[] = {{"LEVEL_TOP", NULL, 255, 0, 0, 0}};
static const struct cell_type level_type = {"level", CELL_KIND_ENUM, 1, 1, 1, level_values, &cell_type_u8};

/* No padding: copied whole. */
struct point {
    int16_t x, y;
    float z;
};
static const struct cell_field point_type_fields[] = {FIELD(struct point, x, cell_type_i16),
                                                      FIELD(struct point, y, cell_type_i16),
                                                      FIELD(struct point, z, cell_type_f32)};
STRUCT_TYPE(point_type, struct point);
CELL_LIST(point_list, struct point);
LIST_TYPE(point_list_type, point_type);

/* Padding in the middle and at the end. */
struct padded {
    uint8_t a;
    int64_t b;
    uint8_t level;
    bool c;
};
static const struct cell_field padded_type_fields[] = {
    FIELD(struct padded, a, cell_type_u8), FIELD(struct padded, b, cell_type_i64),
    FIELD(struct padded, level, level_type), FIELD(struct padded, c, cell_type_bool)};
STRUCT_TYPE(padded_type, struct padded);
CELL_LIST(padded_list, struct padded);
CELL_OPT(padded_opt, struct padded);
LIST_TYPE(padded_list_type, padded_type);
OPT_TYPE(padded_opt_type, padded_opt, padded_type);

struct tag {
    cell_str key;
    cell_bytes value;
    cell_opt_str note;
};
static const struct cell_field tag_type_fields[] = {FIELD(struct tag, key, cell_type_str),
                                                    FIELD(struct tag, value, cell_type_bytes),
                                                    FIELD(struct tag, note, cell_type_opt_str)};
STRUCT_TYPE(tag_type, struct tag);
CELL_LIST(tag_list, struct tag);
LIST_TYPE(tag_list_type, tag_type);

struct account {
    int64_t id;
    cell_str email;
    tag_list tags;
    point_list track;
    struct point corners[2];
    struct tag main_tags[2];
    padded_opt limits;
    cell_opt_i32 age;
    cell_opt_f64 score;
    cell_list_bool flags;
    int32_t color;
    bool bits[3];
};
static const struct cell_field account_type_fields[] = {
    FIELD(struct account, id, cell_type_i64),        FIELD(struct account, email, cell_type_str),
    FIELD(struct account, tags, tag_list_type),      FIELD(struct account, track, point_list_type),
    FIELDS(struct account, corners, point_type, 2),  FIELDS(struct account, main_tags, tag_type, 2),
    FIELD(struct account, limits, padded_opt_type),  FIELD(struct account, age, cell_type_opt_i32),
    FIELD(struct account, score, cell_type_opt_f64), FIELD(struct account, flags, cell_type_list_bool),
    FIELD(struct account, color, color_type),        FIELDS(struct account, bits, cell_type_bool, 3)};
STRUCT_TYPE(account_type, struct account);
CELL_LIST(account_list, struct account);
LIST_TYPE(account_list_type, account_type);

/* Contains itself: only the limit on depth ends it. */
struct node;
CELL_LIST(node_list, struct node);
struct node {
    cell_str name;
    node_list children;
};
extern const struct cell_type node_type;
LIST_TYPE(node_list_type, node_type);
static const struct cell_field node_fields[] = {FIELD(struct node, name, cell_type_str),
                                                FIELD(struct node, children, node_list_type)};
const struct cell_type node_type = {"node", CELL_KIND_STRUCT, sizeof(struct node), 8, 2, node_fields, NULL};

struct rich_request {
    bool yes;
    int8_t i8;
    uint8_t u8;
    int16_t i16;
    uint16_t u16;
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    int32_t color;
    cell_str text;
    cell_bytes data;
    cell_list_i64 numbers;
    cell_list_u8 octets;
    cell_list_str words;
    cell_opt_bool maybe;
    cell_opt_bytes blob;
    account_list accounts;
    padded_list pads;
    struct cell_ref account; /* const struct account * */
    struct cell_ref key;     /* const uint8_t key[16] */
    struct cell_ref tags;    /* const struct tag tags[2] */
    struct cell_ref tree;    /* const struct node * */
};
static const struct cell_field rich_fields[] = {
    FIELD(struct rich_request, yes, cell_type_bool),
    FIELD(struct rich_request, i8, cell_type_i8),
    FIELD(struct rich_request, u8, cell_type_u8),
    FIELD(struct rich_request, i16, cell_type_i16),
    FIELD(struct rich_request, u16, cell_type_u16),
    FIELD(struct rich_request, i32, cell_type_i32),
    FIELD(struct rich_request, u32, cell_type_u32),
    FIELD(struct rich_request, i64, cell_type_i64),
    FIELD(struct rich_request, u64, cell_type_u64),
    FIELD(struct rich_request, f32, cell_type_f32),
    FIELD(struct rich_request, f64, cell_type_f64),
    FIELD(struct rich_request, color, color_type),
    FIELD(struct rich_request, text, cell_type_str),
    FIELD(struct rich_request, data, cell_type_bytes),
    FIELD(struct rich_request, numbers, cell_type_list_i64),
    FIELD(struct rich_request, octets, cell_type_list_u8),
    FIELD(struct rich_request, words, cell_type_list_str),
    FIELD(struct rich_request, maybe, cell_type_opt_bool),
    FIELD(struct rich_request, blob, cell_type_opt_bytes),
    FIELD(struct rich_request, accounts, account_list_type),
    FIELD(struct rich_request, pads, padded_list_type),
    PARAM(struct rich_request, account, account_type),
    PARAMS(struct rich_request, key, cell_type_u8, 16),
    PARAMS(struct rich_request, tags, tag_type, 2),
    PARAM(struct rich_request, tree, node_type),
};
static const struct cell_layout rich_layout = {rich_fields, COUNT(rich_fields), sizeof(struct rich_request)};

#endif
