/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an E320's motherboard and daughterboard answer to their host's calls. */
#include "rpc.h"

#include <stdio.h>
#include <string.h>

static void put_text(struct call *call, const char *text)
{
    msgpack_pack_str(call->out, strlen(text));
    msgpack_pack_str_body(call->out, text, strlen(text));
}

static void put_pair(struct call *call, const char *key, const char *value)
{
    put_text(call, key);
    put_text(call, value);
}

static void put_list(struct call *call, int n, const char *const *text)
{
    msgpack_pack_array(call->out, (size_t)n);
    for (int i = 0; i < n; i++) {
        put_text(call, text[i]);
    }
}

static void put_true(struct call *call)
{
    msgpack_pack_true(call->out);
}

static void put_false(struct call *call)
{
    msgpack_pack_false(call->out);
}

static void put_nil(struct call *call)
{
    msgpack_pack_nil(call->out);
}

static void put_empty_list(struct call *call)
{
    msgpack_pack_array(call->out, 0);
}

static void put_empty_map(struct call *call)
{
    msgpack_pack_map(call->out, 0);
}

/* The session ----------------------------------------------------------------------------------------------------- */

static void claim(struct call *call)
{
    struct device *d = call->device;
    static unsigned n;
    if (d->token[0]) {
        snprintf(call->error, 128, "Double-claim");
        return;
    }
    device_end_session(d);
    d->counts.sessions++;
    snprintf(d->token, sizeof d->token, "session%08u-%s", ++n, d->serial);
    call->connection->owner = true;
    put_text(call, d->token);
}

static void unclaim(struct call *call)
{
    for (int i = 0; i < DEVICE_N_CONNECTION; i++) {
        call->device->connection[i].owner = false;
    }
    device_end_session(call->device);
    put_true(call);
}

static void get_device_info(struct call *call)
{
    msgpack_pack_map(call->out, 9);
    put_pair(call, "type", "e3xx");
    put_pair(call, "product", call->device->mismatch ? "e310" : "e320");
    put_pair(call, "serial", call->device->serial);
    put_pair(call, "name", "emulated");
    put_pair(call, "description", "emulated E320-like device");
    put_pair(call, "connection", "local");
    put_pair(call, "mpm_version", "4.2");
    put_pair(call, "fpga", "1G");
    put_pair(call, "fpga_version", "6.0");
}

static void get_dboard_info(struct call *call)
{
    msgpack_pack_array(call->out, 1);
    msgpack_pack_map(call->out, 3);
    put_pair(call, "pid", "336");
    put_pair(call, "serial", call->device->serial);
    put_pair(call, "rev", "1");
}

static void get_mpm_compat_num(struct call *call)
{
    msgpack_pack_array(call->out, 2);
    msgpack_pack_int(call->out, 4);
    msgpack_pack_int(call->out, 2);
}

static void get_init_status(struct call *call)
{
    put_list(call, 2, (const char *const[]){"true", "No errors."});
}

static void get_last_error(struct call *call)
{
    put_text(call, "refused by the emulated device");
}

static void ping(struct call *call)
{
    char text[128];
    put_text(call, call_text(call, 0, text, sizeof text));
}

static void set_device_id(struct call *call)
{
    call->device->number = (uint16_t)call_number(call, 1);
    put_nil(call);
}

/* Transport ------------------------------------------------------------------------------------------------------- */

static void get_chdr_link_types(struct call *call)
{
    put_list(call, 1, (const char *const[]){"udp"});
}

static void get_chdr_link_options(struct call *call)
{
    char port[16];
    snprintf(port, sizeof port, "%d", DEVICE_PACKET_PORT);
    msgpack_pack_array(call->out, 1);
    msgpack_pack_map(call->out, 5);
    put_pair(call, "ipv4", call->device->address);
    put_pair(call, "port", port);
    put_pair(call, "link_rate", "1250000000");
    put_pair(call, "type", "sfp");
    put_pair(call, "mtu", "8000");
}

static void get_proto_ver(struct call *call)
{
    msgpack_pack_int(call->out, 0x100);
}

static void get_chdr_width(struct call *call)
{
    msgpack_pack_int(call->out, 64);
}

/* Clock and time -------------------------------------------------------------------------------------------------- */

static void put_clock(struct call *call, const char *name, double freq_hz, const char *is_mutable)
{
    char text[32];
    snprintf(text, sizeof text, "%.1f", freq_hz);
    msgpack_pack_map(call->out, 3);
    put_pair(call, "name", name);
    put_pair(call, "freq", text);
    put_pair(call, "mutable", is_mutable);
}

static void get_clocks(struct call *call)
{
    msgpack_pack_array(call->out, 3);
    put_clock(call, "radio_clk", (double)call->device->rate, "true");
    put_clock(call, "bus_clk", 200e6, "false");
    put_clock(call, "ctrl_clk", 40e6, "false");
}

static void get_num_timekeepers(struct call *call)
{
    msgpack_pack_int(call->out, 1);
}

static void get_timekeeper_time(struct call *call)
{
    struct device *d = call->device;
    msgpack_pack_uint64(call->out, call_flag(call, 2) ? device_last_pulse(d) : device_now(d));
}

static void set_timekeeper_time(struct call *call)
{
    device_set_time(call->device, call->argument.size > 2 ? call->argument.ptr[2].via.u64 : 0, call_flag(call, 3));
    put_nil(call);
}

static const char *const sources[] = {"internal", "external", "gpsdo"};
enum { N_SOURCE = 3 };

static void get_sources(struct call *call)
{
    put_list(call, N_SOURCE, sources);
}

static void set_source(struct call *call, char *source, size_t n)
{
    char text[16];
    call_text(call, 1, text, sizeof text);
    for (int i = 0; i < N_SOURCE; i++) {
        if (strcmp(text, sources[i]) == 0) {
            snprintf(source, n, "%s", text);
            put_nil(call);
            return;
        }
    }
    snprintf(call->error, 128, "no such source: %s", text);
}

static void set_clock_source(struct call *call)
{
    set_source(call, call->device->clock_source, sizeof call->device->clock_source);
}

static void set_time_source(struct call *call)
{
    set_source(call, call->device->time_source, sizeof call->device->time_source);
}

static void get_clock_source(struct call *call)
{
    put_text(call, call->device->clock_source);
}

static void get_time_source(struct call *call)
{
    put_text(call, call->device->time_source);
}

static void put_sync_source(struct call *call, const char *clock, const char *time)
{
    msgpack_pack_map(call->out, 2);
    put_pair(call, "clock_source", clock);
    put_pair(call, "time_source", time);
}

static void get_sync_source(struct call *call)
{
    put_sync_source(call, call->device->clock_source, call->device->time_source);
}

static void get_sync_sources(struct call *call)
{
    msgpack_pack_array(call->out, N_SOURCE);
    for (int i = 0; i < N_SOURCE; i++) {
        put_sync_source(call, sources[i], sources[i]);
    }
}

/* Sets those of the map's keys that are there. */
static void take_sources(struct device *d, const msgpack_object *map)
{
    for (unsigned i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
        const msgpack_object_str *key = &map->via.map.ptr[i].key.via.str, *value = &map->via.map.ptr[i].val.via.str;
        const bool clock = key->size == 12 && memcmp(key->ptr, "clock_source", 12) == 0;
        const bool time = key->size == 11 && memcmp(key->ptr, "time_source", 11) == 0;
        if (clock || time) {
            snprintf(clock ? d->clock_source : d->time_source, sizeof d->clock_source, "%.*s", (int)value->size,
                     value->ptr);
        }
    }
}

static void set_sync_source(struct call *call)
{
    if (call->argument.size > 1) {
        take_sources(call->device, &call->argument.ptr[1]);
    }
    put_nil(call);
}

static double rate_asked(const msgpack_object *map)
{
    for (unsigned i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++) {
        const msgpack_object_str *key = &map->via.map.ptr[i].key.via.str, *value = &map->via.map.ptr[i].val.via.str;
        double rate = 0;
        char text[32];
        snprintf(text, sizeof text, "%.*s", (int)value->size, value->ptr);
        if (key->size == 17 && memcmp(key->ptr, "master_clock_rate", 17) == 0 && sscanf(text, "%lf", &rate) == 1) {
            return rate;
        }
    }
    return 0;
}

static void init(struct call *call)
{
    if (call->argument.size > 1) {
        const msgpack_object *args = &call->argument.ptr[1];
        const double rate = rate_asked(args);
        take_sources(call->device, args);
        if (rate > 0) {
            device_set_rate(call->device, rate);
        }
    }
    put_true(call);
}

/* Sensors --------------------------------------------------------------------------------------------------------- */

static void put_sensor(struct call *call, const char *name, const char *type, const char *value, const char *unit)
{
    msgpack_pack_map(call->out, 4);
    put_pair(call, "name", name);
    put_pair(call, "type", type);
    put_pair(call, "value", value);
    put_pair(call, "unit", unit);
}

static void get_mb_sensors(struct call *call)
{
    put_list(call, 4, (const char *const[]){"ref_locked", "gps_locked", "gps_time", "temp_fpga"});
}

static void get_mb_sensor(struct call *call)
{
    char name[32], value[32];
    const struct device *d = call->device;
    call_text(call, 1, name, sizeof name);
    if (strcmp(name, "ref_locked") == 0) {
        put_sensor(call, name, "BOOLEAN", d->unlocked ? "false" : "true", d->unlocked ? "unlocked" : "locked");
    } else if (strcmp(name, "gps_locked") == 0) {
        put_sensor(call, name, "BOOLEAN", "true", "locked");
    } else if (strcmp(name, "gps_time") == 0) {
        snprintf(value, sizeof value, "%llu",
                 (unsigned long long)(d->world->start_second + d->world->now / d->world->rate));
        put_sensor(call, name, "INTEGER", value, "seconds");
    } else if (strcmp(name, "temp_fpga") == 0) {
        put_sensor(call, name, "REALNUM", "40.0", "C");
    } else {
        snprintf(call->error, 128, "no such sensor: %s", name);
    }
}

static void get_db_sensors(struct call *call)
{
    put_list(call, 1, (const char *const[]){"lo_locked"});
}

static void get_db_sensor(struct call *call)
{
    put_sensor(call, "lo_locked", "BOOLEAN", "true", "locked");
}

/* Daughterboard --------------------------------------------------------------------------------------------------- */

static void put_rate(struct call *call)
{
    msgpack_pack_double(call->out, (double)call->device->rate);
}

static void set_rate(struct call *call)
{
    device_set_rate(call->device, call_number(call, 1));
    put_rate(call);
}

/* Gains, frequencies and bandwidths are what they were asked to be. */
static void echo_number(struct call *call)
{
    msgpack_pack_double(call->out, call_number(call, 2));
}

static const struct {
    const char *name;
    void (*answer)(struct call *call);
    bool open; /* needs no claim */
} methods[] = {{"claim", claim, true},
               {"reclaim", put_true, false},
               {"unclaim", unclaim, false},
               {"init", init, false},
               {"get_init_status", get_init_status, false},
               {"get_device_info", get_device_info, true},
               {"get_dboard_info", get_dboard_info, true},
               {"get_mpm_compat_num", get_mpm_compat_num, true},
               {"get_last_error", get_last_error, true},
               {"ping", ping, true},
               {"supports_feature", put_false, true},
               {"set_device_id", set_device_id, false},
               {"get_chdr_link_types", get_chdr_link_types, false},
               {"get_chdr_link_options", get_chdr_link_options, false},
               {"get_proto_ver", get_proto_ver, true},
               {"get_chdr_width", get_chdr_width, true},
               {"get_clocks", get_clocks, false},
               {"get_num_timekeepers", get_num_timekeepers, false},
               {"get_timekeeper_time", get_timekeeper_time, false},
               {"set_timekeeper_time", set_timekeeper_time, false},
               {"get_clock_sources", get_sources, false},
               {"get_time_sources", get_sources, false},
               {"get_sync_sources", get_sync_sources, false},
               {"get_clock_source", get_clock_source, false},
               {"get_time_source", get_time_source, false},
               {"get_sync_source", get_sync_source, false},
               {"set_clock_source", set_clock_source, false},
               {"set_time_source", set_time_source, false},
               {"set_sync_source", set_sync_source, false},
               {"get_mb_sensors", get_mb_sensors, false},
               {"get_mb_sensor", get_mb_sensor, false},
               {"get_mb_eeprom", put_empty_map, false},
               {"get_db_eeprom", put_empty_map, false},
               {"db_0_get_sensors", get_db_sensors, false},
               {"db_0_get_sensor", get_db_sensor, false},
               {"db_0_get_master_clock_rate", put_rate, false},
               {"db_0_set_catalina_clock_rate", set_rate, false},
               {"db_0_set_gain", echo_number, false},
               {"db_0_catalina_tune", echo_number, false},
               {"db_0_set_bw_filter", echo_number, false}};

static bool owns(const struct call *call)
{
    char token[32];
    return call->device->token[0] && strcmp(call_text(call, 0, token, sizeof token), call->device->token) == 0;
}

void methods_answer(struct call *call)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, call->method) == 0) {
            if (!methods[i].open && !owns(call)) {
                snprintf(call->error, 128, "%s: the device is not claimed by this session", call->method);
            } else {
                methods[i].answer(call);
            }
            return;
        }
    }
    const bool asks = strncmp(call->method, "get_", 4) == 0 || strncmp(call->method, "list_", 5) == 0 ||
                      strncmp(call->method, "db_0_get_", 9) == 0;
    device_say(call->device, "%s: %s", call->method, asks ? "nothing to tell" : "ignored");
    if (asks) {
        put_empty_list(call);
    } else {
        put_nil(call);
    }
}
