/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The store cell's interface: this header is its schema. Comments with three slashes reach the programs that use it. */
#ifndef CELLS_STORE_STORE_H
#define CELLS_STORE_STORE_H

#include <stdbool.h>

#include <cell/serve.h>

/// What an index is at.
enum store_index_state {
    STORE_READY = 0,    ///< It has all records.
    STORE_BUILDING = 1, ///< It is being built; calls that need it fail with CELL_UNAVAILABLE.
    STORE_FAILED = 2    ///< It cannot be built; `problem` says why.
};

/// An index of a collection.
struct store_index {
    cell_str name;        ///< Its fields, with `_` between.
    cell_list_str fields; ///< In their order.
    bool unique;
    enum store_index_state state;
    uint64_t done, all; ///< Records, while it is being built.
    cell_str problem;   ///< Empty unless it has failed.
};
CELL_LIST(store_indexes, struct store_index);

/// A field of a collection's records.
struct store_field {
    cell_str name;
    cell_str type; ///< "i64", "opt<str>", "list<f32>", "u8[16]", "struct".
    bool key;
};
CELL_LIST(store_fields, struct store_field);

/// A collection.
struct store_collection {
    cell_str name;
    store_fields fields;
    store_indexes indexes;
    uint64_t count;           ///< Records.
    uint64_t position;        ///< The number of its last change.
    uint64_t oldest_position; ///< A reader of the feed that has got as far as this, or farther, misses nothing.
    uint64_t feed_bytes;      ///< Of the changes that are kept.
    bool rewriting;           ///< Fields that were dropped are being taken out of its records.
    uint64_t rewritten;       ///< Records for which that is done.
};
CELL_LIST(store_collections_list, struct store_collection);

/// What is in the store.
struct store_contents {
    cell_str identity; ///< 32 hex digits. Positions of a store with another one mean nothing in this.
    store_collections_list collections;
};

/// The collections, and how far work on them has got.
CELL_METHOD CELL_IDEMPOTENT int store_status(cell_ctx *c, struct store_contents *contents);

#endif
