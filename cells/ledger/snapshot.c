/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <zlib.h>

#define AHEAD 8 /* whose memory is fetched while others are looked at */

static const char magic[8] = {'C', 'E', 'L', 'L', 'L', 'G', 'R', '1'};

int lg_snapshot_empty(struct lg_snapshot *s, struct lg_failure *f)
{
    *s = (struct lg_snapshot){0};
    if (getrandom(s->secret, sizeof(s->secret), 0) != sizeof(s->secret))
        return lg_fail(f, CELL_IO_ERROR, "the system gives no random numbers: %s", strerror(errno));
    s->tags = calloc(LG_CHUNK, sizeof(s->tags[0]));
    lg_state_init(&s->state, s->secret[0]);
    return s->tags ? CELL_OK : lg_fail(f, CELL_NO_MEMORY, "out of memory");
}

void lg_snapshot_free(struct lg_snapshot *s)
{
    lg_state_free(&s->state);
    lg_index_free(&s->index);
    free(s->tags);
    *s = (struct lg_snapshot){0};
}

static void prefetch(const struct lg_state *s, const struct ledger_entry *e)
{
    lg_table_prefetch(&s->accounts, e->from);
    lg_table_prefetch(&s->accounts, e->to);
}

int lg_snapshot_apply(struct lg_snapshot *s, int ids, const struct ledger_entry *entries, uint32_t n,
                      struct lg_failure *f)
{
    if (!lg_state_reserve(&s->state, n))
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < n && i < AHEAD; i++)
        prefetch(&s->state, &entries[i]);
    for (uint32_t i = 0; i < n; i++) {
        const struct ledger_entry *e = &entries[i];
        if (n - i > AHEAD)
            prefetch(&s->state, &entries[i + AHEAD]);
        int r = lg_state_apply(&s->state, e, NULL, f);
        if (r < 0)
            return r;
        bool has_id = e->id_high != 0 || e->id_low != 0;
        s->tags[s->ntags++] = has_id ? lg_book_tag(s->secret, e->id_high, e->id_low) : 0;
        if (s->ntags < LG_CHUNK)
            continue;
        s->ntags = 0;
        r = ids < 0 ? CELL_OK : lg_ids_write(ids, s->secret, s->state.sequence / LG_CHUNK - 1, s->tags, f);
        if (r < 0)
            return r;
    }
    return CELL_OK;
}

/* ---- read ---- */

static int damaged(struct lg_failure *f, const char *why)
{
    return lg_fail(f, CELL_DATA_LOSS, "the snapshot is damaged: %s", why);
}

/* The next `n` things of `size` bytes; NULL: there are not so many. */
static const void *take(const char **bytes, size_t *left, uint64_t n, size_t size)
{
    const void *at = *bytes;

    if (n > *left / size)
        return NULL;
    *bytes += n * size;
    *left -= n * size;
    return at;
}

static int add_currency(struct lg_state *s, const struct lg_account *a, struct lg_failure *f)
{
    struct lg_currency *c = lg_table_find(&s->currencies, a->currency, NULL);

    if (!c && !lg_table_reserve(&s->currencies, 1))
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    c = c ? c : lg_table_add(&s->currencies, a->currency);
    c->accounts++;
    c->sum += a->balance;
    c->positive += a->balance > 0 ? a->balance : 0;
    return CELL_OK;
}

/* Copies with keys that occur once: nothing else may look at what is in them before lg_state_verify. */
static int fill_state(struct lg_state *s, const char *accounts, uint64_t naccounts, const char *holds, uint64_t nholds,
                      struct lg_failure *f)
{
    if (!lg_table_reserve(&s->accounts, naccounts) || !lg_table_reserve(&s->holds, nholds))
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint64_t i = 0; i < naccounts; i++) {
        struct lg_account a;
        if (naccounts - i > AHEAD) {
            memcpy(&a, accounts + (i + AHEAD) * sizeof(a), sizeof(a));
            lg_table_prefetch(&s->accounts, a.id);
        }
        memcpy(&a, accounts + i * sizeof(a), sizeof(a));
        if (a.id == 0 || a.currency == 0 || lg_state_account(s, a.id))
            return damaged(f, "an account is there twice");
        memcpy(lg_table_add(&s->accounts, a.id), &a, sizeof(a));
        int r = add_currency(s, &a, f);
        if (r < 0)
            return r;
    }
    for (uint64_t i = 0; i < nholds; i++) {
        struct lg_hold h;
        memcpy(&h, holds + i * sizeof(h), sizeof(h));
        if (h.sequence == 0 || lg_state_hold(s, h.sequence))
            return damaged(f, "a pending transfer is there twice");
        memcpy(lg_table_add(&s->holds, h.sequence), &h, sizeof(h));
    }
    return lg_state_verify(s, f);
}

static int fill_index(struct lg_snapshot *s, const char *places, uint64_t n, struct lg_failure *f)
{
    for (uint64_t i = 0; i < n; i++) {
        struct cell_position p;
        memcpy(&p, places + i * sizeof(p), sizeof(p));
        if (p.sequence > s->position.sequence || (s->index.n && p.sequence <= s->index.places[s->index.n - 1].sequence))
            return damaged(f, "its places are out of order");
        if (!lg_index_add(&s->index, &p))
            return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    return CELL_OK;
}

int lg_snapshot_decode(const void *bytes, size_t size, struct lg_snapshot *s, struct lg_failure *f)
{
    struct lg_snapshot_head head;
    const size_t behind = offsetof(struct lg_snapshot_head, checksum) + sizeof(head.checksum);

    *s = (struct lg_snapshot){0};
    if (size < sizeof(head))
        return damaged(f, "it is too short");
    memcpy(&head, bytes, sizeof(head));
    if (memcmp(head.magic, magic, sizeof(magic)) != 0)
        return damaged(f, "it is none of this version");
    if (crc32_z(0, (const Bytef *)bytes + behind, size - behind) != head.checksum)
        return damaged(f, "its checksum is wrong");
    const char *at = (const char *)bytes + sizeof(head);
    size_t left = size - sizeof(head);
    const char *accounts = take(&at, &left, head.accounts, sizeof(struct lg_account));
    const char *holds = accounts ? take(&at, &left, head.holds, sizeof(struct lg_hold)) : NULL;
    const char *places = holds ? take(&at, &left, head.places, sizeof(struct cell_position)) : NULL;
    const char *tags = places ? take(&at, &left, head.tags, sizeof(uint64_t)) : NULL;
    if (!tags || left != 0 || head.tags != head.position.sequence % LG_CHUNK || head.transfers > head.position.sequence)
        return damaged(f, "its sizes are wrong");
    s->tags = calloc(LG_CHUNK, sizeof(s->tags[0]));
    if (!s->tags)
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    memcpy(s->secret, head.secret, sizeof(s->secret));
    memcpy(s->tags, tags, head.tags * sizeof(s->tags[0]));
    s->ntags = head.tags;
    s->position = head.position;
    lg_state_init(&s->state, s->secret[0]);
    s->state.sequence = head.position.sequence;
    s->state.time_us = head.time_us;
    s->state.transfers = head.transfers;
    int r = fill_state(&s->state, accounts, head.accounts, holds, head.holds, f);
    return r < 0 ? r : fill_index(s, places, head.places, f);
}

/* ---- tags ---- */

struct chunk {
    uint32_t checksum, reserved; /* of the secret, the number and the tags */
    uint64_t tags[LG_CHUNK];
};

static uint32_t chunk_checksum(const uint64_t secret[2], uint64_t number, const uint64_t tags[LG_CHUNK])
{
    uint32_t c = (uint32_t)crc32_z(0, (const Bytef *)secret, 2 * sizeof(secret[0]));

    c = (uint32_t)crc32_z(c, (const Bytef *)&number, sizeof(number));
    return (uint32_t)crc32_z(c, (const Bytef *)tags, LG_CHUNK * sizeof(tags[0]));
}

int lg_ids_read(int ids, const uint64_t secret[2], uint64_t number, uint64_t tags[LG_CHUNK], struct lg_failure *f)
{
    struct chunk chunk;
    size_t done = 0;

    while (done < sizeof(chunk)) {
        ssize_t n = pread(ids, (char *)&chunk + done, sizeof(chunk) - done, (off_t)(number * sizeof(chunk) + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lg_fail_errno(f, "reading", "ids");
        if (n == 0)
            return 0;
        done += (size_t)n;
    }
    if (chunk.checksum != chunk_checksum(secret, number, chunk.tags))
        return 0;
    memcpy(tags, chunk.tags, sizeof(chunk.tags));
    return 1;
}

int lg_ids_write(int ids, const uint64_t secret[2], uint64_t number, const uint64_t tags[LG_CHUNK],
                 struct lg_failure *f)
{
    struct chunk chunk = {.checksum = chunk_checksum(secret, number, tags)};
    size_t done = 0;

    memcpy(chunk.tags, tags, sizeof(chunk.tags));
    while (done < sizeof(chunk)) {
        ssize_t n = pwrite(ids, (char *)&chunk + done, sizeof(chunk) - done, (off_t)(number * sizeof(chunk) + done));
        if (n < 0 && errno != EINTR)
            return lg_fail_errno(f, "writing", "ids");
        done += n > 0 ? (size_t)n : 0;
    }
    return CELL_OK;
}
