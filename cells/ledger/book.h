/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What decides about orders: the state, the ids that were ever used, and the records that orders have become and that
 * are not in the journal yet. No input or output but reading a record of the journal, which it asks for by its
 * sequence. By one thread at a time.
 *
 * A call is: begin; orders or accounts; then `written` for those of its records that have been appended, from the first
 * on, and `undo` for the rest.
 */
#ifndef CELLS_LEDGER_BOOK_H
#define CELLS_LEDGER_BOOK_H

#include "state.h"

#define LG_MOST 8192 /* records of a call */

/* Ids are remembered by a number of 64 bits, which is made of them with a secret, and the sequence of their record. */
struct lg_id_slot {
    uint64_t tag, sequence;
};

/* Reads a record of the journal. Negative with *f. */
typedef int lg_read_fn(void *user, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f);

struct lg_refused {
    uint32_t index;
    enum ledger_reason reason;
    const char *field; /* of LEDGER_ID_USED and LEDGER_ACCOUNT_DIFFERS: what differs; static. Else NULL */
};

struct lg_book {
    struct lg_state state;
    struct lg_table ids; /* of struct lg_id_slot */
    uint64_t secret[2];
    lg_read_fn *read;
    void *user;
    /* Of the running call */
    struct ledger_entry *entries; /* LG_MOST; the first `n` were decided, and those before `done` are in the journal */
    struct lg_undo *undos;
    uint32_t n, done;
    struct lg_refused *refused; /* LG_MOST; nrefused, by index */
    uint32_t nrefused;
    uint32_t fetched;  /* orders of the next call whose memory the processor was told of */
    uint64_t answered; /* the sequence of the record of the order that was accepted last, now or before */
};

/* False: memory is short; free it nevertheless. */
bool lg_book_init(struct lg_book *b, const uint64_t secret[2], lg_read_fn *read, void *user);
void lg_book_free(struct lg_book *b);

/* A record that is in the journal: for rebuilding. As lg_state_apply; reserves room by itself. */
int lg_book_replay(struct lg_book *b, const struct ledger_entry *e, struct lg_failure *f);
uint64_t lg_book_tag(const uint64_t secret[2], uint64_t id_high, uint64_t id_low);

/* Has the processor fetch what the first of these orders are about, beside what is done before they are: before
 * lg_book_begin, for the lg_book_orders that follows. */
void lg_book_expect(struct lg_book *b, const struct ledger_order *orders, uint32_t n);
/* Room for a call of up to `n` orders or accounts, at most LG_MOST; and the part of growing that is for so many.
 * CELL_NO_MEMORY. */
int lg_book_begin(struct lg_book *b, uint32_t n, struct lg_failure *f);
/* What was not accepted is in `refused`. Negative, with *f: a record could not be read, and nothing was accepted. */
int lg_book_orders(struct lg_book *b, const struct ledger_order *orders, uint32_t n, int64_t time_us,
                   struct lg_failure *f);
/* The same for accounts: to be opened or changed. And to be closed. */
void lg_book_accounts(struct lg_book *b, const struct ledger_new_account *accounts, uint32_t n, bool change,
                      int64_t time_us);
void lg_book_close(struct lg_book *b, const uint64_t *ids, uint32_t n, int64_t time_us);
/* `n` more are in the journal. */
void lg_book_written(struct lg_book *b, uint32_t n);
/* Takes back those that are not. */
void lg_book_undo(struct lg_book *b);

/* The record of an order that was accepted: 1, 0 when there is none, negative with *f. */
int lg_book_find(const struct lg_book *b, uint64_t id_high, uint64_t id_low, uint64_t *sequence,
                 struct ledger_entry *entry, struct lg_failure *f);

/* In words, with the field's name; static. */
const char *lg_reason_text(enum ledger_reason reason);

#endif
