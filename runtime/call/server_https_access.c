/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whom a cell lets in over HTTPS, and how often. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_https.h"

#define MAX_TOKEN_FILE (256u << 10)
#define LEAST_TOKEN 16u
#define MOST_TOKEN 512u
#define BEARER "Bearer "

/* ---- tokens ---- */

/* What is compared: in a time that does not depend on what the token is. */
static void hash_token(const char *token, size_t len, uint8_t hash[32])
{
    struct cell_sha256 x;
    cell_sha256_init(&x);
    cell_sha256_update(&x, token, len);
    cell_sha256_final(&x, hash);
}

static int bad_line(const char *path, unsigned number, const char *what, struct cell_error *e)
{
    return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s:%u: %s; a line is NAME TOKEN", path, number, what);
}

static int add_token(struct server_https *h, char *line, const char *path, unsigned number, struct cell_error *e)
{
    char *name = strtok_r(line, " \t\r", &line), *token = name ? strtok_r(NULL, " \t\r", &line) : NULL;
    if (!name || name[0] == '#')
        return CELL_OK;
    size_t len = token ? strlen(token) : 0;
    if (!token || strtok_r(NULL, " \t\r", &line))
        return bad_line(path, number, token ? "something follows the token" : "there is no token", e);
    if (strlen(name) >= HTTPS_MAX_NAME || !cell_utf8_valid(name, strlen(name)))
        return bad_line(path, number, "the name is too long, or no text", e);
    if (len < LEAST_TOKEN || len > MOST_TOKEN)
        return bad_line(path, number, "a token has 16 to 512 bytes", e);
    if (h->ntokens == HTTPS_MAX_TOKENS)
        return cell_error_set(e, CELL_TOO_LARGE, "%s holds more than %u tokens", path, HTTPS_MAX_TOKENS);
    strcpy(h->tokens[h->ntokens].name, name);
    hash_token(token, len, h->tokens[h->ntokens++].hash);
    return CELL_OK;
}

int cell_https_read_tokens(struct server_https *h, const char *path, struct cell_error *e)
{
    char *text = NULL;
    size_t len;
    struct stat st;
    if (stat(path, &st) < 0)
        return cell_error_errno(e, CELL_NOT_FOUND, errno, "the file of tokens %s cannot be read", path);
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IRWXG | S_IRWXO)))
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "the file of tokens %s is not its user's alone: make it yours, with mode 0600", path);
    int r = cell_file_read(path, MAX_TOKEN_FILE, &text, &len, e);
    if (r < 0)
        return cell_error_wrap(e, "the file of tokens"), r;
    h->tokens = calloc(HTTPS_MAX_TOKENS, sizeof(*h->tokens));
    if (!h->tokens)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    char *at = text;
    for (unsigned number = 1; r >= 0 && at; number++)
        r = add_token(h, strsep(&at, "\n"), path, number, e);
    if (r >= 0 && h->ntokens == 0)
        r = cell_error_set(e, CELL_INVALID_ARGUMENT, "the file of tokens %s holds none", path);
    explicit_bzero(text, len);
    free(text);
    return r;
}

/* ---- who asks ---- */

/* All are compared, whatever matches. */
static const char *name_of(const struct server_https *h, const char *token)
{
    const char *found = NULL;
    uint8_t hash[32];
    hash_token(token, strlen(token), hash);
    for (uint32_t i = 0; i < h->ntokens; i++)
        if (cell_same_secret(hash, h->tokens[i].hash, sizeof(hash)))
            found = h->tokens[i].name;
    return found;
}

int cell_https_who(const struct server_https *h, const struct https_request *r, char name[HTTPS_MAX_NAME],
                   struct cell_error *e)
{
    const char *shown = r->header(r, "Authorization");
    name[0] = '\0';
    if (shown) {
        const char *found = strncasecmp(shown, BEARER, strlen(BEARER)) == 0 ? name_of(h, shown + strlen(BEARER)) : NULL;
        if (!found)
            return cell_error_set(e, CELL_UNAUTHENTICATED, "the token is not known here");
        strcpy(name, found);
        return CELL_OK;
    }
    if (h->vouched && r->certificate[0]) {
        strcpy(name, r->certificate);
        return CELL_OK;
    }
    if (h->anonymous)
        return CELL_OK;
    return cell_error_set(e, CELL_UNAUTHENTICATED, "only those are served who show a token%s",
                          h->vouched ? " or a client certificate" : "");
}

struct https_caller *cell_https_caller(struct server_https *h, const char *name)
{
    pthread_mutex_lock(&h->lock);
    uint32_t i = 0;
    while (i < h->ncallers && strcmp(h->callers[i]->name, name) != 0)
        i++;
    if (i == h->ncallers && h->ncallers == HTTPS_MAX_CALLERS)
        i = HTTPS_MAX_CALLERS; /* more than that share their turns */
    if (!h->callers[i] && (h->callers[i] = calloc(1, sizeof(**h->callers)))) {
        strcpy(h->callers[i]->name, i < HTTPS_MAX_CALLERS ? name : "");
        cell_gate_join(&h->server->gate, &h->callers[i]->gate, &h->callers[i]->uid);
        h->ncallers += i < HTTPS_MAX_CALLERS;
    }
    struct https_caller *caller = h->callers[i];
    pthread_mutex_unlock(&h->lock);
    return caller;
}

/* ---- how often ---- */

/* Of IPv6 the half that a provider gives to one customer. */
static size_t customer(const char *address)
{
    size_t len = strlen(address);
    unsigned colons = 0;
    if (!strchr(address, ':'))
        return len;
    for (size_t i = 0; i < len; i++)
        if (address[i] == ':' && ++colons == 4)
            return i;
    return len;
}

bool cell_https_may_ask(struct server_https *h, const char *address, double cost)
{
    char key[80] = {0};
    memcpy(key, &h->seed, sizeof(h->seed)); /* so that nobody can choose whose rate he uses up */
    size_t len = customer(address);
    memcpy(key + sizeof(h->seed), address, len < 64 ? len : 64);
    uint8_t hash[32];
    hash_token(key, sizeof(key), hash);
    uint32_t at = (uint32_t)hash[0] | (uint32_t)hash[1] << 8;
    struct https_bucket *b = &h->buckets[at % HTTPS_BUCKETS];
    pthread_mutex_lock(&h->lock);
    uint64_t now = cell_now_ns();
    double most = 2 * h->rate, more = b->at_ns ? (double)(now - b->at_ns) / 1e9 * h->rate : most;
    b->at_ns = now;
    b->left = b->left + more < most ? b->left + more : most;
    bool may = b->left >= 1;
    b->left = may && b->left > cost ? b->left - cost : may ? 0 : b->left;
    pthread_mutex_unlock(&h->lock);
    return may;
}
