/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How two locks differ, for people and as JSON. */
#include <string.h>

#include "locks.h"

static const struct {
    unsigned bit;
    const char *name;
} breaks[] = {{DIFF_SOURCE, "source"}, {DIFF_WIRE, "wire"}, {DIFF_ABI, "abi"}};
#define NBREAKS (sizeof(breaks) / sizeof(breaks[0]))

static bool same_answer(const struct lock_answer *a, const struct lock_answer *b)
{
    return a->document_len == b->document_len && memcmp(a->document, b->document, a->document_len) == 0;
}

static void compare_answers(const struct cell_lock *before, const struct cell_lock *after, struct lock_changes *c)
{
    for (uint32_t i = 0; i < after->nanswers; i++) {
        const struct lock_answer *old = before ? cell_lock_answer(before, after->answers[i].key) : NULL;
        c->added += !old;
        c->changed += old && !same_answer(old, &after->answers[i]);
    }
    for (uint32_t i = 0; before && i < before->nanswers; i++)
        c->removed += !cell_lock_answer(after, before->answers[i].key);
}

int locks_compare(const struct cell_lock *before, const struct cell_lock *after, struct lock_changes *c,
                  struct cell_error *e)
{
    int r = CELL_OK;
    *c = (struct lock_changes){.schema = !before || strcmp(before->fingerprint, after->fingerprint) != 0,
                               .identity = strcmp(before ? before->identity : "", after->identity) != 0};
    compare_answers(before, after, c);
    if (!before || !c->schema)
        return CELL_OK;
    r = cell_schema_parse(before->schema, before->schema_len, &c->before, e);
    if (r >= 0)
        r = cell_schema_parse(after->schema, after->schema_len, &c->after, e);
    if (r >= 0)
        r = cell_diff_new(c->before, c->after, &c->diff, e);
    /* Functions that no compiler takes are no reason to say nothing of all the rest. */
    if (r >= 0 && logic_compare(c->before, c->after, c->diff, &c->logic, &c->logic_error) < 0)
        c->logic.n = 0;
    if (r < 0)
        locks_changes_free(c);
    return r;
}

void locks_changes_free(struct lock_changes *c)
{
    logic_free(&c->logic);
    cell_diff_free(c->diff);
    cell_schema_free(c->before);
    cell_schema_free(c->after);
    *c = (struct lock_changes){.diff = NULL};
}

/* ---- JSON ---- */

static void put_breaks(struct cli_json *j, unsigned bits)
{
    out_begin(j, "breaks", '[');
    for (size_t i = 0; i < NBREAKS; i++)
        if (bits & breaks[i].bit)
            out_str(j, NULL, breaks[i].name);
    out_end(j, ']');
}

static void put_changes(struct cli_json *j, const struct lock_changes *c)
{
    put_breaks(j, c->diff ? c->diff->breaks : 0);
    out_begin(j, "changes", '[');
    for (uint32_t i = 0; c->diff && i < c->diff->n; i++) {
        const struct diff_change *change = &c->diff->changes[i];
        out_begin(j, NULL, '{');
        out_str(j, "rule", change->id);
        put_breaks(j, change->breaks);
        out_str(j, "owner", change->owner);
        out_str(j, "member", change->member);
        out_str(j, "before", change->before);
        out_str(j, "now", change->now);
        out_str(j, "sentence", change->sentence);
        out_end(j, '}');
    }
    out_end(j, ']');
    out_begin(j, "logic", '[');
    for (uint32_t i = 0; i < c->logic.n; i++) {
        out_begin(j, NULL, '{');
        out_str(j, "name", c->logic.items[i].name);
        out_begin(j, "lines", '[');
        for (uint32_t k = 0; k < c->logic.items[i].nlines; k++)
            out_str(j, NULL, c->logic.items[i].lines[k]);
        out_end(j, ']');
        out_end(j, '}');
    }
    out_end(j, ']');
    out_str(j, "logic_unknown", c->logic_error.status < 0 ? c->logic_error.text : NULL);
}

enum which { ADDED, REMOVED, CHANGED };

/* What became of the answer `a` of `from`, as seen from `other`. */
static bool is_one(enum which which, const struct lock_answer *a, const struct cell_lock *other)
{
    const struct lock_answer *there = other ? cell_lock_answer(other, a->key) : NULL;
    return which == CHANGED ? there && !same_answer(there, a) : !there;
}

static void put_keys(struct cli_json *j, const char *name, enum which which, const struct cell_lock *from,
                     const struct cell_lock *other)
{
    out_begin(j, name, '[');
    for (uint32_t i = 0; from && i < from->nanswers; i++)
        if (is_one(which, &from->answers[i], other))
            out_str(j, NULL, from->answers[i].key);
    out_end(j, ']');
}

static void put_refused(struct cli_json *j, const struct lock_live *live)
{
    out_begin(j, "refused", '[');
    for (uint32_t i = 0; live && i < live->nrefused; i++) {
        out_begin(j, NULL, '{');
        out_str(j, "answer", live->refused[i].key);
        out_bool(j, "used", live->refused[i].used);
        out_str(j, "message", live->refused[i].text);
        out_end(j, '}');
    }
    out_end(j, ']');
}

/* ---- for people ---- */

static void print_change(struct cli *cli, const struct diff_change *change)
{
    char classes[32] = "";
    for (size_t i = 0; i < NBREAKS; i++)
        if (change->breaks & breaks[i].bit) {
            strcat(classes, classes[0] ? " " : "");
            strcat(classes, breaks[i].name);
        }
    printf("  %s%-26s %-15s%s ", cli_style(cli, stdout, change->breaks ? CLI_RED : CLI_GREEN), change->id,
           classes[0] ? classes : "compatible", cli_style(cli, stdout, CLI_PLAIN));
    cli_print_safe(stdout, change->sentence);
    fputc('\n', stdout);
}

static void print_logic(struct cli *cli, const struct lock_changes *c)
{
    for (uint32_t i = 0; i < c->logic.n; i++) {
        const struct logic_change *item = &c->logic.items[i];
        printf("  %s%s%s\n", cli_style(cli, stdout, CLI_BOLD), item->name, cli_style(cli, stdout, CLI_PLAIN));
        for (uint32_t k = 0; k < item->nlines; k++) {
            const char mark = item->lines[k][0];
            printf("  %s", cli_style(cli, stdout, mark == '-' ? CLI_RED : mark == '+' ? CLI_GREEN : CLI_DIM));
            cli_print_safe(stdout, item->lines[k]);
            printf("%s\n", cli_style(cli, stdout, CLI_PLAIN));
        }
    }
    if (c->logic_error.status < 0) {
        fputs("  how functions changed cannot be told: ", stdout);
        cli_print_safe(stdout, c->logic_error.text);
        fputc('\n', stdout);
    }
}

static bool is_refused(const struct lock_live *live, const char *key)
{
    for (uint32_t i = 0; live && i < live->nrefused; i++)
        if (strcmp(live->refused[i].key, key) == 0)
            return true;
    return false;
}

/* Declaration and verb; the hash says nothing to people. */
static void print_keys(const char *what, enum which which, const struct cell_lock *from, const struct cell_lock *other,
                       const struct lock_live *live)
{
    for (uint32_t i = 0; from && i < from->nanswers; i++)
        if (is_one(which, &from->answers[i], other) && !is_refused(live, from->answers[i].key))
            printf("  answer %s: %.*s\n", what, (int)strcspn(from->answers[i].key, " "), from->answers[i].key);
}

static void print_report(struct cli *cli, const struct cell_lock *before, const struct cell_lock *after,
                         const struct lock_changes *c, const struct lock_live *live)
{
    for (uint32_t i = 0; c->diff && i < c->diff->n; i++)
        print_change(cli, &c->diff->changes[i]);
    print_logic(cli, c);
    if (c->diff && c->diff->n == 0)
        puts("  only what programs do not depend on has changed: documentation, rules, verbs");
    if (c->identity && after->identity[0])
        printf("  key: " CELL_KEY_PREFIX "%s\n", after->identity);
    else if (c->identity)
        puts("  key: none any more");
    print_keys("added", ADDED, after, before, live);
    print_keys("changed", CHANGED, after, before, live);
    print_keys("removed", REMOVED, before, after, live);
    for (uint32_t i = 0; live && i < live->nrefused; i++) {
        printf("  answer refused: %.*s: ", (int)strcspn(live->refused[i].key, " "), live->refused[i].key);
        cli_print_safe(stdout, live->refused[i].text);
        fputc('\n', stdout);
    }
}

void locks_report(struct cli *cli, struct cli_json *j, const struct cell_lock *before, const struct cell_lock *after,
                  const struct lock_changes *c, const struct lock_live *live)
{
    if (!cli->json) {
        print_report(cli, before, after, c, live);
        return;
    }
    out_str(j, "before", before ? before->fingerprint : NULL);
    out_str(j, "after", after->fingerprint);
    out_str(j, "key", after->identity[0] ? after->identity : NULL);
    put_changes(j, c);
    out_begin(j, "answers", '{');
    put_keys(j, "added", ADDED, after, before);
    put_keys(j, "removed", REMOVED, before, after);
    put_keys(j, "changed", CHANGED, after, before);
    put_refused(j, live);
    out_end(j, '}');
}
