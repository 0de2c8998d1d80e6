/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The document as JSON, and what the verifier says of it, at the author's lines. */
#include "HotImpl.h"

extern "C" {
#include "cell/errors.h"
#include "core/ast.h"
#include "core/json.h"
#include "core/rule.h"
}

using namespace clang;

namespace
{

struct AstDelete {
    void operator()(cell_ast *d) const { cell_ast_free(d); }
};

class Checker
{
  public:
    Checker(PluginState &plugin, HotDocument &d, const cell_schema *s) : state(plugin), document(d), schema(s) {}
    bool run(std::string &json);

  private:
    std::string text() const;
    void writeFunction(const HotFunction &f, std::string &out) const;
    bool read(const std::string &json, bool anyCost, std::string *canonical);
    bool fail(llvm::StringRef message);
    SourceLocation placeOf(llvm::StringRef &message) const;
    bool settleBounds();
    bool settleLoops(const ast_node *n, HotNode *body);
    /* Why and where a function may do in the cell what it does not do where it is served. */
    struct Danger {
        enum { None, Fault, Open } why = None;
        size_t in = 0;
    };
    Danger dangerOf(const ast_node *n, const std::vector<Danger> &known, size_t function) const;
    bool isNamedByRule(const char *function) const;
    bool checkRules();

    PluginState &state;
    HotDocument &document;
    const cell_schema *schema;
    std::unique_ptr<cell_ast, AstDelete> ast;
};

std::string quoted(llvm::StringRef text)
{
    std::string out;
    hotWrite(hotText(text, SourceLocation()), out);
    return out;
}

void add(std::string &out, const char *key, llvm::StringRef value)
{
    out += std::string(out.back() == '{' ? "\"" : ",\"") + key + "\":" + value.str();
}

/* A function that fails with the status it is given, as an internal one. */
std::string raiser(const std::string &name)
{
    std::string cases;
#define CASE(symbol, value, name, text) cases += ",[" #value "],[[\"fail\",\"" name "\"]]";
    CELL_STATUS_MAP(CASE)
#undef CASE
    return "{\"name\":\"" + name + "\",\"internal\":true,\"returns\":\"status\",\"params\":[{\"name\":\"" + name +
           "_s\",\"type\":\"i32\"}],\"body\":[[\"switch\",\"" + name + "_s\"" + cases + "]]}";
}

std::string param(const std::string &name, const HotType &type, bool out, const std::string &doc)
{
    std::string p = "{";
    add(p, "name", quoted(name));
    add(p, "type", quoted(type.text()));
    if (out)
        add(p, "dir", "\"out\"");
    if (!doc.empty())
        add(p, "doc", quoted(doc));
    return p;
}

void Checker::writeFunction(const HotFunction &f, std::string &out) const
{
    std::string o = "{", params, body;
    add(o, "name", quoted(f.name));
    add(o, "returns", quoted(f.status ? "status" : f.returns.text()));
    if (f.internal)
        add(o, "internal", "true");
    if (!f.doc.empty())
        add(o, "doc", quoted(f.doc));
    if (!f.file.empty())
        add(o, "file", quoted(f.file));
    if (f.fault)
        add(o, "fault", quoted(cell_status_name(f.fault)));
    for (size_t i = 0; i < f.params.size(); i++) {
        const HotParam &p = f.params[i];
        const std::string doc = i < f.paramDocs.size() ? f.paramDocs[i] : "";
        bool pointer = !p.type.count && p.type.kind == CELL_KIND_STRUCT && p.mode != HotMode::Value;
        params += (i ? "," : "") + param(p.name, p.type, p.mode == HotMode::Out, doc);
        params += pointer && p.mode != HotMode::Out ? ",\"pointer\":true}" : "}";
        if (p.mode == HotMode::InOut)
            params += "," + param(p.outName, p.type, true, "") + "}";
    }
    if (!params.empty())
        add(o, "params", "[" + params + "]");
    hotWrite(f.body, body);
    add(o, "body", body);
    out += o + "}";
}

std::string Checker::text() const
{
    std::string out = "{\"cell.ast\":1,\"functions\":[";
    if (!document.raiser.empty())
        out += raiser(document.raiser);
    for (const HotFunction &f : document.functions) {
        out += out.back() == '[' ? "" : ",";
        writeFunction(f, out);
    }
    out += "]";
    if (!document.tables.empty())
        out += ",\"tables\":[";
    for (const HotTable &t : document.tables) {
        out += out.back() == '[' ? "" : ",";
        out += "{\"name\":" + quoted(t.name) + ",\"type\":" + quoted(t.type.text()) + ",\"values\":";
        hotWrite(t.values, out);
        out += "}";
    }
    return out + (document.tables.empty() ? "}" : "]}");
}

/* Takes "functions[2].body[3][1]: " from the front; the place of the deepest part that has one. */
SourceLocation Checker::placeOf(llvm::StringRef &message) const
{
    unsigned index;
    llvm::StringRef rest = message;
    SourceLocation loc = document.functions[0].decl->getLocation();
    if (!rest.consume_front("functions[") || rest.consumeInteger(10, index) || !rest.consume_front("]"))
        return loc;
    index -= !document.raiser.empty();
    if (index >= document.functions.size())
        return loc;
    loc = document.functions[index].decl->getLocation();
    const HotNode *n = &document.functions[index].body;
    if (rest.consume_front(".body")) {
        while (rest.consume_front("[") && !rest.consumeInteger(10, index) && rest.consume_front("]"))
            if (n && n->kind == HotNode::Array && index < n->items.size()) {
                n = &n->items[index];
                if (n->loc.isValid())
                    loc = n->loc;
            } else {
                n = nullptr;
            }
    }
    size_t colon = message.find(": ");
    message = colon == llvm::StringRef::npos ? message : message.drop_front(colon + 2);
    return loc;
}

bool Checker::fail(llvm::StringRef message)
{
    SourceLocation loc = placeOf(message);
    cellReport(state.sema(), loc, CellDiag::HotVerify) << cellPrintable(message);
    return false;
}

bool Checker::read(const std::string &json, bool anyCost, std::string *canonical)
{
    cell_error e = {};
    cell_json root = {};
    cell_ast *doc = nullptr;
    ast_limits limits = {};
    if (anyCost)
        limits.cost = UINT64_MAX;
    if (json.size() > CELL_AST_MAX_BYTES)
        return fail("the functions are larger than 1 MiB");
    int r = cell_json_load(json.data(), json.size(), CELL_INVALID_ARGUMENT, &root, &e);
    if (r >= 0)
        r = cell_ast_read(&root.root, schema, &limits, &doc, &e);
    if (r >= 0 && canonical) {
        cell_buffer out = {};
        cell_json_put(&out, &root.root);
        if (!cell_buffer_ok(&out))
            llvm::report_bad_alloc_error("cell: out of memory");
        canonical->assign(out.data, out.len);
        cell_buffer_free(&out);
    }
    cell_json_free(&root);
    ast.reset(doc);
    return r >= 0 || fail(e.text);
}

/* The part of the body that a node was read from. */
HotNode *sourceOf(const ast_node *n, HotNode *body)
{
    std::vector<uint32_t> path;
    for (; n->parent; n = n->parent)
        if (!(n->op == AST_BLOCK && n->parent->op == AST_CASE))
            path.push_back(n->at);
    for (; body && !path.empty(); path.pop_back())
        body = path.back() < body->items.size() ? &body->items[path.back()] : nullptr;
    return body;
}

bool isExact(const ast_node *n) { return n->op != AST_ADD || n->proven & AST_NO_OVERFLOW; }

bool Checker::settleLoops(const ast_node *n, HotNode *body)
{
    bool good = true;
    if (n->op == AST_FOR || n->op == AST_DOWN) {
        HotNode *source = sourceOf(n, body);
        HotLoop *loop = source && source->loop >= 0 ? &document.loops[size_t(source->loop)] : nullptr;
        if (loop && ((loop->mayWrap & 1 && !isExact(n->args[0])) || (loop->mayWrap & 2 && !isExact(n->args[1])))) {
            cellReport(state.sema(), loop->loc, CellDiag::HotLoopEnd);
            good = false;
        } else if (loop && !loop->known && n->steps > CELL_AST_MAX_BOUND) {
            cellReport(state.sema(), loop->loc, CellDiag::HotBound) << static_cast<int>(loop->status);
            good = false;
        } else if (loop && !loop->known) {
            loop->bound = n->steps ? n->steps : 1;
            source->items[4] = hotNumber(loop->bound, loop->loc);
        }
    }
    for (uint32_t i = 0; i < n->nargs; i++)
        if (n->args[i]->op >= AST_BLOCK)
            good = settleLoops(n->args[i], body) && good;
    return good;
}

/* The bounds that the verifier proves take the places of those that nobody has stated. */
bool Checker::settleBounds()
{
    bool good = true;
    const size_t first = !document.raiser.empty();
    for (size_t i = 0; i < document.functions.size(); i++)
        good = settleLoops(ast->functions[first + i].body, &document.functions[i].body) && good;
    return good;
}

Checker::Danger Checker::dangerOf(const ast_node *n, const std::vector<Danger> &known, size_t function) const
{
    bool divides =
        (n->op == AST_DIV || n->op == AST_REM) && n->type.kind != CELL_KIND_F64 && n->type.kind != CELL_KIND_F32;
    Danger found;
    if ((divides || n->op == AST_ELEMENT || n->op == AST_BYTE) && !(n->proven & AST_IN_BOUNDS))
        return {Danger::Fault, function};
    if (n->op == AST_CALL || n->op == AST_TRY || n->op == AST_STATUS)
        found = known[n->ref];
    for (uint32_t i = 0; found.why == Danger::None && i < n->nargs; i++)
        found = dangerOf(n->args[i], known, function);
    return found;
}

bool Checker::isNamedByRule(const char *function) const
{
    const auto anyOf = [&](const schema_field *fields, uint32_t n) {
        return std::any_of(fields, fields + n, [&](const schema_field &field) {
            const char *name = cell_rule_function_of(&field);
            return name && strcmp(name, function) == 0;
        });
    };
    for (uint32_t i = 0; i < schema->ntypes; i++)
        if (anyOf(schema->types[i].fields, schema->types[i].nfields))
            return true;
    for (uint32_t i = 0; i < schema->nmethods; i++)
        if (anyOf(schema->methods[i].params, schema->methods[i].nparams))
            return true;
    return false;
}

/* Functions of rules run in the cell as C has them. A function without a status cannot fault, but call what can. */
bool Checker::checkRules()
{
    const size_t first = !document.raiser.empty();
    std::vector<Danger> known(ast->nfunctions);
    for (size_t i = 0; i < document.functions.size(); i++) {
        const HotFunction &f = document.functions[i];
        Danger &danger = known[first + i];
        danger = f.open ? Danger{Danger::Open, i} : dangerOf(ast->functions[first + i].body, known, i);
        if (danger.why == Danger::None || f.internal || !isNamedByRule(f.name.c_str()))
            continue;
        cellReport(state.sema(), document.functions[danger.in].decl->getLocation(), CellDiag::HotRule)
            << f.decl << (danger.why == Danger::Open) << document.functions[danger.in].decl;
        return false;
    }
    return true;
}

bool Checker::run(std::string &json)
{
    for (const HotFunction &f : document.functions) {
        /* In a schema, and in its document, a body lies five levels deep. */
        SourceLocation loc = hotTooDeep(f.body, hotMostDepth - 5);
        if (loc.isValid()) {
            cellReport(state.sema(), loc, CellDiag::HotDeep) << static_cast<int>(hotMostDepth);
            return false;
        }
    }
    bool open = false;
    for (const HotLoop &l : document.loops)
        open |= !l.known || l.mayWrap;
    if (open && (!read(text(), true, nullptr) || !settleBounds()))
        return false;
    return read(text(), false, &json) && checkRules();
}

} // namespace

bool cellHotVerify(PluginState &state, HotDocument &document, const cell_schema *schema, std::string &json)
{
    return Checker(state, document, schema).run(json);
}
