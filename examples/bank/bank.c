/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A small bank on the ledger cell: customers' accounts in euro, paid in and out in cash, with card payments that are
 * reserved first. Try: ./bank help */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cell/cell.h>

CELL_REMOTE(ledger);

#define EUR 978   /* ISO 4217 */
#define CASH 1    /* the bank's own account, from which everything comes */
#define CARDS 100 /* code of a card payment */

static int open_account(cell_ctx *c, uint64_t id, int64_t overdraft)
{
    const struct ledger_new_account accounts[] = {{.id = CASH, .currency = EUR, .overdraft = INT64_MAX},
                                                  {.id = id, .currency = EUR, .overdraft = overdraft}};
    ledger_refusals refused;

    if (ledger_open(c, (ledger_new_accounts){accounts, id == CASH ? 1 : 2}, &refused) < 0)
        return cell_perror(c, "open");
    for (uint64_t i = 0; i < refused.len; i++)
        fprintf(stderr, "open: %.*s\n", CELL_FMT(refused.ptr[i].text));
    return refused.len > 0;
}

/* An order of its own. A program that may be interrupted keeps the id before it asks, and asks with it again. */
static struct ledger_order new_order(void)
{
    struct ledger_order order = {.kind = LEDGER_TRANSFER};

    if (getrandom(&order.id_low, sizeof(order.id_low), 0) != sizeof(order.id_low))
        abort();
    order.id_high = 1;
    return order;
}

static int carry_out(cell_ctx *c, const struct ledger_order *order)
{
    struct ledger_receipt receipt;

    if (ledger_transfer(c, order, &receipt) < 0)
        return cell_perror(c, "bank");
    printf("order %" PRIu64 ", record %" PRIu64 "\n", order->id_low, receipt.sequence);
    return 0;
}

static int move_money(cell_ctx *c, uint64_t from, uint64_t to, int64_t cents)
{
    struct ledger_order order = new_order();

    order.from = from;
    order.to = to;
    order.amount = cents;
    return carry_out(c, &order);
}

/* A card payment: reserved now, posted or given up later, by the number that was printed. */
static int reserve(cell_ctx *c, uint64_t from, uint64_t to, int64_t cents)
{
    struct ledger_order order = new_order();

    order.from = from;
    order.to = to;
    order.amount = cents;
    order.kind = LEDGER_PENDING;
    order.code = CARDS;
    return carry_out(c, &order);
}

static int end_reserved(cell_ctx *c, uint64_t which, enum ledger_kind kind, int64_t cents)
{
    struct ledger_order order = new_order();

    order.pending_high = 1;
    order.pending_low = which;
    order.kind = kind;
    order.amount = cents;
    return carry_out(c, &order);
}

/* A transfer and its fee: both, or neither. */
static int move_with_fee(cell_ctx *c, uint64_t from, uint64_t to, int64_t cents, int64_t fee)
{
    struct ledger_order orders[] = {new_order(), new_order()};
    ledger_refusals refused;

    for (int i = 0; i < 2; i++) {
        orders[i].from = from;
        orders[i].to = i == 0 ? to : CASH;
        orders[i].amount = i == 0 ? cents : fee;
        orders[i].linked = i == 0;
    }
    if (ledger_transfer_many(c, (ledger_orders){orders, 2}, &refused) < 0)
        return cell_perror(c, "bank");
    for (uint64_t i = 0; i < refused.len; i++)
        printf("%s: %.*s\n", refused.ptr[i].index == 0 ? "transfer" : "fee", CELL_FMT(refused.ptr[i].text));
    return refused.len > 0;
}

static int show(cell_ctx *c, uint64_t id)
{
    struct ledger_account a;

    if (ledger_account_of(c, id, &a) < 0)
        return cell_perror(c, "bank");
    printf("account %" PRIu64 ": balance %" PRId64 ", reserved %" PRId64 ", available %" PRIu64 "\n", a.id, a.balance,
           a.outgoing, ledger_available(a)); /* the ledger's own function, compiled in */
    return 0;
}

static int statement(cell_ctx *c, uint64_t id)
{
    static const char *const kinds[] = {"transfer", "reserved", "posted", "given up", "opened", "changed", "closed"};
    struct ledger_statement s;

    if (ledger_statement_of(c, id, 0, INT64_MAX, &s) < 0)
        return cell_perror(c, "bank");
    printf("before %10" PRId64 "\n", s.opening);
    for (uint64_t i = 0; i < s.records.len; i++) {
        const struct ledger_entry *e = &s.records.ptr[i].entry;
        int64_t amount = e->from == id ? -e->amount : e->amount;
        printf("%-8s %8" PRId64 " %10" PRId64 "\n", kinds[e->kind], amount,
               e->from == id ? e->from_balance : e->to_balance);
    }
    printf("in %" PRId64 ", out %" PRId64 "\nafter %11" PRId64 "\n", s.in, s.out, s.closing);
    return 0;
}

/* Everything that happens, as it happens; with a number, so many records from the beginning. */
static int watch(cell_ctx *c, uint64_t most)
{
    struct ledger_transfers_iter it = ledger_transfers(c, 0);

    for (uint64_t n = 0; n < most && ledger_transfers_next(&it); n++)
        printf("%" PRIu64 ": %" PRIu64 " to %" PRIu64 ", %" PRId64 "\n", it.row.sequence, it.row.entry.from,
               it.row.entry.to, it.row.entry.amount);
    return ledger_transfers_end(&it) < 0 ? cell_perror(c, "watch") : 0;
}

static int usage(void)
{
    fputs("usage: bank open ACCOUNT [OVERDRAFT]\n"
          "       bank deposit ACCOUNT CENTS | withdraw ACCOUNT CENTS\n"
          "       bank transfer FROM TO CENTS [FEE]\n"
          "       bank reserve FROM TO CENTS | post ORDER [CENTS] | void ORDER\n"
          "       bank show ACCOUNT | statement ACCOUNT | watch [RECORDS]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 10000);
    int64_t n[4] = {0};

    for (int i = 2; i < argc && i < 6; i++)
        n[i - 2] = (int64_t)strtoull(argv[i], NULL, 10); /* numbers of orders have 64 bits */
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "watch") == 0)
        return watch(c, argc > 2 ? (uint64_t)n[0] : UINT64_MAX);
    if (argc < 3)
        return usage();
    if (strcmp(verb, "open") == 0)
        return open_account(c, (uint64_t)n[0], n[1]);
    if (strcmp(verb, "deposit") == 0)
        return move_money(c, CASH, (uint64_t)n[0], n[1]);
    if (strcmp(verb, "withdraw") == 0)
        return move_money(c, (uint64_t)n[0], CASH, n[1]);
    if (strcmp(verb, "transfer") == 0)
        return argc > 5 ? move_with_fee(c, (uint64_t)n[0], (uint64_t)n[1], n[2], n[3])
                        : move_money(c, (uint64_t)n[0], (uint64_t)n[1], n[2]);
    if (strcmp(verb, "reserve") == 0)
        return reserve(c, (uint64_t)n[0], (uint64_t)n[1], n[2]);
    if (strcmp(verb, "post") == 0)
        return end_reserved(c, (uint64_t)n[0], LEDGER_POSTED, n[1]);
    if (strcmp(verb, "void") == 0)
        return end_reserved(c, (uint64_t)n[0], LEDGER_VOIDED, 0);
    if (strcmp(verb, "show") == 0)
        return show(c, (uint64_t)n[0]);
    return strcmp(verb, "statement") == 0 ? statement(c, (uint64_t)n[0]) : usage();
}
