/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_analytics_lib
/*
 * The power fails while snapshots are written beside the counting: what is read afterwards is what the records before
 * its position make, of a position that is no earlier than the last that was told to the journal; and what comes behind
 * it makes it whole.
 */
#include <analytics/snapshot.h>

#include "power.h"

#define RECORDS 60000u
#define ACCOUNTS 700u
#define TOLD 1 /* the journal may remove what is before */

struct record {
    uint64_t account;
    int64_t amount;
    int64_t time_us;
};

static const char declared[] =
    "{\"name\": \"flow\", \"source\": \"tape\", \"stream\": \"moves\", \"type\": \"move\", \"record_size\": 24, "
    "\"time\": \"time_us\", \"where\": \"amount % 5 != 0\", \"window_us\": 400000, \"slide_us\": 200000, "
    "\"lateness_us\": 0, \"panes\": 3, \"columns\": ["
    "{\"name\": \"account\", \"type\": \"u64\", \"as\": \"group\", \"of\": \"account\"}, "
    "{\"name\": \"total\", \"type\": \"i64\", \"as\": \"sum\", \"of\": \"amount\"}, "
    "{\"name\": \"median\", \"type\": \"f64\", \"as\": \"quantile\", \"of\": \"amount\", \"quantile\": 0.5}, "
    "{\"name\": \"amounts\", \"type\": \"u64\", \"as\": \"distinct\", \"of\": \"amount\"}], \"fields\": ["
    "{\"name\": \"account\", \"type\": \"u64\", \"offset\": 0}, {\"name\": \"amount\", \"type\": \"i64\", \"offset\": "
    "8}, {\"name\": \"time_us\", \"type\": \"i64\", \"offset\": 16}]}";

static struct an_definition *definition;
static struct an_failure f;

static struct record record_at(uint64_t i)
{
    uint64_t seed = i;

    return (struct record){states_random(&seed, i % 3 ? 5 : ACCOUNTS), (int64_t)states_random(&seed, 1 << 20),
                           (int64_t)i * 10};
}

/* Counts up to `to`. */
static void count(struct an_part *part, uint64_t to)
{
    struct record span[500];

    while (part->place.position.sequence < to && !test_failures) {
        uint32_t n = 0;
        for (; n < 500 && part->place.position.sequence < to; n++)
            span[n] = record_at(part->place.position.sequence++);
        CHECK(an_take(part->aggregator, span, n, &f) == CELL_OK);
    }
    part->place.position.offset = part->place.position.sequence * sizeof(struct record);
}

static void write_snapshots(void)
{
    struct an_service service = {.folder = NULL};
    struct an_part part = {.service = &service, .number = 1, .definition = definition};
    struct an_snapshot snapshot = AN_SNAPSHOT_NONE;
    struct cell_position at;
    uint64_t seed = 7;
    int r = 0, whole = 0;
    char folder[200];

    power_record();
    snprintf(folder, sizeof(folder), "%s", temp_path("disk"));
    service.folder = folder;
    REQUIRE(an_open(&definition->plan, &part.aggregator, &f) == CELL_OK);
    while (part.place.position.sequence < RECORDS && !test_failures) {
        count(&part, part.place.position.sequence + 1 + states_random(&seed, 300));
        if (snapshot.fd < 0 && states_random(&seed, 5) == 0)
            CHECK(an_snapshot_begin(&snapshot, &part, &f) == CELL_OK);
        if (snapshot.fd >= 0 && states_random(&seed, 40) == 0)
            an_snapshot_cancel(&snapshot); /* another one is begun in its place */
        r = an_snapshot_step(&snapshot, states_random(&seed, 4) == 0, &at, &f);
        CHECK(r >= 0);
        whole += r;
        if (r == 1)
            disk_mark(TOLD, at.sequence);
    }
    an_snapshot_cancel(&snapshot);
    an_close(part.aggregator);
    CHECK(whole > 20);
}

static void compare(const struct an_part *part)
{
    struct an_part right = {.definition = definition};
    struct an_view *is = NULL, *wanted = NULL;

    REQUIRE(an_open(&definition->plan, &right.aggregator, &f) == CELL_OK);
    count(&right, part->place.position.sequence);
    struct an_counters a = an_counters(part->aggregator), b = an_counters(right.aggregator);
    CHECK(a.taken == b.taken && a.passed == b.passed && a.groups == b.groups && a.newest_us == b.newest_us);
    if (b.groups > 0 && an_view_open(part->aggregator, INT64_MAX, NULL, &is, &f) == CELL_OK &&
        an_view_open(right.aggregator, INT64_MAX, NULL, &wanted, &f) == CELL_OK) {
        CHECK(an_view_count(is) == an_view_count(wanted));
        for (uint32_t i = 0; i < an_view_count(wanted) && !test_failures; i++) {
            const struct an_entry *e = an_view_entry(wanted, i), *o = an_view_find(is, an_entry_key(e));
            REQUIRE(o);
            for (uint32_t k = 0; k < 3; k++) {
                struct an_value x = an_value_of(part->aggregator, o, k), y = an_value_of(right.aggregator, e, k);
                CHECK(x.number.u == y.number.u && x.sum == y.sum);
            }
        }
    }
    CHECK(b.groups == 0 || (is && wanted));
    if (is)
        an_view_close(is);
    if (wanted)
        an_view_close(wanted);
    an_close(right.aggregator);
}

static void look(const struct states *states, size_t point, const char *folder)
{
    struct an_service service = {.folder = folder};
    struct an_part part = {.service = &service, .number = 1, .definition = definition};

    f.text[0] = '\0';
    REQUIRE(an_snapshot_load(&part, &part.aggregator, &part.place, &f) == CELL_OK);
    CHECK(f.text[0] == '\0'); /* none that is damaged */
    CHECK(part.place.position.sequence >= states_marked(states, point, TOLD));
    CHECK(part.place.position.offset == part.place.position.sequence * sizeof(struct record));
    compare(&part);
    if (!test_failures) {
        count(&part, part.place.position.sequence + 3000);
        compare(&part);
    }
    an_close(part.aggregator);
}

TEST(aggregates_are_those_of_their_position)
{
    json_t *json = json_loads(declared, 0, NULL);

    REQUIRE(json && an_definition_read(json, &definition, &f) == CELL_OK);
    json_decref(json);
    write_snapshots();
    power_look(150, look);
    an_definition_unref(definition);
}
