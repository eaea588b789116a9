/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/words.h"

#include "base/error.h"
#include "hw/stream/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int append(char *args, const char *key, const char *value)
{
    const size_t used = strlen(args);
    if (!value || !*value || stream_words_find(args, key)) {
        return TUTTI_OK;
    }
    const int n = snprintf(args + used, UHD_ARGS_ROOM - used, "%s%s=%s", used ? "," : "", key, value);
    return n > 0 && (size_t)n < UHD_ARGS_ROOM - used
               ? TUTTI_OK
               : error_set(TUTTI_ECONFIG, "args: longer than %d characters", UHD_ARGS_ROOM - 1);
}

/* Bytes of a packet of sc16 samples with its header, a multiple of what devices transfer at once; "": the device's own.
 */
static void frame_size(double rate_hz, char text[16])
{
    enum { HEADER = 16, UNIT = 64, LEAST = 576, MOST = 8000 };
    const double PACKET_S = 200e-6;
    const double bytes = ceil((HEADER + 4 * PACKET_S * rate_hz) / UNIT) * UNIT;
    text[0] = '\0';
    if (bytes < MOST) {
        snprintf(text, 16, "%.0f", bytes < LEAST ? LEAST : bytes);
    }
}

int uhd_words_args(const struct radio_settings *s, char args[UHD_ARGS_ROOM])
{
    char clock_rate[32] = "", frame[16];
    const int n = snprintf(args, UHD_ARGS_ROOM, "%s", s->args ? s->args : "");
    if (n < 0 || n >= UHD_ARGS_ROOM) {
        return error_set(TUTTI_ECONFIG, "args: longer than %d characters", UHD_ARGS_ROOM - 1);
    }
    if (s->master_clock_rate_hz > 0) {
        snprintf(clock_rate, sizeof clock_rate, "%.0f", s->master_clock_rate_hz);
    }
    int status = append(args, "clock_source", s->clock_source);
    status = status ? status : append(args, "time_source", s->time_source);
    status = status ? status : append(args, "master_clock_rate", clock_rate);
    frame_size(s->rate_hz, frame);
    return status ? status : append(args, "recv_frame_size", frame);
}

void uhd_words_first_line(const char *complaint, char *line, size_t room)
{
    const char *at = complaint;
    for (const char *colon = strstr(at, "Error: "); colon && colon < at + strcspn(at, " \n");
         colon = strstr(at, "Error: ")) {
        at = colon + strlen("Error: ");
    }
    snprintf(line, room, "%.*s", (int)strcspn(at, "\n"), at);
}

/* What to do about a word in libuhd's complaint. */
static const struct {
    const char *word, *sentence;
} ADVICE[] = {
    {"No CHDR connection",
     "it was found, but does not answer where its samples go: is the path to it firewalled or busy?"},
    {"rpc::timeout", "its controller does not answer: is it still starting? If not, switch it off and on"},
    {"claim", "another program is using it: end that program, or wait a few seconds if it was killed"},
    {"compat",
     "its FPGA image or file system is not of this UHD version: uhd_images_downloader, then uhd_image_loader"},
    {"Permission", "no permission: for USB radios install UHD's udev rules, for the network check the firewall"},
    {"master_clock_rate", "the radio cannot have this master clock rate: see master_clock_rate_hz"},
    {"master clock rate", "the radio cannot have this master clock rate: see master_clock_rate_hz"},
    {"clock_source", "the radio has no such clock source: see clock_source"},
    {"time_source", "the radio has no such time source: see time_source"},
};

int uhd_words_open_failed(const char *args, int code, const char *complaint)
{
    enum { KEY = 11, VALUE = 43 }; /* UHD_ERROR_KEY, UHD_ERROR_VALUE */
    char line[200];
    uhd_words_first_line(complaint, line, sizeof line);
    if (code == KEY && strstr(complaint, "No devices found")) {
        return error_set(TUTTI_EDEVICE,
                         "no radio answers at '%s': is it switched on, and its address on this network? "
                         "(uhd_find_devices --args '%s')",
                         args, args);
    }
    if (code == VALUE && strstr(complaint, "invalid args string")) {
        return error_set(TUTTI_ECONFIG, "args: '%s' found, UHD's device arguments expected (\"addr=192.168.10.2\")",
                         args);
    }
    for (size_t i = 0; i < sizeof ADVICE / sizeof ADVICE[0]; i++) {
        if (strstr(complaint, ADVICE[i].word)) {
            return error_set(TUTTI_EDEVICE, "radio '%s': %s (UHD: %s)", args, ADVICE[i].sentence, line);
        }
    }
    return error_set(TUTTI_EDEVICE, "radio '%s' cannot be opened: %s", args, line);
}

bool uhd_words_event(unsigned code, enum ledger_event_kind *kind)
{
    static const struct {
        unsigned code; /* uhd_async_metadata_event_code_t */
        enum ledger_event_kind kind;
    } KINDS[] = {{0x01, LEDGER_ACK},      {0x02, LEDGER_UNDERRUN}, {0x10, LEDGER_UNDERRUN},
                 {0x04, LEDGER_SEQUENCE}, {0x20, LEDGER_SEQUENCE}, {0x08, LEDGER_LATE}};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (KINDS[i].code == code) {
            *kind = KINDS[i].kind;
            return true;
        }
    }
    return false;
}
