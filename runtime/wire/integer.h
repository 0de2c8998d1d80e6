/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Integers of any of the eight types as 64 bits. */
#ifndef CELL_WIRE_INTEGER_H
#define CELL_WIRE_INTEGER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cell/desc.h"

static inline bool cell_kind_is_unsigned(uint32_t kind)
{
    return kind == CELL_KIND_U8 || kind == CELL_KIND_U16 || kind == CELL_KIND_U32 || kind == CELL_KIND_U64;
}

/* The one at `from`, which need not be aligned: extended as its type is. False, with 0: `kind` is no integer. */
static inline bool cell_integer_load(uint32_t kind, const void *from, uint64_t *value)
{
    union {
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } v = {.u64 = 0};
    switch (kind) {
#define CELL_LOAD(symbol, member)                                                                                      \
    case CELL_KIND_##symbol:                                                                                           \
        memcpy(&v, from, sizeof(v.member));                                                                            \
        *value = (uint64_t)v.member;                                                                                   \
        return true;
        CELL_LOAD(I8, i8)
        CELL_LOAD(U8, u8)
        CELL_LOAD(I16, i16)
        CELL_LOAD(U16, u16)
        CELL_LOAD(I32, i32)
        CELL_LOAD(U32, u32)
        CELL_LOAD(I64, i64)
        CELL_LOAD(U64, u64)
#undef CELL_LOAD
    default:
        *value = 0;
        return false;
    }
}

#endif
