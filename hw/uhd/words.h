/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts between a person and libuhd: what the configuration's words mean, and what libuhd's complaints mean, in one
 * sentence that says what to do. Pure; not on the block path. */
#ifndef TUTTI_HW_UHD_WORDS_H
#define TUTTI_HW_UHD_WORDS_H

#include "hw/stream/ledger.h"

enum { UHD_ARGS_ROOM = 512 };

/* What is given to libuhd: args, and what they do not say already of sources, master clock and packets: these last no
 * longer than 200 us where that leaves them shorter than the network's, for none is seen before it is whole.
 * TUTTI_ECONFIG. */
int uhd_words_args(const struct radio_settings *settings, char args[UHD_ARGS_ROOM]);
/* error_set with what libuhd's complaint on opening means. code: uhd_error. Returns TUTTI_EDEVICE or TUTTI_ECONFIG. */
int uhd_words_open_failed(const char *args, int code, const char *complaint);
/* The complaint's first line, without "RuntimeError: " and the like. */
void uhd_words_first_line(const char *complaint, char *line, size_t room);
/* The kind of one of libuhd's asynchronous event codes; false: it is not about bursts. */
bool uhd_words_event(unsigned code, enum ledger_event_kind *kind);

#endif
