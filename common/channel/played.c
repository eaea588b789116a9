/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "channel/played.h"

#include "base/error.h"
#include "base/h5file.h"
#include "base/h5file_trial.h"
#include "linalg/small.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANK = 5, AXIS_BLOCK = 0, AXIS_INNER = 1, AXIS_AP, AXIS_ANT, AXIS_COLUMN, MAX_TAPS = 64 };
static const double RIDGE = 1e-7; /* of a subband's share: taps between which the band cannot tell stay small */

/* One dataset: where it is and how it lies. */
struct source {
    h5file_t *h5;
    const char *path;   /* of the file */
    char name[40];      /* of the dataset */
    bool columns;       /* dimensions in reverse order */
    bool taps;          /* else responses per subband */
    size_t dims[RANK];  /* with the block first */
    tutti_cf32 *buffer; /* one row as in the file */
};

/* Finding --------------------------------------------------------------------------------------------------------- */

/* Octave keeps a variable as the `value` of a group. */
static bool find(struct source *s, const char *prefix, const char *const *names)
{
    for (; *names; names++) {
        snprintf(s->name, sizeof s->name, "%s%s/value", prefix, *names);
        if (h5file_exists(s->h5, s->name) > 0) {
            return true;
        }
        snprintf(s->name, sizeof s->name, "%s%s", prefix, *names);
        if (h5file_exists(s->h5, s->name) > 0) {
            return true;
        }
    }
    return false;
}

static void lay(struct source *s, const struct h5_info *info, bool columns)
{
    s->columns = columns;
    for (int d = 0; d < RANK; d++) { /* MATLAB leaves out ones at its end, which are the file's beginning */
        const int at = columns ? info->rank - 1 - d : d;
        s->dims[d] = at >= 0 && at < info->rank ? info->dims[at] : 1;
    }
}

static bool fits(const struct source *s, const size_t *wanted)
{
    return s->dims[AXIS_AP] == wanted[0] && s->dims[AXIS_ANT] == wanted[1] && s->dims[AXIS_COLUMN] == wanted[2];
}

/* The order that was asked for, else the one that fits the network, rows first. */
static int choose_order(struct source *s, const struct config *config, const size_t *wanted)
{
    struct h5_info info;
    const enum config_layout layout = config->air.fading.layout;
    const int status = h5file_info(s->h5, s->name, &info);
    if (status) {
        return status;
    }
    if (info.type != H5_C64 || info.rank > RANK || (info.rank < RANK && layout == CONFIG_LAYOUT_ROWS)) {
        return error_set(TUTTI_EFORMAT, "air.fading.file: %s: %s must be complex and of five dimensions", s->path,
                         s->name);
    }
    lay(s, &info, layout == CONFIG_LAYOUT_COLUMNS);
    if (layout == CONFIG_LAYOUT_AUTO && (info.rank < RANK || !fits(s, wanted))) {
        lay(s, &info, true);
    }
    if (!fits(s, wanted)) {
        lay(s, &info, layout == CONFIG_LAYOUT_COLUMNS);
        return error_set(TUTTI_ECONFIG,
                         "air.fading.file: %s: %s is of %zu access points with %zu antennas and %zu columns; the "
                         "network has %zu, %zu and %zu (see docs/channel.md; air.fading.layout: columns reads what "
                         "MATLAB wrote)",
                         s->path, s->name, s->dims[AXIS_AP], s->dims[AXIS_ANT], s->dims[AXIS_COLUMN], wanted[0],
                         wanted[1], wanted[2]);
    }
    return TUTTI_OK;
}

static int read_row(struct source *s, uint64_t row)
{
    return s->columns ? h5file_read_turned(s->h5, s->name, H5_C64, row, 1, s->buffer)
                      : h5file_read_rows(s->h5, s->name, H5_C64, row, 1, s->buffer);
}

/* Delays ---------------------------------------------------------------------------------------------------------- */

static int check_delays(const struct source *s, const struct played_links *l)
{
    for (int i = 0; i < l->n_tap; i++) {
        if (l->delay[i] < 0 || (i > 0 && l->delay[i] <= l->delay[i - 1])) {
            return error_set(TUTTI_EFORMAT, "air.fading.file: %s: tap_delays_samples must be 0 or more and ascend",
                             s->path);
        }
    }
    return TUTTI_OK;
}

/* Those of /tap_delays_samples; without it taps are a sample apart. */
static int read_delays(struct source *s, struct played_links *l)
{
    static const char *const names[] = {"/tap_delays_samples", NULL};
    struct source d = {.h5 = s->h5, .path = s->path};
    struct h5_info info;
    double delay[MAX_TAPS];
    if (!find(&d, "", names)) {
        return TUTTI_OK;
    }
    int status = h5file_info(s->h5, d.name, &info);
    size_t n = 1;
    for (int i = 0; !status && i < info.rank; i++) {
        n *= info.dims[i];
    }
    if (!status && n != (size_t)l->n_tap) {
        status =
            error_set(TUTTI_EFORMAT, "air.fading.file: %s: %zu tap_delays_samples for %d taps", s->path, n, l->n_tap);
    }
    status = status ? status : h5file_read(s->h5, d.name, H5_F64, delay, n * sizeof *delay);
    for (int i = 0; !status && i < l->n_tap; i++) {
        l->delay[i] = delay[i] >= 0 && delay[i] < 1e6 ? (int)lround(delay[i]) : -1;
    }
    return status ? status : check_delays(s, l);
}

/* Half the cyclic prefix is left to synchronisation, as everywhere. */
static int most_delay(const struct config *config)
{
    return (config->frame.n_cp_samples - 1) / 2 - config->air.delay_samples;
}

static int set_delays(struct source *s, struct played_links *l, const struct config *config)
{
    const size_t n_inner = s->dims[AXIS_INNER];
    const int most = most_delay(config);
    if (n_inner > (s->taps ? (size_t)MAX_TAPS : (size_t)TUTTI_MAX_SB)) {
        return error_set(TUTTI_EFORMAT, "air.fading.file: %s: %s has %zu %s, too many", s->path, s->name, n_inner,
                         s->taps ? "taps" : "subbands");
    }
    if (n_inner < 1) {
        return error_set(TUTTI_EFORMAT, "air.fading.file: %s: %s has no %s", s->path, s->name,
                         s->taps ? "taps" : "subbands");
    }
    l->n_tap = s->taps || (int)n_inner <= most + 1 ? (int)n_inner : most + 1;
    l->n_tap = l->n_tap > MAX_TAPS ? MAX_TAPS : l->n_tap;
    l->delay = calloc((size_t)l->n_tap, sizeof *l->delay);
    for (int i = 0; l->delay && i < l->n_tap; i++) {
        l->delay[i] = i;
    }
    if (!l->delay) {
        return error_set(TUTTI_ENOMEM, "no memory for %d taps", l->n_tap);
    }
    const int status = s->taps ? read_delays(s, l) : TUTTI_OK;
    if (!status && l->delay[l->n_tap - 1] > most) {
        return error_set(
            TUTTI_ECONFIG,
            "air.fading.file: %s: the longest tap, %d samples, is above %d: with air.delay_samples it must "
            "be less than half of frame.n_cp_samples = %d",
            s->path, l->delay[l->n_tap - 1], most, config->frame.n_cp_samples);
    }
    return status;
}

/* Taps from subbands ---------------------------------------------------------------------------------------------- */

/* g = inverse(A^H A + ridge) A^H conj(H), A [n_sb][n_tap] = exp(-j 2 pi f d / rate): ridge regression. */
struct fit {
    int n_sb, n_tap;
    double *ar, *ai; /* [n_sb][n_tap] */
    double *gr, *gi; /* [n_tap][n_tap] */
    double *xr, *xi;
    double *room;
};

static int fit_invert(struct fit *f)
{
    small_gram(f->n_sb, f->n_tap, f->ar, f->ai, NULL, 1, f->gr, f->gi);
    for (int i = 0; i < f->n_tap; i++) {
        f->gr[i * f->n_tap + i] += RIDGE * f->n_sb;
    }
    if (small_cholesky(f->n_tap, f->gr, f->gi, 0)) {
        return error_set(TUTTI_EINVAL, "air.fading.file: no taps go with these subbands");
    }
    small_lower_inverse(f->n_tap, f->gr, f->gi, f->xr, f->xi);
    small_lower_square(f->n_tap, f->xr, f->xi, f->gr, f->gi);
    return TUTTI_OK;
}

static int fit_create(struct fit *f, const struct played_links *l, int n_sb, const struct frame *frame)
{
    const size_t a = (size_t)(n_sb * l->n_tap), g = (size_t)(l->n_tap * l->n_tap);
    f->n_sb = n_sb, f->n_tap = l->n_tap;
    f->room = calloc(2 * a + 4 * g, sizeof *f->room);
    if (!f->room) {
        return error_set(TUTTI_ENOMEM, "no memory for %d subbands", n_sb);
    }
    f->ar = f->room, f->ai = f->ar + a, f->gr = f->ai + a, f->gi = f->gr + g, f->xr = f->gi + g, f->xi = f->xr + g;
    for (int sb = 0; sb < n_sb; sb++) {
        const double f_hz = n_sb == 1 ? 0
                                      : 0.5 * (frame_sc_hz(frame, sb * frame->sc_per_sb) +
                                               frame_sc_hz(frame, (sb + 1) * frame->sc_per_sb - 1));
        for (int t = 0; t < l->n_tap; t++) {
            const double angle = -2 * 3.14159265358979323846 * f_hz * l->delay[t] / frame->sample_rate_hz;
            f->ar[sb * l->n_tap + t] = cos(angle);
            f->ai[sb * l->n_tap + t] = sin(angle);
        }
    }
    return fit_invert(f);
}

/* One antenna pair: h [sb * stride] to g [tap * stride]; adds power and what is left of it. */
static void fit_pair(const struct fit *f, const tutti_cf32 *h, tutti_cf32 *g, size_t stride, double *power,
                     double *left)
{
    double complex b[MAX_TAPS] = {0};
    for (int sb = 0; sb < f->n_sb; sb++) {
        for (int t = 0; t < f->n_tap; t++) {
            const double complex a = __builtin_complex(f->ar[sb * f->n_tap + t], -f->ai[sb * f->n_tap + t]);
            b[t] += a * (double complex)conjf(h[(size_t)sb * stride]);
        }
    }
    for (int t = 0; t < f->n_tap; t++) {
        double complex sum = 0;
        for (int u = 0; u < f->n_tap; u++) {
            sum += __builtin_complex(f->gr[t * f->n_tap + u], f->gi[t * f->n_tap + u]) * b[u];
        }
        g[(size_t)t * stride] = (tutti_cf32)sum;
    }
    for (int sb = 0; sb < f->n_sb; sb++) {
        double complex rest = (double complex)conjf(h[(size_t)sb * stride]);
        *power += creal(rest * conj(rest));
        for (int t = 0; t < f->n_tap; t++) {
            rest -= __builtin_complex(f->ar[sb * f->n_tap + t], f->ai[sb * f->n_tap + t]) *
                    (double complex)g[(size_t)t * stride];
        }
        *left += creal(rest * conj(rest));
    }
}

/* Reading --------------------------------------------------------------------------------------------------------- */

static int check_finite(const struct source *s, uint64_t row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double re = (double)crealf(s->buffer[i]), im = (double)cimagf(s->buffer[i]);
        if (!(re * re + im * im <= 1e20)) {
            return error_set(TUTTI_EFORMAT,
                             "air.fading.file: %s: %s has a value in block %llu that is not finite or above 1e10",
                             s->path, s->name, (unsigned long long)row);
        }
    }
    return TUTTI_OK;
}

static int read_rows(struct source *s, struct played_links *l, const struct fit *fit)
{
    const size_t stride = s->dims[AXIS_AP] * s->dims[AXIS_ANT] * s->dims[AXIS_COLUMN];
    double power = 0, left = 0;
    int status = TUTTI_OK;
    for (uint64_t row = 0; !status && row < l->n_row; row++) {
        tutti_cf32 *g = l->g + row * (size_t)l->n_tap * stride;
        status = read_row(s, row);
        status = status ? status : check_finite(s, row, s->dims[AXIS_INNER] * stride);
        if (!status && s->taps) {
            memcpy(g, s->buffer, (size_t)l->n_tap * stride * sizeof *g);
        }
        for (size_t i = 0; !status && !s->taps && i < stride; i++) {
            fit_pair(fit, s->buffer + i, g + i, stride, &power, &left);
        }
    }
    l->left_over = power > 0 ? left / power : 0;
    return status;
}

static void sum_powers(struct played_links *l, int n_ap, int n_ant)
{
    const size_t m = (size_t)n_ap, a = (size_t)n_ant, k = (size_t)l->n_column, n_row = (size_t)l->n_row;
    const size_t n = n_row * (size_t)l->n_tap * m * a * k;
    for (size_t i = 0; i < n; i++) {
        const double re = (double)crealf(l->g[i]), im = (double)cimagf(l->g[i]);
        l->power[i / (a * k) % m * k + i % k] += (re * re + im * im) / (double)(n_row * a);
    }
}

static int allocate(struct source *s, struct played_links *l)
{
    const size_t stride = s->dims[AXIS_AP] * s->dims[AXIS_ANT] * s->dims[AXIS_COLUMN];
    const size_t n_row = s->dims[AXIS_BLOCK];
    const int status = h5file_check_claim(s->h5, s->name, n_row * s->dims[AXIS_INNER] * stride * sizeof *l->g);
    if (status) {
        return status;
    }
    if (n_row == 0 || s->dims[AXIS_INNER] == 0) {
        return error_set(TUTTI_EFORMAT, "air.fading.file: %s: %s has no block", s->path, s->name);
    }
    l->n_row = n_row;
    l->n_column = (int)s->dims[AXIS_COLUMN];
    l->g = calloc(n_row * (size_t)l->n_tap * stride, sizeof *l->g);
    l->power = calloc(s->dims[AXIS_AP] * s->dims[AXIS_COLUMN], sizeof *l->power);
    s->buffer = calloc(s->dims[AXIS_INNER] * stride, sizeof *s->buffer);
    return l->g && l->power && s->buffer ? TUTTI_OK
                                         : error_set(TUTTI_ENOMEM, "no memory for %zu blocks of %s", n_row, s->path);
}

/* A response per subband is one of the network's subbands, or one for all of them. */
static int check_subbands(const struct source *s, const struct frame *frame)
{
    if (!s->taps && s->dims[AXIS_INNER] != 1 && s->dims[AXIS_INNER] != (size_t)frame->n_sb) {
        return error_set(TUTTI_ECONFIG, "air.fading.file: %s: %s has %zu subbands, the network %d (or one for all)",
                         s->path, s->name, s->dims[AXIS_INNER], frame->n_sb);
    }
    return TUTTI_OK;
}

static int read_links(struct source *s, struct played_links *l, const struct config *config, const struct frame *frame,
                      int n_column)
{
    const size_t wanted[] = {(size_t)config->network.n_ap, (size_t)config->network.n_ant, (size_t)n_column};
    struct fit fit = {0};
    s->taps = strstr(s->name, "/taps") != NULL;
    int status = choose_order(s, config, wanted);
    status = status ? status : check_subbands(s, frame);
    status = status ? status : set_delays(s, l, config);
    status = status ? status : allocate(s, l);
    if (!status && !s->taps) {
        status = fit_create(&fit, l, (int)s->dims[AXIS_INNER], frame);
    }
    status = status ? status : read_rows(s, l, &fit);
    if (!status) {
        sum_powers(l, config->network.n_ap, config->network.n_ant);
    }
    free(fit.room);
    free(s->buffer);
    s->buffer = NULL; /* /eve's links come next */
    return status;
}

static int read_file(struct played *p, struct source *s, const struct config *config, const struct frame *frame)
{
    static const char *const names[] = {"/taps", "/H", "/H_hat", NULL};
    int status = h5file_open(&s->h5, s->path);
    if (status) {
        return status;
    }
    if (!find(s, "", names)) {
        return error_set(TUTTI_EFORMAT, "air.fading.file: %s has neither /taps nor /H nor /H_hat (docs/channel.md)",
                         s->path);
    }
    status = read_links(s, &p->user, config, frame, config->network.n_ue);
    if (!status && config->network.n_eve > 0 && find(s, "/eve", names)) {
        status = read_links(s, &p->eve, config, frame, config->network.n_eve * config->eve.n_ant);
    }
    return status;
}

int played_open(struct played **played, const struct config *config, const struct frame *frame)
{
    struct played *p = *played = calloc(1, sizeof *p);
    char *path = config_file_path(config, config->air.fading.file);
    struct source s = {.path = path};
    int status = p && path ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for a channel file");
    if (!status) {
        p->n_ap = config->network.n_ap, p->n_ant = config->network.n_ant;
        status = read_file(p, &s, config, frame);
    }
    h5file_close(s.h5);
    free(path);
    if (status) {
        played_close(p);
        *played = NULL;
    }
    return status;
}

struct trial {
    const struct config *config;
    const struct frame *frame;
};

static int open_and_forget(void *context)
{
    const struct trial *const t = context;
    struct played *played = NULL;
    const int status = played_open(&played, t->config, t->frame);
    played_close(played);
    return status;
}

int played_try(const struct config *config, const struct frame *frame)
{
    struct trial trial = {config, frame};
    return h5file_trial(config->air.fading.file, open_and_forget, &trial);
}

static void free_links(struct played_links *l)
{
    free(l->delay);
    free(l->g);
    free(l->power);
}

void played_close(struct played *p)
{
    if (p) {
        free_links(&p->user);
        free_links(&p->eve);
        free(p);
    }
}

/* Playing --------------------------------------------------------------------------------------------------------- */

static double mean_power(const struct played_links *l, int ap, int column, int n)
{
    double sum = 0;
    for (int c = 0; c < n; c++) {
        sum += l->power[ap * l->n_column + column + c];
    }
    return sum / n;
}

void played_copy(const struct played *p, const struct played_links *l, uint64_t row, int ap, int column, int n,
                 tutti_cf32 *g)
{
    const double power = mean_power(l, ap, column, n);
    const float scale = power > 0 ? (float)(1 / sqrt(power)) : 0;
    for (int tap = 0; tap < l->n_tap; tap++) {
        for (int a = 0; a < p->n_ant; a++) {
            const size_t at =
                (((row * (size_t)l->n_tap + (size_t)tap) * (size_t)p->n_ap + (size_t)ap) * (size_t)p->n_ant +
                 (size_t)a) *
                    (size_t)l->n_column +
                (size_t)column;
            for (int c = 0; c < n; c++) {
                *g++ = scale * l->g[at + (size_t)c];
            }
        }
    }
}

void played_gains(const struct played *p, const struct played_links *l, int n, double snr_scale, double *beta_db)
{
    const int each = l->n_column / n;
    for (int i = 0; i < p->n_ap * n; i++) {
        const double power = mean_power(l, i / n, i % n * each, each) / snr_scale;
        beta_db[i] = power > 1e-40 ? 10 * log10(power) : -400;
    }
}
