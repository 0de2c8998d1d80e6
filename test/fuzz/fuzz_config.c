/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell.json. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "base/util.h"
#include "core/config.h"
#include "wire/message.h"

#define CONFIG_PATH "/p/cell.json"

#define HOST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]"

/* A socket's absolute path, or a host: nothing behind it, and nothing in it that a terminal or a log would misread. */
static void check_address(const char *address)
{
    const char *host = address + strlen("https://");
    if (cell_config_is_remote(address))
        EXPECT(host[0] && host[strspn(host, HOST)] == '\0');
    else
        EXPECT(strncmp(address, "unix:/", 6) == 0);
}

/* Everything that users of a config rely on without looking. */
static void check_config(struct cell_config *c)
{
    EXPECT(strcmp(c->path, CONFIG_PATH) == 0 && strcmp(c->dir, "/p") == 0);
    EXPECT(c->run_dir[0] == '/' && c->timeout_ms >= 1 && c->timeout_ms <= 600000);
    for (uint32_t i = 0; i < c->ncells; i++) {
        const struct config_cell *cell = &c->cells[i];
        EXPECT(cell_is_identifier(cell->name) && strlen(cell->name) <= CELL_MAX_CELL_NAME);
        check_address(cell->address);
        EXPECT(cell_config_cell(c, cell->name) == cell && cell_config_address(c, cell->name) == cell->address);
        if (cell->command)
            EXPECT(cell->command[0] && cell->command[0][0] &&
                   (!strchr(cell->command[0], '/') || cell->command[0][0] == '/'));
        for (const char *const *need = cell->needs; *need; need++) {
            const struct config_cell *other = cell_config_cell(c, *need);
            EXPECT(other && other != cell);
        }
        for (const char *const *env = cell->env; *env; env++)
            EXPECT(strchr(*env, '=') > *env);
    }
}

static void check_error(int r, const struct cell_error *e)
{
    EXPECT(r < 0 && e->status == r);
    EXPECT(strncmp(e->text, CONFIG_PATH, strlen(CONFIG_PATH)) == 0 && strlen(e->text) > strlen(CONFIG_PATH) + 2);
    EXPECT(cell_utf8_valid(e->text, strlen(e->text)));
    for (const char *p = e->text; *p; p++)
        EXPECT((unsigned char)*p >= 0x20 && *p != 0x7f); /* it goes to a terminal */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_config *config = NULL;
    struct cell_error error = {0};
    char *json = malloc(size ? size : 1); /* of this size exactly: there is no NUL to run into */
    EXPECT(json);
    memcpy(json, data, size);
    int r = cell_config_parse(CONFIG_PATH, json, size, &config, &error);
    if (r >= 0)
        check_config(config);
    else
        check_error(r, &error);
    EXPECT((r >= 0) == (config != NULL));
    cell_config_free(config);
    free(json);
    return 0;
}
