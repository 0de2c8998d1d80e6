/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/reader_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEASE_MS (UINT64_C(3600) * 1000)

/* ---- the writer's tail ---- */

void cell_reader_detach(struct cell_journal_reader *r)
{
    cell_tail_unmap(&r->tail);
    cell_scan_forget(&r->scan);
    if (r->told_by >= 0)
        close(r->told_by);
    r->told_by = -1;
}

bool cell_reader_has_writer(struct cell_journal_reader *r)
{
    if (r->local)
        return true;
    if (r->lock_fd < 0 && cell_journal_lock_look(r->folder, &r->lock_fd, NULL) < 0)
        return false;
    return cell_journal_is_locked(r->lock_fd);
}

bool cell_reader_has_another(const struct cell_journal_reader *r)
{
    struct stat st;
    return r->told_by >= 0 && (fstat(r->told_by, &st) < 0 || st.st_nlink == 0);
}

/* Opens what the writer's process has open; that needs the rights of its user. */
static int open_tail(long pid, int fd, int flags)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/fd/%d", pid, fd);
    return open(path, flags | O_CLOEXEC);
}

void cell_reader_attach(struct cell_journal_reader *r)
{
    char path[PATH_MAX], text[128] = "";
    CELL_CLEANUP(cell_cleanup_fd) int file = -1;
    CELL_CLEANUP(cell_cleanup_fd) int fd = -1;
    CELL_CLEANUP(cell_cleanup_fd) int sleepers = -1;
    long pid;
    int tail_fd, sleepers_fd;
    unsigned long long writer;
    if (cell_journal_path(r->folder, "tail", path, NULL) == CELL_OK)
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* whoever may write there may put anything */
    if (file < 0 || read(file, text, sizeof(text) - 1) < 0 ||
        sscanf(text, "%ld %d %d %llx", &pid, &tail_fd, &sleepers_fd, &writer) != 4 || writer == r->writer)
        return;
    fd = open_tail(pid, tail_fd, O_RDONLY);
    sleepers = open_tail(pid, sleepers_fd, O_RDWR);
    if (fd < 0 || sleepers < 0 || cell_tail_map(fd, sleepers, &r->tail, NULL) < 0)
        return;
    const struct cell_tail_head *h = r->tail.head;
    if (h->journal != r->format.journal || h->writer != writer || h->segment_bytes != r->format.segment_bytes)
        cell_reader_detach(r);
    else {
        r->writer = writer;
        r->told_by = file;
        file = -1;
    }
}

static int attach_local(struct cell_journal_reader *r, struct cell_error *e)
{
    r->writer = r->local->tail.head->writer;
    return cell_tail_map(r->local->tail.fd, r->local->tail.sleepers_fd, &r->tail, e);
}

/* ---- opening ---- */

static int check_records(const struct cell_journal_reader_options *o, const char *where, const char *type,
                         uint32_t size, struct cell_error *e)
{
    if ((o->type && strcmp(o->type, type) != 0) || ((o->record_size || o->type) && o->record_size != size))
        return cell_error_set(e, CELL_FAILED_PRECONDITION,
                              "the journal%s has records of type %s, %u bytes each; not %s of %u bytes", where, type,
                              size, o->type ? o->type : type, o->record_size);
    return CELL_OK;
}

static struct cell_journal_reader *new_reader(const struct cell_journal_reader_options *o)
{
    struct cell_journal_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->tail.fd = r->tail.sleepers_fd = r->lock_fd = r->scan.fd = r->told_by = -1;
    r->is_volatile = o->flags & CELL_JOURNAL_VOLATILE;
    r->lease_ms = o->lease_ms ? o->lease_ms : LEASE_MS;
    return r;
}

void cell_journal_reader_close(struct cell_journal_reader *r)
{
    if (!r)
        return;
    cell_reader_detach(r);
    cell_scan_free(&r->scan);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    free(r->copy);
    free(r->name);
    free(r->description);
    free(r->folder);
    free(r);
}

/* Where a registered reader was, unless the caller knows better. */
static int registered_position(struct cell_journal_reader *r, const struct cell_position *from,
                               struct cell_position *position, struct cell_error *e)
{
    struct cell_registration registration;
    *position = from ? *from : (struct cell_position){0};
    if (!r->name || from)
        return CELL_OK;
    int x = cell_registration_read(r->folder, r->name, &registration, e);
    if (x == CELL_NOT_FOUND)
        return CELL_OK;
    if (x == CELL_OK && registration.journal != r->format.journal)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "the reader %s has read another journal that was here",
                              r->name);
    if (x == CELL_OK)
        *position = registration.position;
    return x;
}

static int open_reader(struct cell_journal_reader *r, const struct cell_journal_reader_options *o,
                       const struct cell_position *from, struct cell_error *e)
{
    struct cell_position position;
    int x = cell_description_read(r->folder, r->description, e);
    if (x == CELL_OK)
        x = check_records(o, "", r->description->type, r->description->format.record_size, e);
    if (x < 0)
        return x;
    r->format = r->description->format;
    r->durable = r->description->durable;
    cell_scan_init(&r->scan, r->folder, &r->format);
    x = registered_position(r, from, &position, e);
    if (x < 0)
        return x;
    if (r->local)
        x = attach_local(r, e);
    else if (cell_reader_has_writer(r))
        cell_reader_attach(r);
    if (x == CELL_OK)
        x = cell_reader_place(r, &position, e);
    position = cell_journal_reader_position(r);
    return x < 0 || !r->name ? x : cell_journal_reader_acknowledge(r, &position, e);
}

static int open_any(const char *folder, struct cell_journal *local, const struct cell_journal_reader_options *o,
                    const struct cell_position *from, struct cell_journal_reader **reader, struct cell_error *e)
{
    static const struct cell_journal_reader_options none;
    o = o ? o : &none;
    if (o->name && (!folder || !cell_registration_name(o->name)))
        return cell_error_set(
            e, CELL_INVALID_ARGUMENT,
            folder ? "'%s' is no name for a reader" : "a journal without a folder registers no reader '%s'", o->name);
    struct cell_journal_reader *r = new_reader(o);
    if (!r)
        return cell_error_set(e, CELL_NO_MEMORY, "no memory for a reader of the journal");
    r->local = local;
    if (folder) {
        r->folder = strdup(folder);
        r->description = calloc(1, sizeof(*r->description));
    }
    if (o->name)
        r->name = strdup(o->name);
    int x = CELL_OK;
    if ((folder && (!r->folder || !r->description)) || (o->name && !r->name))
        x = cell_error_set(e, CELL_NO_MEMORY, "no memory for a reader of the journal");
    else if (folder)
        x = open_reader(r, o, from, e);
    else {
        const struct cell_position beginning = {0};
        r->format = local->format;
        x = check_records(o, "", local->tail.head->type, r->format.record_size, e);
        if (x == CELL_OK)
            x = attach_local(r, e);
        if (x == CELL_OK)
            x = cell_reader_place(r, from ? from : &beginning, e);
    }
    if (x < 0)
        cell_journal_reader_close(r);
    else
        *reader = r;
    return x;
}

int cell_journal_reader_open(const char *folder, const struct cell_journal_reader_options *options,
                             const struct cell_position *from, struct cell_journal_reader **reader,
                             struct cell_error *e)
{
    return open_any(folder, NULL, options, from, reader, e);
}

int cell_journal_reader_open_local(struct cell_journal *journal, const struct cell_journal_reader_options *options,
                                   const struct cell_position *from, struct cell_journal_reader **reader,
                                   struct cell_error *e)
{
    return open_any(journal->folder, journal, options, from, reader, e);
}
