# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Schema documents for tests. `python3 schemas.py NAME [N] > FILE` prints one."""
import json
import sys


def small():
    """A cell with one of everything that the hostile cases mutate."""
    return {
        "schema": "cell.schema/1", "cell": "demo", "abi": "lp64-le", "doc": "A cell for tests",
        "types": [
            {"name": "demo_color", "kind": "enum", "type": "i32", "size": 4, "align": 4, "doc": "A colour",
             "values": [{"name": "DEMO_RED", "value": "0"}, {"name": "DEMO_BLUE", "value": "1"}]},
            {"name": "demo_item", "kind": "struct", "size": 32, "align": 8, "doc": "One item",
             "fields": [{"name": "id", "type": "i64", "offset": 0, "doc": "Its number"},
                        {"name": "name", "type": "str", "offset": 8},
                        {"name": "color", "type": "demo_color", "offset": 24}]},
            {"name": "demo_item_list", "kind": "list", "of": "demo_item", "size": 16, "align": 8}],
        "constants": [{"name": "DEMO_MAX", "type": "i64", "value": "32"}],
        "methods": [
            {"name": "demo_get", "doc": "Gets one item.", "idempotent": True,
             "params": [{"name": "id", "type": "i64", "dir": "in", "doc": "which"},
                        {"name": "out", "type": "demo_item", "dir": "out", "pointer": True}]},
            {"name": "demo_put", "doc": "Stores one item.",
             "params": [{"name": "item", "type": "demo_item", "dir": "in", "pointer": True}]}],
        "streams": [], "capabilities": [], "functions": [],
        "verbs": [{"name": "table", "on": ["struct"], "doc": "A table", "field_rules": ["key"],
                   "args": [{"name": "name", "type": "string", "required": True}]}],
    }


def wide(methods=20, cell="demo"):
    """A cell of `methods` methods, each with a struct of its own."""
    types, functions = [], []
    for i in range(methods):
        types.append({"name": f"{cell}_t{i:03}", "kind": "struct", "size": 48, "align": 8, "doc": f"Record {i}.",
                      "fields": [{"name": "id", "type": "u64", "offset": 0}, {"name": "name", "type": "str", "offset": 8},
                                 {"name": "score", "type": "f64", "offset": 24},
                                 {"name": "age", "type": "opt<i32>", "offset": 32},
                                 {"name": "flags", "type": "u32", "offset": 40}]})
        functions.append({"name": f"{cell}_m{i:03}", "doc": f"Method {i}.",
                          "params": [{"name": "id", "type": "u64", "dir": "in"}, {"name": "key", "type": "str", "dir": "in"},
                                     {"name": "out", "type": f"{cell}_t{i:03}", "dir": "out", "pointer": True}]})
    return {"schema": "cell.schema/1", "cell": cell, "abi": "lp64-le", "doc": f"{methods} methods", "types": types,
            "constants": [], "methods": functions, "streams": [], "capabilities": [], "functions": [], "verbs": []}


if __name__ == "__main__":
    print(json.dumps({"small": small, "wide": wide}[sys.argv[1]](*map(int, sys.argv[2:])), indent=1))
