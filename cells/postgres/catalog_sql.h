/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The queries of catalog.c. All names are those of pg_catalog, which is searched first by default. */
#ifndef CELLS_POSTGRES_CATALOG_SQL_H
#define CELLS_POSTGRES_CATALOG_SQL_H

/* What is looked at is what can be seen at one moment; expressions are printed for the search path of all connections.
 */
#define SQL_BEGIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
/* $1: milliseconds. Printing an expression takes a lock on its table, which somebody may have who changes it. */
#define SQL_LOCAL "SELECT set_config('search_path', 'public', true), set_config('statement_timeout', $1, true)"

#define SQL_SERVER                                                                                                     \
    "SELECT current_schema(), to_regclass('cell.objects') IS NOT NULL, "                                               \
    "CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN 2 "                                     \
    "WHEN EXISTS (SELECT FROM pg_available_extensions() WHERE name = 'vector') THEN 1 ELSE 0 END, "                    \
    "(SELECT json_agg(nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)')"

/* $1, $2: schemas and names, of one length. */
#define SQL_TABLES                                                                                                     \
    "SELECT c.oid, n.nspname, c.relname, c.relkind, obj_description(c.oid, 'pg_class'), "                              \
    "CASE WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0) THEN -1 ELSE c.reltuples::bigint END "          \
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "                                                   \
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS w(s, t) "  \
    "WHERE n.nspname = coalesce(w.s, current_schema()) AND (w.t IS NULL OR c.relname = w.t)) "                         \
    "ORDER BY n.nspname, c.relname"

/* $1, $2: schemas and names, as before. What has such a name, and of which table it is. A type of arrays is no
 * hindrance: PostgreSQL gives it another name. */
#define SQL_RELATIONS                                                                                                  \
    "SELECT n.nspname, coalesce(c.relname, t.typname), CASE WHEN c.oid IS NULL THEN 'T' "                              \
    "WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid "                                               \
    "AND k.contype = 'x') THEN 'x' ELSE c.relkind END, o.relname FROM unnest($1::text[], $2::text[]) AS w(s, t) "      \
    "JOIN pg_namespace n ON n.nspname = coalesce(w.s, current_schema()) "                                              \
    "LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.t::name "                                        \
    "LEFT JOIN pg_type t ON c.oid IS NULL AND t.typnamespace = n.oid AND t.typname = w.t::name "                       \
    "AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) "                                                 \
    "LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_depend d ON c.relkind = 'S' AND d.objid = c.oid "       \
    "AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') "        \
    "LEFT JOIN pg_class o ON o.oid = coalesce(x.indrelid, d.refobjid) WHERE c.oid IS NOT NULL OR t.oid IS NOT NULL"

/* $1 of the following: OIDs of tables. The first column is the position in it, by which rows are ordered. */
#define SQL_OF_TABLES "FROM unnest($1::oid[]) WITH ORDINALITY AS w(oid, i) "
#define SQL_NAMES(table, numbers)                                                                                      \
    "(SELECT json_agg(a.attname ORDER BY x.n) FROM unnest(" numbers ") WITH ORDINALITY AS x(num, n) "                  \
    "JOIN pg_attribute a ON a.attrelid = " table " AND a.attnum = x.num)"

#define SQL_COLUMNS                                                                                                    \
    "SELECT w.i - 1, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, "   \
    "pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum), "                                         \
    "EXISTS (SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.objid AND s.relkind = 'S' "                          \
    "WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid "      \
    "AND p.refobjsubid = a.attnum AND p.deptype = 'a') " SQL_OF_TABLES "JOIN pg_attribute a ON a.attrelid = w.oid "    \
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "                                         \
    "WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY w.i, a.attnum"

#define SQL_CONSTRAINTS                                                                                                \
    "SELECT w.i - 1, k.conname, k.contype, " SQL_NAMES(                                                                \
        "k.conrelid",                                                                                                  \
        "k.conkey") ", fn.nspname, fc.relname, " SQL_NAMES("k.confrelid",                                              \
                                                           "k.confkey") ", k.confdeltype, k.confupdtype, "             \
                                                                        "k.condeferrable, k.condeferred, "             \
                                                                        "k.convalidated, pg_get_expr(k.conbin, "       \
                                                                        "k.conrelid) " SQL_OF_TABLES                   \
                                                                        "JOIN pg_constraint k ON k.conrelid = w.oid "  \
                                                                        "LEFT JOIN pg_class fc ON fc.oid = "           \
                                                                        "k.confrelid LEFT JOIN pg_namespace fn ON "    \
                                                                        "fn.oid = fc.relnamespace "                    \
                                                                        "WHERE k.contype IN ('p', 'u', 'f', 'c') "     \
                                                                        "ORDER BY w.i, k.contype, k.conname"

/* The part of an index that stands for a column has its name; another one its expression. */
#define SQL_INDEXES                                                                                                    \
    "SELECT w.i - 1, c.relname, m.amname, x.indisunique, x.indisvalid AND x.indisready, "                              \
    "pg_get_expr(x.indpred, x.indrelid), "                                                                             \
    "(SELECT json_agg(json_build_object('column', a.attname, "                                                         \
    "'expr', CASE WHEN x.indkey[g - 1] = 0 THEN pg_get_indexdef(x.indexrelid, g, false) END, "                         \
    "'opclass', CASE WHEN o.opcdefault THEN NULL ELSE o.opcname END, "                                                 \
    "'descending', x.indoption[g - 1] & 1 <> 0, 'nulls_first', x.indoption[g - 1] & 2 <> 0) ORDER BY g) "              \
    "FROM generate_series(1, x.indnkeyatts) AS g "                                                                     \
    "LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[g - 1] AND a.attnum <> 0 "            \
    "JOIN pg_opclass o ON o.oid = x.indclass[g - 1]), "                                                                \
    "(SELECT json_agg(a.attname ORDER BY g) FROM generate_series(x.indnkeyatts + 1, x.indnatts) AS g "                 \
    "JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[g - 1]) " SQL_OF_TABLES                    \
    "JOIN pg_index x ON x.indrelid = w.oid JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am m ON m.oid = c.relam "   \
    "WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')) " \
    "ORDER BY w.i, c.relname"

/* $1: schemas. */
#define SQL_ENUMS                                                                                                      \
    "SELECT n.nspname, t.typname, (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e "              \
    "WHERE e.enumtypid = t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "                         \
    "WHERE t.typtype = 'e' AND n.nspname = ANY ($1::text[] || current_schemas(false)::text[]) ORDER BY 1, 2"

/* All that are not PostgreSQL's own; tables can use those of any schema. */
#define SQL_DOMAINS                                                                                                    \
    "SELECT n.nspname, t.typname, pg_type_is_visible(t.oid), format_type(t.typbasetype, t.typtypmod), "                \
    "format_type(t.typbasetype, t.typtypmod) || coalesce(' DEFAULT ' || t.typdefault, '') || "                         \
    "CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END || "                                                          \
    "coalesce((SELECT string_agg(' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname) FROM pg_constraint k "     \
    "WHERE k.contypid = t.oid AND k.contype = 'c'), '') FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace " \
    "WHERE t.typtype = 'd' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"

/*
 * Every change of a catalog row leaves a version of a younger transaction, so that, for a number of rows that is the
 * same, the sum of their xmin has grown. Objects of users have OIDs from 16384 on (FirstNormalObjectId), and each
 * catalog has an index that begins with that column, so nothing else is read.
 */
/* clang-format off */
#define SQL_SUM(catalog, condition) "SELECT count(*), sum(xmin::text::int8) FROM pg_catalog." catalog condition
#define SQL_AND_SUM(catalog, condition) " UNION ALL " SQL_SUM(catalog, condition)
/*
 * The same text at two times: both see the same transactions, and so the same rows (PostgreSQL's manual, "Concurrency
 * Control" and pg_current_snapshot). Those of a server that was started again, or is another one behind the same name,
 * have numbers of their own. While a standby replays, the numbers do not name all transactions that are on their way.
 */
#define SQL_MOMENT \
    "CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.concat_ws(',', pg_catalog.pg_current_snapshot(), " \
    "extract(epoch FROM pg_catalog.pg_postmaster_start_time()), current_database(), current_schemas(false)) END"
#define SQL_STATE \
    "WITH t(n, s) AS (" \
    SQL_SUM("pg_class", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_attribute", " WHERE attrelid >= 16384 AND attnum > 0") \
    SQL_AND_SUM("pg_index", " WHERE indexrelid >= 16384") \
    SQL_AND_SUM("pg_constraint", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_attrdef", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_type", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_enum", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_proc", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_operator", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_rewrite", " WHERE oid >= 16384") \
    SQL_AND_SUM("pg_description", " WHERE objoid >= 16384") \
    SQL_AND_SUM("pg_namespace", "") \
    SQL_AND_SUM("pg_extension", "") \
    ") SELECT md5(concat_ws(',', string_agg(n || '.' || coalesce(s, 0), ','), current_database(), " \
    "current_setting('server_version_num'), current_schemas(false), " \
    "pg_catalog.pg_sequence_last_value(to_regclass('cell.history_id_seq')))), " SQL_MOMENT " FROM t"
/* clang-format on */

#endif
