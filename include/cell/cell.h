/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The header of programs that use Cell. Needs the compiler plugin: clang -fplugin=libcellplugin.so … */
#ifndef CELL_CELL_H
#define CELL_CELL_H

#if !defined(__has_attribute)
#error "Cell needs Clang with its plugin: clang -fplugin=libcellplugin.so"
#elif !__has_attribute(cell_plugin)
#error "the Cell plugin is not loaded: add -fplugin=libcellplugin.so (its path: pkg-config --variable=plugin cell)"
#endif

#include "attrs.h"
#include "ctx.h"

#endif
