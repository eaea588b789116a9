/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Viterbi decoder against libfec's on many noisy blocks: soak_viterbi [blocks] [--json], a million by default. One
 * row per SNR with the blocks that differ in any decoded bit; exit status 1 if there were any. The variant is the
 * widest this processor has; tests/phy/test_viterbi tries them all on fewer blocks. */
#include "../phy/fec_reference.h"
#include "phy/simd.h"
#include "row.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_SNR = 16, SOME_BITS = 1024 };

struct tally {
    long blocks, decoded_wrong, different;
};

static void run(void *reference, double snr_db, long n, uint64_t *seed, struct tally *tally)
{
    static struct fec_case c;
    static uint64_t decisions[FEC_MAX_STEPS];
    uint8_t expected[FEC_MAX_BITS / 8], decoded[FEC_MAX_BITS / 8];
    const double snr = pow(10, snr_db / 10), signal = 16 * snr, noise = 16 * sqrt(snr); /* 8 steps per unit of LLR */
    for (long i = 0; i < n; i++) {
        const int most = i % 64 ? SOME_BITS : FEC_MAX_BITS;
        fec_fill(&c, 8 * (1 + (int)(code_random(seed) % (unsigned)(most / 8))), signal, noise, seed);
        fec_decode(reference, &c, expected);
        viterbi_decode(c.n_bits, c.soft, decisions, decoded);
        tally->blocks++;
        tally->decoded_wrong += memcmp(decoded, c.sent, (size_t)c.n_bits / 8) != 0;
        tally->different += memcmp(decoded, expected, (size_t)c.n_bits / 8) != 0;
    }
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    const long n = argc > 1 ? atol(argv[1]) : 1000000;
    void *reference = fec_create();
    uint64_t seed = 1;
    long different = 0;
    if (!reference || n < N_SNR) {
        fprintf(stderr, "soak_viterbi: out of memory, or fewer than %d blocks\n", N_SNR);
        return 2;
    }
    row_section("Viterbi decoder (%s) against libfec, up to %d bits a block", simd_get()->name, FEC_MAX_BITS);
    for (int s = 0; s < N_SNR; s++) {
        const double snr_db = -20 + 2 * s;
        struct tally tally = {0};
        char what[48];
        run(reference, snr_db, n / N_SNR + (s < n % N_SNR), &seed, &tally);
        snprintf(what, sizeof what, "4-QAM at %.0f dB", snr_db);
        ROW(what, {"blocks", (double)tally.blocks}, {"decoded_wrong", (double)tally.decoded_wrong},
            {"different", (double)tally.different});
        different += tally.different;
    }
    delete_viterbi27(reference);
    return different > 0;
}
