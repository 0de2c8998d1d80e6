/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Expand.h"
#include "Arguments.h"
#include "Collisions.h"
#include "DeclReader.h"
#include "Diagnostics.h"
#include "Import.h"
#include "Render.h"
#include "Request.h"

#include <mutex>

#include "clang/AST/DeclCXX.h"
#include "clang/Lex/Preprocessor.h"

extern "C" {
#include "base/util.h"
}

using namespace clang;

namespace
{

struct ExpansionDelete {
    void operator()(cell_expansion *x) const { cell_expansion_free(x); }
};
using Expansion = std::unique_ptr<cell_expansion, ExpansionDelete>;

/* In an editor's process: the texts of expansions, for completion, which asks nobody, and for cells that have gone. */
class Memory
{
  public:
    void put(const std::string &key, std::string text)
    {
        std::lock_guard<std::mutex> guard(lock);
        if (texts.size() >= most)
            texts.clear();
        texts[key] = std::move(text);
    }
    std::string get(const std::string &key)
    {
        std::lock_guard<std::mutex> guard(lock);
        auto found = texts.find(key);
        return found == texts.end() ? "" : found->second;
    }

  private:
    static constexpr size_t most = 1000;
    std::mutex lock;
    std::map<std::string, std::string> texts;
};

/* Never destroyed: parses may still run at exit. */
Memory &memory()
{
    static Memory *all = new Memory;
    return *all;
}

enum class Target { Struct, Enum, Function, Variable, Other }; /* as the messages select them */

Target targetOf(const NamedDecl *d)
{
    if (const auto *r = dyn_cast<RecordDecl>(d))
        return r->isUnion() ? Target::Other : Target::Struct;
    if (isa<EnumDecl>(d))
        return Target::Enum;
    if (isa<FunctionDecl>(d) && !isa<CXXMethodDecl>(d))
        return Target::Function;
    return isa<VarDecl>(d) ? Target::Variable : Target::Other;
}

const char *const kindNames[] = {"struct", "enum", "function", "variable", ""};

class Expander
{
  public:
    Expander(PluginState &plugin, NamedDecl *declared, const AnnotateAttr *annotation, session_cell *asked)
        : state(plugin), d(declared), a(annotation), cell(asked)
    {
    }

    void expand(StringRef verbName, InjectAt at);

  private:
    const schema_verb *findVerb(const cell_schema *schema, StringRef name);
    bool checkTarget(const schema_verb *verb);
    bool read(const schema_verb *verb, DeclReader &reader);
    SourceLocation locationOf(const schema_verb *verb, const char *field) const;
    bool showDiagnostics(const schema_verb *verb, const cell_expansion *x);
    std::string unitName();
    bool inject(cell_expansion *x, InjectAt at);
    bool again(InjectAt at);
    std::string memoryKey() const;
    SourceLocation loc() const { return a->getLocation(); }

    PluginState &state;
    NamedDecl *d;
    const AnnotateAttr *a;
    session_cell *cell;
    ExpandRequest request;
    std::string key;                 /* of memory() */
    std::vector<const Expr *> given; /* the verb's arguments as written; NULL where one is left out */
    schema_ref variableUse = {};
};

const schema_verb *Expander::findVerb(const cell_schema *schema, StringRef name)
{
    if (const schema_verb *verb = cell_schema_verb(schema, name.str().c_str()))
        return verb;
    std::vector<const char *> names;
    for (uint32_t i = 0; i < schema->nverbs; i++)
        names.push_back(schema->verbs[i].name);
    const char *nearest = cell_suggest(name.str().c_str(), names.data(), names.size());
    if (names.empty()) {
        cellReport(state.diags(), loc(), CellDiag::VerbNone) << cell->name << name;
        return nullptr;
    }
    CharSourceRange word = cellRangeOfWord(state, loc(), name);
    auto report =
        cellReport(state.diags(), word.getBegin(), nearest ? CellDiag::VerbUnknownDidYouMean : CellDiag::VerbUnknown);
    report << cell->name << name;
    if (nearest) {
        report << nearest;
        if (word.isCharRange())
            report << FixItHint::CreateReplacement(word, nearest);
    }
    return nullptr;
}

bool Expander::checkTarget(const schema_verb *verb)
{
    Target target = targetOf(d);
    bool fits = (target == Target::Struct && verb->on_struct) || (target == Target::Enum && verb->on_enum) ||
                (target == Target::Function && verb->on_function) || (target == Target::Variable && verb->on_variable);
    if (!fits) {
        std::string places;
        const std::pair<bool, const char *> allowed[] = {{verb->on_struct, "structs"},
                                                         {verb->on_enum, "enumerations"},
                                                         {verb->on_function, "functions"},
                                                         {verb->on_variable, "variables"}};
        for (const auto &place : allowed)
            if (place.first)
                places += (places.empty() ? "" : ", ") + std::string(place.second);
        cellReport(state.diags(), loc(), CellDiag::VerbTarget)
            << verb->name << cell->name << places << static_cast<int>(target);
        return false;
    }
    const auto *tag = dyn_cast<TagDecl>(d);
    if (!tag || tag->isCompleteDefinition())
        return true;
    cellReport(state.diags(), loc(), CellDiag::VerbDefinition) << verb->name << d;
    return false;
}

/* The declaration becomes part of the request. */
bool Expander::read(const schema_verb *verb, DeclReader &reader)
{
    reader.allowRules(verb->field_rules, verb->nfield_rules, d);
    if (auto *tag = dyn_cast<TagDecl>(d)) {
        request.type = reader.readType(tag);
    } else if (auto *function = dyn_cast<FunctionDecl>(d)) {
        request.method = reader.readMethod(function);
    } else {
        if (!reader.readUse(cast<ValueDecl>(d), variableUse))
            return false;
        request.variable = &variableUse;
    }
    for (const schema_type *t : reader.types())
        if (t != request.type)
            request.uses.push_back(t);
    return request.type || request.method || request.variable;
}

/* The field, parameter or argument that the cell speaks of. */
SourceLocation Expander::locationOf(const schema_verb *verb, const char *field) const
{
    if (!field)
        return loc();
    if (const auto *record = dyn_cast<RecordDecl>(d))
        for (const FieldDecl *f : record->fields())
            if (f->getName() == field)
                return f->getLocation();
    if (const auto *e = dyn_cast<EnumDecl>(d))
        for (const EnumConstantDecl *value : e->enumerators())
            if (value->getName() == field)
                return value->getLocation();
    if (const auto *function = dyn_cast<FunctionDecl>(d))
        for (const ParmVarDecl *p : function->parameters())
            if (p->getName() == field)
                return p->getLocation();
    for (uint32_t i = 0; i < verb->nargs; i++)
        if (StringRef(verb->args[i].name) == field && given[i])
            return given[i]->getBeginLoc();
    return loc();
}

/* False when the cell refuses. */
bool Expander::showDiagnostics(const schema_verb *verb, const cell_expansion *x)
{
    bool good = true;
    for (uint32_t i = 0; i < x->ndiagnostics; i++) {
        const expansion_diagnostic &said = x->diagnostics[i];
        CellDiag id = CellDiag::ExpansionError;
        switch (said.severity) {
        case expansion_diagnostic::EXPANSION_ERROR:
            good = false;
            break;
        case expansion_diagnostic::EXPANSION_WARNING:
            id = CellDiag::ExpansionWarning;
            break;
        case expansion_diagnostic::EXPANSION_REMARK:
            id = CellDiag::ExpansionRemark;
            break;
        case expansion_diagnostic::EXPANSION_NOTE:
            id = CellDiag::ExpansionNote;
            break;
        }
        cellReport(state.diags(), locationOf(verb, said.field), id) << cellPrintable(said.text);
    }
    return good;
}

/* What the text calls its own must differ from the names of the import and of other expansions, also of those that the
 * parser has not come to yet: a verb may stand on one declaration several times. */
std::string Expander::unitName()
{
    std::string base = std::string(cell->name) + "_" + d->getNameAsString() + "_" + request.verb, unit = base;
    for (unsigned n = 2;
         cellFind(state, "cellgen_" + unit + "_fingerprint", false) || !state.expansions.insert(unit).second; n++)
        unit = base + "_" + std::to_string(n);
    return unit;
}

bool Expander::inject(cell_expansion *x, InjectAt at)
{
    cell_schema *content = x->content;
    bool own = content->nconstants || content->nmethods;
    for (uint32_t i = 0; i < content->ntypes; i++)
        own |= !content->types[i].declared;
    if (!own)
        return true;
    std::string unit = unitName();
    render_options options = {};
    options.unit = unit.c_str();
    options.cplusplus = request.cplusplus;
    options.location = request.location.c_str();
    content->cell = cell->name;
    cell_error e = {};
    cell_buffer text = {};
    int r = cell_render_client(content, &options, &text, &e);
    bool good = r >= 0 && cellInjectText(state, cell->name, StringRef(text.data, text.len), loc(), at);
    if (good && state.editorMs)
        memory().put(key, std::string(text.data, text.len));
    cell_buffer_free(&text);
    if (r < 0)
        cellReport(state.diags(), loc(), CellDiag::ExpandFailed) << cell->name << cellPrintable(e.text);
    return good;
}

/* The declaration stands where it stood, or elsewhere: what it is expanded to is the same. */
std::string Expander::memoryKey() const
{
    ExpandRequest r = request;
    r.location.clear();
    r.live = false;
    return std::string(cell->name) + " " + cell->fingerprint + "\n" + cellRequestJson(r);
}

/* What the same request was answered with before. */
bool Expander::again(InjectAt at)
{
    std::string text = memory().get(key);
    if (text.empty())
        return false;
    unitName();
    return cellInjectText(state, cell->name, text, loc(), at);
}

void Expander::expand(StringRef verbName, InjectAt at)
{
    cell_session *session = state.session(loc());
    cell_error e = {};
    const cell_schema *schema = cell_session_schema(session, cell, &e);
    if (!schema) {
        cellReport(state.diags(), loc(), CellDiag::SchemaUnusable) << cell->name << cellPrintable(e.text);
        return;
    }
    request.verb = verbName.str();
    request.location = cellLocationText(state, loc());
    request.kind = kindNames[static_cast<int>(targetOf(d))];
    request.name = d->getNameAsString();
    request.cplusplus = state.pp.getLangOpts().CPlusPlus;
    request.live = cell_session_mode(session) == SESSION_LIVE;

    const schema_verb *verb = findVerb(schema, verbName);
    if (!verb || !checkTarget(verb) || !cellVerbArguments(state, a, verb, request.args, given))
        return;
    std::unique_ptr<cell_schema, CellSchemaDelete> own(cell_schema_new());
    DeclReader reader(state.sema(), own.get());
    if (!own || !read(verb, reader))
        return;
    std::string json = cellRequestJson(request);
    if (state.editorMs)
        key = memoryKey();
    if ((state.mode == SESSION_MIRROR || cell->stale) && again(at))
        return;
    reader.finish(); /* now `own` holds the types that the answer may use */
    cell_expansion *answer = nullptr;
    if (cell_session_expand(session, cell, json.data(), json.size(), own.get(), &answer, &e) < 0) {
        cellReport(state.diags(), loc(), CellDiag::ExpandFailed) << cell->name << cellPrintable(e.text);
        return;
    }
    Expansion x(answer);
    if (cell->answer_differs)
        cellReport(state.diags(), loc(), CellDiag::AnswerChanged) << cell->name << verb->name;
    if (!showDiagnostics(verb, x.get()) || !inject(x.get(), at))
        return;
    if (const auto *record = dyn_cast<RecordDecl>(d))
        state.declared.insert({record, cell});
}

} // namespace

void cellExpand(PluginState &state, NamedDecl *d, const AnnotateAttr *a, StringRef name, StringRef verb, InjectAt at)
{
    /* Without a connection nobody can answer; an editor has asked before. */
    if (state.mode == SESSION_MIRROR && !state.editorMs)
        return;
    if (session_cell *cell = cellAsk(state, name, a->getLocation(), a->getAnnotation().drop_front(5)))
        Expander(state, d, a, cell).expand(verb, at);
}
