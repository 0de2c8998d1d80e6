/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The annotations that the cell answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"
#include "query.h"

#define ARGS "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}], "

static const char tables[] =
    "{\"name\": \"table\", \"on\": [\"struct\"], " ARGS
    "\"doc\": \"The struct is the table of that name: it is made or changed to be as the struct says.\", "
    "\"field_rules\": [\"key\", \"auto\", \"unique\", \"index\", \"references\", \"default\", \"range\", \"length\", "
    "\"check\", \"column\", \"sql_type\", \"generated\", \"backfill\"], "
    "\"rules\": [\"index\", \"unique_index\", \"primary_key\", \"foreign_key\", \"check\", \"schema\", "
    "\"table_renamed_from\", \"dropped\", \"retyped\", \"step\"]}, "
    "{\"name\": \"rows\", \"on\": [\"struct\"], " ARGS
    "\"doc\": \"Rows of a table or view that is somebody else's: it is checked and read, and never changed.\", "
    "\"field_rules\": [\"column\", \"sql_type\", \"key\"], \"rules\": [\"schema\"]}";

/* Both are constants, so it does not matter who of several threads is first. */
const char *pg_verbs(void)
{
    static char text[8192];

    snprintf(text, sizeof(text), "[%s, %s]", tables, pg_query_verbs);
    return text;
}
