/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* cells.lock/NAME.json: what is written is read back, and what merges and editors make of it is told apart. */
#include "temp_folder.h"

#include <signal.h>
#include <sys/resource.h>

#include "lock_build.h"

static struct cell_lock *parse(const char *text, int expected)
{
    struct cell_lock *lock = NULL;
    error = (struct cell_error){0};
    int r = cell_lock_parse("/p/cells.lock/auth.json", "auth", text, strlen(text), &lock, &error);
    if (r != expected)
        printf("%d %s\n", r, error.text);
    CHECK(r == expected && (r < 0) == (lock == NULL));
    return lock;
}

/* Parsing `text` fails with `status` and a message that holds `part`. */
static void check_refused(const char *text, int status, const char *part)
{
    parse(text, status);
    if (!strstr(error.text, part))
        printf("'%s' is not in: %s\n", part, error.text);
    CHECK(strstr(error.text, part) != NULL);
    CHECK(strstr(error.text, "/p/cells.lock/auth.json") != NULL);
}

/* `text` with the first `from` replaced; frees it. */
static char *edit(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    CHECK(at != NULL && made != NULL);
    if (!at || !made)
        exit(2);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return made;
}

TEST(what_is_written_is_read_back)
{
    char *text = lock_text("auth", FULL_SCHEMA, two);
    struct cell_lock *lock = parse(text, CELL_OK);
    REQUIRE(lock);
    CHECK_STR(lock->cell, "auth");
    CHECK_STR(lock->schema, FULL_SCHEMA);
    CHECK(lock->schema_len == strlen(FULL_SCHEMA) && lock->nanswers == 2);
    char *key = key_of(request_of("user", "elsewhere.c:9:9", "plan"), NULL);
    const struct lock_answer *a = cell_lock_answer(lock, key);
    REQUIRE(a);
    CHECK(strncmp(a->key, "user.table ", 11) == 0);
    CHECK(a->document_len == strlen(a->document) && strstr(a->document, "\\\"{"));
    CHECK(cell_lock_answer(lock, "user.table") == NULL);
    struct cell_buffer again = {0};
    CHECK(cell_lock_format(lock, &again) == CELL_OK);
    CHECK_STR(again.data, text);
    cell_buffer_free(&again);
    free(key);
    cell_lock_free(lock);
    free(text);
}

TEST(without_its_line_ends_it_is_the_canonical_document)
{
    char *text = lock_text("auth", FULL_SCHEMA, two);
    unsigned lines = 0;
    char *to = text;
    CHECK(strncmp(text, "{\n\"answer account.table ", 24) == 0);
    CHECK(strstr(text, "\n\"cell\":\"auth\",\n\"fingerprint\":\"") && strstr(text, "\n\"lock\":\"cell.lock/1\",\n"));
    CHECK(strstr(text, "\n{\"doc\":\"Sessions at once.\"") != NULL); /* an object in an array begins a line */
    for (const char *p = text; *p; p++) {
        lines += *p == '\n';
        if (*p != '\n')
            *to++ = *p;
    }
    *to = '\0';
    CHECK(lines > 20);
    CHECK(strstr(text, "\"identity\":null,\"lock\":\"cell.lock/1\",\"schema\":" FULL_SCHEMA "}") != NULL);
    CHECK(strlen(strstr(text, "\"schema\":{")) == strlen("\"schema\":" FULL_SCHEMA "}"));
    free(text);
}

TEST(a_question_is_the_same_wherever_it_is_asked)
{
    char *one = key_of(request_of("user", "a.c:1:1", "live"), NULL),
         *two_ = key_of(request_of("user", "b.c:2:2", "plan"), NULL);
    char *other = key_of(request_of("users", "a.c:1:1", "live"), NULL),
         *odd = key_of(request_of("operator==", "", "live"), NULL);
    CHECK_STR(one, two_);
    CHECK(strcmp(one, other) != 0);
    CHECK(strncmp(odd, "-.table ", 8) == 0 && strlen(odd) == 8 + 32);
    struct cell_buffer question = {0}, request = {0};
    free(two_);
    two_ = key_of(request_of("user", "a.c:1:1", "live"), &question);
    CHECK(cell_lock_request(question.data, question.len, "cells.lock:1:1", false, &request, &error) == CELL_OK);
    CHECK(strstr(request.data, "\"location\":\"cells.lock:1:1\"") && strstr(request.data, "\"mode\":\"plan\""));
    char *back = NULL;
    struct lock_asked asked = {0};
    question.len = 0;
    CHECK(cell_lock_question(request.data, request.len, &question, &back, &asked, &error) == CELL_OK);
    CHECK_STR(back, one);
    CHECK_STR(asked.location, "cells.lock:1:1");
    CHECK_STR(asked.verb, "table");
    CHECK_STR(asked.subject, "users");
    cell_buffer_free(&question);
    cell_buffer_free(&request);
    free(one), free(two_), free(other), free(odd), free(back);
    cell_lock_asked_free(&asked);
}

TEST(a_question_has_the_functions_that_its_conditions_call)
{
    static const char *const requests[] = {
        "{\"annotation\":{\"verb\":\"v\",\"args\":[\"f()\"],\"functions\":{\"cell.ast\":1,\"functions\":[1]}},"
        "\"declaration\":{\"name\":\"n\"},\"language\":\"c\",\"abi\":\"lp64-le\"}",
        "{\"annotation\":{\"verb\":\"v\",\"args\":[\"f()\"],\"functions\":{\"cell.ast\":1,\"functions\":[2]}},"
        "\"declaration\":{\"name\":\"n\"},\"language\":\"c\",\"abi\":\"lp64-le\"}"};
    struct cell_buffer question = {0}, request = {0};
    char *one = key_of(requests[0], &question), *other = key_of(requests[1], NULL);
    CHECK(strcmp(one, other) != 0);
    CHECK(cell_lock_request(question.data, question.len, "cells.lock:1:1", false, &request, &error) == CELL_OK);
    CHECK(strstr(request.data, "\"functions\":{\"cell.ast\":1,\"functions\":[1]}"));
    char *back = key_of(request.data, NULL);
    CHECK_STR(back, one);
    cell_buffer_free(&question);
    cell_buffer_free(&request);
    free(one), free(other), free(back);
}

TEST(what_is_no_request_has_no_question)
{
    struct cell_buffer b = {0};
    char *key = NULL;
    CHECK(cell_lock_question("{}", 2, &b, &key, NULL, &error) == CELL_INVALID_ARGUMENT);
    CHECK(cell_lock_question("[", 1, &b, &key, NULL, &error) == CELL_INVALID_ARGUMENT);
    CHECK(cell_lock_request("{}", 2, "x", false, &b, &error) == CELL_INVALID_ARGUMENT);
    CHECK(key == NULL);
    cell_buffer_free(&b);
}

TEST(a_newer_format_is_told_even_when_nothing_else_is_known)
{
    check_refused("{\n\"lock\":\"cell.lock/2\",\n\"all\":\"else\"}", CELL_FAILED_PRECONDITION,
                  "newer version; update Cell");
    char *text = edit(lock_text("auth", FULL_SCHEMA, NULL), "cell.lock/1", "cell.lock/10");
    check_refused(text, CELL_FAILED_PRECONDITION, "'cell.lock/10'");
    text = edit(text, "cell.lock/10", "cell.lock/1");
    text = edit(text, "\"identity\":null", "\"identity\":\"ed25519:AA\"");
    check_refused(text, CELL_FAILED_PRECONDITION, "identity");
    free(text);
}

#define IDENTITY "ed25519:7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa"

TEST(an_identity_is_kept)
{
    struct cell_lock *lock = make_lock("auth", FULL_SCHEMA, two), *read = NULL;
    struct cell_buffer text = {0}, again = {0};
    strcpy(lock->identity, &IDENTITY[sizeof(CELL_KEY_PREFIX) - 1]);
    lock->version = 1800000000;
    CHECK(cell_lock_format(lock, &text) == CELL_OK);
    CHECK(strstr(text.data, "\n\"identity\":\"" IDENTITY " 1800000000\",\n\"lock\"") != NULL);
    CHECK(cell_lock_parse("/p/cells.lock/auth.json", "auth", text.data, text.len, &read, &error) == CELL_OK);
    REQUIRE(read);
    CHECK_STR(read->identity, lock->identity);
    CHECK(read->version == 1800000000);
    CHECK(cell_lock_format(read, &again) == CELL_OK);
    CHECK_STR(again.data, text.data);
    cell_buffer_free(&text);
    cell_buffer_free(&again);
    cell_lock_free(lock);
    cell_lock_free(read);
}

TEST(what_is_no_identity_is_refused)
{
    static const char *const wrong[] = {"\"ed25519:AA 1\"",
                                        "\"" IDENTITY "\"",
                                        "\"" IDENTITY " \"",
                                        "\"" IDENTITY " 1",
                                        "\"" IDENTITY " -1\"",
                                        "\"" IDENTITY " 1 \"",
                                        "\"" IDENTITY "  1\"",
                                        "\"" IDENTITY "0 1\"",
                                        "\"" IDENTITY " 99999999999999999999\"",
                                        "\"ed448:00 1\"",
                                        "\"\""};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char member[160];
        snprintf(member, sizeof(member), "\"identity\":%s", wrong[i]);
        char *text = edit(lock_text("auth", FULL_SCHEMA, NULL), "\"identity\":null", member);
        check_refused(text, CELL_FAILED_PRECONDITION, ":4: the cell has an identity that this version");
        free(text);
    }
    char *text = edit(lock_text("auth", FULL_SCHEMA, NULL), "\"identity\":null",
                      "\"identity\":null,\n\"identity\":\"" IDENTITY " 1\"");
    check_refused(text, CELL_DATA_LOSS, ":5: a merge has put two identities together");
    free(text);
}

TEST(every_cut_is_noticed)
{
    char *text = lock_text("auth", FULL_SCHEMA, two);
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n++) {
        struct cell_lock *lock = NULL;
        error = (struct cell_error){0};
        CHECK(cell_lock_parse("/p/cells.lock/auth.json", "auth", text, n, &lock, &error) == CELL_DATA_LOSS);
        CHECK(n < 3 || strstr(error.text, "it is cut off") != NULL);
    }
    check_refused("", CELL_DATA_LOSS, ":1: it is empty; run 'cell lock auth' to write it anew");
    text[len / 2] = '\0';
    check_refused(text, CELL_DATA_LOSS, "it is cut off; run 'cell lock auth'");
    free(text);
}

TEST(conflict_markers_are_named_with_their_line)
{
    char *text = edit(lock_text("auth", FULL_SCHEMA, NULL), "\"fingerprint\"",
                      "<<<<<<< HEAD\n\"fingerprint\":\"\",\n=======\n\"fingerprint\"");
    check_refused(text, CELL_DATA_LOSS, "auth.json:3: a merge has left its conflict markers");
    free(text);
    check_refused("{\n\"a\":1,\n=======\n\"b\"\n", CELL_DATA_LOSS, ":3: a merge has left its conflict markers");
}

TEST(edits_by_hand_are_noticed)
{
    char *text = edit(lock_text("auth", FULL_SCHEMA, two), "Sessions at once", "Sessions at most");
    check_refused(text, CELL_DATA_LOSS, "was edited by hand, or merged: its schema has the fingerprint ");
    free(text);
    text = edit(lock_text("auth", FULL_SCHEMA, two), "cell.expansion/1", "cell.expansion/2");
    check_refused(text, CELL_DATA_LOSS, ":2: this answer was edited: its checksum does not fit");
    free(text);
    text = edit(lock_text("auth", FULL_SCHEMA, two), "\"answer account", "\"answer accounts");
    check_refused(text, CELL_DATA_LOSS, ":2: this answer was edited");
    free(text);
    text = edit(lock_text("auth", FULL_SCHEMA, NULL), "\"identity\":null", "\"identify\":null");
    check_refused(text, CELL_DATA_LOSS, ":4: ");
    free(text);
    text = edit(lock_text("auth", FULL_SCHEMA, NULL), "\"identity\":null,", "\"identity\": null ,");
    check_refused(text, CELL_DATA_LOSS, ":4: ");
    free(text);
    check_refused("{ \"cell\": \"auth\" }\n", CELL_DATA_LOSS, "is not laid out as 'cell lock' does it");
    check_refused("{\n\"lock\":\"cell.lock/1\",\n}\n", CELL_DATA_LOSS, "this line is no member of a lock");
    check_refused("{\n\"lock\":\"cell.lock/1\",\n\"cell\":\"auth\",\n\"schema\":{}\n}\n", CELL_DATA_LOSS,
                  "no fingerprint");
    check_refused("{\n\"\xff\n}\n", CELL_DATA_LOSS, "no text");
}

TEST(a_lock_of_another_cell_is_refused)
{
    char *text = lock_text("mail", FULL_SCHEMA, NULL);
    check_refused(text, CELL_DATA_LOSS, "is the lock of cell 'mail', not of 'auth'");
    free(text);
}

/* As git's union merge leaves it: any order, and the same line twice. */
TEST(answers_that_a_merge_put_together_are_all_there)
{
    static const char *const first[] = {"account", NULL}, *const second[] = {"user", NULL};
    char *one = lock_text("auth", FULL_SCHEMA, first), *other = lock_text("auth", FULL_SCHEMA, second);
    char lines[4096];
    const char *a = one + 2, *b = other + 2;
    int na = (int)(strchr(a, '\n') - a) + 1, nb = (int)(strchr(b, '\n') - b) + 1;
    snprintf(lines, sizeof(lines), "%.*s%.*s%.*s", nb, b, na, a, nb, b);
    CELL_CLEANUP(cell_cleanup_free) char *merged = edit(lock_text("auth", FULL_SCHEMA, NULL), "\"cell\"", "@\"cell\"");
    merged = edit(merged, "@", lines);
    struct cell_lock *lock = parse(merged, CELL_OK);
    REQUIRE(lock);
    CHECK(lock->nanswers == 2);
    struct cell_buffer again = {0};
    CHECK(cell_lock_format(lock, &again) == CELL_OK);
    char *both = lock_text("auth", FULL_SCHEMA, two);
    CHECK_STR(again.data, both);
    cell_buffer_free(&again);
    cell_lock_free(lock);
    free(one), free(other), free(both);
}

TEST(two_schemas_and_two_answers_that_a_merge_put_together_are_refused)
{
    char *text =
        edit(lock_text("auth", FULL_SCHEMA, NULL), "\"fingerprint\"",
             "\"fingerprint\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\n\"fingerprint\"");
    check_refused(text, CELL_DATA_LOSS, "a merge has put two schemas together (0123456789ab… and ");
    free(text);
    static const char *const first[] = {"account", NULL};
    text = lock_text("auth", FULL_SCHEMA, first);
    struct cell_lock *lock = make_lock("auth", FULL_SCHEMA, first);
    lock->answers[0].document = "{\"expansion\":\"cell.expansion/1\"}";
    lock->answers[0].document_len = strlen(lock->answers[0].document);
    struct cell_buffer b = {0};
    CHECK(cell_lock_format(lock, &b) == CELL_OK);
    char line[2048];
    snprintf(line, sizeof(line), "%.*s\"cell\"", (int)(strchr(b.data + 2, '\n') - b.data) - 1, b.data + 2);
    text = edit(text, "\"cell\"", line);
    check_refused(text, CELL_DATA_LOSS, "a merge has put two answers to 'account.table ");
    cell_buffer_free(&b);
    cell_lock_free(lock);
    free(text);
}

TEST(line_ends_of_windows_are_read)
{
    char *text = lock_text("auth", FULL_SCHEMA, two), *other = calloc(2, strlen(text)), *to = other;
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            *to++ = '\r';
        *to++ = *p;
    }
    cell_lock_free(parse(other, CELL_OK));
    free(text), free(other);
}

/* ---- files ---- */

static bool changed;

static int write_lock(const char *cell, const char *const *names)
{
    struct cell_lock *lock = make_lock(cell, FULL_SCHEMA, names);
    error = (struct cell_error){0};
    int r = cell_lock_write(temp_folder, lock, &changed, &error);
    cell_lock_free(lock);
    return r;
}

static int read_lock(const char *name)
{
    struct cell_lock *lock = NULL;
    error = (struct cell_error){0};
    int r = cell_lock_read(temp_folder, name, &lock, &error);
    cell_lock_free(lock);
    return r;
}

TEST(a_file_is_written_only_when_its_content_changes)
{
    struct stat before, after;
    temp_folder_make();
    CHECK(read_lock("auth") == CELL_NOT_FOUND);
    CHECK(write_lock("auth", two) == CELL_OK && changed);
    CHECK(read_lock("auth") == CELL_OK);
    CHECK(temp_exists("cells.lock/.gitattributes"));
    CHECK(stat(temp_path("cells.lock/auth.json"), &before) == 0);
    CHECK(unlink(temp_path("cells.lock/.gitattributes")) == 0);
    CHECK(write_lock("auth", two) == CELL_OK && !changed);
    CHECK(stat(temp_path("cells.lock/auth.json"), &after) == 0 && before.st_ino == after.st_ino);
    CHECK(!temp_exists("cells.lock/.gitattributes")); /* who removed it does not want it */
    CHECK(write_lock("auth", NULL) == CELL_OK && changed);
    temp_folder_remove();
}

TEST(the_locks_of_a_project_are_listed_by_name)
{
    struct cell_arena arena = {0};
    const char *const *names = NULL;
    temp_folder_make();
    CHECK(cell_lock_list(temp_folder, &arena, &names, &error) == CELL_OK && names && !names[0]);
    CHECK(write_lock("mail", NULL) == CELL_OK && write_lock("auth", NULL) == CELL_OK);
    temp_write("cells.lock/README", "");
    temp_write("cells.lock/.x.json", "");
    CHECK(cell_lock_list(temp_folder, &arena, &names, &error) == CELL_OK);
    CHECK_STR(names[0], "auth");
    CHECK_STR(names[1], "mail");
    CHECK(names[2] == NULL);
    temp_write("cells.lock/au-th.json", "");
    CHECK(cell_lock_list(temp_folder, &arena, &names, &error) == CELL_DATA_LOSS);
    CHECK(strstr(error.text, "'au-th' cannot be a cell") != NULL);
    cell_arena_free(&arena);
    temp_folder_remove();
}

TEST(two_files_that_claim_one_cell_are_both_named)
{
    temp_folder_make();
    CHECK(write_lock("auth", NULL) == CELL_OK);
    CHECK(link(temp_path("cells.lock/auth.json"), temp_path("cells.lock/copy.json")) == 0);
    CHECK(read_lock("copy") == CELL_DATA_LOSS);
    CHECK(strstr(error.text, "cells.lock/copy.json and ") && strstr(error.text, "cells.lock/auth.json both claim"));
    temp_folder_remove();
}

TEST(links_and_what_is_no_file_are_refused)
{
    temp_folder_make();
    CHECK(write_lock("auth", NULL) == CELL_OK);
    CHECK(symlink("auth.json", temp_path("cells.lock/mail.json")) == 0);
    CHECK(read_lock("mail") == CELL_IO_ERROR);
    CHECK(strstr(error.text, "mail.json is a symbolic link") != NULL);
    CHECK(write_lock("mail", NULL) == CELL_IO_ERROR);
    CHECK(mkdir(temp_path("cells.lock/folder.json"), 0700) == 0);
    CHECK(read_lock("folder") == CELL_IO_ERROR);
    CHECK(rename(temp_path("cells.lock"), temp_path("elsewhere")) == 0);
    CHECK(symlink("elsewhere", temp_path("cells.lock")) == 0);
    CHECK(read_lock("auth") == CELL_IO_ERROR && write_lock("auth", two) == CELL_IO_ERROR);
    CHECK(strstr(error.text, "cells.lock is a symbolic link") != NULL);
    temp_folder_remove();
}

TEST(a_file_that_is_too_large_is_refused_before_it_is_read)
{
    temp_folder_make();
    temp_make_folder("cells.lock");
    temp_write("cells.lock/auth.json", "{");
    CHECK(truncate(temp_path("cells.lock/auth.json"), (off_t)CELL_LOCK_MAX_BYTES + 1) == 0);
    CHECK(read_lock("auth") == CELL_TOO_LARGE);
    temp_folder_remove();
}

static void in_a_read_only_tree(void)
{
    CHECK(write_lock("auth", two) == CELL_OK);
    CHECK(chmod(temp_path("cells.lock"), 0500) == 0);
    CHECK(write_lock("auth", NULL) == CELL_IO_ERROR);
    CHECK(strstr(error.text, "cells.lock/auth.json: Permission denied") != NULL);
    CHECK(write_lock("auth", two) == CELL_OK && !changed);
    CHECK(read_lock("auth") == CELL_OK);
    CHECK(chmod(temp_path("cells.lock"), 0700) == 0);
}

TEST(a_read_only_tree_is_said_and_its_locks_are_read)
{
    temp_folder_make();
    temp_run_as(TEMP_NOBODY, in_a_read_only_tree);
    temp_folder_remove();
}

/* A limit on the size of files stands for the full disk: the write fails in the middle. */
static void on_a_full_disk(void)
{
    const struct rlimit small = {100, 100};
    CHECK(write_lock("auth", NULL) == CELL_OK);
    char *before = temp_read("cells.lock/auth.json");
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(write_lock("auth", two) == CELL_IO_ERROR);
    char *after = temp_read("cells.lock/auth.json");
    CHECK_STR(after, before);
    unsigned files = 0;
    DIR *d = opendir(temp_path("cells.lock"));
    while (d && readdir(d))
        files++;
    if (d)
        closedir(d);
    CHECK(files == 4); /* ".", "..", .gitattributes, auth.json: nothing half written stays */
    free(before), free(after);
}

TEST(a_full_disk_leaves_the_old_file)
{
    temp_folder_make();
    temp_run_as(TEMP_NOBODY, on_a_full_disk);
    temp_folder_remove();
}

TEST(the_answers_of_a_broken_lock_are_not_lost)
{
    struct cell_lock *lock = NULL;
    temp_folder_make();
    temp_make_folder("cells.lock");
    char *text = edit(lock_text("auth", FULL_SCHEMA, two), "\"cell\"", "<<<<<<< HEAD\n\"cell\"");
    temp_write("cells.lock/auth.json", text);
    CHECK(read_lock("auth") == CELL_DATA_LOSS);
    CHECK(cell_lock_salvage(temp_folder, "auth", &lock, &error) == CELL_OK);
    REQUIRE(lock);
    CHECK(lock->nanswers == 2 && strncmp(lock->answers[1].key, "user.table ", 11) == 0);
    cell_lock_free(lock);
    text = edit(text, "\"users\"", "\"loser\""); /* one whose checksum does not fit is of no use */
    temp_write("cells.lock/auth.json", text);
    CHECK(cell_lock_salvage(temp_folder, "auth", &lock, &error) == CELL_OK);
    CHECK(lock->nanswers == 1);
    cell_lock_free(lock);
    CHECK(cell_lock_salvage(temp_folder, "mail", &lock, &error) == CELL_NOT_FOUND);
    free(text);
    temp_folder_remove();
}
