// Every kind of parameter and field, as the schema has it.
// RUN: rm -rf %t && mkdir -p %t && cp %s %t/cell.c && echo "{}" > %t/cell.json
// RUN: %clang_cell -std=c11 -Wall -Wextra -Werror -Wno-unused-parameter -c %t/cell.c -o %t/kinds.o
// RUN: %python %inputs/show_schema.py %t/kinds.o | FileCheck --check-prefixes=CHECK,SIGNED %s
// RUN: %clang_cell -std=c11 -funsigned-char -c %t/cell.c -o %t/unsigned.o
// RUN: %python %inputs/show_schema.py %t/unsigned.o | FileCheck --check-prefixes=CHECK,UNSIGNED %s
// RUN: %clangxx_cell -x c++ -std=c++17 -c %t/cell.c -o %t/cxx.o
// RUN: %python %inputs/show_schema.py %t/cxx.o | FileCheck --check-prefixes=CHECK,SIGNED %s

#include <cell/serve.h>
CELL_PROVIDE(k, "");

// CHECK-DAG: type {{.*}}"name": "k_color", "size": 4, "type": "u32"
enum k_color { K_RED, K_GREEN };
// CHECK-DAG: type {{.*}}"name": "k_signed", "size": 4, "type": "i32", "values": [{"name": "K_MINUS", "value": "-1"}
enum k_signed { K_MINUS = -1, K_PLUS = 1 };
// CHECK-DAG: type {{.*}}"name": "k_small", "size": 1, "type": "u8"
__extension__ enum k_small : uint8_t { K_LOW, K_HIGH = 255 };
// CHECK-DAG: type {{.*}}"name": "k_large", "size": 8, "type": "u64", "values": [{"name": "K_MOST", "value": "18446744073709551615"}
__extension__ enum k_large : uint64_t { K_MOST = 18446744073709551615u };
// CHECK-DAG: "fields": [{"name": "a", "offset": 0, "type": "i16"}, {"name": "b", "offset": 8, "type": "f64"}], "kind": "struct", "name": "k_inner", "size": 16
struct k_inner {
    short a;
    double b;
};
CELL_LIST(k_inner_list, struct k_inner);
CELL_OPT(k_opt_color, enum k_color);
CELL_OPT(k_opt_inner, struct k_inner);
CELL_LIST(k_numbers, uint16_t);
// CHECK-DAG: type {{.*}}"kind": "list", "name": "k_inner_list", "of": "k_inner", "size": 16
// CHECK-DAG: type {"align": 4, "kind": "opt", "name": "k_opt_color", "of": "k_color", "size": 8
// CHECK-DAG: type {"align": 8, "kind": "opt", "name": "k_opt_inner", "of": "k_inner", "size": 24
// CHECK-DAG: type {{.*}}"kind": "list", "name": "k_numbers", "of": "u16", "size": 16
// CHECK-DAG: [{"name": "list", "offset": 0, "type": "k_inner_list"}, {"name": "opt", "offset": 16, "type": "k_opt_color"}, {"name": "colors", "offset": 24, "type": "k_color[3]"}, {"name": "inner", "offset": 40, "type": "k_inner[2]"}, {"name": "small", "offset": 72, "type": "k_small"}, {"name": "i", "offset": 80, "type": "opt<i64>"}, {"name": "texts", "offset": 96, "type": "list<str>"}]
struct k_all {
    k_inner_list list;
    k_opt_color opt;
    enum k_color colors[3];
    struct k_inner inner[2];
    enum k_small small;
    cell_opt_i64 i;
    cell_list_str texts;
};

// CHECK-DAG: "name": "k_scalars", "params": [{"dir": "in", "name": "a", "type": "bool"}, {"dir": "in", "name": "b", "type": "i8"}, {"dir": "in", "name": "d", "type": "u8"}, {"dir": "in", "name": "e", "type": "i16"}, {"dir": "in", "name": "f", "type": "u16"}, {"dir": "in", "name": "g", "type": "i32"}, {"dir": "in", "name": "h", "type": "u32"}, {"dir": "in", "name": "i", "type": "i64"}, {"dir": "in", "name": "j", "type": "u64"}, {"dir": "in", "name": "k", "type": "i64"}, {"dir": "in", "name": "l", "type": "u64"}, {"dir": "in", "name": "m", "type": "f32"}, {"dir": "in", "name": "n", "type": "f64"}]
CELL_METHOD int k_scalars(cell_ctx *c, CELL_BOOL_TYPE a, signed char b, unsigned char d, short e, unsigned short f,
                          int g, unsigned h, long i, unsigned long j, long long k, unsigned long long l, float m,
                          double n)
{
    return a && b && d && e && f && g && h && i && j && k && l && m > 0 && n > 0;
}

// SIGNED-DAG: "name": "k_char", "params": [{"dir": "in", "name": "ch", "type": "i8"}, {"dir": "in", "name": "size", "type": "u64"}, {"dir": "in", "name": "t", "type": "i64"}]
// UNSIGNED-DAG: "name": "k_char", "params": [{"dir": "in", "name": "ch", "type": "u8"}, {"dir": "in", "name": "size", "type": "u64"}
CELL_METHOD int k_char(cell_ctx *c, const char ch, size_t size, intptr_t t);

// CHECK-DAG: "name": "k_values", "params": [{"dir": "in", "name": "s", "type": "str"}, {"dir": "in", "name": "b", "type": "bytes"}, {"dir": "in", "name": "list", "type": "list<f32>"}, {"dir": "in", "name": "opt", "type": "opt<bool>"}, {"dir": "in", "name": "color", "type": "k_color"}, {"dir": "in", "name": "all", "type": "k_all"}, {"dir": "in", "name": "numbers", "type": "k_numbers"}, {"dir": "in", "name": "sign", "type": "k_signed"}, {"dir": "in", "name": "large", "type": "k_large"}, {"dir": "in", "name": "o", "type": "k_opt_inner"}]
CELL_METHOD int k_values(cell_ctx *c, cell_str s, cell_bytes b, cell_list_f32 list, cell_opt_bool opt,
                         enum k_color color, struct k_all all, k_numbers numbers, enum k_signed sign,
                         enum k_large large, k_opt_inner o)
{
    return s.len + b.len + list.len + opt.has + (unsigned)color + all.list.len + numbers.len > 3;
}

// CHECK-DAG: "name": "k_pointers", "params": [{"dir": "in", "name": "in", "pointer": true, "type": "k_all"}, {"dir": "in", "name": "key", "pointer": true, "type": "u8[16]"}, {"dir": "in", "name": "names", "pointer": true, "type": "str[2]"}, {"dir": "out", "name": "out", "pointer": true, "type": "k_inner"}, {"dir": "out", "name": "text", "pointer": true, "type": "str"}, {"dir": "out", "name": "list", "pointer": true, "type": "k_inner_list"}, {"dir": "out", "name": "ids", "pointer": true, "type": "u64[4]"}, {"dir": "in", "name": "last", "type": "u8"}]
CELL_METHOD int k_pointers(cell_ctx *c, const struct k_all *in, const uint8_t key[16], const cell_str names[2],
                           struct k_inner *out, cell_str *text, k_inner_list *list, uint64_t ids[4], uint8_t last)
{
    return in->texts.len + key[0] + names[1].len + last > 3 && out && text && list && ids;
}
