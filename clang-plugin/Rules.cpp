/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules as a program writes them: with the macros of cell/sql.h where there is one. */
#include "Places.h"

extern "C" {
#include "base/util.h"
}

namespace
{

enum class Form { None, Texts, Words }; /* no arguments; as string literals; as they are */

struct Macro {
    const char *rule, *name;
    Form form;
    unsigned least, most; /* arguments */
};

const Macro onFields[] = {
    {"key", "CELL_KEY", Form::None, 0, 0},
    {"auto", "CELL_AUTO", Form::None, 0, 0},
    {"unique", "CELL_UNIQUE", Form::None, 0, 0},
    {"index", "CELL_INDEXED", Form::None, 0, 0},
    {"index", "CELL_INDEXED_BY", Form::Texts, 1, 1},
    {"references", "CELL_REFERENCES", Form::Words, 2, 3},
    {"default", "CELL_DEFAULT", Form::Texts, 1, 1},
    {"range", "CELL_RANGE", Form::Words, 2, 2},
    {"length", "CELL_LENGTH", Form::Words, 2, 2},
    {"pattern", "CELL_PATTERN", Form::Texts, 1, 1},
    {"rule", "CELL_RULE", Form::Words, 1, 1},
    {"check", "CELL_CHECK", Form::Texts, 1, 1},
    {"column", "CELL_COLUMN", Form::Texts, 1, 1},
    {"sql_type", "CELL_SQL_TYPE", Form::Texts, 1, 2},
    {"generated", "CELL_GENERATED", Form::Texts, 1, 1},
    {"backfill", "CELL_BACKFILL", Form::Texts, 1, 1},
    {"renamed_from", "CELL_RENAMED_FROM", Form::Words, 1, 1},
    {"since", "CELL_SINCE", Form::Texts, 1, 1},
};

const Macro onDeclarations[] = {
    {"index", "CELL_INDEX", Form::Texts, 1, 3},
    {"unique_index", "CELL_UNIQUE_INDEX", Form::Texts, 1, 3},
    {"primary_key", "CELL_PRIMARY_KEY", Form::Texts, 1, 1},
    {"foreign_key", "CELL_FOREIGN_KEY", Form::Texts, 2, 2},
    {"check", "CELL_TABLE_CHECK", Form::Texts, 1, 1},
    {"schema", "CELL_SCHEMA", Form::Texts, 1, 1},
    {"table_renamed_from", "CELL_TABLE_RENAMED_FROM", Form::Texts, 1, 1},
    {"dropped", "CELL_DROPPED", Form::Texts, 1, 2},
    {"retyped", "CELL_RETYPED", Form::Texts, 1, 2},
    {"step", "CELL_STEP", Form::Texts, 2, 2},
};

/* A text as a string literal of C and C++ alike. */
std::string quoted(llvm::StringRef text)
{
    std::string out = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\' || c == '?') /* no trigraphs */
            out += std::string("\\") + c;
        else if (c == '\n')
            out += "\\n";
        else if (byte < 0x20 || byte == 0x7f)
            out += {'\\', static_cast<char>('0' + byte / 64), static_cast<char>('0' + byte / 8 % 8),
                    static_cast<char>('0' + byte % 8)};
        else
            out += c;
    }
    return out + "\"";
}

/* What stands in a macro's parentheses as it is: names and numbers, and of the third the words of an action. */
bool isWords(llvm::StringRef text)
{
    return !text.empty() &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_. -") ==
               llvm::StringRef::npos;
}

bool fits(const Macro &m, const schema_rule &rule)
{
    if (llvm::StringRef(rule.name) != m.rule || rule.nargs < m.least || rule.nargs > m.most)
        return false;
    for (uint32_t i = 0; i < rule.nargs; i++)
        if (m.form == Form::Words && !isWords(rule.args[i]))
            return false;
    return true;
}

std::string call(llvm::StringRef macro, Form form, const schema_rule &rule, std::string text)
{
    for (uint32_t i = 0; i < rule.nargs; i++)
        text += (text.empty() ? "" : ", ") + (form == Form::Words ? std::string(rule.args[i]) : quoted(rule.args[i]));
    return (macro + (form == Form::None ? "" : "(" + text + ")")).str();
}

} // namespace

std::string cellRuleText(const schema_rule &rule, bool onField)
{
    const Macro *begin = onField ? std::begin(onFields) : std::begin(onDeclarations);
    const Macro *end = onField ? std::end(onFields) : std::end(onDeclarations);
    for (const Macro *m = begin; m != end; m++)
        if (fits(*m, rule))
            return call(m->name, m->form, rule, "");
    if (llvm::StringRef(rule.name) == "renamed_from") /* it takes an identifier, however it is written */
        return "";
    return call(onField ? "CELL_FIELD" : "CELL_DECLARATION", Form::Texts, rule, quoted(rule.name));
}
