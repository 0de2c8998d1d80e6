/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/identity.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define LIBRARY "libsodium.so.23"
#define FORMAT "cell.signature/1"
/* What is signed begins with this, so that no signature over anything else can be taken for one. */
#define DOMAIN "cell.schema.signature/1"
#define SIGNED_MAX 256

/* ---- the library ---- */

struct library {
    int (*init)(void);
    int (*verify)(const unsigned char *signature, const unsigned char *message, unsigned long long len,
                  const unsigned char *key);
    int (*sign)(unsigned char *signature, unsigned long long *signature_len, const unsigned char *message,
                unsigned long long len, const unsigned char *secret);
    int (*keypair)(unsigned char *key, unsigned char *secret, const unsigned char *seed);
    void (*random)(void *buffer, size_t size);
};

static _Atomic(struct library *) loaded; /* never freed: threads may be in it until the process ends */

static const struct library *load(void)
{
    struct library *l = calloc(1, sizeof(*l)), *first = NULL;
    void *handle = l ? dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL) : NULL;
    bool all = handle != NULL;
#define FIND(member, name) all = all && (*(void **)&l->member = dlsym(handle, name));
    FIND(init, "sodium_init")
    FIND(verify, "crypto_sign_ed25519_verify_detached")
    FIND(sign, "crypto_sign_ed25519_detached")
    FIND(keypair, "crypto_sign_ed25519_seed_keypair")
    FIND(random, "randombytes_buf")
#undef FIND
    if (all && l->init() >= 0 && atomic_compare_exchange_strong(&loaded, &first, l))
        return l;
    free(l); /* unusable, or another thread was faster */
    return first;
}

static int need(const struct library **l, struct cell_error *e)
{
    *l = atomic_load(&loaded);
    if (!*l)
        *l = load();
    return *l ? CELL_OK
              : cell_error_set(e, CELL_FAILED_PRECONDITION,
                               LIBRARY " cannot be loaded, which keys of cells need: install libsodium");
}

/* ---- hexadecimal ---- */

static void to_hex(const uint8_t *bytes, size_t n, char *hex)
{
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    hex[2 * n] = '\0';
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool from_hex(const char *hex, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(hex[2 * i]), low = high < 0 ? -1 : digit(hex[2 * i + 1]);
        if (low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_hex(const char *text, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        if (digit(text[i]) < 0)
            return false;
    return true;
}

bool cell_key_parse(const char *text, char key[CELL_KEY_DIGITS + 1])
{
    size_t prefix = strlen(CELL_KEY_PREFIX);
    if (strncmp(text, CELL_KEY_PREFIX, prefix) != 0 || strlen(text) != prefix + CELL_KEY_DIGITS ||
        !is_hex(text + prefix, CELL_KEY_DIGITS))
        return false;
    memcpy(key, text + prefix, CELL_KEY_DIGITS + 1);
    return true;
}

/* ---- the text of a signature ---- */

struct reader {
    const char *at, *end;
};

/* The next word, which must have `len` bytes (0 = any number but none) and be followed by a space, or be the last. */
static const char *word(struct reader *in, size_t len, bool last, size_t *found)
{
    const char *begin = in->at;
    while (in->at < in->end && *in->at != ' ')
        in->at++;
    *found = (size_t)(in->at - begin);
    if (*found == 0 || (len && *found != len) || (in->at == in->end) != last)
        return NULL;
    in->at += !last;
    return begin;
}

/* In its shortest decimal form, 0 to INT64_MAX. */
static bool number(struct reader *in, uint64_t *value)
{
    size_t len;
    uint64_t n = 0;
    const char *text = word(in, 0, false, &len);
    if (!text || len > 19 || (text[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text[i] - '0'); /* 19 digits fit */
    }
    *value = n;
    return n <= INT64_MAX;
}

static bool digits(struct reader *in, char *hex, size_t n)
{
    size_t len;
    const char *text = word(in, n, false, &len);
    if (!text || !is_hex(text, n))
        return false;
    memcpy(hex, text, n);
    hex[n] = '\0';
    return true;
}

int cell_signature_parse(const char *text, size_t len, struct cell_signature *s, struct cell_error *e)
{
    struct cell_signature made = {.version = 0};
    struct reader in = {text, text + len};
    uint64_t expires = 0;
    size_t found;
    const char *format = word(&in, strlen(FORMAT), false, &found), *value = NULL;
    if (!format || memcmp(format, FORMAT, strlen(FORMAT)) != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its signature is not in the format " FORMAT);
    bool whole = digits(&in, made.key, CELL_KEY_DIGITS) && number(&in, &made.version) && number(&in, &expires) &&
                 digits(&in, made.sha256, 64) && (value = word(&in, 2 * sizeof(made.value), true, &found)) &&
                 from_hex(value, made.value, sizeof(made.value));
    if (!whole)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its signature is not laid out as " FORMAT " is");
    made.expires = (int64_t)expires;
    *s = made;
    return CELL_OK;
}

void cell_signature_format(const struct cell_signature *s, char text[CELL_SIGNATURE_MAX])
{
    char value[2 * sizeof(s->value) + 1];
    to_hex(s->value, sizeof(s->value), value);
    snprintf(text, CELL_SIGNATURE_MAX, FORMAT " %s %" PRIu64 " %" PRId64 " %s %s", s->key, s->version, s->expires,
             s->sha256, value);
}

/* ---- signing and checking ---- */

/* What is signed. The name is an identifier, and all else is numbers: a line end ends each of them. */
static size_t signed_text(const struct cell_signature *s, const char *cell, char text[SIGNED_MAX])
{
    int n = snprintf(text, SIGNED_MAX, DOMAIN "\n%s\n%" PRIu64 "\n%" PRId64 "\n%s\n", cell, s->version, s->expires,
                     s->sha256);
    return n > 0 && n < SIGNED_MAX ? (size_t)n : 0;
}

int cell_ed25519_verify(const uint8_t key[32], const uint8_t signature[64], const void *message, size_t len,
                        struct cell_error *e)
{
    const struct library *l;
    int r = need(&l, e);
    if (r >= 0 && l->verify(signature, message, len, key) != 0)
        r = cell_error_set(e, CELL_UNAUTHENTICATED, "the signature is not valid");
    return r;
}

int cell_signature_check(const struct cell_signature *s, const char *cell, const void *document, size_t len,
                         struct cell_error *e)
{
    char hash[65], text[SIGNED_MAX];
    uint8_t key[32];
    size_t n = signed_text(s, cell, text);
    cell_sha256_hex(document, len, hash);
    if (strcmp(hash, s->sha256) != 0)
        return cell_error_set(e, CELL_UNAUTHENTICATED, "its signature is of another document");
    if (!n || !from_hex(s->key, key, sizeof(key)))
        return cell_error_set(e, CELL_UNAUTHENTICATED, "its signature is not valid");
    int r = cell_ed25519_verify(key, s->value, text, n, e);
    if (r == CELL_UNAUTHENTICATED)
        cell_error_set(e, r, "its signature is not valid: somebody changed it, or it was made for another cell");
    return r;
}

int cell_key_public(const uint8_t seed[32], char key[CELL_KEY_DIGITS + 1], struct cell_error *e)
{
    const struct library *l;
    uint8_t public[32], secret[64];
    int r = need(&l, e);
    if (r < 0)
        return r;
    l->keypair(public, secret, seed);
    explicit_bzero(secret, sizeof(secret));
    to_hex(public, sizeof(public), key);
    return CELL_OK;
}

int cell_key_seed(uint8_t seed[32], struct cell_error *e)
{
    const struct library *l;
    int r = need(&l, e);
    if (r >= 0)
        l->random(seed, 32);
    return r;
}

void cell_key_forget(uint8_t seed[32]) { explicit_bzero(seed, 32); }

int cell_signature_make(const uint8_t seed[32], const char *cell, uint64_t version, int64_t expires,
                        const void *document, size_t len, struct cell_signature *s, struct cell_error *e)
{
    const struct library *l;
    struct cell_signature made = {.version = version, .expires = expires};
    uint8_t public[32], secret[64];
    char text[SIGNED_MAX];
    int r = need(&l, e);
    if (r < 0)
        return r;
    cell_sha256_hex(document, len, made.sha256);
    size_t n = signed_text(&made, cell, text);
    l->keypair(public, secret, seed);
    to_hex(public, sizeof(public), made.key);
    l->sign(made.value, NULL, (const unsigned char *)text, n, secret);
    explicit_bzero(secret, sizeof(secret));
    if (!n)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the cell's name is too long");
    *s = made;
    return CELL_OK;
}
