/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start-up and shut-down of the CPU node, and the layout of a block in a record slot. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/cpu.h"
#include "fronthaul/encoding.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Element counts of a block's arrays. */
struct block_sizes {
    size_t coefficients, antennas, ap_user, sb_user, n_sb;
};

static struct block_sizes sizes_of(const struct cpu *cpu)
{
    const size_t n_sb = (size_t)cpu->frame.n_sb, n_ap = (size_t)cpu->shape.n_ap, n_ue = (size_t)cpu->shape.n_ue;
    return (struct block_sizes){
        .coefficients = n_sb * n_ap * (size_t)cpu->shape.n_ant * n_ue,
        .antennas = n_sb * n_ap * (size_t)cpu->shape.n_ant,
        .ap_user = n_ap * n_ue,
        .sb_user = n_sb * n_ue,
        .n_sb = n_sb,
    };
}

int block_create(struct cpu_block *block, const struct cpu *cpu)
{
    const struct block_sizes n = sizes_of(cpu);
    block->H_hat = calloc(n.coefficients, sizeof *block->H_hat);
    block->W = calloc(n.coefficients, sizeof *block->W);
    block->an = calloc(n.antennas, sizeof *block->an);
    block->error_variance = calloc(n.ap_user, sizeof(float));
    block->beta = calloc(n.ap_user, sizeof(float));
    block->sinr = calloc(n.sb_user, sizeof(float));
    block->bound = calloc(n.n_sb, sizeof(double));
    block->reason = calloc(n.n_sb, sizeof(int));
    if (!block->H_hat || !block->W || !block->an || !block->error_variance || !block->beta || !block->sinr ||
        !block->bound || !block->reason) {
        return error_set(TUTTI_ENOMEM, "out of memory for the block window");
    }
    return TUTTI_OK;
}

void block_destroy(struct cpu_block *block)
{
    free(block->H_hat);
    free(block->W);
    free(block->an);
    free(block->error_variance);
    free(block->beta);
    free(block->sinr);
    free(block->bound);
    free(block->reason);
}

size_t block_bytes(const struct cpu *cpu)
{
    const struct block_sizes n = sizes_of(cpu);
    return sizeof(struct cpu_block) + (2 * n.coefficients + n.antennas) * sizeof(tutti_cf32) +
           (2 * n.ap_user + n.sb_user) * sizeof(float) + n.n_sb * (sizeof(int) + sizeof(double));
}

void block_view(const struct cpu *cpu, const void *slot, struct cpu_block *view)
{
    const struct block_sizes n = sizes_of(cpu);
    memcpy(view, slot, sizeof *view);
    char *at = (char *)(uintptr_t)slot + sizeof *view;
    view->H_hat = (tutti_cf32 *)(void *)at;
    view->W = view->H_hat + n.coefficients;
    view->an = view->W + n.coefficients;
    view->bound = (double *)(void *)(view->an + n.antennas);
    view->error_variance = (float *)(void *)(view->bound + n.n_sb);
    view->beta = view->error_variance + n.ap_user;
    view->sinr = view->beta + n.ap_user;
    view->reason = (int *)(void *)(view->sinr + n.sb_user);
}

void block_pack(const struct cpu *cpu, const struct cpu_block *block, void *slot)
{
    const struct block_sizes n = sizes_of(cpu);
    struct cpu_block copy;
    memcpy(slot, block, sizeof *block);
    block_view(cpu, slot, &copy);
    memcpy(copy.H_hat, block->H_hat, n.coefficients * sizeof *copy.H_hat);
    memcpy(copy.W, block->W, n.coefficients * sizeof *copy.W);
    memcpy(copy.an, block->an, n.antennas * sizeof *copy.an);
    memcpy(copy.error_variance, block->error_variance, n.ap_user * sizeof(float));
    memcpy(copy.beta, block->beta, n.ap_user * sizeof(float));
    memcpy(copy.sinr, block->sinr, n.sb_user * sizeof(float));
    memcpy(copy.bound, block->bound, n.n_sb * sizeof(double));
    memcpy(copy.reason, block->reason, n.n_sb * sizeof(int));
}

/* A session is one life of this process: APs tell a restarted node by it. Never 0. */
static uint32_t new_session(void)
{
    const uint64_t now = clock_wall_ns();
    const uint32_t session = (uint32_t)(now ^ (now >> 32));
    return session ? session : 1;
}

static int create_buffers(struct cpu *cpu)
{
    const size_t one = (size_t)cpu->frame.n_sb * (size_t)cpu->shape.n_ant * (size_t)cpu->shape.n_ue;
    const int n_stream = cpu->shape.n_ue + (cpu->config->precoding.an != CONFIG_AN_NONE);
    struct wire_header largest = {
        .n_sb = (uint16_t)cpu->frame.n_sb, .n_ant = (uint16_t)cpu->shape.n_ant, .n_stream = (uint16_t)n_stream};
    cpu->unpack = calloc(one, sizeof *cpu->unpack);
    cpu->push = calloc(one + (size_t)cpu->frame.n_sb * (size_t)cpu->shape.n_ant, sizeof *cpu->push);
    encoding_of_network(&largest, cpu->config, WIRE_PRECODER);
    cpu->message_bytes = wire_precoder_bytes(&largest) + WIRE_KEY_BYTES;
    cpu->message = malloc(cpu->message_bytes);
    if (!cpu->unpack || !cpu->push || !cpu->message) {
        return error_set(TUTTI_ENOMEM, "out of memory for the fronthaul buffers");
    }
    for (int i = 0; i < CPU_WINDOW; i++) {
        if (block_create(&cpu->window[i], cpu) < 0) {
            return TUTTI_ENOMEM;
        }
    }
    return TUTTI_OK;
}

static int create_hub(struct cpu *cpu)
{
    const struct fh_hub_settings settings = {
        .endpoint = cpu->config->fronthaul.endpoint,
        .n_ap = cpu->shape.n_ap,
        .fingerprint = config_fingerprint(cpu->config),
        .welcome = cpu->welcome,
        .peer_timeout_ms = config_peer_timeout_ms(cpu->config),
        .key_dir = config_key_dir(cpu->config, cpu->config->fronthaul.endpoint),
        .io_priority = cpu->config->engine.realtime_priority,
    };
    const int status = fh_hub_create(&cpu->hub, &settings);
    if (status >= 0) {
        fh_hub_busy_poll(cpu->hub, cpu->config->fronthaul.busy_poll_us);
    }
    return status;
}

/* The secret from which all APs draw the same phase-only noise: the system's entropy, or in emulation the seed. */
static int choose_noise_key(struct cpu *cpu)
{
    cpu->noise_key = cpu->config->network.seed;
    const bool air = strcmp(cpu->config->radio.ap.backend, "air") == 0;
    if (!air && getrandom(&cpu->noise_key, sizeof cpu->noise_key, 0) != sizeof cpu->noise_key) {
        return error_set(TUTTI_EIO, "no random numbers from the system for the artificial noise");
    }
    return TUTTI_OK;
}

int cpu_create(struct cpu *cpu, const struct config *config)
{
    log_set_component("CPU");
    cpu->config = config;
    cpu->shape = (struct mimo_shape){config->network.n_ap, config->network.n_ant, config->network.n_ue};
    cpu->lockstep = config_is_lockstep(config, config->radio.ap.backend);
    cpu->welcome = (struct fh_welcome){.session = new_session(), .epoch = 0};
    const struct config_precoding *p = &config->precoding;
    const bool fixed = p->an != CONFIG_AN_NONE && p->an_policy == CONFIG_AN_FIXED;
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        cpu->ap_power[ap] = fixed ? (float)(1.0 - p->an_share) : 1.0f;
    }
    if (choose_noise_key(cpu) < 0) {
        return TUTTI_EIO;
    }
    int status = frame_init(&cpu->frame, config);
    if (status >= 0) {
        status = create_buffers(cpu);
    }
    if (status >= 0) {
        status = solver_create(cpu);
    }
    if (status >= 0) {
        status = faults_create(cpu);
    }
    if (status >= 0) {
        status = recorder_create(cpu);
    }
    if (status >= 0) {
        status = create_hub(cpu);
    }
    if (status < 0) {
        return status;
    }
    if (config->engine.realtime_priority > 0 &&
        (rt_priority(config->engine.realtime_priority) < 0 || rt_lock_memory() < 0)) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    if (config->engine.solve_cores_count > 0 && rt_pin(config->engine.solve_cores[0]) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    log_write(LOG_INFO, "setup", "READY version=%s session=%u endpoint=%s lab=%s n_ap=%d n_ant=%d n_ue=%d n_sb=%d",
              TUTTI_VERSION, cpu->welcome.session, config->fronthaul.endpoint, config->fronthaul.lab_endpoint,
              cpu->shape.n_ap, cpu->shape.n_ant, cpu->shape.n_ue, cpu->frame.n_sb);
    return TUTTI_OK;
}

void cpu_stop(struct cpu *cpu)
{
    /* A finished run is over for everybody; a node stopped by hand leaves the others waiting for its return. */
    if (cpu->hub && cpu->recorder.running && atomic_load(&cpu->recorder.complete)) {
        fh_hub_broadcast_stop(cpu->hub);
    }
    recorder_stop(cpu);
}

void cpu_destroy(struct cpu *cpu)
{
    cpu_stop(cpu);
    recorder_destroy(cpu);
    fh_hub_destroy(cpu->hub);
    solver_destroy(cpu);
    faults_destroy(cpu);
    for (int i = 0; i < CPU_WINDOW; i++) {
        block_destroy(&cpu->window[i]);
    }
    free(cpu->unpack);
    free(cpu->push);
    free(cpu->message);
}

static void print_link_counters(const fh_hub_t *hub, const char *endpoint)
{
    struct fh_counters counters;
    fh_hub_counters(hub, &counters);
    fh_counters_log(&counters, endpoint);
}

void cpu_print_counters(const struct cpu *cpu)
{
    const struct cpu_counters *c = &cpu->counters;
    uint64_t refused = 0;
    for (int e = 0; e < WIRE_N_ERRORS; e++) {
        refused += c->csi_refused[e];
    }
    log_write(LOG_INFO, "block",
              "COUNTERS bytes_up=%llu bytes_down=%llu blocks=%llu incomplete=%llu csi_late=%llu csi_refused=%llu "
              "csi_foreign=%llu jumped=%llu "
              "push_failed=%llu "
              "record_dropped=%llu bad_reports=%llu",
              (unsigned long long)c->bytes_up, (unsigned long long)c->bytes_down, (unsigned long long)c->blocks,
              (unsigned long long)c->incomplete, (unsigned long long)c->csi_late, (unsigned long long)refused,
              (unsigned long long)c->csi_foreign, (unsigned long long)c->jumped, (unsigned long long)c->push_failed,
              (unsigned long long)c->record_dropped, (unsigned long long)cpu->recorder.bad_reports);
    if (cpu->hub) {
        print_link_counters(cpu->hub, cpu->config->fronthaul.endpoint);
    }
    if (cpu->recorder.lab) {
        print_link_counters(cpu->recorder.lab, cpu->config->fronthaul.lab_endpoint);
    }
    faults_print_counters(cpu);
}
