/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Clock, cleanup attributes, SHA-256, files and suggestions: what every layer needs and libc does not have. */
#ifndef CELL_BASE_UTIL_H
#define CELL_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t cell_now_ns(void);
/* The same clock as of the kernel's last tick, for a fourth of the cost: never after now, some milliseconds before it,
 * and more when ticks are late. Only for what need not be exact; no deadline is made of it. */
uint64_t cell_coarse_ns(void);
#define CELL_NS_PER_MS UINT64_C(1000000)
#define CELL_NO_DEADLINE UINT64_MAX

/* Scope-exit cleanup, for .c files only. */
#define CELL_CLEANUP(fn) __attribute__((cleanup(fn)))

/* What a short call runs through: the linker puts it together on a few pages, so that after a pause, when all of it has
 * to come into the caches again, there are fewer of them to look up. */
#define CELL_HOT __attribute__((hot))
void cell_cleanup_fd(int *fd);   /* closes if >= 0, keeps errno */
void cell_cleanup_free(void *p); /* p is the address of a pointer */

/* SHA-256, FIPS 180-4. Own code because the plugin must not load a crypto library into every compilation (measured:
 * a library costs a small compile more than all else the plugin does). Not used for secrets. */
struct cell_sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};
void cell_sha256_init(struct cell_sha256 *h);
void cell_sha256_update(struct cell_sha256 *h, const void *bytes, size_t len);
void cell_sha256_final(struct cell_sha256 *h, uint8_t digest[32]);
/* Lower-case hex of the digest of one buffer, NUL-terminated. */
void cell_sha256_hex(const void *bytes, size_t len, char hex[65]);

/* A checksum against damage, not against people: 64 bits, the step of FNV-1a on words of 8 bytes (the last one padded
 * with zeros, then the length). For what every compilation reads, where SHA-256 would be most of the work. The same on
 * machines of one byte order. */
uint64_t cell_checksum(const void *bytes, size_t len);

/* Whether two secrets of `len` bytes are the same, in a time that does not depend on where they differ. */
bool cell_same_secret(const void *a, const void *b, size_t len);

/* Reads a whole regular file of at most `limit` bytes, NUL-terminated after *len. Caller frees *data.
 * CELL_NOT_FOUND, CELL_TOO_LARGE, CELL_IO_ERROR, CELL_NO_MEMORY. */
int cell_file_read(const char *path, size_t limit, char **data, size_t *len, struct cell_error *e);
/* Writes a temporary file beside `path` and renames it into place: readers see the old or the new content, also after
 * a full disk or a kill. Not synced to disk: for caches. */
int cell_file_replace(const char *path, const void *data, size_t len, struct cell_error *e);
/* The same for what is no cache: on the disk when it returns CELL_OK. */
int cell_file_replace_synced(const char *path, const void *data, size_t len, struct cell_error *e);
/* mkdir -p with mode 0700 for what is created. */
int cell_mkdirs(const char *path, struct cell_error *e);
/* The same, and the names on the way to it are on the disk. */
int cell_mkdirs_synced(const char *path, struct cell_error *e);

/* The candidate nearest to `word` (optimal string alignment distance, at most a third of the length), or NULL. */
const char *cell_suggest(const char *word, const char *const *candidates, size_t n);

/* True when `s` is [A-Za-z_][A-Za-z0-9_]{0,126}; keywords are not its business. */
bool cell_is_identifier(const char *s);

#endif
