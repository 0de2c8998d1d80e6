/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Messages between peers that keep the protocol: bytes, round trips, what encode refuses. */
#include "test.h"

#include "rich_message.h"
#include "wire/limits.h"

#define MAX CELL_MAX_MESSAGE
#define LIST(T, array) {array, COUNT(array)}
#define SAME(a, b) (memcmp(&(a), &(b), sizeof(a)) == 0)

static uint32_t word_at(const struct cell_buffer *b, size_t offset)
{
    uint32_t v;
    memcpy(&v, b->data + offset, sizeof(v));
    return v;
}

/* ---- bytes ---- */

struct small {
    int32_t n;
    cell_str s;
    cell_opt_u8 o;
    bool f;
};
static const struct cell_field small_fields[] = {
    FIELD(struct small, n, cell_type_i32), FIELD(struct small, s, cell_type_str),
    FIELD(struct small, o, cell_type_opt_u8), FIELD(struct small, f, cell_type_bool)};
static const struct cell_layout small_layout = {small_fields, COUNT(small_fields), sizeof(struct small)};

TEST(message_has_the_documented_bytes)
{
    static const uint8_t expected[56] = {
        56,   0,    0,    0,    32,   0,    0,   0,                             /* size, fixed */
        0x04, 0x03, 0x02, 0x01, 0,    0,    0,   0,                             /* n, padding */
        40,   0,    0,    0,    1,    0,    0,   0,   9,   0, 0, 0, 0, 0, 0, 0, /* s: offset, stride, count */
        1,    7,    1,    0,    0,    0,    0,   0,                             /* o, f, padding */
        'g',  'r',  0xc3, 0xbc, 0xc3, 0x9f, 'e', ' ', '!', 0,                   /* the text, padded to 8 */
    };
    struct cell_buffer b = {0};
    struct small in;
    memset(&in, 0xee, sizeof(in)); /* padding that must not travel */
    in.n = 0x01020304;
    in.s = CELL_STR("gr\xc3\xbc\xc3\x9f"
                    "e !");
    in.o.has = true;
    in.o.value = 7;
    in.f = true;
    REQUIRE(cell_message_encode(&small_layout, &in, MAX, &b, NULL) == CELL_OK);
    CHECK(b.len == sizeof(expected) && memcmp(b.data, expected, sizeof(expected)) == 0);
    CHECK(b.data[b.len] == '\0');
    cell_buffer_free(&b);
}

TEST(empty_layout_is_a_header)
{
    static const struct cell_layout none = {NULL, 0, 0};
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    REQUIRE(cell_message_encode(&none, NULL, MAX, &b, NULL) == CELL_OK);
    CHECK(b.len == 8 && memcmp(b.data, "\10\0\0\0\0\0\0\0", 8) == 0);
    CHECK(cell_message_decode(&none, (const uint8_t *)b.data, b.len, &a, NULL, NULL) == CELL_OK);
    CHECK(cell_message_decode(&none, (const uint8_t *)b.data, 0, &a, NULL, NULL) == CELL_PROTOCOL_ERROR);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(message_is_appended_to_what_the_buffer_holds)
{
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    struct small out, in = {.n = 5, .s = CELL_STR("hello")};
    cell_buffer_append(&b, "12345678", 8);
    REQUIRE(cell_message_encode(&small_layout, &in, MAX, &b, NULL) == CELL_OK);
    CHECK(memcmp(b.data, "12345678", 8) == 0 && word_at(&b, 8) == b.len - 8);
    REQUIRE(cell_message_decode(&small_layout, (const uint8_t *)b.data + 8, b.len - 8, &a, &out, NULL) == CELL_OK);
    CHECK(out.n == 5 && cell_str_eq(out.s, in.s));
    cell_buffer_append(&b, "x", 1);
    CHECK(cell_message_encode(&small_layout, &in, MAX, &b, NULL) == CELL_INVALID_ARGUMENT);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(buffer_that_is_used_again_is_not_allocated_again)
{
    struct cell_buffer b = {0};
    struct small in = {.s = CELL_STR("the same text again and again")};
    REQUIRE(cell_message_encode(&small_layout, &in, MAX, &b, NULL) == CELL_OK);
    char *data = b.data;
    size_t capacity = b.capacity;
    for (int i = 0; i < 100; i++) {
        b.len = 0;
        CHECK(cell_message_encode(&small_layout, &in, MAX, &b, NULL) == CELL_OK);
    }
    CHECK(b.data == data && b.capacity == capacity);
    cell_buffer_free(&b);
}

/* ---- round trips ---- */

static struct tag tag_of(const char *key, const char *value, const char *note)
{
    struct tag t;
    memset(&t, 0xdd, sizeof(t));
    t.key = cell_strz(key);
    t.value = (cell_bytes){(const uint8_t *)value, strlen(value)};
    t.note.has = note != NULL;
    if (note)
        t.note.value = cell_strz(note);
    return t;
}

static bool same_tag(const struct tag *a, const struct tag *b)
{
    return cell_str_eq(a->key, b->key) && a->value.len == b->value.len &&
           memcmp(a->value.ptr, b->value.ptr, a->value.len) == 0 && a->note.has == b->note.has &&
           (!a->note.has || cell_str_eq(a->note.value, b->note.value));
}

static const struct point track[] = {{1, -2, 0.5f}, {INT16_MIN, INT16_MAX, -1e30f}, {0, 0, 0}};
static const bool flags[] = {true, false, true, true};

static struct account account_of(int64_t id, const char *email, const struct tag *tags, uint64_t ntags)
{
    struct account u;
    memset(&u, 0xdd, sizeof(u));
    u.id = id;
    u.email = cell_strz(email);
    u.tags = (tag_list){tags, ntags};
    u.track = (point_list)LIST(struct point, track);
    u.corners[0] = track[0];
    u.corners[1] = track[1];
    u.main_tags[0] = tag_of("k", "", NULL);
    u.main_tags[1] = tag_of("", "v", "n");
    u.limits.has = id % 2 != 0;
    u.limits.value.a = 9;
    u.limits.value.b = -id;
    u.limits.value.level = 255;
    u.limits.value.c = true;
    u.age.has = true;
    u.age.value = -36;
    u.score.has = false;
    u.flags = (cell_list_bool)LIST(bool, flags);
    u.color = -5;
    u.bits[0] = u.bits[2] = true;
    u.bits[1] = false;
    return u;
}

static void check_account(const struct account *u, const struct account *v)
{
    CHECK(u->id == v->id && cell_str_eq(u->email, v->email) && u->color == v->color);
    CHECK(u->tags.len == v->tags.len && u->track.len == 3 && u->flags.len == 4);
    for (uint64_t i = 0; i < u->tags.len && i < v->tags.len; i++)
        CHECK(same_tag(&u->tags.ptr[i], &v->tags.ptr[i]));
    CHECK(memcmp(u->track.ptr, track, sizeof(track)) == 0 && memcmp(u->flags.ptr, flags, sizeof(flags)) == 0);
    CHECK(SAME(u->corners, v->corners) && SAME(u->bits, v->bits));
    CHECK(same_tag(&u->main_tags[0], &v->main_tags[0]) && same_tag(&u->main_tags[1], &v->main_tags[1]));
    CHECK(u->limits.has == v->limits.has && u->age.has && u->age.value == -36 && !u->score.has);
    if (u->limits.has)
        CHECK(u->limits.value.a == 9 && u->limits.value.b == v->limits.value.b && u->limits.value.level == 255 &&
              u->limits.value.c);
    else
        CHECK(u->limits.value.a == 0 && u->limits.value.b == 0 && !u->limits.value.c);
}

/* Everything that `rich_of` refers to. */
struct rich_parts {
    struct tag tags[2];
    struct account accounts[3], account;
    struct padded pads[2];
    struct node leaves[2], tree;
    int64_t numbers[3];
    cell_str words[3];
    uint8_t key[16];
};

static struct rich_request rich_of(struct rich_parts *p, int garbage)
{
    struct rich_request r;
    memset(&r, garbage, sizeof(r));
    memset(p, garbage, sizeof(*p));
    p->tags[0] = tag_of("eins", "1", "one");
    p->tags[1] = tag_of("\xe4\xba\x8c", "22", NULL);
    p->accounts[0] = account_of(1, "ada@example.org", p->tags, 2);
    p->accounts[1] = account_of(2, "", NULL, 0);
    p->accounts[2] = account_of(3, "x", p->tags, 1);
    p->account = account_of(INT64_MIN + 1, "main", p->tags, 2);
    for (int i = 0; i < 2; i++) {
        p->pads[i].a = (uint8_t)i;
        p->pads[i].b = INT64_MAX - i;
        p->pads[i].level = 3;
        p->pads[i].c = i == 0;
        p->leaves[i].name = i ? CELL_STR("right") : CELL_STR("left");
        p->leaves[i].children = (node_list){NULL, 0};
    }
    p->tree.name = CELL_STR("root");
    p->tree.children = (node_list)LIST(struct node, p->leaves);
    p->numbers[0] = -1, p->numbers[1] = 0, p->numbers[2] = INT64_MAX;
    p->words[0] = CELL_STR("a"), p->words[1] = CELL_STR(""), p->words[2] = (cell_str){"nul\0inside", 10};
    for (int i = 0; i < 16; i++)
        p->key[i] = (uint8_t)(i * 17);
    r.yes = true;
    r.i8 = -8, r.u8 = 200, r.i16 = -16000, r.u16 = 60000, r.i32 = INT32_MIN, r.u32 = UINT32_MAX;
    r.i64 = INT64_MIN, r.u64 = UINT64_MAX, r.f32 = 1.5f, r.f64 = -2.25, r.color = 77;
    r.text = CELL_STR("text");
    r.data = (cell_bytes){p->key, 5};
    r.numbers = (cell_list_i64)LIST(int64_t, p->numbers);
    r.octets = (cell_list_u8)LIST(uint8_t, p->key);
    r.words = (cell_list_str)LIST(cell_str, p->words);
    r.maybe.has = r.maybe.value = true;
    r.blob.has = false;
    r.accounts = (account_list)LIST(struct account, p->accounts);
    r.pads = (padded_list)LIST(struct padded, p->pads);
    r.account = (struct cell_ref){&p->account, 1};
    r.key = (struct cell_ref){p->key, 16};
    r.tags = (struct cell_ref){p->tags, 2};
    r.tree = (struct cell_ref){&p->tree, 1};
    return r;
}

TEST(every_kind_reads_back)
{
    struct rich_parts p;
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    struct cell_error e = {0};
    struct rich_request q, r = rich_of(&p, 0xaa);
    REQUIRE(cell_message_encode(&rich_layout, &r, MAX, &b, &e) == CELL_OK);
    CHECK(b.len % 8 == 0);
    REQUIRE(cell_message_decode(&rich_layout, (const uint8_t *)b.data, b.len, &a, &q, &e) == CELL_OK);
    memset(b.data, 0xff, b.len); /* nothing that was decoded may still refer to the message */
    CHECK(q.yes && q.i8 == -8 && q.u8 == 200 && q.i16 == -16000 && q.u16 == 60000 && q.i32 == INT32_MIN);
    CHECK(q.u32 == UINT32_MAX && q.i64 == INT64_MIN && q.u64 == UINT64_MAX && q.color == 77);
    CHECK(q.f32 == 1.5f && q.f64 == -2.25);
    CHECK_STR(q.text.ptr, "text");
    CHECK(q.data.len == 5 && memcmp(q.data.ptr, p.key, 5) == 0);
    CHECK(q.numbers.len == 3 && memcmp(q.numbers.ptr, p.numbers, sizeof(p.numbers)) == 0);
    CHECK(q.octets.len == 16 && memcmp(q.octets.ptr, p.key, 16) == 0);
    REQUIRE(q.words.len == 3);
    CHECK_STR(q.words.ptr[0].ptr, "a");
    CHECK(q.words.ptr[1].len == 0 && q.words.ptr[1].ptr && q.words.ptr[1].ptr[0] == '\0');
    CHECK(q.words.ptr[2].len == 10 && memcmp(q.words.ptr[2].ptr, "nul\0inside", 11) == 0);
    CHECK(q.maybe.has && q.maybe.value && !q.blob.has && !q.blob.value.ptr && q.blob.value.len == 0);
    REQUIRE(q.accounts.len == 3 && q.account.len == 1 && q.key.len == 16 && q.tags.len == 2 && q.tree.len == 1);
    for (int i = 0; i < 3; i++)
        check_account(&q.accounts.ptr[i], &p.accounts[i]);
    check_account(q.account.ptr, &p.account);
    CHECK(memcmp(q.key.ptr, p.key, 16) == 0);
    CHECK(same_tag(q.tags.ptr, &p.tags[0]) && same_tag((const struct tag *)q.tags.ptr + 1, &p.tags[1]));
    REQUIRE(q.pads.len == 2);
    CHECK(q.pads.ptr[1].a == 1 && q.pads.ptr[1].b == INT64_MAX - 1 && q.pads.ptr[1].level == 3 && !q.pads.ptr[1].c);
    const struct node *tree = q.tree.ptr;
    CHECK_STR(tree->name.ptr, "root");
    CHECK(tree->children.len == 2 && strcmp(tree->children.ptr[1].name.ptr, "right") == 0);
    CHECK(tree->children.ptr[0].children.len == 0);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(padding_never_travels)
{
    struct rich_parts p;
    struct cell_buffer one = {0}, two = {0};
    struct rich_request r = rich_of(&p, 0x00);
    REQUIRE(cell_message_encode(&rich_layout, &r, MAX, &one, NULL) == CELL_OK);
    r = rich_of(&p, 0xff);
    /* A buffer that was used before holds other bytes where padding will be. */
    memset(cell_buffer_reserve(&two, 10000), 0xff, 10000);
    REQUIRE(cell_message_encode(&rich_layout, &r, MAX, &two, NULL) == CELL_OK);
    CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    cell_buffer_free(&one);
    cell_buffer_free(&two);
}

TEST(long_lists_read_back)
{
    enum { N = 20000 };
    struct many {
        point_list points;
        padded_list pads;
        cell_list_str words;
    };
    static const struct cell_field fields[] = {FIELD(struct many, points, point_list_type),
                                               FIELD(struct many, pads, padded_list_type),
                                               FIELD(struct many, words, cell_type_list_str)};
    static const struct cell_layout layout = {fields, 3, sizeof(struct many)};
    struct point *points = calloc(N, sizeof(*points));
    struct padded *pads = calloc(N, sizeof(*pads));
    cell_str *words = calloc(N, sizeof(*words));
    char text[N];
    REQUIRE(points && pads && words);
    for (int i = 0; i < N; i++) {
        points[i] = (struct point){(int16_t)i, (int16_t)-i, (float)i};
        pads[i].b = i;
        text[i] = (char)('a' + i % 26);
        words[i] = (cell_str){text, (uint64_t)i % 40};
    }
    struct many in = {{points, N}, {pads, N}, {words, N}}, out;
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    REQUIRE(cell_message_encode(&layout, &in, MAX, &b, NULL) == CELL_OK);
    REQUIRE(cell_message_decode(&layout, (const uint8_t *)b.data, b.len, &a, &out, NULL) == CELL_OK);
    CHECK(out.points.len == N && memcmp(out.points.ptr, points, N * sizeof(*points)) == 0);
    int bad = out.pads.len != N || out.words.len != N;
    for (int i = 0; i < N && !bad; i++)
        bad =
            out.pads.ptr[i].b != i || !cell_str_eq(out.words.ptr[i], words[i]) || out.words.ptr[i].ptr[i % 40] != '\0';
    CHECK(!bad);
    cell_buffer_free(&b);
    cell_arena_free(&a);
    free(points);
    free(pads);
    free(words);
}

TEST(reply_is_one_reference_an_out_parameter)
{
    static const struct cell_field outs[] = {
        {"user", &tag_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
        {"count", &cell_type_u32, 16, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
        {"names", &cell_type_list_str, 32, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
        {"key", &cell_type_u8, 48, 3, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
        {"age", &cell_type_opt_i32, 64, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0},
    };
    static const struct cell_layout layout = {outs, 5, 80};
    const struct tag user = tag_of("k", "v", "n");
    const uint32_t count = 12;
    const cell_str names[] = {CELL_STR("x"), CELL_STR("yz")};
    const cell_list_str list = LIST(cell_str, names);
    const uint8_t key[3] = {1, 2, 3};
    const cell_opt_i32 age = CELL_SOME(-1);
    const struct cell_ref in[5] = {{&user, 1}, {&count, 1}, {&list, 1}, {key, 3}, {&age, 1}};
    struct cell_ref out[5];
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    REQUIRE(cell_message_encode(&layout, in, MAX, &b, NULL) == CELL_OK);
    CHECK(word_at(&b, 4) == 80);
    REQUIRE(cell_message_decode(&layout, (const uint8_t *)b.data, b.len, &a, out, NULL) == CELL_OK);
    CHECK(same_tag(out[0].ptr, &user) && *(const uint32_t *)out[1].ptr == 12);
    const cell_list_str *read = out[2].ptr;
    CHECK(read->len == 2 && cell_str_eq(read->ptr[1], names[1]));
    CHECK(memcmp(out[3].ptr, key, 3) == 0 && out[3].len == 3);
    CHECK(((const cell_opt_i32 *)out[4].ptr)->has && ((const cell_opt_i32 *)out[4].ptr)->value == -1);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(elements_without_bytes_are_counted_all_the_same)
{
    struct lists {
        cell_list_u8 list; /* of an empty struct, whose size is 0 in C */
        struct cell_ref one;
    };
    static const struct cell_type empty = {"empty", CELL_KIND_STRUCT, 0, 1, 0, NULL, NULL};
    LIST_TYPE(list_type, empty);
    static const struct cell_field fields[] = {FIELD(struct lists, list, list_type), PARAM(struct lists, one, empty)};
    static const struct cell_layout layout = {fields, 2, sizeof(struct lists)};
    struct lists out, in = {{(const uint8_t *)"", 5}, {"", 1}};
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    REQUIRE(cell_message_encode(&layout, &in, MAX, &b, NULL) == CELL_OK);
    REQUIRE(cell_message_decode(&layout, (const uint8_t *)b.data, b.len, &a, &out, NULL) == CELL_OK);
    CHECK(out.list.len == 5 && out.list.ptr && out.one.ptr && out.one.len == 1);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

/* ---- what encode refuses ---- */

static void refused(const struct cell_layout *layout, const void *in, uint32_t max, int status, const char *text)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    cell_buffer_append(&b, "12345678", 8);
    CHECK(cell_message_encode(layout, in, max, &b, &e) == status);
    CHECK(e.status == status);
    CHECK_STR(e.text, text);
    CHECK(b.len == 8 && memcmp(b.data, "12345678", 9) == 0 && cell_buffer_ok(&b));
    cell_buffer_free(&b);
}

TEST(encode_names_the_field_that_is_wrong)
{
    struct rich_parts p;
    struct rich_request r = rich_of(&p, 0);
    p.accounts[2].email = (cell_str){"\xff", 1};
    refused(&rich_layout, &r, MAX, CELL_INVALID_ARGUMENT, "accounts[2].email: the text is not valid UTF-8");
    r = rich_of(&p, 0);
    p.tags[1].value = (cell_bytes){NULL, 4};
    refused(&rich_layout, &r, MAX, CELL_INVALID_ARGUMENT, "accounts[0].tags[1].value: NULL with a length of 4");
    r = rich_of(&p, 0);
    p.account.main_tags[1].note.value = (cell_str){"\xc0\x80", 2};
    refused(&rich_layout, &r, MAX, CELL_INVALID_ARGUMENT, "account.main_tags[1].note: the text is not valid UTF-8");
    r = rich_of(&p, 0);
    r.tree.ptr = NULL;
    refused(&rich_layout, &r, MAX, CELL_INVALID_ARGUMENT, "tree: NULL where 1 element must be");
    r = rich_of(&p, 0);
    p.accounts[1].track = (point_list){NULL, 2};
    refused(&rich_layout, &r, MAX, CELL_INVALID_ARGUMENT, "accounts[1].track: NULL where 2 elements must be");
    r = rich_of(&p, 0);
    p.words[1] = (cell_str){"\xed\xa0\x80", 3};
    refused(&rich_layout, &r, MAX, CELL_INVALID_ARGUMENT, "words[1]: the text is not valid UTF-8");
}

TEST(encode_keeps_to_the_limit_exactly)
{
    struct rich_parts p;
    struct rich_request r = rich_of(&p, 0);
    struct cell_buffer b = {0};
    REQUIRE(cell_message_encode(&rich_layout, &r, MAX, &b, NULL) == CELL_OK);
    uint32_t size = (uint32_t)b.len;
    for (uint32_t max = 0; max < size; max++) {
        b.len = 0;
        REQUIRE(cell_message_encode(&rich_layout, &r, max, &b, NULL) == CELL_TOO_LARGE && b.len == 0);
    }
    CHECK(cell_message_encode(&rich_layout, &r, size, &b, NULL) == CELL_OK && b.len == size);
    cell_buffer_free(&b);
}

TEST(encode_refuses_lengths_that_overflow)
{
    struct rich_parts p;
    struct rich_request r = rich_of(&p, 0);
    r.text.len = UINT64_MAX;
    refused(&rich_layout, &r, 4096, CELL_TOO_LARGE, "text: the message is larger than 4096 bytes");
    r = rich_of(&p, 0);
    r.accounts.len = UINT64_MAX / sizeof(struct account) + 2;
    refused(&rich_layout, &r, UINT32_MAX, CELL_TOO_LARGE, "accounts: the message is larger than 4294967295 bytes");
    r = rich_of(&p, 0);
    r.numbers.len = UINT64_C(1) << 61;
    refused(&rich_layout, &r, 4096, CELL_TOO_LARGE, "numbers: the message is larger than 4096 bytes");
}

/* The status of encoding and decoding a chain of `depth` nodes; the outermost one is a parameter. */
static int chain(unsigned depth, struct cell_error *e)
{
    struct params {
        struct cell_ref tree;
    };
    static const struct cell_field fields[] = {PARAM(struct params, tree, node_type)};
    static const struct cell_layout layout = {fields, 1, sizeof(struct params)};
    struct node nodes[64];
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    for (unsigned i = 0; i < depth; i++)
        nodes[i] = (struct node){CELL_STR("x"), {i + 1 < depth ? &nodes[i + 1] : NULL, i + 1 < depth}};
    struct params out, in = {{&nodes[0], 1}};
    int r = cell_message_encode(&layout, &in, MAX, &b, e);
    if (r == CELL_OK)
        r = cell_message_decode(&layout, (const uint8_t *)b.data, b.len, &a, &out, e);
    unsigned found = 0;
    for (const struct node *n = r == CELL_OK ? out.tree.ptr : NULL; n; n = n->children.len ? n->children.ptr : NULL)
        found++;
    CHECK(r < 0 || found == depth);
    cell_buffer_free(&b);
    cell_arena_free(&a);
    return r;
}

TEST(references_nest_thirty_two_deep_and_no_deeper)
{
    struct cell_error e = {0};
    CHECK(chain(1, &e) == CELL_OK);
    CHECK(chain(CELL_MAX_DEPTH, &e) == CELL_OK);
    CHECK(chain(CELL_MAX_DEPTH + 1, &e) == CELL_INVALID_ARGUMENT);
    CHECK(strncmp(e.text, "tree.children[0].children[0]", 28) == 0 || strncmp(e.text, "\xe2\x80\xa6", 3) == 0);
    CHECK(strstr(e.text, "children: nested deeper than 32"));
}
