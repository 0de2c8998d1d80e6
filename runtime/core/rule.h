/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The rules of fields and parameters that are carried out: {"rule": "range", "args": [LOW, HIGH]}, "length", "pattern",
 * "rule". Rules of any other name are kept, and mean something to the cell alone.
 */
#ifndef CELL_CORE_RULE_H
#define CELL_CORE_RULE_H

#include "core/pattern.h"
#include "core/schema.h"

#define CELL_RULE_MAX_MESSAGE 200u /* bytes */
#define CELL_RULE_MOST 8u          /* that are carried out, of one field */

/* Of the kinds in cell/desc.h only the part that the name tells: SIGNED stands for all ranges. END: no such rule. */
enum cell_rule_kind cell_rule_named(const char *name);
/* How many arguments such a rule takes. */
uint32_t cell_rule_arguments(enum cell_rule_kind kind);

/* Why a rule is refused. */
struct rule_mistake {
    int argument; /* that is wrong; -1 = the rule as such */
    bool has_at;  /* of a pattern: at this byte of the argument */
    size_t at;
    char text[192];
};

/* What a rule on a field of type `use` checks. The pattern lives in `arena`; steps as in cell_pattern_compile.
 * CELL_INVALID_ARGUMENT: *wrong says why; CELL_NO_MEMORY. `rule` must be of a kind that is carried out. */
int cell_rule_read(const struct schema_rule *rule, const struct schema_ref *use, struct cell_arena *arena,
                   uint64_t *steps, struct cell_rule *meaning, struct rule_mistake *wrong);

/* All of a field, without END behind them: *n of CELL_RULE_MOST. *which is the rule that is wrong. */
int cell_rule_read_all(const struct schema_field *f, struct cell_arena *arena, uint64_t *steps,
                       struct cell_rule meanings[CELL_RULE_MOST], uint32_t *n, uint32_t *which,
                       struct rule_mistake *wrong);

/* The type that values have of which a rule of that kind speaks: of an optional the one inside; of arrays and lists
 * that of elements, but for lengths of lists. */
uint32_t cell_rule_value_kind(const struct schema_ref *use, enum cell_rule_kind kind);

/* The type of which a function must be that is given the values of a field: of an optional, an array or a list that of
 * what is in it. */
struct schema_ref cell_rule_value_type(const struct schema_ref *use);
/* Whether what programs know of a function (its signature) is that it takes one such value and returns a bool. */
bool cell_rule_takes(const struct schema_function *f, const struct schema_ref *value);
/* The function that the field's values are given to; NULL = none. */
const char *cell_rule_function_of(const struct schema_field *f);

/* Sets `ruled` of fields, given that of the types they use; true when one of them is. */
bool cell_rule_mark(struct schema_field *fields, uint32_t n);

/* How the values that `now` lets through lie to those of `before`. CELL_NO_MEMORY. */
int cell_rule_compare(const struct cell_rule *now, const struct cell_rule *before, enum pattern_relation *relation);

#endif
