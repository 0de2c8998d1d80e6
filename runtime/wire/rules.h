/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules on what goes in: the same check for a request that is about to be sent and for one that has arrived, on the C
 * structs of either side. */
#ifndef CELL_WIRE_RULES_H
#define CELL_WIRE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cell/desc.h"

/* True when the whole text matches. Linear in its length. */
bool cell_pattern_matches(const struct cell_pattern *p, const void *text, size_t len);

/* Unicode characters of a text that is UTF-8. */
size_t cell_utf8_length(const char *text, size_t len);

/*
 * Checks the rules of all fields of a request struct at `in`, and of what those are made of. Text need not be UTF-8,
 * and what a field refers to may be NULL: encoding says that; such values are passed over here. CELL_INVALID_ARGUMENT
 * with "PATH must be 1 to 5, not 7", or the rule's own message, behind "PATH: " when it is not one of the fields
 * itself.
 */
int cell_rules_check(const struct cell_field *fields, uint32_t n, const void *in, struct cell_error *e);
/* The same for `n` records of a stream, one after the other. *good (NULL is accepted) becomes the number of those
 * before the first that breaks a rule. */
int cell_rules_check_records(const struct cell_field *stream, const void *records, uint64_t n, uint64_t *good,
                             struct cell_error *e);

/* Whether no value of its type is below `low`, above `high`. */
void cell_rule_open_ends(const struct cell_rule *rule, uint32_t kind, bool *no_low, bool *no_high);

/* What a rule says of a value of a type: "must be at least 1"; without what is wrong with a value. `kind` is that of
 * the value itself: of lists for their lengths. Cut when it is too long. */
#define CELL_RULE_TEXT 144u
void cell_rule_says(const struct cell_rule *rule, uint32_t kind, char text[CELL_RULE_TEXT]);

#endif
