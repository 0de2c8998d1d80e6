/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Consumers as documents, and a folder of them: what is kept, replaced, forgotten, and refused. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <utime.h>

#include "core/consumer.h"
#include "core/json.h"
#include "schema_build.h"
#include "temp_folder.h"

static struct cell_schema *schema;
static struct cell_uses *uses;
static struct cell_error error;

static void add(struct cell_uses *u, const char *cell, const char *name, uint32_t line)
{
    const struct use use = {cell, schema->fingerprint, USE_METHOD, name, "src/a.c", line};
    if (cell_uses_add(u, &use) < 0)
        exit(2);
}

/* What a program uses of two cells, with the schema of one. */
static void set_up(void)
{
    struct cell_uses made = {.n = 0};
    struct cell_buffer record = {0}, schemas = {0};
    temp_folder_make();
    schema = build_schema("method auth_ping u32:n ; method auth_login str:email ;");
    add(&made, "auth", "auth_ping", 3);
    add(&made, "auth", "auth_login", 4);
    add(&made, "mail", "mail_send", 5);
    cell_uses_sort(&made);
    if (cell_uses_record(&made, &record) < 0 || cell_used_schema_record(schema, &schemas) < 0 ||
        cell_uses_read(record.data, record.len, schemas.data, schemas.len, &uses, &error) < 0)
        exit(2);
    cell_buffer_free(&record);
    cell_buffer_free(&schemas);
    free(made.uses);
    cell_arena_free(&made.arena);
}

static void tear_down(void)
{
    cell_uses_free(uses);
    cell_schema_free(schema);
    uses = NULL;
    temp_folder_remove();
}

static struct cell_consumer consumer(const char *program, const char *path)
{
    return (struct cell_consumer){
        .cell = "auth", .program = program, .path = path, .build = "", .reported = 7, .uses = uses};
}

static int put(const char *program, const char *path, bool *replaced)
{
    const struct cell_consumer c = consumer(program, path);
    return cell_consumers_put(temp_path("kept"), &c, replaced, &error);
}

static size_t count(uint64_t *bytes)
{
    struct cell_consumer_list list;
    if (cell_consumers_list(temp_path("kept"), &list, &error) < 0)
        exit(2);
    size_t n = list.n;
    if (bytes)
        *bytes = list.bytes;
    cell_consumers_list_free(&list);
    return n;
}

TEST(document_holds_what_is_used_of_its_cell_and_reads_back_as_the_same)
{
    struct cell_buffer json = {0}, again = {0};
    struct cell_consumer *read = NULL;
    set_up();
    const struct cell_consumer c = consumer("show", "/build/show");
    CHECK(cell_consumer_format(&c, &json) == CELL_OK);
    REQUIRE(cell_consumer_parse(json.data, json.len, &read, &error) == CELL_OK);
    CHECK_STR(read->program, "show");
    CHECK_STR(read->path, "/build/show");
    CHECK(read->reported == 7 && read->uses->n == 2 && read->uses->nschemas == 1);
    CHECK(!strstr(json.data, "mail_send"));
    CHECK(cell_consumer_format(read, &again) == CELL_OK && again.len == json.len);
    CHECK(memcmp(again.data, json.data, json.len) == 0);
    cell_consumer_free(read);
    cell_consumer_free(NULL);
    cell_buffer_free(&json);
    cell_buffer_free(&again);
    tear_down();
}

TEST(a_project_is_known_again_by_a_hash_of_its_folder)
{
    char id[65], other[65], linked[65];
    struct cell_buffer json = {0};
    struct cell_consumer *read = NULL;
    set_up();
    CHECK(mkdir(temp_path("a"), 0700) == 0 && mkdir(temp_path("b"), 0700) == 0);
    cell_project_id(temp_path("a"), id);
    cell_project_id(temp_path("b"), other);
    CHECK(symlink("a", temp_path("link")) == 0);
    cell_project_id(temp_path("link"), linked);
    CHECK(strlen(id) == 64 && strcmp(id, other) != 0 && strcmp(id, linked) == 0);
    struct cell_consumer c = consumer("show", "/build/show");
    c.project = id;
    CHECK(cell_consumer_format(&c, &json) == CELL_OK);
    CHECK(!strstr(json.data, temp_folder));
    REQUIRE(cell_consumer_parse(json.data, json.len, &read, &error) == CELL_OK);
    CHECK_STR(read->project, id);
    cell_consumer_free(read);
    char *at = strstr(json.data, id);
    at[0] = 'x';
    CHECK(cell_consumer_parse(json.data, json.len, &read, &error) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(error.text, "64 hex digits are expected") != NULL);
    json.len = 0;
    c.project = NULL;
    CHECK(cell_consumer_format(&c, &json) == CELL_OK && !strstr(json.data, "project"));
    REQUIRE(cell_consumer_parse(json.data, json.len, &read, &error) == CELL_OK);
    CHECK_STR(read->project, "");
    cell_consumer_free(read);
    cell_buffer_free(&json);
    tear_down();
}

static uint64_t stamp(void)
{
    uint64_t s = 0;
    CHECK(cell_consumers_stamp(temp_path("kept"), &s, &error) == CELL_OK);
    return s;
}

TEST(a_stamp_changes_with_whatever_is_kept)
{
    uint64_t seen[6];
    bool replaced;
    uint32_t n;
    set_up();
    seen[0] = stamp();
    CHECK(put("show", "/a/show", &replaced) == CELL_OK);
    seen[1] = stamp();
    CHECK(stamp() == seen[1]);
    CHECK(put("show", "/a/show", &replaced) == CELL_OK && replaced); /* the same content, at another time */
    seen[2] = stamp();
    CHECK(put("show", "/b/show", &replaced) == CELL_OK);
    seen[3] = stamp();
    CHECK(cell_consumers_forget(temp_path("kept"), "show", "/a/show", &n, &error) == CELL_OK);
    seen[4] = stamp();
    temp_write("kept/00000000000000000000000000000000.json", "{");
    seen[5] = stamp();
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            CHECK(seen[i] != seen[k]);
    temp_write("kept/no record", "x");
    CHECK(stamp() == seen[5]);
    temp_write("file", "x");
    CHECK(cell_consumers_stamp(temp_path("file"), &seen[0], &error) == CELL_IO_ERROR);
    tear_down();
}

TEST(names_of_programs_are_made_harmless)
{
    char name[CELL_MAX_NAME + 1], longest[400];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    static const char *const pairs[][2] = {{"/a/b/show", "show"}, {"show", "show"},   {".hidden", "_hidden"},
                                           {"a b\n", "a_b_"},     {"\xc3\xa4", "__"}, {"dir/", "_"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        cell_consumer_name(pairs[i][0], name);
        CHECK_STR(name, pairs[i][1]);
    }
    cell_consumer_name(longest, name);
    CHECK(strlen(name) == CELL_MAX_NAME);
}

TEST(same_name_and_path_is_replaced_and_another_path_is_another_program)
{
    bool replaced = true;
    struct cell_consumer *c = NULL;
    uint32_t n = 0;
    set_up();
    CHECK(count(NULL) == 0);
    CHECK(put("show", "/a/show", &replaced) == CELL_OK && !replaced);
    CHECK(put("show", "/b/show", &replaced) == CELL_OK && !replaced);
    CHECK(put("show", "", &replaced) == CELL_OK && !replaced);
    CHECK(put("show", "/a/show", &replaced) == CELL_OK && replaced);
    CHECK(count(NULL) == 3);
    CHECK(cell_consumers_find(temp_path("kept"), "show", "/b/show", &c, &error) == CELL_OK);
    CHECK_STR(c->path, "/b/show");
    cell_consumer_free(c);
    CHECK(cell_consumers_find(temp_path("kept"), "show", "/c/show", &c, &error) == CELL_NOT_FOUND);
    CHECK(cell_consumers_forget(temp_path("kept"), "show", "/b/show", &n, &error) == CELL_OK && n == 1);
    CHECK(cell_consumers_forget(temp_path("kept"), "sho", NULL, &n, &error) == CELL_OK && n == 0);
    CHECK(cell_consumers_forget(temp_path("kept"), "show", NULL, &n, &error) == CELL_OK && n == 2);
    CHECK(count(NULL) == 0);
    CHECK(cell_consumers_forget(temp_path("none"), "show", NULL, &n, &error) == CELL_OK && n == 0);
    CHECK(cell_consumers_forget(temp_path("none"), "show", "", &n, &error) == CELL_OK && n == 0);
    tear_down();
}

TEST(full_disk_leaves_the_earlier_record)
{
    struct rlimit before, small = {64, RLIM_INFINITY};
    struct cell_consumer *c = NULL;
    bool replaced;
    set_up();
    signal(SIGXFSZ, SIG_IGN);
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small.rlim_max = before.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    uses->n = 1; /* of auth */
    replaced = false;
    int r = put("show", "/show", &replaced), other = put("other", "/other", &replaced);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(r == CELL_IO_ERROR && other == CELL_IO_ERROR && !replaced);
    REQUIRE(cell_consumers_find(temp_path("kept"), "show", "/show", &c, &error) == CELL_OK);
    CHECK(c->uses->n == 2 && count(NULL) == 1);
    cell_consumer_free(c);
    tear_down();
}

/* A file of `bytes` bytes with the name of a record. */
static void fake_record(unsigned i, off_t bytes)
{
    char name[64];
    snprintf(name, sizeof(name), "kept/%032x.json", i);
    temp_write(name, "");
    CHECK(truncate(temp_path(name), bytes) == 0);
}

TEST(number_and_size_are_bounded)
{
    bool replaced;
    uint64_t bytes;
    set_up();
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    for (unsigned i = 1; i < CELL_MAX_CONSUMERS; i++)
        fake_record(i, 1);
    CHECK(put("more", "/more", &replaced) == CELL_RESOURCE_EXHAUSTED && strstr(error.text, "forget"));
    CHECK(put("show", "/show", &replaced) == CELL_OK && replaced);
    CHECK(count(&bytes) == CELL_MAX_CONSUMERS && bytes < CELL_MAX_CONSUMERS_BYTES);
    fake_record(1, CELL_MAX_CONSUMERS_BYTES - (off_t)bytes + 1);
    CHECK(count(&bytes) == CELL_MAX_CONSUMERS && bytes == CELL_MAX_CONSUMERS_BYTES);
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    fake_record(2, 2);
    CHECK(put("show", "/show", &replaced) == CELL_RESOURCE_EXHAUSTED);
    tear_down();
}

TEST(what_is_no_record_is_neither_counted_nor_read)
{
    struct cell_consumer_list list;
    struct cell_consumer *c = NULL;
    bool replaced;
    uint32_t n = 0;
    set_up();
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    temp_write("kept/README", "not ours");
    temp_make_folder("kept/ffffffffffffffffffffffffffffffff.json");
    CHECK(symlink("README", temp_path("kept/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.json")) == 0);
    CHECK(count(NULL) == 1);
    REQUIRE(cell_consumers_list(temp_path("kept"), &list, &error) == CELL_OK);
    char *json = NULL, name[64];
    snprintf(name, sizeof(name), "kept/%s", list.files[0]);
    json = temp_read(name);
    /* Under another name it could be forgotten by nobody. */
    temp_write("kept/dddddddddddddddddddddddddddddddd.json", json);
    CHECK(cell_consumers_read(temp_path("kept"), "dddddddddddddddddddddddddddddddd.json", &c, &error) ==
          CELL_PROTOCOL_ERROR);
    temp_write(name, "{");
    CHECK(cell_consumers_read(temp_path("kept"), list.files[0], &c, &error) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(error.text, list.files[0]) != NULL && !c);
    /* By its name and path it can be, and be replaced. */
    CHECK(put("show", "/show", &replaced) == CELL_OK && replaced);
    temp_write(name, "{");
    CHECK(cell_consumers_forget(temp_path("kept"), "show", "/show", &n, &error) == CELL_OK && n == 1);
    free(json);
    cell_consumers_list_free(&list);
    temp_write("file", "");
    CHECK(cell_consumers_list(temp_path("file"), &list, &error) == CELL_IO_ERROR);
    tear_down();
}

TEST(leftovers_of_a_kill_are_removed_in_time)
{
    const struct utimbuf long_ago = {time(NULL) - 100000, time(NULL) - 100000};
    bool replaced;
    set_up();
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    temp_write("kept/.cell-1-2-3.tmp", "half");
    temp_write("kept/.cell-1-2-4.tmp", "half");
    CHECK(utime(temp_path("kept/.cell-1-2-3.tmp"), &long_ago) == 0);
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    CHECK(access(temp_path("kept/.cell-1-2-3.tmp"), F_OK) < 0 && access(temp_path("kept/.cell-1-2-4.tmp"), F_OK) == 0);
    tear_down();
}

static void *put_many(void *name)
{
    bool replaced;
    char path[64];
    for (unsigned i = 0; i < 20; i++) {
        const struct cell_consumer c = consumer("show", path);
        snprintf(path, sizeof(path), "/%s/%u", (const char *)name, i);
        if (cell_consumers_put(temp_path("kept"), &c, &replaced, NULL) < 0)
            return name;
    }
    return NULL;
}

TEST(writers_do_not_go_over_the_limit_together)
{
    set_up();
    bool replaced;
    unsigned failed = 0;
    CHECK(put("show", "/show", &replaced) == CELL_OK);
    for (unsigned i = 0; i < CELL_MAX_CONSUMERS - 31; i++)
        fake_record(i, 1);
    pid_t child[2];
    for (unsigned i = 0; i < 2; i++)
        if ((child[i] = fork()) == 0)
            _exit(put_many(i ? "a" : "b") != NULL);
    for (unsigned i = 0; i < 2; i++) {
        int status = 0;
        CHECK(waitpid(child[i], &status, 0) == child[i] && WIFEXITED(status));
        failed += WEXITSTATUS(status) != 0;
    }
    CHECK(failed >= 1 && count(NULL) == CELL_MAX_CONSUMERS);
    tear_down();
}
