/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell openapi`: what a cell serves over HTTPS, for programs of other languages. */
#include "core/openapi.h"
#include "schema_text.h"

int cmd_openapi(struct cli *cli, int argc, char **argv)
{
    struct cell_schema *schema = NULL;
    struct cell_buffer b = {0};
    int r = cli_schema(cli, argc, argv, &schema);

    if (r == CLI_OK && schema) {
        cell_openapi_put(&b, schema);
        cell_buffer_puts(&b, "\n");
        if (cell_buffer_ok(&b))
            cli_write(b.data, b.len);
        r = cell_buffer_ok(&b) ? cli_flush(cli) : cli_error(cli, CLI_FAILED, NULL, "out of memory");
    }
    cell_buffer_free(&b);
    cell_schema_free(schema);
    return r;
}
