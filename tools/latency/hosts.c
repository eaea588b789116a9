/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti latency hosts: what about this host costs latency. It only looks; --tune prints the commands that would change
 * it. */
#include "base/clock.h"
#include "base/error.h"
#include "tools/latency/latency.h"
#include "tools/tool.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { TEXT_ROOM = 256 };

enum verdict { GOOD, COSTS, UNKNOWN };

struct finding {
    const char *what;
    enum verdict verdict;
    char found[TEXT_ROOM];
    const char *cost;    /* what it costs when it is not good */
    const char *command; /* NULL: nothing to type */
};

static const char help[] = "usage: tutti latency hosts [--tune]\n"
                           "\n"
                           "Looks at this host and says what costs latency on a fronthaul. Changes nothing.\n"
                           "\n"
                           "  --tune    print the commands (for root) that would change it, for you to judge and run\n"
                           "  --help    this text\n";

/* Reading ---------------------------------------------------------------------------------------------------------- */

static void set_found(struct finding *finding, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void set_found(struct finding *finding, enum verdict verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->found, sizeof finding->found, format, arguments);
    va_end(arguments);
    finding->verdict = verdict;
}

/* The first line of a file; false if it cannot be read. */
static bool read_line(const char *path, char line[TEXT_ROOM])
{
    FILE *file = fopen(path, "r");
    const bool good = file && fgets(line, TEXT_ROOM, file);
    if (file) {
        fclose(file);
    }
    if (good) {
        line[strcspn(line, "\n")] = '\0';
    }
    return good;
}

static long read_long(const char *path, long otherwise)
{
    char line[TEXT_ROOM];
    return read_line(path, line) ? strtol(line, NULL, 10) : otherwise;
}

/* What is looked at ------------------------------------------------------------------------------------------------ */

static void look_at_governor(struct finding *f)
{
    char governor[TEXT_ROOM];
    if (!read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor)) {
        set_found(f, UNKNOWN, "no frequency scaling visible (fixed, or the hypervisor's business)");
    } else {
        set_found(f, strcmp(governor, "performance") == 0 ? GOOD : COSTS, "%.80s", governor);
    }
}

/* The deepest idle state a core may fall into, by its wake-up time. */
static void look_at_idle(struct finding *f)
{
    char path[96], line[TEXT_ROOM], name[TEXT_ROOM] = "none", driver[TEXT_ROOM] = "?";
    long deepest_us = -1;
    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cpuidle/state%d/disable", i);
        const long disabled = read_long(path, -1);
        if (disabled < 0) {
            break;
        }
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cpuidle/state%d/latency", i);
        const long us = read_long(path, 0);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cpuidle/state%d/name", i);
        if (!disabled && us >= deepest_us && read_line(path, line)) {
            deepest_us = us;
            memcpy(name, line, sizeof name);
        }
    }
    read_line("/sys/devices/system/cpu/cpuidle/current_driver", driver);
    if (deepest_us < 0) {
        set_found(f, UNKNOWN, "no idle states visible");
    } else {
        set_found(f, deepest_us <= 2 && strncmp(driver, "haltpoll", 8) != 0 ? GOOD : COSTS,
                  "deepest state %.40s, %ld us to wake by its own account (driver %.40s)", name, deepest_us, driver);
    }
}

static void look_at_smt(struct finding *f)
{
    const long active = read_long("/sys/devices/system/cpu/smt/active", -1);
    set_found(f,
              active < 0 ? UNKNOWN
              : active   ? COSTS
                         : GOOD,
              "%s",
              active < 0 ? "not visible"
              : active   ? "on"
                         : "off");
}

static void look_at_priority(struct finding *f)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_RTPRIO, &limit)) {
        set_found(f, UNKNOWN, "cannot be read");
    } else if (geteuid() == 0) {
        set_found(f, GOOD, "root");
    } else {
        set_found(f, limit.rlim_cur >= 50 ? GOOD : COSTS, "rtprio limit %" PRIuMAX, (uintmax_t)limit.rlim_cur);
    }
}

static void look_at_memlock(struct finding *f)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit)) {
        set_found(f, UNKNOWN, "cannot be read");
    } else if (limit.rlim_cur == RLIM_INFINITY) {
        set_found(f, GOOD, "unlimited");
    } else {
        set_found(f, geteuid() == 0 ? GOOD : COSTS, "%" PRIuMAX " kB%s", (uintmax_t)limit.rlim_cur / 1024,
                  geteuid() == 0 ? " (root may lock more)" : "");
    }
}

static void look_at_buffers(struct finding *f)
{
    const long receive = read_long("/proc/sys/net/core/rmem_max", -1),
               send = read_long("/proc/sys/net/core/wmem_max", -1);
    const bool enough = receive >= 4 << 20 && send >= 4 << 20;
    set_found(f,
              receive < 0 || send < 0 ? UNKNOWN
              : enough                ? GOOD
                                      : COSTS,
              "rmem_max %ld, wmem_max %ld bytes", receive, send);
}

static void look_at_isolation(struct finding *f)
{
    char line[TEXT_ROOM] = "";
    if (!read_line("/sys/devices/system/cpu/isolated", line)) {
        line[0] = '\0';
    }
    set_found(f, *line ? GOOD : COSTS, *line ? "cores %.100s of %ld" : "none%.0s of %ld", line,
              sysconf(_SC_NPROCESSORS_ONLN));
}

static bool is_running(const char *const *names)
{
    DIR *proc = opendir("/proc");
    bool found = false;
    for (const struct dirent *entry; proc && !found && (entry = readdir(proc)) != NULL;) {
        char path[TEXT_ROOM], name[TEXT_ROOM];
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%.20s/comm", entry->d_name);
        for (int i = 0; read_line(path, name) && names[i] && !found; i++) {
            found = strcmp(name, names[i]) == 0;
        }
    }
    if (proc) {
        closedir(proc);
    }
    return found;
}

static void look_at_clock(struct finding *f)
{
    static const char *const ptp[] = {"ptp4l", "phc2sys", NULL};
    static const char *const ntp[] = {"chronyd", "ntpd", "systemd-timesyn", "ntpsec", "openntpd", NULL};
    char source[TEXT_ROOM] = "?";
    read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source);
    const bool has_ptp = is_running(ptp), has_ntp = is_running(ntp), device = access("/dev/ptp0", F_OK) == 0;
    set_found(f, has_ptp || has_ntp ? GOOD : COSTS, "%s%s; clock source %.40s",
              has_ptp   ? "PTP daemon running"
              : has_ntp ? "NTP daemon running (tens to hundreds of us between hosts)"
                        : "no PTP or NTP daemon",
              device ? ", /dev/ptp0 is there" : "", source);
}

static bool read_steal(double *steal, double *all)
{
    char line[TEXT_ROOM];
    unsigned long long v[8];
    if (!read_line("/proc/stat", line) || sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1],
                                                 &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) != 8) {
        return false;
    }
    *steal = (double)v[7];
    *all = 0;
    for (int i = 0; i < 8; i++) {
        *all += (double)v[i];
    }
    return true;
}

/* Over half a second, so that it is today's neighbour that counts. */
void latency_processor(char *text, size_t room)
{
    struct utsname system = {0};
    char line[1024];
    FILE *info = fopen("/proc/cpuinfo", "r");
    uname(&system);
    snprintf(text, room, "%s", system.machine);
    while (info && fgets(line, sizeof line, info)) {
        const char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            snprintf(text, room, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (info) {
        fclose(info);
    }
}

static void look_at_steal(struct finding *f)
{
    double steal[2], all[2];
    char vendor[TEXT_ROOM] = "";
    bool good = read_steal(&steal[0], &all[0]);
    clock_sleep_until_ns(clock_mono_ns() + 500000000u);
    good = good && read_steal(&steal[1], &all[1]) && all[1] > all[0];
    if (!read_line("/sys/class/dmi/id/sys_vendor", vendor)) {
        vendor[0] = '\0';
    }
    FILE *info = fopen("/proc/cpuinfo", "r");
    char line[1024];
    bool guest = false;
    while (info && fgets(line, sizeof line, info)) {
        guest |= strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
    }
    if (info) {
        fclose(info);
    }
    const double percent = good ? 100.0 * (steal[1] - steal[0]) / (all[1] - all[0]) : 0;
    if (!guest) {
        set_found(f, GOOD, "none, this is bare metal");
    } else {
        set_found(f, COSTS, "virtual machine%s%.60s, %.1f%% of its time stolen now", *vendor ? ", " : "", vendor,
                  percent);
    }
}

/* The cost of one hand-over to a sleeping thread, measured here: the largest part of a message's latency. */
static void look_at_timer(struct finding *f)
{
    enum { N = 100 };
    struct stats_hist hist = {0};
    for (int i = 0; i < N; i++) {
        const uint64_t due_ns = clock_mono_ns() + 2000000;
        clock_sleep_until_ns(due_ns);
        stats_hist_add(&hist, clock_mono_ns() - due_ns);
    }
    const double p50_us = (double)stats_hist_quantile(&hist, 0.5) / 1e3, max_us = (double)hist.max / 1e3;
    set_found(f, p50_us < 60 && max_us < 500 ? GOOD : COSTS,
              "a sleeper wakes %.0f us late (p50), %.0f us at worst of %d", p50_us, max_us, N);
}

/* Findings --------------------------------------------------------------------------------------------------------- */

static const struct {
    void (*look)(struct finding *);
    const char *what, *cost, *command;
} checks[] = {
    {look_at_timer, "wake-up", "a message crosses six sleeping threads per round trip, each pays this", NULL},
    {look_at_governor, "CPU governor", "cores are slow when a block begins: tens of us, more jitter",
     "cpupower frequency-set -g performance"},
    {look_at_idle, "idle states",
     "every wake-up pays the way out of the deepest state, in a virtual machine a trip through the hypervisor: "
     "5 to 200 us; fronthaul.busy_poll_us keeps the core awake",
     "cpupower idle-set -D 2   # until reboot; for good: intel_idle.max_cstate=1 processor.max_cstate=1 on the "
     "kernel's "
     "command line"},
    {look_at_smt, "SMT", "a busy sibling slows a solver or slot thread by up to a half",
     "echo off > /sys/devices/system/cpu/smt/control"},
    {look_at_priority, "real-time priority", "engine.realtime_priority is refused: any program may delay a block by ms",
     "echo '@tutti - rtprio 90' >> /etc/security/limits.d/tutti.conf   # then log in again, in group tutti"},
    {look_at_memlock, "locked memory", "memory is not locked: a page fault costs from us to ms",
     "echo '@tutti - memlock unlimited' >> /etc/security/limits.d/tutti.conf"},
    {look_at_buffers, "socket buffers", "radios over Ethernet drop samples (O, D) when a thread is late",
     "sysctl -w net.core.rmem_max=33554432 net.core.wmem_max=33554432"},
    {look_at_isolation, "isolated cores",
     "other programs and interrupts share the solver's and the slot threads' cores",
     "# kernel command line, e.g. for cores 2 to 7: isolcpus=managed_irq,domain,2-7 nohz_full=2-7 rcu_nocbs=2-7"},
    {look_at_clock, "clock", "hop times between hosts mean nothing without disciplined clocks (round trips do)",
     "apt install linuxptp   # then ptp4l -i IFACE -m & phc2sys -a -r & ; or apt install chrony"},
    {look_at_steal, "hypervisor", "the host may take the processor away for ms at any time: measure, do not trust",
     NULL},
};
enum { N_CHECKS = sizeof checks / sizeof checks[0] };

static void print_finding(const struct finding *f)
{
    static const char *const mark[] = {"ok   ", "COSTS", "?    "};
    printf("%s  %-19s %s\n", mark[f->verdict], f->what, f->found);
    if (f->verdict == COSTS) {
        printf("       %-19s -> %s\n", "", f->cost);
    }
}

int latency_hosts(int argc, char **argv)
{
    bool tune = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return TOOL_OK;
        }
        if (strcmp(argv[i], "--tune") != 0) {
            return tool_usage_error("latency", "unknown argument %s", argv[i]);
        }
        tune = true;
    }
    struct finding findings[N_CHECKS];
    for (int i = 0; i < N_CHECKS; i++) {
        findings[i] = (struct finding){.what = checks[i].what, .cost = checks[i].cost, .command = checks[i].command};
        checks[i].look(&findings[i]);
        if (!tune) {
            print_finding(&findings[i]);
        }
    }
    if (tune) {
        puts("# Nothing has been changed. As root, what you find right:");
    }
    for (int i = 0; tune && i < N_CHECKS; i++) {
        if (findings[i].verdict == COSTS && findings[i].command) {
            printf("# %s: %s\n%s\n", findings[i].what, findings[i].found, findings[i].command);
        }
    }
    return TOOL_OK;
}
