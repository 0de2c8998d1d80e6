/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The query for what tables have beside what a model holds. */
#ifndef CELLS_POSTGRES_IMPORT_SQL_H
#define CELLS_POSTGRES_IMPORT_SQL_H

/* clang-format off */

/* $1: a schema, NULL = the default one. Columns: table, column or NULL, sentence, whether there can be no struct.
 * Columns of the catalog that older servers lack are read through to_jsonb. */
#define SQL_FACTS \
    "WITH t AS (SELECT c.*, c.oid AS id FROM pg_class c WHERE c.relnamespace = " \
    "(SELECT oid FROM pg_namespace WHERE nspname = coalesce($1, current_schema())) AND c.relkind IN ('r', 'p')), " \
    "k AS (SELECT t.relname, k.*, k.oid AS kid, pg_get_constraintdef(k.oid) AS def, to_jsonb(k) AS j " \
    "FROM pg_constraint k JOIN t ON t.id = k.conrelid), " \
    "x AS (SELECT t.relname AS tab, x.*, c.relname AS name, c.reloptions AS options, to_jsonb(x) AS j, " \
    "EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype = 'x') AS exclusion, " \
    "EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u')) AS key " \
    "FROM pg_index x JOIN t ON t.id = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid), " \
    "a AS (SELECT t.relname, t.id, a.*, y.typcollation, y.typstorage FROM pg_attribute a JOIN t ON t.id = a.attrelid " \
    "JOIN pg_type y ON y.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped), " \
    "s AS (SELECT a.relname, a.attname, a.attidentity, q.*, format_type(a.atttypid, NULL) AS kind FROM a " \
    "JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass " \
    "AND d.refobjid = a.id AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i') " \
    "JOIN pg_sequence q ON q.seqrelid = d.objid), " \
    "facts(tab, col, fact, unfit) AS (" \
    /* the table as a whole */ \
    "SELECT relname, NULL::name, 'it is a partition of ' || (SELECT inhparent::regclass::text FROM pg_inherits " \
    "WHERE inhrelid = id LIMIT 1), true FROM t WHERE relispartition " \
    "UNION ALL SELECT relname, NULL, 'PARTITION BY ' || pg_get_partkeydef(id), false FROM t WHERE relkind = 'p' " \
    "UNION ALL SELECT relname, NULL, 'INHERITS (' || (SELECT string_agg(inhparent::regclass::text, ', ' " \
    "ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = id) || ')', false FROM t WHERE NOT relispartition " \
    "AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = id) " \
    "UNION ALL SELECT relname, NULL, 'it is UNLOGGED', false FROM t WHERE relpersistence = 'u' " \
    "UNION ALL SELECT relname, NULL, 'WITH (' || array_to_string(reloptions, ', ') || ')', false FROM t " \
    "WHERE reloptions IS NOT NULL " \
    "UNION ALL SELECT relname, NULL, 'TABLESPACE ' || quote_ident(spcname), false FROM t JOIN pg_tablespace p " \
    "ON p.oid = t.reltablespace " \
    "UNION ALL SELECT relname, NULL, 'access method ' || quote_ident(m.amname), false FROM t JOIN pg_am m " \
    "ON m.oid = t.relam WHERE m.amname <> 'heap' " \
    "UNION ALL SELECT relname, NULL, 'row-level security', false FROM t WHERE relrowsecurity OR relforcerowsecurity " \
    "UNION ALL SELECT relname, NULL, 'policy ' || quote_ident(polname), false FROM t JOIN pg_policy p " \
    "ON p.polrelid = t.id " \
    "UNION ALL SELECT relname, NULL, 'its replica identity', false FROM t WHERE relreplident NOT IN ('d', 'n') " \
    "UNION ALL SELECT relname, NULL, 'trigger ' || quote_ident(tgname), false FROM t JOIN pg_trigger g " \
    "ON g.tgrelid = t.id WHERE NOT tgisinternal AND tgname NOT IN ('cell_follow', 'cell_follow_all') " \
    "UNION ALL SELECT relname, NULL, 'rule ' || quote_ident(rulename), false FROM t JOIN pg_rewrite r " \
    "ON r.ev_class = t.id " \
    "UNION ALL SELECT relname, NULL, 'statistics ' || quote_ident(stxname), false FROM t JOIN pg_statistic_ext e " \
    "ON e.stxrelid = t.id " \
    /* constraints */ \
    "UNION ALL SELECT relname, NULL, 'constraint ' || quote_ident(conname) || ': ' || def, false FROM k " \
    "WHERE contype = 'x' " \
    "UNION ALL SELECT relname, NULL, 'of constraint ' || quote_ident(conname) || ': ' || " \
    "CASE WHEN condeferred THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE 'DEFERRABLE' END, false FROM k " \
    "WHERE contype IN ('p', 'u') AND condeferrable " \
    "UNION ALL SELECT relname, NULL, 'of constraint ' || quote_ident(conname) || ': NO INHERIT', false FROM k " \
    "WHERE contype = 'c' AND connoinherit " \
    "UNION ALL SELECT relname, NULL, 'of constraint ' || quote_ident(conname) || ': MATCH FULL', false FROM k " \
    "WHERE contype = 'f' AND confmatchtype = 'f' " \
    "UNION ALL SELECT relname, NULL, 'of constraint ' || quote_ident(conname) || ': that ON DELETE sets only some of " \
    "its columns', false FROM k WHERE contype = 'f' AND jsonb_typeof(j -> 'confdelsetcols') = 'array' " \
    "UNION ALL SELECT relname, NULL, 'the comment on constraint ' || quote_ident(conname) || ': ' || " \
    "obj_description(kid, 'pg_constraint'), false FROM k WHERE obj_description(kid, 'pg_constraint') IS NOT NULL " \
    /* indexes */ \
    "UNION ALL SELECT tab, NULL, 'of index ' || quote_ident(name) || ': NULLS NOT DISTINCT', false FROM x " \
    "WHERE j ->> 'indnullsnotdistinct' = 'true' " \
    "UNION ALL SELECT tab, NULL, 'of constraint ' || quote_ident(name) || ': its INCLUDE columns', false FROM x " \
    "WHERE key AND indnatts > indnkeyatts " \
    "UNION ALL SELECT tab, NULL, 'of index ' || quote_ident(name) || ': WITH (' || array_to_string(options, ', ') || ')', " \
    "false FROM x WHERE options IS NOT NULL " \
    "UNION ALL SELECT tab, NULL, 'of index ' || quote_ident(name) || ': the table is clustered on it', false FROM x " \
    "WHERE indisclustered " \
    "UNION ALL SELECT tab, NULL, 'of index ' || quote_ident(name) || ': a COLLATE of its own', false FROM x " \
    "WHERE NOT exclusion AND EXISTS (SELECT FROM generate_series(0, indnkeyatts - 1) g JOIN pg_attribute b " \
    "ON b.attrelid = indrelid AND b.attnum = indkey[g] WHERE indcollation[g] <> b.attcollation) " \
    "UNION ALL SELECT tab, NULL, 'of index ' || quote_ident(name) || ': options of its operator classes', false FROM x " \
    "WHERE EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = indexrelid AND b.attoptions IS NOT NULL) " \
    "UNION ALL SELECT tab, NULL, 'the comment on index ' || quote_ident(name) || ': ' || " \
    "obj_description(indexrelid, 'pg_class'), false FROM x WHERE obj_description(indexrelid, 'pg_class') IS NOT NULL " \
    /* columns */ \
    "UNION ALL SELECT relname, attname, 'GENERATED ALWAYS: an identity column that CELL_AUTO makes is BY DEFAULT', false " \
    "FROM a WHERE attidentity = 'a' " \
    "UNION ALL SELECT relname, attname, 'a sequence of its own (serial): CELL_AUTO makes an identity column', false " \
    "FROM s WHERE attidentity = '' " \
    "UNION ALL SELECT relname, attname, 'options of its sequence', false FROM s " \
    "WHERE seqstart <> 1 OR seqincrement <> 1 OR seqmin <> 1 OR seqcycle OR seqcache <> 1 " \
    "OR (attidentity <> '' AND format_type(seqtypid, NULL) <> kind) " \
    "UNION ALL SELECT relname, attname, 'COLLATE ' || attcollation::regcollation::text, false FROM a " \
    "WHERE attcollation <> typcollation " \
    "UNION ALL SELECT relname, attname, 'STORAGE ' || CASE attstorage WHEN 'p' THEN 'PLAIN' " \
    "WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END, false FROM a WHERE attstorage <> typstorage " \
    "UNION ALL SELECT relname, attname, 'COMPRESSION ' || CASE to_jsonb(a) ->> 'attcompression' " \
    "WHEN 'l' THEN 'lz4' ELSE 'pglz' END, false FROM a " \
    "WHERE coalesce(to_jsonb(a) ->> 'attcompression', '') <> '' " \
    "UNION ALL SELECT relname, attname, 'WITH (' || array_to_string(attoptions, ', ') || ')', false FROM a " \
    "WHERE attoptions IS NOT NULL) " \
    "SELECT * FROM facts ORDER BY tab, col NULLS FIRST, fact"

/* $1: as above. The types of columns, or of the elements of their arrays, that are not PostgreSQL's own. */
#define SQL_TYPES \
    "SELECT DISTINCT format_type(coalesce(nullif(y.typelem, 0), y.oid), NULL) FROM pg_class c " \
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped " \
    "JOIN pg_type y ON y.oid = a.atttypid WHERE c.relnamespace = " \
    "(SELECT oid FROM pg_namespace WHERE nspname = coalesce($1, current_schema())) " \
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND y.typnamespace <> 'pg_catalog'::regnamespace ORDER BY 1"

/* clang-format on */

#endif
