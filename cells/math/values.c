/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Units, and a score. */
#include <math.h>

#include "functions.h"

/* Of each unit: the quantity, what one of it is in that quantity's SI unit, and the value of its zero there. Thompson,
 * Taylor, Guide for the Use of the International System of Units, NIST SP 811 (2008), appendix B; all are exact by
 * definition but those of the pound-force, which come from two exact ones, and of the degree. */
static const int32_t unit_quantity[31] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4,
                                          4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8};
static const double unit_factor[31] = {1,
                                       0.0254,
                                       0.3048,
                                       0.9144,
                                       1609.344,
                                       1852,
                                       1,
                                       0.45359237,
                                       0.028349523125,
                                       1,
                                       60,
                                       3600,
                                       86400,
                                       0.001,
                                       0.003785411784,
                                       1,
                                       1 / 3.6,
                                       0.44704,
                                       1852.0 / 3600,
                                       1,
                                       100000,
                                       101325,
                                       0.45359237 * 9.80665 / 0.00064516,
                                       1,
                                       3.6e6,
                                       4.184,
                                       1,
                                       1,
                                       5.0 / 9.0,
                                       1,
                                       0.017453292519943295};
static const double unit_zero[31] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 273.15, 459.67 * 5 / 9, 0, 0};

enum cell_status math_convert(double value, enum math_unit from, enum math_unit to, double *converted)
{
    const int32_t f = (int32_t)from, t = (int32_t)to;

    if (f < 0 || f > 30 || t < 0 || t > 30)
        return CELL_INVALID_ARGUMENT;
    if (unit_quantity[f] != unit_quantity[t])
        return CELL_INVALID_ARGUMENT;
    if (f == t)
        *converted = value;
    else
        *converted = (value * unit_factor[f] + (unit_zero[f] - unit_zero[t])) / unit_factor[t];
    return CELL_OK;
}

/* A score card: what is known adds to the logarithm of the odds, each by itself (Siddiqi, Credit Risk Scorecards, 2006,
 * chapter 6); log1p lets the tenth payment weigh less than the second. */
int32_t math_fraud_score(const struct math_payment *payment)
{
    const int64_t amount = payment->amount_cents, usual = payment->usual_cents;
    const int32_t age = payment->account_age_days, hour = payment->payments_last_hour,
                  failed = payment->failed_last_day;
    double odds = -4.2;

    if (usual > 0 && amount > usual)
        odds += 0.9 * log2((double)amount / (double)usual);
    if (usual <= 0 && amount > 50000)
        odds += 1.1;
    if (age < 30)
        odds += age < 2 ? 1.6 : 0.8;
    if (hour > 1)
        odds += 0.8 * log1p(hour - 1);
    if (failed > 0)
        odds += 0.7 * log1p(failed);
    if (payment->new_device)
        odds += 0.9;
    if (payment->foreign_card)
        odds += 0.7;
    if (payment->address_differs)
        odds += payment->new_device ? 1.2 : 0.5;
    return (int32_t)round(100 / (1 + exp(-odds)));
}
