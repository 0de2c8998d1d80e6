/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A project folder with a cell.json, and a cell that answers from memory. */
#ifndef CELL_TEST_SESSION_FIXTURE_H
#define CELL_TEST_SESSION_FIXTURE_H

#include "temp_folder.h"

#include <sys/time.h>
#include <time.h>

#include "base/util.h"
#include "core/ask.h"
#include "core/identity.h"
#include "core/lock.h"
#include "wire/frame.h"

/* What the fake cell does and what it was asked. One stands for all cells; `schema` NULL makes one for the name. */
static struct fake {
    const char *schema;      /* what it sends */
    const char *fingerprint; /* what it greets with; NULL = that of the schema */
    const char *version;     /* a word in the schema that is made */
    const char *expansion;
    const char *state;               /* token; NULL = it has none */
    const char *applied;             /* reply to apply */
    int open_status, request_status; /* failures of the next calls, until set back */
    bool fails_once;                 /* request_status is for one call only */
    bool uses_time;                  /* a failure takes all the time that is granted */
    uint64_t takes_ms;               /* how long it takes to greet, and to answer */
    int start_status;                /* of beginning to ask in advance */
    bool lost;                       /* what was begun so is gone by the time that it is needed */
    int opens, requests, expands, closes, states, applies, starts;
    uint64_t granted_ms; /* at the last open or request */
    bool any_owner;
    char address[256];
    unsigned char seed;          /* of the key that it signs with; 0 = it signs nothing */
    uint64_t signed_version;     /* of the schema */
    int64_t signed_for;          /* seconds that a signature holds */
    const char *signed_document; /* NULL = the schema */
    const char *signed_cell;     /* NULL = "auth" */
    int signatures;              /* how often one was asked for */
} fake;

static char fake_made[1024];
static char fake_last[4096]; /* the last request to expand or apply */
static char fake_state[128];

static const char *fake_schema(const char *cell)
{
    if (fake.schema)
        return fake.schema;
    snprintf(
        fake_made, sizeof(fake_made),
        "{\"abi\":\"lp64-le\",\"cell\":\"%s\",\"doc\":\"%s\",\"methods\":[{\"name\":\"%s_get\",\"params\":[{\"dir\":"
        "\"in\",\"name\":\"id\",\"type\":\"i64\"}]}],\"schema\":\"cell.schema/1\"}",
        cell, fake.version ? fake.version : "first", cell);
    return fake_made;
}

static int fake_fail(int status, const char *what, uint64_t deadline_ns, struct cell_error *e)
{
    fake.granted_ms = (deadline_ns - cell_now_ns()) / CELL_NS_PER_MS;
    if (status < 0 && fake.uses_time)
        while (cell_now_ns() < deadline_ns)
            ;
    return status < 0 ? cell_error_set(e, status, "%s: fake %s", fake.address, what) : CELL_OK;
}

static void fake_work(void)
{
    for (uint64_t then = cell_now_ns() + fake.takes_ms * CELL_NS_PER_MS; cell_now_ns() < then;)
        ;
}

static int fake_open(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, void **link,
                     char fingerprint[CELL_FINGERPRINT_LEN + 1], struct cell_error *e)
{
    fake.opens++;
    fake.any_owner = any_owner;
    snprintf(fake.address, sizeof(fake.address), "%s", address);
    int r = fake_fail(*link && fake.lost ? CELL_UNAVAILABLE : fake.open_status, "open", deadline_ns, e);
    if (r < 0) {
        free(*link);
        *link = NULL;
        return r;
    }
    fake_work();
    if (fake.fingerprint) {
        snprintf(fingerprint, CELL_FINGERPRINT_LEN + 1, "%s", fake.fingerprint);
    } else {
        /* Of a schema that is written here in canonical form. */
        const char *schema = fake_schema(cell);
        cell_sha256_hex(schema, strlen(schema), fingerprint);
    }
    if (!*link)
        *link = strdup(cell);
    return CELL_OK;
}

static int fake_request(void *link, uint32_t method, const char *json, size_t len, uint64_t deadline_ns,
                        const char **reply, size_t *reply_len, struct cell_error *e)
{
    int status = fake.request_status;
    fake.requests++;
    fake.expands += method == CELL_COMPILE_EXPAND;
    fake.states += method == CELL_COMPILE_STATE;
    fake.applies += method == CELL_COMPILE_APPLY;
    CHECK(len == strlen(json));
    if (fake.fails_once)
        fake.request_status = 0;
    int r = fake_fail(status, "request", deadline_ns, e);
    if (r < 0)
        return r;
    fake_work();
    if (method == CELL_COMPILE_STATE) {
        if (!fake.state)
            return cell_error_set(e, CELL_UNIMPLEMENTED, "%s: no state", fake.address);
        snprintf(fake_state, sizeof(fake_state), "{\"state\":\"%s\"}", fake.state);
    }
    if (method == CELL_COMPILE_EXPAND || method == CELL_COMPILE_APPLY)
        snprintf(fake_last, sizeof(fake_last), "%s", json);
    *reply = method == CELL_COMPILE_EXPAND  ? fake.expansion
             : method == CELL_COMPILE_STATE ? fake_state
             : method == CELL_COMPILE_APPLY ? fake.applied
                                            : fake_schema(link);
    *reply_len = strlen(*reply);
    return CELL_OK;
}

static void fake_close(void *link)
{
    fake.closes++;
    free(link);
}

static size_t fake_signature(void *link, char *text, size_t size)
{
    struct cell_signature s;
    uint8_t seed[32];
    char made[CELL_SIGNATURE_MAX];
    const char *document = fake.signed_document ? fake.signed_document : fake_schema(link);
    fake.signatures++;
    if (!fake.seed)
        return 0;
    memset(seed, fake.seed, sizeof(seed));
    CHECK(cell_signature_make(seed, fake.signed_cell ? fake.signed_cell : "auth", fake.signed_version,
                              (int64_t)time(NULL) + fake.signed_for, document, strlen(document), &s, NULL) == CELL_OK);
    cell_signature_format(&s, made);
    CHECK(strlen(made) <= size);
    memcpy(text, made, strlen(made));
    return strlen(made);
}

static int fake_start(const char *address, const char *cell, bool any_owner, uint32_t timeout_ms, void **link,
                      struct cell_error *e)
{
    fake.starts++;
    fake.any_owner = any_owner;
    fake.granted_ms = timeout_ms;
    snprintf(fake.address, sizeof(fake.address), "%s", address);
    if (fake.start_status < 0)
        return cell_error_set(e, fake.start_status, "fake start");
    *link = strdup(cell);
    return CELL_OK;
}

static const struct cell_exchange fake_exchange = {fake_open, fake_request, fake_close, fake_signature, fake_start};

static struct cell_session *session;
static struct cell_error error;

static void session_done(void)
{
    cell_session_free(session);
    session = NULL;
}

/* A new compilation of src/NAME into NAME.o. */
static int session_begin_of(const char *name, enum session_mode mode)
{
    char source[128], object[128];
    session_done();
    snprintf(source, sizeof(source), "src/%s", name);
    snprintf(object, sizeof(object), "%s.o", name);
    error = (struct cell_error){0};
    return cell_session_new(temp_path(source), temp_path(object), mode, &fake_exchange, &session, &error);
}

static void session_begin(enum session_mode mode) { CHECK(session_begin_of("a.c", mode) == CELL_OK); }

static void project_make(void)
{
    fake = (struct fake){0};
    temp_folder_make();
    temp_make_folder("src");
    setenv("CELL_KNOWN_CELLS", temp_path("known-cells"), 1);
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 200, \"cells\": { \"auth\": {} } }");
}

static void project_remove(void)
{
    session_done();
    temp_folder_remove();
}

/* Asks for a cell; NULL when there is no entry, which never happens. An error may be a remark. */
static struct session_cell *ask_unchecked(const char *name, int expected)
{
    struct session_cell *cell = NULL;
    int r = cell_session_cell(session, name, &cell);
    if (r != expected)
        printf("cell '%s': %d %s\n", name, r, cell ? cell->error.text : "");
    CHECK(r == expected);
    CHECK(cell && cell->status == r);
    return cell;
}

static struct session_cell *ask(const char *name, int expected)
{
    struct session_cell *cell = ask_unchecked(name, expected);
    int r = cell ? cell->status : 0;
    CHECK(r >= 0 || (cell && cell->error.status == r && cell->error.text[0]));
    return cell;
}

/* One whole compilation that imports `auth`. */
static void compile(const char *name)
{
    CHECK(session_begin_of(name, SESSION_LIVE) == CELL_OK);
    ask("auth", CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    session_done();
}

/* Gives a file a time long past, so that a change of it is seen. */
TEMP_FOLDER_MAYBE_UNUSED static void make_old(const char *name)
{
    const struct timeval old[2] = {{1000000000, 0}, {1000000000, 0}};
    CHECK(utimes(temp_path(name), old) == 0);
}

TEMP_FOLDER_MAYBE_UNUSED static bool is_old(const char *name)
{
    struct stat st;
    return stat(temp_path(name), &st) == 0 && st.st_mtime == 1000000000;
}

/* How many files a folder has. */
TEMP_FOLDER_MAYBE_UNUSED static int count_files(const char *name)
{
    int n = 0;
    DIR *d = opendir(temp_path(name));
    for (struct dirent *entry; d && (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* The path below the test's folder of the one file that a folder has. */
TEMP_FOLDER_MAYBE_UNUSED static const char *only_file(const char *name)
{
    static char path[512];
    DIR *d = opendir(temp_path(name));
    path[0] = '\0';
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
    if (d)
        closedir(d);
    CHECK(count_files(name) == 1);
    return path;
}

/* Locks what the fake cell says now, with an answer to a request if one is given. Whether that changed the lock. */
TEMP_FOLDER_MAYBE_UNUSED static bool lock_fake(const char *request, const char *answer)
{
    struct cell_lock lock = {.cell = "auth", .schema = fake_schema("auth"), .nanswers = answer != NULL};
    struct cell_buffer question = {0};
    struct lock_answer a = {.document = answer, .document_len = answer ? strlen(answer) : 0};
    char *key = NULL;
    bool changed = false;
    lock.schema_len = strlen(lock.schema);
    cell_sha256_hex(lock.schema, lock.schema_len, lock.fingerprint);
    CHECK(cell_lock_question(request, strlen(request), &question, &key, NULL, &error) == CELL_OK);
    a.key = key;
    a.question = question.data;
    a.question_len = question.len;
    lock.answers = &a;
    CHECK(cell_lock_write(temp_folder, &lock, &changed, &error) == CELL_OK);
    cell_buffer_free(&question);
    free(key);
    return changed;
}

#endif
