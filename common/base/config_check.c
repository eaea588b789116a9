/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which combinations cannot work: of frame, pilots, precoding and engine here, of the air and of texts in files of
 * their own. */
#include "base/config_check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int check_frame(struct check *check)
{
    struct frame_fault fault;
    const int status = frame_plan(&check->frame, check->config, &fault);
    return status < 0 ? config_fail(check->layers, fault.keys, "%s", fault.text) : 0;
}

/* Users on one pilot cannot be told apart by power. */
static int check_pilots(struct check *check)
{
    const struct config_pilots *const pilots = &check->config->pilots;
    const int n_ue = check->config->network.n_ue, tau = check->frame.n_pilot;
    int user_of[TUTTI_MAX_SYMBOL];
    memset(user_of, -1, sizeof(user_of));
    if (config_rotates(check->config) || check->config->cluster.enabled) {
        return 0; /* never two at a time, or told apart by the blocks in which one is alone */
    }
    for (int k = 0; k < n_ue; k++) {
        const int pilot = pilots->assignment_count ? pilots->assignment[k] : k % tau;
        if (user_of[pilot] >= 0 && pilots->large_scale != CONFIG_LS_KNOWN) {
            return config_fail(
                check->layers, "pilots.assignment frame.schedule network.n_ue pilots.large_scale",
                "users %d and %d share pilot %d (%d users, %d pilot symbols), which needs pilots.large_scale: known",
                user_of[pilot], k, pilot, n_ue, tau);
        }
        user_of[pilot] = k;
    }
    return 0;
}

static int check_payload(struct check *check)
{
    /* a byte of information, CRC-32 and 6 tail bits at rate 1/2 */
    const int least = 2 * (8 + 32 + 6);
    const int bits_per_symbol = 2 * ((int)check->config->payload.modulation + 1);
    const int coded = check->frame.n_data_re * bits_per_symbol;
    if (coded < least) {
        return config_fail(check->layers,
                           "frame.schedule frame.n_dl_pilot_symbols frame.n_used_subcarriers payload.modulation",
                           "a block carries %d coded bits per user, the shortest code block needs %d", coded, least);
    }
    return 0;
}

/* What the table of precoders allows (base/schemes.h). */
static int check_scheme(struct check *check)
{
    const struct config_network *const n = &check->config->network;
    const struct config_precoding *const p = &check->config->precoding;
    char text[256];
    if (!mimo_scheme_allows((int)p->scheme, (int)p->power)) {
        return config_fail(check->layers, "precoding.power precoding.scheme", "scheme: %s goes with power: %s",
                           mimo_scheme_name((int)p->scheme), mimo_power_list((int)p->scheme, text, sizeof(text)));
    }
    if (p->local && !mimo_scheme_is_local((int)p->scheme)) {
        return config_fail(check->layers, "precoding.local precoding.scheme",
                           "an AP cannot build the beams of %s alone; local: true goes with scheme: %s",
                           mimo_scheme_name((int)p->scheme), mimo_scheme_list_local(text, sizeof(text)));
    }
    if (p->local && p->power != MIMO_POWER_EQUAL_SHARES) {
        return config_fail(check->layers, "precoding.local precoding.power",
                           "local: true goes with power: equal_shares (or, for short, equal)");
    }
    if (mimo_scheme_check_antennas((int)p->scheme, n->n_ap, n->n_ant, n->n_ue) == 0) {
        return 0;
    }
    snprintf(text, sizeof(text), "%s", error_text());
    return config_fail(check->layers,
                       mimo_scheme_row((int)p->scheme)->antennas == MIMO_ANTENNAS_AP
                           ? "precoding.scheme network.n_ant network.n_ue"
                           : "precoding.scheme network.n_ap network.n_ant network.n_ue",
                       "%s", text);
}

static int check_precoding(struct check *check)
{
    const struct config_network *const n = &check->config->network;
    const struct config_precoding *const p = &check->config->precoding;
    if (p->local && p->an == CONFIG_AN_PHASE_ONLY) {
        return config_fail(
            check->layers, "precoding.local precoding.an",
            "phase_only noise needs all APs' estimates at the CPU node; local: true goes with none, nullspace");
    }
    if (p->local && p->an != CONFIG_AN_NONE && p->an_policy == CONFIG_AN_ADAPTIVE) {
        return config_fail(check->layers, "precoding.an_policy precoding.local",
                           "adaptive needs the precoders at the CPU node; local: true goes with an_policy: fixed");
    }
    if (p->average_blocks > 1 && !(MIMO_RLSPA_POWER & MIMO_ONLY(p->power))) {
        return config_fail(check->layers, "precoding.average_blocks precoding.power",
                           "powers are averaged with power: rlspa_wc, rlspa_wiener; power: %s goes with 1",
                           mimo_power_name((int)p->power));
    }
    if (p->an != CONFIG_AN_NONE && n->n_ue >= TUTTI_MAX_STREAM) {
        return config_fail(check->layers, "precoding.an network.n_ue",
                           "the noise is a stream too: at most %d users with it, n_ue = %d", TUTTI_MAX_STREAM - 1,
                           n->n_ue);
    }
    return 0;
}

static int check_engine(struct check *check)
{
    const struct config *const c = check->config;
    if (c->engine.solve_cores_count && c->engine.solve_cores_count != (unsigned)c->engine.n_workers) {
        return config_fail(check->layers, "engine.solve_cores engine.n_workers",
                           "solve_cores has %u entries for n_workers = %d; one core per worker or []",
                           c->engine.solve_cores_count, c->engine.n_workers);
    }
    if (c->engine.ap_cores_count && c->engine.ap_cores_count != (unsigned)c->network.n_ap) {
        return config_fail(check->layers, "engine.ap_cores network.n_ap",
                           "ap_cores has %u entries for n_ap = %d; one core per AP or []", c->engine.ap_cores_count,
                           c->network.n_ap);
    }
    return 0;
}

/* A precoder that is applied in a later block meets the channel of that one. */
static int check_lag(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_fading_model *const fading = &c->air.fading;
    if (check->frame.lag_blocks > 0 && config_has_emulated(c) && fading->model != CONFIG_FADING_NONE &&
        fading->model != CONFIG_FADING_FILE && fading->variation == CONFIG_VARIATION_BLOCK) {
        return config_fail(check->layers,
                           "engine.tx_lead_us engine.lag_blocks air.fading.variation frame.schedule air.mode",
                           "by lag_blocks = %d and tx_lead_us = %.10g a block's precoder is applied %d block(s) later, "
                           "where air.fading.variation: block has another channel: choose jakes, or less",
                           c->engine.lag_blocks, c->engine.tx_lead_us, check->frame.lag_blocks);
    }
    return 0;
}

static int check_faults(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_faults *const f = &c->fronthaul.faults;
    if (config_is_repeatable(c) && (f->delay_us > 0 || f->jitter_us > 0 || f->reorder > 0)) {
        return config_fail(check->layers,
                           "fronthaul.faults.delay_us fronthaul.faults.jitter_us fronthaul.faults.reorder air.mode",
                           "lock-step has no wall clock: delay_us, jitter_us and reorder need air.mode: paced; loss, "
                           "silent_ap and partition_ap work in both");
    }
    if (f->silent_ap >= c->network.n_ap || f->partition_ap >= c->network.n_ap) {
        return config_fail(check->layers, "fronthaul.faults.silent_ap fronthaul.faults.partition_ap network.n_ap",
                           "AP %d does not exist, n_ap = %d",
                           f->silent_ap >= c->network.n_ap ? f->silent_ap : f->partition_ap, c->network.n_ap);
    }
    if (f->to_block > 0 && f->to_block <= f->from_block) {
        return config_fail(check->layers, "fronthaul.faults.to_block fronthaul.faults.from_block",
                           "to_block = %" PRIu64 " is not after from_block = %" PRIu64, f->to_block, f->from_block);
    }
    return 0;
}

static int check_backend(struct check *check, const char *role, int id, const struct config_radio *radio)
{
    char sentence[256], keys[128];
    if (config_backend_check(radio->backend, sentence, sizeof(sentence)) == TUTTI_OK) {
        return 0;
    }
    snprintf(keys, sizeof(keys), id < 0 ? "radio.%s.backend" : "radio.%s_list radio.%s.backend", role, role);
    return config_fail(check->layers, keys, "%s", sentence);
}

static int check_backends(struct check *check)
{
    const struct config *const c = check->config;
    const char *const roles[CONFIG_N_ROLES] = {"ap", "ue", "eve"};
    const int n[CONFIG_N_ROLES] = {c->network.n_ap, c->network.n_ue, c->network.n_eve};
    int rc = 0;
    for (int role = 0; rc == 0 && role < CONFIG_N_ROLES; role++) {
        for (int id = -1; rc == 0 && id < n[role]; id++) {
            rc = check_backend(check, roles[role], id, config_radio_of(c, (enum config_role)role, id));
        }
    }
    return rc;
}

static int check_eve(struct check *check)
{
    const struct config *const c = check->config;
    if (c->eve.target_user >= c->network.n_ue) {
        return config_fail(check->layers, "eve.target_user network.n_ue", "user %d does not exist, n_ue = %d",
                           c->eve.target_user, c->network.n_ue);
    }
    if (c->precoding.an == CONFIG_AN_PHASE_ONLY && c->network.n_ap * c->network.n_ant < 2 * c->network.n_ue + 1) {
        return config_fail(check->layers, "precoding.an network.n_ap network.n_ant network.n_ue",
                           "phase_only needs at least 2 n_ue + 1 = %d antennas in all, n_ap * n_ant = %d",
                           2 * c->network.n_ue + 1, c->network.n_ap * c->network.n_ant);
    }
    if (c->precoding.an == CONFIG_AN_NULLSPACE && c->network.n_ant < 2) {
        return config_fail(check->layers, "precoding.an network.n_ant",
                           "nullspace needs at least 2 antennas at each AP, n_ant = %d", c->network.n_ant);
    }
    return 0;
}

/* Powers of closed forms need beams that have closed forms, and the attacked user is what the score is about. */
static int check_resilience(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_resilience *const r = &c->resilience;
    const enum mimo_scheme scheme = c->precoding.scheme;
    if (!r->controller) {
        return 0;
    }
    if ((scheme != MIMO_PPZF && scheme != MIMO_PZF && scheme != MIMO_FZF) || c->precoding.local ||
        c->precoding.power != MIMO_POWER_EQUAL_SHARES || c->precoding.an != CONFIG_AN_NONE) {
        return config_fail(check->layers,
                           "resilience.controller precoding.scheme precoding.local precoding.power precoding.an",
                           "the controller needs scheme ppzf, pzf or fzf with local: false, power: equal_shares (it "
                           "sets the powers) and an: none");
    }
    if (c->eve.target_user >= c->network.n_ue) {
        return config_fail(check->layers, "resilience.controller eve.target_user network.n_ue",
                           "the user to protect, eve.target_user = %d, is not there: network.n_ue = %d",
                           c->eve.target_user, c->network.n_ue);
    }
    if (fabs(r->w_sec + r->w_qos - 1) > 1e-9) {
        return config_fail(check->layers, "resilience.w_sec resilience.w_qos", "w_sec + w_qos = %g, not 1",
                           r->w_sec + r->w_qos);
    }
    if (fabs(r->lam_abs + r->lam_ada + r->lam_rec - 1) > 1e-9) {
        return config_fail(check->layers, "resilience.lam_abs resilience.lam_ada resilience.lam_rec",
                           "lam_abs + lam_ada + lam_rec = %g, not 1", r->lam_abs + r->lam_ada + r->lam_rec);
    }
    return 0;
}

/* Access points can only hear each other where the frame says so, and every antenna must be heard in every subband. */
static int check_calibration(struct check *check)
{
    const struct config *const c = check->config;
    const bool runs = c->calibration.at_start || c->calibration.when_stale;
    if (!runs) {
        return 0;
    }
    if (check->frame.n_cal == 0) {
        return config_fail(check->layers, "calibration.at_start calibration.when_stale frame.schedule",
                           "calibration needs C symbols in frame.schedule, such as \"B G P4 U20 C4 G D38 G\"");
    }
    if (c->network.n_ap < 2) {
        return config_fail(check->layers, "calibration.at_start calibration.when_stale network.n_ap",
                           "a single access point has nobody to hear it");
    }
    return 0;
}

static int check_always(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_scheduler *const s = &c->scheduler;
    bool has_target = false;
    for (unsigned i = 0; i < s->always_count; i++) {
        bool twice = false;
        for (unsigned j = 0; j < i; j++) {
            twice = twice || s->always[j] == s->always[i];
        }
        if (twice || s->always[i] >= c->network.n_ue) {
            return config_fail(check->layers, "scheduler.always network.n_ue", "user %d %s", s->always[i],
                               twice ? "is listed twice" : "is not there");
        }
        has_target = has_target || s->always[i] == c->eve.target_user;
    }
    if (c->resilience.controller && s->n_served < c->network.n_ue && !has_target) {
        return config_fail(check->layers, "scheduler.always resilience.controller eve.target_user",
                           "the user that the resilience controller protects, %d, must always be served: list it here",
                           c->eve.target_user);
    }
    return 0;
}

static int check_scheduler(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_scheduler *const s = &c->scheduler;
    if (s->n_served == 0) {
        return 0;
    }
    if (s->n_served > c->network.n_ue || (int)s->always_count > s->n_served) {
        return config_fail(check->layers, "scheduler.n_served scheduler.always network.n_ue",
                           "%d of %d users cannot be served with %u of them always", s->n_served, c->network.n_ue,
                           s->always_count);
    }
    if (mimo_scheme_row((int)c->precoding.scheme)->kind == MIMO_PHASE || c->precoding.local) {
        return config_fail(check->layers, "scheduler.n_served precoding.scheme precoding.local",
                           "a schedule needs precoders of the central node: neither analog nor local: true");
    }
    return check_always(check);
}

/* Where U symbols may lie: after the estimates' pilots and before the downlink, for a user sends both as one burst. */
static int check_uplink_symbols(struct check *check)
{
    const struct frame *const f = &check->frame;
    const int least = 2 * (8 + 32 + 6), bits_per_symbol = 2 * ((int)check->config->uplink.modulation + 1);
    if (f->n_ul == 0) {
        return config_fail(check->layers, "uplink.mode frame.schedule",
                           "users send their data in U symbols, the schedule has none");
    }
    if (f->ul_symbol[0] < f->pilot_symbol[f->n_pilot - 1] || f->ul_symbol[f->n_ul - 1] > f->dl_symbol[0]) {
        return config_fail(check->layers, "uplink.mode frame.schedule",
                           "uplink symbols (U) must lie between the last pilot (P) and the first downlink symbol (D)");
    }
    if (f->n_ul * f->n_sc * bits_per_symbol < least) {
        return config_fail(check->layers, "uplink.modulation frame.schedule frame.n_used_subcarriers",
                           "a block's U symbols carry %d coded bits per user, the shortest code block needs %d",
                           f->n_ul * f->n_sc * bits_per_symbol, least);
    }
    return 0;
}

static int check_uplink(struct check *check)
{
    const struct config *const c = check->config;
    const struct config_uplink *const u = &c->uplink;
    if (u->mode == CONFIG_UPLINK_NONE) {
        return 0;
    }
    if (u->mode == CONFIG_UPLINK_LOCAL && u->combiner == CONFIG_COMBINER_ZF) {
        return config_fail(check->layers, "uplink.combiner uplink.mode",
                           "zf needs all antennas at the CPU node: an AP alone goes with combiner: mmse, mr");
    }
    if (u->mode == CONFIG_UPLINK_CENTRAL && c->precoding.local) {
        return config_fail(check->layers, "uplink.mode precoding.local",
                           "no estimates travel with precoding.local, so the CPU node cannot combine: mode: local");
    }
    return check_uplink_symbols(check);
}

static int check_iq(struct check *check)
{
    return config_iq_check(check->layers, check->config);
}

static int check_cluster(struct check *check)
{
    return config_cluster_check(check->layers, check->config, &check->frame);
}

static int check_cpus(struct check *check)
{
    return config_cpus_check(check->layers, check->config, &check->frame);
}

int config_check(struct config_layers *layers, const struct config *config)
{
    /* in this order: later checks use what earlier ones found out */
    static int (*const checks[])(struct check *) = {
        config_check_names,
        check_frame,
        check_pilots,
        check_payload,
        check_scheme,
        check_precoding,
        check_eve,
        check_engine,
        check_lag,
        config_check_endpoints,
        config_check_outputs,
        check_faults,
        check_backends,
        config_check_gains,
        config_check_sensing,
        config_check_clocks,
        config_check_medium,
        config_check_played,
        config_check_taps,
        config_check_delays,
        config_check_adc,
        check_iq,
        config_check_events,
        check_resilience,
        check_calibration,
        check_scheduler,
        check_uplink,
        config_check_tap,
        check_cluster,
        check_cpus,
    };
    struct check check = {.layers = layers, .config = config};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CYAML_ARRAY_LEN(checks); i++) {
        rc = checks[i](&check);
    }
    return rc;
}
