/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the diff share. Internal to core/diff*.c. */
#ifndef CELL_CORE_DIFF_IMPL_H
#define CELL_CORE_DIFF_IMPL_H

#include "core/diff.h"

#define DIFF_NONE UINT32_MAX /* no counterpart */
#define DIFF_TEXT 192u       /* bytes for the text of a type use or a number */

struct diff_work {
    struct cell_diff *diff;
    const struct cell_schema *before, *after;
    const char *cell;            /* "Auth Cell" */
    struct diff_change *changes; /* malloc'ed while it grows */
    uint32_t capacity;
    struct cell_arena scratch; /* reset for each owner */
    struct cell_arena lasting; /* until the end of the comparison */
    bool failed;               /* memory was short */
};

/* Appends a change of `rule`: strings are copied, breaks and sentence are those of the rule. `texts` holds owner,
 * member, before and now. */
void diff_add(struct diff_work *w, enum diff_rule rule, const struct diff_change *texts);
/* The same for an occurrence that breaks something else or needs another sentence (NULL = the rule's). */
void diff_add_as(struct diff_work *w, enum diff_rule rule, unsigned breaks, const char *sentence,
                 const struct diff_change *texts);

/* diff_match.c: which entry became which: to[i] for each old one, from[j] for each new one, DIFF_NONE without. */
struct diff_match {
    uint32_t *to, *from;
};
struct diff_list {
    const void *entries; /* each begins with its name */
    uint32_t n;
    size_t size; /* of one */
};
struct diff_lists {
    struct diff_list before, after;
    size_t former;                                   /* where an entry has its former name */
    bool (*alike)(const void *old, const void *now); /* could have been renamed to each other; NULL = names only */
};
/* False when memory is short. The result lives in `arena`. */
bool diff_match_entries(struct diff_work *w, struct cell_arena *arena, const struct diff_lists *l,
                        struct diff_match *m);
#define DIFF_LISTS(T, before_entries, nbefore, after_entries, nafter, may_be)                                          \
    &(const struct diff_lists)                                                                                         \
    {                                                                                                                  \
        {before_entries, nbefore, sizeof(T)}, {after_entries, nafter, sizeof(T)}, offsetof(T, renamed_from), may_be    \
    }

/* The rule that fits how a field's type changed. */
enum diff_rule diff_retyped_rule(const struct schema_ref *before, const struct schema_ref *after);

/* Of two parameters. */
bool diff_same_shape(const struct schema_field *a, const struct schema_field *b);
bool diff_same_ref(const struct schema_ref *a, const struct schema_ref *b);
/* True for a fixed array in place whose elements have the same type in another size: all but the first moved. */
bool diff_elements_moved(const struct schema_ref *before, const struct schema_ref *after);

/* diff_rules.c: of a field, or of a parameter. */
void diff_rules(struct diff_work *w, const char *owner, const struct schema_field *before,
                const struct schema_field *after);

void diff_type(struct diff_work *w, const struct schema_type *before, const struct schema_type *after);
void diff_method(struct diff_work *w, const struct schema_method *before, const struct schema_method *after);
/* diff_capabilities.c: those of the old schema, those that are new, and what a method needs of them. */
void diff_capabilities(struct diff_work *w);
void diff_new_capabilities(struct diff_work *w);
void diff_needs(struct diff_work *w, const struct schema_method *before, const struct schema_method *after);

/* Marks in seen[s->ntypes], which is false, the types that the method's parameters reach. `list` has room for all. */
void diff_reach(const struct cell_schema *s, const struct schema_method *m, bool *seen, uint32_t *list);
/* Whether a change that breaks the wire is one of the method or of a type that it reaches. */
bool diff_concerns(const struct cell_schema *before, const bool *seen, const char *method, const char *owner);

/* The default sentence of a rule, and its expansion: $o owner, $m member, $b before, $n now, $c cell. */
const char *diff_template(enum diff_rule rule);
char *diff_sentence(struct cell_arena *arena, const char *sentence, const struct diff_change *c, const char *cell);

#endif
