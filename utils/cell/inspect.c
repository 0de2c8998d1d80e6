/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The schema inside a cell's program: the ELF section "cell_schema" (cell/desc.h). The file is hostile until proven
 * otherwise: every offset and size is checked against the file before a byte is read there, and nothing is run.
 */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cell/desc.h"
#include "schema_text.h"
#include "wire/limits.h"

#define SECTION_NAME "cell_schema"
#define MAX_SECTIONS 65536u

struct elf_file {
    int fd;
    uint64_t size;
    uint64_t sections; /* offset of the section table */
    uint64_t nsections;
    uint64_t names, names_size; /* the section names' string table */
};

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
    int r = f->size < sizeof(h) ? CELL_NOT_FOUND : read_at(f, 0, &h, sizeof(h), e);

    if (r == CELL_NOT_FOUND || (r >= 0 && memcmp(h.e_ident, ELFMAG, SELFMAG) != 0))
        return cell_error_set(e, CELL_NOT_FOUND, "it is no ELF program");
    if (r < 0)
        return r;
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB)
        return cell_error_set(e, CELL_NOT_FOUND, "it is no 64-bit little-endian ELF program");
    if (h.e_shoff == 0)
        return cell_error_set(e, CELL_NOT_FOUND, "its section table was stripped away");
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

static int find_section(const struct elf_file *f, Elf64_Shdr *found, struct cell_error *e)
{
    for (uint64_t i = 1; i < f->nsections; i++) {
        Elf64_Shdr s;
        char name[sizeof(SECTION_NAME)];
        int r = read_section(f, i, &s, e);

        if (r < 0)
            return r;
        if (s.sh_name >= f->names_size || f->names_size - s.sh_name < sizeof(name))
            continue;
        if ((r = read_at(f, f->names + s.sh_name, name, sizeof(name), e)) < 0)
            return r;
        if (memcmp(name, SECTION_NAME, sizeof(name)) != 0)
            continue;
        if (s.sh_type == SHT_NOBITS)
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its schema section is empty");
        *found = s;
        return CELL_OK;
    }
    return cell_error_set(e, CELL_NOT_FOUND,
                          "it carries no schema: it is not a cell, or was built without CELL_PROVIDE");
}

static int parse_section(const char *bytes, uint64_t len, struct cell_schema **schema, struct cell_error *e)
{
    struct cell_schema_header h;
    struct cell_schema *s = NULL;
    char hex[CELL_FINGERPRINT_LEN + 1];

    memcpy(&h, bytes, sizeof(h));
    if (memcmp(h.magic, CELL_SCHEMA_MAGIC, sizeof(h.magic)) != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its schema is of another version of Cell than " CELL_VERSION);
    if (le64toh(h.size) > len - sizeof(h))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its schema is cut off");
    cell_sha256_hex(bytes + sizeof(h), (size_t)le64toh(h.size), hex);
    if (memcmp(hex, h.fingerprint, CELL_FINGERPRINT_LEN) != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the fingerprint does not fit the schema: the file was changed");
    int r = cell_schema_parse(bytes + sizeof(h), (size_t)le64toh(h.size), &s, e);
    if (r < 0) {
        cell_error_wrap(e, "its schema is invalid");
        return r;
    }
    if (memcmp(s->fingerprint, h.fingerprint, CELL_FINGERPRINT_LEN) != 0) {
        cell_schema_free(s);
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its schema is not in canonical form");
    }
    *schema = s;
    return CELL_OK;
}

static int read_schema(struct elf_file *f, struct cell_schema **schema, struct cell_error *e)
{
    Elf64_Shdr s;
    int r = read_header(f, e);

    if (r >= 0)
        r = find_section(f, &s, e);
    if (r < 0)
        return r;
    if (s.sh_size < sizeof(struct cell_schema_header) ||
        s.sh_size > sizeof(struct cell_schema_header) + CELL_MAX_COMPILE_REPLY)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: a schema section of %" PRIu64 " bytes",
                              (uint64_t)s.sh_size);
    if (s.sh_offset > f->size || s.sh_size > f->size - s.sh_offset)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the file is damaged: its schema lies beyond its end");
    char *bytes = malloc((size_t)s.sh_size);
    if (!bytes)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    r = read_at(f, s.sh_offset, bytes, s.sh_size, e);
    if (r >= 0)
        r = parse_section(bytes, s.sh_size, schema, e);
    free(bytes);
    return r;
}

int inspect_read(const char *path, struct cell_schema **schema, struct cell_error *e)
{
    struct elf_file f = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    struct stat st;
    int r;

    if (f.fd < 0)
        return cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_IO_ERROR, errno, "cannot open it");
    if (fstat(f.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        r = cell_error_set(e, CELL_NOT_FOUND, "it is no file");
    } else {
        f.size = (uint64_t)st.st_size;
        r = read_schema(&f, schema, e);
    }
    close(f.fd);
    return r;
}
