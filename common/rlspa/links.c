/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/links.h"

#include <math.h>

double links_power(const struct links *links, const double *p, size_t stride)
{
    double sum = 0;
    for (int k = 0; k < links->n; k++) {
        sum += links->w2[k] * p[(size_t)k * stride] * p[(size_t)k * stride];
    }
    return sum;
}

static void clip(const struct links *links, double *p, size_t stride)
{
    for (int k = 0; k < links->n; k++) {
        double *const at = &p[(size_t)k * stride];
        *at = *at > 0 ? *at : 0; /* one instruction; fmax is a call with gcc */
    }
}

static void scale(const struct links *links, int always, double *p, size_t stride)
{
    const double power = links_power(links, p, stride);
    if (!(power > (always ? 0 : links->Pt))) {
        return;
    }
    const double factor = sqrt(links->Pt / power);
    for (int k = 0; k < links->n; k++) {
        p[(size_t)k * stride] *= factor;
    }
}

void links_project(const struct links *links, enum links_policy policy, double *p, size_t stride)
{
    if (policy == LINKS_PAPER) {
        scale(links, 0, p, stride);
    }
    if (policy != LINKS_RAW) {
        clip(links, p, stride);
    }
    if (policy == LINKS_SWAP || policy == LINKS_FULL) {
        scale(links, policy == LINKS_FULL, p, stride);
    }
}

void links_equal(const struct links *links, double *p)
{
    double sum = 0;
    for (int k = 0; k < links->n; k++) {
        sum += links->w2[k];
    }
    for (int k = 0; k < links->n; k++) {
        p[k] = sum > 0 ? sqrt(links->Pt / sum) : 0;
    }
}
