/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected 0x82F63B78, initial value and final exclusive-or all ones), the
 * checksum of iSCSI (RFC 3720 section 12.1). x86 has an instruction for it since SSE4.2; elsewhere eight tables take
 * eight bytes per step. */
#include "fronthaul/crc32c.h"
#include "fronthaul/wire.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL_REFLECTED 0x82F63B78u

/* table[k][b]: what byte b contributes when k more bytes follow in the same step. */
static uint32_t table[8][256];
static bool has_instruction;

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
#if defined(__x86_64__)
    __builtin_cpu_init();
    has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

bool crc32c_has_instruction(void)
{
    return has_instruction;
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
#else
uint32_t crc32c_by_instruction(uint32_t crc, const uint8_t *data, size_t n_bytes)
{
    return crc32c_by_table(crc, data, n_bytes);
}
#endif

uint32_t wire_crc32c(uint32_t crc, const void *data, size_t n_bytes)
{
    return has_instruction ? crc32c_by_instruction(crc, data, n_bytes) : crc32c_by_table(crc, data, n_bytes);
}
