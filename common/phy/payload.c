/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/payload.h"

#include "base/error.h"

#include <fec.h>
#include <liquid/liquid.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL_BITS = 6, CRC_BITS = 32, CRC_BYTES = 4, MAX_LEVELS = 16, MAX_AXIS_BITS = 4 };
/* libfec's soft symbols are 0..255; 8 steps per unit of log-likelihood ratio clip at about 16, where the error
 * probability of the bit is 1e-7. */
static const float SOFT_PER_LLR = 8.0f;

struct payload {
    int n_re, bits_per_symbol, axis_bits;
    int n_coded;                  /* n_re * bits_per_symbol */
    int n_cb, cb_bytes, cb_coded; /* code blocks; information and CRC bytes of one; coded bits of one */
    uint64_t seed;
    uint32_t *place;            /* [n_coded] place in the block of coded bit j: the interleaver */
    tutti_cf32 point[256];      /* constellation */
    float level[2][MAX_LEVELS]; /* I and Q level of a label half */
    uint16_t conv_byte[256], conv_state[1 << TAIL_BITS]; /* encoder: XOR of the two gives 16 coded bits */
    uint32_t crc_byte[256];
    uint8_t *info;    /* [n_cb][cb_bytes] */
    uint8_t *coded;   /* [n_coded] 0 or 1, in transmission order */
    uint8_t *soft;    /* [n_coded] 0..255, in transmission order */
    uint8_t *symbols; /* [cb_coded] one code block's soft bits in code order */
    uint8_t *decoded; /* [cb_bytes] */
    void *viterbi;
};

/* Pseudo-random bits ------------------------------------------------------------------------------------------- */

/* splitmix64: an equidistributed 64-bit counter generator. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t start_state(uint64_t seed, int user, uint64_t block)
{
    uint64_t state = seed;
    state = next_random(&state) ^ (uint64_t)user;
    state = next_random(&state) ^ block;
    return next_random(&state);
}

static void random_bytes(uint64_t *state, uint8_t *out, int n)
{
    uint64_t word = 0;
    for (int i = 0; i < n; i++) {
        if (i % 8 == 0) {
            word = next_random(state);
        }
        out[i] = (uint8_t)(word >> (8 * (i % 8)));
    }
}

/* CRC-32 and convolutional code -------------------------------------------------------------------------------- */

/* IEEE 802.3, reflected. */
static void make_crc_table(payload_t *p)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int b = 0; b < 8; b++) {
            c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
        }
        p->crc_byte[i] = c;
    }
}

static uint32_t crc32(const payload_t *p, const uint8_t *data, int n)
{
    uint32_t c = 0xffffffffu;
    for (int i = 0; i < n; i++) {
        c = p->crc_byte[(c ^ data[i]) & 0xff] ^ (c >> 8);
    }
    return ~c;
}

static void put_crc(const payload_t *p, uint8_t *cb)
{
    const int n = p->cb_bytes - CRC_BYTES;
    const uint32_t c = crc32(p, cb, n);
    for (int i = 0; i < CRC_BYTES; i++) {
        cb[n + i] = (uint8_t)(c >> (8 * (3 - i)));
    }
}

/* 16 coded bits (first in the top bit) of 8 input bits after 6 earlier ones; octal 171 then 133 (libfec's B, A). */
static uint16_t encode_window(unsigned window)
{
    unsigned out = 0;
    for (int b = 7; b >= 0; b--) {
        const unsigned reg = window >> b & 0x7f;
        out = out << 2 | (unsigned)__builtin_parity(reg & V27POLYB) << 1 | (unsigned)__builtin_parity(reg & V27POLYA);
    }
    return (uint16_t)out;
}

/* The code is linear, so the share of the 6 old bits and that of the 8 new ones are tabled apart. */
static void make_encoder(payload_t *p)
{
    for (unsigned i = 0; i < 256; i++) {
        p->conv_byte[i] = encode_window(i);
    }
    for (unsigned i = 0; i < 1u << TAIL_BITS; i++) {
        p->conv_state[i] = encode_window(i << 8);
    }
}

/* Coded bits of one code block, tail included, each to its place. */
static void encode_block(payload_t *p, const uint8_t *cb, const uint32_t *place)
{
    unsigned state = 0;
    for (int i = 0; i < p->cb_bytes; i++) {
        const unsigned out = p->conv_byte[cb[i]] ^ p->conv_state[state];
        for (int b = 0; b < 16; b++) {
            p->coded[place[16 * i + b]] = out >> (15 - b) & 1;
        }
        state = cb[i] & 0x3f;
    }
    const unsigned out = p->conv_state[state];
    for (int b = 0; b < 2 * TAIL_BITS; b++) {
        p->coded[place[16 * p->cb_bytes + b]] = out >> (15 - b) & 1;
    }
}

/* Fills info and coded with the truth of one user and block. */
static void build(payload_t *p, int user, uint64_t block)
{
    uint64_t state = start_state(p->seed, user, block);
    for (int c = 0; c < p->n_cb; c++) {
        uint8_t *cb = p->info + c * p->cb_bytes;
        random_bytes(&state, cb, p->cb_bytes - CRC_BYTES);
        put_crc(p, cb);
        encode_block(p, cb, p->place + c * p->cb_coded);
    }
    for (int j = p->n_cb * p->cb_coded; j < p->n_coded; j++) {
        p->coded[p->place[j]] = (uint8_t)(next_random(&state) >> 63);
    }
}

/* Creation ----------------------------------------------------------------------------------------------------- */

/* The fewest code blocks whose equal share fits the limit; whole bytes each. */
static int set_code_blocks(payload_t *p, int max_code_block_bits)
{
    const int max_bytes = max_code_block_bits / 8;
    if (max_bytes <= CRC_BYTES) {
        return error_set(TUTTI_ECONFIG, "payload.max_code_block_bits: %d, allowed from %d (CRC-32 and one byte)",
                         max_code_block_bits, CRC_BITS + 8);
    }
    do {
        p->n_cb++;
        p->cb_bytes = (p->n_coded / (2 * p->n_cb) - TAIL_BITS) / 8;
    } while (p->cb_bytes > max_bytes);
    if (p->cb_bytes <= CRC_BYTES) {
        return error_set(
            TUTTI_ECONFIG,
            "payload: %d coded bits per block in %d code blocks leave no room for data beside the CRC; lengthen the "
            "D part of frame.schedule or change payload.max_code_block_bits %d",
            p->n_coded, p->n_cb, max_code_block_bits);
    }
    p->cb_coded = 2 * (8 * p->cb_bytes + TAIL_BITS);
    return 0;
}

/* liquid-dsp's square QAM labels I in the upper half of the bits and Q in the lower. The demapper works per axis, so
 * this is checked rather than trusted. */
static int make_constellation(payload_t *p)
{
    static const modulation_scheme scheme[] = {LIQUID_MODEM_QAM4, LIQUID_MODEM_QAM16, LIQUID_MODEM_QAM64,
                                               LIQUID_MODEM_QAM256};
    const unsigned n_levels = 1u << p->axis_bits;
    modem m = modemcf_create(scheme[p->axis_bits - 1]);
    if (!m) {
        return error_set(TUTTI_ENOMEM, "payload: liquid-dsp made no %d-QAM modem", 1 << p->bits_per_symbol);
    }
    for (unsigned s = 0; s < n_levels * n_levels; s++) {
        modemcf_modulate(m, s, &p->point[s]);
    }
    modemcf_destroy(m);
    for (unsigned i = 0; i < n_levels; i++) {
        p->level[0][i] = crealf(p->point[i * n_levels]);
        p->level[1][i] = cimagf(p->point[i]);
    }
    for (unsigned s = 0; s < n_levels * n_levels; s++) {
        if (crealf(p->point[s]) != p->level[0][s / n_levels] || cimagf(p->point[s]) != p->level[1][s % n_levels]) {
            return error_set(TUTTI_EUNSUPPORTED,
                             "payload: this liquid-dsp labels %d-QAM in a way the demapper does not know",
                             1 << p->bits_per_symbol);
        }
    }
    return 0;
}

/* A pseudo-random permutation (Fisher-Yates, fixed seed): neighbours in the code land on unrelated subcarriers, symbols
 * and label bits, whatever the shape of the frame. */
static void make_interleaver(payload_t *p)
{
    uint64_t state = 0x7475747469u;
    for (int j = 0; j < p->n_coded; j++) {
        p->place[j] = (uint32_t)j;
    }
    for (int j = p->n_coded - 1; j > 0; j--) {
        const uint32_t k = (uint32_t)((next_random(&state) >> 32) * (uint64_t)(j + 1) >> 32);
        const uint32_t kept = p->place[j];
        p->place[j] = p->place[k];
        p->place[k] = kept;
    }
}

/* libfec keeps one global branch table; it is set once, before the first decoder. Polynomials: octal 171, then 133. */
static void *make_viterbi(int n_bits)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool ready;
    pthread_mutex_lock(&lock);
    if (!ready) {
        int polynomials[2] = {V27POLYB, V27POLYA};
        set_viterbi27_polynomial(polynomials);
        ready = true;
    }
    void *viterbi = create_viterbi27(n_bits);
    pthread_mutex_unlock(&lock);
    return viterbi;
}

static int allocate(payload_t *p)
{
    const size_t n = (size_t)p->n_coded;
    p->place = calloc(n, sizeof *p->place);
    p->coded = calloc(n, 1);
    p->soft = calloc(n, 1);
    p->info = calloc((size_t)p->n_cb, (size_t)p->cb_bytes);
    p->symbols = calloc((size_t)p->cb_coded, 1);
    p->decoded = calloc((size_t)p->cb_bytes, 1);
    p->viterbi = make_viterbi(8 * p->cb_bytes);
    if (!p->place || !p->coded || !p->soft || !p->info || !p->symbols || !p->decoded || !p->viterbi) {
        return error_set(TUTTI_ENOMEM, "payload: no memory for %d coded bits", p->n_coded);
    }
    return 0;
}

int payload_create(payload_t **payload, const struct frame *frame, const struct config_payload *config, uint64_t seed)
{
    payload_t *p = calloc(1, sizeof *p);
    *payload = p;
    if (!p) {
        return error_set(TUTTI_ENOMEM, "payload: out of memory");
    }
    p->axis_bits = (int)config->modulation + 1;
    p->bits_per_symbol = 2 * p->axis_bits;
    p->n_re = frame->n_data_re;
    p->n_coded = p->n_re * p->bits_per_symbol;
    p->seed = seed;
    int rc = p->axis_bits >= 1 && p->axis_bits <= MAX_AXIS_BITS
                 ? set_code_blocks(p, config->max_code_block_bits)
                 : error_set(TUTTI_ECONFIG, "payload.modulation: %d, allowed qam4, qam16, qam64, qam256",
                             (int)config->modulation);
    if (rc == 0) {
        rc = allocate(p);
    }
    if (rc == 0) {
        rc = make_constellation(p);
    }
    if (rc != 0) {
        payload_destroy(p);
        *payload = NULL;
        return rc;
    }
    make_crc_table(p);
    make_encoder(p);
    make_interleaver(p);
    return 0;
}

void payload_destroy(payload_t *payload)
{
    if (!payload) {
        return;
    }
    if (payload->viterbi) {
        delete_viterbi27(payload->viterbi);
    }
    free(payload->place);
    free(payload->coded);
    free(payload->soft);
    free(payload->info);
    free(payload->symbols);
    free(payload->decoded);
    free(payload);
}

int payload_bits_per_symbol(const payload_t *payload)
{
    return payload->bits_per_symbol;
}

int payload_code_blocks(const payload_t *payload)
{
    return payload->n_cb;
}

int payload_info_bits(const payload_t *payload)
{
    return payload->n_cb * 8 * (payload->cb_bytes - CRC_BYTES);
}

/* Per block ---------------------------------------------------------------------------------------------------- */

void payload_encode(payload_t *payload, int user, uint64_t block, tutti_cf32 *symbols)
{
    build(payload, user, block);
    const uint8_t *bit = payload->coded;
    for (int r = 0; r < payload->n_re; r++) {
        unsigned label = 0;
        for (int b = 0; b < payload->bits_per_symbol; b++) {
            label = label << 1 | *bit++;
        }
        symbols[r] = payload->point[label];
    }
}

static uint8_t quantise(float llr)
{
    const float v = 128.0f + SOFT_PER_LLR * llr;
    if (v >= 255.0f) {
        return 255;
    }
    return v > 0.0f ? (uint8_t)v : 0; /* not a number: 0, a defined if useless answer */
}

/* Max-log: LLR of a bit = (nearest squared distance with bit 0 - nearest with bit 1) / noise variance. One axis decides
 * half of the bits, first bit first. */
static void demap_axis(const float *level, int n_bits, float y, float inverse_variance, uint8_t *soft)
{
    float nearest[2][MAX_AXIS_BITS];
    for (int b = 0; b < n_bits; b++) {
        nearest[0][b] = nearest[1][b] = HUGE_VALF;
    }
    for (int i = 0; i < 1 << n_bits; i++) {
        const float d = (y - level[i]) * (y - level[i]);
        for (int b = 0; b < n_bits; b++) {
            float *best = &nearest[i >> (n_bits - 1 - b) & 1][b];
            *best = d < *best ? d : *best;
        }
    }
    for (int b = 0; b < n_bits; b++) {
        soft[b] = quantise((nearest[0][b] - nearest[1][b]) * inverse_variance);
    }
}

static void demap(payload_t *p, const tutti_cf32 *symbols, const float *noise_variance)
{
    const int n = p->axis_bits;
    uint8_t *soft = p->soft;
    for (int r = 0; r < p->n_re; r++, soft += 2 * n) {
        const float inverse = 1.0f / fmaxf(noise_variance[r], 1e-9f);
        demap_axis(p->level[0], n, crealf(symbols[r]), inverse, soft);
        demap_axis(p->level[1], n, cimagf(symbols[r]), inverse, soft + n);
    }
}

static int bit_differences(const uint8_t *a, const uint8_t *b, int n)
{
    int errors = 0;
    for (int i = 0; i < n; i++) {
        errors += __builtin_popcount((unsigned)(a[i] ^ b[i]));
    }
    return errors;
}

static void decode_block(payload_t *p, int c, struct payload_result *result)
{
    const int n_data = p->cb_bytes - CRC_BYTES, n_bits = 8 * p->cb_bytes;
    const uint8_t *truth = p->info + c * p->cb_bytes;
    const uint32_t *place = p->place + c * p->cb_coded;
    for (int j = 0; j < p->cb_coded; j++) {
        p->symbols[j] = p->soft[place[j]];
    }
    init_viterbi27(p->viterbi, 0);
    update_viterbi27_blk(p->viterbi, p->symbols, n_bits + TAIL_BITS);
    chainback_viterbi27(p->viterbi, p->decoded, (unsigned)n_bits, 0);
    uint32_t received = 0;
    for (int i = 0; i < CRC_BYTES; i++) {
        received = received << 8 | p->decoded[n_data + i];
    }
    const bool crc_ok = received == crc32(p, p->decoded, n_data);
    const int errors = bit_differences(truth, p->decoded, n_data);
    result->bit_errors += errors;
    result->code_block_errors += !crc_ok || errors > 0;
    result->undetected_errors += crc_ok && errors > 0;
}

void payload_decode(payload_t *payload, int user, uint64_t block, const tutti_cf32 *symbols,
                    const float *noise_variance, struct payload_result *result)
{
    payload_t *p = payload;
    build(p, user, block);
    demap(p, symbols, noise_variance);
    *result = (struct payload_result){.bits = payload_info_bits(p), .coded_bits = p->n_coded, .code_blocks = p->n_cb};
    for (int j = 0; j < p->n_coded; j++) {
        result->coded_bit_errors += (p->soft[j] >= 128) != p->coded[j];
    }
    for (int c = 0; c < p->n_cb; c++) {
        decode_block(p, c, result);
    }
}
