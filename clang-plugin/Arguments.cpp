/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Arguments.h"
#include "DeclReader.h"
#include "Diagnostics.h"
#include "Import.h"

#include "clang/Lex/Preprocessor.h"

extern "C" {
#include "base/util.h"
#include "wire/message.h"
}

using namespace clang;

namespace
{

/* The macro call that `loc` comes from and that stands in a file, CELL_ARG(…) for the name in it; a token else. */
CharSourceRange writtenRange(const SourceManager &sm, SourceLocation loc)
{
    CharSourceRange range = CharSourceRange::getTokenRange(loc, loc);
    while (range.getBegin().isMacroID()) {
        SourceLocation begin = range.getBegin();
        if (sm.isMacroArgExpansion(begin))
            range = CharSourceRange::getTokenRange(sm.getImmediateSpellingLoc(begin));
        else
            range = sm.getImmediateExpansionRange(begin);
    }
    return range;
}

class Arguments
{
  public:
    Arguments(PluginState &plugin, const AnnotateAttr *annotation, const schema_verb *asked)
        : state(plugin), a(annotation), verb(asked)
    {
    }

    bool bind(std::vector<uint32_t> &values);
    bool checkValue(const schema_verb_arg &expected, uint32_t at);
    void read();
    /* What the cell gets to see. */
    std::vector<std::optional<std::string>> complete(const std::vector<uint32_t> &values) const;

  private:
    void report(const verb_mistake &wrong);
    void reportUnknown(const verb_mistake &wrong);
    SourceLocation loc(uint32_t at) const
    {
        return at < a->args_size() ? a->args_begin()[at]->getBeginLoc() : a->getLocation();
    }

    PluginState &state;
    const AnnotateAttr *a;
    const schema_verb *verb;
    std::vector<std::string> texts;
    std::vector<const char *> known; /* the same, NULL for what is no argument of an annotation */
};

void Arguments::read()
{
    texts.resize(a->args_size());
    for (size_t i = 0; i < texts.size(); i++) {
        const Expr *e = a->args_begin()[i];
        known.push_back(cellAnnotationArgument(state.sema().getASTContext(), e, texts[i]) ? texts[i].c_str() : nullptr);
    }
}

void Arguments::reportUnknown(const verb_mistake &wrong)
{
    CharSourceRange word =
        cellRangeOfWordIn(state, writtenRange(state.sources(), loc(wrong.at)), CELL_VERB_ARG, wrong.name);
    {
        auto report =
            cellReport(state.diags(), word.getBegin(),
                       wrong.nearest ? CellDiag::VerbArgumentUnknownDidYouMean : CellDiag::VerbArgumentUnknown);
        report << verb->name << cellPrintable(wrong.name);
        if (wrong.nearest) {
            report << wrong.nearest;
            if (word.isCharRange())
                report << FixItHint::CreateReplacement(word, wrong.nearest);
        }
    }
    std::string names;
    for (uint32_t i = 0; i < verb->nargs; i++)
        names += std::string(i ? ", '" : "'") + verb->args[i].name + "'";
    if (!names.empty())
        cellReport(state.diags(), word.getBegin(), CellDiag::VerbArgumentsNote) << verb->name << names;
}

void Arguments::report(const verb_mistake &wrong)
{
    DiagnosticsEngine &diags = state.diags();
    SourceLocation at = loc(wrong.at);
    switch (wrong.kind) {
    case verb_mistake::VERB_ARG_UNKNOWN:
        reportUnknown(wrong);
        break;
    case verb_mistake::VERB_ARG_TWICE:
        cellReport(diags, at, CellDiag::VerbArgumentTwice) << wrong.name << verb->name;
        cellReport(diags, loc(wrong.first), CellDiag::VerbArgumentFirstNote);
        break;
    case verb_mistake::VERB_ARG_NO_VALUE:
        cellReport(diags, at, CellDiag::VerbArgumentNoValue) << wrong.name << verb->name;
        break;
    case verb_mistake::VERB_ARG_BEHIND_NAMES:
        cellReport(diags, at, CellDiag::VerbArgumentBehindNames) << verb->name;
        break;
    case verb_mistake::VERB_ARG_TOO_MANY:
        cellReport(diags, at, CellDiag::VerbArgumentExtra)
            << verb->name << verb->nargs << wrong.given << a->args_begin()[wrong.at]->getSourceRange();
        break;
    case verb_mistake::VERB_ARG_MISSING:
        cellReport(diags, a->getLocation(), CellDiag::VerbArgumentMissing) << verb->name << wrong.name;
        break;
    }
}

bool Arguments::bind(std::vector<uint32_t> &values)
{
    verb_mistake wrong = {};
    values.resize(verb->nargs);
    if (cell_verb_bind(verb, known.data(), static_cast<uint32_t>(known.size()), values.data(), &wrong) >= 0)
        return true;
    report(wrong);
    return false;
}

bool Arguments::checkValue(const schema_verb_arg &expected, uint32_t at)
{
    const Expr *e = a->args_begin()[at];
    if (!known[at]) {
        cellReport(state.diags(), loc(at), CellDiag::VerbArgumentKind)
            << expected.name << verb->name << e->getSourceRange();
        return false;
    }
    StringRef type = expected.type;
    bool isText = isa<StringLiteral>(e->IgnoreParenImpCasts());
    /* As the message selects it. */
    int kind = type == "integer" ? 0 : type == "string" || type == "condition" ? 1 : type == "name" ? 2 : 3;
    bool fits = kind == 0   ? !isText && e->isIntegerConstantExpr(state.sema().getASTContext())
                : kind == 2 ? cell_is_identifier(known[at])
                            : isText;
    if (!fits)
        cellReport(state.diags(), loc(at), CellDiag::VerbArgumentType)
            << expected.name << verb->name << kind << e->getSourceRange();
    const std::string &text = texts[at];
    if (fits && isText && (text.find('\0') != std::string::npos || !cell_utf8_valid(text.data(), text.size()))) {
        cellReport(state.diags(), loc(at), CellDiag::VerbArgumentText)
            << expected.name << verb->name << e->getSourceRange();
        return false;
    }
    return fits;
}

std::vector<std::optional<std::string>> Arguments::complete(const std::vector<uint32_t> &values) const
{
    std::vector<std::optional<std::string>> out;
    std::vector<const char *> list(verb->nargs);
    uint32_t n = cell_verb_complete(verb, known.data(), values.data(), list.data());
    for (uint32_t i = 0; i < n; i++) {
        out.emplace_back();
        if (values[i] != CELL_VERB_ARG_ABSENT)
            out.back() = texts[values[i]];
        else if (list[i])
            out.back() = list[i];
    }
    return out;
}

} // namespace

bool cellVerbArguments(PluginState &state, CellPlaces &places, std::vector<std::optional<std::string>> &texts)
{
    const schema_verb *verb = places.verb;
    Arguments arguments(state, places.a, verb);
    std::vector<uint32_t> values;
    arguments.read();
    if (!arguments.bind(values))
        return false;
    for (uint32_t i = 0; i < verb->nargs; i++)
        if (values[i] != CELL_VERB_ARG_ABSENT && !arguments.checkValue(verb->args[i], values[i]))
            return false;
    texts = arguments.complete(values);
    places.given.clear();
    for (uint32_t at : values)
        places.given.push_back(at == CELL_VERB_ARG_ABSENT ? nullptr : places.a->args_begin()[at]);
    places.files.assign(verb->nargs, CellFile());
    for (uint32_t i = 0; i < texts.size(); i++)
        if (StringRef(verb->args[i].type) == "file" && places.given[i] &&
            !cellReadFile(state, places.given[i]->getBeginLoc(), verb->args[i].name, places.files[i], *texts[i]))
            return false;
    return true;
}
