/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A number for all records up to one, by which who has seen them knows them again. */
#ifndef CHECKER_RECORDS_H
#define CHECKER_RECORDS_H

#include <stdint.h>
#include <string.h>

struct so_far {
    uint64_t n, hash; /* of the first n records */
    int64_t time_us;  /* of the last one */
};

/* What a record of the stream says that cannot be; NULL: nothing. */
static inline const char *take_record(struct so_far *f, uint64_t sequence, const struct ledger_entry *e)
{
    uint64_t words[sizeof(*e) / 8];

    if (sequence != f->n)
        return "there is a gap, or a record comes again";
    if (e->time_us < f->time_us)
        return "time goes back";
    memcpy(words, e, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / 8; i++)
        f->hash = ((f->hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15)) ^ (f->hash >> 29);
    f->n++;
    f->time_us = e->time_us;
    return NULL;
}

#endif
