/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory that its owner writes and others read: a memfd that is sealed after its owner has mapped it. From there on
 * nobody can change its size, punch holes into it or get another writable mapping, and only the owner's earlier
 * mappings still write. All pages are there before, so that neither side meets SIGBUS.
 */
#ifndef CELL_BASE_SEALED_H
#define CELL_BASE_SEALED_H

#include "base/util.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* A memfd of that size with all its pages, to be mapped and then sealed; the caller closes it. CELL_NO_MEMORY,
 * CELL_IO_ERROR. */
int cell_sealed_make(size_t size, int *fd, struct cell_error *e);
int cell_sealed_seal(int fd, struct cell_error *e);
/* For a page that both sides write to: only its size stays. */
int cell_sealed_seal_size(int fd, struct cell_error *e);
/* Whether a descriptor that somebody gave is such memory, of that size and user. CELL_PERMISSION_DENIED. */
int cell_sealed_check(int fd, size_t size, uint32_t owner_uid, struct cell_error *e);
/* CELL_NO_MEMORY or CELL_IO_ERROR, as errno says. */
int cell_sealed_fail(const char *what, struct cell_error *e);

#endif
