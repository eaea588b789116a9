/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From captured downlink subcarriers to soft bits and figures of any stream. The precoded downlink pilots give the
 * effective channel of every stream at these antennas, so the interference is known as well as the gain, and what they
 * leave is the noise. For a wanted stream the antennas are combined (MMSE), the data equalised per subband, decoded,
 * and measured against the known payload. A user has one antenna and wants its own stream; an eavesdropper has several
 * and wants everybody's. Create allocates; the rest does not, and neither blocks nor locks. One handle per thread. Cost
 * per block O(n_ant n_dl n_sc) per wanted stream and the decoder; a genie O(n_data n_sc (n_stream + n_ant)^2). */
#ifndef TUTTI_PHY_RECEIVER_H
#define TUTTI_PHY_RECEIVER_H

#include "phy/frame.h"
#include "phy/payload.h"

typedef struct receiver receiver_t;

struct receiver_settings {
    int n_ant;
    int n_stream;                         /* streams sent, the j-th with downlink pilot j; at most
                                             n_dl_pilot of them */
    const struct config_payload *payload; /* read at create only */
    uint64_t seed;                        /* of the payload */
    bool smooth; /* take off the delay, equalise per subcarrier (precoders that go over from subband to subband); else
                    one gain per subband */
    bool track_phase; /* follow the phase through the data symbols, decision-directed */
    bool genie;       /* compute what a genie's receiver would have, too */
};

/* What one block's downlink tells of one stream. */
struct receiver_measurement {
    /* Linear. Signal power over error power of the data symbols behind this receiver's combiner, which knows the
     * channel from the pilots only; both are summed over subbands, the fit's bias removed. */
    double sinr;
    /* The same behind the best combiner, that of a receiver which knows all streams' channels and the noise covariance,
     * here from all data symbols; 0 without `genie`. No linear receiver at these antennas has more. */
    double sinr_genie;
    double evm; /* of the equalised data symbols, fraction */
    struct payload_result payload;
};

/* Errors: TUTTI_EINVAL, TUTTI_ECONFIG (payload), TUTTI_ENOMEM; *receiver is NULL then. The frame is kept, not copied.
 */
int receiver_create(receiver_t **receiver, const struct frame *frame, const struct receiver_settings *settings);
void receiver_destroy(receiver_t *receiver);
/* From the next block on stream j carries user_of_stream[j]'s payload, [n_stream], -1 nobody's; before the first call
 * user j's. What is measured of a user without a stream is NaN and zero bits. */
void receiver_streams(receiver_t *receiver, const int *user_of_stream);
/* Y [n_ant][n_dl][n_sc]; measurements [n_wanted], one for the stream of each user in wanted. */
void receiver_execute(receiver_t *receiver, uint64_t block, const tutti_cf32 *Y, int n_wanted, const int *wanted,
                      struct receiver_measurement *measurements);
/* Of the last block: mean over subbands of a stream's power at the first antenna by its pilots, what the noise adds to
 * it taken off (so that it may be below 0); *noise: mean noise power of a subcarrier. */
double receiver_power(const receiver_t *receiver, int stream, double *noise);
/* Of the stream looked at last: [n_dl - n_dl_pilot][n_sc]. */
const tutti_cf32 *receiver_equalised(const receiver_t *receiver);

#endif
