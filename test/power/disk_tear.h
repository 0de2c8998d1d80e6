/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The end of a process in the middle of a write: part of disk.h. */
#ifndef CELL_TEST_DISK_TEAR_H
#define CELL_TEST_DISK_TEAR_H

#include <sys/types.h>
#include <sys/uio.h>

/* Takes the file of CELL_DISK_TEAR. False: it cannot be mapped. */
_Bool disk_tear_map(const char *path);
/* Before bytes are written at a place in a file of the folder. Does not return when they are to be torn. */
void disk_tear(int fd, const struct iovec *parts, int count, off_t at);

#endif
