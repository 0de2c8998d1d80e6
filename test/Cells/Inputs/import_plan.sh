#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Imports a schema and compiles the header in plan mode, in live mode and as C++: nothing is left to do, nothing is
# warned of, and the database is as it was. Usage: import_plan.sh CELL SCHEMA COMPILER…; writes tables.h, lost.txt.
set -eu
cell=$1 schema=$2
shift 2

state() { pg_dump --schema-only --exclude-schema=cell | grep -v restrict; }

# A compiler that has nothing to say but what a struct cannot have: no advice, for what is there is as somebody wanted it.
quiet()
{
    "$@" > said.txt 2>&1 || { cat said.txt; echo "failed: $*"; exit 1; }
    if grep -v -e '\[undeclared\]$' -e 'its name would be too long$' said.txt |
        grep -E "error:|warning:|remark:|[0-9] steps?"; then
        echo "not quiet: $*"
        exit 1
    fi
}

state > before.txt
"$cell" import postgres "$schema" --output tables.h 2> lost.txt
echo '#include "tables.h"' > import.c
cp import.c import.cpp
quiet "$@" -std=c11 -Wall -Wextra -pedantic -fsyntax-only import.c
quiet "$@" -std=c11 -Wall -Wextra -pedantic -c import.c
quiet "$@" -std=c++17 -Wall -Wextra -pedantic -c import.cpp
state > after.txt
diff before.txt after.txt
echo "imported $(tail -n 1 lost.txt)"
