#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# In an empty database: makes the tables of tables.h, and imports them; the two headers declare the same. What is in
# comments, and the order of rules, may differ. Usage: import_again.sh CELL COMPILER…
set -eu
cell=$1
shift

said() { sed -e '/^ *\/\/ /d' -e 's/ *CELL_/\nCELL_/g' -e 's/;$/\n;/' "$1" | sort; }

"$@" -c import.c > made.txt 2>&1 || { cat made.txt; exit 1; }
grep -q 'carried out' made.txt
"$cell" import postgres --output again.h 2> /dev/null
said tables.h > tables.txt
said again.h > again.txt
diff tables.txt again.txt
echo "the same"
