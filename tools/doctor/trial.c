/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long this host solves for a block of the network's shape, on channels drawn at random. */
#include "base/clock.h"
#include "base/frame.h"
#include "base/stats.h"
#include "mimo/precoder.h"
#include "tools/doctor/doctor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SOLVES = 200 };
static const uint64_t TRIAL_NS = 250000000;

struct trial {
    struct mimo_shape shape;
    int n_sb;
    tutti_cf32 *H, *W;           /* [n_sb][n_ap][n_ant][n_ue] */
    float *error, *sinr, *power; /* [n_ap][n_ue], [n_sb][n_ue], [n_ap] */
    uint8_t *active;             /* 1, as many as APs or users */
    struct mimo_channel *channels;
    struct mimo_solution *solutions; /* [n_sb] */
};

static void trial_free(struct trial *t)
{
    free(t->H);
    free(t->W);
    free(t->error);
    free(t->sinr);
    free(t->power);
    free(t->active);
    free(t->channels);
    free(t->solutions);
}

/* The seed does not matter: it is the time that is asked for. */
static void fill(struct trial *t, size_t n_matrix)
{
    const size_t n_all = (size_t)t->n_sb * n_matrix;
    const int n_links = t->shape.n_ap * t->shape.n_ue,
              n_most = t->shape.n_ap > t->shape.n_ue ? t->shape.n_ap : t->shape.n_ue;
    unsigned seed = 1;
    for (size_t i = 0; i < n_all; i++) {
        const float re = (float)rand_r(&seed) / (float)RAND_MAX - 0.5f,
                    im = (float)rand_r(&seed) / (float)RAND_MAX - 0.5f;
        t->H[i] = 30 * (re + im * (tutti_cf32)1.0if);
    }
    for (int i = 0; i < n_links; i++) {
        t->error[i] = 0.25f;
    }
    for (int m = 0; m < t->shape.n_ap; m++) {
        t->power[m] = 1;
    }
    memset(t->active, 1, (size_t)n_most);
    for (int s = 0; s < t->n_sb; s++) {
        t->channels[s] = (struct mimo_channel){.H_hat = t->H + (size_t)s * n_matrix,
                                               .error_variance = t->error,
                                               .ap_power = t->power,
                                               .ap_active = t->active,
                                               .ue_active = t->active};
        t->solutions[s] = (struct mimo_solution){.W = t->W + (size_t)s * n_matrix, .sinr = t->sinr + s * t->shape.n_ue};
    }
}

static bool trial_create(struct trial *t, const struct config *config, int n_sb)
{
    *t = (struct trial){.shape = {config->network.n_ap, config->network.n_ant, config->network.n_ue}, .n_sb = n_sb};
    const size_t n_ap = (size_t)t->shape.n_ap, n_ue = (size_t)t->shape.n_ue, n = (size_t)n_sb;
    const size_t n_matrix = n_ap * (size_t)t->shape.n_ant * n_ue;
    t->H = calloc(n * n_matrix, sizeof *t->H);
    t->W = calloc(n * n_matrix, sizeof *t->W);
    t->error = calloc(n_ap * n_ue, sizeof *t->error);
    t->sinr = calloc(n * n_ue, sizeof *t->sinr);
    t->power = calloc(n_ap, sizeof *t->power);
    t->active = calloc(n_ap + n_ue, 1);
    t->channels = calloc(n, sizeof *t->channels);
    t->solutions = calloc(n, sizeof *t->solutions);
    if (!t->H || !t->W || !t->error || !t->sinr || !t->power || !t->active || !t->channels || !t->solutions) {
        return false;
    }
    fill(t, n_matrix);
    return true;
}

/* The median, of as many solves as fit in the time; NAN: it cannot be solved. */
static double median_us(struct trial *t, enum mimo_scheme scheme, enum mimo_power power)
{
    double us[MAX_SOLVES];
    int n = 0;
    precoder_t *precoder = NULL;
    if (precoder_create_for(&precoder, &t->shape, MIMO_ONLY(scheme)) == 0) {
        const uint64_t start_ns = clock_mono_ns();
        precoder_execute_batch(precoder, scheme, power, t->n_sb, t->channels, t->solutions); /* warm */
        while (n == 0 || (n < MAX_SOLVES && clock_mono_ns() - start_ns < TRIAL_NS)) {
            const uint64_t begin_ns = clock_mono_ns();
            precoder_execute_batch(precoder, scheme, power, t->n_sb, t->channels, t->solutions);
            us[n++] = (double)(clock_mono_ns() - begin_ns) / 1e3;
        }
        qsort(us, (size_t)n, sizeof us[0], stats_ascending);
    }
    precoder_destroy(precoder);
    return n ? us[n / 2] : NAN;
}

void doctor_measure(const struct host_question *question, struct host_measured *measured)
{
    const struct config *const c = question->config;
    struct frame frame;
    struct trial trial = {0};
    host_measure(question, measured);
    if (c && frame_init(&frame, c) == 0 && trial_create(&trial, c, frame.n_sb)) {
        const double workers = c->engine.n_workers > 1 ? c->engine.n_workers : 1;
        measured->solve_us[0] = median_us(&trial, c->precoding.scheme, c->precoding.power) / workers;
        measured->solve_us[1] = median_us(&trial, MIMO_OB, MIMO_POWER_MAXMIN) / workers;
    }
    trial_free(&trial);
}
