/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Enums that are stored as their numbers: what these are is recorded ("MOOD_SAD=0 MOOD_OK=1"), for with other numbers
 * the rows that are there mean something else. */
#include <string.h>

#include "diff_parts.h"

/* The text of the enumerator's number, up to a space or the end; NULL when it has none. */
static const char *number_of(const char *numbers, const char *name, size_t len)
{
    for (const char *at = numbers; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return at + len + 1;
    }
    return NULL;
}

const char *pg_renumbered(struct pg_arena *arena, const char *was, const char *is)
{
    for (const char *at = is; at && was; at = strchr(at, ' ')) {
        at += *at == ' ';
        size_t len = strcspn(at, "=");
        const char *now = at + len + 1, *before = number_of(was, at, len);
        size_t n = strcspn(now, " ");
        if (before && (strcspn(before, " ") != n || strncmp(before, now, n) != 0))
            return pg_printf(arena, "%.*s was %.*s and is %.*s", (int)len, at, (int)strcspn(before, " "), before,
                             (int)n, now);
    }
    return NULL;
}

static void note_numbers(struct diffing *s, const struct pg_field *f, struct pg_column *now, const char *numbers,
                         bool consented)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_RECORD, PG_TOGETHER, now->name, f->name);

    if (numbers)
        pg_step_record(s, &b, "numbers", now->name, numbers);
    else
        pg_step_forget(s, &b, "numbers", now->name);
    if (consented) {
        pg_step_consented(s, &b, PG_CONSENT_RETYPED, now->name);
        pg_step_hazard(&b, PG_RULE_ENUM_RENUMBERED);
    }
    b.step.text = pg_printf(s->arena, "record the numbers of the enumerators of column %s", pg_quoted(s, now->name));
    pg_step_end(s, &b, PG_PHASE_CHECK);
    now->numbers = numbers;
}

static void refuse(struct diffing *s, const struct pg_field *f, const char *column, const char *what)
{
    struct pg_diagnostic *d = pg_refuse(
        s, PG_RULE_ENUM_RENUMBERED, pg_at_field(f->name),
        "column '%s' has the numbers of '%s', of which %s: rows that are there would mean something else. Keep the "
        "numbers, or CELL_RETYPED(\"%s\") consents",
        column, f->c.tag, what, column);

    d->fix_rule = "retyped";
    d->fix_args[0] = pg_strdup(s->arena, column);
    pg_add_note(s->arena, d, NULL,
                "a CELL_STEP can give the rows their new numbers, when it drops the check of the old ones before");
}

void pg_diff_numbers(struct diffing *s)
{
    const field_turns fields = pg_fields_of_table(s);

    for (uint32_t i = 0; i < fields.n; i++) {
        const struct pg_field *f = fields.at[i].field;
        pg_take_turn(s, &fields.at[i]);
        const char *want = s->d->table.columns[f->column].numbers;
        struct pg_column *now = pg_table_column(&s->w->now, s->d->table.columns[f->column].name);
        if (!now || (want && now->numbers ? strcmp(want, now->numbers) == 0 : want == now->numbers))
            continue;
        const char *what = pg_renumbered(s->arena, now->numbers, want);
        if (what && !pg_consents(s, PG_CONSENT_RETYPED, now->name))
            refuse(s, f, now->name, what);
        else
            note_numbers(s, f, now, want, what != NULL);
    }
}
