/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The expansion request as JSON (docs/protocol.md, "Expansion request"). */
#ifndef CELL_REQUEST_H
#define CELL_REQUEST_H

#include <optional>
#include <string>
#include <vector>

#include "llvm/ADT/StringRef.h"

extern "C" {
#include "core/schema.h"
}

struct ExpandRequest {
    std::string verb, location, kind, name;
    std::vector<std::optional<std::string>> args; /* in the verb's order; none for one that is left out */
    std::string functions;                        /* a document of those that conditions call; empty = none */
    const schema_type *type = nullptr;            /* a struct or enum */
    const schema_method *method = nullptr;        /* a function */
    const schema_ref *variable = nullptr;         /* a variable */
    struct Rule {
        std::string name;
        std::vector<std::string> args;
    };
    std::vector<Rule> rules;               /* on the declaration */
    std::vector<const schema_type *> uses; /* other types that the declaration needs, in dependency order */
    bool cplusplus = false, live = false;
};

std::string cellRequestJson(const ExpandRequest &request);
/* As the member "types" of a document. */
std::string cellRequestTypes(const std::vector<const schema_type *> &types);

#endif
