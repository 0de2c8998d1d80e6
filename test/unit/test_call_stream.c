/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Streams in both directions over every carrier: records, ends, results, and back-pressure. */
#include "stream_fixture.h"

static const struct cell_server_options defaults;

TEST(a_server_stream_gives_its_records_in_order_and_then_the_result)
{
    for (enum carrier k = 0; k < CARRIERS; k++)
        for (uint32_t batch = 1; batch <= 127; batch += 42) {
            enum { N = 5000 };
            struct flow f;
            struct item i;
            struct total t = {0};
            uint64_t n = 0;
            flow_begin(&f, k, defaults);
            struct cell_stream *s = open_count(f.c, 7, N, batch, 9);
            while (cell_stream_next(s, &i) > 0) {
                CHECK(i.n == 7 + n && i.rest[0] == ~i.n && i.rest[6] == 0);
                n++;
            }
            CHECK(n == N);
            CHECK(cell_stream_next(s, &i) == 0); /* the end stays */
            CHECK(end_total(s, &t) == 9 && t.count == N);
            flow_end(&f);
        }
}

TEST(batches_are_received_as_they_were_sent)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item some[100];
        struct total t;
        uint64_t n = 0, got;
        flow_begin(&f, k, defaults);
        struct cell_stream *s = open_count(f.c, 0, 64 * 300, 64, 0);
        while ((got = cell_stream_next_n(s, some, 100)) > 0) {
            CHECK(got == 64); /* one at a time, and whole */
            for (uint64_t i = 0; i < got; i++)
                CHECK(some[i].n == n + i);
            n += got;
        }
        CHECK(n == 64 * 300);
        CHECK(end_total(s, &t) == 0 && t.count == n);
        flow_end(&f);
    }
}

TEST(records_with_texts_of_every_size_arrive)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct line l;
        uint64_t n = 0, count = 300;
        flow_begin(&f, k, defaults);
        struct cell_stream *s = cell_stream_open(f.c, &flow, flow_lines, &count);
        while (cell_stream_next(s, &l) > 0) {
            CHECK(l.n == (int64_t)n);
            CHECK(l.text.len == (n % 2 ? 1 : (n / 2 * 977) % 40000));
            CHECK(l.text.ptr[l.text.len] == '\0');
            CHECK(n % 2 || l.text.len == 0 || l.text.ptr[l.text.len - 1] == (char)('a' + n / 2 % 26));
            n++;
        }
        CHECK(n == 2 * count);
        CHECK(cell_stream_end(s, NULL) == 0);
        flow_end(&f);
    }
}

TEST(a_client_stream_is_summed_up_by_its_handler)
{
    for (enum carrier k = 0; k < CARRIERS; k++)
        for (unsigned batch = 1; batch <= 301; batch += 100) {
            struct flow f;
            struct item some[301];
            struct total t = {0};
            uint64_t n = 0, sum = 0;
            flow_begin(&f, k, defaults);
            struct cell_stream *s = open_sum(f.c, UINT64_MAX, 0);
            CHECK(cell_stream_put(s, some, 0) == CELL_OK);
            while (n < 6000) {
                for (unsigned i = 0; i < batch; i++) {
                    some[i] = (struct item){n, {0}};
                    sum += n++;
                }
                CHECK(cell_stream_put(s, some, batch) == CELL_OK);
            }
            CHECK(end_total(s, &t) == 3 && t.count == n && t.sum == sum);
            flow_end(&f);
        }
}

TEST(texts_of_a_client_stream_arrive)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        enum { N = 200 };
        struct flow f;
        struct total t = {0};
        uint64_t bytes = 0;
        static char text[40000];
        flow_begin(&f, k, defaults);
        struct cell_stream *s = cell_stream_open(f.c, &flow, flow_join, NULL);
        for (int i = 0; i < N; i += 4) {
            struct line four[4];
            memset(text, 'a' + i / 4 % 26, sizeof(text));
            for (int n = 0; n < 4; n++) {
                four[n] = (struct line){i / 4, {text, (uint64_t)(i * 491 + n) % sizeof(text)}};
                bytes += four[n].text.len;
            }
            CHECK(cell_stream_put(s, four, 4) == CELL_OK);
        }
        CHECK(end_total(s, &t) == 0 && t.count == N && t.sum == bytes);
        CHECK_STR(cell_ctx_message(f.c), "");
        flow_end(&f);
    }
}

TEST(a_stream_without_records_has_a_result_too)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t = {0};
        flow_begin(&f, k, defaults);
        struct cell_stream *s = open_count(f.c, 0, 0, 1, 4);
        CHECK(cell_stream_next(s, &i) == 0);
        CHECK(end_total(s, &t) == 4);
        CHECK(end_total(open_sum(f.c, 10, 0), &t) == 3 && t.count == 0);
        flow_end(&f);
    }
}

TEST(the_handlers_error_comes_at_the_end_with_its_trail)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item i;
        struct total t = {77, 0, {NULL, 0}};
        int n = 0;
        flow_begin(&f, k, defaults);
        struct cell_stream *s = open_count(f.c, 0, 5, 2, CELL_NOT_FOUND);
        while (cell_stream_next(s, &i) > 0)
            n++;
        CHECK(n == 5);
        CHECK(end_total(s, &t) == CELL_NOT_FOUND && t.count == 77);
        CHECK_STR(cell_ctx_message(f.c), "after 5");
        CHECK(flow_connections(&f) == (k == IN_PROCESS ? 0 : 1));
        flow_end(&f);
    }
}

TEST(after_a_clean_end_the_connection_serves_what_follows)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        struct flow f;
        struct item i = {0};
        struct total t;
        uint64_t sum;
        flow_begin(&f, k, defaults);
        for (int n = 0; n < 20; n++) {
            struct cell_stream *s = open_count(f.c, 0, 10, 3, 0);
            while (cell_stream_next(s, &i) > 0)
                continue;
            CHECK(end_total(s, &t) == 0);
            s = open_sum(f.c, 100, 0);
            CHECK(cell_stream_put(s, &i, 1) == 0);
            CHECK(end_total(s, &t) == 3);
            CHECK(flow_call_add(f.c, 4, &sum) == 0 && sum == 5);
        }
        CHECK(flow_connections(&f) == 1);
        flow_end(&f);
    }
}

/* What fits between a handler that puts batches and a client that does not read: never more, whatever the time. */
static uint64_t most_between(enum carrier k) { return k == OVER_SOCKET ? 64 * 600 : 64 * 70; }

TEST(a_writer_makes_no_progress_beyond_what_lies_between)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item some[64];
        struct total t;
        uint64_t read = 0;
        flow_begin(&f, k, defaults);
        struct cell_stream *s = open_count(f.c, 0, UINT64_MAX, 64, 0);
        for (int i = 0; i < 2000; i++) {
            CHECK(cell_stream_next_n(s, some, 64) == 64 && some[0].n == read);
            read += 64;
            CHECK(atomic_load(&flow_put) <= read + most_between(k));
        }
        CHECK(end_total(s, &t) == CELL_OK); /* the rest is not wanted */
        wait_sem(&shared->left);
        CHECK(atomic_load(&flow_last) == CELL_CANCELLED && atomic_load(&shared->cancelled) == 1);
        CHECK(atomic_load(&flow_put) <= read + most_between(k));
        flow_end(&f);
    }
}

TEST(a_client_makes_no_progress_beyond_what_lies_between)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct flow f;
        struct item some[64] = {{0}};
        struct total t;
        uint64_t put = 0;
        flow_begin(&f, k, defaults);
        atomic_store(&flow_hold, 1);
        cell_ctx_set_timeout_ms(f.c, 100);
        struct cell_stream *s = open_sum(f.c, UINT64_MAX, 0);
        while (cell_stream_put(s, some, 64) == CELL_OK) {
            put += 64;
            REQUIRE(put <= most_between(k));
        }
        CHECK(atomic_load(&flow_taken) == 0);
        CHECK(cell_stream_put(s, some, 1) == CELL_DEADLINE_EXCEEDED); /* it stays */
        CHECK(end_total(s, &t) == CELL_DEADLINE_EXCEEDED);
        CHECK(cell_ctx_status(f.c) == CELL_DEADLINE_EXCEEDED);
        wait_sem(&shared->left); /* it saw that its client has gone */
        flow_end(&f);
    }
}

TEST(blocked_streams_hold_up_nobody)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        enum { N = 8 };
        struct flow f;
        struct cell_stream *s[2 * N];
        struct item i;
        struct total t;
        uint64_t sum;
        flow_begin(&f, k, (struct cell_server_options){.max_threads = 2});
        for (int n = 0; n < N; n++) {
            s[n] = open_count(f.c, 0, UINT64_MAX, 64, 0); /* waits for the client to read */
            s[N + n] = open_sum(f.c, UINT64_MAX, 0);      /* waits for the client to write */
        }
        for (int n = 0; n < 2 * N; n++)
            wait_sem(&shared->entered); /* all of them: who waits holds no place */
        for (int n = 0; n < 100; n++)
            CHECK(flow_call_add(f.c, 6, &sum) == 0 && sum == 7);
        for (int n = 0; n < N; n++) {
            CHECK(cell_stream_next(s[n], &i) == 1 && i.n == 0);
            CHECK(cell_stream_put(s[N + n], &i, 1) == CELL_OK);
            CHECK(end_total(s[N + n], &t) == 3 && t.count == 1);
            CHECK(end_total(s[n], &t) == CELL_OK);
        }
        flow_end(&f);
    }
}

TEST(thirty_two_streams_of_a_context_run_at_once)
{
    for (enum carrier k = 0; k < CARRIERS; k++) {
        enum { N = 32, RECORDS = 400 };
        struct flow f;
        struct cell_stream *s[N];
        struct item i;
        struct total t;
        flow_begin(&f, k, (struct cell_server_options){.max_threads = 3});
        for (uint64_t n = 0; n < N; n++)
            s[n] = open_count(f.c, n << 32, RECORDS, 7, (int)n);
        for (uint64_t r = 0; r < RECORDS; r++)
            for (uint64_t n = 0; n < N; n++)
                CHECK(cell_stream_next(s[n], &i) == 1 && i.n == (n << 32) + r);
        for (int n = N - 1; n >= 0; n--) {
            CHECK(cell_stream_next(s[n], &i) == 0);
            CHECK(end_total(s[n], &t) == n);
        }
        flow_end(&f);
    }
}

TEST(more_streams_than_the_server_allows_are_refused)
{
    for (enum carrier k = 0; k < IN_PROCESS; k++) {
        struct flow f;
        struct item i;
        struct total t;
        uint64_t sum;
        flow_begin(&f, k, (struct cell_server_options){.max_streams = 2});
        struct cell_stream *a = open_count(f.c, 0, UINT64_MAX, 64, 0), *b = open_sum(f.c, 5, 0);
        wait_sem(&shared->entered);
        wait_sem(&shared->entered);
        struct cell_stream *late = open_count(f.c, 0, 10, 1, 0);
        CHECK(cell_stream_next(late, &i) == CELL_RESOURCE_EXHAUSTED);
        CHECK(end_total(late, &t) == CELL_RESOURCE_EXHAUSTED);
        CHECK_STR(cell_ctx_message(f.c), "flow: 2 streams run already");
        CHECK(flow_call_add(f.c, 1, &sum) == 0);
        CHECK(end_total(a, &t) == CELL_OK && end_total(b, &t) == 3);
        wait_sem(&shared->left);
        wait_sem(&shared->left);
        flow_end(&f);
    }
}
