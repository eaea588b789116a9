/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lies between this host and its radios: socket buffers, the interface, USB. */
#include "node/host/look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ETHERNET_BYTES = 33554432, ORDINARY_BYTES = 4 << 20, TEN_GIGABIT = 10000, USB3_MBIT = 5000 };

struct search {
    const struct host_question *question;
    char text[64], interface[32];
    int n;
};

/* The first radio with an address, and the interface that leads there. */
static bool find_address(void *context, const struct config_radio *radio)
{
    struct search *const search = context;
    if (!look_radio_word(radio, "addr", search->text, sizeof search->text)) {
        return false;
    }
    search->n++;
    return look_route(search->question, search->text, search->interface, sizeof search->interface);
}

void look_at_buffers(const struct host_question *question, struct host_finding *f)
{
    struct search search = {.question = question};
    look_each_radio(question, find_address, &search);
    const long needed = search.n ? ETHERNET_BYTES : ORDINARY_BYTES;
    const long receive = look_long(question, -1, "/proc/sys/net/core/rmem_max"),
               send = look_long(question, -1, "/proc/sys/net/core/wmem_max");
    host_wanted(f, "rmem_max and wmem_max %ld or more%s", needed, search.n ? " (a radio on Ethernet)" : "");
    if (receive < 0 || send < 0) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else {
        host_found(f, receive >= needed && send >= needed ? HOST_GOOD : HOST_COSTS, "rmem_max %ld, wmem_max %ld bytes",
                   receive, send);
    }
}

/* "RX: 4096" under the maxima, then "RX: 256" under the current settings. False: nobody tells. */
static bool ring_sizes(const struct host_question *question, const char *interface, long *largest, long *now)
{
    char command[96], text[2048];
    snprintf(command, sizeof command, "ethtool -g %s 2>/dev/null", interface);
    if (!look_program(question, command, text, sizeof text)) {
        return false;
    }
    const char *const first = strstr(text, "\nRX:");
    const char *const second = first ? strstr(first + 1, "\nRX:") : NULL;
    *largest = first ? strtol(first + 4, NULL, 10) : 0;
    *now = second ? strtol(second + 4, NULL, 10) : 0;
    return second != NULL;
}

static bool is_managed(const struct host_question *question, const char *interface)
{
    char command[96], text[256];
    snprintf(command, sizeof command, "nmcli -g GENERAL.STATE device show %s 2>/dev/null", interface);
    return look_program(question, command, text, sizeof text) && !strstr(text, "unmanaged");
}

/* Names of interfaces go into a command line. */
static bool is_plain(const char *interface)
{
    return interface[0] &&
           strspn(interface, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-") == strlen(interface);
}

static void judge_interface(const struct host_question *question, const char *interface, struct host_finding *f)
{
    const long mtu = look_long(question, -1, "/sys/class/net/%s/mtu", interface),
               speed = look_long(question, -1, "/sys/class/net/%s/speed", interface);
    const long needed = speed >= TEN_GIGABIT ? 9000 : 1500;
    long largest = 0, now = 0;
    const bool ring = ring_sizes(question, interface, &largest, &now), managed = is_managed(question, interface);
    char ring_text[64] = "";
    if (ring) {
        snprintf(ring_text, sizeof ring_text, ", receive ring %ld of %ld", now, largest);
    }
    const bool good = mtu >= needed && (!ring || now >= largest) && !managed;
    host_found(f, good ? HOST_GOOD : HOST_COSTS, "%.31s: MTU %ld at %ld Mbit/s%s%s", interface, mtu, speed, ring_text,
               managed ? ", NetworkManager's" : "");
}

void look_at_interface(const struct host_question *question, struct host_finding *f)
{
    struct search search = {.question = question};
    const bool found = look_each_radio(question, find_address, &search);
    if (search.n == 0) {
        host_found(f, HOST_TOLD, "no radio on Ethernet");
    } else if (!found || !is_plain(search.interface)) {
        host_found(f, HOST_COSTS, "no route to %.60s", search.text);
    } else {
        judge_interface(question, search.interface, f);
    }
}

double look_dropped(const struct host_question *question)
{
    static const char *const counters[] = {"rx_missed_errors", "rx_dropped", "rx_fifo_errors", "rx_over_errors"};
    struct search search = {.question = question};
    double sum = 0;
    if (!look_each_radio(question, find_address, &search)) {
        return NAN;
    }
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        sum += (double)look_long(question, 0, "/sys/class/net/%s/statistics/%s", search.interface, counters[i]);
    }
    return sum;
}

void look_at_drops(const struct host_question *question, struct host_finding *f)
{
    const double dropped = question->measured->dropped_packets;
    if (isnan(dropped)) {
        host_found(f, HOST_TOLD, "no radio on Ethernet");
    } else {
        host_found(f, dropped > 0 ? HOST_COSTS : HOST_GOOD, "%.0f in a second", dropped);
    }
}

/* USB ------------------------------------------------------------------------------------------------------------ */

/* A radio of this kind is named by serial number or type; those on Ethernet by address. */
static bool is_on_usb(void *context, const struct config_radio *radio)
{
    char text[64];
    (void)context;
    if (look_radio_word(radio, "driver", text, sizeof text) &&
        (strcmp(text, "lime") == 0 || strcmp(text, "bladerf") == 0)) {
        return true;
    }
    return !look_radio_word(radio, "addr", text, sizeof text) &&
           (look_radio_word(radio, "serial", text, sizeof text) ||
            (look_radio_word(radio, "type", text, sizeof text) && strncmp(text, "b2", 2) == 0));
}

struct usb {
    const struct host_question *question;
    long slowest;
    int n;
};

/* Ettus is vendor 2500, its boards from National Instruments are 3923; the others as in the udev rules of their
 * packages.
 */
static bool is_radio(const char *vendor, const char *product)
{
    static const char *const KNOWN[][2] = {{"2500", NULL},   {"3923", NULL},   {"1d50", "6108"}, {"0403", "601f"},
                                           {"04b4", "00f1"}, {"2cf0", "5246"}, {"2cf0", "5250"}, {"1d50", "6066"}};
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (strcmp(vendor, KNOWN[i][0]) == 0 && (!KNOWN[i][1] || strcmp(product, KNOWN[i][1]) == 0)) {
            return true;
        }
    }
    return false;
}

static bool look_at_device(void *context, const char *name)
{
    struct usb *const usb = context;
    char vendor[LOOK_LINE_ROOM], product[LOOK_LINE_ROOM] = "";
    if (!look_line(usb->question, vendor, "/sys/bus/usb/devices/%s/idVendor", name)) {
        return false;
    }
    if (!look_line(usb->question, product, "/sys/bus/usb/devices/%s/idProduct", name)) {
        product[0] = '\0';
    }
    if (is_radio(vendor, product)) {
        const long speed = look_long(usb->question, 0, "/sys/bus/usb/devices/%s/speed", name);
        usb->slowest = usb->n++ == 0 || speed < usb->slowest ? speed : usb->slowest;
    }
    return false;
}

void look_at_usb(const struct host_question *question, struct host_finding *f)
{
    struct usb usb = {.question = question};
    look_each(question, "/sys/bus/usb/devices", look_at_device, &usb);
    if (usb.n > 0) {
        host_found(f, usb.slowest >= USB3_MBIT ? HOST_GOOD : HOST_COSTS, "%d radio%s, the slowest at %ld Mbit/s", usb.n,
                   usb.n == 1 ? "" : "s", usb.slowest);
    } else if (look_each_radio(question, is_on_usb, NULL)) {
        host_found(f, HOST_COSTS, "no radio on any bus, though the network file names one");
    } else {
        host_found(f, HOST_TOLD, "no radio on USB");
    }
}

void look_at_hugepages(const struct host_question *question, struct host_finding *f)
{
    host_found(f, HOST_TOLD, "%ld reserved", look_long(question, 0, "/proc/sys/vm/nr_hugepages"));
}
