/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The header of programs that use Cell. Needs the compiler plugin: clang -fplugin=libcellplugin.so … */
#ifndef CELL_CELL_H
#define CELL_CELL_H

/* The pragma has the plugin begin to ask those cells that it expects this file to need. */
#if !defined(__has_attribute)
#error "Cell needs Clang with its plugin: clang -fplugin=libcellplugin.so"
#elif __has_attribute(cell_plugin)
#pragma cell plugin
#else
/* Before LLVM 17 plugins are not asked about attributes: there the plugin answers the pragma by defining the macro. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunknown-pragmas"
#pragma cell plugin
#pragma clang diagnostic pop
#ifndef CELL_PLUGIN
#error "the Cell plugin is not loaded: add -fplugin=libcellplugin.so (its path: pkg-config --variable=plugin cell)"
#endif
#endif

#include "attrs.h"  // IWYU pragma: export
#include "ctx.h"    // IWYU pragma: export
#include "search.h" // IWYU pragma: export
#include "sql.h"    // IWYU pragma: export
#include "store.h"  // IWYU pragma: export

#endif
