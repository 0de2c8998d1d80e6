/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* CELL_HAS and CELL_CAPABILITY_VALUE in #if. */
#ifndef CELL_CAPABILITYCONDITION_H
#define CELL_CAPABILITYCONDITION_H

#include "clang/Lex/Preprocessor.h"

/* Once a preprocessor, with a parser behind it or without. */
void cellWatchConditions(clang::Preprocessor &pp);

#endif
