/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_ledger_sanitized
/* What the ledger decides, against a model that is too simple to be wrong and too slow to be used. */
#include <ledger/book.h>

#include <inttypes.h>

#include "test.h"

#define ACCOUNTS 12
#define IDS 3000
#define MOST_RECORDS 60000

static const uint64_t secret[2] = {1, 2};
static struct ledger_entry *journal; /* what was appended */
static uint64_t appended;
static int reading = CELL_OK;

static int read_record(void *user, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f)
{
    (void)user;
    if (reading < 0)
        return lg_fail(f, reading, "cannot be read");
    CHECK(sequence < appended);
    *entry = journal[sequence];
    return CELL_OK;
}

static uint64_t seed = 7;
static uint32_t any(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- the model ---- */

struct model_account {
    bool there, closed;
    __int128 balance, overdraft, limit, outgoing, incoming;
    uint32_t currency;
};
struct model_order {
    bool accepted, ended;
    struct ledger_order order;
    uint64_t chain, place; /* which chain and where */
};
struct model {
    struct model_account accounts[ACCOUNTS + 1];
    struct model_order orders[IDS];
    uint64_t records;
};
static struct model model;
static uint64_t chains;

static bool model_can(const struct model_account *from, const struct model_account *to, __int128 amount)
{
    return from->there && to->there && !from->closed && !to->closed && from != to && from->currency == to->currency &&
           amount >= 1 && from->balance - from->outgoing - amount >= -from->overdraft &&
           to->balance + to->incoming + amount <= (to->limit ? to->limit : INT64_MAX) &&
           from->outgoing + amount <= INT64_MAX && to->incoming + amount <= INT64_MAX;
}

/* With what 0 stands for where something pending is ended. */
static struct ledger_order in_full(const struct model *m, struct ledger_order o)
{
    bool ends = o.kind == LEDGER_POSTED || o.kind == LEDGER_VOIDED;
    const struct ledger_order *pending = ends && o.pending_low < IDS ? &m->orders[o.pending_low].order : NULL;

    if (pending) {
        o.from = o.from ? o.from : pending->from;
        o.to = o.to ? o.to : pending->to;
        o.amount = o.amount ? o.amount : pending->amount;
    }
    return o;
}

static bool same_order(const struct model *m, struct ledger_order a, struct ledger_order b)
{
    a = in_full(m, a);
    b = in_full(m, b);
    return a.from == b.from && a.to == b.to && a.amount == b.amount && a.pending_low == b.pending_low &&
           a.user_data == b.user_data && a.code == b.code && a.kind == b.kind && a.linked == b.linked;
}

/* 1: accepted now; 2: it was before; 0: refused. */
static int model_order(struct model *m, const struct ledger_order *o, uint64_t chain, uint64_t place)
{
    struct model_order *known = o->id_high == 0 && o->id_low < IDS ? &m->orders[o->id_low] : NULL;
    bool ends = o->kind == LEDGER_POSTED || o->kind == LEDGER_VOIDED, names = o->pending_low || o->pending_high;

    if (o->id_low == 0 || (unsigned)o->kind > LEDGER_VOIDED || o->amount < 0 || ends != names ||
        (o->kind == LEDGER_VOIDED && o->amount) || (!ends && o->amount == 0))
        return 0;
    if (known->accepted)
        return same_order(m, known->order, *o) ? 2 : 0;
    struct model_order *pending = ends && o->pending_low < IDS ? &m->orders[o->pending_low] : NULL;
    uint64_t f = ends && pending ? pending->order.from : o->from, t = ends && pending ? pending->order.to : o->to;
    if (!f || !t || f > ACCOUNTS || t > ACCOUNTS)
        return 0;
    struct model_account *from = &m->accounts[f], *to = &m->accounts[t];
    if (ends) {
        if (!pending || !pending->accepted || pending->order.kind != LEDGER_PENDING || pending->ended ||
            o->amount > pending->order.amount || (o->from && o->from != f) || (o->to && o->to != t))
            return 0;
        pending->ended = true;
        from->outgoing -= pending->order.amount;
        to->incoming -= pending->order.amount;
    } else if (!model_can(from, to, o->amount)) {
        return 0;
    }
    __int128 amount = o->amount ? o->amount : ends ? pending->order.amount : 0;
    if (o->kind == LEDGER_TRANSFER || o->kind == LEDGER_POSTED) {
        from->balance -= amount;
        to->balance += amount;
    } else if (o->kind == LEDGER_PENDING) {
        from->outgoing += amount;
        to->incoming += amount;
    }
    *known = (struct model_order){true, false, *o, chain, place};
    m->records++;
    return 1;
}

/* A chain: all or nothing; whether it was accepted. */
static bool model_chain(const struct ledger_order *orders, uint32_t n)
{
    struct model before = model;
    uint64_t chain = ++chains;
    uint64_t again = 0, first = 0;

    for (uint32_t i = 0; i < n; i++) {
        int r = model_order(&model, &orders[i], chain, i);
        if (r == 2 && i == 0)
            chain = model.orders[orders[0].id_low].chain, first = model.orders[orders[0].id_low].place;
        again += r == 2;
        if (r == 0 || (again && again != i + 1) ||
            (r == 2 &&
             (model.orders[orders[i].id_low].chain != chain || model.orders[orders[i].id_low].place != first + i))) {
            model = before;
            return false;
        }
    }
    return true;
}

/* ---- random orders ---- */

static int64_t amount(void)
{
    switch (any(20)) {
    case 0:
        return INT64_MAX - any(3);
    case 1:
        return -(int64_t)any(3);
    case 2:
        return INT64_MAX / 2;
    case 3:
        return INT64_MIN;
    default:
        return 1 + any(200);
    }
}

static void random_order(struct ledger_order *o)
{
    uint64_t id = any(IDS);

    *o = (struct ledger_order){0};
    if (model.orders[id].accepted && any(3)) {
        *o = model.orders[id].order;
        if (any(8) == 0)
            *(any(2) ? &o->user_data : &o->from) += 1;
        if (any(8) == 0)
            o->code++;
        return;
    }
    o->id_low = id;
    o->kind = (enum ledger_kind)any(any(50) == 0 ? 9 : 2);
    o->from = any(ACCOUNTS + 2);
    o->to = any(ACCOUNTS + 2);
    o->amount = amount();
    o->user_data = any(2);
    o->linked = any(6) == 0;
    uint64_t first = any(IDS);
    for (uint64_t k = 0; k < IDS && any(3); k++) {
        const struct model_order *pending = &model.orders[(first + k) % IDS];
        if (!pending->accepted || pending->order.kind != LEDGER_PENDING || (pending->ended && any(8)))
            continue;
        o->kind = any(2) ? LEDGER_POSTED : LEDGER_VOIDED;
        o->from = any(2) ? 0 : pending->order.from + (any(9) == 0);
        o->to = any(2) ? 0 : pending->order.to;
        o->amount = o->kind == LEDGER_VOIDED || any(2) ? 0
                    : any(3)                           ? 1 + any((uint32_t)(pending->order.amount & 255) + 1)
                                                       : amount();
        o->pending_low = (first + k) % IDS;
        break;
    }
}

/* ---- comparison ---- */

static void compare_state(const struct lg_book *b)
{
    struct lg_failure f = {0};

    for (uint64_t i = 1; i <= ACCOUNTS; i++) {
        const struct lg_account *a = lg_state_account(&b->state, i);
        const struct model_account *m = &model.accounts[i];
        CHECK(!a == !m->there);
        if (a && m->there)
            CHECK(a->balance == m->balance && a->outgoing == m->outgoing && a->incoming == m->incoming &&
                  a->closed == m->closed && a->overdraft == m->overdraft && a->limit == m->limit);
    }
    CHECK(lg_state_verify(&b->state, &f) == CELL_OK);
    if (f.status)
        printf("%s\n", f.text);
}

/* What another ledger makes of the same records. */
static void compare_replayed(const struct lg_book *b)
{
    struct lg_book again;
    struct lg_failure f = {0};

    CHECK(lg_book_init(&again, secret, read_record, NULL));
    for (uint64_t i = 0; i < appended; i++)
        CHECK(lg_book_replay(&again, &journal[i], &f) >= 0);
    compare_state(&again);
    CHECK(again.ids.count == b->ids.count && again.state.sequence == b->state.sequence &&
          again.state.holds.count == b->state.holds.count && again.state.transfers == b->state.transfers);
    lg_book_free(&again);
}

/* What was decided is appended, at least the beginning of it: the rest is taken back, as when the disk is full. */
static bool append(struct lg_book *b)
{
    uint32_t n = any(12) ? b->n : any(b->n + 1);

    while (n > 0 && n < b->n && b->entries[n - 1].linked)
        n--;
    bool all = n == b->n;
    memcpy(&journal[appended], b->entries, n * sizeof(b->entries[0]));
    appended += n;
    lg_book_written(b, n);
    lg_book_undo(b);
    return all;
}

static void run_accounts(struct lg_book *b)
{
    struct ledger_new_account a = {.id = any(ACCOUNTS + 1),
                                   .currency = any(20) ? 978 + any(2) : 0,
                                   .overdraft = any(3)   ? any(500)
                                                : any(2) ? INT64_MAX
                                                         : -1,
                                   .limit = any(3)   ? 0
                                            : any(2) ? any(2000)
                                                     : INT64_MAX};
    struct lg_failure f;
    bool change = any(2), close = any(8) == 0, known = a.id && model.accounts[a.id].there;
    struct model_account *m = &model.accounts[a.id];

    if (known && any(4))
        a.currency = m->currency;
    CHECK(lg_book_begin(b, &f) == CELL_OK);
    if (close)
        lg_book_close(b, &a.id, 1, (int64_t)appended);
    else
        lg_book_accounts(b, &a, 1, change, (int64_t)appended);
    bool accepted = b->nrefused == 0, good = a.id && a.currency && a.overdraft >= 0 && a.limit >= 0;
    if (close)
        CHECK(accepted == (known && !m->balance && !m->incoming && !m->outgoing));
    else if (!known)
        CHECK(accepted == (good && !change));
    else
        CHECK(accepted == (good && !m->closed && m->currency == a.currency &&
                           (change ? m->balance - m->outgoing >= -(__int128)a.overdraft &&
                                         m->balance + m->incoming <= (a.limit ? a.limit : INT64_MAX)
                                   : m->overdraft == a.overdraft && m->limit == a.limit)));
    bool new_one = accepted && !close && !known;
    if (!append(b) || !accepted)
        return;
    if (close) {
        m->closed = true;
    } else {
        m->overdraft = a.overdraft;
        m->limit = a.limit;
    }
    if (new_one) {
        m->there = true;
        m->currency = a.currency;
    }
}

static void run_orders(struct lg_book *b)
{
    struct ledger_order orders[40];
    bool refused[40] = {false};
    uint32_t n = 1 + any(any(4) ? 4 : 40);
    struct lg_failure f;
    struct model before = model;

    for (uint32_t i = 0; i < n; i++)
        random_order(&orders[i]);
    if (any(20) == 0)
        memcpy(&orders[n - 1], &orders[0], sizeof(orders[0]));
    CHECK(lg_book_begin(b, &f) == CELL_OK);
    CHECK(lg_book_orders(b, orders, n, (int64_t)appended, &f) == CELL_OK);
    for (uint32_t i = 0; i < b->nrefused; i++) {
        CHECK(b->refused[i].index < n && !refused[b->refused[i].index] && b->refused[i].reason != LEDGER_ACCEPTED);
        refused[b->refused[i].index] = true;
    }
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && orders[end].linked; end++)
            continue;
        bool open = end == n, accepted = !open && model_chain(orders + i, ++end - i);
        for (uint32_t k = i; k < end; k++) {
            if (refused[k] != !accepted)
                printf("order %u of %u (chain from %u to %u): %s; kind %d id %d from %d to %d amount %lld pending %d\n",
                       k, n, i, end, refused[k] ? "refused" : "accepted", (int)orders[k].kind, (int)orders[k].id_low,
                       (int)orders[k].from, (int)orders[k].to, (long long)orders[k].amount, (int)orders[k].pending_low);
            CHECK(refused[k] == !accepted);
        }
    }
    if (append(b))
        return;
    /* The model does it again, as far as it was appended. */
    model = before;
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && orders[end].linked; end++)
            continue;
        struct model one = model;
        if (end++ < n)
            model_chain(orders + i, end - i);
        if (model.records > before.records + b->done)
            model = one;
    }
}

TEST(random_calls_are_decided_as_by_a_simple_model_and_replay_to_the_same)
{
    const char *rounds_text = getenv("CELL_TEST_ROUNDS");
    uint32_t rounds = rounds_text ? (uint32_t)atoi(rounds_text) : 4000;
    struct lg_book book;

    journal = calloc(MOST_RECORDS, sizeof(*journal));
    REQUIRE(journal && lg_book_init(&book, secret, read_record, NULL));
    memset(&model, 0, sizeof(model));
    appended = 0;
    for (uint32_t i = 0; i < rounds && appended < MOST_RECORDS - 100 && !test_failures; i++) {
        if (any(10) == 0 || i < 20)
            run_accounts(&book);
        else
            run_orders(&book);
        compare_state(&book);
    }
    compare_replayed(&book);
    CHECK(appended > 500 && book.state.holds.count > 5);
    printf("%" PRIu64 " records, %" PRIu64 " pending\n", appended, book.state.holds.count);
    lg_book_free(&book);
    free(journal);
}

/* ---- each reason ---- */

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
    CHECK(lg_book_init(&book, secret, read_record, NULL) && lg_book_begin(&book, &f) == CELL_OK);
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

    CHECK(lg_book_begin(&book, &f) == CELL_OK && lg_book_orders(&book, orders, n, 2, &f) == CELL_OK);
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
    CHECK(lg_book_begin(&book, &f) == CELL_OK && lg_book_orders(&book, both, 2, 3, &f) == CELL_IO_ERROR);
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
