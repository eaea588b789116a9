/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/ppzf_worker.h"

#include "base/error.h"

#include <stdlib.h>

struct ppzf_scenario ppzf_worker_scenario(const struct study_run *run)
{
    const int n_ue = (int)study_value(run, "n_ue");
    return (struct ppzf_scenario){.n_ap = (int)study_value(run, "n_ap"),
                                  .n_ant = (int)study_value(run, "n_ant"),
                                  .n_ue = n_ue,
                                  .tau = n_ue,
                                  .tau_c = (int)study_value(run, "tau_c"),
                                  .area_m = study_value(run, "area_m"),
                                  .eve_radius_m = study_value(run, "eve_radius_m"),
                                  .height_m = study_value(run, "height_m"),
                                  .ap_dbm = study_value(run, "ap_dbm"),
                                  .pilot_dbm = study_value(run, "pilot_dbm"),
                                  .eve_dbm = study_value(run, "eve_dbm"),
                                  .noise_dbm = study_value(run, "noise_dbm"),
                                  .upsilon = study_value(run, "upsilon")};
}

struct gap_targets ppzf_worker_targets(const struct study_run *run, double w_sec)
{
    return (struct gap_targets){
        .r_des = study_value(run, "r_des"), .s_des = study_value(run, "s_des"), .w_sec = w_sec, .w_qos = 1 - w_sec};
}

int ppzf_worker_open(const struct study_run *run, void **worker)
{
    const struct ppzf_scenario s = ppzf_worker_scenario(run);
    if (s.n_ap < 1 || s.n_ant < 1 || s.n_ant > TUTTI_MAX_ANT || s.n_ue < 1 || s.tau_c <= s.tau) {
        return error_set(TUTTI_EINVAL,
                         "study: n_ap %d, n_ant %d, n_ue %d, tau_c %d: at least 1 each, n_ant at most %d, "
                         "tau_c above n_ue",
                         s.n_ap, s.n_ant, s.n_ue, s.tau_c, TUTTI_MAX_ANT);
    }
    struct ppzf_worker *const w = calloc(1, sizeof *w);
    *worker = w;
    if (!w) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    w->eta = calloc((size_t)s.n_ap * (size_t)s.n_ue, sizeof *w->eta);
    w->eta_an = calloc((size_t)s.n_ap, sizeof *w->eta_an);
    if (!w->eta || !w->eta_an) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    const int status = ppzf_drop_create(&w->drop, &s);
    return status ? status : gap_create(&w->gap, s.n_ap, s.n_ue);
}

void ppzf_worker_close(void *worker)
{
    struct ppzf_worker *const w = worker;
    if (!w) {
        return;
    }
    ppzf_drop_destroy(w->drop);
    ppzf_tables_destroy(w->tables);
    gap_destroy(w->gap);
    free(w->eta);
    free(w->eta_an);
    free(w);
}

int ppzf_worker_aim(struct ppzf_worker *worker, const struct gap_targets *targets)
{
    const struct gap_model model = ppzf_gap_model(worker->tables, worker->drop->P, ppzf_drop_omega(worker->drop));
    const int status = gap_set(worker->gap, &model, targets);
    if (!status) {
        gap_equal_power(worker->gap, false, worker->eta, worker->eta_an);
    }
    return status;
}

int ppzf_worker_set(struct ppzf_worker *worker, const struct ppzf_scenario *scenario, uint64_t seed, uint64_t index,
                    enum mimo_scheme scheme, const struct gap_targets *targets)
{
    worker->drop->scenario = *scenario;
    ppzf_drop_fill(worker->drop, seed, index);
    ppzf_tables_destroy(worker->tables);
    const int status = ppzf_drop_tables(worker->drop, scheme, &worker->tables);
    return status ? status : ppzf_worker_aim(worker, targets);
}
