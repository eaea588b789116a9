/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/host/look.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files ---------------------------------------------------------------------------------------------------------- */

static void join(const struct host_question *question, char *path, size_t room, const char *format, va_list arguments)
{
    const int n = snprintf(path, room, "%s", question->root ? question->root : "");
    if (n >= 0 && (size_t)n < room) {
        vsnprintf(path + n, room - (size_t)n, format, arguments);
    }
}

void look_path(const struct host_question *question, char *path, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    join(question, path, room, format, arguments);
    va_end(arguments);
}

/* Without waiting for whoever writes a pipe that lies there. */
static FILE *open_file(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *const file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (fd >= 0 && !file) {
        close(fd);
    }
    return file;
}

static bool first_line(const char *path, char line[LOOK_LINE_ROOM])
{
    FILE *const file = open_file(path);
    const bool good = file && fgets(line, LOOK_LINE_ROOM, file);
    if (file) {
        fclose(file);
    }
    if (good) {
        line[strcspn(line, "\n")] = '\0';
    }
    return good;
}

bool look_line(const struct host_question *question, char line[LOOK_LINE_ROOM], const char *format, ...)
{
    char path[LOOK_LINE_ROOM];
    va_list arguments;
    va_start(arguments, format);
    join(question, path, sizeof path, format, arguments);
    va_end(arguments);
    return first_line(path, line);
}

long look_long(const struct host_question *question, long otherwise, const char *format, ...)
{
    char path[LOOK_LINE_ROOM], line[LOOK_LINE_ROOM], *end = NULL;
    va_list arguments;
    va_start(arguments, format);
    join(question, path, sizeof path, format, arguments);
    va_end(arguments);
    if (!first_line(path, line)) {
        return otherwise;
    }
    const long value = strtol(line, &end, 10);
    return end == line ? otherwise : value;
}

bool look_for(const struct host_question *question, const char *path, const char *word, char line[LOOK_LINE_ROOM])
{
    char whole[LOOK_LINE_ROOM];
    bool found = false;
    look_path(question, whole, sizeof whole, "%s", path);
    FILE *const file = open_file(whole);
    while (file && !found && fgets(line, LOOK_LINE_ROOM, file)) {
        found = strncmp(line, word, strlen(word)) == 0;
    }
    if (file) {
        fclose(file);
    }
    if (found) {
        line[strcspn(line, "\n")] = '\0';
    }
    return found;
}

bool look_each(const struct host_question *question, const char *path, bool (*each)(void *context, const char *name),
               void *context)
{
    char whole[LOOK_LINE_ROOM];
    bool done = false;
    look_path(question, whole, sizeof whole, "%s", path);
    DIR *const folder = opendir(whole);
    for (const struct dirent *entry; folder && !done && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            done = each(context, entry->d_name);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return done;
}

bool look_program(const struct host_question *question, const char *command, char *text, size_t room)
{
    if (!question->programs) {
        return false;
    }
    char patient[256];
    fflush(NULL);
    snprintf(patient, sizeof patient, "timeout 3 %s", command); /* the daemon it asks may stand still */
    FILE *const pipe = popen(patient, "r");
    if (!pipe) {
        return false;
    }
    const size_t n = fread(text, 1, room - 1, pipe);
    text[n] = '\0';
    return pclose(pipe) == 0 && n > 0;
}

/* Cores ---------------------------------------------------------------------------------------------------------- */

void core_set_add(struct core_set *set, int core)
{
    if (core >= 0 && core < LOOK_MAX_CORES && !set->has[core]) {
        set->has[core] = true;
        set->n++;
    }
}

void core_set_parse(struct core_set *set, const char *text)
{
    *set = (struct core_set){0};
    while (isdigit((unsigned char)*text)) {
        char *end;
        const long first = strtol(text, &end, 10);
        long last = first;
        if (*end == '-') {
            last = strtol(end + 1, &end, 10);
        }
        for (long core = first; core <= last && core < LOOK_MAX_CORES; core++) {
            core_set_add(set, (int)core);
        }
        text = *end == ',' ? end + 1 : end;
    }
}

bool core_set_meets(const struct core_set *a, const struct core_set *b)
{
    for (int core = 0; core < LOOK_MAX_CORES; core++) {
        if (a->has[core] && b->has[core]) {
            return true;
        }
    }
    return false;
}

void core_set_named(const struct host_question *question, struct core_set *set)
{
    const struct config *const config = question->config;
    const enum host_role role = question->role;
    *set = (struct core_set){0};
    for (unsigned i = 0;
         config && (role == HOST_ROLE_CPU || role == HOST_ROLE_ANY) && i < config->engine.solve_cores_count; i++) {
        core_set_add(set, config->engine.solve_cores[i]);
    }
    for (unsigned i = 0; config && (role == HOST_ROLE_AP || role == HOST_ROLE_ANY) && i < config->engine.ap_cores_count;
         i++) {
        if (question->id < 0 || question->id == (int)i) {
            core_set_add(set, config->engine.ap_cores[i]);
        }
    }
}

void core_set_used(const struct host_question *question, struct core_set *set)
{
    char line[LOOK_LINE_ROOM];
    core_set_named(question, set);
    if (set->n == 0) {
        core_set_parse(set, look_line(question, line, "/sys/devices/system/cpu/online") ? line : "0");
    }
}

/* Radios --------------------------------------------------------------------------------------------------------- */

static int n_of_role(const struct config *config, enum config_role role)
{
    const struct config_network *const n = &config->network;
    return role == CONFIG_ROLE_AP ? n->n_ap : role == CONFIG_ROLE_UE ? n->n_ue : n->n_eve;
}

bool look_is_over_the_air(const struct host_question *question)
{
    return question->config && !config_has_emulated(question->config) && !config_is_repeatable(question->config);
}

bool look_each_radio(const struct host_question *question,
                     bool (*each)(void *context, const struct config_radio *radio), void *context)
{
    if (!look_is_over_the_air(question)) {
        return false;
    }
    for (int role = 0; role < CONFIG_N_ROLES; role++) {
        const bool ours = question->role == HOST_ROLE_ANY || (int)question->role == role;
        for (int id = 0; ours && id < n_of_role(question->config, (enum config_role)role); id++) {
            if ((question->id < 0 || question->id == id) &&
                each(context, config_radio_of(question->config, (enum config_role)role, id))) {
                return true;
            }
        }
    }
    return false;
}

bool look_radio_word(const struct config_radio *radio, const char *key, char *value, size_t room)
{
    const size_t n = strlen(key);
    for (const char *word = radio->args; word && *word; word += strcspn(word, ","), word += *word == ',') {
        word += strspn(word, " ");
        if (strncmp(word, key, n) == 0 && word[n] == '=') {
            snprintf(value, room, "%.*s", (int)strcspn(word + n + 1, ", "), word + n + 1);
            return true;
        }
    }
    return false;
}

/* /proc/net/route has network, gateway, flags, ..., mask in hexadecimal, in the byte order of the host. */
bool look_route(const struct host_question *question, const char *address, char *interface, size_t room)
{
    struct in_addr wanted;
    char path[LOOK_LINE_ROOM], line[LOOK_LINE_ROOM], name[32];
    unsigned long network, mask, best = 0;
    bool found = false;
    look_path(question, path, sizeof path, "/proc/net/route");
    FILE *const file = inet_pton(AF_INET, address, &wanted) == 1 ? fopen(path, "r") : NULL;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%31s %lx %*x %*x %*d %*d %*d %lx", name, &network, &mask) == 3 &&
            (wanted.s_addr & mask) == network && (!found || ntohl((uint32_t)mask) >= best)) {
            best = ntohl((uint32_t)mask);
            found = true;
            snprintf(interface, room, "%s", name);
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}
