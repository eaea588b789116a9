/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways wire_crc32c computes; apart only for the tests. Both chain: start with 0, pass the result on. */
#ifndef TUTTI_FRONTHAUL_CRC32C_H
#define TUTTI_FRONTHAUL_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c_by_table(uint32_t crc, const uint8_t *data, size_t n_bytes);
bool crc32c_has_instruction(void);
/* Only if crc32c_has_instruction(); otherwise the table is used. */
uint32_t crc32c_by_instruction(uint32_t crc, const uint8_t *data, size_t n_bytes);
bool crc32c_has_folding(void);
/* Only if crc32c_has_folding(); otherwise the instruction or the table is used. */
uint32_t crc32c_by_folding(uint32_t crc, const uint8_t *data, size_t n_bytes);

#endif
