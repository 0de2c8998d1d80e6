/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell's key: made once, kept, and what the schema is signed with. */
#include "call_fixture.h"
#include "core/identity.h"
#include "temp_folder.h"

static char key_path[128], version_path[140];

static void setup(void)
{
    demo_setup();
    temp_folder_make();
    unsetenv("CELL_IDENTITY");
    unsetenv("STATE_DIRECTORY");
    snprintf(key_path, sizeof(key_path), "%s/demo.key", temp_folder);
    snprintf(version_path, sizeof(version_path), "%s.version", key_path);
}

static void teardown(void)
{
    temp_folder_remove();
    demo_teardown();
}

/* Asks the running cell for its schema; false when that comes without a signature. */
static bool ask(struct cell_signature *s, char **schema)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    struct cell_meta_pair pair;
    int fd = raw_connect();
    CHECK(raw_hello(fd, CELL_CHANNEL_COMPILE, "demo", NULL, "lp64-le"));
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == 0);
    free(payload);
    CHECK(raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_CALL, .channel = CELL_CHANNEL_COMPILE, .id = 1}, NULL, 0,
                   "{}", 2));
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_REPLY && f.code == 0);
    bool found = cell_meta_find(payload, f.meta_len, CELL_META_SIGNATURE, &pair) == CELL_OK;
    if (found)
        CHECK(cell_signature_parse((const char *)pair.value, pair.value_len, s, NULL) == CELL_OK);
    *schema = strndup((const char *)payload + f.meta_len, f.length - f.meta_len);
    free(payload);
    close(fd);
    return found;
}

/* The signature of a cell that is started, asked twice and stopped; false = it has none. */
static bool signature_of(struct cell_server_options options, struct cell_signature *s)
{
    struct demo_server d = {.options = options};
    struct cell_signature again = {.version = 0};
    char *schema = NULL, *twice = NULL;
    demo_start(&d);
    bool found = ask(s, &schema);
    CHECK(ask(&again, &twice) == found);
    if (found) {
        CHECK(cell_signature_check(s, "demo", schema, strlen(schema), NULL) == CELL_OK);
        CHECK(memcmp(s->value, again.value, sizeof(again.value)) == 0);
        CHECK(s->expires > time(NULL) + 6 * 86400 && s->expires <= time(NULL) + 7 * 86400);
    }
    free(schema), free(twice);
    demo_stop(&d);
    return found;
}

/* A cell that must not start: its message. */
static const char *refusal(struct cell_server_options options, int expected)
{
    static char text[CELL_ERROR_TEXT];
    struct demo_server d = {.options = options};
    char fingerprint[65];
    const char *schema = embed_schema(&demo, fingerprint);
    d.provided = (struct cell_provided){CELL_DESC_ABI, 0, "demo", schema, demo_handlers, demo_handlers + DEMO_COUNT};
    CHECK(cell_server_new_from(&d.provided, &d.options, &d.server) == expected);
    snprintf(text, sizeof(text), "%s", cell_server_message(d.server));
    cell_server_free(d.server);
    free((void *)(uintptr_t)schema);
    return text;
}

TEST(a_cell_has_no_key_unless_it_is_told_where)
{
    struct cell_signature s;
    setup();
    CHECK(!signature_of((struct cell_server_options){.identity = NULL}, &s));
    setenv("CELL_IDENTITY", key_path, 1);
    CHECK(!signature_of((struct cell_server_options){.identity = ""}, &s));
    CHECK(access(key_path, F_OK) < 0);
    CHECK(signature_of((struct cell_server_options){.identity = NULL}, &s));
    teardown();
}

TEST(a_key_is_made_once_and_kept)
{
    struct cell_signature first, second;
    struct stat st;
    setup();
    CHECK(signature_of((struct cell_server_options){.identity = key_path}, &first));
    CHECK(stat(key_path, &st) == 0 && (st.st_mode & 07777) == 0600);
    char *before = temp_read("demo.key");
    CHECK(signature_of((struct cell_server_options){.identity = key_path}, &second));
    char *after = temp_read("demo.key");
    CHECK_STR(first.key, second.key);
    CHECK_STR(before, after);
    CHECK(first.version == second.version && first.version > 1700000000);
    free(before), free(after);
    /* Nothing is left of its making. */
    unsigned files = 0;
    DIR *folder = opendir(temp_folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        files += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(folder);
    CHECK(files == 2);
    teardown();
}

TEST(systemds_folder_of_state_is_the_place_of_a_key)
{
    struct cell_signature s;
    char folders[160];
    setup();
    snprintf(folders, sizeof(folders), "%s:/nowhere", temp_folder);
    setenv("STATE_DIRECTORY", folders, 1);
    CHECK(signature_of((struct cell_server_options){.identity = NULL}, &s));
    CHECK(access(key_path, F_OK) == 0);
    unsetenv("STATE_DIRECTORY");
    teardown();
}

TEST(the_version_rises_with_another_schema_and_when_it_is_lost)
{
    struct cell_signature s;
    char line[128];
    setup();
    CHECK(signature_of((struct cell_server_options){.identity = key_path}, &s));
    snprintf(line, sizeof(line), "4000000000 %064d\n", 0); /* of another schema, later than now */
    temp_write("demo.key.version", line);
    CHECK(signature_of((struct cell_server_options){.identity = key_path}, &s));
    CHECK(s.version == 4000000001);
    CHECK(unlink(version_path) == 0);
    CHECK(signature_of((struct cell_server_options){.identity = key_path}, &s));
    CHECK(s.version > 1700000000 && s.version <= (uint64_t)time(NULL));
    temp_write("demo.key.version", "nonsense");
    CHECK(signature_of((struct cell_server_options){.identity = key_path}, &s));
    CHECK(s.version > 1700000000);
    teardown();
}

TEST(a_cell_does_not_start_without_the_key_that_it_has)
{
    struct cell_signature s;
    const struct cell_server_options options = {.identity = key_path};
    setup();
    CHECK(signature_of(options, &s));
    CHECK(chmod(key_path, 0640) == 0);
    CHECK(strstr(refusal(options, CELL_PERMISSION_DENIED), "is not its user's alone") != NULL);
    CHECK(chmod(key_path, 0600) == 0);
    char *text = temp_read("demo.key");
    static const char *const damaged[] = {"", "cell.key/1\n", "cell.key/2\n"};
    for (size_t i = 0; i < 3; i++) {
        temp_write("demo.key", damaged[i]);
        CHECK(strstr(refusal(options, CELL_DATA_LOSS), "is damaged") != NULL);
    }
    text[20] = 'X';
    temp_write("demo.key", text);
    CHECK(strstr(refusal(options, CELL_DATA_LOSS), "is damaged") != NULL);
    free(text);
    CHECK(unlink(key_path) == 0 && mkdir(key_path, 0700) == 0);
    refusal(options, CELL_IO_ERROR);
    CHECK(rmdir(key_path) == 0);
    const struct cell_server_options nowhere = {.identity = "/nowhere/demo.key"};
    CHECK(strstr(refusal(nowhere, CELL_IO_ERROR), "/nowhere/demo.key cannot be made") != NULL);
    teardown();
}
