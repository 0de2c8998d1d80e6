/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Steps of the author's own (CELL_STEP): by name they are done once in each database, and by their SQL it is known that
 * a name has come to stand for something else. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

const char *pg_hand_step_text(struct diffing *s, const struct pg_hand_step *h)
{
    struct pg_text all = {.arena = s->arena};
    char hex[33];

    for (uint32_t i = 0; i < h->n; i++) {
        const char *sql = h->statements[i];
        size_t len = strlen(sql);
        for (struct pg_token t = pg_sql_token(sql, len, 0); t.kind != PG_TOKEN_END && t.kind != PG_TOKEN_BAD;
             t = pg_sql_token(sql, len, t.at + t.len))
            if (t.kind != PG_TOKEN_COMMENT)
                pg_putf(&all, "%.*s\n", (int)t.len, sql + t.at);
        pg_puts(&all, ";\n");
    }
    pg_hash(all.data, all.len, hex);
    return pg_strdup(s->arena, hex);
}

/* A struct of the table before the one at hand has the step as well: the same one, or else that is refused. */
static bool is_repeated(const struct diffing *s, const struct pg_hand_step *h)
{
    for (uint32_t o = 0; o < s->w->nowners && s->w->owners[o] < s->current; o++) {
        const struct pg_declared *d = s->declared[s->w->owners[o]];
        for (uint32_t i = 0; i < d->nsteps; i++)
            if (strcmp(d->steps[i].name, h->name) == 0)
                return true;
    }
    return false;
}

bool pg_hand_step_done(struct diffing *s, const struct pg_hand_step *h)
{
    const struct pg_event *e = pg_find_event(&s->w->now, PG_PAST_STEP, h->name);

    if (e && e->text && !is_repeated(s, h) && strcmp(e->text, pg_hand_step_text(s, h)) != 0)
        pg_plan_diagnose(
            s, PG_WARNING, PG_RULE_STEP_CHANGED, pg_at_rule(h->rule),
            "step '%s' was carried out%s%s with other SQL, and a step is done once: what is written now will not run. "
            "Give it another name",
            h->name, e->day ? " on " : "", e->day ? e->day : "");
    return e != NULL;
}
