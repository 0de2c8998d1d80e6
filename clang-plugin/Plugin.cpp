/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Registration with Clang: the attribute that headers test for, the pragma, and the consumer of declarations. */
#include "Absent.h"
#include "Annotations.h"
#include "Capability.h"
#include "Drift.h"
#include "Editor.h"
#include "Import.h"
#include "Inject.h"
#include "Plans.h"

#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendPluginRegistry.h"
#include "clang/Lex/Pragma.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "clang/Sema/ParsedAttr.h"
#include "clang/Sema/SemaConsumer.h"

using namespace clang;

namespace
{

/* What a compilation's action means for the cells: only what produces code lets them act. */
session_mode modeOf(const CompilerInstance &ci)
{
    if (cellEditorMs())
        return SESSION_PLAN;
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

class CellConsumer : public SemaConsumer
{
  public:
    CellConsumer(CompilerInstance &ci, StringRef input)
        : pp(ci.getPreprocessor()), included(ci.getPreprocessorOpts().ImplicitPCHInclude),
          makesPreamble(ci.getPreprocessorOpts().GeneratePreamble),
          becomes(ci.getFrontendOpts().ProgramAction == frontend::GeneratePCH ? ci.getFrontendOpts().OutputFile : "")
    {
        cellRegisterCompilation(pp, modeOf(ci), input, ci.getFrontendOpts().OutputFile);
    }

    /* An editor's preamble has the imports, and nothing of what the plugin knew when it met them. */
    void InitializeSema(Sema &) override
    {
        if (!included.empty() && cellEditorMs())
            cellDriftOfPreamble(cellState(pp));
        if (!included.empty() && importsByPch())
            cellWatchCapabilities(cellState(pp));
        if (!included.empty() && importsByPch()) {
            cellIncludePlans(stateWithPaths());
            if (cellEditorMs())
                cellInheritAbsent(stateWithPaths());
            if (!cellEditorMs())
                cellDriftOfIncluded(cellState(pp));
        }
    }
    void ForgetSema() override {}
    ~CellConsumer() override { cellStateRemove(pp); }

    bool HandleTopLevelDecl(DeclGroupRef group) override
    {
        for (Decl *d : group) {
            if (isa<ImportDecl>(d) && knowsImports())
                cellDriftOfIncluded(cellState(pp));
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
        if (!state && (importsByPch() || isIncluded()))
            state = &cellState(pp); /* for what it uses of them; for those who include it */
        if (state)
            cellUnitEnds(stateWithPaths());
    }

  private:
    /* Cell's header names this tag, for every import. */
    bool knowsImports() const { return pp.getIdentifierInfo("cell_import")->isFromAST(); }
    bool importsByPch() const { return !included.empty() && knowsImports(); }

    /* A precompiled header, or preamble, with Cell's header in it. That it asks nothing must be known, too. */
    bool isIncluded() const
    {
        const IdentifierTable &known = pp.getIdentifierTable();
        return (makesPreamble || !becomes.empty()) && known.find("cell_import") != known.end();
    }

    /* An editor's preamble has no name that lasts, but there is one of a file only. */
    PluginState &stateWithPaths()
    {
        PluginState &state = cellState(pp);
        std::string preamble = cellEditorMs() ? "preamble of " + cellMainFile(state) : "";
        if (!included.empty())
            state.includes = preamble.empty() ? cellAbsolutePath(state, included) : preamble;
        if (makesPreamble)
            state.becomes = preamble;
        else if (!becomes.empty())
            state.becomes = cellAbsolutePath(state, becomes);
        return state;
    }

    Preprocessor &pp;
    std::string included;
    bool makesPreamble;
    std::string becomes;
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

/* clangd has the plugin by LD_PRELOAD. What it starts (the compilers that --query-driver asks) must not: there, what
 * the plugin needs of Clang is missing. `cell clangd` has put the plugin in front of what was there. */
void leavePreload()
{
    const char *preload = cellEditorMs() ? getenv("LD_PRELOAD") : nullptr;
    auto parts = StringRef(preload ? preload : "").split(':');
    StringRef own = "/libcellplugin.so";
    if (parts.first.take_back(own.size()) != own)
        return;
    std::string rest = parts.second.str();
    if (rest.empty())
        unsetenv("LD_PRELOAD");
    else
        setenv("LD_PRELOAD", rest.c_str(), 1);
}

/* The same plugin may be loaded twice, also from two places: only the first registers itself. */
struct Registration {
    Registration()
    {
        leavePreload();
        for (const auto &entry : FrontendPluginRegistry::entries())
            if (entry.getName() == "cell")
                return;
        static FrontendPluginRegistry::Add<CellAction> action("cell", "imports the clients of cells");
        static PragmaHandlerRegistry::Add<CellPragma> pragma("cell", "imports the client of a cell");
        static ParsedAttrInfoRegistry::Add<CellPluginAttr> attribute("cell_plugin", "tells that the plugin is there");
    }
} registration;

} // namespace
