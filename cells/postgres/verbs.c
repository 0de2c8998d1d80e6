/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The annotations that the cell answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"
#include "query.h"

#define ARGS "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}], "

static const char tables[] =
    "{\"name\": \"rows\", \"on\": [\"struct\"], " ARGS
    "\"doc\": \"Rows of a table or view that is somebody else's: it is checked and read, and never changed.\", "
    "\"field_rules\": [\"column\", \"key\", \"sql_type\"], \"rules\": [\"schema\"]}, "
    "{\"name\": \"table\", \"on\": [\"struct\"], " ARGS
    "\"doc\": \"The struct is the table of that name: it is made or changed to be as the struct says.\", "
    "\"field_rules\": [\"auto\", \"backfill\", \"check\", \"column\", \"default\", \"generated\", \"index\", \"key\", "
    "\"length\", \"range\", \"references\", \"sql_type\", \"unique\"], "
    "\"rules\": [\"check\", \"dropped\", \"foreign_key\", \"index\", \"primary_key\", \"retyped\", \"schema\", "
    "\"step\", "
    "\"table_renamed_from\", \"unique_index\"]}";

/* In the order of their names. Both are constants, so it does not matter who of several threads is first. */
const char *pg_verbs(void)
{
    static char text[8192];

    snprintf(text, sizeof(text), "[%s, %s]", pg_query_verbs, tables);
    return text;
}
