/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start-up and shut-down of the CPU node. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "channel/channel.h"
#include "cpu_node/cpu.h"
#include "node/realtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Never 0, never twice the same in a row. */
static uint32_t new_session(uint32_t last)
{
    const uint64_t now = clock_wall_ns();
    uint32_t session = (uint32_t)(now ^ (now >> 32));
    while (session == 0 || session == last) {
        session++;
    }
    return session;
}

void cpu_renew_session(struct cpu *cpu)
{
    cpu->welcome.session = new_session(cpu->welcome.session);
    cpu->session_used = false;
    fh_hub_rewelcome(cpu->hub, &cpu->welcome);
}

/* The emulated air's time begins at 0 whatever its radios' words say. */
static bool has_pps(const struct config *config)
{
    if (config_has_emulated(config)) {
        return false;
    }
    for (int ap = 0; ap < config->network.n_ap; ap++) {
        const char *source = config_radio_of(config, CONFIG_ROLE_AP, ap)->time_source;
        if (!source || source[0] == '\0' || strcmp(source, "none") == 0 || strcmp(source, "internal") == 0) {
            return false;
        }
    }
    return true;
}

tutti_tick cpu_epoch(const struct config *config, double rate_hz, uint64_t wall_ns)
{
    static const uint64_t DAY_S = 86400;
    const uint64_t second = wall_ns / UINT64_C(1000000000) / DAY_S * DAY_S;
    return has_pps(config) ? (tutti_tick)llround((double)second * rate_hz) : 0;
}

/* Noise per subcarrier of an AP by its radio's settings, in sample units squared (the FFT is unitary). The least of all
 * APs: radios may differ. */
static double noise_floor(const struct config *config)
{
    double least = INFINITY;
    for (int ap = 0; ap < config->network.n_ap; ap++) {
        const struct config_radio *r = config_radio_of(config, CONFIG_ROLE_AP, ap);
        const double dbm = channel_noise_dbm(config->frame.sample_rate_hz, r->noise_figure_db);
        least = fmin(least, pow(10, (dbm - r->rx_full_scale_dbm) / 10));
    }
    return least;
}

static int create_buffers(struct cpu *cpu)
{
    const size_t n_ue = (size_t)cpu->shape.n_ue, n_ap = (size_t)cpu->shape.n_ap;
    cpu->coefficients = calloc((size_t)cpu->shape.n_sb * (size_t)cpu->shape.n_ant * n_ue, sizeof *cpu->coefficients);
    cpu->beta = calloc(n_ue, sizeof *cpu->beta);
    cpu->error_variance = calloc(n_ue, sizeof *cpu->error_variance);
    cpu->account_ack = calloc(n_ap, sizeof *cpu->account_ack);
    cpu->silent = calloc(n_ap, 1);
    cpu->silence_told = calloc(n_ap, sizeof *cpu->silence_told);
    cpu->user = calloc(n_ue, sizeof *cpu->user);
    cpu->sounded = calloc(n_ue, sizeof *cpu->sounded);
    cpu->roster = calloc(1, roster_bytes(cpu->config)); /* no place: nothing to tell yet */
    cpu->serves = calloc(n_ap * n_ue, 1);
    cpu->next_serves = calloc(n_ap * n_ue, 1);
    const bool whole = cpu->serves && cpu->next_serves && cpu->coefficients && cpu->beta && cpu->error_variance &&
                       cpu->account_ack && cpu->silent && cpu->silence_told && cpu->user && cpu->sounded && cpu->roster;
    if (!whole) {
        return error_set(TUTTI_ENOMEM, "out of memory for the fronthaul buffers");
    }
    if (cpu->shape.n_pilot > 0) { /* whoever comes is told: another life of this node may have assigned others */
        memset(cpu->serves, 1, n_ap * n_ue);
        memset(cpu->next_serves, 1, n_ap * n_ue);
        roster_first(cpu->config, cpu->roster);
    }
    const int status = pilot_csi_create(&cpu->pilot_csi, &cpu->shape);
    return status < 0 ? status : roster_book_create(&cpu->rosters, cpu->config);
}

/* The secret from which all APs draw the same phase-only noise: the system's entropy, or the seed where two runs must
 * be alike. */
static int choose_noise_key(const struct cpu *cpu, uint64_t *key)
{
    *key = cpu->config->network.seed;
    if (!cpu->lockstep && getrandom(key, sizeof *key, 0) != sizeof *key) {
        return error_set(TUTTI_EIO, "the system gives no random numbers for the artificial noise");
    }
    return TUTTI_OK;
}

static int create_faults(struct cpu *cpu)
{
    const struct config *c = cpu->config;
    const struct faults_settings settings = {.first = c->fronthaul.faults,
                                             .n_ap = cpu->shape.n_ap,
                                             .seed = c->network.seed,
                                             .block_us = c->frame.block_us,
                                             .lockstep = cpu->lockstep};
    return faults_create(&cpu->faults, &settings);
}

static void send_to_ap(void *context, int ap, const char *json)
{
    struct cpu *cpu = context;
    fh_hub_send_control(cpu->hub, FH_ROLE_AP, ap, json);
}

static void say_calibration(void *context, uint64_t block, const char *sentence)
{
    struct cpu *cpu = context;
    log_write(LOG_INFO, "calibrate", "%s block=%" PRIu64, sentence, block);
    if (cpu->recorder) {
        recorder_event(cpu->recorder, block, "%s", sentence);
    }
}

static void say_sync(void *context, uint64_t block, bool bad, const char *sentence)
{
    struct cpu *cpu = context;
    log_write(bad ? LOG_WARNING : LOG_INFO, "sync", "%s block=%" PRIu64, sentence, block);
    recorder_event(cpu->recorder, block, "%s", sentence);
}

static int create_sync(struct cpu *cpu)
{
    const struct sync_watch_settings settings = {.n_ap = cpu->shape.n_ap, .say = say_sync, .context = cpu};
    return sync_watch_create(&cpu->sync, &settings);
}

static int create_calibrate(struct cpu *cpu)
{
    const struct calibrate_settings settings = {.config = cpu->config,
                                                .frame = &cpu->frame,
                                                .shape = cpu->shape,
                                                .lockstep = cpu->lockstep,
                                                .send = send_to_ap,
                                                .say = say_calibration,
                                                .context = cpu};
    return calibrate_create(&cpu->calibrate, &settings);
}

static int create_slow(struct cpu *cpu)
{
    if (cpu->replay_path) {
        return TUTTI_OK; /* what it decided is in the run */
    }
    const struct slow_settings settings = {
        .config = cpu->config, .frame = &cpu->frame, .shape = cpu->shape, .lockstep = cpu->lockstep};
    return slow_create(&cpu->slow, &settings);
}

static int create_recorder(struct cpu *cpu)
{
    const struct recorder_settings settings = {.config = cpu->config,
                                               .id = cpu->id,
                                               .frame = &cpu->frame,
                                               .faults = cpu->faults,
                                               .shape = cpu->shape,
                                               .welcome = cpu->welcome,
                                               .agreement = cpu->agreement,
                                               .slow = cpu->slow,
                                               .calibrate = cpu->calibrate,
                                               .sync = cpu->sync,
                                               .lockstep = cpu->lockstep};
    return recorder_create(&cpu->recorder, &settings);
}

/* What turns estimates into precoders. */
static int create_engine(struct cpu *cpu)
{
    const struct config *c = cpu->config;
    const double limit_us = cpu->lockstep ? c->engine.lockstep_timeout_ms * 500.0 : c->engine.gather_deadline_us;
    const struct solver_settings solver = {
        .shape = cpu->shape, .frame = &cpu->frame, .precoding = &c->precoding, .engine = &c->engine};
    struct push_settings push = {.shape = cpu->shape, .config = c, .lag_blocks = cpu->frame.lag_blocks};
    int status = choose_noise_key(cpu, &push.noise_key);
    status =
        status < 0 ? status : block_clock_create(&cpu->clock, cpu->shape.n_ap, c->frame.block_us * 1e3, !cpu->lockstep);
    status = status < 0 ? status : plausible_create(&cpu->plausible, cpu->shape.n_ap, cpu->shape.n_ue, noise_floor(c));
    status =
        status < 0 ? status : gather_create(&cpu->gather, &cpu->shape, limit_us, cpu->lockstep && c->air.wait_for_all);
    for (int ap = 0; status >= 0 && ap < cpu->shape.n_ap; ap++) {
        cpu->gather->foreign[ap] = config_cpu_of_ap(c, ap) != cpu->id;
    }
    status = status < 0 ? status : solver_create(&cpu->solver, &solver);
    status = status < 0 ? status : illuminate_create(&cpu->illuminate, c, &cpu->shape);
    return status < 0 ? status : push_create(&cpu->push, &push);
}

/* A replay has its epoch, and its APs do not wait for each other. */
static int create_replay(struct cpu *cpu)
{
    const struct replay_settings settings = {.path = cpu->replay_path,
                                             .config = cpu->config,
                                             .n_ap = cpu->shape.n_ap,
                                             .n_ue = cpu->shape.n_ue,
                                             .n_block_samples = cpu->frame.n_block_samples,
                                             .own_scheme = cpu->own_scheme};
    if (!cpu->replay_path) {
        return TUTTI_OK;
    }
    if (!cpu->lockstep) {
        return error_set(TUTTI_ECONFIG, "--replay: the radios of this network file do not play recordings "
                                        "(radio.ap.backend: file); `tutti replay` makes one");
    }
    if (cpu->shape.n_zone > 0) {
        return error_set(TUTTI_ECONFIG, "--replay: a run with sensing (sensing.live) cannot be replayed");
    }
    if (cpu->shape.n_pilot > 0) {
        return error_set(TUTTI_ECONFIG, "--replay: a run with clusters (cluster.enabled) cannot be replayed");
    }
    int status = replay_try(&settings);
    status = status < 0 ? status : replay_create(&cpu->replay, &settings);
    cpu->welcome.epoch = status < 0 ? 0 : replay_epoch(cpu->replay);
    return status;
}

static int create_hub(struct cpu *cpu)
{
    const struct config *c = cpu->config;
    const char *const endpoint = config_cpu_endpoint(c, cpu->id);
    int *const cpu_of_ap = calloc((size_t)cpu->shape.n_ap, sizeof *cpu_of_ap);
    for (int ap = 0; cpu_of_ap && ap < cpu->shape.n_ap; ap++) {
        cpu_of_ap[ap] = config_cpu_of_ap(c, ap);
    }
    const struct fh_hub_settings settings = {
        .endpoint = endpoint,
        .n_ap = cpu->shape.n_ap,
        .cpu = cpu->id,
        .n_cpu = config_n_cpu(c),
        .cpu_of_ap = cpu_of_ap,
        .fingerprint = config_fingerprint(c),
        .agreement = cpu->agreement,
        .welcome = cpu->welcome,
        .peer_timeout_ms = config_peer_timeout_ms(c),
        .key_dir = config_key_dir(c, endpoint),
        .io_priority = node_priority(&c->engine, NODE_DUTY_LINK),
    };
    const int status = cpu_of_ap ? fh_hub_create(&cpu->hub, &settings) : error_set(TUTTI_ENOMEM, "out of memory");
    free(cpu_of_ap); /* the hub has a copy */
    if (status >= 0) {
        fh_hub_busy_poll(cpu->hub, c->fronthaul.busy_poll_us);
    }
    return status;
}

static int create_uplink(struct cpu *cpu)
{
    const struct uplink_settings settings = {.config = cpu->config,
                                             .frame = &cpu->frame,
                                             .shape = cpu->shape,
                                             .recorder = cpu->recorder,
                                             .lockstep = cpu->lockstep,
                                             .company = cpu_company(cpu)};
    const int status = uplink_create(&cpu->uplink, &settings);
    return status < 0 ? status : uplink_start(cpu->uplink);
}

/* What may be damaged is read before the first thread (base/h5file_trial.h): recordings, calibrations. */
static int create_parts(struct cpu *cpu)
{
    int status = create_buffers(cpu);
    status = status < 0 ? status : create_replay(cpu);
    status = status < 0 ? status : create_faults(cpu);
    status = status < 0 ? status : create_slow(cpu);
    status = status < 0 ? status : create_sync(cpu);
    status = status < 0 ? status : create_calibrate(cpu);
    status = status < 0 ? status : create_recorder(cpu); /* owns the output before anybody is let in */
    status = status < 0 ? status : slow_start(cpu->slow);
    status = status < 0 ? status : calibrate_start(cpu->calibrate);
    status = status < 0 ? status : create_engine(cpu);
    status = status < 0 ? status : create_uplink(cpu);
    status = status < 0 ? status : create_hub(cpu);
    status = status < 0 ? status : cpu_create_part(cpu);
    status = status < 0 ? status : cpu_join_partners(cpu);
    return status < 0 ? status : recorder_start(cpu->recorder);
}

int cpu_create(struct cpu *cpu, const struct config *config)
{
    char name[16];
    snprintf(name, sizeof name, config->cpus_count > 0 ? "CPU%d" : "CPU", cpu->id);
    log_set_component(name);
    cpu->config = config;
    cpu->lockstep = config_is_repeatable(config);
    int status = frame_init(&cpu->frame, config);
    cpu->agreement = status < 0 ? NULL : config_agreement(config);
    if (!cpu->agreement) {
        return status < 0 ? status : error_set(TUTTI_ENOMEM, "out of memory for the configuration text");
    }
    cpu->shape = (struct block_shape){.n_sb = cpu->frame.n_sb,
                                      .n_ap = config->network.n_ap,
                                      .n_ant = config->network.n_ant,
                                      .n_ue = config->network.n_ue,
                                      .n_extra = solver_extra_streams(&config->precoding) + config_n_zone(config),
                                      .n_zone = config_n_zone(config),
                                      .n_pilot = config->cluster.enabled ? config->cluster.pilots : 0,
                                      .parts = config_n_cpu(config) > 1};
    cpu->welcome = (struct fh_welcome){.session = new_session(0),
                                       .epoch = cpu_epoch(config, cpu->frame.sample_rate_hz, clock_wall_ns())};
    status = create_parts(cpu);
    if (status < 0) {
        return status;
    }
    const struct config_engine *e = &config->engine;
    char *const lab = config_cpu_lab(config, cpu->id);
    node_realtime(e, NODE_DUTY_SOLVE, e->solve_cores_count > 0 ? e->solve_cores[0] : -1);
    log_write(LOG_INFO, "setup",
              "READY version=%s session=%u epoch=%" PRIu64 " endpoint=%s lab=%s n_ap=%d n_ant=%d n_ue=%d n_sb=%d",
              TUTTI_VERSION, cpu->welcome.session, cpu->welcome.epoch, config_cpu_endpoint(config, cpu->id),
              lab ? lab : "", cpu->shape.n_ap, cpu->shape.n_ant, cpu->shape.n_ue, cpu->shape.n_sb);
    free(lab);
    return TUTTI_OK;
}

void cpu_stop(struct cpu *cpu)
{
    rt_stop_request();
    uplink_stop(cpu->uplink);
    partners_stop(cpu->partners);
    recorder_stop(cpu->recorder);
    slow_stop(cpu->slow);
    /* A finished run is over for everybody; a node stopped by hand leaves the others waiting for its return. */
    const bool over = partners_over(cpu->partners) || (cpu->recorder && recorder_is_complete(cpu->recorder));
    if (cpu->hub && over) {
        fh_hub_broadcast_stop(cpu->hub);
    }
}

void cpu_destroy(struct cpu *cpu)
{
    cpu_stop(cpu);
    uplink_destroy(cpu->uplink);
    recorder_destroy(cpu->recorder);
    slow_destroy(cpu->slow);
    calibrate_destroy(cpu->calibrate);
    sync_watch_destroy(cpu->sync);
    partners_destroy(cpu->partners);
    homes_destroy(cpu->homes);
    cpu_destroy_part(cpu);
    free(cpu->home);
    free(cpu->serves_user);
    free(cpu->partner);
    free(cpu->orders);
    fh_hub_destroy(cpu->hub);
    push_destroy(cpu->push);
    illuminate_destroy(cpu->illuminate);
    solver_destroy(cpu->solver);
    gather_destroy(cpu->gather);
    plausible_destroy(cpu->plausible);
    block_clock_destroy(cpu->clock);
    faults_destroy(cpu->faults);
    replay_destroy(cpu->replay);
    free(cpu->coefficients);
    free(cpu->beta);
    free(cpu->error_variance);
    free(cpu->account_ack);
    free(cpu->silent);
    free(cpu->silence_told);
    free(cpu->user);
    free(cpu->sounded);
    free(cpu->roster);
    free(cpu->serves);
    free(cpu->next_serves);
    pilot_csi_destroy(cpu->pilot_csi);
    roster_book_destroy(cpu->rosters);
    free(cpu->agreement);
}

void cpu_log_counters(const struct cpu *cpu)
{
    const struct cpu_counters *c = &cpu->counters;
    uint64_t refused = 0;
    for (int e = 0; e < WIRE_N_ERRORS; e++) {
        refused += c->csi_refused[e];
    }
    log_write(LOG_INFO, "block",
              "COUNTERS bytes_up=%" PRIu64 " bytes_down=%" PRIu64 " blocks=%" PRIu64 " incomplete=%" PRIu64
              " csi_late=%" PRIu64 " csi_early=%" PRIu64 " csi_refused=%" PRIu64 " csi_foreign=%" PRIu64
              " off_clock=%" PRIu64 " implausible=%" PRIu64 " other_data=%" PRIu64 " jumped=%" PRIu64
              " restarts=%" PRIu64 " push_failed=%" PRIu64,
              c->bytes_up, c->bytes_down, c->blocks, cpu->gather->n_incomplete, cpu->gather->n_late,
              cpu->gather->n_early, refused, c->csi_foreign, c->off_clock, c->implausible, c->other_data,
              cpu->gather->n_jumped, c->restarts, c->push_failed);
    uplink_log_counters(cpu->uplink);
    recorder_log_counters(cpu->recorder);
    struct fh_counters counters;
    fh_hub_counters(cpu->hub, &counters);
    fh_counters_log(&counters, config_cpu_endpoint(cpu->config, cpu->id));
    partners_log_counters(cpu->partners);
    cpu_log_homes(cpu);
    faults_print_counters(cpu->faults);
}
