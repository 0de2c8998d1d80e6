/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of states.h share: states.c plays the record and writes folders, states_choose.c chooses. */
#ifndef CELL_TEST_STATES_IMPL_H
#define CELL_TEST_STATES_IMPL_H

#include "disk.h"
#include "states.h"

struct states {
    const uint8_t *map;
    size_t size, n;
    const struct disk_entry **entries;
    uint64_t nfiles, nsyncs;
};

/* How what is not synced comes about. */
enum way { NOTHING, ALL, ANY, NEARLY_NOTHING, NEARLY_ALL, IN_ORDER, NWAYS };

/* Bytes that replace others; NULL: zeros. */
struct change {
    uint64_t at, n, size; /* of the file behind it */
    const uint8_t *bytes;
    size_t entry;
    bool forced;
};
struct image {
    uint8_t *bytes; /* what is synced */
    uint64_t size, room, now;
    struct change *changes; /* since */
    size_t nchanges, changes_room;
    bool noise; /* what is in it is not recorded */
};
struct name {
    char path[256];
    uint64_t file; /* 0: a folder */
};
struct names {
    struct name *at;
    size_t n, room;
};
/* One entry about names, and the folder in which it is. */
struct doing {
    const struct disk_entry *entry;
    size_t index;
};
struct disk_state {
    const struct states *of;
    struct image *files; /* by number */
    struct names names;  /* as they are synced */
    struct names now;    /* as a program sees them */
    struct doing *doings;
    size_t ndoings, doings_room;
    size_t *begun; /* by a sync's number: the entry at which it began */
};

void states_apply(uint8_t **bytes, uint64_t *size, uint64_t *room, const struct change *c);
/* What an entry does to names. */
void states_carry_out(const struct states *s, struct names *names, const struct disk_entry *e);

/* What is not synced comes about in that way: of a file, whose sectors have that size, or of names. */
void states_choose_image(struct image *m, enum way way, uint32_t sector, uint64_t *seed);
void states_choose_names(struct disk_state *d, enum way way, uint64_t *seed);

#endif
