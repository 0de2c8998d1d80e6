/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* CRC-32C (Castagnoli; RFC 3720, 12.1) of bytes, going on from that of the bytes before: 0 at first. Thread-safe. */
#ifndef CELLS_LEDGER_CHECKSUM_H
#define CELLS_LEDGER_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t lg_checksum(uint32_t before, const void *bytes, size_t n);

#endif
