/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/faults.h"

#include "base/error.h"
#include "base/log.h"
#include "mimo/splitmix.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MASK_ROWS = 64, MAX_HELD = 1024, COMMAND_SLOTS = 4, TEXT_ROOM = 256 };

enum purpose { PURPOSE_LOSS, PURPOSE_REORDER, PURPOSE_JITTER };

/* A message on its way, later than it would be. */
struct held {
    uint64_t due_ns; /* monotonic */
    enum fault_direction direction;
    int ap;
    size_t n_bytes;
    uint8_t bytes[];
};

struct mask_row {
    uint64_t block;
    int64_t *mask; /* [n_ap] */
};
struct faults {
    struct faults_settings settings;
    struct config_faults now;   /* block thread */
    struct config_faults asked; /* record thread */
    ring_t *commands;           /* of struct config_faults, record -> block thread */
    int n_held;
    struct held *held[MAX_HELD];
    struct mask_row row[MASK_ROWS];
    int64_t *masks;                  /* [MASK_ROWS][n_ap] */
    uint64_t (*count)[CPU_N_FAULTS]; /* [n_ap] */
};

static const char *const fault_name[CPU_N_FAULTS] = {[CPU_FAULT_CSI_LOST] = "csi_lost",
                                                     [CPU_FAULT_PRECODER_LOST] = "precoder_lost",
                                                     [CPU_FAULT_CSI_DELAYED] = "csi_delayed",
                                                     [CPU_FAULT_PRECODER_DELAYED] = "precoder_delayed",
                                                     [CPU_FAULT_CSI_REORDERED] = "csi_reordered",
                                                     [CPU_FAULT_PRECODER_REORDERED] = "precoder_reordered",
                                                     [CPU_FAULT_SILENT] = "silent",
                                                     [CPU_FAULT_PARTITION] = "partition",
                                                     [CPU_FAULT_UPLINK_LOST] = "uplink_lost",
                                                     [CPU_FAULT_UPLINK_DELAYED] = "uplink_delayed"};

int faults_create(struct faults **faults, const struct faults_settings *settings)
{
    struct faults *f = *faults = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "out of memory for the faults");
    }
    const size_t n_ap = (size_t)settings->n_ap;
    f->settings = *settings;
    f->now = f->asked = settings->first;
    f->masks = calloc(MASK_ROWS * n_ap, sizeof *f->masks);
    f->count = calloc(n_ap, sizeof *f->count);
    if (!f->masks || !f->count) {
        return error_set(TUTTI_ENOMEM, "out of memory for the faults");
    }
    for (int r = 0; r < MASK_ROWS; r++) {
        f->row[r] = (struct mask_row){.block = UINT64_MAX, .mask = f->masks + (size_t)r * n_ap};
    }
    return ring_create(&f->commands, COMMAND_SLOTS, sizeof(struct config_faults));
}

void faults_destroy(struct faults *f)
{
    if (!f) {
        return;
    }
    for (int i = 0; i < f->n_held; i++) {
        free(f->held[i]);
    }
    free(f->masks);
    free(f->count);
    ring_destroy(f->commands);
    free(f);
}

/* Deciding -------------------------------------------------------------------------------------------------------- */

/* Uniform in [0, 1), the same for the same arguments on every machine. */
static double draw(const struct faults *f, int ap, uint64_t block, enum fault_direction direction, enum purpose purpose)
{
    const uint64_t stream = ((uint64_t)ap << 8) | ((uint64_t)direction << 4) | (uint64_t)purpose;
    struct splitmix rng = splitmix_make(f->settings.seed ^ 0xfa017u, stream);
    rng.counter = block;
    return (double)(splitmix_next(&rng) >> 11) * 0x1p-53;
}

static void count(struct faults *f, int ap, uint64_t block, enum cpu_fault fault)
{
    struct mask_row *row = &f->row[block % MASK_ROWS];
    if (row->block != block) {
        memset(row->mask, 0, (size_t)f->settings.n_ap * sizeof *row->mask);
        row->block = block;
    }
    row->mask[ap] |= INT64_C(1) << fault;
    f->count[ap][fault]++;
}

static bool is_lost(struct faults *f, int ap, uint64_t block, enum fault_direction direction)
{
    static const enum cpu_fault lost[] = {CPU_FAULT_CSI_LOST, CPU_FAULT_PRECODER_LOST, CPU_FAULT_UPLINK_LOST};
    if (f->now.silent_ap == ap && direction != FAULT_DOWN) {
        count(f, ap, block, CPU_FAULT_SILENT);
    } else if (f->now.partition_ap == ap) {
        count(f, ap, block, CPU_FAULT_PARTITION);
    } else if (f->now.loss > 0 && draw(f, ap, block, direction, PURPOSE_LOSS) < f->now.loss) {
        count(f, ap, block, lost[direction]);
    } else {
        return false;
    }
    return true;
}

/* How much later this message comes. One that is to be overtaken comes after the next block's. */
static double delay_us(struct faults *f, int ap, uint64_t block, enum fault_direction direction)
{
    static const enum cpu_fault late[] = {CPU_FAULT_CSI_DELAYED, CPU_FAULT_PRECODER_DELAYED, CPU_FAULT_UPLINK_DELAYED};
    static const enum cpu_fault overtaken[] = {CPU_FAULT_CSI_REORDERED, CPU_FAULT_PRECODER_REORDERED,
                                               CPU_FAULT_UPLINK_DELAYED};
    double us = 0;
    if (f->now.delay_us > 0 || f->now.jitter_us > 0) {
        us = f->now.delay_us + f->now.jitter_us * (2 * draw(f, ap, block, direction, PURPOSE_JITTER) - 1);
        count(f, ap, block, late[direction]);
    }
    if (f->now.reorder > 0 && draw(f, ap, block, direction, PURPOSE_REORDER) < f->now.reorder) {
        us += 1.5 * f->settings.block_us;
        count(f, ap, block, overtaken[direction]);
    }
    return us;
}

/* Keeps a copy for later; false if there is no room: then it is lost. */
static bool hold(struct faults *f, int ap, enum fault_direction direction, uint64_t due_ns, const uint8_t *data,
                 size_t n_bytes)
{
    struct held *held = f->n_held < MAX_HELD ? malloc(sizeof *held + n_bytes) : NULL;
    if (!held) {
        return false;
    }
    held->due_ns = due_ns;
    held->direction = direction;
    held->ap = ap;
    held->n_bytes = n_bytes;
    memcpy(held->bytes, data, n_bytes);
    f->held[f->n_held++] = held;
    return true;
}

enum fault_verdict faults_judge(struct faults *f, int ap, uint64_t block, enum fault_direction direction,
                                uint64_t now_ns, const uint8_t *data, size_t n_bytes)
{
    if (block < f->now.from_block || (f->now.to_block > 0 && block >= f->now.to_block)) {
        return FAULT_PASS;
    }
    if (is_lost(f, ap, block, direction)) {
        return FAULT_LOST;
    }
    const double us = f->settings.lockstep ? 0 : delay_us(f, ap, block, direction);
    if (us <= 0) {
        return FAULT_PASS;
    }
    if (hold(f, ap, direction, now_ns + (uint64_t)(us * 1e3), data, n_bytes)) {
        return FAULT_HELD;
    }
    count(f, ap, block,
          direction == FAULT_UP     ? CPU_FAULT_CSI_LOST
          : direction == FAULT_DOWN ? CPU_FAULT_PRECODER_LOST
                                    : CPU_FAULT_UPLINK_LOST);
    return FAULT_LOST;
}

void faults_of_block(const struct faults *f, uint64_t block, int64_t *mask)
{
    const struct mask_row *row = &f->row[block % MASK_ROWS];
    const size_t n = (size_t)f->settings.n_ap * sizeof *mask;
    if (row->block == block) {
        memcpy(mask, row->mask, n);
    } else {
        memset(mask, 0, n);
    }
}

/* Delivering ------------------------------------------------------------------------------------------------------ */

/* The one that is due first; -1: none is held. */
static int first_due(const struct faults *f)
{
    int first = -1;
    for (int i = 0; i < f->n_held; i++) {
        if (first < 0 || f->held[i]->due_ns < f->held[first]->due_ns) {
            first = i;
        }
    }
    return first;
}

int64_t faults_next_us(const struct faults *f, uint64_t now_ns)
{
    const int first = first_due(f);
    if (first < 0) {
        return INT64_MAX;
    }
    const uint64_t due_ns = f->held[first]->due_ns;
    return due_ns > now_ns ? (int64_t)((due_ns - now_ns + 999) / 1000) : 0;
}

void faults_turn(struct faults *f, uint64_t now_ns, faults_deliver_fn *deliver, void *context)
{
    for (const struct config_faults *command; (command = ring_peek(f->commands, 0)) != NULL;) {
        f->now = *command;
        ring_pop(f->commands);
    }
    for (int first; (first = first_due(f)) >= 0 && f->held[first]->due_ns <= now_ns;) {
        struct held *held = f->held[first];
        f->held[first] = f->held[--f->n_held];
        deliver(context, held->ap, held->direction, held->bytes, held->n_bytes);
        free(held);
    }
}

void faults_print_counters(const struct faults *f)
{
    for (int ap = 0; f && ap < f->settings.n_ap; ap++) {
        char text[2 * TEXT_ROOM];
        size_t used = 0;
        uint64_t sum = 0;
        for (int i = 0; i < CPU_N_FAULTS && used < sizeof text; i++) {
            const uint64_t n = f->count[ap][i];
            sum += n;
            used += (size_t)snprintf(text + used, sizeof text - used, " %s=%" PRIu64, fault_name[i], n);
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

static int set_one(const struct faults_settings *s, struct config_faults *f, const char *name, double value)
{
    const double last_ap = s->n_ap - 1, far = 1e12, second_us = s->lockstep ? 0 : 1e6;
    const struct {
        const char *name;
        double min, max;
        double *real;
        int *ap;
        uint64_t *block;
    } keys[] = {{"loss", 0, 1, &f->loss, NULL, NULL},
                {"delay_us", 0, second_us, &f->delay_us, NULL, NULL},
                {"jitter_us", 0, second_us, &f->jitter_us, NULL, NULL},
                {"reorder", 0, s->lockstep ? 0 : 1, &f->reorder, NULL, NULL},
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

static int change(struct faults *f, json_t *set)
{
    struct config_faults wanted = f->asked;
    const char *name;
    json_t *value;
    if (!f->settings.first.allow_command) {
        return error_set(TUTTI_EREFUSED, "this network was started without fronthaul.faults.allow_command: true");
    }
    json_object_foreach(set, name, value)
    {
        const int status = json_is_number(value) ? set_one(&f->settings, &wanted, name, json_number_value(value))
                                                 : error_set(TUTTI_EINVAL, "%.32s: a number is expected", name);
        if (status < 0) {
            return status;
        }
    }
    if (wanted.to_block > 0 && wanted.to_block <= wanted.from_block) {
        return error_set(TUTTI_EINVAL, "to_block: %" PRIu64 " is not after from_block = %" PRIu64, wanted.to_block,
                         wanted.from_block);
    }
    struct config_faults *slot = ring_write_slot(f->commands);
    if (!slot) {
        return error_set(TUTTI_EAGAIN, "the CPU node is busy, try again");
    }
    *slot = f->asked = wanted;
    ring_push(f->commands);
    return TUTTI_OK;
}

/* JSON text is UTF-8, and a name in a sentence may have been cut inside a character. */
static char *ascii(char *text)
{
    for (char *c = text; *c; c++) {
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    }
    return text;
}

bool faults_command(struct faults *f, const char *json, char **answer)
{
    char text[TEXT_ROOM];
    json_t *root = json_loads(json, 0, NULL), *set = json_object_get(root, "set");
    const char *type = json_string_value(json_object_get(root, "type"));
    const bool ours = type && strcmp(type, "fault") == 0 && json_is_object(set);
    *answer = NULL;
    if (ours) {
        const int status = change(f, set);
        write_text(text, &f->asked);
        if (status == TUTTI_OK) {
            log_write(LOG_WARNING, "faults", "CHANGED %s", text);
        } else {
            snprintf(text, sizeof text, "%s", error_text());
        }
        json_t *reply = json_pack("{s:s, s:s}", "type", "fault_answer", status < 0 ? "error" : "faults", ascii(text));
        *answer = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
        json_decref(reply);
    }
    json_decref(root);
    return ours;
}
