#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles one program against a fake cell for each of many hostile replies, and checks that every compilation ends
with one clear error: no crash, no hang, no object.   hostile_replies.py WORKDIR COMPILER…"""
import concurrent.futures
import copy
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cell_wire as wire
from fake_cell import Behaviour, FakeCell
from schemas import small

PROGRAM = "#include <cell/cell.h>\n%s\nCELL_REMOTE(demo);\nint main(void) { return 0; }\n"
CASES = {}
BAD = r"'demo'"  # every message names the cell


def case(name, behaviour, expected, before=""):
    assert name not in CASES, name
    CASES[name] = (behaviour, expected, before)


def schema_case(name, change, expected):
    document = small()
    replaced = change(document)
    case(name, Behaviour(schema=document if replaced is None else replaced), expected)


def raw_case(name, text, expected):
    data = text if isinstance(text, bytes) else text.encode()
    case(name, Behaviour(schema=data, cell="demo", fingerprint="ab" * 32), expected)


def setter(*path):
    """setter('methods', 0, 'name', value) → a change that assigns; the last element is the value."""
    *keys, last, value = path

    def change(document):
        at = document
        for key in keys:
            at = at[key]
        at[last] = value
    return change


def appender(*path):
    *keys, value = path

    def change(document):
        at = document
        for key in keys:
            at = at[key]
        at.append(copy.deepcopy(value))
    return change


def remover(*path):
    *keys, last = path

    def change(document):
        at = document
        for key in keys:
            at = at[key]
        del at[last]
    return change


def transport_cases():
    good = small()
    for where in ("accept", "hello", "reply"):
        case(f"hang-{where}", Behaviour(schema=good, hang_at=where), r"did not answer|deadline")
        case(f"close-{where}", Behaviour(schema=good, close_at=where), r"clos")
    case("close-in-the-middle", Behaviour(schema=good, close_at="middle"), r"clos|truncated|middle")
    case("endless", Behaviour(schema=good, endless=True, reply_length=1 << 31), r"larger|limit|too large")
    case("announced-4-gib", Behaviour(schema=good, reply_length=0xFFFFFFFF), r"larger|limit|too large")
    case("announced-5-mib", Behaviour(schema=good, reply_length=5 << 20), r"larger|limit|too large")
    case("garbage-welcome", Behaviour(schema=good, welcome=b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 64), r"protocol|magic|not a cell")
    case("zero-welcome", Behaviour(schema=good, welcome=bytes(64)), r"protocol|magic|not a cell")
    case("version-9", Behaviour(schema=good, welcome=wire.frame(wire.WELCOME, 2)[:8] + b"\x09" + wire.frame(wire.WELCOME, 2)[9:]), r"version")
    case("kind-99", Behaviour(schema=good, welcome=wire.frame(99, 2)), r"kind|frame|protocol")
    case("reply-before-welcome", Behaviour(schema=good, welcome=wire.frame(wire.REPLY, 2)), r"WELCOME|kind|frame|protocol")
    case("meta-beyond-length", Behaviour(schema=good, welcome=wire.HEADER.pack(wire.MAGIC, 4, 1, 2, 2, 0, 400, 0, 0, 0, 0) + b"abcd"), r"metadata|protocol")
    case("bad-metadata", Behaviour(schema=good, welcome_meta=b"\xff\xff\xff\xffab"), r"metadata|protocol")
    case("no-fingerprint", Behaviour(schema=good, welcome_meta=wire.meta([(":cell", "demo")])), r"fingerprint")
    case("short-fingerprint", Behaviour(schema=good, fingerprint="abc"), r"fingerprint")
    case("upper-case-fingerprint", Behaviour(schema=good, fingerprint="AB" * 32), r"fingerprint")
    case("other-fingerprint", Behaviour(schema=good, fingerprint="ab" * 32), r"fingerprint")
    case("other-cell", Behaviour(schema=good, cell="other"), r"other")
    case("refused", Behaviour(schema=good, welcome_code=-7, welcome_meta=wire.meta([(":message", "go away")])), r"go away|permission")
    case("reply-error", Behaviour(schema=good, reply_code=-13, reply_meta=wire.meta([(":message", "broken disk")])), r"broken disk|internal")
    case("reply-other-id", Behaviour(schema=good, reply_id=77), r"request id|protocol|id")
    case("reply-garbage", Behaviour(schema=good, reply=b"\x00" * 100), r"protocol|magic|not a cell")
    case("message-with-escape", Behaviour(schema=good, reply_code=-13, reply_meta=wire.meta([(":message", "a\x1b[31mb\n\x07")])), r"a.*b")


def json_cases():
    raw_case("empty-reply", "", r"JSON|empty|expected")
    raw_case("not-json", "hello", r"JSON|token|invalid")
    raw_case("truncated-json", json.dumps(small())[:200], r"JSON|premature|end of|expected|string")
    raw_case("array", "[]", r"object|JSON")
    raw_case("deep-arrays", "[" * 20000, r"deep|depth|nest")
    raw_case("deep-objects", '{"a":' * 5000, r"deep|depth|nest")
    raw_case("many-members", "[" + "0," * 200000 + "0]", r"members|many|limit")
    raw_case("duplicate-key", '{"schema":"cell.schema/1","schema":"cell.schema/1"}', r"duplicate")
    raw_case("not-utf8", b'{"schema":"\xff\xfe"}', r"UTF-8|utf-8")
    raw_case("nul-escape", '{"schema":"\\u0000"}', r"NUL|null|\\u0000|u0000")
    raw_case("lone-surrogate", '{"schema":"\\ud800"}', r"UTF-8|surrogate|Unicode|unicode")
    raw_case("trailing-garbage", "{} x", r"JSON|end of file|trailing|schema")
    raw_case("huge-number", '{"schema":99999999999999999999999}', r"big|large|overflow|range|integer")
    raw_case("real-number", json.dumps(small()).replace('"size": 32', '"size": 32.5'), r"integer|real|size")
    raw_case("all-nul", bytes(1000), r"JSON|NUL|token|invalid")


def schema_cases():
    schema_case("no-format", remover("schema"), r"schema")
    schema_case("future-format", setter("schema", "cell.schema/2"), r"cell\.schema/2|version|format")
    schema_case("other-abi", setter("abi", "ilp32-be"), r"abi|ABI|ilp32")
    schema_case("cell-name-number", setter("cell", 7), r"cell|string|name")
    schema_case("types-not-array", setter("types", {}), r"types")
    schema_case("method-name-missing", remover("methods", 0, "name"), r"name")
    for name, bad in [("keyword", "int"), ("cxx-keyword", "namespace"), ("alternative-token", "and"), ("c23-keyword", "constexpr"),
                      ("empty", ""), ("space", "a b"), ("newline", "a\nb"), ("quote", 'a"b'), ("semicolon", "f(void);int g"),
                      ("comment", "a/*b"), ("digit", "1abc"), ("unicode", "größe"), ("underscore", "_secret"),
                      ("reserved", "cellgen_x"), ("library", "cell_call"), ("long", "a" * 400)]:
        schema_case(f"method-name-{name}", setter("methods", 0, "name", bad), r"name|identifier|keyword|reserved")
    schema_case("field-name-keyword", setter("types", 1, "fields", 0, "name", "for"), r"keyword|name")
    schema_case("param-name-keyword", setter("methods", 0, "params", 0, "name", "while"), r"keyword|name")
    schema_case("enumerator-injection", setter("types", 0, "values", 0, "name", "A = 1, B"), r"name|identifier")
    schema_case("type-name-injection", setter("types", 1, "name", "x { int y; }; struct z"), r"name|identifier")
    schema_case("value-injection", setter("types", 0, "values", 0, "value", "system(1)"), r"value|decimal|integer|number")
    schema_case("value-too-big", setter("types", 0, "values", 0, "value", "99999999999"), r"value|range|fit")
    schema_case("constant-injection", setter("constants", 0, "value", "1; int x"), r"value|decimal|integer|number")
    schema_case("unknown-type", setter("types", 1, "fields", 0, "type", "i65"), r"i65")
    schema_case("unknown-kind", setter("types", 1, "kind", "union"), r"union|kind")
    schema_case("pointer-type", setter("methods", 0, "params", 0, "type", "void*"), r"void|type")
    schema_case("array-bound-zero", setter("types", 1, "fields", 0, "type", "u8[0]"), r"bound|array|\[0\]")
    schema_case("array-bound-huge", setter("types", 1, "fields", 0, "type", "u8[4294967296]"), r"bound|array|range")
    schema_case("array-bound-negative", setter("types", 1, "fields", 0, "type", "u8[-1]"), r"bound|array|type")
    schema_case("wrong-offset", setter("types", 1, "fields", 1, "offset", 12), r"offset")
    schema_case("negative-offset", setter("types", 1, "fields", 1, "offset", -8), r"offset")
    schema_case("overlapping-offset", setter("types", 1, "fields", 1, "offset", 0), r"offset")
    schema_case("wrong-size", setter("types", 1, "size", 24), r"size")
    schema_case("absurd-size", setter("types", 1, "size", 1 << 50), r"size")
    schema_case("wrong-align", setter("types", 1, "align", 16), r"align")
    schema_case("self-recursive", setter("types", 1, "fields", 0, "type", "demo_item"), r"demo_item")
    schema_case("forward-use", lambda d: d["types"].reverse(), r"demo_|unknown|order")
    schema_case("duplicate-method", lambda d: d["methods"].append(copy.deepcopy(d["methods"][0])), r"demo_get|twice|duplicate|sorted")
    schema_case("duplicate-type", lambda d: d["types"].append(copy.deepcopy(d["types"][1])), r"demo_item|twice|duplicate")
    schema_case("duplicate-field", setter("types", 1, "fields", 1, "name", "id"), r"id|twice|duplicate")
    schema_case("duplicate-param", setter("methods", 0, "params", 1, "name", "id"), r"id|twice|duplicate")
    schema_case("type-named-as-method", setter("types", 1, "name", "demo_put"), r"demo_")
    schema_case("enumerator-named-as-method", setter("types", 0, "values", 0, "name", "demo_put"), r"demo_put|twice|duplicate")
    schema_case("methods-unsorted", lambda d: d["methods"].reverse(), r"sort|order")
    schema_case("in-param-as-out", setter("methods", 0, "params", 0, "dir", "sideways"), r"dir|sideways")
    schema_case("out-scalar", setter("methods", 0, "params", 0, {"name": "id", "type": "i64", "dir": "out", "pointer": True}), r"out|i64|pointer")
    schema_case("idempotent-number", setter("methods", 0, "idempotent", 1), r"idempotent|boolean|true")
    schema_case("doc-number", setter("doc", 5), r"doc|string")
    schema_case("doc-control", setter("doc", "a\u0001b"), r"doc|control")
    schema_case("doc-bidi", setter("doc", "a\u202eb"), r"doc|bidi|control")
    schema_case("list-of-list", setter("types", 2, "of", "list<i32>"), r"list")
    schema_case("enum-of-float", setter("types", 0, "type", "f32"), r"f32|integer|type")
    schema_case("too-many-params", setter("methods", 0, "params", [{"name": f"p{i}", "type": "i32", "dir": "in"} for i in range(65)]), r"param|64|many")
    schema_case("empty-struct", setter("types", 1, "fields", []), r"field|empty|struct|size")


def collision_cases():
    case("collides-with-function", Behaviour(schema=small()), r"demo_get.*already declared", "int demo_get(void);")
    case("collides-with-variable", Behaviour(schema=small()), r"demo_put.*already declared", "static int demo_put;")
    case("collides-with-typedef", Behaviour(schema=small()), r"already declared", "typedef int demo_item_list;")
    case("collides-with-struct", Behaviour(schema=small()), r"demo_item.*already declared", "struct demo_item { int x; };")
    case("collides-with-enumerator", Behaviour(schema=small()), r"DEMO_RED.*already declared", "enum { DEMO_RED };")
    case("collides-with-constant", Behaviour(schema=small()), r"DEMO_MAX.*already declared", "static const int DEMO_MAX = 1;")


def run_case(work, compiler, name):
    behaviour, expected, before = CASES[name]
    folder = os.path.join(work, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "cell.json"), "w", encoding="utf-8") as f:
        json.dump({"run_dir": ".", "timeout_ms": 700, "cells": {"demo": {}}}, f)
    with open(os.path.join(folder, "main.c"), "w", encoding="utf-8") as f:
        f.write(PROGRAM % before)
    os.chmod(os.path.join(folder, "cell.json"), 0o600)
    command = compiler + ["-fno-color-diagnostics", "-c", "main.c", "-o", "main.o"]
    # A relative path keeps the socket's name short enough for any build folder.
    with FakeCell(os.path.relpath(os.path.join(folder, "demo.sock")), behaviour):
        try:
            result = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
        except subprocess.TimeoutExpired:
            return "hangs"
    text = result.stderr.decode("utf-8", "replace")
    errors = [line for line in text.splitlines() if re.search(r": (fatal )?error: ", line)]
    problems = []
    if result.returncode != 1 or "PLEASE submit a bug report" in text:
        problems.append(f"exit status {result.returncode}")
    if len(errors) != 1:
        problems.append(f"{len(errors)} errors")
    if not any(re.search(expected, line) for line in text.splitlines()):
        problems.append(f"no line matches {expected!r}")
    if errors and not re.search(r"main\.c:3:\d+: error:", errors[0]):
        problems.append("the error does not stand at the import")
    if not re.search(BAD, text, re.I):
        problems.append("the message does not name the cell")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        problems.append("control characters reach the terminal")
    if os.path.exists(os.path.join(folder, "main.o")):
        problems.append("an object was written")
    return "; ".join(problems) + "\n" + text if problems else None


def main():
    work, compiler = sys.argv[1], sys.argv[2:]
    for add in (transport_cases, json_cases, schema_cases, collision_cases):
        add()
    os.makedirs(work, exist_ok=True)
    os.chdir(work)
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name, problem in zip(CASES, pool.map(lambda n: run_case(work, compiler, n), CASES)):
            if problem:
                failures += 1
                print(f"not ok {name}: {problem}")
    print(f"{len(CASES)} hostile replies, {failures} handled badly")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
