/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which cells to start, in which order, and from which files. Pure but for looking at files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor.h"

struct ordering {
    const struct cell_config *config;
    unsigned char *seen;
    uint32_t *order;
    size_t n;
};

/* Depth-first. The config holds no circle and no unknown name: its parser refuses them. */
static void visit(struct ordering *p, const struct config_cell *cell)
{
    uint32_t i = (uint32_t)(cell - p->config->cells);

    if (p->seen[i])
        return;
    p->seen[i] = 1;
    for (const char *const *need = cell->needs; *need; need++)
        visit(p, cell_config_cell(p->config, *need));
    p->order[p->n++] = i;
}

int order_cells(const struct cell_config *config, char *const *names, size_t n, uint32_t **order, size_t *count,
                struct cell_error *e)
{
    struct ordering p = {
        .config = config, .seen = calloc(config->ncells + 1, 1), .order = calloc(config->ncells + 1, sizeof(*p.order))};
    int r = p.seen && p.order ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    for (size_t i = 0; r >= 0 && i < n; i++) {
        const struct config_cell *cell = cell_config_cell(config, names[i]);

        if (cell)
            visit(&p, cell);
        else
            r = cell_error_set(e, CELL_NOT_FOUND, "%s has no cell '%s'", config->path, names[i]);
    }
    for (uint32_t i = 0; r >= 0 && n == 0 && i < config->ncells; i++)
        if (config->cells[i].command)
            visit(&p, &config->cells[i]);
    free(p.seen);
    if (r < 0) {
        free(p.order);
        return r;
    }
    *order = p.order;
    *count = p.n;
    return CELL_OK;
}

int order_check_config(const char *path, struct cell_error *e)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot look at %s", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "%s belongs to another user (uid %u); it names programs to run", path,
                              (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "%s can be written by %s; it names programs to run. Run `chmod go-w %s`", path,
                              st.st_mode & S_IWOTH ? "everybody" : "its group", path);
    return CELL_OK;
}

static char *join(const char *a, const char *b, const char *c)
{
    struct cell_buffer out = {0};

    cell_buffer_printf(&out, "%s%s%s", a, b, c);
    if (cell_buffer_ok(&out))
        return out.data;
    cell_buffer_free(&out);
    return NULL;
}

static bool executable(const char *path)
{
    struct stat st;

    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static char *search_path(const char *name)
{
    const char *at = getenv("PATH");

    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at;) {
        size_t len = strcspn(at, ":");
        char folder[4096];

        /* An empty or relative entry would make the program depend on where `cell up` was typed. */
        if (len < sizeof(folder) && at[0] == '/') {
            memcpy(folder, at, len);
            folder[len] = '\0';
            char *path = join(folder, "/", name);
            if (executable(path))
                return path;
            free(path);
        }
        at += len;
        at += *at == ':';
    }
    return NULL;
}

int order_find_program(const char *name, char **path, struct cell_error *e)
{
    char *found = NULL;

    if (strchr(name, '/')) {
        found = join(name, "", "");
        if (executable(found)) {
            *path = found;
            return CELL_OK;
        }
        free(found);
        return cell_error_set(e, CELL_NOT_FOUND, "there is no program %s", name);
    }
    found = join(cli_program_dir(), "/", name);
    if (!executable(found)) {
        free(found);
        found = join(cli_program_dir(), "/../libexec/cell/", name);
    }
    if (!executable(found)) {
        free(found);
        found = search_path(name);
    }
    if (!found)
        return cell_error_set(e, CELL_NOT_FOUND, "there is no program '%s' in %s, ../libexec/cell beside it, or PATH",
                              name, cli_program_dir());
    *path = found;
    return CELL_OK;
}

char *order_log_dir(const char *run_dir)
{
    size_t len = strlen(run_dir);

    while (len > 1 && run_dir[len - 1] == '/')
        len--;
    if (len > 4 && memcmp(run_dir + len - 4, "/run", 4) == 0) {
        struct cell_buffer out = {0};

        cell_buffer_printf(&out, "%.*s/log", (int)(len - 4), run_dir);
        return cell_buffer_ok(&out) ? out.data : NULL;
    }
    return join(run_dir, "/log", "");
}
