/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The sentences for people: the same in the compiler's errors, at run time and on the command line. */
#include "base/buffer.h"
#include "core/diff_impl.h"

const char *diff_template(enum diff_rule rule)
{
    static const char *const templates[] = {
        [DIFF_FIELD_REMOVED] = "Field '$m' no longer exists in $c",
        [DIFF_FIELD_RENAMED] = "Field '$m' is now '$n' in $c",
        [DIFF_FIELD_RETYPED] = "Field '$m' of '$o' changed its type from '$b' to '$n' in $c",
        [DIFF_FIELD_SIGN_CHANGED] = "Field '$m' of '$o' changed its type from '$b' to '$n' in $c",
        [DIFF_FIELD_BOUND_CHANGED] = "Field '$m' of '$o' changed its type from '$b' to '$n' in $c",
        [DIFF_FIELD_OPTIONALITY_CHANGED] = "Field '$m' of '$o' changed its type from '$b' to '$n' in $c",
        [DIFF_FIELD_CARDINALITY_CHANGED] = "Field '$m' of '$o' changed its type from '$b' to '$n' in $c",
        [DIFF_FIELD_MOVED] = "Field '$m' of '$o' moved from offset $b to $n in $c",
        [DIFF_FIELD_ADDED] = "Field '$m' of '$o' is new in $c",
        [DIFF_TYPE_REMOVED] = "Type '$o' no longer exists in $c",
        [DIFF_TYPE_ADDED] = "Type '$o' is new in $c",
        [DIFF_TYPE_KIND_CHANGED] = "Type '$o' changed from '$b' to '$n' in $c",
        [DIFF_TYPE_SIZE_CHANGED] = "Type '$o' changed its size from $b to $n bytes in $c",
        [DIFF_TYPE_ALIGN_CHANGED] = "Type '$o' changed its alignment from $b to $n bytes in $c",
        [DIFF_ENUM_VALUE_REMOVED] = "Enumerator '$m' no longer exists in $c",
        [DIFF_ENUM_VALUE_RENAMED] = "Enumerator '$m' is now '$n' in $c",
        [DIFF_ENUM_VALUE_CHANGED] = "Enumerator '$m' changed from $b to $n in $c",
        [DIFF_ENUM_VALUE_ADDED] = "Enumerator '$m' of '$o' is new in $c",
        [DIFF_ENUM_TYPE_CHANGED] = "Enum '$o' changed its integer type from '$b' to '$n' in $c",
        [DIFF_RULE_ADDED] = "'$m' of '$o' has a new rule in $c: $n",
        [DIFF_RULE_REMOVED] = "'$m' of '$o' has lost its rule in $c: $b",
        [DIFF_RULE_TIGHTENED] = "The rule of '$m' of '$o' allows less in $c: $n, no longer $b",
        [DIFF_RULE_LOOSENED] = "The rule of '$m' of '$o' allows more in $c: $n, no longer $b",
        [DIFF_RULE_CHANGED] = "The rule of '$m' of '$o' allows other values in $c: $n, no longer $b",
        [DIFF_RULE_SAME] = "The rule of '$m' of '$o' is written in another way in $c: $n, no longer $b",
        [DIFF_METHOD_REMOVED] = "Method '$o' no longer exists in $c",
        [DIFF_METHOD_RENAMED] = "Method '$o' is now '$n' in $c",
        [DIFF_METHOD_ADDED] = "Method '$o' is new in $c",
        [DIFF_PARAM_ADDED] = "Parameter '$m' of '$o' is new in $c",
        [DIFF_PARAM_REMOVED] = "Parameter '$m' of '$o' no longer exists in $c",
        [DIFF_PARAM_RENAMED] = "Parameter '$m' of '$o' is now '$n' in $c",
        [DIFF_PARAM_CHANGED] = "Parameter '$m' of '$o' changed from '$b' to '$n' in $c",
        [DIFF_IDEMPOTENCY_CHANGED] = "Method '$o' changed from $b to $n in $c",
        [DIFF_BINDING_CHANGED] = "The binding of '$o' changed in $c",
        [DIFF_NEEDS_CHANGED] = "Method '$o' needed $b and needs $n now in $c",
        [DIFF_FALLBACK_CHANGED] = "The fallback of '$o' changed from '$b' to '$n' in $c",
        [DIFF_CONSTANT_REMOVED] = "Constant '$o' no longer exists in $c",
        [DIFF_CONSTANT_RENAMED] = "Constant '$o' is now '$n' in $c",
        [DIFF_CONSTANT_RETYPED] = "Constant '$o' changed its type from '$b' to '$n' in $c",
        [DIFF_CONSTANT_CHANGED] = "Constant '$o' changed from $b to $n in $c",
        [DIFF_CONSTANT_ADDED] = "Constant '$o' is new in $c",
        [DIFF_CAPABILITY_REMOVED] = "Capability '$o' no longer exists in $c",
        [DIFF_CAPABILITY_LOST] = "$c no longer has '$o'",
        [DIFF_CAPABILITY_GAINED] = "$c has '$o' now",
        [DIFF_CAPABILITY_ADDED] = "Capability '$o' is new in $c",
        [DIFF_CAPABILITY_PARAM_REMOVED] = "Parameter '$m' of '$o' no longer exists in $c",
        [DIFF_CAPABILITY_PARAM_CHANGED] = "Parameter '$m' of '$o' changed from '$b' to '$n' in $c",
        [DIFF_CAPABILITY_PARAM_ADDED] = "Parameter '$m' of '$o' is new in $c",
        [DIFF_FUNCTION_REMOVED] = "Function '$o' no longer exists in $c",
        [DIFF_FUNCTION_RENAMED] = "Function '$o' is now '$n' in $c",
        [DIFF_FUNCTION_RETYPED] = "Function '$o' changed from '$b' to '$n' in $c",
        [DIFF_FUNCTION_LOGIC_CHANGED] = "The logic of '$o' changed in $c",
        [DIFF_FUNCTION_ADDED] = "Function '$o' is new in $c",
    };
    return templates[rule];
}

char *diff_sentence(struct cell_arena *arena, const char *sentence, const struct diff_change *c, const char *cell)
{
    struct cell_buffer b = {0};
    for (const char *p = sentence; *p; p++) {
        const char *text = NULL;
        if (*p != '$') {
            cell_buffer_append(&b, p, 1);
            continue;
        }
        switch (*++p) {
        case 'o':
            text = c->owner;
            break;
        case 'm':
            text = c->member;
            break;
        case 'b':
            text = c->before;
            break;
        case 'n':
            text = c->now;
            break;
        default:
            text = cell;
        }
        cell_buffer_puts(&b, text ? text : "?");
    }
    char *copy = cell_buffer_ok(&b) ? cell_arena_copy(arena, b.data, b.len) : NULL;
    cell_buffer_free(&b);
    return copy;
}
