/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "cluster.h"

int pg_cluster_start(const struct pg_cluster_options *options, struct pg_cluster **cluster, struct pg_failure *f)
{
    (void)options, (void)cluster;
    return pg_fail(f, CELL_UNIMPLEMENTED, "give a server with --url");
}
void pg_cluster_stop(struct pg_cluster *cluster) { (void)cluster; }
const char *pg_cluster_conninfo(const struct pg_cluster *cluster) { return cluster ? "" : ""; }
const char *pg_cluster_bindir(const struct pg_cluster *cluster) { return cluster ? "" : ""; }
