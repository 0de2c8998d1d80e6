/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Registers an account unless it exists, logs in and says hello.
 *
 *   cell up auth
 *   clang-19 -fplugin=libcellplugin.so frontend.c -lcell -o frontend
 *   ./frontend ada@example.org 'correct horse battery staple'
 */
#include <stdio.h>

#include <cell/cell.h>

CELL_REMOTE(auth); /* every method of the running auth cell is now a C function */

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s EMAIL PASSWORD\n", argv[0]);
        return 2;
    }
    cell_str email = cell_strz(argv[1]), password = cell_strz(argv[2]);
    CELL_CTX(c, .timeout_ms = 10000); /* deadline, reply memory, error trail; freed at scope exit */

    struct auth_account account;
    int r = auth_register(c, email, password, &account);
    if (r < 0 && r != CELL_ALREADY_EXISTS)
        return cell_perror(c, "register");
    if (r >= 0)
        printf("registered account %llu\n", (unsigned long long)account.id);

    struct auth_session s;
    r = auth_login(c, email, password, &s);
    if (r == CELL_UNAUTHENTICATED) {
        fprintf(stderr, "wrong e-mail address or password\n");
        return 2;
    }
    if (r < 0)
        return cell_perror(c, "log in");
    printf("hello %.*s\n", CELL_FMT(s.email));
    return auth_logout(c, s.token) < 0 ? cell_perror(c, "log out") : 0;
}
