/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell history` and `cell drift`: what was done to the database of a postgres cell, by plans and by hand. */
#include <string.h>
#include <time.h>

#include "call.h"
#include "core/json.h"

#define TIMEOUT_MS 30000

/* A member of a record, "" when it is missing or no text. */
static const char *text(const struct json_at *object, const char *key)
{
    const char *value = "";

    return cell_json_string(object, key, JSON_OPTIONAL, &value, NULL) > 0 ? value : "";
}

/* The list `key` of the reply's out parameters. `out` must outlive it. */
static int out_list(struct cli *cli, const struct cell_buffer *reply, const char *key, struct cell_json *doc,
                    struct json_at *out, struct json_at *list)
{
    struct cell_error e = {0};

    if (cell_json_load(reply->data, reply->len, CELL_PROTOCOL_ERROR, doc, &e) < 0 ||
        cell_json_object(&doc->root, "out", JSON_REQUIRED, out, &e) < 0 ||
        cell_json_array(out, key, JSON_REQUIRED, list, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "the cell's answer is not what was expected: %s", e.text);
    return CLI_OK;
}

static void print_field(const char *label, const char *value)
{
    if (!value[0])
        return;
    printf("      %s", label);
    cli_print_safe(stdout, value);
    putchar('\n');
}

static void print_step(const struct cli *cli, const struct json_at *step)
{
    uint64_t began = 0, done = 0;
    char when[32];

    cell_json_uint(step, "began_us", JSON_OPTIONAL, 0, INT64_C(9007199254740991), &began, NULL);
    cell_json_uint(step, "done_us", JSON_OPTIONAL, 0, INT64_C(9007199254740991), &done, NULL);
    time_t at = (time_t)(began / 1000000);
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &utc);
    printf("%s  %s", when, cli_style(cli, stdout, CLI_BOLD));
    cli_print_safe(stdout, text(step, "kind"));
    printf("%s  ", cli_style(cli, stdout, CLI_PLAIN));
    cli_print_safe(stdout, text(step, "text"));
    putchar('\n');
    if (!done)
        printf("      %sinterrupted%s\n", cli_style(cli, stdout, CLI_YELLOW), cli_style(cli, stdout, CLI_PLAIN));
    print_field("hazard ", text(step, "hazard"));
    print_field("consent ", text(step, "consent"));
    print_field("from ", text(step, "source"));
    print_field("by ", text(step, "who"));
}

int cmd_history(struct cli *cli, int argc, char **argv)
{
    const char *table = "", *limit = "20";
    const struct cli_option options[] = {{.name = "table", .value = &table}, {.name = "limit", .value = &limit}};
    struct cli_args args;
    struct cell_buffer reply = {0};
    struct cell_json doc = {0};
    struct json_at out, list, step;
    char *operands[2] = {NULL}, wanted[300], most[32];
    uint64_t n;
    int r = cli_parse(cli, argc, argv, options, 2, &args);

    if (r == 0 && !cli_number(cli, "limit", limit, 1, 10000, &n))
        r = CLI_USAGE;
    if (r == 0 && args.n > 1)
        r = cli_error(cli, CLI_USAGE, "run `cell help history`", "history is about one cell");
    if (r != 0)
        return r;
    snprintf(wanted, sizeof(wanted), "table=%.280s", table);
    snprintf(most, sizeof(most), "limit=%llu", (unsigned long long)n);
    operands[0] = wanted;
    operands[1] = most;
    r = call_method(cli, args.n ? args.items[0] : "postgres", "history", operands, 2, TIMEOUT_MS, &reply);
    if (r == CLI_OK && cli->json) {
        cli_write(reply.data, reply.len);
        cli_write("\n", 1);
    } else if (r == CLI_OK) {
        r = out_list(cli, &reply, "steps", &doc, &out, &list);
        for (size_t i = 0; r == CLI_OK && i < cell_json_count(&list); i++)
            if (cell_json_item_object(&list, i, &step, NULL) >= 0)
                print_step(cli, &step);
        if (r == CLI_OK && cell_json_count(&list) == 0)
            cli_say(cli, "nothing was done yet");
    }
    cell_json_free(&doc);
    cell_buffer_free(&reply);
    return r;
}

/* ---- drift ---- */

static void print_drift(const struct cli *cli, const struct json_at *d)
{
    const char *change = text(d, "change"), *was = text(d, "was"), *is = text(d, "is");
    bool ignored = false;
    static const char prefix[] = "POSTGRES_";

    cell_json_bool(d, "ignored", JSON_OPTIONAL, &ignored, NULL);
    change = strncmp(change, prefix, strlen(prefix)) == 0 ? change + strlen(prefix) : change;
    printf("%s", cli_style(cli, stdout, CLI_BOLD));
    cli_print_safe(stdout, text(d, "schema"));
    putchar('.');
    cli_print_safe(stdout, text(d, "table"));
    printf("%s  ", cli_style(cli, stdout, CLI_PLAIN));
    cli_print_safe(stdout, text(d, "kind"));
    if (text(d, "name")[0])
        putchar(' ');
    cli_print_safe(stdout, text(d, "name"));
    printf(": %s%s\n",
           strcmp(change, "ADDED") == 0     ? "added"
           : strcmp(change, "REMOVED") == 0 ? "removed"
                                            : "changed",
           ignored ? " (ignored)" : "");
    if (strcmp(text(d, "kind"), "table") == 0)
        return;
    print_field("was ", was);
    print_field("is  ", is);
}

static int show_drift(struct cli *cli, const char *cell, const char *table, const char *name)
{
    struct cell_buffer reply = {0};
    struct cell_json doc = {0};
    struct json_at out, list, d;
    size_t open = 0;
    int r = call_method(cli, cell, "drift", NULL, 0, TIMEOUT_MS, &reply);

    if (r == CLI_OK)
        r = out_list(cli, &reply, "drift", &doc, &out, &list);
    for (size_t i = 0; r == CLI_OK && i < cell_json_count(&list); i++) {
        char qualified[300];
        bool ignored = false;
        if (cell_json_item_object(&list, i, &d, NULL) < 0)
            continue;
        snprintf(qualified, sizeof(qualified), "%s.%s", text(&d, "schema"), text(&d, "table"));
        if ((table && strcmp(table, text(&d, "table")) != 0 && strcmp(table, qualified) != 0) ||
            (name && strcmp(name, text(&d, "name")) != 0))
            continue;
        cell_json_bool(&d, "ignored", JSON_OPTIONAL, &ignored, NULL);
        open += !ignored;
        if (!cli->json)
            print_drift(cli, &d);
    }
    if (r == CLI_OK && cli->json) {
        cli_write(reply.data, reply.len);
        cli_write("\n", 1);
    } else if (r == CLI_OK && open == 0) {
        cli_say(cli, "nothing was changed by hand");
    } else if (r == CLI_OK) {
        cli_say(cli, "settle it with `cell drift [TABLE [NAME]] --adopt`, --revert or --ignore");
    }
    cell_json_free(&doc);
    cell_buffer_free(&reply);
    return r != CLI_OK ? r : open ? CLI_FAILED : CLI_OK;
}

static int settle(struct cli *cli, const char *cell, const char *table, const char *name, const char *how, bool loses)
{
    struct cell_buffer reply = {0};
    struct cell_json doc = {0};
    char at[300], object[300], way[64], loss[16];
    char *operands[] = {at, object, way, loss};
    uint64_t n = 0;

    snprintf(at, sizeof(at), "table=%.280s", table ? table : "");
    snprintf(object, sizeof(object), "name=%.280s", name ? name : "");
    snprintf(way, sizeof(way), "how=POSTGRES_%s", how);
    snprintf(loss, sizeof(loss), "loses=%s", loses ? "true" : "false");
    int r = call_method(cli, cell, "settle", operands, 4, TIMEOUT_MS, &reply);
    if (r == CLI_OK && cli->json) {
        cli_write(reply.data, reply.len);
        cli_write("\n", 1);
    } else if (r == CLI_OK && cell_json_load(reply.data, reply.len, CELL_PROTOCOL_ERROR, &doc, NULL) >= 0) {
        cell_json_uint(&doc.root, "result", JSON_OPTIONAL, 0, INT32_MAX, &n, NULL);
        cli_say(cli, "%llu settled", (unsigned long long)n);
    }
    cell_json_free(&doc);
    cell_buffer_free(&reply);
    return r;
}

int cmd_drift(struct cli *cli, int argc, char **argv)
{
    bool adopt = false, revert = false, ignore = false, loses = false;
    const struct cli_option options[] = {{.name = "adopt", .flag = &adopt},
                                         {.name = "revert", .flag = &revert},
                                         {.name = "ignore", .flag = &ignore},
                                         {.name = "lossy", .flag = &loses}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 4, &args);

    if (r != 0)
        return r;
    if (adopt + revert + ignore > 1)
        return cli_error(cli, CLI_USAGE, NULL, "--adopt, --revert and --ignore exclude each other");
    if (loses && !revert)
        return cli_error(cli, CLI_USAGE, NULL, "--lossy belongs to --revert");
    if (!cli_config(cli, false))
        return CLI_FAILED;
    /* The first operand is a cell's name when there is one of that name; a table of that name is written SCHEMA.NAME.
     */
    int at = args.n > 0 && cell_config_cell(cli->config, args.items[0]) != NULL;
    const char *cell = at ? args.items[0] : "postgres";
    if (args.n - at > 2)
        return cli_error(cli, CLI_USAGE, "run `cell help drift`", "drift takes a cell, a table and a name");
    const char *table = args.n > at ? args.items[at] : NULL, *name = args.n > at + 1 ? args.items[at + 1] : NULL;
    if (adopt || revert || ignore)
        return settle(cli, cell, table, name, adopt ? "ADOPT" : revert ? "REVERT" : "IGNORE", loses);
    return show_drift(cli, cell, table, name);
}
