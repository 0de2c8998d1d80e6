/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Credentials come from the environment or from files that it names, never from an address or a project's files: those
 * are written by others. No message holds them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "transport/http_impl.h"
#include "wire/limits.h"

#define LEAST_TOKEN 16u

static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

/* RFC 6750, section 2.1: what may stand behind "Bearer". */
static int take_token(const char *text, size_t len, const char *from, char *token, struct cell_error *e)
{
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    size_t good = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
    if (good < len || len < LEAST_TOKEN || len > CELL_HTTP_MAX_TOKEN)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "%s holds no token: it is one line of %u to %u letters, digits and -._~+/=", from,
                              LEAST_TOKEN, CELL_HTTP_MAX_TOKEN);
    memcpy(token, text, len);
    token[len] = '\0';
    return CELL_OK;
}

static int read_token_file(const char *path, char *token, struct cell_error *e)
{
    char text[CELL_HTTP_MAX_TOKEN + 4];
    struct stat st;
    CELL_CLEANUP(cell_cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_PERMISSION_DENIED, errno,
                                "the token's file %s cannot be read", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the token's file %s is no regular file", path);
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IRWXG | S_IRWXO)))
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "the token's file %s is not its user's alone: make it yours, with mode 0600", path);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "the token's file %s cannot be read", path);
    text[n] = '\0';
    int r = take_token(text, (size_t)n, path, token, e);
    explicit_bzero(text, sizeof(text));
    return r;
}

/* The variable PREFIX_CELL, in every locale. */
static const char *of_cell(const char *prefix, const char *cell, char *name, size_t size)
{
    size_t n = strlen(prefix);
    if (n + strlen(cell) >= size)
        return NULL;
    strcpy(name, prefix);
    for (const char *p = cell; *p; p++)
        name[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    name[n] = '\0';
    return environment(name);
}

static int find_token(const char *cell, char *token, struct cell_error *e)
{
    char name[32 + CELL_MAX_CELL_NAME];
    const char *value = of_cell("CELL_TOKEN_", cell, name, sizeof(name));
    if (value)
        return take_token(value, strlen(value), name, token, e);
    value = of_cell("CELL_TOKEN_FILE_", cell, name, sizeof(name));
    return value ? read_token_file(value, token, e) : CELL_OK;
}

int cell_http_credentials(const char *cell, struct http_credentials *c, struct cell_error *e)
{
    c->ca_file = environment("CELL_CA_FILE");
    c->certificate = environment("CELL_CLIENT_CERTIFICATE");
    c->key = environment("CELL_CLIENT_KEY");
    if (!c->certificate != !c->key)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "of CELL_CLIENT_CERTIFICATE and CELL_CLIENT_KEY one is set, and the other is not");
    const char *files[] = {c->ca_file, c->certificate, c->key};
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i] && access(files[i], R_OK) < 0)
            return cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_PERMISSION_DENIED, errno,
                                    "%s cannot be read", files[i]);
    return cell ? find_token(cell, c->token, e) : CELL_OK;
}
