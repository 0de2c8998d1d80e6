// A cell written in C++ has the schema of its C twin and the same entries.
// RUN: rm -rf %t && mkdir -p %t && cp %s %t/cell.cpp && echo "{}" > %t/cell.json
// RUN: %clangxx_cell -std=c++17 -Wall -Wextra -Werror -c %t/cell.cpp -o %t/one.o
// RUN: %clangxx_cell -std=c++20 -O2 -Weverything -Werror -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-unsafe-buffer-usage -Wno-missing-prototypes -Wno-unknown-warning-option -c %t/cell.cpp -o %t/two.o
// RUN: %clang_cell -x c -std=c11 -c %t/cell.cpp -o %t/three.o
// RUN: %python %inputs/show_schema.py %t/one.o > %t/one && %python %inputs/show_schema.py %t/two.o > %t/two
// RUN: %python %inputs/show_schema.py %t/three.o > %t/three
// RUN: diff %t/one %t/two && diff %t/one %t/three
// RUN: FileCheck %s < %t/one
// RUN: llvm-readelf --symbols %t/two.o | FileCheck --check-prefix=ELF %s

// CHECK: method {{.*}}"name": "geo_distance"
// CHECK: method {{.*}}"name": "geo_name"
// ELF-DAG: cellgen_entry_geo_distance
// ELF-DAG: cellgen_entry_geo_name
// ELF-DAG: OBJECT GLOBAL HIDDEN {{.*}} cell_provided{{$}}
// ELF-DAG: OBJECT GLOBAL HIDDEN {{.*}} cell_provided_schema{{$}}
// ELF-DAG: NOTYPE WEAK HIDDEN UND __start_cell_methods{{$}}

#include <cell/serve.h>

struct point {
    double x, y;
};

#ifdef __cplusplus
extern "C" {
#endif
CELL_PROVIDE(geo, "Geometry");

CELL_METHOD int geo_distance(cell_ctx *c, const struct point *from, const struct point *to, struct point *out);
CELL_METHOD int geo_distance(cell_ctx *c, const struct point *from, const struct point *to, struct point *out)
{
    out->x = to->x - from->x;
    out->y = to->y - from->y;
    return c ? 0 : CELL_INVALID_ARGUMENT;
}

/* The second method of this block shares a type with the first. */
CELL_METHOD int geo_name(cell_ctx *c, struct point at, cell_str *out)
{
    *out = cell_ctx_printf(c, "%f", at.x);
    return 0;
}
#ifdef __cplusplus
}
#endif
