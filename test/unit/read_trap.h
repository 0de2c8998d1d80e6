/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory that changes between two accesses to it, at a chosen one: what a peer does that waits for the worst moment,
 * but surely. Each access faults; the instruction is let through alone, and after the chosen one other bytes lie there.
 * So who checks a byte and then reads it again is found out, whatever the machine does. For x86-64.
 */
#ifndef CELL_TEST_READ_TRAP_H
#define CELL_TEST_READ_TRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)

#define TRAP_SIZE 4096u
#define TRAP_FLAG 0x100 /* of the flags register: an interrupt after the next instruction */

static uint8_t *trap_page;                   /* what is read */
static uint8_t *trap_alias;                  /* the same memory, to be written to */
static const uint8_t *trap_other;            /* what lies there later */
static volatile unsigned trap_at, trap_hits; /* after so many accesses */

static void trap_access(int signal, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr - (uintptr_t)trap_page;
    if (at >= TRAP_SIZE) { /* a fault like any other */
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        return;
    }
    mprotect(trap_page, TRAP_SIZE, PROT_READ);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void trap_accessed(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    if (++trap_hits == trap_at)
        for (unsigned i = 0; i < TRAP_SIZE; i++)
            trap_alias[i] = trap_other[i];
    mprotect(trap_page, TRAP_SIZE, PROT_NONE);
}

/* The memory is made with the first use. False: it could not. */
static bool trap_begin(const void *bytes, size_t len, const uint8_t other[TRAP_SIZE], unsigned at)
{
    const struct sigaction access = {.sa_sigaction = trap_access, .sa_flags = SA_SIGINFO},
                           accessed = {.sa_sigaction = trap_accessed, .sa_flags = SA_SIGINFO};
    if (!trap_page) {
        int fd = memfd_create("trap", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, TRAP_SIZE) < 0)
            return false;
        trap_page = mmap(NULL, TRAP_SIZE, PROT_NONE, MAP_SHARED, fd, 0);
        trap_alias = mmap(NULL, TRAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (trap_page == MAP_FAILED || trap_alias == MAP_FAILED)
            return false;
    }
    memset(trap_alias, 0, TRAP_SIZE);
    memcpy(trap_alias, bytes, len);
    trap_other = other;
    trap_at = at;
    trap_hits = 0;
    return mprotect(trap_page, TRAP_SIZE, PROT_NONE) == 0 && sigaction(SIGSEGV, &access, NULL) == 0 &&
           sigaction(SIGTRAP, &accessed, NULL) == 0;
}

/* Returns how many accesses there were. The memory can be read from here on. */
static unsigned trap_end(void)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(SIGSEGV, &usual, NULL);
    sigaction(SIGTRAP, &usual, NULL);
    mprotect(trap_page, TRAP_SIZE, PROT_READ);
    return trap_hits;
}

#endif
#endif
