#include <stdio.h>

#include <cell/cell.h>

CELL_REMOTE(auth);

int main(void)
{
    CELL_CTX(c, .timeout_ms = 10000);
    struct auth_account account;
    int r = auth_register(c, CELL_STR("ada@example.org"), CELL_STR("correct horse"), &account);
    if (r < 0)
        return cell_perror(c, "register");
    printf("registered %.*s\n", CELL_FMT(account.email));
    return 0;
}
