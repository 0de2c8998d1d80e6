/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Errors, arena, buffer, SHA-256, clock and suggestions. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

#include "base/ticks.h"
#include "base/arena.h"
#include "base/util.h"

/* ---- statuses and errors ---- */

TEST(every_status_has_its_own_name_and_text)
{
    static const int all[] = {
#define STATUS_VALUE(symbol, value, name, text) symbol,
        CELL_STATUS_MAP(STATUS_VALUE)
#undef STATUS_VALUE
    };
    size_t n = sizeof(all) / sizeof(all[0]);
    CHECK(n == 22);
    for (size_t i = 0; i < n; i++) {
        CHECK(all[i] == -(int)(i + 1));
        CHECK(*cell_status_text(all[i]));
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(cell_status_name(all[i]), cell_status_name(all[j])) != 0);
    }
    CHECK_STR(cell_status_name(CELL_NOT_FOUND), "not-found");
    CHECK_STR(cell_status_text(CELL_NOT_FOUND), "not found");
    CHECK_STR(cell_status_name(CELL_IO_ERROR), "io-error");
}

TEST(status_outside_the_list_is_unknown_and_a_result_is_ok)
{
    CHECK_STR(cell_status_name(0), "ok");
    CHECK_STR(cell_status_name(17), "ok");
    CHECK_STR(cell_status_name(-23), "unknown");
    CHECK_STR(cell_status_name(INT32_MIN), "unknown");
    CHECK_STR(cell_status_text(-1000), cell_status_text(CELL_UNKNOWN));
}

TEST(error_trail_has_the_outermost_context_first)
{
    struct cell_error e = {0};
    CHECK(cell_error_set(&e, CELL_NOT_FOUND, "no user %d", 7) == CELL_NOT_FOUND);
    CHECK(cell_error_wrap(&e, "login of %s", "ada") == CELL_NOT_FOUND);
    CHECK(cell_error_wrap(&e, "auth") == CELL_NOT_FOUND);
    CHECK_STR(e.text, "auth: login of ada: no user 7");
    CHECK(e.status == CELL_NOT_FOUND);
}

TEST(error_may_quote_itself)
{
    struct cell_error e = {0};
    cell_error_set(&e, CELL_UNKNOWN, "first");
    cell_error_set(&e, CELL_ABORTED, "second after %s", e.text);
    CHECK_STR(e.text, "second after first");
    cell_error_wrap(&e, "%s", e.text);
    CHECK_STR(e.text, "second after first: second after first");
}

TEST(error_from_errno_names_the_cause)
{
    struct cell_error e = {0};
    CHECK(cell_error_errno(&e, CELL_IO_ERROR, ENOSPC, "cannot write %s", "x") == CELL_IO_ERROR);
    CHECK_STR(e.text, "cannot write x: No space left on device");
}

TEST(null_error_keeps_the_status_and_never_looks_like_success)
{
    CHECK(cell_error_set(NULL, CELL_ABORTED, "x") == CELL_ABORTED);
    CHECK(cell_error_errno(NULL, CELL_IO_ERROR, EIO, "x") == CELL_IO_ERROR);
    CHECK(cell_error_wrap(NULL, "x") < 0);
}

TEST(long_error_is_cut_between_characters)
{
    for (size_t shift = 0; shift < 4; shift++) {
        struct cell_error e;
        char text[1024];
        size_t n = 0;
        memset(text, 'x', shift);
        for (n = shift; n + 4 < sizeof(text); n += 4)
            memcpy(text + n, "\xf0\x9f\xa6\x80", 4);
        text[n] = '\0';
        cell_error_set(&e, CELL_UNKNOWN, "%s", text);
        size_t len = strlen(e.text);
        CHECK(len < CELL_ERROR_TEXT && len > CELL_ERROR_TEXT - 5);
        CHECK((len - shift) % 4 == 0);
        cell_error_wrap(&e, "ab");
        len = strlen(e.text);
        CHECK(len < CELL_ERROR_TEXT && (len - shift) % 4 == 0);
        CHECK(strncmp(e.text, "ab: ", 4) == 0);
    }
}

TEST(long_error_of_bytes_that_are_not_utf8_is_cut_too)
{
    struct cell_error e;
    char text[1024];
    memset(text, 0x80, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cell_error_set(&e, CELL_UNKNOWN, "%s", text);
    CHECK(strlen(e.text) == CELL_ERROR_TEXT - 1);
}

/* ---- arena ---- */

TEST(arena_memory_is_zeroed_aligned_and_apart)
{
    struct cell_arena a = {0};
    unsigned char *previous = NULL;
    for (size_t i = 0; i < 3000; i++) {
        size_t size = i * 7 % 2000;
        unsigned char *p = cell_arena_alloc(&a, size);
        REQUIRE(p);
        CHECK((uintptr_t)p % 16 == 0);
        CHECK(p != previous);
        for (size_t k = 0; k < size; k++)
            REQUIRE(p[k] == 0);
        memset(p, 0xff, size);
        previous = p;
        if (i % 500 == 499)
            cell_arena_reset(&a);
    }
    cell_arena_free(&a);
    CHECK(a.blocks == NULL && a.used == 0);
}

TEST(arena_reuses_its_first_block_after_a_reset)
{
    struct cell_arena a = {0};
    char *first = cell_arena_copy(&a, "dirty", 5);
    REQUIRE(first);
    CHECK(cell_arena_alloc(&a, 100000) != NULL);
    for (int i = 0; i < 100; i++)
        CHECK(cell_arena_alloc(&a, 1000) != NULL);
    cell_arena_reset(&a);
    CHECK(a.used == 0);
    char *again = cell_arena_alloc(&a, 6);
    CHECK(again == first);
    CHECK(memcmp(again, "\0\0\0\0\0", 6) == 0);
    cell_arena_free(&a);
}

TEST(arena_refuses_what_is_over_its_limit_and_stays_usable)
{
    struct cell_arena a = {.limit = 1024};
    CHECK(cell_arena_alloc(&a, 1025) == NULL);
    CHECK(cell_arena_alloc(&a, 512) != NULL);
    CHECK(cell_arena_alloc(&a, 513) == NULL);
    CHECK(cell_arena_alloc(&a, 512) != NULL);
    CHECK(cell_arena_alloc(&a, 0) == NULL);
    CHECK(a.used == 1024);
    cell_arena_reset(&a);
    CHECK(cell_arena_alloc(&a, 1024) != NULL);
    cell_arena_free(&a);
}

TEST(arena_refuses_sizes_that_overflow)
{
    struct cell_arena a = {0};
    CHECK(cell_arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(cell_arena_alloc(&a, SIZE_MAX - 15) == NULL);
    CHECK(cell_arena_array(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK(cell_arena_array(&a, (SIZE_MAX >> 4) + 1, 16) == NULL);
    CHECK(cell_arena_copy(&a, "", SIZE_MAX) == NULL);
    CHECK(cell_arena_alloc(&a, 0) != NULL);
    CHECK(cell_arena_array(&a, 0, 8) != NULL);
    cell_arena_free(&a);
    cell_arena_free(NULL);
}

TEST(arena_copies_and_formats_text)
{
    struct cell_arena a = {0};
    CHECK_STR(cell_arena_copy(&a, "abcdef", 3), "abc");
    CHECK_STR(cell_arena_copy(&a, NULL, 0), "");
    CHECK_STR(cell_arena_printf(&a, "%s-%d", "x", 42), "x-42");
    char *wide = cell_arena_printf(&a, "%9000d", 1);
    CHECK(wide && strlen(wide) == 9000 && wide[8999] == '1');
    cell_arena_free(&a);
}

/* ---- buffer ---- */

TEST(buffer_is_terminated_after_everything_appended)
{
    struct cell_buffer b = {0};
    char expected[4096] = "";
    for (int i = 0; i < 300; i++) {
        char part[16];
        snprintf(part, sizeof(part), "%d,", i);
        strcat(expected, part);
        if (i % 3 == 0)
            cell_buffer_puts(&b, part);
        else if (i % 3 == 1)
            cell_buffer_append(&b, part, strlen(part));
        else
            cell_buffer_printf(&b, "%d,", i);
        REQUIRE(cell_buffer_ok(&b));
        REQUIRE(b.len == strlen(expected) && b.len < b.capacity);
        REQUIRE(memcmp(b.data, expected, b.len + 1) == 0);
    }
    cell_buffer_free(&b);
    CHECK(b.data == NULL && b.len == 0 && b.capacity == 0);
    cell_buffer_free(&b);
    cell_buffer_free(NULL);
}

TEST(buffer_formats_more_than_it_has_room_for)
{
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, "ab");
    cell_buffer_printf(&b, "%5000d%s", 7, "!");
    CHECK(b.len == 5003);
    CHECK(b.data[5001] == '7' && b.data[5002] == '!' && b.data[5003] == '\0');
    cell_buffer_free(&b);
}

TEST(buffer_reserve_does_not_change_the_length)
{
    struct cell_buffer b = {0};
    char *p = cell_buffer_reserve(&b, 0);
    CHECK(p != NULL && b.len == 0);
    cell_buffer_puts(&b, "abc");
    p = cell_buffer_reserve(&b, 10000);
    REQUIRE(p);
    CHECK(b.len == 3 && p == b.data + 3 && b.capacity > 10003);
    memset(p, 'x', 10000);
    CHECK_STR((b.data[3] = '\0', b.data), "abc");
    cell_buffer_free(&b);
}

TEST(buffer_failure_sticks_and_keeps_the_content)
{
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, "abc");
    CHECK(cell_buffer_reserve(&b, SIZE_MAX) == NULL);
    CHECK(!cell_buffer_ok(&b));
    cell_buffer_puts(&b, "def");
    cell_buffer_printf(&b, "%d", 1);
    CHECK(cell_buffer_reserve(&b, 1) == NULL);
    CHECK_STR(b.data, "abc");
    CHECK(b.len == 3);
    cell_buffer_free(&b);
    CHECK(cell_buffer_ok(&b));
}

/* ---- SHA-256 ---- */

/* The examples of FIPS 180-4 and of NIST's "SHA256 examples", and lengths around the padding's edges. */
TEST(sha256_gives_the_published_digests)
{
    char hex[65];
    cell_sha256_hex("", 0, hex);
    CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    cell_sha256_hex("abc", 3, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    cell_sha256_hex(two, strlen(two), hex);
    CHECK_STR(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    const char *four = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    cell_sha256_hex(four, strlen(four), hex);
    CHECK_STR(hex, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    cell_sha256_hex("\xbd", 1, hex);
    CHECK_STR(hex, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
    static const struct {
        size_t zeros;
        const char *digest;
    } zeros[] = {
        {55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
        {56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
        {57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
        {64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
        {1000, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
    };
    char block[1000] = {0};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
        cell_sha256_hex(block, zeros[i].zeros, hex);
        CHECK_STR(hex, zeros[i].digest);
    }
}

TEST(sha256_of_a_million_letters)
{
    struct cell_sha256 h;
    uint8_t digest[32];
    static const uint8_t expected[32] = {0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
                                         0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
                                         0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0};
    char letters[997];
    size_t left = 1000000;
    memset(letters, 'a', sizeof(letters));
    cell_sha256_init(&h);
    while (left) {
        size_t n = left < sizeof(letters) ? left : sizeof(letters);
        cell_sha256_update(&h, letters, n);
        left -= n;
    }
    cell_sha256_final(&h, digest);
    CHECK(memcmp(digest, expected, 32) == 0);
}

TEST(sha256_does_not_depend_on_how_the_input_is_cut)
{
    uint8_t data[200], whole[32], parts[32];
    struct cell_sha256 h;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31);
    cell_sha256_init(&h);
    cell_sha256_update(&h, data, sizeof(data));
    cell_sha256_final(&h, whole);
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        cell_sha256_init(&h);
        cell_sha256_update(&h, data, cut);
        cell_sha256_update(&h, data + cut, sizeof(data) - cut);
        cell_sha256_final(&h, parts);
        CHECK(memcmp(whole, parts, 32) == 0);
    }
}

/* ---- the rest ---- */

TEST(cleanup_closes_and_frees_at_scope_exit)
{
    int seen;
    {
        CELL_CLEANUP(cell_cleanup_fd) int fd = open("/dev/null", O_RDONLY);
        CELL_CLEANUP(cell_cleanup_fd) int none = -1;
        CELL_CLEANUP(cell_cleanup_free) char *p = malloc(10);
        CELL_CLEANUP(cell_cleanup_free) char *null = NULL;
        (void)none;
        (void)null;
        CHECK(p != NULL);
        seen = fd;
        errno = EXDEV;
    }
    CHECK(errno == EXDEV);
    CHECK(fcntl(seen, F_GETFD) < 0 && errno == EBADF);
}

TEST(clock_never_goes_back)
{
    uint64_t before = cell_now_ns(), after = cell_now_ns();
    CHECK(before > 0 && after >= before);
}

static const char *suggest(const char *word)
{
    static const char *const names[] = {"email", "name", NULL, "created_at", "role", "id", "sessions"};
    return cell_suggest(word, names, sizeof(names) / sizeof(names[0]));
}

TEST(suggestion_is_the_nearest_name)
{
    CHECK_STR(suggest("emial"), "email");           /* a swap is one edit */
    CHECK_STR(suggest("emal"), "email");            /* a letter is missing */
    CHECK_STR(suggest("emaill"), "email");          /* one too many */
    CHECK_STR(suggest("nane"), "name");             /* one is wrong */
    CHECK_STR(suggest("craeted_ta"), "created_at"); /* two swaps */
    CHECK_STR(suggest("email"), "email");
    CHECK_STR(suggest("sesion"), "sessions");
}

TEST(suggestion_is_never_far_fetched)
{
    CHECK(suggest("password") == NULL);
    CHECK(suggest("xx") == NULL);
    CHECK(suggest("") == NULL);
    CHECK(suggest("eamli") == NULL); /* two swaps are more than a third of five letters */
    CHECK(cell_suggest("x", NULL, 0) == NULL);
    char longest[400];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *one[] = {longest};
    CHECK(cell_suggest(longest, one, 1) == NULL);
    CHECK(cell_suggest("aaa", one, 1) == NULL);
}

TEST(suggestion_does_not_edit_one_part_twice)
{
    /* "ca" to "abc" is 3 by optimal string alignment, 2 without that restriction. */
    const char *names[] = {"abcdef"};
    CHECK_STR(cell_suggest("badcef", names, 1), "abcdef");
    names[0] = "abcxxx";
    CHECK(cell_suggest("caxxx", names, 1) == NULL);
}

TEST(of_equally_near_names_the_first_is_suggested)
{
    const char *names[] = {"cart", "cast", "care"};
    CHECK_STR(cell_suggest("caxt", names, 3), "cart");
}

TEST(identifiers_are_recognised)
{
    char longest[129];
    memset(longest, 'a', 128);
    longest[127] = '\0';
    CHECK(cell_is_identifier("a") && cell_is_identifier("_x9") && cell_is_identifier("Ab_9Z"));
    CHECK(cell_is_identifier(longest));
    longest[127] = 'a';
    longest[128] = '\0';
    CHECK(!cell_is_identifier(longest));
    CHECK(!cell_is_identifier("") && !cell_is_identifier("9a") && !cell_is_identifier("a-b"));
    CHECK(!cell_is_identifier("a b") && !cell_is_identifier("\xc3\xa9") && !cell_is_identifier(NULL));
}

TEST(the_coarse_clock_is_never_after_now_and_goes_on)
{
    uint64_t begin = cell_coarse_ns(), coarse = begin;
    bool good = true;
    while (coarse == begin) {
        coarse = cell_coarse_ns();
        good &= coarse >= begin && coarse <= cell_now_ns();
    }
    CHECK(good);
}

TEST(a_stamp_becomes_the_time_when_it_was_taken)
{
    cell_ticks_begin();
    for (int i = 0; i < 20000; i++) {
        uint64_t before = cell_now_ns(), stamp = cell_ticks(), after = cell_now_ns();
        uint64_t until = after + (uint64_t)i * 10, slack = 1000;
        while (cell_now_ns() < until)
            continue;
        uint64_t ns = cell_ticks_ns(stamp);
        CHECK(ns + slack >= before && ns <= after + slack);
    }
    CHECK(cell_ticks_ns(cell_ticks()) <= cell_now_ns());
    CHECK(cell_ticks_ns(cell_ticks() + 1000000) <= cell_now_ns()); /* of a processor that is ahead */
}

TEST(a_checksum_changes_with_every_bit_and_with_the_length)
{
    uint8_t bytes[61] = {0};
    const uint64_t whole = cell_checksum(bytes, sizeof(bytes));
    CHECK(whole == cell_checksum(bytes, sizeof(bytes)));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(cell_checksum(bytes, sizeof(bytes)) != whole);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < sizeof(bytes); len++)
        CHECK(cell_checksum(bytes, len) != whole && cell_checksum(bytes, len) != cell_checksum(bytes, len + 1));
}
