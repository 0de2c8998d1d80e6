/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_policy(const struct pg_service_options *o, enum pg_policy *policy, struct pg_failure *f)
{
    enum pg_policy named = PG_POLICY_APPLY, read = PG_POLICY_APPLY;
    bool is_private = !o->url && !o->service;
    int r = CELL_OK;

    if (o->policy)
        r = pg_policy_parse(o->policy, &named, f);
    else if (!is_private && !o->policy_file)
        named = PG_POLICY_PLAN;
    if (r >= 0 && o->policy_file)
        r = pg_policy_read(o->policy_file, o->environment, &read, f);
    *policy = pg_policy_stricter(named, read);
    return r;
}

static int copy(char **out, const char *text, struct pg_failure *f)
{
    *out = strdup(text ? text : "");
    return *out ? CELL_OK : pg_fail(f, CELL_NO_MEMORY, "out of memory");
}

static int named_target(struct pg_service *s, const struct pg_service_options *o, struct pg_failure *f)
{
    char text[256];
    int n = 0;

    if (o->url && o->service)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "--url and --service exclude each other");
    if (o->service)
        n = snprintf(text, sizeof(text), "service=%s", o->service);
    if (o->service && (n >= (int)sizeof(text) || strpbrk(o->service, " '\\")))
        return pg_fail(f, CELL_INVALID_ARGUMENT, "--service: not the name of a service");
    int r = copy(&s->conninfo, o->service ? text : o->url, f);
    if (r >= 0)
        r = copy(&s->bindir, o->bindir, f);
    if (r >= 0 && o->url)
        r = pg_target_check(o->url, f);
    return r < 0 ? pg_fail_context(f, r, "%s", o->service ? "--service" : "--url") : CELL_OK;
}

static int private_target(struct pg_service *s, const struct pg_service_options *o, struct pg_failure *f)
{
    struct pg_cluster_options cluster = {o->state, o->bindir, o->progress, o->user};
    int r = pg_cluster_start(&cluster, &s->cluster, f);

    if (r >= 0)
        r = copy(&s->conninfo, pg_cluster_conninfo(s->cluster), f);
    if (r < 0)
        return r;
    s->state = pg_cluster_state(s->cluster);
    return copy(&s->bindir, pg_cluster_bindir(s->cluster), f);
}

int pg_service_open(const struct pg_service_options *options, struct pg_service **service, struct pg_failure *f)
{
    struct pg_service *s = calloc(1, sizeof(*s));

    if (!s)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    pg_records_init(&s->records);
    int r = open_policy(options, &s->policy, f);
    if (r >= 0 && options->migrate_url)
        r = pg_target_check(options->migrate_url, f) < 0 ? pg_fail_context(f, CELL_INVALID_ARGUMENT, "--migrate-url")
                                                         : CELL_OK;
    if (r >= 0 && (options->url || options->service))
        r = named_target(s, options, f);
    else if (r >= 0)
        r = private_target(s, options, f);
    if (r < 0) {
        pg_service_close(s);
        return r;
    }
    s->target = (struct pg_target){s->conninfo, NULL};
    s->scan_rows = options->scan_rows;
    pg_leases_init(&s->leases, &s->target, true);
    pg_seen_init(&s->seen);
    pg_leases_init(&s->migrations, options->migrate_url ? &(struct pg_target){options->migrate_url, NULL} : &s->target,
                   false);
    s->opened = true;
    const struct pg_engine_options engine = {.pool = {.conninfo = s->conninfo,
                                                      .connections = options->connections,
                                                      .pinned = (uint32_t)options->own_connections,
                                                      .share_commits = options->shared_commit != 0},
                                             .stream_idle_ms = (uint32_t)options->stream_idle_ms};
    r = pg_engine_open(&engine, &s->engine, f);
    /* Directly, for a pooler in transaction mode delivers no notifications. One more for the feed. */
    s->listeners = pg_listeners_new(&s->migrations.target, options->listeners + 1);
    if (r >= 0 && !s->listeners)
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    const struct pg_feed_options feed = {.listeners = s->listeners,
                                         .leases = &s->leases,
                                         .policy = s->policy,
                                         .limits = options->feed,
                                         .followers = options->followers};
    if (r >= 0)
        r = pg_feed_open(&feed, &s->feed, f);
    if (r < 0) {
        pg_service_close(s);
        return r;
    }
    *service = s;
    return CELL_OK;
}

void pg_service_close(struct pg_service *service)
{
    if (!service)
        return;
    pg_feed_close(service->feed);
    pg_listeners_free(service->listeners);
    pg_engine_close(service->engine);
    if (service->opened) {
        pg_leases_close(&service->leases);
        pg_leases_close(&service->migrations);
        pg_seen_destroy(&service->seen);
    }
    pg_cluster_stop(service->cluster);
    pg_records_close(&service->records);
    free(service->conninfo);
    free(service->bindir);
    free(service);
}
