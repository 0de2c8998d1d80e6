/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files of the cell's folder. */
#include "common/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service.h"

int an_fail_io(struct an_failure *f, const char *path)
{
    return an_fail(f, folder_status(errno), "%s: %s", path, strerror(errno));
}

int an_folder_read(const char *path, void **bytes, size_t *n, struct an_failure *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat is;
    size_t at = 0;

    if (fd < 0)
        return an_fail_io(f, path);
    *n = fstat(fd, &is) == 0 ? (size_t)is.st_size : 0;
    *bytes = malloc(*n + 1);
    while (*bytes && at < *n) {
        ssize_t got = read(fd, (char *)*bytes + at, *n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    int r = !*bytes ? an_fail(f, CELL_NO_MEMORY, "out of memory") : at < *n ? an_fail_io(f, path) : CELL_OK;
    close(fd);
    if (r < 0) {
        free(*bytes);
        *bytes = NULL;
    }
    return r;
}

int an_folder_open(struct an_service *service, struct an_failure *f)
{
    int r = folder_open(service->folder, &service->folder_lock, service->identity);

    if (r == CELL_UNAVAILABLE)
        return an_fail(f, r, "%s: another process has it open", service->folder);
    return r < 0 ? an_fail_io(f, service->folder) : CELL_OK;
}
