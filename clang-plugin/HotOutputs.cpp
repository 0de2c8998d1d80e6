/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Outputs begin as zeros in the document, and in C with what the caller has there. */
#include "HotImpl.h"

void HotUnit::checkOutputs(const HotFunction &) {}
