/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Snapshots: what the records before a position add up to, so that a start needs not all of them.
 *
 * snapshot-SEQUENCE (20 digits): struct lg_snapshot_head, accounts, holds, places of the index, tags of ids that are
 * not in `ids` yet; each as it is in memory, little-endian. Written beside, synced, renamed. The two newest are kept.
 *
 * ids: the tag of each record's id by its sequence (0: it has none), in chunks of LG_CHUNK with a checksum, only ever
 * appended to. It may be lost or torn: then the tags are made again from the journal.
 */
#ifndef CELLS_LEDGER_SNAPSHOT_H
#define CELLS_LEDGER_SNAPSHOT_H

#include "archive.h"
#include "book.h"

#define LG_CHUNK 4096

struct lg_snapshot_head {
    char magic[8];     /* "CELLLGR1" */
    uint32_t checksum; /* of all behind it */
    uint32_t reserved;
    uint64_t secret[2];
    struct cell_position position;
    int64_t time_us;
    uint64_t transfers;
    uint64_t accounts, holds, places, tags; /* how many */
};

/* A state that was read or is to be written. The zero value is that of an empty ledger, but for the secret. */
struct lg_snapshot {
    uint64_t secret[2];
    struct cell_position position;
    struct lg_state state;
    struct lg_index index;
    uint64_t *tags; /* of the records before the position that are in no whole chunk: ntags, at most LG_CHUNK - 1 */
    uint64_t ntags;
};

/* Of no records. CELL_IO_ERROR: there is no randomness. */
int lg_snapshot_empty(struct lg_snapshot *s, struct lg_failure *f);
void lg_snapshot_free(struct lg_snapshot *s);

/* From bytes of anywhere. CELL_DATA_LOSS: they are no snapshot, or a damaged one. Free it in any case. */
int lg_snapshot_decode(const void *bytes, size_t size, struct lg_snapshot *s, struct lg_failure *f);
/* The newest good one in the folder at or before the sequence `most`. CELL_NOT_FOUND; *damaged tells how many are none.
 */
int lg_snapshot_load(const char *folder, uint64_t most, struct lg_snapshot *s, uint32_t *damaged, struct lg_failure *f);
/* Returns when it is on the disk. */
int lg_snapshot_save(const char *folder, const struct lg_snapshot *s, struct lg_failure *f);

/* Applies records that follow; chunks of tags that are full go to `ids` (-1: they do not), which is synced by
 * lg_snapshot_save's caller. CELL_DATA_LOSS, CELL_NO_MEMORY, CELL_IO_ERROR, CELL_RESOURCE_EXHAUSTED. */
int lg_snapshot_apply(struct lg_snapshot *s, int ids, const struct ledger_entry *entries, uint32_t n,
                      struct lg_failure *f);

/* The file of tags, made when it is not there. */
int lg_ids_open(const char *folder, struct lg_failure *f);
/* Chunk `number` into tags: 1, 0 when it is not there or damaged; CELL_IO_ERROR. */
int lg_ids_read(int ids, const uint64_t secret[2], uint64_t number, uint64_t tags[LG_CHUNK], struct lg_failure *f);
int lg_ids_write(int ids, const uint64_t secret[2], uint64_t number, const uint64_t tags[LG_CHUNK],
                 struct lg_failure *f);

#endif
