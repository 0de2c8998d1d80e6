/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The folder of a store: whose it is, and that what is made in it is there after a failure of power. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_impl.h"

#define NEW_FILE "data.mdb.new"

/* One process at a time: numbers of changes and the catalog are in its memory. LMDB itself would let others in. */
int st_folder_lock(struct st_engine *e, struct st_failure *f)
{
    char path[PATH_MAX];

    if (mkdir(e->options.path, 0700) < 0 && errno != EEXIST)
        return st_fail(f, CELL_IO_ERROR, "the folder of the store cannot be made: %s", strerror(errno));
    if (snprintf(path, sizeof(path), "%s/store.lock", e->options.path) >= (int)sizeof(path))
        return st_fail(f, CELL_INVALID_ARGUMENT, "the path of the store is too long");
    e->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock_file < 0)
        return st_fail(f, CELL_IO_ERROR, "the store cannot be opened: %s", strerror(errno));
    if (flock(e->lock_file, LOCK_EX | LOCK_NB) < 0)
        return st_fail(f, CELL_UNAVAILABLE, "the store is in use by another process");
    return CELL_OK;
}

bool st_folder_has_data(struct st_engine *e)
{
    char path[PATH_MAX];
    struct stat st;

    snprintf(path, sizeof(path), "%s/data.mdb", e->options.path);
    return stat(path, &st) == 0 || errno != ENOENT;
}

/* The name of the file that becomes the store's when it is complete; what was left of another one goes. */
void st_folder_new_file(struct st_engine *e, char path[PATH_MAX])
{
    char lock[PATH_MAX + 8];

    snprintf(path, PATH_MAX, "%s/" NEW_FILE, e->options.path);
    snprintf(lock, sizeof(lock), "%s-lock", path);
    unlink(path);
    unlink(lock);
}

int st_folder_keep_new_file(struct st_engine *e, struct st_failure *f)
{
    char from[PATH_MAX], to[PATH_MAX], lock[PATH_MAX + 8];

    snprintf(from, sizeof(from), "%s/" NEW_FILE, e->options.path);
    snprintf(to, sizeof(to), "%s/data.mdb", e->options.path);
    snprintf(lock, sizeof(lock), "%s-lock", from);
    unlink(lock);
    if (rename(from, to) < 0)
        return st_fail(f, CELL_IO_ERROR, "the store cannot be made: %s", strerror(errno));
    return CELL_OK;
}

static int sync_folder(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -1; /* not every file system can */
}

/* Syncing a file does not promise that it has its name afterwards, nor the folder in its parent. */
int st_folder_sync(struct st_engine *e, struct st_failure *f)
{
    int fd = open(e->options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = fd < 0 ? -1 : sync_folder(fd);
    int parent = fd < 0 ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (r == 0 && parent >= 0) /* one that may not be read was not made for this */
        r = sync_folder(parent);
    if (r < 0)
        st_fail(f, CELL_IO_ERROR, "the folder of the store cannot be written to the disk: %s", strerror(errno));
    if (parent >= 0)
        close(parent);
    if (fd >= 0)
        close(fd);
    return r < 0 ? CELL_IO_ERROR : CELL_OK;
}
