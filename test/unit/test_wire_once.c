/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Nothing that was checked is read again from memory that another process may write to: a message changes between any
 * two accesses, from a good one to each of several bad ones or back, and what comes out is refused or whole.
 */
#include "test.h"

#include "read_trap.h"
#include "rich_message.h"
#include "transport/shm_slot.h"
#include "wire/records.h"

#if defined(__x86_64__)

static struct cell_error e;

/* ---- messages ---- */

static const struct cell_field account_fields[] = {{"account", &account_type, 0, 0, CELL_FIELD_REF, 0}};
static const struct cell_layout account_layout = {account_fields, 1, sizeof(struct cell_ref)};

static size_t put_account(uint8_t bytes[TRAP_SIZE])
{
    static const struct tag tags[2] = {{.key = CELL_STR("key"), .note = {true, CELL_STR("noted")}},
                                       {.key = CELL_STR("other"), .value = {(const uint8_t *)"\0\1\2", 3}}};
    static const struct point points[2] = {{1, 2, 3.0f}, {4, 5, 6.0f}};
    static const bool flags[4] = {true, false, true, true};
    const struct account a = {.id = 7,
                              .email = CELL_STR("gr\xc3\xbc\xc3\x9f"),
                              .tags = {tags, 2},
                              .track = {points, 2},
                              .limits = {true, {1, 2, 255, true}},
                              .age = {true, 36},
                              .flags = {flags, 4},
                              .bits = {true, false, true}};
    const struct cell_ref ref = {&a, 1};
    struct cell_buffer b = {0};
    CHECK(cell_message_encode(&account_layout, &ref, TRAP_SIZE, &b, &e) >= 0);
    size_t len = b.len;
    memcpy(bytes, b.data, len);
    cell_buffer_free(&b);
    return len;
}

/* What it becomes: every byte another one, or only those of one kind of place, as far as its value tells what it is. */
enum change { ALL_ONES, ALL_ZERO, LARGER_WORDS, OTHER_BYTES, TEXTS, CHANGES };

static void change(const uint8_t *good, size_t len, enum change how, uint8_t bad[TRAP_SIZE])
{
    memset(bad, 0, TRAP_SIZE);
    for (size_t i = 0; i < len; i++) {
        bool letter = good[i] >= 'a' && good[i] <= 'z';
        bad[i] = how == ALL_ONES       ? 0xff
                 : how == ALL_ZERO     ? 0
                 : how == LARGER_WORDS ? (uint8_t)(good[i] + (i % 4 == 1 ? 0x10 : 0))
                 : how == OTHER_BYTES  ? (uint8_t)(good[i] ^ 0x02)
                 : letter              ? 0xff
                                       : good[i];
    }
}

/* ---- what comes out ---- */

static bool is_text(cell_str s, bool copied)
{
    if (s.len == 0)
        return true;
    if (!copied) { /* its bytes may change; where they are may not */
        uintptr_t at = (uintptr_t)s.ptr - (uintptr_t)trap_page;
        return at < TRAP_SIZE && s.len <= TRAP_SIZE - at;
    }
    return s.ptr[s.len] == '\0' && cell_utf8_valid(s.ptr, s.len);
}

static bool are_flags(const void *flags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)flags)[i] > 1)
            return false;
    return true;
}

static bool is_tag(const struct tag *t, bool copied)
{
    const cell_str value = {(const char *)t->value.ptr, t->value.len};
    bool good = is_text(t->key, copied) && are_flags(&t->note.has, 1) && is_text(t->note.value, copied);
    return good && (copied ? value.len <= TRAP_SIZE : is_text(value, false));
}

static bool is_account(const struct account *a, bool copied)
{
    bool good = is_text(a->email, copied) && are_flags(&a->limits.has, 1) && are_flags(&a->limits.value.c, 1) &&
                are_flags(&a->age.has, 1) && are_flags(&a->score.has, 1) && are_flags(a->bits, 3) &&
                are_flags(a->flags.ptr, a->flags.len) && is_tag(&a->main_tags[0], copied);
    for (uint64_t i = 0; good && i < a->tags.len; i++)
        good = is_tag(&a->tags.ptr[i], copied);
    volatile uint8_t sum = 0; /* ASan looks at what was copied */
    for (uint64_t i = 0; i < a->track.len * sizeof(struct point); i++)
        sum = (uint8_t)(sum + ((const uint8_t *)a->track.ptr)[i]);
    return good;
}

/* ---- any moment ---- */

/* `take` reads the message in trap_page and tells whether what it got is good, or was refused. */
static void change_at_any_moment(const uint8_t *good, size_t len, bool (*take)(size_t len, unsigned *served))
{
    static uint8_t whole[TRAP_SIZE], bad[TRAP_SIZE];
    unsigned accesses = 0, served = 0, switches = 0;
    memset(whole, 0, sizeof(whole));
    memcpy(whole, good, len);
    REQUIRE(trap_begin(good, len, bad, 0));
    CHECK(take(len, &served) && served == 1); /* the good one */
    accesses = trap_hits;
    CHECK(accesses > 1);
    for (int how = 0; how < CHANGES; how++) {
        change(good, len, (enum change)how, bad);
        for (unsigned at = 1; at < 2 * accesses; at++) { /* from good to bad, and from bad to good */
            bool first = at < accesses;
            REQUIRE(trap_begin(first ? whole : bad, len, first ? bad : whole, at % accesses));
            bool sound = take(len, &served);
            if (!sound)
                printf("# change %d after access %u of %u\n", how, at, accesses);
            CHECK(sound);
            switches++;
        }
    }
    printf("# %u accesses; %u of %u changed messages were served\n", accesses, served - 1, switches);
    CHECK(served < switches + 1);
}

static bool take_account(size_t len, unsigned *served, bool in_place)
{
    struct cell_arena arena = {.limit = 1u << 20};
    struct cell_ref out;
    int r = in_place ? cell_message_decode_in_place(&account_layout, trap_page, len, &arena, &out, &e)
                     : cell_message_decode(&account_layout, trap_page, len, &arena, &out, &e);
    trap_end();
    bool good = r == CELL_OK || r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE;
    if (r == CELL_OK)
        good = is_account(out.ptr, !in_place);
    *served += r == CELL_OK;
    cell_arena_free(&arena);
    return good;
}
static bool take_copy(size_t len, unsigned *served) { return take_account(len, served, false); }
static bool take_in_place(size_t len, unsigned *served) { return take_account(len, served, true); }

TEST(a_message_that_is_copied_is_checked_as_it_was_copied)
{
    uint8_t bytes[TRAP_SIZE];
    change_at_any_moment(bytes, put_account(bytes), take_copy);
}

TEST(in_a_message_that_is_read_in_place_only_bytes_of_texts_change)
{
    uint8_t bytes[TRAP_SIZE];
    change_at_any_moment(bytes, put_account(bytes), take_in_place);
}

/* ---- records ---- */

static bool take_records(const struct cell_type *type, size_t len, unsigned *served)
{
    struct cell_records f;
    struct cell_arena arena = {.limit = 1u << 20};
    struct cell_batch batch;
    struct tag out[64];
    size_t n, all = 0;
    bool good = true;
    cell_records_init(&f, type);
    int r = cell_records_take(&f, trap_page, len, &arena, &batch, &e);
    while (r == CELL_OK && (n = cell_records_copy(&f, &batch, out, 8)) > 0 && all <= TRAP_SIZE) {
        all += n;
        for (size_t i = 0; type == &tag_type && i < n; i++)
            good = good && is_tag(&out[i], true);
    }
    trap_end();
    *served += r == CELL_OK;
    cell_arena_free(&arena);
    return good && all * type->size <= TRAP_SIZE && (r == CELL_OK || r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE);
}
static bool take_points(size_t len, unsigned *served) { return take_records(&point_type, len, served); }
static bool take_tags(size_t len, unsigned *served) { return take_records(&tag_type, len, served); }

TEST(records_are_those_that_were_checked)
{
    static const struct tag tags[2] = {{.key = CELL_STR("key"), .note = {true, CELL_STR("noted")}},
                                       {.key = CELL_STR("other"), .value = {(const uint8_t *)"\0\1\2", 3}}};
    static const struct point points[5] = {{1, 2, 3.0f}, {4, 5, 6.0f}};
    struct cell_records f;
    struct cell_buffer b = {0};
    cell_records_init(&f, &point_type);
    REQUIRE(cell_records_encode(&f, points, 5, TRAP_SIZE, &b, &e) == CELL_OK);
    change_at_any_moment((const uint8_t *)b.data, b.len, take_points);
    b.len = 0;
    cell_records_init(&f, &tag_type);
    REQUIRE(cell_records_encode(&f, tags, 2, TRAP_SIZE, &b, &e) == CELL_OK);
    change_at_any_moment((const uint8_t *)b.data, b.len, take_tags);
    cell_buffer_free(&b);
}

/* ---- short replies ---- */

static const struct cell_type pair_type = {
    "pair", CELL_KIND_STRUCT,
    8,      4,
    2,      (const struct cell_field[]){{"x", &cell_type_i32, 0, 0, 0, 0}, {"y", &cell_type_i32, 4, 0, 0, 0}},
    NULL};
static const struct cell_field short_fields[] = {{"a", &pair_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
                                                 {"b", &pair_type, 16, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

/* Values may be of either message; what is written stays inside of where it belongs, which ASan looks at. */
static bool take_reply(size_t len, unsigned *served, bool shortest)
{
    struct cell_layout l = {.fields = short_fields, .n = 2, .size = 32};
    int32_t a[2], b[2];
    void *const out[] = {a, b};
    if (cell_layout_prepare(&l) < 0)
        abort();
    *served +=
        shortest ? cell_short_take_to(&l, trap_page, len, out) : cell_message_take_plain(&l, trap_page, len, out);
    trap_end();
    cell_layout_release(&l);
    return true;
}
static bool take_short(size_t len, unsigned *served) { return take_reply(len, served, true); }
static bool take_plain(size_t len, unsigned *served) { return take_reply(len, served, false); }

TEST(replies_of_plain_values_stay_where_they_belong)
{
    static const int32_t values[4] = {1, 2, 3, 4};
    const struct cell_ref refs[2] = {{&values[0], 1}, {&values[2], 1}};
    const struct cell_layout l = {.fields = short_fields, .n = 2, .size = 32};
    struct cell_buffer b = {0};
    REQUIRE(cell_message_encode(&l, refs, TRAP_SIZE, &b, &e) == CELL_OK);
    change_at_any_moment((const uint8_t *)b.data, b.len, take_short);
    change_at_any_moment((const uint8_t *)b.data, b.len, take_plain);
    cell_buffer_free(&b);
}

/* ---- slots ---- */

static bool take_slot(size_t len, unsigned *served)
{
    struct cell_shm_order order = {.id = 6};
    struct cell_shm_slot s;
    (void)len;
    int r = cell_shm_slot_read(trap_page, &order, 1u << 20, &s, &e);
    trap_end();
    *served += r == CELL_OK;
    if (r < 0)
        return r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE;
    bool inside =
        s.place == CELL_SHM_IN_BLOB || s.compact ||
        (s.place == CELL_SHM_IN_SLOT && s.frame.length <= CELL_SHM_MAX_INLINE) ||
        (s.place == CELL_SHM_IN_DATA && s.where <= CELL_RING_DATA && s.frame.length <= CELL_RING_DATA - s.where);
    return inside && s.bytes <= CELL_SHM_MAX_COMPACT && cell_frame_check(&s.frame, 1u << 20, &e) >= 0 &&
           s.frame.meta_len <= s.frame.length && order.id == s.frame.id;
}

TEST(a_slot_is_checked_as_it_was_read)
{
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 7, .length = 300, .meta_len = 20, .code = 3};
    uint8_t slot[CELL_RING_INLINE] = {0};
    cell_shm_slot_write_full(slot, &f, CELL_SHM_IN_DATA, 4096);
    change_at_any_moment(slot, sizeof(slot), take_slot);
}

#endif
