/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Condition.h"
#include "ClangCompat.h"
#include "DeclReader.h"
#include "HotImpl.h"
#include "Request.h"

#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Lookup.h"

using namespace clang;

namespace
{

struct Call {
    std::string name;
    size_t at; /* in the condition's text */
};

/* Words before '(', outside of single quotation marks. */
std::vector<Call> callsOf(StringRef text)
{
    std::vector<Call> calls;
    for (size_t i = 0, begin = 0; i < text.size(); begin = i) {
        if (text[i] == '\'') {
            i = text.find('\'', i + 1);
            i = i == StringRef::npos ? text.size() : i + 1;
            continue;
        }
        while (i < text.size() && isAsciiIdentifierContinue(text[i]))
            i++;
        StringRef word = text.slice(begin, i), rest = text.drop_front(i).ltrim(" \t\n");
        if (word.empty())
            i++;
        else if (!rest.empty() && rest[0] == '(' && !isDigit(word[0]) && word != "in")
            calls.push_back({word.str(), begin});
    }
    return calls;
}

class Conditions
{
  public:
    Conditions(PluginState &plugin, const CellPlaces &declaration) : state(plugin), places(declaration) {}

    bool read(const char *argument, StringRef text);
    bool serialise(std::string &json);

  private:
    bool refuse(const char *argument, const Call &call, const std::string &why);
    std::string problemOf(const FunctionDecl *f, const FunctionDecl *definition) const;

    PluginState &state;
    const CellPlaces &places;
    std::vector<const FunctionDecl *> called; /* definitions, in the order of their first call */
};

bool Conditions::refuse(const char *argument, const Call &call, const std::string &why)
{
    expansion_diagnostic said = {};
    said.severity = expansion_diagnostic::EXPANSION_ERROR;
    said.text = why.c_str();
    said.place.field = argument;
    said.place.has_at = true;
    said.place.at = static_cast<uint32_t>(call.at);
    said.place.length = static_cast<uint32_t>(call.name.size());
    cellSay(state, places, said);
    return false;
}

/* Why a condition cannot call it; empty: it can. */
std::string Conditions::problemOf(const FunctionDecl *f, const FunctionDecl *definition) const
{
    ASTContext &ctx = state.sema().getASTContext();
    const PrintingPolicy &policy = ctx.getPrintingPolicy();
    std::string name = "'" + f->getNameAsString() + "'";
    if (ctx.getLangOpts().CPlusPlus)
        return name + " is a function of C++, of which a condition calls none: write what it computes in its place";
    if (!hotIsMarked(f))
        return name + " is called by a condition and not marked for that: write 'CELL_HOT' before its definition";
    if (!definition)
        return name + " is not defined before this, and a condition is kept with what it calls: define it above";
    if (!f->getReturnType()->isBooleanType())
        return name + " returns '" + f->getReturnType().getAsString(policy) + "': what a condition calls returns bool";
    for (const ParmVarDecl *p : definition->parameters()) {
        QualType type = p->getOriginalType();
        if (!type->isIntegralOrEnumerationType() && !type->isRealFloatingType())
            return "parameter '" + p->getNameAsString() + "' of " + name + " has type '" + type.getAsString(policy) +
                   "': what a condition calls takes numbers, bools and enums, by value";
    }
    return "";
}

bool Conditions::read(const char *argument, StringRef text)
{
    Sema &sema = state.sema();
    for (const Call &call : callsOf(text)) {
        IdentifierInfo *id = state.pp.getIdentifierInfo(call.name);
        NamedDecl *found = sema.LookupSingleName(sema.TUScope, id, SourceLocation(), Sema::LookupOrdinaryName);
        const auto *f = dyn_cast_or_null<FunctionDecl>(found);
        const FunctionDecl *definition = nullptr;
        if (!f)
            return refuse(argument, call,
                          "'" + call.name +
                              "' is no function that is declared before this; what a condition calls is defined above "
                              "it: CELL_HOT static bool " +
                              call.name + "(…)");
        f->isDefined(definition);
        if ((definition ? definition : f)->isInvalidDecl())
            return false; /* which was reported */
        std::string problem = problemOf(f->getMostRecentDecl(), definition);
        if (!problem.empty())
            return refuse(argument, call, problem);
        if (!llvm::is_contained(called, definition))
            called.push_back(definition);
    }
    return true;
}

bool Conditions::serialise(std::string &json)
{
    std::unique_ptr<cell_schema, CellSchemaDelete> types(cell_schema_new());
    if (called.empty() || !types)
        return called.empty();
    for (const FunctionDecl *f : called)
        hotIsUsed(state, f);
    DeclReader reader(state.sema(), types.get());
    HotDocumentPtr document = cellHotSerialise(state, reader, called, true);
    if (!document)
        return false;
    for (const HotFunction &f : document->functions)
        if (f.decl)
            hotIsUsed(state, f.decl);
    for (schema_type *t : reader.types()) { /* comments are no part of what is computed */
        t->doc = nullptr;
        for (uint32_t i = 0; i < t->nvalues; i++)
            t->values[i].doc = nullptr;
        for (uint32_t i = 0; i < t->nfields; i++)
            t->fields[i].doc = nullptr;
    }
    std::vector<const schema_type *> used(reader.types().begin(), reader.types().end());
    std::string own = cellRequestTypes(used);
    reader.finish();
    types->cell = "condition"; /* nobody sees it */
    cell_error e = {};
    if (cell_schema_seal(types.get(), &e) < 0)
        return refuse(places.verb->args[0].name, {"", 0}, e.text);
    if (!cellHotVerify(state, *document, types.get(), json))
        return false;
    json.insert(1, "\"types\":" + own + ",");
    return true;
}

} // namespace

bool cellConditionFunctions(PluginState &state, const CellPlaces &places,
                            const std::vector<std::optional<std::string>> &texts, std::string &json)
{
    Conditions conditions(state, places);
    for (size_t i = 0; i < texts.size(); i++)
        if (texts[i] && places.given[i] && StringRef(places.verb->args[i].type) == "condition" &&
            !conditions.read(places.verb->args[i].name, *texts[i]))
            return false;
    return conditions.serialise(json);
}
