/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whose word a compilation takes: keys, versions, expiry, and whom it asks at all. */
#include "session_fixture.h"

#include "core/lock.h"
#include "core/trust.h"

#define DAY 86400

static void signed_project(void)
{
    project_make();
    fake.seed = 1;
    fake.signed_version = 10;
    fake.signed_for = DAY;
}

/* One compilation whose question for the cell ends so, with this in its error. */
static void expect(int status, const char *text)
{
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", status);
    if (text && !strstr(cell->error.text, text)) {
        printf("%s\n", cell->error.text);
        CHECK(strstr(cell->error.text, text) != NULL);
    }
    session_done();
}

static void key_of_seed(unsigned char seed, char key[CELL_KEY_DIGITS + 1])
{
    uint8_t bytes[32];
    memset(bytes, seed, sizeof(bytes));
    CHECK(cell_key_public(bytes, key, NULL) == CELL_OK);
}

/* What known-cells has of the cell; NULL = nothing. */
static const struct cell_pin *known_pin(void)
{
    static struct cell_pin pin;
    struct cell_trusted t;
    char address[256];
    snprintf(address, sizeof(address), "unix:%s/run/auth.sock", temp_folder);
    CHECK(cell_trusted_read(&t, NULL) == CELL_OK);
    const struct cell_pin *found = cell_trusted_key(&t, "auth", address);
    if (found)
        pin = *found;
    cell_trusted_free(&t);
    return found ? &pin : NULL;
}

static char *mirror(void) { return temp_read(".cell/mirror/auth.json"); }

/* ---- keys ---- */

TEST(a_cell_without_a_key_is_asked_as_ever)
{
    project_make();
    expect(CELL_OK, NULL);
    CHECK(!temp_exists("known-cells") && !temp_exists(".cell/identity"));
    expect(CELL_OK, NULL);
    CHECK(fake.opens == 2 && fake.requests == 1);
    project_remove();
}

TEST(a_key_is_known_from_its_first_use_on)
{
    char key[CELL_KEY_DIGITS + 1];
    signed_project();
    key_of_seed(1, key);
    expect(CELL_OK, NULL);
    const struct cell_pin *pin = known_pin();
    REQUIRE(pin);
    CHECK_STR(pin->key, key);
    CHECK(pin->version == 10);
    fake.version = "second";
    fake.seed = 2;
    char *before = mirror();
    expect(CELL_UNAUTHENTICATED, "the cell has another key than the one that it is known by");
    key_of_seed(2, key);
    expect(CELL_UNAUTHENTICATED, key); /* the command that accepts it */
    char *after = mirror();
    CHECK_STR(before, after);
    free(before), free(after);
    project_remove();
}

TEST(an_unsigned_schema_of_a_cell_with_a_key_is_refused)
{
    signed_project();
    expect(CELL_OK, NULL);
    fake.seed = 0;
    expect(CELL_OK, NULL); /* nothing new, and nothing that a signature could tell */
    fake.version = "second";
    expect(CELL_UNAUTHENTICATED, "is not signed, and the cell is known by the key ed25519:");
    expect(CELL_UNAUTHENTICATED, "cell trust --forget auth");
    project_remove();
}

TEST(what_was_verified_is_not_verified_again)
{
    signed_project();
    expect(CELL_OK, NULL);
    CHECK(fake.requests == 1 && fake.signatures == 1);
    expect(CELL_OK, NULL);
    CHECK(fake.requests == 1 && fake.signatures == 1);
    /* Without the note of it, it is. */
    CHECK(unlink(temp_path(".cell/identity/auth")) == 0);
    make_old(".cell/mirror/auth.json");
    expect(CELL_OK, NULL);
    CHECK(fake.requests == 2 && is_old(".cell/mirror/auth.json"));
    /* A note that somebody has edited counts for nothing. */
    temp_write(".cell/identity/auth", "");
    expect(CELL_OK, NULL);
    temp_write(".cell/identity/auth", "00 1 99999999999 00 00 x\n");
    expect(CELL_OK, NULL);
    CHECK(fake.requests == 4);
    project_remove();
}

TEST(the_lock_goes_over_known_cells)
{
    char *text;
    signed_project();
    expect(CELL_OK, NULL);
    struct cell_lock lock = {.cell = "auth", .version = 20};
    const char *schema = fake_schema("auth");
    lock.schema = schema;
    lock.schema_len = strlen(schema);
    cell_sha256_hex(schema, lock.schema_len, lock.fingerprint);
    key_of_seed(2, lock.identity);
    bool changed;
    CHECK(cell_lock_write(temp_folder, &lock, &changed, &error) == CELL_OK);
    expect(CELL_UNAUTHENTICATED, "(cells.lock)");
    fake.seed = 2;
    fake.signed_version = 19; /* the same schema as is locked: whoever counts anew may do so */
    expect(CELL_OK, NULL);
    fake.version = "second";
    fake.signed_version = 18;
    expect(CELL_UNAUTHENTICATED, "version 18, and version 2");
    fake.signed_version = 21;
    expect(CELL_OK, NULL);
    fake.version = "third"; /* what was seen here counts, too */
    expect(CELL_UNAUTHENTICATED, "version 21, and version 21 was seen before");
    text = temp_read("known-cells");
    CHECK(text && !strstr(text, lock.identity)); /* the lock has it */
    free(text);
    project_remove();
}

/* The note of a lock's key is enough for what is known; its version is read when it is needed. */
TEST(a_lock_that_is_known_is_read_for_its_version)
{
    signed_project();
    struct cell_lock lock = {.cell = "auth", .version = 20};
    lock.schema = fake_schema("auth");
    lock.schema_len = strlen(lock.schema);
    cell_sha256_hex(lock.schema, lock.schema_len, lock.fingerprint);
    key_of_seed(1, lock.identity);
    bool changed;
    CHECK(cell_lock_write(temp_folder, &lock, &changed, &error) == CELL_OK);
    fake.signed_version = 20;
    for (int i = 0; i < 100000 && !temp_exists(".cell/known/auth.key"); i++) /* until the file is old enough for it */
        expect(CELL_OK, NULL);
    CHECK(temp_exists(".cell/known/auth.key"));
    CHECK(unlink(temp_path(".cell/identity/auth")) == 0);
    fake.version = "second";
    fake.signed_version = 19;
    expect(CELL_UNAUTHENTICATED, "version 19, and version 20 was seen before");
    project_remove();
}

/* ---- old, and of others ---- */

TEST(an_older_version_is_refused)
{
    signed_project();
    fake.signed_version = 10;
    fake.version = "second";
    expect(CELL_OK, NULL);
    fake.version = "first";
    fake.signed_version = 9;
    expect(CELL_UNAUTHENTICATED, "version 9, and version 10 was seen before");
    fake.signed_version = 10; /* two schemas of one version */
    expect(CELL_UNAUTHENTICATED, "version 10, and version 10 was seen before");
    fake.signed_version = 11;
    expect(CELL_OK, NULL);
    CHECK(known_pin() && known_pin()->version == 11);
    /* Known-cells remembers it without .cell. */
    remove_tree(temp_path(".cell"));
    fake.version = "second";
    fake.signed_version = 10;
    expect(CELL_UNAUTHENTICATED, "version 11 was seen before");
    project_remove();
}

TEST(an_expired_signature_is_refused)
{
    signed_project();
    fake.signed_for = -DAY;
    expect(CELL_UNAUTHENTICATED, "the signature has expired (2"); /* in a year of these centuries */
    fake.signed_for = 0;
    expect(CELL_UNAUTHENTICATED, "the signature has expired");
    CHECK(!temp_exists("known-cells") && !temp_exists(".cell/mirror/auth.json"));
    /* One that expires while it is remembered is asked for again. */
    fake.signed_for = DAY;
    expect(CELL_OK, NULL);
    char *note = temp_read(".cell/identity/auth");
    char *now = note ? strstr(note, " 10 ") : NULL;
    REQUIRE(now);
    memcpy(now + 4, "1000000000", 10);
    temp_write(".cell/identity/auth", note);
    free(note);
    fake.signed_for = -1;
    expect(CELL_UNAUTHENTICATED, "the signature has expired");
    fake.signed_for = DAY;
    expect(CELL_OK, NULL);
    CHECK(fake.requests == 5);
    project_remove();
}

/* Of a key that was told by hand no schema is known: any of the version that was told, or a later one, will do. */
TEST(a_version_of_which_nothing_is_known_is_taken_once)
{
    char key[CELL_KEY_DIGITS + 1], address[256];
    signed_project();
    key_of_seed(1, key);
    snprintf(address, sizeof(address), "unix:%s/run/auth.sock", temp_folder);
    struct trust_entry entry = {.kind = TRUST_KEY, .name = "auth", .address = address, .pin = {.version = 10}};
    memcpy(entry.pin.key, key, sizeof(entry.pin.key));
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    fake.signed_version = 9;
    expect(CELL_UNAUTHENTICATED, "version 9, and version 10 was seen before");
    fake.signed_version = 10;
    expect(CELL_OK, NULL);
    project_remove();
}

TEST(a_signature_of_something_else_is_refused)
{
    signed_project();
    fake.signed_document = "{}";
    expect(CELL_UNAUTHENTICATED, "its signature is of another document");
    fake.signed_document = NULL;
    fake.signed_cell = "mail"; /* by the same key */
    expect(CELL_UNAUTHENTICATED, "was made for another cell");
    CHECK(!temp_exists("known-cells") && !temp_exists(".cell/mirror/auth.json"));
    project_remove();
}

TEST(a_document_is_not_parsed_before_its_signature_holds)
{
    signed_project();
    expect(CELL_OK, NULL);
    fake.schema = "{{{ no JSON";
    fake.signed_document = "{}";
    expect(CELL_UNAUTHENTICATED, "of another document");
    project_remove();
}

/* ---- policies ---- */

static void policy(const char *text)
{
    char config[512];
    snprintf(config, sizeof(config), "{ \"run_dir\": \"run\", %s }", text);
    temp_write("cell.json", config);
}

TEST(strict_takes_only_a_key_that_is_known)
{
    signed_project();
    policy("\"trust\": \"strict\"");
    char key[CELL_KEY_DIGITS + 1];
    key_of_seed(1, key);
    expect(CELL_UNAUTHENTICATED, "the cell is not known by a key yet");
    expect(CELL_UNAUTHENTICATED, key);
    CHECK(!temp_exists("known-cells"));
    fake.seed = 0;
    expect(CELL_UNAUTHENTICATED, "the cell has no key, and cell.json demands one");
    policy("\"trust\": \"strict\", \"cells\": { \"auth\": { \"trust\": \"pinned\" } }");
    expect(CELL_OK, NULL);
    policy("\"environments\": { \"x\": { \"trust\": \"strict\" } }, \"environment\": \"x\"");
    expect(CELL_UNAUTHENTICATED, "demands one");
    fake.seed = 1;
    policy("\"trust\": \"pinned\"");
    fake.version = "second";
    expect(CELL_OK, NULL); /* known now */
    policy("\"trust\": \"strict\"");
    expect(CELL_OK, NULL);
    project_remove();
}

TEST(local_takes_the_word_of_the_kernel)
{
    signed_project();
    expect(CELL_OK, NULL);
    policy("\"trust\": \"local\"");
    fake.version = "second";
    fake.seed = 2;
    expect(CELL_OK, NULL);
    /* What was taken so was not verified. */
    policy("\"trust\": \"pinned\"");
    expect(CELL_UNAUTHENTICATED, "another key");
    /* Which says nothing of other people's sockets. */
    policy("\"trust\": \"local\", \"trust_any_owner\": true");
    fake.version = "third";
    expect(CELL_UNAUTHENTICATED, "another key");
    project_remove();
}

TEST(a_key_that_cannot_be_remembered_is_an_error)
{
    signed_project();
    setenv("CELL_KNOWN_CELLS", temp_path("cell.json/known-cells"), 1);
    expect(CELL_IO_ERROR, "its key cannot be remembered");
    setenv("CELL_KNOWN_CELLS", temp_path("known-cells"), 1);
    temp_write("known-cells", "nonsense\n");
    expect(CELL_DATA_LOSS, "known-cells:1: this is no line that 'cell trust' writes");
    temp_write("known-cells", "");
    CHECK(chmod(temp_path("known-cells"), 0666) == 0);
    expect(CELL_PERMISSION_DENIED, "others than you can write to it");
    project_remove();
}

/* ---- whom to ask ---- */

/* A file stands for the socket: nobody connects here. */
static void socket_at(const char *folder, const char *name)
{
    char path[128];
    temp_make_folder(folder);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    temp_write(path, "");
}

/* The project is FOLDER/p, what is beside it is not its own. */
static void cloned_project(const char *config)
{
    project_make();
    temp_make_folder("p");
    temp_make_folder("p/src");
    socket_at("other", "auth.sock");
    temp_write("p/cell.json", config);
}

static void expect_cloned(int status, const char *text)
{
    session_done();
    CHECK(cell_session_new(temp_path("p/src/a.c"), NULL, SESSION_PLAN, &fake_exchange, &session, &error) == CELL_OK);
    struct session_cell *cell = ask("auth", status);
    CHECK(!text || strstr(cell->error.text, text));
    session_done();
}

TEST(a_project_cannot_have_strangers_asked)
{
    cloned_project("{ \"cells\": { \"auth\": { \"address\": \"unix:../other/auth.sock\" } } }");
    expect_cloned(CELL_PERMISSION_DENIED, "nobody was asked");
    expect_cloned(CELL_PERMISSION_DENIED, "/p trust auth'");
    CHECK(fake.opens == 0);
    /* What the user trusts is this address, for this project. */
    struct trust_entry entry = {.kind = TRUST_CONTACT, .name = "auth", .folder = temp_path("p")};
    char address[256];
    snprintf(address, sizeof(address), "unix:%s/p/../other/auth.sock", temp_folder);
    entry.address = address;
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    expect_cloned(CELL_OK, NULL);
    CHECK(fake.opens == 1);
    temp_write("other/else.sock", "");
    temp_write("p/cell.json", "{ \"cells\": { \"auth\": { \"address\": \"unix:../other/else.sock\" } } }");
    expect_cloned(CELL_PERMISSION_DENIED, NULL);
    CHECK(fake.opens == 1);
    project_remove();
}

TEST(another_host_is_a_stranger)
{
    cloned_project("{ \"cells\": { \"auth\": { \"address\": \"https://auth.example.org:8443\" } } }");
    expect_cloned(CELL_PERMISSION_DENIED, "wants this host asked");
    CHECK(fake.opens == 0);
    struct trust_entry entry = {
        .kind = TRUST_CONTACT, .name = "auth", .folder = temp_path("p"), .address = "https://auth.example.org:8443"};
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    expect_cloned(CELL_OK, NULL);
    CHECK(fake.opens == 1);
    project_remove();
}

/* What is not there is nobody; of what cannot be followed nobody knows who it is. */
TEST(a_socket_that_is_not_there_is_no_stranger)
{
    cloned_project("{ \"cells\": { \"auth\": { \"address\": \"unix:../none/auth.sock\" } } }");
    expect_cloned(CELL_OK, NULL);
    temp_write("file", "");
    temp_write("p/cell.json", "{ \"cells\": { \"auth\": { \"address\": \"unix:../file/auth.sock\" } } }");
    expect_cloned(CELL_OK, NULL);
    CHECK(fake.opens == 2 && symlink("loop.sock", temp_path("loop.sock")) == 0);
    temp_write("p/cell.json", "{ \"cells\": { \"auth\": { \"address\": \"unix:../loop.sock\" } } }");
    expect_cloned(CELL_PERMISSION_DENIED, "nobody was asked");
    CHECK(fake.opens == 2);
    project_remove();
}

TEST(known_cells_that_cannot_be_read_are_said)
{
    cloned_project("{ \"cells\": { \"auth\": { \"address\": \"unix:../other/auth.sock\" } } }");
    temp_make_folder("known-cells");
    session_done();
    CHECK(cell_session_new(temp_path("p/src/a.c"), NULL, SESSION_PLAN, &fake_exchange, &session, &error) == CELL_OK);
    struct session_cell *cell = NULL;
    int r = cell_session_cell(session, "auth", &cell);
    CHECK(r < 0 && r != CELL_PERMISSION_DENIED && cell && strstr(cell->error.text, "known-cells"));
    CHECK(fake.opens == 0);
    session_done();
    project_remove();
}

TEST(symbolic_links_do_not_lead_out_of_a_project)
{
    cloned_project("{}");
    temp_make_folder("p/.cell");
    CHECK(symlink("../../other", temp_path("p/.cell/run")) == 0);
    expect_cloned(CELL_PERMISSION_DENIED, "nobody was asked");
    CHECK(unlink(temp_path("p/.cell/run")) == 0);
    temp_make_folder("p/.cell/run");
    CHECK(symlink("../../../other/auth.sock", temp_path("p/.cell/run/auth.sock")) == 0);
    expect_cloned(CELL_PERMISSION_DENIED, "nobody was asked");
    CHECK(fake.opens == 0);
    CHECK(unlink(temp_path("p/.cell/run/auth.sock")) == 0);
    temp_write("p/.cell/run/auth.sock", "");
    expect_cloned(CELL_OK, NULL);
    /* A name that begins like the project's is another folder. */
    socket_at("p2", "auth.sock");
    temp_write("p/cell.json", "{ \"run_dir\": \"../p2\" }");
    expect_cloned(CELL_PERMISSION_DENIED, NULL);
    project_remove();
}

TEST(a_folder_of_projects_can_be_trusted)
{
    cloned_project("{ \"run_dir\": \"../other\" }");
    struct trust_entry entry = {.kind = TRUST_FOLDER, .folder = temp_folder};
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    expect_cloned(CELL_OK, NULL);
    CHECK(cell_trusted_change(TRUST_REMOVE, &entry, &error) == CELL_OK);
    expect_cloned(CELL_PERMISSION_DENIED, NULL);
    entry.folder = temp_path("p/src");
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    expect_cloned(CELL_PERMISSION_DENIED, NULL);
    project_remove();
}

TEST(the_sockets_of_others_are_asked_only_by_who_trusts_the_project)
{
    cloned_project("{ \"trust_any_owner\": true }");
    temp_make_folder("p/.cell");
    socket_at("p/.cell/run", "auth.sock");
    expect_cloned(CELL_PERMISSION_DENIED, NULL);
    project_remove();
}

TEST(the_users_own_folder_of_sockets_is_asked)
{
    cloned_project("{ \"run_dir\": \"../own\" }");
    socket_at("own", "auth.sock");
    setenv("CELL_RUN_DIR", temp_path("own"), 1);
    expect_cloned(CELL_OK, NULL);
    unsetenv("CELL_RUN_DIR");
    expect_cloned(CELL_PERMISSION_DENIED, NULL);
    project_remove();
}

TEST(an_editor_shows_what_is_known_of_a_stranger)
{
    cloned_project("{ \"cells\": { \"auth\": { \"address\": \"unix:../other/auth.sock\" } } }");
    struct trust_entry entry = {.kind = TRUST_FOLDER, .folder = temp_folder};
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    expect_cloned(CELL_OK, NULL);
    CHECK(cell_trusted_change(TRUST_REMOVE, &entry, &error) == CELL_OK);
    CHECK(cell_session_new(temp_path("p/src/a.c"), NULL, SESSION_PLAN, &fake_exchange, &session, &error) == CELL_OK);
    cell_session_hurry(session, 100);
    struct session_cell *cell = ask_unchecked("auth", CELL_OK);
    CHECK(cell->stale && strstr(cell->error.text, "nobody was asked") != NULL);
    CHECK(fake.opens == 1);
    project_remove();
}

/* ---- known-cells ---- */

static int parse(const char *text)
{
    struct cell_trusted t;
    int r = cell_trusted_parse(&t, "/known", text, strlen(text), &error);
    CHECK(r < 0 || t.n == 1);
    cell_trusted_free(&t);
    return r;
}

TEST(lines_of_known_cells_are_exactly_so)
{
#define HEX64 "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa"
    CHECK(parse("# x\n\nkey\tauth\tunix:/a b.sock\ted25519:" HEX64 "\t7\t" HEX64 "\n") == CELL_OK);
    CHECK(parse("key\tauth\tunix:/a.sock\ted25519:" HEX64 "\t7\t") == CELL_OK);
    CHECK(parse("contact\tauth\tunix:/a.sock\t/p") == CELL_OK);
    CHECK(parse("contact\tauth\thttps://x:443\t/p") == CELL_OK);
    CHECK(parse("folder\t/") == CELL_OK);
    static const char *const wrong[] = {"key",
                                        "folder",
                                        "folder\tp",
                                        "folder\t/p\t/q",
                                        "contact\tauth\tunix:/a.sock\tp",
                                        "contact\ta b\tunix:/a.sock\t/p",
                                        "contact\tauth\thttp://x\t/p",
                                        "key\tauth\tunix:/a.sock\ted25519:00\t7\t" HEX64,
                                        "key\tauth\tunix:/a.sock\ted25519:" HEX64 "\t-7\t" HEX64,
                                        "key\tauth\tunix:/a.sock\ted25519:" HEX64 "\t\t" HEX64,
                                        "key\tauth\tunix:/a.sock\ted25519:" HEX64 "\t7\t00",
                                        "key\tauth\tunix:/a.sock\ted25519:" HEX64 "\t7\t" HEX64 "\tmore",
                                        " folder\t/p"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(parse(wrong[i]) == CELL_DATA_LOSS && strstr(error.text, "/known:1: "));
}

TEST(known_cells_keeps_the_rest_when_one_thing_changes)
{
    project_make();
    temp_write("known-cells", "folder\t/p\nkey\tauth\tunix:/a.sock\ted25519:" HEX64 "\t7\t" HEX64 "\n");
    struct trust_entry entry = {
        .kind = TRUST_KEY, .name = "auth", .address = "unix:/a.sock", .pin = {.key = HEX64, .version = 8}};
    CHECK(cell_trusted_change(TRUST_ADD, &entry, &error) == CELL_OK);
    memset(entry.pin.key, '0', CELL_KEY_DIGITS);
    CHECK(cell_trusted_change(TRUST_ADD, &entry, &error) == CELL_ALREADY_EXISTS);
    struct cell_trusted t;
    CHECK(cell_trusted_read(&t, &error) == CELL_OK);
    CHECK(t.n == 2 && t.entries[0].kind == TRUST_FOLDER && t.entries[1].pin.version == 8);
    cell_trusted_free(&t);
    CHECK(cell_trusted_change(TRUST_REPLACE, &entry, &error) == CELL_OK);
    CHECK(cell_trusted_change(TRUST_REMOVE, &entry, &error) == CELL_OK);
    CHECK(cell_trusted_change(TRUST_REMOVE, &entry, &error) == CELL_NOT_FOUND);
    entry.address = "unix:/a\tb";
    CHECK(cell_trusted_change(TRUST_ADD, &entry, &error) == CELL_INVALID_ARGUMENT);
    char *text = temp_read("known-cells");
    CHECK(text && strstr(text, "folder\t/p\n") && !strstr(text, "\nkey"));
    free(text);
    project_remove();
}

/* Many compilations see a new cell at the same time. */
TEST(changes_at_the_same_time_are_all_kept)
{
    project_make();
    for (int i = 0; i < 16; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            char folder[32];
            for (int j = 0; j < 8; j++) {
                snprintf(folder, sizeof(folder), "/%d/%d", i, j);
                struct trust_entry entry = {.kind = TRUST_FOLDER, .folder = folder};
                if (cell_trusted_change(TRUST_ADD, &entry, NULL) < 0)
                    _exit(1);
            }
            _exit(0);
        }
        CHECK(pid > 0);
    }
    for (int i = 0, status; i < 16; i++)
        CHECK(wait(&status) > 0 && status == 0);
    struct cell_trusted t;
    CHECK(cell_trusted_read(&t, &error) == CELL_OK && t.n == 128);
    cell_trusted_free(&t);
    project_remove();
}
