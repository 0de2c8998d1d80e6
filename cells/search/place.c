/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "place.h"

#include <string.h>

static void put64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* A key for which there is no room is left out: a scan that is killed then begins again. */
size_t sc_place_write(const struct sc_place *place, uint8_t position[SEARCH_MOST_POSITION])
{
    size_t n = strlen(place->identity) + 1;

    memcpy(position, place->identity, n);
    position[n++] = place->scanning ? 'S' : 'F';
    put64(position + n, place->number);
    n += 8;
    if (place->scanning) {
        if (place->key_length <= SEARCH_MOST_POSITION - n) {
            memcpy(position + n, place->key, place->key_length);
            n += place->key_length;
        }
    } else {
        put64(position + n, (uint64_t)place->at_us);
        n += 8;
    }
    return n;
}

/* False: it is none. */
bool sc_place_read(const uint8_t *position, size_t length, struct sc_place *place)
{
    const uint8_t *end = memchr(position, 0, length);
    size_t n = end ? (size_t)(end - position) + 1 : 0;

    if (n < 2 || n > sizeof(place->identity) || length - n < 9)
        return false;
    *place = (struct sc_place){.scanning = position[n] == 'S', .number = get64(position + n + 1)};
    memcpy(place->identity, position, n);
    n += 9;
    if (place->scanning) {
        place->key_length = length - n;
        memcpy(place->key, position + n, place->key_length);
    } else if (length - n == 8) {
        place->at_us = (int64_t)get64(position + n);
    }
    return true;
}

int sc_place_check(const struct sc_definition *d, const struct sc_place *place, const struct sc_record *record,
                   struct search_failure *f)
{
    struct sc_key_value before[SC_MOST_KEYS];
    struct search_failure ignored;
    char key[120];

    if (!place->scanning && record->position <= place->number)
        return search_fail(f, CELL_DATA_LOSS, "%s.%s sends change %llu behind change %llu", d->source, d->collection,
                           (unsigned long long)record->position, (unsigned long long)place->number);
    if (!place->scanning || place->key_length == 0 ||
        sc_key_read(d, place->key, place->key_length, before, &ignored) < 0 || sc_key_follows(d, before, record->key))
        return CELL_OK;
    sc_key_print(d, record->key, key, sizeof(key));
    return search_fail(f, CELL_DATA_LOSS, "%s.%s does not send its records in the order of their keys: %s", d->source,
                       d->collection, key);
}

void sc_place_advance(const struct sc_definition *d, struct sc_place *place, const struct sc_record *last)
{
    uint8_t key[SEARCH_MOST_KEY];
    size_t length = 0;
    struct search_failure ignored;

    if (!place->scanning) {
        place->number = last->position;
        place->at_us = last->at_us;
    } else if (sc_key_write(d, last->key, key, &length, &ignored) >= 0 && length <= sizeof(place->key)) {
        memcpy(place->key, key, length);
        place->key_length = length;
    }
}
