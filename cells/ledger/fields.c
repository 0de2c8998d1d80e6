/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "fields.h"

#include <stddef.h>

#include "types.h"

#define KINDS(X)                                                                                                       \
    X(LEDGER_TRANSFER, 0, "")                                                                                          \
    X(LEDGER_PENDING, 1, ",")                                                                                          \
    X(LEDGER_POSTED, 2, ",")                                                                                           \
    X(LEDGER_VOIDED, 3, ",")                                                                                           \
    X(LEDGER_OPENED, 4, ",")                                                                                           \
    X(LEDGER_CHANGED, 5, ",")                                                                                          \
    X(LEDGER_CLOSED, 6, ",")
#define CHECK(name, number, comma) _Static_assert(name == number, "the number of " #name);
#define TEXT(name, number, comma) comma #name "=" #number
KINDS(CHECK)

#define FIELD(member, of) {#member, of, offsetof(struct ledger_entry, member), NULL}

const struct cell_journal_field lg_fields[LG_FIELDS] = {
    FIELD(id_high, "u64"),
    FIELD(id_low, "u64"),
    FIELD(from, "u64"),
    FIELD(to, "u64"),
    FIELD(amount, "i64"),
    FIELD(pending, "u64"),
    FIELD(from_previous, "u64"),
    FIELD(to_previous, "u64"),
    FIELD(from_balance, "i64"),
    FIELD(to_balance, "i64"),
    FIELD(time_us, "i64"),
    FIELD(user_data, "u64"),
    FIELD(overdraft, "i64"),
    FIELD(limit, "i64"),
    FIELD(currency, "u32"),
    FIELD(code, "u32"),
    {"kind", "u32", offsetof(struct ledger_entry, kind), KINDS(TEXT)},
    FIELD(linked, "u32"),
};
