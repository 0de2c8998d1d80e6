/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods: prototypes, parameters, rules and documentation. */
#include "DeclReaderImpl.h"

#include "ClangCompat.h"
#include "Hot.h"

#include "clang/AST/Expr.h"
#include "clang/AST/RawCommentList.h"
#include "clang/Basic/SourceManager.h"

extern "C" {
#include "core/json.h"
#include "core/rule.h"
#include "wire/message.h"
}

using namespace clang;

static constexpr unsigned maxParams = 64;

bool cellAnnotationArgument(const ASTContext &ctx, const Expr *e, std::string &text, bool reals)
{
    e = e->IgnoreParenImpCasts();
    if (const auto *folded = dyn_cast<ConstantExpr>(e))
        e = folded->getSubExpr()->IgnoreParenImpCasts();
    if (const auto *literal = dyn_cast<StringLiteral>(e)) {
        if (!cellcompat::isOrdinaryLiteral(literal))
            return false;
        text = literal->getString().str();
        return true;
    }
    if (const auto *reference = dyn_cast<DeclRefExpr>(e))
        if (isa<FunctionDecl>(reference->getDecl()) || isa<VarDecl>(reference->getDecl())) {
            text = reference->getDecl()->getNameAsString();
            return true;
        }
    Expr::EvalResult result;
    if (e->isValueDependent())
        return false;
    if (reals && e->getType()->isRealFloatingType() && e->EvaluateAsRValue(result, ctx) && result.Val.isFloat()) {
        llvm::SmallString<32> digits;
        result.Val.getFloat().toString(digits);
        text = digits.str().str();
        return true;
    }
    if (!e->EvaluateAsInt(result, ctx))
        return false;
    text = llvm::toString(result.Val.getInt(), 10);
    return true;
}

bool cellAnnotationArguments(const ASTContext &ctx, const AnnotateAttr *a, std::vector<std::string> &args,
                             const Expr **bad, bool reals)
{
    std::vector<std::string> found;
    for (const Expr *e : a->args()) {
        found.emplace_back();
        if (!cellAnnotationArgument(ctx, e, found.back(), reals)) {
            *bad = e;
            return false;
        }
    }
    args = std::move(found);
    return true;
}

/* A text as the schema takes it: valid UTF-8, no control characters or what terminals and readers obey like these, and
 * nothing that ends a comment. */
static std::string cleanText(llvm::StringRef text)
{
    std::string in, out;
    for (char c : text)
        if (c != '\r')
            in += c ? c : ' ';
    if (!cell_utf8_valid(in.data(), in.size()))
        for (char &c : in)
            if (static_cast<unsigned char>(c) >= 0x80)
                c = '?';
    for (const char *p = in.c_str(); *p;) {
        size_t control = *p == '\n' ? 0 : cell_json_control(p);
        out += control ? ' ' : *p;
        if (p[0] == '*' && p[1] == '/')
            out += ' ';
        p += control ? control : 1;
    }
    return llvm::StringRef(out).trim().str();
}

/* A line that ends in a backslash, or in the trigraph for one, would go on in the next line of the client's comment. */
static std::string withoutContinuations(llvm::StringRef text)
{
    std::string out;
    llvm::SmallVector<llvm::StringRef, 16> lines;
    text.split(lines, '\n');
    for (llvm::StringRef line : lines) {
        line = line.rtrim();
        bool continued = line.take_back(1) == "\\" || line.take_back(3) == "\?\?/";
        out += (out.empty() ? "" : "\n") + line.str() + (continued ? " ." : "");
    }
    return out;
}

/* Clang aligns the lines of a comment to its first one, which may stand elsewhere than the others. */
static std::string withoutIndent(llvm::StringRef text)
{
    llvm::SmallVector<llvm::StringRef, 16> lines;
    text.split(lines, '\n');
    size_t indent = llvm::StringRef::npos;
    for (llvm::StringRef line : llvm::drop_begin(lines))
        indent = std::min(indent, line.find_first_not_of(' '));
    std::string out = lines[0].ltrim().str();
    for (llvm::StringRef line : llvm::drop_begin(lines))
        out += "\n" + line.drop_front(std::min(indent, line.size())).str();
    return out;
}

/* The comment in front of a macro that makes a declaration, which LLVM 16 does not find when its name is no argument.
 */
static const RawComment *commentBeforeMacro(const ASTContext &ctx, SourceLocation declared)
{
    const SourceManager &sm = ctx.getSourceManager();
    if (!declared.isMacroID())
        return nullptr;
    auto place = sm.getDecomposedLoc(sm.getExpansionLoc(declared));
    const auto *comments = ctx.Comments.getCommentsInFile(place.first);
    if (!comments)
        return nullptr;
    auto after = comments->lower_bound(place.second);
    if (after == comments->begin())
        return nullptr;
    const RawComment *comment = std::prev(after)->second;
    unsigned end = sm.getFileOffset(comment->getEndLoc());
    llvm::StringRef between = sm.getBufferData(place.first).slice(end, place.second);
    bool adjacent = end <= place.second && between.trim().empty();
    return adjacent && comment->isDocumentation() && !comment->isTrailingComment() ? comment : nullptr;
}

static std::string commentOf(const ASTContext &ctx, const Decl *d)
{
    const RawComment *comment = ctx.getRawCommentForDeclNoCache(d);
    if (!comment)
        comment = commentBeforeMacro(ctx, d->getBeginLoc());
    if (!comment)
        return "";
    return withoutIndent(comment->getFormattedText(ctx.getSourceManager(), ctx.getDiagnostics()));
}

const char *DeclReader::documentation(llvm::StringRef text)
{
    std::string clean = withoutContinuations(cleanText(text));
    return clean.empty() ? nullptr : copy(clean);
}

const char *DeclReader::docOf(const Decl *d) { return documentation(commentOf(ctx, d)); }

/* Takes `\param name` or `@param[out] name` from the front of a line. */
static bool takeParam(llvm::StringRef line, llvm::StringRef &name, llvm::StringRef &text)
{
    line = line.ltrim();
    if (!(line.consume_front("\\") || line.consume_front("@")) || !line.consume_front("param"))
        return false;
    if (line.consume_front("["))
        line = line.split(']').second;
    if (line.empty() || (line[0] != ' ' && line[0] != '\t'))
        return false;
    line = line.ltrim();
    name = line.take_until([](char c) { return c == ' ' || c == '\t'; });
    text = line.drop_front(name.size()).trim();
    return true;
}

static void addLine(std::string &text, llvm::StringRef line)
{
    if (!text.empty())
        text += '\n';
    text += line.rtrim().str();
}

static bool isIdempotent(const FunctionDecl *f)
{
    for (const auto *a : f->specific_attrs<AnnotateAttr>())
        if (a->getAnnotation() == "cell.method:idempotent")
            return true;
    return false;
}

/* Gives the paragraphs of parameters to them and the rest to the function. A paragraph ends at an empty line or at the
 * next command. */
void DeclReader::documentFunction(const FunctionDecl *f, std::string &rest, std::vector<std::string> &ofParams)
{
    std::string whole, *into = &rest;
    for (const FunctionDecl *d : f->redecls())
        if (whole.empty())
            whole = commentOf(ctx, d);
    ofParams.assign(f->getNumParams(), "");
    llvm::SmallVector<llvm::StringRef, 16> lines;
    llvm::StringRef(whole).split(lines, '\n');
    for (llvm::StringRef line : lines) {
        llvm::StringRef name, text, trimmed = line.trim();
        if (takeParam(line, name, text)) {
            into = nullptr;
            for (unsigned i = 0; i < f->getNumParams(); i++)
                if (name == f->getParamDecl(i)->getName())
                    into = &ofParams[i];
            if (into)
                addLine(*into, text);
            continue;
        }
        bool command = !trimmed.empty() && (trimmed[0] == '\\' || trimmed[0] == '@');
        if (into != &rest && (trimmed.empty() || command))
            into = &rest;
        if (trimmed.consume_front("\\brief ") || trimmed.consume_front("@brief "))
            line = trimmed;
        if (into)
            addLine(*into, into == &rest ? line : trimmed);
    }
    rest = withoutContinuations(cleanText(rest));
    for (std::string &one : ofParams)
        one = withoutContinuations(cleanText(one));
}

void DeclReader::documentMethod(schema_method &m, const FunctionDecl *f)
{
    std::string whole;
    std::vector<std::string> ofParams; /* the first parameter is the context, which is none of the method's */
    for (const FunctionDecl *d : f->redecls())
        m.idempotent |= isIdempotent(d);
    documentFunction(f, whole, ofParams);
    m.doc = whole.empty() ? nullptr : copy(whole);
    for (uint32_t i = 0; i < m.nparams && i + 1 < ofParams.size(); i++)
        m.params[i].doc = ofParams[i + 1].empty() ? nullptr : copy(ofParams[i + 1]);
}

/* Where the argument of a rule is wrong: in a literal at the byte. */
SourceLocation DeclReader::placeOf(const AnnotateAttr *a, const rule_mistake &wrong)
{
    if (wrong.argument < 0)
        return a->getLocation();
    const Expr *e = a->args_begin()[wrong.argument];
    const auto *literal = dyn_cast<StringLiteral>(e->IgnoreParenImpCasts());
    if (!literal) /* folded, as in C++ */
        if (const auto *folded = dyn_cast<ConstantExpr>(e->IgnoreParenImpCasts()))
            literal = dyn_cast<StringLiteral>(folded->getSubExpr()->IgnoreParenImpCasts());
    if (!wrong.has_at || !literal || wrong.at > literal->getByteLength())
        return e->getBeginLoc();
    return literal->getLocationOfByte(static_cast<unsigned>(wrong.at), ctx.getSourceManager(), ctx.getLangOpts(),
                                      ctx.getTargetInfo());
}

/* A rule that is carried out, by programs and by the server. */
bool DeclReader::checkRule(const AnnotateAttr *a, const schema_rule &rule, const schema_field &out)
{
    cell_arena scratch = {};
    cell_rule meaning = {};
    rule_mistake wrong = {};
    if (out.out && !out.inout)
        return refuse(a->getLocation(), CellDiag::ReadRuleOut, rule.name, out.name);
    int r = cell_rule_read(&rule, &out.type, &scratch, nullptr, &meaning, &wrong);
    cell_arena_free(&scratch);
    if (r == CELL_NO_MEMORY)
        llvm::report_bad_alloc_error("cell: out of memory");
    if (r < 0)
        return refuse(placeOf(a, wrong), CellDiag::ReadRuleWrong, rule.name, out.name, wrong.text);
    return meaning.kind != CELL_RULE_FUNCTION || checkRuleFunction(a, rule, out);
}

/* That the cell and its clients can call the function with a value of the field. Only of one that returns a bool it is
 * proven that no fault can end it: the cell's own, which nothing stops, is given what strangers send. */
bool DeclReader::checkRuleFunction(const AnnotateAttr *a, const schema_rule &rule, const schema_field &out)
{
    const Expr *named = a->args_begin()[0]->IgnoreParenImpCasts();
    if (const auto *folded = dyn_cast<ConstantExpr>(named))
        named = folded->getSubExpr()->IgnoreParenImpCasts();
    const auto *reference = dyn_cast<DeclRefExpr>(named);
    const auto *f = reference ? dyn_cast<FunctionDecl>(reference->getDecl()) : nullptr;
    if (!f)
        return refuse(named->getBeginLoc(), CellDiag::ReadRuleFunction, rule.name, out.name);
    if (!hotIsMarked(f))
        return refuse(named->getBeginLoc(), CellDiag::ReadRuleNotHot, rule.name, out.name, f);
    const schema_ref value = cell_rule_value_type(&out.type);
    const ParmVarDecl *p = f->getNumParams() == 1 ? f->getParamDecl(0) : nullptr;
    const auto *record = p ? p->getType()->getAsRecordDecl() : nullptr;
    schema_field taken = {};
    bool fits = p && f->getReturnType()->isBooleanType() && !p->getOriginalType()->isPointerType() &&
                !p->getOriginalType()->isArrayType() && !(record && running.count(record->getDefinition()));
    if (fits && !readParam(p, taken))
        return false;
    char text[256];
    cell_schema_ref_format(&value, text, sizeof(text));
    return (fits && !taken.stream && taken.type.kind == value.kind && taken.type.named == value.named) ||
           refuse(named->getBeginLoc(), CellDiag::ReadRuleSignature, rule.name, out.name, f, text);
}

bool DeclReader::readRule(const AnnotateAttr *a, llvm::StringRef name, const RulePlace &place, schema_field &out,
                          std::vector<schema_rule> &found)
{
    cell_rule_kind kind = cell_rule_named(name.str().c_str());
    std::vector<std::string> args;
    const Expr *bad = nullptr;
    if (!cellAnnotationArguments(ctx, a, args, &bad, kind == CELL_RULE_SIGNED))
        return refuse(bad->getBeginLoc(), CellDiag::ReadRuleArgumentKind, name);
    for (size_t i = 0; i < args.size(); i++)
        if (cellcompat::startsWith(args[i], CELL_VERB_ARG))
            return refuse(a->args_begin()[i]->getBeginLoc(), CellDiag::ReadRuleArgumentNamed, name);
    if (name == "since" || name == "renamed_from") {
        bool isName = name == "renamed_from";
        if (place.isParam)
            return refuse(a->getLocation(), CellDiag::ReadRulePlace, name);
        if (args.size() != 1 || args[0].empty() || (isName && !cell_is_identifier(args[0].c_str())))
            return refuse(a->getLocation(), CellDiag::ReadRuleArguments, name, isName ? 1 : 0);
        (isName ? out.renamed_from : out.since) = copy(cleanText(args[0]));
        return true;
    }
    std::vector<const char *> candidates = {"since", "renamed_from"};
    if (!place.ofVerb)
        candidates.insert(candidates.end(), {"range", "length", "pattern", "rule"});
    bool declared = place.anyRule || (kind && !place.ofVerb);
    for (const std::string &rule : rules) {
        candidates.push_back(rule.c_str());
        declared |= name == rule;
    }
    if (!declared) {
        const char *near = cell_suggest(name.str().c_str(), candidates.data(), candidates.size());
        return near ? refuse(a->getLocation(), CellDiag::ReadRuleDidYouMean, name, near)
                    : refuse(a->getLocation(), CellDiag::ReadRuleUnknown, name);
    }
    schema_rule rule = {copy(name), nullptr, static_cast<uint32_t>(args.size()), nullptr};
    if (kind && args.size() == cell_rule_arguments(kind) + 1u) {
        rule.message = copy(cleanText(args.back()));
        rule.nargs--;
    }
    const char **texts = make<const char *>(rule.nargs);
    for (uint32_t i = 0; i < rule.nargs; i++)
        texts[i] = copy(args[i]);
    rule.args = texts;
    for (const schema_rule &other : found)
        if (kind && !place.ofVerb && cell_rule_named(other.name) == kind)
            return refuse(a->getLocation(), CellDiag::ReadRuleWrong, name, out.name, "it is there twice");
    found.push_back(rule);
    return !kind || place.ofVerb || checkRule(a, rule, out);
}

bool DeclReader::readRules(const Decl *d, bool anyRule, schema_field &out)
{
    std::vector<schema_rule> found;
    llvm::StringRef name;
    const auto *parent = dyn_cast<Decl>(d->getDeclContext());
    const RulePlace place = {isa<ParmVarDecl>(d), anyRule, expanded && parent == expanded};
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        if (cellAnnotationSuffix(a, "cell.field:", name) && !readRule(a, name, place, out, found))
            return false;
    schema_rule *kept = make<schema_rule>(found.size());
    std::copy(found.begin(), found.end(), kept);
    out.rules = found.empty() ? nullptr : kept;
    out.nrules = static_cast<uint32_t>(found.size());
    return true;
}

bool DeclReader::readFormer(const Decl *d, int what, const char *&former)
{
    llvm::StringRef name;
    for (const auto *a : d->specific_attrs<AnnotateAttr>()) {
        if (!cellAnnotationSuffix(a, "cell.field:", name))
            continue;
        if (name != "renamed_from")
            return refuse(a->getLocation(), CellDiag::ReadFormerOnly, name, what);
        schema_field read = {};
        std::vector<schema_rule> none;
        if (!readRule(a, name, RulePlace(), read, none))
            return false;
        former = read.renamed_from;
    }
    return true;
}

static bool isContext(QualType type)
{
    const auto *pointer = type->getAs<PointerType>();
    if (!pointer || pointer->getPointeeType().hasQualifiers())
        return false;
    const auto *record = pointer->getPointeeType()->getAs<RecordType>();
    return record && record->getDecl()->getIdentifier() && record->getDecl()->getName() == "cell_ctx" &&
           record->getDecl()->getDeclContext()->getRedeclContext()->isTranslationUnit();
}

bool DeclReader::checkPrototype(const FunctionDecl *f)
{
    SourceLocation loc = f->getLocation();
    if (!checkTarget(loc) || !checkName(loc, f->getName(), "method's"))
        return false;
    if (!ctx.hasSameType(f->getReturnType(), ctx.IntTy))
        return refuse(loc, CellDiag::ReadReturnType, f, f->getReturnType());
    if (f->isVariadic())
        return refuse(loc, CellDiag::ReadVariadic, f);
    if (!f->hasPrototype() || f->getNumParams() == 0 || !isContext(f->getParamDecl(0)->getOriginalType())) {
        SourceLocation at = f->getNumParams() ? f->getParamDecl(0)->getLocation() : loc;
        return refuse(at, CellDiag::ReadNoContext, f->getName(), f->getNumParams() ? ", ..." : "");
    }
    if (f->getNumParams() - 1 > maxParams)
        return refuse(loc, CellDiag::ReadTooManyParams, f, f->getNumParams() - 1);
    return true;
}

/* Rules count where the method is declared first, for a file that sees no more than that serves it. */
bool DeclReader::checkLaterRules(const FunctionDecl *f, const schema_method &first)
{
    llvm::StringRef name;
    for (uint32_t i = 0; i < first.nparams && i + 1 < f->getNumParams(); i++)
        for (const auto *a : f->getParamDecl(i + 1)->specific_attrs<AnnotateAttr>()) {
            std::vector<std::string> args;
            const Expr *bad = nullptr;
            if (a->isInherited() || !cellAnnotationSuffix(a, "cell.field:", name) ||
                !cellAnnotationArguments(ctx, a, args, &bad, true))
                continue;
            const schema_field &p = first.params[i];
            bool same = false;
            for (uint32_t k = 0; k < p.nrules && !same; k++) {
                same = name == p.rules[k].name && args.size() >= p.rules[k].nargs;
                for (uint32_t n = 0; same && n < p.rules[k].nargs; n++)
                    same = args[n] == p.rules[k].args[n];
            }
            if (!same)
                return refuse(a->getLocation(), CellDiag::ReadRuleLate, name, p.name, f);
        }
    return true;
}

const schema_method *DeclReader::readMethod(const FunctionDecl *f)
{
    auto seen = knownMethods.find(f->getCanonicalDecl());
    if (seen != knownMethods.end()) {
        schema_method *read = seen->second;
        if (read && laterRules.insert(f).second && !checkLaterRules(f, *read))
            return nullptr;
        if (!read || (!read->renamed_from && !readFormer(f, FormerMethod, read->renamed_from)))
            return nullptr;
        read->idempotent |= isIdempotent(f);
        return read;
    }
    schema_method *m = make<schema_method>();
    bool good = !f->isInvalidDecl() && checkPrototype(f);
    if (good) {
        m->name = copy(f->getName());
        m->nparams = f->getNumParams() - 1;
        m->params = make<schema_field>(m->nparams);
        for (uint32_t i = 0; i < m->nparams; i++) {
            const ParmVarDecl *p = f->getParamDecl(i + 1);
            if (!p->getIdentifier())
                good = refuse(p->getLocation(), CellDiag::ReadParamUnnamed, i + 2, f);
            else if (!checkName(p->getLocation(), p->getName(), "parameter's") || !readParam(p, m->params[i]) ||
                     !readRules(p, false, m->params[i]))
                good = false;
            else if (m->params[i].stream && cell_schema_stream(m) != &m->params[i])
                good = refuse(p->getLocation(), CellDiag::ReadStreamTwice, p->getName(), f);
        }
        good = readFormer(f, FormerMethod, m->renamed_from) && good;
    }
    knownMethods[f->getCanonicalDecl()] = good ? m : nullptr;
    if (!good)
        return nullptr;
    m->idempotent = isIdempotent(f);
    cell_rule_mark(m->params, m->nparams);
    layoutSlots(*m);
    methods.push_back({m, f});
    laterRules.insert(f);
    return m;
}

/* The request struct: the in parameters in order, references for those by pointer. */
void DeclReader::layoutSlots(schema_method &m)
{
    uint32_t end = 0, most = 1;
    for (uint32_t i = 0; i < m.nparams; i++) {
        schema_field &p = m.params[i];
        uint32_t size = sizeof(cell_ref), align = alignof(cell_ref);
        if (p.out || p.stream)
            continue;
        if (!p.by_pointer)
            cell_schema_ref_layout(&p.type, &size, &align);
        p.offset = (end + align - 1) / align * align;
        end = p.offset + size;
        most = std::max(most, align);
    }
    m.in_size = (end + most - 1) / most * most;
}
