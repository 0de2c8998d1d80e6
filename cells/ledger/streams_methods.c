/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where the journal is, and what lies in it. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive.h"
#include "service.h"

#define FIELD(member, of) {CELL_STR(#member), CELL_STR(of), offsetof(struct ledger_entry, member)}

int ledger_streams(cell_ctx *c, ledger_journals *journals)
{
    static const struct ledger_journal_field fields[] = {
        FIELD(id_high, "u64"),      FIELD(id_low, "u64"),     FIELD(from, "u64"),          FIELD(to, "u64"),
        FIELD(amount, "i64"),       FIELD(pending, "u64"),    FIELD(from_previous, "u64"), FIELD(to_previous, "u64"),
        FIELD(from_balance, "i64"), FIELD(to_balance, "i64"), FIELD(time_us, "i64"),       FIELD(user_data, "u64"),
        FIELD(overdraft, "i64"),    FIELD(limit, "i64"),      FIELD(currency, "u32"),      FIELD(code, "u32"),
        FIELD(kind, "u32"),         FIELD(linked, "u32")};
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
