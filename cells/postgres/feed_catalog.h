/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What feeds ask the catalog. Names are those of pg_catalog. */
#ifndef CELLS_POSTGRES_FEED_CATALOG_H
#define CELLS_POSTGRES_FEED_CATALOG_H

/*
 * Of the table c. The witness is another one when anybody has touched the triggers, be it that they were disabled and
 * enabled again (each change of a catalog row has an xmin of its own), when the key is another one, and when the table
 * has become one that cannot be followed.
 */
#define SQL_FEED_WITNESS                                                                                               \
    "concat_ws(' ', c.oid, c.relpersistence, c.relispartition, c.relhassubclass, "                                     \
    "(SELECT string_agg(concat_ws('/', a.attnum, a.atttypid, a.attname), ',' ORDER BY k.n) FROM pg_index i, "          \
    "unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, n), pg_attribute a WHERE i.indrelid = c.oid "                  \
    "AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.num), "                                                \
    "(SELECT string_agg(concat_ws('/', g.tgname, g.oid, g.xmin, g.tgenabled, p.oid, p.xmin), ',' ORDER BY g.tgname) "  \
    "FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid WHERE g.tgrelid = c.oid "                                    \
    "AND g.tgname IN ('cell_follow', 'cell_follow_all')))"

/* What the values of a column are told apart by from those of another one that had its name. */
#define SQL_FEED_COLUMNS                                                                                               \
    "(SELECT jsonb_object_agg(a.attname, a.attnum || ' ' || a.atttypid) FROM pg_attribute a "                          \
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"

/* Of the row f of cell.followed and its table c: whether all values were written by statements that fire triggers, for
 * all that can be seen: ALTER TABLE rewrites a table, or gives a name to another column, without them. */
#define SQL_FEED_SAME_COLUMNS                                                                                          \
    "NOT EXISTS (SELECT FROM jsonb_each_text(f.columns) o JOIN jsonb_each_text(" SQL_FEED_COLUMNS ") n USING (key) "   \
    "WHERE o.value <> n.value)"
#define SQL_FEED_SAME_FILE "f.filenode IS NOT DISTINCT FROM pg_relation_filenode(c.oid)"

/* A number that no feed of this table has given before, not even one that is not known any more because somebody has
 * dropped the schema or restored it from a dump: the time, unless more than a change a microsecond was made. */
#define SQL_FEED_AFRESH(last) "greatest(" last " + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"

#endif
