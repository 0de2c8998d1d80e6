/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"

#define PATH "/p/cell.json"

static struct cell_config *parsed;
static struct cell_error error;

static int parse_bytes(const char *json, size_t len)
{
    cell_config_free(parsed);
    parsed = NULL;
    error = (struct cell_error){0};
    /* A copy of exactly this size: reading beyond it is seen. */
    char *copy = malloc(len ? len : 1);
    memcpy(copy, json, len);
    int r = cell_config_parse(PATH, copy, len, &parsed, &error);
    free(copy);
    return r;
}

static int parse(const char *json) { return parse_bytes(json, strlen(json)); }

static void done(void)
{
    cell_config_free(parsed);
    parsed = NULL;
}

/* Checks that `json` is refused with exactly this text. */
static void refused(const char *json, const char *text)
{
    CHECK(parse(json) == CELL_INVALID_ARGUMENT);
    CHECK(error.status == CELL_INVALID_ARGUMENT);
    CHECK(!parsed);
    CHECK_STR(error.text, text);
}

TEST(an_empty_object_is_a_config_of_defaults)
{
    REQUIRE(parse("{}") == CELL_OK);
    CHECK_STR(parsed->path, PATH);
    CHECK_STR(parsed->dir, "/p");
    CHECK_STR(parsed->run_dir, "/p/.cell/run");
    CHECK(!parsed->trust_any_owner);
    CHECK(parsed->timeout_ms == 2000);
    CHECK(parsed->ncells == 0);
    done();
}

TEST(every_member_is_read)
{
    REQUIRE(parse("{ \"run_dir\": \"/run/x\", \"trust_any_owner\": true, \"timeout_ms\": 700, \"cells\": {\n"
                  "  \"auth\": { \"command\": [\"auth\", \"--db\", \"\"], \"address\": \"unix:/s/a.sock\",\n"
                  "              \"needs\": [\"postgres\"], \"env\": { \"A\": \"1\", \"_b\": \"x=y\" } },\n"
                  "  \"postgres\": {} } }") == CELL_OK);
    CHECK_STR(parsed->run_dir, "/run/x");
    CHECK(parsed->trust_any_owner);
    CHECK(parsed->timeout_ms == 700);
    REQUIRE(parsed->ncells == 2);
    const struct config_cell *auth = cell_config_cell(parsed, "auth");
    REQUIRE(auth == &parsed->cells[0]);
    CHECK_STR(auth->address, "unix:/s/a.sock");
    CHECK_STR(auth->command[0], "auth");
    CHECK_STR(auth->command[1], "--db");
    CHECK_STR(auth->command[2], "");
    CHECK(auth->command[3] == NULL);
    CHECK_STR(auth->needs[0], "postgres");
    CHECK(auth->needs[1] == NULL);
    CHECK_STR(auth->env[0], "A=1");
    CHECK_STR(auth->env[1], "_b=x=y");
    CHECK(auth->env[2] == NULL);
    const struct config_cell *postgres = cell_config_cell(parsed, "postgres");
    REQUIRE(postgres);
    CHECK_STR(postgres->address, "unix:/run/x/postgres.sock");
    CHECK(postgres->command == NULL);
    CHECK(postgres->needs && !postgres->needs[0]);
    CHECK(postgres->env && !postgres->env[0]);
    CHECK(cell_config_cell(parsed, "aut") == NULL);
    done();
}

TEST(relative_paths_are_relative_to_the_file)
{
    REQUIRE(parse("{ \"run_dir\": \".//run/./x/\", \"cells\": {"
                  " \"a\": { \"command\": [\"bin/a\", \"data/a.db\"], \"address\": \"unix:s/a.sock\" },"
                  " \"b\": { \"command\": [\"./b\"], \"address\": \"unix:../b.sock\" },"
                  " \"c\": { \"command\": [\"/bin/c\"] } } }") == CELL_OK);
    CHECK_STR(parsed->run_dir, "/p/run/x");
    CHECK_STR(parsed->cells[0].command[0], "/p/bin/a");
    CHECK_STR(parsed->cells[0].command[1], "data/a.db"); /* what the arguments mean is the program's business */
    CHECK_STR(parsed->cells[0].address, "unix:/p/s/a.sock");
    CHECK_STR(parsed->cells[1].command[0], "/p/b");
    CHECK_STR(parsed->cells[1].address, "unix:/p/../b.sock");
    CHECK_STR(parsed->cells[2].command[0], "/bin/c");
    CHECK_STR(parsed->cells[2].address, "unix:/p/run/x/c.sock");
    done();
}

TEST(the_root_folder_may_hold_the_file)
{
    const char *json = "{ \"run_dir\": \".\", \"cells\": { \"a\": { \"address\": \"unix:a.sock\" } } }";
    REQUIRE(cell_config_parse("/cell.json", json, strlen(json), &parsed, &error) == CELL_OK);
    CHECK_STR(parsed->dir, "/");
    CHECK_STR(parsed->run_dir, "/");
    CHECK_STR(parsed->cells[0].address, "unix:/a.sock");
    CHECK(cell_config_parse("cell.json", "{}", 2, &parsed, &error) == CELL_INVALID_ARGUMENT);
    done();
}

TEST(an_address_can_be_asked_for_cells_without_an_entry)
{
    REQUIRE(parse("{ \"run_dir\": \"r\", \"cells\": { \"a\": { \"address\": \"unix:/x\" } } }") == CELL_OK);
    CHECK_STR(cell_config_address(parsed, "a"), "unix:/x");
    CHECK_STR(cell_config_address(parsed, "other"), "unix:/p/r/other.sock");
    CHECK(cell_config_address(parsed, "../../etc/x") == NULL);
    CHECK(cell_config_address(parsed, "") == NULL);
    done();
}

TEST(what_is_not_json_is_refused_with_line_and_column)
{
    CHECK(parse("{\n  \"cells\": {\n    \"a\" {}\n} }") == CELL_INVALID_ARGUMENT);
    CHECK(strncmp(error.text, PATH ":3:", strlen(PATH ":3:")) == 0);
    CHECK(parse("") == CELL_INVALID_ARGUMENT);
    CHECK(strncmp(error.text, PATH ":", strlen(PATH ":")) == 0);
    CHECK(parse("{ \"cells\": {}, \"cells\": {} }") == CELL_INVALID_ARGUMENT);
    CHECK(parse("{} {}") == CELL_INVALID_ARGUMENT);
    CHECK(parse("{ // no\n}") == CELL_INVALID_ARGUMENT);
    CHECK(parse_bytes("{}\0", 3) == CELL_INVALID_ARGUMENT);
    CHECK(parse("{ \"run_dir\": \"\xff\" }") == CELL_INVALID_ARGUMENT);
    refused("[]", PATH ": expected an object: { \"cells\": { … } }");
    refused("  \n[ { \"cells\": 1 } ]", PATH ": expected an object: { \"cells\": { … } }");
    done();
}

TEST(unknown_members_are_refused_with_a_suggestion)
{
    refused("{\n\n\"cels\": {} }", PATH ":3: cels: unknown member; did you mean \"cells\"?");
    refused("{ \"zzz\": 1 }", PATH
            ":1: zzz: unknown member; expected one of \"run_dir\", \"trust_any_owner\", \"timeout_ms\", \"cells\", "
            "\"mode\", \"unreachable\", \"environment\", \"environments\", \"trust\"");
    refused("{ \"cells\": { \"auth\": {\n \"env\": {},\n \"comand\": [] } } }",
            PATH ":3: cells.auth.comand: unknown member; did you mean \"command\"?");
    refused("{ \"cells\": {\n \"auth\": { \"port\": 1 } } }",
            PATH ":2: cells.auth.port: unknown member; expected one of \"command\", \"address\", \"needs\", \"env\", "
                 "\"trust\"");
    done();
}

TEST(wrong_types_are_refused_with_their_path)
{
    refused("{ \"run_dir\": 1 }", PATH ":1: run_dir: a string is expected, not an integer");
    refused("{ \"run_dir\": \"\" }", PATH ":1: run_dir: names no folder");
    refused("{\n \"trust_any_owner\": \"yes\" }", PATH ":2: trust_any_owner: true or false is expected, not a string");
    refused("{ \"timeout_ms\": 0 }", PATH ":1: timeout_ms: 0 is out of range, 1 to 600000 is allowed");
    refused("{ \"timeout_ms\": 600001 }", PATH ":1: timeout_ms: 600001 is out of range, 1 to 600000 is allowed");
    refused("{ \"timeout_ms\": \"2s\" }", PATH ":1: timeout_ms: an integer is expected, not a string");
    refused("{ \"cells\": [] }", PATH ":1: cells: an object is expected, not an array");
    refused("{ \"cells\": { \"a\":\n true } }", PATH ":1: cells.a: an object is expected, not true");
    refused("{ \"cells\": { \"a\": { \"needs\": \"b\" } } }",
            PATH ":1: cells.a.needs: an array is expected, not a string");
    refused("{ \"cells\": { \"a\": { \"env\": {\n\"A\": \"}{\\\"\",\n\"B\": 1 } } } }",
            PATH ":3: cells.a.env.B: a string is expected, not an integer");
    refused("{ \"cells\": { \"a\": { \"command\": [\"x\",\n[\"]\"],\n2] } } }",
            PATH ":2: cells.a.command[1]: a string is expected, not an array");
    done();
}

TEST(a_command_names_a_program)
{
    refused("{ \"cells\": { \"a\": { \"command\": [] } } }",
            PATH ":1: cells.a.command: names no program; write [\"PROGRAM\", \"ARGUMENT\", …]");
    refused("{ \"cells\": { \"a\": { \"command\": [\"\"] } } }",
            PATH ":1: cells.a.command: names no program; write [\"PROGRAM\", \"ARGUMENT\", …]");
    done();
}

TEST(addresses_of_unknown_schemes_are_refused)
{
    refused("{ \"cells\": { \"a\": { \"address\": \"tcp:1.2.3.4:5\" } } }",
            PATH ":1: cells.a.address: the scheme of address 'tcp:1.2.3.4:5' is not known; \"unix:PATH\" and "
                 "\"https://HOST:PORT\" are");
    refused("{ \"cells\": { \"a\": { \"address\": \"unix:\" } } }",
            PATH ":1: cells.a.address: the address names no socket; write \"unix:PATH\"");
    refused("{ \"cells\": { \"a\": { \"address\": \"/run/a:b.sock\" } } }", PATH
            ":1: cells.a.address: '/run/a:b.sock' is not an address; write \"unix:PATH\" or \"https://HOST:PORT\"");
    refused("{ \"cells\": { \"a\": { \"address\": \"\" } } }",
            PATH ":1: cells.a.address: '' is not an address; write \"unix:PATH\" or \"https://HOST:PORT\"");
    refused("{ \"cells\": { \"a\": { \"address\": \":x\" } } }",
            PATH ":1: cells.a.address: ':x' is not an address; write \"unix:PATH\" or \"https://HOST:PORT\"");
    refused("{ \"cells\": { \"a\": { \"address\": \"UNIX:/x\" } } }",
            PATH ":1: cells.a.address: the scheme of address 'UNIX:/x' is not known; \"unix:PATH\" and "
                 "\"https://HOST:PORT\" are");
    done();
}

TEST(names_of_cells_are_identifiers_of_at_most_63_bytes)
{
    char json[200], name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    snprintf(json, sizeof(json), "{ \"cells\": { \"%s\": {} } }", name);
    CHECK(parse(json) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(error.text, "not the name of a cell: a C identifier of at most 63 characters is") != NULL);
    name[63] = '\0';
    snprintf(json, sizeof(json), "{ \"cells\": { \"%s\": {} } }", name);
    CHECK(parse(json) == CELL_OK);
    CHECK(parse("{ \"cells\": { \"\": {} } }") == CELL_INVALID_ARGUMENT);
    CHECK(parse("{ \"cells\": { \"a-b\": {} } }") == CELL_INVALID_ARGUMENT);
    refused("{\n\"cells\": {\n\"../x\": {} } }",
            PATH ":3: cells['../x']: not the name of a cell: a C identifier of at most 63 characters is");
    done();
}

TEST(names_in_env_are_those_of_variables)
{
    refused("{ \"cells\": { \"a\": { \"env\": {\n\"A=B\": \"\" } } } }",
            PATH ":2: cells.a.env['A=B']: not the name of an environment variable: letters, digits and '_' are");
    CHECK(parse("{ \"cells\": { \"a\": { \"env\": { \"\": \"\" } } } }") == CELL_INVALID_ARGUMENT);
    CHECK(parse("{ \"cells\": { \"a\": { \"env\": { \"1A\": \"\" } } } }") == CELL_INVALID_ARGUMENT);
    CHECK(parse("{ \"cells\": { \"a\": { \"env\": { \"A\": \"a\\u0000b\" } } } }") == CELL_INVALID_ARGUMENT);
    done();
}

TEST(needed_cells_must_exist)
{
    refused("{ \"cells\": { \"auth\": {\n\"needs\": [\n\"db\",\n\"postgre\"] },\n\"postgres\": {}, \"db\": {} } }",
            PATH ":4: cells.auth.needs[1]: there is no cell 'postgre'; did you mean 'postgres'?");
    refused("{ \"cells\": { \"auth\": { \"needs\": [\"x y\\n\"] } } }",
            PATH ":1: cells.auth.needs[0]: there is no cell 'x y?'");
    done();
}

TEST(cells_that_need_each_other_in_a_circle_are_refused)
{
    refused("{ \"cells\": { \"a\": { \"needs\": [\"a\"] } } }",
            PATH ":1: cells.a.needs: cells need each other in a circle: a needs a");
    refused("{ \"cells\": { \"x\": { \"needs\": [\"d\", \"a\"] },\n\"a\": { \"needs\": [\"b\"] },\n"
            "\"b\": { \"needs\": [\"d\", \"c\"] }, \"c\": { \"needs\": [\"a\"] }, \"d\": {} } }",
            PATH ":2: cells.a.needs: cells need each other in a circle: a needs b needs c needs a");
    CHECK(parse("{ \"cells\": { \"a\": { \"needs\": [\"b\", \"c\", \"b\"] }, \"b\": { \"needs\": [\"d\"] },"
                " \"c\": { \"needs\": [\"d\"] }, \"d\": {} } }") == CELL_OK);
    done();
}

TEST(a_long_chain_of_needs_is_followed)
{
    size_t size = 1 << 18, len = 0;
    char *json = malloc(size);
    len += (size_t)snprintf(json + len, size - len, "{\"cells\":{\"c0\":{}");
    for (int i = 1; i < 3000; i++)
        len += (size_t)snprintf(json + len, size - len, ",\"c%d\":{\"needs\":[\"c%d\"]}", i, i - 1);
    snprintf(json + len, size - len, "}}");
    CHECK(parse(json) == CELL_OK);
    CHECK(parsed && parsed->ncells == 3000);
    free(json);
    done();
}

TEST(a_file_over_1_mib_is_refused)
{
    size_t len = (1 << 20) + 1;
    char *json = malloc(len);
    memset(json, ' ', len);
    json[0] = '{';
    json[len - 2] = '}';
    CHECK(parse_bytes(json, len - 1) == CELL_OK);
    CHECK(parse_bytes(json, len) == CELL_TOO_LARGE);
    CHECK_STR(error.text, PATH " is larger than 1048576 bytes");
    free(json);
    done();
}

TEST(freeing_nothing_is_allowed) { cell_config_free(NULL); }

/* ---- policies ---- */

static struct config_policy policy;

static int policy_of(const char *json, const char *environment, const char *mode)
{
    setenv("CELL_ENV", environment, 1);
    setenv("CELL_MODE", mode, 1);
    CHECK(parse(json) == CELL_OK);
    error = (struct cell_error){0};
    int r = cell_config_policy(parsed, &policy, &error);
    unsetenv("CELL_ENV");
    unsetenv("CELL_MODE");
    return r;
}

static const char *const environments =
    "{ \"mode\": \"plan\", \"environment\": \"dev\", \"environments\": { \"dev\": { \"unreachable\": \"lock\" }, "
    "\"ci\": { \"mode\": \"locked\" }, \"staging\": { \"mode\": \"live\" } } }";

TEST(without_a_policy_cells_are_asked_live)
{
    CHECK(policy_of("{}", "", "") == CELL_OK);
    CHECK(policy.mode == CONFIG_LIVE && !policy.unreachable_lock && !policy.environment);
    done();
    CHECK(policy_of("{ \"mode\": \"locked\", \"unreachable\": \"lock\" }", "", "") == CELL_OK);
    CHECK(policy.mode == CONFIG_LOCKED && policy.unreachable_lock);
    done();
}

TEST(an_environment_has_what_it_states_and_else_what_the_file_states)
{
    CHECK(policy_of(environments, "", "") == CELL_OK);
    CHECK(policy.mode == CONFIG_PLAN && policy.unreachable_lock);
    CHECK_STR(policy.environment, "dev");
    done();
    CHECK(policy_of(environments, "ci", "") == CELL_OK);
    CHECK(policy.mode == CONFIG_LOCKED && !policy.unreachable_lock);
    done();
    CHECK(policy_of(environments, "ci", "live") == CELL_OK);
    CHECK(policy.mode == CONFIG_LIVE);
    CHECK_STR(policy.environment, "ci");
    done();
}

TEST(an_environment_or_mode_that_is_not_known_is_an_error)
{
    CHECK(policy_of(environments, "stagin", "") == CELL_INVALID_ARGUMENT);
    CHECK_STR(error.text, "CELL_ENV is 'stagin', and /p/cell.json has no such environment; did you mean 'staging'?");
    done();
    CHECK(policy_of("{}", "ci", "") == CELL_INVALID_ARGUMENT);
    done();
    CHECK(policy_of(environments, "", "mirror") == CELL_INVALID_ARGUMENT);
    CHECK_STR(error.text, "CELL_MODE is 'mirror'; \"live\", \"plan\" and \"locked\" are known");
    done();
}

TEST(trust_is_of_the_cell_else_of_the_environment_else_of_all)
{
    struct config_policy policy;
    CHECK(parse("{ \"trust\": \"strict\", \"environments\": { \"a\": {}, \"b\": { \"trust\": \"local\" } },\n"
                "\"cells\": { \"x\": {}, \"y\": { \"trust\": \"pinned\" } } }") == CELL_OK);
    unsetenv("CELL_ENV");
    CHECK(cell_config_policy(parsed, &policy, &error) == CELL_OK);
    CHECK(cell_config_trust(parsed, &policy, "x") == CONFIG_TRUST_STRICT);
    CHECK(cell_config_trust(parsed, &policy, "y") == CONFIG_TRUST_PINNED);
    CHECK(cell_config_trust(parsed, &policy, "z") == CONFIG_TRUST_STRICT);
    CHECK(cell_config_trust(parsed, &parsed->environments[0], "x") == CONFIG_TRUST_STRICT);
    CHECK(cell_config_trust(parsed, &parsed->environments[1], "x") == CONFIG_TRUST_LOCAL);
    CHECK(cell_config_trust(parsed, &parsed->environments[1], "y") == CONFIG_TRUST_PINNED);
    done();
    refused("{ \"cells\": { \"x\": {\n\"trust\": \"all\" } } }",
            PATH ":2: cells.x.trust: expected \"pinned\", \"strict\" or \"local\"");
}

TEST(mistakes_in_a_policy_are_refused)
{
    refused("{ \"mode\": \"lock\" }", "/p/cell.json:1: mode: expected \"live\", \"plan\" or \"locked\"");
    refused("{ \"unreachable\": \"warn\" }", "/p/cell.json:1: unreachable: expected \"fail\" or \"lock\"");
    refused("{ \"environment\": \"dev\" }",
            "/p/cell.json:1: environment: there is no environment 'dev' in \"environments\"");
    refused("{ \"environments\": { \"dev\": { \"mod\": \"live\" } } }",
            "/p/cell.json:1: environments.dev.mod: unknown member; did you mean \"mode\"?");
    refused("{ \"environments\": {\n \"d-v\": {} } }",
            "/p/cell.json:2: environments.d-v: not the name of an environment: letters, digits and '_' are");
}
