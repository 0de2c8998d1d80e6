// A method that is declared again in a block is served when its own declaration ends: nothing is injected into the
// class or the linkage specification around the block.
//
// RUN: rm -rf %t && mkdir %t && cp %s %t/cell.cpp && echo "{}" > %t/cell.json
// RUN: %clangxx_cell -std=c++17 -Wall -Werror -c %t/cell.cpp -o %t/cell.o
// RUN: llvm-nm %t/cell.o | FileCheck %s
// CHECK: cellgen_entry_demo_x

#include <cell/serve.h>

CELL_PROVIDE(demo, "A cell");
CELL_METHOD int demo_x(cell_ctx *c);
extern "C++" {
int demo_x(cell_ctx *) { return 0; }
struct caller {
    int call(cell_ctx *c)
    {
        CELL_METHOD int demo_x(cell_ctx *);
        return demo_x(c) + result;
    }
    int result;
};
}
int run(caller *who, cell_ctx *c) { return who->call(c); }
