/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Addresses of other hosts, what may be asked, and credentials. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "temp_folder.h"
#include "test.h"
#include "transport/http.h"

static int check(const char *address, struct cell_error *e)
{
    *e = (struct cell_error){0};
    return cell_http_check(address, e);
}

TEST(an_address_is_https_a_host_and_a_port)
{
    static const char *const good[] = {"https://localhost",  "https://a.example.org:8443",
                                       "https://10.0.0.1:1", "https://[2001:db8::1]:443",
                                       "https://HOST-1/",    "https://x:65535"};
    static const char *const bad[] = {"https://",         "https://:443",
                                      "http://x",         "unix:/x",
                                      "https://x:0",      "https://x:65536",
                                      "https://x:999999", "https://x:",
                                      "https://x:1/path", "https://x/path",
                                      "https://x?q",      "https://x#f",
                                      "https://user@x",   "https://user:secret@x",
                                      "https://[::1",     "https://[x]:1",
                                      "https://a b",      "https://-x",
                                      "https://x\ny",     "https://\xc3\xa4"};
    struct cell_error e;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(check(good[i], &e) == CELL_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(check(bad[i], &e) == CELL_INVALID_ARGUMENT && e.text[0]);
    CHECK(check("https://ada:secret@x", &e) < 0 && !strstr(e.text, "secret"));
}

static int ask(const char *address, struct cell_error *e)
{
    const struct cell_http_request q = {
        .method = "GET", .path = "/v1/cell", .max_reply = 1000, .deadline_ns = cell_now_ns() + 20000 * CELL_NS_PER_MS};
    struct cell_http *h = NULL;
    struct cell_http_reply reply;
    bool sent = true;
    *e = (struct cell_error){0};
    int r = cell_http_open(address, NULL, &h, e);
    if (r >= 0)
        r = cell_http_request(h, &q, &reply, &sent, e);
    CHECK(!sent || r >= 0);
    cell_http_close(h);
    return r;
}

TEST(addresses_that_are_nobodys_are_not_asked)
{
    /* The numbers are 169.254.169.254 and 127.0.0.1, as an address may be written as well. */
    static const char *const refused[] = {"https://169.254.169.254:1", "https://0.0.0.0:1",    "https://224.0.0.1:1",
                                          "https://255.255.255.255:1", "https://2852039166:1", "https://2130706433:1"};
    struct cell_error e;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CHECK(ask(refused[i], &e) == CELL_PERMISSION_DENIED);
        CHECK(strstr(e.text, "asked for no name") != NULL);
    }
    CHECK(ask("https://127.0.0.1:1", &e) == CELL_UNAVAILABLE);
    CHECK(strstr(e.text, "https://127.0.0.1:1: ") == e.text);
}

static bool always(void *user) { return user == NULL; }

TEST(a_request_that_is_cancelled_ends)
{
    struct cell_error e = {0};
    struct cell_http *h = NULL;
    struct cell_http_reply reply;
    const struct cell_http_request q = {
        .method = "GET", .path = "/", .deadline_ns = CELL_NO_DEADLINE, .cancelled = always};
    REQUIRE(cell_http_open("https://192.0.2.1", NULL, &h, &e) == CELL_OK);
    CHECK(cell_http_request(h, &q, &reply, NULL, &e) == CELL_CANCELLED);
    cell_http_close(h);
}

static int open_with(const char *name, const char *value, struct cell_error *e)
{
    struct cell_http *h = NULL;
    *e = (struct cell_error){0};
    setenv(name, value, 1);
    int r = cell_http_open("https://localhost:1", "demo", &h, e);
    unsetenv(name);
    cell_http_close(h);
    return r;
}

static void put(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
    close(fd);
}

TEST(tokens_are_checked_and_not_shown)
{
    struct cell_error e;
    char path[96];
    temp_folder_make();
    snprintf(path, sizeof(path), "%s/token", temp_folder);
    CHECK(open_with("CELL_TOKEN_DEMO", "0123456789abcdef", &e) == CELL_OK);
    CHECK(open_with("CELL_TOKEN_DEMO", "short-secret", &e) == CELL_INVALID_ARGUMENT && !strstr(e.text, "secret"));
    CHECK(open_with("CELL_TOKEN_DEMO", "two lines of a\r\nsecret: x", &e) == CELL_INVALID_ARGUMENT &&
          !strstr(e.text, "secret"));
    put(path, "0123456789abcdef\n", 0600);
    CHECK(open_with("CELL_TOKEN_FILE_DEMO", path, &e) == CELL_OK);
    put(path, "0123456789abcdef\n", 0640);
    CHECK(open_with("CELL_TOKEN_FILE_DEMO", path, &e) == CELL_PERMISSION_DENIED && strstr(e.text, "0600"));
    put(path, "-----BEGIN PRIVATE KEY-----\nsecret\n", 0600); /* another file than was meant is not sent anywhere */
    CHECK(open_with("CELL_TOKEN_FILE_DEMO", path, &e) == CELL_INVALID_ARGUMENT && !strstr(e.text, "secret"));
    CHECK(open_with("CELL_TOKEN_FILE_DEMO", temp_folder, &e) == CELL_INVALID_ARGUMENT);
    CHECK(open_with("CELL_TOKEN_FILE_DEMO", "/nonexistent", &e) == CELL_NOT_FOUND);
    CHECK(open_with("CELL_CA_FILE", "/nonexistent", &e) == CELL_NOT_FOUND);
    CHECK(open_with("CELL_CLIENT_KEY", path, &e) == CELL_INVALID_ARGUMENT);
    temp_folder_remove();
}
