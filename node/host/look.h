/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the checks look: files below the question's root, lists of cores, programs that know more. */
#ifndef TUTTI_NODE_HOST_LOOK_H
#define TUTTI_NODE_HOST_LOOK_H

#include "node/host/host.h"

#include <dirent.h>

enum { LOOK_LINE_ROOM = 512, LOOK_MAX_CORES = 1024 };

/* A path below the root. */
void look_path(const struct host_question *question, char *path, size_t room, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The first line without its end; false if it cannot be read. */
bool look_line(const struct host_question *question, char line[LOOK_LINE_ROOM], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
long look_long(const struct host_question *question, long otherwise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The first line of a file that begins with `word`, whole; false if there is none. */
bool look_for(const struct host_question *question, const char *path, const char *word, char line[LOOK_LINE_ROOM]);
/* Calls each with every entry of a folder but "." and "..", until it returns true. Returns whether it did. */
bool look_each(const struct host_question *question, const char *path, bool (*each)(void *context, const char *name),
               void *context);
/* What a program of PATH prints, its first room - 1 bytes; false if it is not there or fails. */
bool look_program(const struct host_question *question, const char *command, char *text, size_t room);

/* Sets of cores as the kernel writes them: "0-3,8". */
struct core_set {
    bool has[LOOK_MAX_CORES];
    int n;
};
void core_set_parse(struct core_set *set, const char *text);
void core_set_add(struct core_set *set, int core);
bool core_set_meets(const struct core_set *a, const struct core_set *b);
/* The cores the network file names for this role; empty: none are named. */
void core_set_named(const struct host_question *question, struct core_set *set);
/* Those, or all that are there. */
void core_set_used(const struct host_question *question, struct core_set *set);

/* The arguments of the radios that this host drives: calls each until it returns true. */
bool look_each_radio(const struct host_question *question,
                     bool (*each)(void *context, const struct config_radio *radio), void *context);
/* Real radios, not the emulated air and no replay. */
bool look_is_over_the_air(const struct host_question *question);
/* The value of a key of UHD's arguments, such as addr; false if it is not there. */
bool look_radio_word(const struct config_radio *radio, const char *key, char *value, size_t room);

/* The interface by which an IPv4 address is reached; false: none, or no address. */
bool look_route(const struct host_question *question, const char *address, char *interface, size_t room);
/* Packets that the radios' interfaces have dropped so far; NAN without such interfaces. */
double look_dropped(const struct host_question *question);

/* Each file's checks. */
void look_at_governor(const struct host_question *question, struct host_finding *finding);
void look_at_idle(const struct host_question *question, struct host_finding *finding);
void look_at_smt(const struct host_question *question, struct host_finding *finding);
void look_at_turbo(const struct host_question *question, struct host_finding *finding);
void look_at_throttling(const struct host_question *question, struct host_finding *finding);
void look_at_kernel(const struct host_question *question, struct host_finding *finding);
void look_at_hypervisor(const struct host_question *question, struct host_finding *finding);
void look_at_isolation(const struct host_question *question, struct host_finding *finding);
void look_at_interrupts(const struct host_question *question, struct host_finding *finding);
void look_at_numa(const struct host_question *question, struct host_finding *finding);
void look_at_priority(const struct host_question *question, struct host_finding *finding);
void look_at_memlock(const struct host_question *question, struct host_finding *finding);
void look_at_rt_runtime(const struct host_question *question, struct host_finding *finding);
void look_at_buffers(const struct host_question *question, struct host_finding *finding);
void look_at_interface(const struct host_question *question, struct host_finding *finding);
void look_at_drops(const struct host_question *question, struct host_finding *finding);
void look_at_usb(const struct host_question *question, struct host_finding *finding);
void look_at_hugepages(const struct host_question *question, struct host_finding *finding);
void look_at_clock(const struct host_question *question, struct host_finding *finding);
void look_at_wake_up(const struct host_question *question, struct host_finding *finding);
void look_at_memory(const struct host_question *question, struct host_finding *finding);
void look_at_disk(const struct host_question *question, struct host_finding *finding);
void look_at_write_speed(const struct host_question *question, struct host_finding *finding);

/* Bytes that a recording takes per second of air time, and in all (infinite: runs until stopped). */
void look_recording(const struct host_question *question, double *bytes_per_s, double *bytes);
/* The processors' time so far, and what of it the hypervisor took. */
bool look_steal(const struct host_question *question, double *steal, double *all);

#endif
