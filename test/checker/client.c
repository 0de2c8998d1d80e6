/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A client of the ledger that says what it has asked for and what it was told, for utils/checker:
 *
 *     client CLIENT FROM TO BATCH
 *
 * orders FROM to TO - 1 of CLIENT, in batches; each is made from its number, so that who takes over after a death
 * orders the same. Each credits the client's own account, 1000 + CLIENT, with 1 of some shared one, or first reserves
 * that. Lines: "ask N M", "told N M"; "read BALANCE RESERVED SEQUENCE" of its account, and "at RECORDS DURABLE
 * TRANSFERS" of the ledger. Whatever fails is asked for again. It waits for a line of its input before each batch.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cell/cell.h>

CELL_REMOTE(ledger);

#define SHARED 100

static struct ledger_order order_of(uint64_t client, uint64_t n)
{
    struct ledger_order o = {.id_high = client + 1,
                             .id_low = n + 1,
                             .from = 1 + (n * 13 + client) % SHARED,
                             .to = 1000 + client,
                             .amount = 1};

    o.code = (uint32_t)n;
    if (n % 5 == 1)
        o.kind = LEDGER_PENDING;
    if (n % 5 == 2) {
        o.kind = LEDGER_POSTED;
        o.from = o.to = 0;
        o.amount = 0;
        o.pending_high = client + 1;
        o.pending_low = n;
    }
    o.linked = n % 5 == 3;
    return o;
}

static void wait_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

static bool again(cell_ctx *c, int r)
{
    if (r >= 0)
        return false;
    if (r == CELL_INVALID_ARGUMENT || r == CELL_SCHEMA_MISMATCH || r == CELL_DATA_LOSS)
        exit(cell_perror(c, "client"));
    if (r == CELL_RESOURCE_EXHAUSTED && puts("full") >= 0)
        fflush(stdout);
    wait_a_moment();
    return true;
}

static void open_accounts(cell_ctx *c, uint64_t client)
{
    struct ledger_new_account accounts[SHARED + 1];
    ledger_refusals refused;

    for (uint64_t i = 0; i <= SHARED; i++)
        accounts[i] = (struct ledger_new_account){
            .id = i < SHARED ? i + 1 : 1000 + client, .currency = 978, .overdraft = i < SHARED ? INT64_MAX : 0};
    while (again(c, ledger_open(c, (ledger_new_accounts){accounts, SHARED + 1}, &refused)))
        cell_ctx_reset(c);
    if (refused.len)
        exit(fprintf(stderr, "client: %.*s\n", CELL_FMT(refused.ptr[0].text)));
}

static void order(cell_ctx *c, uint64_t client, uint64_t first, uint64_t n)
{
    static struct ledger_order orders[LEDGER_MOST];
    ledger_refusals refused;
    int r;

    for (uint64_t i = 0; i < n; i++)
        orders[i] = order_of(client, first + i);
    printf("ask %" PRIu64 " %" PRIu64 "\n", first, first + n);
    fflush(stdout);
    do {
        cell_ctx_reset(c);
        struct ledger_receipt receipt;
        if (n == 1)
            r = ledger_transfer(c, orders, &receipt);
        else
            r = ledger_transfer_many(c, (ledger_orders){orders, n}, &refused);
    } while (again(c, r));
    if (n > 1 && refused.len)
        exit(fprintf(stderr, "client: order %" PRIu64 ": %.*s\n", first + refused.ptr[0].index,
                     CELL_FMT(refused.ptr[0].text)));
    printf("told %" PRIu64 " %" PRIu64 "\n", first, first + n);
    fflush(stdout);
}

static void look(cell_ctx *c, uint64_t client)
{
    struct ledger_account a;
    struct ledger_state s;

    cell_ctx_reset(c);
    if (ledger_account_of(c, 1000 + client, &a) < 0)
        return; /* another time */
    printf("read %" PRId64 " %" PRId64 " %" PRIu64 "\n", a.balance, a.incoming, a.last);
    if (ledger_status(c, &s) >= 0)
        printf("at %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s.records, s.durable, s.transfers);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    uint64_t client = strtoull(argv[1], NULL, 10), at = strtoull(argv[2], NULL, 10), to = strtoull(argv[3], NULL, 10);
    uint64_t batch = strtoull(argv[4], NULL, 10);
    char line[4];
    CELL_CTX(c, .timeout_ms = 3000);

    open_accounts(c, client);
    while (at < to && fgets(line, sizeof(line), stdin)) {
        /* Of any size, and so that no chain is cut. */
        uint64_t n = 1 + (at * 2654435761u >> 7) % batch;
        n = n < to - at ? n : to - at;
        if ((at + n - 1) % 5 == 3)
            n = n > 1 ? n - 1 : n + 1;
        order(c, client, at, n);
        at += n;
        look(c, client);
    }
    return at < to;
}
