/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Acceptance figures of phase-only zero-forcing: runs the Monte-Carlo of an independent implementation of [Hong 2025]
 * again and prints every figure with its uncertainty, the specification's value and the deviation in combined standard
 * errors. spzf_figures [--scale X] [--seed S]; scale multiplies all trial counts. Exit status 1 if any figure is off by
 * more than four standard errors (a specified zero of T trials: by more than 5/T). */
#include "base/stats.h"
#include "mimo/secrecy.h"
#include "mimo/spzf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_N = 128, MAX_K = 4, MAX_EVE = 16 };

static const double none = -1.0; /* the specification has no such figure */

static struct {
    double scale;
    uint64_t seed;
    int n_figures, n_off, n_better;
    double worst;
} run = {1.0, 1, 0, 0, 0, 0.0};

static void print_verdict(bool off, bool better, double deviation)
{
    run.n_figures++;
    run.n_off += off;
    run.n_better += better;
    run.worst = better ? run.worst : fmax(run.worst, fabs(deviation));
    printf(" %+6.2f%s\n", deviation, off ? "  <== OFF" : better ? "  better" : "");
}

/* Two frequencies, hits of T here and spec of T_spec there. The standard error from each sample's own frequency and the
 * pooled one estimate the same thing; a few counts make either too small, so the larger one judges. */
static void report_frequency(const char *name, bool may_be_better, int hits, int T, double spec, double T_spec)
{
    double p = (double)hits / T, pooled = (hits + spec * T_spec) / (T + T_spec);
    double own = sqrt(p * (1.0 - p) / T + spec * (1.0 - spec) / T_spec);
    double error = fmax(own, sqrt(pooled * (1.0 - pooled) * (1.0 / T + 1.0 / T_spec)));
    double deviation = error > 0.0 ? (p - spec) / error : 0.0;
    bool off = spec > 0.0 ? fabs(deviation) > 4.0 : p > 5.0 / T_spec;
    bool better = off && may_be_better && deviation < 0.0;
    printf("%-44s %9.5f +- %.5f  spec %8.5f", name, p, sqrt(p * (1.0 - p) / T), spec);
    print_verdict(off && !better, better, deviation);
}

static void report_mean(const char *name, const struct stats_mean *mean, double spec, double T_spec)
{
    double own = stats_mean_stderr(mean), theirs = own * sqrt((double)mean->count / T_spec);
    double deviation = (mean->mean - spec) / hypot(own, theirs);
    printf("%-44s %9.4f +- %.4f   spec %8.4f ", name, mean->mean, own, spec);
    print_verdict(fabs(deviation) > 4.0, false, deviation);
}

static void draw(struct splitmix *rng, int n_path, int n_row, int n_ant, double complex *H)
{
    if (n_path) {
        secrecy_geometric(rng, n_row, n_ant, n_path, 0.5, H);
    } else {
        secrecy_rayleigh(rng, n_row, n_ant, H);
    }
}

static spzf_t *make(const struct spzf_settings *settings)
{
    spzf_t *spzf;
    if (spzf_create(&spzf, settings)) {
        fprintf(stderr, "spzf_figures: cannot create a solver for N=%d K=%d\n", settings->n_ant, settings->n_user);
        exit(2);
    }
    return spzf;
}

static int scaled(int trials)
{
    double t = trials * run.scale;
    return t < 20.0 ? 20 : (int)t;
}

/* Partition outages --------------------------------------------------------------------------------------------------
 */

enum variant { RND, IT, IT_U, FC, GA, PF, DFS, DFS_MIRROR, N_VARIANT };

static const struct {
    const char *name;
    enum spzf_method method;
    bool uniform, mirrors;
    int trials;    /* ours */
    double T_spec; /* the specification's */
} variants[N_VARIANT] = {
    [RND] = {"RND", SPZF_RANDOM, false, false, 100000, 20000.0},
    [IT] = {"IT", SPZF_ITERATIVE, false, false, 40000, 3000.0},
    [IT_U] = {"IT-u", SPZF_ITERATIVE, true, false, 40000, 4000.0},
    [FC] = {"FC", SPZF_ITERATIVE_FC, false, false, 40000, 4000.0},
    [GA] = {"GA", SPZF_GENETIC, false, false, 2000, 1000.0},
    [PF] = {"PF", SPZF_PAIR_FILL, false, false, 40000, 20000.0},
    [DFS] = {"DFS", SPZF_BEST_FIT, false, false, 40000, 4000.0},
    [DFS_MIRROR] = {"DFS+mirror", SPZF_BEST_FIT, false, true, 40000, 4000.0},
};

struct outage_case {
    int n_path, n_ant, n_sets;
    struct {
        double e1, outage;
    } spec[N_VARIANT];
};

#define NO                                                                                                             \
    {                                                                                                                  \
        -1.0, -1.0                                                                                                     \
    }

/* RND, IT, IT-u, FC, GA, PF, DFS, DFS+mirror; each P(E1), outage. Tables A, B (path 0 = Rayleigh) and D. The 3000-trial
 * outages of table C and the 2000-trial ones of E repeat these. */
static const struct outage_case outage_cases[] = {
    {0,
     9,
     3,
     {{.784, .871}, {.381, .635}, {.369, .611}, {.0785, .440}, {.074, .447}, {.2765, -1}, {.0675, .430}, {-1, .124}}},
    {0,
     12,
     3,
     {{.251, .545}, {.0020, .400}, {.043, .442}, {.0003, .394}, {0, .431}, {.0008, -1}, {0, .407}, {-1, .030}}},
    {0,
     12,
     4,
     {{.863, .876}, {.402, .459}, {.427, .480}, {.0363, .121}, {.041, .137}, {.2060, -1}, {.0223, .109}, {-1, .0233}}},
    {0, 16, 3, {{.0328, -1}, NO, {.0070, -1}, {0, -1}, {0, -1}, {0, -1}, {0, -1}, NO}},
    {0,
     16,
     4,
     {{.322, .386}, {.0013, .108}, {.0498, .154}, {0, .094}, {0, .113}, {.00005, -1}, {0, .096}, {-1, .0005}}},
    {0,
     16,
     5,
     {{.880, .882}, {.112, .129}, {.234, .248}, {.0018, .0185}, {.005, .028}, {.0196, -1}, {0, .0168}, {-1, 0}}},
    {0, 18, 4, {{.202, -1}, NO, {.0288, -1}, {0, -1}, {0, -1}, {0, -1}, {0, -1}, NO}},
    {0, 18, 5, {{.729, .734}, NO, {.098, .119}, {.0008, .0183}, {0, .015}, {.00005, -1}, {0, .0165}, {-1, 0}}},
    {0,
     18,
     6,
     {{.948, .948}, NO, {.526, .527}, {.0140, .0158}, {.217, .217}, {.1406, -1}, {.0063, .0070}, {-1, .0063}}},
    {0, 24, 4, {{.0078, .100}, NO, {.0045, .127}, {0, .096}, {0, .109}, {0, -1}, {0, .093}, {-1, .0005}}},
    {0, 24, 5, {{.148, .162}, {0, .016}, {.0233, .052}, {0, .0173}, {0, .023}, {0, -1}, {0, .0168}, {-1, 0}}},
    {0, 24, 6, {{.436, .437}, {.0013, .0030}, {.066, .069}, {0, .0015}, {0, .007}, {0, -1}, {0, .0035}, {-1, 0}}},
    {0,
     24,
     7,
     {{.902, .902}, {.0183, .0183}, {.165, .166}, {.0015, .0020}, {.006, .007}, {.0001, -1}, {0, .0003}, {-1, 0}}},
    {0, 24, 8, {{.982, -1}, {.582, -1}, {.613, -1}, {.0083, -1}, {.696, -1}, {.110, -1}, {.0048, -1}, NO}},
    {4, 12, 3, {{.112, .441}, NO, {.027, .422}, {0, .371}, {0, .407}, NO, {0, .365}, {-1, .021}}},
    {4, 12, 4, {{.721, .741}, NO, {.290, .344}, {.0098, .0845}, {.011, .076}, NO, {.0043, .0778}, {-1, .0045}}},
    {4, 16, 4, {{.151, .214}, NO, {.034, .130}, {0, .0825}, {0, .092}, NO, {0, .073}, {-1, .0005}}},
    {4, 16, 5, {{.732, .735}, NO, {.155, .169}, {.0013, .0168}, {.001, .015}, NO, {0, .0108}, {-1, 0}}},
    {4, 24, 6, {{.223, .224}, NO, {.052, .055}, {0, .0018}, {0, .001}, NO, {0, .0023}, {-1, 0}}},
    {4, 24, 8, {{.897, .897}, NO, {.460, .460}, {.0033, .0033}, {.551, .551}, NO, {.0010, .0010}, {-1, .0010}}},
    {2, 12, 4, {{.463, .494}, NO, {.178, .226}, {.0065, .073}, {.010, .057}, NO, {.0035, .053}, {-1, .0035}}},
    {2, 16, 4, {{.077, .139}, NO, {.021, .108}, {0, .065}, {0, .095}, NO, {0, .069}, {-1, .0018}}},
    {2, 16, 5, {{.471, .476}, NO, {.093, .102}, {.0005, .009}, {0, .010}, NO, {0, .0103}, {-1, 0}}},
    {1, 12, 3, {{0, .351}, NO, {.024, .434}, {0, .351}, {0, .388}, NO, {0, .367}, {-1, .367}}},
    {1, 12, 4, {{0, .031}, NO, {.125, .201}, {0, .026}, {0, .076}, NO, {0, .036}, {-1, .002}}},
};

static void run_outage(const struct outage_case *c, enum variant v)
{
    static double complex H[MAX_K * MAX_N], beam[MAX_N];
    struct spzf_settings settings = spzf_settings_default(variants[v].method, c->n_ant, 2);
    settings.n_sets = c->n_sets;
    settings.uniform_start = variants[v].uniform;
    settings.mirrors = variants[v].mirrors;
    settings.seed = run.seed;
    struct splitmix rng =
        splitmix_make(run.seed, (uint64_t)((c->n_path * 1000 + c->n_ant * 10 + c->n_sets) * 16 + (int)v));
    spzf_t *spzf = make(&settings);
    int T = scaled(variants[v].trials), e1 = 0, outage = 0;
    for (int t = 0; t < T; t++) {
        struct spzf_result result;
        draw(&rng, c->n_path, 2, c->n_ant, H);
        spzf_execute(spzf, H, beam, &result);
        e1 += (result.outage & SPZF_E1) != 0;
        outage += result.outage != 0;
    }
    spzf_destroy(spzf);
    char name[96], channel[16];
    snprintf(channel, sizeof(channel), c->n_path ? "L=%d" : "Rayleigh", c->n_path);
    if (c->spec[v].e1 > none) {
        snprintf(name, sizeof(name), "%s N=%d P=%d %s P(E1)", channel, c->n_ant, c->n_sets, variants[v].name);
        report_frequency(name, v >= PF, e1, T, c->spec[v].e1, variants[v].T_spec);
    }
    if (c->spec[v].outage > none) {
        snprintf(name, sizeof(name), "%s N=%d P=%d %s outage", channel, c->n_ant, c->n_sets, variants[v].name);
        report_frequency(name, v >= PF, outage, T, c->spec[v].outage, variants[v].T_spec);
    }
}

/* SPZF+ without and with its numerical fallback, and LM alone ---------------------------------------------------------
 */

static const struct solve_case {
    const char *name;
    enum spzf_method method;
    bool fallback;
    int n_path, n_user, n_ant, n_starts, trials;
    double spec, T_spec;
} solve_cases[] = {
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 2, 9, 0, 40000, .0005, 2000.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 2, 10, 0, 40000, 0, 2000.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 2, 12, 0, 40000, 0, 2000.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 2, 14, 0, 40000, 0, 2000.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 2, 16, 0, 40000, 0, 2000.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 1, 2, 12, 0, 40000, 0, 300.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 3, 27, 0, 10000, 0, 200.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 3, 32, 0, 10000, 0, 200.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 3, 40, 0, 10000, 0, 200.0},
    {"SPZF+ (no LM)", SPZF_PLUS, false, 0, 3, 48, 0, 10000, 0, 200.0},
    {"SPZF+ with LM", SPZF_PLUS, true, 0, 2, 9, 3, 40000, 0, 2000.0},
    {"RND default plan", SPZF_RANDOM, false, 0, 3, 27, 0, 10000, 1.0, 200.0},
    {"IT-u default plan", SPZF_ITERATIVE, false, 0, 3, 27, 0, 10000, .845, 200.0},
    {"FC default plan", SPZF_ITERATIVE_FC, false, 0, 3, 27, 0, 10000, .48, 200.0},
    {"DFS default plan", SPZF_BEST_FIT, false, 0, 3, 27, 0, 10000, .475, 200.0},
    {"IT-u default plan", SPZF_ITERATIVE, false, 0, 3, 32, 0, 10000, .695, 200.0},
    {"FC default plan", SPZF_ITERATIVE_FC, false, 0, 3, 32, 0, 10000, .385, 200.0},
    {"IT-u default plan", SPZF_ITERATIVE, false, 0, 3, 48, 0, 10000, .46, 200.0},
    {"FC default plan", SPZF_ITERATIVE_FC, false, 0, 3, 48, 0, 10000, .145, 200.0},
    {"LM 10 starts", SPZF_LM, false, 0, 2, 5, 10, 2000, .257, 300.0},
    {"LM 1 start", SPZF_LM, false, 0, 2, 5, 1, 5000, .47, 300.0},
    {"LM 10 starts", SPZF_LM, false, 0, 2, 6, 10, 4000, .043, 300.0},
    {"LM 1 start", SPZF_LM, false, 0, 2, 6, 1, 5000, .087, 300.0},
    {"LM 10 starts", SPZF_LM, false, 0, 2, 8, 10, 5000, 0, 300.0},
    {"LM 1 start", SPZF_LM, false, 0, 2, 9, 1, 5000, 0, 2000.0},
    {"LM 10 starts", SPZF_LM, false, 0, 3, 7, 10, 2000, .177, 300.0},
    {"LM 1 start", SPZF_LM, false, 0, 3, 7, 1, 5000, .457, 300.0},
    {"LM 10 starts", SPZF_LM, false, 0, 3, 8, 10, 3000, .020, 300.0},
    {"LM 1 start", SPZF_LM, false, 0, 3, 8, 1, 5000, .133, 300.0},
    {"LM 10 starts", SPZF_LM, false, 0, 4, 9, 10, 1500, .09, 300.0},
    {"LM 1 start", SPZF_LM, false, 0, 4, 9, 1, 3000, .46, 300.0},
};

static void run_solve(const struct solve_case *c)
{
    static double complex H[MAX_K * MAX_N], beam[MAX_N];
    struct spzf_settings settings = spzf_settings_default(c->method, c->n_ant, c->n_user);
    settings.fallback = c->fallback;
    settings.uniform_start = true; /* table F's iterative one */
    settings.n_starts = c->n_starts;
    settings.seed = run.seed;
    struct splitmix rng = splitmix_make(run.seed, (uint64_t)(1000000 + c->n_user * 1000 + c->n_ant));
    spzf_t *spzf = make(&settings);
    int T = scaled(c->trials), outage = 0;
    for (int t = 0; t < T; t++) {
        struct spzf_result result;
        draw(&rng, c->n_path, c->n_user, c->n_ant, H);
        spzf_execute(spzf, H, beam, &result);
        outage += result.outage != 0;
    }
    spzf_destroy(spzf);
    char name[96];
    snprintf(name, sizeof(name), "%s K=%d N=%d %s outage", c->n_path ? "L=1" : "Rayleigh", c->n_user, c->n_ant,
             c->name);
    report_frequency(name, c->method > SPZF_GENETIC, outage, T, c->spec, c->T_spec);
}

/* Secrecy (table E) ---------------------------------------------------------------------------------------------------
 */

struct secrecy_case {
    int n_path, n_ant, n_eve, snr_db;
    double T_spec;
    int n_sets[2];     /* of RND and FC */
    double spec[3][2]; /* RND, FC, SPZF+; user 1, user 2 */
    double misome;
};

static const struct secrecy_case secrecy_cases[] = {
    {0, 12, 1, 0, 4000.0, {3, 4}, {{2.099, 2.079}, {2.101, 2.097}, {2.102, 2.096}}, 3.541},
    {0, 12, 1, 20, 4000.0, {3, 4}, {{7.372, 6.879}, {7.517, 7.421}, {7.517, 7.502}}, 10.04},
    {0, 12, 1, 40, 4000.0, {3, 4}, {{12.957, 11.392}, {14.007, 13.521}, {14.060, 14.045}}, 16.68},
    {0, 12, 2, 10, 4000.0, {3, 4}, {{3.158, 3.044}, {3.180, 3.169}, {3.159, 3.190}}, 6.579},
    {0, 12, 2, 40, 4000.0, {3, 4}, {{3.282, 2.630}, {3.998, 3.754}, {3.990, 4.066}}, 16.53},
    {0, 12, 4, 10, 4000.0, {3, 4}, {{1.766, 1.635}, {1.751, 1.755}, {1.754, 1.759}}, 6.266},
    {0, 12, 4, 20, 4000.0, {3, 4}, {{1.797, 1.484}, {1.868, 1.822}, {1.878, 1.883}}, 9.561},
    {0, 12, 4, 40, 4000.0, {3, 4}, {{1.539, 1.212}, {1.864, 1.762}, {1.894, 1.899}}, 16.20},
    {0, 12, 8, 40, 2000.0, {3, 4}, {{.520, .392}, {.606, .562}, {.611, .626}}, 15.13},
    {0, 16, 1, 40, 2000.0, {4, 5}, {{13.17, 13.99}, {14.52, 14.42}, {14.50, 14.51}}, 17.17},
    {0, 16, 4, 40, 2000.0, {4, 5}, {{1.695, 2.121}, {2.322, 2.281}, {2.298, 2.317}}, 16.82},
    {4, 16, 4, 40, 2000.0, {4, 5}, {{2.01, 2.10}, {2.25, 2.21}, {2.24, 2.22}}, 16.40},
};

static void run_secrecy(const struct secrecy_case *c)
{
    static const char *const names[3] = {"RND", "FC", "SPZF+"};
    static const enum spzf_method methods[3] = {SPZF_RANDOM, SPZF_ITERATIVE_FC, SPZF_PLUS};
    static double complex H[2 * MAX_N], He[MAX_EVE * MAX_N], beam[MAX_N];
    struct stats_mean rate[3][2] = {{{0, 0.0, 0.0}}}, misome = {0, 0.0, 0.0};
    struct splitmix rng = splitmix_make(run.seed, (uint64_t)(2000000 + c->n_ant * 1000 + c->n_eve * 100 + c->snr_db));
    double rho = pow(10.0, c->snr_db / 10.0);
    spzf_t *spzf[3];
    for (int m = 0; m < 3; m++) {
        struct spzf_settings settings = spzf_settings_default(methods[m], c->n_ant, 2);
        settings.n_sets = m < 2 ? c->n_sets[m] : 0;
        settings.seed = run.seed;
        spzf[m] = make(&settings);
    }
    for (int t = 0, T = scaled(8000); t < T; t++) {
        double bound;
        draw(&rng, c->n_path, 2, c->n_ant, H);
        draw(&rng, c->n_path, c->n_eve, c->n_ant, He);
        for (int m = 0; m < 3; m++) {
            spzf_execute(spzf[m], H, beam, NULL);
            for (int u = 0; u < 2; u++) {
                stats_mean_add(&rate[m][u],
                               secrecy_single_chain(c->n_ant, c->n_eve, H + u * c->n_ant, He, beam, rho).rate_bits);
            }
        }
        if (t % 8 == 0 && secrecy_misome_bits(c->n_ant, c->n_eve, H, He, rho, &bound) == 0) {
            stats_mean_add(&misome, bound);
        }
    }
    char name[96], label[48];
    snprintf(label, sizeof(label), "%s N=%d Ne=%d %d dB", c->n_path ? "L=4" : "Rayleigh", c->n_ant, c->n_eve,
             c->snr_db);
    for (int m = 0; m < 3; m++) {
        for (int u = 0; u < 2; u++) {
            snprintf(name, sizeof(name), "%s %s user %d bits", label, names[m], u + 1);
            report_mean(name, &rate[m][u], c->spec[m][u], c->T_spec);
        }
        spzf_destroy(spzf[m]);
    }
    snprintf(name, sizeof(name), "%s MISOME bits", label);
    report_mean(name, &misome, c->misome, c->T_spec);
}

static void print_header(const char *title)
{
    printf("\n%-44s %9s    %s  %13s %6s\n", title, "measured", "s.e.", "specified", "dev/se");
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--scale") == 0) {
            run.scale = atof(argv[i + 1]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            run.seed = strtoull(argv[i + 1], NULL, 10);
        }
    }
    print_header("Partition outages (tables A, B, D)");
    for (size_t i = 0; i < sizeof(outage_cases) / sizeof(*outage_cases); i++) {
        for (int v = 0; v < N_VARIANT; v++) {
            if (outage_cases[i].spec[v].e1 > none || outage_cases[i].spec[v].outage > none) {
                run_outage(&outage_cases[i], (enum variant)v);
            }
        }
    }
    print_header("Solvers (tables C, F)");
    for (size_t i = 0; i < sizeof(solve_cases) / sizeof(*solve_cases); i++) {
        run_solve(&solve_cases[i]);
    }
    print_header("Secrecy (table E)");
    for (size_t i = 0; i < sizeof(secrecy_cases) / sizeof(*secrecy_cases); i++) {
        run_secrecy(&secrecy_cases[i]);
    }
    printf("\n%d figures, %d off, %d better than specified, largest other deviation %.2f standard errors\n",
           run.n_figures, run.n_off, run.n_better, run.worst);
    return run.n_off > 0;
}
