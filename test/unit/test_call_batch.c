/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Batches of asynchronous calls: when they are sent, and that nothing of them is lost. */
#include "call_fixture.h"
#include "async_calls.h"

#include <sys/syscall.h>

/* What this thread has sent over sockets. */
static _Thread_local unsigned sends;

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    sends++;
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    sends++;
    return syscall(SYS_sendmsg, fd, m, flags);
}

/* A server in a thread, and a context whose calls go over the socket, or over shared memory from the third on. */
struct pair {
    struct demo_server d;
    struct cell_client *client;
    cell_ctx *c;
};

static void open_pair(struct pair *p, bool shm)
{
    int32_t sum = 0;
    memset(p, 0, sizeof(*p));
    call_over(shm);
    demo_setup();
    demo_start(&p->d);
    p->c = demo_ctx(&p->client);
    for (int i = 0; i < 3; i++)
        CHECK(call_add(p->c, i, 1, &sum) == 0 && sum == i + 1);
}

static void close_pair(struct pair *p)
{
    cell_ctx_close(p->c);
    cell_client_close(p->client);
    demo_stop(&p->d);
    demo_teardown();
}

TEST(the_calls_of_a_batch_are_sent_together)
{
    enum { N = 40 };
    struct pair p;
    int32_t sums[N];
    int tickets[N];
    open_pair(&p, false);
    sends = 0;
    CHECK(cell_batch_begin(p.c) == CELL_OK);
    for (int i = 0; i < N; i++)
        CHECK((tickets[i] = add_async(p.c, i, 1, &sums[i])) >= 0);
    CHECK(sends == 0);
    CHECK(cell_batch_end(p.c) == CELL_OK);
    CHECK(sends == 1);
    for (int i = 0; i < N; i++)
        CHECK(cell_wait(p.c, tickets[i]) == 0 && sums[i] == i + 1);
    CHECK(sends == 1);
    CHECK(cell_wait(p.c, add_async(p.c, 1, 1, &sums[0])) == 0); /* and afterwards each for itself */
    CHECK(sends == 2);
    close_pair(&p);
}

TEST(batches_count_and_only_the_outermost_end_sends)
{
    struct pair p;
    int32_t sum = 0;
    open_pair(&p, false);
    CHECK(cell_batch_end(p.c) == CELL_FAILED_PRECONDITION);
    CHECK_STR(cell_ctx_message(p.c), "no batch was begun");
    sends = 0;
    CHECK(cell_batch_begin(p.c) == CELL_OK && cell_batch_begin(p.c) == CELL_OK);
    int first = add_async(p.c, 1, 1, &sum);
    CHECK(cell_batch_end(p.c) == CELL_OK && sends == 0);
    int second = add_async(p.c, 2, 2, &sum);
    CHECK(sends == 0);
    CHECK(cell_batch_end(p.c) == CELL_OK && sends == 1);
    CHECK(cell_batch_end(p.c) == CELL_FAILED_PRECONDITION);
    CHECK(cell_wait(p.c, first) == 0 && cell_wait(p.c, second) == 0 && sum == 4);
    CHECK(cell_batch_begin(p.c) == CELL_OK && cell_batch_end(p.c) == CELL_OK && sends == 1); /* an empty one */
    CHECK(cell_batch_begin(NULL) == CELL_NO_MEMORY && cell_batch_end(NULL) == CELL_NO_MEMORY);
    close_pair(&p);
}

TEST(whatever_waits_sends_the_batch_so_far)
{
    struct pair p;
    int32_t sum[3] = {0};
    int tickets[3], result = -1;
    open_pair(&p, false);
    sends = 0;
    CHECK(cell_batch_begin(p.c) == CELL_OK);
    tickets[0] = add_async(p.c, 1, 1, &sum[0]);
    tickets[1] = add_async(p.c, 2, 2, &sum[1]);
    CHECK(sends == 0);
    CHECK(cell_wait(p.c, tickets[1]) == 0 && sum[1] == 4 && sends == 1);
    tickets[1] = add_async(p.c, 3, 3, &sum[1]);
    CHECK(sends == 1); /* the batch goes on */
    CHECK(cell_wait_any(p.c, &tickets[1], 1, &result) == 0 && result == 0 && sum[1] == 6 && sends == 2);
    tickets[2] = add_async(p.c, 4, 4, &sum[2]);
    CHECK(sends == 2);
    CHECK(call_add(p.c, 5, 5, &sum[1]) == 0 && sum[1] == 10);
    CHECK(sends > 3); /* a new connection for the synchronous one */
    CHECK(cell_batch_end(p.c) == CELL_OK);
    CHECK(cell_wait(p.c, tickets[0]) == 0 && cell_wait(p.c, tickets[2]) == 0 && sum[0] == 2 && sum[2] == 8);
    close_pair(&p);
}

/* More than may be kept back or be in flight, of all sizes; in several batches, waited for in the other order. */
TEST(long_batches_of_any_sizes_are_sent_in_pieces)
{
    enum { N = 300, SIZE = 100000 };
    static uint8_t bytes[SIZE];
    static const size_t sizes[] = {0, 8, 64, 100, 1000, 3000, 8000, 20000, SIZE};
    for (int shm = 0; shm < 2; shm++) {
        struct pair p;
        struct echo_out out[N];
        int tickets[N];
        open_pair(&p, shm);
        int before = atomic_load(&shared->calls);
        sends = 0;
        for (int i = 0; i < N; i++) {
            if (i % 75 == 0)
                CHECK(cell_batch_begin(p.c) == CELL_OK);
            bytes[0] = (uint8_t)i;
            size_t len = i % 19 ? sizes[i % 5] : sizes[i % 9];
            REQUIRE((tickets[i] = echo_async(p.c, (cell_bytes){bytes, len}, &out[i])) >= 0);
            if (i % 75 == 74)
                CHECK(cell_batch_end(p.c) == CELL_OK);
        }
        for (int i = N - 1; i >= 0; i--) {
            size_t len = i % 19 ? sizes[i % 5] : sizes[i % 9];
            CHECK(cell_wait(p.c, tickets[i]) == 0);
            CHECK(out[i].data.len == len && (len == 0 || out[i].data.ptr[0] == (uint8_t)i));
            CHECK(out[i].calls == before + i + 1); /* in the order of sending */
        }
        CHECK(shm || sends < N / 3);
        close_pair(&p);
    }
}

TEST(a_batch_ends_with_the_contexts_reset_and_its_calls_are_given_up)
{
    for (int shm = 0; shm < 2; shm++) {
        struct pair p;
        int32_t sum = 0;
        open_pair(&p, shm);
        CHECK(cell_batch_begin(p.c) == CELL_OK);
        int ticket = add_async(p.c, 1, 1, &sum);
        CHECK(ticket >= 0);
        cell_ctx_reset(p.c);
        CHECK(cell_wait(p.c, ticket) == CELL_INVALID_ARGUMENT);
        CHECK(cell_batch_end(p.c) == CELL_FAILED_PRECONDITION);
        sends = 0;
        ticket = add_async(p.c, 2, 2, &sum);
        CHECK(sends > 0); /* no batch: a new connection, and the call at once */
        CHECK(cell_wait(p.c, ticket) == 0 && sum == 4);
        CHECK(cell_batch_begin(p.c) == CELL_OK);
        CHECK(add_async(p.c, 3, 3, &sum) >= 0);
        close_pair(&p);
        CHECK(sum == 4);
    }
}

TEST(cancelling_in_a_batch_ends_what_was_kept_back)
{
    for (int shm = 0; shm < 2; shm++) {
        struct pair p;
        int32_t sum = 0;
        open_pair(&p, shm);
        CHECK(cell_batch_begin(p.c) == CELL_OK);
        int first = add_async(p.c, 1, 1, &sum), second = add_async(p.c, 2, 2, &sum);
        cell_ctx_cancel(p.c);
        CHECK(cell_wait(p.c, second) == CELL_CANCELLED);
        CHECK(cell_wait(p.c, first) == CELL_CANCELLED && sum == 0);
        CHECK(cell_wait(p.c, add_async(p.c, 1, 1, &sum)) == 0 && sum == 2); /* of the same batch */
        first = add_async(p.c, 3, 3, &sum);
        cell_ctx_cancel(p.c);
        CHECK(cell_batch_end(p.c) == CELL_OK);
        CHECK(cell_wait(p.c, first) == CELL_CANCELLED && sum == 2);
        close_pair(&p);
    }
}

TEST(a_batch_for_a_server_that_was_killed_fails_when_it_is_waited_for)
{
    for (int shm = 0; shm < 2; shm++) {
        enum { N = 60 };
        struct cell_client *client = NULL;
        int32_t sum = 0;
        int tickets[N], status = 0;
        call_over(shm);
        demo_setup();
        pid_t server = demo_fork((struct cell_server_options){0});
        free(embed_schema(&demo, demo_fingerprint));
        cell_ctx *c = demo_ctx(&client);
        for (int i = 0; i < 3; i++)
            CHECK(call_add(c, i, 1, &sum) == 0);
        CHECK(cell_batch_begin(c) == CELL_OK);
        for (int i = 0; i < 20; i++)
            CHECK((tickets[i] = add_async(c, i, 1, &sum)) >= 0);
        kill(server, SIGKILL);
        demo_wait(server);
        for (int i = 20; i < N; i++) /* with more than may be in flight it is noticed here */
            tickets[i] = add_async(c, i, 1, &sum);
        CHECK(cell_batch_end(c) == CELL_OK);
        for (int i = 0; i < N; i++) {
            status = cell_wait(c, tickets[i]);
            CHECK(i >= 20 || status == CELL_UNKNOWN_OUTCOME || (shm && status == 0));
            CHECK(status == CELL_UNKNOWN_OUTCOME || status == CELL_UNAVAILABLE || (shm && status == 0));
        }
        CHECK(status == CELL_UNAVAILABLE); /* those were not even sent: nobody is there */
        server = demo_fork((struct cell_server_options){0});
        CHECK(cell_wait(c, add_async(c, 1, 2, &sum)) == 0 && sum == 3);
        kill(server, SIGTERM);
        CHECK(demo_wait(server) == 0);
        cell_ctx_close(c);
        cell_client_close(client);
        demo_teardown();
    }
}

TEST(a_child_of_fork_sends_nothing_of_its_parents_batch)
{
    for (int shm = 0; shm < 2; shm++) {
        struct cell_client *client = NULL;
        int32_t sum = 0;
        call_over(shm);
        demo_setup();
        pid_t server = demo_fork((struct cell_server_options){0});
        free(embed_schema(&demo, demo_fingerprint));
        cell_ctx *c = demo_ctx(&client);
        for (int i = 0; i < 3; i++)
            CHECK(call_add(c, i, 1, &sum) == 0);
        CHECK(cell_batch_begin(c) == CELL_OK);
        int ticket = add_async(c, 1, 2, &sum);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            int other = add_async(c, 4, 5, &sum);
            bool ok = cell_batch_end(c) == CELL_OK && cell_wait(c, ticket) == CELL_UNAVAILABLE &&
                      cell_wait(c, other) == 0 && sum == 9;
            cell_ctx_close(c);
            cell_client_close(client);
            _exit(ok ? 0 : 1);
        }
        CHECK(demo_wait(child) == 0);
        CHECK(atomic_load(&shared->calls) == 4 + shm * (atomic_load(&shared->calls) == 5));
        CHECK(cell_batch_end(c) == CELL_OK);
        CHECK(cell_wait(c, ticket) == 0 && sum == 3);
        CHECK(atomic_load(&shared->calls) == 5); /* each once */
        kill(server, SIGTERM);
        CHECK(demo_wait(server) == 0);
        cell_ctx_close(c);
        cell_client_close(client);
        demo_teardown();
    }
}

static int fake_add(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    const struct add_in *i = in;
    (void)c;
    (void)method;
    ++*(int *)user;
    *(int32_t *)out[0] = i->a + i->b;
    return 0;
}

TEST(calls_that_are_made_at_once_are_not_kept_back)
{
    struct cell_client *client = NULL;
    int32_t sum = 0;
    int calls = 0;
    REQUIRE(cell_client_fake(fake_add, &calls, &client) == CELL_OK);
    free(embed_schema(&demo, demo_fingerprint));
    const struct cell_ctx_options o = {.client = client};
    cell_ctx *c = cell_ctx_open(&o);
    CHECK(cell_batch_begin(c) == CELL_OK);
    int ticket = add_async(c, 1, 2, &sum);
    CHECK(ticket >= 0 && calls == 1);
    CHECK(cell_batch_end(c) == CELL_OK);
    CHECK(cell_wait(c, ticket) == 0 && sum == 3);
    cell_ctx_close(c);
    cell_client_close(client);
}
