/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Included.h"
#include "Annotations.h"
#include "Arguments.h"
#include "DeclReader.h"

#include "clang/AST/DeclCXX.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/JSON.h"

#include <deque>

using namespace clang;

namespace
{

/* The annotations of one cell that came out of a file: by verb and name of the declaration, in their order. */
class Annotated
{
  public:
    Annotated(StringRef cell, const DeclContext *unit) : prefix(("cell:" + cell + ".").str()) { collect(unit); }

    /* The next one of those; each is given once. */
    bool take(StringRef verb, StringRef name, CellPlaces &places)
    {
        auto &those = found[{verb.str(), name.str()}];
        if (those.empty())
            return false;
        std::tie(places.d, places.a) = those.front();
        those.pop_front();
        return true;
    }

  private:
    void collect(const DeclContext *scope)
    {
        for (const Decl *d : scope->decls()) {
            if (isa<NamespaceDecl>(d) || isa<LinkageSpecDecl>(d) || isa<ExportDecl>(d))
                collect(cast<DeclContext>(d));
            else if (d->isFromASTFile() && isa<NamedDecl>(d))
                add(cast<NamedDecl>(d));
        }
    }

    void add(const NamedDecl *d)
    {
        StringRef verb;
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if (!a->isInherited() && cellAnnotationSuffix(a, prefix, verb))
                found[{verb.str(), d->getNameAsString()}].push_back({d, a});
    }

    std::string prefix;
    std::map<std::pair<std::string, std::string>, std::deque<std::pair<const NamedDecl *, const AnnotateAttr *>>> found;
};

/* What places within arguments need. The arguments were right when the header was made. */
void readArguments(PluginState &state, CellPlaces &places)
{
    std::vector<std::optional<std::string>> texts;
    bool suppressed = state.diags().getSuppressAllDiagnostics();
    state.diags().setSuppressAllDiagnostics(true);
    if (!cellVerbArguments(state, places, texts)) {
        places.given.assign(places.verb->nargs, nullptr);
        places.files.assign(places.verb->nargs, CellFile());
    }
    state.diags().setSuppressAllDiagnostics(suppressed);
}

} // namespace

std::vector<CellPlaces> cellIncludedPlaces(PluginState &state, session_cell *cell, uint32_t n)
{
    std::vector<CellPlaces> all(n);
    Annotated annotated(cell->name, state.sema().getASTContext().getTranslationUnitDecl());
    const cell_schema *schema = cell_session_verbs(state.sessionIfAny(), cell, nullptr);
    for (uint32_t i = 0; schema && i < n; i++) {
        auto request = llvm::json::parse(cell_session_asked(cell, i));
        const llvm::json::Object *root = request ? request->getAsObject() : nullptr;
        const llvm::json::Object *annotation = root ? root->getObject("annotation") : nullptr;
        const llvm::json::Object *declaration = root ? root->getObject("declaration") : nullptr;
        if (!request)
            llvm::consumeError(request.takeError());
        auto verb = annotation ? annotation->getString("verb") : std::nullopt;
        auto name = declaration ? declaration->getString("name") : std::nullopt;
        if (!verb || !name)
            continue;
        all[i].verb = cell_schema_verb(schema, verb->str().c_str());
        if (all[i].verb && annotated.take(*verb, *name, all[i]))
            readArguments(state, all[i]);
    }
    return all;
}
