/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell pipelines`: how far the indexes of a search cell, or the aggregates of another one, have got with their
 * sources. */
#include <inttypes.h>
#include <string.h>

#include "call.h"
#include "core/json.h"

#define TIMEOUT_MS 30000
#define MOST INT64_C(9007199254740991)

static const char *text(const struct json_at *object, const char *key)
{
    const char *value = "";

    return cell_json_string(object, key, JSON_OPTIONAL, &value, NULL) > 0 ? value : "";
}

static uint64_t number(const struct json_at *object, const char *key)
{
    uint64_t value = 0;

    cell_json_uint(object, key, JSON_OPTIONAL, 0, MOST, &value, NULL);
    return value;
}

/* "SEARCH_CATCHING_UP" as "catching up": without the name of the cell. */
static void phase_word(const struct json_at *pipeline, char *word, size_t size)
{
    const char *name = text(pipeline, "phase"), *end = strchr(name, '_');
    size_t n = 0;

    name = end ? end + 1 : name;
    for (; name[n] && n + 1 < size; n++)
        word[n] = (char)(name[n] == '_' ? ' ' : name[n] >= 'A' && name[n] <= 'Z' ? name[n] + 32 : name[n]);
    word[n] = '\0';
}

static void print_note(const char *label, const char *value)
{
    if (!value[0])
        return;
    printf("      %s", label);
    cli_print_safe(stdout, value);
    putchar('\n');
}

static void print_pipeline(const struct cli *cli, const struct json_at *p)
{
    char phase[32], refused[64] = "";
    bool building = false;

    cell_json_bool(p, "building", JSON_OPTIONAL, &building, NULL);
    phase_word(p, phase, sizeof(phase));
    printf("%s", cli_style(cli, stdout, CLI_BOLD));
    cli_print_safe(stdout, text(p, "index"));
    printf("%s  of ", cli_style(cli, stdout, CLI_PLAIN));
    cli_print_safe(stdout, text(p, "source"));
    printf("  %s%s%s%s", cli_style(cli, stdout, strcmp(phase, "following") == 0 ? CLI_GREEN : CLI_YELLOW),
           building ? "rebuilding: " : "", phase, cli_style(cli, stdout, CLI_PLAIN));
    uint64_t n;
    bool groups = cell_json_uint(p, "groups", JSON_OPTIONAL, 0, MOST, &n, NULL) > 0;
    printf("  %" PRIu64 " %s, position %" PRIu64 ", behind %" PRIu64 " records and %" PRIu64 " ms\n",
           number(p, groups ? "groups" : "documents"), groups ? "groups" : "documents", number(p, "position"),
           number(p, "lag_records"), number(p, "lag_ms"));
    print_note("error   ", text(p, "error"));
    if (number(p, "missed"))
        printf("      missed  %" PRIu64 " records, which were removed before they were counted\n", number(p, "missed"));
    if (number(p, "refused"))
        snprintf(refused, sizeof(refused), "%" PRIu64 " records, the last ", number(p, "refused"));
    if (refused[0]) {
        printf("      refused %s", refused);
        cli_print_safe(stdout, text(p, "refusal"));
        putchar('\n');
    }
}

int cmd_pipelines(struct cli *cli, int argc, char **argv)
{
    struct cli_args args;
    struct cell_buffer reply = {0};
    struct cell_json doc = {0};
    struct json_at out, list, pipeline;
    struct cell_error e = {0};
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r == 0 && args.n > 1)
        r = cli_error(cli, CLI_USAGE, "run `cell help pipelines`", "pipelines are those of one cell");
    if (r != 0)
        return r;
    r = call_method(cli, args.n ? args.items[0] : "search", "pipelines", NULL, 0, TIMEOUT_MS, &reply);
    if (r == CLI_OK && cli->json) {
        cli_write(reply.data, reply.len);
        cli_write("\n", 1);
    } else if (r == CLI_OK && (cell_json_load(reply.data, reply.len, CELL_PROTOCOL_ERROR, &doc, &e) < 0 ||
                               cell_json_object(&doc.root, "out", JSON_REQUIRED, &out, &e) < 0 ||
                               cell_json_array(&out, "pipelines", JSON_REQUIRED, &list, &e) < 0)) {
        r = cli_error(cli, CLI_FAILED, NULL, "the cell's answer is not what was expected: %s", e.text);
    } else if (r == CLI_OK) {
        for (size_t i = 0; i < cell_json_count(&list); i++)
            if (cell_json_item_object(&list, i, &pipeline, NULL) >= 0)
                print_pipeline(cli, &pipeline);
        if (cell_json_count(&list) == 0)
            cli_say(cli, "there is no index yet");
    }
    cell_json_free(&doc);
    cell_buffer_free(&reply);
    return r;
}
