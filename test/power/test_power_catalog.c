/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_lib
/* The power fails while indexes are declared, declared anew and dropped: the cell starts, and has what it has said. */
#include <search/service.h>

#include "power.h"

#define STEPS 40
#define NAMES 3
#define DONE 1

static int states_of[STEPS + 1]
                    [NAMES]; /* after each step: the weight that was declared last; 0: there is no such index */
static struct search_failure f;

static struct sc_definition *define(int name, int weight)
{
    struct sc_definition *definition = NULL;
    char names[] = "a";

    names[0] = (char)('a' + name);
    json_t *json = json_pack("{ss, ss, ss, ss, s[{ss, ss}], s[{ss, ss, ss, si}]}", "name", names, "source", "store",
                             "collection", "things", "language", "none", "key", "name", "id", "type", "i64", "fields",
                             "name", "title", "type", "str", "as", "text", "weight", weight);
    CHECK(sc_definition_read(json, &definition, &f) >= 0);
    json_decref(json);
    return definition;
}

static bool open_service(struct sc_service *service, const char *folder)
{
    *service = (struct sc_service){.folder = folder, .vectors = true};
    bool open = sc_service_open(service, &f) >= 0;
    if (!open)
        printf("%s\n", f.text);
    return open;
}

/* One step: a declaration, or the end of an index. */
static void step(struct sc_service *service, int i, uint64_t *seed)
{
    int name = (int)states_random(seed, NAMES), weight = 1 + (int)states_random(seed, 3), *now = states_of[i];

    memcpy(now, states_of[i - 1], sizeof(states_of[0]));
    if (now[name] && states_random(seed, 4) == 0) {
        CHECK(sc_service_drop(service, (char[]){(char)('a' + name), 0}, &f) >= 0);
        now[name] = 0;
    } else if (now[name] != weight) {
        struct sc_definition *definition = define(name, weight);
        CHECK(sc_service_declare(service, definition, &f) >= 0);
        sc_definition_unref(definition);
        now[name] = weight;
    }
    disk_mark(DONE, (uint64_t)i);
}

static bool has(struct sc_service *service, const int *state)
{
    bool same = true;

    for (int i = 0; i < NAMES; i++) {
        struct sc_definition *is = sc_service_declared(service, (char[]){(char)('a' + i), 0});
        same = same && (is != NULL) == (state[i] != 0) && (!is || is->fields[0].weight == state[i]);
        sc_definition_unref(is);
    }
    return same;
}

static void look(const struct states *states, size_t point, const char *folder)
{
    uint64_t done = states_marked(states, point, DONE);
    struct sc_service service;
    char path[200];

    snprintf(path, sizeof(path), "%s/indexes", folder);
    bool open = open_service(&service, path);
    CHECK(open);
    if (!open)
        return;
    CHECK(has(&service, states_of[done]) || (done < STEPS && has(&service, states_of[done + 1])));
    sc_service_close(&service);
}

TEST(what_was_declared)
{
    struct sc_service service;
    uint64_t seed = 3;

    power_record();
    temp_make_folder("config");
    CHECK(setenv("CELL_CONFIG", temp_path("config"), 1) == 0); /* there is no store */
    CHECK(open_service(&service, temp_path("disk/indexes")));
    for (int i = 1; i <= STEPS; i++)
        step(&service, i, &seed);
    sc_service_close(&service);
    power_look(60, look);
}

/* Nothing comes behind it that would bring what the folder has to the disk. */
TEST(what_was_dropped_last)
{
    struct sc_service service;
    struct sc_definition *definition = define(0, 1);

    memset(states_of, 0, sizeof(states_of));
    states_of[1][0] = 1;
    power_record();
    temp_make_folder("config");
    CHECK(setenv("CELL_CONFIG", temp_path("config"), 1) == 0);
    CHECK(open_service(&service, temp_path("disk/indexes")));
    CHECK(sc_service_declare(&service, definition, &f) >= 0);
    disk_mark(DONE, 1);
    CHECK(sc_service_drop(&service, "a", &f) >= 0);
    disk_mark(DONE, 2);
    sc_service_close(&service);
    sc_definition_unref(definition);
    power_look_at(20, true, look);
}
