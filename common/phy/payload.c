/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/payload.h"

#include "base/error.h"
#include "phy/code.h"
#include "phy/interleave.h"
#include "phy/simd.h"
#include "phy/viterbi.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CRC_BITS = 32, CRC_BYTES = 4, MAX_AXIS_BITS = 4 };

/* Coded bits live in three forms: as code_convolve writes them, 64 to a word; in the order of the code, a byte each,
 * code block after code block, then the padding, which looks like one more block; as planes of the mapper. */
struct payload {
    const struct simd_ops *simd;
    int n_re, bits_per_symbol, axis_bits;
    int n_coded;                  /* n_re * bits_per_symbol */
    int n_cb, cb_bytes, cb_coded; /* code blocks; information and CRC bytes of one; coded bits of one */
    int stride;                   /* of a plane */
    float unit;                   /* half the spacing of the levels */
    uint64_t seed;
    struct code_crc crc;
    struct interleave interleave;
    /* of the user and block made last */
    bool have;
    int user;
    uint64_t block;
    uint8_t *info;   /* [n_cb][cb_bytes] */
    uint64_t *coded; /* [n_cb][2][code_words], then the padding [2][padding_words] */
    /* work of the encoder */
    uint8_t *spread; /* [n_coded] coded bits of up to SIMD_USERS users; a word's worth behind them may be written */
    uint8_t *planes; /* [axis_bits][stride] the same */
    int8_t *label;   /* [stride] of payload_encode */
    /* work of the decoder */
    int8_t *soft;        /* [axis_bits][stride] */
    int8_t *soft_coded;  /* [n_coded] */
    int16_t *soft_of_cb; /* [cb_coded] */
    uint64_t *decisions; /* [cb_coded / 2] */
    uint8_t *decoded;    /* [cb_bytes] */
};

/* Creation ----------------------------------------------------------------------------------------------------- */

/* The fewest code blocks whose equal share fits the limit; whole bytes each. Where so many would leave no room for
 * data, one block less at the limit, and more padding. */
static int set_code_blocks(payload_t *p, int max_code_block_bits)
{
    const int max_bytes = max_code_block_bits / 8;
    if (max_bytes <= CRC_BYTES) {
        return error_set(TUTTI_ECONFIG, "payload.max_code_block_bits: %d, allowed from %d (CRC-32 and one byte)",
                         max_code_block_bits, CRC_BITS + 8);
    }
    do {
        p->n_cb++;
        p->cb_bytes = (p->n_coded / (2 * p->n_cb) - VITERBI_TAIL_BITS) / 8;
    } while (p->cb_bytes > max_bytes);
    if (p->cb_bytes <= CRC_BYTES && p->n_cb > 1) {
        p->n_cb--;
        p->cb_bytes = max_bytes;
    }
    if (p->cb_bytes <= CRC_BYTES) {
        return error_set(
            TUTTI_ECONFIG,
            "payload: %d coded bits per block in %d code blocks leave no room for data beside the CRC; lengthen the "
            "data part (D or U) of frame.schedule or change payload.max_code_block_bits %d",
            p->n_coded, p->n_cb, max_code_block_bits);
    }
    p->cb_coded = 2 * (8 * p->cb_bytes + VITERBI_TAIL_BITS);
    return 0;
}

static int set_shape(payload_t *p, int n_re, const struct config_payload *config)
{
    p->axis_bits = (int)config->modulation + 1;
    if (p->axis_bits < 1 || p->axis_bits > MAX_AXIS_BITS) {
        return error_set(TUTTI_ECONFIG, "payload.modulation: %d, allowed qam4, qam16, qam64, qam256",
                         (int)config->modulation);
    }
    const double n_level = 1 << p->axis_bits;
    p->bits_per_symbol = 2 * p->axis_bits;
    p->n_re = n_re;
    p->n_coded = p->n_re * p->bits_per_symbol;
    p->stride = (2 * p->n_re + SIMD_BYTES_MAX - 1) / SIMD_BYTES_MAX * SIMD_BYTES_MAX;
    p->unit = (float)sqrt(1.5 / (n_level * n_level - 1.0)); /* two axes of mean power (n_level^2 - 1) / 3 units */
    return set_code_blocks(p, config->max_code_block_bits);
}

static int n_padding(const payload_t *p)
{
    return p->n_coded - p->n_cb * p->cb_coded;
}

/* The two streams of code block c; of the padding for c = n_cb. */
static uint64_t *coded_of(const payload_t *p, int c)
{
    return p->coded + (size_t)(2 * c) * (size_t)code_words(p->cb_bytes);
}

/* Of a stream; its bits come in pairs. */
static int padding_words(const payload_t *p)
{
    return n_padding(p) / 2 / 64 + 1;
}

static int allocate(payload_t *p)
{
    enum { WORD_BYTES = 2 * 64 };
    const size_t n = (size_t)p->n_coded, planes = (size_t)p->axis_bits * (size_t)p->stride;
    p->info = calloc((size_t)p->n_cb, (size_t)p->cb_bytes);
    p->coded = calloc((size_t)(2 * p->n_cb * code_words(p->cb_bytes) + 2 * padding_words(p)), sizeof *p->coded);
    p->spread = calloc(n + WORD_BYTES, 1);
    p->planes = calloc(planes, 1);
    p->label = calloc((size_t)p->stride, sizeof *p->label);
    p->soft = calloc(planes, sizeof *p->soft);
    p->soft_coded = calloc(n, sizeof *p->soft_coded);
    p->soft_of_cb = calloc((size_t)p->cb_coded, sizeof *p->soft_of_cb);
    p->decisions = calloc((size_t)p->cb_coded / 2, sizeof *p->decisions);
    p->decoded = calloc((size_t)p->cb_bytes, 1);
    if (!p->info || !p->coded || !p->spread || !p->planes || !p->label || !p->soft || !p->soft_coded ||
        !p->soft_of_cb || !p->decisions || !p->decoded) {
        return error_set(TUTTI_ENOMEM, "payload: no memory for %d coded bits", p->n_coded);
    }
    return interleave_create(&p->interleave, p->axis_bits, 2 * p->n_re, p->stride);
}

static int create(payload_t **payload, int n_re, const struct config_payload *config, uint64_t seed)
{
    payload_t *p = calloc(1, sizeof *p);
    *payload = p;
    if (!p) {
        return error_set(TUTTI_ENOMEM, "payload: out of memory");
    }
    p->simd = simd_get();
    p->seed = seed;
    int status = set_shape(p, n_re, config);
    if (status == 0) {
        status = allocate(p);
    }
    if (status != 0) {
        payload_destroy(p);
        *payload = NULL;
        return status;
    }
    code_crc_init(&p->crc);
    return 0;
}

int payload_create(payload_t **payload, const struct frame *frame, const struct config_payload *config, uint64_t seed)
{
    return create(payload, frame->n_data_re, config, seed);
}

int payload_create_uplink(payload_t **payload, const struct frame *frame, const struct config_payload *config,
                          uint64_t seed)
{
    static const uint64_t UPWARDS = 0x7570776172647321u; /* any other seed */
    return create(payload, frame->n_ul * frame->n_sc, config, seed ^ UPWARDS);
}

void payload_destroy(payload_t *payload)
{
    if (!payload) {
        return;
    }
    interleave_destroy(&payload->interleave);
    free(payload->info);
    free(payload->coded);
    free(payload->spread);
    free(payload->planes);
    free(payload->label);
    free(payload->soft);
    free(payload->soft_coded);
    free(payload->soft_of_cb);
    free(payload->decisions);
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

/* Sending ------------------------------------------------------------------------------------------------------ */

static uint64_t start_state(uint64_t seed, int user, uint64_t block)
{
    uint64_t state = seed;
    state = code_random(&state) ^ (uint64_t)user;
    state = code_random(&state) ^ block;
    return code_random(&state);
}

static void put_crc(const payload_t *p, uint8_t *cb)
{
    const int n = p->cb_bytes - CRC_BYTES;
    const uint32_t c = code_crc_of(&p->crc, cb, n);
    for (int i = 0; i < CRC_BYTES; i++) {
        cb[n + i] = (uint8_t)(c >> (8 * (3 - i)));
    }
}

static void put_padding(payload_t *p, uint64_t *state)
{
    const int words = padding_words(p);
    uint64_t *const stream = coded_of(p, p->n_cb);
    memset(stream, 0, sizeof *stream * 2 * (size_t)words);
    for (int i = 0; i < n_padding(p); i++) {
        stream[i % 2 * words + i / 2 / 64] |= code_random(state) >> 63 << (63 - i / 2 % 64);
    }
}

/* Fills info and coded with the truth of one user and block, if they do not hold it. */
static void make(payload_t *p, int user, uint64_t block)
{
    if (p->have && p->user == user && p->block == block) {
        return;
    }
    uint64_t state = start_state(p->seed, user, block);
    for (int c = 0; c < p->n_cb; c++) {
        uint8_t *cb = p->info + (size_t)c * (size_t)p->cb_bytes;
        uint64_t *first = coded_of(p, c);
        code_random_bytes(&state, cb, p->cb_bytes - CRC_BYTES);
        put_crc(p, cb);
        code_convolve(cb, p->cb_bytes, first, first + code_words(p->cb_bytes));
    }
    put_padding(p, &state);
    p->have = true;
    p->user = user;
    p->block = block;
}

/* The bits made last to those of user u of spread. What is written behind a code block are zeros, which the next one
 * replaces or is added to. */
static void spread(payload_t *p, int u)
{
    const int words = code_words(p->cb_bytes);
    for (int c = 0; c < p->n_cb; c++) {
        const uint64_t *first = coded_of(p, c);
        p->simd->bits_spread(p->cb_coded / 2, first, first + words, u, p->spread + (size_t)c * (size_t)p->cb_coded);
    }
    const uint64_t *padding = coded_of(p, p->n_cb);
    p->simd->bits_spread(n_padding(p) / 2, padding, padding + padding_words(p), u,
                         p->spread + (size_t)p->n_cb * (size_t)p->cb_coded);
}

/* At most SIMD_USERS users. */
static void make_labels(payload_t *p, int first, int n_user, uint64_t block, int8_t *labels)
{
    for (int u = 0; u < n_user; u++) {
        make(p, first + u, block);
        spread(p, u);
    }
    interleave_to_air(&p->interleave, p->spread, p->planes);
    p->simd->qam_labels(p->axis_bits, p->stride, p->planes, n_user, labels);
}

void payload_labels(payload_t *payload, int n_user, uint64_t block, int8_t *labels)
{
    for (int u = 0; u < n_user; u += SIMD_USERS) {
        const int n = n_user - u < SIMD_USERS ? n_user - u : SIMD_USERS;
        make_labels(payload, u, n, block, labels + (size_t)u * (size_t)payload->stride);
    }
}

int payload_label_stride(const payload_t *payload)
{
    return payload->stride;
}

void payload_symbols(const payload_t *payload, const int8_t *labels, int first, int n, tutti_cf32 *symbols)
{
    payload->simd->qam_levels(payload->axis_bits, 2 * n, payload->unit, labels + 2 * first, (float *)symbols);
}

void payload_encode(payload_t *payload, int user, uint64_t block, tutti_cf32 *symbols)
{
    make_labels(payload, user, 1, block, payload->label);
    payload_symbols(payload, payload->label, 0, payload->n_re, symbols);
}

/* Receiving ---------------------------------------------------------------------------------------------------- */

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
    const int n_data = p->cb_bytes - CRC_BYTES;
    const uint8_t *truth = p->info + (size_t)c * (size_t)p->cb_bytes;
    const int words = code_words(p->cb_bytes);
    const uint64_t *first = coded_of(p, c);
    const int8_t *soft = p->soft_coded + (size_t)c * (size_t)p->cb_coded;
    for (int j = 0; j < p->cb_coded; j++) {
        p->soft_of_cb[j] = soft[j];
    }
    result->coded_bit_errors += p->simd->soft_errors(p->cb_coded / 2, p->soft_of_cb, first, first + words);
    viterbi_decode(8 * p->cb_bytes, p->soft_of_cb, p->decisions, p->decoded);
    uint32_t received = 0;
    for (int i = 0; i < CRC_BYTES; i++) {
        received = received << 8 | p->decoded[n_data + i];
    }
    const bool crc_ok = received == code_crc_of(&p->crc, p->decoded, n_data);
    const int errors = bit_differences(truth, p->decoded, n_data);
    result->bit_errors += errors;
    result->code_block_errors += !crc_ok || errors > 0;
    result->undetected_errors += crc_ok && errors > 0;
}

static int padding_errors(const payload_t *p)
{
    const int words = padding_words(p);
    const uint64_t *stream = coded_of(p, p->n_cb);
    const int8_t *soft = p->soft_coded + (size_t)p->n_cb * (size_t)p->cb_coded;
    int errors = 0;
    for (int i = 0; i < n_padding(p); i++) {
        errors += (soft[i] >= 0) != (stream[i % 2 * words + i / 2 / 64] >> (63 - i / 2 % 64) & 1);
    }
    return errors;
}

/* From soft bits to counts. */
static void decode_soft(payload_t *p, struct payload_result *result)
{
    *result = (struct payload_result){.bits = payload_info_bits(p), .coded_bits = p->n_coded, .code_blocks = p->n_cb};
    interleave_from_air(&p->interleave, p->soft, p->soft_coded);
    result->coded_bit_errors = padding_errors(p);
    for (int c = 0; c < p->n_cb; c++) {
        decode_block(p, c, result);
    }
}

void payload_decode(payload_t *payload, int user, uint64_t block, const tutti_cf32 *symbols,
                    const float *noise_variance, struct payload_result *result)
{
    payload_t *p = payload;
    make(p, user, block);
    p->simd->qam_demap(p->axis_bits, p->n_re, p->stride, p->unit, (const float *)symbols, noise_variance, p->soft);
    decode_soft(p, result);
}
