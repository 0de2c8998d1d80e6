/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a unit was built for. A capability counts when the unit has named it and the cell has it, or when it uses a
 * method that needs it. Sema marks each declaration that is referred to, wherever that is; the visitor of uses knows
 * the places of most.
 */
#include "Capability.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "UseVisitor.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/Expr.h"
#include "clang/Analysis/CFG.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Preprocessor.h"

using namespace clang;

namespace
{

/* What clients call the functions of a method. */
const char *const forms[] = {"",
#define FORM(suffix) suffix,
                             CELL_METHOD_NAMES(FORM) CELL_STREAM_READER_NAMES(FORM) CELL_STREAM_WRITER_NAMES(FORM)
#undef FORM
};

bool isTrue(const EnumConstantDecl *e) { return e->getInitVal() != 0; }

/* One injected text. */
struct Text {
    VarDecl *list = nullptr;       /* "cellgen_UNIT_capabilities" */
    std::vector<EnumDecl *> enums; /* of capabilities and of what methods need */
    std::set<std::string> used;
};

class Ending
{
  public:
    explicit Ending(PluginState &plugin) : state(plugin), sema(plugin.sema()) {}

    void run()
    {
        collect(sema.getASTContext().getTranslationUnitDecl());
        cellVisitUsesIn(state, [&](const ValueDecl *d, SourceLocation loc, const Expr *reference,
                                   const FunctionDecl *in) { use(d, loc, reference, in); });
        for (auto &text : texts)
            for (EnumDecl *e : text.second.enums)
                addReferred(e);
        addConditions();
        for (auto &text : texts)
            if (text.second.list && !text.second.used.empty())
                tell(text.second);
    }

  private:
    FileID fileOf(const Decl *d) const
    {
        return state.sources().getFileID(state.sources().getExpansionLoc(d->getLocation()));
    }

    static bool isOurs(const EnumDecl *e)
    {
        if (e->getIdentifier())
            return cellcompat::startsWith(e->getName(), "cellgen_needs_");
        for (const EnumConstantDecl *first : e->enumerators())
            return cellcompat::startsWith(first->getName(), "cellgen_");
        return false;
    }

    void collect(DeclContext *scope)
    {
        for (Decl *d : scope->noload_decls()) {
            if (isa<NamespaceDecl>(d) || isa<LinkageSpecDecl>(d) || isa<ExportDecl>(d)) {
                collect(cast<DeclContext>(d));
            } else if (auto *e = dyn_cast<EnumDecl>(d)) {
                if (isOurs(e))
                    texts[fileOf(e)].enums.push_back(e);
            } else if (auto *v = dyn_cast<VarDecl>(d)) {
                if (v->getIdentifier() && cellcompat::startsWith(v->getName(), "cellgen_") &&
                    v->getName().take_back(13) == "_capabilities")
                    texts[fileOf(v)].list = v;
            }
        }
    }

    /* What method a function belongs to says the enumeration beside it; NULL = it needs nothing. */
    EnumDecl *needsOf(const FunctionDecl *f)
    {
        const DeclContext *scope = f->getDeclContext()->getRedeclContext();
        IdentifierTable &table = state.pp.getIdentifierTable();
        for (const char *form : forms) {
            StringRef name = f->getName();
            std::string tag = name.consume_back(form) ? ("cellgen_needs_" + name).str() : "";
            if (!tag.empty() && (f->isFromASTFile() || table.find(tag) != table.end()))
                for (NamedDecl *found : scope->lookup(&table.get(tag)))
                    if (auto *e = dyn_cast<EnumDecl>(found))
                        return e;
        }
        return nullptr;
    }

    void use(const ValueDecl *d, SourceLocation loc, const Expr *reference, const FunctionDecl *in)
    {
        if (const auto *constant = dyn_cast<EnumConstantDecl>(d)) {
            if (CellConstant::of(d->getName()).kind != CellConstant::None && add(constant, loc))
                visited.insert(constant);
            return;
        }
        const auto *f = dyn_cast<FunctionDecl>(d);
        const EnumDecl *needs = f ? needsOf(f) : nullptr;
        if (!needs)
            return;
        if (!lacking(needs))
            addNeeds(needs, textOf(needs));
        else if (!in || isReached(reference, in))
            complain(f, needs, loc);
    }

    /* Whether control comes to the call. What stands behind `if (CELL_HAS(…))` does not count: the program has made up
     * its mind. Of a template only the instances do anything. */
    bool isReached(const Expr *reference, const FunctionDecl *in)
    {
        if (in->isDependentContext())
            return false;
        if (!reference)
            return true;
        auto known = reached.find(in);
        if (known == reached.end()) {
            known = reached.insert({in, {}}).first;
            known->second.known = findReached(in, known->second.references);
        }
        return !known->second.known || known->second.references.count(reference);
    }

    /* False when Clang cannot tell. */
    bool findReached(const FunctionDecl *in, llvm::DenseSet<const Stmt *> &references)
    {
        CFG::BuildOptions options;
        options.setAllAlwaysAdd();
        options.AddInitializers = true; /* of constructors */
        std::unique_ptr<CFG> graph = CFG::buildCFG(in, in->getBody(), &sema.getASTContext(), options);
        if (!graph)
            return false;
        std::vector<const CFGBlock *> todo = {&graph->getEntry()};
        llvm::DenseSet<const CFGBlock *> seen = {&graph->getEntry()};
        while (!todo.empty()) {
            const CFGBlock *block = todo.back();
            todo.pop_back();
            for (const CFGElement &element : *block)
                if (auto statement = element.getAs<CFGStmt>())
                    if (isa<DeclRefExpr>(statement->getStmt()))
                        references.insert(statement->getStmt());
            for (const CFGBlock::AdjacentBlock &next : block->succs())
                if (const CFGBlock *reachable = next.getReachableBlock())
                    if (seen.insert(reachable).second)
                        todo.push_back(reachable);
        }
        return true;
    }

    /* The use of a constant; false when the cell has not what it stands for, so that the unit does not rely on it. */
    bool add(const EnumConstantDecl *d, SourceLocation loc)
    {
        CellConstant c = CellConstant::of(d->getName());
        if (c.kind == CellConstant::Value ? !isThere(d, c) : !isTrue(d))
            return false;
        textOf(cast<EnumDecl>(d->getDeclContext())).used.insert(c.capability);
        state.capabilityUses.push_back(
            {c.cell, c.capability, c.parameter, true, c.kind == CellConstant::Requires, loc, d});
        return true;
    }

    /* Whether the capability is there that the parameter is of. */
    bool isThere(const EnumConstantDecl *value, const CellConstant &c)
    {
        IdentifierInfo &id = state.pp.getIdentifierTable().get("cellgen_has_" + c.cell + "__" + c.capability);
        const DeclContext *scope = value->getDeclContext()->getParent()->getRedeclContext();
        for (const NamedDecl *found : scope->lookup(&id))
            if (const auto *has = dyn_cast<EnumConstantDecl>(found))
                return isTrue(has);
        return false;
    }

    static const EnumConstantDecl *find(const EnumDecl *e, StringRef prefix, bool value)
    {
        for (const EnumConstantDecl *one : e->enumerators())
            if (cellcompat::startsWith(one->getName(), prefix) && isTrue(one) == value)
                return one;
        return nullptr;
    }
    static const EnumConstantDecl *lacking(const EnumDecl *needs) { return find(needs, "cellgen_needs_", false); }

    /* Behind "cellgen_needs_METHOD__". */
    static StringRef lastName(const EnumConstantDecl *e) { return e->getName().rsplit("__").second; }

    void addNeeds(const EnumDecl *needs, Text &text)
    {
        for (const EnumConstantDecl *one : needs->enumerators())
            if (cellcompat::startsWith(one->getName(), "cellgen_needs_"))
                text.used.insert(lastName(one).str());
    }

    /* Once a line: a call of the fallback, or of nothing. The first is Clang's own warning for what a declaration has
     * to say of its calls: -Wno-user-defined-warnings, #pragma clang diagnostic and -Werror= do with it what they do
     * with those. */
    void complain(const FunctionDecl *f, const EnumDecl *needs, SourceLocation loc)
    {
        const EnumConstantDecl *instead = find(needs, "cellgen_instead_", true);
        SourceManager &sm = state.sources();
        SourceLocation at = sm.getFileLoc(loc);
        if (!told.insert({needs, sm.getFileID(at), sm.getSpellingLineNumber(at)}).second)
            return;
        StringRef cell = cellOwnerOf(state, f->getLocation()), capability = lastName(lacking(needs));
        if (!instead) {
            cellReport(state.diags(), at, CellDiag::MethodLacks) << f->getName() << capability << cell;
            cellReport(state.diags(), at, CellDiag::MethodLacksNote) << cell << capability;
            return;
        }
        StringRef method = needs->getName().drop_front(StringRef("cellgen_needs_").size());
        StringRef fallback = instead->getName().drop_front(("cellgen_instead_" + method + "__").str().size());
        std::string text = ("'" + f->getName() + "' needs '" + capability + "', which cell '" + cell +
                            "' does not have; '" + fallback + "' is called in its place")
                               .str();
        state.diags().Report(at, diag::warn_diagnose_if_succeeded) << text;
    }

    /* Constants that Sema has met where the visitor does not look, and methods that are used. */
    void addReferred(EnumDecl *e)
    {
        if (e->getIdentifier()) {
            if (!lacking(e) && isMethodUsed(e))
                addNeeds(e, textOf(e));
            return;
        }
        for (EnumConstantDecl *one : e->enumerators())
            if (one->isReferenced() && !visited.count(one))
                add(one, state.sources().getIncludeLoc(fileOf(one)));
    }

    /* In any of its forms. */
    bool isMethodUsed(const EnumDecl *needs)
    {
        std::string method = needs->getName().drop_front(StringRef("cellgen_needs_").size()).str();
        const DeclContext *scope = needs->getDeclContext()->getRedeclContext();
        for (const char *form : forms)
            for (const NamedDecl *found : scope->lookup(&state.pp.getIdentifierTable().get(method + form)))
                if (isa<FunctionDecl>(found) && found->isReferenced())
                    return true;
        return false;
    }

    /* A condition of the preprocessor stands in no scope: every import of the cell was built for it. */
    void addConditions()
    {
        for (const CellCapabilityUse &c : state.conditions) {
            if (!c.there)
                continue;
            state.capabilityUses.push_back(c);
            /* Of a precompiled header it may not have been read yet. */
            if (VarDecl *list = findList(sema.getASTContext().getTranslationUnitDecl(), c.cell))
                texts[fileOf(list)].list = list;
            for (auto &text : texts)
                if (text.second.list && text.second.list->getName() == listName(c.cell))
                    text.second.used.insert(c.capability);
        }
    }

    static std::string listName(StringRef cell) { return ("cellgen_" + cell + "_capabilities").str(); }

    VarDecl *findList(const DeclContext *scope, StringRef cell)
    {
        for (NamedDecl *found : scope->lookup(&state.pp.getIdentifierTable().get(listName(cell))))
            if (auto *v = dyn_cast<VarDecl>(found))
                return v;
        return nullptr;
    }

    /* What the text that declares `e` has used; its list as well, if that was not met. */
    Text &textOf(const EnumDecl *e)
    {
        Text &text = texts[fileOf(e)];
        if (!text.list)
            text.list = findList(e->getDeclContext()->getRedeclContext(), cellOwnerOf(state, e->getLocation()));
        return text;
    }

    /* A precompiled header has told its own. */
    static void addTold(Text &text)
    {
        const Expr *init = text.list->getInit();
        const auto *told = init ? dyn_cast<StringLiteral>(init->IgnoreParenImpCasts()) : nullptr;
        SmallVector<StringRef, 8> names;
        (told ? told->getString() : StringRef()).split(names, ',', -1, false);
        for (StringRef name : names)
            text.used.insert(name.str());
    }

    /* Nobody has looked at the variable's value yet: it is static, and code is made behind us. */
    void tell(Text &text)
    {
        ASTContext &ctx = sema.getASTContext();
        addTold(text);
        std::string names = llvm::join(text.used, ",");
        SourceLocation loc = text.list->getLocation();
        QualType type = ctx.getStringLiteralArrayType(ctx.CharTy.withConst(), static_cast<unsigned>(names.size()));
        using Kind = decltype(std::declval<const StringLiteral &>().getKind());
        Expr *literal = StringLiteral::Create(ctx, names, Kind::Ordinary, false, type, loc);
        text.list->setInit(ImplicitCastExpr::Create(ctx, ctx.getPointerType(ctx.CharTy.withConst()),
                                                    CK_ArrayToPointerDecay, literal, nullptr, VK_PRValue,
                                                    FPOptionsOverride()));
    }

    PluginState &state;
    Sema &sema;
    std::map<FileID, Text> texts;
    std::set<const EnumConstantDecl *> visited;
    std::set<std::tuple<const EnumDecl *, FileID, unsigned>> told; /* of a method and line */
    struct Reached {
        bool known = false;
        llvm::DenseSet<const Stmt *> references;
    };
    std::map<const FunctionDecl *, Reached> reached;
};

} // namespace

void cellCapabilitiesEnd(PluginState &state)
{
    if (state.parser() && cellHasCapabilities(state))
        Ending(state).run();
}
