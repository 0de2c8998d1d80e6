/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sections of ELF programs and objects that nobody vouches for. */
#ifndef CELL_CLI_ELF_FILE_H
#define CELL_CLI_ELF_FILE_H

#include "base/buffer.h"
#include "base/error.h"

struct elf_file {
    int fd;
    uint64_t size;
    uint64_t sections; /* offset of the section table */
    uint64_t nsections;
    uint64_t names, names_size; /* the section names' string table */
};

/* CELL_INVALID_ARGUMENT: it is no 64-bit little-endian ELF file; CELL_PROTOCOL_ERROR: it is damaged; CELL_NOT_FOUND:
 * there is none; CELL_IO_ERROR. To be closed after success. */
int elf_open(const char *path, struct elf_file *f, struct cell_error *e);
void elf_close(struct elf_file *f);

struct elf_wanted {
    const char *section;  /* its name, of at most 63 bytes */
    const char *what;     /* what it holds, for messages: "schema" */
    uint64_t least, most; /* bytes */
};
/* Appends the content of all sections of that name (objects may have several). CELL_NOT_FOUND when there is none;
 * CELL_PROTOCOL_ERROR; CELL_IO_ERROR; CELL_NO_MEMORY. */
int elf_read(const struct elf_file *f, const struct elf_wanted *w, struct cell_buffer *out, struct cell_error *e);

#endif
