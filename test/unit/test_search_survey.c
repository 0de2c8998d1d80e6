/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
/* Several questions about one cell are one call, also when it does not answer. */
#include <stdlib.h>

#include <search/source.h>

#include "temp_folder.h"
#include "test.h"

TEST(a_cell_is_asked_once)
{
    struct sc_survey survey = {.n = 0};
    struct sc_source_status status;
    struct search_failure first = {0}, f = {0};
    char name[16];

    temp_folder_make();
    setenv("CELL_CONFIG", temp_folder, 1);
    CHECK(sc_survey_ask(&survey, "nobody", "a", 1000, &status, &first) < 0 && survey.n == 1 && first.text[0]);
    CHECK(sc_survey_ask(&survey, "nobody", "b", 1000, &status, &f) == first.status && survey.n == 1);
    CHECK_STR(f.text, first.text);
    CHECK(!status.found && !status.fields);
    for (int i = 0; i < 2 * SC_MOST_TOLD; i++) { /* those for which there is no place are asked again */
        snprintf(name, sizeof(name), "nobody%d", i);
        CHECK(sc_survey_ask(&survey, name, "a", 1000, &status, &f) < 0 && survey.n <= SC_MOST_TOLD);
    }
    CHECK(survey.n == SC_MOST_TOLD);
    sc_survey_end(&survey);
    CHECK(survey.n == 0);
    temp_folder_remove();
}
