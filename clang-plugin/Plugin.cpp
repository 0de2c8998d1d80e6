/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Registration with Clang: the attribute that headers test for, the pragma, and the consumer of declarations. */
#include "Annotations.h"
#include "Drift.h"
#include "Import.h"
#include "Inject.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendPluginRegistry.h"
#include "clang/Lex/Pragma.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "clang/Sema/ParsedAttr.h"

using namespace clang;

namespace
{

/* What a compilation's action means for the cells: only what produces code lets them act. */
session_mode modeOf(const CompilerInstance &ci)
{
    switch (ci.getFrontendOpts().ProgramAction) {
    case frontend::EmitAssembly:
    case frontend::EmitBC:
    case frontend::EmitLLVM:
    case frontend::EmitLLVMOnly:
    case frontend::EmitCodeGenOnly:
    case frontend::EmitObj:
        return SESSION_LIVE;
    default:
        return SESSION_PLAN;
    }
}

class CellConsumer : public ASTConsumer
{
  public:
    CellConsumer(CompilerInstance &ci, StringRef input) : pp(ci.getPreprocessor())
    {
        cellRegisterCompilation(pp, modeOf(ci), input, ci.getFrontendOpts().OutputFile);
    }
    ~CellConsumer() override { cellStateRemove(pp); }

    bool HandleTopLevelDecl(DeclGroupRef group) override
    {
        for (Decl *d : group) {
            if (cellWorthALook(d))
                cellTopLevel(pp, d);
            if (auto *f = dyn_cast<FunctionDecl>(d))
                cellMembers(pp, f);
        }
        return true;
    }

    /* What comes from a precompiled header or a module was handled when that was built, and nothing can follow it. */
    void HandleInterestingDecl(DeclGroupRef) override {}

    void HandleInlineFunctionDefinition(FunctionDecl *f) override { cellMembers(pp, f); }

    void HandleTagDeclDefinition(TagDecl *d) override
    {
        if (d->hasAttrs())
            cellTagDefinition(pp, d);
        cellMembers(pp, d);
    }

    void HandleTranslationUnit(ASTContext &) override
    {
        PluginState *state = cellStateIfAny(pp);
        if (!state && importsByPch())
            state = &cellState(pp); /* for what it uses of them */
        if (state)
            cellUnitEnds(*state);
    }

  private:
    /* Cell's header names this tag, for every import. */
    bool importsByPch() const
    {
        return !pp.getPreprocessorOpts().ImplicitPCHInclude.empty() && pp.getIdentifierInfo("cell_import")->isFromAST();
    }

    Preprocessor &pp;
};

class CellAction : public PluginASTAction
{
  public:
    std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance &ci, StringRef input) override
    {
        return std::make_unique<CellConsumer>(ci, input);
    }
    bool ParseArgs(const CompilerInstance &, const std::vector<std::string> &) override { return true; }
    ActionType getActionType() override { return AddBeforeMainAction; }
};

/* Owned by the preprocessor, so that it ends the state of runs that have no consumer (completion, -E). */
class CellPragma : public PragmaHandler
{
  public:
    CellPragma() : PragmaHandler("cell") {}
    ~CellPragma() override
    {
        if (pp)
            cellStateRemove(*pp);
    }
    void HandlePragma(Preprocessor &preprocessor, PragmaIntroducer introducer, Token &name) override
    {
        pp = &preprocessor;
        cellPragma(preprocessor, introducer, name);
    }

  private:
    Preprocessor *pp = nullptr;
};

/* For __has_attribute(cell_plugin); writing the attribute itself has no meaning and is refused as unknown ones are. */
class CellPluginAttr : public ParsedAttrInfo
{
  public:
    CellPluginAttr()
    {
        static constexpr Spelling names[] = {{ParsedAttr::AS_GNU, "cell_plugin"}};
        Spellings = names;
    }
};

/* The same plugin may be loaded twice, also from two places: only the first registers itself. */
struct Registration {
    Registration()
    {
        for (const auto &entry : FrontendPluginRegistry::entries())
            if (entry.getName() == "cell")
                return;
        static FrontendPluginRegistry::Add<CellAction> action("cell", "imports the clients of cells");
        static PragmaHandlerRegistry::Add<CellPragma> pragma("cell", "imports the client of a cell");
        static ParsedAttrInfoRegistry::Add<CellPluginAttr> attribute("cell_plugin", "tells that the plugin is there");
    }
} registration;

} // namespace
