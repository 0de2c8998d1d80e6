/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lsp_watch.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "ask/ask_unix.h"
#include "base/util.h"
#include "core/ask.h"

#define MAX_PROJECTS 64
#define MAX_CELLS 256u
#define ASK_MS 1000u  /* for all cells of a project: somebody waits for the news of the others */
#define BUSY_MS 500   /* between two looks while somebody works, so that news are there within a second; and */
#define IDLE_MS 10000 /* when nobody has for */
#define MAX_DOUBTS 8u
#define IDLE_AFTER_NS (60000 * CELL_NS_PER_MS)

/* What was last seen of one cell. */
struct seen {
    char name[CELL_MAX_CELL_NAME + 1];
    char fingerprint[CELL_FINGERPRINT_LEN + 1]; /* of its mirror */
    bool answers;
    char state[CELL_STATE_MAX + 1]; /* of its answers to annotations; "" = not known */
    bool stateless;                 /* it has none */
};

struct project {
    char *dir, *file; /* .cell lies in dir; a file of the project, for finding its configuration */
    int watch;        /* inotify's, negative = none yet */
    struct seen *cells;
    size_t ncells;
    char doubts[MAX_DOUBTS][CELL_MAX_CELL_NAME + 1]; /* under the lock; "" = free */
};

struct lsp_watch {
    int kick, change, notify; /* eventfds, inotify */
    pthread_mutex_t lock;     /* of what follows, but for the inside of projects: those are the thread's */
    struct project projects[MAX_PROJECTS];
    int n;
    bool changed[MAX_PROJECTS];
    uint64_t kicked_ns;
};

static void ring(int fd)
{
    const uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void quiet(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

static size_t add_name(struct seen *cells, size_t n, const char *name, size_t len)
{
    if (n == MAX_CELLS || len > CELL_MAX_CELL_NAME)
        return n;
    cells[n] = (struct seen){.answers = false};
    memcpy(cells[n].name, name, len);
    for (size_t i = 0; i < n; i++)
        if (strcmp(cells[i].name, cells[n].name) == 0)
            return n;
    return n + cell_is_identifier(cells[n].name);
}

/* The cells of cell.json, and those that some compilation has met: they have mirrors. */
static size_t list_cells(const struct project *p, struct seen *cells)
{
    struct cell_config *config = NULL;
    const struct dirent *entry;
    char path[4200];
    size_t n = 0;

    if (cell_config_find(p->file, &config, NULL) < 0 ||
        (size_t)snprintf(path, sizeof(path), "%s/.cell/mirror", p->dir) >= sizeof(path))
        return 0;
    for (uint32_t i = 0; i < config->ncells; i++)
        n = add_name(cells, n, config->cells[i].name, strlen(config->cells[i].name));
    cell_config_free(config);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        size_t len = strlen(entry->d_name);
        if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0)
            n = add_name(cells, n, entry->d_name, len - 5);
    }
    if (folder)
        closedir(folder);
    return n;
}

static struct seen *find_seen(const struct project *p, const char *name)
{
    for (size_t i = 0; i < p->ncells; i++)
        if (strcmp(p->cells[i].name, name) == 0)
            return &p->cells[i];
    return NULL;
}

/* Whether answers to annotations may have changed; a cell without a state was asked for it once. */
static void look_at_state(const struct project *p, struct cell_session *session, struct session_cell *cell,
                          struct seen *now)
{
    const struct seen *before = find_seen(p, now->name);

    now->stateless = before && before->stateless && strcmp(before->fingerprint, cell->fingerprint) == 0;
    if (!now->stateless && cell->status >= 0 && !cell->stale && !cell->lock_path)
        now->stateless = cell_session_state(session, cell, now->state, NULL) == CELL_UNIMPLEMENTED;
}

/* Asks every cell, or with MIRROR looks only at the disk: what is there goes into `cells`. */
static void look(const struct project *p, enum session_mode mode, struct seen *cells, size_t n)
{
    struct cell_session *session = NULL;

    if (cell_session_new(p->file, NULL, mode, &cell_exchange_unix, &session, NULL) < 0)
        return;
    cell_session_hurry(session, ASK_MS);
    for (size_t i = 0; i < n; i++) {
        struct session_cell *cell = NULL;
        int r = cell_session_cell(session, cells[i].name, &cell);
        if (mode == SESSION_MIRROR) {
            if (r >= 0)
                memcpy(cells[i].fingerprint, cell->fingerprint, sizeof(cells[i].fingerprint));
        } else if (cell) {
            cells[i].answers = r >= 0 && !cell->stale;
            look_at_state(p, session, cell, &cells[i]);
        }
    }
    cell_session_free(session);
}

/* True when an open file of the project may show something else now. */
static bool look_at(struct project *p)
{
    struct seen *now = calloc(MAX_CELLS, sizeof(*now)), *disk = calloc(MAX_CELLS, sizeof(*disk));
    bool changed = false;

    if (!now || !disk) {
        free(now);
        free(disk);
        return false;
    }
    size_t n = list_cells(p, now);
    memcpy(disk, now, n * sizeof(*now));
    look(p, SESSION_MIRROR, disk, n);
    look(p, SESSION_PLAN, now, n);
    look(p, SESSION_MIRROR, now, n);
    for (size_t i = 0; i < n; i++) {
        const struct seen *before = find_seen(p, now[i].name);
        /* Of a cell that is new to us, what the disk has said is what open files show, or are about to. */
        const char *shown = before ? before->fingerprint : disk[i].fingerprint;
        changed |= (shown[0] && strcmp(shown, now[i].fingerprint) != 0) ||
                   (before && before->answers != now[i].answers) ||
                   (before && before->state[0] && now[i].state[0] && strcmp(before->state, now[i].state) != 0);
    }
    free(disk);
    free(p->cells);
    p->cells = now;
    p->ncells = n;
    return changed;
}

/* Takes over what open files show; a question that is asked from now on says whether it is still so. */
static void take_doubts(struct project *p)
{
    for (size_t i = 0; i < MAX_DOUBTS; i++) {
        struct seen *seen = p->doubts[i][0] ? find_seen(p, p->doubts[i]) : NULL;
        if (seen)
            seen->answers = false;
        p->doubts[i][0] = '\0';
    }
}

static void watch_mirrors(struct lsp_watch *w, struct project *p)
{
    char path[4200];

    if (p->watch < 0 && (size_t)snprintf(path, sizeof(path), "%s/.cell/mirror", p->dir) < sizeof(path))
        p->watch = inotify_add_watch(w->notify, path, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
}

/* Takes the events; a folder that is gone is watched again when it is back. */
static void take_events(struct lsp_watch *w, int n)
{
    _Alignas(struct inotify_event) char events[4096];
    ssize_t got = read(w->notify, events, sizeof(events));

    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(events + at);
        for (int i = 0; i < n; i++)
            if (w->projects[i].watch == event->wd && (event->mask & IN_IGNORED))
                w->projects[i].watch = -1;
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static void *run(void *argument)
{
    struct lsp_watch *w = argument;

    for (;;) {
        pthread_mutex_lock(&w->lock);
        int n = w->n;
        uint64_t idle_ns = cell_now_ns() - w->kicked_ns;
        pthread_mutex_unlock(&w->lock);
        for (int i = 0; i < n; i++) {
            watch_mirrors(w, &w->projects[i]);
            pthread_mutex_lock(&w->lock);
            take_doubts(&w->projects[i]);
            pthread_mutex_unlock(&w->lock);
            if (!look_at(&w->projects[i]))
                continue;
            pthread_mutex_lock(&w->lock);
            w->changed[i] = true;
            pthread_mutex_unlock(&w->lock);
            ring(w->change);
        }
        struct pollfd fds[] = {{.fd = w->kick, .events = POLLIN}, {.fd = w->notify, .events = POLLIN}};
        poll(fds, 2, n == 0 ? -1 : idle_ns < IDLE_AFTER_NS ? BUSY_MS : IDLE_MS);
        if (fds[0].revents)
            quiet(w->kick);
        if (fds[1].revents)
            take_events(w, n);
    }
    return NULL;
}

int lsp_watch_new(struct lsp_watch **watch, struct cell_error *e)
{
    sigset_t all, before;
    pthread_t thread;
    struct lsp_watch *w = calloc(1, sizeof(*w));

    if (!w)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    pthread_mutex_init(&w->lock, NULL);
    w->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int r = w->kick < 0 || w->change < 0 || w->notify < 0 ? errno : 0;
    sigfillset(&all); /* signals are for the thread that serves the editor */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (r == 0)
        r = pthread_create(&thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        const int fds[] = {w->kick, w->change, w->notify};
        for (int i = 0; i < 3; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        free(w);
        return cell_error_errno(e, CELL_IO_ERROR, r, "schemas cannot be watched");
    }
    pthread_detach(thread);
    *watch = w;
    return CELL_OK;
}

int lsp_watch_fd(const struct lsp_watch *w) { return w->change; }

int lsp_watch_project(struct lsp_watch *w, const char *path)
{
    struct cell_config *config = NULL;
    int found = -1;

    if (cell_config_find(path, &config, NULL) < 0)
        return -1;
    const char *slash = strrchr(path, '/');
    char *dir = config->dir ? strdup(config->dir) : strndup(path, (size_t)(slash - path));
    cell_config_free(config);
    for (int i = 0; dir && i < w->n && found < 0; i++) /* only this thread adds any */
        if (strcmp(w->projects[i].dir, dir) == 0)
            found = i;
    char *file = dir && found < 0 && w->n < MAX_PROJECTS ? strdup(path) : NULL;
    if (!file) {
        free(dir);
        return found;
    }
    pthread_mutex_lock(&w->lock);
    found = w->n++;
    w->projects[found] = (struct project){.dir = dir, .file = file, .watch = -1};
    pthread_mutex_unlock(&w->lock);
    return found;
}

const char *lsp_watch_dir(const struct lsp_watch *w, int project) { return w->projects[project].dir; }

void lsp_watch_kick(struct lsp_watch *w, bool now)
{
    uint64_t time_ns = cell_now_ns();

    pthread_mutex_lock(&w->lock);
    bool idle = time_ns - w->kicked_ns >= IDLE_AFTER_NS;
    w->kicked_ns = time_ns;
    pthread_mutex_unlock(&w->lock);
    if (now || idle)
        ring(w->kick);
}

void lsp_watch_doubt(struct lsp_watch *w, int project, const char *cell)
{
    if (strlen(cell) > CELL_MAX_CELL_NAME)
        return;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < MAX_DOUBTS; i++) {
        char *doubt = w->projects[project].doubts[i];
        if (doubt[0] && strcmp(doubt, cell) != 0)
            continue;
        snprintf(doubt, CELL_MAX_CELL_NAME + 1, "%s", cell);
        break;
    }
    pthread_mutex_unlock(&w->lock);
}

int lsp_watch_take(struct lsp_watch *w)
{
    int taken = -1;

    quiet(w->change);
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < w->n && taken < 0; i++)
        if (w->changed[i])
            taken = i;
    if (taken >= 0)
        w->changed[taken] = false;
    pthread_mutex_unlock(&w->lock);
    return taken;
}
