# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# sh bank.sh BUILD…   in the program's folder, with the cell running
"$@" || exit 1
./bank open 7 && ./bank open 8 || exit 1
echo '== again'
./bank open 7 100
./bank deposit 7 5000 > /dev/null
echo '== transfer with a fee, and one that is too much'
./bank transfer 7 8 1200 25
./bank transfer 7 8 4000 25
echo '== reserved'
order=$(./bank reserve 7 8 3000 | sed 's/order \([0-9]*\).*/\1/')
./bank show 7
./bank post "$order" 2500 > /dev/null
./bank void "$order"
echo '== refused'
./bank withdraw 7 9999
./bank deposit 9 1
./bank transfer 7 7 1
./bank show 99
echo '== statement'
./bank statement 7
echo '== watch'
./bank watch 4
