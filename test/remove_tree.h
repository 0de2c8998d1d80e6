/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Removes what a test leaves on disk. */
#ifndef CELL_TEST_REMOVE_TREE_H
#define CELL_TEST_REMOVE_TREE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A file, a link itself, or a folder with all that is in it. What is not there is no error. */
static inline void remove_tree(const char *path)
{
    struct stat st;
    DIR *d = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char *inner;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (asprintf(&inner, "%s/%s", path, entry->d_name) < 0)
            abort();
        remove_tree(inner);
        free(inner);
    }
    if (d)
        closedir(d);
    remove(path);
}

#endif
