/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Listening for other hosts: what is read before, and its end. */
#include "server_https.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/http.h"

#define MAX_PEM (1u << 20)
#define DEFAULT_CONNECTIONS 128u
#define DEFAULT_PER_ADDRESS 32u
#define DEFAULT_RATE 200u
/* A client keeps its connection for a build's pauses; one that is slower than the other two is none of ours. */
#define IDLE_S 60u
#define REQUEST_S 20u
#define SEND_S 60u

/* ---- options ---- */

const struct https_functions *cell_https_load(struct cell_error *e)
{
    void *handle = dlopen(HTTPS_LIBRARY, RTLD_NOW | RTLD_LOCAL); /* stays: threads may be in it */
    https_entry_fn *entry = NULL;
    if (!handle) {
        cell_error_set(e, CELL_FAILED_PRECONDITION, "%s cannot be loaded: %s", HTTPS_LIBRARY, dlerror());
        return NULL;
    }
    *(void **)&entry = dlsym(handle, HTTPS_ENTRY);
    const struct https_functions *f = entry ? entry(HTTPS_ABI) : NULL;
    if (!f)
        cell_error_set(e, CELL_FAILED_PRECONDITION, "%s is of another version than this cell", HTTPS_LIBRARY);
    return f;
}

/* A PEM file; a secret one must be its user's alone. */
static int read_pem(const char *what, const char *path, bool secret, char **text, struct cell_error *e)
{
    struct stat st;
    size_t len;
    if (!path)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "listening for other hosts needs a %s: a PEM file", what);
    if (stat(path, &st) < 0)
        return cell_error_errno(e, CELL_NOT_FOUND, errno, "the %s %s cannot be read", what, path);
    if (secret && ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IRWXG | S_IRWXO))))
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "the %s %s is not its user's alone: make it yours, with mode 0600", what, path);
    int r = cell_file_read(path, MAX_PEM, text, &len, e);
    return r < 0 ? cell_error_wrap(e, "the %s", what) : r;
}

/* "https://HOST:PORT" into its parts; the port may be 0 here. */
static int split(const char *address, char *host, size_t size, char port[8], struct cell_error *e)
{
    const char *at = address + strlen(CELL_HTTP_SCHEME);
    bool brackets = cell_http_is(address) && *at == '[';
    size_t len = !cell_http_is(address) ? 0 : brackets ? strcspn(++at, "]") : strcspn(at, ":/");
    const char *rest = at + len + brackets;
    if (len && len < size && (!brackets || at[len] == ']')) {
        size_t digits = *rest == ':' ? strspn(rest + 1, "0123456789") : 0;
        memcpy(host, at, len);
        host[len] = '\0';
        if (digits && digits < 6 && !rest[1 + digits] && strtoul(rest + 1, NULL, 10) < 65536) {
            strcpy(port, rest + 1);
            return CELL_OK;
        }
        if (!*rest) {
            strcpy(port, "443");
            return CELL_OK;
        }
    }
    return cell_error_set(e, CELL_INVALID_ARGUMENT,
                          "'%.200s' is nothing to listen on: write \"https://ADDRESS:PORT\", with a numeric address",
                          address);
}

static int check_access(const struct cell_https_options *o, struct cell_error *e)
{
    if (o->tokens || o->client_authorities || o->allow_anonymous)
        return CELL_OK;
    return cell_error_set(e, CELL_FAILED_PRECONDITION,
                          "whom to let in is not said: name a file of tokens (--tokens), authorities for client "
                          "certificates (--tls-client-ca), or say --allow-anonymous");
}

/* ---- beginning and end ---- */

static void free_https(struct server_https *h)
{
    if (!h)
        return;
    for (uint32_t i = 0; i <= HTTPS_MAX_CALLERS; i++)
        if (h->callers[i]) {
            cell_gate_forget(&h->server->gate, &h->callers[i]->gate);
            free(h->callers[i]);
        }
    if (h->tokens)
        explicit_bzero(h->tokens, h->ntokens * sizeof(*h->tokens));
    free(h->tokens);
    free(h->buckets);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static struct server_https *new_https(struct cell_server *s, const struct cell_https_options *o)
{
    struct server_https *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->server = s;
    h->vouched = o->client_authorities != NULL;
    h->anonymous = o->allow_anonymous;
    h->rate = o->requests_per_s ? o->requests_per_s : DEFAULT_RATE;
    h->buckets = calloc(HTTPS_BUCKETS, sizeof(*h->buckets));
    pthread_mutex_init(&h->lock, NULL);
    if (h->buckets && getrandom(&h->seed, sizeof(h->seed), 0) == (ssize_t)sizeof(h->seed))
        return h;
    free_https(h);
    return NULL;
}

static int listen_on(struct server_https *h, const struct cell_https_options *o, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *certificate = NULL, *key = NULL, *authorities = NULL;
    char host[64], port[8], why[256];
    int r = split(o->address, host, sizeof(host), port, e);
    if (r >= 0)
        r = read_pem("TLS certificate", o->certificate, false, &certificate, e);
    if (r >= 0)
        r = read_pem("TLS key", o->key, true, &key, e);
    if (r >= 0 && o->client_authorities)
        r = read_pem("file of authorities", o->client_authorities, false, &authorities, e);
    if (r >= 0 && !(h->functions = cell_https_load(e)))
        r = e->status;
    if (r < 0)
        return r;
    const struct https_options options = {
        .abi = HTTPS_ABI,
        .host = host,
        .port = port,
        .certificate = certificate,
        .key = key,
        .client_authorities = authorities,
        .max_connections = o->max_connections ? o->max_connections : DEFAULT_CONNECTIONS,
        .max_per_address = o->max_per_address ? o->max_per_address : DEFAULT_PER_ADDRESS,
        .idle_s = IDLE_S,
        .request_s = REQUEST_S,
        .send_s = SEND_S,
        .max_bodies = h->server->options.max_bytes_per_uid,
        .user = h,
        .admit = cell_https_admit,
        .answer = cell_https_answer};
    h->listener = h->functions->open(&options, why, sizeof(why));
    explicit_bzero(key, strlen(key));
    if (!h->listener)
        return cell_error_set(e, CELL_IO_ERROR, "%s", why);
    snprintf(h->address, sizeof(h->address), strchr(host, ':') ? "https://[%s]:%u" : "https://%s:%u", host,
             h->functions->port(h->listener));
    return CELL_OK;
}

int cell_server_https_begin(struct cell_server *s)
{
    const struct cell_https_options *o = s->options.https;
    if (!o || !o->address)
        return CELL_OK;
    struct server_https *h = new_https(s, o);
    int r = h ? check_access(o, &s->error) : cell_error_set(&s->error, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && o->tokens)
        r = cell_https_read_tokens(h, o->tokens, &s->error);
    if (r >= 0)
        r = listen_on(h, o, &s->error);
    if (r < 0) {
        free_https(h);
        return cell_error_wrap(&s->error, "%s: %s", s->cell, o->address), r;
    }
    pthread_mutex_lock(&s->lock);
    s->https = h;
    pthread_mutex_unlock(&s->lock);
    return CELL_OK;
}

void cell_server_https_quiesce(struct cell_server *s)
{
    if (s->https)
        s->https->functions->quiesce(s->https->listener);
}

void cell_server_https_end(struct cell_server *s, bool left)
{
    struct server_https *h = s->https;
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->over = true;
    pthread_mutex_unlock(&h->lock);
    pthread_mutex_lock(&s->lock);
    s->https = NULL;
    pthread_mutex_unlock(&s->lock);
    if (left) /* a handler runs on one of its threads, for nobody knows how long: it stays, and answers nothing more */
        return;
    h->functions->close(h->listener);
    free_https(h);
}

bool cell_server_https_address(const struct cell_server *s, char *text, size_t size)
{
    struct cell_server *own = (struct cell_server *)(uintptr_t)s;
    pthread_mutex_lock(&own->lock);
    const struct server_https *h = s->https;
    if (h)
        snprintf(text, size, "%s", h->address);
    pthread_mutex_unlock(&own->lock);
    return h != NULL;
}
