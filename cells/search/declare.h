/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a struct with CELL_SEARCH declares, from an expansion request, and what a program gets for it. */
#ifndef CELLS_SEARCH_DECLARE_H
#define CELLS_SEARCH_DECLARE_H

#include "service.h"

/* Everything is JSON and belongs to it, but for `declaration`, which is the request's. */
struct sc_declared {
    const char *name; /* of the index */
    const char *tag;  /* of the struct */
    char source[SC_MOST_NAME + 1], collection[SC_MOST_NAME + 1];
    json_t *definition;  /* definition.h; its "key" is empty until it is known */
    json_t *own_key;     /* the fields with CELL_KEY: {"name", "type"} */
    json_t *seen;        /* all fields: {"name", "type"}, also those that are not indexed */
    json_t *diagnostics; /* as in an expansion document */
    const json_t *declaration;
    bool failed; /* there is an error */
};

/* `vectors`: the cell has the capability; else fields that are vectors are checked and left out. CELL_INVALID_ARGUMENT:
 * it is no such request; CELL_NO_MEMORY. */
int sc_declare(const json_t *request, bool vectors, struct sc_declared *declared, struct search_failure *f);
void sc_declared_free(struct sc_declared *declared);

/* `field` NULL: the declaration as a whole. */
void sc_say(struct sc_declared *declared, const char *severity, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Compares the fields with the source's, and fills in the key. `known` is what was declared before, NULL = nothing. */
void sc_declare_check(struct sc_declared *declared, const struct sc_source_status *status,
                      const struct sc_definition *known);

/*
 * The functions of an index, for an expansion document. With N its name, K its key and V a vector:
 *
 *   N_search(query, limit, cursor, excerpt, out page)   N_count(query, out count)   N_suggest(text, limit, out words)
 *   N_highlight_F(K…, query, out passage)      of a field F that is a text
 *   N_facets_F(query, limit, out facets)       of a field F that is a keyword, an integer or a bool
 *   N_similar(vector, k, query, out hits)      N_hybrid(vector, k, query, out hits)      with a vector
 *   N_similar_V(…), N_hybrid_V(…)              with several
 *   N_similar_words(vector, k, query, out hits)      what is called where the cell has no vectors
 *
 * A binding is JSON: {"v": 2, "index": N, "op": …, "field": F or V}.
 */
int sc_generate(struct sc_declared *declared, json_t *document, bool vectors);

/* The capability as the cell's schema has it, and what it is in that of an expansion. */
#define SC_VECTORS_DOC "Similarity of vectors: nearest neighbours, exact for few and by a graph (HNSW) for many."
json_t *sc_vectors_capability(bool absent);

#endif
