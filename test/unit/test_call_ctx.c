/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Contexts by themselves: memory, metadata and details with their limits, the trail, printing. */
#include "call_fixture.h"

TEST(memory_lives_until_reset_and_is_zeroed_and_bounded)
{
    const struct cell_ctx_options options = {.memory_limit = 10000};
    cell_ctx *c = cell_ctx_open(&options);
    char *p = cell_ctx_alloc(c, 100);
    REQUIRE(p != NULL);
    for (int i = 0; i < 100; i++)
        CHECK(p[i] == 0);
    memset(p, 1, 100);
    cell_str s = cell_ctx_copy(c, (cell_str){"abcdef", 3});
    CHECK_STR(s.ptr, "abc");
    CHECK(s.len == 3);
    s = cell_ctx_printf(c, "%d-%s", 7, "x");
    CHECK_STR(s.ptr, "7-x");
    CHECK(s.len == 3);
    CHECK(cell_ctx_copy(c, (cell_str){NULL, 0}).len == 0);
    CHECK(cell_ctx_alloc(c, 20000) == NULL);
    CHECK(cell_ctx_alloc(c, SIZE_MAX) == NULL);
    CHECK(cell_ctx_alloc(c, 5000) != NULL && cell_ctx_alloc(c, 5000) == NULL);
    cell_ctx_reset(c);
    p = cell_ctx_alloc(c, 5000);
    CHECK(p != NULL && p[99] == 0);
    cell_ctx_close(c);
}

TEST(every_function_accepts_no_context)
{
    cell_bytes value = {NULL, 0};
    cell_str text = {NULL, 0};
    cell_ctx_close(NULL);
    cell_ctx_reset(NULL);
    cell_ctx_cancel(NULL);
    cell_ctx_set_timeout_ms(NULL, 1);
    cell_ctx_set_client(NULL, NULL);
    CHECK(cell_ctx_alloc(NULL, 1) == NULL && cell_ctx_copy(NULL, CELL_STR("x")).ptr == NULL);
    CHECK(cell_ctx_printf(NULL, "x").ptr == NULL);
    CHECK(cell_ctx_remaining_ns(NULL) == UINT64_MAX && cell_ctx_cancelled(NULL));
    CHECK(cell_ctx_set_metadata(NULL, "k", CELL_STR("v")) == CELL_NO_MEMORY);
    CHECK(cell_ctx_metadata(NULL, "k", &text) == CELL_NO_MEMORY);
    CHECK(cell_ctx_caller(NULL, NULL) == CELL_NO_MEMORY);
    CHECK(cell_fail(NULL, CELL_ABORTED, "x") == CELL_ABORTED && cell_trail(NULL, CELL_ABORTED, "x") == CELL_ABORTED);
    CHECK(cell_add_detail(NULL, "k", value) == CELL_NO_MEMORY && cell_detail(NULL, "k", &value) == CELL_NO_MEMORY);
    CHECK(cell_ctx_status(NULL) == CELL_NO_MEMORY && cell_ctx_user(NULL) == NULL);
    CHECK_STR(cell_ctx_message(NULL), "out of memory");
}

TEST(metadata_keys_and_sizes_are_checked)
{
    cell_ctx *c = cell_ctx_open(NULL);
    static char big[9000];
    char key[32];
    memset(big, 'x', sizeof(big));
    CHECK(cell_ctx_set_metadata(c, "", CELL_STR("v")) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_set_metadata(c, NULL, CELL_STR("v")) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_set_metadata(c, ":cell", CELL_STR("v")) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_set_metadata(c, "Upper", CELL_STR("v")) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_set_metadata(c, "a b", CELL_STR("v")) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_set_metadata(c, "k", (cell_str){NULL, 3}) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ctx_set_metadata(c, "k", (cell_str){big, sizeof(big)}) == CELL_TOO_LARGE);
    CHECK(cell_ctx_set_metadata(c, "k", (cell_str){big, 8000}) == CELL_OK);
    CHECK(cell_ctx_set_metadata(c, "l", (cell_str){big, 200}) == CELL_TOO_LARGE);
    CHECK(cell_ctx_set_metadata(c, "k", (cell_str){big, 10}) == CELL_OK); /* replacing frees the room */
    CHECK(cell_ctx_set_metadata(c, "l", (cell_str){big, 200}) == CELL_OK);
    for (int i = 2; i < 64; i++) {
        snprintf(key, sizeof(key), "key-%d_.x", i);
        CHECK(cell_ctx_set_metadata(c, key, CELL_STR("")) == CELL_OK);
    }
    CHECK(cell_ctx_set_metadata(c, "one-more", CELL_STR("")) == CELL_TOO_LARGE);
    CHECK(cell_ctx_set_metadata(c, "key-9_.x", CELL_STR("new")) == CELL_OK);
    cell_str value;
    CHECK(cell_ctx_metadata(c, "k", &value) == CELL_NOT_FOUND); /* outgoing is not incoming */
    cell_ctx_close(c);
}

TEST(details_are_typed_bytes_within_limits)
{
    cell_ctx *c = cell_ctx_open(NULL);
    static uint8_t big[5000];
    cell_bytes value;
    char type[32];
    CHECK(cell_add_detail(c, "Bad Type", (cell_bytes){big, 1}) == CELL_INVALID_ARGUMENT);
    CHECK(cell_add_detail(c, "", (cell_bytes){big, 1}) == CELL_INVALID_ARGUMENT);
    CHECK(cell_add_detail(c, "k", (cell_bytes){NULL, 1}) == CELL_INVALID_ARGUMENT);
    CHECK(cell_add_detail(c, "k", (cell_bytes){big, 5000}) == CELL_TOO_LARGE);
    CHECK(cell_add_detail(c, "k", (cell_bytes){big, 4000}) == CELL_OK);
    CHECK(cell_add_detail(c, "l", (cell_bytes){big, 200}) == CELL_TOO_LARGE);
    CHECK(cell_add_detail(c, "k", (cell_bytes){big, 2}) == CELL_OK);
    CHECK(cell_detail(c, "k", &value) == CELL_OK && value.len == 2);
    for (int i = 1; i < 16; i++) {
        snprintf(type, sizeof(type), "t%d", i);
        CHECK(cell_add_detail(c, type, (cell_bytes){NULL, 0}) == CELL_OK);
    }
    CHECK(cell_add_detail(c, "t16", (cell_bytes){NULL, 0}) == CELL_TOO_LARGE);
    cell_ctx_reset(c);
    CHECK(cell_detail(c, "k", &value) == CELL_NOT_FOUND);
    cell_ctx_close(c);
}

TEST(the_trail_grows_from_the_inside_out)
{
    cell_ctx *c = cell_ctx_open(NULL);
    CHECK(cell_fail(c, CELL_NOT_FOUND, "no account %d", 7) == CELL_NOT_FOUND);
    CHECK(cell_trail(c, CELL_NOT_FOUND, "log-in") == CELL_NOT_FOUND);
    CHECK(cell_trail(c, CELL_NOT_FOUND, "front%s", "end") == CELL_NOT_FOUND);
    CHECK_STR(cell_ctx_message(c), "frontend: log-in: no account 7");
    CHECK(cell_trail(c, 3, "not an error") == 3);
    CHECK_STR(cell_ctx_message(c), "frontend: log-in: no account 7");
    CHECK(cell_trail(c, CELL_ABORTED, "commit") == CELL_ABORTED); /* another error takes its place */
    CHECK_STR(cell_ctx_message(c), "commit: aborted by a conflict");
    CHECK(cell_ctx_status(c) == CELL_ABORTED);
    CHECK(cell_fail(c, -1000, "x") == CELL_UNKNOWN && cell_fail(c, 0, "x") == CELL_UNKNOWN);
    cell_ctx_close(c);
}

TEST(perror_prints_message_and_status_and_returns_one)
{
    char *text = NULL;
    size_t len;
    cell_ctx *c = cell_ctx_open(NULL);
    FILE *before = stderr, *memory = open_memstream(&text, &len);
    cell_fail(c, CELL_NOT_FOUND, "no account");
    stderr = memory;
    int r = cell_perror(c, "login");
    r += cell_perror(NULL, NULL);
    stderr = before;
    fclose(memory);
    CHECK(r == 2);
    CHECK_STR(text, "login: no account (not-found)\nout of memory (no-memory)\n");
    free(text);
    cell_ctx_close(c);
}
