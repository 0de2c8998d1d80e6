/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"plan", "additive", "apply"};

const char *pg_policy_name(enum pg_policy policy) { return names[policy]; }

int pg_policy_parse(const char *name, enum pg_policy *policy, struct pg_failure *f)
{
    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *policy = (enum pg_policy)i;
            return CELL_OK;
        }
    return pg_fail(f, CELL_INVALID_ARGUMENT, "a policy is 'apply', 'additive' or 'plan', not '%.40s'",
                   name ? name : "nothing");
}

enum pg_policy pg_policy_stricter(enum pg_policy a, enum pg_policy b) { return a < b ? a : b; }

static int open_trusted(const char *path, struct pg_failure *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat s;

    if (fd < 0)
        return pg_fail(f, errno == ENOENT ? CELL_NOT_FOUND : CELL_IO_ERROR, "%s: %s", path, strerror(errno));
    if (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode)) {
        close(fd);
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s: not a regular file", path);
    }
    if ((s.st_uid != 0 && s.st_uid != geteuid()) || (s.st_mode & (S_IWGRP | S_IWOTH))) {
        close(fd);
        return pg_fail(f, CELL_PERMISSION_DENIED, "%s: somebody else can write to it, so it decides nothing", path);
    }
    return fd;
}

/* The member "policy" of `object`, if there is one; nothing else but what `also` names may be in it. */
static int read_member(const char *path, const json_t *object, const char *also, enum pg_policy *policy, bool *found,
                       struct pg_failure *f)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (also && strcmp(key, also) == 0)
            continue;
        if (strcmp(key, "policy") != 0)
            return pg_fail(f, CELL_INVALID_ARGUMENT, "%s: unknown member '%.60s'", path, key);
        int r = pg_policy_parse(json_string_value(value), policy, f);
        if (r < 0)
            return pg_fail_context(f, r, "%s", path);
        *found = true;
    }
    return CELL_OK;
}

static int read_policy(const char *path, const json_t *root, const char *environment, enum pg_policy *policy,
                       struct pg_failure *f)
{
    const json_t *environments = json_object_get(root, "environments"), *entry = NULL;
    enum pg_policy value = PG_POLICY_PLAN;
    bool found = false;
    int r;

    if (!json_is_object(root) || (environments && !json_is_object(environments)))
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s: must be an object, and \"environments\" in it", path);
    r = read_member(path, root, "environments", &value, &found, f);
    if (r < 0)
        return r;
    if (environment) {
        entry = json_object_get(environments, environment);
        if (!json_is_object(entry))
            return pg_fail(f, CELL_INVALID_ARGUMENT, "%s: there is no environment '%.60s'", path, environment);
        r = read_member(path, entry, NULL, &value, &found, f);
        if (r < 0)
            return r;
    }
    if (!found)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s: it has no \"policy\"%s%s", path,
                       environment ? " for the environment " : "", environment ? environment : "");
    *policy = value;
    return CELL_OK;
}

int pg_policy_read(const char *path, const char *environment, enum pg_policy *policy, struct pg_failure *f)
{
    json_error_t error;
    int fd = open_trusted(path, f);

    if (fd < 0)
        return fd;
    json_t *root = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
    close(fd);
    if (!root)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s:%d: %s", path, error.line, error.text);
    int r = read_policy(path, root, environment, policy, f);
    json_decref(root);
    return r;
}

int pg_policy_of_database(PGconn *conn, enum pg_policy *policy, struct pg_failure *f)
{
    PGresult *result = NULL;
    /* As it is in the catalog: a session keeps what it was when it began. */
    int r =
        pg_query(conn,
                 "SELECT pg_catalog.split_part(s, '=', 2) FROM pg_catalog.pg_db_role_setting, "
                 "pg_catalog.unnest(setconfig) s WHERE s LIKE 'cell.policy=%' "
                 "AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) "
                 "AND setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user))",
                 0, NULL, &result, f);

    for (int i = 0; r >= 0 && i < PQntuples(result); i++) {
        enum pg_policy own;
        r = pg_policy_parse(PQgetvalue(result, i, 0), &own, f);
        if (r >= 0)
            *policy = pg_policy_stricter(*policy, own);
    }
    PQclear(result);
    return r < 0 ? pg_fail_context(f, r, "the setting cell.policy of the database") : CELL_OK;
}
