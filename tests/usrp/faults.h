/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults on request: by a line of text to a device (a datagram "FAULT late 3" to its discovery port), or planned on the
 * command line. "KIND [NUMBER]"; of channels, both have it:
 *   late N, underrun N     the next N bursts come late, are cut in the middle
 *   overrun                the receivers stop because nobody fetched samples
 *   late-start N           the next N commands that start them come too late
 *   lose-rx N, lose-tx N   the next N packets of samples are lost on the way
 *   no-pps, pps            no pulse per second any more; again
 *   unlock, lock           the reference is lost, is there
 *   vanish, return         the device answers nothing; is there again, switched on anew
 *   deaf S                 no call is answered for S seconds
 *   mismatch, match        the hardware is another one than the host's library knows; is right
 *   chains SEED            every transmitter has another gain and phase, as after a retuning; 0: straight again */
#ifndef TUTTI_TESTS_USRP_FAULTS_H
#define TUTTI_TESTS_USRP_FAULTS_H

#include "device.h"

/* Errors: TUTTI_EINVAL with a sentence. */
int fault_apply(struct device *device, const char *text);
/* Command line: DEVICE:KIND[=NUMBER][@SECONDS], the seconds counted from the device's first stream; 0 = from the start.
 */
int fault_plan(struct world *world, const char *text);
/* Applies what is due; called once a chunk and while nobody streams. */
void fault_advance(struct world *world);

#endif
