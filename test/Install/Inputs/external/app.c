/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls the installed auth cell and the project's own. `app EMAIL` */
#include <stdio.h>

#include <cell/cell.h>

CELL_REMOTE(auth);
CELL_REMOTE(hello);

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 10000);
    struct auth_account account;
    struct hello_reply reply;
    if (argc != 2)
        return 2;
    if (auth_register(c, cell_strz(argv[1]), CELL_STR("correct horse"), &account) < 0)
        return cell_perror(c, "register");
    printf("registered %.*s\n", CELL_FMT(account.email));
    if (hello_greet(c, account.email, &reply) < 0)
        return cell_perror(c, "greet");
    printf("%.*s\n", CELL_FMT(reply.text));
    return 0;
}
