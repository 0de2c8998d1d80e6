/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* E-mail addresses as names of accounts. */
#ifndef CELLS_AUTH_EMAIL_H
#define CELLS_AUTH_EMAIL_H

#include "failure.h"

#include <stddef.h>

/* RFC 5321, 4.5.3.1: 64 bytes before the @; 254 follow from the limit of 256 on a path with its brackets. */
#define EMAIL_MAX 254
#define EMAIL_LOCAL_MAX 64

/*
 * Checks `text` and writes it in lower case to `out`, which has room for EMAIL_MAX + 1 bytes. Accepted is the dot-atom
 * form of RFC 5322, section 3.4.1, with a domain of letters, digits and hyphens: no quotes, comments, address literals
 * or text beyond ASCII. CELL_INVALID_ARGUMENT with what is wrong.
 */
int email_normalize(const char *text, size_t len, char *out, struct failure *f);

#endif
