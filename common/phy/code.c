/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/code.h"

#include <string.h>

uint64_t code_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void put_lowest_first(uint64_t word, uint8_t *out, int n)
{
    for (int i = 0; i < n; i++) {
        out[i] = (uint8_t)(word >> (8 * i));
    }
}

void code_random_bytes(uint64_t *state, uint8_t *out, int n)
{
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        put_lowest_first(code_random(state), out + i, 8);
    }
    if (i < n) {
        put_lowest_first(code_random(state), out + i, n - i);
    }
}

void code_crc_init(struct code_crc *crc)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int b = 0; b < 8; b++) {
            c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
        }
        crc->byte[0][i] = c;
    }
    for (int k = 1; k < 8; k++) {
        for (int i = 0; i < 256; i++) {
            const uint32_t c = crc->byte[k - 1][i];
            crc->byte[k][i] = (c >> 8) ^ crc->byte[0][c & 0xff];
        }
    }
}

uint32_t code_crc_of(const struct code_crc *crc, const uint8_t *data, int n)
{
    uint32_t c = 0xffffffffu;
    for (; n >= 8; n -= 8, data += 8) {
        uint32_t sum = 0;
        for (int k = 0; k < 8; k++) {
            const uint32_t old = k < 4 ? c >> (8 * k) & 0xff : 0;
            sum ^= crc->byte[7 - k][data[k] ^ old];
        }
        c = sum;
    }
    for (; n > 0; n--, data++) {
        c = crc->byte[0][(c ^ *data) & 0xff] ^ (c >> 8);
    }
    return ~c;
}

/* Up to eight bytes, the first on top. */
static uint64_t top_first(const uint8_t *bytes, int n)
{
    uint64_t word = 0;
    if (n >= 8) {
        memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        return word;
    }
    for (int i = 0; i < n; i++) {
        word |= (uint64_t)bytes[i] << (56 - 8 * i);
    }
    return word;
}

/* 64 inputs d steps ago, of which the last ones of the word before. */
static uint64_t delayed(uint64_t word, uint64_t before, int d)
{
    return word >> d | before << (64 - d);
}

void code_convolve(const uint8_t *bytes, int n_bytes, uint64_t *first, uint64_t *second)
{
    uint64_t before = 0;
    for (int w = 0; w < code_words(n_bytes); w++) {
        const uint64_t x = top_first(bytes + 8 * w, n_bytes - 8 * w);
        const uint64_t common = x ^ delayed(x, before, 2) ^ delayed(x, before, 3) ^ delayed(x, before, 6);
        first[w] = common ^ delayed(x, before, 1);
        second[w] = common ^ delayed(x, before, 5);
        before = x;
    }
}
