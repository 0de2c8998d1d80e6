/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asks a ledger for what examples/bank does not: accounts that change and close, orders by id, and history in pages.
 * "write" does and reads it all, "read" only reads, from a ledger that was started anew. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cell/cell.h>

CELL_REMOTE(ledger);

#define CASH 1
#define SHOP 2
#define SPARE 3
#define SALES 20

static int failures;
#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            printf("line %d: %s\n", __LINE__, #x);                                                                     \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

static uint64_t records_of(cell_ctx *c)
{
    struct ledger_state s = {.records = 0};
    CHECK(ledger_status(c, &s) >= 0);
    return s.records;
}

/* What is said of one account: 0, or why it was refused. */
static enum ledger_reason change(cell_ctx *c, struct ledger_new_account a)
{
    ledger_refusals refused = {NULL, 0};
    CHECK(ledger_change(c, (ledger_new_accounts){&a, 1}, &refused) >= 0);
    return refused.len ? refused.ptr[0].reason : LEDGER_ACCEPTED;
}

static enum ledger_reason close_one(cell_ctx *c, uint64_t id)
{
    ledger_refusals refused = {NULL, 0};
    CHECK(ledger_close(c, (cell_list_u64){&id, 1}, &refused) >= 0);
    return refused.len ? refused.ptr[0].reason : LEDGER_ACCEPTED;
}

static int pay(cell_ctx *c, uint64_t id, uint64_t to, int64_t amount)
{
    const struct ledger_order order = {.id_low = id, .from = CASH, .to = to, .amount = amount};
    struct ledger_receipt receipt;
    return ledger_transfer(c, &order, &receipt);
}

static void changed_accounts(cell_ctx *c)
{
    struct ledger_new_account shop = {.id = SHOP, .currency = 978, .limit = 1000};
    struct ledger_account a;

    CHECK(change(c, (struct ledger_new_account){.id = 99, .currency = 978}) == LEDGER_NO_FROM);
    CHECK(change(c, (struct ledger_new_account){.id = SHOP, .currency = 840}) == LEDGER_ACCOUNT_DIFFERS);
    CHECK(change(c, (struct ledger_new_account){.id = SHOP, .currency = 978, .limit = 209}) == LEDGER_BEYOND_LIMITS);
    uint64_t before = records_of(c);
    CHECK(change(c, shop) == LEDGER_ACCEPTED && records_of(c) == before + 1);
    CHECK(change(c, shop) == LEDGER_ACCEPTED && records_of(c) == before + 1); /* it is so already */
    CHECK(ledger_account_of(c, SHOP, &a) >= 0 && a.limit == 1000 && a.overdraft == 0 && a.balance == 210);
    CHECK(a.last == before);
    CHECK(pay(c, 500, SHOP, 791) == CELL_FAILED_PRECONDITION);
}

static void closed_accounts(cell_ctx *c)
{
    struct ledger_new_account spare = {.id = SPARE, .currency = 978};
    ledger_refusals refused;
    struct ledger_account a;

    CHECK(close_one(c, SHOP) == LEDGER_NOT_EMPTY && close_one(c, 99) == LEDGER_NO_FROM &&
          close_one(c, 0) == LEDGER_NO_ACCOUNT);
    uint64_t before = records_of(c);
    CHECK(close_one(c, SPARE) == LEDGER_ACCEPTED && records_of(c) == before + 1);
    CHECK(close_one(c, SPARE) == LEDGER_ACCEPTED && records_of(c) == before + 1);
    CHECK(ledger_account_of(c, SPARE, &a) >= 0 && a.closed);
    CHECK(pay(c, 501, SPARE, 1) == CELL_FAILED_PRECONDITION);
    CHECK(change(c, spare) == LEDGER_ACCOUNT_CLOSED);
    CHECK(ledger_open(c, (ledger_new_accounts){&spare, 1}, &refused) >= 0 && refused.len == 1 &&
          refused.ptr[0].reason == LEDGER_ACCOUNT_CLOSED);
}

static void orders_by_id(cell_ctx *c)
{
    const struct ledger_id ids[] = {{0, 7}, {0, 500}, {0, 1}, {1, 7}, {0, 7}};
    ledger_records found = {NULL, 0};

    CHECK(ledger_orders_of(c, (ledger_ids){ids, 5}, &found) >= 0 && found.len == 3); /* refused ones have no record */
    for (uint64_t i = 0; i < found.len; i++) {
        const struct ledger_entry *e = &found.ptr[i].entry;
        CHECK(e->id_low == (i == 1 ? 1 : 7) && e->amount == (int64_t)e->id_low && e->to == SHOP);
    }
    CHECK(found.len == 3 && found.ptr[0].sequence == found.ptr[2].sequence);
}

/* All of an account in pages of `most`: each record once, the newest first. Returns how many. */
static uint64_t in_pages(cell_ctx *c, uint32_t most, int64_t since_us, int64_t until_us)
{
    struct ledger_page page = {.before = UINT64_MAX, .more = true};
    uint64_t n = 0, last = UINT64_MAX;

    for (int pages = 0; page.more && pages < 100; pages++) {
        CHECK(ledger_history(c, SHOP, page.before, since_us, until_us, most, &page) >= 0);
        CHECK(page.records.len <= most && (!page.more || page.records.len == most) && page.more == (page.before > 0));
        for (uint64_t i = 0; i < page.records.len; i++, n++) {
            const struct ledger_record *r = &page.records.ptr[i];
            CHECK(r->sequence < last && (r->entry.from == SHOP || r->entry.to == SHOP));
            CHECK(r->entry.time_us >= since_us && r->entry.time_us < until_us);
            last = r->sequence;
        }
    }
    return n;
}

static void history(cell_ctx *c)
{
    const uint64_t all = SALES + 2; /* opened, changed */
    struct ledger_page page;
    struct ledger_account a;

    for (uint32_t most = 1; most <= all + 1; most++)
        CHECK(in_pages(c, most, INT64_MIN, INT64_MAX) == all);
    CHECK(ledger_account_of(c, SHOP, &a) >= 0);
    CHECK(ledger_history(c, SHOP, a.last, INT64_MIN, INT64_MAX, 1, &page) >= 0 && page.records.len == 1 && page.more);
    CHECK(page.records.ptr[0].sequence < a.last);
    int64_t at = page.records.ptr[0].entry.time_us; /* of the last sale; others may have the same */
    uint64_t since = in_pages(c, 3, at, INT64_MAX), until = in_pages(c, 3, INT64_MIN, at);
    CHECK(since >= 2 && since + until == all);
    CHECK(in_pages(c, 3, INT64_MAX - 1, INT64_MAX) == 0);
    CHECK(ledger_history(c, SHOP, 0, INT64_MIN, INT64_MAX, 5, &page) >= 0 && page.records.len == 0 && !page.more);
    CHECK(ledger_history(c, 99, UINT64_MAX, INT64_MIN, INT64_MAX, 5, &page) == CELL_NOT_FOUND);
    volatile uint32_t none = 0; /* which a compiler would refuse */
    CHECK(ledger_history(c, SHOP, UINT64_MAX, INT64_MIN, INT64_MAX, none, &page) == CELL_INVALID_ARGUMENT);
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 30000);

    if (argc > 1 && strcmp(argv[1], "write") == 0) {
        const struct ledger_new_account accounts[] = {{.id = CASH, .currency = 978, .overdraft = INT64_MAX},
                                                      {.id = SHOP, .currency = 978},
                                                      {.id = SPARE, .currency = 978}};
        ledger_refusals refused;
        CHECK(ledger_open(c, (ledger_new_accounts){accounts, 3}, &refused) >= 0 && refused.len == 0);
        for (uint64_t i = 1; i <= SALES; i++)
            CHECK(pay(c, i, SHOP, (int64_t)i) >= 0);
        changed_accounts(c);
        closed_accounts(c);
    }
    orders_by_id(c);
    history(c);
    printf("%d failures\n", failures);
    return failures != 0;
}
