/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/host/host.h"

#include "base/log.h"
#include "node/host/look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* In the order of what usually matters most: among findings that are equally bad the first one is told. */
static const struct host_check checks[] = {
    {"isolated_cores", "isolated cores", "the cores that the network file pins threads to",
     "other programs and interrupts share the solver's and the slot threads' cores",
     "# kernel command line, e.g. for cores 2 to 7: isolcpus=managed_irq,domain,2-7 nohz_full=2-7 rcu_nocbs=2-7",
     "OAI tuning guide, Agora README", false, look_at_isolation},
    {"realtime_priority", "real-time priority", "rtprio limit of 50 or more, or CAP_SYS_NICE",
     "engine.realtime_priority is refused: any program may delay a block by ms",
     "echo '@tutti - rtprio 90' >> /etc/security/limits.d/tutti.conf   # then log in again, in group tutti; under "
     "systemd LimitRTPRIO=90",
     "UHD manual, OAI", false, look_at_priority},
    {"locked_memory", "locked memory", "memlock unlimited, or CAP_IPC_LOCK",
     "memory is not locked: a page fault costs from us to ms",
     "echo '@tutti - memlock unlimited' >> /etc/security/limits.d/tutti.conf   # under systemd LimitMEMLOCK=infinity",
     "OAI", false, look_at_memlock},
    {"interface", "radio's interface", "MTU 9000 at 10 GbE, 1500 at 1 GbE, largest ring, not NetworkManager's",
     "small packets and short rings: samples are dropped (O, D) when the host is busy for a moment",
     "ip link set dev IFACE mtu 9000; ethtool -G IFACE rx MAXIMUM; nmcli device set IFACE managed no",
     "UHD manual, OAI", false, look_at_interface},
    {"interface_drops", "dropped packets", "none in a second", "the interface loses samples now: O and D in the log",
     "ethtool -G IFACE rx MAXIMUM   # and interrupts away from the cores of slot threads", "UHD manual, OAI", true,
     look_at_drops},
    {"usb", "USB radios", "USB 3 (5000 Mbit/s or more), readable by this user",
     "USB 2 carries 8 MS/s at most; without rights no radio is found",
     "cp /usr/lib/uhd/utils/uhd-usrp.rules /etc/udev/rules.d/ && udevadm control --reload && udevadm trigger",
     "UHD manual", false, look_at_usb},
    {"wake_up", "wake-up", "60 us late at most (median), 500 us at worst",
     "a message crosses six sleeping threads per round trip, each pays this; fronthaul.busy_poll_us avoids some", NULL,
     "measured", true, look_at_wake_up},
    {"governor", "CPU governor", "performance on every core that is used",
     "cores are slow when a block begins: tens of us, more jitter", "cpupower frequency-set -g performance",
     "UHD X3x0 page, srsran_performance, Agora README", false, look_at_governor},
    {"idle_states", "idle states", "deepest state 2 us or less",
     "every wake-up pays the way out of the deepest state, in a virtual machine a trip through the hypervisor: 5 to "
     "200 "
     "us; fronthaul.busy_poll_us keeps the core awake",
     "cpupower idle-set -D 2   # until reboot; for good: intel_idle.max_cstate=1 processor.max_cstate=1 on the "
     "kernel's "
     "command line",
     "OAI tuning guide", false, look_at_idle},
    {"interrupts", "interrupts", "none on cores that threads are pinned to",
     "an interrupt takes a slot thread's core for some us, at any time",
     "for i in /proc/irq/[0-9]*; do echo 0-1 > $i/smp_affinity_list; done   # the cores that are not pinned to",
     "OAI, Agora", false, look_at_interrupts},
    {"numa", "memory nodes", "pinned threads and the radio's interface on one node and one L3",
     "what crosses nodes costs twice the memory latency", "# choose engine.solve_cores and engine.ap_cores on one node",
     "OAI, Agora", false, look_at_numa},
    {"rt_throttling", "real-time throttling", "-1 when fronthaul.busy_poll_us > 0 at real-time priority",
     "a busy-polling real-time thread stands still for the rest of every second (50 ms by default)",
     "sysctl -w kernel.sched_rt_runtime_us=-1", "UHD DPDK page", false, look_at_rt_runtime},
    {"smt", "SMT", "off", "a busy sibling slows a solver or slot thread by up to a half",
     "echo off > /sys/devices/system/cpu/smt/control", "Agora, OAI", false, look_at_smt},
    {"socket_buffers", "socket buffers", "rmem_max and wmem_max 4194304 or more",
     "radios over Ethernet drop samples (O, D) when a thread is late",
     "sysctl -w net.core.rmem_max=33554432 net.core.wmem_max=33554432", "UHD manual, srsRAN, OAI", false,
     look_at_buffers},
    {"hypervisor", "hypervisor", "none",
     "the host may take the processor away for ms at any time: measure, do not trust", NULL, "measured", false,
     look_at_hypervisor},
    {"throttling", "thermal throttling", "never since the start", "cores run slower when they are hot, without a word",
     NULL, "ours", false, look_at_throttling},
    {"clock", "clock", "PTP or NTP locked",
     "hop times between hosts mean nothing without disciplined clocks (round trips do)",
     "apt install linuxptp   # then ptp4l -i IFACE -m & phc2sys -a -r & ; or apt install chrony", "srsRAN #332, #1096",
     false, look_at_clock},
    {"memory", "free memory", "512 MB and the recording's cache",
     "the kernel takes pages back in the middle of a block", NULL, "ours", false, look_at_memory},
    {"disk", "free disk", "what the recording will take", "the recording ends when the disk is full",
     "# another folder (--out), fewer blocks, or record.csi, record.precoders, record.iq off", "ours", false,
     look_at_disk},
    {"write_speed", "write speed", "twice the recording's rate", "rows and samples are dropped and counted", NULL,
     "measured", true, look_at_write_speed},
    {"turbo", "turbo", "off for steady figures", "figures of two runs differ with the temperature",
     "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo", "Agora, OAI", false, look_at_turbo},
    {"kernel", "kernel", "told, not judged", "", NULL, "OAI (mitigations=off is a risk: leave them on)", false,
     look_at_kernel},
    {"hugepages", "hugepages", "none: Tutti needs none, a radio over DPDK does", "", NULL, "UHD DPDK page", false,
     look_at_hugepages},
};
enum { N_CHECKS = sizeof checks / sizeof checks[0] };

const char *host_verdict_name(enum host_verdict verdict)
{
    static const char *const names[HOST_N_VERDICTS] = {"good", "told", "unknown", "costs", "impossible"};
    return names[verdict];
}

/* What others wrote (names of folders, of a manufacturer) reaches terminals and JSON: no control characters, and UTF-8
 * or nothing beyond ASCII. */
static void make_plain(char *text)
{
    json_t *const valid = json_string(text);
    for (char *c = text; *c; c++) {
        const unsigned char byte = (unsigned char)*c;
        *c = byte < ' ' || byte == 0x7f || (!valid && byte > 0x7f) ? '?' : *c;
    }
    json_decref(valid);
}

void host_found(struct host_finding *finding, enum host_verdict verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->found, sizeof finding->found, format, arguments);
    va_end(arguments);
    make_plain(finding->found);
    finding->verdict = verdict;
}

void host_wanted(struct host_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->wanted, sizeof finding->wanted, format, arguments);
    va_end(arguments);
    make_plain(finding->wanted);
}

int host_run(const struct host_question *question, const struct host_check *rows, int n, struct host_finding *findings)
{
    int n_found = 0;
    for (int i = 0; i < n; i++) {
        if (rows[i].measured && !question->measured) {
            continue;
        }
        struct host_finding *const f = &findings[n_found++];
        *f = (struct host_finding){.name = rows[i].name,
                                   .title = rows[i].title,
                                   .cost = rows[i].cost,
                                   .command = rows[i].command,
                                   .source = rows[i].source};
        host_wanted(f, "%s", rows[i].wanted);
        rows[i].look(question, f);
    }
    return n_found;
}

int host_n_checks(void)
{
    return N_CHECKS;
}

int host_examine(const struct host_question *question, struct host_finding *findings)
{
    return host_run(question, checks, N_CHECKS, findings);
}

const struct host_finding *host_worst(const struct host_finding *findings, int n)
{
    const struct host_finding *worst = NULL;
    for (int i = 0; i < n; i++) {
        if (!worst || findings[i].verdict > worst->verdict) {
            worst = &findings[i];
        }
    }
    return worst;
}

json_t *host_json(const struct host_finding *findings, int n)
{
    const struct host_finding *const worst = host_worst(findings, n);
    json_t *const list = json_array();
    for (int i = 0; i < n; i++) {
        const struct host_finding *const f = &findings[i];
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s?,s:s}", "name", f->name, "title", f->title,
                                              "verdict", host_verdict_name(f->verdict), "found", f->found, "wanted",
                                              f->wanted, "cost", f->cost, "command", f->command, "source", f->source));
    }
    return json_pack("{s:i,s:s,s:s,s:o}", "version", 1, "program", TUTTI_VERSION, "verdict",
                     host_verdict_name(worst ? worst->verdict : HOST_GOOD), "checks", list);
}

void host_log_worst(const struct config *config, enum host_role role, int id)
{
    if (config_is_repeatable(config)) {
        return;
    }
    struct host_finding *const findings = calloc(N_CHECKS, sizeof *findings);
    const struct host_question question = {.root = "", .config = config, .role = role, .id = id};
    const int n = findings ? host_examine(&question, findings) : 0;
    const struct host_finding *const worst = host_worst(findings, n);
    if (worst && worst->verdict >= HOST_COSTS) {
        log_write(LOG_WARNING, "host", "HOST-COSTS check=%s found=\"%.120s\": %.160s; `tutti doctor` has the rest",
                  worst->name, worst->found, worst->cost);
    }
    free(findings);
}
