/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `config check` accepts the programs accept: random frames through the configuration's door, and each one let in
 * through everything the programs build on it. */
#include "base/config.h"
#include "phy/estimate.h"
#include "phy/ofdm.h"
#include "phy/pilot.h"
#include "phy/receiver.h"
#include "phy_test.h"
#include "sanitized.h"

enum { TRIES = SANITIZED ? 400 : 1500, MAX_SETS = 12, SET_ROOM = 96 };

static uint64_t seed = 8;

static int below(int n)
{
    return (int)(test_uniform(&seed) * n);
}

static int one_of(const int *values, int n)
{
    return values[below(n)];
}

struct sets {
    char text[MAX_SETS][SET_ROOM];
    const char *pointer[MAX_SETS];
    int n;
};

__attribute__((format(printf, 2, 3))) static void set(struct sets *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->text[s->n], SET_ROOM, format, args);
    va_end(args);
    s->pointer[s->n] = s->text[s->n];
    s->n++;
}

/* About half of these are good: sizes near each other's limits. */
static void draw(struct sets *s)
{
    static const int fft[] = {64, 72, 96, 100, 128, 144, 98, 150, 1536};
    static const int per_sb[] = {1, 2, 3, 4, 6, 12};
    static const int bits[] = {40, 47, 48, 100, 1000, 6144};
    const int n_fft = one_of(fft, 9), n_sb = 1 + below(8), size = one_of(per_sb, 6), n_cp = 1 + below(20);
    const int n_pilot = 1 + below(4), gap = below(4), n_dl = 2 + below(12), n_ue = 1 + below(4);
    const int symbols = 1 + n_pilot + gap + n_dl, spare = below(4) ? below(2 * n_fft) : -below(n_fft);
    const int rate = 1000000 * (1 + below(4)), samples = symbols * (n_fft + n_cp) + spare;
    s->n = 0;
    set(s, "frame.fft_size=%d", n_fft);
    set(s, "frame.n_cp_samples=%d", n_cp);
    set(s, "frame.subcarriers_per_subband=%d", size);
    set(s, "frame.n_used_subcarriers=%d", n_sb * size);
    set(s, "frame.schedule=G P%d %.*s D%d", n_pilot, 2 * gap, "U U U U ", n_dl);
    set(s, "frame.n_dl_pilot_symbols=%d", n_ue + below(2));
    set(s, "frame.sample_rate_hz=%d", rate);
    set(s, "frame.block_us=%.10g", samples * 1e6 / rate);
    set(s, "network.n_ue=%d", n_ue);
    set(s, "payload.max_code_block_bits=%d", one_of(bits, 6));
    set(s, "payload.modulation=qam%d", 4 << (2 * below(4)));
    set(s, "pilots.large_scale=known");
}

static void build_everything(const struct config *config)
{
    struct frame f;
    ofdm_t *ofdm;
    estimate_t *estimate;
    receiver_t *receiver;
    double beta[TUTTI_MAX_UE];
    int pilots[TUTTI_MAX_UE];
    assert_int_equal(frame_init(&f, config), 0);
    assert_int_equal(f.n_block_samples % f.chunk_samples, 0);
    assert_int_equal(ofdm_create(&ofdm, &f), 0);
    pilot_assignment(config, &f, pilots);
    for (int k = 0; k < config->network.n_ue; k++) {
        beta[k] = 1;
    }
    const struct estimate_settings estimating = {.n_ant = config->network.n_ant,
                                                 .n_ue = config->network.n_ue,
                                                 .pilot_of_user = pilots,
                                                 .tracking_blocks = config->pilots.tracking_blocks,
                                                 .uplink_to_downlink = 1,
                                                 .beta_known = beta};
    const struct receiver_settings receiving = {
        .n_ant = 1, .n_stream = config->network.n_ue, .payload = &config->payload, .seed = 1};
    assert_int_equal(estimate_create(&estimate, &f, &estimating), 0);
    if (receiver_create(&receiver, &f, &receiving) != 0) {
        fail_msg("accepted, but: %s", error_text());
    }
    ofdm_destroy(ofdm);
    estimate_destroy(estimate);
    receiver_destroy(receiver);
}

static void what_is_accepted_is_built(void **state)
{
    (void)state;
    int accepted = 0;
    for (int i = 0; i < TRIES; i++) {
        struct sets s;
        struct config *config;
        draw(&s);
        if (config_load(&config, NULL, s.pointer, s.n) == 0) {
            build_everything(config);
            config_free(config);
            accepted++;
        }
    }
    print_message("%d of %d frames accepted\n", accepted, TRIES);
    assert_true(accepted > TRIES / 20 && accepted < TRIES * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_accepted_is_built)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
