/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the differential test share. */
#ifndef CELL_TEST_HOT_DIFFERENTIAL_H
#define CELL_TEST_HOT_DIFFERENTIAL_H

#include "core/ast_impl.h"
#include "generate.h"

/* A document that was accepted. */
struct hot_entry {
    struct cell_ast *doc;
    char *json;
    unsigned long number;
    struct hot_random random; /* for its arguments: they depend on nothing but seed and number */
};

struct hot_options {
    unsigned long documents, first, batch, rarely;
    uint64_t seed;
    const char *folder, *compiler, *include, *file;
};

#define HOT_WAYS 4u /* to compile: HOT_WAYS is the first that is none */

/* compile.c. Whether the batch of that index is compiled so. */
bool hot_way_applies(const struct hot_options *o, unsigned way, unsigned long batch);
const char *hot_way_name(unsigned way);
/* Compiles documents into a shared object, whose path it leaves in `object`. Of several at once the sanitizers'
 * findings are traps, which take less to compile than messages. False: it does not compile; the command is in
 * `command`. */
bool hot_compile(const struct hot_options *o, unsigned way, const struct hot_entry *entries, size_t n,
                 unsigned long batch, char *object, size_t object_size, char *command, size_t command_size);
/* The name under which a function can be called: int (void *const *arguments, void *returns). */
void hot_entry_name(const struct hot_entry *one, uint32_t function, char *name, size_t size);

/* statistics.c */
void hot_count_accepted(const struct cell_ast *doc);
void hot_count_refused(const char *reason);
/* Lines "name count"; of proofs "name count proven checked". */
void hot_print_statistics(void);
/* Whether every operation and type occurs in what was accepted, each check is proven sometimes and made sometimes;
 * says what is missing. */
bool hot_statistics_complete(void);

#endif
