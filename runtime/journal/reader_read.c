/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal/reader_impl.h"

#define SPIN_NS 20000
#define LOOKS 16                               /* between two looks at the clock */
#define POLL_NS (UINT64_C(5) * CELL_NS_PER_MS) /* of who has no tail to sleep on */
#define NAP_NS (CELL_TAIL_NAP_MS * CELL_NS_PER_MS)

/* ---- waiting ---- */

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static bool one_processor(void)
{
    static _Atomic int n;
    if (n == 0)
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n <= 1;
}

/* A writer that is awake is quicker than a sleep. */
static bool spin(struct cell_journal_reader *r, uint64_t deadline_ns)
{
    uint64_t end = cell_now_ns() + SPIN_NS;
    if (one_processor())
        return false;
    for (end = end < deadline_ns ? end : deadline_ns; cell_now_ns() < end;)
        for (int i = 0; i < LOOKS; i++) {
            if (cell_reader_tail_ready(r) || atomic_load_explicit(&r->interrupted, memory_order_relaxed))
                return true;
            pause_cpu();
        }
    return false;
}

static void sleep_for(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&t, NULL);
}

/* Until something may have come, or the deadline; not for long, so that a writer that was killed is missed. */
static void wait_some(struct cell_journal_reader *r, uint64_t deadline_ns)
{
    uint64_t now = cell_now_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
    if (!r->tail.head) {
        sleep_for(left < POLL_NS ? left : POLL_NS);
        return;
    }
    uint32_t bell = cell_tail_bell(&r->tail);
    cell_tail_nap_begin(&r->tail);
    if (!cell_reader_tail_ready(r) && !atomic_load(&r->interrupted))
        cell_tail_nap(&r->tail, bell, left < NAP_NS ? left : NAP_NS);
}

/* ---- reading ---- */

/* The tail has gone on without this reader: it begins again where the writer is, and tells what it missed. */
static void resync(struct cell_journal_reader *r)
{
    r->offset = atomic_load_explicit(&r->tail.head->committed, memory_order_acquire);
    r->resync = true;
    r->skip = 0;
}

static int look(struct cell_journal_reader *r, enum cell_had *had, struct cell_span *span, struct cell_error *e)
{
    int x = CELL_OK;
    *had = CELL_HAD_LAPPED;
    if (r->tail.head)
        x = cell_reader_from_tail(r, had, span, e);
    if (x < 0 || *had != CELL_HAD_LAPPED)
        return x;
    if (r->folder)
        return cell_reader_from_segments(r, had, span, e);
    resync(r);
    *had = CELL_HAD_STEP;
    return CELL_OK;
}

/* Nothing is there, and the writer of the tail has left, or there was no tail: looks for the next one, and what others
 * have written meanwhile. *changed: it is worth another look. */
static int change_writer(struct cell_journal_reader *r, bool *changed, struct cell_error *e)
{
    const struct cell_description *d = r->description;
    *changed = r->tail.head != NULL;
    if (*changed)
        cell_reader_detach(r);
    if (!r->folder)
        return CELL_OK;
    uint64_t durable = d->durable, epoch = d->epoch;
    if (cell_reader_has_writer(r))
        cell_reader_attach(r);
    int x = cell_reader_new_epoch(r, e);
    *changed = *changed || r->tail.head || d->durable != durable || d->epoch != epoch;
    return x;
}

static int tell(struct cell_journal_reader *r, struct cell_error *e)
{
    int x = cell_error_set(e, r->told.status, "%s", r->told.text);
    r->told.status = CELL_OK;
    return x;
}

static bool is_closed(struct cell_journal_reader *r)
{
    return atomic_load_explicit(&r->tail.head->closed, memory_order_acquire);
}

/* Nothing is there. 1: look again; 0: nothing will come. Asks the system nothing while the writer is awake. */
static int pause_read(struct cell_journal_reader *r, uint64_t deadline_ns, struct cell_error *e)
{
    bool changed;
    if (r->tail.head && !is_closed(r) && spin(r, deadline_ns))
        return 1;
    bool left = r->folder ? !cell_reader_has_writer(r) : !r->tail.head;
    if (!r->tail.head || left || is_closed(r) || cell_reader_has_another(r)) {
        int x = change_writer(r, &changed, e);
        if (x < 0 || changed)
            return x < 0 ? x : 1;
        if (left || !r->folder)
            return 0;
    }
    if (cell_now_ns() >= deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "no new record");
    wait_some(r, deadline_ns);
    return 1;
}

int cell_journal_read(struct cell_journal_reader *r, struct cell_span *span, int64_t timeout_ms, struct cell_error *e)
{
    enum cell_had had;
    uint64_t deadline_ns = 0;
    bool waits = false;
    for (;;) {
        if (r->told.status)
            return tell(r, e);
        int x = look(r, &had, span, e);
        if (x < 0)
            return x;
        if (had == CELL_HAD_SPAN)
            return 1;
        if (had == CELL_HAD_STEP)
            continue;
        if (atomic_load_explicit(&r->interrupted, memory_order_relaxed) && atomic_exchange(&r->interrupted, false))
            return cell_error_set(e, CELL_CANCELLED, "reading was interrupted");
        if (!waits)
            deadline_ns = timeout_ms < 0 ? CELL_NO_DEADLINE : cell_now_ns() + (uint64_t)timeout_ms * CELL_NS_PER_MS;
        waits = true;
        x = pause_read(r, deadline_ns, e);
        if (x <= 0)
            return x;
    }
}

/* ---- positions ---- */

struct cell_position cell_journal_reader_position(const struct cell_journal_reader *r)
{
    return (struct cell_position){.sequence = r->sequence, .offset = r->offset, .epoch = r->epoch};
}

int cell_journal_reader_seek(struct cell_journal_reader *r, const struct cell_position *position, struct cell_error *e)
{
    const uint64_t offset = r->offset, sequence = r->sequence, skip = r->skip;
    const uint32_t epoch = r->epoch;
    const struct cell_error told = r->told;
    r->told.status = CELL_OK;
    cell_scan_forget(&r->scan);
    int x = cell_reader_place(r, position, e);
    if (x < 0) {
        r->offset = offset;
        r->sequence = sequence;
        r->skip = skip;
        r->epoch = epoch;
        r->told = told;
        return x;
    }
    r->resync = false;
    return CELL_OK;
}

uint64_t cell_journal_reader_lag(struct cell_journal_reader *r)
{
    const struct cell_tail_head *h = r->tail.head;
    if (!h)
        return 0;
    uint64_t all =
        r->is_volatile || !r->folder ? atomic_load(&h->committed_sequence) : atomic_load(&h->durable_sequence);
    return all > r->sequence ? all - r->sequence : 0;
}

int cell_journal_reader_end(struct cell_journal_reader *r, uint64_t *end, struct cell_error *e)
{
    const struct cell_tail_head *h = r->tail.head;
    if (!h)
        return cell_reader_end_of_segments(r, end, e);
    *end = r->is_volatile || !r->folder ? atomic_load(&h->committed_sequence) : atomic_load(&h->durable_sequence);
    return CELL_OK;
}

int cell_journal_reader_acknowledge(struct cell_journal_reader *r, const struct cell_position *position,
                                    struct cell_error *e)
{
    struct cell_registration registration = {
        .journal = r->format.journal, .position = *position, .lease_ms = r->lease_ms};
    if (!r->name)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "a reader without a name acknowledges nothing");
    if (position->sequence > r->sequence)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "record %llu was not read yet",
                              (unsigned long long)position->sequence - 1);
    return cell_registration_write(r->folder, r->name, &registration, e);
}

void cell_journal_reader_interrupt(struct cell_journal_reader *r)
{
    atomic_store(&r->interrupted, true);
    if (r->tail.head)
        cell_tail_disturb(&r->tail);
}
