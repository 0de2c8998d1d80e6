/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The lock that a running cell would have: its schema, and its answers to every question in use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/ask_unix.h"
#include "core/json.h"
#include "locks.h"
#include "wire/frame.h"

#define ASK_MS 5000u

struct asker {
    struct cli *cli;
    const struct lock_wanted *wanted;
    struct lock_live *live;
    void *link;
};

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

static int request(struct asker *a, enum cell_compile_method method, const char *json, size_t len, const char **reply,
                   size_t *reply_len, struct cell_error *e)
{
    return cell_exchange_unix.request(a->link, method, json, len, cell_now_ns() + ASK_MS * CELL_NS_PER_MS, reply,
                                      reply_len, e);
}

/* The schema, canonical. */
static int ask_schema(struct asker *a, const char *name, const char *greeted, struct cell_error *e)
{
    struct cell_lock *lock = &a->live->lock;
    struct cell_schema *schema = NULL;
    struct cell_buffer b = {0};
    const char *reply;
    size_t len;
    int r = request(a, CELL_COMPILE_SCHEMA, "{}", 2, &reply, &len, e);
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

static int refuse(struct asker *a, const char *key, bool used, const char *text, struct cell_error *e)
{
    struct cell_arena *arena = &a->live->lock.arena;
    struct lock_refusal *refusal = &a->live->refused[a->live->nrefused];
    *refusal = (struct lock_refusal){.key = cell_arena_copy(arena, key, strlen(key)),
                                     .text = cell_arena_copy(arena, text, strlen(text)),
                                     .used = used};
    if (!refusal->key || !refusal->text)
        return no_memory(e);
    a->live->nrefused++;
    return CELL_OK;
}

/* The document in canonical form; *why is set when it refuses the declaration, or is not valid. */
static int check_answer(const char *sent, size_t sent_len, const char *reply, size_t len, struct cell_buffer *canonical,
                        struct cell_error *why)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct cell_schema *declared = NULL;
    struct cell_expansion *x = NULL;
    int r = cell_request_declared(sent, sent_len, &declared, why);
    if (r >= 0)
        r = cell_expansion_parse(reply, len, declared, &x, why);
    for (uint32_t i = 0; r >= 0 && i < x->ndiagnostics; i++)
        if (x->diagnostics[i].severity == EXPANSION_ERROR)
            r = cell_error_set(why, CELL_FAILED_PRECONDITION, "%s", x->diagnostics[i].text);
    cell_expansion_free(x);
    cell_schema_free(declared);
    if (r >= 0)
        r = cell_json_load(reply, len, CELL_PROTOCOL_ERROR, &doc, why);
    if (r >= 0)
        cell_json_put(canonical, &doc.root);
    return r;
}

static int ask_answer(struct asker *a, const char *key, const char *question, bool used, struct cell_error *e)
{
    struct cell_lock *lock = &a->live->lock;
    struct cell_buffer sent = {0}, document = {0};
    struct cell_error why = {0};
    const char *reply;
    size_t len;
    int r = cell_lock_request(question, strlen(question), CELL_LOCK_FOLDER "/", &sent, &why);
    if (r >= 0)
        r = request(a, CELL_COMPILE_EXPAND, sent.data, sent.len, &reply, &len, &why);
    if (r >= 0)
        r = check_answer(sent.data, sent.len, reply, len, &document, &why);
    bool lost = r == CELL_UNAVAILABLE || r == CELL_DEADLINE_EXCEEDED || r == CELL_NO_MEMORY;
    if (r >= 0) {
        struct lock_answer *made = &lock->answers[lock->nanswers];
        *made = (struct lock_answer){.key = cell_arena_copy(&lock->arena, key, strlen(key)),
                                     .question = cell_arena_copy(&lock->arena, question, strlen(question)),
                                     .question_len = strlen(question),
                                     .document = cell_arena_copy(&lock->arena, document.data, document.len),
                                     .document_len = document.len};
        bool good = cell_buffer_ok(&document) && made->key && made->question && made->document;
        lock->nanswers += good;
        r = good ? CELL_OK : no_memory(e);
    } else {
        r = lost ? cell_error_set(e, r, "%s", why.text) : refuse(a, key, used, why.text, e);
    }
    cell_buffer_free(&sent);
    cell_buffer_free(&document);
    return r;
}

/* The question of `key`, from the records or a lock; *used tells of the records. Caller frees. */
static char *find_question(const struct asker *a, const char *name, const char *key, bool *used)
{
    const struct lock_wanted *w = a->wanted;
    char *question = NULL;
    *used = false;
    for (uint32_t i = 0; w->records && i < w->records->n; i++) {
        const struct record_use *use = &w->records->uses[i];
        if (use->key && strcmp(use->cell, name) == 0 && strcmp(use->key, key) == 0) {
            *used = true;
            question = cell_records_question(w->dir, use);
        }
    }
    for (unsigned i = 0; !question && i < 2; i++) {
        const struct lock_answer *old = w->locks[i] ? cell_lock_answer(w->locks[i], key) : NULL;
        question = old ? strdup(old->question) : NULL;
    }
    return question;
}

static int compare_texts(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* The keys of all answers that are wanted, sorted, some perhaps repeated. */
static const char **wanted_keys(struct asker *a, const char *name, size_t *n)
{
    const struct lock_wanted *w = a->wanted;
    size_t most = w->records ? w->records->n : 0, count = 0;
    for (unsigned i = 0; i < 2; i++)
        most += w->locks[i] ? w->locks[i]->nanswers : 0;
    const char **keys = cell_arena_array(&a->live->lock.arena, most + 1, sizeof(*keys));
    for (uint32_t i = 0; keys && w->records && i < w->records->n; i++)
        if (w->records->uses[i].key && strcmp(w->records->uses[i].cell, name) == 0)
            keys[count++] = w->records->uses[i].key;
    for (unsigned l = 0; keys && !w->only_used && l < 2; l++)
        for (uint32_t i = 0; w->locks[l] && i < w->locks[l]->nanswers; i++)
            keys[count++] = w->locks[l]->answers[i].key;
    if (keys && count)
        qsort(keys, count, sizeof(*keys), compare_texts);
    *n = count;
    return keys;
}

static int ask_answers(struct asker *a, const char *name, struct cell_error *e)
{
    struct cell_lock *lock = &a->live->lock;
    size_t n = 0;
    int r = CELL_OK;
    const char **keys = wanted_keys(a, name, &n);
    lock->answers = cell_arena_array(&lock->arena, n + 1, sizeof(*lock->answers));
    a->live->refused = cell_arena_array(&lock->arena, n + 1, sizeof(*a->live->refused));
    if (!keys || !lock->answers || !a->live->refused)
        return no_memory(e);
    for (size_t i = 0; i < n && r >= 0; i++) {
        bool used;
        if (i && strcmp(keys[i], keys[i - 1]) == 0)
            continue;
        char *question = find_question(a, name, keys[i], &used);
        r = question ? ask_answer(a, keys[i], question, used, e)
                     : refuse(a, keys[i], used, "its question is not in .cell any more; compile what uses it again", e);
        free(question);
    }
    return r;
}

int locks_ask(struct cli *cli, const char *name, const struct lock_wanted *wanted, struct lock_live *live,
              struct cell_error *e)
{
    struct asker a = {.cli = cli, .wanted = wanted, .live = live};
    const char *address = cell_config_address(cli->config, name);
    char fingerprint[CELL_FINGERPRINT_LEN + 1] = "";
    *live = (struct lock_live){.lock = {.cell = name}};
    int r = address ? cell_exchange_unix.open(address, name, cli->config->trust_any_owner,
                                              cell_now_ns() + ASK_MS * CELL_NS_PER_MS, &a.link, fingerprint, e)
                    : no_memory(e);
    if (r >= 0)
        r = ask_schema(&a, name, fingerprint, e);
    if (r >= 0)
        r = ask_answers(&a, name, e);
    if (a.link)
        cell_exchange_unix.close(a.link);
    if (r < 0)
        locks_live_free(live);
    return r;
}

void locks_live_free(struct lock_live *live)
{
    cell_schema_free((struct cell_schema *)(uintptr_t)live->schema);
    cell_arena_free(&live->lock.arena);
    *live = (struct lock_live){.lock = {.cell = NULL}};
}
