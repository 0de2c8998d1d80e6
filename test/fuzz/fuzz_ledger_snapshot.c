/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/ledger/snapshot.c cells/ledger/state.c cells/ledger/table.c cells/ledger/failure.c
// LINK: cells/ledger/index.c cells/ledger/book.c
// LIBS: z
/*
 * Bytes that are taken for a snapshot, with the right checksum, and records behind it. What is accepted is sound, and
 * stays so with every record that is.
 */
#include <ledger/snapshot.h>

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t from = offsetof(struct lg_snapshot_head, checksum) + sizeof(uint32_t);
    uint8_t *bytes = malloc(size + 1);
    struct lg_snapshot s;
    struct lg_failure f;
    size_t records = size ? data[size - 1] % 8 * sizeof(struct ledger_entry) : 0, own = size - (size ? 1 : 0);

    records = records < own ? records : 0;
    own -= records;
    if (own)
        memcpy(bytes, data, own);
    if (own >= sizeof(struct lg_snapshot_head)) {
        uint32_t sum = (uint32_t)crc32_z(0, bytes + from, own - from);
        memcpy(bytes, "CELLLGR1", 8);
        memcpy(bytes + 8, &sum, sizeof(sum));
    }
    if (lg_snapshot_decode(bytes, own, &s, &f) >= 0) {
        for (size_t i = 0; i < records; i += sizeof(struct ledger_entry)) {
            struct ledger_entry e;
            memcpy(&e, data + own + i, sizeof(e));
            if (lg_snapshot_apply(&s, -1, &e, 1, &f) < 0)
                break;
        }
        if (lg_state_verify(&s.state, &f) < 0)
            abort();
    }
    lg_snapshot_free(&s);
    free(bytes);
    return 0;
}
