/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The descriptors of the built-in types. */
#include "cell/desc.h"

/* The message has the layout of C structs, so this code only stands on machines where the two are the same. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "messages are little-endian");
_Static_assert(sizeof(void *) == 8 && sizeof(long) == 8 && sizeof(_Bool) == 1, "messages have the LP64 layout");
_Static_assert(sizeof(cell_str) == 16 && sizeof(cell_bytes) == 16 && sizeof(struct cell_ref) == 16 &&
                   sizeof(cell_list_u8) == 16,
               "a reference is 16 bytes");
_Static_assert(_Alignof(int64_t) == 8 && _Alignof(double) == 8 && _Alignof(cell_str) == 8, "LP64 alignment");

#define KIND_bool CELL_KIND_BOOL
#define KIND_i8 CELL_KIND_I8
#define KIND_u8 CELL_KIND_U8
#define KIND_i16 CELL_KIND_I16
#define KIND_u16 CELL_KIND_U16
#define KIND_i32 CELL_KIND_I32
#define KIND_u32 CELL_KIND_U32
#define KIND_i64 CELL_KIND_I64
#define KIND_u64 CELL_KIND_U64
#define KIND_f32 CELL_KIND_F32
#define KIND_f64 CELL_KIND_F64
#define KIND_str CELL_KIND_STR
#define KIND_bytes CELL_KIND_BYTES

#define DEFINE_TYPES(suffix, T)                                                                                        \
    const struct cell_type cell_type_##suffix = {                                                                      \
        .name = #suffix, .kind = KIND_##suffix, .size = sizeof(T), .align = _Alignof(T)};                              \
    const struct cell_type cell_type_list_##suffix = {.name = "list<" #suffix ">",                                     \
                                                      .kind = CELL_KIND_LIST,                                          \
                                                      .size = sizeof(cell_list_##suffix),                              \
                                                      .align = _Alignof(cell_list_##suffix),                           \
                                                      .elem = &cell_type_##suffix};                                    \
    const struct cell_type cell_type_opt_##suffix = {.name = "opt<" #suffix ">",                                       \
                                                     .kind = CELL_KIND_OPT,                                            \
                                                     .size = sizeof(cell_opt_##suffix),                                \
                                                     .align = _Alignof(cell_opt_##suffix),                             \
                                                     .elem = &cell_type_##suffix};
CELL_SCALAR_MAP(DEFINE_TYPES)
