/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults injected into the links with the APs (fronthaul.faults, `tutti fault`). Whether a message is lost is a hash of
 * seed, AP, block and direction, so two lock-step runs lose the same ones. In lock-step nobody waits for what was
 * dropped here: the block closes without the AP, and the AP is told that it gets no precoder (push.c). In paced mode a
 * lost message is as if it had never arrived. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cpu_node/cpu.h"
#include "mimo/splitmix.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MASK_ROWS = 64, MAX_HELD = 1024, COMMAND_SLOTS = 4, TEXT_ROOM = 256 };

enum direction { UP, DOWN };
enum purpose { PURPOSE_LOSS, PURPOSE_REORDER, PURPOSE_JITTER };

/* A message on its way, later than it would be. */
struct held {
    uint64_t due_ns; /* monotonic */
    enum direction direction;
    int ap;
    size_t n_bytes;
    uint8_t bytes[];
};

struct cpu_faults {
    struct config_faults now;   /* block thread */
    struct config_faults asked; /* record thread */
    ring_t *commands;           /* of struct config_faults, record -> block thread */
    bool lockstep;
    int n_held;
    struct held *held[MAX_HELD];
    struct mask_row {
        uint64_t block;
        int64_t mask[TUTTI_MAX_AP];
    } row[MASK_ROWS];
    uint64_t count[TUTTI_MAX_AP][CPU_N_FAULTS];
};

static const char *const fault_name[CPU_N_FAULTS] = {[CPU_FAULT_CSI_LOST] = "csi_lost",
                                                     [CPU_FAULT_PRECODER_LOST] = "precoder_lost",
                                                     [CPU_FAULT_CSI_DELAYED] = "csi_delayed",
                                                     [CPU_FAULT_PRECODER_DELAYED] = "precoder_delayed",
                                                     [CPU_FAULT_CSI_REORDERED] = "csi_reordered",
                                                     [CPU_FAULT_PRECODER_REORDERED] = "precoder_reordered",
                                                     [CPU_FAULT_SILENT] = "silent",
                                                     [CPU_FAULT_PARTITION] = "partition"};

int faults_create(struct cpu *cpu)
{
    struct cpu_faults *f = cpu->faults = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "out of memory for the faults");
    }
    f->now = f->asked = cpu->config->fronthaul.faults;
    f->lockstep = cpu->lockstep;
    for (int r = 0; r < MASK_ROWS; r++) {
        f->row[r].block = UINT64_MAX;
    }
    return ring_create(&f->commands, COMMAND_SLOTS, sizeof(struct config_faults));
}

void faults_destroy(struct cpu *cpu)
{
    struct cpu_faults *f = cpu->faults;
    if (!f) {
        return;
    }
    for (int i = 0; i < f->n_held; i++) {
        free(f->held[i]);
    }
    ring_destroy(f->commands);
    free(f);
    cpu->faults = NULL;
}

/* Deciding -------------------------------------------------------------------------------------------------------- */

/* Uniform in [0, 1), the same for the same arguments on every machine. */
static double draw(const struct cpu *cpu, int ap, uint64_t block, enum direction direction, enum purpose purpose)
{
    const uint64_t stream = ((uint64_t)ap << 8) | ((uint64_t)direction << 4) | (uint64_t)purpose;
    struct splitmix rng = splitmix_make(cpu->config->network.seed ^ 0xfa017u, stream);
    rng.counter = block;
    return (double)(splitmix_next(&rng) >> 11) * 0x1p-53;
}

static void count(struct cpu_faults *f, int ap, uint64_t block, enum cpu_fault fault)
{
    struct mask_row *row = &f->row[block % MASK_ROWS];
    if (row->block != block) {
        memset(row, 0, sizeof *row);
        row->block = block;
    }
    row->mask[ap] |= INT64_C(1) << fault;
    f->count[ap][fault]++;
}

static bool is_lost(struct cpu *cpu, int ap, uint64_t block, enum direction direction)
{
    struct cpu_faults *f = cpu->faults;
    if (f->now.silent_ap == ap && direction == UP) {
        count(f, ap, block, CPU_FAULT_SILENT);
    } else if (f->now.partition_ap == ap) {
        count(f, ap, block, CPU_FAULT_PARTITION);
    } else if (f->now.loss > 0 && draw(cpu, ap, block, direction, PURPOSE_LOSS) < f->now.loss) {
        count(f, ap, block, direction == UP ? CPU_FAULT_CSI_LOST : CPU_FAULT_PRECODER_LOST);
    } else {
        return false;
    }
    return true;
}

/* How much later this message comes. One that is to be overtaken comes after the next block's. */
static double delay_us(struct cpu *cpu, int ap, uint64_t block, enum direction direction)
{
    struct cpu_faults *f = cpu->faults;
    double us = 0;
    if (f->now.delay_us > 0 || f->now.jitter_us > 0) {
        us = f->now.delay_us + f->now.jitter_us * (2 * draw(cpu, ap, block, direction, PURPOSE_JITTER) - 1);
        count(f, ap, block, direction == UP ? CPU_FAULT_CSI_DELAYED : CPU_FAULT_PRECODER_DELAYED);
    }
    if (f->now.reorder > 0 && draw(cpu, ap, block, direction, PURPOSE_REORDER) < f->now.reorder) {
        us += 1.5 * cpu->config->frame.block_us;
        count(f, ap, block, direction == UP ? CPU_FAULT_CSI_REORDERED : CPU_FAULT_PRECODER_REORDERED);
    }
    return us;
}

/* Keeps a copy for later; false if there is no room: then it is lost. */
static bool hold(struct cpu_faults *f, int ap, enum direction direction, double us, const uint8_t *data, size_t n_bytes)
{
    struct held *held = f->n_held < MAX_HELD ? malloc(sizeof *held + n_bytes) : NULL;
    if (!held) {
        return false;
    }
    held->due_ns = clock_mono_ns() + (uint64_t)(us * 1e3);
    held->direction = direction;
    held->ap = ap;
    held->n_bytes = n_bytes;
    memcpy(held->bytes, data, n_bytes);
    f->held[f->n_held++] = held;
    return true;
}

static enum cpu_verdict judge(struct cpu *cpu, int ap, uint64_t block, enum direction direction, const uint8_t *data,
                              size_t n_bytes)
{
    struct cpu_faults *f = cpu->faults;
    if (block < f->now.from_block || (f->now.to_block > 0 && block >= f->now.to_block)) {
        return CPU_PASS;
    }
    if (is_lost(cpu, ap, block, direction)) {
        return CPU_LOST;
    }
    const double us = f->lockstep ? 0 : delay_us(cpu, ap, block, direction);
    if (us <= 0) {
        return CPU_PASS;
    }
    if (hold(f, ap, direction, us, data, n_bytes)) {
        return CPU_HELD;
    }
    count(f, ap, block, direction == UP ? CPU_FAULT_CSI_LOST : CPU_FAULT_PRECODER_LOST);
    return CPU_LOST;
}

enum cpu_verdict faults_judge_csi(struct cpu *cpu, int ap, uint64_t block, const uint8_t *data, size_t n_bytes)
{
    return judge(cpu, ap, block, UP, data, n_bytes);
}

enum cpu_verdict faults_judge_precoder(struct cpu *cpu, int ap, uint64_t block, const uint8_t *data, size_t n_bytes)
{
    return judge(cpu, ap, block, DOWN, data, n_bytes);
}

void faults_of_block(const struct cpu *cpu, uint64_t block, int64_t mask[TUTTI_MAX_AP])
{
    const struct mask_row *row = &cpu->faults->row[block % MASK_ROWS];
    if (row->block == block) {
        memcpy(mask, row->mask, sizeof row->mask);
    } else {
        memset(mask, 0, sizeof row->mask);
    }
}

/* Delivering ------------------------------------------------------------------------------------------------------ */

/* The one that is due first; -1: none is held. */
static int first_due(const struct cpu_faults *f)
{
    int first = -1;
    for (int i = 0; i < f->n_held; i++) {
        if (first < 0 || f->held[i]->due_ns < f->held[first]->due_ns) {
            first = i;
        }
    }
    return first;
}

int64_t faults_next_us(const struct cpu *cpu)
{
    const int first = first_due(cpu->faults);
    if (first < 0) {
        return INT64_MAX;
    }
    const uint64_t now_ns = clock_mono_ns(), due_ns = cpu->faults->held[first]->due_ns;
    return due_ns > now_ns ? (int64_t)((due_ns - now_ns + 999) / 1000) : 0;
}

void faults_turn(struct cpu *cpu, void (*deliver_csi)(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes))
{
    struct cpu_faults *f = cpu->faults;
    for (const struct config_faults *command; (command = ring_peek(f->commands, 0)) != NULL;) {
        f->now = *command;
        ring_pop(f->commands);
    }
    for (int first; (first = first_due(f)) >= 0 && f->held[first]->due_ns <= clock_mono_ns();) {
        struct held *held = f->held[first];
        f->held[first] = f->held[--f->n_held];
        if (held->direction == UP) {
            deliver_csi(cpu, held->ap, held->bytes, held->n_bytes);
        } else if (fh_hub_send(cpu->hub, FH_ROLE_AP, held->ap, held->bytes, held->n_bytes) < 0) {
            cpu->counters.push_failed++;
        }
        free(held);
    }
}

void faults_print_counters(const struct cpu *cpu)
{
    for (int ap = 0; cpu->faults && ap < cpu->shape.n_ap; ap++) {
        char text[2 * TEXT_ROOM];
        size_t used = 0;
        uint64_t sum = 0;
        for (int i = 0; i < CPU_N_FAULTS; i++) {
            const uint64_t n = cpu->faults->count[ap][i];
            sum += n;
            used += (size_t)snprintf(text + used, sizeof text - used, " %s=%" PRIu64, fault_name[i], n);
            if (used >= sizeof text) {
                break;
            }
        }
        if (sum > 0) {
            log_write(LOG_INFO, "faults", "COUNTERS ap=%d%s", ap, text);
        }
    }
}

/* Commands -------------------------------------------------------------------------------------------------------- */

static void write_text(char text[TEXT_ROOM], const struct config_faults *f)
{
    snprintf(text, TEXT_ROOM,
             "loss=%g delay_us=%g jitter_us=%g reorder=%g silent_ap=%d partition_ap=%d from_block=%" PRIu64
             " to_block=%" PRIu64,
             f->loss, f->delay_us, f->jitter_us, f->reorder, f->silent_ap, f->partition_ap, f->from_block, f->to_block);
}

static int set_one(const struct cpu *cpu, struct config_faults *f, const char *name, double value)
{
    const double last_ap = cpu->shape.n_ap - 1, far = 1e12, second_us = cpu->lockstep ? 0 : 1e6;
    const struct {
        const char *name;
        double min, max;
        double *real;
        int *ap;
        uint64_t *block;
    } keys[] = {{"loss", 0, 1, &f->loss, NULL, NULL},
                {"delay_us", 0, second_us, &f->delay_us, NULL, NULL},
                {"jitter_us", 0, second_us, &f->jitter_us, NULL, NULL},
                {"reorder", 0, cpu->lockstep ? 0 : 1, &f->reorder, NULL, NULL},
                {"silent_ap", -1, last_ap, NULL, &f->silent_ap, NULL},
                {"partition_ap", -1, last_ap, NULL, &f->partition_ap, NULL},
                {"from_block", 0, far, NULL, NULL, &f->from_block},
                {"to_block", 0, far, NULL, NULL, &f->to_block}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(name, keys[i].name) != 0) {
            continue;
        }
        const bool whole = keys[i].real || value == floor(value);
        if (!(value >= keys[i].min && value <= keys[i].max) || !whole) {
            return error_set(TUTTI_EINVAL, "%s: %g is not %s %g to %g%s", name, value, whole ? "in" : "a whole number",
                             keys[i].min, keys[i].max,
                             keys[i].real && keys[i].max == 0 ? " (lock-step has no wall clock)" : "");
        }
        if (keys[i].real) {
            *keys[i].real = value;
        } else if (keys[i].ap) {
            *keys[i].ap = (int)value;
        } else {
            *keys[i].block = (uint64_t)value;
        }
        return TUTTI_OK;
    }
    return error_set(TUTTI_EINVAL,
                     "%.32s: no such fault; there are loss, delay_us, jitter_us, reorder, silent_ap, "
                     "partition_ap, from_block, to_block",
                     name);
}

static int change(struct cpu *cpu, json_t *set)
{
    struct config_faults wanted = cpu->faults->asked;
    const char *name;
    json_t *value;
    if (!cpu->config->fronthaul.faults.allow_command) {
        return error_set(TUTTI_EREFUSED, "this network was started without fronthaul.faults.allow_command: true");
    }
    json_object_foreach(set, name, value)
    {
        const int status = json_is_number(value) ? set_one(cpu, &wanted, name, json_number_value(value))
                                                 : error_set(TUTTI_EINVAL, "%.32s: a number is expected", name);
        if (status < 0) {
            return status;
        }
    }
    if (wanted.to_block > 0 && wanted.to_block <= wanted.from_block) {
        return error_set(TUTTI_EINVAL, "to_block: %" PRIu64 " is not after from_block = %" PRIu64, wanted.to_block,
                         wanted.from_block);
    }
    struct config_faults *slot = ring_write_slot(cpu->faults->commands);
    if (!slot) {
        return error_set(TUTTI_EAGAIN, "the CPU node is busy, try again");
    }
    *slot = cpu->faults->asked = wanted;
    ring_push(cpu->faults->commands);
    return TUTTI_OK;
}

bool faults_command(struct cpu *cpu, int observer, const char *json)
{
    char text[TEXT_ROOM];
    json_t *root = json_loads(json, 0, NULL), *set = json_object_get(root, "set");
    const char *type = json_string_value(json_object_get(root, "type"));
    const bool ours = type && strcmp(type, "fault") == 0 && json_is_object(set);
    if (ours) {
        const int status = change(cpu, set);
        write_text(text, &cpu->faults->asked);
        if (status == TUTTI_OK) {
            log_write(LOG_WARNING, "faults", "CHANGED %s", text);
        }
        json_t *answer = json_pack("{s:s, s:s}", "type", "fault_answer", status < 0 ? "error" : "faults",
                                   status < 0 ? error_text() : text);
        char *out = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
        if (out) {
            fh_hub_send_control(cpu->recorder.lab, FH_ROLE_OBSERVER, observer, out);
        }
        free(out);
        json_decref(answer);
    }
    json_decref(root);
    return ours;
}
