/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The lock that a running cell would have: its schema, and its answers to every question in use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/ask_unix.h"
#include "core/json.h"
#include "trust.h"
#include "wire/frame.h"

#define ASK_MS 5000u

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

const char *locks_dir(struct cli *cli)
{
    static char cwd[4096];
    if (!cli_config(cli, false))
        return NULL;
    if (cli->config->dir)
        return cli->config->dir;
    if (getcwd(cwd, sizeof(cwd)))
        return cwd;
    cli_error(cli, CLI_FAILED, NULL, "the working folder cannot be found: %s", strerror(errno));
    return NULL;
}

int locks_request(struct lock_asker *a, uint32_t method, const char *json, size_t len, const char **reply,
                  size_t *reply_len, struct cell_error *e)
{
    return cell_exchange_unix.request(a->link, method, json, len, cell_now_ns() + ASK_MS * CELL_NS_PER_MS, reply,
                                      reply_len, e);
}

/* Whether the answer is to be believed of the cell as it was locked, or as it is known. Its key is the lock's then. */
static int check_key(struct cli *cli, struct lock_asker *a, const char *name, const char *schema, size_t len,
                     struct cell_error *e)
{
    const struct cell_lock *old = NULL;
    struct cell_lock *lock = &a->live->lock, *read = NULL;
    struct cell_signature s;
    struct cell_pin pin;
    for (unsigned i = 0; i < 2; i++)
        if (!old && a->wanted->locks[i] && a->wanted->locks[i]->identity[0])
            old = a->wanted->locks[i];
    if (!old && cell_lock_read(a->wanted->dir, name, &read, NULL) >= 0)
        old = read;
    int r = trust_pin(cli, name, old, &pin, e);
    if (r >= 0)
        r = trust_judge(cli, name, a->link, &pin, schema, len, &s, e);
    if (r >= 0) {
        /* Nothing was looked at, or nothing has changed: then not the number either, which replicas may count apart. */
        bool same = pin.in_lock && (!s.key[0] || strcmp(s.sha256, pin.sha256) == 0);
        memcpy(lock->identity, same ? pin.key : s.key, sizeof(lock->identity));
        lock->version = same ? pin.version : s.version;
    }
    cell_lock_free(read);
    return r;
}

/* The schema, canonical. */
static int ask_schema(struct cli *cli, struct lock_asker *a, const char *name, const char *greeted,
                      struct cell_error *e)
{
    struct cell_lock *lock = &a->live->lock;
    struct cell_schema *schema = NULL;
    struct cell_buffer b = {0};
    const char *reply;
    size_t len;
    int r = locks_request(a, CELL_COMPILE_SCHEMA, "{}", 2, &reply, &len, e);
    if (r >= 0)
        r = check_key(cli, a, name, reply, len, e);
    if (r < 0)
        return r;
    r = cell_schema_parse(reply, len, &schema, e);
    if (r < 0)
        return cell_error_wrap(e, "its schema is not valid");
    a->live->schema = schema;
    if (strcmp(schema->cell, name) != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "it says that it is cell '%s'", schema->cell);
    if (strcmp(schema->fingerprint, greeted) != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "its schema is not the one that its greeting named");
    r = cell_schema_format(schema, &b);
    lock->schema = r >= 0 && cell_buffer_ok(&b) ? cell_arena_copy(&lock->arena, b.data, b.len) : NULL;
    lock->schema_len = b.len;
    cell_buffer_free(&b);
    memcpy(lock->fingerprint, schema->fingerprint, sizeof(lock->fingerprint));
    return lock->schema ? CELL_OK : no_memory(e);
}

int locks_ask(struct cli *cli, const char *name, const struct lock_wanted *wanted, struct lock_live *live,
              struct cell_error *e)
{
    struct lock_asker a = {.wanted = wanted, .live = live};
    const char *address = cell_config_address(cli->config, name);
    char fingerprint[CELL_FINGERPRINT_LEN + 1] = "";
    *live = (struct lock_live){.lock = {.cell = name}};
    int r = address ? cell_exchange_unix.open(address, name, cli->config->trust_any_owner,
                                              cell_now_ns() + ASK_MS * CELL_NS_PER_MS, &a.link, fingerprint, e)
                    : no_memory(e);
    if (r >= 0)
        r = ask_schema(cli, &a, name, fingerprint, e);
    if (r >= 0)
        r = locks_ask_answers(&a, name, e);
    if (a.link)
        cell_exchange_unix.close(a.link);
    if (r < 0)
        locks_live_free(live);
    return r;
}

void locks_live_free(struct lock_live *live)
{
    for (uint32_t i = 0; i < live->nplans; i++)
        cell_expansion_free(live->plans[i].x);
    cell_schema_free((struct cell_schema *)(uintptr_t)live->schema);
    cell_arena_free(&live->lock.arena);
    *live = (struct lock_live){.lock = {.cell = NULL}};
}
