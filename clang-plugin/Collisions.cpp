/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Collisions.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"

#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Lookup.h"

using namespace clang;

namespace
{

/* C keeps file scope in the identifier resolver and its tables of contexts are built on demand, for all declarations
 * at once; C++ contexts have tables anyway. */
NamedDecl *find(Sema &s, IdentifierInfo *name, bool tag)
{
    if (!s.getLangOpts().CPlusPlus) {
        LookupResult found(s, name, SourceLocation(), tag ? Sema::LookupTagName : Sema::LookupOrdinaryName);
        found.suppressDiagnostics();
        s.LookupName(found, s.TUScope);
        return found.empty() ? nullptr : found.getRepresentativeDecl();
    }
    for (NamedDecl *d : s.CurContext->getRedeclContext()->lookup(name)) {
        NamedDecl *real = d->getUnderlyingDecl();
        if (tag == (isa<TagDecl>(real) || isa<TypedefNameDecl>(real)))
            return real;
    }
    return nullptr;
}

class Scanner
{
  public:
    explicit Scanner(const std::vector<Token> &text) : tokens(text) {}

    /* The next name that the text declares at file scope; NULL at the end. Reserved names are the text's own. */
    IdentifierInfo *next(bool &tag)
    {
        for (; at < tokens.size(); at++) {
            IdentifierInfo *name = declaredAt(tag);
            track();
            if (!name || cellcompat::startsWith(name->getName(), "cell_") ||
                cellcompat::startsWith(name->getName(), "cellgen_"))
                continue;
            at++;
            return name;
        }
        return nullptr;
    }

  private:
    /* of token `i`; also of those before the first and after the last */
    tok::TokenKind kind(size_t i) const { return i < tokens.size() ? tokens[i].getKind() : tok::eof; }

    bool isTagKeyword(tok::TokenKind k) const
    {
        return k == tok::kw_struct || k == tok::kw_enum || k == tok::kw_union || k == tok::kw_class;
    }

    IdentifierInfo *declaredAt(bool &tag) const
    {
        if (kind(at) != tok::identifier || (depth && !inEnum))
            return nullptr;
        tok::TokenKind before = at ? kind(at - 1) : tok::eof, after = kind(at + 1);
        IdentifierInfo *name = tokens[at].getIdentifierInfo();
        tag = false;
        if (inEnum && depth == 1)
            return before == tok::l_brace || before == tok::comma ? name : nullptr;
        if (depth)
            return nullptr;
        if (isTagKeyword(before)) {
            tag = true;
            return after == tok::l_brace || after == tok::colon ? name : nullptr;
        }
        if (before == tok::coloncolon)
            return nullptr;
        bool declarator = after == tok::l_paren || after == tok::l_square || after == tok::equal ||
                          after == tok::semi || after == tok::kw___attribute;
        return declarator ? name : nullptr;
    }

    /* Linkage specifications are transparent: what they hold is at file scope. */
    void track()
    {
        switch (kind(at)) {
        case tok::l_brace:
            if (!depth && at && tok::isStringLiteral(kind(at - 1))) {
                transparent++;
                return;
            }
            inEnum = !depth && sawEnum;
            depth++;
            return;
        case tok::r_brace:
            if (!depth)
                transparent -= transparent ? 1 : 0;
            else if (!--depth)
                inEnum = sawEnum = false;
            return;
        case tok::l_paren:
            sawEnum = sawEnum && (depth || kind(at - 1) != tok::identifier); /* a function that returns an enum */
            depth++;
            return;
        case tok::l_square:
            depth++;
            return;
        case tok::r_paren:
        case tok::r_square:
            depth -= depth ? 1 : 0;
            return;
        case tok::semi:
            sawEnum = sawEnum && depth;
            return;
        case tok::kw_enum:
            sawEnum = sawEnum || !depth;
            return;
        case tok::equal:
            sawEnum = sawEnum && depth;
            return;
        default:
            return;
        }
    }

    const std::vector<Token> &tokens;
    size_t at = 0;
    unsigned depth = 0, transparent = 0;
    bool inEnum = false, sawEnum = false;
};

bool isHarmless(NamedDecl *there, bool tag)
{
    if (there->isInvalidDecl() || there->isImplicit())
        return true;
    /* `struct auth_session;` only announces what the import defines. */
    const auto *type = dyn_cast<TagDecl>(there);
    return tag && type && !type->getDefinition();
}

} // namespace

NamedDecl *cellFind(PluginState &state, StringRef name, bool tag)
{
    return find(state.sema(), state.pp.getIdentifierInfo(name), tag);
}

NamedDecl *cellFindMarker(PluginState &state, StringRef name)
{
    NamedDecl *found = cellFind(state, name, false);
    IdentifierInfo *id = state.pp.getIdentifierInfo(name);
    const DeclContext *scope = state.sema().CurContext->getRedeclContext();
    while (!found && scope->isInlineNamespace()) {
        scope = scope->getParent()->getRedeclContext();
        auto there = scope->lookup(id);
        found = there.empty() ? nullptr : there.front();
    }
    return found;
}

bool cellCheckCollisions(PluginState &state, StringRef cell, const std::vector<Token> &tokens, SourceLocation loc)
{
    Scanner scanner(tokens);
    bool tag = false;
    while (IdentifierInfo *name = scanner.next(tag)) {
        NamedDecl *there = find(state.sema(), name, tag);
        if (!there || isHarmless(there, tag))
            continue;
        cellReport(state.diags(), loc, CellDiag::Collision) << cell << name->getName();
        cellReport(state.diags(), there->getLocation(), CellDiag::CollisionNote) << name->getName();
        return false;
    }
    return true;
}

void cellCheckTaken(PluginState &state)
{
    if (!state.parser() || state.injected.empty())
        return;
    for (const Decl *d : state.sema().getASTContext().getTranslationUnitDecl()->noload_decls()) {
        const auto *f = dyn_cast<FunctionDecl>(d);
        const FunctionDecl *first = f && !f->isFromASTFile() ? f->getFirstDecl() : nullptr;
        if (!first || first == f || !cellOwnerOf(state, f->getLocation()).empty() || !cellHasWritten(state, first))
            continue;
        cellReport(state.diags(), f->getLocation(), CellDiag::CollisionLater)
            << cellOwnerOf(state, first->getLocation()) << f->getName();
        cellReport(state.diags(), first->getLocation(), CellDiag::CollisionNote) << f->getName();
    }
}
