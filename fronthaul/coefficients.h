/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The coefficient array of a data message in its three encodings; docs/wire.md has the bytes. Sizes are exact, shapes
 * are the caller's business (checked before). */
#ifndef TUTTI_FRONTHAUL_COEFFICIENTS_H
#define TUTTI_FRONTHAUL_COEFFICIENTS_H

#include "fronthaul/wire.h"

/* 0 if the encoding is unknown or the mantissa bits do not fit it. */
size_t coefficients_bytes(const struct wire_header *header);
/* in [n_sb][n_ant][n_stream]. A row with a value that is not finite is marked so that the receiver refuses it. */
void coefficients_pack(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in);
/* The same of some columns: in [n_sb][n_ant][n_column], pick [header->n_stream] columns, at most TUTTI_MAX_STREAM. */
void coefficients_pack_picked(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in, size_t n_column,
                              const uint16_t *pick);
/* False if anything decodes to a value that is not finite, or padding is not zero. */
bool coefficients_unpack(tutti_cf32 *out, const struct wire_header *header, const uint8_t *in);

#endif
