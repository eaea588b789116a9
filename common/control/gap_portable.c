/* SPDX-License-Identifier: GPL-3.0-or-later */
#define GAP_OPS gap_ops_portable
#define GAP_DOUBLES 2
#include "control/gap_kernel.h"
