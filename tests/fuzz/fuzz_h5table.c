/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Well-formed HDF5 files of unexpected contents, read as a calibration, as the recording that a replay follows and as
 * channels that the air plays: the input is a list of edits (shape, type, values, absence) to files that are right.
 * Every refusal has one line, and what is taken has numbers that can be computed with. */
#include "base/error.h"
#include "base/h5file.h"
#include "calib/table.h"
#include "channel/played.h"
#include "cpu_node/replay.h"
#include "fuzz.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { N_SB = 2, N_AP = 2, N_ANT = 3, N_UE = 2, N_EVE = 1, N_ROW = 3, VALUES = 1 << 12, RANK = 5 };

static const struct dataset {
    const char *path;
    enum h5_type type;
    int rank;
    size_t dims[RANK];
} calibration[] = {{"/c", H5_C64, 3, {N_SB, N_AP, N_ANT}}, {"/measured_ns", H5_U64, 1, {1}},
                   {"/delay_samples", H5_F64, 1, {N_AP}},  {"/shift_samples", H5_I32, 1, {N_AP}},
                   {"/residual", H5_F64, 1, {1}},          {"/noise_residual", H5_F64, 1, {1}},
                   {"/error_variance", H5_F64, 1, {1}},    {"/drift_rad2_per_s", H5_F64, 1, {1}},
                   {"/reference", H5_F64, 1, {1}}},
  recording[] = {{"/block/solved", H5_U8, 1, {N_ROW}},          {"/block/ap_used", H5_U8, 2, {N_ROW, N_AP}},
                 {"/block/user_used", H5_U8, 2, {N_ROW, N_UE}}, {"/scheme", H5_I32, 1, {N_ROW}},
                 {"/block/tick", H5_U64, 1, {N_ROW}},           {"/power", H5_F64, 3, {N_ROW, N_AP, N_UE}},
                 {"/schedule/seat", H5_I32, 2, {N_ROW, N_UE}},  {"/schedule/from_block", H5_U64, 1, {N_ROW}}},
  channels[] = {{"/taps", H5_C64, 5, {N_ROW, 2, N_AP, N_ANT, N_UE}},
                {"/tap_delays_samples", H5_F64, 1, {2}},
                {"/H", H5_C64, 5, {N_ROW, 1, N_AP, N_ANT, N_UE}},
                {"/H_hat", H5_C64, 5, {N_ROW, 1, N_AP, N_ANT, N_UE}},
                {"/eve/taps", H5_C64, 5, {N_ROW, 2, N_AP, N_ANT, N_EVE}}};
enum {
    N_CALIBRATION = sizeof calibration / sizeof *calibration,
    N_RECORDING = sizeof recording / sizeof *recording,
    N_CHANNELS = sizeof channels / sizeof *channels
};

static uint64_t n_taken[3], n_refused[3], n_powers, n_rosters;
static char path[64];

/* Files ------------------------------------------------------------------------------------------------------------ */

/* An edit: which dataset (or -1, none), what of it, to what. */
struct edit {
    int which, what, value;
};

static void fill(enum h5_type type, int value, void *values)
{
    static const double odd[] = {1, 0, -1, NAN, INFINITY, 1e300, -1e300, 1e-310, 0.5, 7, 1e9};
    const double number = odd[value % (int)(sizeof odd / sizeof *odd)];
    for (int i = 0; i < VALUES; i++) {
        switch (type) {
        case H5_F64:
            ((double *)values)[i] = number;
            break;
        case H5_C64:
            ((float *)values)[2 * i] = (float)number;
            ((float *)values)[2 * i + 1] = 0;
            break;
        case H5_I32:
            ((int32_t *)values)[i] = value < 128 ? value % 9 - 1 : INT32_MIN + value;
            break;
        case H5_U64:
            ((uint64_t *)values)[i] = value < 128 ? (uint64_t)(i + value) : UINT64_MAX - (uint64_t)(value - i);
            break;
        default:
            ((uint8_t *)values)[i] = (uint8_t)value;
        }
    }
}

static void put(h5file_t *file, const struct dataset *right, int index, const struct edit *edits, size_t n)
{
    static double values[2 * VALUES];
    struct dataset d = *right;
    int value = d.type == H5_U8 ? 1 : 0;
    for (size_t e = 0; e < n; e++) {
        if (edits[e].which != index) {
            continue;
        }
        switch (edits[e].what) {
        case 0:
            return; /* absent */
        case 1:
            d.type = (enum h5_type)(edits[e].value % H5_STRING);
            break;
        case 2:
            d.rank = 1 + edits[e].value % RANK;
            break;
        case 3:
            d.dims[edits[e].value % RANK] = (size_t)(edits[e].value / RANK % 9);
            break;
        default:
            value = edits[e].value;
        }
    }
    size_t n_value = 1;
    for (int i = 0; i < RANK; i++) {
        d.dims[i] = d.dims[i] || i < right->rank ? d.dims[i] : 2;
        n_value *= i < d.rank ? d.dims[i] : 1;
    }
    if (n_value > VALUES) {
        return;
    }
    fill(d.type, value, values);
    MUST(h5file_put(file, d.path, d.type, d.rank, d.dims, values) >= 0);
}

static void write_file(const struct dataset *right, int n_right, const struct edit *edits, size_t n)
{
    h5file_t *file;
    MUST(h5file_create(&file, path) >= 0);
    for (int i = 0; i < n_right; i++) {
        put(file, &right[i], i, edits, n);
    }
    h5file_close(file);
}

/* Readers ---------------------------------------------------------------------------------------------------------- */

static bool note(int kind, int status)
{
    const char *const text = error_text();
    MUST(status >= 0 || (*text && !strchr(text, '\n')));
    *(status < 0 ? &n_refused[kind] : &n_taken[kind]) += 1;
    return status >= 0;
}

static void read_calibration(void)
{
    struct calib_table table;
    tutti_cf32 H[N_SB * N_ANT * N_UE];
    float beta[N_UE] = {1, 1}, variance[N_UE] = {0};
    if (note(0, calib_table_load(&table, path, N_SB, N_AP, N_ANT))) {
        for (int i = 0; i < N_SB * N_ANT * N_UE; i++) {
            H[i] = 1;
        }
        calib_table_apply(&table, N_AP - 1, N_UE, H, beta, variance);
        MUST(isfinite(beta[0]) && isfinite(variance[0]) && variance[0] >= 0 && isfinite(crealf(H[0])));
        MUST(isfinite(calib_table_variance(&table, table.measured_ns + 1000000000u)));
        MUST(table.reference >= 0 && table.reference < N_AP * N_ANT);
    }
    calib_table_destroy(&table);
}

static void follow(replay_t *replay, struct cpu_block *block)
{
    for (uint64_t number = 0; number < 2 * N_ROW; number++) {
        block->number = number;
        if (replay_was_solved(replay, number)) {
            replay_decide(replay, block, MIMO_ZF);
            MUST(mimo_scheme_row(block->scheme));
            const int status = replay_powers(replay, block);
            MUST(status >= 0 || (*error_text() && !strchr(error_text(), '\n')));
            for (int i = 0; block->powered && i < N_AP * N_UE; i++) {
                MUST(block->power[i] >= 0 && isfinite(block->power[i]));
            }
            n_powers += block->powered;
        }
        n_rosters += replay_roster(replay, number) != NULL;
    }
}

static void read_recording(void)
{
    static struct config *config;
    static struct cpu_block *block;
    if (!config) {
        const struct block_shape shape = {.n_sb = N_SB, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = N_UE};
        const char *const sets[] = {"network.n_ap=2",
                                    "network.n_ue=2",
                                    "network.n_ant=3",
                                    "scheduler.n_served=1",
                                    "frame.n_dl_pilot_symbols=1",
                                    "frame.schedule=B G P2 G D64 G"};
        if (config_load(&config, NULL, sets, sizeof sets / sizeof *sets) < 0) {
            fprintf(stderr, "%s\n", error_text());
            abort();
        }
        MUST(block_create(&block, &shape) == 0);
    }
    replay_t *replay;
    const struct replay_settings settings = {
        .path = path, .config = config, .n_ap = N_AP, .n_ue = N_UE, .n_block_samples = 1000};
    if (note(1, replay_create(&replay, &settings))) {
        follow(replay, block);
    }
    replay_destroy(replay);
}

/* With channels that are one of these in turn: of every row as the file has it, and of all columns. */
static void play(const struct played *played, const struct played_links *l)
{
    tutti_cf32 g[VALUES];
    MUST(l->n_row > 0 && l->n_tap > 0 && l->n_column > 0 && l->n_tap * N_ANT * l->n_column <= VALUES);
    for (int i = 0; i < l->n_tap; i++) {
        MUST(l->delay[i] >= 0 && (i == 0 || l->delay[i] > l->delay[i - 1]));
    }
    for (uint64_t block = 0; block < 3 * N_ROW; block++) {
        for (int ap = 0; ap < N_AP; ap++) {
            played_copy(played, l, played_row(l, block, 1), ap, 0, l->n_column, g);
            for (int i = 0; i < l->n_tap * N_ANT * l->n_column; i++) {
                MUST(isfinite(crealf(g[i])) && isfinite(cimagf(g[i])));
            }
        }
    }
}

static void read_channels(void)
{
    static struct config *config;
    static struct frame frame;
    struct played *played = NULL;
    if (!config) {
        char file[96];
        const char *const sets[] = {"network.n_ap=2", "network.n_ue=2", "network.n_ant=3", "network.n_eve=1", file};
        snprintf(file, sizeof file, "air.fading={model: file, file: %s}", path);
        if (config_load(&config, NULL, sets, sizeof sets / sizeof *sets) < 0 || frame_init(&frame, config) < 0) {
            fprintf(stderr, "%s\n", error_text());
            abort();
        }
    }
    if (note(2, played_open(&played, config, &frame))) {
        play(played, &played->user);
        if (played->eve.n_column > 0) {
            play(played, &played->eve);
        }
    }
    MUST(!played || played->user.n_row > 0);
    played_close(played);
}

/* The first byte: which file; then three bytes an edit. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    enum { MOST = 16 };
    struct edit edits[MOST];
    size_t n = 0;
    static const struct {
        const struct dataset *right;
        int n;
        void (*read)(void);
    } kinds[] = {{calibration, N_CALIBRATION, read_calibration},
                 {recording, N_RECORDING, read_recording},
                 {channels, N_CHANNELS, read_channels}};
    const int kind = n_bytes ? data[0] % 3 : 0, n_right = kinds[kind].n;
    for (; n < MOST && 3 * n + 3 < n_bytes; n++) {
        const uint8_t *const b = data + 1 + 3 * n;
        edits[n] = (struct edit){b[0] % n_right, b[1] % 8, b[2]};
    }
    snprintf(path, sizeof path, "/dev/shm/tutti-fuzz-table-%d.h5", (int)getpid());
    write_file(kinds[kind].right, n_right, edits, n);
    kinds[kind].read();
    unlink(path);
    return 0;
}

int fuzz_report(void)
{
    static const char *const names[] = {"calibrations", "recordings", "channels"};
    int n_unseen = !n_powers + !n_rosters;
    for (int kind = 0; kind < 3; kind++) {
        printf("%10llu %s taken, %llu refused\n", (unsigned long long)n_taken[kind], names[kind],
               (unsigned long long)n_refused[kind]);
        n_unseen += !n_taken[kind] + !n_refused[kind];
    }
    printf("%10llu powers, %llu rosters\n", (unsigned long long)n_powers, (unsigned long long)n_rosters);
    return n_unseen;
}
