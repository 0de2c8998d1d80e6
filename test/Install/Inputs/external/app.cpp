/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <cell/cell.h>

#include <cstdio>

namespace remote
{
CELL_REMOTE(hello);
}

int main()
{
    CELL_CTX(c, .timeout_ms = 10000);
    remote::hello_reply reply;
    if (remote::hello_greet(c, CELL_STR("C++"), &reply) < 0)
        return cell_perror(c, "greet");
    std::printf("%.*s\n", CELL_FMT(reply.text));
}
