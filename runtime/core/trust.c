/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/trust.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

/* ---- whom to ask ---- */

/* Whether `path` is in the folder `dir`, or is it. */
static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    while (len && dir[len - 1] == '/')
        len--;
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_really_below(const char *path, const char *dir)
{
    CELL_CLEANUP(cell_cleanup_free) char *real = realpath(dir, NULL);
    return real && is_below(path, real);
}

static bool was_allowed(const struct cell_trusted *t, const char *name, const char *address, const char *dir)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct trust_entry *x = &t->entries[i];
        if (x->kind == TRUST_FOLDER && is_below(dir, x->folder))
            return true;
        if (x->kind == TRUST_CONTACT && strcmp(x->name, name) == 0 && strcmp(x->address, address) == 0 &&
            strcmp(x->folder, dir) == 0)
            return true;
    }
    return false;
}

/* Whether nothing can listen there but what this user has started. */
static bool is_own(const struct cell_config *c, const char *socket)
{
    char run_dir[PATH_MAX];
    if (c->trust_any_owner)
        return false;
    return is_really_below(socket, c->dir) ||
           (cell_default_run_dir(run_dir, sizeof(run_dir)) >= 0 && is_really_below(socket, run_dir));
}

int cell_trust_contact(const struct cell_config *c, const char *name, const char *address, struct cell_error *e)
{
    const char *colon = strchr(address, ':'), *path = colon ? colon + 1 : address;
    struct cell_trusted t = {.n = 0};
    bool remote = cell_config_is_remote(address);
    if (!c->path)
        return CELL_OK;
    path = remote ? address : path;
    CELL_CLEANUP(cell_cleanup_free) char *socket = remote ? NULL : realpath(path, NULL);
    if (!socket && !remote && (errno == ENOENT || errno == ENOTDIR))
        return CELL_OK;
    if (socket && is_own(c, socket))
        return CELL_OK;
    int r = cell_trusted_read(&t, e);
    bool allowed = r >= 0 && was_allowed(&t, name, address, c->dir);
    cell_trusted_free(&t);
    if (r < 0 && r != CELL_FAILED_PRECONDITION)
        return r;
    if (allowed)
        return CELL_OK;
    return cell_error_set(e, CELL_PERMISSION_DENIED,
                          "%s: %s wants this %s asked, which is not in the project's folder; nobody was asked. If "
                          "you trust the project, run 'cell -C %s trust %s'",
                          path, c->path, remote ? "host" : "socket", c->dir, name);
}

/* ---- whom to believe ---- */

static const char *where(const struct cell_pin *pin) { return pin->in_lock ? "cells.lock" : "your known-cells"; }

static int unsigned_reply(const struct cell_pin *pin, const struct cell_claim *claim, struct cell_error *e)
{
    if (!pin->key[0])
        return cell_error_set(e, CELL_UNAUTHENTICATED,
                              "%s: the cell has no key, and cell.json demands one (\"trust\": \"strict\")",
                              claim->place);
    return cell_error_set(e, CELL_UNAUTHENTICATED,
                          "%s: the answer is not signed, and the cell is known by the key " CELL_KEY_PREFIX
                          "%.12s… (%s): somebody else may be answering. If the cell is to have no key any more, run "
                          "'cell trust --forget %s'",
                          claim->place, pin->key, where(pin), claim->cell);
}

static int wrong_key(const struct cell_pin *pin, const struct cell_claim *claim, const char *key, struct cell_error *e)
{
    if (!pin->key[0])
        return cell_error_set(
            e, CELL_UNAUTHENTICATED,
            "%s: the cell is not known by a key yet, and cell.json demands it (\"trust\": \"strict\"). "
            "If 'cell identity' says the same where the cell runs, run 'cell trust %s --key " CELL_KEY_PREFIX "%s'",
            claim->place, claim->cell, key);
    return cell_error_set(e, CELL_UNAUTHENTICATED,
                          "%s: the cell has another key than the one that it is known by, " CELL_KEY_PREFIX
                          "%.12s… (%s): somebody else may be answering. If 'cell identity' says the same where the "
                          "cell runs, run 'cell trust %s --key " CELL_KEY_PREFIX "%s'",
                          claim->place, pin->key, where(pin), claim->cell, key);
}

static int expired(const struct cell_claim *claim, int64_t expires, struct cell_error *e)
{
    char text[32] = "long ago";
    time_t then = (time_t)expires;
    struct tm tm;
    if (gmtime_r(&then, &tm))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
    return cell_error_set(e, CELL_UNAUTHENTICATED,
                          "%s: the signature has expired (%s): an old answer is being repeated, or a clock is wrong",
                          claim->place, text);
}

static int check_version(const struct cell_pin *pin, const struct cell_claim *claim, const struct cell_signature *s,
                         struct cell_error *e)
{
    bool same = strcmp(s->sha256, pin->sha256) == 0;
    if (!pin->key[0] || s->version > pin->version || same)
        return CELL_OK;
    if (s->version == pin->version && !pin->sha256[0])
        return CELL_OK;
    return cell_error_set(e, CELL_UNAUTHENTICATED,
                          "%s: its schema has version %" PRIu64 ", and version %" PRIu64
                          " was seen before: an older one is being sent again. If the cell has gone back on purpose, "
                          "run 'cell trust %s'",
                          claim->place, s->version, pin->version, claim->cell);
}

int cell_trust_judge(const struct cell_pin *pin, bool strict, const struct cell_claim *claim, struct cell_signature *s,
                     struct cell_error *e)
{
    struct cell_signature made = {.version = 0};
    if (!claim->signature_len && (pin->key[0] || strict))
        return unsigned_reply(pin, claim, e);
    if (!claim->signature_len) {
        *s = made;
        return CELL_OK;
    }
    int r = cell_signature_parse(claim->signature, claim->signature_len, &made, e);
    if (r >= 0 && (pin->key[0] ? strcmp(made.key, pin->key) != 0 : strict))
        return wrong_key(pin, claim, made.key, e);
    if (r >= 0)
        r = cell_signature_check(&made, claim->cell, claim->document, claim->len, e);
    if (r < 0)
        return e ? cell_error_wrap(e, "%s", claim->place) : r;
    if (made.expires <= claim->now)
        return expired(claim, made.expires, e);
    r = check_version(pin, claim, &made, e);
    if (r >= 0)
        *s = made;
    return r;
}
