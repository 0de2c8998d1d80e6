/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: runtime/https/listener.c runtime/https/listener_peer.c runtime/https/listener_request.c
// LINK: runtime/https/listener_tls.c
// LIBS: microhttpd gnutls
/* The listener for other hosts: slow clients are cut off in every phase, and it ends whatever they do. */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "https/listener.h"
#include "test.h"

const struct https_functions *cell_https_listener(uint32_t abi);

static char key_pem[4096], crt_pem[4096];

/* A certificate by its own key, good for a day. */
/* And writing to connections that were cut is no signal. */
static void make_certificate(void)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    size_t key_len = sizeof(key_pem), crt_len = sizeof(crt_pem);
    signal(SIGPIPE, SIG_IGN);
    if (crt_pem[0])
        return;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
    gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
    gnutls_x509_crt_set_key(crt, key);
    CHECK(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
    CHECK(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, key_pem, &key_len) == 0);
    CHECK(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, crt_pem, &crt_len) == 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static int64_t admit(void *user, const struct https_request *r, struct https_reply *reply)
{
    (void)user;
    (void)r;
    (void)reply;
    return 1000;
}

static void answer(void *user, const struct https_request *r, struct https_reply *reply)
{
    (void)user;
    reply->status = 200;
    reply->body = strdup(r->len ? r->body : "{}");
    reply->len = strlen(reply->body);
}

static struct https_listener *listen_here(uint64_t max_bodies)
{
    char why[256] = "";
    make_certificate();
    const struct https_options o = {.abi = HTTPS_ABI,
                                    .host = "127.0.0.1",
                                    .port = "0",
                                    .certificate = crt_pem,
                                    .key = key_pem,
                                    .max_connections = 16,
                                    .max_per_address = 8,
                                    .idle_s = 1,
                                    .request_s = 1,
                                    .send_s = 1,
                                    .max_bodies = max_bodies,
                                    .admit = admit,
                                    .answer = answer};
    struct https_listener *l = cell_https_listener(HTTPS_ABI)->open(&o, why, sizeof(why));
    if (!l)
        printf("%s\n", why);
    return l;
}

static int connect_to(const struct https_listener *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(cell_https_listener(HTTPS_ABI)->port(l))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return fd;
}

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

static void begin_tls(struct client *c, const struct https_listener *l)
{
    c->fd = connect_to(l);
    gnutls_certificate_allocate_credentials(&c->credentials);
    gnutls_init(&c->session, GNUTLS_CLIENT);
    gnutls_set_default_priority(c->session);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials);
    gnutls_transport_set_int(c->session, c->fd);
    int r;
    while ((r = gnutls_handshake(c->session)) < 0 && !gnutls_error_is_fatal(r))
        continue;
    CHECK(r == 0);
}

static void end_tls(struct client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    close(c->fd);
}

static void say(struct client *c, const char *text) { CHECK(gnutls_record_send(c->session, text, strlen(text)) > 0); }

/* All that comes until the other side ends it; an answer that keeps the connection is ended by its last byte. */
static size_t hear(struct client *c, char *text, size_t size, const char *last)
{
    size_t n = 0;
    ssize_t r;
    while (n < size - 1 && (r = gnutls_record_recv(c->session, text + n, size - 1 - n)) > 0) {
        n += (size_t)r;
        text[n] = '\0';
        if (last && strstr(text, last))
            break;
    }
    text[n] = '\0';
    return n;
}

TEST(a_request_is_answered_and_the_connection_kept)
{
    struct https_listener *l = listen_here(1 << 20);
    struct client c;
    char text[4096];
    REQUIRE(l);
    begin_tls(&c, l);
    for (int i = 0; i < 3; i++) {
        say(&c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        hear(&c, text, sizeof(text), "hello");
        CHECK(strstr(text, "HTTP/1.1 200") == text && strstr(text, "\r\n\r\nhello"));
    }
    end_tls(&c);
    cell_https_listener(HTTPS_ABI)->close(l);
}

TEST(who_says_nothing_is_cut_off)
{
    struct https_listener *l = listen_here(1 << 20);
    char byte;
    REQUIRE(l);
    int fd = connect_to(l);
    CHECK(recv(fd, &byte, 1, 0) <= 0); /* waits for the other side */
    close(fd);
    struct client c;
    char text[100];
    begin_tls(&c, l);
    hear(&c, text, sizeof(text), NULL);
    CHECK(text[0] == '\0');
    end_tls(&c);
    cell_https_listener(HTTPS_ABI)->close(l);
}

/* A byte now and then is activity, and no request. */
TEST(who_drips_is_cut_off)
{
    static const char *const begins[] = {"GET /x HTTP/1.1\r\nX: ", "GET /",
                                         "POST /x HTTP/1.1\r\nContent-Length: 900\r\n\r\n"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        struct https_listener *l = listen_here(1 << 20);
        const struct timespec pause = {.tv_nsec = 20000000};
        struct client c;
        unsigned n = 0;
        REQUIRE(l);
        begin_tls(&c, l);
        say(&c, begins[i]);
        while (n++ < 3000 && gnutls_record_send(c.session, "x", 1) == 1)
            nanosleep(&pause, NULL);
        CHECK(n < 3000);
        end_tls(&c);
        cell_https_listener(HTTPS_ABI)->close(l);
    }
}

TEST(bodies_over_the_limits_end_the_connection)
{
    struct https_listener *l = listen_here(6000);
    struct client c;
    char text[4096], chunk[600];
    REQUIRE(l);
    begin_tls(&c, l);
    say(&c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    hear(&c, text, sizeof(text), NULL);
    CHECK(strstr(text, " 413 ") != NULL);
    end_tls(&c);
    begin_tls(&c, l); /* not announced */
    say(&c, "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(chunk, 'x', sizeof(chunk));
    memcpy(chunk, "1f4\r\n", 5);
    memcpy(chunk + 505, "\r\n", 2);
    for (int i = 0; i < 3; i++)
        gnutls_record_send(c.session, chunk, 507);
    hear(&c, text, sizeof(text), NULL);
    CHECK(!strstr(text, " 200 "));
    end_tls(&c);
    cell_https_listener(HTTPS_ABI)->close(l);
}

TEST(it_ends_with_clients_that_do_not)
{
    struct https_listener *l = listen_here(1 << 20);
    struct client c;
    REQUIRE(l);
    int fd = connect_to(l);
    begin_tls(&c, l);
    say(&c, "POST /x HTTP/1.1\r\nContent-Length: 900\r\n\r\n");
    cell_https_listener(HTTPS_ABI)->quiesce(l);
    cell_https_listener(HTTPS_ABI)->close(l);
    end_tls(&c);
    close(fd);
}

TEST(another_version_gets_nothing) { CHECK(cell_https_listener(HTTPS_ABI + 1) == NULL); }

TEST(what_cannot_be_listened_on_is_said)
{
    char why[256] = "";
    make_certificate();
    struct https_options o = {
        .abi = HTTPS_ABI, .host = "example.org", .port = "0", .certificate = crt_pem, .key = key_pem};
    CHECK(!cell_https_listener(HTTPS_ABI)->open(&o, why, sizeof(why)) && strstr(why, "numeric"));
    o.host = "127.0.0.1";
    o.key = crt_pem;
    CHECK(!cell_https_listener(HTTPS_ABI)->open(&o, why, sizeof(why)) && strstr(why, "belong together"));
}
