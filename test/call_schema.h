/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The schema of one method with parameters of most kinds, for what reads and writes the JSON of its calls. */
#ifndef CELL_TEST_CALL_SCHEMA_H
#define CELL_TEST_CALL_SCHEMA_H

static const char call_schema[] =
    "{\"schema\":\"cell.schema/1\",\"cell\":\"demo\",\"abi\":\"lp64-le\",\"doc\":\"\",\"types\":["
    "{\"name\":\"demo_color\",\"kind\":\"enum\",\"type\":\"i32\",\"size\":4,\"align\":4,\"values\":["
    "{\"name\":\"DEMO_RED\",\"value\":\"-1\"},{\"name\":\"DEMO_GREEN\",\"value\":\"7\"}]},"
    "{\"name\":\"demo_point\",\"kind\":\"struct\",\"size\":32,\"align\":8,\"fields\":["
    "{\"name\":\"x\",\"type\":\"f64\",\"offset\":0},{\"name\":\"color\",\"type\":\"demo_color\",\"offset\":8},"
    "{\"name\":\"label\",\"type\":\"str\",\"offset\":16}]},"
    "{\"name\":\"demo_points\",\"kind\":\"list\",\"of\":\"demo_point\",\"size\":16,\"align\":8}],"
    "\"constants\":[],\"methods\":[{\"name\":\"demo_all\",\"params\":["
    "{\"name\":\"n\",\"type\":\"u64\",\"dir\":\"in\"},{\"name\":\"maybe\",\"type\":\"opt<i32>\",\"dir\":\"in\"},"
    "{\"name\":\"point\",\"type\":\"demo_point\",\"dir\":\"in\",\"pointer\":true},"
    "{\"name\":\"key\",\"type\":\"u8[4]\",\"dir\":\"in\",\"pointer\":true},"
    "{\"name\":\"out\",\"type\":\"demo_points\",\"dir\":\"out\",\"pointer\":true}]}],"
    "\"streams\":[],\"capabilities\":[],\"functions\":[],\"verbs\":[]}";

#endif
