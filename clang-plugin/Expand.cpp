/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Expand.h"
#include "Absent.h"
#include "Arguments.h"
#include "ClangCompat.h"
#include "Collisions.h"
#include "Condition.h"
#include "DeclReader.h"
#include "Diagnostics.h"
#include "Import.h"
#include "Plans.h"
#include "Render.h"
#include "Request.h"

#include "clang/AST/DeclCXX.h"
#include "clang/Lex/Preprocessor.h"

extern "C" {
#include "base/util.h"
}

using namespace clang;

namespace
{

struct Answer : session_answer {
    Answer() : session_answer() {}
    ~Answer() { cell_expansion_free(x); }
    Answer(const Answer &) = delete;
    Answer &operator=(const Answer &) = delete;
};

enum class Target { Struct, Enum, Function, Variable, Other }; /* as the messages select them */

Target targetOf(const NamedDecl *d)
{
    if (const auto *r = dyn_cast<RecordDecl>(d))
        return r->isUnion() ? Target::Other : Target::Struct;
    if (isa<EnumDecl>(d))
        return Target::Enum;
    if (isa<FunctionDecl>(d) && !isa<CXXMethodDecl>(d))
        return Target::Function;
    return isa<VarDecl>(d) ? Target::Variable : Target::Other;
}

unsigned countVerbs(const Decl *d)
{
    unsigned n = 0;
    StringRef verb;
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        n += !a->isInherited() && cellAnnotationSuffix(a, "cell:", verb);
    return n;
}

/* The arguments as far as they are texts, for when they were not understood. */
std::vector<std::optional<std::string>> writtenTexts(const AnnotateAttr *a)
{
    std::vector<std::optional<std::string>> texts;
    for (const Expr *arg : a->args()) {
        const StringLiteral *literal = cellLiteralOf(arg);
        texts.push_back(literal && literal->getCharByteWidth() == 1 ? std::optional(literal->getString().str())
                                                                    : std::nullopt);
    }
    return texts;
}

std::string firstText(const AnnotateAttr *a)
{
    auto texts = writtenTexts(a);
    return texts.empty() ? "" : texts[0].value_or("");
}

const char *const kindNames[] = {"struct", "enum", "function", "variable", ""};

class Expander
{
  public:
    Expander(PluginState &plugin, NamedDecl *declared, const AnnotateAttr *annotation, session_cell *asked)
        : state(plugin), d(declared), a(annotation), cell(asked)
    {
    }

    void expand(StringRef verbName, InjectAt at)
    {
        begin(verbName);
        if (!answered(verbName, at))
            fail();
    }
    /* Without asking. */
    void expandNothing(StringRef verbName)
    {
        begin(verbName);
        fail();
    }

  private:
    void begin(StringRef verbName);
    bool answered(StringRef verbName, InjectAt at);
    void fail();
    const schema_verb *findVerb(const cell_schema *schema, StringRef name);
    bool checkTarget(const schema_verb *verb);
    bool read(const schema_verb *verb, DeclReader &reader);
    bool readRules(const schema_verb *verb);
    void reportRule(const schema_verb *verb, const AnnotateAttr *rule, StringRef name);
    bool showDiagnostics(const cell_expansion *x);
    void tellStale();
    std::string unitName();
    std::string textKey(const char *content, const cell_schema *declared, const std::string &unit);
    bool render(const cell_schema *content, const std::string &unit, const std::string &path);
    bool inject(session_answer &answer, const cell_schema *declared, InjectAt at);
    SourceLocation loc() const { return a->getLocation(); }

    PluginState &state;
    NamedDecl *d;
    const AnnotateAttr *a;
    session_cell *cell;
    ExpandRequest request;
    CellPlaces places;
    schema_ref variableUse = {};
};

const schema_verb *Expander::findVerb(const cell_schema *schema, StringRef name)
{
    if (const schema_verb *verb = cell_schema_verb(schema, name.str().c_str()))
        return verb;
    std::vector<const char *> names;
    for (uint32_t i = 0; i < schema->nverbs; i++)
        names.push_back(schema->verbs[i].name);
    const char *nearest = cell_suggest(name.str().c_str(), names.data(), names.size());
    if (names.empty()) {
        cellReport(state.diags(), loc(), CellDiag::VerbNone) << cell->name << name;
        return nullptr;
    }
    CharSourceRange word = cellRangeOfWord(state, loc(), name);
    auto report =
        cellReport(state.diags(), word.getBegin(), nearest ? CellDiag::VerbUnknownDidYouMean : CellDiag::VerbUnknown);
    report << cell->name << name;
    if (nearest) {
        report << nearest;
        if (word.isCharRange())
            report << FixItHint::CreateReplacement(word, nearest);
    }
    return nullptr;
}

bool Expander::checkTarget(const schema_verb *verb)
{
    Target target = targetOf(d);
    bool fits = (target == Target::Struct && verb->on_struct) || (target == Target::Enum && verb->on_enum) ||
                (target == Target::Function && verb->on_function) || (target == Target::Variable && verb->on_variable);
    if (!fits) {
        std::string all;
        const std::pair<bool, const char *> allowed[] = {{verb->on_struct, "structs"},
                                                         {verb->on_enum, "enumerations"},
                                                         {verb->on_function, "functions"},
                                                         {verb->on_variable, "variables"}};
        for (const auto &place : allowed)
            if (place.first)
                all += (all.empty() ? "" : ", ") + std::string(place.second);
        cellReport(state.diags(), loc(), CellDiag::VerbTarget)
            << verb->name << cell->name << all << static_cast<int>(target);
        return false;
    }
    const auto *tag = dyn_cast<TagDecl>(d);
    if (!tag || tag->isCompleteDefinition())
        return true;
    cellReport(state.diags(), loc(), CellDiag::VerbDefinition) << verb->name << d;
    return false;
}

/* The declaration becomes part of the request. */
bool Expander::read(const schema_verb *verb, DeclReader &reader)
{
    reader.allowRules(verb->field_rules, verb->nfield_rules, d);
    if (auto *tag = dyn_cast<TagDecl>(d)) {
        request.type = reader.readType(tag);
    } else if (auto *function = dyn_cast<FunctionDecl>(d)) {
        request.method = reader.readMethod(function);
    } else {
        if (!reader.readUse(cast<ValueDecl>(d), variableUse))
            return false;
        request.variable = &variableUse;
    }
    for (const schema_type *t : reader.types())
        if (t != request.type)
            request.uses.push_back(t);
    return request.type || request.method || request.variable;
}

/* The rules on the declaration itself. Those of another verb are that verb's business. */
bool Expander::readRules(const schema_verb *verb)
{
    bool good = true, severalVerbs = countVerbs(d) > 1;
    StringRef name;
    for (const auto *rule : d->specific_attrs<AnnotateAttr>()) {
        if (rule->isInherited() || !cellAnnotationSuffix(rule, "cell.declaration:", name))
            continue;
        ExpandRequest::Rule read = {name.str(), {}};
        const Expr *bad = nullptr;
        bool known = severalVerbs || std::any_of(verb->rules, verb->rules + verb->nrules,
                                                 [&](const char *candidate) { return name == candidate; });
        if (!known)
            reportRule(verb, rule, name);
        else if (!cellAnnotationArguments(state.sema().getASTContext(), rule, read.args, &bad))
            cellReport(state.diags(), bad->getBeginLoc(), CellDiag::RuleArgumentKind) << name;
        else if (std::any_of(read.args.begin(), read.args.end(),
                             [](const std::string &arg) { return cellcompat::startsWith(arg, CELL_VERB_ARG); }))
            cellReport(state.diags(), rule->getLocation(), CellDiag::RuleArgumentNamed) << name;
        else {
            request.rules.push_back(read);
            continue;
        }
        good = false;
    }
    return good;
}

void Expander::reportRule(const schema_verb *verb, const AnnotateAttr *rule, StringRef name)
{
    bool ofFields = std::any_of(verb->field_rules, verb->field_rules + verb->nfield_rules,
                                [&](const char *known) { return name == known; });
    const char *nearest = ofFields ? nullptr : cell_suggest(name.str().c_str(), verb->rules, verb->nrules);
    if (nearest)
        cellReport(state.diags(), rule->getLocation(), CellDiag::RuleUnknownDidYouMean)
            << verb->name << name << nearest;
    else
        cellReport(state.diags(), rule->getLocation(), CellDiag::RuleUnknown) << verb->name << name << ofFields;
}

/* False when the cell refuses. */
bool Expander::showDiagnostics(const cell_expansion *x)
{
    for (uint32_t i = 0; i < x->ndiagnostics; i++)
        if (!x->diagnostics[i].whole) /* else that of the last answer is said at the end of the unit */
            cellSay(state, places, x->diagnostics[i]);
    return !cell_expansion_refusal(x);
}

/* Who edits a file goes on with what was answered before; in completion nobody reads this. */
void Expander::tellStale()
{
    if (!cell->answer_stale || cell->stale || state.mode == SESSION_MIRROR ||
        !state.staleAnswers.insert(cell->name).second)
        return;
    cellReport(state.diags(), cellInMainFile(state, loc()), CellDiag::AnswerStale)
        << cell->name << cellPrintable(cell->answer_error.text);
}

/* What the text calls its own must differ from the names of the import and of other expansions, also of those that the
 * parser has not come to yet: a verb may stand on one declaration several times. */
std::string Expander::unitName()
{
    std::string base = std::string(cell->name) + "_" + d->getNameAsString() + "_" + request.verb, unit = base;
    for (unsigned n = 2;
         cellFind(state, "cellgen_" + unit + "_fingerprint", false) || !state.expansions.insert(unit).second; n++)
        unit = base + "_" + std::to_string(n);
    return unit;
}

/* Everything that the text depends on. When a text of that key exists, none is made. */
std::string Expander::textKey(const char *content, const cell_schema *declared, const std::string &unit)
{
    std::string key = "expansion " CELL_RENDER_VERSION "\n" + unit + "\n" + content + "\n" +
                      (request.cplusplus ? "c++\n" : "c\n") + request.location + "\n";
    for (uint32_t i = 0; i < declared->ntypes; i++)
        key += std::string(declared->types[i].name) + "\n"; /* not in its fingerprint */
    return key;
}

/* Makes the text, at `path`. */
bool Expander::render(const cell_schema *content, const std::string &unit, const std::string &path)
{
    render_options options = {};
    options.unit = unit.c_str();
    options.cplusplus = request.cplusplus;
    options.location = request.location.c_str();
    cell_error e = {};
    cell_buffer text = {};
    int r = cell_render_client(content, &options, &text, &e);
    bool rendered = r >= 0;
    if (rendered)
        r = cell_session_put(state.session(loc()), path.c_str(), text.data, text.len, &e);
    cell_buffer_free(&text);
    if (r < 0)
        cellReport(state.diags(), loc(), rendered ? CellDiag::InjectStore : CellDiag::ExpandFailed)
            << cell->name << cellPrintable(e.text[0] ? e.text : cell_status_text(r));
    return r >= 0;
}

bool declaresAny(const cell_schema *content)
{
    bool own = content->nconstants || content->nmethods;
    for (uint32_t i = 0; i < content->ntypes; i++)
        own |= !content->types[i].declared;
    return own;
}

bool Expander::inject(session_answer &answer, const cell_schema *declared, InjectAt at)
{
    if (answer.x && !declaresAny(answer.x->content))
        return true;
    std::string unit = unitName();
    cell_session *session = state.session(loc());
    const char *content = answer.x ? answer.x->content->fingerprint : answer.content;
    char *found = nullptr;
    bool exists = false;
    int r = cell_session_inject_path(session, cell->name, textKey(content, declared, unit).c_str(), &found, &exists);
    std::string path = r < 0 ? "" : found;
    free(found);
    if (r < 0) {
        cellReport(state.diags(), loc(), CellDiag::InjectStore) << cell->name << cell_status_text(r);
        return false;
    }
    cell_error e = {};
    if (!exists && cell_session_parse_answer(session, cell, declared, &answer, &e) < 0) {
        cellReport(state.diags(), loc(), CellDiag::ExpandFailed) << cell->name << cellPrintable(e.text);
        return false;
    }
    if (!exists)
        answer.x->content->cell = cell->name;
    if (!exists && !render(answer.x->content, unit, path))
        return false;
    return cellInjectFile(state, cell->name, path, loc(), at);
}

void Expander::begin(StringRef verbName)
{
    request.verb = verbName.str();
    request.location = cellLocationText(state, loc());
    request.kind = kindNames[static_cast<int>(targetOf(d))];
    request.name = d->getNameAsString();
    request.cplusplus = state.pp.getLangOpts().CPlusPlus;
    request.live = cell_session_mode(state.session(loc())) == SESSION_LIVE;
}

/* What follows from that is not said: neither by the cell, which is told with the next questions, nor by Clang. */
void Expander::fail()
{
    ExpandRequest known;
    known.verb = request.verb;
    known.location = request.location;
    known.kind = request.kind;
    known.name = request.name;
    known.cplusplus = request.cplusplus;
    known.live = request.live;
    known.args = std::move(request.args);
    if (known.args.empty())
        known.args = writtenTexts(a);
    std::string json = cellRequestJson(known);
    if (cell && cell_session_failed(cell, json.data(), json.size()) < 0)
        llvm::report_bad_alloc_error("cell: out of memory");
    cellExpansionAbsent(state, d, known.args.empty() ? "" : known.args[0].value_or(""));
}

/* False when nothing was injected for a reason that was reported, or for what failed before. */
bool Expander::answered(StringRef verbName, InjectAt at)
{
    cell_session *session = state.session(loc());
    cell_error e = {};
    const cell_schema *schema = cell_session_verbs(session, cell, &e);
    if (!schema) {
        cellReport(state.diags(), loc(), CellDiag::SchemaUnusable) << cell->name << cellPrintable(e.text);
        return false;
    }
    const schema_verb *verb = findVerb(schema, verbName);
    if (!verb || !checkTarget(verb))
        return false;
    places.d = d;
    places.a = a;
    places.verb = verb;
    if (!cellVerbArguments(state, places, request.args) ||
        !cellConditionFunctions(state, places, request.args, request.functions))
        return false;
    std::unique_ptr<cell_schema, CellSchemaDelete> own(cell_schema_new());
    DeclReader reader(state.sema(), own.get());
    bool good = own && read(verb, reader);
    if (!readRules(verb) || !good)
        return false;
    std::string json = cellRequestJson(request);
    reader.finish(); /* now `own` holds the types that the answer may use */
    Answer answer;
    uint32_t planned = cell_session_planned(cell);
    if (cell_session_answer(session, cell, json.data(), json.size(), own.get(), &answer, &e) < 0) {
        cellReport(state.diags(), loc(), CellDiag::ExpandFailed) << cell->name << cellPrintable(e.text);
        return false;
    }
    cellAsked(state, cell, places);
    tellStale();
    if (cell->answer_differs)
        cellReport(state.diags(), loc(), CellDiag::AnswerChanged) << cell->name << verb->name;
    if (answer.x) {
        good = showDiagnostics(answer.x);
        if (cell_session_planned(cell) > planned)
            cellPlanned(state, cell, answer.x->plan);
        if (!good || answer.x->depends)
            return false;
    }
    if (!inject(answer, own.get(), at))
        return false;
    if (const auto *record = dyn_cast<RecordDecl>(d))
        state.declared.insert({record, cell});
    return true;
}

} // namespace

void cellExpand(PluginState &state, NamedDecl *d, const AnnotateAttr *a, StringRef name, StringRef verb, InjectAt at)
{
    /* Without a connection nobody can answer; an editor has asked before. */
    if (state.mode == SESSION_MIRROR && !state.editorMs)
        return;
    session_cell *cell = cellAsk(state, name, a->getLocation(), a->getAnnotation().drop_front(5));
    if (cell)
        Expander(state, d, a, cell).expand(verb, at);
    else
        cellExpansionAbsent(state, d, firstText(a));
}

void cellExpandNothing(PluginState &state, NamedDecl *d, const AnnotateAttr *a, StringRef name, StringRef verb)
{
    if (state.mode == SESSION_MIRROR && !state.editorMs)
        return;
    if (session_cell *cell = cellAsk(state, name, a->getLocation(), a->getAnnotation().drop_front(5)))
        Expander(state, d, a, cell).expandNothing(verb);
    else
        cellExpansionAbsent(state, d, firstText(a));
}
