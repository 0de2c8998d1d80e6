/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/frame.h"

#include <string.h>

#include "wire/limits.h"

#define PAIR_HEADER 4u

/* [:]?[a-z0-9._-]+ */
static bool key_valid(const char *key, size_t len)
{
    size_t i = len && key[0] == ':';
    if (i == len)
        return false;
    for (; i < len; i++) {
        char c = key[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

int cell_meta_append(struct cell_buffer *b, const char *key, const void *value, size_t len)
{
    size_t key_len = strlen(key);
    if (!key_valid(key, key_len))
        return CELL_INVALID_ARGUMENT;
    if (key_len > CELL_MAX_META_BYTES || len > CELL_MAX_META_BYTES || PAIR_HEADER + key_len + len > CELL_MAX_META_BYTES)
        return CELL_TOO_LARGE;
    const uint8_t header[PAIR_HEADER] = {(uint8_t)key_len, (uint8_t)(key_len >> 8), (uint8_t)len, (uint8_t)(len >> 8)};
    /* All or nothing: a pair is never left half written. */
    if (!cell_buffer_reserve(b, PAIR_HEADER + key_len + len))
        return CELL_NO_MEMORY;
    cell_buffer_append(b, header, sizeof(header));
    cell_buffer_append(b, key, key_len);
    cell_buffer_append(b, value, len);
    return CELL_OK;
}

int cell_meta_next(const uint8_t *block, size_t len, size_t *offset, struct cell_meta_pair *pair)
{
    if (*offset == len)
        return 0;
    if (*offset > len || len - *offset < PAIR_HEADER)
        return CELL_PROTOCOL_ERROR;
    const uint8_t *p = block + *offset;
    size_t left = len - *offset - PAIR_HEADER;
    size_t key_len = (size_t)(p[0] | p[1] << 8), value_len = (size_t)(p[2] | p[3] << 8);
    if (key_len > left || value_len > left - key_len)
        return CELL_PROTOCOL_ERROR;
    pair->key = (const char *)p + PAIR_HEADER;
    pair->key_len = key_len;
    pair->value = p + PAIR_HEADER + key_len;
    pair->value_len = value_len;
    *offset += PAIR_HEADER + key_len + value_len;
    return 1;
}

int cell_meta_find(const uint8_t *block, size_t len, const char *key, struct cell_meta_pair *pair)
{
    struct cell_meta_pair p;
    size_t offset = 0, key_len = strlen(key);
    int r;
    while ((r = cell_meta_next(block, len, &offset, &p)) > 0) {
        if (p.key_len == key_len && memcmp(p.key, key, key_len) == 0) {
            *pair = p;
            return CELL_OK;
        }
    }
    return r < 0 ? r : CELL_NOT_FOUND;
}

int cell_meta_check(const uint8_t *block, size_t len, struct cell_error *e)
{
    struct cell_meta_pair pair;
    size_t offset = 0, pairs = 0;
    int r;
    if (len > CELL_MAX_META_BYTES)
        return cell_error_set(e, CELL_TOO_LARGE, "%zu bytes of metadata; the limit is %u", len, CELL_MAX_META_BYTES);
    while ((r = cell_meta_next(block, len, &offset, &pair)) > 0) {
        if (++pairs > CELL_MAX_META_PAIRS)
            return cell_error_set(e, CELL_TOO_LARGE, "more than %u pairs of metadata", CELL_MAX_META_PAIRS);
        if (!key_valid(pair.key, pair.key_len))
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "metadata pair %zu has an invalid key", pairs);
    }
    if (r < 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "metadata pair %zu is cut off", pairs + 1);
    return CELL_OK;
}
