/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "temp_folder.h"

#include "core/config.h"

static struct cell_config *config;
static struct cell_error error;

static int find(const char *start)
{
    cell_config_free(config);
    config = NULL;
    error = (struct cell_error){0};
    return cell_config_find(start, &config, &error);
}

/* No setting of the caller's reaches a test. */
static void begin(void)
{
    unsetenv("CELL_RUN_DIR");
    unsetenv("CELL_CONFIG");
    unsetenv("CELL_ADDRESS_AUTH");
    unsetenv("XDG_RUNTIME_DIR");
    temp_folder_make();
    CHECK(chdir(temp_folder) == 0);
    temp_make_folder("a");
    temp_make_folder("a/b");
}

static void done(void)
{
    cell_config_free(config);
    config = NULL;
    temp_folder_remove();
}

TEST(the_file_is_found_from_a_file_a_folder_and_what_is_not_there)
{
    begin();
    temp_write("a/cell.json", "{}");
    temp_write("a/b/main.c", "");
    const char *starts[] = {"a", "a/b", "a/b/main.c", "a/b/none.c", "a/none/none/none.c", "a/cell.json", "a/b/../x.c"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        CHECK(find(temp_path(starts[i])) == CELL_OK);
        CHECK_STR(config ? config->path : NULL, temp_path("a/cell.json"));
        CHECK_STR(config ? config->dir : NULL, temp_path("a"));
    }
    CHECK(chdir("a/b") == 0);
    CHECK(find(".") == CELL_OK);
    CHECK_STR(config->path, temp_path("a/cell.json"));
    CHECK(find("main.c") == CELL_OK);
    CHECK_STR(config->path, temp_path("a/cell.json"));
    CHECK(find("..//./") == CELL_OK);
    CHECK_STR(config->path, temp_path("a/cell.json"));
    CHECK(find("../..") == CELL_OK);
    CHECK(config->path == NULL);
    done();
}

TEST(the_nearest_file_is_taken)
{
    begin();
    temp_write("cell.json", "{}");
    temp_write("a/b/cell.json", "{}");
    CHECK(find(temp_path("a/b/x.c")) == CELL_OK);
    CHECK_STR(config->path, temp_path("a/b/cell.json"));
    CHECK(find(temp_path("a/x.c")) == CELL_OK);
    CHECK_STR(config->path, temp_path("cell.json"));
    done();
}

TEST(the_way_up_is_that_of_the_name_not_of_links)
{
    begin();
    temp_make_folder("elsewhere");
    temp_write("a/cell.json", "{}");
    CHECK(symlink(temp_path("elsewhere"), temp_path("a/link")) == 0);
    CHECK(find(temp_path("a/link/x.c")) == CELL_OK);
    CHECK_STR(config->path, temp_path("a/cell.json"));
    done();
}

TEST(without_a_file_there_are_defaults)
{
    begin();
    setenv("CELL_RUN_DIR", "/r/x", 1);
    REQUIRE(find(temp_path("a")) == CELL_OK);
    CHECK(config->path == NULL && config->dir == NULL);
    CHECK(config->ncells == 0 && config->timeout_ms == 2000 && !config->trust_any_owner);
    CHECK_STR(config->run_dir, "/r/x");
    CHECK_STR(cell_config_address(config, "auth"), "unix:/r/x/auth.sock");
    done();
}

TEST(a_file_that_is_named_must_be_there)
{
    begin();
    temp_write("cell.json", "{}");
    CHECK(find(temp_path("a/cell.json")) == CELL_NOT_FOUND);
    CHECK(strstr(error.text, "a/cell.json") != NULL);
    done();
}

TEST(what_is_no_regular_file_is_refused_and_not_passed_over)
{
    begin();
    temp_write("cell.json", "{}");
    temp_make_folder("a/cell.json");
    CHECK(find(temp_path("a")) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(error.text, "a/cell.json is a folder") != NULL);
    CHECK(rmdir(temp_path("a/cell.json")) == 0);

    CHECK(symlink(temp_path("cell.json"), temp_path("a/cell.json")) == 0);
    CHECK(find(temp_path("a")) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(error.text, "a/cell.json is a symbolic link") != NULL);
    CHECK(unlink(temp_path("a/cell.json")) == 0);

    CHECK(symlink("/nowhere/at/all", temp_path("a/cell.json")) == 0);
    CHECK(find(temp_path("a")) == CELL_INVALID_ARGUMENT);
    CHECK(unlink(temp_path("a/cell.json")) == 0);

    CHECK(mkfifo(temp_path("a/cell.json"), 0600) == 0);
    CHECK(find(temp_path("a")) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(error.text, "a/cell.json is not a regular file") != NULL);
    done();
}

TEST(errors_in_the_file_name_it)
{
    begin();
    temp_write("a/cell.json", "{\n \"cels\": 1 }");
    CHECK(find(temp_path("a/x.c")) == CELL_INVALID_ARGUMENT);
    char expected[256];
    snprintf(expected, sizeof(expected), "%s/a/cell.json:2: cels: unknown member; did you mean \"cells\"?",
             temp_folder);
    CHECK_STR(error.text, expected);
    temp_write("a/cell.json", "");
    CHECK(find(temp_path("a/x.c")) == CELL_INVALID_ARGUMENT);
    CHECK(truncate(temp_path("a/cell.json"), 2 << 20) == 0);
    CHECK(find(temp_path("a/x.c")) == CELL_TOO_LARGE);
    CHECK(strstr(error.text, "a/cell.json is larger than 1048576 bytes") != NULL);
    done();
}

static void unreadable(void)
{
    temp_write("cell.json", "{}");
    CHECK(chmod(temp_path("cell.json"), 0) == 0);
    CHECK(find(temp_path("x.c")) == CELL_PERMISSION_DENIED);
    CHECK(strstr(error.text, "cell.json: Permission denied") != NULL);
}

TEST(a_file_that_cannot_be_read_is_an_error)
{
    begin();
    temp_run_as(TEMP_NOBODY, unreadable);
    done();
}

TEST(a_file_of_another_user_is_refused)
{
    if (geteuid() != 0)
        return; /* only root can make one */
    begin();
    temp_write("a/cell.json", "{}");
    CHECK(chown(temp_path("a/cell.json"), TEMP_NOBODY, TEMP_NOBODY) == 0);
    CHECK(find(temp_path("a")) == CELL_PERMISSION_DENIED);
    CHECK(strstr(error.text, "a/cell.json is owned by uid 65534, neither by you nor by root") != NULL);
    done();
}

static void of_root(void)
{
    CHECK(find(temp_path("a/x.c")) == CELL_OK);
    CHECK_STR(config ? config->path : NULL, temp_path("a/cell.json"));
}

TEST(a_file_of_root_is_read_by_all)
{
    if (geteuid() != 0)
        return;
    begin();
    temp_write("a/cell.json", "{}");
    CHECK(chmod(temp_path("a"), 0755) == 0 && chmod(temp_path("a/cell.json"), 0644) == 0);
    temp_run_as(TEMP_NOBODY, of_root);
    done();
}

TEST(the_default_folder_of_sockets_is_found_in_order)
{
    char path[256];
    begin();
    setenv("XDG_RUNTIME_DIR", "/xdg", 1);
    setenv("CELL_RUN_DIR", "/named", 1);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_OK);
    CHECK_STR(path, "/named");
    setenv("CELL_RUN_DIR", "rel", 1);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_OK);
    CHECK_STR(path, temp_path("rel"));
    setenv("CELL_RUN_DIR", "", 1);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_OK);
    CHECK_STR(path, "/xdg/cell");
    CHECK(cell_default_run_dir(path, 9) == CELL_TOO_LARGE);
    CHECK(cell_default_run_dir(path, 10) == CELL_OK);
    setenv("XDG_RUNTIME_DIR", "relative/is/ignored", 1);
    if (geteuid() == 0) {
        CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_OK);
        CHECK_STR(path, "/run/cell");
    }
    done();
}

/* In a child with a uid of its own, because /tmp/cell-UID is one name for all. */
static void shared_folder(void)
{
    char expected[64], path[64];
    snprintf(expected, sizeof(expected), "/tmp/cell-%u", (unsigned)geteuid());
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_OK);
    CHECK_STR(path, expected);
    CHECK(mkdir(expected, 0700) == 0);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_OK);
    CHECK(chmod(expected, 0701) == 0);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_PERMISSION_DENIED);
    CHECK(find(temp_path("x.c")) == CELL_PERMISSION_DENIED);
    CHECK(strstr(error.text, expected) != NULL);
    CHECK(chmod(expected, 0740) == 0);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_PERMISSION_DENIED);
    CHECK(rmdir(expected) == 0);
    CHECK(symlink(temp_folder, expected) == 0);
    CHECK(cell_default_run_dir(path, sizeof(path)) == CELL_PERMISSION_DENIED);
    CHECK(unlink(expected) == 0);
}

TEST(a_shared_default_folder_must_be_closed_to_others)
{
    if (geteuid() != 0)
        return;
    begin();
    unsigned uid = 2000000000u + (unsigned)getpid();
    temp_run_as(uid, shared_folder);
    char path[64];
    snprintf(path, sizeof(path), "/tmp/cell-%u", uid);
    CHECK(mkdir(path, 0700) == 0); /* root's, not that user's */
    CHECK(chown(temp_folder, 0, 0) == 0);
    done();
    begin();
    pid_t pid = fork();
    if (pid == 0)
        _exit(setuid(uid) == 0 && cell_default_run_dir(path, sizeof(path)) == CELL_PERMISSION_DENIED ? 0 : 1);
    int status = 1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(rmdir(path) == 0);
    done();
}

static char *located;

static int locate(const char *name)
{
    free(located);
    located = NULL;
    error = (struct cell_error){0};
    return cell_locate(name, &located, &error);
}

TEST(a_cell_is_located_in_order)
{
    begin();
    setenv("CELL_RUN_DIR", "/named", 1);
    CHECK(locate("auth") == CELL_OK);
    CHECK_STR(located, "unix:/named/auth.sock");

    temp_write("cell.json", "{ \"run_dir\": \"/r\", \"cells\": { \"auth\": { \"address\": \"unix:here.sock\" } } }");
    CHECK(chdir("a") == 0);
    CHECK(locate("auth") == CELL_OK);
    char expected[256];
    snprintf(expected, sizeof(expected), "unix:%s/here.sock", temp_folder);
    CHECK_STR(located, expected);
    CHECK(locate("other") == CELL_OK);
    CHECK_STR(located, "unix:/r/other.sock");

    temp_write("a/b/cell.json", "{ \"cells\": { \"auth\": { \"address\": \"unix:/b\" } } }");
    setenv("CELL_CONFIG", temp_path("a/b/cell.json"), 1);
    CHECK(locate("auth") == CELL_OK);
    CHECK_STR(located, "unix:/b");
    setenv("CELL_CONFIG", "b", 1);
    CHECK(locate("auth") == CELL_OK);
    CHECK_STR(located, "unix:/b");

    setenv("CELL_ADDRESS_AUTH", "unix:/first", 1);
    CHECK(locate("auth") == CELL_OK);
    CHECK_STR(located, "unix:/first");
    setenv("CELL_ADDRESS_AUTH", "unix:x/first", 1);
    CHECK(locate("auth") == CELL_OK);
    snprintf(expected, sizeof(expected), "unix:%s/a/x/first", temp_folder);
    CHECK_STR(located, expected);
    free(located);
    located = NULL;
    done();
}

TEST(what_cannot_be_located_is_said)
{
    begin();
    CHECK(locate("../x") == CELL_INVALID_ARGUMENT);
    CHECK(locate("") == CELL_INVALID_ARGUMENT);
    setenv("CELL_ADDRESS_AUTH", "tcp:x", 1);
    CHECK(locate("auth") == CELL_INVALID_ARGUMENT);
    CHECK_STR(
        error.text,
        "CELL_ADDRESS_AUTH: the scheme of address 'tcp:x' is not known; \"unix:PATH\" and \"https://HOST:PORT\" are");
    unsetenv("CELL_ADDRESS_AUTH");
    setenv("CELL_CONFIG", temp_path("a/cell.json"), 1);
    CHECK(locate("auth") == CELL_NOT_FOUND);
    CHECK(strncmp(error.text, "CELL_CONFIG: there is no file ", 30) == 0);
    setenv("CELL_CONFIG", temp_path("a"), 1);
    CHECK(locate("auth") == CELL_NOT_FOUND);
    CHECK(strncmp(error.text, "CELL_CONFIG: there is no cell.json in ", 38) == 0);
    temp_write("a/cell.json", "{ \"x\": 1 }");
    CHECK(locate("auth") == CELL_INVALID_ARGUMENT);
    CHECK(strncmp(error.text, "CELL_CONFIG: /", 14) == 0);
    CHECK(located == NULL);
    done();
}

TEST(a_program_whose_working_folder_was_removed_finds_the_default)
{
    begin();
    setenv("CELL_RUN_DIR", "/named", 1);
    CHECK(chdir("a/b") == 0 && rmdir(temp_path("a/b")) == 0);
    CHECK(locate("auth") == CELL_OK);
    CHECK_STR(located, "unix:/named/auth.sock");
    free(located);
    located = NULL;
    done();
}
