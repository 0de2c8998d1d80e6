/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What libcurl asks while a request runs. What a server sends is counted and checked here, as it arrives. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "transport/http_impl.h"

/* ---- where to ---- */

/* Addresses that no name may stand for: they are this host's own services, or nobody's. */
static bool may_ask4(const struct cell_http *h, uint32_t a)
{
    uint32_t first = a >> 24;
    if (first == 127)
        return h->is_local;
    return first != 0 && first < 224 && a >> 16 != 0xa9fe; /* 169.254: link-local, with the metadata of clouds */
}

static bool may_ask6(const struct cell_http *h, const struct in6_addr *a)
{
    uint32_t low;
    if (IN6_IS_ADDR_V4MAPPED(a)) {
        memcpy(&low, a->s6_addr + 12, sizeof(low));
        return may_ask4(h, ntohl(low));
    }
    if (IN6_IS_ADDR_LOOPBACK(a))
        return h->is_local;
    return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LINKLOCAL(a);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct cell_http *h = arg;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    char text[INET6_ADDRSTRLEN] = "";
    bool may = false;
    (void)purpose;
    if (to->family == AF_INET && to->addrlen >= sizeof(in)) {
        memcpy(&in, &to->addr, sizeof(in));
        may = may_ask4(h, ntohl(in.sin_addr.s_addr));
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
    } else if (to->family == AF_INET6 && to->addrlen >= sizeof(in6)) {
        memcpy(&in6, (const void *)&to->addr, sizeof(in6)); /* libcurl has room for it there */
        may = may_ask6(h, &in6.sin6_addr);
        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
    }
    if (may)
        return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    cell_error_set(&h->failure, CELL_PERMISSION_DENIED,
                   "the name stands for %s, which is asked for no name of another host", text[0] ? text : "no address");
    return CURL_SOCKET_BAD;
}

/* ---- what is sent ---- */

/* Without a function to go back, the library cannot send a body twice: whether that is right is not its business. */
static size_t read_body(char *to, size_t size, size_t n, void *arg)
{
    struct cell_http *h = arg;
    size_t left = h->request->len - h->sent, most = size * n;
    size_t bytes = left < most ? left : most;
    h->begun = true;
    memcpy(to, h->request->body + h->sent, bytes);
    h->sent += bytes;
    return bytes;
}

/* ---- what comes ---- */

#define LINES "application/x-ndjson"

static bool is_type(const char *type, const char *wanted)
{
    size_t len = strlen(wanted);
    return strncasecmp(type, wanted, len) == 0 && (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

#define LENGTH_DIGITS 18u

/* The header is complete: whether the body is to be read at all. */
static int check_head(struct cell_http *h, unsigned status, struct cell_error *e)
{
    char type[64], coding[32];
    snprintf(type, sizeof(type), "%s", cell_http_header(h, "Content-Type"));
    snprintf(coding, sizeof(coding), "%s", cell_http_header(h, "Content-Encoding"));
    const char *length = cell_http_header(h, "Content-Length");
    if (length[strspn(length, "0123456789")] || strlen(length) > LENGTH_DIGITS)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the length of its answer is no number");
    if (status >= 300 && status < 400 && status != 304)
        return cell_error_set(e, CELL_PROTOCOL_ERROR,
                              "it redirects (HTTP %u), which is not followed: put the address where it listens there",
                              status);
    if (coding[0] && strcasecmp(coding, "identity") != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its answer is coded as '%s', which was not asked for", coding);
    if (status == 200 && h->request->lines && is_type(type, LINES))
        return CELL_OK;
    if (status != 304 && !is_type(type, "application/json"))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "it answered with HTTP %u and %s%s%s, which is no cell's JSON",
                              status, type[0] ? "'" : "no type", type, type[0] ? "'" : "");
    return CELL_OK;
}

static size_t take_line(char *line, size_t size, size_t n, void *arg)
{
    struct cell_http *h = arg;
    size_t len = size * n;
    h->begun = true;
    h->head_bytes += len;
    if (h->head_bytes > CELL_HTTP_MAX_HEADERS) {
        cell_error_set(&h->failure, CELL_TOO_LARGE, "the head of its answer has more than %u bytes",
                       CELL_HTTP_MAX_HEADERS);
        return 0;
    }
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) /* after a 1xx, the next */
        h->head.len = 0;
    if (memchr(line, '\0', len)) {
        cell_error_set(&h->failure, CELL_PROTOCOL_ERROR, "there is a NUL in the head of its answer");
        return 0;
    }
    cell_buffer_append(&h->head, line, len);
    if (!len || line[len - 1] != '\n')
        cell_buffer_puts(&h->head, "\n");
    if (cell_buffer_ok(&h->head))
        return len;
    cell_error_set(&h->failure, CELL_NO_MEMORY, "out of memory");
    return 0;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct cell_http *h = arg;
    size_t len = size * n, max = h->request->max_reply;
    long status = 0;
    h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!h->answering && check_head(h, (unsigned)status, &h->failure) < 0)
        return 0;
    h->answering = true;
    if (cell_http_in_lines(h)) {
        h->line_bytes += len;
        if (cell_lines_add(&h->lines, bytes, len))
            return len;
        cell_error_set(&h->failure, CELL_NO_MEMORY, "out of memory");
        return 0;
    }
    if (len > max || h->body.len > max - len) {
        cell_error_set(&h->failure, CELL_TOO_LARGE, "its answer has more than %zu bytes", max);
        return 0;
    }
    cell_buffer_append(&h->body, bytes, len);
    if (cell_buffer_ok(&h->body))
        return len;
    cell_error_set(&h->failure, CELL_NO_MEMORY, "out of memory");
    return 0;
}

bool cell_http_in_lines(const struct cell_http *h)
{
    long status = 0;
    h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 && h->request->lines && is_type(cell_http_header(h, "Content-Type"), LINES);
}

int cell_http_check_answer(struct cell_http *h, unsigned status, struct cell_error *e)
{
    if (status < 200 || status > 599)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its answer has the status %u, which is none of HTTP's", status);
    return check_head(h, status, e);
}

void cell_http_set_callbacks(struct cell_http *h)
{
    const struct curl_functions *c = h->curl;
    c->easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    c->easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h);
    c->easy_setopt(h->easy, CURLOPT_READFUNCTION, read_body);
    c->easy_setopt(h->easy, CURLOPT_READDATA, h);
    c->easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, take_line);
    c->easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
    c->easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, take_body);
    c->easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
}
