/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_ledger_sanitized
/* For what reason orders are refused, and what is not. */
#include "ledger_book_fixture.h"

static struct lg_book book;

static void begin_small(void)
{
    static const struct ledger_new_account accounts[] = {{.id = 1, .currency = 978, .overdraft = 1000},
                                                         {.id = 2, .currency = 978},
                                                         {.id = 3, .currency = 978, .limit = 50},
                                                         {.id = 4, .currency = 840},
                                                         {.id = 5, .currency = 978}};
    const uint64_t closed = 5;
    struct lg_failure f;

    appended = 0;
    reading = CELL_OK;
    journal = calloc(1000, sizeof(*journal));
    CHECK(lg_book_init(&book, secret, read_record, NULL) && lg_book_begin(&book, 6, &f) == CELL_OK);
    lg_book_accounts(&book, accounts, 5, false, 1);
    lg_book_close(&book, &closed, 1, 1);
    CHECK(book.n == 6 && book.nrefused == 0);
    memcpy(journal, book.entries, 6 * sizeof(*journal));
    appended = 6;
    lg_book_written(&book, 6);
}

static void end_small(void)
{
    lg_book_free(&book);
    free(journal);
}

/* The reason of the only order, or of the first that was refused not because of its chain. */
static enum ledger_reason reason_of(const struct ledger_order *orders, uint32_t n)
{
    struct lg_failure f;

    CHECK(lg_book_begin(&book, n, &f) == CELL_OK && lg_book_orders(&book, orders, n, 2, &f) == CELL_OK);
    memcpy(&journal[appended], book.entries, book.n * sizeof(*journal));
    appended += book.n;
    lg_book_written(&book, book.n);
    for (uint32_t i = 0; i < book.nrefused; i++)
        if (book.refused[i].reason != LEDGER_CHAIN)
            return book.refused[i].reason;
    return LEDGER_ACCEPTED;
}

#define ORDER(...) ((struct ledger_order){.id_low = 1000 + __COUNTER__, .from = 1, .to = 2, .amount = 10, __VA_ARGS__})
#define REASON(...) reason_of(&ORDER(__VA_ARGS__), 1)
#pragma clang diagnostic ignored "-Winitializer-overrides"

TEST(every_malformed_order_is_refused_for_its_reason)
{
    begin_small();
    CHECK(REASON(.id_low = 0) == LEDGER_NO_ID);
    CHECK(REASON(.id_low = 0, .id_high = 1) == LEDGER_ACCEPTED);
    CHECK(REASON(.kind = LEDGER_OPENED) == LEDGER_NO_SUCH_KIND);
    CHECK(REASON(.kind = (enum ledger_kind)99) == LEDGER_NO_SUCH_KIND);
    CHECK(REASON(.amount = 0) == LEDGER_NO_AMOUNT);
    CHECK(REASON(.amount = -1) == LEDGER_NO_AMOUNT);
    CHECK(REASON(.amount = INT64_MIN) == LEDGER_NO_AMOUNT);
    CHECK(REASON(.to = 1) == LEDGER_SAME_ACCOUNT);
    CHECK(REASON(.from = 0) == LEDGER_NO_ACCOUNT);
    CHECK(REASON(.to = 0) == LEDGER_NO_ACCOUNT);
    CHECK(REASON(.kind = LEDGER_VOIDED, .amount = 0) == LEDGER_PENDING_NEEDED);
    CHECK(REASON(.kind = LEDGER_VOIDED, .pending_low = 1) == LEDGER_NO_AMOUNT);
    CHECK(REASON(.pending_low = 1) == LEDGER_PENDING_UNWANTED);
    CHECK(REASON(.from = 77) == LEDGER_NO_FROM);
    CHECK(REASON(.to = 77) == LEDGER_NO_TO);
    CHECK(REASON(.to = 4) == LEDGER_CURRENCIES);
    CHECK(REASON(.from = 5) == LEDGER_FROM_CLOSED);
    CHECK(REASON(.to = 5) == LEDGER_TO_CLOSED);
    CHECK(REASON(.amount = 991) == LEDGER_OVERDRAWN);
    CHECK(REASON(.amount = INT64_MAX) == LEDGER_OVERDRAWN);
    CHECK(REASON(.to = 3, .amount = 51) == LEDGER_OVER_LIMIT);
    CHECK(REASON(.kind = LEDGER_POSTED, .pending_low = 1, .from = 0, .to = 0) == LEDGER_NO_PENDING);
    CHECK(REASON(.linked = true) == LEDGER_CHAIN_OPEN);
    CHECK(REASON(.amount = 990) == LEDGER_ACCEPTED);
    CHECK(lg_state_account(&book.state, 1)->balance == -1000 && lg_state_account(&book.state, 2)->balance == 1000);
    end_small();
}

TEST(a_pending_transfer_reserves_and_is_posted_or_voided_once)
{
    begin_small();
    CHECK(REASON(.id_low = 7, .kind = LEDGER_PENDING, .amount = 600) == LEDGER_ACCEPTED);
    CHECK(REASON(.amount = 401) == LEDGER_OVERDRAWN);
    CHECK(REASON(.id_low = 8, .kind = LEDGER_POSTED, .pending_low = 7, .from = 2, .to = 0) == LEDGER_PENDING_ACCOUNTS);
    CHECK(REASON(.id_low = 8, .kind = LEDGER_POSTED, .pending_low = 7, .amount = 601) == LEDGER_PENDING_AMOUNT);
    CHECK(REASON(.id_low = 8, .kind = LEDGER_POSTED, .pending_low = 7, .amount = 500) == LEDGER_ACCEPTED);
    CHECK(REASON(.id_low = 9, .kind = LEDGER_VOIDED, .pending_low = 7, .amount = 0) == LEDGER_PENDING_ENDED);
    const struct lg_account *a = lg_state_account(&book.state, 1);
    CHECK(a->balance == -500 && a->outgoing == 0);
    CHECK(REASON(.id_low = 8, .kind = LEDGER_POSTED, .pending_low = 7, .amount = 500) == LEDGER_ACCEPTED);
    CHECK(REASON(.id_low = 8, .kind = LEDGER_POSTED, .pending_low = 7, .amount = 0) == LEDGER_ID_USED);
    CHECK(a->balance == -500);
    end_small();
}

TEST(the_same_id_is_carried_out_once_and_another_content_names_the_field)
{
    begin_small();
    const struct ledger_order o = ORDER(.user_data = 4, .code = 5);
    CHECK(reason_of(&o, 1) == LEDGER_ACCEPTED && book.n == 1 && book.answered == 6);
    CHECK(reason_of(&o, 1) == LEDGER_ACCEPTED && book.n == 0 && book.answered == 6);
    struct ledger_order twice[2] = {ORDER(.id_low = 1), ORDER(.id_low = 1)};
    CHECK(reason_of(twice, 2) == LEDGER_ACCEPTED && book.n == 1);
    const struct {
        struct ledger_order order;
        const char *field;
    } others[] = {{o, "amount"}, {o, "from"}, {o, "to"}, {o, "user_data"}, {o, "code"}, {o, "kind"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct ledger_order other = others[i].order;
        other.amount += i == 0;
        other.from = i == 1 ? 3 : other.from;
        other.to = i == 2 ? 3 : other.to;
        other.user_data += i == 3;
        other.code += i == 4;
        other.kind = i == 5 ? LEDGER_PENDING : other.kind;
        CHECK(reason_of(&other, 1) == LEDGER_ID_USED);
        CHECK_STR(book.refused[0].field, others[i].field);
    }
    end_small();
}

TEST(a_chain_is_accepted_as_a_whole_or_not_at_all)
{
    begin_small();
    struct ledger_order chain[] = {ORDER(.linked = true, .amount = 5),
                                   ORDER(.linked = true, .from = 2, .to = 3, .amount = 5),
                                   ORDER(.from = 3, .amount = 50), ORDER(.amount = 3)};
    CHECK(reason_of(chain, 4) == LEDGER_OVERDRAWN && book.n == 1 && book.nrefused == 3);
    CHECK(lg_state_account(&book.state, 1)->balance == -3 && lg_state_account(&book.state, 3)->balance == 0);
    chain[2].amount = 4;
    CHECK(reason_of(chain, 4) == LEDGER_ACCEPTED && book.n == 3);
    CHECK(reason_of(chain, 4) == LEDGER_ACCEPTED && book.n == 0);
    chain[0].linked = 7; /* any number that is not 0 says the same */
    CHECK(reason_of(chain, 4) == LEDGER_ACCEPTED && book.n == 0);
    struct ledger_order mixed[] = {chain[0], ORDER(.amount = 1)};
    CHECK(reason_of(mixed, 2) == LEDGER_CHAIN_BROKEN && book.n == 0);
    struct ledger_order mixed_later[] = {ORDER(.linked = true), chain[2]};
    CHECK(reason_of(mixed_later, 2) == LEDGER_CHAIN_BROKEN && book.n == 0);
    struct ledger_order shorter[] = {chain[0], chain[2]};
    CHECK(reason_of(shorter, 2) == LEDGER_CHAIN_BROKEN && book.n == 0);
    end_small();
}

TEST(what_cannot_be_read_is_an_error_that_changes_nothing)
{
    begin_small();
    const struct ledger_order first = ORDER(.id_low = 5), both[] = {ORDER(.amount = 1), first};
    struct lg_failure f;
    CHECK(reason_of(&first, 1) == LEDGER_ACCEPTED);
    reading = CELL_IO_ERROR;
    CHECK(lg_book_begin(&book, 2, &f) == CELL_OK && lg_book_orders(&book, both, 2, 3, &f) == CELL_IO_ERROR);
    CHECK(book.n == 0 && lg_state_account(&book.state, 1)->balance == -10 && book.ids.count == 1);
    reading = CELL_OK;
    CHECK(reason_of(both, 2) == LEDGER_ACCEPTED && book.n == 1);
    end_small();
}

TEST(records_that_no_ledger_has_written_are_refused)
{
    begin_small();
    CHECK(REASON(.amount = 10) == LEDGER_ACCEPTED && REASON(.kind = LEDGER_PENDING) == LEDGER_ACCEPTED);
    const struct ledger_entry good = journal[6];
    uint64_t refused = 0;
    for (size_t i = 0; i < sizeof(good); i++) {
        struct ledger_entry bad = good;
        struct lg_failure f = {0};
        struct lg_book other;
        ((uint8_t *)&bad)[i] ^= 0x80;
        CHECK(lg_book_init(&other, secret, read_record, NULL));
        for (int k = 0; k < 6; k++)
            CHECK(lg_book_replay(&other, &journal[k], &f) == CELL_OK);
        uint64_t before = other.state.sequence;
        int r = lg_book_replay(&other, &bad, &f);
        CHECK(r == CELL_OK || (r == CELL_DATA_LOSS && strstr(f.text, "record 6 ") && other.state.sequence == before));
        refused += r < 0;
        CHECK(lg_state_verify(&other.state, NULL) == CELL_OK);
        lg_book_free(&other);
    }
    /* Ids, the program's own fields and the time can be anything: 36 bytes, of which no change shows. The highest bit
     * of the time would be before the others. */
    CHECK(refused == sizeof(good) - 16 - 8 - 4 - 7);
    end_small();
}
