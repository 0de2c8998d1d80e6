/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Pages of cells: whom they answer, and with what the answers are guarded. HTTP itself is libcell_https.so's. */
#include "cell/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "server_https.h"

#define SECRET_BYTES 16
#define MOST_CONNECTIONS 32u
#define IDLE_S 5u
#define REQUEST_S 5u
#define SEND_S 10u
#define UNIX_SCHEME "unix:"

struct cell_page {
    struct cell_page_options o; /* without its address */
    const struct https_functions *functions;
    struct https_listener *listener;
    char base[2 * SECRET_BYTES + 3]; /* "/", or "/SECRET/" */
    char *address;
};

/* ---- requests ---- */

static void refuse(struct https_reply *reply, unsigned status, const char *sentence)
{
    reply->status = status;
    reply->type = "text/plain; charset=utf-8";
    reply->body = strdup(sentence);
    reply->len = reply->body ? strlen(reply->body) : 0;
    reply->close = true;
}

static void guard(struct https_reply *reply)
{
    static const char *const fields[][2] = {
        {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                    "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"}, /* the address is a secret */
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Allow", "GET, HEAD"}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        reply->extra[i].name = fields[i][0];
        snprintf(reply->extra[i].value, sizeof(reply->extra[i].value), "%s", fields[i][1]);
    }
}

/* Any port: who comes through a tunnel has another one. */
static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; host && i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(names[i]);
        const char *port = host + n;
        if (strncasecmp(host, names[i], n) == 0 &&
            (!*port || (*port == ':' && strspn(port + 1, "0123456789") == strlen(port + 1))))
            return true;
    }
    return false;
}

/* What a path is below the page's; NULL: it is not there. Takes as long whatever the path begins with. */
static const char *below(const struct cell_page *page, const char *path)
{
    size_t n = strlen(page->base);
    unsigned char differs = 0;

    if (strlen(path) < n)
        return NULL;
    for (size_t i = 0; i < n; i++)
        differs |= (unsigned char)(path[i] ^ page->base[i]);
    return differs ? NULL : path + n;
}

static int64_t admit(void *user, const struct https_request *r, struct https_reply *reply)
{
    const struct cell_page *page = user;

    guard(reply);
    if (!is_loopback(r->header(r, "Host")))
        refuse(reply, 403, "this page is for browsers on its own host: ask for it as localhost\n");
    else if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
        refuse(reply, 405, "this page is only read\n");
    else if (!below(page, r->path))
        refuse(reply, 404, "there is nothing here: the cell has printed the whole address of its page\n");
    else
        return 0;
    return -1;
}

static void answer(void *user, const struct https_request *r, struct https_reply *reply)
{
    const struct cell_page *page = user;
    const struct cell_page_request request = {.path = below(page, r->path), .base = page->base};
    struct cell_page_reply made = {0};

    page->o.answer(page->o.user, &request, &made);
    guard(reply);
    reply->status = made.status;
    reply->type = made.type;
    reply->body = made.body;
    reply->len = made.len;
}

/* ---- life ---- */

/* "localhost:0" or "[::1]:0" into its parts; false: it is none of loopback. */
static bool split(const char *address, char host[16], char port[8])
{
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;

    if (!colon || !is_loopback(address) || n >= 16 || !colon[1] || strlen(colon + 1) > 5 ||
        strtoul(colon + 1, NULL, 10) > 65535)
        return false;
    bool brackets = address[0] == '[';
    snprintf(host, 16, "%.*s", (int)(n - 2 * brackets), address + brackets);
    snprintf(port, 8, "%s", colon + 1);
    return true;
}

static int make_base(struct cell_page *page, struct cell_error *e)
{
    unsigned char secret[SECRET_BYTES];

    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        return cell_error_set(e, CELL_IO_ERROR, "there are no random numbers");
    page->base[0] = '/';
    for (size_t i = 0; i < SECRET_BYTES; i++)
        snprintf(page->base + 1 + 2 * i, 3, "%02x", secret[i]);
    strcat(page->base, "/");
    return CELL_OK;
}

static int listen_on(struct cell_page *page, const char *address, struct cell_error *e)
{
    const bool is_unix = strncmp(address, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0;
    char host[16], port[8], why[256];
    struct https_options options = {.abi = HTTPS_ABI,
                                    .max_connections = MOST_CONNECTIONS,
                                    .max_per_address = MOST_CONNECTIONS,
                                    .idle_s = IDLE_S,
                                    .request_s = REQUEST_S,
                                    .send_s = SEND_S,
                                    .user = page,
                                    .admit = admit,
                                    .answer = answer};
    int r = CELL_OK;

    if (is_unix)
        options.socket = address + strlen(UNIX_SCHEME);
    else if (!split(address, host, port))
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "'%.200s' is no place for a page: it is plain HTTP, for this host alone. Write "
                              "127.0.0.1:PORT (0 = any), [::1]:PORT or unix:/PATH; `ssh -L` brings it elsewhere",
                              address);
    else
        r = make_base(page, e);
    options.host = host;
    options.port = port;
    if (is_unix)
        strcpy(page->base, "/");
    if (r >= 0 && !(page->functions = cell_https_load(e)))
        r = CELL_FAILED_PRECONDITION;
    if (r < 0)
        return r;
    page->listener = page->functions->open(&options, why, sizeof(why));
    if (!page->listener)
        return cell_error_set(e, CELL_IO_ERROR, "the page: %s", why);
    r = is_unix ? asprintf(&page->address, "%s", address)
                : asprintf(&page->address, strchr(host, ':') ? "http://[%s]:%u%s" : "http://%s:%u%s", host,
                           page->functions->port(page->listener), page->base);
    if (r < 0)
        page->address = NULL;
    return r < 0 ? cell_error_set(e, CELL_NO_MEMORY, "out of memory") : CELL_OK;
}

int cell_page_open(const struct cell_page_options *o, struct cell_page **page, struct cell_error *e)
{
    struct cell_page *made = calloc(1, sizeof(*made));

    if (!made)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    made->o = *o;
    made->o.address = NULL;
    int r = listen_on(made, o->address, e);
    if (r < 0)
        cell_page_close(made);
    else
        *page = made;
    return r;
}

const char *cell_page_address(const struct cell_page *page) { return page->address; }

void cell_page_close(struct cell_page *page)
{
    if (!page)
        return;
    if (page->listener)
        page->functions->close(page->listener);
    free(page->address);
    free(page);
}
