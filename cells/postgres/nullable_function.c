/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls: which of PostgreSQL's own functions, aggregates and operators give a value for values. */
#include <string.h>

#include "nullable_impl.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, unsaid: FRAMEOPTION_DEFAULTS of PostgreSQL's parsenodes.h. */
#define FRAME_DEFAULTS 0x422

static const struct null_value unknown;

/* What makes a value of the arguments. */
enum rule {
    ALL,    /* a value if all arguments are */
    TEXT,   /* the same, if the first is text: of ranges, lower() and upper() may be NULL */
    FIRST,  /* a value if the first argument is */
    ALWAYS, /* a value */
};

/* A category of 0 is "not known". Not here, because they give NULL for some values: to_char, to_number, date_part and
 * extract (of infinity), array_length and array_upper (of an empty array), substring (by a pattern), regexp_match,
 * json_extract_path, current_schema, lower and upper of ranges. */
static const struct {
    const char *name;
    enum rule rule;
    char category;
} functions[] = {
    {"abs", ALL, 'N'},
    {"array_append", FIRST, 'A'},
    {"array_remove", FIRST, 'A'},
    {"array_replace", FIRST, 'A'},
    {"array_to_json", ALL, 'u'},
    {"ascii", ALL, 'N'},
    {"bit_length", ALL, 'N'},
    {"btrim", ALL, 0},
    {"cardinality", ALL, 'N'},
    {"cbrt", ALL, 'N'},
    {"ceil", ALL, 'N'},
    {"ceiling", ALL, 'N'},
    {"char_length", ALL, 'N'},
    {"character_length", ALL, 'N'},
    {"chr", ALL, 'S'},
    {"clock_timestamp", ALWAYS, 'D'},
    {"concat", ALWAYS, 'S'},
    {"concat_ws", FIRST, 'S'},
    {"current_database", ALWAYS, 'S'},
    {"date_trunc", ALL, 'D'},
    {"decode", ALL, 'u'},
    {"degrees", ALL, 'N'},
    {"div", ALL, 'N'},
    {"encode", ALL, 'S'},
    {"exp", ALL, 'N'},
    {"floor", ALL, 'N'},
    {"format", FIRST, 'S'},
    {"gcd", ALL, 'N'},
    {"gen_random_uuid", ALWAYS, 'u'},
    {"hashtext", ALL, 'N'},
    {"initcap", ALL, 'S'},
    {"json_array_length", ALL, 'N'},
    {"json_build_array", ALWAYS, 'u'},
    {"json_build_object", ALWAYS, 'u'},
    {"jsonb_array_length", ALL, 'N'},
    {"jsonb_build_array", ALWAYS, 'U'},
    {"jsonb_build_object", ALWAYS, 'U'},
    {"jsonb_pretty", ALL, 'S'},
    {"lcm", ALL, 'N'},
    {"left", ALL, 'S'},
    {"length", ALL, 'N'},
    {"ln", ALL, 'N'},
    {"lower", TEXT, 'S'},
    {"lpad", ALL, 'S'},
    {"ltrim", ALL, 0},
    {"make_date", ALL, 'D'},
    {"make_interval", ALL, 'T'},
    {"make_timestamp", ALL, 'D'},
    {"make_timestamptz", ALL, 'D'},
    {"md5", ALL, 'S'},
    {"mod", ALL, 'N'},
    {"nextval", ALL, 'N'},
    {"now", ALWAYS, 'D'},
    {"num_nonnulls", ALWAYS, 'N'},
    {"num_nulls", ALWAYS, 'N'},
    {"octet_length", ALL, 'N'},
    {"overlay", ALL, 0},
    {"pg_backend_pid", ALWAYS, 'N'},
    {"pg_typeof", ALWAYS, 0},
    {"pi", ALWAYS, 'N'},
    {"position", ALL, 'N'},
    {"pow", ALL, 'N'},
    {"power", ALL, 'N'},
    {"quote_ident", ALL, 'S'},
    {"quote_literal", ALL, 'S'},
    {"quote_nullable", ALWAYS, 'S'},
    {"radians", ALL, 'N'},
    {"random", ALWAYS, 'N'},
    {"regexp_replace", ALL, 'S'},
    {"repeat", ALL, 'S'},
    {"replace", ALL, 'S'},
    {"reverse", ALL, 'S'},
    {"right", ALL, 'S'},
    {"round", ALL, 'N'},
    {"row_to_json", ALL, 'u'},
    {"rpad", ALL, 'S'},
    {"rtrim", ALL, 0},
    {"sign", ALL, 'N'},
    {"split_part", ALL, 'S'},
    {"sqrt", ALL, 'N'},
    {"starts_with", ALL, 'B'},
    {"statement_timestamp", ALWAYS, 'D'},
    {"strpos", ALL, 'N'},
    {"substr", ALL, 0},
    {"timezone", ALL, 'D'},
    {"to_hex", ALL, 'S'},
    {"to_json", ALL, 'u'},
    {"to_jsonb", ALL, 'U'},
    {"transaction_timestamp", ALWAYS, 'D'},
    {"translate", ALL, 'S'},
    {"trunc", ALL, 0},
    {"version", ALWAYS, 'S'},
};

/* Aggregates that give a value for any rows of values, if there is one. */
static const struct {
    const char *name;
    bool of_nulls; /* NULL is a value to it */
    char category; /* 0: that of the argument */
} aggregates[] = {
    {"array_agg", true, 'A'},
    {"avg", false, 0},
    {"bit_and", false, 0},
    {"bit_or", false, 0},
    {"bool_and", false, 'B'},
    {"bool_or", false, 'B'},
    {"every", false, 'B'},
    {"json_agg", true, 'u'},
    {"json_object_agg", true, 'u'},
    {"jsonb_agg", true, 'U'},
    {"jsonb_object_agg", true, 'U'},
    {"max", false, 0},
    {"min", false, 0},
    {"string_agg", false, 'S'},
    {"sum", false, 0},
};

/* Others, which make a query one of a single row as well. */
static const char *const other_aggregates[] = {
    "any_value",       "bit_xor",         "corr",      "covar_pop",  "covar_samp", "mode",
    "percentile_cont", "percentile_disc", "range_agg", "regr_count", "regr_slope", "stddev",
    "stddev_pop",      "stddev_samp",     "var_pop",   "var_samp",   "variance",   "xmlagg",
};

static const char *const ranks[] = {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist"};

bool null_is_sound_operator(const char *name)
{
    static const char *const names[] = {"+",  "-",  "*",  "/",  "%",   "^",   "=",    "<>", "!=", "<",  ">",
                                        "<=", ">=", "||", "~~", "!~~", "~~*", "!~~*", "~",  "!~", "~*", "!~*",
                                        "@>", "<@", "&&", "&",  "|",   "<<",  ">>",   "^@", "?",  "?|", "?&"};
    for (size_t i = 0; i < LENGTH(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The arguments of a call. */
struct args {
    bool first, all;
    struct null_value value; /* of the first */
    bool outer;              /* one leads to a query around this one */
};

static struct args eval_args(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const json_t *list = json_object_get(body, "args"), *order = json_object_get(body, "agg_order");
    struct args args = {true, true, {0}, false};
    bool before = a->outer_reference;

    a->outer_reference = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct null_value v = null_eval(a, level, json_array_get(list, i));
        args.all = args.all && v.not_null;
        if (i == 0) {
            args.first = v.not_null;
            args.value = v;
        }
    }
    null_eval(a, level, json_object_get(body, "agg_filter"));
    for (size_t i = 0; i < json_array_size(order); i++)
        null_eval(a, level, json_object_get(null_node_of(json_array_get(order, i)).body, "node"));
    args.outer = a->outer_reference;
    a->outer_reference = before || args.outer;
    return args;
}

/* A window that holds the current row, whatever the rows are. */
static bool frame_is_usual(const json_t *over)
{
    return json_integer_value(json_object_get(over, "frameOptions")) == FRAME_DEFAULTS &&
           !json_object_get(over, "name") && !json_object_get(over, "refname");
}

/* Within a group of at least one row, or a window that has the current one. */
static struct null_value aggregate(struct null_level *level, const char *name, const json_t *body, struct args args)
{
    const json_t *over = json_object_get(body, "over");
    bool rows = over ? frame_is_usual(over) : level->grouped && !args.outer;

    if (strcmp(name, "count") == 0)
        return (struct null_value){true, 'N'};
    for (size_t i = 0; i < LENGTH(aggregates); i++)
        if (strcmp(name, aggregates[i].name) == 0) {
            struct null_value v = {rows && !json_object_get(body, "agg_filter"), aggregates[i].category};
            v.not_null = v.not_null && (args.first || aggregates[i].of_nulls);
            if (!v.category)
                v.category = args.value.category;
            return v;
        }
    return unknown;
}

static bool is_aggregate(const char *name)
{
    if (strcmp(name, "count") == 0 || is_one_of(name, other_aggregates, LENGTH(other_aggregates)))
        return true;
    for (size_t i = 0; i < LENGTH(aggregates); i++)
        if (strcmp(name, aggregates[i].name) == 0)
            return true;
    return false;
}

static struct null_value window(struct null_level *level, const char *name, const json_t *body, struct args args)
{
    if (is_aggregate(name))
        return aggregate(level, name, body, args);
    if (is_one_of(name, ranks, LENGTH(ranks)))
        return (struct null_value){true, 'N'};
    if (strcmp(name, "first_value") == 0 || strcmp(name, "last_value") == 0)
        return (struct null_value){args.first && frame_is_usual(json_object_get(body, "over")), args.value.category};
    return unknown;
}

static struct null_value scalar(const char *name, struct args args)
{
    for (size_t i = 0; i < LENGTH(functions); i++) {
        if (strcmp(functions[i].name, name) != 0)
            continue;
        enum rule rule = functions[i].rule;
        bool text = args.value.category == 'S';
        bool value = rule == ALWAYS || (rule == FIRST && args.first) || (rule == ALL && args.all) ||
                     (rule == TEXT && args.all && text);
        return (struct null_value){value, functions[i].category ? functions[i].category : args.value.category};
    }
    return unknown;
}

struct null_value null_call(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    struct null_callable callable;
    const char *name;
    bool known = null_function(a, body, &name, &callable) && callable.builtin;
    bool variadic = json_is_true(json_object_get(body, "func_variadic"));
    bool aggregates_ = known && !json_object_get(body, "over") && is_aggregate(name);
    struct args args = eval_args(a, level, body);

    level->sets = level->sets || !known || callable.sets;
    if (aggregates_ && !args.outer)
        level->aggregates++;
    if (!known || variadic || callable.sets)
        return unknown;
    if (json_object_get(body, "over"))
        return window(level, name, body, args);
    if (aggregates_)
        return aggregate(level, name, body, args);
    return scalar(name, args);
}
