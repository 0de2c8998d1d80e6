/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A folder of one test's own, and files in it. Every function fails the running test when it cannot do its work. */
#ifndef CELL_TEST_TEMP_FOLDER_H
#define CELL_TEST_TEMP_FOLDER_H

#include "test.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remove_tree.h"

static char temp_folder[64];

/* Not always needed by all who include this. */
#define TEMP_FOLDER_MAYBE_UNUSED __attribute__((unused))

TEMP_FOLDER_MAYBE_UNUSED static void temp_folder_make(void)
{
    strcpy(temp_folder, "/tmp/cell-test-XXXXXX");
    CHECK(mkdtemp(temp_folder) != NULL);
}

TEMP_FOLDER_MAYBE_UNUSED static void temp_folder_remove(void)
{
    CHECK(chdir("/") == 0);
    remove_tree(temp_folder);
}

/* FOLDER/NAME; valid until the eighth call from now. */
static const char *temp_path(const char *name)
{
    static char paths[8][4096];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", temp_folder, name);
    return path;
}

TEMP_FOLDER_MAYBE_UNUSED static void temp_make_folder(const char *name) { CHECK(mkdir(temp_path(name), 0700) == 0); }

TEMP_FOLDER_MAYBE_UNUSED static void temp_write(const char *name, const char *text)
{
    FILE *f = fopen(temp_path(name), "w");
    CHECK(f != NULL);
    if (!f)
        return;
    CHECK(fputs(text, f) >= 0);
    CHECK(fclose(f) == 0);
}

/* The whole file as text, to be freed; NULL when there is none. */
TEMP_FOLDER_MAYBE_UNUSED static char *temp_read(const char *name)
{
    FILE *f = fopen(temp_path(name), "r");
    char *text = f ? calloc(1, 1 << 20) : NULL;
    if (text)
        CHECK(fread(text, 1, (1 << 20) - 1, f) > 0 || feof(f));
    if (f)
        fclose(f);
    return text;
}

TEMP_FOLDER_MAYBE_UNUSED static bool temp_exists(const char *name)
{
    struct stat st;
    return lstat(temp_path(name), &st) == 0;
}

/* Runs `test` in a child that is not root, with the folder as its own; its failures count here. */
TEMP_FOLDER_MAYBE_UNUSED static void temp_run_as(unsigned uid, void (*test)(void))
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        test_failures = 0;
        if (geteuid() == 0)
            CHECK(chown(temp_folder, uid, uid) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
        test();
        fflush(stdout);
        _exit(test_failures != 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

#define TEMP_NOBODY 65534u

#endif
