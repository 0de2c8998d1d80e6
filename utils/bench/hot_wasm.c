/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One case of hot_cases.c, HOT_CASE, so many times, HOT_CALLS, for a WebAssembly interpreter that passes no arguments.
 */
#include "hot_cases.h"

__attribute__((export_name("run"))) double run(void) { return hot_direct_cases[HOT_CASE].run(HOT_CALLS); }
