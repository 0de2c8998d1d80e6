/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Places.h"
#include "ClangCompat.h"
#include "DeclReader.h"
#include "Diagnostics.h"

#include "clang/AST/Expr.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"

#include <algorithm>

using namespace clang;

namespace
{

class Locator
{
  public:
    Locator(PluginState &plugin, const CellPlaces &declaration) : state(plugin), p(declaration) {}

    SourceLocation locate(const expansion_place &place, CharSourceRange &range);

  private:
    SourceLocation ofMember(StringRef name) const;
    SourceLocation ofByte(uint32_t argument, uint32_t at, unsigned *token = nullptr);
    SourceLocation endOf(uint32_t argument, uint32_t at);
    SourceLocation inFile(const CellFile &file, uint32_t at);

    PluginState &state;
    const CellPlaces &p;
};

/* The struct that a value is, or that those of an array, a list or an optional are; NULL. One that is annotated by hand
 * could hold itself: `left` ends that. */
const RecordDecl *heldBy(QualType type, unsigned left = 16)
{
    while (const ArrayType *array = type->getAsArrayTypeUnsafe())
        type = array->getElementType();
    if (left == 0)
        return nullptr;
    if (type->isPointerType())
        return heldBy(type->getPointeeType(), left - 1);
    const RecordDecl *record = type->getAsRecordDecl();
    StringRef kind;
    if (!record)
        return nullptr;
    record = record->getDefinition() ? record->getDefinition() : record;
    for (const auto *a : record->specific_attrs<AnnotateAttr>())
        if (cellAnnotationSuffix(a, "cell.type:", kind))
            for (const FieldDecl *f : record->fields())
                if (f->getName() == (kind == "list" ? "ptr" : "value"))
                    return heldBy(f->getType(), left - 1);
    return record;
}

/* The field of that name, or "address.city", a field within that one. */
const FieldDecl *fieldAt(const RecordDecl *record, StringRef path)
{
    auto [name, rest] = path.split('.');
    if (record)
        for (const FieldDecl *f : record->fields())
            if (f->getName() == name)
                return rest.empty() ? f : fieldAt(heldBy(f->getType()), rest);
    return nullptr;
}

/* The field, enumerator or parameter of that name. */
SourceLocation Locator::ofMember(StringRef name) const
{
    if (const auto *record = dyn_cast<RecordDecl>(p.d))
        if (const FieldDecl *f = fieldAt(record, name))
            return f->getLocation();
    if (const auto *e = dyn_cast<EnumDecl>(p.d))
        for (const EnumConstantDecl *value : e->enumerators())
            if (value->getName() == name)
                return value->getLocation();
    if (const auto *function = dyn_cast<FunctionDecl>(p.d))
        for (const ParmVarDecl *parameter : function->parameters())
            if (parameter->getName() == name)
                return parameter->getLocation();
    return SourceLocation();
}

/* The file becomes one of the unit's sources now, as if it were included at the annotation. */
SourceLocation Locator::inFile(const CellFile &file, uint32_t at)
{
    SourceManager &sm = state.sources();
    auto entry = sm.getFileManager().getOptionalFileRef(file.path);
    if (!entry)
        return SourceLocation();
    FileID id = sm.translateFile(*entry);
    if (id.isInvalid())
        id = sm.createFileID(*entry, sm.getFileLoc(p.loc()), SrcMgr::C_User);
    auto size = static_cast<uint64_t>(sm.getFileIDSize(id));
    uint64_t offset = std::min<uint64_t>(uint64_t(at) + file.skipped, size);
    return sm.getLocForStartOfFile(id).getLocWithOffset(static_cast<SourceLocation::IntTy>(offset));
}

/* One byte of an argument's text, or its end. Invalid when it has no such place. Sets `token`, of the literal's. */
SourceLocation Locator::ofByte(uint32_t argument, uint32_t at, unsigned *token)
{
    if (argument < p.files.size() && !p.files[argument].path.empty())
        return inFile(p.files[argument], at);
    const StringLiteral *literal = cellLiteralOf(p.given[argument]);
    if (!literal || at > literal->getByteLength())
        return SourceLocation();
    const ASTContext &ast = state.sema().getASTContext();
    unsigned first = 0, offset = 0;
    SourceLocation loc =
        literal->getLocationOfByte(at, state.sources(), ast.getLangOpts(), ast.getTargetInfo(), &first, &offset);
    if (token)
        *token = first;
    return loc;
}

/* Behind the byte before `at`, not 0: a range ends there, not with the quotes of the next literal. */
SourceLocation Locator::endOf(uint32_t argument, uint32_t at)
{
    unsigned last = 0, next = 0;
    SourceLocation before = ofByte(argument, at - 1, &last), behind = ofByte(argument, at, &next);
    return behind.isInvalid() || last == next ? behind : before.getLocWithOffset(1);
}

SourceLocation Locator::locate(const expansion_place &place, CharSourceRange &range)
{
    if (!place.field || !p.d)
        return p.loc();
    SourceLocation member = ofMember(place.field);
    if (member.isValid() && !place.has_at)
        return member;
    for (uint32_t i = 0; i < p.verb->nargs; i++) {
        if (StringRef(p.verb->args[i].name) != place.field || !p.given[i])
            continue;
        SourceManager &sm = state.sources();
        SourceLocation begin = place.has_at ? ofByte(i, place.at) : SourceLocation();
        if (begin.isInvalid())
            return p.given[i]->getBeginLoc();
        bool hasEnd = place.length && place.length <= UINT32_MAX - place.at;
        SourceLocation end = hasEnd ? endOf(i, place.at + place.length) : SourceLocation();
        /* What is in the body of a macro has its place where the macro is used. */
        SourceLocation from = sm.getFileLoc(begin), to = end.isValid() ? sm.getFileLoc(end) : from;
        if (sm.getFileID(from) == sm.getFileID(to) && sm.getFileOffset(from) < sm.getFileOffset(to))
            range = CharSourceRange::getCharRange(from, to);
        return begin;
    }
    return member.isValid() ? member : p.loc();
}

bool isFieldRule(const CellPlaces &places, StringRef rule)
{
    if (rule == "renamed_from" || rule == "since")
        return true;
    return std::any_of(places.verb->field_rules, places.verb->field_rules + places.verb->nfield_rules,
                       [&](const char *known) { return rule == known; });
}

/* Where a rule for `field` is written, or one for the declaration. Nothing can be written into macros. */
std::optional<FixItHint> fixOf(PluginState &state, const CellPlaces &places, const expansion_diagnostic &said)
{
    SourceManager &sm = state.sources();
    const FieldDecl *field = nullptr;
    if (const auto *record = dyn_cast<RecordDecl>(places.d); record && said.place.field)
        field = fieldAt(record, said.place.field);
    bool onField = field && isFieldRule(places, said.fix.name);
    std::string text = cellRuleText(said.fix, onField);
    if (text.empty())
        return std::nullopt;
    SourceLocation at = places.d->getLocation();
    if (onField) {
        at = field->getEndLoc();
        if (at.isFileID())
            at = Lexer::getLocForEndOfToken(at, 0, sm, state.pp.getLangOpts());
    }
    if (at.isInvalid() || !at.isFileID())
        return std::nullopt;
    return FixItHint::CreateInsertion(at, onField ? " " + text : text + " ");
}

CellDiag diagOf(const expansion_diagnostic &said)
{
    switch (said.severity) {
    case expansion_diagnostic::EXPANSION_ERROR:
        break;
    case expansion_diagnostic::EXPANSION_WARNING:
        return CellDiag::ExpansionWarning;
    case expansion_diagnostic::EXPANSION_REMARK:
        return CellDiag::ExpansionRemark;
    case expansion_diagnostic::EXPANSION_NOTE:
        return CellDiag::ExpansionNote;
    }
    return CellDiag::ExpansionError;
}

} // namespace

const StringLiteral *cellLiteralOf(const Expr *e)
{
    e = e->IgnoreParenImpCasts();
    if (const auto *folded = dyn_cast<ConstantExpr>(e))
        e = folded->getSubExpr()->IgnoreParenImpCasts();
    const auto *literal = dyn_cast<StringLiteral>(e);
    return literal && cellcompat::isOrdinaryLiteral(literal) ? literal : nullptr;
}

void cellSay(PluginState &state, const CellPlaces &places, const expansion_diagnostic &said)
{
    Locator locator(state, places);
    {
        CharSourceRange range;
        SourceLocation at = locator.locate(said.place, range);
        auto report = cellReport(state.diags(), at, diagOf(said));
        report << cellPrintable(said.text);
        if (range.isValid())
            report << range;
        if (said.fix.name && places.d)
            if (auto fix = fixOf(state, places, said))
                report << *fix;
    }
    for (uint32_t i = 0; i < said.nnotes; i++) {
        CharSourceRange range;
        SourceLocation at = locator.locate(said.notes[i].place, range);
        auto report = cellReport(state.diags(), at, CellDiag::ExpansionNote);
        report << cellPrintable(said.notes[i].text);
        if (range.isValid())
            report << range;
    }
}
