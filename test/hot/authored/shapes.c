/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Floats, structs, arrays, tables, outputs and calls. */
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include <cell/serve.h>

CELL_PROVIDE(shapes, "Structs and numbers");

struct shapes_point {
    double x, y;
    int8_t tag;
};
struct shapes_path {
    struct shapes_point points[3];
    uint16_t lengths[4];
    cell_str name;
    enum shapes_kind { SHAPES_OPEN, SHAPES_CLOSED } kind;
    bool good;
};

static const double weights[] = {0.5, -1.25, 1e-3, 0x1.8p-2, DBL_EPSILON};
static const float halves[2][2] = {{0.5f, 0.25f}, {0.125f}};
static const struct {
    int32_t code;
    double rate;
    cell_str name;
} rates[] = {{978, 1.0, {"EUR", 3}}, {840, 1.0825, CELL_STR("USD")}, {826, 0.875}};
static const double golden = 1.6180339887498949;
static const int32_t offsets[5] = {[3] = 7, [1] = -2};

CELL_HOT double shapes_floats(double a, float b, int32_t n, uint64_t u)
{
    double x = a * b + n - (float)u / 3;
    float y = b * 1.5f - 2;
    y += a;
    x -= y * golden;
    x *= weights[3];
    y /= 7;
    x++;
    --y;
    return x + -y + (double)(float)a + halves[1][0];
}

CELL_HOT double shapes_functions(double x, double y, float z)
{
    double a = fabs(x) < 1e6 ? sin(x) + cos(y) * exp(-fabs(x) / 1e7) : floor(y) - ceil(x);
    a += sqrt(fabs(x)) + cbrt(y) + hypot(x, y) + trunc(x) + round(y) + fmod(x, 3) + copysign(y, 1);
    a += fma(1, 2, y) > 4 ? log1p(fabs(y)) : 0;
    a += sqrtf(fabsf(z)) + floorf(z) + fma(x, y, a) + atan2(y, x) + pow(2, y > 8 ? 8 : 1);
    a += fmax(x, 1) + fmin(y + 1, 2) + ldexp(x, 3) + rint(z) + fabs(-x);
    return a;
}

CELL_HOT int32_t shapes_tests(double x, float y)
{
    int32_t n = 0;
    if (isnan(x))
        n |= 1;
    if (isinf(y))
        n |= 2;
    n |= isfinite(x) ? 4 : 0;
    if (!isnan(x) && signbit(x))
        n |= 8;
    if (x != x || y == INFINITY || x < -HUGE_VAL)
        n |= 16;
    return n + (isnan(y) != 0) * 32;
}

/* From float to integer where C says what comes out. */
CELL_HOT int64_t shapes_whole(double x, float y)
{
    int64_t n = x > -9e18 && x < 9e18 ? (int64_t)x : -1;
    uint8_t b = y >= 0 && y < 256 ? y : 7;
    int32_t i = x > -2e9 && x < 2e9 ? x : 0;
    bool t = y;
    return n + b * i + t;
}

static struct shapes_point moved(struct shapes_point p, double by)
{
    p.x += by;
    p.tag++;
    return p;
}

static double length(const struct shapes_point *p) { return sqrt(p->x * p->x + p->y * p->y); }

static void scale(struct shapes_point *p, double by)
{
    p->x *= by;
    p->y = (*p).y * by;
}

static void clear(struct shapes_point *p) { *p = (struct shapes_point){.y = 1}; }

static void sort(double v[3])
{
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2 - i; j++)
            if (v[j] > v[j + 1]) {
                double t = v[j];
                v[j] = v[j + 1];
                v[j + 1] = t;
            }
}

CELL_HOT struct shapes_point shapes_moved(struct shapes_point p, const struct shapes_point *q, double by)
{
    struct shapes_point r = moved(p, by), zero;
    clear(&zero);
    scale(&r, q->y);
    if (r.x > 1e3)
        return (struct shapes_point){.tag = q->tag, .x = moved(*q, 1).x + zero.y};
    r.y = length(q) + length(&r);
    return r;
}

CELL_HOT int shapes_walk(const struct shapes_path *p, int32_t i, struct shapes_path *out, double sorted[3])
{
    double m[3][2] = {{1, p->points[0].x}, {[1] = 4}}, v[3];
    struct shapes_path copy = *p;
    if (i < 0 || i >= 3)
        return CELL_NOT_FOUND;
    copy.points[i] = moved(p->points[2 - i], m[i][1]);
    copy.lengths[i + 1] += 3 * p->lengths[i];
    copy.kind = p->kind == SHAPES_OPEN ? SHAPES_CLOSED : SHAPES_OPEN;
    copy.good ^= true;
    copy.name = i == 1 ? CELL_STR("one") : p->name;
    m[i][0] = m[2 - i][1] + offsets[i];
    for (int k = 0; k < 3; k++)
        v[k] = p->points[k].y + m[k][0];
    sort(v);
    for (int k = 0; k < 3; k++)
        sorted[k] = v[k];
    *out = copy;
    return 0;
}

static enum cell_status rate_of(int32_t code, double *rate, cell_str *name)
{
    for (int i = 0; i < 3; i++)
        if (rates[i].code == code) {
            *rate = rates[i].rate;
            *name = rates[i].name;
            return CELL_OK;
        }
    return CELL_NOT_FOUND;
}

CELL_HOT int shapes_convert(double amount, uint8_t from, uint8_t to, double *result, cell_str *name)
{
    static const int32_t codes[4] = {978, 840, 826, 1};
    double a, b;
    cell_str unused;
    int r = rate_of(codes[from % 4], &a, &unused);
    if (r < 0)
        return r;
    if ((r = rate_of(codes[to & 3], &b, name)) != 0)
        return r == CELL_NOT_FOUND ? CELL_INVALID_ARGUMENT : CELL_INTERNAL;
    *result = amount / a * b;
    return from == to ? CELL_ALREADY_EXISTS : 0;
}

CELL_HOT int shapes_twice(double amount, uint8_t from, double *result, cell_str *name)
{
    double once;
    (void)shapes_convert(amount, from, (uint8_t)(from + 1), &once, name);
    if (shapes_convert(amount, from, 1, &once, name) < 0 && from % 4 != 1)
        return CELL_ABORTED;
    return shapes_convert(amount, (uint8_t)(from + 1), from, result, name);
}

CELL_HOT float shapes_polynomial(float x, const float c[6], uint8_t degree)
{
    float y = 0;
    char text[4] = "ab";
    if (degree > 5)
        degree = 5;
    for (int i = degree; i >= 0; i--)
        y = y * x + c[i];
    return y + text[1] * text[3];
}
