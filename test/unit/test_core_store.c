/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the compile session keeps in .cell, and whom it trusts there. */
#include "session_fixture.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- baselines ---- */

/* The doc of the baseline of `auth` for this object, "-" when there is none. */
static const char *baseline_of(const char *name, enum session_mode mode)
{
    CHECK(session_begin_of(name, mode) == CELL_OK);
    const struct cell_schema *before = cell_session_baseline(session, ask("auth", CELL_OK));
    return before ? before->doc : "-";
}

TEST(the_baseline_is_what_this_object_was_last_compiled_against)
{
    project_make();
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "-");
    compile("a.c");
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "-"); /* the same as now */
    fake.version = "second";
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "first");
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "first"); /* the last one did not end well: nothing was committed */
    CHECK_STR(baseline_of("b.c", SESSION_LIVE), "-");     /* never compiled */
    compile("a.c");
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "-");
    fake.version = "third";
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "second");
    project_remove();
}

TEST(only_a_live_compilation_of_an_object_moves_the_baseline)
{
    project_make();
    compile("a.c");
    fake.version = "second";
    CHECK_STR(baseline_of("a.c", SESSION_PLAN), "first");
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    CHECK_STR(baseline_of("a.c", SESSION_MIRROR), "first");
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "first");
    session_done();
    CHECK(cell_session_new(temp_path("src/a.c"), NULL, SESSION_LIVE, &fake_exchange, &session, &error) == CELL_OK);
    CHECK(cell_session_baseline(session, ask("auth", CELL_OK)) != NULL); /* that of the file's last object */
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    CHECK(count_files(".cell/objects") == 1);
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "first");
    project_remove();
}

TEST(the_record_names_the_object_and_all_its_cells_in_order)
{
    project_make();
    session_begin(SESSION_LIVE);
    char expected[1024], other[65];
    struct session_cell *auth = ask("auth", CELL_OK);
    memcpy(other, ask("mail", CELL_OK)->fingerprint, sizeof(other));
    fake.open_status = CELL_UNAVAILABLE;
    ask("store", CELL_UNAVAILABLE);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    snprintf(expected, sizeof(expected), "{\"cells\":{\"auth\":\"%s\",\"mail\":\"%s\"},\"object\":\"%s/a.c.o\"}",
             auth->fingerprint, other, temp_folder);
    char *record = temp_read(only_file(".cell/objects"));
    CHECK_STR(record, expected);
    free(record);
    CHECK(count_files(".cell/schemas") == 2);
    project_remove();
}

TEST(nothing_is_written_when_nothing_changed)
{
    project_make();
    compile("a.c");
    char record[512], schema[512];
    strcpy(record, only_file(".cell/objects"));
    strcpy(schema, only_file(".cell/schemas"));
    make_old(record);
    make_old(schema);
    compile("a.c");
    CHECK(is_old(record) && is_old(schema));
    project_remove();
}

TEST(an_object_may_have_any_name)
{
    project_make();
    CHECK(session_begin_of("\xff\"\\\n\xc3\xa4", SESSION_LIVE) == CELL_OK);
    ask("auth", CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    fake.version = "second";
    CHECK_STR(baseline_of("\xff\"\\\n\xc3\xa4", SESSION_LIVE), "first");
    CHECK_STR(baseline_of("\xfe\"\\\n\xc3\xa4", SESSION_LIVE), "-");
    project_remove();
}

TEST(damaged_records_and_schemas_are_no_baseline_and_are_repaired)
{
    const char *damaged[] = {"",
                             "{",
                             "[]",
                             "{}",
                             "{\"cells\":[]}",
                             "{\"cells\":{\"auth\":1}}",
                             "{\"cells\":{\"auth\":\"../../x\"}}",
                             "{\"cells\":{\"mail\":\"\"}}",
                             "\xff\xfe"};
    project_make();
    compile("a.c");
    char record[512], schema[512];
    strcpy(record, only_file(".cell/objects"));
    strcpy(schema, only_file(".cell/schemas"));
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        temp_write(record, damaged[i]);
        fake.version = "second";
        CHECK_STR(baseline_of("a.c", SESSION_LIVE), "-");
        fake.version = "first";
        compile("a.c");
        temp_write(schema, damaged[i]);
        fake.version = "second";
        CHECK_STR(baseline_of("a.c", SESSION_LIVE), "-");
        fake.version = "first";
        compile("a.c");
        fake.version = "second";
        CHECK_STR(baseline_of("a.c", SESSION_LIVE), "first");
    }
    CHECK(unlink(temp_path(schema)) == 0);
    CHECK_STR(baseline_of("a.c", SESSION_LIVE), "-");
    project_remove();
}

/* ---- the mirror's short cut ---- */

TEST(a_mirror_that_was_edited_is_not_believed)
{
    project_make();
    compile("a.c");
    char *mirror = temp_read(".cell/mirror/auth.json"), *word = mirror ? strstr(mirror, "first") : NULL;
    REQUIRE(word);
    memcpy(word, "FIRST", 5); /* the same size */
    temp_write(".cell/mirror/auth.json", mirror);
    fake.requests = 0;
    compile("a.c");
    CHECK(fake.requests == 1);
    free(mirror);
    mirror = temp_read(".cell/mirror/auth.json");
    CHECK_STR(mirror, fake_schema("auth"));
    free(mirror);
    project_remove();
}

TEST(the_short_cut_may_be_missing_or_damaged)
{
    project_make();
    compile("a.c");
    char *good = temp_read(".cell/known/auth");
    const char *damaged[] = {"", "x", "abababababababababababababababababababababababababababababababab 1 2 3 4 5\n"};
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        temp_write(".cell/known/auth", damaged[i]);
        fake.requests = 0;
        compile("a.c");
        CHECK(fake.requests == 0); /* the mirror was hashed, and is good */
        char *now = temp_read(".cell/known/auth");
        CHECK_STR(now, good);
        free(now);
    }
    free(good);
    project_remove();
}

/* ---- injected texts ---- */

static char *inject_path(const char *key, bool expected)
{
    char *path = NULL;
    bool exists = !expected;
    CHECK(cell_session_inject_path(session, "auth", key, &path, &exists) == CELL_OK);
    CHECK(exists == expected);
    return path;
}

static void check_put(const char *path, const char *text)
{
    CHECK(cell_session_put(session, path, text, strlen(text), &error) == CELL_OK);
}

TEST(an_injected_text_is_found_by_its_key)
{
    project_make();
    session_begin(SESSION_LIVE);
    char *path = inject_path("key 1", false), *other = inject_path("key 2", false);
    CHECK(path && other && strcmp(path, other) != 0);
    CHECK(strncmp(path, temp_path(".cell/inject/auth-"), strlen(temp_path(".cell/inject/auth-"))) == 0);
    CHECK(strcmp(path + strlen(path) - 2, ".h") == 0);
    check_put(path, "int a;\n");
    free(inject_path("key 1", true));
    free(inject_path("key 2", false));
    FILE *f = fopen(path, "r");
    char text[256] = "";
    CHECK(f && fread(text, 1, sizeof(text) - 1, f) > 0);
    if (f)
        fclose(f);
    CHECK(strncmp(text, "int a;\n/* end ", 14) == 0);
    CHECK(strcmp(text + strlen(text) - 4, " */\n") == 0);
    free(path);
    free(other);
    project_remove();
}

TEST(an_injected_text_that_is_damaged_is_written_again)
{
    project_make();
    session_begin(SESSION_LIVE);
    char *path = inject_path("key", false);
    const char *texts[] = {"", "x", "int a;\n", "struct a { int a, b, c, d, e, f, g; };\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(remove(path) == 0 || i == 0);
        check_put(path, texts[i]);
        free(inject_path("key", true));
        const char *name = only_file(".cell/inject");
        char *whole = temp_read(name);
        size_t len = strlen(whole);
        for (size_t at = 0; at < len; at++) {
            char was = whole[at];
            whole[at] ^= 1; /* edited */
            temp_write(name, whole);
            free(inject_path("key", false));
            whole[at] = '\0'; /* cut */
            temp_write(name, whole);
            free(inject_path("key", false));
            whole[at] = was;
        }
        free(whole);
        check_put(path, texts[i]);
        free(inject_path("key", true));
    }
    free(path);
    project_remove();
}

TEST(an_injected_text_that_is_there_is_left_alone)
{
    project_make();
    session_begin(SESSION_LIVE);
    char *path = inject_path("key", false);
    check_put(path, "int a;\n");
    make_old(only_file(".cell/inject"));
    check_put(path, "int a;\n");
    CHECK(is_old(only_file(".cell/inject")));
    free(path);
    project_remove();
}

/* ---- where .cell is, and whose ---- */

TEST(without_a_configuration_the_folder_is_beside_the_main_file)
{
    project_make();
    CHECK(unlink(temp_path("cell.json")) == 0);
    setenv("CELL_RUN_DIR", temp_path("run"), 1);
    compile("a.c");
    CHECK(temp_exists("src/.cell/mirror/auth.json") && !temp_exists(".cell"));
    unsetenv("CELL_RUN_DIR");
    project_remove();
}

/* Every use fails with this status and a text that names the folder, and nobody is asked. */
static void untrusted(int status, const char *part)
{
    fake.opens = 0;
    for (int mode = SESSION_LIVE; mode <= SESSION_MIRROR; mode++) {
        session_begin((enum session_mode)mode);
        struct session_cell *cell = ask("auth", status);
        CHECK(cell && strstr(cell->error.text, temp_path(".cell")) && strstr(cell->error.text, part));
        char *path = NULL;
        bool exists;
        CHECK(cell_session_inject_path(session, "auth", "key", &path, &exists) == status);
        CHECK(cell_session_put(session, temp_path(".cell/inject/auth-1.h"), "", 0, &error) == status);
    }
    session_done();
    CHECK(fake.opens == 0);
}

TEST(a_folder_that_others_can_write_to_is_refused)
{
    project_make();
    compile("a.c");
    CHECK(chmod(temp_path(".cell"), 0777) == 0);
    untrusted(CELL_PERMISSION_DENIED, "anybody can write");
    CHECK(chmod(temp_path(".cell"), 0775) == 0);
    compile("a.c");
    project_remove();
}

TEST(a_folder_or_link_of_another_user_is_refused)
{
    if (geteuid() != 0)
        return; /* only root can make one */
    project_make();
    temp_make_folder("mine");
    temp_make_folder("theirs");
    CHECK(chown(temp_path("theirs"), TEMP_NOBODY, TEMP_NOBODY) == 0);
    CHECK(symlink(temp_path("mine"), temp_path(".cell")) == 0);
    CHECK(lchown(temp_path(".cell"), TEMP_NOBODY, TEMP_NOBODY) == 0);
    untrusted(CELL_PERMISSION_DENIED, "owned by uid 65534");
    CHECK(count_files("mine") == 0);
    CHECK(unlink(temp_path(".cell")) == 0 && symlink(temp_path("theirs"), temp_path(".cell")) == 0);
    untrusted(CELL_PERMISSION_DENIED, "owned by uid 65534");
    CHECK(unlink(temp_path(".cell")) == 0 && rename(temp_path("theirs"), temp_path(".cell")) == 0);
    untrusted(CELL_PERMISSION_DENIED, "owned by uid 65534");
    CHECK(count_files(".cell") == 0);
    project_remove();
}

TEST(ones_own_link_is_followed_and_what_is_no_folder_refused)
{
    project_make();
    temp_make_folder("elsewhere");
    CHECK(symlink(temp_path("elsewhere"), temp_path(".cell")) == 0);
    compile("a.c");
    CHECK(temp_exists("elsewhere/mirror/auth.json"));
    CHECK(unlink(temp_path(".cell")) == 0 && symlink("/nowhere/at/all", temp_path(".cell")) == 0);
    untrusted(CELL_IO_ERROR, "leads nowhere");
    CHECK(unlink(temp_path(".cell")) == 0);
    temp_write(".cell", "");
    untrusted(CELL_IO_ERROR, "not a folder");
    project_remove();
}

TEST(links_inside_are_replaced_not_followed)
{
    project_make();
    temp_write("precious", "precious");
    compile("a.c");
    CHECK(unlink(temp_path(".cell/mirror/auth.json")) == 0);
    CHECK(symlink(temp_path("precious"), temp_path(".cell/mirror/auth.json")) == 0);
    compile("a.c");
    char *text = temp_read("precious"), *mirror = temp_read(".cell/mirror/auth.json");
    CHECK_STR(text, "precious");
    CHECK_STR(mirror, fake_schema("auth"));
    free(text);
    free(mirror);
    project_remove();
}

/* ---- disks ---- */

static void read_only(void)
{
    const char *folders[] = {".cell/mirror", ".cell/known", ".cell/schemas", ".cell/objects", ".cell"};
    compile("a.c");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        CHECK(chmod(temp_path(folders[i]), 0500) == 0);
    fake.requests = 0;
    compile("a.c");
    CHECK(fake.requests == 0);

    session_begin_of("b.c", SESSION_LIVE); /* its record is new */
    ask("auth", CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_IO_ERROR);
    CHECK(strstr(error.text, ".cell/objects/") && strstr(error.text, "Permission denied"));

    fake.version = "second";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_IO_ERROR);
    CHECK(strstr(cell->error.text, ".cell/mirror/auth.json: Permission denied") != NULL);
    session_done();
}

TEST(a_read_only_project_compiles_when_nothing_is_new)
{
    project_make();
    CHECK(chown(temp_path("src"), TEMP_NOBODY, TEMP_NOBODY) == 0 || geteuid() != 0);
    CHECK(chmod(temp_path("cell.json"), 0644) == 0);
    temp_run_as(TEMP_NOBODY, read_only);
    const char *folders[] = {".cell/mirror", ".cell/known", ".cell/schemas", ".cell/objects", ".cell"};
    for (size_t i = 5; i-- > 0;)
        chmod(temp_path(folders[i]), 0700);
    project_remove();
}

static void full_disk(void)
{
    const struct rlimit none = {0, 0};
    compile("a.c");
    signal(SIGXFSZ, SIG_IGN);
    fflush(stdout);
    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
    fake.requests = 0;
    compile("a.c");
    CHECK(fake.requests == 0);
    fake.version = "second";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_IO_ERROR);
    CHECK(strstr(cell->error.text, "cannot write ") && strstr(cell->error.text, ".cell/mirror/auth.json: "));
    char *path = inject_path("key", false);
    CHECK(cell_session_put(session, path, "x", 1, &error) == CELL_IO_ERROR);
    free(path);
    session_done();
    CHECK(count_files(".cell/mirror") == 1 && count_files(".cell/inject") == 0);
    fake.version = "first";
    compile("a.c"); /* what was there is still whole */
    CHECK(fake.requests == 1);
}

TEST(a_full_disk_is_an_error_only_for_what_is_new)
{
    int status = 1;
    project_make();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        test_failures = 0;
        full_disk();
        _exit(test_failures != 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    project_remove();
}

static void one_of_many(int number)
{
    const char *versions[] = {"first", "second", "third"};
    char name[16];
    snprintf(name, sizeof(name), "%d.c", number % 4); /* two at a time write one object's record */
    for (int i = 0; i < 60; i++) {
        fake.version = versions[(i + number) % 3];
        CHECK(session_begin_of(name, SESSION_LIVE) == CELL_OK);
        struct session_cell *cell = ask("auth", CELL_OK);
        const struct cell_schema *now = cell_session_schema(session, cell, &error);
        CHECK(now && strcmp(now->doc, fake.version) == 0);
        const struct cell_schema *before = cell_session_baseline(session, cell);
        CHECK(!before || strcmp(before->fingerprint, cell->fingerprint) != 0);
        char *path = NULL;
        bool exists;
        CHECK(cell_session_inject_path(session, "auth", fake.version, &path, &exists) == CELL_OK);
        check_put(path, fake.version);
        free(path);
        CHECK(cell_session_commit(session, &error) == CELL_OK);
    }
    session_done();
}

TEST(compilations_at_the_same_time_do_not_disturb_each_other)
{
    pid_t pids[8];
    project_make();
    fflush(stdout);
    for (int i = 0; i < 8; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            test_failures = 0;
            one_of_many(i);
            fflush(stdout);
            _exit(test_failures != 0);
        }
    }
    for (int i = 0; i < 8; i++) {
        int status = 1;
        CHECK(pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    CHECK(count_files(".cell/schemas") == 3 && count_files(".cell/objects") == 4 && count_files(".cell/inject") == 3);
    session_begin(SESSION_MIRROR);
    CHECK(cell_session_schema(session, ask("auth", CELL_OK), &error) != NULL);
    project_remove();
}
