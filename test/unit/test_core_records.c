/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What builds have used, as .cell has it: what is locked is known from there. */
#include "temp_folder.h"

#include "lock_build.h"

#define HASH "0123456789abcdef0123456789abcdef"

TEST(records_of_objects_that_are_there_tell_what_is_in_use)
{
    struct cell_records records = {0};
    char text[1024];
    temp_folder_make();
    CHECK(cell_records_read(temp_folder, &records, &error) == CELL_OK && records.n == 0);
    cell_records_free(&records);
    temp_make_folder(".cell");
    temp_make_folder(".cell/objects");
    temp_make_folder(".cell/missing");
    temp_write("a.o", "x");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const objects[] = {"a.o", "gone.o", "a.o"};
        static const char *const files[] = {".cell/objects/1.json", ".cell/objects/2.json", ".cell/objects/3.json"};
        snprintf(text, sizeof(text),
                 "{\"answers\":{\"db\":[\"%s.table " HASH "\",\"no key\",\"x.y ../../../../../../../../../../etc\"]},"
                 "\"cells\":{\"db\":\"\",\"auth\":\"\",\"../x\":\"\"},\"object\":\"%s\"}",
                 i == 1 ? "gone" : "user", temp_path(objects[i]));
        temp_write(files[i], text);
    }
    temp_write(".cell/objects/4.json", "{");
    temp_write(".cell/missing/db-" HASH, "visit.table " HASH);
    temp_write(".cell/missing/db-x", "visit.table x");
    CHECK(cell_records_read(temp_folder, &records, &error) == CELL_OK);
    REQUIRE(records.n == 4);
    CHECK_STR(records.uses[0].cell, "auth");
    CHECK(records.uses[0].key == NULL);
    CHECK_STR(records.uses[1].cell, "db");
    CHECK(records.uses[1].key == NULL && !records.uses[1].missing);
    CHECK_STR(records.uses[2].key, "user.table " HASH);
    CHECK_STR(records.uses[3].key, "visit.table " HASH);
    CHECK(records.uses[3].missing && !records.uses[2].missing);
    CHECK(cell_records_question(temp_folder, &records.uses[2]) == NULL);
    cell_records_found(temp_folder, &records.uses[3]);
    CHECK(!temp_exists(".cell/missing/db-" HASH));
    cell_records_free(&records);
    CHECK(chmod(temp_path(".cell"), 0777) == 0);
    CHECK(cell_records_read(temp_folder, &records, &error) == CELL_PERMISSION_DENIED);
    temp_folder_remove();
}

TEST(a_question_is_believed_only_under_its_own_key)
{
    struct cell_buffer question = {0};
    char *key = key_of(request_of("user", "a.c:1:1", "live"), &question), path[128];
    temp_folder_make();
    temp_make_folder(".cell");
    temp_make_folder(".cell/requests");
    snprintf(path, sizeof(path), ".cell/requests/db-%s.json", strrchr(key, ' ') + 1);
    temp_write(path, question.data);
    const struct record_use use = {.cell = "db", .key = key};
    char *found = cell_records_question(temp_folder, &use);
    CHECK_STR(found, question.data);
    free(found);
    temp_write(path, request_of("other", "a.c:1:1", "live"));
    CHECK(cell_records_question(temp_folder, &use) == NULL);
    temp_folder_remove();
    free(key);
    cell_buffer_free(&question);
}
