/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/table.h"

#include "base/error.h"
#include "base/h5file.h"
#include "base/h5file_trial.h"

#include <math.h>
#include <stdlib.h>

static const char COEFFICIENTS[] = "/c";

static size_t size_of(const struct calib_table *t)
{
    return (size_t)t->n_sb * (size_t)t->n_ap * (size_t)t->n_ant;
}

int calib_table_create(struct calib_table *table, int n_sb, int n_ap, int n_ant)
{
    *table = (struct calib_table){.n_sb = n_sb, .n_ap = n_ap, .n_ant = n_ant};
    table->c = calloc(size_of(table), sizeof *table->c);
    table->delay_samples = calloc((size_t)n_ap, sizeof *table->delay_samples);
    table->shift_samples = calloc((size_t)n_ap, sizeof *table->shift_samples);
    if (!table->c || !table->delay_samples || !table->shift_samples) {
        return error_set(TUTTI_ENOMEM, "out of memory for the calibration of %d access points", n_ap);
    }
    for (size_t i = 0; i < size_of(table); i++) {
        table->c[i] = 1;
    }
    return TUTTI_OK;
}

void calib_table_destroy(struct calib_table *table)
{
    free(table->c);
    free(table->delay_samples);
    free(table->shift_samples);
    *table = (struct calib_table){0};
}

/* File ------------------------------------------------------------------------------------------------------------- */

/* The table's figures in a file: one-valued datasets. */
struct figure {
    const char *path;
    double *value;
};
enum { N_FIGURES = 5 };

static void list_figures(struct calib_table *t, double *reference, struct figure figures[N_FIGURES])
{
    figures[0] = (struct figure){"/residual", &t->residual};
    figures[1] = (struct figure){"/noise_residual", &t->noise_residual};
    figures[2] = (struct figure){"/error_variance", &t->error_variance};
    figures[3] = (struct figure){"/drift_rad2_per_s", &t->drift_rad2_per_s};
    figures[4] = (struct figure){"/reference", reference};
}

static int put_all(h5file_t *file, const struct calib_table *table)
{
    static const size_t one[] = {1};
    const size_t dims[] = {(size_t)table->n_sb, (size_t)table->n_ap, (size_t)table->n_ant};
    struct calib_table copy = *table;
    double reference = copy.reference;
    struct figure figures[N_FIGURES];
    list_figures(&copy, &reference, figures);
    int status = h5file_put(file, COEFFICIENTS, H5_C64, 3, dims, table->c);
    status = status < 0 ? status : h5file_put(file, "/measured_ns", H5_U64, 1, one, &table->measured_ns);
    status = status < 0 ? status : h5file_put(file, "/delay_samples", H5_F64, 1, &dims[1], table->delay_samples);
    status = status < 0 ? status : h5file_put(file, "/shift_samples", H5_I32, 1, &dims[1], table->shift_samples);
    for (int i = 0; status >= 0 && i < N_FIGURES; i++) {
        status = h5file_put(file, figures[i].path, H5_F64, 1, one, figures[i].value);
    }
    return status < 0 ? status : h5file_put_text(file, "/version", TUTTI_VERSION);
}

int calib_table_save(const struct calib_table *table, const char *path)
{
    h5file_t *file = NULL;
    int status = h5file_create(&file, path);
    status = status < 0 ? status : put_all(file, table);
    h5file_close(file);
    return status;
}

static int check_shape(h5file_t *file, const char *path, const struct calib_table *t)
{
    struct h5_info info;
    const int status = h5file_info(file, COEFFICIENTS, &info);
    if (status < 0) {
        return status;
    }
    if (info.type != H5_C64 || info.rank != 3 || info.dims[0] != (size_t)t->n_sb || info.dims[1] != (size_t)t->n_ap ||
        info.dims[2] != (size_t)t->n_ant) {
        return error_set(TUTTI_EFORMAT,
                         "%s: not a calibration of %d subbands, %d access points and %d antennas; calibrate this "
                         "network anew",
                         path, t->n_sb, t->n_ap, t->n_ant);
    }
    return TUTTI_OK;
}

/* What a file may say: numbers that time and noise are computed from must be some. */
static int check_figures(const struct calib_table *t, double reference, const char *path)
{
    static const double MOST_SAMPLES = 1 << 20, MOST = 1e6;
    const int n = t->n_ap * t->n_ant;
    const double figures[] = {t->error_variance, t->drift_rad2_per_s};
    static const char *const names[] = {"error_variance", "drift_rad2_per_s"};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (!(figures[i] >= 0 && figures[i] <= MOST)) {
            return error_set(TUTTI_EFORMAT, "%s: /%s is %g, not within 0 and %g", path, names[i], figures[i], MOST);
        }
    }
    if (!(reference >= 0 && reference < n)) {
        return error_set(TUTTI_EFORMAT, "%s: /reference is %g, there are antennas 0 to %d", path, reference, n - 1);
    }
    for (int m = 0; m < t->n_ap; m++) {
        if (!(fabs(t->delay_samples[m]) <= MOST_SAMPLES) || !(fabs((double)t->shift_samples[m]) <= MOST_SAMPLES)) {
            return error_set(TUTTI_EFORMAT, "%s: AP %d is to be %d and %g samples early, more than %g", path, m,
                             t->shift_samples[m], t->delay_samples[m], MOST_SAMPLES);
        }
    }
    return TUTTI_OK;
}

static int read_all(h5file_t *file, const char *path, struct calib_table *t)
{
    double reference = 0;
    struct figure figures[N_FIGURES];
    list_figures(t, &reference, figures);
    int status = check_shape(file, path, t);
    status = status < 0 ? status : h5file_read(file, COEFFICIENTS, H5_C64, t->c, size_of(t) * sizeof *t->c);
    status = status < 0 ? status : h5file_read(file, "/measured_ns", H5_U64, &t->measured_ns, sizeof t->measured_ns);
    status = status < 0 ? status
                        : h5file_read(file, "/delay_samples", H5_F64, t->delay_samples,
                                      (size_t)t->n_ap * sizeof *t->delay_samples);
    status = status < 0 ? status
                        : h5file_read(file, "/shift_samples", H5_I32, t->shift_samples,
                                      (size_t)t->n_ap * sizeof *t->shift_samples);
    for (int i = 0; status >= 0 && i < N_FIGURES; i++) {
        status = h5file_read(file, figures[i].path, H5_F64, figures[i].value, sizeof(double));
    }
    status = status < 0 ? status : check_figures(t, reference, path);
    t->reference = status < 0 ? 0 : (int)reference;
    for (size_t i = 0; status >= 0 && i < size_of(t); i++) {
        const double size = hypot((double)crealf(t->c[i]), (double)cimagf(t->c[i]));
        if (!(size > 1e-6 && size < 1e6)) {
            status = error_set(TUTTI_EFORMAT, "%s: coefficient %zu is not a number of sensible size", path, i);
        }
    }
    return status;
}

int calib_table_load(struct calib_table *table, const char *path, int n_sb, int n_ap, int n_ant)
{
    h5file_t *file = NULL;
    int status = calib_table_create(table, n_sb, n_ap, n_ant);
    status = status < 0 ? status : h5file_open(&file, path);
    status = status < 0 ? status : read_all(file, path, table);
    h5file_close(file);
    return status;
}

struct trial {
    const char *path;
    int n_sb, n_ap, n_ant;
};

static int load_and_forget(void *context)
{
    const struct trial *const t = context;
    struct calib_table table = {0};
    const int status = calib_table_load(&table, t->path, t->n_sb, t->n_ap, t->n_ant);
    calib_table_destroy(&table);
    return status;
}

int calib_table_try(const char *path, int n_sb, int n_ap, int n_ant)
{
    struct trial trial = {path, n_sb, n_ap, n_ant};
    return h5file_trial(path, load_and_forget, &trial);
}

/* Use -------------------------------------------------------------------------------------------------------------- */

void calib_table_apply(const struct calib_table *table, int ap, int n_ue, tutti_cf32 *H_hat, float *beta,
                       float *error_variance)
{
    double power = 0;
    for (int sb = 0; sb < table->n_sb; sb++) {
        const tutti_cf32 *c = table->c + ((size_t)sb * (size_t)table->n_ap + (size_t)ap) * (size_t)table->n_ant;
        for (int a = 0; a < table->n_ant; a++) {
            const float re = crealf(c[a]), im = cimagf(c[a]);
            power += (double)re * (double)re + (double)im * (double)im;
            tutti_cf32 *h = H_hat + ((size_t)sb * (size_t)table->n_ant + (size_t)a) * (size_t)n_ue;
            for (int k = 0; k < n_ue; k++) {
                h[k] *= conjf(c[a]);
            }
        }
    }
    power /= table->n_sb * table->n_ant;
    for (int k = 0; k < n_ue; k++) {
        beta[k] *= (float)power;
        error_variance[k] = (float)power * error_variance[k] + (float)table->error_variance * beta[k];
    }
}

double calib_table_variance(const struct calib_table *table, uint64_t now_ns)
{
    const double age_s = now_ns > table->measured_ns ? (double)(now_ns - table->measured_ns) * 1e-9 : 0;
    return table->error_variance + table->drift_rad2_per_s * age_s;
}

double calib_stale_variance(double sinr, double ratio)
{
    return (pow(10, 0.1) - 1) / (sinr * ratio);
}
