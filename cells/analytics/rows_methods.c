/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods that give groups to who knows nothing of them. */
#include "analytics.h"

#include <stdlib.h>

#include "rows.h"

static int describe(cell_ctx *c, struct an_part *part, struct analytics_layout *out)
{
    const struct an_definition *d = part->definition;
    struct analytics_row_field *fields = cell_ctx_alloc(c, (d->ncolumns + 1) * sizeof(*fields));
    const json_t *columns = json_object_get(d->json, "columns");
    struct an_row_layout layout;

    if (!fields)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    an_row_layout(d, &layout);
    *out = (struct analytics_layout){
        .name = cell_ctx_copy(c, cell_strz(d->name)), .record_size = layout.size, .fields = {fields, layout.n}};
    for (uint32_t i = 0; i < layout.n; i++) {
        const char *type = json_string_value(json_object_get(json_array_get(columns, i), "type"));
        fields[i] = (struct analytics_row_field){.name = cell_ctx_copy(c, cell_strz(d->columns[i].name)),
                                                 .type = cell_ctx_copy(c, cell_strz(type)),
                                                 .offset = layout.offsets[i]};
        if (d->columns[i].role == AN_WINDOW)
            out->time = fields[i].name;
    }
    an_part_lock(part);
    out->generation = an_row_generation(part);
    an_part_unlock(part);
    return CELL_OK;
}

int analytics_layouts(cell_ctx *c, analytics_layouts_list *layouts)
{
    struct an_service *s = cell_ctx_user(c);
    struct analytics_layout *all = cell_ctx_alloc(c, AN_MOST_WATCHES * sizeof(*all));
    struct an_part *part;
    uint32_t n = 0;
    bool building;
    int r = all ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");

    for (uint32_t i = 0; r >= 0 && n < AN_MOST_WATCHES && (part = an_part_at(s, i, &building)); i++) {
        if (!building)
            r = describe(c, part, &all[n++]);
        an_part_give(part);
    }
    *layouts = (analytics_layouts_list){n ? all : NULL, n};
    return r;
}

int analytics_rows(cell_ctx *c, cell_str name, uint64_t generation, int64_t at_us, uint64_t cursor,
                   struct analytics_row_page *page)
{
    char text[AN_MOST_NAME + 1] = "";
    struct an_failure f = {0};
    struct an_page made;

    if (name.len <= AN_MOST_NAME && name.len > 0)
        memcpy(text, name.ptr, name.len);
    struct an_part *part = an_part_take(cell_ctx_user(c), text);
    if (!part)
        return cell_fail(c, CELL_NOT_FOUND, "there is no aggregate '%s'", text);
    int r = an_page_read(part, generation, at_us, cursor, &made, &f);
    an_part_give(part);
    if (r < 0)
        return cell_fail(c, r, "%s", f.text);
    const size_t bytes = (size_t)made.n * made.size;
    uint8_t *rows = cell_ctx_alloc(c, bytes ? bytes : 1);
    if (rows)
        memcpy(rows, made.rows, bytes);
    free(made.rows);
    *page = (struct analytics_row_page){.rows = {bytes ? rows : NULL, bytes},
                                        .next = made.next,
                                        .position = made.position,
                                        .earlier = made.earlier,
                                        .earlier_us = made.earlier_us};
    return rows ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}
