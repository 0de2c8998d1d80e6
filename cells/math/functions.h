/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The math cell's interface: this header is its schema. The functions are hot: a program that imports the cell gets
 * them themselves, proven harmless, and runs them without a call. Comments with three slashes reach those programs.
 */
#ifndef CELLS_MATH_FUNCTIONS_H
#define CELLS_MATH_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <cell/attrs.h>
#include <cell/errors.h>
#include <cell/types.h>

/// Most coefficients of a polynomial or a series.
CELL_EXPORT(MATH_MAX_COEFFICIENTS, 16);
/// Most points of a table.
CELL_EXPORT(MATH_MAX_POINTS, 64);
/// Most points of a quadrature rule.
CELL_EXPORT(MATH_MAX_NODES, 16);
/// Most variables, and most constraints, of a linear or quadratic program.
CELL_EXPORT(MATH_MAX_VARIABLES, 8);

/// A polynomial, or a series of Chebyshev polynomials: c[0] to c[count - 1], the constant term first.
struct math_polynomial {
    int32_t count; ///< 1 to MATH_MAX_COEFFICIENTS
    double c[16];
};

/// Real roots in ascending order, each once, however often it is one.
struct math_roots {
    int32_t count;
    double x[4]; ///< What is behind `count` is 0.
};

/// Points of a table.
struct math_points {
    int32_t count; ///< Up to MATH_MAX_POINTS
    double x[64];
    double y[64];
};

/// A straight line, and how well it fits.
struct math_line {
    double slope;
    double intercept; ///< The value at 0.
    double r_squared; ///< The part of the variance that it explains: 1 when all points lie on it.
};

/// A cubic spline: its knots, and the second derivatives there.
struct math_spline {
    int32_t count;
    double x[64];
    double y[64];
    double second[64];
};

/// Where to evaluate a function, and with what weights to add the values, for its integral.
struct math_rule {
    int32_t count;
    double x[16]; ///< Ascending
    double weight[16];
};

/// Maximise objective · x subject to matrix x <= limit and x >= 0.
struct math_linear_program {
    int32_t variables;   ///< 1 to MATH_MAX_VARIABLES
    int32_t constraints; ///< 1 to MATH_MAX_VARIABLES
    double objective[8];
    double matrix[64]; ///< Row i begins at 8 i.
    double limit[8];
};

/// Minimise ½ x · matrix x + linear · x subject to low <= x <= high.
struct math_box_program {
    int32_t variables; ///< 1 to MATH_MAX_VARIABLES
    double matrix[64]; ///< Symmetric and positive definite; row i begins at 8 i. The lower triangle is read.
    double linear[8];
    double low[8];
    double high[8];
};

/// The solution of a program.
struct math_optimum {
    double value; ///< Of the objective
    double x[8];
};

/// A telephone number as in ITU-T E.164: the country code first, without the plus sign.
struct math_phone {
    int64_t number;
    int32_t digits; ///< 7 to 15
};

/// Units of length, mass, time, volume, speed, pressure, energy, temperature and angle.
enum math_unit {
    MATH_METRE = 0,
    MATH_INCH = 1,
    MATH_FOOT = 2,
    MATH_YARD = 3,
    MATH_MILE = 4,
    MATH_NAUTICAL_MILE = 5,
    MATH_KILOGRAM = 6,
    MATH_POUND = 7,
    MATH_OUNCE = 8,
    MATH_SECOND = 9,
    MATH_MINUTE = 10,
    MATH_HOUR = 11,
    MATH_DAY = 12,
    MATH_LITRE = 13,
    MATH_US_GALLON = 14,
    MATH_METRE_PER_SECOND = 15,
    MATH_KILOMETRE_PER_HOUR = 16,
    MATH_MILE_PER_HOUR = 17,
    MATH_KNOT = 18,
    MATH_PASCAL = 19,
    MATH_BAR = 20,
    MATH_ATMOSPHERE = 21,
    MATH_PSI = 22, ///< Pound-force per square inch
    MATH_JOULE = 23,
    MATH_KILOWATT_HOUR = 24,
    MATH_CALORIE = 25, ///< Thermochemical
    MATH_KELVIN = 26,
    MATH_CELSIUS = 27,
    MATH_FAHRENHEIT = 28,
    MATH_RADIAN = 29,
    MATH_DEGREE = 30
};

/// What is known of a payment before it is made.
struct math_payment {
    int64_t amount_cents;
    int64_t usual_cents; ///< What this account pays on average; 0: not known.
    int32_t account_age_days;
    int32_t payments_last_hour;
    int32_t failed_last_day; ///< Attempts that were declined.
    bool new_device;
    bool foreign_card; ///< Issued in another country than the one it is used from.
    bool address_differs;
};

/* ---- polynomials.c ---- */

/// The value of a polynomial. Fails with CELL_INVALID_ARGUMENT when it has no coefficients or too many.
CELL_HOT enum cell_status math_polynomial_at(const struct math_polynomial *p, double x, double *value);

/// The value of a series of Chebyshev polynomials of the first kind on the interval from low to high. Fails with
/// CELL_INVALID_ARGUMENT when it has no coefficients or too many, or the interval is empty.
CELL_HOT enum cell_status math_chebyshev_at(const struct math_polynomial *series, double low, double high, double x,
                                            double *value);

/// A root of a polynomial near `start`, by Newton's method. Fails with CELL_INVALID_ARGUMENT as math_polynomial_at, and
/// with CELL_NOT_FOUND when it leads nowhere.
CELL_HOT enum cell_status math_newton_root(const struct math_polynomial *p, double start, double *root);

/// A root of a polynomial between low and high, where its signs must differ, by Brent's method. Fails with
/// CELL_INVALID_ARGUMENT as math_polynomial_at, and when the signs are the same.
CELL_HOT enum cell_status math_brent_root(const struct math_polynomial *p, double low, double high, double *root);

/* ---- roots.c ---- */

/// The real roots of a x² + b x + c; none when all three are 0, or one is not finite.
CELL_HOT struct math_roots math_quadratic_roots(double a, double b, double c);

/// The real roots of a x³ + b x² + c x + d; none when all four are 0, or one is not finite.
CELL_HOT struct math_roots math_cubic_roots(double a, double b, double c, double d);

/// The real roots of a x⁴ + b x³ + c x² + d x + e; none when all five are 0, or one is not finite.
CELL_HOT struct math_roots math_quartic_roots(double a, double b, double c, double d, double e);

/* ---- fitting.c ---- */

/// The straight line of least squares. Fails with CELL_INVALID_ARGUMENT for less than 2 points, or too many, and with
/// CELL_FAILED_PRECONDITION when all x are the same.
CELL_HOT enum cell_status math_fit_line(const struct math_points *p, struct math_line *line);

/// The polynomial of least squares of the given degree, 0 to 8. Fails with CELL_INVALID_ARGUMENT for another degree or
/// too many points, and with CELL_FAILED_PRECONDITION when there are not more different x than the degree.
CELL_HOT enum cell_status math_fit_polynomial(const struct math_points *p, int32_t degree, struct math_polynomial *fit);

/// The natural cubic spline through the points. Fails with CELL_INVALID_ARGUMENT for less than 2 points, or too many,
/// and when x does not ascend.
CELL_HOT enum cell_status math_spline_fit(const struct math_points *p, struct math_spline *spline);

/// The value of a spline, which goes on as a straight line beyond its ends. Fails with CELL_INVALID_ARGUMENT when it is
/// none.
CELL_HOT enum cell_status math_spline_at(const struct math_spline *spline, double x, double *value);

/* ---- integrals.c ---- */

/// The rule of Gauss and Legendre with n points for integrals from low to high: exact for polynomials of degree
/// 2 n - 1. Fails with CELL_INVALID_ARGUMENT unless n is 1 to MATH_MAX_NODES.
CELL_HOT enum cell_status math_gauss_legendre(int32_t n, double low, double high, struct math_rule *rule);

/// The integral of a tabulated function, by Simpson's rule for any distances. Fails with CELL_INVALID_ARGUMENT for less
/// than 2 points, or too many, and when x does not ascend.
CELL_HOT enum cell_status math_simpson(const struct math_points *p, double *integral);

/* ---- linear.c ---- */

/// Solves a x = b, three equations; row i of `a` begins at 3 i. Fails with CELL_FAILED_PRECONDITION when `a` is
/// singular as far as its accuracy shows.
CELL_HOT enum cell_status math_solve3(const double a[9], const double b[3], double x[3]);

/// Solves a x = b, four equations; row i of `a` begins at 4 i. Fails as math_solve3.
CELL_HOT enum cell_status math_solve4(const double a[16], const double b[4], double x[4]);

/* ---- programs.c ---- */

/// Solves a linear program by the simplex method. Fails with CELL_INVALID_ARGUMENT when it has no variables or
/// constraints, or too many, CELL_NOT_FOUND when nothing satisfies the constraints, and CELL_OUT_OF_RANGE when the
/// objective has no maximum.
CELL_HOT enum cell_status math_maximize(const struct math_linear_program *p, struct math_optimum *optimum);

/// Solves a quadratic program with bounds by the active set method. Fails with CELL_INVALID_ARGUMENT when it has no
/// variables, or too many, or an interval is empty, and CELL_FAILED_PRECONDITION when the matrix is not positive
/// definite.
CELL_HOT enum cell_status math_minimize(const struct math_box_program *p, struct math_optimum *optimum);

/* ---- special.c ---- */

/// The incomplete gamma function P(a, x), regularised: the distribution function of the gamma distribution. Fails with
/// CELL_INVALID_ARGUMENT unless 0 < a <= 1,000,000 and x >= 0.
CELL_HOT enum cell_status math_gamma_p(double a, double x, double *value);

/// The incomplete beta function I(x; a, b), regularised: the distribution function of the beta distribution. Fails with
/// CELL_INVALID_ARGUMENT unless a and b are above 0 and at most 1,000,000, and x is in [0, 1].
CELL_HOT enum cell_status math_beta_i(double a, double b, double x, double *value);

/// The x below which a normally distributed value (mean 0, deviation 1) lies with probability p. NaN unless p is in
/// [0, 1]; infinite at its ends.
CELL_HOT double math_normal_quantile(double p);

/* ---- checks.c ---- */

/// Whether the last of 2 to 32 digits is right by the formula of Luhn (ISO/IEC 7812-1): card numbers.
CELL_HOT bool math_luhn_valid(cell_str number);

/// Whether it is an ISBN of ten characters, without hyphens (ISO 2108:1992).
CELL_HOT bool math_isbn10_valid(cell_str isbn);

/// Whether it is an ISBN of thirteen digits, without hyphens (ISO 2108:2017).
CELL_HOT bool math_isbn13_valid(cell_str isbn);

/// Whether it is an IBAN in its electronic form, without spaces (ISO 13616-1): a country of the registry, with the
/// length that it has there, and the check digits (ISO/IEC 7064, MOD 97-10).
CELL_HOT bool math_iban_valid(cell_str iban);

/// Whether it has the syntax of an e-mail address: a dot-atom (RFC 5321, 4.1.2), '@', and two or more labels of a
/// domain (RFC 1123, 2.1). No quoted parts, no address literals, ASCII only.
CELL_HOT bool math_email_valid(cell_str address);

/// Reads a telephone number in international form, "+49 (30) 123-4567": spaces, hyphens, dots, slashes and brackets may
/// stand between the digits. Fails with CELL_INVALID_ARGUMENT for anything else.
CELL_HOT enum cell_status math_phone_parse(cell_str text, struct math_phone *phone);

/* ---- values.c ---- */

/// Converts a value from one unit to another of the same quantity. Fails with CELL_INVALID_ARGUMENT when they are of
/// different quantities.
CELL_HOT enum cell_status math_convert(double value, enum math_unit from, enum math_unit to, double *converted);

/// How likely a payment is fraud, in percent: 0 to 100. The weights are examples; a real cell has its own.
CELL_HOT int32_t math_fraud_score(const struct math_payment *payment);

#endif
