/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whether what a cell sends is by the key that it is known by. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "core/session_parts.h"

#define MAX_RECORD 1024u

/* ---- what the cell is known by ---- */

static bool has_lock(const struct cell_session *s, const struct known_cell *c)
{
    struct stat st;
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(s->dir, c->pub.name);
    return path && lstat(path, &st) == 0;
}

/* The lock, read, tells the schema's version as well. One that cannot be used tells nothing, which is a warning of
 * others. */
static void read_lock(struct cell_session *s, struct known_cell *c)
{
    const struct cell_lock *lock = cell_session_lock(s, c);
    if (!lock || !lock->identity[0])
        return;
    memcpy(c->pin.key, lock->identity, sizeof(c->pin.key));
    memcpy(c->pin.sha256, lock->fingerprint, sizeof(c->pin.sha256));
    c->pin.version = lock->version;
    c->pin.in_lock = true;
}

static int seek_pin(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    struct cell_trusted t;
    if (c->pin_sought)
        return CELL_OK;
    if (has_lock(s, c) && (c->lock_sought || !cell_session_locked_key(s, c, c->pin.key)))
        read_lock(s, c);
    c->pin.in_lock = c->pin.key[0] != '\0';
    if (!c->pin.in_lock) {
        int r = cell_trusted_read(&t, e);
        if (r < 0 && r != CELL_FAILED_PRECONDITION)
            return r;
        const struct cell_pin *pin = cell_trusted_key(&t, c->pub.name, c->pub.address);
        if (pin)
            c->pin = *pin;
        cell_trusted_free(&t);
    }
    c->pin_sought = true;
    return CELL_OK;
}

/* Of a socket the kernel tells who has made it. */
static bool needs_none(const struct cell_session *s, const struct known_cell *c)
{
    return !cell_config_is_remote(c->pub.address) &&
           cell_config_trust(s->config, &s->policy, c->pub.name) == CONFIG_TRUST_LOCAL && !s->config->trust_any_owner;
}

/* ---- what was verified before ---- */

struct record {
    struct cell_signature signature; /* without its value */
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
};

static const char *record_path(struct cell_session *s, const struct known_cell *c)
{
    return cell_store_path(&s->store, "identity", c->pub.name, "");
}

static void format_record(const struct known_cell *c, const struct cell_signature *x, const char *fingerprint,
                          struct cell_buffer *out)
{
    cell_buffer_printf(out, "%s %" PRIu64 " %" PRId64 " %s %s %s\n", x->key, x->version, x->expires, fingerprint,
                       x->sha256, c->pub.address);
}

/* What is not exactly what is written is as if it were not there. */
static bool read_record(struct cell_session *s, const struct known_cell *c, struct record *record)
{
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    struct cell_buffer again = {0};
    struct record r = {.fingerprint = ""};
    size_t len;
    const char *path = record_path(s, c);
    if (!path || cell_file_read(path, MAX_RECORD, &text, &len, NULL) < 0 ||
        sscanf(text, "%64[0-9a-f] %" SCNu64 " %" SCNd64 " %64[0-9a-f] %64[0-9a-f] ", r.signature.key,
               &r.signature.version, &r.signature.expires, r.fingerprint, r.signature.sha256) != 5)
        return false;
    format_record(c, &r.signature, r.fingerprint, &again);
    bool same = cell_buffer_ok(&again) && again.len == len && memcmp(again.data, text, len) == 0;
    cell_buffer_free(&again);
    *record = r;
    return same;
}

int cell_session_vouched(struct cell_session *s, struct known_cell *c, bool *vouched, struct cell_error *e)
{
    struct record record;
    *vouched = true;
    if (needs_none(s, c))
        return CELL_OK;
    int r = seek_pin(s, c, e);
    if (r < 0)
        return r;
    if (!c->pin.key[0])
        *vouched = cell_config_trust(s->config, &s->policy, c->pub.name) != CONFIG_TRUST_STRICT;
    else
        *vouched = read_record(s, c, &record) && strcmp(record.signature.key, c->pin.key) == 0 &&
                   strcmp(record.fingerprint, c->pub.fingerprint) == 0 && time(NULL) < record.signature.expires;
    return CELL_OK;
}

/* ---- what is new ---- */

/* The last schema that was seen here, or by others of this user, or by who made the lock. */
static struct cell_pin newest(struct cell_session *s, struct known_cell *c)
{
    struct cell_pin pin = c->pin;
    struct record record;
    if (pin.key[0] && read_record(s, c, &record) && strcmp(record.signature.key, pin.key) == 0 &&
        record.signature.version >= pin.version) {
        pin.version = record.signature.version;
        memcpy(pin.sha256, record.signature.sha256, sizeof(pin.sha256));
    }
    return pin;
}

int cell_session_judge(struct cell_session *s, struct known_cell *c, const char *schema, size_t len,
                       struct cell_signature *signature, struct cell_error *e)
{
    char text[CELL_SIGNATURE_MAX];
    *signature = (struct cell_signature){.version = 0};
    if (needs_none(s, c))
        return CELL_OK;
    int r = seek_pin(s, c, e);
    if (r < 0)
        return r;
    if (c->pin.in_lock && !c->pin.sha256[0])
        read_lock(s, c); /* the note of it has the key alone */
    struct cell_pin pin = newest(s, c);
    size_t n = s->exchange->signature ? s->exchange->signature(c->link, text, sizeof(text)) : 0;
    const struct cell_claim claim = {c->pub.name, session_place(c), text, n, schema, len, (int64_t)time(NULL)};
    return cell_trust_judge(&pin, cell_config_trust(s->config, &s->policy, c->pub.name) == CONFIG_TRUST_STRICT, &claim,
                            signature, e);
}

/* On first use the key is made known; later, what was seen last. */
static int make_known(struct known_cell *c, const struct cell_signature *signature, struct cell_error *e)
{
    struct trust_entry entry = {
        .kind = TRUST_KEY, .name = c->pub.name, .address = c->pub.address, .pin = {.version = signature->version}};
    bool first = !c->pin.key[0];
    memcpy(entry.pin.key, signature->key, sizeof(entry.pin.key));
    memcpy(entry.pin.sha256, signature->sha256, sizeof(entry.pin.sha256));
    int r = cell_trusted_change(TRUST_ADD, &entry, e);
    if (r < 0 && !first) /* the key is known all the same */
        return CELL_OK;
    if (r == CELL_ALREADY_EXISTS)
        return cell_error_set(e, CELL_UNAUTHENTICATED,
                              "%s: the cell has shown two keys at the same time; compile again", session_place(c));
    if (r < 0)
        return e ? cell_error_wrap(e, "%s: its key cannot be remembered", session_place(c)) : r;
    c->pin = entry.pin;
    return CELL_OK;
}

int cell_session_believe(struct cell_session *s, struct known_cell *c, const struct cell_signature *signature,
                         struct cell_error *e)
{
    struct cell_buffer b = {0};
    const char *path = signature->key[0] ? record_path(s, c) : NULL;
    if (!signature->key[0])
        return CELL_OK;
    if (!c->pin.in_lock && (!c->pin.key[0] || signature->version > c->pin.version)) {
        int r = make_known(c, signature, e);
        if (r < 0)
            return r;
    }
    format_record(c, signature, c->pub.fingerprint, &b);
    if (path && cell_buffer_ok(&b))
        cell_store_write(&s->store, path, b.data, b.len, NULL); /* without it the cell is asked again */
    cell_buffer_free(&b);
    return CELL_OK;
}
