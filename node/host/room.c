/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether what is recorded has room: memory, disk, and the speed of the disk. */
#include "base/frame.h"
#include "node/host/look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

static const double MB = 1e6;
static const double LEAST_MEMORY_MB = 512, CACHE_S = 10; /* what the kernel may hold back before it writes */

static const char *folder_of(const struct host_question *question)
{
    return question->folder ? question->folder : question->config ? question->config->folder : ".";
}

/* Antennas whose samples are written as cf32. */
static int antennas_recorded(const struct config *config)
{
    const int n[CONFIG_N_ROLES] = {config->network.n_ap, config->network.n_ue, config->network.n_eve};
    const int n_ant[CONFIG_N_ROLES] = {config->network.n_ant, 1, config->eve.n_ant};
    int antennas = 0;
    for (int role = 0; role < CONFIG_N_ROLES; role++) {
        for (int id = 0; id < n[role]; id++) {
            antennas += config_records_iq(config, (enum config_role)role, id) ? n_ant[role] : 0;
        }
    }
    return antennas;
}

/* Coefficients are cf32, symbols of the block with samples are all of them. */
void look_recording(const struct host_question *question, double *bytes_per_s, double *bytes)
{
    const struct config *const c = question->config;
    struct frame frame;
    *bytes_per_s = *bytes = 0;
    if (!c || frame_init(&frame, c) < 0) {
        return;
    }
    const double blocks_per_s = 1e6 / c->frame.block_us;
    const double matrix = 8.0 * frame.n_sb * c->network.n_ap * c->network.n_ant * c->network.n_ue;
    const bool recorded = c->record.file && *c->record.file;
    const double rows =
        recorded ? matrix * (c->record.csi + c->record.precoders) + 200.0 * (c->network.n_ap + c->network.n_ue) : 0;
    const double n_blocks = c->network.n_blocks ? (double)c->network.n_blocks : INFINITY;
    const double samples =
        antennas_recorded(c) * 8 * c->frame.sample_rate_hz *
        (c->record.iq.symbols == CONFIG_IQ_PG ? (double)(frame.n_pilot + frame.n_guard) / frame.n_symbol : 1);
    const double iq_blocks = c->record.iq.n_blocks ? (double)c->record.iq.n_blocks : n_blocks;
    *bytes_per_s = rows * blocks_per_s + samples;
    *bytes = (rows > 0 ? rows * n_blocks : 0) + (samples > 0 ? samples / blocks_per_s * iq_blocks : 0);
}

void look_at_memory(const struct host_question *question, struct host_finding *f)
{
    char line[LOOK_LINE_ROOM];
    double bytes_per_s, bytes;
    look_recording(question, &bytes_per_s, &bytes);
    const double needed_mb = LEAST_MEMORY_MB + CACHE_S * bytes_per_s / MB;
    host_wanted(f, "%.0f MB", needed_mb);
    if (!look_for(question, "/proc/meminfo", "MemAvailable:", line)) {
        host_found(f, HOST_UNKNOWN, "not visible");
        return;
    }
    const double mb = strtod(line + strlen("MemAvailable:"), NULL) * 1024 / MB;
    host_found(f, mb >= needed_mb ? HOST_GOOD : HOST_COSTS, "%.0f MB available", mb);
}

void look_at_disk(const struct host_question *question, struct host_finding *f)
{
    struct statvfs system;
    double bytes_per_s, bytes;
    look_recording(question, &bytes_per_s, &bytes);
    if (statvfs(folder_of(question), &system)) {
        host_found(f, HOST_UNKNOWN, "%.100s cannot be looked at", folder_of(question));
        return;
    }
    const double free_bytes = (double)system.f_bavail * (double)system.f_frsize;
    const double minutes = bytes_per_s > 0 ? free_bytes / bytes_per_s / 60 : INFINITY;
    if (isinf(bytes)) {
        host_wanted(f, "%.1f MB/s until stopped", bytes_per_s / MB);
        host_found(f, minutes > 10 ? HOST_TOLD : HOST_COSTS, "%.0f MB free: %.0f minutes", free_bytes / MB, minutes);
    } else {
        host_wanted(f, "%.0f MB", bytes / MB);
        host_found(f,
                   bytes > free_bytes       ? HOST_IMPOSSIBLE
                   : 2 * bytes > free_bytes ? HOST_COSTS
                                            : HOST_GOOD,
                   "%.0f MB free", free_bytes / MB);
    }
}

void look_at_write_speed(const struct host_question *question, struct host_finding *f)
{
    double bytes_per_s, bytes;
    const double found = question->measured->write_mb_per_s;
    look_recording(question, &bytes_per_s, &bytes);
    host_wanted(f, "%.1f MB/s, twice the recording's rate", 2 * bytes_per_s / MB);
    if (isnan(found)) {
        host_found(f, HOST_UNKNOWN, "%.100s cannot be written to", folder_of(question));
    } else {
        host_found(f, found >= 2 * bytes_per_s / MB ? HOST_GOOD : HOST_COSTS, "%.0f MB/s", found);
    }
}
