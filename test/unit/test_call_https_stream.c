/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_https gnutls
/* Streams over HTTPS, between a server and a client of one process, with TLS on loopback. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "call/https.h"
#include "call/pool.h"
#include "stream_fixture.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static char certificate[PATH_MAX], key[PATH_MAX], tokens[PATH_MAX];

static void write_file(char path[PATH_MAX], const char *name, const void *bytes, size_t len)
{
    snprintf(path, PATH_MAX, "%s", temp_path(name));
    FILE *f = fopen(path, "we");
    REQUIRE(f);
    CHECK(fwrite(bytes, 1, len, f) == len);
    fclose(f);
    chmod(path, 0600);
}

/* A certificate for 127.0.0.1 by its own key, good for a day. */
static void make_files(void)
{
    static const unsigned char loopback[] = {127, 0, 0, 1};
    char pem[4096];
    gnutls_x509_privkey_t k;
    gnutls_x509_crt_t crt;
    size_t len = sizeof(pem);
    gnutls_x509_privkey_init(&k);
    gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
    gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback, sizeof(loopback), GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, k);
    CHECK(gnutls_x509_crt_sign2(crt, crt, k, GNUTLS_DIG_SHA256, 0) == 0);
    CHECK(gnutls_x509_privkey_export(k, GNUTLS_X509_FMT_PEM, pem, &len) == 0);
    write_file(key, "key", pem, len);
    len = sizeof(pem);
    CHECK(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, pem, &len) == 0);
    write_file(certificate, "crt", pem, len);
    write_file(tokens, "tokens", "test " TOKEN "\n", strlen("test " TOKEN "\n"));
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(k);
    setenv("CELL_CA_FILE", certificate, 1);
    setenv("CELL_TOKEN_FLOW", TOKEN, 1);
}

struct remote {
    struct demo_server d;
    struct cell_https_options https;
    struct cell_client *client;
    cell_ctx *c;
};

static cell_ctx *remote_ctx(struct remote *r, uint32_t timeout_ms)
{
    const struct cell_ctx_options o = {.client = r->client, .timeout_ms = timeout_ms};
    return cell_ctx_open(&o);
}

static void remote_begin(struct remote *r, struct cell_server_options options)
{
    char address[80];
    demo_setup();
    make_files();
    *r = (struct remote){.https = {.address = "https://127.0.0.1:0",
                                   .certificate = certificate,
                                   .key = key,
                                   .tokens = tokens,
                                   .requests_per_s = 100000}};
    r->d.options = options;
    r->d.options.https = &r->https;
    flow_new(&r->d);
    demo_start(&r->d);
    while (!cell_server_https_address(r->d.server, address, sizeof(address)))
        usleep(1000); /* it says that it has started before it listens there */
    CHECK(cell_client_open(address, &r->client) == CELL_OK);
    r->c = remote_ctx(r, 60000);
}

static void remote_end(struct remote *r)
{
    cell_ctx_close(r->c);
    cell_client_close(r->client);
    demo_stop(&r->d);
    demo_teardown();
}

/* Until the last handler has gone. */
static void wait_for_handler(void) { sem_wait(&shared->left); }

TEST(all_records_come_in_order_and_then_the_reply)
{
    struct remote r;
    struct item i, some[100];
    struct total t;
    uint64_t n = 0;
    remote_begin(&r, (struct cell_server_options){0});
    for (unsigned round = 0; round < 3; round++) { /* on one connection */
        struct cell_stream *s = open_count(r.c, 7, 5000, round ? 1 : 100, 4);
        for (n = 0; n < 10 && cell_stream_next(s, &i) == 1; n++)
            CHECK(i.n == 7 + n && i.rest[0] == ~(7 + n));
        for (size_t got; (got = cell_stream_next_n(s, some, 100)) > 0; n += got)
            CHECK(some[0].n == 7 + n && some[got - 1].n == 7 + n + got - 1);
        CHECK(n == 5000);
        CHECK(cell_stream_next(s, &i) == 0);
        CHECK(end_total(s, &t) == 4);
        CHECK(t.count == 5000);
        CHECK(r.client->origins && !r.client->origins->next);
    }
    uint64_t sum;
    CHECK(flow_call_add(r.c, 1, &sum) == 0 && sum == 2);
    CHECK(atomic_load(&r.d.server->counters.https_requests) == 4);
    remote_end(&r);
}

TEST(records_with_texts_of_any_length)
{
    struct remote r;
    struct line l;
    int64_t n = 0;
    const uint64_t pairs = 300;
    remote_begin(&r, (struct cell_server_options){0});
    struct cell_stream *s = cell_stream_open(r.c, &flow, flow_lines, &pairs);
    while (cell_stream_next(s, &l) == 1) {
        CHECK(l.n == n);
        CHECK(l.text.len == (n % 2 ? 1u : (size_t)((n / 2 * 977) % 40000)));
        CHECK(n % 2 || l.text.len == 0 || l.text.ptr[l.text.len - 1] == 'a' + (char)(n / 2 % 26));
        n++;
    }
    CHECK(cell_stream_end(s, NULL) == 0);
    CHECK(n == 600);
    remote_end(&r);
}

/* The answer has a status of its own when nothing came before it; for the client it is the same. */
TEST(errors_come_before_and_after_records)
{
    struct remote r;
    struct item i;
    struct total t;
    remote_begin(&r, (struct cell_server_options){0});
    for (uint64_t n = 0; n < 3; n++) {
        struct cell_stream *s = open_count(r.c, 0, n, 1, CELL_OUT_OF_RANGE);
        for (uint64_t k = 0; k < n; k++)
            CHECK(cell_stream_next(s, &i) == 1 && i.n == k);
        CHECK(cell_stream_next(s, &i) == CELL_OUT_OF_RANGE);
        CHECK(end_total(s, &t) == CELL_OUT_OF_RANGE);
        CHECK(strstr(cell_ctx_message(r.c), "after "));
    }
    remote_end(&r);
}

TEST(who_does_not_read_stops_the_handler_and_who_ends_cancels_it)
{
    struct remote r;
    struct item i;
    struct total t;
    uint64_t before, now = 0;
    remote_begin(&r, (struct cell_server_options){.max_threads = 1}); /* a handler that waits needs no place */
    struct cell_stream *s = open_count(r.c, 0, UINT64_MAX / 2, 128, 0);
    CHECK(cell_stream_next(s, &i) == 1);
    do { /* until what lies between is full */
        before = now;
        usleep(200000);
        now = atomic_load(&flow_put);
    } while (now != before);
    CHECK(now < 200000); /* 150 bytes each: less than 30 MB, most of it in sockets */
    uint64_t sum;        /* the context goes on */
    CHECK(flow_call_add(r.c, 1, &sum) == 0 && sum == 2);
    CHECK(end_total(s, &t) == CELL_OK);
    wait_for_handler();
    CHECK(atomic_load(&flow_last) == CELL_CANCELLED);
    CHECK(atomic_load(&shared->cancelled) == 1);
    remote_end(&r);
}

TEST(a_stream_that_is_never_left_goes_to_its_end)
{
    struct remote r;
    struct item i;
    struct total t;
    uint64_t sum;
    remote_begin(&r, (struct cell_server_options){0});
    struct cell_service *service = whole_flow();
    for (unsigned read = 0; read < 3; read++) {
        struct cell_stream *s = cell_stream_open(r.c, service, flow_count, &(struct count_in){0, 50000, 3, 7});
        for (unsigned n = 0; n < read; n++)
            CHECK(cell_stream_next(s, &i) == 1 && i.n == n);
        CHECK(end_total(s, &t) == 7 && t.count == 50000);
        s = cell_stream_open(r.c, service, flow_count, &(struct count_in){0, 50000, 3, CELL_ALREADY_EXISTS});
        CHECK(cell_stream_next(s, &i) == 1 && end_total(s, &t) == CELL_ALREADY_EXISTS);
        CHECK(strstr(cell_ctx_message(r.c), "after 50000") != NULL);
        CHECK(flow_call_add(r.c, 1, &sum) == 0);
    }
    CHECK(atomic_load(&shared->cancelled) == 0);
    struct cell_stream *silent = cell_stream_open(r.c, service, flow_silent, NULL);
    cell_ctx_set_timeout_ms(r.c, 40);
    CHECK(cell_stream_end(silent, NULL) == CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(cell_ctx_message(r.c),
                 "the deadline passed before the call was complete; whether it was carried out is "
                 "not known") != NULL);
    atomic_store(&shared->release, 1);
    remote_end(&r);
}

/* A minute of waiting: a handler without records is kept alive past what a client takes for a death,
 * and who takes nothing for a minute is cut off. */
TEST(silence_is_kept_alive_and_who_takes_nothing_is_cut_off)
{
    struct remote r;
    struct item i;
    struct total t;
    int status;
    remote_begin(&r, (struct cell_server_options){0});
    cell_ctx *patient = remote_ctx(&r, 40000), *unread = remote_ctx(&r, 120000);
    struct cell_stream *lost = open_count(unread, 0, UINT64_MAX / 2, 128, 0);
    CHECK(cell_stream_next(lost, &i) == 1);
    struct cell_stream *silent = cell_stream_open(patient, &flow, flow_silent, NULL);
    CHECK(cell_stream_next(silent, &i) == CELL_DEADLINE_EXCEEDED); /* not lost: it was heard of all the time */
    CHECK(cell_stream_end(silent, NULL) == CELL_DEADLINE_EXCEEDED);
    wait_for_handler();
    wait_for_handler();
    CHECK(atomic_load(&flow_last) == CELL_CANCELLED);
    while ((status = cell_stream_next(lost, &i)) == 1)
        continue;
    CHECK(status == CELL_UNAVAILABLE);
    CHECK(end_total(lost, &t) == CELL_UNAVAILABLE);
    cell_ctx_close(patient);
    cell_ctx_close(unread);
    remote_end(&r);
}

TEST(each_step_has_the_deadline)
{
    struct remote r;
    struct item i;
    remote_begin(&r, (struct cell_server_options){0});
    cell_ctx *c = remote_ctx(&r, 100);
    struct cell_stream *s = cell_stream_open(c, &flow, flow_silent, NULL);
    CHECK(cell_stream_next(s, &i) == CELL_DEADLINE_EXCEEDED);
    CHECK(cell_stream_end(s, NULL) == CELL_DEADLINE_EXCEEDED);
    wait_for_handler();
    CHECK(atomic_load(&flow_last) == CELL_CANCELLED);
    cell_ctx_close(c);
    remote_end(&r);
}

static void *cancel_it(void *c)
{
    sem_wait(&shared->entered);
    cell_ctx_cancel(c);
    return NULL;
}

TEST(another_thread_cancels)
{
    struct remote r;
    struct item i;
    pthread_t thread;
    remote_begin(&r, (struct cell_server_options){0});
    struct cell_stream *s = cell_stream_open(r.c, &flow, flow_silent, NULL);
    REQUIRE(pthread_create(&thread, NULL, cancel_it, r.c) == 0);
    CHECK(cell_stream_next(s, &i) == CELL_CANCELLED);
    pthread_join(thread, NULL);
    CHECK(cell_stream_end(s, NULL) == CELL_CANCELLED);
    wait_for_handler();
    uint64_t sum;
    CHECK(flow_call_add(r.c, 1, &sum) == 0 && sum == 2);
    remote_end(&r);
}

TEST(streams_at_once_are_limited)
{
    struct remote r;
    struct item i;
    struct cell_stream *s[4];
    remote_begin(&r, (struct cell_server_options){.max_streams = 4});
    for (unsigned k = 0; k < 3; k++) {
        s[k] = cell_stream_open(r.c, &flow, flow_silent, NULL);
        sem_wait(&shared->entered);
    }
    s[3] = cell_stream_open(r.c, &flow, flow_silent, NULL); /* a quarter is for others */
    CHECK(cell_stream_next(s[3], &i) == CELL_RESOURCE_EXHAUSTED);
    CHECK(cell_stream_end(s[3], NULL) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(cell_ctx_message(r.c), "3 streams of this caller"));
    for (unsigned k = 0; k < 3; k++)
        CHECK(cell_stream_end(s[k], NULL) == CELL_OK);
    for (unsigned k = 0; k < 3; k++)
        wait_for_handler();
    remote_end(&r);
}

TEST(whether_something_is_ready_is_known_without_waiting)
{
    struct remote r;
    struct item i;
    struct total t;
    remote_begin(&r, (struct cell_server_options){0});
    struct cell_stream *silent = cell_stream_open(r.c, &flow, flow_silent, NULL);
    CHECK(!cell_stream_ready(silent));
    struct cell_stream *s = open_count(r.c, 0, 1, 1, 0);
    while (!cell_stream_ready(s))
        usleep(1000);
    CHECK(cell_stream_next(s, &i) == 1 && i.n == 0);
    while (!cell_stream_ready(s))
        usleep(1000);
    CHECK(cell_stream_next(s, &i) == 0);
    CHECK(end_total(s, &t) == 0 && t.count == 1);
    CHECK(!cell_stream_ready(silent));
    CHECK(cell_stream_end(silent, NULL) == CELL_OK);
    remote_end(&r);
}

TEST(records_that_go_in_are_refused_with_a_sentence)
{
    struct remote r;
    struct total t;
    const struct item i = {0};
    remote_begin(&r, (struct cell_server_options){0});
    struct cell_stream *s = open_sum(r.c, 1, 0);
    CHECK(cell_stream_put(s, &i, 1) == CELL_UNIMPLEMENTED);
    CHECK(end_total(s, &t) == CELL_UNIMPLEMENTED);
    CHECK(strstr(cell_ctx_message(r.c), "not carried over HTTPS"));
    remote_end(&r);
}

/* The program was built when the cell had fewer methods: it is asked for its schema, and its numbers hold. */
TEST(a_client_of_another_schema)
{
    static char fingerprint[65];
    static struct cell_client *slot;
    static const struct cell_service older = {CELL_DESC_ABI, 1,   "flow", fingerprint, &flow_methods[flow_count],
                                              &slot,         NULL};
    const struct count_in in = {3, 200, 7, 0};
    struct remote r;
    struct item i;
    struct total t;
    free(embed_schema(&older, fingerprint));
    remote_begin(&r, (struct cell_server_options){0});
    for (unsigned round = 0; round < 2; round++) {
        uint64_t n = 0;
        struct cell_stream *s = cell_stream_open(r.c, &older, 0, &in);
        while (cell_stream_next(s, &i) == 1)
            CHECK(i.n == 3 + n++);
        CHECK(n == 200);
        CHECK(end_total(s, &t) == 0 && t.count == 200);
    }
    CHECK(atomic_load(&r.d.server->counters.https_requests) == 4); /* of which two found the schema out */
    remote_end(&r);
}

/* What a server that stops does to its streams. */
TEST(a_server_that_stops_is_no_end_of_a_stream)
{
    struct remote r;
    struct item i;
    remote_begin(&r, (struct cell_server_options){.drain_ms = 1});
    struct cell_stream *s = cell_stream_open(r.c, &flow, flow_silent, NULL);
    sem_wait(&shared->entered);
    cell_server_stop(r.d.server);
    CHECK(cell_stream_next(s, &i) == CELL_UNAVAILABLE);
    CHECK(cell_stream_end(s, NULL) == CELL_UNAVAILABLE);
    remote_end(&r);
}
