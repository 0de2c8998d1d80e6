# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a schema in which things were renamed or removed: rename.py SCHEMA OLD=NEW… OLD=…

Of fields it knows the types that auth.json has."""
import json
import sys


def entries(d):
    for t in d["types"]:
        yield t.get("fields", [])
        yield t.get("values", [])
    yield d["constants"]
    yield d["methods"]


d = json.load(open(sys.argv[1]))
for change in sys.argv[2:]:
    old, new = change.split("=")
    for items in entries(d):
        for item in [i for i in items if i["name"] == old]:
            if new:
                item.update(name=new, renamed_from=old)
            else:
                items.remove(item)
for t in d["types"]:
    end = 0
    for field in t.get("fields", []):
        size = {"str": 16, "i64": 8, "u64": 8}.get(field["type"], 4)
        field["offset"] = -(-end // min(size, 8)) * min(size, 8)
        end = field["offset"] + size
    if "fields" in t:
        t["size"] = -(-end // t["align"]) * t["align"]
d["methods"].sort(key=lambda m: m["name"])
d["constants"].sort(key=lambda k: k["name"])
json.dump(d, sys.stdout)
