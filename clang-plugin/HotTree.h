/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A document of functions (docs/hot-functions.md) while it is made: JSON whose parts know where the author wrote them.
 */
#ifndef CELL_HOTTREE_H
#define CELL_HOTTREE_H

#include <string>
#include <utility>
#include <vector>

#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APSInt.h"

extern "C" {
#include "core/schema.h"
}

struct HotNode {
    enum Kind {
        Array,
        Number, /* text: a JSON number, true or false */
        Text,   /* text: of a string */
        Literal /* {"u8": 5}; text: the type, items[0]: the value */
    };

    Kind kind = Array;
    std::string text;
    std::vector<HotNode> items;
    clang::SourceLocation loc;
    int loop = -1; /* a counted loop whose bound is still to be found: its number in HotDocument::loops */

    bool is(llvm::StringRef operation) const
    {
        return kind == Array && !items.empty() && items[0].kind == Text && items[0].text == operation;
    }
};

/* "i32" */
const char *hotKindName(cell_kind kind);

HotNode hotText(llvm::StringRef text, clang::SourceLocation loc);
HotNode hotNumber(uint64_t value, clang::SourceLocation loc);
HotNode hotBool(bool value, clang::SourceLocation loc);
/* A literal of an integer kind or bool, or of F32 or F64. */
HotNode hotInteger(cell_kind kind, const llvm::APSInt &value, clang::SourceLocation loc);
HotNode hotInteger(cell_kind kind, int64_t value, clang::SourceLocation loc);
HotNode hotReal(cell_kind kind, const llvm::APFloat &value, clang::SourceLocation loc);
/* {"str": text} */
HotNode hotString(llvm::StringRef text, clang::SourceLocation loc);

/* [name, parts…] */
template <typename... Parts> HotNode hotOperation(clang::SourceLocation loc, llvm::StringRef name, Parts &&...parts)
{
    HotNode n;
    n.loc = loc;
    n.items.push_back(hotText(name, loc));
    (n.items.push_back(std::forward<Parts>(parts)), ...);
    return n;
}
/* The same for operations of two operands and more, which are a chain: a + b + c is one of three. */
HotNode hotChain(clang::SourceLocation loc, llvm::StringRef name, HotNode left, HotNode right);

/* Appends the JSON. */
void hotWrite(const HotNode &n, std::string &out);
/* The place of what lies deeper than `most` levels, invalid when nothing does. */
clang::SourceLocation hotTooDeep(const HotNode &n, unsigned most);

/* A literal's value when it is an integer that an int64_t holds. */
bool hotIntegerOf(const HotNode &n, int64_t &value);

#endif
