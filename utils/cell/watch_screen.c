/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The terminal as a screen, given back whatever ends or stops this program, and signals and keys as events. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "watch.h"

/* The other screen, without a cursor and without lines that go on in the next one; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

static struct termios before;

static void write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, n);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return; /* the terminal is gone: SIGHUP comes */
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
}

static void find_size(struct watch_screen *s)
{
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    s->rows = size.ws_row;
    s->columns = size.ws_col;
}

/* Keys come one by one and are not shown; Ctrl-C and Ctrl-Z stay signals. */
static void take_terminal(struct watch_screen *s)
{
    if (s->shown || !s->live)
        return;
    if (tcgetattr(STDIN_FILENO, &before) == 0) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    write_all(ENTER, strlen(ENTER));
    s->shown = true;
}

static void give_terminal(struct watch_screen *s)
{
    if (!s->shown)
        return;
    write_all(LEAVE, strlen(LEAVE));
    if (isatty(STDIN_FILENO))
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    s->shown = false;
}

static void fill_signals(sigset_t *set)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sigaddset(set, all[i]);
}

bool watch_screen_open(struct watch_screen *s, bool live)
{
    sigset_t set;

    *s = (struct watch_screen){.live = live};
    fill_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    find_size(s);
    return s->signals >= 0;
}

void watch_screen_show(struct watch_screen *s, const struct cell_buffer *frame)
{
    take_terminal(s);
    write_all(frame->data, frame->len);
}

/* Stops as the signal would have stopped it, with the terminal as it was; on again, it is taken by the next frame. */
static void stop_here(struct watch_screen *s)
{
    sigset_t stop;

    give_terminal(s);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    raise(SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
}

static enum watch_event take_signal(struct watch_screen *s)
{
    struct signalfd_siginfo info;

    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return WATCH_NEWS;
    switch (info.ssi_signo) {
    case SIGTSTP:
        stop_here(s);
        break;
    case SIGCONT: /* who stopped this in another way may have changed the terminal */
        give_terminal(s);
        break;
    case SIGWINCH:
        break;
    default:
        return WATCH_ENDED;
    }
    find_size(s);
    return WATCH_RESIZED;
}

/* Other keys are news that is none. An arrow is three bytes, and comes at once. */
static enum watch_event take_key(void)
{
    char keys[16] = "";
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys) - 1);

    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        return WATCH_ENDED; /* nobody is there */
    if (strstr(keys, "\033[D") || strstr(keys, "\033OD"))
        return WATCH_LEFT;
    if (strstr(keys, "\033[C") || strstr(keys, "\033OC"))
        return WATCH_RIGHT;
    return n > 0 && (keys[0] == 'q' || keys[0] == 'Q') ? WATCH_QUIT : WATCH_NEWS;
}

enum watch_event watch_screen_wait(struct watch_screen *s, int news)
{
    const bool keys = s->live && isatty(STDIN_FILENO);
    struct pollfd waits[] = {{s->signals, POLLIN, 0}, {news, POLLIN, 0}, {keys ? STDIN_FILENO : -1, POLLIN, 0}};

    while (poll(waits, 3, -1) < 0)
        if (errno != EINTR)
            return WATCH_ENDED;
    if (waits[0].revents)
        return take_signal(s);
    return waits[2].revents ? take_key() : WATCH_NEWS;
}

void watch_screen_close(struct watch_screen *s)
{
    give_terminal(s);
    if (s->signals >= 0)
        close(s->signals);
}
