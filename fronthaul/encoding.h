/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the network file's words for an encoding to the header's. */
#ifndef TUTTI_FRONTHAUL_ENCODING_H
#define TUTTI_FRONTHAUL_ENCODING_H

#include "base/config.h"
#include "fronthaul/wire.h"

_Static_assert((int)CONFIG_CF32 == (int)WIRE_CF32 && (int)CONFIG_SC16 == (int)WIRE_SC16 &&
                   (int)CONFIG_BFP == (int)WIRE_BFP,
               "the same numbers in the network file and on the wire");

/* How coefficients travel in messages of this type (WIRE_CSI or WIRE_PRECODER). */
static inline void encoding_set(struct wire_header *header, const struct config_fronthaul *config, enum wire_type type)
{
    const enum config_encoding encoding = type == WIRE_CSI ? config->uplink_encoding : config->downlink_encoding;
    header->encoding = (uint8_t)encoding;
    header->mantissa_bits = (uint8_t)(encoding == CONFIG_BFP ? config->mantissa_bits : 0);
}

/* How uplink symbols travel. */
static inline void encoding_of_uplink(struct wire_header *header, const struct config *config)
{
    header->encoding = (uint8_t)config->uplink.encoding;
    header->mantissa_bits = (uint8_t)(config->uplink.encoding == CONFIG_BFP ? config->fronthaul.mantissa_bits : 0);
}

/* The same for a whole network: with local precoding the APs build the beams, only large-scale figures and powers
 * travel. */
static inline void encoding_of_network(struct wire_header *header, const struct config *config, enum wire_type type)
{
    encoding_set(header, &config->fronthaul, type);
    if (config->precoding.local) {
        header->encoding = WIRE_NONE;
        header->mantissa_bits = 0;
    }
}

#endif
