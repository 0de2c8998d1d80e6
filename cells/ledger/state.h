/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the records of a ledger add up to: accounts, holds and sums. No input or output, no clock, and nothing is
 * decided here: a record says what was decided, and is applied, which checks it against everything that is known, or
 * taken back. By one thread at a time.
 */
#ifndef CELLS_LEDGER_STATE_H
#define CELLS_LEDGER_STATE_H

#include "failure.h"
#include "table.h"
#include "types.h"

struct lg_account {
    uint64_t id;
    int64_t balance, outgoing, incoming, overdraft, limit;
    uint64_t last; /* sequence of its newest record */
    uint32_t currency;
    uint16_t code;
    uint16_t closed;
};
_Static_assert(sizeof(struct lg_account) == 64, "a line of the processor's cache");

/* A pending transfer that is neither posted nor voided. */
struct lg_hold {
    uint64_t sequence; /* of its record, which is not 0: the first one opens an account */
    uint64_t from, to;
    int64_t amount;
    uint64_t id_high, id_low; /* of the order, so that its record need not be read */
};

struct lg_currency {
    uint64_t currency;
    uint64_t accounts;
    __int128 sum, positive; /* of all balances, of those above zero */
};

struct lg_state {
    struct lg_table accounts, holds, currencies; /* of the three structs above */
    uint64_t sequence;                           /* of the next record */
    uint64_t transfers;                          /* records that are no account's */
    int64_t time_us;                             /* of the newest record */
};

/* What a record does not say and taking it back needs. */
struct lg_undo {
    int64_t overdraft, limit; /* before, of an account's records */
    struct lg_hold hold;      /* that was ended */
};

void lg_state_init(struct lg_state *s, uint64_t seed);
void lg_state_free(struct lg_state *s);
/* Room for what `records` records may add. False: memory is short. Accounts and holds may have moved. */
bool lg_state_reserve(struct lg_state *s, uint64_t records);

/* NULL: there is none. Valid until the next reservation or removal. */
struct lg_account *lg_state_account(const struct lg_state *s, uint64_t id);
struct lg_hold *lg_state_hold(const struct lg_state *s, uint64_t sequence);
struct ledger_account lg_account_public(const struct lg_account *a);
/* Whether balance and holds are within these. */
bool lg_account_allows(const struct lg_account *a, int64_t overdraft, int64_t limit);

/*
 * The record with the number s->sequence, which is checked: that it can follow, keeps all limits, and says itself what
 * it leads to. CELL_DATA_LOSS with words, and nothing has changed: no ledger has written this. There must be room.
 * `undo` may be NULL.
 */
int lg_state_apply(struct lg_state *s, const struct ledger_entry *e, struct lg_undo *undo, struct lg_failure *f);
/* The same without a look, of a record that was made by who has just decided: its accounts, and the hold that it ends
 * (NULL: none), as they are here. */
void lg_state_carry_out(struct lg_state *s, const struct ledger_entry *e, struct lg_account *from,
                        struct lg_account *to, struct lg_hold *hold, struct lg_undo *undo);
/* Fills in what follows from the others: linked accounts' previous records, balances, currency. The accounts exist, and
 * the order is one that can be carried out. */
void lg_state_complete(const struct lg_account *from, const struct lg_account *to, struct ledger_entry *e);
/* Takes the newest record back. */
void lg_state_undo(struct lg_state *s, const struct ledger_entry *e, const struct lg_undo *undo);

/* Whether every account keeps its limits, holds add up, and balances of each currency add up to zero: looks at all of
 * them. CELL_DATA_LOSS with words. */
int lg_state_verify(const struct lg_state *s, struct lg_failure *f);

#endif
