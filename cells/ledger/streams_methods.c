/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where the journal is, and what lies in it. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive.h"
#include "service.h"

/* All of a record, in any order. */
#define FIELDS(X)                                                                                                      \
    X(id_high)                                                                                                         \
    X(id_low)                                                                                                          \
    X(from)                                                                                                            \
    X(to)                                                                                                              \
    X(amount)                                                                                                          \
    X(pending)                                                                                                         \
    X(from_previous)                                                                                                   \
    X(to_previous)                                                                                                     \
    X(from_balance)                                                                                                    \
    X(to_balance)                                                                                                      \
    X(time_us)                                                                                                         \
    X(user_data)                                                                                                       \
    X(overdraft)                                                                                                       \
    X(limit)                                                                                                           \
    X(currency)                                                                                                        \
    X(code)                                                                                                            \
    X(kind)                                                                                                            \
    X(linked)

#define VALUE(member) ((struct ledger_entry *)0)->member
#define PLUS_SIZE(member) +sizeof(VALUE(member))
_Static_assert(sizeof(struct ledger_entry) == FIELDS(PLUS_SIZE), "a field is missing, or there is padding");

#define FIELD(member)                                                                                                  \
    {{#member, sizeof(#member) - 1},                                                                                   \
     {_Generic(VALUE(member), uint64_t: "u64", int64_t: "i64", uint32_t: "u32"), 3},                                   \
     offsetof(struct ledger_entry, member)},

int ledger_streams(cell_ctx *c, ledger_journals *journals)
{
    static const struct ledger_journal_field fields[] = {FIELDS(FIELD)};
    const char *folder = lg_engine_folder(service_engine(c));
    char path[PATH_MAX], whole[PATH_MAX];
    struct ledger_journal *one = cell_ctx_alloc(c, sizeof(*one));

    if (!one)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    if (snprintf(path, sizeof(path), "%s/journal", folder) >= (int)sizeof(path) || !realpath(path, whole))
        return cell_fail(c, CELL_IO_ERROR, "the folder of the journal, %s/journal, is not found any more", folder);
    *one = (struct ledger_journal){.name = CELL_STR("transfers"),
                                   .folder = cell_ctx_copy(c, cell_strz(whole)),
                                   .type = CELL_STR(LG_RECORDS),
                                   .time = CELL_STR("time_us"),
                                   .record_size = sizeof(struct ledger_entry),
                                   .fields = {fields, sizeof(fields) / sizeof(fields[0])}};
    *journals = (ledger_journals){one, 1};
    return one->folder.ptr ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}
