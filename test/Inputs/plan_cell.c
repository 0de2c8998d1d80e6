/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A cell with plans, for tests: it keeps tables, as JSON, in the file FOLDER/tables, and writes a line for each apply
 * and each step into FOLDER/log.
 *
 *     plan_cell FOLDER [die-at-step N | hang-in-apply | fail-apply]
 *
 * Verbs: table(name) on structs, query(name, sql, parameters) and query_file(name, file, parameters) on enumerations; a
 * query is "SELECT a, b FROM t". Of a table with a struct that has the rule keyed(field), some struct must have a field
 * with the rule key.
 */
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cell/serve.h>

CELL_PROVIDE(shelf, "Tables for tests");

CELL_METHOD int shelf_tables(cell_ctx *c, cell_str *names);

static const char verbs[] =
    "[{\"name\": \"query\", \"on\": [\"enum\"], \"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": "
    "true},"
    " {\"name\": \"sql\", \"type\": \"string\", \"required\": true}, {\"name\": \"parameters\", \"type\": "
    "\"string\"}]},"
    "{\"name\": \"query_file\", \"on\": [\"enum\"], \"args\": [{\"name\": \"name\", \"type\": \"string\", "
    "\"required\": true},"
    " {\"name\": \"sql\", \"type\": \"file\", \"required\": true}, {\"name\": \"parameters\", \"type\": \"string\"}]},"
    "{\"name\": \"table\", \"on\": [\"struct\"], \"field_rules\": [\"key\"], \"rules\": [\"dropped\", \"index\", "
    "\"keyed\"],"
    " \"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}]}]";

static const char *folder, *trouble = "";
static int die_at, steps_done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static char *path_of(const char *name)
{
    static _Thread_local char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* A line in one write: several threads may be here. */
static void log_line(const char *text)
{
    char line[600];
    size_t n = 0;
    int fd = open(path_of("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    for (; text[n] && n < sizeof(line) - 1; n++)
        line[n] = text[n] == '\n' ? ' ' : text[n];
    line[n] = '\n';
    if (write(fd, line, n + 1) < 0)
        perror("log");
    close(fd);
}

static json_t *load_tables(void)
{
    json_t *tables = json_load_file(path_of("tables"), 0, NULL);
    return tables ? tables : json_object();
}

static void save_tables(json_t *tables)
{
    char to[4096];
    snprintf(to, sizeof(to), "%s", path_of("tables"));
    json_dump_file(tables, path_of("tables.new"), JSON_SORT_KEYS | JSON_COMPACT);
    rename(path_of("tables.new"), to);
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const char *arg(json_t *request, size_t i)
{
    const char *text =
        json_string_value(json_array_get(json_object_get(json_object_get(request, "annotation"), "args"), i));
    return text ? text : "";
}

static bool is_table(json_t *request)
{
    return strcmp(text_of(json_object_get(request, "annotation"), "verb"), "table") == 0;
}

static void say(json_t *said, json_t *one) { json_array_append_new(said, one); }

static bool is_dropped(json_t *declaration, const char *column)
{
    json_t *rule;
    size_t i;
    json_array_foreach(json_object_get(declaration, "rules"), i,
                       rule) if (strcmp(text_of(rule, "rule"), "dropped") == 0 &&
                                 strcmp(json_string_value(json_array_get(json_object_get(rule, "args"), 0)), column) ==
                                     0) return true;
    return false;
}

static json_t *field_of(json_t *declaration, const char *name)
{
    json_t *field;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(declaration, "type"), "fields"), i,
                       field) if (strcmp(text_of(field, "name"), name) == 0) return field;
    return NULL;
}

/* What makes the table of the request from what `tables` has; `step` is called for each. Those that it refuses are
 * errors in `said`. */
static void plan(json_t *request, json_t *tables, json_t *said, void (*step)(void *, const char *, const char *),
                 void *to)
{
    json_t *declaration = json_object_get(request, "declaration"), *table, *field, *type;
    const char *name = arg(request, 0), *column;
    char text[512];
    size_t i;
    void *next;
    if (!is_table(request))
        return; /* a query that is called like a table */
    table = json_object_get(tables, name);
    if (!table) {
        json_object_set_new(tables, name, table = json_object());
        snprintf(text, sizeof(text), "CREATE TABLE %s", name);
        step(to, text, "");
    }
    json_object_foreach_safe(table, next, column, type)
    {
        if (field_of(declaration, column))
            continue;
        const char *renamed = NULL;
        json_array_foreach(json_object_get(json_object_get(declaration, "type"), "fields"), i,
                           field) if (strcmp(text_of(field, "renamed_from"), column) == 0) renamed =
            text_of(field, "name");
        if (!renamed && !is_dropped(declaration, column)) {
            json_t *fields = json_object_get(json_object_get(declaration, "type"), "fields");
            say(said, json_pack("{s:s, s:o, s:{s:s, s:[s]}}", "severity", "error", "text",
                                json_sprintf("column '%s' of table '%s' would be dropped", column, name), "fix", "rule",
                                "dropped", "args", column));
            say(said,
                json_pack("{s:s, s:o, s:s, s:{s:s, s:[s]}}", "severity", "remark", "text",
                          json_sprintf("or is it the former name of '%s'?", text_of(json_array_get(fields, 0), "name")),
                          "field", text_of(json_array_get(fields, 0), "name"), "fix", "rule", "renamed_from", "args",
                          column));
            continue;
        }
        snprintf(text, sizeof(text), renamed ? "ALTER TABLE %s RENAME %s TO %s" : "ALTER TABLE %s DROP %s", name,
                 column, renamed ? renamed : "");
        if (renamed)
            json_object_set(table, renamed, type);
        json_object_del(table, column);
        step(to, text, renamed ? "" : "its values are lost");
    }
    json_array_foreach(json_object_get(json_object_get(declaration, "type"), "fields"), i, field)
    {
        if (json_object_get(table, text_of(field, "name")))
            continue;
        json_object_set(table, text_of(field, "name"), json_object_get(field, "type"));
        snprintf(text, sizeof(text), "ALTER TABLE %s\n  ADD %s %s", name, text_of(field, "name"),
                 text_of(field, "type"));
        step(to, text, "");
    }
}

static void add_step(void *to, const char *text, const char *hazard)
{
    json_array_append_new(to, json_pack("{s:s, s:s, s:s}", "text", text, "kind",
                                        strncmp(text, "CREATE", 6) == 0 ? "create-table" : "alter-table", "hazard",
                                        hazard));
}

static void no_step(void *to, const char *text, const char *hazard) { (void)to, (void)text, (void)hazard; }

/* The next word of a query, with its place. */
static size_t word(const char *sql, size_t *at, char out[64])
{
    size_t begin = *at + strspn(sql + *at, " ,\n\t"), n = strcspn(sql + begin, " ,\n\t");
    snprintf(out, 64, "%.*s", (int)n, sql + begin);
    *at = begin + n;
    return begin;
}

static void expand_query(json_t *request, json_t *tables, json_t *said, json_t *constants)
{
    struct {
        char name[64];
        size_t at;
    } columns[16];
    const char *sql = arg(request, 1);
    char table[64], next[64];
    size_t at = 0, n = 0, place;
    word(sql, &at, next); /* SELECT */
    for (place = word(sql, &at, next); next[0] && strcmp(next, "FROM") != 0 && n < 16; place = word(sql, &at, next)) {
        memcpy(columns[n].name, next, sizeof(next));
        columns[n++].at = place;
    }
    place = word(sql, &at, table);
    json_t *found = json_object_get(tables, table);
    if (!found)
        say(said, json_pack("{s:s, s:o, s:s, s:I, s:I}", "severity", "error", "text",
                            json_sprintf("there is no table '%s'", table), "field", "sql", "at", (json_int_t)place,
                            "length", (json_int_t)strlen(table)));
    for (size_t i = 0; found && i < n; i++)
        if (!json_object_get(found, columns[i].name))
            say(said, json_pack("{s:s, s:o, s:s, s:I, s:I, s:[{s:s, s:s, s:I}]}", "severity", "error", "text",
                                json_sprintf("table '%s' has no column '%s'", table, columns[i].name), "field", "sql",
                                "at", (json_int_t)columns[i].at, "length", (json_int_t)strlen(columns[i].name), "notes",
                                "text", "of this table", "field", "sql", "at", (json_int_t)place));
    json_array_append_new(constants, json_pack("{s:o, s:s, s:o}", "name", json_sprintf("%s_columns", arg(request, 0)),
                                               "type", "i64", "value", json_sprintf("%d", (int)n)));
}

static bool has_key(json_t *declaration)
{
    json_t *field, *rule;
    size_t i, k;
    json_array_foreach(json_object_get(json_object_get(declaration, "type"), "fields"), i, field) json_array_foreach(
        json_object_get(field, "rules"), k, rule) if (strcmp(text_of(rule, "rule"), "key") == 0) return true;
    return false;
}

/* The field of the rule "keyed"; NULL. */
static json_t *keyed_field(json_t *declaration)
{
    json_t *rule;
    size_t i;
    json_array_foreach(json_object_get(declaration, "rules"), i,
                       rule) if (strcmp(text_of(rule, "rule"), "keyed") ==
                                 0) return json_array_get(json_object_get(rule, "args"), 0);
    return NULL;
}

/* What all structs of the table together are. */
static void judge(json_t *request, json_t *said)
{
    json_t *all = json_array(), *one, *own = keyed_field(json_object_get(request, "declaration")), *field = own;
    bool key = false;
    int n = 0;
    size_t i;
    json_array_extend(all, json_object_get(request, "pending"));
    json_array_append(all, request);
    json_array_foreach(all, i, one)
    {
        json_t *declaration = json_object_get(one, "declaration");
        if (!is_table(one) || strcmp(arg(one, 0), arg(request, 0)) != 0)
            continue;
        n++;
        key |= has_key(declaration);
        field = field ? field : keyed_field(declaration);
    }
    if (field && !key)
        say(said,
            json_pack("{s:s, s:o, s:b, s:O*, s:[{s:s, s:O*}], s:{s:s, s:[s]}}", "severity", "error", "text",
                      json_sprintf("no struct of table '%s' has a key", arg(request, 0)), "whole", 1, "field", own,
                      "notes", "text", "this one could be it", "field", own, "fix", "rule", "key", "args", "yes"));
    if (field)
        say(said, json_pack("{s:s, s:o, s:b}", "severity", "remark", "text",
                            json_sprintf("table '%s' has structs: %d", arg(request, 0), n), "whole", 1));
    json_decref(all);
}

static int reply(cell_ctx *c, json_t *document, cell_str *out)
{
    char *text = json_dumps(document, JSON_COMPACT);
    *out = cell_ctx_copy(c, (cell_str){text, strlen(text)});
    free(text);
    json_decref(document);
    return out->ptr ? 0 : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

static int expand(cell_ctx *c, cell_str text, cell_str *document)
{
    json_t *request = json_loadb(text.ptr, text.len, 0, NULL), *tables, *one, *said = json_array(),
           *none = json_array();
    json_t *constants = json_array(), *steps = json_array();
    const char *verb = text_of(json_object_get(request, "annotation"), "verb");
    size_t i;
    pthread_mutex_lock(&lock);
    tables = load_tables();
    pthread_mutex_unlock(&lock);
    json_array_foreach(json_object_get(request, "pending"), i, one) plan(one, tables, none, no_step, NULL);
    if (strcmp(verb, "table") == 0)
        plan(request, tables, said, add_step, steps), judge(request, said);
    else
        expand_query(request, tables, said, constants);
    json_t *made = json_pack("{s:s, s:o, s:o, s:{s:s, s:o}}", "expansion", "cell.expansion/1", "constants", constants,
                             "diagnostics", said, "plan", "id", "5e1f", "steps", steps);
    json_decref(none);
    json_decref(tables);
    json_decref(request);
    return reply(c, made, document);
}

static int state(cell_ctx *c, cell_str *token)
{
    uint64_t sum = 14695981039346656037u;
    pthread_mutex_lock(&lock);
    json_t *tables = load_tables();
    pthread_mutex_unlock(&lock);
    char *text = json_dumps(tables, JSON_SORT_KEYS);
    for (const char *p = text; *p; p++)
        sum = (sum ^ (uint8_t)*p) * 1099511628211u;
    free(text);
    json_decref(tables);
    *token = cell_ctx_printf(c, "t.%016llx", (unsigned long long)sum);
    return token->ptr ? 0 : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* Each step is on the disk before the next one begins. */
struct execution {
    json_t *tables;
    uint64_t steps;
};

static void execute(void *to, const char *text, const char *hazard)
{
    struct execution *x = to;
    (void)hazard;
    if (die_at && ++steps_done == die_at)
        _exit(9);
    log_line(text);
    save_tables(x->tables);
    x->steps++;
}

static json_t *apply_all(json_t *requests)
{
    json_t *request, *applied = json_array(), *failed = NULL;
    struct execution x = {.tables = load_tables()};
    size_t i;
    json_array_foreach(requests, i, request)
    {
        json_t *said = json_array();
        x.steps = 0;
        if (strcmp(trouble, "fail-apply") == 0 && i + 1 == json_array_size(requests))
            failed =
                json_pack("{s:I, s:s, s:s}", "request", (json_int_t)i, "text", "the disk is full", "field", "name");
        else
            plan(request, x.tables, said, execute, &x);
        if (json_array_size(said))
            failed = json_pack("{s:I, s:O}", "request", (json_int_t)i, "text",
                               json_object_get(json_array_get(said, 0), "text"));
        json_decref(said);
        if (failed)
            break;
        save_tables(x.tables);
        json_array_append_new(applied,
                              json_pack("{s:s, s:I}", "id", x.steps ? "5e1f" : "", "steps", (json_int_t)x.steps));
    }
    json_decref(x.tables);
    json_t *made = json_pack("{s:o}", "applied", applied);
    if (failed)
        json_object_set_new(made, "failed", failed);
    return made;
}

static int apply(cell_ctx *c, cell_str text, cell_str *document)
{
    json_t *request = json_loadb(text.ptr, text.len, 0, NULL);
    cell_str token = {NULL, 0};
    char line[64];
    snprintf(line, sizeof(line), "apply %zu", json_array_size(json_object_get(request, "requests")));
    log_line(line);
    while (strcmp(trouble, "hang-in-apply") == 0 && !cell_ctx_cancelled(c))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    /* The compiler's deadline is the same one: what is done at once could still reach it in time. */
    if (strcmp(trouble, "hang-in-apply") == 0)
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    pthread_mutex_lock(&lock);
    json_t *made = apply_all(json_object_get(request, "requests"));
    pthread_mutex_unlock(&lock);
    json_decref(request);
    int r = state(c, &token);
    if (r >= 0)
        json_object_set_new(made, "state", json_stringn(token.ptr, (size_t)token.len));
    return r < 0 ? (json_decref(made), r) : reply(c, made, document);
}

int shelf_tables(cell_ctx *c, cell_str *names)
{
    json_t *tables = load_tables();
    char *text = json_dumps(tables, JSON_SORT_KEYS);
    *names = cell_ctx_copy(c, (cell_str){text, strlen(text)});
    free(text);
    json_decref(tables);
    return 0;
}

int main(int argc, char **argv)
{
    struct cell_server *server = NULL;
    const struct cell_server_options options = {.expand = expand, .verbs = verbs, .state = state, .apply = apply};
    if (argc < 2)
        return 2;
    folder = argv[1];
    if (argc > 2)
        trouble = argv[2];
    if (argc > 3)
        die_at = atoi(argv[3]);
    int r = cell_server_new(&options, &server);
    if (r >= 0)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "shelf: %s\n", cell_server_message(server));
    cell_server_free(server);
    return r < 0;
}
