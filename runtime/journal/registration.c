/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "journal/journal_impl.h"

#define MAGIC "CELLRDR1"
#define FOLDER "readers"

/* It goes on while the system sleeps, and nobody sets it. */
uint64_t cell_boot_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t boot_name(void)
{
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    size_t length;
    if (cell_file_read("/proc/sys/kernel/random/boot_id", 64, &text, &length, NULL) < 0)
        return 0;
    return XXH3_64bits(text, length);
}

bool cell_registration_name(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
    return n > 0 && n <= 64 && name[n] == '\0' && name[0] != '.';
}

static int path_of(const char *folder, const char *name, char path[PATH_MAX], struct cell_error *e)
{
    char below[80];
    if (!cell_registration_name(name))
        return cell_error_set(
            e, CELL_INVALID_ARGUMENT,
            "a reader's name has 1 to 64 letters, digits, '_', '-' and '.', and does not begin with one");
    snprintf(below, sizeof(below), FOLDER "/%s", name);
    return cell_journal_path(folder, below, path, e);
}

static uint64_t sum_of(const struct cell_registration *r)
{
    return XXH3_64bits(r, offsetof(struct cell_registration, sum));
}

int cell_registration_read(const char *folder, const char *name, struct cell_registration *r, struct cell_error *e)
{
    char path[PATH_MAX];
    CELL_CLEANUP(cell_cleanup_free) char *bytes = NULL;
    size_t length;
    int x = path_of(folder, name, path, e);
    if (x == CELL_OK)
        x = cell_file_read(path, sizeof(*r), &bytes, &length, e);
    if (x == CELL_TOO_LARGE || (x == CELL_OK && length != sizeof(*r)))
        return cell_error_set(e, CELL_DATA_LOSS, "%s is no registration of a reader", path);
    if (x < 0)
        return x;
    memcpy(r, bytes, sizeof(*r));
    if (memcmp(r->magic, MAGIC, sizeof(r->magic)) != 0 || r->sum != sum_of(r))
        return cell_error_set(e, CELL_DATA_LOSS, "%s is damaged", path);
    return CELL_OK;
}

int cell_registration_write(const char *folder, const char *name, struct cell_registration *r, struct cell_error *e)
{
    char path[PATH_MAX];
    int x = cell_journal_path(folder, FOLDER, path, e);
    if (x == CELL_OK)
        x = cell_mkdirs_synced(path, e);
    if (x == CELL_OK)
        x = path_of(folder, name, path, e);
    memcpy(r->magic, MAGIC, sizeof(r->magic));
    r->renewed_ns = cell_boot_ns();
    r->boot = boot_name();
    r->sum = sum_of(r);
    return x < 0 ? x : cell_file_replace_synced(path, r, sizeof(*r), e);
}

int cell_journal_forget_reader(const char *folder, const char *name, struct cell_error *e)
{
    char path[PATH_MAX];
    int x = path_of(folder, name, path, e);
    if (x == CELL_OK && unlink(path) < 0)
        x = cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_IO_ERROR, errno,
                             "the reader %s cannot be forgotten", name);
    return x;
}

/* A lease that was renewed before the system started counts from when the journal was opened since. */
static bool is_alive(const struct cell_registration *r, uint64_t boot, uint64_t opened_ns)
{
    uint64_t since = r->boot == boot ? r->renewed_ns : opened_ns, now = cell_boot_ns();
    return now < since || (now - since) / CELL_NS_PER_MS < r->lease_ms;
}

uint64_t cell_registrations_need(const char *folder, uint64_t journal, uint64_t opened_ns)
{
    char path[PATH_MAX];
    uint64_t needed = UINT64_MAX, boot = boot_name();
    struct cell_registration r;
    if (cell_journal_path(folder, FOLDER, path, NULL) < 0)
        return 0;
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? UINT64_MAX : 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (!cell_registration_name(entry->d_name))
            continue;
        int x = cell_registration_read(folder, entry->d_name, &r, NULL);
        if (x == CELL_NOT_FOUND)
            continue;
        if (x < 0)
            needed = 0;
        else if (r.journal == journal && is_alive(&r, boot, opened_ns) && r.position.offset < needed)
            needed = r.position.offset;
    }
    closedir(d);
    return needed;
}
