/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a program carries, read: the schema of the cell that it is (ELF section "cell_schema", cell/desc.h), and what it
 * uses of the cells that it imports (core/uses.h). */
#include <endian.h>
#include <string.h>

#include "cell/desc.h"
#include "inspect.h"
#include "wire/limits.h"

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

static int read_schema(const struct elf_file *f, struct cell_schema **schema, struct cell_error *e)
{
    static const struct elf_wanted wanted = {"cell_schema", "schema", sizeof(struct cell_schema_header),
                                             sizeof(struct cell_schema_header) + CELL_MAX_COMPILE_REPLY};
    struct cell_buffer bytes = {0};
    int r = elf_read(f, &wanted, &bytes, e);

    if (r == CELL_NOT_FOUND)
        cell_error_set(e, r, "it carries no schema: it is not a cell, or was built without CELL_PROVIDE");
    if (r >= 0)
        r = parse_section(bytes.data, bytes.len, schema, e);
    cell_buffer_free(&bytes);
    return r;
}

static int read_uses(const struct elf_file *f, struct cell_uses **uses, struct cell_error *e)
{
    static const struct elf_wanted wanted = {CELL_USES_SECTION, "uses", 0, CELL_MAX_USES_SECTION};
    static const struct elf_wanted wanted_schemas = {CELL_USED_SCHEMAS_SECTION, "used schemas", 0,
                                                     CELL_MAX_USES_SECTION};
    struct cell_buffer bytes = {0}, schemas = {0};
    int r = elf_read(f, &wanted, &bytes, e);

    if (r == CELL_NOT_FOUND)
        cell_error_set(e, r, "it uses no cell, or was built by another version of Cell");
    if (r >= 0 && (r = elf_read(f, &wanted_schemas, &schemas, e)) == CELL_NOT_FOUND)
        r = CELL_OK;
    if (r >= 0)
        r = cell_uses_read(bytes.data, bytes.len, schemas.data, schemas.len, uses, e);
    cell_buffer_free(&bytes);
    cell_buffer_free(&schemas);
    return r;
}

int inspect_read(const char *path, struct cell_schema **schema, struct cell_uses **uses, struct cell_error *e)
{
    struct elf_file f;
    struct cell_schema *s = NULL;
    struct cell_uses *u = NULL;
    int r = elf_open(path, &f, e);

    if (r < 0)
        return r;
    if (uses && (r = read_uses(&f, &u, e)) == CELL_NOT_FOUND && schema)
        r = CELL_OK;
    if (r >= 0 && schema && (r = read_schema(&f, &s, e)) == CELL_NOT_FOUND && u)
        r = CELL_OK;
    elf_close(&f);
    if (r < 0) {
        cell_schema_free(s);
        cell_uses_free(u);
        return r;
    }
    if (schema)
        *schema = s;
    if (uses)
        *uses = u;
    return CELL_OK;
}
