/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell trust`: whom compilations and editors may ask, and by which key cells are known. `cell identity`: the key. */
#include "trust.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask/ask_unix.h"
#include "core/json.h"
#include "wire/frame.h"

#define ASK_MS 5000u

/* ---- asking ---- */

/* The signature of the schema that the cell serves now, whoever it is known as, and that schema's fingerprint. */
static int ask(struct cli *cli, const char *name, const char *address, struct cell_signature *s,
               char fingerprint[CELL_FINGERPRINT_LEN + 1], struct cell_error *e)
{
    uint64_t deadline_ns = cell_now_ns() + ASK_MS * CELL_NS_PER_MS;
    struct cell_schema *schema = NULL;
    const char *reply;
    size_t len;
    void *link = NULL;
    int r = cell_exchange_unix.open(address, name, cli->config->trust_any_owner, deadline_ns, &link, fingerprint, e);
    if (r < 0)
        return r;
    r = cell_exchange_unix.request(link, CELL_COMPILE_SCHEMA, "{}", 2, deadline_ns, &reply, &len, e);
    if (r >= 0)
        r = trust_judge(cli, name, link, NULL, reply, len, s, e);
    if (r >= 0)
        r = cell_schema_parse(reply, len, &schema, e);
    if (r >= 0 && strcmp(schema->fingerprint, fingerprint) != 0)
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "its schema is not the one that its greeting named");
    cell_schema_free(schema);
    cell_exchange_unix.close(link);
    return r;
}

static int cannot_ask(struct cli *cli, const char *name, int r, const struct cell_error *e)
{
    char hint[128];
    snprintf(hint, sizeof(hint), "start it with `cell up %.63s`", name);
    return cli_error(cli, cli_exit_of(r), cli_exit_of(r) == CLI_UNAVAILABLE ? hint : NULL, "%s cannot be asked: %s",
                     name, e->text);
}

/* The lock of the cell, if it is one of use; false after reporting that it is none. */
static bool read_lock(struct cli *cli, const char *dir, const char *name, struct cell_lock **lock)
{
    struct cell_error e = {0};
    int r = cell_lock_read(dir, name, lock, &e);
    if (r < 0 && r != CELL_NOT_FOUND)
        cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    return r >= 0 || r == CELL_NOT_FOUND;
}

/* ---- cell identity ---- */

static int show_identity(struct cli *cli, const char *name, const struct cell_signature *s, const struct cell_pin *pin)
{
    struct cli_json j = {0};
    char key[sizeof(CELL_KEY_PREFIX) + CELL_KEY_DIGITS], when[32] = "";
    const char *known = !pin->key[0] ? "unknown" : strcmp(pin->key, s->key) == 0 ? "known" : "another";
    time_t expires = (time_t)s->expires;
    struct tm tm;
    if (gmtime_r(&expires, &tm))
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(key, sizeof(key), CELL_KEY_PREFIX "%s", s->key);
    if (!cli->json) {
        printf("%s\n", key);
        cli_say(cli, "%s: version %llu, signed until %s; %s", name, (unsigned long long)s->version, when,
                known[0] == 'k'   ? "known by this key here"
                : known[0] == 'a' ? "here it is known by ANOTHER key"
                                  : "not known by a key here");
        return CLI_OK;
    }
    out_begin(&j, NULL, '{');
    out_str(&j, "cell", name);
    out_str(&j, "key", key);
    out_uint(&j, "version", s->version);
    out_str(&j, "expires", when);
    out_str(&j, "here", known);
    out_end(&j, '}');
    return out_print(cli, &j);
}

int cmd_identity(struct cli *cli, int argc, char **argv)
{
    char fingerprint[CELL_FINGERPRINT_LEN + 1] = "";
    struct cell_signature s;
    struct cell_lock *lock = NULL;
    struct cell_error e = {0};
    struct cell_pin pin;
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);
    if (r != 0)
        return r;
    if (args.n != 1 || !cell_is_identifier(args.items[0]))
        return cli_error(cli, CLI_USAGE, "`cell identity CELL`", "name one cell");
    const char *name = args.items[0], *dir = locks_dir(cli);
    const char *address = dir ? cell_config_address(cli->config, name) : NULL;
    if (!address)
        return CLI_FAILED;
    r = ask(cli, name, address, &s, fingerprint, &e);
    if (r < 0)
        return cannot_ask(cli, name, r, &e);
    if (!s.key[0])
        return cli_error(cli, CLI_FAILED, "start it with --identity FILE to give it one", "%s has no key", name);
    cell_lock_read(dir, name, &lock, NULL);
    r = trust_pin(cli, name, lock, &pin, &e);
    cell_lock_free(lock);
    return r < 0 ? cli_error(cli, CLI_FAILED, NULL, "%s", e.text) : show_identity(cli, name, &s, &pin);
}

/* ---- cell trust CELL ---- */

struct trusting {
    struct cli *cli;
    const char *dir, *name, *address;
    const char *key; /* that the user has named; NULL = the one that the cell shows */
    struct cell_lock *lock;
    struct cell_pin pin; /* as it was */
    struct cell_signature shown;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    bool contact, changed;
};

/* Allows the project to have this address asked, where that needs to be said. */
static int allow_contact(struct trusting *t, struct cell_error *e)
{
    const struct trust_entry entry = {
        .kind = TRUST_CONTACT, .name = t->name, .address = t->address, .folder = t->cli->config->dir};
    int r = cell_trust_contact(t->cli->config, t->name, t->address, e);
    if (r != CELL_PERMISSION_DENIED || !t->cli->config->dir)
        return r;
    t->contact = true;
    return cell_trusted_change(TRUST_REPLACE, &entry, e);
}

/* What was seen of the cell under its former key, or at a later version, does not count any more. */
static void forget_seen(const struct trusting *t)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = NULL;
    if (asprintf(&path, "%s/.cell/identity/%s", t->dir, t->name) < 0)
        path = NULL;
    else
        unlink(path);
}

/* Where there is a lock, the key is the team's; else this user's. */
static int put_key(struct trusting *t, const char *key, struct cell_error *e)
{
    struct trust_entry entry = {.kind = TRUST_KEY, .name = t->name, .address = t->address};
    bool shown = strcmp(t->shown.key, key) == 0, written;
    memcpy(entry.pin.key, key, sizeof(entry.pin.key));
    if (shown) {
        entry.pin.version = t->shown.version;
        memcpy(entry.pin.sha256, t->shown.sha256, sizeof(entry.pin.sha256));
    }
    t->changed = strcmp(t->pin.key, key) != 0;
    forget_seen(t);
    if (!t->lock)
        return cell_trusted_change(TRUST_REPLACE, &entry, e);
    memcpy(t->lock->identity, key, sizeof(t->lock->identity));
    t->lock->version = shown && strcmp(t->lock->fingerprint, t->fingerprint) == 0 ? t->shown.version : 0;
    return cell_lock_write(t->dir, t->lock, &written, e);
}

static int report(struct trusting *t, const char *key)
{
    struct cli_json j = {0};
    const char *where = t->lock ? "cells.lock" : "known-cells";
    if (!t->cli->json) {
        if (t->contact)
            printf("%s may be asked at %s\n", t->name, t->address);
        if (key[0])
            printf("%s is known by " CELL_KEY_PREFIX "%s (%s)\n", t->name, key, where);
        else
            printf("%s has no key: it is known by its socket\n", t->name);
        if (t->pin.key[0] && t->changed)
            cli_say(t->cli, "It was known by " CELL_KEY_PREFIX "%s.", t->pin.key);
        return CLI_OK;
    }
    out_begin(&j, NULL, '{');
    out_str(&j, "cell", t->name);
    out_str(&j, "address", t->address);
    out_bool(&j, "contact", t->contact);
    out_str(&j, "key", key[0] ? key : NULL);
    out_str(&j, "before", t->pin.key[0] ? t->pin.key : NULL);
    out_str(&j, "in", key[0] ? where : NULL);
    out_end(&j, '}');
    return out_print(t->cli, &j);
}

static int trust_shown(struct trusting *t, struct cell_error *e)
{
    const char *key = t->key ? t->key : t->shown.key;
    if (t->key && strcmp(t->key, t->shown.key) != 0)
        return t->shown.key[0] ? cli_error(t->cli, CLI_FAILED, NULL,
                                           "%s shows another key, " CELL_KEY_PREFIX "%s; nothing was changed", t->name,
                                           t->shown.key)
                               : cli_error(t->cli, CLI_FAILED, NULL, "%s shows no key; nothing was changed", t->name);
    if (!key[0] && t->pin.key[0])
        return cli_error(t->cli, CLI_FAILED, "`cell trust --forget` if it is to have none any more",
                         "%s shows no key, and is known by " CELL_KEY_PREFIX "%s", t->name, t->pin.key);
    if (key[0] && put_key(t, key, e) < 0)
        return cli_error(t->cli, CLI_FAILED, NULL, "%s", e->text);
    return report(t, key);
}

static int trust_cell(struct trusting *t)
{
    struct cell_error e = {0};
    int r = allow_contact(t, &e);
    if (r >= 0)
        r = trust_pin(t->cli, t->name, t->lock, &t->pin, &e);
    if (r < 0)
        return cli_error(t->cli, CLI_FAILED, NULL, "%s", e.text);
    r = ask(t->cli, t->name, t->address, &t->shown, t->fingerprint, &e);
    if (r >= 0)
        return trust_shown(t, &e);
    if (cli_exit_of(r) != CLI_UNAVAILABLE || (!t->key && !t->contact))
        return cannot_ask(t->cli, t->name, r, &e);
    /* It may run later, and elsewhere. */
    if (t->key && put_key(t, t->key, &e) < 0)
        return cli_error(t->cli, CLI_FAILED, NULL, "%s", e.text);
    return report(t, t->key ? t->key : "");
}

/* ---- forgetting ---- */

static int remove_entry(const struct trust_entry *entry, bool *any, struct cell_error *e)
{
    int r = cell_trusted_change(TRUST_REMOVE, entry, e);
    *any |= r >= 0;
    return r == CELL_NOT_FOUND ? CELL_OK : r;
}

static int forget_cell(struct trusting *t)
{
    struct cell_error e = {0};
    const struct trust_entry key = {.kind = TRUST_KEY, .name = t->name, .address = t->address};
    const struct trust_entry contact = {
        .kind = TRUST_CONTACT, .name = t->name, .address = t->address, .folder = t->cli->config->dir};
    bool any = false;
    int r = remove_entry(&key, &any, &e);
    if (r >= 0 && contact.folder)
        r = remove_entry(&contact, &any, &e);
    if (r >= 0 && t->lock && t->lock->identity[0]) {
        t->lock->identity[0] = '\0';
        any = true;
        r = cell_lock_write(t->dir, t->lock, &t->changed, &e);
    }
    forget_seen(t);
    if (r < 0)
        return cli_error(t->cli, CLI_FAILED, NULL, "%s", e.text);
    if (!any)
        return cli_error(t->cli, CLI_FAILED, "`cell trust --list` shows what is known", "%s is known by nothing here",
                         t->name);
    cli_say(t->cli, "%s is forgotten: the key that it shows next is taken for its own", t->name);
    return CLI_OK;
}

static int change_folder(struct cli *cli, const char *folder, bool forget)
{
    struct cell_error e = {0};
    CELL_CLEANUP(cell_cleanup_free) char *real = realpath(folder, NULL);
    const struct trust_entry entry = {.kind = TRUST_FOLDER, .folder = real ? real : folder};
    if (!real && (!forget || folder[0] != '/'))
        return cli_error(cli, CLI_FAILED, NULL, "%s: %s", folder, strerror(errno));
    int r = cell_trusted_change(forget ? TRUST_REMOVE : TRUST_REPLACE, &entry, &e);
    if (r == CELL_NOT_FOUND)
        return cli_error(cli, CLI_FAILED, "`cell trust --list` shows what is known", "%s is not trusted", entry.folder);
    if (r < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    cli_say(cli, forget ? "%s is not trusted any more" : "every cell.json in %s or below it is trusted", entry.folder);
    return CLI_OK;
}

/* ---- listing ---- */

static void put_entry(struct cli_json *j, const struct trust_entry *x)
{
    static const char *const kinds[] = {[TRUST_KEY] = "key", [TRUST_CONTACT] = "contact", [TRUST_FOLDER] = "folder"};
    out_begin(j, NULL, '{');
    out_str(j, "trust", kinds[x->kind]);
    out_str(j, "cell", x->name);
    out_str(j, "address", x->address);
    out_str(j, "folder", x->folder);
    out_str(j, "key", x->kind == TRUST_KEY ? x->pin.key : NULL);
    out_end(j, '}');
}

static void print_entry(const struct trust_entry *x)
{
    if (x->kind == TRUST_KEY)
        printf("%s at %s is known by " CELL_KEY_PREFIX "%s\n", x->name, x->address, x->pin.key);
    else if (x->kind == TRUST_CONTACT)
        printf("%s at %s may be asked for %s\n", x->name, x->address, x->folder);
    else
        printf("%s: every cell.json there is trusted\n", x->folder);
}

/* The keys in the project's locks; its own folder is what they are known for. */
static int list_locks(struct cli *cli, const char *dir, struct cli_json *j, struct cell_error *e)
{
    struct cell_arena arena = {0};
    const char *const *names = NULL;
    int r = cell_lock_list(dir, &arena, &names, e);
    for (; r >= 0 && *names; names++) {
        struct cell_lock *lock = NULL;
        if (cell_lock_read(dir, *names, &lock, NULL) < 0)
            continue; /* other commands tell what is wrong with it */
        struct trust_entry x = {.kind = TRUST_KEY, .name = *names, .folder = dir};
        memcpy(x.pin.key, lock->identity, sizeof(x.pin.key));
        if (lock->identity[0] && cli->json)
            put_entry(j, &x);
        else if (lock->identity[0])
            printf("%s is known by " CELL_KEY_PREFIX "%s (%s/" CELL_LOCK_FOLDER ")\n", *names, x.pin.key, dir);
        cell_lock_free(lock);
    }
    cell_arena_free(&arena);
    return r;
}

static int list(struct cli *cli, const char *dir)
{
    struct cell_trusted t;
    struct cell_error e = {0};
    struct cli_json j = {0};
    int r = cell_trusted_read(&t, &e);
    if (r < 0 && r != CELL_FAILED_PRECONDITION)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    out_begin(&j, NULL, '{');
    out_begin(&j, "trusted", '[');
    for (uint32_t i = 0; i < t.n; i++) {
        if (cli->json)
            put_entry(&j, &t.entries[i]);
        else
            print_entry(&t.entries[i]);
    }
    cell_trusted_free(&t);
    r = list_locks(cli, dir, &j, &e);
    out_end(&j, ']');
    out_end(&j, '}');
    if (r >= 0 && cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return r < 0 ? cli_error(cli, CLI_FAILED, NULL, "%s", e.text) : cli_flush(cli);
}

/* ---- the command ---- */

int cmd_trust(struct cli *cli, int argc, char **argv)
{
    bool all = false, forget = false;
    const char *key = NULL, *folder = NULL;
    char digits[CELL_KEY_DIGITS + 1];
    const struct cli_option options[] = {{.name = "list", .flag = &all},
                                         {.name = "forget", .flag = &forget},
                                         {.name = "key", .value = &key},
                                         {.name = "folder", .value = &folder}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 4, &args);
    if (r != 0)
        return r;
    if (all + (folder != NULL) + args.n != 1 || (all && forget) || (key && (args.n != 1 || forget)))
        return cli_error(cli, CLI_USAGE, "run `cell help trust`", "name one cell, or --folder DIR, or --list");
    if (key && !cell_key_parse(key, digits))
        return cli_error(cli, CLI_USAGE, "`cell identity` prints it, where the cell runs",
                         "'%s' is no key: \"" CELL_KEY_PREFIX "\" and 64 hex digits are", key);
    if (folder)
        return change_folder(cli, folder, forget);
    if (args.n && !cell_is_identifier(args.items[0]))
        return cli_error(cli, CLI_USAGE, "run `cell list`", "'%s' cannot be the name of a cell", args.items[0]);
    struct trusting t = {.cli = cli, .dir = locks_dir(cli), .key = key ? digits : NULL};
    if (!t.dir)
        return CLI_FAILED;
    if (all)
        return list(cli, t.dir);
    t.name = args.items[0];
    t.address = cell_config_address(cli->config, t.name);
    if (!t.address)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    if (!read_lock(cli, t.dir, t.name, &t.lock))
        return CLI_FAILED;
    r = forget ? forget_cell(&t) : trust_cell(&t);
    cell_lock_free(t.lock);
    return r;
}
