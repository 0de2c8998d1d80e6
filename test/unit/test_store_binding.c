/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* Bindings come from whoever connects: what does not belong to the method that has it is refused. */
#include "store_fixture.h"

#include <store/bound.h>

static const struct cell_type item_type = {"item", CELL_KIND_STRUCT, sizeof(struct item), 8, ITEM_FIELDS, item_fields,
                                           NULL};
static const struct cell_type rows_type = {"rows", CELL_KIND_LIST, 16, 8, 0, NULL, &item_type};
static const struct cell_field row_in = {"row", &item_type, 0, 0, CELL_FIELD_REF, NULL};
static const struct cell_field row_out = {"row", &item_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, NULL};
static const struct cell_field rows_in = {"rows", &rows_type, 0, 0, 0, NULL};
static const struct cell_field id_in = {"id", &cell_type_i64, 0, 0, 0, NULL};
static const struct cell_field name_in = {"name", &cell_type_str, 0, 0, 0, NULL};
static const struct cell_field year_in = {"year", &cell_type_i32, 0, 0, 0, NULL};
static const struct cell_field email_in = {"email", &cell_type_str, 0, 0, 0, NULL};
static const struct cell_field count_out = {"count", &cell_type_u64, 0, 1, CELL_FIELD_REF | CELL_FIELD_OUT, NULL};
static const struct cell_field row_stream = {"rows", &item_type, 0, 0, 0, NULL};

#define V "\"v\": 1, \"collection\": \"items\", "

struct attempt {
    const char *binding;
    const struct cell_field *in, *out, *stream;
    int status;
};

static int try(const struct attempt *a)
{
    const struct cell_method m = {.name = "m",
                                  .in = a->in,
                                  .nin = a->in != NULL,
                                  .out = a->out,
                                  .nout = a->out != NULL,
                                  .stream = a->stream,
                                  .binding = a->binding};
    struct st_bound *bound = NULL;
    int r = st_binding_read(engine, &m, &bound, &failure);

    CHECK((r >= 0) == (bound != NULL));
    st_bound_free(bound);
    return r;
}

TEST(a_binding_belongs_to_its_method_or_is_refused)
{
    static const struct attempt attempts[] = {
        {"{" V "\"op\": \"put\"}", &row_in, NULL, NULL, CELL_OK},
        {"{" V "\"op\": \"put_many\"}", &rows_in, NULL, NULL, CELL_OK},
        {"{" V "\"op\": \"get\"}", &id_in, &row_out, NULL, CELL_OK},
        {"{" V "\"op\": \"get\", \"index\": [\"email\"]}", &email_in, &row_out, NULL, CELL_OK},
        {"{" V "\"op\": \"scan_equal\", \"index\": [\"name\"]}", &name_in, NULL, &row_stream, CELL_OK},
        {"{" V "\"op\": \"delete\"}", &id_in, NULL, NULL, CELL_OK},
        {"{" V "\"op\": \"count\"}", NULL, &count_out, NULL, CELL_OK},
        /* no binding of this cell */
        {"", &row_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"[]", &row_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{\"v\": 2, \"collection\": \"items\", \"op\": \"put\"}", &row_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"drop\"}", &row_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{\"v\": 1, \"op\": \"put\"}", &row_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"get\", \"index\": []}", &id_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        /* what is not there */
        {"{\"v\": 1, \"collection\": \"none\", \"op\": \"put\"}", &row_in, NULL, NULL, CELL_FAILED_PRECONDITION},
        {"{" V "\"op\": \"get\", \"index\": [\"year\"]}", &year_in, &row_out, NULL, CELL_FAILED_PRECONDITION},
        {"{" V "\"op\": \"get\", \"index\": [\"nobody\"]}", &year_in, &row_out, NULL, CELL_FAILED_PRECONDITION},
        /* of another method */
        {"{" V "\"op\": \"put\"}", &rows_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"put\"}", &row_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"put\"}", &row_in, NULL, &row_stream, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"put\"}", NULL, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"put_many\"}", &row_in, NULL, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"put_if\"}", &row_in, &row_out, NULL, CELL_INVALID_ARGUMENT}, /* without a version */
        {"{" V "\"op\": \"put_if\", \"version\": \"id\"}", &row_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"get\"}", &name_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"get\"}", &id_in, NULL, &row_stream, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"get\", \"index\": [\"name\"]}", &name_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"scan_equal\", \"index\": [\"name\"]}", &email_in, NULL, &row_stream, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"scan\"}", &id_in, NULL, &row_stream, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"scan\"}", &row_in, NULL, &row_stream, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"list\"}", &row_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"count\"}", &id_in, &count_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"changes\"}", &id_in, NULL, &row_stream, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"snapshot\"}", &id_in, &row_out, NULL, CELL_INVALID_ARGUMENT},
        {"{" V "\"op\": \"snapshot_end\"}", &id_in, NULL, NULL, CELL_INVALID_ARGUMENT},
    };

    store_begin(NULL);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        int r = try(&attempts[i]);
        CHECK(r == attempts[i].status);
        if (r != attempts[i].status)
            printf("attempt %zu: %s: %d %s\n", i, attempts[i].binding, r, failure.text);
    }
    store_end();
}

TEST(a_program_with_other_types_is_told_which)
{
    static const struct cell_field fields[] = {{"id", &cell_type_i64, 0, 0, 0, NULL},
                                               {"name", &cell_type_i32, 8, 0, 0, NULL}};
    static const struct cell_type type = {"item", CELL_KIND_STRUCT, 16, 8, 2, fields, NULL};
    static const struct cell_field row = {"row", &type, 0, 0, CELL_FIELD_REF, NULL};
    static const struct cell_type keyless = {"item", CELL_KIND_STRUCT, 16, 8, 1, &item_fields[1], NULL};
    static const struct cell_field without = {"row", &keyless, 0, 0, CELL_FIELD_REF, NULL};

    store_begin(NULL);
    CHECK(try(&(struct attempt){"{" V "\"op\": \"put\"}", &row, NULL, NULL, 0}) == CELL_FAILED_PRECONDITION);
    CHECK_STR(failure.text, "collection 'items': its field 'name' has another type by now: build the program again");
    CHECK(try(&(struct attempt){"{" V "\"op\": \"put\"}", &without, NULL, NULL, 0}) == CELL_INVALID_ARGUMENT);
    store_end();
}
