/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A folder of its own for each test of the auth cell's database, and calls at a time of the test's choice. */
#ifndef CELL_TEST_AUTH_FIXTURE_H
#define CELL_TEST_AUTH_FIXTURE_H

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/service.h"
#include "test.h"

#define START_MS INT64_C(1700000000000)
#define TTL_MS INT64_C(3600000)

struct fixture {
    char folder[256], path[300];
    struct service_options options;
    struct service *service;
    struct request by;
    struct failure f;
};

static inline void fixture_folder(struct fixture *x)
{
    memset(x, 0, sizeof(*x));
    const char *tmp = getenv("TMPDIR");
    snprintf(x->folder, sizeof(x->folder), "%.200s/cell-auth-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(x->folder))
        abort();
    snprintf(x->path, sizeof(x->path), "%s/auth.db", x->folder);
    x->options = (struct service_options){x->path, TTL_MS, 1000, 1000, {1, 1, 2, 100}};
    x->by = (struct request){START_MS, 1000, 1000, cell_strz("a.out"), {UINT64_MAX, NULL, NULL}};
}

static inline int fixture_open(struct fixture *x) { return service_open(&x->options, &x->service, &x->f); }

/* Closes and opens again, as a restart does. */
static inline int fixture_reopen(struct fixture *x)
{
    service_close(x->service);
    x->service = NULL;
    return fixture_open(x);
}

static inline void fixture_remove(struct fixture *x)
{
    char name[600];
    struct dirent *entry;

    service_close(x->service);
    DIR *d = opendir(x->folder);
    while (d && (entry = readdir(d)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", x->folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(name);
    }
    if (d)
        closedir(d);
    rmdir(x->folder);
}

/* The results of one log-in. */
struct login {
    struct account account;
    struct session session;
    struct session_token token;
};

static inline int do_register(struct fixture *x, const char *email, const char *password)
{
    struct account a;

    return service_register(x->service, &x->by, cell_strz(email), cell_strz(password), &a, &x->f);
}

static inline int do_login(struct fixture *x, const char *email, const char *password, struct login *out)
{
    return service_login(x->service, &x->by, cell_strz(email), cell_strz(password), &out->account, &out->session,
                         &out->token, &x->f);
}

static inline int whoami(struct fixture *x, const struct login *l)
{
    struct account a;

    return service_whoami(x->service, &x->by, cell_strz(l->token.text), &a, &x->f);
}

#endif
