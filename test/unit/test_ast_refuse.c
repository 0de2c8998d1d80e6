/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Everything that cannot be said in cell.ast/1, each with the place and the cause that its author reads. */
#include "ast_document.h"
#include "test.h"

struct refused {
    const char *document, *why; /* a part of the message */
};

static void check_refused(const struct refused *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cell_ast *doc = NULL;
        struct cell_error e = {0};
        const int r = ast_parse(all[i].document, NULL, &doc, &e);
        const bool right = r == CELL_PROTOCOL_ERROR && e.status == r && !doc && strstr(e.text, all[i].why);
        if (!right)
            printf("  entry %zu: %d '%s', not '%s'\n", i, r, e.text, all[i].why);
        CHECK(right);
        cell_ast_free(doc);
    }
}

#define CHECK_REFUSED(all) check_refused(all, sizeof(all) / sizeof((all)[0]))
#define OK "['=', 'o', 1]" /* what every status function here must do somewhere */
#define FUNCTION(members) AST_DOCUMENT("{'name': 'f', " members "}")

TEST(documents_with_other_members_or_versions)
{
    static const struct refused all[] = {
        {"[]", "an object is expected"},
        {"{}", "['cell.ast']: missing"},
        {"{'cell.ast': 2}", "['cell.ast']: 2 is out of range"},
        {"{'cell.ast': 1, 'methods': []}", "unknown member 'methods'"},
        {"{'cell.ast': 1, 'functions': {}}", "functions: an array is expected"},
        {"{'cell.ast': 1, 'tables': {}}", "tables: an array is expected"},
        {"{'cell.ast': 1, 'types': [{'name': 'x', 'kind': 'struct', 'size': 5, 'align': 4, 'fields': [{'name': 'y', "
         "'type': 'i32', 'offset': 0}]}]}",
         "types[0]"},
        {"{'cell.ast': 1, 'functions': [1]}", "functions[0]: an object is expected"},
        {FUNCTION("'returns': 'i32', 'body': [['return', 1]], 'extra': 1"), "functions[0]: unknown member 'extra'"},
    };
    CHECK_REFUSED(all);
}

TEST(signatures_that_are_none)
{
    static const struct refused all[] = {
        {AST_DOCUMENT("{'returns': 'i32', 'body': []}"), "name: missing"},
        {AST_DOCUMENT("{'name': 'while', 'returns': 'i32', 'body': []}"), "keyword"},
        {AST_DOCUMENT("{'name': 'cellgen_x', 'returns': 'i32', 'body': []}"), "reserved"},
        {AST_DOCUMENT("{'name': 'point', 'returns': 'i32', 'body': []}"), "'point' is there twice"},
        {AST_DOCUMENT("{'name': 'table', 'returns': 'i32', 'body': []}"), "'table' is there twice"},
        {AST_DOCUMENT(AST_HELPERS ", {'name': 'half', 'returns': 'i32', 'body': []}"), "'half' is there twice"},
        {FUNCTION("'body': []"), "returns: missing"},
        {FUNCTION("'returns': 'i32'"), "body: missing"},
        {FUNCTION("'returns': 'void', 'body': []"), "unknown type 'void'"},
        {FUNCTION("'returns': 'i32[2]', 'body': []"), "an array cannot be returned"},
        {FUNCTION("'returns': 'bytes', 'body': []"), "functions have no values of type 'bytes'"},
        {FUNCTION("'returns': 'list<i32>', 'body': []"), "unknown type 'list<i32>'"},
        {FUNCTION("'returns': 'hues', 'body': []"), "functions have no values of type 'hues'"},
        {FUNCTION("'returns': 'maybe', 'body': []"), "functions have no values of type 'maybe'"},
        {FUNCTION("'returns': 'status', 'fault': 'bad', 'body': []"), "fault: unknown status"},
        {FUNCTION("'returns': 'i32', 'fault': 'aborted', 'body': []"), "fault: the function returns no status"},
        {FUNCTION("'returns': 'i32', 'doc': 'a */ b', 'body': []"), "doc"},
        {FUNCTION("'returns': 'i32', 'file': 'a\\nb', 'body': []"), "file"},
        {FUNCTION("'returns': 'i32', 'line': 0, 'body': []"), "line: 0 is out of range"},
        {FUNCTION("'returns': 'i32', 'line': 2147483648, 'body': []"), "line: 2147483648 is out of range"},
        {FUNCTION("'returns': 'i32', 'renamed_from': 'a b', 'body': []"), "renamed_from: 'a b' is not an identifier"},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'x', 'type': 'i32', 'by': 1}], 'body': []"),
         "params[0]: unknown member 'by'"},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'int', 'type': 'i32'}], 'body': []"), "params[0].name"},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'x', 'type': 'i32[0]'}], 'body': []"),
         "the bound of an array"},
        {FUNCTION("'returns': 'status', 'params': [{'name': 'x', 'type': 'i32', 'dir': 'inout'}], 'body': []"),
         "params[0].dir: \"in\" or \"out\""},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'x', 'type': 'i32', 'pointer': true}], 'body': []"),
         "only structs and arrays go in by pointer"},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'x', 'type': 'i32', 'dir': 'out'}], 'body': []"),
         "params[0].dir: only a function that returns a status has outputs"},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'x', 'type': 'i32'}, {'name': 'x', 'type': 'i32'}], 'body': "
                  "[['return', 'x']]"),
         "functions[0]: the name 'x' is taken"},
        {FUNCTION("'returns': 'i32', 'params': [{'name': 'f', 'type': 'i32'}], 'body': [['return', 'f']]"),
         "functions[0]: the name 'f' is taken"},
    };
    CHECK_REFUSED(all);
    struct cell_buffer many = {0};
    struct cell_error e = {0};
    struct cell_ast *doc = NULL;
    for (unsigned n = 64; n <= 65; n++) {
        many.len = 0;
        cell_buffer_puts(&many, "{'cell.ast': 1, 'functions': [{'name': 'f', 'returns': 'i32', 'body': [['return', "
                                "1]], 'params': [");
        for (unsigned i = 0; i < n; i++)
            cell_buffer_printf(&many, "%s{'name': 'p%u', 'type': 'i32'}", i ? "," : "", i);
        cell_buffer_puts(&many, "]}]}");
        CHECK(ast_parse(many.data, NULL, &doc, &e) == (n == 64 ? CELL_OK : CELL_PROTOCOL_ERROR));
        CHECK(n == 64 || strstr(e.text, "more than 64 parameters"));
        cell_ast_free(doc);
        doc = NULL;
    }
    cell_buffer_free(&many);
}

TEST(tables_that_are_none)
{
#define TABLE(members) "{'cell.ast': 1, 'types': [" AST_TYPES "], 'tables': [{'name': 't', " members "}]}"
    static const struct refused all[] = {
        {TABLE("'type': 'i32', 'values': [1]"), "tables[0].type: a table is an array"},
        {TABLE("'type': 'point[1]', 'values': [1]"), "tables[0].type: a table is an array"},
        {TABLE("'type': 'i32[2]', 'values': [1]"), "tables[0].values: 1 values for 2 elements"},
        {TABLE("'type': 'u8[1]', 'values': [256]"), "no value of type u8"},
        {TABLE("'type': 'u8[1]', 'values': [-1]"), "no value of type u8"},
        {TABLE("'type': 'i8[1]', 'values': [-129]"), "no value of type i8"},
        {TABLE("'type': 'u64[1]', 'values': ['18446744073709551616']"), "no value of type u64"},
        {TABLE("'type': 'i64[1]', 'values': ['']"), "no value of type i64"},
        {TABLE("'type': 'i64[1]', 'values': ['1x']"), "no value of type i64"},
        {TABLE("'type': 'i64[1]', 'values': [true]"), "no value of type i64"},
        {TABLE("'type': 'bool[1]', 'values': [1]"), "true or false is expected"},
        {TABLE("'type': 'str[1]', 'values': [1]"), "a string is expected"},
        {TABLE("'type': 'f64[1]', 'values': [' 1']"), "no value of type f64"},
        {TABLE("'type': 'f64[1]', 'values': ['1e']"), "no value of type f64"},
        {TABLE("'type': 'f64[1]', 'values': ['.']"), "no value of type f64"},
        {TABLE("'type': 'f64[1]', 'values': ['infinity']"), "no value of type f64"},
        {TABLE("'type': 'f64[1]', 'values': ['1e999']"), "out of the range of f64"},
        {TABLE("'type': 'f32[1]', 'values': ['1e39']"), "out of the range of f32"},
        {TABLE("'type': 'i32[1]', 'values': [1], 'more': 1"), "unknown member 'more'"},
    };
    CHECK_REFUSED(all);
}

TEST(forms_that_no_operation_has)
{
    static const struct refused all[] = {
        {AST_STATUS("1.5"), "real numbers are not allowed"},
        {AST_STATUS("0"), "body[0]: a line is a number"},
        {AST_STATUS("true"), "body[0]: a statement is expected"},
        {AST_STATUS("[]"), "body[0][0]: missing"},
        {AST_STATUS("[1]"), "the name of an operation is expected"},
        {AST_STATUS("['goto', 'x']"), "unknown operation 'goto'"},
        {AST_STATUS("['asm', 'x']"), "unknown operation 'asm'"},
        {AST_STATUS("[' block']"), "unknown operation ' block'"},
        {AST_STATUS("['+', 1, 2]"), "a statement is expected"},
        {AST_STATUS("['=', 'o', ['return']]"), "an expression is expected"},
        {AST_STATUS("['=', 'o', null]"), "an expression is expected"},
        {AST_STATUS("['=', 'o', {}]"), "a literal is an object of one member"},
        {AST_STATUS("['=', 'o', {'i32': 1, 'i64': 1}]"), "a literal is an object of one member"},
        {AST_STATUS("['=', 'o', {'bytes': 'x'}]"), "a literal is an object of one member"},
        {AST_STATUS("['=', 'o', {'i32': 2147483648}]"), "no value of type i32"},
        {AST_STATUS("['=', 'o']"), "a place and a value is expected"},
        {AST_STATUS("['=', 'o', ['+', 1]]"), "1 operands; '+' has 2 or more"},
        {AST_STATUS("['=', 'o', ['/', 1, 2, 3]]"), "3 operands; '/' has 2"},
        {AST_STATUS("['=', 'o', ['.', 'p']]"), "a name is expected"},
        {AST_STATUS("['=', 'o', ['call']]"), "a name is expected"},
        {AST_STATUS("['let', 'x']"), "a name, a type and a value is expected"},
        {AST_STATUS("['let', 'for', 'i32', 1]"), "keyword"},
        {AST_STATUS("['let', 'cellgen_a', 'i32', 1]"), "reserved"},
        {AST_STATUS("['let', 'x', 'i32*', 1]"), "unknown type"},
        {AST_STATUS("['let', 'x', 'i32[70000]']"), "the bound of an array"},
        {AST_STATUS("['if', true]"), "a condition and an array of statements is expected"},
        {AST_STATUS("['if', true, 1]"), "an array of statements is expected"},
        {AST_STATUS("['switch', 'i']"), "labels and statements in turn is expected"},
        {AST_STATUS("['switch', 'i', [1], [], [2]]"), "labels and statements in turn is expected"},
        {AST_STATUS("2147483648"), "body[0]: a line is a number"},
        {AST_STATUS("['switch', 'i', [1]]"), "labels and statements in turn is expected"},
        {AST_STATUS("['switch', 'i', 1, []]"), "an array of labels is expected"},
        {AST_STATUS("['switch', 'i', ['a'], []]"), "a label is an integer"},
        {AST_STATUS("['for', 'k', 0, 1, []]"), "a bound and an array of statements is expected"},
        {AST_STATUS("['for', 'int', 0, 1, 1, []]"), "keyword"},
        {AST_STATUS("['for', 'k', 0, 1, 0, []]"), "a loop's bound is a constant from 1"},
        {AST_STATUS("['for', 'k', 0, 1, 'i', []]"), "a loop's bound is a constant from 1"},
        {AST_STATUS("['for', 'k', 0, 1, 50000001, []]"), "a loop's bound is a constant from 1"},
        {AST_STATUS("['loop', 0, []]"), "a loop's bound is a constant from 1"},
        {AST_STATUS("['loop', []]"), "a bound and an array of statements is expected"},
        {AST_STATUS("['break', 1]"), "nothing more is expected"},
        {AST_STATUS("['continue', 1]"), "nothing more is expected"},
        {AST_STATUS("['return', 1, 2]"), "one value is expected"},
        {AST_STATUS("['fail']"), "the name of a status is expected"},
        {AST_STATUS("['fail', 'ok']"), "unknown status"},
        {AST_STATUS("['try']"), "the name of a function is expected"},
        {AST_STATUS("['status', 'o']"), "the name of a function is expected"},
    };
    CHECK_REFUSED(all);
}

TEST(types_that_do_not_agree)
{
    static const struct refused all[] = {
        {AST_STATUS("['=', 'o', 'd']"), "functions[2].body[0]: the value is of type f64, i32 is expected"},
        {AST_STATUS("['=', 'o', ['+', 'i', 'd']]"), "operand 2 of '+' is of type f64, i32 is expected"},
        {AST_STATUS("['=', 'o', ['+', 's', 's']]"), "operand 1 of '+' is of type str, a number is expected"},
        {AST_STATUS("['=', 'o', ['i32', ['%', 'd', 'd']]]"), "operand 1 of '%' is of type f64, an integer"},
        {AST_STATUS("['=', 'o', ['i32', ['/', true, true]]]"), "operand 1 of '/' is of type bool, a number"},
        {AST_STATUS("['=', 'o', ['i32', ['&', 'd', 'd']]]"), "an integer is expected"},
        {AST_STATUS("['=', 'o', ['&', 'i', 'u']]"), "operand 2 of '&' is of type u64, i32 is expected"},
        {AST_STATUS("['=', 'o', ['<<', 'i', 'd']]"), "operand 2 of '<<' is of type f64, an integer"},
        {AST_STATUS("['=', 'o', ['i32', ['<', true, false]]]"), "operand 1 of '<' is of type bool, a number"},
        {AST_STATUS("['=', 'o', ['i32', ['==', 's', 's']]]"), "operand 1 of '==' is of type str"},
        {AST_STATUS("['=', 'o', ['i32', ['==', 'i', 'u']]]"), "operand 2 of '==' is of type u64"},
        {AST_STATUS("['=', 'o', ['i32', ['!', 'i']]]"), "operand 1 of '!' is of type i32, bool is expected"},
        {AST_STATUS("['=', 'o', ['i32', ['&&', true, 'i']]]"), "operand 2 of '&&' is of type i32, bool"},
        {AST_STATUS("['=', 'o', ['?:', 'i', 1, 2]]"), "operand 1 of '?:' is of type i32, bool"},
        {AST_STATUS("['=', 'o', ['?:', true, 1, 'd']]"), "operand 3 of '?:' is of type f64, i32"},
        {AST_STATUS("['=', 'o', ['[]', ['?:', true, 'a', 'a'], 1]]"), "operand 2 of '?:' is of type i32[8], no array"},
        {AST_STATUS("['=', 'o', ['i32', 's']]"), "operand 1 of 'i32' is of type str, a number or bool"},
        {AST_STATUS("['=', 'o', ['i32', 'a']]"), "operand 1 of 'i32' is of type i32[8]"},
        {AST_STATUS("['=', 'o', ['i32', ['bool', 'd']]]"), "operand 1 of 'bool' is of type f64, an integer"},
        {AST_STATUS("['=', 'o', ['i32', ['sin', 'i']]]"), "operand 1 of 'sin' is of type i32, f64"},
        {AST_STATUS("['=', 'o', ['i32', ['pow', 'd', 'i']]]"), "operand 2 of 'pow' is of type i32, f64"},
        {AST_STATUS("['=', 'o', ['i32', ['sqrt', 'i']]]"), "operand 1 of 'sqrt' is of type i32, f32 or f64"},
        {AST_STATUS("['=', 'o', ['i32', ['fmin', 'd', ['f32', 'd']]]]"), "operand 2 of 'fmin' is of type f32, f64"},
        {AST_STATUS("['=', 'o', ['i32', ['isnan', 'i']]]"), "operand 1 of 'isnan' is of type i32"},
        {AST_STATUS("['=', 'o', ['i32', ['ldexp', 'i', 'i']]]"), "operand 1 of 'ldexp' is of type i32, f64"},
        {AST_STATUS("['=', 'o', ['i32', ['ldexp', 'd', 'u']]]"), "operand 2 of 'ldexp' is of type u64, i32"},
        {AST_STATUS("['=', 'o', ['abs', true]]"), "operand 1 of 'abs' is of type bool, an integer"},
        {AST_STATUS("['=', 'o', ['min', 'd', 'd']]"), "operand 1 of 'min' is of type f64, an integer"},
        {AST_STATUS("['=', 'o', ['i32', ['length', 'i']]]"), "operand 1 of 'length' is of type i32, str"},
        {AST_STATUS("['=', 'o', ['i32', ['byte', 's', 'd']]]"), "operand 2 of 'byte' is of type f64, an integer"},
        {AST_STATUS("['=', 'o', ['i32', ['parse_i64', 's', 'i']]]"), "operand 2 of 'parse_i64' is of type i32, i64"},
        {AST_STATUS("['=', 'o', ['i32', ['parse_f64', 's', 'i']]]"), "operand 2 of 'parse_f64' is of type i32, f64"},
        {AST_STATUS("['=', 'o', ['[]', 'i', 1]]"), "operand 1 of '[]' is of type i32, an array"},
        {AST_STATUS("['=', 'o', ['[]', 'a', 'd']]"), "operand 2 of '[]' is of type f64, an integer"},
        {AST_STATUS("['=', 'o', ['.', 'i', 'x']]"), "a value of type i32 has no fields"},
        {AST_STATUS("['=', 'o', ['.', 'p', 'z']]"), "point has no field 'z'"},
        {AST_STATUS("['let', 'r', 'raw'], ['=', 'o', ['i32', ['.', 'r', 'b']]]"), "no values of type 'bytes'"},
        {AST_STATUS("['let', 'r', 'raw'], ['=', 'o', ['i32', ['.', 'r', 'l']]]"), "no values of type 'hues'"},
        {AST_STATUS("['let', 'r', 'raw'], ['=', 'o', ['i32', ['.', 'r', 'm']]]"), "no values of type 'maybe'"},
        {AST_STATUS("['if', 'i', []], " OK), "body[0]: a condition is a bool"},
        {AST_STATUS("['switch', 'd', [1], []], " OK), "a switch is over an integer"},
        {AST_STATUS("['switch', 'i', [2147483648], []], " OK), "the value is never 2147483648"},
        {AST_STATUS("['switch', 'u', [-1], []], " OK), "the value is never -1"},
        {AST_STATUS("['switch', 'i', [1, 2], [], [2], []], " OK), "the label 2 is there twice"},
        {AST_STATUS("['switch', 'i', [], [], [2], []], " OK), "the default, which has no labels, comes last"},
        {AST_STATUS("['for', 'k', 0, 'u', 1, []], " OK), "a loop counts between two integers of one type"},
        {AST_STATUS("['for', 'k', 'd', 'd', 1, []], " OK), "a loop counts between two integers of one type"},
        {AST_STATUS("['let', 'b', 'i32[8]', 'a'], " OK), "arrays are assigned one element at a time"},
        {AST_STATUS("['let', 'b', 'i32[8]'], ['=', 'b', 'a'], " OK), "arrays are assigned one element at a time"},
        {AST_VALUE("['return']"), "a value is to be returned"},
        {AST_VALUE("['return', 'd']"), "the value is of type f64, i32 is expected"},
        {AST_STATUS(OK ", ['return', 1]"), "a function with a status returns no value"},
    };
    CHECK_REFUSED(all);
}

TEST(names_that_mean_nothing_or_are_taken)
{
    static const struct refused all[] = {
        {AST_STATUS("['=', 'o', 'x']"), "there is no variable 'x' here"},
        {AST_STATUS("['=', 'o', 'printf']"), "there is no variable 'printf' here"},
        {AST_STATUS("['if', true, [['let', 'x', 'i32', 1]]], ['=', 'o', 'x']"), "there is no variable 'x' here"},
        {AST_STATUS("['for', 'k', 0, 1, 1, []], ['=', 'o', 'k']"), "there is no variable 'k' here"},
        {AST_STATUS("['let', 'x', 'i32', 'x'], " OK), "there is no variable 'x' here"},
        {AST_STATUS("['let', 'i', 'i32', 1], " OK), "the name 'i' is taken"},
        {AST_STATUS("['let', 'twice', 'i32', 1], " OK), "the name 'twice' is taken"},
        {AST_STATUS("['let', 'table', 'i32', 1], " OK), "the name 'table' is taken"},
        {AST_STATUS("['let', 'point', 'i32', 1], " OK), "the name 'point' is taken"},
        {AST_STATUS("['for', 'i', 0, 1, 1, []], " OK), "the name 'i' is taken"},
    };
    CHECK_REFUSED(all);
}

TEST(places_that_cannot_be_written)
{
    static const struct refused all[] = {
        {AST_STATUS("['=', 'i', 1], " OK), "'i' is an input, which cannot be written"},
        {AST_STATUS("['=', ['[]', 'a', 1], 1], " OK), "'a' is an input, which cannot be written"},
        {AST_STATUS("['=', ['.', 'p', 'x'], 'd'], " OK), "'p' is an input, which cannot be written"},
        {AST_STATUS("['=', ['[]', 'table', 1], 1], " OK), "only a variable, or a part of one, can be written"},
        {AST_STATUS("['=', 1, 1], " OK), "only a variable, or a part of one, can be written"},
        {AST_STATUS("['=', ['call', 'twice', 1], 1], " OK), "only a variable, or a part of one, can be written"},
        {AST_STATUS("['for', 'k', 0, 1, 1, [['=', 'k', 0]]], " OK), "'k' is a loop's counter"},
        {AST_STATUS("['try', 'half', 1, 'i'], " OK), "'i' is an input, which cannot be written"},
        {AST_STATUS("['try', 'half', 1, 1], " OK), "only a variable, or a part of one, can be written"},
        {AST_STATUS("['status', 'i', 'half', 1, 'o']"), "'i' is an input, which cannot be written"},
    };
    CHECK_REFUSED(all);
}

#define POINTS                                                                                                         \
    "{'name': 'make', 'returns': 'point', 'body': [['let', 'r', 'point'], ['return', 'r']]}, {'name': 'take', "        \
    "'returns': 'f64', 'params': [{'name': 'q', 'type': 'point', 'pointer': true}], 'body': [['return', ['.', 'q', "   \
    "'x']]]}, {'name': 'paint', 'returns': 'status', 'params': [{'name': 'h', 'type': 'hue', 'dir': 'out'}], 'body': " \
    "[['=', 'h', 0]]}, "

TEST(calls_that_cannot_be)
{
    static const struct refused all[] = {
        {AST_STATUS("['=', 'o', ['call', 'puts', 1]]"), "there is no function 'puts'"},
        {AST_STATUS("['=', 'o', ['call', 'f', 1]]"), "'f' is not before this function: there is no recursion"},
        {AST_DOCUMENT("{'name': 'g', 'returns': 'i32', 'body': [['return', ['call', 'h']]]}, {'name': 'h', 'returns': "
                      "'i32', 'body': [['return', 1]]}"),
         "'h' is not before this function"},
        {AST_STATUS("['=', 'o', ['call', 'twice']]"), "0 arguments for 'twice', which has 1 parameters"},
        {AST_STATUS("['=', 'o', ['call', 'twice', 'd']]"), "the argument for 'a' is of type f64, i32 is expected"},
        {AST_STATUS("['=', 'o', ['call', 'half', 1, 'o']]"), "'half' returns a status: it is called by \"try\""},
        {AST_STATUS("['try', 'twice', 1], " OK), "'twice' returns no status: it is called in an expression"},
        {AST_STATUS("['let', 'w', 'u64', 'u'], ['try', 'half', 1, 'w'], " OK), "the argument for 'h' is of type u64"},
        {AST_STATUS("['let', 'w', 'i64', {'i64': 0}], ['status', 'w', 'half', 1, 'o'], " OK), "a status is an i32"},
        {AST_VALUE("['let', 'w', 'i32', 0], ['try', 'half', 1, 'w'], ['return', 1]"),
         "a function without a status cannot fail: use \"status\""},
        {AST_VALUE("['fail', 'aborted']"), "a function without a status cannot fail"},
        {AST_DOCUMENT(POINTS
                      "{'name': 'f', 'returns': 'f64', 'body': [['return', ['call', 'take', ['call', 'make']]]]}"),
         "the argument for 'q' is a variable, a table, or a part of one"},
        {AST_DOCUMENT(POINTS "{'name': 'f', 'returns': 'i32', 'body': [['return', ['[]', ['.', ['call', 'make'], 'n'], "
                             "1]]]}"),
         "the array of an element is a variable"},
        {AST_DOCUMENT(POINTS
                      "{'name': 'f', 'returns': 'status', 'params': [{'name': 'o', 'type': 'i32', 'dir': 'out'}], "
                      "'body': [['try', 'paint', 'o']]}"),
         "the argument for 'h' is of type i32, hue is expected"},
    };
    CHECK_REFUSED(all);
}

TEST(control_that_goes_nowhere)
{
    static const struct refused all[] = {
        {AST_STATUS("['break'], " OK), "there is no loop and no switch to leave"},
        {AST_STATUS("['if', true, [['break']]], " OK), "there is no loop and no switch to leave"},
        {AST_STATUS("['continue'], " OK), "there is no loop to continue"},
        {AST_STATUS("['switch', 'i', [1], [['continue']]], " OK), "there is no loop to continue"},
        {AST_VALUE("['if', ['<', 'i', 0], [['return', 1]]]"), "functions[2]: 'f' may end without returning a value"},
        {AST_VALUE("['loop', 3, [['return', 1]]]"), "'f' may end without returning a value"},
        {AST_VALUE("['switch', 'i', [1], [['return', 1]]]"), "'f' may end without returning a value"},
        {AST_VALUE("['switch', 'i', [1], [['return', 1]], [], [['break']]]"), "'f' may end without returning a value"},
        {AST_VALUE(""), "'f' may end without returning a value"},
    };
    CHECK_REFUSED(all);
}

TEST(values_that_may_not_be_there)
{
    static const struct refused all[] = {
        {AST_STATUS("['let', 'x', 'i32'], ['=', 'o', 'x']"), "'x' may be read here before it has a value"},
        {AST_STATUS("['let', 'x', 'str'], ['=', 'o', ['i32', ['length', 'x']]]"), "'x' may be read here before"},
        {AST_STATUS("['let', 'x', 'i32'], ['if', ['<', 'i', 0], [['=', 'x', 1]]], ['=', 'o', 'x']"), "'x' may be read"},
        {AST_STATUS("['let', 'x', 'i32'], ['for', 'k', 0, 3, 3, [['=', 'x', 1]]], ['=', 'o', 'x']"), "'x' may be read"},
        {AST_STATUS("['let', 'x', 'i32'], ['switch', 'i', [1], [['=', 'x', 1]]], ['=', 'o', 'x']"), "'x' may be read"},
        {AST_STATUS("['let', 'x', 'i32'], ['loop', 3, [['if', ['<', 'i', 0], [['break']]], ['=', 'x', 1]]], ['=', 'o', "
                    "'x']"),
         "'x' may be read"},
        {AST_STATUS("['let', 'x', 'i32'], ['if', ['&&', ['<', 'i', 0], ['<', 'x', 1]], [" OK "]], " OK),
         "'x' may be read"},
        {AST_STATUS(""), "functions[2]: the output 'o' may have no value here"},
        {AST_STATUS("['if', true, [['return']]], " OK), "the output 'o' may have no value here"},
        {AST_STATUS("['let', 'w', 'i32', 0], ['status', 'w', 'half', 1, 'o']"), "'o' has no value when 'half' fails"},
    };
    CHECK_REFUSED(all);
}

TEST(faults_that_nobody_would_hear_of)
{
    static const struct refused all[] = {
        {AST_VALUE("['return', ['/', 1, 'i']]"), "body[0][1]: the divisor may be 0, and the function has no status"},
        {AST_VALUE("['return', ['%', 1, 'i']]"), "the divisor may be 0"},
        {AST_VALUE("['return', ['[]', 'a', 'i']]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', 8]]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', -1]]"), "the index may be out of range"},
        {AST_VALUE("['if', ['<', 'i', 8], [['return', ['[]', 'a', 'i']]]], ['return', 0]"),
         "the index may be out of range"},
        {AST_VALUE("['if', ['>=', 'i', 0], [['return', ['[]', 'a', 'i']]]], ['return', 0]"), "the index may be out"},
        {AST_VALUE("['if', ['<=', 'u', {'u64': 8}], [['return', ['[]', 'a', 'u']]]], ['return', 0]"),
         "may be out of range"},
        {AST_VALUE("['if', ['!=', 'i', 1], [['return', ['/', 1, 'i']]]], ['return', 0]"), "the divisor may be 0"},
        {AST_VALUE(
             "['if', ['||', ['!=', 'i', 0], ['<', 'u', {'u64': 3}]], [['return', ['/', 1, 'i']]]], ['return', 0]"),
         "the divisor may be 0"},
        {AST_VALUE("['return', ['i32', ['byte', 's', 0]]]"), "the index may be out of the string"},
        {AST_VALUE("['if', ['<=', 'u', ['length', 's']], [['return', ['i32', ['byte', 's', 'u']]]]], ['return', 0]"),
         "the index may be out of the string"},
        {AST_VALUE("['let', 't', 'str', 's'], ['if', ['<', 'u', ['length', 't']], [['=', 't', ['sub', 's', 1, 1]], "
                   "['return', ['i32', ['byte', 't', 'u']]]]], ['return', 0]"),
         "the index may be out of the string"},
        {AST_VALUE("['let', 'n', 'i32', 3], ['loop', 9, [['=', 'n', ['+', 'n', 1]], ['if', ['==', ['[]', 'a', 'n'], "
                   "0], []]]], "
                   "['return', 0]"),
         "the index may be out of range"},
        {AST_VALUE("['let', 'n', 'i32', 0], ['for', 'k', 0, 9, 9, [['if', ['==', ['[]', 'a', 'n'], 0], []], ['=', 'n', "
                   "'k']]], ['return', 0]"),
         "the index may be out of range"},
        {AST_VALUE("['for', 'k', 0, 9, 9, [['if', ['==', ['[]', 'a', 'k'], 0], []]]], ['return', 0]"),
         "may be out of range"},
        {AST_VALUE("['for', 'k', -1, 8, 9, [['if', ['==', ['[]', 'a', 'k'], 0], []]]], ['return', 0]"),
         "may be out of range"},
        {AST_VALUE("['down', 'k', 9, 0, 9, [['if', ['==', ['[]', 'a', 'k'], 0], []]]], ['return', 0]"),
         "may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['&', 'i', 8]]]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['>>', 15, ['+', ['&', 'i', 1], 32]]]]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['>>', 15, ['-', ['&', 'i', 1], 32]]]]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['<<', 1, ['&', 'i', 3]]]]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['%', 'i', 8]]]"), "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['+', ['[]', 'table', ['&', 'i', 3]], 5]]]"),
         "the index may be out of range"},
        {AST_VALUE("['return', ['[]', 'a', ['i32', ['fmin', ['fmax', 'd', {'f64': 0}], {'f64': 8}]]]]"), "may be out"},
        {AST_VALUE("['return', ['[]', 'a', ['%', 'u', {'u64': 9}]]]"), "the index may be out of range"},
        {AST_VALUE("['if', ['==', ['u8', 'i'], {'u8': 7}], [['return', ['[]', 'a', 'i']]]], ['return', 0]"),
         "may be out of"},
        {AST_VALUE("['if', ['!=', 'i', ['&', 'i', 7]], [['return', ['/', 1, 'i']]]], ['return', 0]"), "may be 0"},
        {AST_VALUE(
             "['if', ['||', ['<', 'd', {'f64': 3}], ['>', 'd', {'f64': 5}]], [['return', 0]]], ['return', ['/', 1, "
             "['i32', 'd']]]"),
         "the divisor may be 0"}, /* of NaN */
        {AST_VALUE(
             "['let', 'w', 'i64', ['i64', 'i']], ['if', ['<', 'w', ['i64', ['length', 's']]], [['return', ['i32', "
             "['byte', 's', 'w']]]]], ['return', 0]"),
         "the index may be out of the string"},
        {AST_VALUE(
             "['if', ['||', ['&&', ['>=', 'i', 0], ['<', 'i', 8]], ['==', ['[]', 'a', 'i'], 1]], [['return', 1]]], "
             "['return', 0]"),
         "the index may be out of range"},
        {AST_VALUE("['return', ['?:', ['&&', ['>=', 'i', 0], ['<', 'i', 8]], 0, ['[]', 'a', 'i']]]"),
         "may be out of range"},
    };
    CHECK_REFUSED(all);
}

TEST(what_holds_on_one_way_only)
{
    static const struct refused all[] = {
        {AST_VALUE("['let', 'k', 'i32', 0], ['if', ['<', 'i', 0], [['=', 'k', 9]]], ['return', ['[]', 'a', 'k']]"),
         "the index may be out of range"},
        {AST_VALUE("['let', 'k', 'i32', 9], ['if', ['<', 'i', 0], [['=', 'k', 0]]], ['return', ['[]', 'a', 'k']]"),
         "the index may be out of range"},
        {AST_VALUE("['let', 'x', 'i32'], ['if', ['<', 'i', 0], [], [['=', 'x', 1]]], ['return', 'x']"),
         "'x' may be read"},
        {AST_VALUE("['for', 'k', ['&', 'i', 7], 'i', 2, [['if', ['==', ['[]', 'a', 'k'], 1], []]]], ['return', 0]"),
         "the index may be out of range"},
        {AST_VALUE(
             "['let', 't', 'str', 's'], ['for', 'k', {'u64': 0}, ['length', 't'], 9, [['if', ['==', ['byte', 't', "
             "'k'], {'u8': 1}], []], ['=', 't', ['sub', 't', 1, 9]]]], ['return', 0]"),
         "the index may be out of the string"},
        {AST_DOCUMENT("{'name': 'g', 'returns': 'i32', 'params': [{'name': 'c', 'type': 'bool'}], 'body': [['if', 'c', "
                      "[['return', 9]]], ['return', 0]]}, {'name': 'f', 'returns': 'i32', 'body': [['return', ['[]', "
                      "'table', ['call', 'g', true]]]]}"),
         "the index may be out of range"},
    };
    CHECK_REFUSED(all);
}
