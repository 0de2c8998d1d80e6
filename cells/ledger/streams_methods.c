/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where the journal is, and what lies in it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive.h"
#include "fields.h"
#include "service.h"

int ledger_streams(cell_ctx *c, ledger_journals *journals)
{
    const char *folder = lg_engine_folder(service_engine(c));
    char path[PATH_MAX], whole[PATH_MAX];
    struct ledger_journal *one = cell_ctx_alloc(c, sizeof(*one));
    struct ledger_journal_field *fields = cell_ctx_alloc(c, LG_FIELDS * sizeof(*fields));

    if (!one || !fields)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    if (snprintf(path, sizeof(path), "%s/journal", folder) >= (int)sizeof(path) || !realpath(path, whole))
        return cell_fail(c, CELL_IO_ERROR, "the folder of the journal, %s/journal, is not found any more", folder);
    for (size_t i = 0; i < LG_FIELDS; i++)
        fields[i] = (struct ledger_journal_field){cell_strz(lg_fields[i].name), cell_strz(lg_fields[i].type),
                                                  lg_fields[i].offset, cell_strz(lg_fields[i].names)};
    *one = (struct ledger_journal){.name = CELL_STR("transfers"),
                                   .folder = cell_ctx_copy(c, cell_strz(whole)),
                                   .type = CELL_STR(LG_RECORDS),
                                   .time = CELL_STR(LG_TIME),
                                   .record_size = sizeof(struct ledger_entry),
                                   .fields = {fields, LG_FIELDS},
                                   .ordered = true};
    *journals = (ledger_journals){one, 1};
    return one->folder.ptr ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}
