/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell schema`: what a running cell offers, or what the last build has seen of it. */
#include <stdlib.h>
#include <string.h>

#include "ask/link.h"
#include "schema_text.h"

#define SCHEMA_MS 5000u

static int from_mirror(struct cli *cli, const char *name, char **json, size_t *len)
{
    struct cell_error e = {0};
    char path[4400];

    if (!cli->config->dir)
        return cli_error(cli, CLI_FAILED, NULL, "there is no cell.json here, so there are no mirrors");
    snprintf(path, sizeof(path), "%s/.cell/mirror/%s.json", cli->config->dir, name);
    int r = cell_file_read(path, CELL_MAX_COMPILE_REPLY, json, len, &e);
    if (r == CELL_NOT_FOUND)
        return cli_error(cli, CLI_UNAVAILABLE, "compile a file that imports it, or leave out --mirror",
                         "no build here has seen %s yet", name);
    return r < 0 ? cli_error(cli, CLI_FAILED, NULL, "%s", e.text) : CLI_OK;
}

static int from_cell(struct cli *cli, const char *name, char **json, size_t *len)
{
    const char *address = cell_config_address(cli->config, name);
    struct cell_error e = {0};
    char hint[200];

    if (!address)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    int r = cell_link_schema(address, name, cli->config->trust_any_owner, cell_now_ns() + SCHEMA_MS * CELL_NS_PER_MS,
                             json, len, &e);
    if (r >= 0)
        return CLI_OK;
    hint[0] = '\0';
    if (!cell_config_cell(cli->config, name))
        cli_near_cell(cli, name, hint, sizeof(hint));
    if (!hint[0])
        snprintf(hint, sizeof(hint),
                 "run `cell up %s`; `cell schema %s --mirror` shows the last one that a build has seen", name, name);
    return cli_error(cli, cli_exit_of(r), cli_exit_of(r) == CLI_UNAVAILABLE ? hint : NULL, "%s cannot be asked: %s",
                     name, e.text);
}

int cli_schema(struct cli *cli, int argc, char **argv, struct cell_schema **schema)
{
    bool mirror = false;
    const struct cli_option options[] = {{.name = "mirror", .flag = &mirror}};
    struct cell_error e = {0};
    struct cli_args args;
    char *json = NULL;
    size_t len = 0;
    const char *command = argv[0];
    int r = cli_parse(cli, argc, argv, options, 1, &args);

    if (r != 0)
        return r;
    if (args.n != 1 || !cell_is_identifier(args.items[0]))
        return cli_error(cli, CLI_USAGE, "run `cell list`", "%s takes the name of one cell", command);
    if (!cli_config(cli, false))
        return CLI_FAILED;
    r = mirror ? from_mirror(cli, args.items[0], &json, &len) : from_cell(cli, args.items[0], &json, &len);
    if (r != CLI_OK)
        return r;
    if (cell_schema_parse(json, len, schema, &e) < 0)
        r = cli_error(cli, CLI_FAILED, NULL, "the schema of %s is invalid: %s", args.items[0], e.text);
    free(json);
    return r;
}

int cmd_schema(struct cli *cli, int argc, char **argv)
{
    struct cell_schema *schema = NULL;
    int r = cli_schema(cli, argc, argv, &schema);

    if (r == CLI_OK && schema)
        r = schema_show(cli, schema);
    cell_schema_free(schema);
    return r;
}
