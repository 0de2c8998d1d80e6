/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Messages from a peer that does not keep the protocol, or changes them while they are read. */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rich_message.h"
#include "wire/limits.h"

#define MAX CELL_MAX_MESSAGE

/* The end of readable memory: what lies right before it is read to its end or the test dies. */
static uint8_t *guarded_end(void)
{
    enum { READABLE = 1 << 16 };
    uint8_t *pages = mmap(NULL, READABLE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + READABLE, 4096, PROT_NONE) < 0)
        abort();
    return pages + READABLE; /* lives as long as the test program */
}

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }

/* ---- one reference ---- */

struct holder {
    cell_str text;
    cell_bytes data;
    cell_list_i64 numbers;
    account_list accounts;
    struct cell_ref one;
    struct cell_ref four;
};
static const struct cell_field holder_fields[] = {
    FIELD(struct holder, text, cell_type_str),         FIELD(struct holder, data, cell_type_bytes),
    FIELD(struct holder, numbers, cell_type_list_i64), FIELD(struct holder, accounts, account_list_type),
    PARAM(struct holder, one, cell_type_i64),          PARAMS(struct holder, four, cell_type_u8, 4)};
static const struct cell_layout holder_layout = {holder_fields, COUNT(holder_fields), sizeof(struct holder)};

enum { FIXED = sizeof(struct holder), BODY = 8 + FIXED, SIZE = BODY + 64 };

/* A message of SIZE bytes whose references are good, except that of field `f`. */
static void holder_message(uint8_t *m, unsigned f, uint32_t offset, uint32_t stride, uint64_t count)
{
    memset(m, 0, SIZE);
    put32(m, SIZE);
    put32(m + 4, FIXED);
    for (unsigned i = 4; i < 6; i++) {
        put32(m + 8 + 16 * i, BODY);
        put32(m + 8 + 16 * i + 4, i == 4 ? 8 : 1);
        put64(m + 8 + 16 * i + 8, i == 4 ? 1 : 4);
    }
    put32(m + 8 + 16 * f, offset);
    put32(m + 8 + 16 * f + 4, stride);
    put64(m + 8 + 16 * f + 8, count);
}

static int decode_holder(unsigned f, uint32_t offset, uint32_t stride, uint64_t count, struct cell_error *e)
{
    uint8_t *m = guarded_end() - SIZE;
    struct cell_arena a = {0};
    struct holder out;
    holder_message(m, f, offset, stride, count);
    memset(&out, 0xee, sizeof(out));
    int r = cell_message_decode(&holder_layout, m, SIZE, &a, &out, e);
    for (size_t i = 0; r < 0 && i < sizeof(out); i++)
        CHECK(((const uint8_t *)&out)[i] == 0);
    cell_arena_free(&a);
    return r;
}

TEST(reference_outside_the_message_is_refused_by_name)
{
    static const struct {
        unsigned field;
        uint32_t offset, stride;
        uint64_t count;
        int status;
        const char *text;
    } cases[] = {
        {0, BODY, 1, 64, CELL_OK, NULL},
        {0, BODY, 1, 65, CELL_PROTOCOL_ERROR,
         "text: 65 elements of 1 bytes at 104 lie outside the message of 168 bytes"},
        {0, BODY, 1, UINT64_MAX, CELL_PROTOCOL_ERROR, "text: "},
        {0, BODY, 2, 1, CELL_PROTOCOL_ERROR, "text: text with a stride of 2"},
        {0, BODY, 0, 1, CELL_PROTOCOL_ERROR, "text: a reference with a stride of 0"},
        {0, BODY + 4, 1, 1, CELL_PROTOCOL_ERROR, "text: the offset 108 is not a multiple of 8"},
        {0, SIZE, 1, 1, CELL_PROTOCOL_ERROR, "text: "},
        {0, SIZE + 8, 1, 1, CELL_PROTOCOL_ERROR, "text: "},
        {0, 0xfffffff8, 1, 8, CELL_PROTOCOL_ERROR, "text: "},
        {0, 0xfffffff8, 1, UINT64_MAX - 0xfffffff7, CELL_PROTOCOL_ERROR, "text: "},
        {0, 0, 1, 1, CELL_PROTOCOL_ERROR, "text: "},
        {0, 8, 1, 1, CELL_PROTOCOL_ERROR, "text: "},
        {0, BODY - 8, 1, 1, CELL_PROTOCOL_ERROR, "text: "},
        {0, BODY, 1, 0, CELL_PROTOCOL_ERROR, "text: a reference to nothing with the offset 104"},
        {0, 0, 77, 0, CELL_OK, NULL},
        {1, BODY, 1, 64, CELL_OK, NULL},
        {1, BODY, 8, 8, CELL_PROTOCOL_ERROR, "data: bytes with a stride of 8"},
        {2, BODY, 8, 8, CELL_OK, NULL},
        {2, BODY, 8, 9, CELL_PROTOCOL_ERROR, "numbers: 9 elements of 8 bytes at 104 lie outside"},
        {2, BODY, 8, (UINT64_C(1) << 61) + 1, CELL_PROTOCOL_ERROR, "numbers: "},
        {2, BODY, 0, UINT64_C(1) << 40, CELL_PROTOCOL_ERROR, "numbers: a reference with a stride of 0"},
        {2, BODY, UINT32_MAX, 1, CELL_PROTOCOL_ERROR, "numbers: "},
        {2, BODY, UINT32_MAX, UINT32_MAX, CELL_PROTOCOL_ERROR, "numbers: "},
        {2, BODY, 64, 1, CELL_OK, NULL},
        {2, BODY, 65, 1, CELL_PROTOCOL_ERROR, "numbers: "},
        {2, BODY, 1, 64, CELL_OK, NULL},
        {3, BODY, 8, 8, CELL_OK, NULL},
        {3, BODY, 1, 65, CELL_PROTOCOL_ERROR, "accounts: "},
        {4, BODY, 8, 2, CELL_PROTOCOL_ERROR, "one: 2 elements where 1 must be"},
        {4, 0, 0, 0, CELL_PROTOCOL_ERROR, "one: 0 elements where 1 must be"},
        {5, BODY, 1, 3, CELL_PROTOCOL_ERROR, "four: 3 elements where 4 must be"},
        {5, BODY, 1, 5, CELL_PROTOCOL_ERROR, "four: 5 elements where 4 must be"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell_error e = {0};
        int r = decode_holder(cases[i].field, cases[i].offset, cases[i].stride, cases[i].count, &e);
        if (r != cases[i].status || (r < 0 && strncmp(e.text, cases[i].text, strlen(cases[i].text)) != 0))
            printf("case %zu: %d, %s\n", i, r, e.text);
        CHECK(r == cases[i].status);
        CHECK(r >= 0 || strncmp(e.text, cases[i].text, strlen(cases[i].text)) == 0);
    }
}

TEST(header_that_does_not_fit_is_refused)
{
    static const struct {
        uint32_t size, fixed;
        size_t len;
        int status;
    } cases[] = {
        {SIZE, FIXED, SIZE, CELL_OK},
        {SIZE, FIXED, SIZE - 8, CELL_PROTOCOL_ERROR},
        {SIZE - 8, FIXED, SIZE, CELL_PROTOCOL_ERROR},
        {SIZE - 4, FIXED, SIZE - 4, CELL_PROTOCOL_ERROR},
        {SIZE, SIZE - 8, SIZE, CELL_PROTOCOL_ERROR}, /* the references now point into the fixed part */
        {SIZE, SIZE, SIZE, CELL_PROTOCOL_ERROR},
        {SIZE, FIXED + 4, SIZE, CELL_PROTOCOL_ERROR},
        {SIZE, UINT32_MAX - 7, SIZE, CELL_PROTOCOL_ERROR},
        {0, 0, 0, CELL_PROTOCOL_ERROR},
        {0, 0, 8, CELL_PROTOCOL_ERROR},
        {8, 0, 8, CELL_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell_arena a = {0};
        struct cell_error e = {0};
        struct holder out;
        uint8_t whole[SIZE], *m = guarded_end() - cases[i].len;
        holder_message(whole, 0, 0, 1, 0);
        put32(whole, cases[i].size);
        put32(whole + 4, cases[i].fixed);
        memcpy(m, whole, cases[i].len);
        CHECK(cell_message_decode(&holder_layout, m, cases[i].len, &a, &out, &e) == cases[i].status);
        cell_arena_free(&a);
    }
}

/* ---- values ---- */

static int decode_values(const uint8_t values[8], struct cell_error *e)
{
    struct values {
        bool a;
        bool bits[2];
        cell_opt_u8 o;
        padded_opt p;
    };
    static const struct cell_field fields[] = {
        FIELD(struct values, a, cell_type_bool), FIELDS(struct values, bits, cell_type_bool, 2),
        FIELD(struct values, o, cell_type_opt_u8), FIELD(struct values, p, padded_opt_type)};
    static const struct cell_layout layout = {fields, COUNT(fields), sizeof(struct values)};
    struct cell_arena a = {0};
    struct values out;
    uint8_t m[8 + sizeof(struct values)] = {sizeof(m), 0, 0, 0, sizeof(struct values)};
    memcpy(m + 8, values, 5);
    m[8 + offsetof(struct values, p)] = values[5];
    m[8 + offsetof(struct values, p) + offsetof(padded_opt, value.c)] = values[6];
    int r = cell_message_decode(&layout, m, sizeof(m), &a, &out, e);
    if (r == CELL_OK) {
        CHECK(out.o.has || out.o.value == 0);
        CHECK(out.p.has || !out.p.value.c);
    }
    return r;
}

TEST(booleans_are_zero_or_one)
{
    struct cell_error e = {0};
    CHECK(decode_values((const uint8_t[8]){1, 0, 1, 1, 255, 1, 1}, &e) == CELL_OK);
    CHECK(decode_values((const uint8_t[8]){2, 0, 1, 1, 255, 1, 1}, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(e.text, "a: a bool with the value 2");
    CHECK(decode_values((const uint8_t[8]){1, 0, 3, 1, 255, 1, 1}, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(e.text, "bits[1]: a bool with the value 3");
    CHECK(decode_values((const uint8_t[8]){1, 0, 1, 255, 9, 1, 1}, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(e.text, "o: an optional with 255 where 0 or 1 must be");
    CHECK(decode_values((const uint8_t[8]){1, 0, 1, 1, 255, 1, 2}, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(e.text, "p.c: a bool with the value 2");
}

TEST(absent_optional_is_zero_whatever_was_sent)
{
    struct cell_error e = {0};
    CHECK(decode_values((const uint8_t[8]){1, 0, 1, 0, 255, 0, 2}, &e) == CELL_OK);
}

static struct rich_request sample(struct account accounts[2], struct tag tags[2], struct node nodes[2])
{
    struct rich_request r;
    memset(&r, 0, sizeof(r));
    memset(accounts, 0, 2 * sizeof(*accounts));
    memset(tags, 0, 2 * sizeof(*tags));
    memset(nodes, 0, 2 * sizeof(*nodes));
    tags[0].key = CELL_STR("first key");
    tags[0].value = (cell_bytes){(const uint8_t *)"\1\2\3", 3};
    tags[1].note = (cell_opt_str)CELL_SOME(CELL_STR("a note"));
    accounts[1].email = CELL_STR("ada@example.org");
    accounts[1].tags = (tag_list){tags, 2};
    accounts[1].limits.has = true;
    accounts[1].flags = (cell_list_bool){&accounts[1].limits.has, 1};
    nodes[0].children = (node_list){&nodes[1], 1};
    nodes[1].name = CELL_STR("leaf");
    r.text = CELL_STR("gr\xc3\xbc\xc3\x9f");
    r.data = tags[0].value;
    r.accounts = (account_list){accounts, 2};
    r.account = (struct cell_ref){&accounts[1], 1};
    r.key = (struct cell_ref){"0123456789abcdef", 16};
    r.tags = (struct cell_ref){tags, 2};
    r.tree = (struct cell_ref){nodes, 1};
    return r;
}

static void sample_message(struct cell_buffer *b)
{
    struct account accounts[2];
    struct tag tags[2];
    struct node nodes[2];
    struct rich_request r = sample(accounts, tags, nodes);
    if (cell_message_encode(&rich_layout, &r, MAX, b, NULL) < 0)
        abort();
}

TEST(bad_text_is_refused_by_name_wherever_it_stands)
{
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    struct cell_error e = {0};
    struct rich_request out;
    sample_message(&b);
    char *email = memmem(b.data, b.len, "ada@example.org", 15);
    REQUIRE(email);
    email[3] = '\xff';
    CHECK(cell_message_decode(&rich_layout, (const uint8_t *)b.data, b.len, &a, &out, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(e.text, "accounts[1].email: the text is not valid UTF-8");
    email[3] = '@';
    char *note = memmem(b.data, b.len, "a note", 6);
    REQUIRE(note);
    note[5] = '\xc3';
    CHECK(cell_message_decode(&rich_layout, (const uint8_t *)b.data, b.len, &a, &out, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(e.text, "accounts[1].tags[1].note: the text is not valid UTF-8");
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

/* ---- whole messages ---- */

TEST(every_truncated_length_is_refused_without_reading_beyond_it)
{
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    uint8_t *end = guarded_end();
    sample_message(&b);
    for (size_t len = 0; len <= b.len; len++) {
        struct rich_request out;
        uint8_t *m = end - len;
        memcpy(m, b.data, len);
        int r = cell_message_decode(&rich_layout, m, len, &a, &out, NULL);
        CHECK(r == (len == b.len ? CELL_OK : CELL_PROTOCOL_ERROR));
        /* The same with a header that agrees with the length: now the references must tell. */
        if (len >= 8 && len % 8 == 0 && len < b.len) {
            put32(m, (uint32_t)len);
            if (len < 8 + sizeof(struct rich_request))
                put32(m + 4, (uint32_t)len - 8);
            r = cell_message_decode(&rich_layout, m, len, &a, &out, NULL);
            CHECK(r == CELL_PROTOCOL_ERROR || len < 8 + sizeof(struct rich_request));
        }
        cell_arena_reset(&a);
    }
    cell_buffer_free(&b);
    cell_arena_free(&a);
}

TEST(every_damaged_byte_is_refused_or_harmless)
{
    static const uint8_t masks[] = {0x01, 0x08, 0x80, 0xff};
    struct cell_buffer b = {0}, again = {0};
    struct cell_arena a = {0};
    uint8_t *end = guarded_end();
    unsigned refused = 0;
    sample_message(&b);
    uint8_t *m = end - b.len;
    memcpy(m, b.data, b.len);
    for (size_t i = 0; i < b.len; i++) {
        for (size_t k = 0; k < sizeof(masks); k++) {
            struct rich_request out;
            m[i] ^= masks[k];
            int r = cell_message_decode(&rich_layout, m, b.len, &a, &out, NULL);
            again.len = 0;
            /* What is accepted is sound: it can be sent on. */
            CHECK(r < 0 || cell_message_encode(&rich_layout, &out, MAX, &again, NULL) == CELL_OK);
            refused += r < 0;
            m[i] ^= masks[k];
            cell_arena_reset(&a);
        }
    }
    CHECK(refused > 100);
    cell_buffer_free(&b);
    cell_buffer_free(&again);
    cell_arena_free(&a);
}

TEST(memory_is_counted_before_it_is_taken)
{
    struct params {
        account_list accounts;
    };
    static const struct cell_field fields[] = {FIELD(struct params, accounts, account_list_type)};
    static const struct cell_layout layout = {fields, 1, sizeof(struct params)};
    /* One byte of each account is sent: the copy is hundreds of times as large as the message. */
    size_t n = CELL_MAX_DECODED / sizeof(struct account) + 1, len = (24 + n + 7) / 8 * 8;
    uint8_t *m = calloc(1, len);
    struct cell_arena a = {0};
    struct cell_error e = {0};
    struct params out;
    REQUIRE(m);
    put32(m, (uint32_t)len);
    put32(m + 4, 16);
    put32(m + 8, 24);
    put32(m + 12, 1);
    put64(m + 16, n);
    CHECK(cell_message_decode(&layout, m, len, &a, &out, &e) == CELL_TOO_LARGE);
    CHECK_STR(e.text, "accounts: the decoded message does not fit into the limit of 268435456 bytes");
    CHECK(a.used == 0);
    cell_arena_free(&a);
    free(m);
}

TEST(text_that_is_referred_to_many_times_is_counted_each_time)
{
    struct params {
        cell_list_str words;
    };
    static const struct cell_field fields[] = {FIELD(struct params, words, cell_type_list_str)};
    static const struct cell_layout layout = {fields, 1, sizeof(struct params)};
    enum { WORDS = 300, TEXT = 1 << 20 };
    size_t len = 24 + 16 * WORDS + TEXT;
    uint8_t *m = calloc(1, len);
    struct cell_arena a = {0};
    struct cell_error e = {0};
    struct params out;
    REQUIRE(m);
    put32(m, (uint32_t)len);
    put32(m + 4, 16);
    put32(m + 8, 24);
    put32(m + 12, 16);
    put64(m + 16, WORDS);
    for (size_t i = 0; i < WORDS; i++) {
        put32(m + 24 + 16 * i, 24 + 16 * WORDS);
        put32(m + 24 + 16 * i + 4, 1);
        put64(m + 24 + 16 * i + 8, TEXT);
    }
    CHECK(cell_message_decode(&layout, m, len, &a, &out, &e) == CELL_TOO_LARGE);
    CHECK(strncmp(e.text, "words[25", 8) == 0 && a.used <= CELL_MAX_DECODED);
    cell_arena_free(&a);
    free(m);
}

TEST(list_that_contains_itself_ends_at_the_limit_of_depth)
{
    struct params {
        node_list nodes;
    };
    static const struct cell_field fields[] = {FIELD(struct params, nodes, node_list_type)};
    static const struct cell_layout layout = {fields, 1, sizeof(struct params)};
    struct cell_arena a = {0};
    struct cell_error e = {0};
    struct params out;
    uint8_t m[24 + 32] = {sizeof(m), 0, 0, 0, 16, 0, 0, 0, 24, 0, 0, 0, 32, 0, 0, 0, 1};
    memcpy(m + 24 + offsetof(struct node, children), m + 8, 16);
    CHECK(cell_message_decode(&layout, m, sizeof(m), &a, &out, &e) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(e.text, "nested deeper than 32"));
    cell_arena_free(&a);
}

TEST(limit_of_the_arena_is_kept_and_named)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    struct rich_request out;
    char text[80];
    sample_message(&b);
    for (size_t limit = 16;; limit += 16) {
        struct cell_arena a = {.limit = limit};
        int r = cell_message_decode(&rich_layout, (const uint8_t *)b.data, b.len, &a, &out, &e);
        snprintf(text, sizeof(text), "does not fit into the limit of %zu bytes", limit);
        CHECK(r == CELL_OK || (r == CELL_TOO_LARGE && strstr(e.text, text)));
        CHECK(a.used <= limit);
        cell_arena_free(&a);
        if (r == CELL_OK || limit > 100000) {
            CHECK(r == CELL_OK);
            break;
        }
    }
    cell_buffer_free(&b);
}

/* ---- a peer that changes the message while it is read ---- */

struct racing {
    cell_str text;
    cell_opt_u8 maybe;
    cell_list_bool flags;
};
static const struct cell_field racing_fields[] = {FIELD(struct racing, text, cell_type_str),
                                                  FIELD(struct racing, maybe, cell_type_opt_u8),
                                                  FIELD(struct racing, flags, cell_type_list_bool)};
static const struct cell_layout racing_layout = {racing_fields, COUNT(racing_fields), sizeof(struct racing)};

/* Flips the reference's count and offset, the text, the optional and the booleans between good and bad values. */
static void mutate_for_ever(volatile uint8_t *m)
{
    for (uint8_t turn = 0;; turn++) {
        m[16] = turn & 1 ? 8 : 0xf0;    /* text count */
        m[23] = turn & 2 ? 0x80 : 0;    /* … its highest byte */
        m[9] = turn & 4 ? 0xff : 0;     /* text offset */
        m[24] = turn & 8 ? 1 : 200;     /* has */
        m[48] = turn & 16 ? 'x' : 0xff; /* the text */
        m[56] = turn & 32 ? 1 : 99;     /* a bool */
    }
}

TEST(message_that_changes_while_it_is_read_gives_checked_values_only)
{
    uint8_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(m != MAP_FAILED);
    struct racing in = {CELL_STR("12345678"), CELL_SOME(1), {(const bool[8]){true}, 8}};
    struct cell_buffer b = {0};
    struct cell_arena a = {0};
    REQUIRE(cell_message_encode(&racing_layout, &in, MAX, &b, NULL) == CELL_OK && b.len == 64);
    memcpy(m, b.data, b.len);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test dies in between */
        mutate_for_ever(m);
    }
    REQUIRE(child > 0);
    for (int i = 0; i < 50000; i++) {
        struct racing out;
        int r = cell_message_decode(&racing_layout, m, 64, &a, &out, NULL);
        int good = r == CELL_PROTOCOL_ERROR;
        if (r == CELL_OK)
            good = out.text.len <= 64 && cell_utf8_valid(out.text.ptr, out.text.len) &&
                   out.text.ptr[out.text.len] == '\0' && out.flags.len == 8;
        if (r == CELL_OK && good) {
            uint8_t bytes[9];
            memcpy(bytes, &out.maybe.has, 1);
            memcpy(bytes + 1, out.flags.ptr, 8);
            for (int k = 0; k < 9; k++)
                good &= bytes[k] <= 1;
        }
        if (!good) {
            CHECK(good);
            break;
        }
        cell_arena_reset(&a);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    munmap(m, 4096);
    cell_buffer_free(&b);
    cell_arena_free(&a);
}
