/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "DriftFind.h"
#include "Drift.h"

#include "clang/AST/Attr.h"
#include "clang/AST/Decl.h"
#include "clang/AST/Type.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"

using namespace clang;

namespace
{

std::string nameOf(const Diagnostic &info)
{
    switch (info.getNumArgs() ? info.getArgKind(0) : DiagnosticsEngine::ak_sint) {
    case DiagnosticsEngine::ak_identifierinfo:
        return info.getArgIdentifier(0)->getName().str();
    case DiagnosticsEngine::ak_declarationname:
        return DeclarationName::getFromOpaqueInteger(info.getRawArg(0)).getAsString();
    default:
        return "";
    }
}

QualType typeOf(const Diagnostic &info, unsigned i)
{
    return info.getArgKind(i) == DiagnosticsEngine::ak_qualtype
               ? QualType::getFromOpaquePtr(reinterpret_cast<void *>(info.getRawArg(i)))
               : QualType();
}

const RecordDecl *recordOf(const Diagnostic &info)
{
    if (info.getArgKind(1) == DiagnosticsEngine::ak_declcontext)
        return dyn_cast<RecordDecl>(reinterpret_cast<DeclContext *>(info.getRawArg(1)));
    if (info.getArgKind(1) == DiagnosticsEngine::ak_nameddecl)
        return dyn_cast<RecordDecl>(reinterpret_cast<NamedDecl *>(info.getRawArg(1)));
    QualType type = typeOf(info, 1);
    const auto *record = type.isNull() ? nullptr : type->getAs<RecordType>();
    return record ? record->getDecl() : nullptr;
}

void foundField(const diff_change *change, CellGone &found)
{
    found.change = change;
    if (change->rule == DIFF_FIELD_RENAMED)
        found.now = change->now;
}

bool isRenamed(const diff_change &c)
{
    return c.rule == DIFF_METHOD_RENAMED || c.rule == DIFF_CONSTANT_RENAMED || c.rule == DIFF_ENUM_VALUE_RENAMED ||
           c.rule == DIFF_FUNCTION_RENAMED;
}

/* Of a method also its other forms (NAME_async, NAME_begin, NAME_iter, …), those that it still has. */
std::string newName(const CellDrift &drift, const diff_change &c, StringRef name)
{
    if (!isRenamed(c) || !name.consume_front(c.member ? c.member : c.owner))
        return "";
    std::string now = c.now + name.str();
    return c.rule != DIFF_METHOD_RENAMED || cell_schema_method_of(drift.now, now.c_str()) ? now : "";
}

/* What was declared unavailable has the sentence as its message. */
bool findUnavailable(PluginState &state, const Diagnostic &info, CellGone &found)
{
    if (info.getNumArgs() < 2 || info.getArgKind(0) != DiagnosticsEngine::ak_nameddecl ||
        info.getArgKind(1) != DiagnosticsEngine::ak_std_string)
        return false;
    const auto *declared = reinterpret_cast<NamedDecl *>(info.getRawArg(0));
    const std::string &message = info.getArgStdStr(1);
    if (!declared->getIdentifier() || !cellIsInjected(state, declared))
        return false;
    found.name = declared->getName().str();
    found.loc = info.getLocation();
    for (auto &entry : state.drifts)
        for (uint32_t i = 0; i < entry.second.diff->n; i++) {
            const diff_change &c = entry.second.diff->changes[i];
            if (message != c.sentence)
                continue;
            found.drift = &entry.second;
            found.change = &c;
            found.now = newName(entry.second, c, found.name);
            IdentifierInfo &id = declared->getASTContext().Idents.get(found.now);
            if (isa<FunctionDecl, RecordDecl>(declared) &&
                declared->getDeclContext()->getRedeclContext()->lookup(&id).empty())
                found.now.clear(); /* a form that the client leaves out */
            return true;
        }
    return false;
}

/* Whether the change is that `name`, which stands for itself, is gone. */
bool takesAway(const diff_change &c, const schema_method *method, StringRef name)
{
    switch (c.rule) {
    case DIFF_METHOD_REMOVED:
    case DIFF_METHOD_RENAMED:
        return method && StringRef(method->name) == c.owner;
    case DIFF_CONSTANT_REMOVED:
    case DIFF_CONSTANT_RENAMED:
    case DIFF_FUNCTION_REMOVED:
    case DIFF_FUNCTION_RENAMED:
        return name == c.owner;
    case DIFF_ENUM_VALUE_REMOVED:
    case DIFF_ENUM_VALUE_RENAMED:
        return name == c.member;
    default:
        return false;
    }
}

/* A precompiled header or a module was built without knowing what its users have used: in those nothing stays declared
 * for the sake of its sentence. */
bool findIncluded(PluginState &state, const Diagnostic &info, CellGone &found)
{
    for (auto &entry : state.drifts) {
        CellDrift &drift = entry.second;
        const schema_method *method = cell_schema_method_of(drift.baseline, found.name.c_str());
        for (uint32_t i = 0; state.included.count(entry.first) && i < drift.diff->n; i++) {
            const diff_change &c = drift.diff->changes[i];
            if (!takesAway(c, method, found.name))
                continue;
            found.drift = &drift;
            found.change = &c;
            found.loc = info.getLocation();
            found.now = newName(drift, c, found.name);
            return true;
        }
    }
    return false;
}

bool findMember(PluginState &state, const Diagnostic &info, CellGone &found)
{
    const RecordDecl *record = info.getNumArgs() >= 2 ? recordOf(info) : nullptr;
    found.name = nameOf(info);
    if (found.name.empty())
        return false;
    if (!record)
        return findIncluded(state, info, found); /* of a namespace */
    const diff_change *change = cellDriftField(state, record, found.name, found.drift);
    if (!change)
        return false;
    foundField(change, found);
    found.loc = info.getLocation();
    /* offsetof is reported where it begins; the member's name ends its range. */
    if (info.getArgKind(1) == DiagnosticsEngine::ak_nameddecl && info.getNumRanges())
        found.loc = info.getRange(0).getEnd();
    return true;
}

bool findUndeclared(PluginState &state, const Diagnostic &info, CellGone &found)
{
    const RecordDecl *record = nullptr;
    found.name = nameOf(info);
    if (found.name.empty())
        return false;
    if (const diff_change *change = cellDriftImplicitField(state, record, found.name, found.drift)) {
        foundField(change, found);
        found.loc = info.getLocation();
        return true;
    }
    return findIncluded(state, info, found);
}

/* A type that is gone has no size and no members: what needs those says that it is incomplete. */
bool findIncomplete(PluginState &state, const Diagnostic &info, CellGone &found)
{
    for (unsigned i = 0; i < info.getNumArgs(); i++) {
        QualType type = typeOf(info, i);
        const auto *record = type.isNull() ? nullptr : type->getAs<RecordType>();
        const RecordDecl *d = record ? record->getDecl() : nullptr;
        if (!d || d->getDefinition() || !d->getIdentifier())
            continue;
        for (auto &entry : state.drifts)
            for (uint32_t k = 0; k < entry.second.diff->n; k++) {
                const diff_change &c = entry.second.diff->changes[k];
                if (c.rule != DIFF_TYPE_REMOVED || d->getName() != c.owner || !cellIsInjected(state, d))
                    continue;
                found.drift = &entry.second;
                found.change = &c;
                found.name = c.owner;
                found.loc = info.getLocation();
                return true;
            }
    }
    return false;
}

bool changesParameters(const diff_change &c)
{
    return c.rule == DIFF_PARAM_ADDED || c.rule == DIFF_PARAM_REMOVED || c.rule == DIFF_PARAM_CHANGED ||
           c.rule == DIFF_FUNCTION_RETYPED;
}

/* What explains best that a call does not fit: parameters that came or went, then others of another type or place. */
const diff_change *changeOfCall(const CellDrift &drift, StringRef called)
{
    const diff_change *best = nullptr;
    for (uint32_t i = 0; i < drift.diff->n; i++) {
        const diff_change &c = drift.diff->changes[i];
        if (changesParameters(c) && called == c.owner && (!best || best->rule == DIFF_PARAM_CHANGED))
            best = best && c.rule == DIFF_PARAM_CHANGED ? best : &c;
    }
    return best;
}

std::string spelling(PluginState &state, SourceLocation loc)
{
    SmallString<64> buffer;
    return Lexer::getSpelling(loc, buffer, state.sources(), state.pp.getLangOpts(), nullptr).str();
}

/* Where the name stands in what is called: at its end, but for parentheses. */
SourceLocation placeIn(PluginState &state, SourceRange callee, const std::string &name)
{
    SourceLocation at = callee.getEnd();
    if (spelling(state, at) == name || at.isMacroID() || callee.getBegin().isMacroID())
        return at;
    SourceLocation loc = callee.getBegin();
    while (loc.isValid() && loc != at && spelling(state, loc) != name) {
        auto next = Lexer::findNextToken(loc, state.sources(), state.pp.getLangOpts());
        loc = next ? next->getLocation() : at;
    }
    return loc;
}

} // namespace

bool cellFindGone(PluginState &state, const Diagnostic &error, CellGone &found)
{
    if (state.drifts.empty())
        return false;
    switch (error.getID()) {
    case diag::err_no_member:
    case diag::err_no_member_suggest:
    case diag::err_field_designator_unknown:
    case diag::err_field_designator_unknown_suggest:
        return findMember(state, error, found);
    case diag::err_undeclared_var_use:
    case diag::err_undeclared_var_use_suggest:
    case diag::err_undeclared_use:
    case diag::err_undeclared_use_suggest:
    case diag::ext_implicit_function_decl_c99:
        return findUndeclared(state, error, found);
    case diag::err_unavailable_message:
        return findUnavailable(state, error, found);
    default:
        return findIncomplete(state, error, found);
    }
}

bool cellMayBeCall(PluginState &state, const Diagnostic &error)
{
    switch (error.getID()) {
    case diag::err_typecheck_call_too_few_args:
    case diag::err_typecheck_call_too_few_args_one:
    case diag::err_typecheck_call_too_few_args_suggest:
    case diag::err_typecheck_call_too_many_args:
    case diag::err_typecheck_call_too_many_args_one:
    case diag::err_typecheck_call_too_many_args_suggest:
    case diag::err_ovl_no_viable_function_in_call:
        break;
    default:
        return false;
    }
    for (const auto &entry : state.drifts)
        for (uint32_t i = 0; error.getNumRanges() && i < entry.second.diff->n; i++)
            if (changesParameters(entry.second.diff->changes[i]))
                return true;
    return false;
}

bool cellFindCall(PluginState &state, const StoredDiagnostic &error, const Diagnostic &note, CellGone &found)
{
    SourceLocation loc = note.getLocation();
    auto drift = state.drifts.find(loc.isValid() ? cellOwnerOf(state, loc).str() : "");
    if (drift == state.drifts.end())
        return false;
    found.name = spelling(state, loc);
    const schema_method *method = cell_schema_method_of(drift->second.now, found.name.c_str());
    found.drift = &drift->second;
    found.change = changeOfCall(drift->second, method ? method->name : found.name);
    found.loc = placeIn(state, error.getRanges().front().getAsRange(), found.name);
    return found.change != nullptr;
}
