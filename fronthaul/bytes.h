/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Little-endian numbers byte by byte, whatever the machine's own order; compilers make one move of each. */
#ifndef TUTTI_FRONTHAUL_BYTES_H
#define TUTTI_FRONTHAUL_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void put_u16(uint8_t *out, uint16_t v)
{
    out[0] = (uint8_t)v;
    out[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *out, uint32_t v)
{
    out[0] = (uint8_t)v;
    out[1] = (uint8_t)(v >> 8);
    out[2] = (uint8_t)(v >> 16);
    out[3] = (uint8_t)(v >> 24);
}

static inline void put_u64(uint8_t *out, uint64_t v)
{
    put_u32(out, (uint32_t)v);
    put_u32(out + 4, (uint32_t)(v >> 32));
}

static inline void put_f32(uint8_t *out, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u32(out, bits);
}

static inline uint16_t get_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] | in[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static inline uint64_t get_u64(const uint8_t *in)
{
    return (uint64_t)get_u32(in) | (uint64_t)get_u32(in + 4) << 32;
}

static inline float get_f32(const uint8_t *in)
{
    uint32_t bits = get_u32(in);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* From the bits, so that no compiler option can fold it away. */
static inline bool finite_f32(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

#endif
