/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What reading and writing a lock share. Internal to core/. */
#ifndef CELL_CORE_LOCK_PARTS_H
#define CELL_CORE_LOCK_PARTS_H

#include "core/lock.h"

/* The checksum of an answer: of its key and its two texts. */
void lock_answer_sum(const struct lock_answer *a, char hex[CELL_FINGERPRINT_LEN + 1]);
/* CELL_IO_ERROR when `path` is a symbolic link; CELL_OK also when it is not there. */
int lock_no_link(const char *path, struct cell_error *e);
/* The same of a lock and its folder. */
int lock_no_links(const char *path, struct cell_error *e);

#endif
