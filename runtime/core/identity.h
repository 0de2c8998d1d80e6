/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Who a cell is: an Ed25519 key (RFC 8032), and signatures with it over the exact bytes of a schema document.
 *
 * A signature travels as one line of text, the metadata `:signature` of the reply to `schema`; docs/protocol.md,
 * "Signatures". Its reader checks the form alone and needs no library. The arithmetic is libsodium's, which is loaded
 * with the first key or signature: a compilation that meets nothing new never loads it. Thread-safe.
 */
#ifndef CELL_CORE_IDENTITY_H
#define CELL_CORE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CELL_KEY_PREFIX "ed25519:"
#define CELL_KEY_DIGITS 64u    /* hex digits of a public key */
#define CELL_SIGNATURE_MAX 400 /* bytes of the text of a signature, with its NUL */

struct cell_signature {
    char key[CELL_KEY_DIGITS + 1]; /* lower-case hex; "" = there is no signature */
    uint64_t version;              /* of the document: rises when it changes */
    int64_t expires;               /* seconds since 1970: from then on it says nothing */
    char sha256[64 + 1];           /* of the document */
    uint8_t value[64];
};

/* "ed25519:" and 64 lower-case hex digits; `key` gets the digits. */
bool cell_key_parse(const char *text, char key[CELL_KEY_DIGITS + 1]);

/* CELL_PROTOCOL_ERROR for what is not exactly the text that cell_signature_format makes. */
int cell_signature_parse(const char *text, size_t len, struct cell_signature *s, struct cell_error *e);
void cell_signature_format(const struct cell_signature *s, char text[CELL_SIGNATURE_MAX]);

/* Whether it is the signature of cell `cell` over `document`, with the key that it names. CELL_UNAUTHENTICATED: it is
 * not; CELL_FAILED_PRECONDITION: libsodium cannot be loaded. Expiry, version, and whether the key is the right one are
 * the caller's business (core/trust.h). */
int cell_signature_check(const struct cell_signature *s, const char *cell, const void *document, size_t len,
                         struct cell_error *e);

/* Signs; `seed` is the private key. */
int cell_signature_make(const uint8_t seed[32], const char *cell, uint64_t version, int64_t expires,
                        const void *document, size_t len, struct cell_signature *s, struct cell_error *e);

/* The public key of a seed, and a seed of random bytes. CELL_FAILED_PRECONDITION without libsodium. */
int cell_key_public(const uint8_t seed[32], char key[CELL_KEY_DIGITS + 1], struct cell_error *e);
int cell_key_seed(uint8_t seed[32], struct cell_error *e);
void cell_key_forget(uint8_t seed[32]); /* overwrites it */

/* Ed25519 as such, for tests with known answers. CELL_UNAUTHENTICATED when the signature does not hold. */
int cell_ed25519_verify(const uint8_t key[32], const uint8_t signature[64], const void *message, size_t len,
                        struct cell_error *e);

#endif
