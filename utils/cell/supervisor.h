/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The supervisor of `cell up`: one process a run_dir, one thread, one poll loop, nothing in it blocks.
 *
 *   RUN_DIR/cell-up.lock   held with flock while it lives; holds its pid for people. The lock, not the pid, says that
 *                          it lives: the kernel drops it with the process, so that nothing stale can mislead.
 *   RUN_DIR/cell-up.sock   where the CLI talks to it, mode 0600, same user or root only (SO_PEERCRED)
 *
 * Lines of fields separated by tabs, in both directions. The client sends one request:
 *   up TIMEOUT_MS CONFIG CELL…      starts them and what they need; hanging up before the end takes it back, and so
 * does a line "cancel", whose outcome is told down TIMEOUT_MS CELL…           stops them and what needs them; none
 * named = all status and gets "hello PROTOCOL VERSION CONFIG GUARD-PID", any number of events "WORD CELL …" and last
 * "end EXIT BYE TEXT"; BYE is 1 when the supervisor ends, whose sign is the end of the connection.
 */
#ifndef CELL_CLI_SUPERVISOR_H
#define CELL_CLI_SUPERVISOR_H

#include <signal.h>
#include <sys/types.h>

#include "cli.h"
#include "transport/transport.h"

#define CONTROL_PROTOCOL "1"
#define CONTROL_LOCK "cell-up.lock"
#define CONTROL_SOCKET "cell-up.sock"
#define CONTROL_MAX_LINE 16384u
#define CONTROL_MAX_FIELDS 512u

#define SUP_BACKOFF_MIN_MS 100u
#define SUP_BACKOFF_MAX_MS 30000u
#define SUP_HEALTHY_MS 10000u /* after that long the back-off begins anew */

/* ---- order.c: which cells, in which order; shared by CLI and supervisor ---- */

/* Indices into config->cells: the named cells (all with a command when n is 0) and everything they need, needed ones
 * first. *order is the caller's to free. CELL_NOT_FOUND names an unknown cell. */
int order_cells(const struct cell_config *config, char *const *names, size_t n, uint32_t **order, size_t *count,
                struct cell_error *e);
/* Refuses a cell.json that somebody else could have written: it names programs to run. */
int order_check_config(const char *path, struct cell_error *e);
/* The absolute path of a cell's program: beside `cell`, ../libexec/cell, PATH; CELL_NOT_FOUND. Caller frees. */
int order_find_program(const char *name, char **path, struct cell_error *e);
/* Folder of the cells' logs: beside run_dir when that is called "run", else inside it. Caller frees; NULL = memory. */
char *order_log_dir(const char *run_dir);

/* ---- sup_probe.c: is there a serving cell at this address? Never blocks. ---- */

enum probe_result {
    PROBE_PENDING,
    PROBE_ABSENT,  /* nobody listens there */
    PROBE_UNREADY, /* somebody does, but does not serve (yet) */
    PROBE_SERVING
};
struct probe {
    struct cell_conn *conn; /* NULL = none running */
    int fd;                 /* its descriptor, for poll; -1 */
    bool welcomed;
    pid_t pid; /* of the peer */
    uint64_t deadline_ns;
    char text[200]; /* why not */
};
enum probe_result probe_start(struct probe *p, const char *address, const char *cell, bool any_owner);
enum probe_result probe_step(struct probe *p); /* call when fd is readable or the deadline passed */
void probe_stop(struct probe *p);

/* ---- sup_log.c ---- */

struct sup_log {
    char *path;
    int fd;
    uint64_t size;
    bool echo; /* foreground: lines also go to stdout as "NAME | …" */
    const char *name;
    char line[1024]; /* the unfinished line of echo */
    size_t line_len;
    char tail[4096]; /* the last bytes of this run */
    size_t tail_len;
};
int log_open(struct sup_log *l, const char *dir, const char *name, bool echo, struct cell_error *e);
void log_write(struct sup_log *l, const char *bytes, size_t len);
/* A line of the supervisor's own, with the time. */
void log_note(struct sup_log *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_forget_tail(struct sup_log *l);
void log_close(struct sup_log *l);

/* ---- the supervisor's state ---- */

enum sup_state { SUP_STOPPED, SUP_CHECKING, SUP_STARTING, SUP_RUNNING, SUP_BACKOFF, SUP_STOPPING };

struct sup_cell {
    char *name, *address;
    char **command, **needs, **env; /* copies: the config may be read again while the cell runs */
    char *dir;
    bool any_owner;
    enum sup_state state;
    bool serving_elsewhere; /* somebody else serves there: ready, but not ours */
    bool restarting;        /* this start is a restart: its failure leads to the next, not to STOPPED */
    bool failed;            /* the last start came to nothing; `why` says how */
    bool killed;            /* was killed because it did not stop in time */
    pid_t pid;              /* 0 = no process */
    unsigned run;           /* counts its processes */
    pid_t other_pid;
    int out; /* read end of its stdout and stderr, -1 */
    unsigned restarts, failures;
    uint64_t started_ns, ready_ns, deadline_ns, next_ns; /* next_ns: when to probe or to restart */
    uint32_t start_ms;                                   /* how long it may take until it serves */
    unsigned probes;
    struct probe probe;
    struct sup_log log;
    char why[256];
};

struct sup_client {
    int fd; /* -1 = the foreground's own request */
    struct cell_buffer in, out;
    size_t sent;
    char *waiting; /* a request line whose turn has not come */
    bool closing;  /* close when everything is sent */
    bool eof;      /* the client will not read on */
};

enum sup_kind { REQUEST_NONE, REQUEST_UP, REQUEST_DOWN };
enum sup_item_state { ITEM_WAITING, ITEM_BEGUN, ITEM_DONE };
struct sup_item {
    struct sup_cell *cell;
    enum sup_item_state state;
    bool ours; /* this request started it, so that a failure takes it back */
    uint64_t since_ns;
};
/* The one running request that changes something. Others wait, but `down` ends an `up`. */
struct sup_request {
    enum sup_kind kind;
    struct sup_client *client; /* NULL when it has gone */
    struct sup_item *items;
    size_t n;
    uint32_t timeout_ms;
    bool undoing; /* an up that failed: its items are being stopped */
    int exit;     /* its result then */
    char text[512];
};

struct supervisor {
    struct cli *cli;
    const char *config_path, *run_dir;
    char *log_dir;
    int lock_fd, signal_fd;
    struct cell_listener *listener;
    pid_t self;
    bool foreground;
    bool stopping; /* a signal ended it: everything is being stopped */
    bool served;   /* had a request: may end when nothing is left to do */
    uint64_t opened_ns, signalled_ns;
    struct sup_cell **cells;
    size_t ncells;
    struct sup_client **clients;
    size_t nclients;
    struct sup_request request;
    void (*local)(void *user, char **fields, size_t n); /* events of the foreground's own request */
    void *local_user;
    struct sup_client local_client; /* the one that these are for */
    int local_exit;
};

/* ---- sup_cell.c: one cell's life ---- */
struct sup_cell *sup_cell_get(struct supervisor *s, const struct config_cell *definition, const char *dir,
                              bool any_owner, struct cell_error *e);
struct sup_cell *sup_cell_find(struct supervisor *s, const char *name);
void sup_cell_begin(struct supervisor *s, struct sup_cell *c, uint32_t timeout_ms);
void sup_cell_stop(struct supervisor *s, struct sup_cell *c, uint32_t timeout_ms);
void sup_cell_exited(struct supervisor *s, struct sup_cell *c, int status);
void sup_cell_output(struct sup_cell *c);
/* Timers and probes that are due; `probe_ready` when the probe's descriptor is readable. */
void sup_cell_tick(struct supervisor *s, struct sup_cell *c, uint64_t now_ns, bool probe_ready);
uint64_t sup_cell_next_ns(const struct sup_cell *c); /* CELL_NO_DEADLINE = nothing to wait for */
void sup_cell_free(struct sup_cell *c);
const char *sup_state_name(const struct sup_cell *c);

/* ---- sup_spawn.c ---- */
/* Starts the cell's program: its own process group, no input, output to c->out, dies with the supervisor. */
int sup_spawn(struct supervisor *s, struct sup_cell *c, struct cell_error *e);

/* ---- sup_orphans.c ---- */

/* Ends every child of this process, and theirs, which become ours when their parents go; first politely. */
void sup_end_children(void);
/* Kills what earlier runs of cells have left. */
void sup_end_leftovers(struct supervisor *s);
/* "SUPERVISOR-PID:CELL:RUN", the value of CELL_UP in the environment of a cell and of all that it starts. */
#define SUP_MARKER_SIZE (CELL_MAX_CELL_NAME + 48)
void sup_marker(const struct supervisor *s, const struct sup_cell *c, char marker[SUP_MARKER_SIZE]);
/*
 * Forks: the child returns and becomes the supervisor, the parent stays as its guard, does not return, and exits as the
 * child does. When a supervisor is killed, its cells die with it (PDEATHSIG); what those had started comes to the
 * guard, which ends it.
 */
void supervisor_guard(bool foreground);

/* ---- sup_request.c ---- */
/* Reads one request line of a client; answers at once or makes it the running request. */
void sup_request_line(struct supervisor *s, struct sup_client *client, char *line);
void sup_request_step(struct supervisor *s); /* goes on with the running request as far as possible */
void sup_request_gone(struct supervisor *s, struct sup_client *client);
void sup_request_stop_all(struct supervisor *s); /* SIGTERM: as `down` without names */
void sup_emit(struct supervisor *s, struct sup_client *client, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool sup_idle(const struct supervisor *s);

/* Tells the client of the running request, or one whose request is not begun, how it ended. */
void sup_finish(struct supervisor *s, int code);
void sup_refuse(struct supervisor *s, struct sup_client *client, int code, const char *text);

/* ---- sup_steps.c ---- */
#define SUP_UNDO_MS 15000u /* how long cells may take to stop when nobody said how long */
void sup_begin_up(struct supervisor *s, struct sup_client *client, char **fields, size_t n);
void sup_step_up(struct supervisor *s);
/* The running up comes to nothing, because of `item` or for another reason; then its items become those to be stopped.
 */
void sup_fail_up(struct supervisor *s, struct sup_item *item);
void sup_begin_undo(struct supervisor *s);
void sup_begin_down(struct supervisor *s, struct sup_client *client, uint32_t timeout_ms, char **names, size_t n);
void sup_step_stopping(struct supervisor *s); /* of a down, and of an up that is taken back */

/* ---- supervisor.c ---- */

/* The signals that the supervisor takes as events: SIGCHLD and those that end it. */
void sup_signals(sigset_t *set);
/* Takes the lock and the socket. CELL_ALREADY_EXISTS when another supervisor has them. */
int supervisor_open(struct supervisor *s, struct cell_error *e);
/* Serves until the last cell is down; removes lock and socket. */
void supervisor_run(struct supervisor *s);
/* Splits at tabs in place; returns the number of fields. */
size_t control_split(char *line, char **fields, size_t max);

/* ---- control.c: the CLI's side ---- */

struct control {
    struct cell_conn *conn;
    int fd;           /* of conn */
    pid_t pid, guard; /* of the supervisor; guard 0 = none */
    struct cell_buffer in;
    size_t taken;
    char config[4096];
};
/* CELL_UNAVAILABLE when no supervisor runs there. */
int control_open(const char *run_dir, struct control *c, struct cell_error *e);
int control_send(struct control *c, const char *line, struct cell_error *e);
/* The next line as fields. 1; 0 at the end or after timeout_ms (-1 = wait), *timed_out tells; negative. */
int control_next(struct control *c, int timeout_ms, char **fields, size_t *n, bool *timed_out, struct cell_error *e);
void control_close(struct control *c);
/* Waits until the supervisor's process has ended, at the longest `ms`. */
void control_wait_exit(struct control *c, int ms);

#endif
