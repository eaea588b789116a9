/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by config_check.c, config_check_air.c and config_check_texts.c only: one rule each, in the order of the table
 * in config_check.c. They return 0 or a negative code with the error set. */
#ifndef TUTTI_BASE_CONFIG_CHECK_H
#define TUTTI_BASE_CONFIG_CHECK_H

#include "base/config_internal.h"
#include "base/frame.h"

struct check {
    struct config_layers *layers;
    const struct config *config;
    struct frame frame; /* as check_frame finds it */
};

/* config_check_texts.c */
int config_check_names(struct check *check);
int config_check_endpoints(struct check *check);
int config_check_outputs(struct check *check);

/* config_check_air.c */
int config_check_gains(struct check *check);
int config_check_clocks(struct check *check);
int config_check_tap(struct check *check);
int config_check_medium(struct check *check);
int config_check_sensing(struct check *check);
int config_check_taps(struct check *check);
int config_check_played(struct check *check);
int config_check_delays(struct check *check);
int config_check_events(struct check *check);
int config_check_adc(struct check *check);

#endif
