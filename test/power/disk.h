/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Between a program and the files of one folder: records in order what reaches them, and plays a disk that is full,
 * or a process that ends in the middle of a write.
 *
 * It is a shared object that stands before libc, linked into a test or preloaded into a cell, and sees what the
 * libraries of both do: LMDB's and SQLite's writes as well. It records into a file, entry after entry (disk_entry); of
 * a preloaded one the environment says what it does:
 *
 *   CELL_DISK_FOLDER   the folder; below it everything counts
 *   CELL_DISK_LOG      the file for the record; without it nothing is recorded
 *   CELL_DISK_ROOM     a file of 8 bytes, a number that others may change meanwhile: by how many bytes the files
 * together may still grow. What does not fit fails with ENOSPC, or is written in part
 *   CELL_DISK_TEAR     a file of 8 bytes, a number that others may set: when it is not 0, the next write is torn and is
 * the last. Of its sectors of 512 bytes those are written whose number, modulo 64, is that of a bit which is set, and
 * the process is killed
 *
 * Files that are shared memory (SQLite's -shm, LMDB's lock.mdb) are not recorded but for their names: whoever opens
 * them first makes them anew. What is written in memory that another file is mapped to is recorded with the next thing
 * that happens; it is never torn.
 */
#ifndef CELL_TEST_DISK_H
#define CELL_TEST_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_kind {
    DISK_WRITE = 1,  /* value: 1 when it is on the disk already (O_DSYNC); then the bytes */
    DISK_SIZE,       /* offset: the new size */
    DISK_SYNC_BEGIN, /* value: a number, the same at the end. What was written before the beginning is on the disk after
                      * the end */
    DISK_SYNC_END,
    DISK_CREATE, /* then the path below the folder; value: 1 when what is in it is not recorded */
    DISK_RENAME, /* then both, each with a NUL */
    DISK_UNLINK,
    DISK_FOLDER, /* mkdir */
    DISK_FOLDER_SYNC_BEGIN,
    DISK_FOLDER_SYNC_END,
    DISK_MARK /* offset: what; value: how far. The test's own: see disk_mark */
};

struct disk_entry {
    uint32_t kind, length; /* bytes that follow; the next entry is at a multiple of 8 */
    uint64_t file;         /* a number for each file that was made, from 1 */
    uint64_t offset, value;
};

/* Records from here on; the folder is empty. False: it cannot. */
bool disk_record(const char *folder, const char *log);
void disk_stop(void);
/* The caller knows this now: "change `value` was acknowledged", say. */
void disk_mark(uint64_t what, uint64_t value);
/* Syncs return at once and do nothing: for programs that look at many states. Not while it records. */
void disk_hurry(bool hurry);

#endif
