/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The file is hostile until proven otherwise: every offset and size is checked against the file before a byte is read
 * there, and nothing is run. */
#include "elf_file.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SECTIONS 65536u

/* Reads exactly `len` bytes at `offset`, which must lie inside the file. */
static int read_at(const struct elf_file *f, uint64_t offset, void *out, uint64_t len, struct cell_error *e)
{
    char *at = out;

    if (offset > f->size || len > f->size - offset)
        return cell_error_set(e, CELL_PROTOCOL_ERROR,
                              "the file is damaged: bytes %" PRIu64 " to %" PRIu64 " lie beyond its end", offset,
                              offset + len);
    while (len > 0) {
        ssize_t n = pread(f->fd, at, (size_t)len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cell_error_errno(e, CELL_IO_ERROR, n < 0 ? errno : EIO, "cannot read it");
        at += n;
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return CELL_OK;
}

static int read_section(const struct elf_file *f, uint64_t index, Elf64_Shdr *s, struct cell_error *e)
{
    /* nsections is bounded, so that this product cannot overflow; the sum is checked by read_at's first test. */
    uint64_t offset = index * sizeof(*s);

    if (index >= f->nsections || f->sections > f->size || offset > f->size - f->sections)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: it has no section %" PRIu64, index);
    return read_at(f, f->sections + offset, s, sizeof(*s), e);
}

static int read_header(struct elf_file *f, struct cell_error *e)
{
    Elf64_Ehdr h;
    Elf64_Shdr first, names;
    bool whole = f->size >= sizeof(h);
    int r = whole ? read_at(f, 0, &h, sizeof(h), e) : CELL_OK;

    if (!whole || (r >= 0 && memcmp(h.e_ident, ELFMAG, SELFMAG) != 0))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "it is no ELF program");
    if (r < 0)
        return r;
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "it is no 64-bit little-endian ELF program");
    if (h.e_shoff == 0)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "its section table was stripped away");
    if (h.e_shentsize != sizeof(Elf64_Shdr))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: section entries of %u bytes",
                              h.e_shentsize);
    f->sections = h.e_shoff;
    f->nsections = 1;
    if ((r = read_section(f, 0, &first, e)) < 0)
        return r;
    /* Over 65,279 sections the numbers do not fit the header and stand in section 0. */
    f->nsections = h.e_shnum ? h.e_shnum : first.sh_size;
    uint64_t index = h.e_shstrndx == SHN_XINDEX ? first.sh_link : h.e_shstrndx;
    if (f->nsections > (f->size - f->sections) / sizeof(Elf64_Shdr))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its section table lies beyond its end");
    if (f->nsections == 0 || f->nsections > MAX_SECTIONS)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: %" PRIu64 " sections", f->nsections);
    if ((r = read_section(f, index, &names, e)) < 0)
        return r;
    if (names.sh_type != SHT_STRTAB || names.sh_offset > f->size || names.sh_size > f->size - names.sh_offset)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its section names are not in it");
    f->names = names.sh_offset;
    f->names_size = names.sh_size;
    return CELL_OK;
}

static bool has_name(const struct elf_file *f, const Elf64_Shdr *s, const char *name, int *r, struct cell_error *e)
{
    char found[64];
    size_t len = strlen(name) + 1;

    if (len > sizeof(found) || s->sh_name >= f->names_size || f->names_size - s->sh_name < len)
        return false;
    *r = read_at(f, f->names + s->sh_name, found, len, e);
    return *r >= 0 && memcmp(found, name, len) == 0;
}

static int append(const struct elf_file *f, const Elf64_Shdr *s, const struct elf_wanted *w, struct cell_buffer *out,
                  struct cell_error *e)
{
    if (s->sh_type == SHT_NOBITS)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its %s section is empty", w->what);
    if (s->sh_size < w->least || s->sh_size > w->most || out->len > w->most - s->sh_size)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: a %s section of %" PRIu64 " bytes", w->what,
                              (uint64_t)s->sh_size);
    if (s->sh_offset > f->size || s->sh_size > f->size - s->sh_offset)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its %s lies beyond its end", w->what);
    char *to = cell_buffer_reserve(out, (size_t)s->sh_size);
    if (!to)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int r = read_at(f, s->sh_offset, to, s->sh_size, e);
    if (r >= 0)
        out->len += (size_t)s->sh_size;
    return r;
}

int elf_read(const struct elf_file *f, const struct elf_wanted *w, struct cell_buffer *out, struct cell_error *e)
{
    bool any = false;
    int r = CELL_OK;

    for (uint64_t i = 1; r >= 0 && i < f->nsections; i++) {
        Elf64_Shdr s;

        r = read_section(f, i, &s, e);
        if (r < 0 || !has_name(f, &s, w->section, &r, e))
            continue;
        any = true;
        r = append(f, &s, w, out, e);
    }
    if (r >= 0 && !any)
        return cell_error_set(e, CELL_NOT_FOUND, "it carries no %s", w->what);
    return r;
}

int elf_open(const char *path, struct elf_file *f, struct cell_error *e)
{
    struct stat st;
    int r;

    *f = (struct elf_file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (f->fd < 0)
        return cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_IO_ERROR, errno, "cannot open it");
    if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        r = cell_error_set(e, CELL_INVALID_ARGUMENT, "it is no file");
    } else {
        f->size = (uint64_t)st.st_size;
        r = read_header(f, e);
    }
    if (r < 0)
        elf_close(f);
    return r;
}

void elf_close(struct elf_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
