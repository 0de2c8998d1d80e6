/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "HotTree.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "llvm/ADT/StringExtras.h"

extern "C" {
#include "core/json.h"
}

using namespace clang;

const char *hotKindName(cell_kind kind)
{
    switch (static_cast<unsigned>(kind)) {
#define NAME(symbol, number, name, size)                                                                               \
    case number:                                                                                                       \
        return name;
        CELL_KIND_MAP(NAME)
#undef NAME
    }
    return "";
}

HotNode hotText(llvm::StringRef text, SourceLocation loc)
{
    HotNode n;
    n.kind = HotNode::Text;
    n.text = text.str();
    n.loc = loc;
    return n;
}

static HotNode plain(std::string text, SourceLocation loc)
{
    HotNode n;
    n.kind = HotNode::Number;
    n.text = std::move(text);
    n.loc = loc;
    return n;
}

static HotNode literal(llvm::StringRef type, HotNode value)
{
    HotNode n;
    n.kind = HotNode::Literal;
    n.text = type.str();
    n.loc = value.loc;
    n.items.push_back(std::move(value));
    return n;
}

HotNode hotNumber(uint64_t value, SourceLocation loc) { return plain(std::to_string(value), loc); }
HotNode hotBool(bool value, SourceLocation loc) { return plain(value ? "true" : "false", loc); }
HotNode hotString(llvm::StringRef text, SourceLocation loc) { return literal("str", hotText(text, loc)); }

HotNode hotInteger(cell_kind kind, const llvm::APSInt &value, SourceLocation loc)
{
    if (kind == CELL_KIND_BOOL)
        return hotBool(!value.isZero(), loc);
    std::string digits = llvm::toString(value, 10);
    if (kind == CELL_KIND_I32)
        return plain(digits, loc);
    /* JSON's own numbers are exact up to 2^53. */
    bool wide = (kind == CELL_KIND_I64 || kind == CELL_KIND_U64) && digits.size() > 15;
    return literal(hotKindName(kind), wide ? hotText(digits, loc) : plain(digits, loc));
}

HotNode hotInteger(cell_kind kind, int64_t value, SourceLocation loc)
{
    return hotInteger(kind, llvm::APSInt(llvm::APInt(64, static_cast<uint64_t>(value), true), false), loc);
}

HotNode hotReal(cell_kind kind, const llvm::APFloat &value, SourceLocation loc)
{
    char text[64];
    if (value.isNaN()) {
        return literal(hotKindName(kind), hotText("nan", loc));
    } else if (value.isInfinity()) {
        return literal(hotKindName(kind), hotText(value.isNegative() ? "-inf" : "inf", loc));
    }
    /* The fewest digits that give the number again, for people. */
    bool isFloat = kind == CELL_KIND_F32;
    double number = isFloat ? static_cast<double>(value.convertToFloat()) : value.convertToDouble();
    for (int digits = isFloat ? 6 : 15; digits <= (isFloat ? 9 : 17); digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strchr(text, ',')) /* another locale's */
            break;
        if (isFloat ? strtof(text, nullptr) == static_cast<float>(number) : strtod(text, nullptr) == number)
            return literal(hotKindName(kind), hotText(text, loc));
    }
    unsigned length = value.convertToHexString(text, 0, false, llvm::APFloat::rmNearestTiesToEven);
    return literal(hotKindName(kind), hotText(llvm::StringRef(text, length), loc));
}

HotNode hotChain(SourceLocation loc, llvm::StringRef name, HotNode left, HotNode right)
{
    if (!left.is(name))
        return hotOperation(loc, name, std::move(left), std::move(right));
    left.items.push_back(std::move(right));
    return left;
}

void hotWrite(const HotNode &n, std::string &out)
{
    cell_buffer quoted = {};
    switch (n.kind) {
    case HotNode::Number:
        out += n.text;
        break;
    case HotNode::Literal:
        out += "{\"" + n.text + "\":";
        hotWrite(n.items[0], out);
        out += '}';
        break;
    case HotNode::Text:
        cell_json_put_string(&quoted, n.text.c_str());
        if (!cell_buffer_ok(&quoted))
            llvm::report_bad_alloc_error("cell: out of memory");
        out.append(quoted.data, quoted.len);
        cell_buffer_free(&quoted);
        break;
    case HotNode::Array:
        out += '[';
        for (const HotNode &item : n.items) {
            out += &item == n.items.data() ? "" : ",";
            hotWrite(item, out);
        }
        out += ']';
    }
}

SourceLocation hotTooDeep(const HotNode &n, unsigned most)
{
    for (const HotNode &item : n.items) {
        if (item.kind != HotNode::Array && item.kind != HotNode::Literal)
            continue;
        if (most == 0)
            return item.loc;
        SourceLocation loc = hotTooDeep(item, most - 1);
        if (loc.isValid())
            return loc;
    }
    return SourceLocation();
}

bool hotIntegerOf(const HotNode &n, int64_t &value)
{
    const HotNode &digits = n.kind == HotNode::Literal ? n.items[0] : n;
    return (n.kind == HotNode::Number || (n.kind == HotNode::Literal && n.text != "str")) &&
           !llvm::StringRef(digits.text).getAsInteger(10, value);
}
