/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many access points does one tutti-cpu carry? Starts the one beside this program and plays its APs over the
 * fronthaul, each with a link of its own and estimates of the right size; no radio, no users. What is counted is
 * tutti-cpu's own processor time, thread by thread, its memory, and messages without an answer.
 *
 *   fan_in NETWORK_FILE [SECONDS [KEY=VALUE ...]]
 *
 * air.mode: paced sends a block's estimates when it is due; lockstep sends the next as soon as an AP has its precoder,
 * as fast as it goes. Further arguments override keys of the network file, as --set does. */
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/frame.h"
#include "base/stats.h"
#include "channel/channel.h"
#include "channel/random.h"
#include "fronthaul/encoding.h"
#include "fronthaul/peer.h"
#include "fronthaul/wire.h"
#include "linalg/cmplx.h"

#include <dirent.h>
#include <libgen.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_KEYS = 32, MAX_KINDS = 16, N_LEARN = 20, DRAIN_MS = 1500 };

struct ap {
    pthread_t thread;
    int id;
    fh_peer_t *peer;
    struct fh_welcome welcome;
    tutti_cf32 *coefficients; /* [n_sb][n_ant][n_ue] */
    float *beta, *error_variance;
    uint8_t *message;
    size_t room;
    uint64_t due_ns, sent, answered, not_taken; /* of this link */
    struct stats_hist hist;                     /* estimates due to precoder received, without the first blocks */
};

/* Processor time of threads of one name. */
struct kind {
    char name[32];
    uint64_t ns;
};

static struct config *config;
static struct frame frame;
static struct ap *aps;
static bool paced;
static double seconds = 5;
static _Atomic uint64_t begin_ns; /* of block 0; 0: not everybody is there yet */
static atomic_bool broken;
static _Atomic uint64_t last = UINT64_MAX; /* block: so that nobody waits for one who has left */
static pthread_barrier_t everybody;

static void die(const char *what)
{
    fprintf(stderr, "fan_in: %s: %s\n", what, error_text());
    exit(1);
}

/* An AP ------------------------------------------------------------------------------------------------------------ */

static size_t n_values(void)
{
    return (size_t)frame.n_sb * (size_t)config->network.n_ant * (size_t)config->network.n_ue;
}

static struct wire_header header_of(const struct ap *ap, uint64_t block)
{
    struct wire_header header = {.type = WIRE_CSI,
                                 .node = (uint16_t)ap->id,
                                 .session = ap->welcome.session,
                                 .block = block,
                                 .tick = frame_symbol_tick(&frame, ap->welcome.epoch, block, 0),
                                 .send_time_ns = clock_wall_ns(),
                                 .n_sb = (uint16_t)frame.n_sb,
                                 .n_ant = (uint16_t)config->network.n_ant,
                                 .n_stream = (uint16_t)config->network.n_ue};
    encoding_of_network(&header, config, WIRE_CSI);
    return header;
}

/* Rayleigh fading over gains of some decades. */
static void draw(struct ap *ap)
{
    const int n_ue = config->network.n_ue;
    for (int k = 0; k < n_ue; k++) {
        const uint64_t key = random_key(1, RANDOM_POSITION_UE, (uint64_t)ap->id, (uint64_t)k, 0);
        ap->beta[k] = (float)pow(10, 4 * random_uniform(key, 0) - 1);
        ap->error_variance[k] = 0.1f * ap->beta[k];
    }
    for (size_t i = 0; i < n_values(); i++) {
        float re, im;
        random_normal(random_key(2, RANDOM_POSITION_UE, (uint64_t)ap->id, 0, 0), i, &re, &im);
        const float a = sqrtf(0.45f * ap->beta[i % (size_t)n_ue]);
        ap->coefficients[i] = CMPLXF(a * re, a * im);
    }
}

static void join(struct ap *ap)
{
    const struct wire_header header = header_of(ap, 0);
    const size_t n_ue = (size_t)config->network.n_ue;
    char *agreement = config_agreement(config);
    const struct fh_hello hello = {.role = FH_ROLE_AP,
                                   .id = ap->id,
                                   .fingerprint = config_fingerprint(config),
                                   .agreement = agreement,
                                   .key_dir = config_key_dir(config, config->fronthaul.endpoint)};
    struct fh_event event = {0};
    ap->room = wire_csi_bytes(&header, WIRE_MAX_ACCOUNTS);
    ap->message = malloc(ap->room + 1);
    ap->coefficients = calloc(n_values(), sizeof *ap->coefficients);
    ap->beta = calloc(2 * n_ue, sizeof *ap->beta);
    if (!ap->message || !ap->coefficients || !ap->beta ||
        fh_peer_create(&ap->peer, config->fronthaul.endpoint, &hello, config_peer_timeout_ms(config)) < 0) {
        die("an access point");
    }
    ap->error_variance = ap->beta + n_ue;
    draw(ap);
    free(agreement);
    for (int i = 0; i < 300 && event.kind != FH_EVENT_UP; i++) {
        if (fh_peer_wait(ap->peer, -1, 100000, &event) < 0 || event.kind == FH_EVENT_REFUSED) {
            die("an access point");
        }
    }
    ap->welcome = event.welcome;
}

static void send_estimates(struct ap *ap, uint64_t block)
{
    const struct wire_header header = header_of(ap, block);
    const struct config_radio *const radio = config_radio_of(config, CONFIG_ROLE_AP, ap->id);
    const double noise_dbm = channel_noise_dbm(config->frame.sample_rate_hz, radio->noise_figure_db);
    const struct wire_csi_meta meta = {
        .capture_end_ns = header.send_time_ns,
        .noise_power = (float)pow(10, (noise_dbm - radio->rx_full_scale_dbm) / 10),
        .beta = ap->beta,
        .error_variance = ap->error_variance,
    };
    ap->due_ns = paced ? atomic_load(&begin_ns) + block * (uint64_t)(1e3 * config->frame.block_us) : clock_mono_ns();
    const size_t n = wire_pack_csi(ap->message, ap->room, &header, &meta, ap->coefficients);
    ap->not_taken += n == 0 || fh_peer_send(ap->peer, ap->message, n) < 0;
    ap->sent++;
}

/* Until the precoder of `block` is there, or until then. */
static void hear(struct ap *ap, uint64_t block, uint64_t until_ns)
{
    for (;;) {
        const uint64_t now_ns = clock_mono_ns();
        struct fh_event event;
        struct wire_header header;
        if (fh_peer_wait(ap->peer, -1, now_ns < until_ns ? (int64_t)((until_ns - now_ns) / 1000) : 0, &event) < 0 ||
            event.kind == FH_EVENT_DOWN || event.kind == FH_EVENT_STOP) {
            atomic_store(&broken, true);
            return;
        }
        if (event.kind == FH_EVENT_NONE && clock_mono_ns() >= until_ns) {
            return;
        }
        if (event.kind != FH_EVENT_DATA || wire_unpack_header(event.data, event.n_bytes, &header) != WIRE_OK ||
            header.type != WIRE_PRECODER) {
            continue;
        }
        ap->answered++;
        if (header.block == block) {
            if (block >= N_LEARN) {
                stats_hist_add(&ap->hist, clock_mono_ns() - ap->due_ns);
            }
            return;
        }
    }
}

static void *ap_main(void *argument)
{
    struct ap *ap = argument;
    const uint64_t interval_ns = (uint64_t)(1e3 * config->frame.block_us), far_ns = 20000000000u;
    join(ap);
    pthread_barrier_wait(&everybody);
    pthread_barrier_wait(&everybody); /* in between the time of block 0 is set */
    const uint64_t start_ns = atomic_load(&begin_ns), end_ns = start_ns + (uint64_t)(1e9 * seconds);
    for (uint64_t b = 0; b <= atomic_load(&last) && !atomic_load(&broken); b++) {
        uint64_t unset = UINT64_MAX;
        if (clock_mono_ns() > end_ns) {
            atomic_compare_exchange_strong(&last, &unset, b + 1);
        }
        if (paced) {
            clock_sleep_until_ns(start_ns + b * interval_ns);
        }
        send_estimates(ap, b);
        hear(ap, b, paced ? start_ns + (b + 1) * interval_ns : clock_mono_ns() + far_ns);
    }
    pthread_barrier_wait(&everybody);
    if (paced && ap->answered < ap->sent) { /* what is late is not lost */
        hear(ap, UINT64_MAX, clock_mono_ns() + DRAIN_MS * 1000000u);
    }
    pthread_barrier_wait(&everybody);
    return NULL;
}

/* The central node ------------------------------------------------------------------------------------------------- */

static pid_t start_node(char **argv, int argc)
{
    char path[4096], *words[2 * MAX_KEYS + 8] = {path, "--log", "error", "--config", argv[1]};
    int n = 5;
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 16);
    path[length > 0 ? length : 0] = '\0';
    strcat(dirname(path), "/tutti-cpu");
    for (int i = 3; i < argc && n < 2 * MAX_KEYS + 6; i++) {
        words[n++] = "--set";
        words[n++] = argv[i];
    }
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execv(path, words);
        _exit(127);
    }
    return pid;
}

/* A line of a thread's file in /proc; false when it is gone. */
static bool read_line(pid_t pid, const char *thread, const char *what, char *line, int room)
{
    char path[400];
    snprintf(path, sizeof path, "/proc/%d/task/%s/%s", pid, thread, what);
    FILE *file = fopen(path, "r");
    const bool read = file && fgets(line, room, file);
    if (file) {
        fclose(file);
    }
    line[read ? strcspn(line, "\n") : 0] = '\0';
    return read;
}

/* Adds up what the node's threads have used, by name. Returns how many names. */
static int read_kinds(pid_t pid, struct kind *kinds)
{
    char path[64], name[32], used[128];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int i = 0;
        if (entry->d_name[0] == '.' || !read_line(pid, entry->d_name, "comm", name, sizeof name) ||
            !read_line(pid, entry->d_name, "schedstat", used, sizeof used)) {
            continue;
        }
        while (i < n && strcmp(kinds[i].name, name) != 0) {
            i++;
        }
        if (i < MAX_KINDS) {
            n = i == n ? n + 1 : n;
            memcpy(kinds[i].name, name, sizeof name);
            kinds[i].ns += strtoull(used, NULL, 10);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return n;
}

/* A figure of /proc/PID/status in MB, -1 when it is not there. */
static double memory_mb(pid_t pid, const char *key)
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kb = strtol(line + strlen(key) + 1, NULL, 10);
        }
    }
    if (status) {
        fclose(status);
    }
    return (double)kb / 1024;
}

static void report(pid_t pid, const struct kind *before, int n_before, double took_s)
{
    static struct stats_hist all;
    struct kind after[MAX_KINDS] = {{"", 0}};
    const int n_ap = config->network.n_ap, n = read_kinds(pid, after);
    uint64_t sent = 0, answered = 0, not_taken = 0;
    for (int i = 0; i < n_ap; i++) {
        sent += aps[i].sent;
        answered += aps[i].answered;
        not_taken += aps[i].not_taken;
        stats_hist_merge(&all, &aps[i].hist);
    }
    const double n_blocks = (double)sent / n_ap;
    printf(
        "%d APs x %d, %d users, %d subbands, %s, %s: %.0f blocks in %.1f s = %.0f a second, sent %llu, not taken %llu, "
        "answered %llu, lost %lld\n",
        n_ap, config->network.n_ant, config->network.n_ue, frame.n_sb, mimo_scheme_name((int)config->precoding.scheme),
        paced ? "paced" : "as fast as it goes", n_blocks, took_s, n_blocks / took_s, (unsigned long long)sent,
        (unsigned long long)not_taken, (unsigned long long)answered, (long long)(sent - answered));
    printf("  answer after: p50 %.0f us, p99 %.0f us; memory of tutti-cpu %.1f MB, %.1f at most\n",
           (double)stats_hist_quantile(&all, 0.5) / 1e3, (double)stats_hist_quantile(&all, 0.99) / 1e3,
           memory_mb(pid, "VmRSS:"), memory_mb(pid, "VmHWM:"));
    printf("  processor time of a block, us:");
    for (int i = 0; i < n; i++) {
        uint64_t ns = after[i].ns;
        for (int j = 0; j < n_before; j++) {
            ns -= strcmp(before[j].name, after[i].name) == 0 ? before[j].ns : 0;
        }
        printf(" %s %.0f", after[i].name, (double)ns / 1e3 / n_blocks);
    }
    printf("\n");
}

static void run(pid_t pid)
{
    struct kind before[MAX_KINDS] = {{"", 0}};
    const int n_ap = config->network.n_ap;
    aps = calloc((size_t)n_ap, sizeof *aps);
    pthread_barrier_init(&everybody, NULL, (unsigned)n_ap + 1);
    for (int i = 0; i < n_ap && aps; i++) {
        aps[i].id = i;
        if (pthread_create(&aps[i].thread, NULL, ap_main, &aps[i])) {
            die("too many threads");
        }
    }
    pthread_barrier_wait(&everybody);
    const int n_before = read_kinds(pid, before);
    atomic_store(&begin_ns, clock_mono_ns() + 20000000u);
    const uint64_t start_ns = atomic_load(&begin_ns);
    pthread_barrier_wait(&everybody);
    pthread_barrier_wait(&everybody);
    const double took_s = (double)(clock_mono_ns() - start_ns) / 1e9;
    pthread_barrier_wait(&everybody);
    report(pid, before, n_before, took_s);
    for (int i = 0; i < n_ap; i++) {
        pthread_join(aps[i].thread, NULL);
        fh_peer_destroy(aps[i].peer);
        free(aps[i].coefficients);
        free(aps[i].beta);
        free(aps[i].message);
    }
    free(aps);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > MAX_KEYS || (argc > 2 && !((seconds = atof(argv[2])) > 0))) {
        fprintf(stderr, "usage: fan_in NETWORK_FILE [SECONDS [KEY=VALUE ...]]\n");
        return 2;
    }
    if (config_load(&config, argv[1], (const char *const *)argv + 3, argc > 3 ? argc - 3 : 0) < 0 ||
        frame_init(&frame, config) < 0) {
        die(argv[1]);
    }
    paced = config->air.mode == CONFIG_AIR_PACED;
    const pid_t pid = start_node(argv, argc);
    run(pid);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    config_free(config);
    return atomic_load(&broken) ? 1 : 0;
}
