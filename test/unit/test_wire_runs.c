/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Arrays of structs, whose plain fields are copied in runs: they are written, read and refused as a single one is. */
#include "test.h"

#include "rich_message.h"
#include "wire/limits.h"

#define MOST 9u

/* Runs of several fields, of one, with and without padding behind them. */
struct row {
    uint8_t a;
    int64_t b, c;
    double d;
    cell_str text;
    int32_t e, f, g;
    bool t;
    uint8_t fixed[3];
    cell_opt_u8 maybe;
    int64_t last[9];
};
static const struct cell_field row_type_fields[] = {
    FIELD(struct row, a, cell_type_u8),         FIELD(struct row, b, cell_type_i64),
    FIELD(struct row, c, cell_type_i64),        FIELD(struct row, d, cell_type_f64),
    FIELD(struct row, text, cell_type_str),     FIELD(struct row, e, cell_type_i32),
    FIELD(struct row, f, cell_type_i32),        FIELD(struct row, g, cell_type_i32),
    FIELD(struct row, t, cell_type_bool),       FIELDS(struct row, fixed, cell_type_u8, 3),
    FIELD(struct row, maybe, cell_type_opt_u8), FIELDS(struct row, last, cell_type_i64, 9)};
STRUCT_TYPE(row_type, struct row);
LIST_TYPE(row_list_type, row_type);

/* More runs and fields between them than are looked for. */
struct wide {
    struct {
        bool t;
        int32_t n;
    } pair[10];
};
#define PAIR(i) FIELD(struct wide, pair[i].t, cell_type_bool), FIELD(struct wide, pair[i].n, cell_type_i32)
static const struct cell_field wide_type_fields[] = {PAIR(0), PAIR(1), PAIR(2), PAIR(3), PAIR(4),
                                                     PAIR(5), PAIR(6), PAIR(7), PAIR(8), PAIR(9)};
STRUCT_TYPE(wide_type, struct wide);
LIST_TYPE(wide_list_type, wide_type);

static const struct cell_field rows_field = {"rows", &row_list_type, 0, 0, 0, NULL};
static const struct cell_layout rows_layout = {.fields = &rows_field, .n = 1, .size = sizeof(struct cell_ref)};
static const struct cell_field wides_field = {"wides", &wide_list_type, 0, 0, 0, NULL};
static const struct cell_layout wides_layout = {.fields = &wides_field, .n = 1, .size = sizeof(struct cell_ref)};

static void make_rows(struct row *rows, int padding)
{
    memset(rows, padding, MOST * sizeof(*rows));
    for (uint32_t i = 0; i < MOST; i++) {
        struct row *row = &rows[i];
        row->a = (uint8_t)i;
        row->b = INT64_MIN + i;
        row->c = -(int64_t)i;
        row->d = i / 3.0;
        row->text = (cell_str){"one that is long", 7 + i};
        row->e = (int32_t)i * 3;
        row->f = -row->e;
        row->g = INT32_MIN;
        row->t = i % 2;
        memcpy(row->fixed, "xyz", 3);
        row->maybe = (cell_opt_u8){.has = i % 3 == 0};
        row->maybe.value = (uint8_t)(row->maybe.has ? 200 + i : 0);
        for (int k = 0; k < 9; k++)
            row->last[k] = k * i;
    }
}

static bool same(const struct row *x, const struct row *y)
{
    return x->a == y->a && x->b == y->b && x->c == y->c && memcmp(&x->d, &y->d, sizeof(x->d)) == 0 &&
           cell_str_eq(x->text, y->text) && x->e == y->e && x->f == y->f && x->g == y->g && x->t == y->t &&
           memcmp(x->fixed, y->fixed, 3) == 0 && x->maybe.has == y->maybe.has && x->maybe.value == y->maybe.value &&
           memcmp(x->last, y->last, sizeof(x->last)) == 0;
}

TEST(arrays_of_every_length_read_back)
{
    struct row rows[MOST], others[MOST];

    make_rows(rows, 0);
    make_rows(others, 0xff);
    for (uint64_t n = 0; n <= MOST; n++) {
        struct cell_ref in = {rows, n}, with_padding = {others, n}, out;
        struct cell_buffer one = {0}, two = {0};
        struct cell_arena a = {0};
        REQUIRE(cell_message_encode(&rows_layout, &in, CELL_MAX_MESSAGE, &one, NULL) == CELL_OK);
        memset(cell_buffer_reserve(&two, 10000), 0xff, 10000);
        REQUIRE(cell_message_encode(&rows_layout, &with_padding, CELL_MAX_MESSAGE, &two, NULL) == CELL_OK);
        CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
        REQUIRE(cell_message_decode(&rows_layout, (const uint8_t *)two.data, two.len, &a, &out, NULL) == CELL_OK);
        CHECK(out.len == n);
        for (uint64_t i = 0; i < n; i++)
            CHECK(same((const struct row *)out.ptr + i, &rows[i]));
        cell_buffer_free(&one);
        cell_buffer_free(&two);
        cell_arena_free(&a);
    }
}

TEST(structs_of_many_runs_read_back)
{
    struct wide wides[MOST] = {0};
    struct cell_ref in = {wides, MOST}, out;
    struct cell_buffer b = {0};
    struct cell_arena a = {0};

    for (uint32_t i = 0; i < MOST; i++)
        for (uint32_t k = 0; k < 10; k++) {
            wides[i].pair[k].t = (i + k) % 2;
            wides[i].pair[k].n = (int32_t)(i * 100 + k);
        }
    REQUIRE(cell_message_encode(&wides_layout, &in, CELL_MAX_MESSAGE, &b, NULL) == CELL_OK);
    REQUIRE(cell_message_decode(&wides_layout, (const uint8_t *)b.data, b.len, &a, &out, NULL) == CELL_OK);
    CHECK(out.len == MOST && memcmp(out.ptr, wides, sizeof(wides)) == 0);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(what_is_wrong_is_named_in_any_element)
{
    struct row rows[MOST];
    struct cell_ref in = {rows, MOST}, out;
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    struct cell_error e;
    char wanted[64];

    make_rows(rows, 0);
    REQUIRE(cell_message_encode(&rows_layout, &in, CELL_MAX_MESSAGE, &b, NULL) == CELL_OK);
    uint8_t *first = (uint8_t *)b.data + 8 + sizeof(struct cell_ref);
    for (uint32_t i = 0; i < MOST; i++) {
        uint8_t *bool_at = first + i * sizeof(struct row) + offsetof(struct row, t), before = *bool_at;
        *bool_at = 2;
        CHECK(cell_message_decode(&rows_layout, (const uint8_t *)b.data, b.len, &a, &out, &e) == CELL_PROTOCOL_ERROR);
        snprintf(wanted, sizeof(wanted), "rows[%u].t: a bool with the value 2", i);
        CHECK_STR(e.text, wanted);
        *bool_at = before;
    }
    for (uint32_t i = 0; i < MOST; i++) {
        cell_str before = rows[i].text;
        b.len = 0;
        rows[i].text = CELL_STR("\xff");
        CHECK(cell_message_encode(&rows_layout, &in, CELL_MAX_MESSAGE, &b, &e) == CELL_INVALID_ARGUMENT);
        snprintf(wanted, sizeof(wanted), "rows[%u].text: the text is not valid UTF-8", i);
        CHECK_STR(e.text, wanted);
        rows[i].text = before;
    }
    cell_buffer_free(&b);
    cell_arena_free(&a);
}
