/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "recorded.h"

#include <stdlib.h>
#include <string.h>

void pg_records_init(struct pg_records *r)
{
    *r = (struct pg_records){0};
    pthread_mutex_init(&r->lock, NULL);
}

static void free_recorded(struct pg_recorded *recorded)
{
    if (!recorded)
        return;
    pg_arena_free(&recorded->arena);
    free(recorded);
}

void pg_records_close(struct pg_records *r)
{
    free_recorded(r->now);
    pthread_mutex_destroy(&r->lock);
}

static bool add(struct pg_recorded *made, uint32_t *room, const struct cell_consumer_use *from)
{
    struct pg_arena *a = &made->arena;
    struct pg_recorded_use r = {.line = from->line};

    /* Names that this cell has not given are another version's, of which nothing is known: they hold nothing back. */
    if (!pg_resource_parse(a, from->name, &r.use))
        return true;
    if (made->n == *room) {
        uint32_t more = *room ? 2 * *room : 64;
        struct pg_recorded_use *grown = pg_array(a, more, sizeof(*grown));
        if (!grown)
            return false;
        if (made->n)
            memcpy(grown, made->uses, made->n * sizeof(*grown));
        made->uses = grown;
        *room = more;
    }
    r.use.program = pg_strdup(a, from->program);
    r.path = pg_strdup(a, from->path);
    r.project = pg_strdup(a, from->project);
    r.file = pg_strdup(a, from->file);
    made->uses[made->n++] = r;
    return r.use.program && r.path && r.project && r.file;
}

/* Everything that a plan, or what is said of it, could depend on. */
static bool make_digest(struct pg_recorded *made)
{
    struct pg_text all = {.arena = &made->arena};

    pg_puts(&all, made->unknown ? made->unknown : "");
    for (uint32_t i = 0; i < made->n; i++) {
        const struct pg_recorded_use *r = &made->uses[i];
        pg_putf(&all, "\n%s\n%s\n%s\n%s:%u\n%s\n%s\n%s\n%s", r->use.program, r->path, r->project, r->file, r->line,
                r->use.schema, r->use.table, r->use.column, r->use.type);
    }
    if (!all.failed)
        pg_hash(all.data, all.len, made->digest);
    return !all.failed;
}

/* Records that cannot be read could hold anything. */
static int read_uses(struct cell_consumer_uses *uses, struct pg_recorded *made, struct pg_failure *f)
{
    struct cell_consumer_use use;
    uint32_t room = 0, bad = 0;
    int r;

    while ((r = cell_consumer_uses_next(uses, &use)) != 0) {
        if (r == CELL_NO_MEMORY || (r > 0 && use.kind == CELL_USE_RESOURCE && !add(made, &room, &use)))
            return pg_fail(f, CELL_NO_MEMORY, "out of memory");
        bad += r < 0;
    }
    if (bad)
        made->unknown = pg_printf(&made->arena, "%u record%s of programs cannot be read", bad, bad == 1 ? "" : "s");
    return bad && !made->unknown ? pg_fail(f, CELL_NO_MEMORY, "out of memory") : CELL_OK;
}

static int read_all(struct cell_server *server, struct pg_recorded **recorded, struct pg_failure *f)
{
    struct pg_recorded *made = calloc(1, sizeof(*made));
    struct cell_consumer_uses *uses = NULL;
    int r = made ? cell_server_consumers(server, NULL, &uses) : CELL_NO_MEMORY;

    if (r == CELL_NO_MEMORY)
        r = pg_fail(f, r, "out of memory");
    else if (r >= 0)
        r = read_uses(uses, made, f);
    else if (r != CELL_UNIMPLEMENTED) { /* which says that none are kept */
        made->unknown = "the records of programs cannot be read";
        r = CELL_OK;
    } else
        r = CELL_OK;
    cell_consumer_uses_free(uses);
    if (r >= 0 && !make_digest(made))
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r < 0)
        free_recorded(made);
    else
        *recorded = made;
    return r;
}

int pg_records_take(struct pg_records *r, struct cell_server *server, struct pg_recorded **recorded,
                    struct pg_failure *f)
{
    struct pg_recorded *made = NULL;
    uint64_t stamp = 0;
    int status = CELL_OK;

    pthread_mutex_lock(&r->lock);
    /* Before the records: what changes meanwhile has another stamp the next time. */
    bool known = cell_server_consumers_stamp(server, &stamp) >= 0;
    if (!r->now || !known || stamp != r->stamp)
        status = read_all(server, &made, f);
    if (made) {
        if (r->now && --r->now->holders == 0)
            free_recorded(r->now);
        r->now = made;
        r->now->holders = 1; /* this */
        r->stamp = stamp;
    }
    if (status >= 0) {
        r->now->holders++;
        *recorded = r->now;
    }
    pthread_mutex_unlock(&r->lock);
    return status;
}

void pg_records_give(struct pg_records *r, struct pg_recorded *recorded)
{
    if (!recorded)
        return;
    pthread_mutex_lock(&r->lock);
    bool last = --recorded->holders == 0;
    pthread_mutex_unlock(&r->lock);
    if (last)
        free_recorded(recorded);
}
