/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "programs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The major version of the initdb in a folder; 0 when there is none that runs. */
static int major_of(const char *bindir, const struct pg_account *account)
{
    char initdb[320], postgres[320], text[256];
    const char *argv[] = {initdb, "-V", NULL};
    const struct pg_spawn s = {argv, account, -1, -1, -1, -1, SIGKILL};

    snprintf(initdb, sizeof(initdb), "%s/initdb", bindir);
    snprintf(postgres, sizeof(postgres), "%s/postgres", bindir);
    if (access(initdb, X_OK) < 0 || access(postgres, X_OK) < 0 || pg_spawn_read(&s, text, sizeof(text), NULL) != 0)
        return 0;
    const char *at = strstr(text, "(PostgreSQL) ");
    return at ? atoi(at + strlen("(PostgreSQL) ")) : 0;
}

struct search {
    const struct pg_account *account;
    int wanted;
    struct pg_programs best;
    char seen[64]; /* "15, 14" */
};

static void consider(struct search *s, const char *bindir)
{
    size_t n = strlen(s->seen);
    int major;

    if (strlen(bindir) >= sizeof(s->best.bindir) || (major = major_of(bindir, s->account)) == 0)
        return;
    if (n + 8 < sizeof(s->seen))
        snprintf(s->seen + n, sizeof(s->seen) - n, "%s%d", n ? ", " : "", major);
    if (s->wanted ? major != s->wanted : major < PG_MAJOR_OLDEST || major > PG_MAJOR_NEWEST || major <= s->best.major)
        return;
    snprintf(s->best.bindir, sizeof(s->best.bindir), "%s", bindir);
    s->best.major = major;
}

/* Where packages put them, newest first. */
static void search_packages(struct search *s)
{
    static const char *const places[] = {"/usr/lib/postgresql/%d/bin", "/usr/pgsql-%d/bin",
                                         "/usr/libexec/postgresql%d"};
    char path[128];

    for (int major = PG_MAJOR_NEWEST; major >= PG_MAJOR_OLDEST && !s->best.major; major--)
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !s->best.major; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(path, sizeof(path), places[i], major);
#pragma GCC diagnostic pop
            if (access(path, X_OK) == 0)
                consider(s, path);
        }
}

/* This cell is called postgres too, so it is initdb that is looked for. */
static void search_path(struct search *s)
{
    const char *path = getenv("PATH");
    char *copy = path ? strdup(path) : NULL, *rest = copy, initdb[512];

    for (const char *folder; copy && !s->best.major && (folder = strsep(&rest, ":"));) {
        snprintf(initdb, sizeof(initdb), "%s/initdb", folder);
        char *real = folder[0] == '/' ? realpath(initdb, NULL) : NULL;
        char *slash = real ? strrchr(real, '/') : NULL;
        if (slash) {
            *slash = '\0';
            consider(s, real);
        }
        free(real);
    }
    free(copy);
}

int pg_programs_find(const char *bindir, int major, const struct pg_account *account, struct pg_programs *programs,
                     struct pg_failure *f)
{
    struct search s = {.account = account, .wanted = major};

    char *named = bindir ? realpath(bindir, NULL) : NULL;
    if (named) {
        consider(&s, named);
        free(named);
    } else if (!bindir) {
        search_packages(&s);
        if (!s.best.major)
            consider(&s, "/usr/local/pgsql/bin");
        if (!s.best.major)
            search_path(&s);
    }
    if (s.best.major) {
        *programs = s.best;
        return CELL_OK;
    }
    if (major)
        return pg_fail(f, CELL_FAILED_PRECONDITION,
                       "the cluster was made by PostgreSQL %d, whose programs are not %s%s (%s%s); install "
                       "postgresql-%d, or restore a dump into a new state folder",
                       major, bindir ? "in " : "installed", bindir ? bindir : "", s.seen[0] ? "found: " : "found none",
                       s.seen, major);
    return pg_fail(
        f, CELL_FAILED_PRECONDITION,
        "PostgreSQL's server programs, of version %d to %d, are not %s%s%s%s; install the package postgresql",
        PG_MAJOR_OLDEST, PG_MAJOR_NEWEST, bindir ? "in " : "installed", bindir ? bindir : "",
        s.seen[0] ? "; found: " : "", s.seen);
}
