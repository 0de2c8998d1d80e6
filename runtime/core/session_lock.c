/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The lock in a compilation: in place of the cell, or as what its schema is compared with. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/lock_parts.h"
#include "core/session_parts.h"

/* A file that has changed later than so long before it is read may change again and keep its stamps: those of file
 * systems go in steps. */
#define SETTLED_MS 50

/* What tells a lock's state, before it is read; false when that cannot be relied on. */
static bool stamp(const char *path, struct stat *st)
{
    struct timespec now;
    if (lstat(path, st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
        return false;
    int64_t age_ms = ((int64_t)now.tv_sec - st->st_ctim.tv_sec) * 1000 + (now.tv_nsec - st->st_ctim.tv_nsec) / 1000000;
    return age_ms >= SETTLED_MS;
}

static const char no_key[] = "0000000000000000000000000000000000000000000000000000000000000000";

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What all of it is, for what is kept of its answers. */
static void learn_content(struct cell_session *s, struct known_cell *c, const char *path, const struct stat *before)
{
    const char *note = cell_arena_printf(&s->arena, "%s.locked", c->pub.name);
    struct store_file file = {0};
    if (!note || cell_store_read(path, &file, NULL) < 0)
        return;
    /* What was parsed, and not what has come since. */
    file.stable = file.stable && file.st.st_ino == before->st_ino && file.st.st_dev == before->st_dev &&
                  same_time(&file.st.st_ctim, &before->st_ctim);
    if (file.stable) {
        memcpy(c->lock_content, file.sha256, sizeof(c->lock_content));
        cell_store_learn(&s->store, note, &file);
    }
    free(file.data);
}

/* As a mirror is known (store.h), for a lock that was found good: its fingerprint, and the cell's key. */
static void learn(struct cell_session *s, struct known_cell *c, const char *path, const struct stat *before)
{
    const char *note = cell_arena_printf(&s->arena, "%s.lock", c->pub.name);
    const char *key_note = cell_arena_printf(&s->arena, "%s.key", c->pub.name);
    struct store_file file = {.st = *before};
    struct stat after;
    file.stable = note && lstat(path, &after) == 0 && before->st_ino == after.st_ino &&
                  before->st_dev == after.st_dev && before->st_size == after.st_size &&
                  same_time(&before->st_ctim, &after.st_ctim);
    memcpy(file.sha256, c->lock->fingerprint, sizeof(file.sha256));
    if (file.stable)
        cell_store_learn(&s->store, note, &file);
    memcpy(file.sha256, c->lock->identity[0] ? c->lock->identity : no_key, sizeof(file.sha256));
    if (file.stable && key_note)
        cell_store_learn(&s->store, key_note, &file);
    learn_content(s, c, path, before);
}

bool cell_session_locked_key(struct cell_session *s, struct known_cell *c, char key[CELL_KEY_DIGITS + 1])
{
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(s->dir, c->pub.name);
    const char *note = cell_arena_printf(&s->arena, "%s.key", c->pub.name);
    if (!path || !note || lock_no_links(path, NULL) < 0 || !cell_store_known(&s->store, note, path, key))
        return false;
    if (strcmp(key, no_key) == 0)
        key[0] = '\0';
    return true;
}

const struct cell_lock *cell_session_lock(struct cell_session *s, struct known_cell *c)
{
    if (!c->lock_sought) {
        CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(s->dir, c->pub.name);
        struct stat before;
        bool settled = path && stamp(path, &before);
        c->lock_sought = true;
        if (cell_lock_read(s->dir, c->pub.name, &c->lock, &c->lock_error) >= 0 && settled)
            learn(s, c, path, &before);
    }
    return c->lock;
}

bool cell_session_locked_as(struct cell_session *s, struct known_cell *c, char fingerprint[CELL_FINGERPRINT_LEN + 1])
{
    if (c->lock_sought) {
        if (c->lock)
            memcpy(fingerprint, c->lock->fingerprint, CELL_FINGERPRINT_LEN + 1);
        return c->lock != NULL;
    }
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(s->dir, c->pub.name);
    const char *note = cell_arena_printf(&s->arena, "%s.lock", c->pub.name);
    return path && note && lock_no_links(path, NULL) >= 0 && cell_store_known(&s->store, note, path, fingerprint);
}

int cell_session_check_lock(struct cell_session *s, struct session_cell *cell, struct cell_error *e)
{
    struct known_cell *c = session_known(cell);
    char locked[CELL_FINGERPRINT_LEN + 1];
    if (cell->status < 0 || cell_session_locked_as(s, c, locked) || cell_session_lock(s, c) ||
        c->lock_error.status == CELL_NOT_FOUND)
        return CELL_OK;
    return cell_error_set(e, c->lock_error.status, "%s", c->lock_error.text);
}

static int lock_failure(const struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    if (c->lock_error.status == CELL_NOT_FOUND)
        cell_error_set(&c->lock_error, CELL_NOT_FOUND,
                       "there is no %s/" CELL_LOCK_FOLDER "/%s.json; run 'cell lock %s' where the cell runs", s->dir,
                       c->pub.name, c->pub.name);
    return cell_error_set(e, c->lock_error.status, "%s", c->lock_error.text);
}

int cell_session_use_lock(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    char known[CELL_FINGERPRINT_LEN + 1], locked[CELL_FINGERPRINT_LEN + 1];
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(s->dir, c->pub.name);
    if (!cell_session_locked_as(s, c, locked)) {
        const struct cell_lock *lock = cell_session_lock(s, c);
        if (!lock)
            return lock_failure(s, c, e);
        memcpy(locked, lock->fingerprint, sizeof(locked));
    }
    const char *kept = path ? cell_arena_copy(&s->arena, path, strlen(path)) : NULL;
    if (!kept)
        return session_no_memory(e);
    memcpy(c->pub.fingerprint, locked, sizeof(c->pub.fingerprint));
    c->pub.lock_path = kept;
    /* What is known as the mirror was parsed before. */
    if (cell_store_known(&s->store, c->pub.name, c->pub.mirror_path, known) && strcmp(known, locked) == 0)
        return CELL_OK;
    return cell_session_take_lock(s, c, e);
}

/* ---- answers ---- */

/* The name that the files of a key have in .cell. */
static const char *hash_of(const char *key)
{
    const char *space = strrchr(key, ' ');
    return space ? space + 1 : key;
}

static char *path_of(struct cell_session *s, const struct known_cell *c, const char *folder, const char *key,
                     const char *suffix)
{
    const char *name = cell_arena_printf(&s->arena, "%s-%s", c->pub.name, hash_of(key));
    return name ? cell_store_path(&s->store, folder, name, suffix) : NULL;
}

static int keep_question(struct cell_session *s, const struct known_cell *c, const char *key, const char *question,
                         struct cell_error *e)
{
    const char *path = path_of(s, c, "requests", key, ".json");
    if (!path)
        return session_no_memory(e);
    return access(path, F_OK) == 0 ? CELL_OK : cell_store_write(&s->store, path, question, strlen(question), e);
}

int cell_session_keep_questions(struct cell_session *s, const struct known_cell *c, struct cell_error *e)
{
    int r = CELL_OK;
    for (const struct used_answer *a = c->answers; a && r >= 0; a = a->next)
        r = keep_question(s, c, a->key, a->question, e);
    return r;
}

/* For `cell lock` to ask; where nothing can be written, a compilation against the cell tells it. */
static void note_missing(struct cell_session *s, const struct known_cell *c, const char *key, const char *question)
{
    const char *path = path_of(s, c, "missing", key, "");
    if (path && keep_question(s, c, key, question, NULL) >= 0)
        cell_store_write(&s->store, path, key, strlen(key), NULL);
}

int cell_session_locked_answer(struct cell_session *s, struct known_cell *c, const struct asked *a,
                               const struct lock_answer **answer, struct cell_error *e)
{
    if (!cell_session_lock(s, c))
        return lock_failure(s, c, e);
    if (!a->question)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "it is no request for an expansion");
    const struct lock_answer *found = cell_lock_answer(c->lock, a->key);
    if (!found) {
        note_missing(s, c, a->key, a->question);
        return cell_error_set(e, CELL_NOT_FOUND,
                              "%s has no answer '%.*s' for it; run 'cell lock %s' where the cell runs, which adds it",
                              c->pub.lock_path, (int)strcspn(a->key, " "), a->key, c->pub.name);
    }
    *answer = found;
    return CELL_OK;
}

/* ---- answers of the lock that need not be parsed ----
 *
 * Kept as those of a cell are (store.h), with what the lock is in place of the cell's fingerprint. */

#define LOCK_STATE "lock"

static bool hash_locked(struct cell_session *s, const struct asked *a, char hash[CELL_FINGERPRINT_LEN + 1])
{
    const char *text = a->question ? cell_arena_printf(&s->arena, LOCK_STATE "\n%s", a->question) : NULL;
    if (!text)
        return false;
    cell_sha256_hex(text, strlen(text), hash);
    hash[32] = '\0';
    return true;
}

bool cell_session_kept_locked(struct cell_session *s, struct known_cell *c, const struct asked *a,
                              struct answer_notes *notes)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(s->dir, c->pub.name), *document = NULL;
    char content[CELL_FINGERPRINT_LEN + 1], hash[CELL_FINGERPRINT_LEN + 1];
    const char *note = cell_arena_printf(&s->arena, "%s.locked", c->pub.name);
    size_t len = 0;
    if (!path || !note || lock_no_links(path, NULL) < 0 || !cell_store_known(&s->store, note, path, content) ||
        !hash_locked(s, a, hash))
        return false;
    document = cell_store_answer(&s->store, c->pub.name, hash, content, LOCK_STATE, notes, &len);
    return document && notes->content[0];
}

void cell_session_keep_locked(struct cell_session *s, struct known_cell *c, const struct asked *a,
                              const struct cell_schema *declared)
{
    char hash[CELL_FINGERPRINT_LEN + 1];
    const struct lock_answer *answer = a->question && c->lock ? cell_lock_answer(c->lock, a->key) : NULL;
    struct asked locked = *a;
    struct cell_expansion *x = NULL;
    bool added = false;
    /* Who completes or preprocesses leaves nothing behind. */
    if (!answer || s->begun == SESSION_MIRROR || !c->lock_content[0] || !hash_locked(s, a, hash) ||
        cell_expansion_parse(answer->document, answer->document_len, declared, &x, NULL) < 0)
        return;
    if (cell_session_note(s, &locked, x) >= 0 && locked.notes.content[0])
        cell_store_keep_answer(&s->store, c->pub.name, hash, c->lock_content, LOCK_STATE, &locked.notes,
                               answer->document, answer->document_len, &added);
    if (added)
        cell_session_prune_answers(s);
    cell_expansion_free(x);
}

/* What a document declares, canonical. */
static bool put_declared(const char *json, size_t len, struct cell_buffer *out)
{
    static const char *const members[] = {"types", "constants", "methods"};
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    if (cell_json_load(json, len, CELL_DATA_LOSS, &doc, NULL) < 0)
        return false;
    for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct json_at list = {0};
        bool there = cell_json_array(&doc.root, members[i], JSON_REQUIRED, &list, NULL) >= 0 && cell_json_count(&list);
        if (there)
            cell_json_put(out, &list);
        cell_buffer_append(out, "\n", 1);
    }
    return cell_buffer_ok(out);
}

bool cell_session_answer_differs(struct cell_session *s, struct known_cell *c, const struct asked *a, const char *reply,
                                 size_t reply_len)
{
    struct cell_buffer then = {0}, now = {0};
    const struct cell_lock *lock = a->question ? cell_session_lock(s, c) : NULL;
    const struct lock_answer *old = lock ? cell_lock_answer(lock, a->key) : NULL;
    bool differs = old && put_declared(old->document, old->document_len, &then) &&
                   put_declared(reply, reply_len, &now) &&
                   (then.len != now.len || memcmp(then.data, now.data, now.len) != 0);
    cell_buffer_free(&then);
    cell_buffer_free(&now);
    return differs;
}

int cell_session_used_answer(struct cell_session *s, struct known_cell *c, const struct asked *a, struct cell_error *e)
{
    struct used_answer **at = &c->answers;
    if (!a->question)
        return CELL_OK;
    while (*at && strcmp((*at)->key, a->key) < 0)
        at = &(*at)->next;
    if (*at && strcmp((*at)->key, a->key) == 0)
        return CELL_OK;
    struct used_answer *used = cell_arena_alloc(&s->arena, sizeof(*used));
    if (!used)
        return session_no_memory(e);
    *used = (struct used_answer){.key = a->key, .question = a->question, .next = *at};
    *at = used;
    return CELL_OK;
}
