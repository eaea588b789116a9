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
/* For tests and benchmarks, before other threads pack: with the processor's 256-bit vectors (the default) or without.
 * Whether they are in use from now on. Both give the same bytes. */
bool coefficients_wide(bool wanted);
/* The same of the columns whose stream has vectors: in [n_sb][n_ant][n_column], stream [n_column], as many with vectors
 * as header->n_stream says. */
void coefficients_pack_vectors(uint8_t *out, const struct wire_header *header, const tutti_cf32 *in,
                               const struct wire_stream *stream, size_t n_column);
/* False if anything decodes to a value that is not finite, or padding is not zero. */
bool coefficients_unpack(tutti_cf32 *out, const struct wire_header *header, const uint8_t *in);

#endif
