/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "generate.h"

int pg_generate_table(const struct pg_table *table, const json_t *declaration, bool read_only, json_t *document)
{
    (void)table, (void)declaration, (void)read_only, (void)document;
    return 0;
}
