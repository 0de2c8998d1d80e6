/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The analytics cell: aggregates of other cells' journals. See README.md. */
#include "analytics.h"

#include "common/program.h"
#include "page.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

CELL_PROVIDE(analytics, "Counts records of other cells' journals in groups and windows, and follows them.");

int main(int argc, char **argv)
{
    const char *folder = ".cell/analytics", *policy = "apply";
    const char *http = NULL;
    int64_t snapshot_every = 5000000, lease_ms = DAY_MS;
    const struct program_option options[] = {
        {"folder", "DIR", "where snapshots are; made when it is missing", PROGRAM_TEXT, &folder, 0, 0},
        {"policy", "POLICY",
         "what compilations may do: apply, additive (nothing that\ntakes anything away) or plan (nothing)",
         PROGRAM_TEXT, &policy, 0, 0},
        {"snapshot-every", "N", "records between snapshots: as many are counted again\nafter a kill, at most",
         PROGRAM_NUMBER, &snapshot_every, 1000, INT64_MAX / 2},
        {"lease", "TIME", "how long a source keeps what is not counted yet while\nthis cell is away", PROGRAM_DURATION,
         &lease_ms, 1000, 366 * DAY_MS},
        {"http", "ADDRESS", "serve a web page on 127.0.0.1:PORT (0 = any), [::1]:PORT\nor unix:/PATH; default: none",
         PROGRAM_TEXT, &http, 0, 0},
    };
    struct cell_server_options server = {
        .expand = an_expand, .state = an_state, .apply = an_apply, .bound = &an_bound_ops, .verbs = an_verbs};
    const struct program program = {"analytics", "Aggregates of other cells' journals.",
                                    options,     sizeof(options) / sizeof(options[0]),
                                    &server,     NULL};
    struct an_service service = {0};
    struct cell_page *page = NULL;
    struct an_failure f;

    program_prepare();
    int status = program_parse(&program, argc, argv);
    if (status != PROGRAM_GO)
        return status;
    if (strcmp(policy, "apply") != 0 && strcmp(policy, "additive") != 0 && strcmp(policy, "plan") != 0) {
        program_error("analytics", "--policy: '%s' is none of apply, additive, plan", policy);
        return 2;
    }
    service.folder = folder;
    service.additive_only = strcmp(policy, "additive") == 0;
    service.plan_only = strcmp(policy, "plan") == 0;
    service.snapshot_every = (uint64_t)snapshot_every;
    service.lease_ms = lease_ms;
    if (an_service_open(&service, &f) < 0) {
        program_error("analytics", "%s", f.text);
        return 1;
    }
    server.user = &service;
    if (http && an_page_open(&service, http, &page, &f) < 0) {
        program_error("analytics", "--http: %s", f.text);
        status = 1;
    } else {
        status = program_serve(&program);
    }
    an_page_close(&service, page);
    an_service_close(&service);
    return status;
}
