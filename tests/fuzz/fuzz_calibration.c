/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile measurements of a calibration at the central node, as they are and with their checksums made right: a run of
 * two access points in which one tells the truth and the other whatever it likes. Whatever it says, the run ends, and
 * what access points are told then are numbers, and shifts of their time that a clock may be off by. */
#include "base/error.h"
#include "cpu_node/calibrate.h"
#include "fronthaul/crc32c.h"
#include "fronthaul/wire.h"
#include "fuzz.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

enum { N_AP = 2, N_ANT = 2, N_STATISTIC = 3, STATISTICS_AT = WIRE_HEADER_BYTES + 8, ROOM = 1 << 16 };

static struct config *config;
static struct frame frame;
static struct block_shape shape;
static calibrate_t *calibrate;
static uint64_t now, n_seen, n_tables, n_begun, n_done, n_failed;
static unsigned long long end_block;
static uint32_t run;
static const uint8_t alive[N_AP] = {1, 1};

/* What access points are told. */
static void told(void *context, int ap, const char *json)
{
    (void)context;
    MUST(ap >= 0 && ap < N_AP && !strstr(json, "nan") && !strstr(json, "inf"));
    const char *const shift = strstr(json, "\"shift_samples\":");
    if (shift) {
        const double samples = strtod(shift + strlen("\"shift_samples\":"), NULL);
        MUST(fabs(samples) <= frame.fft_size + frame.n_block_samples);
        n_tables++;
    }
}

static void said(void *context, uint64_t block, const char *sentence)
{
    (void)context;
    (void)block;
    unsigned long long from, n;
    MUST(*sentence && !strchr(sentence, '\n') && !strstr(sentence, "nan") && !strstr(sentence, "inf"));
    if (sscanf(sentence, "CALIBRATION-BEGAN run=%u from_block=%llu n_blocks=%llu", &run, &from, &n) == 3) {
        end_block = from + n;
        n_begun++;
    }
    n_done += strncmp(sentence, "CALIBRATED ", 11) == 0;
    n_failed += strncmp(sentence, "CALIBRATION-FAILED ", 19) == 0;
}

static void open_network(void)
{
    const char *const sets[] = {"network.n_ap=2",
                                "network.n_ant=2",
                                "network.n_ue=2",
                                "frame.n_used_subcarriers=48",
                                "frame.schedule=B G P4 U20 C4 G D38 G",
                                "calibration.n_repeats=1"};
    if (config_load(&config, NULL, sets, sizeof sets / sizeof *sets) < 0) {
        fprintf(stderr, "%s\n", error_text());
        abort();
    }
    MUST(frame_init(&frame, config) == 0);
    shape = (struct block_shape){.n_sb = frame.n_sb, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = 2};
    const struct calibrate_settings settings = {
        .config = config, .frame = &frame, .shape = shape, .send = told, .say = said};
    MUST(calibrate_create(&calibrate, &settings) == 0 && calibrate_start(calibrate) == 0);
}

static void put_u32(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (8 * i));
    }
}

/* What AP `to` heard of AP `from`, as it is sent. */
static size_t measurement(uint8_t *out, int from, int to, float number)
{
    static tutti_cf32 values[ROOM / 64];
    static float statistic[ROOM / 64];
    const int n = shape.n_sb * N_ANT;
    for (int i = 0; i < n * N_ANT; i++) {
        values[i] = CMPLXF(100 + (float)(i % 7), (float)(i % 5));
    }
    statistic[0] = number;
    for (int i = 0; i < n; i++) {
        statistic[N_STATISTIC + i] = 12;
    }
    const struct wire_header header = {.type = WIRE_CALIBRATION,
                                       .node = (uint16_t)to,
                                       .n_sb = (uint16_t)shape.n_sb,
                                       .n_ant = N_ANT,
                                       .n_stream = N_ANT};
    const struct wire_array_meta meta = {
        .subject = (uint16_t)from, .n_statistic = N_STATISTIC + (uint32_t)n, .statistic = statistic};
    return wire_pack_array(out, ROOM, &header, &meta, values);
}

static int state_now(void)
{
    struct calibrate_report report;
    calibrate_report(calibrate, &report);
    return (int)report.state;
}

/* A run in which access point 1 has told what it heard. */
static void begin(void)
{
    static uint8_t honest[ROOM];
    calibrate_request(calibrate);
    calibrate_turn(calibrate, ++now, alive);
    MUST(state_now() == CALIBRATE_SOUNDING);
    now = end_block;
    calibrate_hear(calibrate, 1, honest, measurement(honest, 0, 1, (float)run));
}

static void hear(const uint8_t *data, size_t n_bytes)
{
    if (state_now() != CALIBRATE_SOUNDING) {
        begin();
    }
    calibrate_hear(calibrate, 0, data, n_bytes);
    calibrate_turn(calibrate, now, alive);
    while (state_now() == CALIBRATE_SOLVING) {
        sched_yield();
        calibrate_turn(calibrate, now, alive);
    }
    n_seen++;
}

/* A run's number is what the newest run's is where the seeds have theirs. */
static void renumber(uint8_t *sealed, size_t n_bytes)
{
    const float one = 1, number = (float)run;
    if (n_bytes >= STATISTICS_AT + sizeof one && memcmp(sealed + STATISTICS_AT, &one, sizeof one) == 0) {
        memcpy(sealed + STATISTICS_AT, &number, sizeof number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (!calibrate) {
        open_network();
    }
    hear(data, n_bytes);
    if (n_bytes >= WIRE_HEADER_BYTES) {
        uint8_t *sealed = malloc(n_bytes);
        MUST(sealed);
        memcpy(sealed, data, n_bytes);
        if (state_now() != CALIBRATE_SOUNDING) {
            begin();
        }
        renumber(sealed, n_bytes);
        put_u32(sealed + 64, crc32c_by_table(0, sealed + WIRE_HEADER_BYTES, n_bytes - WIRE_HEADER_BYTES));
        put_u32(sealed + 68, crc32c_by_table(0, sealed, 68));
        hear(sealed, n_bytes);
        free(sealed);
    }
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu messages, %llu runs begun, %llu calibrated, %llu failed, %llu tables sent\n",
           (unsigned long long)n_seen, (unsigned long long)n_begun, (unsigned long long)n_done,
           (unsigned long long)n_failed, (unsigned long long)n_tables);
    return n_seen <= n_begun || n_done == 0 || n_failed == 0 || n_tables == 0;
}
