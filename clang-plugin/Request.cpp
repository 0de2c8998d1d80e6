/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Request.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using llvm::json::OStream;

namespace
{

const char *const kindNames[] = {"",
#define CELL_KIND_NAME(symbol, number, name, size) name,
                                 CELL_KIND_MAP(CELL_KIND_NAME)
#undef CELL_KIND_NAME
};

void text(OStream &json, llvm::StringRef key, const char *value)
{
    if (value)
        json.attribute(key, llvm::json::fixUTF8(value));
}

void flag(OStream &json, llvm::StringRef key, bool value)
{
    if (value)
        json.attribute(key, true);
}

void use(OStream &json, llvm::StringRef key, const schema_ref &r)
{
    char written[2 * 128 + 32];
    cell_schema_ref_format(&r, written, sizeof(written));
    json.attribute(key, written);
}

void rules(OStream &json, const schema_field &f)
{
    if (!f.nrules)
        return;
    json.attributeArray("rules", [&] {
        for (uint32_t i = 0; i < f.nrules; i++)
            json.object([&] {
                text(json, "rule", f.rules[i].name);
                json.attributeArray("args", [&] {
                    for (uint32_t k = 0; k < f.rules[i].nargs; k++)
                        json.value(llvm::json::fixUTF8(f.rules[i].args[k]));
                });
            });
    });
}

void field(OStream &json, const schema_field &f)
{
    json.object([&] {
        text(json, "name", f.name);
        use(json, "type", f.type);
        json.attribute("offset", static_cast<int64_t>(f.offset));
        text(json, "doc", f.doc);
        text(json, "since", f.since);
        text(json, "renamed_from", f.renamed_from);
        rules(json, f);
    });
}

void parameter(OStream &json, const schema_field &f)
{
    json.object([&] {
        text(json, "name", f.name);
        use(json, "type", f.type);
        json.attribute("dir", f.out ? "out" : "in");
        flag(json, "pointer", f.by_pointer);
        text(json, "doc", f.doc);
        rules(json, f);
    });
}

void type(OStream &json, const schema_type &t)
{
    json.object([&] {
        text(json, "name", t.name);
        json.attribute("kind", kindNames[t.kind]);
        json.attribute("size", static_cast<int64_t>(t.size));
        json.attribute("align", static_cast<int64_t>(t.align));
        text(json, "doc", t.doc);
        flag(json, "annotated", t.annotated);
        if (t.kind == CELL_KIND_ENUM) {
            use(json, "type", t.elem);
            json.attributeArray("values", [&] {
                for (uint32_t i = 0; i < t.nvalues; i++)
                    json.object([&] {
                        text(json, "name", t.values[i].name);
                        text(json, "value", t.values[i].text);
                        text(json, "renamed_from", t.values[i].renamed_from);
                        text(json, "doc", t.values[i].doc);
                    });
            });
        } else if (t.kind == CELL_KIND_STRUCT) {
            json.attributeArray("fields", [&] {
                for (uint32_t i = 0; i < t.nfields; i++)
                    field(json, t.fields[i]);
            });
        } else {
            use(json, "of", t.elem);
        }
    });
}

void method(OStream &json, const schema_method &m)
{
    json.object([&] {
        text(json, "name", m.name);
        flag(json, "idempotent", m.idempotent);
        text(json, "renamed_from", m.renamed_from);
        text(json, "doc", m.doc);
        json.attributeArray("params", [&] {
            for (uint32_t i = 0; i < m.nparams; i++)
                parameter(json, m.params[i]);
        });
    });
}

void declaration(OStream &json, const ExpandRequest &r)
{
    json.attribute("kind", r.kind);
    json.attribute("name", r.name);
    if (r.type) {
        json.attributeBegin("type");
        type(json, *r.type);
        json.attributeEnd();
    }
    if (r.method) {
        json.attributeBegin("method");
        method(json, *r.method);
        json.attributeEnd();
    }
    if (r.variable)
        use(json, "type", *r.variable);
    json.attributeArray("types", [&] {
        for (const schema_type *t : r.uses)
            type(json, *t);
    });
    if (r.rules.empty())
        return;
    json.attributeArray("rules", [&] {
        for (const ExpandRequest::Rule &rule : r.rules)
            json.object([&] {
                json.attribute("rule", llvm::json::fixUTF8(rule.name));
                json.attributeArray("args", [&] {
                    for (const std::string &arg : rule.args)
                        json.value(llvm::json::fixUTF8(arg));
                });
            });
    });
}

} // namespace

std::string cellRequestJson(const ExpandRequest &r)
{
    std::string out;
    llvm::raw_string_ostream stream(out);
    OStream json(stream);
    json.object([&] {
        json.attributeObject("annotation", [&] {
            json.attribute("verb", r.verb);
            json.attributeArray("args", [&] {
                for (const std::optional<std::string> &arg : r.args)
                    json.value(arg ? llvm::json::Value(llvm::json::fixUTF8(*arg)) : nullptr);
            });
            json.attribute("location", llvm::json::fixUTF8(r.location));
            if (!r.functions.empty()) {
                json.attributeBegin("functions");
                json.rawValue(r.functions);
                json.attributeEnd();
            }
        });
        json.attributeObject("declaration", [&] { declaration(json, r); });
        json.attribute("language", r.cplusplus ? "c++" : "c");
        json.attribute("abi", CELL_ABI_NAME);
        json.attribute("mode", r.live ? "live" : "plan");
    });
    stream.flush();
    return out;
}

std::string cellRequestTypes(const std::vector<const schema_type *> &types)
{
    std::string out;
    llvm::raw_string_ostream stream(out);
    OStream json(stream);
    json.array([&] {
        for (const schema_type *t : types)
            type(json, *t);
    });
    stream.flush();
    return out;
}
