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

/* All of a record, in any order. */
#define MEMBERS(X)                                                                                                     \
    X(id_high, NULL)                                                                                                   \
    X(id_low, NULL)                                                                                                    \
    X(from, NULL)                                                                                                      \
    X(to, NULL)                                                                                                        \
    X(amount, NULL)                                                                                                    \
    X(pending, NULL)                                                                                                   \
    X(from_previous, NULL)                                                                                             \
    X(to_previous, NULL)                                                                                               \
    X(from_balance, NULL)                                                                                              \
    X(to_balance, NULL)                                                                                                \
    X(time_us, NULL)                                                                                                   \
    X(user_data, NULL)                                                                                                 \
    X(overdraft, NULL)                                                                                                 \
    X(limit, NULL)                                                                                                     \
    X(currency, NULL)                                                                                                  \
    X(code, NULL)                                                                                                      \
    X(kind, KINDS(TEXT))                                                                                               \
    X(linked, NULL)

#define VALUE(member) ((struct ledger_entry *)0)->member
#define PLUS_SIZE(member, names) +sizeof(VALUE(member))
_Static_assert(sizeof(struct ledger_entry) == MEMBERS(PLUS_SIZE), "a field is missing, or there is padding");

#define TYPE(member) _Generic(VALUE(member), uint64_t: "u64", int64_t: "i64", uint32_t: "u32")
#define FIELD(member, names) {#member, TYPE(member), offsetof(struct ledger_entry, member), names},

const struct cell_journal_field lg_fields[LG_FIELDS] = {MEMBERS(FIELD)};
