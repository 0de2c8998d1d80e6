/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A program that feeds and reads the meter cell. `meter_client VALUE…` */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <cell/cell.h>

CELL_REMOTE(meter);

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 2000); /* of each step, however long the stream is */
    struct meter_total total;

    struct meter_import_writer w = meter_import(c);
    for (int i = 1; i < argc; i++) {
        const struct meter_reading reading = {.value = atof(argv[i])};
        if (meter_import_put(&w, &reading, 1) < 0)
            break; /* the end says why */
    }
    if (meter_import_end(&w, &total) < 0)
        return cell_perror(c, "import");

    struct meter_watch_iter it = meter_watch(c, 1); /* constant memory; errors stick until _end */
    while (it.row.number < total.count && meter_watch_next(&it))
        printf("%" PRIu64 ": %g\n", it.row.number, it.row.value);
    if (meter_watch_end(&it) < 0) /* what follows is not wanted */
        return cell_perror(c, "watch");
    printf("%" PRIu64 " readings, %g\n", total.count, total.sum);
    return 0;
}
