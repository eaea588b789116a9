/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frame is base's, since the configuration is checked against its rules; the physical layer knows it by this name.
 */
#ifndef TUTTI_PHY_FRAME_H
#define TUTTI_PHY_FRAME_H

#include "base/frame.h"

#endif
