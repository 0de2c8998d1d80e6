/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell inspect` shows what a program carries: the schema of the cell that it is, and what it uses of others. */
#include "inspect.h"
#include "schema_text.h"

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
            cell_buffer_printf(out, "%s%s %s: %s:%u", same ? "\n" : "", cell_use_kind_names[x->kind], x->name, x->file,
                               x->line);
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
