/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Runs the cases of hot_cases.c in turns: as the cell's own C, as the cell served them, and in Lua. For
 * utils/bench/hot.
 *
 *   bench-hot ROUNDS MICROSECONDS [LUA-FILE]      of each round and way
 *
 * Prints "CASE WAY NS-PER-CALL" for each round. Results must agree bit for bit, those of Lua up to 1e-9.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hot_cases.h"
#ifdef HOT_LUA
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

enum way { DIRECT, VERIFIED, LUA, WAYS };
static const char *const way_names[WAYS] = {"direct", "verified", "lua"};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#ifdef HOT_LUA
static lua_State *lua;

static void load_lua(const char *path)
{
    lua = luaL_newstate();
    if (!lua || (luaL_openlibs(lua), luaL_dofile(lua, path)) != LUA_OK) {
        fprintf(stderr, "bench-hot: %s\n", lua ? lua_tostring(lua, -1) : "no memory for Lua");
        exit(1);
    }
}

static bool lua_has(const char *name)
{
    const bool has = lua && lua_getglobal(lua, name) == LUA_TFUNCTION;
    if (lua)
        lua_settop(lua, 0);
    return has;
}

/* As a program would that embeds it: the function once, then a protected call for each value. */
static double run_lua(const char *name, long calls)
{
    double sum = 0;
    lua_getglobal(lua, name);
    for (long i = 0; i < calls; i++) {
        lua_pushvalue(lua, 1);
        lua_pushinteger(lua, i % 16);
        if (lua_pcall(lua, 1, 1, 0) != LUA_OK) {
            fprintf(stderr, "bench-hot: %s: %s\n", name, lua_tostring(lua, -1));
            exit(1);
        }
        sum += lua_isboolean(lua, -1) ? lua_toboolean(lua, -1) : lua_tonumber(lua, -1);
        lua_pop(lua, 1);
    }
    lua_settop(lua, 0);
    return sum;
}
#else
static void load_lua(const char *path)
{
    fprintf(stderr, "bench-hot: built without Lua, which %s is for\n", path);
    exit(2);
}
static bool lua_has(const char *name) { return name == NULL; }
static double run_lua(const char *name, long calls) { return name ? (double)calls : 0; }
#endif

static double run(unsigned which, enum way way, long calls)
{
    switch (way) {
    case DIRECT:
        return hot_direct_cases[which].run(calls);
    case VERIFIED:
        return hot_verified_cases[which].run(calls);
    default:
        return run_lua(hot_direct_cases[which].name, calls);
    }
}

static void check(unsigned which, enum way way)
{
    const double right = run(which, DIRECT, 16), got = run(which, way, 16);
    if (way == LUA ? fabs(got - right) <= 1e-9 * fmax(1, fabs(right)) : memcmp(&got, &right, sizeof(got)) == 0)
        return;
    fprintf(stderr, "bench-hot: %s gives %.17g (%s), not %.17g\n", hot_direct_cases[which].name, got, way_names[way],
            right);
    exit(1);
}

/* How many calls fill `ns`, a multiple of 16. */
static long calibrate(unsigned which, enum way way, int64_t ns)
{
    for (long calls = 16;; calls *= 2) {
        const int64_t start = now_ns();
        volatile double sum = run(which, way, calls);
        (void)sum;
        if (now_ns() - start > ns / 2)
            return calls;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench-hot ROUNDS MICROSECONDS [LUA-FILE]\n");
        return 2;
    }
    if (argc > 3)
        load_lua(argv[3]);
    const long rounds = strtol(argv[1], NULL, 10), us = strtol(argv[2], NULL, 10);
    long calls[HOT_CASES][WAYS] = {{0}};
    for (unsigned i = 0; i < HOT_CASES; i++) {
        for (enum way w = DIRECT; w < WAYS; w++) {
            if (w == LUA && !lua_has(hot_direct_cases[i].name))
                continue;
            check(i, w);
            calls[i][w] = calibrate(i, w, us * 1000);
        }
        calls[i][VERIFIED] = calls[i][DIRECT]; /* of the two that are compared closely */
    }
    for (long round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < HOT_CASES; i++) {
            for (unsigned k = 0; k < WAYS; k++) {
                const enum way w = round % 2 ? WAYS - 1 - k : k;
                if (calls[i][w] == 0)
                    continue;
                const int64_t start = now_ns();
                volatile double sum = run(i, w, calls[i][w]);
                (void)sum;
                printf("%s %s %.3f\n", hot_direct_cases[i].name, way_names[w],
                       (double)(now_ns() - start) / (double)calls[i][w]);
            }
        }
    }
    return 0;
}
