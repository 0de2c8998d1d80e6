/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "uses.h"

#include <string.h>

#include <cell/errors.h>

#include "sql.h"

#define NAME_MAX_BYTES 512 /* of a resource */

/* ---- names ---- */

static void put_part(struct pg_text *t, const char *name)
{
    if (pg_sql_is_plain(name))
        pg_puts(t, name);
    else
        pg_sql_name(t, name);
}

const char *pg_resource_name(struct pg_arena *arena, const char *schema, const char *table,
                             const struct pg_column *column)
{
    struct pg_text t = {.arena = arena};

    put_part(&t, schema);
    pg_puts(&t, ".");
    put_part(&t, table);
    pg_puts(&t, ".");
    put_part(&t, column->name);
    pg_putf(&t, " %s", pg_type_name(arena, &column->type));
    for (const unsigned char *p = (const unsigned char *)t.data; p && *p; p++)
        if (*p < 0x20)
            return NULL;
    return t.len <= NAME_MAX_BYTES ? t.data : NULL;
}

/* The name that *text begins with, up to `end`, which is passed over. NULL when there is none. */
static const char *take_part(struct pg_arena *arena, const char **text, char end)
{
    struct pg_text t = {.arena = arena};
    const char *p = *text;
    bool quoted = *p == '"';

    for (p += quoted; *p && (quoted || *p != end); p++) {
        if (quoted && *p == '"' && p[1] != '"')
            break;
        p += quoted && *p == '"';
        pg_append(&t, p, 1);
    }
    if (quoted && *p++ != '"')
        return NULL;
    if (t.len == 0 || *p != end)
        return NULL;
    *text = p + 1;
    return t.data;
}

bool pg_resource_parse(struct pg_arena *arena, const char *name, struct pg_use *use)
{
    struct pg_use u = {.schema = take_part(arena, &name, '.')};

    u.table = u.schema ? take_part(arena, &name, '.') : NULL;
    u.column = u.table ? take_part(arena, &name, ' ') : NULL;
    u.type = u.column && *name ? pg_strdup(arena, name) : NULL;
    if (u.type)
        *use = u;
    return u.type != NULL;
}

/* ---- what holds a plan back ---- */

/* The file of "src/user.c:7:8". */
static bool is_file_of(const char *location, const char *file)
{
    size_t len = strlen(file);
    unsigned colons = 0;

    if (!location || len == 0 || strncmp(location, file, len) != 0)
        return false;
    for (const char *p = location + len; *p; p++) {
        if (*p == ':')
            colons++;
        else if (*p < '0' || *p > '9')
            return false;
    }
    return colons == 2 && location[len] == ':';
}

static bool same_program(const struct pg_recorded_use *a, const struct pg_recorded_use *b)
{
    return strcmp(a->use.program, b->use.program) == 0 && strcmp(a->path, b->path) == 0;
}

/* Whether the use is of a table that is being declared anew where it was. */
static bool is_declared_anew(const struct pg_recorded_use *r, const struct pg_declared *const *declared, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (declared[i]->owned && strcmp(declared[i]->table.name, r->use.table) == 0 &&
            strcmp(declared[i]->table.schema, r->use.schema) == 0 && is_file_of(declared[i]->location, r->file))
            return true;
    return false;
}

void pg_uses_of_others(struct pg_arena *arena, const struct pg_known *known, const struct pg_declared *const *declared,
                       uint32_t n, struct pg_diff_options *options)
{
    const struct pg_recorded *all = known ? known->recorded : NULL;
    uint32_t nuses = 0;

    *options = (struct pg_diff_options){0};
    if (!all)
        return;
    struct pg_use *uses = pg_array(arena, all->n + 1u, sizeof(*uses));
    /* Uses of one program stand together. */
    for (uint32_t i = 0, next; i < all->n; i = next) {
        bool own = known->project && *known->project && all->uses[i].path[0] &&
                   strcmp(all->uses[i].project, known->project) == 0,
             anew = false;
        for (next = i; next < all->n && same_program(&all->uses[i], &all->uses[next]); next++)
            anew = anew || (own && is_declared_anew(&all->uses[next], declared, n));
        for (uint32_t k = i; k < next && !anew; k++) {
            uses[nuses] = all->uses[k].use;
            uses[nuses++].place = pg_printf(arena, "%s:%u", all->uses[k].file, all->uses[k].line);
        }
    }
    *options = (struct pg_diff_options){uses, nuses, all->unknown};
}

/* ---- what an answer relies on ---- */

static int put_column(json_t *list, struct pg_arena *arena, const struct pg_table *t, const struct pg_column *c)
{
    const char *name = pg_resource_name(arena, t->schema, t->name, c);

    if (!name)
        return arena->blocks ? CELL_OK : CELL_NO_MEMORY;
    return json_array_append_new(list, json_string(name)) < 0 ? CELL_NO_MEMORY : CELL_OK;
}

static json_t *list_of(json_t *document)
{
    json_t *list = json_object_get(document, "resources");

    if (!list && json_object_set_new(document, "resources", json_array()) == 0)
        list = json_object_get(document, "resources");
    return list;
}

int pg_uses_put_table(json_t *document, const struct pg_declared *declared, const struct pg_table *table)
{
    struct pg_arena arena = {0};
    json_t *list = list_of(document);
    int r = list ? CELL_OK : CELL_NO_MEMORY;

    for (uint32_t i = 0; r >= 0 && i < declared->nfields; i++) {
        const struct pg_column *c = pg_table_column(table, declared->table.columns[declared->fields[i].column].name);
        if (c)
            r = put_column(list, &arena, table, c);
    }
    pg_arena_free(&arena);
    return r;
}

/* A name, as it is in the catalog; NULL for what is none. */
static const char *name_of(struct pg_arena *arena, const char *sql, struct pg_token t)
{
    char *name;

    if (t.kind == PG_TOKEN_NAME) {
        name = pg_copy(arena, sql + t.at, t.len);
        for (char *p = name; p && *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p - 'A' + 'a');
        return name;
    }
    if (t.kind != PG_TOKEN_QUOTED || t.len < 2 || sql[t.at] != '"')
        return NULL;
    const char *text = pg_copy(arena, sql + t.at, t.len), *rest = text;
    struct pg_text with_end = {.arena = arena};
    pg_putf(&with_end, "%s ", text);
    rest = with_end.data;
    return rest ? take_part(arena, &rest, ' ') : NULL;
}

struct words {
    PG_LIST(const char *) names;
    PG_LIST(bool) dotted; /* of each: whether the one before it and a dot stand before it */
    bool all;             /* columns that it does not name: a star, or an INSERT without a list */
};

static bool is_word(const char *name, const char *const *words, size_t n)
{
    for (size_t i = 0; name && i < n; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return false;
}

enum insert { NO_INSERT, BEHIND_INSERT, BEHIND_INTO, BEHIND_TABLE, IN_PARENTHESES };

/* The next token of INSERT INTO schema.table AS alias (columns) …; without columns it means all. */
static enum insert next_of_insert(enum insert at, const char *name, char sign, bool *all)
{
    static const char *const statements[] = {"select", "values", "with", "table"};

    switch (at) {
    case BEHIND_INSERT:
        return name && strcmp(name, "into") == 0 ? BEHIND_INTO : NO_INSERT;
    case BEHIND_INTO:
        return BEHIND_TABLE;
    case BEHIND_TABLE:
        if (sign == '.' || (name && strcmp(name, "as") == 0))
            return BEHIND_INTO;
        *all = *all || name;
        return sign == '(' ? IN_PARENTHESES : NO_INSERT;
    case IN_PARENTHESES:
        *all = *all || is_word(name, statements, 4);
        return NO_INSERT;
    default:
        return name && strcmp(name, "insert") == 0 ? BEHIND_INSERT : NO_INSERT;
    }
}

static void read_words(struct pg_arena *arena, const char *sql, struct words *w)
{
    static const char *const before_star[] = {"select", "distinct", "all", "returning"};
    static const char *const whole[] = {"natural", "table"};
    size_t len = strlen(sql);
    const char *before = NULL;
    char sign = '\0'; /* the token before, when it is punctuation */
    enum insert insert = NO_INSERT;

    for (struct pg_token t = pg_sql_token(sql, len, 0); t.kind != PG_TOKEN_END;
         t = pg_sql_token(sql, len, t.at + (t.len ? t.len : 1))) {
        if (t.kind == PG_TOKEN_COMMENT)
            continue;
        const char *name = name_of(arena, sql, t);
        bool star = t.kind == PG_TOKEN_OPERATOR && t.len == 1 && sql[t.at] == '*';
        /* What is not understood may be any name. */
        bool strange = t.kind == PG_TOKEN_BAD || (t.kind == PG_TOKEN_QUOTED && !name);
        w->all = w->all || strange || is_word(name, whole, 2) ||
                 (star && (sign == ',' || sign == '.' || is_word(before, before_star, 4)));
        if (name) {
            *pg_push(arena, &w->names) = name;
            *pg_push(arena, &w->dotted) = sign == '.';
        }
        before = name;
        sign = t.kind == PG_TOKEN_PUNCT ? sql[t.at] : '\0';
        insert = next_of_insert(insert, name, sign, &w->all);
    }
}

static void put_statement(struct pg_arena *arena, json_t *list, const char *sql, const struct pg_table *const *tables,
                          uint32_t n, int *result)
{
    struct words w = {0};

    read_words(arena, sql, &w);
    for (uint32_t i = 0; i < n; i++) {
        if (!is_word(tables[i]->name, w.names.at, w.names.n))
            continue;
        for (uint32_t k = 0; *result >= 0 && k < tables[i]->ncolumns; k++)
            if (w.all || is_word(tables[i]->columns[k].name, w.names.at, w.names.n))
                *result = put_column(list, arena, tables[i], &tables[i]->columns[k]);
    }
}

static bool is_table_of(const struct words *w, uint32_t i, const char *const pair[2])
{
    return strcmp(w->names.at[i], pair[1]) == 0 && !pair[0];
}

static uint32_t collect_tables(struct pg_arena *arena, const char *sql, const char *(**names)[2])
{
    struct words w = {0};
    uint32_t n = 0;

    read_words(arena, sql, &w);
    const char *(*found)[2] = pg_array(arena, 2 * (size_t)w.names.n + 1, sizeof(*found));
    for (uint32_t i = 0; i < w.names.n; i++) {
        bool known = false;
        for (uint32_t k = 0; k < n && !known; k++)
            known = is_table_of(&w, i, found[k]);
        if (!known) {
            found[n][0] = NULL;
            found[n++][1] = w.names.at[i];
        }
        if (i > 0 && w.dotted.at[i]) {
            found[n][0] = w.names.at[i - 1];
            found[n++][1] = w.names.at[i];
        }
    }
    *names = found;
    return n;
}

uint32_t pg_uses_tables(struct pg_arena *arena, const char *sql, const char *(**names)[2])
{
    jmp_buf escape;
    volatile uint32_t n = 0;

    arena->escape = &escape;
    if (setjmp(escape) == 0)
        n = collect_tables(arena, sql, names);
    else
        *names = NULL;
    arena->escape = NULL;
    return n;
}

int pg_uses_put_statement(json_t *document, const char *sql, const struct pg_table *const *tables, uint32_t n)
{
    struct pg_arena arena = {0};
    json_t *list = list_of(document);
    int r = list ? CELL_OK : CELL_NO_MEMORY;
    jmp_buf escape;

    arena.escape = &escape;
    if (setjmp(escape) == 0)
        put_statement(&arena, list, sql, tables, n, &r);
    else
        r = CELL_NO_MEMORY;
    pg_arena_free(&arena);
    return r;
}
