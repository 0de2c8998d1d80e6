/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell import`: the declarations of tables that a database has, as a header. The cell writes it. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "call.h"
#include "core/json.h"

#define TIMEOUT_MS 60000

struct import {
    struct cell_buffer reply;
    struct cell_json doc;
    struct json_at out, header, lost;
    const char *text;
    uint64_t tables;
};

/* "NAME:=JSON", so that no value is taken for the name of a file. */
static char *operand(const char *name, const char *const *texts, size_t n, bool list)
{
    struct cli_json j = {0};
    struct cell_buffer b = {0};

    if (list)
        out_begin(&j, NULL, '[');
    for (size_t i = 0; i < n; i++)
        out_str(&j, NULL, texts[i]);
    if (list)
        out_end(&j, ']');
    cell_buffer_printf(&b, "%s:=%s", name, cell_buffer_ok(&j.b) ? j.b.data : "");
    bool ok = cell_buffer_ok(&b) && cell_buffer_ok(&j.b);
    cell_buffer_free(&j.b);
    if (ok)
        return b.data;
    cell_buffer_free(&b);
    return NULL;
}

static int ask(struct cli *cli, const char *cell, const char *schema, const struct cli_list *tables, bool rows,
               struct import *m)
{
    struct cell_error e = {0};
    char *operands[] = {operand("schema", &schema, 1, false), operand("tables", tables->items, tables->n, true),
                        rows ? "rows=true" : "rows=false"};
    int r = operands[0] && operands[1] ? call_method(cli, cell, "import", operands, 3, TIMEOUT_MS, &m->reply)
                                       : cli_error(cli, CLI_FAILED, NULL, "out of memory");

    free(operands[0]);
    free(operands[1]);
    if (r != CLI_OK)
        return r;
    if (cell_json_load(m->reply.data, m->reply.len, CELL_PROTOCOL_ERROR, &m->doc, &e) < 0 ||
        cell_json_object(&m->doc.root, "out", JSON_REQUIRED, &m->out, &e) < 0 ||
        cell_json_object(&m->out, "header", JSON_REQUIRED, &m->header, &e) < 0 ||
        cell_json_string(&m->header, "text", JSON_REQUIRED, &m->text, &e) < 0 ||
        cell_json_uint(&m->header, "tables", JSON_REQUIRED, 0, UINT32_MAX, &m->tables, &e) < 0 ||
        cell_json_array(&m->header, "lost", JSON_REQUIRED, &m->lost, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "the cell's answer is not what was expected: %s", e.text);
    return CLI_OK;
}

/* What the header could not say. */
static void tell(struct cli *cli, const struct import *m)
{
    size_t n = cell_json_count(&m->lost);
    const char *sentence;

    for (size_t i = 0; i < n; i++)
        if (cell_json_item_string(&m->lost, i, &sentence, NULL) >= 0)
            cli_warn(cli, "not in the header: %s", sentence);
    cli_say(cli, "%llu table%s%s", (unsigned long long)m->tables, m->tables == 1 ? "" : "s",
            n ? "" : ", and all that they have");
}

static int deliver(struct cli *cli, const struct import *m, const char *output)
{
    struct cell_error e = {0};

    if (output && cell_file_replace(output, m->text, strlen(m->text), &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    if (cli->json) {
        cli_write(m->reply.data, m->reply.len);
        cli_write("\n", 1);
    } else if (!output)
        cli_write(m->text, strlen(m->text));
    tell(cli, m);
    return cli_flush(cli);
}

int cmd_import(struct cli *cli, int argc, char **argv)
{
    struct cli_list tables = {0};
    const char *output = NULL;
    bool rows = false;
    const struct cli_option options[] = {{.name = "table", .letter = 't', .list = &tables},
                                         {.name = "output", .letter = 'o', .value = &output},
                                         {.name = "rows", .flag = &rows}};
    struct import m = {0};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 3, &args);

    if (r == 0 && (args.n < 1 || args.n > 2))
        r = cli_error(cli, CLI_USAGE, "run `cell help import`",
                      args.n ? "import is about one schema" : "import needs the name of a cell: postgres");
    if (r == 0)
        r = ask(cli, args.items[0], args.n == 2 ? args.items[1] : "", &tables, rows, &m);
    if (r == 0)
        r = deliver(cli, &m, output);
    cell_json_free(&m.doc);
    cell_buffer_free(&m.reply);
    cli_list_free(&tables);
    return r;
}
