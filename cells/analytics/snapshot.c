/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/folder.h"

#define STEP_BYTES (256u << 10)

static void paths(const struct an_part *part, char path[AN_MOST_PATH], char next[AN_MOST_PATH + 8])
{
    an_part_path(part, path);
    snprintf(next, AN_MOST_PATH + 8, "%s.new", path);
}

int an_snapshot_begin(struct an_snapshot *s, struct an_part *part, struct an_failure *f)
{
    char path[AN_MOST_PATH], next[AN_MOST_PATH + 8];

    paths(part, path, next);
    *s = (struct an_snapshot){.part = part, .of = part->aggregator, .position = part->place.position};
    s->fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0)
        return an_fail_io(f, next);
    int r = an_save_begin(s->of, &part->place, f);
    if (r < 0)
        an_snapshot_cancel(s);
    return r;
}

/* Waiting for the disk takes as long as millions of records. */
static void *to_disk(void *user)
{
    struct an_snapshot *s = user;
    char path[AN_MOST_PATH], next[AN_MOST_PATH + 8];
    bool good = fdatasync(s->fd) == 0;

    paths(s->part, path, next);
    good = good && rename(next, path) == 0 && folder_sync(s->part->service->folder) == CELL_OK;
    s->status = good ? CELL_OK : CELL_IO_ERROR;
    atomic_store(&s->done, true);
    return NULL;
}

static int write_pieces(struct an_snapshot *s, bool wait, struct an_failure *f)
{
    const void *data;
    size_t n;
    int r;

    do {
        r = an_save_step(s->of, STEP_BYTES, &data, &n, f);
        if (r >= 0 && folder_write(s->fd, data, n) < 0)
            r = an_fail(f, folder_status(errno), "a snapshot cannot be written: %s", strerror(errno));
    } while (r > 0 && wait);
    if (r != 0)
        return r;
    an_save_cancel(s->of); /* gives its memory back */
    s->whole = true;
    s->has_thread = pthread_create(&s->thread, NULL, to_disk, s) == 0;
    if (!s->has_thread)
        to_disk(s);
    return 0;
}

int an_snapshot_step(struct an_snapshot *s, bool wait, struct cell_position *position, struct an_failure *f)
{
    int r = 0;

    if (s->fd < 0)
        return 0;
    if (!s->whole)
        r = write_pieces(s, wait, f);
    if (r < 0) {
        an_snapshot_cancel(s);
        return r;
    }
    if (!s->whole || (!wait && !atomic_load(&s->done)))
        return 0;
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    close(s->fd);
    *position = s->position;
    r = s->status < 0 ? an_fail(f, s->status, "a snapshot did not get to the disk") : 1;
    *s = AN_SNAPSHOT_NONE;
    return r;
}

void an_snapshot_cancel(struct an_snapshot *s)
{
    char path[AN_MOST_PATH], next[AN_MOST_PATH + 8];

    if (s->fd < 0)
        return;
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    if (!s->whole) {
        an_save_cancel(s->of);
        paths(s->part, path, next);
        unlink(next);
    }
    close(s->fd);
    *s = AN_SNAPSHOT_NONE;
}

int an_snapshot_load(const struct an_part *part, struct an_aggregator **a, struct an_place *place, struct an_failure *f)
{
    const struct an_plan *plan = &part->definition->plan;
    char path[AN_MOST_PATH];
    void *bytes = NULL;
    size_t n = 0;

    *place = (struct an_place){.missed = 0};
    an_part_path(part, path);
    int r = an_folder_read(path, &bytes, &n, f);
    if (r >= 0)
        r = an_restore(plan, bytes, n, a, place, f);
    free(bytes);
    if (r == CELL_NOT_FOUND)
        f->text[0] = '\0';
    return r == CELL_NOT_FOUND || r == CELL_DATA_LOSS ? an_open(plan, a, f) : r;
}
