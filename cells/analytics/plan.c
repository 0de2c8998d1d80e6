/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "plan.h"

static int64_t load_signed(uint16_t size, const uint8_t *at)
{
    int64_t eight;
    int32_t four;
    int16_t two;

    switch (size) {
    case 8:
        return memcpy(&eight, at, 8), eight;
    case 4:
        return memcpy(&four, at, 4), four;
    case 2:
        return memcpy(&two, at, 2), two;
    default:
        return (int8_t)*at;
    }
}

static uint64_t load_unsigned(uint16_t size, const uint8_t *at)
{
    uint64_t eight;
    uint32_t four;
    uint16_t two;

    switch (size) {
    case 8:
        return memcpy(&eight, at, 8), eight;
    case 4:
        return memcpy(&four, at, 4), four;
    case 2:
        return memcpy(&two, at, 2), two;
    default:
        return *at;
    }
}

union an_number an_load(const struct an_field *field, const void *record)
{
    const uint8_t *at = (const uint8_t *)record + field->offset;
    union an_number n;
    float single;

    if (field->class == AN_SIGNED) {
        n.i = load_signed(field->size, at);
    } else if (field->class == AN_UNSIGNED) {
        n.u = load_unsigned(field->size, at);
    } else if (field->size == 4) {
        memcpy(&single, at, 4);
        n.d = single;
    } else {
        memcpy(&n.d, at, 8);
    }
    return n;
}

void an_key_of(const struct an_plan *plan, const void *record, void *key)
{
    uint8_t *to = key;

    for (uint32_t i = 0; i < plan->nkeys; i++) {
        const struct an_field *field = &plan->keys[i];
        uint32_t padded = (field->size + 7u) / 8 * 8;
        if (field->class == AN_BYTES) {
            memset(to + padded - 8, 0, 8);
            memcpy(to, (const uint8_t *)record + field->offset, field->size);
        } else {
            union an_number n = an_load(field, record);
            memcpy(to, &n, 8);
        }
        to += padded;
    }
}
