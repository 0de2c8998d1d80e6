/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "conformance/conformance.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path_of(const char *address) { return address + strlen("unix:"); }

static void unix_address(const char *folder, unsigned n, char *out, size_t size)
{
    snprintf(out, size, "unix:%s/%u.sock", folder, n);
}

/* 4095 bytes is the longest path that Linux takes. */
static void unix_longest(const char *folder, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "unix:%s/", folder), end = strlen("unix:") + 4095;
    while (end - at > 256) {
        memset(out + at, 'd', 200);
        out[at + 200] = '/';
        at += 201;
    }
    memset(out + at, 's', end - at);
    if (end - at > 255)
        out[end - 2] = '/';
    out[end] = '\0';
}

static int unix_raw_connect(const char *address)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path_of(address));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool unix_occupy(const char *address)
{
    int fd = open(path_of(address), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, "precious", 8) == 8 && close(fd) == 0;
}

static bool unix_occupied(const char *address)
{
    struct stat st;
    return lstat(path_of(address), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 8;
}

const struct conformance conformance = {
    .transport = &cell_transport_unix,
    .address = unix_address,
    .longest_address = unix_longest,
    .raw_connect = unix_raw_connect,
    .occupy = unix_occupy,
    .occupied = unix_occupied,
};
