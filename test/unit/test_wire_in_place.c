/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Messages in pieces, in memory that was lent for them, and decoded where they lie. */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rich_message.h"
#include "wire/limits.h"

#define MAX CELL_MAX_MESSAGE

struct parcel {
    int32_t id;
    cell_str text;
    cell_bytes data;
    cell_list_i64 numbers;
    point_list points;
    tag_list tags;
    cell_list_bool flags;
    struct cell_ref key; /* const uint8_t key[5000] */
};
enum { KEY = 5000 };
static const struct cell_field parcel_fields[] = {
    FIELD(struct parcel, id, cell_type_i32),          FIELD(struct parcel, text, cell_type_str),
    FIELD(struct parcel, data, cell_type_bytes),      FIELD(struct parcel, numbers, cell_type_list_i64),
    FIELD(struct parcel, points, point_list_type),    FIELD(struct parcel, tags, tag_list_type),
    FIELD(struct parcel, flags, cell_type_list_bool), PARAMS(struct parcel, key, cell_type_u8, KEY)};
static const struct cell_layout parcel_layout = {parcel_fields, COUNT(parcel_fields), sizeof(struct parcel)};

static uint64_t random_state;
static uint32_t below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

/* ---- encoding ---- */

/* Where values come from: private memory, or what was lent. */
enum { AREA = 400 << 10, FRONT = 4096 };
static _Alignas(64) uint8_t place_memory[FRONT + AREA], private_memory[AREA];

/* `n` bytes of one of the two, at a multiple of `align`. */
static const void *somewhere(size_t n, size_t align, bool lent)
{
    const uint8_t *area = lent ? place_memory + FRONT : private_memory;
    return area + below((uint32_t)((AREA - n) / align)) * align;
}

static struct parcel random_parcel(struct tag tags[3], bool may_lend)
{
    static const uint32_t sizes[] = {0, 1, 8, 100, 4095, 4096, 4097, 5000, 70000};
    static const bool flags[] = {true, false, true};
#define SOME (sizes[below(COUNT(sizes))])
#define LENT (may_lend && below(2))
    struct parcel p = {.id = (int32_t)below(1000)};
    uint32_t n = SOME;
    p.text = (cell_str){somewhere(n, below(3) ? 8 : 1, LENT), n};
    n = SOME;
    p.data = (cell_bytes){somewhere(n, below(3) ? 8 : 1, LENT), n};
    n = SOME / 8;
    p.numbers = (cell_list_i64){somewhere(8 * (size_t)n, 8, LENT), n};
    n = SOME / 8;
    p.points = (point_list){somewhere(8 * (size_t)n, 8, LENT), n};
    for (int i = 0; i < 3; i++) {
        memset(&tags[i], 0, sizeof(tags[i]));
        n = SOME;
        tags[i].value = (cell_bytes){somewhere(n, 8, LENT), n};
        tags[i].key = CELL_STR("key");
    }
    p.tags = (tag_list){tags, below(4)};
    p.flags = (cell_list_bool){flags, below(4)};
    p.key = (struct cell_ref){somewhere(KEY, 8, LENT), KEY};
    return p;
#undef SOME
#undef LENT
}

/* The message in one piece, at `to`; its bytes. */
static size_t put_together(const struct cell_buffer *b, const struct cell_pieces *pieces, uint8_t *to)
{
    size_t len = 0, at = 0;
    for (uint32_t i = 0; i < pieces->n; i++) {
        CHECK(pieces->piece[i].len > 0 && pieces->piece[i].at >= at && pieces->piece[i].at <= b->len);
        memcpy(to + len, b->data + at, pieces->piece[i].at - at);
        len += pieces->piece[i].at - at;
        at = pieces->piece[i].at;
        memcpy(to + len, pieces->piece[i].bytes, pieces->piece[i].len);
        len += pieces->piece[i].len;
    }
    memcpy(to + len, b->data + at, b->len - at);
    len += b->len - at;
    CHECK(len == b->len + pieces->bytes && len % 8 == 0);
    return len;
}

static void fill_areas(void)
{
    for (size_t i = 0; i < AREA; i++) {
        private_memory[i] = 'a' + i % 23;
        place_memory[FRONT + i] = 'A' + i % 25;
    }
}

static uint8_t one_piece[FRONT + AREA + (1u << 20)];

TEST(pieces_make_the_same_message_as_one_buffer)
{
    struct cell_buffer b = {0}, whole = {0};
    struct cell_pieces pieces;
    unsigned outside = 0;
    fill_areas();
    for (random_state = 1; outside < 3000;) {
        struct tag tags[3];
        struct parcel p = random_parcel(tags, false);
        whole.len = 0; /* behind something else */
        cell_buffer_append(&whole, "12345678", 8);
        REQUIRE(cell_message_encode(&parcel_layout, &p, MAX, &whole, NULL) == CELL_OK);
        b.len = 0;
        REQUIRE(cell_message_encode_pieces(&parcel_layout, &p, MAX, NULL, &b, &pieces, NULL) == CELL_OK);
        size_t len = put_together(&b, &pieces, one_piece);
        CHECK(len == whole.len - 8 && memcmp(one_piece, whole.data + 8, len) == 0);
        CHECK(!pieces.in_place && pieces.n < CELL_MESSAGE_PIECES);
        CHECK(b.len < 8 * (size_t)CELL_MESSAGE_OUTSIDE * CELL_MESSAGE_PIECES + 100 * 1024);
        outside += pieces.n + 1;
        for (uint32_t i = 0; i < pieces.n; i++)
            CHECK(pieces.piece[i].len >= CELL_MESSAGE_OUTSIDE - 8 && pieces.piece[i].len % 8 == 0);
    }
    cell_buffer_free(&b);
    cell_buffer_free(&whole);
}

static bool same_parcel(const struct parcel *a, const struct parcel *b)
{
    bool same = a->id == b->id && cell_str_eq(a->text, b->text) && a->data.len == b->data.len &&
                memcmp(a->data.ptr, b->data.ptr, a->data.len) == 0 && a->numbers.len == b->numbers.len &&
                (!a->numbers.len || memcmp(a->numbers.ptr, b->numbers.ptr, 8 * a->numbers.len) == 0) &&
                a->points.len == b->points.len &&
                (!a->points.len || memcmp(a->points.ptr, b->points.ptr, 8 * a->points.len) == 0) &&
                a->tags.len == b->tags.len && a->flags.len == b->flags.len &&
                (!a->flags.len || memcmp(a->flags.ptr, b->flags.ptr, a->flags.len) == 0) &&
                memcmp(a->key.ptr, b->key.ptr, KEY) == 0;
    for (uint64_t i = 0; same && i < a->tags.len; i++)
        same = cell_str_eq(a->tags.ptr[i].key, b->tags.ptr[i].key) &&
               a->tags.ptr[i].value.len == b->tags.ptr[i].value.len &&
               memcmp(a->tags.ptr[i].value.ptr, b->tags.ptr[i].value.ptr, a->tags.ptr[i].value.len) == 0;
    return same;
}

TEST(what_was_lent_stays_in_its_place_and_the_rest_is_put_around_it)
{
    struct cell_buffer b = {0};
    struct cell_arena arena = {0};
    unsigned in_place = 0, not = 0;
    fill_areas();
    for (random_state = 7; in_place < 400 || not< 5;) {
        struct tag tags[3];
        struct cell_pieces pieces;
        struct parcel p = random_parcel(tags, true), out;
        struct cell_error e;
        size_t begin = 8 * (size_t)below(FRONT / 8);
        const struct cell_place place = {place_memory + begin, place_memory + FRONT, AREA};
        b.len = 0;
        REQUIRE(cell_message_encode_pieces(&parcel_layout, &p, MAX, &place, &b, &pieces, NULL) == CELL_OK);
        size_t len = put_together(&b, &pieces, one_piece);
        REQUIRE(cell_message_decode(&parcel_layout, one_piece, len, &arena, &out, &e) == CELL_OK);
        CHECK(same_parcel(&p, &out));
        /* A piece that is lent stands where it lies. */
        bool found = false;
        for (uint32_t i = 0; i < pieces.n; i++)
            found |= pieces.piece[i].bytes == place.message + pieces.piece[i].at;
        CHECK(!pieces.in_place || found || pieces.n > 1);
        in_place += pieces.in_place;
        not += !pieces.in_place;
        cell_arena_reset(&arena);
    }
    cell_buffer_free(&b);
    cell_arena_free(&arena);
}

TEST(lent_memory_that_nothing_refers_to_is_not_sent)
{
    struct cell_buffer b = {0};
    struct cell_pieces pieces;
    const struct cell_place place = {place_memory, place_memory + FRONT, AREA};
    static const uint8_t key[KEY] = {1};
    struct parcel p = {.text = CELL_STR("short"), .key = {key, KEY}};
    fill_areas();
    REQUIRE(cell_message_encode_pieces(&parcel_layout, &p, MAX, &place, &b, &pieces, NULL) == CELL_OK);
    CHECK(!pieces.in_place && b.len + pieces.bytes < 6000);
    b.len = 0;
    /* The message ends where what is referred to does. */
    p.text = (cell_str){(const char *)place_memory + FRONT + 16, 4};
    p.key.ptr = place_memory + FRONT + 64;
    REQUIRE(cell_message_encode_pieces(&parcel_layout, &p, MAX, &place, &b, &pieces, NULL) == CELL_OK);
    CHECK(pieces.in_place && pieces.n == 1 && b.len + pieces.bytes == FRONT + 64 + KEY);
    CHECK(b.len == 8 + sizeof(struct parcel));
    CHECK(pieces.piece[0].bytes == place_memory + b.len);
    /* Nor is it in the way of a message that only fits without what is between. */
    b.len = 0;
    REQUIRE(cell_message_encode_pieces(&parcel_layout, &p, FRONT + KEY, &place, &b, &pieces, NULL) == CELL_OK);
    CHECK(!pieces.in_place && b.len + pieces.bytes < 6000);
    cell_buffer_free(&b);
}

TEST(the_limit_is_for_the_whole_message)
{
    struct cell_buffer b = {0};
    struct cell_pieces pieces;
    struct tag tags[3];
    fill_areas();
    random_state = 3;
    for (int i = 0; i < 200; i++) {
        struct cell_error e;
        struct parcel p = random_parcel(tags, false);
        b.len = 0;
        REQUIRE(cell_message_encode_pieces(&parcel_layout, &p, MAX, NULL, &b, &pieces, NULL) == CELL_OK);
        uint32_t len = (uint32_t)(b.len + pieces.bytes);
        b.len = 0;
        CHECK(cell_message_encode_pieces(&parcel_layout, &p, len, NULL, &b, &pieces, NULL) == CELL_OK);
        b.len = 0;
        CHECK(cell_message_encode_pieces(&parcel_layout, &p, len - 1, NULL, &b, &pieces, &e) == CELL_TOO_LARGE);
        CHECK(b.len == 0 && pieces.n == 0 && pieces.bytes == 0);
    }
    cell_buffer_free(&b);
}

/* ---- decoding ---- */

static bool inside(const uint8_t *message, size_t len, const void *p)
{
    return (uintptr_t)p - (uintptr_t)message < len;
}

TEST(plain_values_stay_and_others_are_copied)
{
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    struct tag tags[3];
    struct parcel out;
    struct cell_error e;
    fill_areas();
    random_state = 11;
    for (int i = 0; i < 60; i++) {
        struct parcel p = random_parcel(tags, false);
        b.len = 0;
        REQUIRE(cell_message_encode(&parcel_layout, &p, MAX, &b, NULL) == CELL_OK);
        for (size_t shift = 0; shift < 9; shift++) { /* a message need not be aligned */
            uint8_t *m = one_piece + shift;
            memcpy(m, b.data, b.len);
            REQUIRE(cell_message_decode_in_place(&parcel_layout, m, b.len, &a, &out, &e) == CELL_OK);
            CHECK(same_parcel(&p, &out));
            CHECK(!p.text.len || inside(m, b.len, out.text.ptr));
            CHECK(!p.data.len || inside(m, b.len, out.data.ptr));
            CHECK(!p.numbers.len || inside(m, b.len, out.numbers.ptr) == (shift % 8 == 0));
            CHECK(!p.points.len || inside(m, b.len, out.points.ptr) == (shift % 4 == 0));
            CHECK((uintptr_t)out.numbers.ptr % 8 == 0 && (uintptr_t)out.points.ptr % 4 == 0);
            CHECK(!p.flags.len || !inside(m, b.len, out.flags.ptr));
            CHECK(!p.tags.len || !inside(m, b.len, out.tags.ptr));
            CHECK(!inside(m, b.len, out.key.ptr));
            for (uint64_t k = 0; k < out.tags.len; k++)
                CHECK(!out.tags.ptr[k].value.len || inside(m, b.len, out.tags.ptr[k].value.ptr));
            cell_arena_reset(&a);
        }
    }
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

/* The end of readable memory: what lies right before it is read to its end or the test dies. */
static uint8_t *guarded_end(void)
{
    enum { READABLE = 1 << 16 };
    uint8_t *pages = mmap(NULL, READABLE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + READABLE, 4096, PROT_NONE) < 0)
        abort();
    return pages + READABLE; /* lives as long as the test program */
}

/* Every access to what was handed out. */
static uint64_t touch(const struct parcel *p)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < p->text.len; i++)
        sum += (uint8_t)p->text.ptr[i];
    for (uint64_t i = 0; i < p->data.len; i++)
        sum += p->data.ptr[i];
    for (uint64_t i = 0; i < p->numbers.len; i++)
        sum += (uint64_t)p->numbers.ptr[i];
    for (uint64_t i = 0; i < p->points.len; i++)
        sum += (uint64_t)p->points.ptr[i].x;
    for (uint64_t i = 0; i < p->tags.len; i++)
        for (uint64_t k = 0; k < p->tags.ptr[i].value.len; k++)
            sum += p->tags.ptr[i].value.ptr[k];
    for (uint64_t i = 0; i < p->flags.len; i++)
        sum += p->flags.ptr[i];
    return sum;
}

/* With wrong offsets, counts and strides it refuses what copying refuses, and hands out nothing that is outside. */
TEST(what_is_refused_when_it_is_copied_is_refused_in_place)
{
    static const uint8_t key[KEY] = {1};
    static const bool flags[] = {true, false};
    struct tag tags[2];
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    unsigned refused = 0;
    volatile uint64_t sum = 0;
    memset(tags, 0, sizeof(tags));
    tags[1].value = (cell_bytes){key, 9};
    static const int64_t numbers[] = {1, 2};
    static const struct point points[] = {{1, 2, 3}};
    const struct parcel p = {
        1, CELL_STR("gr\xc3\xbc\xc3\x9f"), {key, 5}, {numbers, 2}, {points, 1}, {tags, 2}, {flags, 2}, {key, KEY}};
    REQUIRE(cell_message_encode(&parcel_layout, &p, MAX, &b, NULL) == CELL_OK);
    uint8_t *m = guarded_end() - b.len;
    memcpy(m, b.data, b.len);
    static const uint8_t masks[] = {0x01, 0x08, 0x80, 0xff};
    for (size_t i = 0; i < 8 + sizeof(p) + 400; i++)
        for (size_t k = 0; k < sizeof(masks); k++) {
            struct parcel copied, out;
            struct cell_error e, f;
            e.text[0] = f.text[0] = '\0';
            m[i] ^= masks[k];
            int r = cell_message_decode(&parcel_layout, m, b.len, &a, &copied, &e);
            int q = cell_message_decode_in_place(&parcel_layout, m, b.len, &a, &out, &f);
            CHECK(r == q && (r == CELL_OK || strcmp(e.text, f.text) == 0));
            if (r == CELL_OK)
                CHECK(same_parcel(&copied, &out));
            if (q == CELL_OK)
                sum += touch(&out);
            refused += q < 0;
            m[i] ^= masks[k];
            cell_arena_reset(&a);
        }
    CHECK(refused > 100);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

/* A peer changes offsets and counts while they are read: what is handed out lies within the message all the same. */
TEST(a_message_that_changes_meanwhile_hands_out_nothing_outside_of_it)
{
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    static const uint8_t key[KEY] = {1};
    static const int64_t numbers[] = {1, 2};
    const struct parcel p = {.text = CELL_STR("12345678"), .numbers = {numbers, 2}, .key = {key, KEY}};
    uint8_t *m = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(m != MAP_FAILED);
    REQUIRE(cell_message_encode(&parcel_layout, &p, MAX, &b, NULL) == CELL_OK);
    memcpy(m, b.data, b.len);
    pid_t child = fork();
    if (child == 0) {
        volatile uint8_t *v = m;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        size_t text = 8 + offsetof(struct parcel, text), list = 8 + offsetof(struct parcel, numbers);
        for (uint8_t turn = 0;; turn++) {
            v[text + 1] = turn & 1 ? 0xff : (uint8_t)b.data[text + 1];
            v[text + 11] = turn & 2 ? 0x80 : 0;
            v[list + 2] = turn & 4 ? 0xff : 0;
            v[list + 10] = turn & 8 ? 0xff : 0;
            v[list + 4] = turn & 16 ? 8 : 1;
        }
    }
    REQUIRE(child > 0);
    for (int i = 0; i < 50000; i++) {
        struct parcel out;
        int r = cell_message_decode_in_place(&parcel_layout, m, b.len, &a, &out, NULL);
        bool sound =
            r == CELL_PROTOCOL_ERROR ||
            (r == CELL_OK &&
             (!out.text.len || (inside(m, b.len, out.text.ptr) && inside(m, b.len, out.text.ptr + out.text.len - 1))));
        if (r == CELL_OK && sound && inside(m, b.len, out.numbers.ptr))
            sound = inside(m, b.len, (const uint8_t *)(out.numbers.ptr + out.numbers.len) - 1);
        if (!sound) {
            CHECK(sound);
            break;
        }
        cell_arena_reset(&a);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    munmap(m, 1 << 16);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}
