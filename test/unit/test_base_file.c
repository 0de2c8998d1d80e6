/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reading, replacing and making files and folders: also with a full disk, with many writers at once, after failures. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "remove_tree.h"

/* A folder of this test's own; each test removes it with remove_tree. */
static char folder[64];

static bool enter_folder(void)
{
    strcpy(folder, "/tmp/cell-test-base-XXXXXX");
    return mkdtemp(folder) != NULL;
}

static const char *in_folder(const char *name)
{
    static char path[2][5000];
    static unsigned turn;
    char *p = path[turn++ % 2];
    snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
    return p;
}

static unsigned count_files(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

TEST(file_that_was_replaced_reads_back)
{
    struct cell_error e = {0};
    char *data = NULL, big[200000];
    size_t len = 0;
    REQUIRE(enter_folder());
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7);
    CHECK(cell_file_replace(in_folder("f"), "one", 3, &e) == CELL_OK);
    CHECK(cell_file_replace(in_folder("f"), big, sizeof(big), &e) == CELL_OK);
    REQUIRE(cell_file_read(in_folder("f"), sizeof(big), &data, &len, &e) == CELL_OK);
    CHECK(len == sizeof(big) && memcmp(data, big, len) == 0 && data[len] == '\0');
    free(data);
    CHECK(cell_file_replace(in_folder("f"), NULL, 0, &e) == CELL_OK);
    REQUIRE(cell_file_read(in_folder("f"), 0, &data, &len, &e) == CELL_OK);
    CHECK(len == 0 && data[0] == '\0');
    free(data);
    CHECK(count_files(folder) == 1);
    remove_tree(folder);
}

TEST(file_read_keeps_to_its_limit)
{
    struct cell_error e = {0};
    char *data = NULL;
    size_t len = 99;
    REQUIRE(enter_folder());
    CHECK(cell_file_replace(in_folder("f"), "12345", 5, &e) == CELL_OK);
    CHECK(cell_file_read(in_folder("f"), 4, &data, &len, &e) == CELL_TOO_LARGE);
    CHECK(data == NULL && len == 99);
    CHECK(strstr(e.text, "/f") && strstr(e.text, "4 bytes"));
    /* Files of /proc say that they are empty: the limit counts what is read. */
    CHECK(cell_file_read("/proc/self/status", 10, &data, &len, &e) == CELL_TOO_LARGE);
    REQUIRE(cell_file_read("/proc/self/status", 1 << 20, &data, &len, &e) == CELL_OK);
    CHECK(len == strlen(data) && len > 10);
    free(data);
    remove_tree(folder);
}

TEST(file_read_says_what_is_wrong)
{
    struct cell_error e = {0};
    char *data = NULL;
    size_t len;
    REQUIRE(enter_folder());
    CHECK(cell_file_read(in_folder("none"), 10, &data, &len, &e) == CELL_NOT_FOUND);
    CHECK(strstr(e.text, "/none") && strstr(e.text, "No such file"));
    CHECK(cell_file_read(folder, 10, &data, &len, &e) == CELL_IO_ERROR);
    CHECK(strstr(e.text, "not a regular file"));
    REQUIRE(mkfifo(in_folder("fifo"), 0600) == 0);
    CHECK(cell_file_read(in_folder("fifo"), 10, &data, &len, &e) == CELL_IO_ERROR);
    CHECK(cell_file_replace(in_folder("f"), "x", 1, &e) == CELL_OK);
    CHECK(cell_file_read(in_folder("f/g"), 10, &data, &len, &e) == CELL_NOT_FOUND);
    CHECK(data == NULL);
    remove_tree(folder);
}

TEST(failed_replace_leaves_no_temporary_file)
{
    struct cell_error e = {0};
    REQUIRE(enter_folder());
    REQUIRE(mkdir(in_folder("d"), 0700) == 0);
    CHECK(cell_file_replace(in_folder("d"), "x", 1, &e) == CELL_IO_ERROR);
    CHECK(strstr(e.text, "/d") && strstr(e.text, "directory"));
    CHECK(count_files(folder) == 1);
    CHECK(cell_file_replace(in_folder("none/f"), "x", 1, &e) == CELL_IO_ERROR);
    CHECK(strstr(e.text, "none/f") && strstr(e.text, "No such file"));
    remove_tree(folder);
}

TEST(full_disk_keeps_the_old_content)
{
    struct cell_error e = {0};
    char *data = NULL, big[65536] = {0};
    size_t len;
    REQUIRE(enter_folder());
    REQUIRE(cell_file_replace(in_folder("f"), "old", 3, &e) == CELL_OK);
    /* A limit on file sizes fails in mid-write as a full disk does. */
    struct rlimit saved, small;
    getrlimit(RLIMIT_FSIZE, &saved);
    small = saved;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int r = cell_file_replace(in_folder("f"), big, sizeof(big), &e);
    setrlimit(RLIMIT_FSIZE, &saved);
    signal(SIGXFSZ, handler);
    CHECK(r == CELL_IO_ERROR);
    CHECK(strstr(e.text, "too large"));
    REQUIRE(cell_file_read(in_folder("f"), 100, &data, &len, &e) == CELL_OK);
    CHECK_STR(data, "old");
    free(data);
    CHECK(count_files(folder) == 1);
    remove_tree(folder);
}

TEST(file_with_the_longest_name_is_replaced)
{
    struct cell_error e = {0};
    char name[256];
    REQUIRE(enter_folder());
    memset(name, 'n', 255);
    name[255] = '\0';
    CHECK(cell_file_replace(in_folder(name), "x", 1, &e) == CELL_OK);
    CHECK(count_files(folder) == 1);
    remove_tree(folder);
}

TEST(concurrent_writers_leave_one_whole_content)
{
    enum { WRITERS = 4, ROUNDS = 30, SIZE = 20000 };
    pid_t pids[WRITERS];
    REQUIRE(enter_folder());
    const char *path = in_folder("shared");
    for (int w = 0; w < WRITERS; w++) {
        pids[w] = fork();
        if (pids[w] == 0) {
            char content[SIZE];
            int bad = 0;
            memset(content, 'a' + w, sizeof(content));
            for (int i = 0; i < ROUNDS && !bad; i++) {
                char *data = NULL;
                size_t len = 0;
                bad = cell_file_replace(path, content, sizeof(content), NULL) < 0 ||
                      cell_file_read(path, SIZE, &data, &len, NULL) < 0 || len != SIZE;
                for (size_t k = 1; !bad && k < len; k++)
                    bad = data[k] != data[0];
                free(data);
            }
            _exit(bad);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = -1;
        CHECK(pids[w] > 0 && waitpid(pids[w], &status, 0) == pids[w]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK(count_files(folder) == 1);
    remove_tree(folder);
}

TEST(mkdirs_makes_private_folders_and_accepts_existing_ones)
{
    struct cell_error e = {0};
    struct stat st;
    REQUIRE(enter_folder());
    CHECK(cell_mkdirs(in_folder("a/b//c/"), &e) == CELL_OK);
    CHECK(stat(in_folder("a/b/c"), &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700);
    CHECK(cell_mkdirs(in_folder("a/b/c"), &e) == CELL_OK);
    CHECK(cell_mkdirs("/", &e) == CELL_OK);
    CHECK(cell_mkdirs(".", &e) == CELL_OK);
    CHECK(cell_mkdirs("", &e) == CELL_INVALID_ARGUMENT);
    REQUIRE(cell_file_replace(in_folder("file"), "x", 1, &e) == CELL_OK);
    CHECK(cell_mkdirs(in_folder("file"), &e) == CELL_IO_ERROR);
    CHECK(strstr(e.text, "/file") && strstr(e.text, "Not a directory"));
    CHECK(cell_mkdirs(in_folder("file/x"), &e) == CELL_IO_ERROR);
    CHECK(cell_mkdirs("/proc/self/none", &e) == CELL_IO_ERROR);
    remove_tree(folder);
}

TEST(mkdirs_races_are_won_by_all)
{
    enum { RACERS = 4, ROUNDS = 40 };
    pid_t pids[RACERS];
    REQUIRE(enter_folder());
    for (int w = 0; w < RACERS; w++) {
        pids[w] = fork();
        if (pids[w] == 0) {
            int bad = 0;
            for (int i = 0; i < ROUNDS; i++) {
                char path[200];
                snprintf(path, sizeof(path), "%s/%d/x/y/z", folder, i);
                bad |= cell_mkdirs(path, NULL) < 0;
            }
            _exit(bad);
        }
    }
    for (int w = 0; w < RACERS; w++) {
        int status = -1;
        CHECK(pids[w] > 0 && waitpid(pids[w], &status, 0) == pids[w]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    remove_tree(folder);
}
