/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From one version of PostgreSQL to another, by dump and restore: it needs nothing of how either stores its data. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster.h"
#include "cluster_files.h"

#define DUMP "upgrade.sql"
#define NEW_STATE "upgrade"
#define CONTROL_SIZE 8192 /* PG_CONTROL_FILE_SIZE in PostgreSQL's pg_control.h */

struct upgrade {
    const struct pg_cluster_options *options;
    struct pg_programs from, to;
    struct pg_account self; /* this user: clients run as it */
    char state[4096];       /* the folder that the new cluster is made in */
    int folder;             /* the state folder */
    bool exchanged;         /* what is in `state` now is the old cluster */
};

static void report(const struct upgrade *u, const char *text)
{
    if (u->options->progress)
        u->options->progress(u->options->user, text);
}

/* Runs a client program of a cluster; *text is the end of what it prints. */
static int run_client(const struct upgrade *u, const char *const *argv, const char *doing, struct pg_failure *f)
{
    const struct pg_spawn s = {argv, &u->self, -1, -1, u->folder, -1, SIGTERM};
    char text[2048];
    int r = pg_spawn_read(&s, text, sizeof(text), f);

    if (r <= 0)
        return r;
    char *line = strstr(text, "error: ");
    line = line ? line : strstr(text, "ERROR:  ");
    line = line ? line : text;
    line[strcspn(line, "\n")] = '\0';
    return pg_fail(f, strstr(text, "No space left") ? CELL_RESOURCE_EXHAUSTED : CELL_INTERNAL, "%s: %s", doing, line);
}

/* The whole database, and nothing of the server itself: the superuser is the same. */
static int dump(const struct upgrade *u, struct pg_failure *f)
{
    const struct pg_cluster_options options = {u->options->state, u->from.bindir, u->options->progress,
                                               u->options->user};
    struct pg_cluster *c = NULL;
    char program[320];
    int r = pg_cluster_start(&options, &c, f);

    if (r < 0)
        return r;
    /* The newer pg_dump knows the older server, and what it writes is for the newer one. */
    const char *const argv[] = {program, "-Fc", "-f", PG_DATA_PATH "/" DUMP, "-d", pg_cluster_conninfo(c), NULL};
    snprintf(program, sizeof(program), "%s/pg_dump", u->to.bindir);
    report(u, "dumping the database");
    r = run_client(u, argv, "pg_dump", f);
    pg_cluster_stop(c);
    return r;
}

static int restore(const struct upgrade *u, struct pg_failure *f)
{
    const struct pg_cluster_options options = {u->state, u->to.bindir, u->options->progress, u->options->user};
    struct pg_cluster *c = NULL;
    char program[320];
    int r = pg_cluster_start(&options, &c, f);

    if (r < 0)
        return r;
    const char *const argv[] = {
        program, "--exit-on-error", "--single-transaction", "-d", pg_cluster_conninfo(c), PG_DATA_PATH "/" DUMP, NULL};
    snprintf(program, sizeof(program), "%s/pg_restore", u->to.bindir);
    report(u, "restoring it");
    r = run_client(u, argv, "pg_restore", f);
    pg_cluster_stop(c);
    return r;
}

/* What PostgreSQL notes whenever it starts or stops on the cluster. */
static void read_control(const struct upgrade *u, char control[CONTROL_SIZE])
{
    int fd = openat(u->folder, "data/global/pg_control", O_RDONLY | O_CLOEXEC);

    memset(control, 0, CONTROL_SIZE);
    if (fd >= 0 && read(fd, control, CONTROL_SIZE) < 0)
        memset(control, 0, CONTROL_SIZE);
    if (fd >= 0)
        close(fd);
}

/* The old cluster gets the name that says what it is. A folder is not put in the place of one that has something in it.
 */
static int keep_old(const struct upgrade *u, const char *name, int major, struct pg_failure *f)
{
    char kept[32];

    snprintf(kept, sizeof(kept), "data.%d", major);
    if (renameat(u->folder, name, u->folder, kept) < 0 || fsync(u->folder) < 0)
        return pg_fail(f, CELL_IO_ERROR, "%s/%s cannot be kept as %s: %s", u->options->state, name, kept,
                       strerror(errno));
    return CELL_OK;
}

/* There is a whole cluster called data at any time; where the file system cannot exchange two names there is a moment
 * without, and pg_state_version refuses to take that for an empty folder. After a kill behind the exchange,
 * finish_swap does what is left. */
static int swap(struct upgrade *u, struct pg_failure *f)
{
    u->exchanged = renameat2(u->folder, NEW_STATE "/data", u->folder, "data", RENAME_EXCHANGE) == 0;
    if (u->exchanged)
        return keep_old(u, NEW_STATE "/data", u->from.major, f);
    bool done = false;
    if (errno == EINVAL || errno == ENOSYS) {
        int r = keep_old(u, "data", u->from.major, f);
        if (r < 0)
            return r;
        done = renameat(u->folder, NEW_STATE "/data", u->folder, "data") == 0 && fsync(u->folder) == 0;
    }
    return done ? CELL_OK
                : pg_fail(f, CELL_IO_ERROR, "%s: the clusters cannot be exchanged: %s", u->options->state,
                          strerror(errno));
}

/* An upgrade was killed when the new cluster had its name already, and the old one had not. */
static int finish_swap(const struct upgrade *u, const struct pg_state *s, struct pg_failure *f)
{
    struct pg_failure ignored;
    int now = pg_state_version(s, &ignored), other = pg_state_version_of(s, NEW_STATE "/data", &ignored);

    return now > 0 && other > 0 && other < now ? keep_old(u, NEW_STATE "/data", other, f) : CELL_OK;
}

/* Under the lock, unless somebody has had it meanwhile. */
static int exchange(struct upgrade *u, const char control[CONTROL_SIZE], struct pg_failure *f)
{
    char now[CONTROL_SIZE];
    struct pg_state s;
    int r = pg_state_open(u->options->state, &s, f);

    if (r < 0)
        return r;
    read_control(u, now);
    if (memcmp(now, control, CONTROL_SIZE) != 0)
        r = pg_fail(f, CELL_FAILED_PRECONDITION,
                    "%s was used by a cell while its dump was restored, and has changed perhaps: upgrade again",
                    s.path);
    if (r >= 0)
        r = swap(u, f);
    if (r >= 0 || !u->exchanged)
        pg_state_remove(&s, NEW_STATE);
    pg_state_close(&s);
    return r;
}

static int find_versions(struct upgrade *u, const struct pg_state *s, struct pg_failure *f)
{
    int major = pg_state_version(s, f);

    if (major == 0)
        return pg_fail(f, CELL_FAILED_PRECONDITION, "there is no cluster in %s", s->path);
    if (major < 0)
        return major;
    int r = pg_programs_find(NULL, major, &s->account, &u->from, f);
    if (r >= 0)
        r = pg_programs_find(u->options->bindir, 0, &s->account, &u->to, f);
    if (r >= 0 && u->to.major <= major)
        r = pg_fail(f, CELL_FAILED_PRECONDITION,
                    "the cluster is of PostgreSQL %d, and the newest that is installed is %d", major, u->to.major);
    return r;
}

int pg_cluster_upgrade(const struct pg_cluster_options *options, struct pg_failure *f)
{
    struct upgrade u = {.options = options, .folder = -1};
    struct pg_state s;
    char text[128], kept[32], control[CONTROL_SIZE];
    struct stat st;
    int r = pg_state_open(options->state, &s, f);

    if (r < 0)
        return r;
    snprintf(u.state, sizeof(u.state), "%s/" NEW_STATE, s.path);
    u.folder = fcntl(s.folder, F_DUPFD_CLOEXEC, 16);
    u.self = (struct pg_account){.uid = geteuid(), .gid = getegid()};
    r = u.folder < 0 ? pg_fail(f, CELL_RESOURCE_EXHAUSTED, "%s", strerror(errno)) : finish_swap(&u, &s, f);
    if (r >= 0)
        r = find_versions(&u, &s, f);
    snprintf(kept, sizeof(kept), "data.%d", u.from.major);
    if (r >= 0 && fstatat(u.folder, kept, &st, AT_SYMLINK_NOFOLLOW) == 0)
        r = pg_fail(f, CELL_FAILED_PRECONDITION, "%s/%s is there already; move it away", s.path, kept);
    if (r >= 0) {
        snprintf(text, sizeof(text), "from PostgreSQL %d to %d", u.from.major, u.to.major);
        report(&u, text);
        pg_state_remove(&s, NEW_STATE);
    }
    /* The server that is dumped locks the folder itself. */
    pg_state_close(&s);
    if (r >= 0)
        r = dump(&u, f);
    read_control(&u, control);
    if (r >= 0)
        r = restore(&u, f);
    if (r >= 0)
        r = exchange(&u, control, f);
    if (u.folder >= 0) {
        unlinkat(u.folder, DUMP, 0);
        close(u.folder);
    }
    if (r >= 0)
        report(&u, "done; the old cluster is kept beside the new one");
    return r;
}
