/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Comparing secrets takes as many instructions wherever they differ: a child is stepped through each comparison. */
#include "test.h"

#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

#define LEN 32u

static uint8_t secret[LEN], guess[LEN];

TEST(secrets_are_the_same_when_every_byte_is)
{
    for (size_t len = 0; len <= LEN; len++) {
        CHECK(cell_same_secret(secret, guess, len));
        for (size_t i = 0; i < len; i++)
            for (unsigned bit = 0; bit < 8; bit++) {
                guess[i] ^= (uint8_t)(1u << bit);
                CHECK(!cell_same_secret(secret, guess, len));
                guess[i] ^= (uint8_t)(1u << bit);
            }
    }
}

/* Instructions of one comparison, with what it takes to be stopped before and after it. -1: it cannot be told here. */
static long instructions(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(1);
        raise(SIGSTOP);
        volatile bool same = cell_same_secret(secret, guess, LEN);
        raise(SIGSTOP);
        _exit(same);
    }
    bool stopped = child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status);
    long n = stopped ? 0 : -1;
    while (stopped && n < 100000) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0 || waitpid(child, &status, 0) != child ||
            !WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP)
            break;
        n++;
    }
    if (stopped) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return n;
}

TEST(comparing_takes_as_long_wherever_secrets_differ)
{
    long same = instructions();
    if (same < 0) {
        printf("# skipped: a process may not trace another here\n");
        return;
    }
    CHECK(same > 100 && same < 100000);
    for (size_t i = 0; i < LEN; i += 31) {
        guess[i] = 1;
        long other = instructions();
        guess[i] = 0;
        CHECK(other >= same - 2 && other <= same + 2); /* whether they differ may cost a jump, not where */
    }
    memset(guess, 0xff, LEN);
    CHECK(instructions() >= same - 2 && instructions() <= same + 2);
    memset(guess, 0, LEN);
}
