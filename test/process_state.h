/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What this process has open, for tests of what is left behind. */
#ifndef CELL_TEST_PROCESS_STATE_H
#define CELL_TEST_PROCESS_STATE_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Descriptors, and a few that looking takes: for comparisons only. */
static inline unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* How often shared memory of connections is mapped. */
static inline unsigned shared_mappings(void)
{
    char line[4096];
    unsigned n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof(line), f))
        n += strstr(line, "memfd:cell") != NULL;
    if (f)
        fclose(f);
    return n;
}

#endif
