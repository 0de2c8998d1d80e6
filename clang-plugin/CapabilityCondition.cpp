/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The preprocessor knows no enumerators. While it evaluates the condition of an #if, the names that CELL_HAS and
 * CELL_CAPABILITY_VALUE make are macros, defined just before they are looked for; everywhere else they stay names for
 * the parser, which then sees each use.
 */
#include "CapabilityCondition.h"
#include "Capability.h"
#include "Diagnostics.h"
#include "Inject.h"

#include "clang/Lex/MacroArgs.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/PPCallbacks.h"

using namespace clang;

namespace
{

class Conditions : public PPCallbacks
{
  public:
    explicit Conditions(Preprocessor &preprocessor)
        : pp(preprocessor), has(pp.getIdentifierInfo("CELL_HAS")), value(pp.getIdentifierInfo("CELL_CAPABILITY_VALUE"))
    {
    }

    void MacroExpands(const Token &name, const MacroDefinition &, SourceRange range, const MacroArgs *args) override
    {
        const IdentifierInfo *id = name.getIdentifierInfo();
        if ((id != has && id != value) || !args || !pp.isParsingIfOrElifDirective())
            return;
        CellConstant c;
        c.kind = id == has ? CellConstant::Has : CellConstant::Value;
        c.cell = argument(*args, 0);
        c.capability = argument(*args, 1);
        c.parameter = id == value ? argument(*args, 2) : "";
        if (!c.cell.empty() && !c.capability.empty() && c.parameter.empty() == (id == has))
            define(c, range.getBegin());
    }

    void If(SourceLocation loc, SourceRange, ConditionValueKind) override { undefine(loc); }
    void Elif(SourceLocation loc, SourceRange, ConditionValueKind, SourceLocation) override { undefine(loc); }

  private:
    /* The one identifier that argument `i` is; the macros paste it, so that it is not expanded. */
    std::string argument(const MacroArgs &args, unsigned i) const
    {
        if (i >= args.getNumMacroArguments())
            return "";
        const Token *token = args.getUnexpArgument(i);
        bool one = token->getIdentifierInfo() && token[1].is(tok::eof);
        return one ? token->getIdentifierInfo()->getName().str() : "";
    }

    void define(const CellConstant &c, SourceLocation loc)
    {
        std::string text, name = c.cell + "__" + c.capability;
        name = c.kind == CellConstant::Has ? "cellgen_has_" + name : "cellgen_value_" + name + "__" + c.parameter;
        IdentifierInfo *id = pp.getIdentifierInfo(name);
        if (id->hasMacroDefinition())
            return;
        valueOf(c, loc, text);
        std::vector<Token> body;
        /* `(int)` in front of it is a zero to the preprocessor. Without a value CELL_HAS is no expression there, so
         * that nothing passes for 0 that nobody has looked up. */
        if (c.kind == CellConstant::Has) {
            body.push_back(mark(tok::star, "*", loc));
            body.push_back(mark(tok::numeric_constant, "0", loc));
            body.push_back(mark(tok::plus, "+", loc));
        }
        if (StringRef(text).front() == '-') {
            body.push_back(mark(tok::minus, "-", loc));
            text.erase(0, 1);
        }
        body.push_back(mark(tok::numeric_constant, text, loc));
        MacroInfo *macro = pp.AllocateMacroInfo(loc);
        macro->setDefinitionEndLoc(loc);
        macro->setTokens(body, pp.getPreprocessorAllocator());
        pp.appendDefMacroDirective(id, macro);
        defined.push_back(id);
    }

    Token mark(tok::TokenKind kind, StringRef text, SourceLocation loc)
    {
        Token token = cellMarkToken(kind, loc);
        pp.CreateString(text, token, loc, loc);
        token.setFlag(Token::LeadingSpace);
        return token;
    }

    /* A number in every case: what is wrong was reported. */
    void valueOf(const CellConstant &c, SourceLocation loc, std::string &text)
    {
        PluginState &state = cellState(pp);
        text = "0";
        if (!cellIsImportedAnywhere(state, c.cell)) {
            cellReportNoConstant(state, c, loc);
            return;
        }
        const cell_schema *schema = cellSchemaOf(state, c.cell);
        if (!schema)
            return; /* reported at the import; or nothing is known yet, and nobody is asked (-E, -M) */
        const schema_capability *found = cell_schema_capability(schema, c.capability.c_str());
        const char *parameter = nullptr;
        for (uint32_t i = 0; found && i < found->nparams; i++)
            if (c.parameter == found->params[i].name && cell_is_integer_text(found->params[i].value))
                parameter = found->params[i].value;
        if (!found || (c.kind == CellConstant::Value && !parameter)) {
            cellReportNoConstant(state, c, loc);
            return;
        }
        text = c.kind == CellConstant::Has ? found->absent ? "0" : "1" : parameter;
        if (c.kind == CellConstant::Value && StringRef(text).size() > 18 && text[0] != '-')
            text += "u"; /* beyond intmax_t */
        if (state.parser())
            state.conditions.push_back({c.cell, c.capability, c.parameter, !found->absent, false, loc, nullptr});
    }

    void undefine(SourceLocation loc)
    {
        for (IdentifierInfo *id : defined)
            pp.appendMacroDirective(id, new (pp.getPreprocessorAllocator()) UndefMacroDirective(loc));
        defined.clear();
    }

    Preprocessor &pp;
    IdentifierInfo *has, *value;
    std::vector<IdentifierInfo *> defined; /* for the condition that is being evaluated */
};

} // namespace

void cellWatchConditions(Preprocessor &pp) { pp.addPPCallbacks(std::make_unique<Conditions>(pp)); }
