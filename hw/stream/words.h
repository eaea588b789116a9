/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What words in the configuration of a radio mean, whatever library drives it. Pure; not on the block path. */
#ifndef TUTTI_HW_STREAM_WORDS_H
#define TUTTI_HW_STREAM_WORDS_H

#include "hw/radio.h"

/* Channels over all boards: "" = 0..n_ant-1, else n_ant different numbers with commas. TUTTI_ECONFIG. */
int stream_words_channels(const char *text, int n_ant, size_t channel[TUTTI_MAX_ANT]);
/* The value of a key among the args ("a=1,b=2"), up to the next comma, or NULL; keys of single boards (addr0) have
 * other names. */
const char *stream_words_find(const char *args, const char *key);
/* A whole number among the args ("spp=500"), or `otherwise`. */
int stream_words_number(const char *args, const char *key, int otherwise);
/* tick_multiple among the args, 1 if it is not there. TUTTI_ECONFIG: not in 1..2^20. */
int stream_words_multiple(const char *args, int *multiple);
/* Time comes from pulses that other radios see, too. */
bool stream_words_is_shared(const char *source);
/* A complaint on opening that comes of one lost or late answer: trying again is right, STREAM_OPEN_ATTEMPTS times in
 * all. They are libuhd's, whose own patience is short (20 ms for an echo), also where another library hands them on: a
 * busy host or network is no missing radio. */
bool stream_words_is_passing(const char *complaint);
enum { STREAM_OPEN_ATTEMPTS = 5 };

#endif
