#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# with_cells.sh CELL-PROGRAM FOLDER NAME… -- COMMAND…   runs COMMAND while the named cells of FOLDER run.
cell=$1 folder=$2
shift 2
names=
while [ "$1" != -- ]; do
    names="$names $1"
    shift
done
shift
trap '"$cell" -C "$folder" down >/dev/null' EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086  (names are words)
"$cell" -C "$folder" up $names || exit
"$@"
