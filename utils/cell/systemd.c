/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell systemd`: a socket unit and a service unit for each cell. The socket is opened by the manager and handed over
 * (LISTEN_FDS), so that callers wait instead of failing while a cell starts. The sandbox leaves a cell its own project
 * folder and its sockets, and nothing else to write to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor.h"

struct units {
    struct cli *cli;
    const struct cell_config *config;
    bool system;
    uid_t uid; /* of the owner of cell.json, as whom --system units run */
    gid_t gid;
    const char *output;
    struct cli_json json;
};

/* A word in quotes: specifiers must not be expanded, quotes and spaces must survive. Where variables are expanded, in
 * command lines, a dollar is doubled. */
static void quoted(struct cell_buffer *b, const char *word, bool variables)
{
    cell_buffer_puts(b, "\"");
    for (const char *p = word; *p; p++) {
        if (*p == '"' || *p == '\\')
            cell_buffer_printf(b, "\\%c", *p);
        else if (*p == '%' || (*p == '$' && variables))
            cell_buffer_printf(b, "%c%c", *p, *p);
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            cell_buffer_printf(b, "\\x%02x", (unsigned char)*p);
        else
            cell_buffer_append(b, p, 1);
    }
    cell_buffer_puts(b, "\"");
}

static void environment(struct cell_buffer *b, const char *name, const char *value)
{
    struct cell_buffer pair = {0};

    cell_buffer_printf(&pair, "%s%s%s", name, name[0] ? "=" : "", value);
    cell_buffer_puts(b, "Environment=");
    if (cell_buffer_ok(&pair))
        quoted(b, pair.data, false);
    else
        b->failed = true;
    cell_buffer_puts(b, "\n");
    cell_buffer_free(&pair);
}

/* A path that is the whole value of a setting: only '%' is special there. */
static void plain_path(struct cell_buffer *b, const char *path)
{
    for (const char *p = path; *p; p++)
        cell_buffer_append(b, *p == '%' ? "%%" : p, *p == '%' ? 2 : 1);
}

static void socket_unit(const struct units *u, const struct config_cell *cell, struct cell_buffer *b)
{
    cell_buffer_printf(
        b, "# Written by `cell systemd`.\n[Unit]\nDescription=Socket of the %s cell\n\n[Socket]\nListenStream=",
        cell->name);
    plain_path(b, cell->address + 5);
    cell_buffer_puts(b, "\nSocketMode=0600\nDirectoryMode=0700\nRemoveOnStop=yes\n");
    if (u->system)
        cell_buffer_printf(b, "SocketUser=%u\nSocketGroup=%u\n", (unsigned)u->uid, (unsigned)u->gid);
    cell_buffer_printf(b, "Service=cell-%s.service\n\n[Install]\nWantedBy=sockets.target\n", cell->name);
}

static void sandbox(const struct units *u, struct cell_buffer *b)
{
    cell_buffer_puts(b, "NoNewPrivileges=yes\nRestrictSUIDSGID=yes\nLockPersonality=yes\nRestrictRealtime=yes\n"
                        "RestrictNamespaces=yes\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n"
                        "SystemCallArchitectures=native\nSystemCallFilter=@system-service\nUMask=0077\n");
    /* What follows needs a manager with privileges, or user namespaces that not every host allows. */
    if (!u->system)
        return;
    cell_buffer_puts(b, "ProtectSystem=strict\nPrivateDevices=yes\nProtectKernelTunables=yes\n"
                        "ProtectKernelModules=yes\nProtectControlGroups=yes\nProtectClock=yes\nProtectHostname=yes\n"
                        "CapabilityBoundingSet=");
    /* What belongs to root may have a server that does not run as root, and hand it its files. */
    cell_buffer_puts(b, u->uid == 0 ? "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID\n" : "\n");
    if (strncmp(u->config->dir, "/tmp/", 5) != 0 && strncmp(u->config->dir, "/var/tmp/", 9) != 0)
        cell_buffer_puts(b, "PrivateTmp=yes\n");
    cell_buffer_puts(b, "ReadWritePaths=");
    quoted(b, u->config->dir, false);
    cell_buffer_puts(b, " ");
    quoted(b, u->config->run_dir, false);
    cell_buffer_puts(b, "\n");
}

/* One text for each needed cell that has a unit; what has no command is started otherwise. */
static void needs(const struct units *u, const struct config_cell *cell, const char *format, struct cell_buffer *b)
{
    const char *rest = strstr(format, "%s") + 2;

    for (const char *const *need = cell->needs; *need; need++) {
        const struct config_cell *other = cell_config_cell(u->config, *need);

        if (other && other->command) {
            cell_buffer_append(b, format, (size_t)(rest - 2 - format));
            cell_buffer_puts(b, *need);
            cell_buffer_puts(b, rest);
        }
    }
}

static void service_unit(const struct units *u, const struct config_cell *cell, const char *program,
                         struct cell_buffer *b)
{
    cell_buffer_printf(
        b,
        "# Written by `cell systemd`.\n[Unit]\nDescription=The %s cell\nRequires=cell-%s.socket\nAfter=cell-%s.socket",
        cell->name, cell->name, cell->name);
    needs(u, cell, " cell-%s.service", b);
    cell_buffer_puts(b, "\n");
    needs(u, cell, "Wants=cell-%s.service\n", b);
    cell_buffer_puts(b, "StartLimitIntervalSec=60\nStartLimitBurst=10\n\n[Service]\nType=notify\nNotifyAccess=main\n"
                        "WatchdogSec=30\nRestart=on-failure\nRestartSec=1\nTimeoutStopSec=20\nWorkingDirectory=");
    plain_path(b, u->config->dir);
    cell_buffer_puts(b, "\nExecStart=");
    quoted(b, program, true);
    for (const char *const *arg = cell->command + 1; *arg; arg++) {
        cell_buffer_puts(b, " ");
        quoted(b, *arg, true);
    }
    cell_buffer_puts(b, "\n");
    environment(b, "CELL_CONFIG", u->config->path);
    environment(b, "CELL_RUN_DIR", u->config->run_dir);
    for (const char *const *env = cell->env; env && *env; env++)
        environment(b, "", *env);
    /* The project's owner, not the administrator who installs the unit. */
    if (u->system)
        cell_buffer_printf(b, "User=%u\nGroup=%u\n", (unsigned)u->uid, (unsigned)u->gid);
    sandbox(u, b);
    cell_buffer_printf(b, "\n[Install]\nWantedBy=%s\n", u->system ? "multi-user.target" : "default.target");
}

static int write_unit(struct units *u, const char *name, const char *suffix, const struct cell_buffer *text,
                      mode_t mode)
{
    struct cell_buffer path = {0};
    struct cell_error e = {0};
    int r = CLI_OK;

    cell_buffer_printf(&path, "%s/cell-%s.%s", u->output, name, suffix);
    if (!cell_buffer_ok(&path) || !cell_buffer_ok(text))
        r = cli_error(u->cli, CLI_FAILED, NULL, "out of memory");
    else if (cell_file_replace(path.data, text->data, text->len, &e) < 0)
        r = cli_error(u->cli, CLI_FAILED, "choose a folder with --output", "%s", e.text);
    else if (chmod(path.data, mode) < 0)
        r = cli_error(u->cli, CLI_FAILED, NULL, "cannot set the mode of %s: %s", path.data, strerror(errno));
    if (r == CLI_OK) {
        cli_say(u->cli, "wrote %s", path.data);
        out_str(&u->json, NULL, path.data);
    }
    cell_buffer_free(&path);
    return r;
}

static int write_cell(struct units *u, const struct config_cell *cell)
{
    struct cell_buffer socket = {0}, service = {0};
    struct cell_error e = {0};
    char *program = NULL;
    int r;

    if (!cell->command)
        return cli_error(u->cli, CLI_FAILED, NULL, "%s: cell '%s' has no command to run", u->config->path, cell->name);
    if (strncmp(cell->address, "unix:/", 6) != 0)
        return cli_error(u->cli, CLI_FAILED, NULL, "cell '%s' does not listen on a unix socket", cell->name);
    if (order_find_program(cell->command[0], &program, &e) < 0)
        return cli_error(u->cli, CLI_FAILED, "build or install it first", "cell '%s': %s", cell->name, e.text);
    /* As it was found: a link's name can matter to the program. Only "beside cell/../libexec" is not a name for a unit.
     */
    char *real = strstr(program, "/../") ? realpath(program, NULL) : NULL;
    socket_unit(u, cell, &socket);
    service_unit(u, cell, real ? real : program, &service);
    r = write_unit(u, cell->name, "socket", &socket, 0644);
    if (r == CLI_OK) /* "env" may hold what is nobody else's business */
        r = write_unit(u, cell->name, "service", &service, cell->env && cell->env[0] ? 0600 : 0644);
    cell_buffer_free(&socket);
    cell_buffer_free(&service);
    free(real);
    free(program);
    return r;
}

/* The folder of the manager's own units. NULL after reporting; the caller frees. */
static char *default_output(struct units *u)
{
    struct cell_buffer b = {0};
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (u->system)
        cell_buffer_puts(&b, "/etc/systemd/system");
    else if (config && config[0] == '/')
        cell_buffer_printf(&b, "%s/systemd/user", config);
    else if (home && home[0] == '/')
        cell_buffer_printf(&b, "%s/.config/systemd/user", home);
    else
        cli_error(u->cli, CLI_FAILED, "choose a folder with --output", "HOME is not set");
    return b.data;
}

static bool is_named(const struct config_cell *cell, char **names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], cell->name) == 0)
            return true;
    return false;
}

static int write_all(struct units *u, char **names, int n)
{
    struct cell_error e = {0};
    uint32_t *order = NULL;
    size_t count = 0;
    int r = CLI_OK;

    if (cell_mkdirs(u->output, &e) < 0)
        return cli_error(u->cli, CLI_FAILED, "choose a folder with --output", "%s", e.text);
    if (order_cells(u->config, names, (size_t)n, &order, &count, &e) < 0)
        return cli_error(u->cli, CLI_FAILED, NULL, "%s", e.text);
    out_begin(&u->json, NULL, '{');
    out_begin(&u->json, "files", '[');
    for (size_t i = 0; r == CLI_OK && i < count; i++)
        if (u->config->cells[order[i]].command || is_named(&u->config->cells[order[i]], names, n))
            r = write_cell(u, &u->config->cells[order[i]]);
    out_end(&u->json, ']');
    out_end(&u->json, '}');
    if (r == CLI_OK && count > 0)
        cli_say(u->cli, "next: systemctl %sdaemon-reload && systemctl %senable --now cell-%s.socket",
                u->system ? "" : "--user ", u->system ? "" : "--user ", u->config->cells[order[count - 1]].name);
    free(order);
    return r;
}

int cmd_systemd(struct cli *cli, int argc, char **argv)
{
    bool user = false;
    struct units u = {.cli = cli};
    const struct cli_option options[] = {
        {.name = "user", .flag = &user}, {.name = "system", .flag = &u.system}, {.name = "output", .value = &u.output}};
    struct cli_args args;
    struct stat owner;
    char *folder = NULL;
    int r = cli_parse(cli, argc, argv, options, 3, &args);

    if (r != 0)
        return r;
    if (user && u.system)
        return cli_error(cli, CLI_USAGE, NULL, "--user and --system exclude each other");
    if (!(u.config = cli_config(cli, true)))
        return CLI_FAILED;
    if (stat(u.config->path, &owner) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "cannot look at %s: %s", u.config->path, strerror(errno));
    u.uid = owner.st_uid;
    u.gid = owner.st_gid;
    for (int i = 0; i < args.n; i++)
        if (!cli_config_cell(cli, args.items[i]))
            return CLI_FAILED;
    if (!u.output && !(u.output = folder = default_output(&u)))
        return CLI_FAILED;
    r = write_all(&u, args.items, args.n);
    if (r == CLI_OK && cli->json)
        r = out_print(cli, &u.json);
    else
        cell_buffer_free(&u.json.b);
    free(folder);
    return r;
}
