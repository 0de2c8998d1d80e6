-- Notes that hold all of the words, the best first.
SELECT n.id, n.title, ts_rank(to_tsvector('simple', n.title || ' ' || n.body), query) AS "rank!"
FROM notes n, plainto_tsquery('simple', $1) query
WHERE to_tsvector('simple', n.title || ' ' || n.body) @@ query
ORDER BY 3 DESC, n.id
LIMIT 20
