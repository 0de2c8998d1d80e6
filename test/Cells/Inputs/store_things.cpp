/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A collection that a C++ program declares, in a namespace. */
#include <cstdio>

#include <cell/cell.h>

namespace app
{
struct CELL_STORE(things) thing {
    int64_t id CELL_KEY;
    cell_str name CELL_INDEXED;
    uint64_t version CELL_VERSION;
};
} // namespace app

int main()
{
    CELL_CTX(c);
    app::thing t{1, CELL_STR("x"), 0};
    app::things_name_range range{};
    app::things_records rows;

    if (app::things_put_if(c, &t) < 0 || app::things_list_by_name(c, &range, 0, &rows) < 0)
        return cell_perror(c, "things");
    std::printf("version %d, %d by name\n", static_cast<int>(t.version), static_cast<int>(rows.len));
    auto it = app::things_changes(c, 0, false);
    while (app::things_changes_next(&it))
        std::printf("change %d\n", static_cast<int>(it.row.position));
    return app::things_changes_end(&it) < 0 ? cell_perror(c, "changes") : 0;
}
