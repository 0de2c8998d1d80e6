# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# sh library.sh CELL BUILD…   in the program's folder, with the cells running
set -e
cell=$1
shift
"$@"
printf 'The sea\nWaves come in from the sea and break on the rocks.\n' > sea.txt
printf 'The coast\nCliffs above the sea, and gulls.\n' > coast.md
printf 'Gardens\nRoses, hedges and gravel paths.\n' > garden.txt
./library add sea.txt coast.md garden.txt
for try in $(seq 1000); do
    "$cell" pipelines | grep -q 'following  3 documents' && break
    sleep 0.02
done
echo '== search'
./library search 'sea'
echo '== of one kind'
./library search 'sea kind:md'
echo '== like'
./library like sea.txt
echo '== kinds'
./library kinds ''
echo '== not a query'
./library search 'sea (' 2>&1 || true
echo '== again'
touch library.c
"$@"
echo '== end'
