/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/schema_impl.h"
#include "core/session_parts.h"
#include "wire/limits.h"

/* How long a cell that let a deadline pass is not asked again, at least: so long that a large build waits a few times
 * in all, and so short that nobody waits for it after a repair. It grows with the deadline. */
#define DOWN_MS 30000u
#define DOWN_DEADLINES 10u
#define PROMPT_PART 20u                /* of the deadline: what an answer may take and not count */
#define REPORT_MS 10000u               /* cell_session_claim in core/ask.h says why */
#define REMOTE_MS 5000u                /* for a compilation that asks another host */
#define CLOCK_NS (10 * CELL_NS_PER_MS) /* a transport may give up this much earlier */

static char *copy(struct cell_session *s, const char *text) { return cell_arena_copy(&s->arena, text, strlen(text)); }

/* The folder that .cell is in: that of cell.json, else that of the file which is compiled. */
static char *store_dir(struct cell_session *s, const char *main_file)
{
    if (s->config->dir)
        return copy(s, s->config->dir);
    size_t len = (size_t)(strrchr(main_file, '/') - main_file);
    return cell_arena_copy(&s->arena, main_file, len ? len : 1);
}

static const char *below_project(struct cell_session *s, const char *dir, const char *main_file)
{
    size_t len = strlen(dir);
    if (len > 1 && strncmp(main_file, dir, len) == 0 && main_file[len] == '/')
        main_file += len + 1;
    return copy(s, main_file);
}

/* What the config's policy makes of the mode. */
static int choose_mode(struct cell_session *s, struct cell_error *e)
{
    struct config_policy policy;
    int r = cell_config_policy(s->config, &policy, e);
    if (r < 0)
        return r;
    s->policy = policy;
    s->unreachable_lock = policy.unreachable_lock;
    if (policy.mode == CONFIG_LOCKED)
        s->mode = SESSION_LOCKED;
    else if (policy.mode == CONFIG_PLAN && s->begun == SESSION_LIVE)
        s->mode = SESSION_PLAN;
    return CELL_OK;
}

/* Where what is known of an object, or of a main file, is kept. */
static const char *record_path(struct cell_session *s, const char *folder, const char *path)
{
    char key[CELL_FINGERPRINT_LEN + 1];
    cell_sha256_hex(path, strlen(path), key);
    key[32] = '\0';
    return cell_store_path(&s->store, folder, key, ".json");
}

static int open_session(struct cell_session *s, const char *main_file, const char *output, struct cell_error *e)
{
    int r = cell_config_find(main_file, &s->config, e);
    if (r >= 0)
        r = choose_mode(s, e);
    if (r < 0)
        return r;
    s->budget_ns = s->config->timeout_ms * CELL_NS_PER_MS;
    s->dir = store_dir(s, main_file);
    if (!s->dir || cell_store_init(&s->store, &s->arena, s->dir) < 0)
        return session_no_memory(e);
    s->file = below_project(s, s->dir, main_file);
    s->source_record_path = record_path(s, "sources", main_file);
    if (!s->file || !s->source_record_path)
        return session_no_memory(e);
    s->record_path = s->source_record_path;
    if (!output)
        return CELL_OK;
    s->object = copy(s, output);
    s->record_path = record_path(s, "objects", output);
    return s->object && s->record_path ? CELL_OK : session_no_memory(e);
}

int cell_session_new(const char *main_file, const char *output, enum session_mode mode,
                     const struct cell_exchange *exchange, struct cell_session **session, struct cell_error *e)
{
    if (main_file[0] != '/' || (output && output[0] != '/'))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is not an absolute path",
                              main_file[0] != '/' ? main_file : output);
    struct cell_session *s = calloc(1, sizeof(*s));
    if (!s)
        return session_no_memory(e);
    s->begun = s->mode = mode;
    s->exchange = exchange;
    int r = open_session(s, main_file, output, e);
    if (r < 0) {
        cell_session_free(s);
        return r;
    }
    *session = s;
    return CELL_OK;
}

static void disconnect(struct cell_session *s, struct known_cell *c)
{
    if (c->link)
        s->exchange->close(c->link);
    c->link = NULL;
    c->asks_state = false;
}

static void free_cells(struct cell_session *s, struct known_cell *c)
{
    for (; c; c = c->next) {
        disconnect(s, c);
        cell_schema_free(c->schema);
        cell_schema_free(c->baseline);
        cell_schema_free(c->verbs);
        cell_lock_free(c->lock);
        cell_buffer_free(&c->failed);
    }
}

void cell_session_free(struct cell_session *s)
{
    if (!s)
        return;
    for (struct known_cell *c = s->built_on; c; c = c->next)
        cell_schema_free(c->schema);
    free_cells(s, s->cells);
    free_cells(s, s->ahead);
    cell_json_free(&s->record_doc);
    free(s->record);
    cell_config_free(s->config);
    cell_arena_free(&s->arena);
    free(s);
}

struct cell_config *cell_session_config(struct cell_session *s) { return s->config; }

enum session_mode cell_session_mode(const struct cell_session *s) { return s->mode; }

void cell_session_hurry(struct cell_session *s, uint32_t ms)
{
    s->hurried = true;
    s->object = s->file; /* what is parsed for an editor may have an output, which is a part of no program */
    s->record_path = s->source_record_path;
    if (ms >= s->config->timeout_ms)
        return;
    s->config->timeout_ms = ms;
    s->budget_ns = ms * CELL_NS_PER_MS;
}

/* ---- questions ---- */

struct question {
    uint64_t begin_ns, granted_ns;
};

/* Begins a question with what is left of the compilation's time. */
static int begin(struct cell_session *s, struct known_cell *c, struct question *q, struct cell_error *e)
{
    q->begin_ns = cell_now_ns();
    q->granted_ns = s->budget_ns + s->more_ns;
    if (s->budget_ns >= CELL_NS_PER_MS)
        return CELL_OK;
    return cell_error_set(e, CELL_DEADLINE_EXCEEDED,
                          "%s was not asked: the %u ms for the questions of one compilation were used up before",
                          session_place(c), s->config->timeout_ms);
}

uint64_t cell_session_prompt_ns(const struct cell_session *s)
{
    return s->config->timeout_ms * CELL_NS_PER_MS / PROMPT_PART;
}

/* A cell that answers promptly is at work, and a file may have any number of declarations: only waiting that is longer
 * counts. Who edits a file waits for all of it. */
static uint64_t counted(const struct cell_session *s, uint64_t taken_ns, int r)
{
    uint64_t free_ns = r < 0 || s->hurried ? 0 : cell_session_prompt_ns(s) + s->more_ns;
    uint64_t counted_ns = taken_ns > free_ns ? taken_ns - free_ns : 0;
    return counted_ns < s->budget_ns ? counted_ns : s->budget_ns;
}

static int end(struct cell_session *s, struct known_cell *c, const struct question *q, int r, struct cell_error *e)
{
    uint64_t taken = cell_now_ns() - q->begin_ns;
    s->budget_ns -= counted(s, taken, r);
    if (r >= 0)
        return r;
    if (r == CELL_UNIMPLEMENTED) /* an answer like others, of a cell that is not asked for that again */
        return r;
    disconnect(s, c);
    /* A cell may also answer that a deadline of its own has passed. */
    if (r != CELL_DEADLINE_EXCEEDED || taken + CLOCK_NS < q->granted_ns)
        return r;
    c->hung = true;
    return cell_error_set(e, r, "%s: the cell did not answer within %llu ms", session_place(c),
                          (unsigned long long)(q->granted_ns / CELL_NS_PER_MS));
}

static int open_link(struct cell_session *s, struct known_cell *c, const struct question *q, char *fingerprint,
                     struct cell_error *e)
{
    return s->exchange->open(c->pub.address, c->pub.name, s->config->trust_any_owner, q->begin_ns + q->granted_ns,
                             &c->link, fingerprint, e);
}

/* Connects, unless that was begun before, and learns the cell's fingerprint from its greeting. */
static int connect_cell(struct cell_session *s, struct known_cell *c, char fingerprint[CELL_FINGERPRINT_LEN + 1],
                        struct cell_error *e)
{
    struct question q;
    int r = begin(s, c, &q, e);
    if (r < 0)
        return r;
    bool started = c->started;
    c->started = c->used = false;
    r = open_link(s, c, &q, fingerprint, e);
    if (r == CELL_UNAVAILABLE && started) { /* it went meanwhile, and may be there again */
        started = false;
        r = open_link(s, c, &q, fingerprint, e);
    }
    c->asks_state = started;
    r = end(s, c, &q, r, e);
    if (r < 0)
        return r;
    if (session_is_fingerprint(fingerprint))
        return CELL_OK;
    disconnect(s, c);
    return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: the fingerprint in its greeting is not 64 hex digits",
                          session_place(c));
}

/* Connects again, to the cell as it was. */
static int reconnect(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    char fingerprint[CELL_FINGERPRINT_LEN + 1] = "";
    int r = connect_cell(s, c, fingerprint, e);
    if (r < 0 || strcmp(fingerprint, c->pub.fingerprint) == 0)
        return r;
    disconnect(s, c);
    return cell_error_set(e, CELL_ABORTED, "%s: the cell's schema changed while it was in use; compile again",
                          session_place(c));
}

/* Connected, and with nothing on its way that is to be answered before. */
static int make_ready(struct cell_session *s, struct known_cell *c, enum cell_compile_method method,
                      struct cell_error *e)
{
    if (c->link && c->asks_state && method != CELL_COMPILE_STATE &&
        cell_session_know_state(s, c, e) == CELL_DEADLINE_EXCEEDED)
        return CELL_DEADLINE_EXCEEDED;
    return c->link ? CELL_OK : reconnect(s, c, e);
}

int cell_session_request(struct cell_session *s, struct known_cell *c, enum cell_compile_method method,
                         const char *json, size_t len, const char **reply, size_t *reply_len, struct cell_error *e)
{
    struct question q;
    int r = make_ready(s, c, method, e);
    bool idle = c->used || c->asks_state; /* the cell may have closed it meanwhile */
    if (r >= 0)
        r = begin(s, c, &q, e);
    if (r < 0)
        return r;
    c->used = true;
    c->asks_state = false;
    r = s->exchange->request(c->link, method, json, len, q.begin_ns + q.granted_ns, reply, reply_len, e);
    r = end(s, c, &q, r, e);
    if (r == CELL_UNAVAILABLE && idle)
        return cell_session_request(s, c, method, json, len, reply, reply_len, e);
    return r;
}

static uint64_t down_lifetime_ms(const struct cell_session *s)
{
    uint64_t ms = (uint64_t)s->config->timeout_ms * DOWN_DEADLINES;
    return ms > DOWN_MS ? ms : DOWN_MS;
}

void cell_session_remember_hung(struct cell_session *s, struct known_cell *c, uint64_t granted_ns)
{
    if (c->hung && granted_ns >= s->config->timeout_ms * CELL_NS_PER_MS / 2)
        cell_store_set_down(&s->store, &c->socket);
}

/* Who has to make a connection to another host first needs longer, unless cell.json says how long it may take. */
static void allow_for_distance(struct cell_session *s, const struct known_cell *c)
{
    if (!cell_config_is_remote(c->pub.address) || s->config->has_timeout || s->hurried ||
        s->config->timeout_ms >= REMOTE_MS)
        return;
    s->budget_ns += (REMOTE_MS - s->config->timeout_ms) * CELL_NS_PER_MS;
    s->config->timeout_ms = REMOTE_MS;
}

int cell_session_may_ask(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    uint64_t age_ms, lifetime_ms = down_lifetime_ms(s);
    int r = cell_trust_contact(s->config, c->pub.name, c->pub.address, e);
    if (r < 0)
        return r;
    cell_store_look(c->pub.address, &c->socket);
    c->hung = cell_store_is_down(&s->store, &c->socket, lifetime_ms, &age_ms);
    if (!c->hung && s->hurried) {
        c->socket.hurried = true;
        c->hung = cell_store_is_down(&s->store, &c->socket, lifetime_ms, &age_ms);
    }
    if (!c->hung)
        return CELL_OK;
    return cell_error_set(e, CELL_DEADLINE_EXCEEDED,
                          "%s: the cell did not answer %llu s ago; it is asked again in %llu s, or at once when it is "
                          "started again",
                          session_place(c), (unsigned long long)(age_ms / 1000),
                          (unsigned long long)((lifetime_ms - age_ms + 999) / 1000));
}

static int ask_cell(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    allow_for_distance(s, c);
    uint64_t granted_ns = s->budget_ns;
    int r = c->started ? CELL_OK : cell_session_may_ask(s, c, e);
    if (r < 0)
        return r;
    r = connect_cell(s, c, c->pub.fingerprint, e);
    if (r >= 0)
        r = cell_session_update_mirror(s, c, e);
    if (r < 0) {
        cell_session_remember_hung(s, c, granted_ns);
        return r;
    }
    cell_store_clear_down(&s->store, &c->socket);
    cell_store_clear_report(&s->store, c->pub.name);
    return CELL_OK;
}

const char *cell_session_claim(struct cell_session *s, struct session_cell *cell)
{
    struct known_cell *c = session_known(cell);
    if (s->mode != SESSION_LIVE || (cell->status != CELL_UNAVAILABLE && !c->hung))
        return NULL;
    /* One that hangs with a new socket was started again. */
    const struct store_socket none = {0}, *socket = c->hung ? &c->socket : &none;
    const struct store_report report = {
        .subject = cell_arena_printf(&s->arena, "%s %s %jx-%jx %jd.%09ld", c->hung ? "hangs" : "is not there",
                                     cell->address, (uintmax_t)socket->dev, (uintmax_t)socket->ino,
                                     (intmax_t)socket->changed.tv_sec, socket->changed.tv_nsec),
        .object = s->object ? s->object : s->file,
        .file = s->file};
    uint64_t lifetime_ms = (uint64_t)REPORT_MS + s->config->timeout_ms;
    return report.subject ? cell_store_claim(&s->store, cell->name, &report, lifetime_ms) : NULL;
}

struct known_cell *cell_session_make_known(struct cell_session *s, const char *name)
{
    struct known_cell *c = cell_arena_alloc(&s->arena, sizeof(*c));
    char quoted[CELL_QUOTE_SIZE];
    if (!c)
        return NULL;
    c->pub.name = copy(s, name);
    c->pub.address = "";
    if (!c->pub.name)
        return NULL;
    if (!cell_is_identifier(name) || strlen(name) > CELL_MAX_CELL_NAME) {
        c->pub.status = cell_error_set(&c->pub.error, CELL_INVALID_ARGUMENT,
                                       "'%s' cannot be the name of a cell: a C identifier of at most %u characters is",
                                       cell_json_quote(name, quoted, sizeof(quoted)), CELL_MAX_CELL_NAME);
    } else {
        c->pub.address = cell_config_address(s->config, name);
        c->pub.mirror_path = cell_store_path(&s->store, "mirror", name, ".json");
        if (!c->pub.address || !c->pub.mirror_path)
            return NULL;
    }
    return c;
}

/* Without the cell its lock may do, where the policy says so: only for one that cannot be reached. What answers wrongly
 * is not passed over in silence. */
static int ask_or_stand_in(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    int r = ask_cell(s, c, e);
    if (!s->unreachable_lock || (r != CELL_UNAVAILABLE && !(r == CELL_DEADLINE_EXCEEDED && c->hung)))
        return r;
    struct cell_error cause = *e;
    int locked = cell_session_use_lock(s, c, e);
    if (locked < 0)
        return cell_error_set(e, r, "%s; nor can its lock be used: %s", cause.text, c->lock_error.text);
    c->pub.stands_in = true;
    *e = cause;
    return CELL_OK;
}

static int first_ask(struct cell_session *s, struct known_cell *c, struct cell_error *e)
{
    int r = cell_store_check(&s->store, e);
    if (r < 0)
        return r;
    switch (s->mode) {
    case SESSION_MIRROR:
        return cell_session_read_mirror(s, c, e);
    case SESSION_LOCKED:
        return cell_session_use_lock(s, c, e);
    case SESSION_LIVE:
    case SESSION_PLAN:
        break;
    }
    return ask_or_stand_in(s, c, e);
}

/* The cell's place in a list, or the list's end. */
static struct known_cell **find_known(struct known_cell **list, const char *name)
{
    while (*list && strcmp((*list)->pub.name, name) != 0)
        list = &(*list)->next;
    return list;
}

/* One that is asked for the first time: begun already, or not. */
static struct known_cell *add_cell(struct cell_session *s, const char *name)
{
    struct known_cell **ahead = find_known(&s->ahead, name), *c = *ahead;
    if (c)
        *ahead = c->next;
    else
        c = cell_session_make_known(s, name);
    if (c) {
        c->next = s->cells;
        s->cells = c;
    }
    return c;
}

int cell_session_cell(struct cell_session *s, const char *name, struct session_cell **cell)
{
    struct known_cell *c = *find_known(&s->cells, name);
    if (!c) {
        c = add_cell(s, name);
        if (!c)
            return CELL_NO_MEMORY;
        if (c->pub.status >= 0)
            c->pub.status = first_ask(s, c, &c->pub.error);
        if (c->pub.status < 0)
            disconnect(s, c);
        if (c->pub.status < 0 && s->hurried && c->pub.mirror_path && cell_session_read_mirror(s, c, NULL) >= 0) {
            c->pub.stale = true;
            c->pub.status = CELL_OK;
        }
    }
    *cell = &c->pub;
    return c->pub.status;
}

int cell_session_sync(struct cell_session *s, const char *name, struct session_cell **cell,
                      char before[CELL_FINGERPRINT_LEN + 1])
{
    struct store_file file;
    bool is_name = cell_is_identifier(name) && strlen(name) <= CELL_MAX_CELL_NAME;
    const char *path = is_name ? cell_store_path(&s->store, "mirror", name, ".json") : NULL;
    bool stands_in = s->unreachable_lock;
    before[0] = '\0';
    if (path && !cell_store_known(&s->store, name, path, before) && cell_store_read(path, &file, NULL) >= 0) {
        memcpy(before, file.sha256, sizeof(file.sha256));
        free(file.data);
    }
    s->unreachable_lock = false;
    int r = cell_session_cell(s, name, cell);
    s->unreachable_lock = stands_in;
    return r;
}

/* ---- injected texts ---- */

int cell_session_inject_path(struct cell_session *s, const char *name, const char *key, char **path, bool *exists)
{
    char hash[CELL_FINGERPRINT_LEN + 1], *made = NULL;
    if (!cell_is_identifier(name) || strlen(name) > CELL_MAX_CELL_NAME)
        return CELL_INVALID_ARGUMENT;
    int r = cell_store_check(&s->store, NULL);
    if (r < 0)
        return r;
    cell_sha256_hex(key, strlen(key), hash);
    hash[32] = '\0';
    if (asprintf(&made, "%s/inject/%s-%s.h", s->store.root, name, hash) < 0)
        return CELL_NO_MEMORY;
    *exists = cell_store_text_is_whole(made);
    *path = made;
    return CELL_OK;
}

int cell_session_put(struct cell_session *s, const char *path, const char *text, size_t len, struct cell_error *e)
{
    return cell_store_put_text(&s->store, path, text, len, e);
}
