/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected 0x82F63B78, initial value and final exclusive-or all ones), the
 * checksum of iSCSI (RFC 3720 section 12.1). x86 has an instruction for it since SSE4.2; elsewhere eight tables take
 * eight bytes per step. Long data is folded by carry-less products where they come four at a time (VPCLMULQDQ). */
#include "fronthaul/crc32c.h"

#include "fronthaul/wire.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define POLYNOMIAL_REFLECTED 0x82F63B78u

/* table[k][b]: what byte b contributes when k more bytes follow in the same step. */
static uint32_t table[8][256];
static bool has_instruction, has_folding;

/* The instruction takes three cycles but one can begin in every cycle, so long data goes as three lanes side by side.
 * after_lane[k][b]: what byte k of a state, with value b, becomes when LANE_BYTES more bytes follow. */
enum { LANE_BYTES = 1024 };
static uint32_t after_lane[4][256];

static void init_after_lane(void)
{
    for (int k = 0; k < 4; k++) {
        for (int bit = 0; bit < 8; bit++) {
            uint32_t state = 1u << (8 * k + bit);
            for (int i = 0; i < LANE_BYTES; i++) {
                state = (state >> 8) ^ table[0][state & 0xff];
            }
            for (int b = 0; b < 256; b++) { /* a state is the sum of its bits, so is what becomes of it */
                after_lane[k][b] ^= b >> bit & 1 ? state : 0;
            }
        }
    }
}

/* Folding moves 128 bits of data FOLD_BYTES further on. A 64-bit word is a polynomial, its lowest bit the highest
 * power, first bytes first; the product of two such words stands in 128 bits as x times the product of the polynomials.
 * So the first word of the 128 bits, 64 powers above the second, goes with x^(8 FOLD_BYTES + 63), the second with x^(8
 * FOLD_BYTES - 1), both modulo the polynomial. */
enum { FOLD_BYTES = 256 };
static uint64_t fold_first, fold_second;

static uint64_t power_of_x(int n)
{
    uint32_t power = 0x80000000u; /* x^0 */
    for (int i = 0; i < n; i++) {
        power = (power >> 1) ^ ((power & 1) ? POLYNOMIAL_REFLECTED : 0);
    }
    return (uint64_t)power << 32;
}

__attribute__((constructor)) static void crc32c_init(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? POLYNOMIAL_REFLECTED : 0);
        }
        table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (int b = 0; b < 256; b++) {
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
        }
    }
    init_after_lane();
    fold_first = power_of_x(8 * FOLD_BYTES + 63);
    fold_second = power_of_x(8 * FOLD_BYTES - 1);
#if defined(__x86_64__)
    __builtin_cpu_init();
    has_instruction = __builtin_cpu_supports("sse4.2");
    has_folding = has_instruction && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
#endif
}

bool crc32c_has_instruction(void)
{
    return has_instruction;
}

bool crc32c_has_folding(void)
{
    return has_folding;
}

uint32_t crc32c_by_table(uint32_t crc, const uint8_t *data, size_t n_bytes)
{
    crc = ~crc;
    for (; n_bytes >= 8; n_bytes -= 8, data += 8) {
        uint32_t low =
            crc ^ ((uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24);
        crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^ table[4][low >> 24] ^
              table[3][data[4]] ^ table[2][data[5]] ^ table[1][data[6]] ^ table[0][data[7]];
    }
    for (; n_bytes; n_bytes--, data++) {
        crc = (crc >> 8) ^ table[0][(crc ^ *data) & 0xff];
    }
    return ~crc;
}

#if defined(__x86_64__)
static uint32_t move_past_lane(uint32_t state)
{
    return after_lane[0][state & 0xff] ^ after_lane[1][state >> 8 & 0xff] ^ after_lane[2][state >> 16 & 0xff] ^
           after_lane[3][state >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t three_lanes(uint32_t state, const uint8_t *data)
{
    uint64_t lane[3] = {state, 0, 0};
    for (size_t i = 0; i < LANE_BYTES; i += 8) {
        uint64_t word[3];
        for (size_t k = 0; k < 3; k++) {
            __builtin_memcpy(&word[k], data + k * LANE_BYTES + i, 8);
            lane[k] = _mm_crc32_u64(lane[k], word[k]);
        }
    }
    return move_past_lane(move_past_lane((uint32_t)lane[0]) ^ (uint32_t)lane[1]) ^ (uint32_t)lane[2];
}

__attribute__((target("sse4.2"))) uint32_t crc32c_by_instruction(uint32_t crc, const uint8_t *data, size_t n_bytes)
{
    uint64_t state = ~crc;
    for (; n_bytes >= 3 * LANE_BYTES; n_bytes -= 3 * LANE_BYTES, data += 3 * LANE_BYTES) {
        state = three_lanes((uint32_t)state, data);
    }
    for (; n_bytes >= 8; n_bytes -= 8, data += 8) {
        uint64_t word;
        __builtin_memcpy(&word, data, 8);
        state = _mm_crc32_u64(state, word);
    }
    uint32_t rest = (uint32_t)state;
    for (; n_bytes; n_bytes--, data++) {
        rest = _mm_crc32_u8(rest, *data);
    }
    return ~rest;
}

#define FOLDING __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))

FOLDING static __m512i fold(__m512i folded, __m512i powers, const uint8_t *next)
{
    const __m512i first = _mm512_clmulepi64_epi128(folded, powers, 0x00);
    const __m512i second = _mm512_clmulepi64_epi128(folded, powers, 0x11);
    return _mm512_ternarylogic_epi64(first, second, _mm512_loadu_si512(next), 0x96); /* exclusive or of three */
}

/* What all the data folds to has the checksum of the data: a state is added to its first bytes, the rest is short. */
FOLDING uint32_t crc32c_by_folding(uint32_t crc, const uint8_t *data, size_t n_bytes)
{
    enum { N_LANES = FOLD_BYTES / 64 };
    if (n_bytes < 2 * FOLD_BYTES) {
        return crc32c_by_instruction(crc, data, n_bytes);
    }
    const __m512i powers = _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)fold_second, (int64_t)fold_first));
    uint8_t rest[FOLD_BYTES];
    __m512i lane[N_LANES];
    for (int k = 0; k < N_LANES; k++) {
        lane[k] = _mm512_loadu_si512(data + 64 * k);
    }
    lane[0] = _mm512_xor_si512(lane[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
    for (n_bytes -= FOLD_BYTES, data += FOLD_BYTES; n_bytes >= FOLD_BYTES; n_bytes -= FOLD_BYTES, data += FOLD_BYTES) {
        for (int k = 0; k < N_LANES; k++) {
            lane[k] = fold(lane[k], powers, data + 64 * k);
        }
    }
    for (int k = 0; k < N_LANES; k++) {
        _mm512_storeu_si512(rest + 64 * k, lane[k]);
    }
    const uint32_t none = ~0u; /* a state of 0 */
    return crc32c_by_instruction(crc32c_by_instruction(none, rest, FOLD_BYTES), data, n_bytes);
}
#else
uint32_t crc32c_by_folding(uint32_t crc, const uint8_t *data, size_t n_bytes)
{
    return crc32c_by_table(crc, data, n_bytes);
}

uint32_t crc32c_by_instruction(uint32_t crc, const uint8_t *data, size_t n_bytes)
{
    return crc32c_by_table(crc, data, n_bytes);
}
#endif

uint32_t wire_crc32c(uint32_t crc, const void *data, size_t n_bytes)
{
    return has_folding       ? crc32c_by_folding(crc, data, n_bytes)
           : has_instruction ? crc32c_by_instruction(crc, data, n_bytes)
                             : crc32c_by_table(crc, data, n_bytes);
}
