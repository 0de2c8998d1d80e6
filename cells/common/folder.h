/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The folder of a cell: who has it, and that what is put into it is there after a failure of power. All block. What is
 * negative is an enum cell_status, with errno as it was, so that the caller can say what happened to which path.
 * Thread-safe but for two on one path. */
#ifndef CELLS_COMMON_FOLDER_H
#define CELLS_COMMON_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#define FOLDER_IDENTITY 17 /* 16 hex digits and a NUL */

/* The status for an errno: CELL_RESOURCE_EXHAUSTED, CELL_PERMISSION_DENIED, CELL_NOT_FOUND, CELL_UNAVAILABLE (of a lock
 * that another one has), else CELL_IO_ERROR. */
int folder_status(int cause);

/* Makes the folder, and those it is in, when they are not there. *fd is an open file in it, "lock", which nobody else
 * has as long as it is open, and `identity` is a random name that the folder keeps. */
int folder_open(const char *folder, int *fd, char identity[FOLDER_IDENTITY]);

/* What is in it keeps its names from then on. Not every file system can; then nothing is said. */
int folder_sync(const char *folder);

/* All bytes, through interruptions. */
int folder_write(int fd, const void *bytes, size_t n);

/* Replaces `path`, which is in the folder, by its new content: whoever reads it has the old file or the new one, and
 * after it has returned CELL_OK the new one, also after a failure of power. */
int folder_replace(const char *folder, const char *path, const void *bytes, size_t n);

#endif
