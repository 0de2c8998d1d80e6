/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Addresses of other hosts, and the life of an origin. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "transport/http_impl.h"

bool cell_http_is(const char *address)
{
    return address && strncmp(address, CELL_HTTP_SCHEME, sizeof(CELL_HTTP_SCHEME) - 1) == 0;
}

static int bad_address(const char *address, const char *what, struct cell_error *e)
{
    return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%.200s' is no address: %s; write \"https://HOST:PORT\"", address,
                          what);
}

static bool is_host(const char *text, size_t len)
{
    bool good = len > 0 && len <= HTTP_HOST_MAX && text[0] != '-' && text[0] != '.';
    for (size_t i = 0; i < len; i++)
        good = good && ((text[i] | 32) >= 'a' ? (text[i] | 32) <= 'z'
                                              : text[i] == '-' || text[i] == '.' || (text[i] >= '0' && text[i] <= '9'));
    return good;
}

/* An address of IPv6; whether its parts make sense is for whoever connects. */
static bool is_ipv6(const char *text, size_t len)
{
    return len > 1 && len < 46 && strspn(text, "0123456789abcdefABCDEF:.") >= len;
}

/* The parts of an address: where its host begins and how long it is. */
static int split(const char *address, const char **host, size_t *host_len, struct cell_error *e)
{
    const char *at = address + sizeof(CELL_HTTP_SCHEME) - 1;
    bool brackets = *at == '[';
    size_t len = brackets ? strcspn(++at, "]") : strcspn(at, ":/?#@");
    if (strchr(at, '@'))
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "an address holds no user and no password; a token is given by CELL_TOKEN_NAME");
    const char *rest = at + len + (brackets && at[len] == ']');
    if (brackets ? !is_ipv6(at, len) || at[len] != ']' : !is_host(at, len))
        return bad_address(address, "it names no host", e);
    if (*rest == ':') {
        size_t digits = strspn(rest + 1, "0123456789");
        long port = digits && digits <= 5 ? strtol(rest + 1, NULL, 10) : 0;
        if (port < 1 || port > 65535)
            return bad_address(address, "its port is none of 1 to 65535", e);
        rest += 1 + digits;
    }
    if (*rest && strcmp(rest, "/") != 0)
        return bad_address(address, "something follows the host", e);
    *host = at;
    *host_len = len;
    return CELL_OK;
}

int cell_http_check(const char *address, struct cell_error *e)
{
    const char *host;
    size_t len;
    if (!cell_http_is(address))
        return bad_address(address ? address : "", "its scheme is another one", e);
    return split(address, &host, &len, e);
}

static bool names_this_host(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

int cell_http_open(const char *address, const char *cell, struct cell_http **out, struct cell_error *e)
{
    const char *host;
    size_t len;
    int r = cell_http_check(address, e);
    const struct curl_functions *curl = r < 0 ? NULL : cell_curl(e);
    if (!curl)
        return r < 0 ? r : CELL_FAILED_PRECONDITION;
    split(address, &host, &len, NULL);
    size_t bytes = strlen(address);
    struct cell_http *h = calloc(1, sizeof(*h) + bytes + 1);
    if (!h)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    memcpy(h->address, address, bytes - (address[bytes - 1] == '/'));
    memcpy(h->host, host, len);
    h->is_local = names_this_host(h->host);
    h->curl = curl;
    r = cell_http_credentials(cell, &h->credentials, e);
    if (r < 0) {
        cell_http_close(h);
        return r;
    }
    *out = h;
    return CELL_OK;
}

void cell_http_close(struct cell_http *h)
{
    if (!h)
        return;
    cell_http_stop(h, true);
    cell_http_disconnect(h, h->pid != getpid());
    cell_lines_free(&h->lines);
    cell_buffer_free(&h->head);
    cell_buffer_free(&h->body);
    explicit_bzero(h->credentials.token, sizeof(h->credentials.token));
    free(h);
}

const char *cell_http_address(const struct cell_http *h) { return h->address; }

const char *cell_http_header(const struct cell_http *h, const char *name)
{
    size_t len = strlen(name);
    char *value = (char *)(uintptr_t)h->value;
    value[0] = '\0';
    for (const char *line = h->head.data; line && *line; line = strchr(line, '\n') + 1) {
        size_t n = strcspn(line, "\r\n"), skip = len + 1;
        if (n < skip || strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        while (skip < n && (line[skip] == ' ' || line[skip] == '\t'))
            skip++;
        while (n > skip && (line[n - 1] == ' ' || line[n - 1] == '\t'))
            n--;
        n -= skip;
        if (n >= sizeof(h->value))
            break;
        for (size_t i = 0; i < n; i++)
            value[i] = line[skip + i] >= ' ' && line[skip + i] < 127 ? line[skip + i] : '?';
        value[n] = '\0';
        break;
    }
    return value;
}
