/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* Random writes and reads against an array in memory; and what the feed says, carried out again, is the same. */
#include <math.h>

#include "store_fixture.h"

#define IDS 48
#define STEPS 4000

struct expected {
    bool there;
    uint64_t version;
    struct item item;
};
static struct expected model[IDS];
static uint64_t seed, last;
static struct st_arena arena;

static uint32_t dice(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

/* Beginnings of each other, zeros, and all bytes. */
static const cell_str texts[] = {{"", 0},     {"\0", 1},       {"\0\0", 2},  {"\0\xff", 2}, {"a", 1},
                                 {"a\0", 2},  {"a\0b", 3},     {"a\x01", 2}, {"ab", 2},     {"b", 1},
                                 {"\xff", 1}, {"\xff\xff", 2}, {"zebra", 5}};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))
static const int32_t years[] = {INT32_MIN, -70000, -257, -256, -255, -2, -1, 0, 1, 2, 255, 256, 257, 70000, INT32_MAX};
static const double scores[] = {-INFINITY, -1e300, -1, -1e-310, 0, 1e-310, 0.5, 1, 1e300, INFINITY};

/* Ids of all sizes and signs, in their order. */
static int64_t id_of(uint32_t i)
{
    return ((int64_t)i - IDS / 2) * ((int64_t)i - IDS / 2) * ((int64_t)i - IDS / 2) * 997;
}

static struct item random_item(uint32_t i)
{
    struct item item = {.id = id_of(i), .name = texts[dice(TEXTS)]};

    if (dice(3) == 0)
        item.email = (cell_opt_str){true, texts[dice(TEXTS)]};
    item.year = years[dice(sizeof(years) / sizeof(years[0]))];
    item.score = scores[dice(sizeof(scores) / sizeof(scores[0]))];
    return item;
}

static int order_of_texts(cell_str a, cell_str b)
{
    return st_compare((struct st_bytes){(const uint8_t *)a.ptr, a.len},
                      (struct st_bytes){(const uint8_t *)b.ptr, b.len});
}

static bool email_is_taken(uint32_t i, const struct item *item)
{
    for (uint32_t k = 0; item->email.has && k < IDS; k++)
        if (k != i && model[k].there && model[k].item.email.has &&
            order_of_texts(model[k].item.email.value, item->email.value) == 0)
            return true;
    return false;
}

static void put(uint32_t i, bool check)
{
    const struct item item = random_item(i);
    uint64_t expected = dice(3) ? model[i].version : dice((uint32_t)last + 2), version = 0;
    int r = store_write(ST_PUT, &item, check, expected, &version);
    int want = CELL_OK;

    if (check && !model[i].there && expected != 0)
        want = CELL_NOT_FOUND;
    else if (check && model[i].there && expected != model[i].version)
        want = expected == 0 ? CELL_ALREADY_EXISTS : CELL_ABORTED;
    else if (email_is_taken(i, &item))
        want = CELL_ALREADY_EXISTS;
    CHECK(r == want);
    if (r >= 0) {
        CHECK(version == ++last);
        model[i] = (struct expected){true, version, item};
    }
}

static void del(uint32_t i)
{
    int r = store_delete(id_of(i));

    CHECK(r == (model[i].there ? CELL_OK : CELL_NOT_FOUND));
    last += r >= 0;
    model[i].there = false;
    model[i].version = 0;
}

static void get(uint32_t i)
{
    struct item out;
    uint64_t version = 0;
    int r = store_get(NULL, id_of(i), &out, &version, &arena);

    CHECK(r == (model[i].there ? CELL_OK : CELL_NOT_FOUND));
    if (r >= 0) {
        const struct item *in = &model[i].item;
        CHECK(version == model[i].version && out.id == in->id && out.year == in->year && out.score == in->score);
        CHECK(cell_str_eq(out.name, in->name) && out.email.has == in->email.has);
        CHECK(!in->email.has || cell_str_eq(out.email.value, in->email.value));
    }
    st_arena_reset(&arena);
}

/* ---- scans ---- */

struct seen {
    int64_t ids[IDS];
    uint32_t n;
};

static int note(void *user, const struct st_found *found)
{
    struct seen *seen = user;
    struct item item = {0};

    CHECK(st_decode(codec, found->body, &item, st_arena_memory(&arena), &failure) >= 0);
    if (seen->n < IDS)
        seen->ids[seen->n++] = item.id;
    return 1;
}

static int by_id(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

    return (x->id > y->id) - (x->id < y->id);
}

static int by_name(const void *a, const void *b)
{
    int order = order_of_texts((*(struct item *const *)a)->name, (*(struct item *const *)b)->name);

    return order ? order : by_id(a, b);
}

static int by_email(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

    if (x->email.has != y->email.has)
        return x->email.has ? 1 : -1;
    int order = x->email.has ? order_of_texts(x->email.value, y->email.value) : 0;
    return order ? order : by_id(a, b);
}

static int by_year_and_score(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

    if (x->year != y->year)
        return x->year < y->year ? -1 : 1;
    return x->score < y->score ? -1 : x->score > y->score ? 1 : by_id(a, b);
}

typedef int order_fn(const void *a, const void *b);

/* The bound that a record's values are, in an order. */
static void bound_of(const struct item *item, const struct st_index *index, struct st_buffer *key)
{
    struct st_buffer body = {0};

    item_body(item, &body);
    st_key_begin(key, index ? index->space : st_collection_space(items));
    if (index)
        CHECK(st_key_of(st_bytes_of(&body), index->fields, index->n, true, key, NULL, &failure) >= 0);
    else
        CHECK(st_key_of(st_bytes_of(&body), schema->key, schema->nkey, false, key, NULL, &failure) >= 0);
    st_buffer_free(&body);
}

/* All from `low` on and below `high`, in both directions. */
static void scan(const char *index_name, order_fn *order)
{
    const struct st_index *index = index_name ? st_schema_index(schema, index_name) : NULL;
    struct item low = random_item(dice(IDS)), high = random_item(dice(IDS)), *sorted[IDS];
    struct st_buffer from = {0}, to = {0};
    struct seen seen = {.n = 0};
    struct st_view view;
    uint32_t n = 0, k = 0;
    bool descending = dice(2);

    /* A bound in an index has no key behind it: it is before all records with the same values. */
    if (index)
        low.id = high.id = INT64_MIN;
    bound_of(&low, index, &from);
    bound_of(&high, index, &to);
    for (uint32_t i = 0; i < IDS; i++) {
        struct item *item = &model[i].item;
        const struct item *bounds[2] = {&low, &high};
        if (model[i].there && order(&item, &bounds[0]) >= 0 && order(&item, &bounds[1]) < 0)
            sorted[n++] = item;
    }
    qsort(sorted, n, sizeof(sorted[0]), order);
    const struct st_range range = {st_bytes_of(&from), st_bytes_of(&to), index != NULL, descending};
    CHECK(st_view_begin(engine, NULL, &view, &failure) >= 0);
    CHECK(st_view_scan(&view, &range, note, &seen, &failure) == 0);
    st_view_end(&view);
    CHECK(seen.n == n);
    for (; k < n && k < seen.n; k++)
        CHECK(seen.ids[k] == sorted[descending ? n - 1 - k : k]->id);
    st_buffer_free(&from);
    st_buffer_free(&to);
    st_arena_reset(&arena);
}

/* ---- the feed ---- */

struct replay {
    bool there[IDS];
    int32_t years[IDS];
    uint64_t number;
};

static int carry_out(void *user, const struct st_change *change)
{
    struct replay *replay = user;
    struct item item = {0};
    uint32_t i = 0;

    CHECK(change->number == ++replay->number);
    CHECK(st_decode(codec, change->body, &item, st_arena_memory(&arena), &failure) >= 0);
    while (i < IDS && id_of(i) != item.id)
        i++;
    CHECK(i < IDS);
    if (i < IDS) {
        replay->there[i] = change->kind == ST_CHANGE_PUT;
        replay->years[i] = item.year;
    }
    return 1;
}

static void follow(void)
{
    struct replay replay = {.number = 0};
    struct st_view view;
    struct st_stat stat;

    CHECK(st_view_begin(engine, NULL, &view, &failure) >= 0);
    CHECK(st_view_changes(&view, items, 0, carry_out, &replay, &failure) == 0);
    CHECK(st_view_stat(&view, items, &stat, &failure) >= 0);
    st_view_end(&view);
    uint64_t count = 0;
    for (uint32_t i = 0; i < IDS; i++) {
        CHECK(replay.there[i] == model[i].there);
        CHECK(!model[i].there || replay.years[i] == model[i].item.year);
        count += model[i].there;
    }
    CHECK(replay.number == last && stat.last == last && stat.count == count);
    st_arena_reset(&arena);
}

static void step(void)
{
    uint32_t i = dice(IDS);

    switch (dice(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
        put(i, false);
        break;
    case 4:
    case 5:
        put(i, true);
        break;
    case 6:
    case 7:
        del(i);
        break;
    case 8:
        get(i);
        break;
    case 9:
        scan(NULL, by_id);
        break;
    case 10:
        scan("name", by_name);
        break;
    case 11:
        scan("email", by_email);
        break;
    case 12:
        scan("year_score", by_year_and_score);
        break;
    default:
        if (dice(40) == 0) {
            store_close();
            CHECK(store_open(NULL));
        }
    }
}

TEST(random_writes_and_reads_agree_with_an_array)
{
    for (uint64_t round = 1; round <= 4 && !test_failures; round++) {
        seed = round;
        last = 0;
        memset(model, 0, sizeof(model));
        store_begin(NULL);
        for (int i = 0; i < STEPS && !test_failures; i++)
            step();
        follow();
        for (uint32_t i = 0; i < IDS; i++)
            get(i);
        store_end();
        if (test_failures)
            printf("round %u\n", (unsigned)round);
    }
    st_arena_free(&arena);
}
