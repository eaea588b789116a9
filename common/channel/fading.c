/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "channel/fading.h"

#include "base/error.h"
#include "channel/random.h"

#include <math.h>
#include <stdlib.h>

enum { LANES = 4, N_VECTORS = 16, N_WAVES = LANES * N_VECTORS }; /* plane waves of one Jakes coefficient */

/* Four waves: the narrowest vector of any processor, so that sums are taken in one order everywhere. */
typedef float lanes __attribute__((vector_size(sizeof(float) * LANES)));

/* The waves of one coefficient. Phases are exact at the start of a block; the steps through it are taken in single
 * precision and lose about 1e-5 by its end. */
struct waves {
    lanes re[N_VECTORS], im[N_VECTORS];           /* now */
    lanes step_re[N_VECTORS], step_im[N_VECTORS]; /* rotation over one symbol */
    double frequency[N_WAVES], phase[N_WAVES];    /* turns per sample, turns at tick 0 */
};

struct fading {
    int n_tap, n_pair, n_coefficient; /* n_coefficient = n_tap * n_pair */
    uint64_t seed, link;
    bool scattered, jakes;
    int n_symbol_samples, n_block_samples;
    uint64_t block;      /* of waves */
    int symbol;          /* of waves; -1 = not set */
    tutti_cf32 *fixed;   /* [n_coefficient] the part that stays */
    float *amplitude;    /* [n_tap] of the scattered part, per sqrt(2) since draws are CN(0, 2) */
    struct waves *waves; /* [n_coefficient], Jakes only */
};

int fading_n_tap(const struct config_fading_model *model)
{
    return model->model == CONFIG_FADING_TDL && model->tap_delays_samples_count > 0
               ? (int)model->tap_delays_samples_count
               : 1;
}

int fading_tap_delay(const struct config_fading_model *model, int tap)
{
    return model->model == CONFIG_FADING_TDL && (unsigned)tap < model->tap_delays_samples_count
               ? model->tap_delays_samples[tap]
               : 0;
}

static double tap_power(const struct config_fading_model *model, int tap)
{
    const bool given = model->model == CONFIG_FADING_TDL && (unsigned)tap < model->tap_powers_db_count;
    return given ? pow(10, model->tap_powers_db[tap] / 10) : 1;
}

static tutti_cf32 phasor(double turns, double amplitude)
{
    double re, im;
    random_phasor(turns, &re, &im);
    return __builtin_complex((float)(amplitude * re), (float)(amplitude * im));
}

/* Line of sight between two half-wavelength arrays: exp(j (psi + pi (m sin a + n sin b))). */
static void line_of_sight(fading_t *f, const struct fading_settings *s, double amplitude)
{
    const uint64_t key = random_key(s->seed, RANDOM_LINE_OF_SIGHT, s->link, 0, 0);
    double sine_first, sine_second, unused;
    random_phasor(random_uniform(key, 0), &unused, &sine_first);
    random_phasor(random_uniform(key, 1), &unused, &sine_second);
    for (int m = 0; m < s->n_first; m++) {
        for (int n = 0; n < s->n_second; n++) {
            const double turns = random_uniform(key, 2) + 0.5 * (m * sine_first + n * sine_second);
            f->fixed[m * s->n_second + n] = phasor(turns, amplitude);
        }
    }
}

static void random_phases(fading_t *f)
{
    const uint64_t key = random_key(f->seed, RANDOM_LINE_OF_SIGHT, f->link, 1, 0);
    for (int i = 0; i < f->n_pair; i++) {
        f->fixed[i] = phasor(random_uniform(key, (uint64_t)i), 1);
    }
}

static void set_powers(fading_t *f, const struct fading_settings *s)
{
    const struct config_fading_model *model = s->model;
    double scattered_power = 1, sum = 0;
    if (model->model == CONFIG_FADING_RICIAN) {
        const double k = pow(10, model->rician_k_db / 10);
        line_of_sight(f, s, sqrt(k / (k + 1)));
        scattered_power = 1 / (k + 1);
    } else if (model->model == CONFIG_FADING_NONE) {
        random_phases(f);
    }
    for (int tap = 0; tap < f->n_tap; tap++) {
        sum += tap_power(model, tap);
    }
    for (int tap = 0; tap < f->n_tap; tap++) {
        f->amplitude[tap] = (float)sqrt(0.5 * scattered_power * tap_power(model, tap) / sum);
    }
}

static void set_phasor(double turns, int k, lanes *re, lanes *im)
{
    double cosine, sine;
    random_phasor(turns, &cosine, &sine);
    re[k / LANES][k % LANES] = (float)cosine;
    im[k / LANES][k % LANES] = (float)sine;
}

/* Arrival angles stratified over the circle, uniform inside their strata, and uniform phases: the ensemble
 * autocorrelation is exactly J0(2 pi f_d tau) for any number of waves. */
static void set_waves(fading_t *f, double doppler_turns_per_sample)
{
    for (int i = 0; i < f->n_coefficient; i++) {
        const uint64_t key = random_key(f->seed, RANDOM_JAKES, f->link, (uint64_t)i, 0);
        struct waves *w = &f->waves[i];
        for (int k = 0; k < N_WAVES; k++) {
            double cosine, unused;
            random_phasor((k + random_uniform(key, 2 * (uint64_t)k)) / N_WAVES, &cosine, &unused);
            w->frequency[k] = doppler_turns_per_sample * cosine;
            w->phase[k] = random_uniform(key, 2 * (uint64_t)k + 1);
            set_phasor(w->frequency[k] * f->n_symbol_samples, k, w->step_re, w->step_im);
        }
    }
}

int fading_create(fading_t **fading, const struct fading_settings *s)
{
    fading_t *f = calloc(1, sizeof *f);
    *fading = f;
    if (!f) {
        return error_set(TUTTI_ENOMEM, "no memory for a fading process");
    }
    f->n_tap = fading_n_tap(s->model);
    f->n_pair = s->n_first * s->n_second;
    f->n_coefficient = f->n_tap * f->n_pair;
    f->seed = s->seed, f->link = s->link;
    f->scattered = s->model->model != CONFIG_FADING_NONE;
    f->jakes = f->scattered && s->model->variation == CONFIG_VARIATION_JAKES;
    f->n_symbol_samples = s->n_symbol_samples, f->n_block_samples = s->n_block_samples;
    f->symbol = -1;
    f->fixed = calloc((size_t)f->n_coefficient, sizeof *f->fixed);
    f->amplitude = calloc((size_t)f->n_tap, sizeof *f->amplitude);
    f->waves = f->jakes ? calloc((size_t)f->n_coefficient, sizeof *f->waves) : NULL;
    if (!f->fixed || !f->amplitude || (f->jakes && !f->waves)) {
        error_set(TUTTI_ENOMEM, "no memory for %d fading coefficients", f->n_coefficient);
        fading_destroy(f);
        *fading = NULL;
        return TUTTI_ENOMEM;
    }
    set_powers(f, s);
    if (f->jakes) {
        set_waves(f, s->doppler_turns_per_sample);
    }
    return TUTTI_OK;
}

void fading_destroy(fading_t *fading)
{
    if (fading) {
        free(fading->fixed);
        free(fading->amplitude);
        free(fading->waves);
        free(fading);
    }
}

/* Exact phases at the start of the block, so that nothing depends on where a run began. */
static void waves_begin(fading_t *f, uint64_t block)
{
    const double tick = (double)block * f->n_block_samples;
    for (int i = 0; i < f->n_coefficient; i++) {
        struct waves *w = &f->waves[i];
        for (int k = 0; k < N_WAVES; k++) {
            set_phasor(w->frequency[k] * tick + w->phase[k], k, w->re, w->im);
        }
    }
    f->block = block;
    f->symbol = 0;
}

static void waves_step(fading_t *f)
{
    for (int i = 0; i < f->n_coefficient; i++) {
        struct waves *w = &f->waves[i];
        for (int k = 0; k < N_VECTORS; k++) {
            const lanes re = w->re[k] * w->step_re[k] - w->im[k] * w->step_im[k];
            w->im[k] = w->re[k] * w->step_im[k] + w->im[k] * w->step_re[k];
            w->re[k] = re;
        }
    }
    f->symbol++;
}

static tutti_cf32 waves_sum(const struct waves *w)
{
    lanes re = {0}, im = {0};
    for (int k = 0; k < N_VECTORS; k++) {
        re += w->re[k];
        im += w->im[k];
    }
    const float scale = sqrtf(2.0f / N_WAVES); /* mean power 2, like a block draw */
    return __builtin_complex(scale * (re[0] + re[1] + (re[2] + re[3])), scale * (im[0] + im[1] + (im[2] + im[3])));
}

static tutti_cf32 block_draw(uint64_t key, int i)
{
    float re, im;
    random_normal(key, (uint64_t)i, &re, &im);
    return __builtin_complex(re, im);
}

void fading_execute(fading_t *f, uint64_t block, int symbol, tutti_cf32 *g)
{
    if (f->jakes) {
        if (f->symbol < 0 || f->block != block || f->symbol > symbol) {
            waves_begin(f, block);
        }
        while (f->symbol < symbol) {
            waves_step(f);
        }
    }
    const uint64_t key = random_key(f->seed, RANDOM_FADING, f->link, block, 0);
    for (int i = 0; i < f->n_coefficient; i++) {
        tutti_cf32 scattered = 0;
        if (f->scattered) {
            scattered = f->amplitude[i / f->n_pair] * (f->jakes ? waves_sum(&f->waves[i]) : block_draw(key, i));
        }
        g[i] = f->fixed[i] + scattered;
    }
}
