/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the medium does to samples: gains, delays, noise and every impairment measured from outside, by sending known
 * signals. In the quiet rig full scales are 60 dBm at both ends and path gains 0 dB, so an ideal link has gain 1 and
 * noise is 162 dB down. */
#include "base/h5file.h"
#include "channel/channel.h"
#include "channel/hardware.h"
#include "channel/random.h"
#include "hw/air/mixer.h"
#include "hw/air/truth.h"
#include "hw_test.h"

#include <sys/stat.h>
#include <unistd.h>

struct rig {
    struct config *config;
    struct frame frame;
    struct links *links;
    mixer_t *mixer;
    truth_t *truth;
    int chunk, n_chunk, n_radio;
    tutti_cf32 **tx, **rx; /* [n_radio][n_ant][n_chunk * chunk] */
};

#define QUIET                                                                                                          \
    "radio.ap.tx_full_scale_dbm=60", "radio.ap.rx_full_scale_dbm=60", "radio.ue.tx_full_scale_dbm=60",                 \
        "radio.ue.rx_full_scale_dbm=60", "radio.ap.noise_figure_db=0", "radio.ue.noise_figure_db=0", "network.n_ap=2", \
        "network.n_ant=3", "network.n_ue=2", "air.large_scale.model=explicit",                                         \
        "air.large_scale.gain_db=[[0, 0], [0, 0]]", "air.fading.model=none"

static size_t length(const struct rig *rig)
{
    return (size_t)rig->n_chunk * (size_t)rig->chunk;
}

static void open_rig(struct rig *rig, int n_chunk, const char *const *set, int n_set)
{
    memset(rig, 0, sizeof *rig);
    assert_good(config_load(&rig->config, NULL, set, n_set));
    assert_good(frame_init(&rig->frame, rig->config));
    assert_good(links_create(&rig->links, rig->config, &rig->frame));
    rig->chunk = rig->frame.chunk_samples;
    rig->n_chunk = n_chunk;
    rig->n_radio = rig->links->n_radio;
    assert_good(mixer_create(&rig->mixer, rig->links, rig->config->network.seed, rig->chunk));
    assert_good(truth_create(&rig->truth, rig->config, &rig->frame, rig->links));
    rig->tx = calloc((size_t)rig->n_radio, sizeof *rig->tx);
    rig->rx = calloc((size_t)rig->n_radio, sizeof *rig->rx);
    for (int r = 0; r < rig->n_radio; r++) {
        const size_t n = (size_t)rig->links->radio[r].n_ant * length(rig);
        rig->tx[r] = calloc(n, sizeof **rig->tx);
        rig->rx[r] = calloc(n, sizeof **rig->rx);
    }
}
#define OPEN(rig, n_chunk, ...)                                                                                        \
    open_rig(rig, n_chunk, (const char *const[]){__VA_ARGS__},                                                         \
             (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void close_rig(struct rig *rig)
{
    for (int r = 0; r < rig->n_radio; r++) {
        free(rig->tx[r]);
        free(rig->rx[r]);
    }
    free(rig->tx);
    free(rig->rx);
    mixer_destroy(rig->mixer);
    assert_good(truth_close(rig->truth));
    links_destroy(rig->links);
    config_free(rig->config);
}

static tutti_cf32 *tx(const struct rig *rig, int radio, int antenna)
{
    return rig->tx[radio] + (size_t)antenna * length(rig);
}

static tutti_cf32 *rx(const struct rig *rig, int radio, int antenna)
{
    return rig->rx[radio] + (size_t)antenna * length(rig);
}

/* The chunk of a radio with the bounds of its signal, and nonsense outside them, which must not be heard. */
static struct mixer_input input_of(const struct rig *rig, int r, size_t begin, tutti_cf32 *samples)
{
    const size_t chunk = (size_t)rig->chunk, n_ant = (size_t)rig->links->radio[r].n_ant;
    size_t from = chunk, to = 0;
    for (size_t a = 0; a < n_ant; a++) {
        memcpy(samples + a * chunk, tx(rig, r, (int)a) + begin, chunk * sizeof *samples);
        for (size_t i = 0; i < chunk; i++) {
            if (samples[a * chunk + i] != 0) {
                from = i < from ? i : from;
                to = i + 1 > to ? i + 1 : to;
            }
        }
    }
    for (size_t i = 0; i < n_ant * chunk; i++) {
        samples[i] = i % chunk >= from && i % chunk < to ? samples[i] : 1e9f;
    }
    return from < to ? (struct mixer_input){samples, (int)from, (int)to} : (struct mixer_input){0};
}

/* Chunk by chunk, all-zero chunks as silence. deaf: a radio that does not listen in the first chunk, or -1. */
static void run_rig(struct rig *rig, int deaf)
{
    const size_t chunk = (size_t)rig->chunk;
    tutti_cf32 *in[8], *out[8];
    struct mixer_input heard[8];
    assert_true(rig->n_radio <= 8);
    for (int r = 0; r < rig->n_radio; r++) {
        in[r] = calloc((size_t)rig->links->radio[r].n_ant * chunk, sizeof **in);
        out[r] = calloc((size_t)rig->links->radio[r].n_ant * chunk, sizeof **out);
    }
    for (int c = 0; c < rig->n_chunk; c++) {
        struct mixer_output listening[8];
        for (int r = 0; r < rig->n_radio; r++) {
            heard[r] = input_of(rig, r, (size_t)c * chunk, in[r]);
            listening[r] =
                c == 0 && r == deaf ? (struct mixer_output){0} : (struct mixer_output){out[r], 0, rig->chunk};
        }
        mixer_execute(rig->mixer, (tutti_tick)c * chunk, heard, listening, truth_update, rig->truth);
        for (int r = 0; r < rig->n_radio; r++) {
            for (size_t a = 0; listening[r].samples && a < (size_t)rig->links->radio[r].n_ant; a++) {
                memcpy(rx(rig, r, (int)a) + (size_t)c * chunk, out[r] + a * chunk, chunk * sizeof **out);
            }
        }
    }
    for (int r = 0; r < rig->n_radio; r++) {
        free(in[r]);
        free(out[r]);
    }
}

/* Place of the largest sample. */
static int peak(const struct rig *rig, const tutti_cf32 *x)
{
    int at = 0;
    for (int i = 0; i < (int)length(rig); i++) {
        at = cabsf(x[i]) > cabsf(x[at]) ? i : at;
    }
    return at;
}

static void test_flat_gain(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 2, QUIET, "radio.ap.tx_full_scale_dbm=50", "radio.ue.rx_full_scale_dbm=40",
         "radio.ue.tx_full_scale_dbm=30", "radio.ap.rx_full_scale_dbm=20",
         "air.large_scale.gain_db=[[-6, -12], [-18, -24]]", "air.delay_samples=4");
    const double gain_db[2][2] = {{-6, -12}, {-18, -24}};
    for (int a = 0; a < 2; a++) {
        for (int m = 0; m < 3; m++) {
            tx(&rig, a, m)[100 + 50 * (3 * a + m)] = 0.5f;
        }
    }
    for (int u = 0; u < 2; u++) {
        tx(&rig, 2 + u, 0)[rig.chunk - 2 + 100 * u] = 0.5f; /* arrives in the next chunk */
    }
    run_rig(&rig, -1);
    for (int a = 0; a < 2; a++) {
        for (int u = 0; u < 2; u++) {
            for (int m = 0; m < 3; m++) {
                const double amplitude = 0.5 * pow(10, (10 + gain_db[a][u]) / 20);
                const tutti_cf32 down = rx(&rig, 2 + u, 0)[104 + 50 * (3 * a + m)];
                const tutti_cf32 up = rx(&rig, a, m)[rig.chunk + 2 + 100 * u];
                assert_near((double)cabsf(down), amplitude, 1e-5);
                assert_near((double)cabsf(up - down), 0, 1e-5); /* reciprocal: 10 dB between full scales both ways */
            }
        }
    }
    /* nothing anywhere else, nor from AP to AP or user to user */
    for (int i = 0; i < (int)length(&rig); i++) {
        const bool user_hears = i >= 104 && i <= 354 && i % 50 == 4;
        const bool ap_hears = i == rig.chunk + 2 || i == rig.chunk + 102;
        assert_true(user_hears || cabsf(rx(&rig, 2, 0)[i]) < 1e-5f);
        assert_true(ap_hears || cabsf(rx(&rig, 0, 1)[i]) < 1e-5f);
    }
    close_rig(&rig);
}

static void test_noise_level(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 20, "network.n_ap=1", "radio.ue.noise_figure_db=5", "radio.ap.noise_figure_db=12");
    run_rig(&rig, -1);
    const double full_scale_dbm[2] = {-40, -30}, figure_db[2] = {12, 5};
    for (int end = 0; end < 2; end++) {
        double power = 0;
        const tutti_cf32 *x = rx(&rig, end, 0);
        for (size_t i = 0; i < length(&rig); i++) {
            power += (double)(crealf(x[i]) * crealf(x[i]) + cimagf(x[i]) * cimagf(x[i]));
        }
        power /= (double)length(&rig);
        const double expected = pow(10, (-174 + 10 * log10(1.92e6) + figure_db[end] - full_scale_dbm[end]) / 10);
        assert_near(power / expected, 1, 5 / sqrt((double)length(&rig)));
    }
    assert_true(rx(&rig, 0, 0)[0] != rx(&rig, 0, 1)[0]);
    close_rig(&rig);
}

static tutti_cf32 draw(uint64_t key, uint64_t i)
{
    float re, im;
    random_normal(key, i, &re, &im);
    return __builtin_complex(0.3f * re, 0.3f * im);
}

/* Taps across chunk borders, several transmitters, against a convolution in double over the whole signal. */
static void test_convolution(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 3, QUIET, "air.fading.model=tdl", "air.fading.tap_delays_samples=[0, 1, 3]",
         "air.fading.tap_powers_db=[0, -2, -5]", "air.delay_samples=1");
    for (int a = 0; a < 2; a++) {
        for (int m = 0; m < 3; m++) {
            for (int i = 0; i < (int)length(&rig); i++) {
                /* the middle chunk of AP 1 is silent; its echoes must still end in it */
                const bool silent = a == 1 && i / rig.chunk == 1;
                tx(&rig, a, m)[i] = silent ? 0 : draw((uint64_t)(10 * a + m), (uint64_t)i);
            }
        }
    }
    run_rig(&rig, -1); /* one block: coefficients stay */
    for (int i = 0; i < (int)length(&rig); i++) {
        double complex y = 0;
        for (int a = 0; a < 2; a++) {
            const struct link *link = links_between(rig.links, a, 2);
            for (int tap = 0; tap < 3; tap++) {
                const int from = i - 1 - (int[]){0, 1, 3}[tap];
                for (int m = 0; m < 3 && from >= 0; m++) {
                    y += (double complex)link->gain[tap * 3 + m] * (double complex)tx(&rig, a, m)[from];
                }
            }
        }
        assert_near(cabs(y - (double complex)rx(&rig, 2, 0)[i]), 0, 3e-6);
    }
    close_rig(&rig);
}

static void test_block_fading(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 9, QUIET, "air.fading.model=rayleigh");
    const int block = rig.frame.n_block_samples;
    for (int b = 0; b < 3; b++) {
        tx(&rig, 0, 0)[b * block] = tx(&rig, 0, 0)[b * block + block - 1] = 1;
    }
    run_rig(&rig, -1);
    const tutti_cf32 *y = rx(&rig, 2, 0);
    for (int b = 0; b < 3; b++) {
        assert_near((double)cabsf(y[b * block] - y[b * block + block - 1]), 0, 1e-6);
        assert_true(b == 0 || cabsf(y[b * block] - y[(b - 1) * block]) > 1e-3f);
    }
    close_rig(&rig);
}

/* Constant within a symbol, other in the next, and the gain follows the process that is asked for elsewhere. */
static void test_jakes_in_block(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 3, QUIET, "air.fading.model=rayleigh", "air.fading.variation=jakes", "air.fading.doppler_hz=300");
    const int symbol = rig.frame.n_symbol_samples;
    for (int i = 0; i < (int)length(&rig); i++) {
        tx(&rig, 0, 0)[i] = 1;
    }
    run_rig(&rig, -1);
    const tutti_cf32 *y = rx(&rig, 2, 0);
    double moved = 0;
    for (int s = 0; s + 1 < rig.frame.n_symbol; s++) {
        assert_near((double)cabsf(y[s * symbol] - y[(s + 1) * symbol - 1]), 0, 1e-6);
        moved += (double)cabsf(y[(s + 1) * symbol] - y[s * symbol]);
    }
    assert_true(moved > 0.5);
    close_rig(&rig);
}

static double phase_rate(const tutti_cf32 *x, int from, int to) /* mean turns per sample */
{
    double turns = 0;
    for (int i = from; i + 1 < to; i++) {
        turns += (double)cargf(x[i + 1] * conjf(x[i])) / (2 * M_PI);
    }
    return turns / (to - 1 - from);
}

static void test_carrier_offset(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 3, QUIET, "air.impairments.ap.cfo_hz=2000", "air.impairments.ue.cfo_hz=500");
    for (int i = 0; i < (int)length(&rig); i++) {
        tx(&rig, 0, 1)[i] = i < rig.chunk + 777 ? 0.5f : 0;
        tx(&rig, 2, 0)[i] = i >= rig.chunk + 777 ? 0.5f : 0;
    }
    run_rig(&rig, -1);
    const int half = rig.chunk + 777, n = (int)length(&rig);
    const double down_hz = 1.92e6 * phase_rate(rx(&rig, 2, 0), 0, half),
                 up_hz = 1.92e6 * phase_rate(rx(&rig, 0, 1), half, n);
    assert_near(down_hz, -up_hz, 0.1); /* the same two oscillators, the other way round */
    assert_true(fabs(down_hz) > 1 && fabs(down_hz) <= 2500);
    const struct links_radio *radio = rig.links->radio;
    assert_true(fabs(radio[0].cfo_turns) * 1.92e6 <= 2000 && fabs(radio[2].cfo_turns) * 1.92e6 <= 500);
    assert_near(down_hz, 1.92e6 * (radio[0].cfo_turns - radio[2].cfo_turns), 0.1);
    for (int i = 0; i + 1 < half; i++) { /* smooth across chunks, amplitude kept */
        assert_near((double)cabsf(rx(&rig, 2, 0)[i]), 0.5, 1e-5);
        assert_near((double)cargf(rx(&rig, 2, 0)[i + 1] * conjf(rx(&rig, 2, 0)[i])), 2 * M_PI * down_hz / 1.92e6, 1e-4);
    }
    close_rig(&rig);
}

/* Phase increments over a lag have variance 2 pi B lag / rate, and the oscillators of both ends add up. */
static void test_phase_noise(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 30, QUIET, "air.impairments.ap.phase_noise_linewidth_hz=300",
         "air.impairments.ue.phase_noise_linewidth_hz=100");
    for (int i = 0; i < (int)length(&rig); i++) {
        tx(&rig, 0, 0)[i] = 1;
    }
    run_rig(&rig, 3);
    const tutti_cf32 *y = rx(&rig, 2, 0);
    const int lag = 64, n = (int)length(&rig) / lag - 1;
    double square = 0;
    for (int k = 0; k < n; k++) {
        const double step = (double)cargf(y[(k + 1) * lag] * conjf(y[k * lag]));
        square += step * step / n;
    }
    const double expected = 2 * M_PI * 400 * lag / 1.92e6;
    assert_near(square / expected, 1, 5 * sqrt(2.0 / n));
    close_rig(&rig);
}

static void test_timing_offset(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 2, QUIET, "network.n_ap=4", "air.impairments.ap.timing_offset_samples=5",
         "air.impairments.ue.timing_offset_samples=2", "air.large_scale.gain_db=[[0, 0], [0, 0], [0, 0], [0, 0]]");
    tx(&rig, 0, 0)[300] = tx(&rig, 1, 0)[600] = tx(&rig, 2, 0)[900] = tx(&rig, 3, 0)[1200] = 1;
    tx(&rig, 4, 0)[2000] = 1;
    run_rig(&rig, -1);
    int least = 1000, most = -1000;
    for (int a = 0; a < 4; a++) {
        for (int u = 0; u < 2; u++) {
            int at = -1;
            for (int i = 300 * (a + 1) - 20; i < 300 * (a + 1) + 40; i++) {
                at = cabsf(rx(&rig, 4 + u, 0)[i]) > 0.5f ? i : at;
            }
            const int o_ap = rig.links->radio[a].timing_samples, o_ue = rig.links->radio[4 + u].timing_samples;
            assert_int_equal(at, 300 * (a + 1) + 7 + o_ap - o_ue); /* 7 = 5 + 2 keeps causality */
            assert_true(abs(o_ap) <= 5 && abs(o_ue) <= 2);
        }
        const int o_ap = rig.links->radio[a].timing_samples, o_ue = rig.links->radio[4].timing_samples;
        assert_int_equal(peak(&rig, rx(&rig, a, 0)), 2000 + 7 + o_ue - o_ap);
        least = o_ap < least ? o_ap : least;
        most = o_ap > most ? o_ap : most;
    }
    assert_true(least < most);
    close_rig(&rig);
}

enum { TONES = 3 };
static const double tone_turns[TONES] = {-0.28, 0.03, 0.27}; /* per sample; 72 of 128 subcarriers reach 0.28 */

static double complex tones(double t)
{
    double complex sum = 0;
    for (int i = 0; i < TONES; i++) {
        sum += cexp(2 * I * M_PI * (tone_turns[i] * t + 0.1 * i)) / TONES;
    }
    return sum;
}

/* Late by its first tick's offset, and less and less: its clock is fast by its carrier offset over the carrier. */
static double late(const struct config *c, enum config_role role, int id, double tick)
{
    const double rate = hardware_cfo_hz(c, role, id) / 1e8;
    return hardware_timing_samples(c, role, id) + hardware_timing_fraction(c, role, id) - rate * tick;
}

/* Clocks off by parts of a sample that drift with the carrier: tones sent arrive as those of another instant, in
 * closed form, all through an integer's crossing; what is silent stays silent. */
static void test_clocks(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 60, QUIET, "network.n_blocks=20", "sync.mode=air", "frame.schedule=B3 G P4 U22 G D38 G",
         "radio.ap.freq_hz=1e8", "radio.ue.freq_hz=1e8", "network.seed=5", "air.impairments.ap.cfo_hz=1000",
         "air.impairments.ue.cfo_hz=800", "air.impairments.ap.timing_offset_samples=3",
         "air.impairments.ap.timing_fraction_samples=0.5", "air.impairments.ue.timing_fraction_samples=0.5");
    const struct config *c = rig.config;
    const int n = (int)length(&rig), from = 1234, to = n - 777;
    const int common = hardware_common_delay_samples(c, CONFIG_ROLE_AP, CONFIG_ROLE_UE);
    for (int i = from; i < to; i++) {
        tx(&rig, 0, 1)[i] = (tutti_cf32)tones(i);
        tx(&rig, 3, 0)[i] = (tutti_cf32)tones(i);
    }
    run_rig(&rig, -1);
    double drifted = 0;
    for (int way = 0; way < 2; way++) {
        const enum config_role r[2] = {way ? CONFIG_ROLE_UE : CONFIG_ROLE_AP, way ? CONFIG_ROLE_AP : CONFIG_ROLE_UE};
        const int id[2] = {way ? 1 : 0, way ? 0 : 1}; /* AP 0 and user 1 */
        const tutti_cf32 *y = way ? rx(&rig, 0, 2) : rx(&rig, 3, 0);
        const double complex gain =
            (double complex)(way ? links_between(rig.links, 3, 0)->gain[2] : links_between(rig.links, 0, 3)->gain[1]);
        double error = 0, power = 0, before = late(c, r[0], id[0], 0) - late(c, r[1], id[1], 0);
        for (int i = 0; i < n; i++) {
            /* the air's instant of i at the receiver, and what the sender's clock showed then */
            const double air = i + late(c, r[1], id[1], i), sent = air - common - late(c, r[0], id[0], air - common);
            const double turns =
                (hardware_cfo_hz(c, r[0], id[0]) * sent - hardware_cfo_hz(c, r[1], id[1]) * i) / 1.92e6;
            const bool quiet = sent < from - 20 || sent > to + 20,
                       edge = !quiet && (sent < from + 20 || sent > to - 20);
            const double complex ideal = quiet ? 0 : gain * tones(sent) * cexp(2 * I * M_PI * turns);
            error += edge ? 0 : pow(cabs((double complex)y[i] - ideal), 2);
            power += edge ? 0 : pow(cabs(ideal), 2);
            assert_true(!quiet || cabsf(y[i]) < 1e-4f);
        }
        assert_true(fabs(cabs(gain) - 1) < 1e-5 &&
                    error < 1e-5 * power); /* -50 dB; the filters' -69 twice, and 10 ppm of drift over 128 samples */
        drifted = fabs(before - (late(c, r[0], id[0], n) - late(c, r[1], id[1], n)));
    }
    assert_true(drifted > 0.3); /* it did drift */
    close_rig(&rig);
}

/* A radio with an entry of its own in the file: its scales and noise, nobody else's. */
static void test_single_radio(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 2, QUIET, "radio.ap_list=[{id: 1, tx_full_scale_dbm: 54, noise_figure_db: 60}]");
    tx(&rig, 0, 0)[100] = tx(&rig, 1, 0)[200] = 0.5f;
    run_rig(&rig, -1);
    assert_near((double)cabsf(rx(&rig, 2, 0)[100]), 0.5, 1e-5);
    assert_near((double)cabsf(rx(&rig, 2, 0)[200]), 0.5 * pow(10, -6 / 20.0), 1e-5);
    double power[2] = {0};
    for (int i = 0; i < (int)length(&rig); i++) {
        power[0] += pow((double)cabsf(rx(&rig, 0, 0)[i]), 2) / (double)length(&rig);
        power[1] += pow((double)cabsf(rx(&rig, 1, 0)[i]), 2) / (double)length(&rig);
    }
    assert_near(10 * log10(power[1] / power[0]), 60, 5 * 10 / log(10) * sqrt(2 / (double)length(&rig)));
    assert_near(links_offset_db(rig.links, 0, 1), -60, 1e-9);
    close_rig(&rig);
}

static void test_clip(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 1, QUIET, "air.impairments.ap.clip=true");
    tx(&rig, 0, 0)[10] = __builtin_complex(3.0f, 0.5f);
    tx(&rig, 0, 0)[20] = __builtin_complex(-0.9f, -7.0f);
    tx(&rig, 2, 0)[30] = 3.0f;
    run_rig(&rig, -1);
    assert_near((double)cabsf(rx(&rig, 2, 0)[10]), hypot(1, 0.5), 1e-6);
    assert_near((double)cabsf(rx(&rig, 2, 0)[20]), hypot(0.9, 1), 1e-6);
    assert_near((double)cabsf(rx(&rig, 0, 0)[30]), 3, 1e-5); /* users are not limited */
    close_rig(&rig);
}

static void test_converter(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 1, QUIET, "air.impairments.ue.adc_bits=4");
    for (int i = 0; i < rig.chunk; i++) {
        tx(&rig, 0, 0)[i] = draw(3, (uint64_t)i);
        tx(&rig, 2, 0)[i] = draw(4, (uint64_t)i);
    }
    tx(&rig, 0, 0)[5] = 40;
    run_rig(&rig, -1);
    const tutti_cf32 g = links_between(rig.links, 0, 2)->gain[0];
    for (int i = 0; i < rig.chunk; i++) {
        const tutti_cf32 y = rx(&rig, 2, 0)[i], ideal = g * tx(&rig, 0, 0)[i];
        assert_near((double)crealf(y) * 8, rint((double)crealf(y) * 8), 0);
        assert_true(crealf(y) >= -1 && crealf(y) <= 0.875f && cimagf(y) >= -1 && cimagf(y) <= 0.875f);
        if (fabsf(crealf(ideal)) < 0.9f) {
            assert_near((double)crealf(y), (double)crealf(ideal), 0.0625 + 1e-5);
        }
    }
    const double coarse = (double)crealf(rx(&rig, 0, 0)[7]) * 8;
    assert_true(fabs(coarse - rint(coarse)) > 1e-6); /* APs are not quantised */
    close_rig(&rig);
}

static void test_mismatch(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 1, QUIET, "network.n_ant=16", "network.n_ap=6", "network.n_ue=2",
         "air.large_scale.gain_db=[[0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]",
         "air.impairments.ap.gain_mismatch_db=2", "air.impairments.ap.phase_mismatch_deg=30");
    tx(&rig, 6, 0)[0] = 1;
    for (int a = 0; a < 6; a++) {
        for (int m = 0; m < 16; m++) {
            tx(&rig, a, m)[10 * (16 * a + m)] = 1;
        }
    }
    run_rig(&rig, -1);
    double tx_db = 0, rx_db = 0, square_tx = 0, square_rx = 0, product = 0, phase2 = 0;
    for (int a = 0; a < 6; a++) {
        for (int m = 0; m < 16; m++) {
            const tutti_cf32 down = rx(&rig, 6, 0)[10 * (16 * a + m)], up = rx(&rig, a, m)[0];
            const double d = 20 * log10((double)cabsf(down)), u = 20 * log10((double)cabsf(up));
            const double phase = (double)cargf(down * conjf(up)); /* propagation cancels */
            tx_db += d / 96, rx_db += u / 96;
            square_tx += d * d / 96, square_rx += u * u / 96, product += d * u / 96;
            phase2 += phase * phase / 96;
            assert_true(fabs(phase) <= 2 * 30 * M_PI / 180 + 1e-5);
        }
    }
    assert_near(tx_db, 0, 5 * 2 / sqrt(96));
    assert_near(rx_db, 0, 5 * 2 / sqrt(96));
    assert_near(square_tx, 4, 5 * 4 * sqrt(2.0 / 96));
    assert_near(square_rx, 4, 5 * 4 * sqrt(2.0 / 96));
    assert_near(product, 0, 5 * 4 / sqrt(96));               /* transmit and receive chains are independent */
    const double expected = 2 * pow(30 * M_PI / 180, 2) / 3; /* two uniform phases */
    assert_near(phase2, expected, 5 * expected / sqrt(96));
    close_rig(&rig);
}

/* The file against the channel measured with a tone in the middle of each subband. */
static void test_truth(void **state)
{
    (void)state;
    struct rig rig;
    char path[64], set[80];
    snprintf(path, sizeof path, "/tmp/tutti-truth-%d.h5", (int)getpid());
    snprintf(set, sizeof set, "air.truth=%s", path);
    OPEN(&rig, 12, QUIET, "air.fading.model=tdl", "air.fading.tap_delays_samples=[0, 2]",
         "air.fading.tap_powers_db=[0, -1]", "air.delay_samples=1", "air.impairments.ap.gain_mismatch_db=2",
         "air.impairments.ap.phase_mismatch_deg=40", "air.impairments.ue.timing_offset_samples=1",
         "air.large_scale.gain_db=[[-3, 0], [0, -9]]", set);
    const struct config *c = rig.config;
    const int n_sb = rig.frame.n_sb, block = rig.frame.n_block_samples;
    const double spacing_hz = 15000;
    /* block 2: for each subband in turn a stretch of tone from AP 1, antenna 2, then one from user 0 */
    for (int sb = 0; sb < n_sb; sb++) {
        double centre_hz = 0;
        for (int i = 0; i < 12; i++) {
            const int k = 12 * sb + i < 36 ? 12 * sb + i - 36 : 12 * sb + i - 35; /* -36..-1, 1..36 */
            centre_hz += k * spacing_hz / 12;
        }
        for (int i = 0; i < 100; i++) {
            const double turns = centre_hz * i / 1.92e6;
            tx(&rig, 1, 2)[2 * block + 200 * sb + i] = (tutti_cf32)cexp(2 * I * M_PI * turns);
            tx(&rig, 2, 0)[2 * block + 4000 + 200 * sb + i] = (tutti_cf32)cexp(2 * I * M_PI * turns);
        }
    }
    run_rig(&rig, -1);
    tutti_cf32 down[16], up[16], sent[16];
    for (int sb = 0; sb < n_sb; sb++) {
        const int at = 2 * block + 200 * sb + 80;
        sent[sb] = tx(&rig, 1, 2)[at];
        down[sb] = rx(&rig, 2, 0)[at] / sent[sb];
        up[sb] = rx(&rig, 1, 2)[at + 4000] / sent[sb];
    }
    const double power_mw = pow(10, c->radio.ap.tx_power_dbm / 10) / 72,
                 noise_mw = pow(10, (-174 + 10 * log10(15000)) / 10);
    const double scale = sqrt(power_mw / noise_mw), beta = power_mw / noise_mw;
    assert_good(truth_close(rig.truth));
    rig.truth = NULL;
    h5file_t *file = NULL;
    struct h5_info info;
    assert_good(h5file_open(&file, path));
    assert_good(h5file_info(file, "/H", &info));
    assert_true(info.rank == 5 && info.dims[0] == 4 && info.dims[1] == 6 && info.dims[2] == 2 && info.dims[3] == 3 &&
                info.dims[4] == 2);
    tutti_cf32 h[6][2][3][2], h_uplink[6][2][3][2];
    assert_good(h5file_read_rows(file, "/H", H5_C64, 2, 1, h));
    assert_good(h5file_read_rows(file, "/H_uplink", H5_C64, 2, 1, h_uplink));
    for (int sb = 0; sb < n_sb; sb++) {
        assert_near((double)cabsf(h[sb][1][2][0] / (float)scale - conjf(down[sb])), 0, 2e-5);
        assert_near((double)cabsf(h_uplink[sb][1][2][0] / (float)scale - conjf(up[sb])), 0, 2e-5);
    }
    double b[2][2];
    assert_good(h5file_read(file, "/beta", H5_F64, b, sizeof b));
    assert_near(b[0][0] / beta, pow(10, -0.3), 1e-9);
    assert_near(b[1][1] / beta, pow(10, -0.9), 1e-9);
    assert_good(h5file_read(file, "/beta_uplink_snr", H5_F64, b, sizeof b));
    assert_near(b[1][1] / beta, pow(10, -0.9 - 0.3), 1e-9); /* users have 3 dB less power, equal noise figures */
    h5file_close(file);
    unlink(path);
    close_rig(&rig);
}

/* A constant from AP 0 and from user 1, both ways: their link has this gain in the middle of each block, others none.
 */
static void expect_gains(struct rig *rig, int n_block, const double *expected_db)
{
    const int block = rig->frame.n_block_samples;
    for (size_t i = 0; i < length(rig); i++) {
        tx(rig, 0, 0)[i] = 0.5f;
        tx(rig, 3, 0)[i] = 0.25f;
    }
    run_rig(rig, -1);
    for (int b = 0; b < n_block; b++) {
        const int at = b * block + block / 2;
        const double down = cabs((double complex)rx(rig, 3, 0)[at]) / 0.5;
        const double up = cabs((double complex)rx(rig, 0, 0)[at]) / 0.25;
        assert_true(fabs(20 * log10(down) - expected_db[b]) < 0.01 && fabs(20 * log10(up) - expected_db[b]) < 0.01);
        assert_true(fabs(cabs((double complex)rx(rig, 2, 0)[at]) / 0.5 - 1) < 1e-3);
        assert_true(fabs(cabs((double complex)rx(rig, 1, 0)[at]) / 0.25 - 1) < 1e-3);
    }
}

/* Only the links named, only in their blocks, both ways. */
static void test_blockage(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 12, QUIET,
         "air.events=[{kind: blockage, block: 1, to_block: 3, ap: [0], ue: [1], loss_db: 20}, {kind: blockage, block: "
         "2, ap: [0], ue: [1], loss_db: 6}]");
    expect_gains(&rig, 4, (const double[]){0, -20, -26, -6});
    close_rig(&rig);
}

/* Gains that change: in equal steps of dB, both ways, from the one block to the other, each link by itself. */
static void test_gains_change(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 18, QUIET, "air.large_scale.gain_db_end=[[0, -12], [6, 0]]", "air.large_scale.gain_db_end_from_block=1",
         "air.large_scale.gain_db_end_to_block=4");
    expect_gains(&rig, 6, (const double[]){0, 0, -4, -8, -12, -12});
    close_rig(&rig);
}

/* What is there already stays: a second truth gets a number; the recording's name is refused. */
static void test_truth_spares_files(void **state)
{
    (void)state;
    struct rig rig;
    char path[64], second[72], set[80], record[80];
    struct stat before, after;
    snprintf(path, sizeof path, "/tmp/tutti-spare-%d.h5", (int)getpid());
    snprintf(second, sizeof second, "/tmp/tutti-spare-%d.2.h5", (int)getpid());
    snprintf(set, sizeof set, "air.truth=%s", path);
    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
    assert_int_equal(stat(path, &before), 0);
    OPEN(&rig, 1, QUIET, set);
    run_rig(&rig, -1);
    close_rig(&rig);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_ino == before.st_ino && after.st_size == 8);
    h5file_t *h5 = NULL;
    assert_good(h5file_open(&h5, second));
    h5file_close(h5);
    unlink(path), unlink(second);
    /* the same file under two spellings */
    snprintf(record, sizeof record, "record.file=/tmp/../tmp/tutti-spare-%d.h5", (int)getpid());
    struct config *config = NULL;
    const int loaded = config_load(&config, NULL, (const char *const[]){set, record}, 2);
    if (loaded == TUTTI_OK) { /* the configuration need not notice */
        truth_t *truth = NULL;
        assert_good(frame_init(&rig.frame, config));
        assert_good(links_create(&rig.links, config, &rig.frame));
        assert_int_equal(truth_create(&truth, config, &rig.frame, rig.links), TUTTI_ECONFIG);
        links_destroy(rig.links);
    }
    assert_int_not_equal(stat(path, &after), 0);
    config_free(config);
}

/* Equal bits again, and whether somebody else listens or not. */
static void test_deterministic(void **state)
{
    (void)state;
    struct rig rig[2];
    for (int k = 0; k < 2; k++) {
        OPEN(&rig[k], 4, "network.n_ap=2", "air.impairments.ap.phase_noise_linewidth_hz=10",
             "air.impairments.ue.cfo_hz=100");
        for (int i = 0; i < (int)length(&rig[k]); i++) {
            tx(&rig[k], 0, 1)[i] = draw(1, (uint64_t)i);
        }
        run_rig(&rig[k], k == 0 ? -1 : 3);
    }
    for (int r = 0; r < rig[0].n_radio; r++) {
        const size_t from = r == 3 ? (size_t)rig[0].chunk : 0;
        assert_memory_equal(rx(&rig[0], r, 0) + from, rx(&rig[1], r, 0) + from,
                            (length(&rig[0]) - from) * sizeof(tutti_cf32));
    }
    close_rig(&rig[0]);
    close_rig(&rig[1]);
}

/* Part of a chunk has the samples that the whole chunk has there, with every impairment. */
static void test_part(void **state)
{
    (void)state;
    struct rig rig[2];
    const int from = 777, to = 1300;
    tutti_cf32 *part = NULL, *whole = NULL;
    for (int k = 0; k < 2; k++) {
        OPEN(&rig[k], 2, "network.n_ap=2", "network.n_ue=1", "air.impairments.ap.phase_noise_linewidth_hz=10",
             "air.impairments.ap.cfo_hz=100", "air.impairments.ap.adc_bits=16",
             "air.impairments.ue.timing_offset_samples=2");
        const size_t chunk = (size_t)rig[k].chunk, n_ant = (size_t)rig[k].links->radio[1].n_ant;
        tutti_cf32 *signal = calloc(chunk, sizeof *signal), *out = calloc(n_ant * chunk, sizeof *out);
        for (size_t i = 0; i < chunk; i++) {
            signal[i] = 0.1f * draw(7, i);
        }
        const struct mixer_input in[3] = {{0}, {0}, {signal, 500, 1200}};
        for (int c = 0; c < 2; c++) {
            const struct mixer_output want[3] = {{0}, {out, k ? from : 0, k ? to : rig[k].chunk}, {0}};
            mixer_execute(rig[k].mixer, (tutti_tick)c * chunk, in, want, NULL, NULL);
        }
        free(signal);
        part = k ? out : part;
        whole = k ? whole : out;
    }
    for (int a = 0; a < rig[0].links->radio[1].n_ant; a++) {
        const size_t at = (size_t)a * (size_t)rig[0].chunk + (size_t)from;
        assert_memory_equal(part + at, whole + at, (size_t)(to - from) * sizeof *part);
    }
    assert_true(part[from + 100] != 0 && whole[from - 100] != 0 && part[from - 100] == 0); /* not made */
    free(part), free(whole);
    close_rig(&rig[0]);
    close_rig(&rig[1]);
}

/* With eavesdroppers in the network every other radio hears exactly what it heard without; they themselves hear the
 * APs over their own links, with all antennas, and the APs hear them; users do not. */
static void test_eavesdroppers(void **state)
{
    (void)state;
    struct rig rig[2];
    for (int k = 0; k < 2; k++) {
        OPEN(&rig[k], 6, "network.n_ap=2", "network.n_ant=3", "network.n_ue=2", "air.impairments.ap.cfo_hz=100",
             "air.impairments.ue.gain_mismatch_db=1", "air.fading.model=tdl", "air.fading.tap_delays_samples=[0, 2]",
             "air.fading.tap_powers_db=[0, -3]", k == 0 ? "network.n_eve=0" : "network.n_eve=2", "eve.n_ant=2",
             "air.large_scale.eve_snr_db=25");
        for (int i = 0; i < (int)length(&rig[k]); i++) {
            tx(&rig[k], 0, 1)[i] = draw(1, (uint64_t)i);
            tx(&rig[k], 3, 0)[i] = draw(2, (uint64_t)i);
        }
        run_rig(&rig[k], -1);
    }
    assert_int_equal(rig[0].n_radio, 4);
    assert_int_equal(rig[1].n_radio, 6);
    for (int r = 0; r < 4; r++) {
        for (int a = 0; a < rig[0].links->radio[r].n_ant; a++) {
            assert_memory_equal(rx(&rig[0], r, a), rx(&rig[1], r, a), length(&rig[0]) * sizeof(tutti_cf32));
        }
    }
    const struct links *l = rig[1].links;
    for (int e = 4; e < 6; e++) {
        assert_true(l->radio[e].is_eve && l->radio[e].n_ant == 2 && l->radio[e].id == e - 4);
        for (int r = 0; r < 6; r++) {
            assert_true(links_between(l, r, e)->active == (r < 2));
            assert_true(links_between(l, e, r)->active == (r < 2));
        }
        /* reciprocal: the same coefficients both ways, but for the full scales (equal here up to a factor) */
        const struct link *down = links_between(l, 0, e), *up = links_between(l, e, 0);
        for (int tap = 0; tap < 2; tap++) {
            for (int q = 0; q < 2; q++) {
                for (int p = 0; p < 3; p++) {
                    const tutti_cf32 d = down->gain[(tap * 2 + q) * 3 + p] / down->amplitude;
                    const tutti_cf32 u = up->gain[(tap * 3 + p) * 2 + q] / up->amplitude;
                    assert_near(cabsf(d - u), 0, 1e-6);
                }
            }
        }
        for (int other = 2; other < e; other++) { /* nobody shares its fading */
            const tutti_cf32 *g = l->pair[down->pair].g, *h = l->pair[links_between(l, 0, other)->pair].g;
            assert_true(cabsf(g[0] - h[0]) > 1e-3f);
        }
    }
    close_rig(&rig[0]);
    close_rig(&rig[1]);
}

/* /eve/H against the coefficients in use, both antennas of both. */
static void test_eve_truth(void **state)
{
    (void)state;
    struct rig rig;
    char path[64], set[80];
    snprintf(path, sizeof path, "/tmp/tutti-eve-truth-%d.h5", (int)getpid());
    snprintf(set, sizeof set, "air.truth=%s", path);
    OPEN(&rig, 3, set, "network.n_ap=2", "network.n_ant=3", "network.n_ue=2", "network.n_eve=2", "eve.n_ant=2",
         "air.large_scale.eve_snr_db=25", "radio.eve.noise_figure_db=6");
    run_rig(&rig, -1);
    tutti_cf32 expected[2][3][4];
    for (int a = 0; a < 2; a++) {
        for (int p = 0; p < 3; p++) {
            for (int c = 0; c < 4; c++) {
                const struct link *link = links_between(rig.links, a, 4 + c / 2);
                const double scale = pow(10, 25 / 20.0) / (double)link->amplitude; /* 25 dB at full power */
                expected[a][p][c] = (float)scale * conjf(link->gain[c % 2 * 3 + p]);
            }
        }
    }
    assert_good(truth_close(rig.truth));
    rig.truth = NULL;
    h5file_t *file;
    struct h5_info info;
    assert_good(h5file_open(&file, path));
    assert_good(h5file_info(file, "/eve/H", &info));
    assert_true(info.rank == 5 && info.dims[1] == 6 && info.dims[2] == 2 && info.dims[3] == 3 && info.dims[4] == 4);
    static tutti_cf32 H[6][2][3][4];
    assert_good(h5file_read_rows(file, "/eve/H", H5_C64, info.dims[0] - 1, 1, H));
    for (int sb = 0; sb < 6; sb++) {
        for (int a = 0; a < 2; a++) {
            for (int p = 0; p < 3; p++) {
                for (int c = 0; c < 4; c++) {
                    assert_near(cabsf(H[sb][a][p][c] - expected[a][p][c]), 0, 1e-4 * (double)cabsf(expected[a][p][c]));
                }
            }
        }
    }
    double beta[2][2];
    assert_good(h5file_read(file, "/eve/beta", H5_F64, beta, sizeof beta));
    for (int i = 0; i < 4; i++) {
        assert_near(beta[i / 2][i % 2], pow(10, 2.5), 1e-6 * pow(10, 2.5));
    }
    h5file_close(file);
    unlink(path);
    close_rig(&rig);
}

/* APs hear each other in B and C symbols alone, the same way in both directions (levels as set, block after block), and
 * with opposite timing offsets the one way later by as much as the other way sooner. */
static void test_between_aps(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 9, QUIET, "frame.schedule=B2 G P4 U19 C4 G D36 G", "air.impairments.ap.timing_offset_samples=3",
         "air.large_scale.ap_snr_db=130", "air.fading.model=rayleigh");
    const struct links_radio *radio = rig.links->radio;
    const int symbol = rig.frame.n_symbol_samples, block = rig.frame.n_block_samples;
    const int heard[3] = {40, 27 * symbol + 40, block + 27 * symbol + 40}; /* B, C, the next block's C */
    const int unheard[2] = {3 * symbol + 40, 40 * symbol + 40};
    for (int a = 0; a < 2; a++) {
        for (int i = 0; i < 3; i++) {
            tx(&rig, a, a)[heard[i] + 20 * a] = 1;
        }
        for (int i = 0; i < 2; i++) {
            tx(&rig, a, a)[unheard[i] + 20 * a] = 1;
        }
    }
    run_rig(&rig, -1);
    const int delay = 6 + radio[0].timing_samples - radio[1].timing_samples, back = 12 - delay;
    assert_true(radio[0].timing_samples != radio[1].timing_samples);
    for (int i = 0; i < 3; i++) {
        const tutti_cf32 there = rx(&rig, 1, 1)[heard[i] + delay], here = rx(&rig, 0, 0)[heard[i] + 20 + back];
        assert_near(cabsf(there - here), 0, 1e-4 * (double)cabsf(there));
        assert_true(cabsf(there) > 0);
        assert_near(cabsf(there - rx(&rig, 1, 1)[heard[0] + delay]), 0, 1e-6 * (double)cabsf(there));
    }
    for (int i = 0; i < 2; i++) {
        for (int d = 0; d < 13; d++) {
            assert_true(cabsf(rx(&rig, 1, 1)[unheard[i] + d]) < 1e-6f);
        }
    }
    close_rig(&rig);
}

/* One AP's full power from one antenna arrives at the SNR that is set: over all antennas and several seeds. */
static void test_between_aps_level(void **state)
{
    (void)state;
    double sum = 0;
    enum { SEEDS = 12 };
    for (int seed = 0; seed < SEEDS; seed++) {
        struct rig rig;
        char set[40];
        snprintf(set, sizeof set, "network.seed=%d", seed + 1);
        OPEN(&rig, 1, set, "network.n_ue=1", "network.n_ap=4", "radio.ap.noise_figure_db=7", "radio.ap.tx_power_dbm=20",
             "air.large_scale.ap_snr_db=25");
        links_update(rig.links, 0);
        const struct links *l = rig.links;
        for (int i = 0; i < 16; i++) {
            const struct link *link = links_between(l, i / 4, i % 4);
            for (int p = 0; i / 4 != i % 4 && p < 16; p++) {
                const double gain_db = 20 * log10((double)cabsf(link->gain[p])) + l->radio[1].rx_full_scale_dbm -
                                       l->radio[0].tx_full_scale_dbm;
                const double power_dbm = 20 - 10 * log10(72) + gain_db;
                sum += pow(10, (power_dbm - channel_noise_dbm(15000, 7)) / 10) / (12 * 16);
            }
        }
        close_rig(&rig);
    }
    /* Rayleigh: the mean of 6 * 16 independent powers a seed */
    assert_near(sum / SEEDS / pow(10, 2.5), 1, 4 / sqrt(6 * 16 * SEEDS));
}

/* Transmitters' phases walk with the variance that is set, the receivers' stay. */
static void test_drift(void **state)
{
    (void)state;
    struct rig rig;
    OPEN(&rig, 1, "network.n_ue=1", "network.n_ap=8", "network.n_ant=8",
         "air.impairments.ap.phase_drift_rad2_per_s=0.02", "air.impairments.ap.phase_mismatch_deg=90");
    enum { BLOCKS = 200 };
    tutti_cf32 receiver[8];
    double square = 0;
    memcpy(receiver, rig.links->radio[3].rx_gain, sizeof receiver);
    for (int b = 0; b < BLOCKS; b++) {
        links_update(rig.links, (tutti_tick)b * (tutti_tick)rig.frame.n_block_samples);
    }
    for (int i = 0; i < 64; i++) {
        const struct links_radio *r = &rig.links->radio[i / 8];
        const double angle = (double)cargf(r->tx_gain[i % 8] / r->tx_drawn[i % 8]);
        square += angle * angle / 64;
    }
    assert_memory_equal(receiver, rig.links->radio[3].rx_gain, sizeof receiver);
    assert_near(square / (0.02 * BLOCKS * 5e-3), 1, 4 * sqrt(2.0 / 64));
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flat_gain),
                                       cmocka_unit_test(test_noise_level),
                                       cmocka_unit_test(test_convolution),
                                       cmocka_unit_test(test_block_fading),
                                       cmocka_unit_test(test_jakes_in_block),
                                       cmocka_unit_test(test_carrier_offset),
                                       cmocka_unit_test(test_phase_noise),
                                       cmocka_unit_test(test_timing_offset),
                                       cmocka_unit_test(test_clocks),
                                       cmocka_unit_test(test_clip),
                                       cmocka_unit_test(test_single_radio),
                                       cmocka_unit_test(test_converter),
                                       cmocka_unit_test(test_mismatch),
                                       cmocka_unit_test(test_truth),
                                       cmocka_unit_test(test_truth_spares_files),
                                       cmocka_unit_test(test_deterministic),
                                       cmocka_unit_test(test_part),
                                       cmocka_unit_test(test_blockage),
                                       cmocka_unit_test(test_gains_change),
                                       cmocka_unit_test(test_eavesdroppers),
                                       cmocka_unit_test(test_eve_truth),
                                       cmocka_unit_test(test_between_aps),
                                       cmocka_unit_test(test_between_aps_level),
                                       cmocka_unit_test(test_drift)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
