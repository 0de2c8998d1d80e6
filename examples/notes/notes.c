/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Notes on the command line, kept in PostgreSQL.
 *
 *   notes add TITLE TEXT [TAG…]   notes list [TAG]   notes show ID   notes edit ID TEXT   notes pin ID   notes rm ID
 *   notes search WORD…            notes tags         notes import FILE (a line each: TITLE, tab, TEXT)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tables.h"

CELL_QUERY_FILE(search, "queries/search.sql", words);
CELL_QUERY(tag_counts, "SELECT tag, count(*) AS n FROM note_tags GROUP BY tag ORDER BY n DESC, tag");
CELL_QUERY(tagged,
           "SELECT n.id, n.title, n.pinned FROM notes n JOIN note_tags t ON t.note = n.id "
           "WHERE t.tag = $1 ORDER BY n.pinned DESC, n.id",
           tag);

/* What one transaction of `add` needs. */
struct adding {
    struct note note;
    char **tags;
    int ntags;
};

/* Runs again from the beginning when the database asks for it: everything in here is in one transaction. */
static int add_all(cell_ctx *c, void *user)
{
    struct adding *a = user;
    int r = note_insert(c, &a->note); /* fills in id and created */

    for (int i = 0; r >= 0 && i < a->ntags; i++) {
        struct tag t = {.note = a->note.id, .tag = cell_strz(a->tags[i])};
        r = tag_upsert(c, &t);
    }
    return r;
}

static int add(cell_ctx *c, int argc, char **argv)
{
    struct adding a = {
        .note = {.title = cell_strz(argv[0]), .body = cell_strz(argv[1])}, .tags = argv + 2, .ntags = argc - 2};
    int r = cell_transaction(c, "postgres", add_all, &a);

    if (r == CELL_ALREADY_EXISTS) {
        fprintf(stderr, "notes: there is a note '%s' already\n", argv[0]);
        return 1;
    }
    if (r < 0)
        return cell_perror(c, "add");
    printf("%" PRId64 "\n", a.note.id);
    return 0;
}

static void print_line(int64_t id, cell_str title, bool pinned)
{
    printf("%6" PRId64 " %c %.*s\n", id, pinned ? '*' : ' ', CELL_FMT(title));
}

/* All notes, a page at a time, by id: notes that are added meanwhile shift nothing. */
static int list_all(cell_ctx *c)
{
    cell_opt_i64 after = {0};
    note_rows page = {0};

    do {
        cell_ctx_reset(c); /* a page's memory, and time for the next */
        int r = note_list(c, after, 100, &page);
        if (r < 0)
            return cell_perror(c, "list");
        for (uint64_t i = 0; i < page.len; i++)
            print_line(page.ptr[i].id, page.ptr[i].title, page.ptr[i].pinned);
        if (page.len)
            after = (cell_opt_i64)CELL_SOME(page.ptr[page.len - 1].id);
    } while (page.len == 100);
    return 0;
}

static int list(cell_ctx *c, int argc, char **argv)
{
    if (argc == 0)
        return list_all(c);
    struct tagged_iter it = tagged(c, cell_strz(argv[0]));
    while (tagged_next(&it))
        print_line(it.row.id, it.row.title, it.row.pinned);
    return tagged_end(&it) < 0 ? cell_perror(c, "list") : 0;
}

static int find(cell_ctx *c, const char *id, struct note *n)
{
    int r = note_get(c, strtoll(id, NULL, 10), n);

    if (r == CELL_NOT_FOUND)
        fprintf(stderr, "notes: there is no note %s\n", id);
    else if (r < 0)
        cell_perror(c, "find");
    return r;
}

static void print_time(const char *what, int64_t us)
{
    char text[32];
    time_t s = us / 1000000;
    struct tm tm;

    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", localtime_r(&s, &tm));
    printf("%s %s\n", what, text);
}

static int show(cell_ctx *c, int argc, char **argv)
{
    struct note n;

    (void)argc;
    if (find(c, argv[0], &n) < 0)
        return 1;
    printf("%.*s\n\n%.*s\n\n", CELL_FMT(n.title), CELL_FMT(n.body));
    print_time("created", n.created);
    if (n.edited.has)
        print_time("edited", n.edited.value);
    return 0;
}

static int edit(cell_ctx *c, int argc, char **argv)
{
    struct note n;

    (void)argc;
    if (find(c, argv[0], &n) < 0)
        return 1;
    n.body = cell_strz(argv[1]);
    n.edited = (cell_opt_i64)CELL_SOME((int64_t)time(NULL) * 1000000);
    return note_update(c, &n) < 0 ? cell_perror(c, "edit") : 0;
}

static int pin(cell_ctx *c, int argc, char **argv)
{
    struct note n;

    (void)argc;
    if (find(c, argv[0], &n) < 0)
        return 1;
    n.pinned = !n.pinned;
    return note_update(c, &n) < 0 ? cell_perror(c, "pin") : 0;
}

static int rm(cell_ctx *c, int argc, char **argv)
{
    (void)argc;
    int r = note_delete(c, strtoll(argv[0], NULL, 10));

    if (r == CELL_NOT_FOUND)
        fprintf(stderr, "notes: there is no note %s\n", argv[0]);
    return r == CELL_NOT_FOUND ? 1 : r < 0 ? cell_perror(c, "rm") : 0;
}

static int find_words(cell_ctx *c, int argc, char **argv)
{
    cell_str words = cell_strz(argv[0]);

    for (int i = 1; i < argc; i++)
        words = cell_ctx_printf(c, "%.*s %s", CELL_FMT(words), argv[i]);
    struct search_iter it = search(c, words);
    while (search_next(&it))
        print_line(it.row.id, it.row.title, false);
    return search_end(&it) < 0 ? cell_perror(c, "search") : 0;
}

static int tags(cell_ctx *c, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct tag_counts_iter it = tag_counts(c);
    while (tag_counts_next(&it))
        printf("%6" PRId64 " %.*s\n", it.row.n, CELL_FMT(it.row.tag));
    return tag_counts_end(&it) < 0 ? cell_perror(c, "tags") : 0;
}

/* One COPY for all of the file: all lines or, when one is bad, none. */
static int import(cell_ctx *c, int argc, char **argv)
{
    FILE *f = fopen(argv[0], "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    (void)argc;
    if (!f) {
        perror(argv[0]);
        return 1;
    }
    struct note_load_writer w = note_load(c);
    while ((len = getline(&line, &size, f)) > 0) {
        line[len - (line[len - 1] == '\n')] = 0;
        char *text = strchr(line, '\t');
        if (text)
            *text++ = 0;
        struct note n = {.title = cell_strz(line), .body = cell_strz(text ? text : "")};
        if (note_load_put(&w, &n, 1) < 0)
            break;
    }
    free(line);
    fclose(f);
    int r = note_load_end(&w);
    if (r < 0)
        return cell_perror(c, "import");
    printf("%d notes\n", r);
    return 0;
}

static const struct command {
    const char *name;
    int least, most; /* arguments */
    int (*run)(cell_ctx *c, int argc, char **argv);
} commands[] = {{"add", 2, 99, add},     {"list", 0, 1, list}, {"show", 1, 1, show}, {"edit", 2, 2, edit},
                {"pin", 1, 1, pin},      {"rm", 1, 1, rm},     {"tags", 0, 0, tags}, {"search", 1, 99, find_words},
                {"import", 1, 1, import}};

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 10000);

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].least && argc - 2 <= commands[i].most)
            return commands[i].run(c, argc - 2, argv + 2);
    fprintf(stderr, "usage: notes add TITLE TEXT [TAG…] | list [TAG] | show ID | edit ID TEXT | pin ID | rm ID |\n"
                    "             search WORD… | tags | import FILE\n");
    return 2;
}
