/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Tells whose each session token is, one on a line of the standard input. All questions travel before the first answer
 * is waited for.
 *
 *   ./tokens < tokens.txt
 */
#include <stdio.h>
#include <string.h>

#include <cell/cell.h>

CELL_REMOTE(auth);

enum { MOST = 100 };

int main(void)
{
    static char lines[MOST][128];
    struct auth_account accounts[MOST];
    int tickets[MOST], n = 0;
    CELL_CTX(c, .timeout_ms = 10000);

    for (; n < MOST && fgets(lines[n], sizeof(lines[n]), stdin); n++) {
        lines[n][strcspn(lines[n], "\n")] = '\0';
        tickets[n] = auth_whoami_async(c, cell_strz(lines[n]), &accounts[n]);
    }
    for (int i = 0; i < n; i++) {
        int r = cell_wait(c, tickets[i]);
        if (r >= 0)
            printf("%.*s\n", CELL_FMT(accounts[i].email));
        else if (r == CELL_UNAUTHENTICATED)
            printf("nobody\n");
        else
            return cell_perror(c, "whoami");
    }
    return 0;
}
