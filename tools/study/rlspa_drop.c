/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/rlspa_drop.h"

#include "base/error.h"
#include "channel/random.h"
#include "rlspa/beams.h"
#include "rlspa/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What numbers are drawn for. */
enum { AP = 1, UE, SHADOW, FADING, SYMBOLS, CHOICE, EXTRA };

static uint64_t key_of(const struct rlspa_drop *d, int purpose, int number)
{
    return random_key(d->key, RANDOM_FADING, (uint64_t)purpose, (uint64_t)number, 0);
}

static size_t layout(struct rlspa_drop *d, double *base)
{
    struct slab slab = {base, 0};
    const size_t l = (size_t)d->set.n_ap, k = (size_t)d->set.n_ue, n = (size_t)d->set.n, m = (size_t)d->M;
    d->beta = slab_take(&slab, l * k);
    d->G = slab_split(&slab, m * k);
    d->Ga = slab_split(&slab, m * k);
    d->S = slab_split(&slab, m * n);
    d->Sa = slab_split(&slab, m * n);
    d->W = slab_split(&slab, m * n);
    d->error = slab_take(&slab, l * n);
    d->F = slab_take(&slab, n * n);
    d->gamma = slab_take(&slab, l);
    d->w2 = slab_take(&slab, n);
    d->power = slab_take(&slab, n);
    d->links.B = slab_split(&slab, n * n);
    d->work = slab_take(&slab, beams_work(d->M, d->set.n));
    return slab.used;
}

int rlspa_drop_create(struct rlspa_drop *d, const struct rlspa_drop_setting *setting)
{
    *d = (struct rlspa_drop){.set = *setting, .M = setting->n_ap * setting->n_ant};
    d->storage = calloc(layout(d, NULL), sizeof *d->storage);
    d->served = calloc((size_t)(setting->n_ap * setting->n_ue), sizeof *d->served);
    d->chosen = calloc((size_t)setting->n, sizeof *d->chosen);
    if (!d->storage || !d->served || !d->chosen || cesg_create(&d->cesg, setting->n_ue, setting->n)) {
        rlspa_drop_destroy(d);
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    layout(d, d->storage);
    return 0;
}

void rlspa_drop_destroy(struct rlspa_drop *d)
{
    free(d->storage);
    free(d->served);
    free(d->chosen);
    cesg_destroy(d->cesg);
    *d = (struct rlspa_drop){0};
}

void rlspa_drop_draw(struct rlspa_drop *d, uint64_t seed, int index)
{
    const int L = d->set.n_ap, N = d->set.n_ant, K = d->set.n_ue;
    d->key = random_key(seed, RANDOM_POSITION_AP, (uint64_t)index, 0, 0);
    for (int l = 0; l < L; l++) {
        for (int k = 0; k < K; k++) {
            const uint64_t ap = key_of(d, AP, l), ue = key_of(d, UE, k);
            float z, unused;
            const double x = d->set.side_km * (random_uniform(ap, 0) - random_uniform(ue, 0));
            const double y = d->set.side_km * (random_uniform(ap, 1) - random_uniform(ue, 1));
            random_normal(key_of(d, SHADOW, l), (uint64_t)k, &z, &unused);
            d->beta[l * K + k] = network_gain(hypot(x, y), z);
        }
    }
    d->mean = network_mean_gain(L, K, d->beta);
    network_clusters(L, K, d->beta, d->served);
    for (int m = 0; m < d->M; m++) {
        const uint64_t key = key_of(d, FADING, m);
        for (int k = 0; k < K; k++) {
            const double a = sqrt((1 - d->set.alpha) * d->beta[m / N * K + k] / 2);
            float re, im;
            random_normal(key, (uint64_t)k, &re, &im);
            d->G.re[m * K + k] = a * re;
            d->G.im[m * K + k] = a * im;
        }
    }
    network_mask(L, N, K, d->served, &d->G, &d->Ga);
    cesg_gram(d->cesg, d->M, K, &d->Ga, &d->Gr, &d->Gi);
}

static int choose_randomly(struct rlspa_drop *d)
{
    const int K = d->set.n_ue, n = d->set.n;
    int left = n, found = 0;
    const uint64_t key = key_of(d, CHOICE, 0);
    for (int u = 0; u < K && left; u++) { /* each with the chance that leaves all sets equally likely */
        if (random_uniform(key, (uint64_t)u) * (K - u) < left) {
            d->chosen[found++] = u;
            left--;
        }
    }
    return found;
}

static int choose(struct rlspa_drop *d, enum rlspa_drop_choice choice, double c)
{
    struct cesg_problem problem = {.n_ue = d->set.n_ue, .n = d->set.n, .c = c, .Gr = d->Gr, .Gi = d->Gi};
    switch (choice) {
    case RLSPA_DROP_STRONGEST:
        cesg_strongest(d->cesg, d->set.n_ue, d->set.n, d->Gr, d->chosen);
        return d->set.n;
    case RLSPA_DROP_RANDOM:
        return choose_randomly(d);
    case RLSPA_DROP_CESG:
    case RLSPA_DROP_GREEDY:
        break;
    }
    problem.greedy_only = choice == RLSPA_DROP_GREEDY;
    cesg_execute(d->cesg, &problem, d->chosen, NULL, NULL, &d->result);
    return d->result.n;
}

static void columns(const struct rlspa_drop *d, const struct split *from, int n, struct split *to)
{
    for (int m = 0; m < d->M; m++) {
        for (int i = 0; i < n; i++) {
            to->re[m * n + i] = from->re[m * d->set.n_ue + d->chosen[i]];
            to->im[m * n + i] = from->im[m * d->set.n_ue + d->chosen[i]];
        }
    }
}

void rlspa_drop_schedule(struct rlspa_drop *d, double snr_db, enum rlspa_drop_choice choice)
{
    const int L = d->set.n_ap, N = d->set.n_ant;
    d->links.rho = d->links.Pt = 1;
    d->links.sigma2 = d->mean * pow(10, -snr_db / 10);
    const int n = d->links.n = choose(d, choice, 1 / d->links.sigma2);
    columns(d, &d->G, n, &d->S);
    columns(d, &d->Ga, n, &d->Sa);
    beams_zf(d->M, n, &d->Sa, d->work, &d->W);
    beams_effective(d->M, n, &d->S, &d->W, &d->links.B);
    beams_norms(d->M, n, &d->W, d->w2);
    d->links.w2 = d->w2;
    d->block = (struct block_error){0, d->power};
    for (int l = 0; l < L; l++) {
        d->gamma[l] = 0;
        for (int i = 0; i < n; i++) {
            d->error[l * n + i] = d->set.alpha * d->beta[l * d->set.n_ue + d->chosen[i]];
            d->gamma[l] += d->error[l * n + i];
        }
        d->block.eps2 += N * d->gamma[l];
    }
    beams_error_gain(L, N, n, d->error, &d->W, d->F);
    beams_error_power(L, N, n, d->gamma, &d->W, d->power);
}

struct links rlspa_drop_unit_noise(const struct rlspa_drop *d)
{
    struct links links = d->links;
    links.rho = d->links.rho / d->links.sigma2;
    links.sigma2 = 1;
    return links;
}

void rlspa_drop_normals(const struct rlspa_drop *d, int number, size_t count, struct split *out)
{
    const uint64_t key = key_of(d, EXTRA, number);
    for (size_t i = 0; i < count; i++) {
        float re, im;
        random_normal(key, i, &re, &im);
        out->re[i] = re;
        out->im[i] = im;
    }
}

void rlspa_drop_symbols(const struct rlspa_drop *d, int number, int qpsk, int T, struct split *X)
{
    const uint64_t key = key_of(d, SYMBOLS, number);
    for (size_t i = 0; i < (size_t)(d->links.n * T); i++) {
        float re, im;
        random_normal(key, i, &re, &im);
        X->re[i] = sqrt(0.5) * (qpsk ? copysign(1, (double)re) : (double)re);
        X->im[i] = sqrt(0.5) * (qpsk ? copysign(1, (double)im) : (double)im);
    }
}
