/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell with a journal of odd values, which it describes well once, and wrongly in every way, for tests:
 * odd ADDRESS FOLDER. Compile with the plugin. */
#include <cell/journal.h>
#include <cell/serve.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

CELL_PROVIDE(odd, "Odd records for tests");

struct odd_record {
    uint64_t id_high, id_low, big;
    int64_t low, at_us;
    double exact;
    float ratio;
    int32_t color;
    uint16_t small;
    int8_t tiny;
    bool yes;
    uint8_t tag[4];
};

struct odd_journal_field {
    cell_str name, type;
    uint32_t offset;
    cell_str names;
};
CELL_LIST(odd_journal_fields, struct odd_journal_field);
struct odd_journal {
    cell_str name, folder, type, time;
    uint32_t record_size;
    odd_journal_fields fields;
    bool ordered;
};
CELL_LIST(odd_journals, struct odd_journal);

static char folder[PATH_MAX];

#define SIZE sizeof(struct odd_record)
#define FIELD(n, t, names) {CELL_STR(#n), CELL_STR(t), offsetof(struct odd_record, n), CELL_STR(names)}

static const struct odd_journal_field good[] = {
    FIELD(id_high, "u64", ""), FIELD(id_low, "u64", ""), FIELD(big, "u64", ""),   FIELD(low, "i64", ""),
    FIELD(at_us, "i64", ""),   FIELD(exact, "f64", ""),  FIELD(ratio, "f32", ""), FIELD(color, "i32", "RED=-1,GREEN=2"),
    FIELD(small, "u16", ""),   FIELD(tiny, "i8", ""),    FIELD(yes, "bool", ""),  FIELD(tag, "u8[4]", ""),
};

/* Each a description that must be refused. */
static const struct odd_journal_field wrong[][2] = {
    {{CELL_STR("outside"), CELL_STR("u64"), SIZE - 7, CELL_STR("")}},
    {{CELL_STR("wraps"), CELL_STR("u64"), UINT32_MAX - 3, CELL_STR("")}},
    {{CELL_STR("long_bytes"), CELL_STR("u8[4096]"), 0, CELL_STR("")}},
    {{CELL_STR("no_bytes"), CELL_STR("u8[0]"), 0, CELL_STR("")}},
    {{CELL_STR("huge_bytes"), CELL_STR("u8[18446744073709551617]"), 0, CELL_STR("")}},
    {{CELL_STR("no_type"), CELL_STR("str"), 0, CELL_STR("")}},
    {{CELL_STR("a\" int); drop table x; --"), CELL_STR("u64"), 0, CELL_STR("")}},
    {{CELL_STR("same"), CELL_STR("u8"), 0, CELL_STR("")}, {CELL_STR("SAME"), CELL_STR("u8"), 1, CELL_STR("")}},
    {{CELL_STR("sequence"), CELL_STR("u64"), 0, CELL_STR("")}},
    {{CELL_STR("names"), CELL_STR("u8"), 0, CELL_STR("ONE=1,TWO=256")}},
    {{CELL_STR("no_names"), CELL_STR("u8"), 0, CELL_STR("ONE=1,")}},
    {{CELL_STR("real_names"), CELL_STR("f64"), 0, CELL_STR("ONE=1")}},
};
#define WRONG (sizeof(wrong) / sizeof(wrong[0]))

static struct odd_journal describe(const char *name, const struct odd_journal_field *fields, uint64_t n)
{
    return (struct odd_journal){.name = cell_strz(name),
                                .folder = cell_strz(folder),
                                .type = CELL_STR("odd"),
                                .record_size = SIZE,
                                .fields = {fields, n}};
}

CELL_METHOD CELL_IDEMPOTENT int odd_streams(cell_ctx *c, odd_journals *journals)
{
    const uint64_t n = sizeof(good) / sizeof(good[0]);
    struct odd_journal *all = cell_ctx_alloc(c, (WRONG + 12) * sizeof(*all));
    uint64_t k = 0;

    all[k++] = describe("sqlite_own", good, n); /* a name that SQLite keeps for itself */
    for (uint32_t i = 0; i < WRONG; i++)
        all[k++] = describe(cell_ctx_printf(c, "wrong%u", i).ptr, wrong[i], wrong[i][1].name.len ? 2 : 1);
    all[k++] = describe("good", good, n);
    all[k++] = describe("good", good, 1);
    all[k] = describe("small_records", good, n);
    all[k++].record_size = 16;
    all[k] = describe("large_records", good, n);
    all[k++].record_size = SIZE + 8;
    all[k] = describe("endless_records", good, n);
    all[k++].record_size = UINT32_MAX;
    all[k] = describe("other_type", good, n);
    all[k++].type = CELL_STR("even");
    all[k] = describe("relative", good, n);
    all[k++].folder = CELL_STR("journal");
    all[k] = describe("nowhere", good, n);
    all[k++].folder = CELL_STR("/nowhere");
    all[k] = describe("no_time", good, n);
    all[k++].time = CELL_STR("tiny");
    all[k++] = describe("no_fields", good, 0);
    all[k++] = describe("no name", good, n);
    *journals = (odd_journals){all, k};
    return CELL_OK;
}

static int fill(struct cell_journal *j, struct cell_error *e)
{
    const struct odd_record records[] = {
        {.id_high = 1,
         .id_low = UINT64_MAX,
         .big = 9223372036854775807u,
         .low = INT64_MIN,
         .at_us = -1,
         .exact = 0.1,
         .ratio = 0.5f,
         .color = -1,
         .small = 65535,
         .tiny = -128,
         .yes = true,
         .tag = "ab"},
        {.big = 9223372036854775808u, .low = INT64_MAX, .at_us = 1600000000000001, .exact = NAN, .color = 2},
        {.big = 10000000000000000000u, .at_us = INT64_MAX, .exact = INFINITY, .color = 7},
        {.big = UINT64_MAX, .at_us = INT64_MIN, .exact = -1e300, .tag = {0, 255, 34, 10}},
        {.big = 5},
    };
    struct cell_position end;
    int r = cell_journal_append(j, records, 5, sizeof(records), &end, e);

    return r < 0 ? r : cell_journal_sync(j, &end, e);
}

int main(int argc, char **argv)
{
    const struct cell_journal_options how = {.type = "odd", .record_size = SIZE};
    const struct cell_server_options options = {.address = argv[1]};
    struct cell_server *server = NULL;
    struct cell_journal *journal;
    struct cell_error e = {0};

    if (argc < 3 || cell_journal_open(argv[2], &how, &journal, &e) < 0 || !realpath(argv[2], folder) ||
        fill(journal, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    int r = cell_server_new(&options, &server);
    if (r == CELL_OK)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "%s\n", cell_server_message(server));
    cell_server_free(server);
    cell_journal_close(journal, &e);
    return r < 0;
}
