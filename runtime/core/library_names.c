/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions of the C library that compilers call without being told to: for what the language has (a struct is copied
 * with memcpy), for builtins (__builtin_round is a call of round), and in place of others. They call them by name, so
 * that a static function of that name would be called instead, whatever its parameters are. Most are those that LLVM
 * lists in RuntimeLibcalls.def and makes in BuildLibCalls.h; the mathematical ones are there with all their types. */
#include <stdlib.h>
#include <string.h>

#include "core/schema_impl.h"

static const char *const names[] =
    {/* sorted */
     "abort",         "abs",         "acos",        "acosf",        "acosh",         "acoshf",        "acoshl",
     "acosl",         "alloca",      "asin",        "asinf",        "asinh",         "asinhf",        "asinhl",
     "asinl",         "atan",        "atan2",       "atan2f",       "atan2l",        "atanf",         "atanh",
     "atanhf",        "atanhl",      "atanl",       "bcmp",         "bcopy",         "bzero",         "cabs",
     "cabsf",         "cabsl",       "cacos",       "cacosf",       "cacosh",        "cacoshf",       "cacoshl",
     "cacosl",        "calloc",      "carg",        "cargf",        "cargl",         "casin",         "casinf",
     "casinh",        "casinhf",     "casinhl",     "casinl",       "catan",         "catanf",        "catanh",
     "catanhf",       "catanhl",     "catanl",      "cbrt",         "cbrtf",         "cbrtl",         "ccos",
     "ccosf",         "ccosh",       "ccoshf",      "ccoshl",       "ccosl",         "ceil",          "ceilf",
     "ceill",         "cexp",        "cexpf",       "cexpl",        "cimag",         "cimagf",        "cimagl",
     "clog",          "clogf",       "clogl",       "conj",         "conjf",         "conjl",         "copysign",
     "copysignf",     "copysignl",   "cos",         "cosf",         "cosh",          "coshf",         "coshl",
     "cosl",          "cpow",        "cpowf",       "cpowl",        "cproj",         "cprojf",        "cprojl",
     "creal",         "crealf",      "creall",      "csin",         "csinf",         "csinh",         "csinhf",
     "csinhl",        "csinl",       "csqrt",       "csqrtf",       "csqrtl",        "ctan",          "ctanf",
     "ctanh",         "ctanhf",      "ctanhl",      "ctanl",        "erf",           "erfc",          "erfcf",
     "erfcl",         "erff",        "erfl",        "exit",         "exp",           "exp10",         "exp10f",
     "exp10l",        "exp2",        "exp2f",       "exp2l",        "expf",          "expl",          "expm1",
     "expm1f",        "expm1l",      "fabs",        "fabsf",        "fabsl",         "fdim",          "fdimf",
     "fdiml",         "fegetenv",    "fegetmode",   "fesetenv",     "fesetmode",     "ffs",           "ffsl",
     "ffsll",         "floor",       "floorf",      "floorl",       "fma",           "fmaf",          "fmal",
     "fmax",          "fmaxf",       "fmaximum",    "fmaximum_num", "fmaximum_numf", "fmaximum_numl", "fmaximumf",
     "fmaximuml",     "fmaxl",       "fmin",        "fminf",        "fminimum",      "fminimum_num",  "fminimum_numf",
     "fminimum_numl", "fminimumf",   "fminimuml",   "fminl",        "fmod",          "fmodf",         "fmodl",
     "fprintf",       "fputc",       "fputs",       "free",         "frexp",         "frexpf",        "frexpl",
     "fwrite",        "hypot",       "hypotf",      "hypotl",       "ilogb",         "ilogbf",        "ilogbl",
     "isascii",       "isdigit",     "labs",        "ldexp",        "ldexpf",        "ldexpl",        "lgamma",
     "lgamma_r",      "lgammaf",     "lgammaf_r",   "lgammal",      "lgammal_r",     "llabs",         "llrint",
     "llrintf",       "llrintl",     "llround",     "llroundf",     "llroundl",      "log",           "log10",
     "log10f",        "log10l",      "log1p",       "log1pf",       "log1pl",        "log2",          "log2f",
     "log2l",         "logb",        "logbf",       "logbl",        "logf",          "logl",          "longjmp",
     "lrint",         "lrintf",      "lrintl",      "lround",       "lroundf",       "lroundl",       "malloc",
     "memccpy",       "memchr",      "memcmp",      "memcpy",       "memmem",        "memmove",       "mempcpy",
     "memrchr",       "memset",      "modf",        "modff",        "modfl",         "nan",           "nanf",
     "nanl",          "nearbyint",   "nearbyintf",  "nearbyintl",   "nextafter",     "nextafterf",    "nextafterl",
     "nexttoward",    "nexttowardf", "nexttowardl", "pow",          "powf",          "powl",          "printf",
     "putc",          "putchar",     "puts",        "realloc",      "remainder",     "remainderf",    "remainderl",
     "remquo",        "remquof",     "remquol",     "rint",         "rintf",         "rintl",         "round",
     "roundeven",     "roundevenf",  "roundevenl",  "roundf",       "roundl",        "scalbln",       "scalblnf",
     "scalblnl",      "scalbn",      "scalbnf",     "scalbnl",      "setjmp",        "siglongjmp",    "sigsetjmp",
     "sin",           "sincos",      "sincosf",     "sincosl",      "sinf",          "sinh",          "sinhf",
     "sinhl",         "sinl",        "snprintf",    "sprintf",      "sqrt",          "sqrtf",         "sqrtl",
     "stpcpy",        "stpncpy",     "strcat",      "strchr",       "strcmp",        "strcpy",        "strcspn",
     "strdup",        "strlcat",     "strlcpy",     "strlen",       "strncat",       "strncmp",       "strncpy",
     "strndup",       "strnlen",     "strpbrk",     "strrchr",      "strspn",        "strstr",        "strtod",
     "strtof",        "strtol",      "strtold",     "strtoll",      "strtoul",       "strtoull",      "tan",
     "tanf",          "tanh",        "tanhf",       "tanhl",        "tanl",          "tgamma",        "tgammaf",
     "tgammal",       "toascii",     "trunc",       "truncf",       "truncl",        "vfprintf",      "vprintf",
     "vsnprintf",     "vsprintf"};

static int compare(const void *name, const void *entry)
{
    const char *other;
    memcpy(&other, entry, sizeof(other));
    return strcmp(name, other);
}

bool cell_is_library_function(const char *name)
{
    return bsearch(name, names, sizeof(names) / sizeof(names[0]), sizeof(names[0]), compare) != NULL;
}
