# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What postgres-notes.test does with the program; the arguments build it.
set -eu
"$@"
echo "== add"
./notes add Hello "First note" a b
./notes add World "Second note" b
./notes add Hello "Again" c 2>&1 && exit 1
echo "== list"
./notes list
./notes list a
echo "== tags"
./notes tags
echo "== search"
./notes search second note
echo "== edit"
./notes edit 1 "new text"
./notes show 1
echo "== import"
./notes pin 2
printf 'x\tone\nq\ttwo\n' > lines
./notes import lines
./notes import lines 2>&1 && exit 1
./notes list
echo "== rm"
./notes rm 1
./notes rm 1 2>&1 && exit 1
./notes tags
echo "== again"
rm notes.o
"$@" 2>&1 | grep -v -e '^clang' -e '-plugin=' || true
echo "== end"
