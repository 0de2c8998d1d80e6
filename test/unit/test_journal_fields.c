/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a journal says of its records, and where it ends for a reader. */
#include "test.h"

#include "journal/fields.h"
#include "journal_fixture.h"

static const struct cell_journal_field fields[] = {{"number", "u64", 0, NULL}, {"more", "u8[48]", 16, "ONE=1,TWO=-2"}};

static int read_fields(struct cell_journal_fields *f, struct cell_arena *arena, struct cell_error *e)
{
    return cell_journal_fields_read(temp_path("j"), arena, f, e);
}

TEST(what_a_writer_says_of_its_records_is_kept)
{
    struct cell_journal_options o = options();
    struct cell_arena arena = {0};
    struct cell_journal_fields f;
    struct cell_error e = {0};

    temp_folder_make();
    cell_journal_close(open_with(&o), NULL);
    CHECK_INT(read_fields(&f, &arena, &e), CELL_NOT_FOUND);
    o.fields = fields;
    o.nfields = 2;
    o.time = "number";
    o.ordered = true;
    cell_journal_close(open_with(&o), NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(read_fields(&f, &arena, &e), CELL_OK);
        CHECK_INT(f.nfields, 2);
        CHECK_STR(f.time, "number");
        CHECK(f.ordered);
        CHECK_STR(f.fields[0].name, "number");
        CHECK_STR(f.fields[0].type, "u64");
        CHECK(f.fields[0].names == NULL);
        CHECK_INT(f.fields[1].offset, 16);
        CHECK_STR(f.fields[1].names, "ONE=1,TWO=-2");
        cell_journal_close(open_journal(), NULL); /* which says nothing */
    }
    o.nfields = 1;
    o.time = NULL;
    cell_journal_close(open_with(&o), NULL);
    CHECK_INT(read_fields(&f, &arena, &e), CELL_OK);
    CHECK_INT(f.nfields, 1);
    CHECK(f.time == NULL);
    cell_arena_free(&arena);
    temp_folder_remove();
}

TEST(words_that_cannot_stand_in_the_file_are_refused)
{
    static const struct cell_journal_field bad[] = {{"a b", "u64", 0, NULL},
                                                    {"a", "", 0, NULL},
                                                    {NULL, "u8", 0, NULL},
                                                    {"a", "u\n8", 0, NULL},
                                                    {"a", "u8", 0, "A=1, B=2"}};
    struct cell_journal_options o = options();
    struct cell_journal *j = NULL;
    struct cell_error e = {0};

    temp_folder_make();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        o.fields = &bad[i];
        o.nfields = 1;
        CHECK_INT(cell_journal_open(temp_path("j"), &o, &j, &e), CELL_INVALID_ARGUMENT);
    }
    o.nfields = CELL_JOURNAL_MOST_FIELDS + 1;
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &j, &e), CELL_INVALID_ARGUMENT);
    o.fields = fields;
    o.nfields = 1;
    o.time = "a b";
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &j, &e), CELL_INVALID_ARGUMENT);
    temp_folder_remove();
}

TEST(a_file_that_is_none_is_refused)
{
#define FIRST "cell-journal-fields 1\n"
    static const char *const bad[] = {"",
                                      "cell-journal-fields 2\n",
                                      FIRST "field a u8 0",
                                      FIRST "field a u8\n",
                                      FIRST "field a u8 x\n",
                                      FIRST "field a u8 4294967296\n",
                                      FIRST "field a u8 -1\n",
                                      FIRST "field a u8 0 A=1 more\n",
                                      FIRST "field  u8 0\n",
                                      FIRST "feld a u8 0\n",
                                      FIRST "time a sometimes\n",
                                      FIRST "time a ordered\ntime b ordered\n",
                                      FIRST "\n"};
    struct cell_arena arena = {0};
    struct cell_journal_fields f;
    struct cell_error e = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_INT(cell_journal_fields_parse(bad[i], strlen(bad[i]), &arena, &f, &e), CELL_DATA_LOSS);
    CHECK_INT(cell_journal_fields_parse(FIRST "\0\n", sizeof(FIRST) + 1, &arena, &f, &e), CELL_DATA_LOSS);
    CHECK_INT(cell_journal_fields_parse(FIRST "field a u8 4294967295\n", strlen(FIRST) + 22, &arena, &f, &e), CELL_OK);
    CHECK_INT(f.fields[0].offset, UINT32_MAX);
    cell_arena_free(&arena);
}

/* As a reader that begins says; with `hides` it has no tail to ask. */
static uint64_t end_of(uint32_t flags, bool hides)
{
    const struct cell_journal_reader_options o = {.flags = flags};
    struct cell_journal_reader *r = NULL;
    struct cell_error e = {0};
    char tail[PATH_MAX], hidden[PATH_MAX];
    uint64_t end = UINT64_MAX;

    snprintf(tail, sizeof(tail), "%s/tail", temp_path("j"));
    snprintf(hidden, sizeof(hidden), "%s/hidden", temp_path("j"));
    if (hides)
        CHECK_INT(rename(tail, hidden), 0);
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &o, NULL, &r, &e), CELL_OK);
    if (r) {
        uint64_t before = cell_journal_reader_position(r).sequence;
        CHECK_INT(cell_journal_reader_end(r, &end, &e), CELL_OK);
        CHECK_INT(cell_journal_reader_position(r).sequence, before);
        /* And so many can be read. */
        uint64_t last = before;
        struct cell_span span;
        for (int x = 1; last < end && (x == 1 || x == CELL_OUT_OF_RANGE);) { /* the first may be gone */
            x = cell_journal_read(r, &span, 0, &e);
            last = x == 1 ? span.sequence + span.count : last;
        }
        CHECK_INT(last, end);
    }
    cell_journal_reader_close(r);
    if (hides)
        CHECK_INT(rename(hidden, tail), 0);
    return end;
}

TEST(a_reader_knows_where_what_it_may_be_given_ends)
{
    struct cell_position end;
    struct cell_error e = {0};

    temp_folder_make();
    struct cell_journal *j = open_journal();
    CHECK_INT(end_of(0, false), 0);
    CHECK_INT(end_of(0, true), 0);
    append_all(j, 1000);
    CHECK_INT(append(j, 5, &end), CELL_OK);
    CHECK_INT(cell_journal_sync(j, &end, &e), CELL_OK);
    append_all(j, 500);
    CHECK_INT(end_of(0, false), 1005);
    CHECK_INT(end_of(CELL_JOURNAL_VOLATILE, false), 1505);
    /* Blocks behind it say that they are durable. */
    CHECK_INT(end_of(0, true), 1005);
    CHECK_INT(end_of(CELL_JOURNAL_VOLATILE, true), 1505);
    cell_journal_close(j, &e);
    CHECK_INT(end_of(0, false), 1505);
    CHECK_INT(end_of(0, true), 1505);
    temp_folder_remove();
}

TEST(the_end_is_found_in_many_segments_of_which_the_first_are_gone)
{
    struct cell_journal_options o = options();
    struct cell_error e = {0};
    struct cell_position end;
    uint64_t all = 0;

    temp_folder_make();
    o.keep_bytes = SEGMENT;
    for (int i = 0; i < 3; i++) {
        struct cell_journal *j = open_with(&o);
        append_all(j, 40000);
        CHECK_INT(append(j, 1, &end), CELL_OK);
        all += 40001;
        CHECK_INT(cell_journal_sync(j, &end, &e), CELL_OK);
        CHECK_INT(end_of(0, false), all);
        CHECK_INT(append(j, 1, &end), CELL_OK); /* which says that what is before it is durable */
        CHECK_INT(end_of(0, true), all);
        CHECK_INT(end_of(CELL_JOURNAL_VOLATILE, true), ++all);
        cell_journal_close(j, &e);
        CHECK_INT(end_of(0, true), all);
    }
    temp_folder_remove();
}
