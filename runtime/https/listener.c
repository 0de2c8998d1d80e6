/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The life of a listener. */
#include "https/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener_impl.h"

#define BACKLOG 128
/* For the head of a request and of its answer. */
#define HEAD_BYTES (32u << 10)

static void remove_path(struct https_listener *l)
{
    if (l && l->path)
        unlink(l->path);
    if (l)
        free(l->path);
}

static struct https_listener *fail(struct https_listener *l, char *error, size_t size, const char *what,
                                   const char *why)
{
    snprintf(error, size, "%s%s%s", what, why ? ": " : "", why ? why : "");
    if (l && l->fd >= 0)
        close(l->fd);
    remove_path(l);
    free(l);
    return NULL;
}

static int bind_to(const struct addrinfo *a)
{
    const int yes = 1;
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (a->ai_family == AF_INET6) /* what it says, and no other */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

/* A name would be as many addresses as somebody else says. */
static int open_socket(const struct https_options *o, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const char *host = strcmp(o->host, "localhost") == 0 ? "127.0.0.1" : o->host;
    int r = getaddrinfo(host, o->port, &hints, &found);
    if (r != 0) {
        *why = "it is no address of this host: write a numeric one, or localhost";
        return -1;
    }
    int fd = bind_to(found);
    *why = fd < 0 ? strerror(errno) : NULL;
    freeaddrinfo(found);
    return fd;
}

/* Removes the socket that somebody has left behind. False: it is not that. */
static bool remove_stale(const struct sockaddr_un *a)
{
    struct stat st;
    int fd = lstat(a->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return stale && unlink(a->sun_path) == 0;
}

static int open_unix(const char *path, const char **why)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = -1;
    if (strlen(path) >= sizeof(a.sun_path) || !*path) {
        *why = "the path of a socket has 1 to 107 bytes";
        return -1;
    }
    strcpy(a.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&a, sizeof(a));
    if (r < 0 && fd >= 0 && errno == EADDRINUSE)
        r = remove_stale(&a) ? bind(fd, (const struct sockaddr *)&a, sizeof(a)) : (errno = EADDRINUSE, -1);
    if (r == 0 && (chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0)) { /* until it listens, nobody can connect */
        r = -1;
        unlink(path);
    }
    if (r == 0)
        return fd;
    *why = strerror(errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a = {0};
    socklen_t len = sizeof(a);
    if (getsockname(fd, &a.any, &len) < 0)
        return 0;
    return ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

static struct MHD_Daemon *start(struct https_listener *l)
{
    const struct https_options *o = &l->o;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->certificate},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->key},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)"NORMAL:-VERS-ALL:+VERS-TLS1.3"},
                                   {o->client_authorities ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
                                    (void *)(uintptr_t)o->client_authorities},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
    return MHD_start_daemon(o->certificate ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, https_handle, l,
                            MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->max_connections,
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)o->max_per_address,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_NOTIFY_CONNECTION, https_peer_notify, l, MHD_OPTION_NOTIFY_COMPLETED,
                            https_completed, l, MHD_OPTION_URI_LOG_CALLBACK, https_begun, l, MHD_OPTION_ARRAY,
                            o->certificate ? tls : none, MHD_OPTION_END);
}

static struct https_listener *open_listener(const struct https_options *o, char *error, size_t size)
{
    const char *why = NULL;
    struct https_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return fail(NULL, error, size, "out of memory", NULL);
    l->o = *o; /* PEM and addresses are read while this runs */
    l->fd = o->socket ? open_unix(o->socket, &why) : open_socket(o, &why);
    if (l->fd < 0)
        return fail(l, error, size, "it cannot listen there", why);
    l->port = o->socket ? 0 : port_of(l->fd);
    l->path = o->socket ? strdup(o->socket) : NULL;
    pthread_mutex_init(&l->lock, NULL);
    if (!https_watch_begin(l))
        return fail(l, error, size, "no thread can be started", NULL);
    l->daemon = start(l);
    l->o.host = l->o.port = l->o.certificate = l->o.key = l->o.client_authorities = l->o.socket = NULL;
    if (l->daemon)
        return l;
    https_watch_end(l);
    pthread_mutex_destroy(&l->lock);
    return fail(l, error, size,
                o->certificate ? "certificate and key are of no use: they must be PEM, and belong together"
                               : "no thread can be started",
                NULL);
}

static uint16_t get_port(const struct https_listener *l) { return l->port; }

static void quiesce(struct https_listener *l)
{
    int fd = MHD_quiesce_daemon(l->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

static void close_listener(struct https_listener *l)
{
    if (!l)
        return;
    MHD_stop_daemon(l->daemon);
    https_watch_end(l);
    pthread_mutex_destroy(&l->lock);
    remove_path(l);
    free(l);
}

static const struct https_functions functions = {open_listener, get_port, quiesce, close_listener};

__attribute__((visibility("default"))) const struct https_functions *cell_https_listener(uint32_t abi);
const struct https_functions *cell_https_listener(uint32_t abi) { return abi == HTTPS_ABI ? &functions : NULL; }
