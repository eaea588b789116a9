/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/spzf.h"
#include "mimo/spzf_core.h"

#include <math.h>

double spzf_dist(int n, const double *magnitude)
{
    double sum = 0.0, top = 0.0;
    for (int i = 0; i < n; i++) {
        sum += magnitude[i];
        top = spzf_larger(top, magnitude[i]);
    }
    return sum - 2.0 * top;
}

bool spzf_feasible(int n, const double *magnitude)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        sum += magnitude[i];
    }
    return n > 0 && spzf_closes(sum, spzf_dist(n, magnitude));
}

double spzf_pseudo_loss(int n, const double *magnitude, int n_sets, const int *labels, double *dists, bool *e1)
{
    double loss = 0.0, largest = 0.0;
    bool failed = false;
    for (int i = 0; i < n; i++) {
        largest = spzf_larger(largest, magnitude[i]);
    }
    for (int p = 0; p < n_sets; p++) {
        double sum = 0.0, top = 0.0;
        bool empty = true;
        for (int i = 0; i < n; i++) {
            if (labels[i] != p) {
                continue;
            }
            empty = false;
            sum += magnitude[i];
            top = spzf_larger(top, magnitude[i]);
        }
        double dist = sum - 2.0 * top;
        loss += empty ? largest : spzf_larger(0.0, -dist);
        failed = failed || empty || !spzf_closes(sum, dist);
        if (dists) {
            dists[p] = dist;
        }
    }
    if (e1) {
        *e1 = failed;
    }
    return loss;
}

/* The two products whose ratio is tan^2 of half the angle opposite c, by differences of nearly equal sides only where
 * they are exact (Kahan): x + y = 4ab. */
static void half_angle(double a, double b, double c, double *x, double *y)
{
    double p = a >= b ? a : b, q = a >= b ? b : a;
    double mu = q >= c ? c - (p - q) : q - (p - c);
    *x = spzf_larger(((p - q) + c) * mu, 0.0);
    *y = spzf_larger((p + (q + c)) * ((p - c) + q), 0.0);
}

double spzf_triangle_angle(double a, double b, double c)
{
    double x, y;
    half_angle(a, b, c, &x, &y);
    return 2.0 * atan2(sqrt(x), sqrt(y));
}

/* cos and sin of the angle opposite c; the common denominator x + y keeps the modulus at 1 even for needles, where
 * (a^2 + b^2 - c^2) / 2ab would not. */
static void triangle_phasor(double a, double b, double c, double *cosine, double *sine)
{
    double x, y;
    half_angle(a, b, c, &x, &y);
    double scale = 1.0 / (x + y);
    *cosine = (y - x) * scale;
    *sine = 2.0 * sqrt(x * y) * scale;
}

/* Which side is as long as the two others together; -1 for a proper triangle. */
static int longest_side(const double side[3])
{
    if (side[0] >= side[1] + side[2]) {
        return 0;
    }
    if (side[1] >= side[0] + side[2]) {
        return 1;
    }
    if (side[2] >= side[0] + side[1]) {
        return 2;
    }
    return -1;
}

static void scale_sides(const double side[3], double scaled[3])
{
    double top = spzf_larger(side[0], spzf_larger(side[1], side[2]));
    double scale = top > 1e-300 ? 1.0 / top : 1.0;
    for (int i = 0; i < 3; i++) {
        scaled[i] = side[i] * scale;
    }
}

void spzf_triangle(const double side[3], double c[3], double s[3])
{
    double t[3];
    scale_sides(side, t);
    int longest = longest_side(t);
    s[0] = s[1] = s[2] = 0.0;
    c[0] = 1.0;
    if (longest >= 0) {
        /* All others against the longest. Side 0 keeps angle 0, so a longest side 1 or 2 is the one that turns. */
        c[1] = longest == 2 ? 1.0 : -1.0;
        c[2] = longest == 1 ? 1.0 : -1.0;
        return;
    }
    double cos_c, sin_c, cos_b, sin_b;
    triangle_phasor(t[0], t[1], t[2], &cos_c, &sin_c);
    triangle_phasor(t[0], t[2], t[1], &cos_b, &sin_b);
    c[1] = -cos_c;
    s[1] = sin_c;
    c[2] = -cos_b;
    s[2] = -sin_b;
}

static void triangle_angles(const double side[3], double angle[3])
{
    double t[3];
    scale_sides(side, t);
    int longest = longest_side(t);
    angle[0] = 0.0;
    if (longest >= 0) {
        angle[1] = longest == 2 ? 0.0 : M_PI;
        angle[2] = longest == 1 ? 0.0 : M_PI;
        return;
    }
    angle[1] = M_PI - spzf_triangle_angle(t[0], t[1], t[2]);
    angle[2] = -(M_PI - spzf_triangle_angle(t[0], t[2], t[1]));
}

static double largest_part(int n, const double complex *h)
{
    double top = 0.0;
    for (int i = 0; i < n; i++) {
        top = spzf_larger(top, spzf_larger(fabs(creal(h[i])), fabs(cimag(h[i]))));
    }
    return top;
}

/* Magnitude of h / scale; safe for scales near the ends of the number range. */
static double scaled_magnitude(double complex h, double scale)
{
    return scale > 0.0 ? hypot(creal(h) / scale, cimag(h) / scale) : 0.0;
}

static int least_bin(const double bin[3])
{
    int b = bin[1] < bin[0] ? 1 : 0;
    return bin[2] < bin[b] ? 2 : b;
}

/* Three bins (2.3): the longest in bin 0, every other in the least one. Called once to fill the bins and, since it is
 * deterministic, a second time to tell where each element went; that needs no memory. */
struct bins {
    double sum[3];
};

static void bins_start(struct bins *bins, double longest)
{
    bins->sum[0] = longest;
    bins->sum[1] = bins->sum[2] = 0.0;
}

static int bins_add(struct bins *bins, double r)
{
    int b = least_bin(bins->sum);
    bins->sum[b] += r;
    return b;
}

static int fill_bins(int n, const double complex *h, double scale, struct bins *bins, bool *feasible)
{
    int longest = 0;
    double top = -1.0, sum = 0.0;
    for (int i = 0; i < n; i++) {
        double r = scaled_magnitude(h[i], scale);
        sum += r;
        if (r > top) {
            top = r;
            longest = i;
        }
    }
    *feasible = n > 0 && spzf_closes(sum, sum - 2.0 * top);
    bins_start(bins, top);
    for (int i = 0; i < n; i++) {
        if (i != longest) {
            bins_add(bins, scaled_magnitude(h[i], scale));
        }
    }
    return longest;
}

bool spzf_polygon(int n, const double complex *h, double complex *beam)
{
    double scale = largest_part(n, h), c[3], s[3];
    struct bins bins, again;
    bool feasible;
    int longest = fill_bins(n, h, scale, &bins, &feasible);
    spzf_triangle(bins.sum, c, s);
    if (n > 0) {
        bins_start(&again, scaled_magnitude(h[longest], scale));
    }
    for (int i = 0; i < n; i++) {
        double r = scaled_magnitude(h[i], scale);
        int b = i == longest ? 0 : bins_add(&again, r);
        double u_re = r > 0.0 ? creal(h[i]) / scale / r : 1.0, u_im = r > 0.0 ? -cimag(h[i]) / scale / r : 0.0;
        beam[i] = spzf_complex(c[b] * u_re - s[b] * u_im, c[b] * u_im + s[b] * u_re);
    }
    return feasible;
}

bool spzf_polygon_angles(int n, const double complex *h, double *theta)
{
    double scale = largest_part(n, h), angle[3];
    struct bins bins, again;
    bool feasible;
    int longest = fill_bins(n, h, scale, &bins, &feasible);
    triangle_angles(bins.sum, angle);
    if (n > 0) {
        bins_start(&again, scaled_magnitude(h[longest], scale));
    }
    for (int i = 0; i < n; i++) {
        double r = scaled_magnitude(h[i], scale);
        int b = i == longest ? 0 : bins_add(&again, r);
        theta[i] = angle[b] - (r > 0.0 ? atan2(cimag(h[i]), creal(h[i])) : 0.0);
    }
    return feasible;
}
