/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/auth/service.c cells/auth/service_session.c cells/auth/account.c cells/auth/session.c
// LINK: cells/auth/store.c cells/auth/store_open.c cells/auth/password.c cells/auth/limiter.c cells/auth/email.c
// LINK: cells/auth/failure.c
// LIBS: sodium sqlite3
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "auth_fixture.h"

#define PASSWORD "correct horse"

static void write_file(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        printf("%s: %s\n", sql, sqlite3_errmsg(db));
        abort();
    }
    sqlite3_close(db);
}

TEST(accounts_and_sessions_survive_a_restart)
{
    struct fixture x;
    struct login l;

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK && do_register(&x, "ada@example.org", PASSWORD) == CELL_OK);
    REQUIRE(do_login(&x, "ada@example.org", PASSWORD, &l) == CELL_OK);
    REQUIRE(fixture_reopen(&x) == CELL_OK);
    CHECK(whoami(&x, &l) == CELL_OK);
    CHECK(do_login(&x, "ada@example.org", PASSWORD, &l) == CELL_OK);
    fixture_remove(&x);
}

TEST(files_are_private_and_hold_no_secret)
{
    struct fixture x;
    struct login l;
    struct stat st;
    unsigned char token[SESSION_TOKEN_BYTES];
    size_t n;
    char *bytes;

    fixture_folder(&x);
    umask(077);
    REQUIRE(fixture_open(&x) == CELL_OK && do_register(&x, "ada@example.org", "a password to be found") == CELL_OK);
    REQUIRE(do_login(&x, "ada@example.org", "a password to be found", &l) == CELL_OK);
    service_close(x.service);
    x.service = NULL;
    REQUIRE(stat(x.path, &st) == 0 && (st.st_mode & 0777) == 0600);
    REQUIRE((bytes = malloc((size_t)st.st_size)) != NULL);
    int fd = open(x.path, O_RDONLY);
    REQUIRE(fd >= 0 && read(fd, bytes, (size_t)st.st_size) == st.st_size);
    close(fd);
    REQUIRE(sodium_base642bin(token, sizeof(token), l.token.text, SESSION_TOKEN_TEXT, NULL, &n, NULL,
                              sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
    CHECK(memmem(bytes, (size_t)st.st_size, "ada@example.org", 15) != NULL); /* the search finds what is there */
    CHECK(memmem(bytes, (size_t)st.st_size, l.token.hash, sizeof(l.token.hash)) != NULL);
    CHECK(memmem(bytes, (size_t)st.st_size, "to be found", 11) == NULL);
    CHECK(memmem(bytes, (size_t)st.st_size, l.token.text, 16) == NULL);
    CHECK(memmem(bytes, (size_t)st.st_size, token, sizeof(token)) == NULL);
    free(bytes);
    fixture_remove(&x);
}

TEST(a_second_process_or_instance_is_refused)
{
    struct fixture x, y;
    struct failure f;

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK);
    y = x;
    y.service = NULL;
    CHECK(service_open(&y.options, &y.service, &f) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(f.text, "in use by another auth cell") != NULL && strstr(f.text, x.path) != NULL);
    CHECK(y.service == NULL);
    fixture_remove(&x);
}

TEST(what_is_not_our_database_is_refused_and_left_alone)
{
    struct fixture x;
    struct stat before, after;

    fixture_folder(&x);
    write_file(x.path,
               "This is a text file, and longer than the header of a database is: it has a hundred bytes and more.\n",
               100);
    CHECK(fixture_open(&x) == CELL_DATA_LOSS && strstr(x.f.text, "is not a database") != NULL);
    unlink(x.path);
    run_sql(x.path, "CREATE TABLE other(a); PRAGMA user_version=1");
    stat(x.path, &before);
    CHECK(fixture_open(&x) == CELL_FAILED_PRECONDITION && strstr(x.f.text, "another program") != NULL);
    stat(x.path, &after);
    CHECK(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_size == after.st_size);
    fixture_remove(&x);
}

TEST(a_newer_schema_is_refused)
{
    struct fixture x;

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK);
    service_close(x.service);
    x.service = NULL;
    run_sql(x.path, "PRAGMA user_version=2");
    CHECK(fixture_open(&x) == CELL_FAILED_PRECONDITION && strstr(x.f.text, "version 2") != NULL);
    run_sql(x.path, "PRAGMA user_version=1");
    CHECK(fixture_open(&x) == CELL_OK);
    fixture_remove(&x);
}

TEST(a_damaged_database_is_an_error_and_not_a_crash)
{
    struct fixture x;
    struct stat st;
    char noise[4096];
    int failed = 0;

    memset(noise, 0x5a, sizeof(noise));
    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK);
    for (int i = 0; i < 20; i++) {
        char email[32];
        snprintf(email, sizeof(email), "u%d@example.org", i);
        REQUIRE(do_register(&x, email, PASSWORD) == CELL_OK);
    }
    service_close(x.service);
    x.service = NULL;
    REQUIRE(stat(x.path, &st) == 0);
    /* All pages but the first two, which hold the schema. */
    int fd = open(x.path, O_WRONLY);
    for (off_t at = 4096; at < st.st_size; at += 4096)
        REQUIRE(pwrite(fd, noise, sizeof(noise), at) == (ssize_t)sizeof(noise));
    close(fd);
    if (fixture_open(&x) >= 0) {
        failed += do_register(&x, "new@example.org", PASSWORD) == CELL_DATA_LOSS;
        failed += do_register(&x, "u1@example.org", PASSWORD) == CELL_DATA_LOSS;
        CHECK(failed == 2);
    } else {
        CHECK(strstr(x.f.text, "is damaged") != NULL);
    }
    fixture_remove(&x);
}

TEST(a_locked_database_is_said_to_be_locked)
{
    struct fixture x;
    sqlite3 *db;

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK);
    REQUIRE(sqlite3_open(x.path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(do_register(&x, "ada@example.org", PASSWORD) == CELL_UNAVAILABLE);
    REQUIRE(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(do_register(&x, "ada@example.org", PASSWORD) == CELL_OK);
    sqlite3_close(db);
    fixture_remove(&x);
}

TEST(a_path_that_cannot_be_used_is_named)
{
    struct fixture x;

    fixture_folder(&x);
    x.options.database = x.folder;
    CHECK(fixture_open(&x) == CELL_IO_ERROR && strstr(x.f.text, x.folder) != NULL);
    x.options.database = "/nonexistent/folder/auth.db";
    CHECK(fixture_open(&x) == CELL_IO_ERROR && strstr(x.f.text, "No such file or directory") != NULL);
    char lock[300];
    snprintf(lock, sizeof(lock), "%s.lock", x.folder);
    unlink(lock);
    fixture_remove(&x);
}

/* What a log-in or a change of password checked may have changed before it writes. */
TEST(a_password_that_changed_meanwhile_opens_no_session_and_replaces_nothing)
{
    struct fixture x;
    struct store *store = NULL;
    struct transaction t;
    struct account a, now;
    struct session s = {.created_ms = START_MS, .expires_ms = START_MS + TTL_MS};
    struct session_token token;

    fixture_folder(&x);
    REQUIRE(sodium_init() >= 0 && store_open(x.path, &store, &x.f) == CELL_OK);
    session_token_new(&token);
    REQUIRE(store_begin(store, true, &t, &x.f) == CELL_OK);
    CHECK(account_create(&t, "ada@example.org", "hash-1", START_MS, &a, &x.f) == CELL_OK);
    CHECK(account_set_password(&t, &a, "hash-2", &x.f) == CELL_OK);
    CHECK(session_create(&t, &a, &token, &s, &x.f) == CELL_ABORTED);
    CHECK(account_set_password(&t, &a, "hash-3", &x.f) == CELL_ABORTED);
    CHECK(account_rehash(&t, &a, "hash-4", &x.f) == CELL_OK);
    CHECK(account_by_id(&t, a.id, &now, &x.f) == CELL_OK && now.version == 2);
    CHECK_STR(now.password, "hash-2");
    CHECK(account_rehash(&t, &now, "hash-5", &x.f) == CELL_OK);
    CHECK(session_create(&t, &now, &token, &s, &x.f) == CELL_OK && s.id > 0);
    CHECK(store_end(&t, CELL_OK, &x.f) == CELL_OK);
    REQUIRE(store_begin(store, false, &t, &x.f) == CELL_OK);
    CHECK(account_by_email(&t, "ada@example.org", &now, &x.f) == CELL_OK && now.version == 2);
    CHECK_STR(now.password, "hash-5");
    CHECK(store_end(&t, CELL_OK, &x.f) == CELL_OK);
    store_close(store);
    fixture_remove(&x);
}

TEST(a_failed_transaction_leaves_nothing_behind)
{
    struct fixture x;
    struct store *store = NULL;
    struct transaction t;
    struct account a;

    fixture_folder(&x);
    REQUIRE(store_open(x.path, &store, &x.f) == CELL_OK);
    REQUIRE(store_begin(store, true, &t, &x.f) == CELL_OK);
    CHECK(account_create(&t, "ada@example.org", "hash", START_MS, &a, &x.f) == CELL_OK);
    CHECK(store_end(&t, CELL_ABORTED, &x.f) == CELL_ABORTED);
    REQUIRE(store_begin(store, false, &t, &x.f) == CELL_OK);
    CHECK(account_by_email(&t, "ada@example.org", &a, &x.f) == CELL_NOT_FOUND);
    CHECK(store_end(&t, CELL_OK, &x.f) == CELL_OK);
    store_close(store);
    fixture_remove(&x);
}

/* A limit on the size of files stands for a full disk: the write fails in the same place. */
TEST(a_full_disk_fails_the_call_and_spares_what_was_there)
{
    struct fixture x;
    struct rlimit limit, old;
    struct login l;
    char email[32];
    int r = CELL_OK, made = 0;

    fixture_folder(&x);
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(fixture_open(&x) == CELL_OK);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    limit = (struct rlimit){200 * 1024, old.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    while (r >= 0 && made < 1000) {
        snprintf(email, sizeof(email), "u%d@example.org", made);
        r = do_register(&x, email, PASSWORD);
        made += r >= 0;
    }
    CHECK(made > 0 && made < 1000);
    CHECK(r == CELL_RESOURCE_EXHAUSTED || r == CELL_IO_ERROR);
    CHECK(x.f.retry_after_ms == 0);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(do_register(&x, email, PASSWORD) == CELL_OK);
    CHECK(do_login(&x, "u0@example.org", PASSWORD, &l) == CELL_OK);
    REQUIRE(fixture_reopen(&x) == CELL_OK);
    for (int i = 0; i <= made; i++) {
        snprintf(email, sizeof(email), "u%d@example.org", i);
        CHECK(do_register(&x, email, PASSWORD) == CELL_ALREADY_EXISTS);
    }
    fixture_remove(&x);
}

/* Writes numbers of acknowledged accounts to `fd` until it is killed. */
static void register_until_killed(struct fixture *x, int fd)
{
    if (fixture_open(x) < 0)
        _exit(1);
    for (int i = 0;; i++) {
        char email[32];
        snprintf(email, sizeof(email), "u%d@example.org", i);
        if (do_register(x, email, PASSWORD) < 0 || write(fd, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

TEST(a_killed_process_loses_nothing_that_it_acknowledged)
{
    struct fixture x;
    int pipes[2], last = -1;
    struct login l;
    char email[32];

    fixture_folder(&x);
    REQUIRE(pipe(pipes) == 0);
    pid_t pid = fork();
    if (pid == 0)
        register_until_killed(&x, pipes[1]);
    while (last < 25 && read(pipes[0], &last, sizeof(last)) == sizeof(last))
        continue;
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    close(pipes[1]);
    while (read(pipes[0], &last, sizeof(last)) == sizeof(last))
        continue;
    close(pipes[0]);
    REQUIRE(last >= 25 && fixture_open(&x) == CELL_OK);
    for (int i = 0; i <= last; i++) {
        snprintf(email, sizeof(email), "u%d@example.org", i);
        CHECK(do_login(&x, email, PASSWORD, &l) == CELL_OK);
    }
    fixture_remove(&x);
}

struct worker {
    struct fixture *x;
    struct login first; /* a session of the shared account, read by all the time */
    int number, registered, shared;
    bool read_failed;
};

static void *work(void *p)
{
    struct worker *w = p;
    struct fixture mine = *w->x; /* requests and failures of its own, the service of all */
    struct login l;
    char email[32];

    for (int i = 0; i < 5; i++) {
        snprintf(email, sizeof(email), "w%d-%d@example.org", w->number, i);
        w->registered +=
            do_register(&mine, email, PASSWORD) == CELL_OK && do_login(&mine, email, PASSWORD, &l) == CELL_OK;
        snprintf(email, sizeof(email), "shared-%d@example.org", i);
        w->shared += do_register(&mine, email, PASSWORD) == CELL_OK;
        w->read_failed |= whoami(&mine, &w->first) < 0;
    }
    return NULL;
}

TEST(threads_share_the_database_and_an_address_is_given_once)
{
    struct fixture x;
    struct worker workers[6];
    pthread_t threads[6];
    struct login first;
    int registered = 0, shared = 0;

    fixture_folder(&x);
    REQUIRE(fixture_open(&x) == CELL_OK && do_register(&x, "ada@example.org", PASSWORD) == CELL_OK);
    REQUIRE(do_login(&x, "ada@example.org", PASSWORD, &first) == CELL_OK);
    for (int i = 0; i < 6; i++) {
        workers[i] = (struct worker){&x, first, i, 0, 0, false};
        REQUIRE(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        registered += workers[i].registered;
        shared += workers[i].shared;
        CHECK(!workers[i].read_failed);
    }
    CHECK(registered == 30);
    CHECK(shared == 5);
    fixture_remove(&x);
}
