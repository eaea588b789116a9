/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts between a person and libuhd: what the configuration's words mean, and what libuhd's complaints mean, in one
 * sentence that says what to do. Pure; not on the block path. */
#ifndef TUTTI_HW_UHD_WORDS_H
#define TUTTI_HW_UHD_WORDS_H

#include "hw/radio.h"

enum { UHD_ARGS_ROOM = 512 };

/* Channels over all boards: "" = 0..n_ant-1, else n_ant different numbers with commas. TUTTI_ECONFIG. */
int uhd_words_channels(const char *text, int n_ant, size_t channel[TUTTI_MAX_ANT]);
/* What is given to libuhd: args, and what they do not say already of sources, master clock and packets: these last no
 * longer than 200 us where that leaves them shorter than the network's, for none is seen before it is whole.
 * TUTTI_ECONFIG. */
int uhd_words_args(const struct radio_settings *settings, char args[UHD_ARGS_ROOM]);
/* A whole number among the args ("spp=500"), or `otherwise`. */
int uhd_words_number(const char *args, const char *key, int otherwise);
/* Time comes from pulses that other radios see, too. */
bool uhd_words_is_shared(const char *source);
/* A complaint on opening that comes of one lost or late answer: trying again is right. */
bool uhd_words_is_passing(const char *complaint);
/* error_set with what libuhd's complaint on opening means. code: uhd_error. Returns TUTTI_EDEVICE or TUTTI_ECONFIG. */
int uhd_words_open_failed(const char *args, int code, const char *complaint);
/* The complaint's first line, without "RuntimeError: " and the like. */
void uhd_words_first_line(const char *complaint, char *line, size_t room);

#endif
