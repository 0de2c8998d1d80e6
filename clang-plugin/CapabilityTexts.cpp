/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "CapabilityTexts.h"
#include "ClangCompat.h"
#include "Drift.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/Expr.h"
#include "clang/Lex/Preprocessor.h"

using namespace clang;

namespace
{

const StringRef needsPrefix = "cellgen_needs_", insteadPrefix = "cellgen_instead_";

/* What clients call the functions of a method. */
const char *const forms[] = {"",
#define FORM(suffix) suffix,
                             CELL_METHOD_NAMES(FORM) CELL_STREAM_READER_NAMES(FORM) CELL_STREAM_WRITER_NAMES(FORM)
#undef FORM
};

/* An enumerator of the value; NULL = there is none. */
const EnumConstantDecl *find(const EnumDecl *e, StringRef prefix, bool value)
{
    for (const EnumConstantDecl *one : e->enumerators())
        if (cellcompat::startsWith(one->getName(), prefix) && (one->getInitVal() != 0) == value)
            return one;
    return nullptr;
}

/* Behind "cellgen_needs_METHOD__". */
StringRef lastName(const EnumConstantDecl *e) { return e->getName().rsplit("__").second; }

bool isOurs(const EnumDecl *e)
{
    if (e->getIdentifier())
        return cellcompat::startsWith(e->getName(), needsPrefix);
    for (const EnumConstantDecl *first : e->enumerators())
        return cellcompat::startsWith(first->getName(), "cellgen_");
    return false;
}

std::string listName(StringRef cell) { return ("cellgen_" + cell + "_capabilities").str(); }

} // namespace

StringRef CellNeeds::method() const { return declared->getName().drop_front(needsPrefix.size()); }

std::vector<std::string> CellNeeds::capabilities() const
{
    std::vector<std::string> all;
    for (const EnumConstantDecl *one : declared->enumerators())
        if (cellcompat::startsWith(one->getName(), needsPrefix))
            all.push_back(lastName(one).str());
    return all;
}

StringRef CellNeeds::lacking() const
{
    const EnumConstantDecl *one = find(declared, needsPrefix, false);
    return one ? lastName(one) : StringRef();
}

StringRef CellNeeds::fallback() const
{
    const EnumConstantDecl *one = find(declared, insteadPrefix, true);
    return one ? one->getName().drop_front((insteadPrefix + method() + "__").str().size()) : StringRef();
}

FileID CapabilityTexts::fileOf(const Decl *d) const
{
    return state.sources().getFileID(state.sources().getExpansionLoc(d->getLocation()));
}

void CapabilityTexts::collect() { collect(state.sema().getASTContext().getTranslationUnitDecl()); }

void CapabilityTexts::collect(DeclContext *scope)
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

std::vector<EnumDecl *> CapabilityTexts::enums() const
{
    std::vector<EnumDecl *> all;
    for (const auto &text : texts)
        all.insert(all.end(), text.second.enums.begin(), text.second.enums.end());
    return all;
}

CellNeeds CapabilityTexts::needsOf(const FunctionDecl *f) const
{
    const DeclContext *scope = f->getDeclContext()->getRedeclContext();
    IdentifierTable &table = state.pp.getIdentifierTable();
    for (const char *form : forms) {
        StringRef name = f->getName();
        std::string tag = name.consume_back(form) ? (needsPrefix + name).str() : "";
        if (!tag.empty() && (f->isFromASTFile() || table.find(tag) != table.end()))
            for (NamedDecl *found : scope->lookup(&table.get(tag)))
                if (const auto *e = dyn_cast<EnumDecl>(found))
                    return CellNeeds(e);
    }
    return CellNeeds();
}

bool CapabilityTexts::isMethodUsed(const CellNeeds &needs) const
{
    std::string method = needs.method().str();
    const DeclContext *scope = needs.declared->getDeclContext()->getRedeclContext();
    for (const char *form : forms)
        for (const NamedDecl *found : scope->lookup(&state.pp.getIdentifierTable().get(method + form)))
            if (isa<FunctionDecl>(found) && found->isReferenced())
                return true;
    return false;
}

VarDecl *CapabilityTexts::findList(const DeclContext *scope, StringRef cell) const
{
    for (NamedDecl *found : scope->lookup(&state.pp.getIdentifierTable().get(listName(cell))))
        if (auto *v = dyn_cast<VarDecl>(found))
            return v;
    return nullptr;
}

/* Its list as well, if that was not met. */
CapabilityTexts::Text &CapabilityTexts::textOf(const EnumDecl *e)
{
    Text &text = texts[fileOf(e)];
    if (!text.list)
        text.list = findList(e->getDeclContext()->getRedeclContext(), cellOwnerOf(state, e->getLocation()));
    return text;
}

void CapabilityTexts::use(const EnumDecl *e, ArrayRef<std::string> capabilities)
{
    textOf(e).used.insert(capabilities.begin(), capabilities.end());
}

void CapabilityTexts::useEverywhere(StringRef cell, const std::string &capability)
{
    /* Of a precompiled header it may not have been read yet. */
    if (VarDecl *list = findList(state.sema().getASTContext().getTranslationUnitDecl(), cell))
        texts[fileOf(list)].list = list;
    for (auto &text : texts)
        if (text.second.list && text.second.list->getName() == listName(cell))
            text.second.used.insert(capability);
}

void CapabilityTexts::tell()
{
    for (auto &text : texts)
        if (text.second.list && !text.second.used.empty())
            tell(text.second);
}

/* Nobody has looked at the variable's value yet: it is static, and code is made behind us. */
void CapabilityTexts::tell(Text &text)
{
    ASTContext &ctx = state.sema().getASTContext();
    /* A precompiled header has told its own. */
    const Expr *init = text.list->getInit();
    const auto *told = init ? dyn_cast<StringLiteral>(init->IgnoreParenImpCasts()) : nullptr;
    SmallVector<StringRef, 8> before;
    (told ? told->getString() : StringRef()).split(before, ',', -1, false);
    for (StringRef name : before)
        text.used.insert(name.str());

    std::string names = llvm::join(text.used, ",");
    SourceLocation loc = text.list->getLocation();
    QualType type = ctx.getStringLiteralArrayType(ctx.CharTy.withConst(), static_cast<unsigned>(names.size()));
    using Kind = decltype(std::declval<const StringLiteral &>().getKind());
    Expr *literal = StringLiteral::Create(ctx, names, Kind::Ordinary, false, type, loc);
    text.list->setInit(ImplicitCastExpr::Create(ctx, ctx.getPointerType(ctx.CharTy.withConst()), CK_ArrayToPointerDecay,
                                                literal, nullptr, VK_PRValue, FPOptionsOverride()));
}
