/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The math cell: solvers, distributions and checks that programs run themselves. See README.md. */
#include <cell/serve.h>

#include "common/program.h"

CELL_PROVIDE(math, "Solvers, distributions and checks, as functions that programs run themselves.");

/* Who reads a schema reads the functions with it: their definitions belong to this file. */
#include "checks.c"
#include "fitting.c"
#include "integrals.c"
#include "linear.c"
#include "polynomials.c"
#include "programs.c"
#include "roots.c"
#include "special.c"
#include "values.c"

int main(int argc, char **argv)
{
    struct cell_server_options server = {0};
    const struct program program = {"math", "Solvers, distributions and checks.", NULL, 0, &server, NULL};

    program_prepare();
    const int status = program_parse(&program, argc, argv);
    return status == PROGRAM_GO ? program_serve(&program) : status;
}
