# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a schema in which things were renamed or removed: rename.py SCHEMA OLD=NEW… OLD=…"""
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
d["methods"].sort(key=lambda m: m["name"])
d["constants"].sort(key=lambda k: k["name"])
json.dump(d, sys.stdout)
