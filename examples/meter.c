/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "meter.h"

#include <pthread.h>
#include <threads.h>

CELL_PROVIDE(meter, "Keeps the readings of a meter");

#define CAPACITY 1000u
#define BATCH 16u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* handlers run in several threads */
static double values[CAPACITY];
static uint64_t count;

/* Copies up to BATCH readings from number `from` on. */
static size_t copy_readings(uint64_t from, struct meter_reading *batch)
{
    size_t n = 0;
    pthread_mutex_lock(&lock);
    for (; n < BATCH && from + n <= count; n++)
        batch[n] = (struct meter_reading){from + n, values[from + n - 1]};
    pthread_mutex_unlock(&lock);
    return n;
}

int meter_watch(cell_ctx *c, uint64_t from, meter_writer out)
{
    struct meter_reading batch[BATCH];
    const struct timespec pause = {.tv_nsec = 1000000};
    if (from == 0)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "readings are numbered from 1");
    while (!cell_ctx_cancelled(c)) {
        size_t n = copy_readings(from, batch);
        int r = meter_writer_put(out, batch, n); /* waits while the client does not read */
        if (r < 0)
            return r;
        from += n;
        if (n == 0)
            thrd_sleep(&pause, NULL);
    }
    return CELL_CANCELLED;
}

int meter_import(cell_ctx *c, meter_reader in, struct meter_total *total)
{
    struct meter_reading reading;
    int r;
    while ((r = meter_reader_next(in, &reading)) > 0) {
        if (reading.value < 0)
            return cell_fail(c, CELL_INVALID_ARGUMENT, "a meter does not run backwards: %g", reading.value);
        pthread_mutex_lock(&lock);
        if (count < CAPACITY)
            values[count++] = reading.value;
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    for (uint64_t i = 0; i < count; i++)
        total->sum += values[i];
    total->count = count;
    pthread_mutex_unlock(&lock);
    return r; /* 0 at the end; negative when the client has gone */
}
