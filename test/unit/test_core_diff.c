/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every rule of the diff, what it breaks, and its sentence. */
#include "test.h"

#include "core/diff.h"
#include "schema_build.h"

/* "FIELD_NO_DELETE SWA Field 'email' no longer exists in Auth Cell\n"; S, W, A: what it breaks, - nothing. */
static char *describe(const struct cell_diff *d)
{
    struct cell_buffer b = {0};
    unsigned all = 0;
    cell_buffer_puts(&b, "");
    for (uint32_t i = 0; i < d->n; i++) {
        const struct diff_change *c = &d->changes[i];
        cell_buffer_printf(&b, "%s %s%s%s%s %s\n", c->id, c->breaks & DIFF_SOURCE ? "S" : "",
                           c->breaks & DIFF_WIRE ? "W" : "", c->breaks & DIFF_ABI ? "A" : "", c->breaks ? "" : "-",
                           c->sentence);
        all |= c->breaks;
    }
    CHECK(all == d->breaks);
    return b.data;
}

static struct cell_diff *diff_of(const char *before, const char *after)
{
    struct cell_schema *old = build_schema(before), *now = build_schema(after);
    struct cell_diff *d = NULL;
    if (cell_diff_new(old, now, &d, NULL) < 0)
        exit(2);
    cell_schema_free(old); /* the diff must not need them */
    cell_schema_free(now);
    return d;
}

#define CHECK_DIFF(before, after, expected)                                                                            \
    do {                                                                                                               \
        struct cell_diff *d_ = diff_of(before, after);                                                                 \
        char *found_ = describe(d_);                                                                                   \
        CHECK_STR(found_, expected);                                                                                   \
        free(found_);                                                                                                  \
        cell_diff_free(d_);                                                                                            \
    } while (0)

#define SESSION "struct auth_session str:email u64:expires ;"

TEST(equal_schemas_have_no_difference)
{
    static const char text[] = "enum auth_role i32 AUTH_USER=0 ; " SESSION " const AUTH_MAX i64 3 ;"
                               "method auth_login str:email >auth_session*:out ;";
    CHECK_DIFF(text, text, "");
    CHECK_DIFF("", "", "");
}

TEST(field_that_is_gone_breaks_everything_wherever_it_stood)
{
    CHECK_DIFF(SESSION, "struct auth_session str:email ;",
               "FIELD_NO_DELETE SWA Field 'expires' no longer exists in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_session' changed its size from 24 to 16 bytes in Auth Cell\n");
    CHECK_DIFF(SESSION, "struct auth_session u64:expires ;",
               "FIELD_NO_DELETE SWA Field 'email' no longer exists in Auth Cell\n"
               "FIELD_SAME_OFFSET WA Field 'expires' of 'auth_session' moved from offset 16 to 0 in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_session' changed its size from 24 to 8 bytes in Auth Cell\n");
}

TEST(renamed_field_breaks_only_the_source)
{
    CHECK_DIFF("struct auth_session str:mail ;", "struct auth_session str:email<mail ;",
               "FIELD_SAME_NAME S Field 'mail' is now 'email' in Auth Cell\n");
    struct cell_diff *d = diff_of("struct auth_session str:mail ;", "struct auth_session str:email<mail ;");
    CHECK_STR(d->changes[0].owner, "auth_session");
    CHECK_STR(d->changes[0].member, "mail");
    CHECK_STR(d->changes[0].now, "email");
    CHECK(d->changes[0].rule == DIFF_FIELD_RENAMED);
    cell_diff_free(d);
}

TEST(renamed_field_may_have_changed_as_well)
{
    CHECK_DIFF("struct auth_session u8:flag u32:at ;", "struct auth_session u8:flag u64:until<at ;",
               "FIELD_SAME_NAME S Field 'at' is now 'until' in Auth Cell\n"
               "FIELD_SAME_TYPE SWA Field 'at' of 'auth_session' changed its type from 'u32' to 'u64' in Auth Cell\n"
               "FIELD_SAME_OFFSET WA Field 'at' of 'auth_session' moved from offset 4 to 8 in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_session' changed its size from 8 to 16 bytes in Auth Cell\n"
               "TYPE_SAME_ALIGNMENT A Type 'auth_session' changed its alignment from 4 to 8 bytes in Auth Cell\n");
}

TEST(a_name_that_stayed_is_no_rename)
{
    /* Both names existed: the one is gone, the other is what it was. */
    CHECK_DIFF("struct auth_session u32:mail u32:email ;", "struct auth_session u32:pad u32:email<mail ;",
               "FIELD_NO_DELETE SWA Field 'mail' no longer exists in Auth Cell\n"
               "FIELD_ADDED - Field 'pad' of 'auth_session' is new in Auth Cell\n");
    /* The former name of long ago says nothing. */
    CHECK_DIFF("struct auth_session u32:email<mail ;", "struct auth_session u32:email<mail ;", "");
    /* Without saying so it is another field, also in the same place. */
    CHECK_DIFF("struct auth_session u32:mail ;", "struct auth_session u32:email ;",
               "FIELD_NO_DELETE SWA Field 'mail' no longer exists in Auth Cell\n"
               "FIELD_ADDED - Field 'email' of 'auth_session' is new in Auth Cell\n");
}

TEST(a_cell_that_went_back_renames_back)
{
    CHECK_DIFF("struct auth_session u32:email<mail ;", "struct auth_session u32:mail ;",
               "FIELD_SAME_NAME S Field 'email' is now 'mail' in Auth Cell\n");
    CHECK_DIFF("struct auth_session u32:email<mail ;", "struct auth_session i32:mail ;",
               "FIELD_NO_DELETE SWA Field 'email' no longer exists in Auth Cell\n"
               "FIELD_ADDED - Field 'mail' of 'auth_session' is new in Auth Cell\n");
}

TEST(field_of_another_type_breaks_everything_however_alike)
{
    static const char *const types[][3] = {{"i32", "u32", "FIELD_SAME_SIGNEDNESS"},
                                           {"u8", "i8", "FIELD_SAME_SIGNEDNESS"},
                                           {"u8[4]", "i8[4]", "FIELD_SAME_SIGNEDNESS"},
                                           {"list<i32>", "list<u32>", "FIELD_SAME_SIGNEDNESS"},
                                           {"opt<i8>", "opt<u8>", "FIELD_SAME_SIGNEDNESS"},
                                           {"u8[4]", "u8[5]", "FIELD_SAME_ARRAY_BOUND"},
                                           {"auth_a[4]", "auth_a[2]", "FIELD_SAME_ARRAY_BOUND"},
                                           {"u32", "opt<u32>", "FIELD_SAME_OPTIONALITY"},
                                           {"opt<str>", "str", "FIELD_SAME_OPTIONALITY"},
                                           {"auth_a", "auth_maybe", "FIELD_SAME_OPTIONALITY"},
                                           {"auth_maybe", "auth_a", "FIELD_SAME_OPTIONALITY"},
                                           {"u32", "u32[1]", "FIELD_SAME_CARDINALITY"},
                                           {"u32", "list<u32>", "FIELD_SAME_CARDINALITY"},
                                           {"list<u32>", "u32[3]", "FIELD_SAME_CARDINALITY"},
                                           {"auth_a", "auth_many", "FIELD_SAME_CARDINALITY"},
                                           {"auth_many", "auth_maybe", "FIELD_SAME_CARDINALITY"},
                                           {"opt<u8>", "list<u8>", "FIELD_SAME_CARDINALITY"},
                                           {"str", "bytes", "FIELD_SAME_TYPE"},
                                           {"i64", "f64", "FIELD_SAME_TYPE"},
                                           {"u32", "f32", "FIELD_SAME_TYPE"},
                                           {"u32", "i64", "FIELD_SAME_TYPE"},
                                           {"u8[4]", "i8[5]", "FIELD_SAME_TYPE"},
                                           {"opt<u8>", "opt<u16>", "FIELD_SAME_TYPE"},
                                           {"opt<u8>", "list<i8>", "FIELD_SAME_TYPE"},
                                           {"u8", "opt<u16>", "FIELD_SAME_TYPE"},
                                           {"str", "list<u8>", "FIELD_SAME_TYPE"},
                                           {"bool", "u8", "FIELD_SAME_TYPE"},
                                           {"auth_a", "auth_b", "FIELD_SAME_TYPE"},
                                           {"i32", "auth_a", "FIELD_SAME_TYPE"}};
    static const char format[] = "enum auth_a i32 A=0 ; enum auth_b i32 B=0 ; opt auth_maybe auth_a ;"
                                 "list auth_many auth_a ; struct auth_s %s:f ;";
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char before[256], after[256], wanted[256];
        snprintf(before, sizeof(before), format, types[i][0]);
        snprintf(after, sizeof(after), format, types[i][1]);
        snprintf(wanted, sizeof(wanted),
                 "%s SWA Field 'f' of 'auth_s' changed its type from '%s' to '%s' in Auth Cell\n", types[i][2],
                 types[i][0], types[i][1]);
        struct cell_diff *d = diff_of(before, after);
        char *found = describe(d);
        found[strlen(found) < strlen(wanted) ? strlen(found) : strlen(wanted)] =
            '\0'; /* not what it does to the size */
        CHECK_STR(found, wanted);
        CHECK(diff_rule_retyped(d->changes[0].rule));
        CHECK_STR(d->changes[0].before, types[i][0]);
        CHECK_STR(d->changes[0].now, types[i][1]);
        free(found);
        cell_diff_free(d);
    }
}

TEST(moved_field_breaks_wire_and_abi)
{
    CHECK_DIFF("struct auth_s u32:a u32:b ;", "struct auth_s u32:b u32:a ;",
               "FIELD_SAME_OFFSET WA Field 'a' of 'auth_s' moved from offset 0 to 4 in Auth Cell\n"
               "FIELD_SAME_OFFSET WA Field 'b' of 'auth_s' moved from offset 4 to 0 in Auth Cell\n");
}

TEST(appended_field_is_compatible_on_the_wire)
{
    CHECK_DIFF(SESSION, "struct auth_session str:email u64:expires u32:device ;",
               "FIELD_ADDED - Field 'device' of 'auth_session' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_session' changed its size from 24 to 32 bytes in Auth Cell\n");
    /* In padding, at the end and in the middle, not even the size changes. */
    CHECK_DIFF("struct auth_s u8:a u64:b u8:c ;", "struct auth_s u8:a u8:x u64:b u8:c u32:y ;",
               "FIELD_ADDED - Field 'x' of 'auth_s' is new in Auth Cell\n"
               "FIELD_ADDED - Field 'y' of 'auth_s' is new in Auth Cell\n");
}

TEST(inserted_field_moves_those_behind_it)
{
    CHECK_DIFF("struct auth_s u32:a u32:b ;", "struct auth_s u32:a u32:x u32:b ;",
               "FIELD_SAME_OFFSET WA Field 'b' of 'auth_s' moved from offset 4 to 8 in Auth Cell\n"
               "FIELD_ADDED - Field 'x' of 'auth_s' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_s' changed its size from 8 to 12 bytes in Auth Cell\n");
}

TEST(struct_that_grows_inside_another_moves_what_follows_it)
{
#define OUTER(inner) "struct auth_in " inner " ; struct auth_out auth_in:in u32:after ;"
    CHECK_DIFF(OUTER("u32:a"), OUTER("u32:a u32:b"),
               "FIELD_ADDED - Field 'b' of 'auth_in' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_in' changed its size from 4 to 8 bytes in Auth Cell\n"
               "FIELD_SAME_OFFSET WA Field 'after' of 'auth_out' moved from offset 4 to 8 in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_out' changed its size from 8 to 12 bytes in Auth Cell\n");
#undef OUTER
    /* At the end it may grow. */
    CHECK_DIFF("struct auth_in u32:a ; struct auth_out u32:before auth_in:in ;",
               "struct auth_in u32:a u32:b ; struct auth_out u32:before auth_in:in ;",
               "FIELD_ADDED - Field 'b' of 'auth_in' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_in' changed its size from 4 to 8 bytes in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_out' changed its size from 8 to 12 bytes in Auth Cell\n");
}

TEST(elements_of_an_array_in_place_may_not_grow)
{
    CHECK_DIFF("struct auth_in u32:a ; struct auth_out auth_in[2]:two ;",
               "struct auth_in u32:a u32:b ; struct auth_out auth_in[2]:two ;",
               "FIELD_ADDED - Field 'b' of 'auth_in' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_in' changed its size from 4 to 8 bytes in Auth Cell\n"
               "FIELD_SAME_OFFSET WA Elements of field 'two' of 'auth_out' moved from 4 to 8 bytes apart in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_out' changed its size from 8 to 16 bytes in Auth Cell\n");
    CHECK_DIFF("struct auth_in u32:a ; struct auth_out auth_in[1]:one ;",
               "struct auth_in u32:a u32:b ; struct auth_out auth_in[1]:one ;",
               "FIELD_ADDED - Field 'b' of 'auth_in' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_in' changed its size from 4 to 8 bytes in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_out' changed its size from 4 to 8 bytes in Auth Cell\n");
}

TEST(value_of_an_optional_moves_with_its_alignment)
{
    CHECK_DIFF("struct auth_in u32:a ; opt auth_opt auth_in ;", "struct auth_in u32:a u64:b ; opt auth_opt auth_in ;",
               "FIELD_ADDED - Field 'b' of 'auth_in' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_in' changed its size from 4 to 16 bytes in Auth Cell\n"
               "TYPE_SAME_ALIGNMENT A Type 'auth_in' changed its alignment from 4 to 8 bytes in Auth Cell\n"
               "FIELD_SAME_OFFSET WA Field 'value' of 'auth_opt' moved from offset 4 to 8 in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_opt' changed its size from 8 to 24 bytes in Auth Cell\n"
               "TYPE_SAME_ALIGNMENT A Type 'auth_opt' changed its alignment from 4 to 8 bytes in Auth Cell\n");
    CHECK_DIFF("struct auth_in u32:a ; list auth_list auth_in ;",
               "struct auth_in u32:a u64:b ; list auth_list auth_in ;",
               "FIELD_ADDED - Field 'b' of 'auth_in' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_in' changed its size from 4 to 16 bytes in Auth Cell\n"
               "TYPE_SAME_ALIGNMENT A Type 'auth_in' changed its alignment from 4 to 8 bytes in Auth Cell\n");
}

TEST(types_come_and_go)
{
    CHECK_DIFF("struct auth_a u8:x ; struct auth_b u8:x ;", "struct auth_b u8:x ; struct auth_c u8:x ;",
               "TYPE_NO_DELETE S Type 'auth_a' no longer exists in Auth Cell\n"
               "TYPE_ADDED - Type 'auth_c' is new in Auth Cell\n");
}

TEST(type_of_another_kind_breaks_everything)
{
    CHECK_DIFF("struct auth_t u32:x ;", "enum auth_t u32 X=0 ;",
               "TYPE_SAME_KIND SWA Type 'auth_t' changed from 'struct' to 'enum' in Auth Cell\n");
    CHECK_DIFF("list auth_t i32 ;", "list auth_t i64 ;",
               "TYPE_SAME_KIND SWA Type 'auth_t' changed from 'list<i32>' to 'list<i64>' in Auth Cell\n");
    CHECK_DIFF("struct auth_s u8:x ; list auth_t auth_s ;", "struct auth_s u8:x ; opt auth_t auth_s ;",
               "TYPE_SAME_KIND SWA Type 'auth_t' changed from 'list<auth_s>' to 'opt<auth_s>' in Auth Cell\n");
}

TEST(enumerators)
{
    CHECK_DIFF("enum auth_role i32 AUTH_USER=0 AUTH_ADMIN=1 AUTH_GUEST=2 ;",
               "enum auth_role i32 AUTH_USER=0 AUTH_ADMIN=-7 AUTH_ROOT=3 ;",
               "ENUM_VALUE_SAME_NUMBER WA Enumerator 'AUTH_ADMIN' changed from 1 to -7 in Auth Cell\n"
               "ENUM_VALUE_NO_DELETE S Enumerator 'AUTH_GUEST' no longer exists in Auth Cell\n"
               "ENUM_VALUE_ADDED - Enumerator 'AUTH_ROOT' of 'auth_role' is new in Auth Cell\n");
    CHECK_DIFF(
        "enum auth_role i32 AUTH_USER=0 ;", "enum auth_role u8 AUTH_USER=0 ;",
        "ENUM_SAME_UNDERLYING_TYPE WA Enum 'auth_role' changed its integer type from 'i32' to 'u8' in Auth Cell\n");
}

TEST(methods_come_and_go)
{
    CHECK_DIFF("method auth_a ; method auth_b ;", "method auth_b ; method auth_c ;",
               "RPC_NO_DELETE SW Method 'auth_a' no longer exists in Auth Cell\n"
               "RPC_ADDED - Method 'auth_c' is new in Auth Cell\n");
    CHECK_DIFF("method auth_a ;", "method! auth_a ;",
               "RPC_SAME_IDEMPOTENCY_LEVEL - Method 'auth_a' changed from not idempotent to idempotent in Auth Cell\n");
}

TEST(parameters_come_and_go)
{
    CHECK_DIFF("method auth_a str:x u8:y ;", "method auth_a str:x ;",
               "RPC_PARAM_NO_DELETE SW Parameter 'y' of 'auth_a' no longer exists in Auth Cell\n");
    CHECK_DIFF("method auth_a str:x ;", "method auth_a u8:y str:x ;",
               "RPC_PARAM_ADDED SW Parameter 'y' of 'auth_a' is new in Auth Cell\n");
}

TEST(parameter_of_another_type_or_direction)
{
    CHECK_DIFF(
        "struct auth_s u8:f ; method auth_a i32:x auth_s:y auth_s*:z ;",
        "struct auth_s u8:f ; method auth_a i64:x auth_s*:y >auth_s*:z ;",
        "RPC_SAME_PARAM_TYPE SW Parameter 'x' of 'auth_a' changed from 'i32' to 'i64' in Auth Cell\n"
        "RPC_SAME_PARAM_TYPE SW Parameter 'y' of 'auth_a' changed from 'auth_s' to 'auth_s *' in Auth Cell\n"
        "RPC_SAME_PARAM_TYPE SW Parameter 'z' of 'auth_a' changed from 'auth_s *' to 'out auth_s *' in Auth Cell\n");
    CHECK_DIFF("method auth_a u8[4]*:x ;", "method auth_a u8[8]*:x ;",
               "RPC_SAME_PARAM_TYPE SW Parameter 'x' of 'auth_a' changed from 'u8[4]' to 'u8[8]' in Auth Cell\n");
}

TEST(renamed_parameter_is_the_same_for_a_caller)
{
    CHECK_DIFF("method auth_a str:x u8:y ;", "method auth_a str:email u8:y ;",
               "RPC_SAME_PARAM_NAME - Parameter 'x' of 'auth_a' is now 'email' in Auth Cell\n");
    CHECK_DIFF("method auth_a str:x u8:y ;", "method auth_a str:y u8:x ;",
               "RPC_SAME_PARAM_TYPE SW Parameter 'x' of 'auth_a' changed from 'str' to 'u8' in Auth Cell\n"
               "RPC_SAME_PARAM_TYPE SW Parameter 'y' of 'auth_a' changed from 'u8' to 'str' in Auth Cell\n");
}

TEST(order_of_parameters)
{
    CHECK_DIFF("method auth_a str:x str:y ;", "method auth_a str:y str:x ;",
               "RPC_SAME_PARAM_TYPE SW Parameter 'x' of 'auth_a' has another place in Auth Cell\n"
               "RPC_SAME_PARAM_TYPE SW Parameter 'y' of 'auth_a' has another place in Auth Cell\n");
    /* Ins and outs travel apart: only the prototype differs. */
    CHECK_DIFF("struct auth_s u8:f ; method auth_a >auth_s*:out str:x ;",
               "struct auth_s u8:f ; method auth_a str:x >auth_s*:out ;",
               "RPC_SAME_PARAM_TYPE S Parameter 'out' of 'auth_a' has another place in Auth Cell\n"
               "RPC_SAME_PARAM_TYPE S Parameter 'x' of 'auth_a' has another place in Auth Cell\n");
}

TEST(parameter_between_two_that_changed_places_stayed)
{
    CHECK_DIFF("method auth_a str:x str:y str:z ;", "method auth_a str:z str:y str:x ;",
               "RPC_SAME_PARAM_TYPE SW Parameter 'x' of 'auth_a' has another place in Auth Cell\n"
               "RPC_SAME_PARAM_TYPE SW Parameter 'z' of 'auth_a' has another place in Auth Cell\n");
}

TEST(parameter_by_value_that_grows_moves_those_behind_it)
{
    CHECK_DIFF(
        "struct auth_s u32:f ; method auth_a auth_s:x u32:y ;",
        "struct auth_s u32:f u32:g ; method auth_a auth_s:x u32:y ;",
        "FIELD_ADDED - Field 'g' of 'auth_s' is new in Auth Cell\n"
        "TYPE_SAME_SIZE A Type 'auth_s' changed its size from 4 to 8 bytes in Auth Cell\n"
        "RPC_SAME_PARAM_TYPE W Parameter 'y' of 'auth_a' moved from offset 4 to 8 of the request in Auth Cell\n");
    CHECK_DIFF("struct auth_s u32:f ; method auth_a auth_s*:x u32:y auth_s:z ;",
               "struct auth_s u32:f u32:g ; method auth_a auth_s*:x u32:y auth_s:z ;",
               "FIELD_ADDED - Field 'g' of 'auth_s' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_s' changed its size from 4 to 8 bytes in Auth Cell\n");
}

TEST(streams_of_methods)
{
    CHECK_DIFF("method auth_m i32:a ;", "method auth_m i32:a >i64+:out ;",
               "RPC_PARAM_ADDED SW Stream 'out' of 'auth_m' is new in Auth Cell\n");
    CHECK_DIFF("method auth_m i64+:in i32:a ;", "method auth_m i32:a ;",
               "RPC_PARAM_NO_DELETE SW Stream 'in' of 'auth_m' no longer exists in Auth Cell\n");
    CHECK_DIFF("method auth_m i64+:s ;", "method auth_m >i64+:s ;",
               "RPC_SAME_PARAM_TYPE SW Stream 's' of 'auth_m' changed its direction from client to server to server to "
               "client in Auth Cell\n");
    CHECK_DIFF(
        "struct auth_e i32:a ; method auth_m >i64+:s ;", "struct auth_e i32:a ; method auth_m >auth_e+:s ;",
        "RPC_SAME_PARAM_TYPE SW Records of stream 's' of 'auth_m' changed from 'i64' to 'auth_e' in Auth Cell\n");
    /* Its name and its place are the author's affair. */
    CHECK_DIFF("method auth_m >i64+:s i32:a ;", "method auth_m i32:a >i64+:t ;",
               "RPC_SAME_PARAM_NAME - Parameter 's' of 'auth_m' is now 't' in Auth Cell\n");
    /* It is never the parameter of the same name and type. */
    CHECK_DIFF("method auth_m i64:s ;", "method auth_m i64+:s ;",
               "RPC_PARAM_NO_DELETE SW Parameter 's' of 'auth_m' no longer exists in Auth Cell\n"
               "RPC_PARAM_ADDED SW Stream 's' of 'auth_m' is new in Auth Cell\n");
    CHECK_DIFF("struct auth_e i32:a ; method auth_m >auth_e+:s ;",
               "struct auth_e i32:a i32:b ; method auth_m >auth_e+:s ;",
               "FIELD_ADDED - Field 'b' of 'auth_e' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_e' changed its size from 4 to 8 bytes in Auth Cell\n");
}

TEST(constants)
{
    CHECK_DIFF("const AUTH_A i64 1 ; const AUTH_B i64 2 ; const AUTH_C i64 3 ;",
               "const AUTH_B i64 20 ; const AUTH_C u8 3 ; const AUTH_D i64 4 ;",
               "CONSTANT_NO_DELETE S Constant 'AUTH_A' no longer exists in Auth Cell\n"
               "CONSTANT_SAME_VALUE S Constant 'AUTH_B' changed from 2 to 20 in Auth Cell\n"
               "CONSTANT_SAME_TYPE S Constant 'AUTH_C' changed its type from 'i64' to 'u8' in Auth Cell\n"
               "CONSTANT_ADDED - Constant 'AUTH_D' is new in Auth Cell\n");
}

TEST(renamed_methods_constants_and_enumerators_break_only_the_source)
{
    CHECK_DIFF(
        "enum auth_r i32 R_ROOT=1 ; const AUTH_LIMIT i64 3 ; method auth_signin str:x ;",
        "enum auth_r i32 R_ADMIN=1<R_ROOT ; const AUTH_MAX<AUTH_LIMIT i64 3 ; method auth_login<auth_signin str:x ;",
        "ENUM_VALUE_SAME_NAME S Enumerator 'R_ROOT' is now 'R_ADMIN' in Auth Cell\n"
        "CONSTANT_SAME_NAME S Constant 'AUTH_LIMIT' is now 'AUTH_MAX' in Auth Cell\n"
        "RPC_SAME_NAME S Method 'auth_signin' is now 'auth_login' in Auth Cell\n");
    /* what else changed in them is said too */
    CHECK_DIFF(
        "enum auth_r i32 R_ROOT=1 ; const AUTH_LIMIT i64 3 ; method auth_signin str:x ;",
        "enum auth_r i32 R_ADMIN=2<R_ROOT ; const AUTH_MAX<AUTH_LIMIT i64 4 ; method auth_login<auth_signin u8:x ;",
        "ENUM_VALUE_SAME_NAME S Enumerator 'R_ROOT' is now 'R_ADMIN' in Auth Cell\n"
        "ENUM_VALUE_SAME_NUMBER WA Enumerator 'R_ROOT' changed from 1 to 2 in Auth Cell\n"
        "CONSTANT_SAME_NAME S Constant 'AUTH_LIMIT' is now 'AUTH_MAX' in Auth Cell\n"
        "CONSTANT_SAME_VALUE S Constant 'AUTH_LIMIT' changed from 3 to 4 in Auth Cell\n"
        "RPC_SAME_NAME S Method 'auth_signin' is now 'auth_login' in Auth Cell\n"
        "RPC_SAME_PARAM_TYPE SW Parameter 'x' of 'auth_signin' changed from 'str' to 'u8' in Auth Cell\n");
}

TEST(former_name_that_still_exists_is_no_rename)
{
    CHECK_DIFF("const AUTH_A i64 1 ; method auth_a ;",
               "const AUTH_A i64 1 ; const AUTH_B<AUTH_A i64 1 ; method auth_a ; method auth_b<auth_a ;",
               "CONSTANT_ADDED - Constant 'AUTH_B' is new in Auth Cell\n"
               "RPC_ADDED - Method 'auth_b' is new in Auth Cell\n");
    CHECK_DIFF("method auth_a ;", "method auth_b<auth_a ; method auth_c<auth_a ;",
               "RPC_SAME_NAME S Method 'auth_a' is now 'auth_b' in Auth Cell\n"
               "RPC_ADDED - Method 'auth_c' is new in Auth Cell\n");
}

/* An older server has not heard of the newer name, so that this breaks the wire. */
TEST(cell_that_went_back_gives_the_former_names_back)
{
    CHECK_DIFF(
        "enum auth_r i32 R_ADMIN=1<R_ROOT ; const AUTH_MAX<AUTH_LIMIT i64 3 ; method auth_login<auth_signin str:x ;",
        "enum auth_r i32 R_ROOT=1 ; const AUTH_LIMIT i64 3 ; method auth_signin str:x ;",
        "ENUM_VALUE_SAME_NAME S Enumerator 'R_ADMIN' is now 'R_ROOT' in Auth Cell\n"
        "CONSTANT_SAME_NAME S Constant 'AUTH_MAX' is now 'AUTH_LIMIT' in Auth Cell\n"
        "RPC_SAME_NAME SW Method 'auth_login' is now 'auth_signin' in Auth Cell\n");
    CHECK_DIFF("method auth_login<auth_signin str:x ;", "method auth_signin u8:x ;",
               "RPC_NO_DELETE SW Method 'auth_login' no longer exists in Auth Cell\n"
               "RPC_ADDED - Method 'auth_signin' is new in Auth Cell\n");
}

TEST(alignment_is_part_of_the_abi)
{
    CHECK_DIFF("struct auth_s u32:a u32:b ;", "struct auth_s u32:a u32:b u64:c ;",
               "FIELD_ADDED - Field 'c' of 'auth_s' is new in Auth Cell\n"
               "TYPE_SAME_SIZE A Type 'auth_s' changed its size from 8 to 16 bytes in Auth Cell\n"
               "TYPE_SAME_ALIGNMENT A Type 'auth_s' changed its alignment from 4 to 8 bytes in Auth Cell\n");
}

TEST(what_a_method_is_called_now)
{
    struct cell_diff *d =
        diff_of("method auth_a ; method auth_b ; method auth_c ;", "method auth_a ; method auth_d<auth_b ;");
    CHECK_STR(cell_diff_method_now(d, "auth_a"), "auth_a");
    CHECK_STR(cell_diff_method_now(d, "auth_b"), "auth_d");
    CHECK(cell_diff_method_now(d, "auth_c") == NULL);
    cell_diff_free(d);
}

/* 40,000 entries a side: comparing each with each would take minutes, and the test's time limit ends it. */
TEST(comparing_takes_no_time_that_grows_with_the_square)
{
    enum { N = 40000 };
    struct cell_schema *s[2];
    struct cell_diff *d = NULL;
    for (int k = 0; k < 2; k++) {
        s[k] = cell_schema_new();
        s[k]->constants = cell_arena_array(&s[k]->arena, N, sizeof(*s[k]->constants));
        for (uint32_t i = 0; i < N; i++)
            s[k]->constants[i] = (struct schema_constant){
                .name = cell_arena_printf(&s[k]->arena, "%c%06u", k ? 'B' : 'A', i),
                .renamed_from = cell_arena_printf(&s[k]->arena, "%c%06u", k ? 'A' : 'C', N - 1 - i),
                .kind = CELL_KIND_I64,
                .text = "1"};
        s[k]->nconstants = N;
    }
    REQUIRE(cell_diff_new(s[0], s[1], &d, NULL) == CELL_OK);
    CHECK(d->n == N && d->changes[0].rule == DIFF_CONSTANT_RENAMED);
    CHECK_STR(d->changes[0].now, "B039999");
    cell_diff_free(d);
    cell_schema_free(s[0]);
    cell_schema_free(s[1]);
}

TEST(changes_come_in_the_documented_order)
{
    CHECK_DIFF(
        "struct auth_z u8:a u8:b ; struct auth_a u8:a ; const AUTH_M u8 1 ; method auth_n ; method auth_b ;",
        "struct auth_new u8:a ; struct auth_a u8:q ; struct auth_z u8:c u8:b ; const AUTH_K u8 1 ; method auth_m ;",
        "FIELD_NO_DELETE SWA Field 'a' no longer exists in Auth Cell\n"
        "FIELD_ADDED - Field 'c' of 'auth_z' is new in Auth Cell\n"
        "FIELD_NO_DELETE SWA Field 'a' no longer exists in Auth Cell\n"
        "FIELD_ADDED - Field 'q' of 'auth_a' is new in Auth Cell\n"
        "CONSTANT_NO_DELETE S Constant 'AUTH_M' no longer exists in Auth Cell\n"
        "RPC_NO_DELETE SW Method 'auth_b' no longer exists in Auth Cell\n"
        "RPC_NO_DELETE SW Method 'auth_n' no longer exists in Auth Cell\n"
        "TYPE_ADDED - Type 'auth_new' is new in Auth Cell\n"
        "CONSTANT_ADDED - Constant 'AUTH_K' is new in Auth Cell\n"
        "RPC_ADDED - Method 'auth_m' is new in Auth Cell\n");
}

TEST(schemas_of_two_cells_are_not_compared)
{
    struct cell_schema *a = build_schema(SESSION), *b = build_schema(SESSION);
    struct cell_diff *d = NULL;
    struct cell_error e = {0};
    b->cell = "ledger";
    CHECK(cell_diff_new(a, b, &d, &e) == CELL_INVALID_ARGUMENT && d == NULL);
    CHECK_STR(e.text, "schemas of two cells, 'auth' and 'ledger'");
    cell_schema_free(a);
    cell_schema_free(b);
    cell_diff_free(NULL);
}

/* The sentences that reach `method`; "" when it can be served. */
static void check_method(const char *before, const char *after, const char *method, int n, const char *sentences)
{
    struct cell_schema *old = build_schema(before), *now = build_schema(after);
    struct cell_diff *d = NULL;
    struct cell_buffer out = {0};
    cell_buffer_puts(&out, "> ");
    REQUIRE(cell_diff_new(old, now, &d, NULL) == CELL_OK);
    CHECK(cell_diff_method(d, old, method, &out) == n);
    CHECK(cell_diff_method(d, old, method, NULL) == n);
    CHECK_STR(out.data + 2, sentences);
    cell_buffer_free(&out);
    cell_diff_free(d);
    cell_schema_free(old);
    cell_schema_free(now);
}

#define METHODS                                                                                                        \
    "method auth_deep auth_list*:x ; method auth_flat str:x ; method auth_out >auth_inner*:x ;"                        \
    "method auth_role_of auth_role:x ;"
#define TYPES(inner, role)                                                                                             \
    "enum auth_role " role " ; struct auth_inner " inner " ; opt auth_maybe auth_inner ;"                              \
    "struct auth_middle u8:a auth_maybe:b ; list auth_many auth_middle ; struct auth_list auth_many:all ;"

TEST(wire_breaking_changes_reach_the_methods_that_use_the_type)
{
    static const char before[] = TYPES("str:mail u32:n u32:m", "i32 AUTH_A=0") METHODS;
    static const char gone[] = TYPES("str:mail u32:n", "i32 AUTH_A=0") METHODS;
    static const char role[] = TYPES("str:mail u32:n u32:m", "i32 AUTH_A=1") METHODS;
    static const char m_gone[] = "Field 'm' no longer exists in Auth Cell";
    check_method(before, gone, "auth_deep", 1, m_gone);
    check_method(before, gone, "auth_out", 1, m_gone);
    check_method(before, gone, "auth_flat", 0, "");
    check_method(before, gone, "auth_role_of", 0, "");
    check_method(before, role, "auth_role_of", 1, "Enumerator 'AUTH_A' changed from 0 to 1 in Auth Cell");
    check_method(before, role, "auth_deep", 0, "");
}

TEST(compatible_changes_reach_no_method)
{
    static const char before[] = TYPES("str:mail u32:n", "i32 AUTH_A=0") METHODS;
    static const char after[] =
        TYPES("str:email<mail u32:n u32:m", "i32 AUTH_A=0 AUTH_B=1") METHODS "method auth_new ;";
    check_method(before, after, "auth_deep", 0, "");
    check_method(before, after, "auth_out", 0, "");
}

TEST(method_lists_all_that_reaches_it)
{
    static const char before[] = "struct auth_s u32:a u32:b ; method auth_m auth_s*:x u8:y ; method auth_n ;";
    static const char after[] = "struct auth_s u32:b ; method auth_m auth_s*:x ;";
    check_method(
        before, after, "auth_m", 3,
        "Field 'a' no longer exists in Auth Cell; Field 'b' of 'auth_s' moved from offset 4 to 0 in Auth Cell; "
        "Parameter 'y' of 'auth_m' no longer exists in Auth Cell");
    check_method(before, after, "auth_n", 1, "Method 'auth_n' no longer exists in Auth Cell");
    check_method(before, after, "auth_none", CELL_NOT_FOUND, "");
}
