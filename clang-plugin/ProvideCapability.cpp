/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "ProvideCapability.h"
#include "ClangCompat.h"

#include "clang/AST/Attr.h"

extern "C" {
#include "base/util.h"
}

using namespace clang;

template <typename... Args> bool CapabilityReader::refuse(SourceLocation loc, CellDiag id, const Args &...args)
{
    DiagnosticBuilder report = cellReport(sema, loc, id);
    (void)(report << ... << args);
    return false;
}

/* Behind the documentation: CELL_ARG(name, value), two arguments each. */
bool CapabilityReader::readParams(const AnnotateAttr *a, ArrayRef<std::string> args, schema_capability &c)
{
    const auto at = [&](size_t i) { return a->args_begin()[i]->getBeginLoc(); };
    c.params =
        static_cast<schema_capability_param *>(cell_arena_array(&schema->arena, args.size() / 2, sizeof(*c.params)));
    if (!c.params)
        llvm::report_bad_alloc_error("cell: out of memory");
    for (size_t i = 1; i < args.size(); i += 2) {
        StringRef name = args[i];
        if (!name.consume_front(CELL_VERB_ARG) || i + 1 == args.size() ||
            cellcompat::startsWith(args[i + 1], CELL_VERB_ARG))
            return refuse(at(i), CellDiag::CapabilityParameter);
        if (!cell_is_capability_name(name.str().c_str()))
            return refuse(at(i), CellDiag::CapabilityName, name, 1);
        for (uint32_t k = 0; k < c.nparams; k++)
            if (name == c.params[k].name)
                return refuse(at(i), CellDiag::CapabilityParameterTwice, name, c.name);
        c.params[c.nparams++] = {reader.copy(name), reader.copy(args[i + 1])};
    }
    return true;
}

bool CapabilityReader::read(const Decl *d, const AnnotateAttr *a, StringRef name)
{
    if (!seen.insert(d).second)
        return true;
    if (!cell_is_capability_name(name.str().c_str()))
        return refuse(a->getLocation(), CellDiag::CapabilityName, name, 0);
    for (const Declared &other : declared)
        if (name == other.capability.name) {
            refuse(a->getLocation(), CellDiag::CapabilityTwice, name);
            return refuse(other.loc, CellDiag::CapabilityHere, name);
        }
    std::vector<std::string> args;
    const Expr *bad = nullptr;
    if (!cellAnnotationArguments(sema.getASTContext(), a, args, &bad))
        return refuse(bad->getBeginLoc(), CellDiag::CapabilityParameter);
    if (args.empty() || cellcompat::startsWith(args[0], CELL_VERB_ARG))
        return refuse(a->getLocation(), CellDiag::CapabilityDoc);
    schema_capability c = {};
    c.name = reader.copy(name);
    c.doc = reader.documentation(args[0]);
    if (!readParams(a, args, c))
        return false;
    declared.push_back({c, a->getLocation()});
    return true;
}

schema_method *CapabilityReader::methodOf(StringRef name)
{
    for (uint32_t i = 0; i < schema->nmethods; i++)
        if (name == schema->methods[i].name)
            return &schema->methods[i];
    return nullptr;
}

/* The one argument of an annotation, an identifier. */
static std::string argument(const ASTContext &ctx, const AnnotateAttr *a)
{
    std::vector<std::string> args;
    const Expr *bad = nullptr;
    bool one = cellAnnotationArguments(ctx, a, args, &bad) && args.size() == 1;
    return one && cell_is_identifier(args[0].c_str()) ? args[0] : "";
}

bool CapabilityReader::readNeed(const FunctionDecl *f, const AnnotateAttr *a, std::vector<const char *> &needs)
{
    std::string name = argument(sema.getASTContext(), a);
    std::vector<const char *> known;
    if (name.empty())
        return refuse(a->getLocation(), CellDiag::NeedsArgument, 0);
    for (const Declared &one : declared) {
        known.push_back(one.capability.name);
        if (name != one.capability.name)
            continue;
        for (const char *other : needs)
            if (name == other)
                return true;
        needs.push_back(one.capability.name);
        return true;
    }
    if (const char *nearest = cell_suggest(name.c_str(), known.data(), known.size()))
        return refuse(a->getLocation(), CellDiag::NeedsDidYouMean, f, name, nearest);
    return refuse(a->getLocation(), CellDiag::NeedsUnknown, f, name);
}

bool CapabilityReader::readFallback(const FunctionDecl *f, const AnnotateAttr *a, schema_method &m)
{
    std::string name = argument(sema.getASTContext(), a);
    std::vector<const char *> known;
    if (name.empty())
        return refuse(a->getLocation(), CellDiag::NeedsArgument, 1);
    if (m.fallback && name != m.fallback)
        return refuse(a->getLocation(), CellDiag::FallbackTwice, f, m.fallback);
    if (!methodOf(name) || name == m.name) {
        for (uint32_t i = 0; i < schema->nmethods; i++)
            if (&schema->methods[i] != &m)
                known.push_back(schema->methods[i].name);
        if (const char *nearest = cell_suggest(name.c_str(), known.data(), known.size()))
            return refuse(a->getLocation(), CellDiag::FallbackDidYouMean, f, name, nearest);
        return refuse(a->getLocation(), CellDiag::FallbackUnknown, f, name);
    }
    m.fallback = reader.copy(name);
    fallbacks[m.name] = a->getLocation();
    return true;
}

bool CapabilityReader::readNeeds(const FunctionDecl *f, schema_method &m)
{
    std::vector<const char *> needs;
    bool good = true;
    for (const FunctionDecl *d : f->redecls())
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if (a->isInherited())
                continue;
            else if (a->getAnnotation() == "cell.method:needs")
                good = readNeed(f, a, needs) && good;
            else if (a->getAnnotation() == "cell.method:fallback")
                good = readFallback(f, a, m) && good;
    auto **kept = static_cast<const char **>(cell_arena_array(&schema->arena, needs.size(), sizeof(const char *)));
    if (!kept)
        llvm::report_bad_alloc_error("cell: out of memory");
    std::copy(needs.begin(), needs.end(), kept);
    m.needs = kept;
    m.nneeds = static_cast<uint32_t>(needs.size());
    return good;
}

/* What the schema's check would refuse, at the author's line. */
bool CapabilityReader::checkFallback(const FunctionDecl *f, SourceLocation loc, const schema_method &m)
{
    const schema_method *other = methodOf(m.fallback);
    if (m.nneeds == 0)
        return refuse(loc, CellDiag::FallbackNeedless, f);
    if (other->nneeds)
        return refuse(loc, CellDiag::FallbackNeeds, f, other->name, other->needs[0]);
    if (!cell_schema_same_params(&m, other))
        return refuse(loc, CellDiag::FallbackDiffers, f, other->name);
    return true;
}

bool CapabilityReader::finish(const llvm::StringMap<const FunctionDecl *> &methods)
{
    bool good = true;
    schema->capabilities = static_cast<schema_capability *>(
        cell_arena_array(&schema->arena, declared.size(), sizeof(*schema->capabilities)));
    if (!schema->capabilities)
        llvm::report_bad_alloc_error("cell: out of memory");
    for (const Declared &one : declared)
        schema->capabilities[schema->ncapabilities++] = one.capability;
    /* In the order of the schema, so that errors come in the same order each time. */
    for (uint32_t i = 0; i < schema->nmethods; i++)
        if (const FunctionDecl *f = methods.lookup(schema->methods[i].name))
            good = readNeeds(f, schema->methods[i]) && good;
    if (!good)
        return false;
    for (uint32_t i = 0; i < schema->nmethods; i++) {
        auto found = fallbacks.find(schema->methods[i].name);
        if (found != fallbacks.end())
            good = checkFallback(methods.lookup(schema->methods[i].name), found->second, schema->methods[i]) && good;
    }
    return good;
}
