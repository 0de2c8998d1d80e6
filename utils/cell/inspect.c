/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a program carries: the schema of the cell that it is (ELF section "cell_schema", cell/desc.h), and what it uses
 * of the cells that it imports (core/uses.h). `cell inspect` shows both. */
#include <endian.h>
#include <string.h>

#include "cell/desc.h"
#include "inspect.h"
#include "schema_text.h"
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

static int show_uses(struct cli *cli, const struct cell_uses *u)
{
    struct cell_buffer text = {0}, safe = {0};
    int code = CLI_OK;

    if (cli->json) {
        cell_uses_format(u, &safe);
        cell_buffer_puts(&safe, "\n");
    } else {
        uses_text(&text, u);
        cli_safe(&safe, text.data ? text.data : "", text.len);
    }
    if (!cell_buffer_ok(&text) || !cell_buffer_ok(&safe))
        code = cli_error(cli, CLI_FAILED, NULL, "out of memory");
    else
        cli_write(safe.data, safe.len);
    cell_buffer_free(&text);
    cell_buffer_free(&safe);
    return code == CLI_OK ? cli_flush(cli) : code;
}

void uses_text(struct cell_buffer *out, const struct cell_uses *u)
{
    static const char *const kinds[] = {[USE_FIELD] = "field", [USE_METHOD] = "method", [USE_VALUE] = "value"};
    const struct use *before = NULL;

    for (uint32_t i = 0; i < u->n; i++) {
        const struct use *x = &u->uses[i];
        bool same = before && strcmp(before->cell, x->cell) == 0 && strcmp(before->fingerprint, x->fingerprint) == 0;

        if (!same)
            cell_buffer_printf(out, "%s/* uses cell %s, compiled against schema %s */\n", i ? "\n\n" : "", x->cell,
                               x->fingerprint);
        if (same && before->kind == x->kind && strcmp(before->name, x->name) == 0)
            cell_buffer_printf(out, ", %s:%u", x->file, x->line);
        else
            cell_buffer_printf(out, "%s%s %s: %s:%u", same ? "\n" : "", kinds[x->kind], x->name, x->file, x->line);
        before = x;
    }
    if (u->n)
        cell_buffer_puts(out, "\n");
    if (u->truncated)
        cell_buffer_puts(out, "/* and more: the record has met its limit */\n");
}

int cmd_inspect(struct cli *cli, int argc, char **argv)
{
    bool only_uses = false;
    const struct cli_option options[] = {{.name = "uses", .flag = &only_uses}};
    struct cell_schema *schema = NULL;
    struct cell_uses *uses = NULL;
    struct cell_error e = {0};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 1, &args);

    if (r != 0)
        return r;
    if (args.n != 1)
        return cli_error(cli, CLI_USAGE, "run `cell help inspect`", "inspect takes one program");
    if (inspect_read(args.items[0], only_uses ? NULL : &schema, &uses, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s: %s", args.items[0], e.text);
    r = schema ? schema_show(cli, schema) : CLI_OK;
    if (uses && !(schema && cli->json) && r == CLI_OK)
        r = show_uses(cli, uses);
    cell_schema_free(schema);
    cell_uses_free(uses);
    return r;
}
