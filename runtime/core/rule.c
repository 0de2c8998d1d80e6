/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/rule.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/schema_impl.h"

enum cell_rule_kind cell_rule_named(const char *name)
{
    return !name                          ? CELL_RULE_END
           : strcmp(name, "range") == 0   ? CELL_RULE_SIGNED
           : strcmp(name, "length") == 0  ? CELL_RULE_LENGTH
           : strcmp(name, "pattern") == 0 ? CELL_RULE_PATTERN
                                          : CELL_RULE_END;
}

uint32_t cell_rule_arguments(enum cell_rule_kind kind) { return kind == CELL_RULE_PATTERN ? 1 : 2; }

static int refuse(struct rule_mistake *wrong, int argument, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct rule_mistake *wrong, int argument, const char *format, ...)
{
    va_list args;
    wrong->argument = argument;
    wrong->has_at = false;
    va_start(args, format);
    vsnprintf(wrong->text, sizeof(wrong->text), format, args);
    va_end(args);
    return CELL_INVALID_ARGUMENT;
}

uint32_t cell_rule_value_kind(const struct schema_ref *use, enum cell_rule_kind kind)
{
    if (kind == CELL_RULE_LENGTH && (use->count || use->kind == CELL_KIND_LIST))
        return use->count ? CELL_KIND_STRUCT /* no value with a length */ : CELL_KIND_LIST;
    if (use->kind != CELL_KIND_LIST && use->kind != CELL_KIND_OPT)
        return use->kind;
    return use->named ? use->named->elem.kind : use->elem;
}

/* ---- bounds ---- */

static bool is_signed(uint32_t kind) { return (kind - CELL_KIND_I8) % 2 == 0; }

/* A decimal integer, as canonical JSON writes it. */
static bool read_integer(const char *text, bool with_sign, uint64_t *value)
{
    bool negative = text[0] == '-';
    const char *digits = text + negative;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || digits[n] || (digits[0] == '0' && (n > 1 || negative)) || (negative && !with_sign))
        return false;
    errno = 0;
    *value = negative ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
    return errno == 0 && !(with_sign && !negative && *value > INT64_MAX);
}

/* A decimal number; no hexadecimal one, infinity or NaN. */
static bool read_real(const char *text, uint64_t *bits)
{
    size_t sign = text[0] == '-', n = strspn(text + sign, "0123456789.eE+-");
    char *end;
    if (text[sign] < '0' || text[sign] > '9' || text[sign + n])
        return false;
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0); /* whatever the program's is */
    if (!c)
        return false;
    double value = strtod_l(text, &end, c);
    freelocale(c);
    memcpy(bits, &value, sizeof(value));
    return *end == '\0' && isfinite(value);
}

static bool real_less(uint64_t a, uint64_t b)
{
    double x, y;
    memcpy(&x, &a, sizeof(x));
    memcpy(&y, &b, sizeof(y));
    return x < y;
}

static bool fits(uint32_t kind, uint64_t value)
{
    unsigned bits = 8u << (kind - CELL_KIND_I8) / 2;
    if (bits == 64)
        return true;
    if (!is_signed(kind))
        return value >> bits == 0;
    int64_t most = (INT64_C(1) << (bits - 1)) - 1;
    return (int64_t)value <= most && (int64_t)value >= -most - 1;
}

static int read_range(const struct schema_rule *rule, uint32_t kind, struct cell_rule *meaning,
                      struct rule_mistake *wrong)
{
    bool whole = cell_kind_is_integer(kind), real = kind == CELL_KIND_F32 || kind == CELL_KIND_F64;
    uint64_t *bounds[] = {&meaning->low, &meaning->high};
    char quoted[CELL_QUOTE_SIZE];
    if (!whole && !real)
        return refuse(wrong, -1, "a range is for numbers, not for '%s'", cell_kind_name(kind));
    meaning->kind = real ? CELL_RULE_REAL : is_signed(kind) ? CELL_RULE_SIGNED : CELL_RULE_UNSIGNED;
    for (int i = 0; i < 2; i++) {
        cell_json_quote(rule->args[i], quoted, sizeof(quoted));
        if (real ? !read_real(rule->args[i], bounds[i]) : !read_integer(rule->args[i], is_signed(kind), bounds[i])) {
            uint64_t other;
            bool number =
                !real && (read_integer(rule->args[i], true, &other) || read_integer(rule->args[i], false, &other));
            return number ? refuse(wrong, i, "'%s' does not fit '%s'", quoted, cell_kind_name(kind))
                          : refuse(wrong, i, "'%s' is no decimal %s", quoted, real ? "number" : "integer");
        }
        if (whole && !fits(kind, *bounds[i]))
            return refuse(wrong, i, "'%s' does not fit '%s'", quoted, cell_kind_name(kind));
    }
    bool empty = real              ? real_less(meaning->high, meaning->low)
                 : is_signed(kind) ? (int64_t)meaning->high < (int64_t)meaning->low
                                   : meaning->high < meaning->low;
    return empty ? refuse(wrong, 1, "the range ends before it begins") : CELL_OK;
}

static int read_length(const struct schema_rule *rule, uint32_t kind, struct cell_rule *meaning,
                       struct rule_mistake *wrong)
{
    uint64_t *bounds[] = {&meaning->low, &meaning->high};
    char quoted[CELL_QUOTE_SIZE];
    if (kind != CELL_KIND_STR && kind != CELL_KIND_BYTES && kind != CELL_KIND_LIST)
        return refuse(wrong, -1, "a length is for texts, bytes and lists, which vary in it");
    meaning->kind = CELL_RULE_LENGTH;
    for (int i = 0; i < 2; i++)
        if (!read_integer(rule->args[i], false, bounds[i]))
            return refuse(wrong, i, "'%s' is no length", cell_json_quote(rule->args[i], quoted, sizeof(quoted)));
    return meaning->high < meaning->low ? refuse(wrong, 1, "the greatest length is less than the least") : CELL_OK;
}

static int read_pattern(const struct schema_rule *rule, uint32_t kind, struct cell_arena *arena, uint64_t *steps,
                        struct cell_rule *meaning, struct rule_mistake *wrong)
{
    struct cell_pattern *p = NULL;
    struct pattern_mistake mistake;
    if (kind != CELL_KIND_STR)
        return refuse(wrong, -1, "a pattern is for texts, not for '%s'", cell_kind_name(kind));
    meaning->kind = CELL_RULE_PATTERN;
    int r = cell_pattern_compile(rule->args[0], arena, steps, &p, &mistake);
    if (r == CELL_INVALID_ARGUMENT) {
        refuse(wrong, 0, "%s", mistake.text);
        wrong->has_at = true;
        wrong->at = mistake.at;
    }
    meaning->pattern = p;
    return r;
}

int cell_rule_read(const struct schema_rule *rule, const struct schema_ref *use, struct cell_arena *arena,
                   uint64_t *steps, struct cell_rule *meaning, struct rule_mistake *wrong)
{
    enum cell_rule_kind kind = cell_rule_named(rule->name);
    uint32_t n = cell_rule_arguments(kind), value = cell_rule_value_kind(use, kind);
    *meaning = (struct cell_rule){.message = rule->message};
    if (rule->nargs != n)
        return refuse(wrong, -1, "rule '%s' takes %u argument%s, not %u", rule->name, n, n == 1 ? "" : "s",
                      rule->nargs);
    if (rule->message && (!rule->message[0] || strlen(rule->message) > CELL_RULE_MAX_MESSAGE))
        return refuse(wrong, -1, "the message of a rule has 1 to %u bytes", CELL_RULE_MAX_MESSAGE);
    switch (kind) {
    case CELL_RULE_LENGTH:
        return read_length(rule, value, meaning, wrong);
    case CELL_RULE_PATTERN:
        return read_pattern(rule, value, arena, steps, meaning, wrong);
    default:
        return read_range(rule, value, meaning, wrong);
    }
}

int cell_rule_read_all(const struct schema_field *f, struct cell_arena *arena, uint64_t *steps,
                       struct cell_rule meanings[CELL_RULE_MOST], uint32_t *n, uint32_t *which,
                       struct rule_mistake *wrong)
{
    *n = 0;
    for (uint32_t i = 0; i < f->nrules; i++) {
        enum cell_rule_kind kind = cell_rule_named(f->rules[i].name);
        if (kind == CELL_RULE_END)
            continue;
        *which = i;
        for (uint32_t k = 0; k < i; k++)
            if (cell_rule_named(f->rules[k].name) == kind)
                return refuse(wrong, -1, "rule '%s' is there twice", f->rules[i].name);
        int r = cell_rule_read(&f->rules[i], &f->type, arena, steps, &meanings[*n], wrong);
        if (r < 0)
            return r;
        (*n)++;
    }
    return CELL_OK;
}

bool cell_rule_mark(struct schema_field *fields, uint32_t n)
{
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        struct schema_field *f = &fields[i];
        const struct schema_type *t = f->type.named;
        if (t && (t->kind == CELL_KIND_LIST || t->kind == CELL_KIND_OPT))
            t = t->elem.named;
        f->ruled = t && t->ruled;
        for (uint32_t k = 0; k < f->nrules; k++)
            f->ruled |= cell_rule_named(f->rules[k].name) != CELL_RULE_END;
        any |= f->ruled;
    }
    return any;
}

int cell_rule_compare(const struct cell_rule *now, const struct cell_rule *before, enum pattern_relation *relation)
{
    bool low_in, high_in, low_out, high_out; /* the bounds of `now` are within those of `before`, or around them */
    if (now->kind != before->kind) {
        *relation = PATTERN_OTHER;
        return CELL_OK;
    }
    if (now->kind == CELL_RULE_PATTERN)
        return cell_pattern_compare(now->pattern, before->pattern, relation);
    if (now->kind == CELL_RULE_SIGNED) {
        low_in = (int64_t)now->low >= (int64_t)before->low;
        low_out = (int64_t)now->low <= (int64_t)before->low;
        high_in = (int64_t)now->high <= (int64_t)before->high;
        high_out = (int64_t)now->high >= (int64_t)before->high;
    } else if (now->kind == CELL_RULE_REAL) {
        low_in = !real_less(now->low, before->low);
        low_out = !real_less(before->low, now->low);
        high_in = !real_less(before->high, now->high);
        high_out = !real_less(now->high, before->high);
    } else {
        low_in = now->low >= before->low;
        low_out = now->low <= before->low;
        high_in = now->high <= before->high;
        high_out = now->high >= before->high;
    }
    bool narrower = low_in && high_in, wider = low_out && high_out;
    *relation = narrower && wider ? PATTERN_SAME : narrower ? PATTERN_NARROWER : wider ? PATTERN_WIDER : PATTERN_OTHER;
    return CELL_OK;
}
