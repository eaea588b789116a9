/* SPDX-License-Identifier: GPL-3.0-or-later */
#define GAP_OPS gap_ops_avx2
#define GAP_DOUBLES 4
#include "control/gap_kernel.h"
