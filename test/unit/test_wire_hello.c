/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* HELLO and WELCOME, and texts that peers send. */
#include "test.h"

#include "wire/hello.h"

#define PRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Decodes a WELCOME of the pairs that were appended to `b`, and empties it. */
static int decode_pairs(struct cell_buffer *b, struct cell_greeting *g, struct cell_error *e)
{
    struct cell_frame f = {.kind = CELL_FRAME_WELCOME, .length = (uint32_t)b->len, .meta_len = (uint16_t)b->len};
    /* A copy of exactly this size: a byte too many that is read is found by the address sanitizer. */
    uint8_t *exact = malloc(b->len ? b->len : 1);
    if (!exact)
        abort();
    if (b->len)
        memcpy(exact, b->data, b->len);
    int r = cell_greeting_decode(&f, exact, g, e);
    free(exact);
    cell_buffer_free(b);
    *b = (struct cell_buffer){0};
    return r;
}

static int decode_pair(const char *key, const void *value, size_t len, struct cell_greeting *g, struct cell_error *e)
{
    struct cell_buffer b = {0};
    if (cell_meta_append(&b, key, value, len) < 0)
        abort();
    return decode_pairs(&b, g, e);
}

static int decode_text(const char *key, const char *value, struct cell_greeting *g, struct cell_error *e)
{
    return decode_pair(key, value, strlen(value), g, e);
}

static const char *shown(const char *bytes, size_t len)
{
    static char out[256];
    char *exact = malloc(len ? len : 1);
    if (!exact)
        abort();
    memcpy(exact, bytes, len);
    memset(out, 'Z', sizeof(out));
    cell_text_from_peer(exact, len, out, sizeof(out));
    free(exact);
    return out;
}

TEST(hello_reads_back)
{
    struct cell_greeting in = {.cell = "auth",
                               .fingerprint = PRINT,
                               .abi = "lp64-le",
                               .program = "frontend",
                               .max_message = 7,
                               .need_schema = true,
                               .code = 3,
                               .message = "not in HELLO"};
    struct cell_greeting out = {0};
    struct cell_buffer b = {0};
    struct cell_frame f = {0};
    struct cell_error e = {0};
    uint8_t header[CELL_FRAME_HEADER];
    REQUIRE(cell_greeting_encode(&in, CELL_FRAME_HELLO, CELL_CHANNEL_OPS, &f, &b, &e) == CELL_OK);
    CHECK(f.kind == CELL_FRAME_HELLO && f.channel == CELL_CHANNEL_OPS && f.code == 0 && f.id == 0);
    CHECK(f.length == b.len && f.meta_len == b.len);
    cell_frame_encode(&f, header);
    CHECK(cell_frame_decode(header, sizeof(header), CELL_MAX_HELLO, &f, &e) == 1);
    REQUIRE(cell_greeting_decode(&f, (const uint8_t *)b.data, &out, &e) == CELL_OK);
    CHECK_STR(out.cell, "auth");
    CHECK_STR(out.fingerprint, PRINT);
    CHECK_STR(out.abi, "lp64-le");
    CHECK_STR(out.program, "frontend");
    CHECK(out.max_message == 0 && !out.need_schema && out.code == 0);
    CHECK_STR(out.message, "");
    cell_buffer_free(&b);
}

TEST(welcome_reads_back)
{
    struct cell_greeting in = {.cell = "auth",
                               .fingerprint = PRINT,
                               .abi = "x",
                               .program = "y",
                               .max_message = UINT32_MAX,
                               .need_schema = true};
    struct cell_greeting out = {0};
    struct cell_buffer b = {0};
    struct cell_frame f = {0};
    struct cell_error e = {0};
    REQUIRE(cell_greeting_encode(&in, CELL_FRAME_WELCOME, CELL_CHANNEL_APP, &f, &b, &e) == CELL_OK);
    REQUIRE(cell_greeting_decode(&f, (const uint8_t *)b.data, &out, &e) == CELL_OK);
    CHECK_STR(out.cell, "auth");
    CHECK_STR(out.fingerprint, PRINT);
    CHECK_STR(out.abi, "");
    CHECK_STR(out.program, "");
    CHECK(out.max_message == UINT32_MAX && out.need_schema && out.code == 0);
    cell_buffer_free(&b);
}

TEST(refusal_carries_its_text)
{
    struct cell_greeting in = {.code = CELL_NOT_FOUND, .message = "no cell 'müller' here"}, out = {0};
    struct cell_buffer b = {0};
    struct cell_frame f = {0};
    struct cell_error e = {0};
    REQUIRE(cell_greeting_encode(&in, CELL_FRAME_WELCOME, CELL_CHANNEL_COMPILE, &f, &b, &e) == CELL_OK);
    CHECK(f.code == CELL_NOT_FOUND);
    REQUIRE(cell_greeting_decode(&f, (const uint8_t *)b.data, &out, &e) == CELL_OK);
    CHECK(out.code == CELL_NOT_FOUND);
    CHECK_STR(out.message, "no cell 'müller' here");
    cell_buffer_free(&b);
}

TEST(success_carries_no_text)
{
    struct cell_greeting in = {.code = 2, .message = "left over"}, out = {0};
    struct cell_buffer b = {0};
    struct cell_frame f = {0};
    REQUIRE(cell_greeting_encode(&in, CELL_FRAME_WELCOME, CELL_CHANNEL_APP, &f, &b, NULL) == CELL_OK);
    REQUIRE(cell_greeting_decode(&f, (const uint8_t *)b.data, &out, NULL) == CELL_OK);
    CHECK(out.code == 2);
    CHECK_STR(out.message, "");
    cell_buffer_free(&b);
}

TEST(the_longest_greeting_fits_a_frame)
{
    struct cell_greeting in = {.max_message = UINT32_MAX, .need_schema = true, .code = -1}, out = {0};
    struct cell_buffer b = {0};
    struct cell_frame f = {0};
    uint8_t header[CELL_FRAME_HEADER];
    memset(in.cell, 'a', sizeof(in.cell) - 1);
    memset(in.fingerprint, 'f', sizeof(in.fingerprint) - 1);
    memset(in.abi, 'b', sizeof(in.abi) - 1);
    memset(in.program, 'c', sizeof(in.program) - 1);
    memset(in.message, 'm', sizeof(in.message) - 1);
    for (int kind = CELL_FRAME_HELLO; kind <= CELL_FRAME_WELCOME; kind++) {
        REQUIRE(cell_greeting_encode(&in, (enum cell_frame_kind)kind, CELL_CHANNEL_APP, &f, &b, NULL) == CELL_OK);
        cell_frame_encode(&f, header);
        CHECK(cell_frame_decode(header, sizeof(header), CELL_MAX_HELLO, &f, NULL) == 1);
        CHECK(cell_greeting_decode(&f, (const uint8_t *)b.data, &out, NULL) == CELL_OK);
        CHECK_STR(out.cell, in.cell);
        b.len = 0;
    }
    CHECK_STR(out.message, in.message);
    cell_buffer_free(&b);
}

TEST(encode_appends_and_leaves_what_was_there)
{
    struct cell_greeting in = {.cell = "auth"}, out = {0};
    struct cell_buffer b = {0};
    struct cell_frame f = {0};
    cell_buffer_puts(&b, "before");
    REQUIRE(cell_greeting_encode(&in, CELL_FRAME_HELLO, CELL_CHANNEL_APP, &f, &b, NULL) == CELL_OK);
    CHECK(memcmp(b.data, "before", 6) == 0 && f.length == b.len - 6);
    CHECK(cell_greeting_decode(&f, (const uint8_t *)b.data + 6, &out, NULL) == CELL_OK);
    CHECK_STR(out.cell, "auth");
    cell_buffer_free(&b);
}

TEST(what_cannot_be_sent_is_refused_before_anything_is_written)
{
    static const char *const names[] = {"a b", "a\n", "grün", "a/b", "a-b", "1st", "\x7f"};
    struct cell_buffer b = {0};
    struct cell_frame f = {.id = 99};
    struct cell_error e = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct cell_greeting in = {0};
        snprintf(in.cell, sizeof(in.cell), "%s", names[i]);
        CHECK(cell_greeting_encode(&in, CELL_FRAME_HELLO, CELL_CHANNEL_APP, &f, &b, &e) == CELL_INVALID_ARGUMENT);
        CHECK(strstr(e.text, "cannot be the name") != NULL);
    }
    struct cell_greeting bad_print = {.fingerprint = "abc"}, fine = {.cell = "auth"};
    CHECK(cell_greeting_encode(&bad_print, CELL_FRAME_HELLO, CELL_CHANNEL_APP, &f, &b, &e) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(e.text, "fingerprint") != NULL);
    CHECK(cell_greeting_encode(&fine, CELL_FRAME_CALL, CELL_CHANNEL_APP, &f, &b, &e) == CELL_INVALID_ARGUMENT);
    CHECK(b.len == 0 && f.id == 99);
    cell_buffer_free(&b);
}

TEST(an_empty_greeting_says_nothing)
{
    struct cell_greeting g = {.cell = "old"};
    struct cell_buffer b = {0};
    REQUIRE(decode_pairs(&b, &g, NULL) == CELL_OK);
    CHECK_STR(g.cell, "");
    CHECK_STR(g.fingerprint, "");
    CHECK(g.max_message == 0 && !g.need_schema && g.code == 0);
}

TEST(unknown_keys_are_for_later_versions)
{
    struct cell_greeting g = {0};
    struct cell_buffer b = {0};
    cell_meta_append(&b, ":tomorrow", "x\n", 2);
    cell_meta_append(&b, ":cell", "auth", 4);
    cell_meta_append(&b, "user", "\xff", 1);
    REQUIRE(decode_pairs(&b, &g, NULL) == CELL_OK);
    CHECK_STR(g.cell, "auth");
}

TEST(names_that_no_cell_can_have_are_refused)
{
    char longest[65] = {0};
    struct cell_greeting g = {.cell = "kept"};
    struct cell_error e = {0};
    memset(longest, 'a', 64);
    CHECK(decode_pair(":cell", longest, 63, &g, &e) == CELL_OK);
    CHECK(strlen(g.cell) == 63);
    snprintf(g.cell, sizeof(g.cell), "kept");
    CHECK(decode_pair(":cell", longest, 64, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(e.text, "name that no cell can have") != NULL);
    CHECK(decode_pair(":cell", "", 0, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":cell", "a\0b", 3, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":cell", "a-b", 3, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":cell", "7", 1, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":cell", "a\x1b[m", 4, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":abi", longest, 32, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":abi", "lp64\n", 5, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK_STR(g.cell, "kept");
}

TEST(bad_fingerprints_are_refused)
{
    char upper[] = PRINT;
    struct cell_greeting g = {0};
    struct cell_error e = {0};
    upper[20] = 'A';
    CHECK(decode_text(":fingerprint", PRINT, &g, &e) == CELL_OK);
    CHECK(decode_text(":fingerprint", upper, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(e.text, "fingerprint") != NULL);
    CHECK(decode_text(":fingerprint", PRINT "0", &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_text(":fingerprint", "", &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(decode_pair(":fingerprint", PRINT, 63, &g, &e) == CELL_PROTOCOL_ERROR);
}

TEST(the_largest_message_is_a_number)
{
    struct cell_greeting g = {0};
    CHECK(decode_text(":max-message", "65536", &g, NULL) == CELL_OK && g.max_message == 65536);
    CHECK(decode_text(":max-message", "4294967295", &g, NULL) == CELL_OK && g.max_message == UINT32_MAX);
    CHECK(decode_text(":max-message", "4294967296", &g, NULL) == CELL_OK && g.max_message == UINT32_MAX);
    CHECK(decode_text(":max-message", "99999999999999999999999999999", &g, NULL) == CELL_OK);
    CHECK(g.max_message == UINT32_MAX);
    static const char *const bad[] = {"", "0", "000", "-1", "1k", " 1", "0x10", "1.5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(decode_text(":max-message", bad[i], &g, NULL) == CELL_PROTOCOL_ERROR);
    CHECK(decode_text(":need-schema", "1", &g, NULL) == CELL_OK && g.need_schema);
    CHECK(decode_text(":need-schema", "yes", &g, NULL) == CELL_PROTOCOL_ERROR);
    CHECK(decode_text(":need-schema", "", &g, NULL) == CELL_PROTOCOL_ERROR);
}

TEST(other_frames_and_bad_blocks_are_refused)
{
    struct cell_greeting g = {.cell = "kept"};
    struct cell_error e = {0};
    uint8_t block[CELL_MAX_HELLO + 8] = {0};
    struct cell_frame f = {.kind = CELL_FRAME_REPLY};
    CHECK(cell_greeting_decode(&f, block, &g, &e) == CELL_PROTOCOL_ERROR);
    f = (struct cell_frame){.kind = CELL_FRAME_HELLO, .length = 8};
    CHECK(cell_greeting_decode(&f, block, &g, &e) == CELL_PROTOCOL_ERROR);
    f = (struct cell_frame){.kind = CELL_FRAME_HELLO, .length = sizeof(block), .meta_len = sizeof(block)};
    CHECK(cell_greeting_decode(&f, block, &g, &e) == CELL_TOO_LARGE);
    memcpy(block,
           "\xff\xff\xff\xff"
           "ab",
           6);
    f = (struct cell_frame){.kind = CELL_FRAME_HELLO, .length = 6, .meta_len = 6};
    CHECK(cell_greeting_decode(&f, block, &g, &e) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(e.text, "metadata") != NULL);
    CHECK_STR(g.cell, "kept");
}

TEST(a_long_program_name_is_cut_on_a_character)
{
    struct cell_greeting g = {0};
    char name[70];
    memset(name, 'p', sizeof(name));
    memcpy(name + 62, "\xc3\xa4", 2); /* its second byte would be the 64th, where the NUL belongs */
    CHECK(decode_pair(":program", name, sizeof(name), &g, NULL) == CELL_OK);
    CHECK(strlen(g.program) == 62);
    memcpy(name + 61, "\xc3\xa4p", 3);
    CHECK(decode_pair(":program", name, sizeof(name), &g, NULL) == CELL_OK);
    CHECK(strlen(g.program) == 63);
    CHECK_STR(g.program + 61, "ä");
}

TEST(texts_of_peers_can_be_shown)
{
    CHECK_STR(shown("plain", 5), "plain");
    CHECK_STR(shown("", 0), "");
    CHECK_STR(shown("a\x1b[31mb\n\x07", 9), "a?[31mb??");
    CHECK_STR(shown("a\0b\x7f", 4), "a?b?");
    CHECK_STR(shown("für €𝄞", strlen("für €𝄞")), "für €𝄞");
    CHECK_STR(shown("\xc2\x9b\xc2\xa0", 4), "?\xc2\xa0");                        /* C1 CSI; no-break space stays */
    CHECK_STR(shown("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8x", 10), "???x");       /* override, isolate, line separator */
    CHECK_STR(shown("\xe2\x80\xa7\xe2\x80\xaf", 6), "\xe2\x80\xa7\xe2\x80\xaf"); /* their neighbours */
    CHECK_STR(shown("\xff\xc3+\xed\xa0\x80", 6), "??+???");
    CHECK_STR(shown("cut \xe2\x82", 6), "cut ??");
}

TEST(texts_of_peers_fill_what_is_given_and_no_more)
{
    char out[6];
    for (size_t size = 1; size <= sizeof(out); size++) {
        memset(out, 'Z', sizeof(out));
        cell_text_from_peer("abcdefgh", 8, out, size);
        CHECK(strlen(out) == size - 1 && memcmp(out, "abcdefgh", size - 1) == 0);
        for (size_t i = size; i < sizeof(out); i++)
            CHECK(out[i] == 'Z');
    }
    cell_text_from_peer("€€", 6, out, sizeof(out));
    CHECK_STR(out, "€");
    cell_text_from_peer("\1\1\1\1\1\1\1", 7, out, sizeof(out));
    CHECK_STR(out, "?????");
}
