/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile lines of other central nodes: gains, handovers, weights, who is alive. An input is lines, told in turn by the
 * two others, one a block, to a node that has its users' homes and weights. A twin hears only what the node has not
 * refused: both stay alike in all that they do, so that a line that is refused moves nothing. Homes are central nodes,
 * weights are finite, and what is sent by them stays within the budgets of the access points. However far the
 * blocks that lines speak of, every user has a home as soon as an order that is near has come true. */
#include "cpu_node/cpu.h"
#include "fuzz.h"
#include "mimo/parts.h"

#include <math.h>
#include <string.h>

enum { N_CPU = 3, N_AP = 3, N_UE = 3, LEAD = 8, FIRST = 1000, TURNS = 66, HEAR_FROM = 24, MAX_LINES = 8 };

struct node {
    struct cpu cpu;
    struct cpu_block *block;
    uint8_t serves[N_CPU * N_UE];
    int home[N_UE];
    struct homes_order orders[N_UE];
    int n_orders;
};

static struct config *config;
static struct node node, twin;
static partners_t *listener, *listeners_twin; /* at another central node: who is alive is the first one's word */
static uint64_t n_lines, n_refused, n_gains, n_alive, n_handovers, n_weights, n_moved, n_far;

/* Life ------------------------------------------------------------------------------------------------------------- */

static void hear_nothing(void *context, int cpu, const char *type, const json_t *root)
{
    (void)context, (void)cpu, (void)type, (void)root;
}

static void open_node(struct node *n)
{
    const struct block_shape shape = {.n_sb = 1, .n_ap = N_AP, .n_ant = 1, .n_ue = N_UE, .parts = true};
    n->cpu = (struct cpu){.config = config, .shape = shape, .agreement = (char *)(uintptr_t) ""};
    MUST(cpu_join_partners(&n->cpu) == 0 && block_create(&n->block, &shape) == 0);
    n->block->part->factor[0] = 1;
    memset(n->block->user_used, 1, N_UE);
}

static void open_network(void)
{
    static const char *const sets[] = {"network.n_ap=3", "network.n_ue=3", "network.runtime_dir=/tmp/tutti-fuzz",
                                       "cpus=[{aps: [0]}, {aps: [1]}, {aps: [2]}]"};
    const struct partners_settings second = {
        .agreement = "", .id = 1, .handlers = {.context = NULL, .control = hear_nothing}};
    MUST(config_load(&config, NULL, sets, 4) == 0);
    open_node(&node);
    open_node(&twin);
    struct partners_settings settings = second;
    settings.config = config;
    MUST(partners_create(&listener, &settings) == 0 && partners_create(&listeners_twin, &settings) == 0);
}

/* Every input begins in the same state: what an earlier one did is forgotten. */
static void begin(struct node *n)
{
    const struct homes_settings homes = {N_CPU, N_UE, 0, 3, 13, true, 8, LEAD};
    const struct parts_live_settings parts = {
        .n_cpu = N_CPU, .n_ue = N_UE, .every_blocks = PARTS_LIVE_FIRST_BLOCKS, .lead_blocks = LEAD};
    homes_destroy(n->cpu.homes);
    parts_live_destroy(n->cpu.parts);
    MUST(homes_create(&n->cpu.homes, &homes) == 0 && parts_live_create(&n->cpu.parts, &parts) == 0);
    for (int c = 1; c < N_CPU; c++) {
        homes_alive(n->cpu.homes, c, true);
    }
}

/* What happens in a block ------------------------------------------------------------------------------------------ */

/* User k is at central node k, the next one hears it half as well, the third one badly. */
static double gain_of(int cpu, int user)
{
    static const double AWAY[N_CPU] = {100, 50, 0.5};
    return AWAY[(cpu - user + N_CPU) % N_CPU];
}

static void tell_gains(const struct node *n, uint64_t block)
{
    for (int c = 0; c < N_CPU; c++) {
        double sums[N_UE];
        for (int k = 0; k < N_UE; k++) {
            sums[k] = gain_of(c, k);
        }
        homes_gains(n->cpu.homes, c, block, sums);
    }
}

/* As a solve leaves it. */
static void solve(const struct node *n)
{
    const struct block_part *const part = n->block->part;
    for (int k = 0; k < N_UE; k++) {
        part->power[k] = 0.5;
        for (int i = 0; i < N_UE; i++) {
            part->gain[k * N_UE + i] = sqrt(gain_of(0, k)) * (k == i ? 0.7 : 0.1);
            part->error[k * N_UE + i] = 0.01;
        }
    }
}

/* What is sent with a block's weights, by access points of budget 1. */
static void check_sent(const struct block_part *part)
{
    static const struct mimo_shape shape = {.n_ap = N_AP, .n_ant = 1, .n_ue = N_UE};
    static const float power[N_AP] = {1, 1, 1};
    for (int fill = 0; fill < 2; fill++) {
        tutti_cf32 W[N_AP * N_UE];
        for (int i = 0; i < N_AP * N_UE; i++) {
            W[i] = CMPLXF(i == 0 ? 0.7f : 0.1f, 0.3f);
        }
        const double factor = parts_apply(&shape, power, part->weight, fill, W);
        MUST(isfinite(factor) && mimo_power_use(&shape, power, W) <= 1.0001f);
        for (int i = 0; i < N_AP * N_UE; i++) {
            MUST(isfinite(crealf(W[i])) && isfinite(cimagf(W[i])));
        }
    }
}

static void turn(struct node *n, uint64_t number)
{
    if (number % PARTNERS_EVERY_BLOCKS == 0) {
        tell_gains(n, number);
    }
    n->n_orders = homes_turn(n->cpu.homes, number, n->orders);
    homes_serves_all(n->cpu.homes, n->serves);
    for (int k = 0; k < N_UE; k++) {
        n->home[k] = homes_of(n->cpu.homes, k);
        MUST(n->home[k] >= HOMES_NONE && n->home[k] < N_CPU);
        for (int c = 0; c < N_CPU; c++) {
            MUST(n->serves[c * N_UE + k] == homes_serves(n->cpu.homes, c, k));
        }
        MUST(n->home[k] == HOMES_NONE || n->serves[n->home[k] * N_UE + k]);
    }
    n->block->number = number;
    parts_live_turn(n->cpu.parts, n->serves, n->home, n->block);
    for (int k = 0; k < N_UE; k++) {
        MUST(isfinite(creal(n->block->part->weight[k])) && isfinite(cimag(n->block->part->weight[k])));
    }
    solve(n);
    check_sent(n->block->part);
    parts_live_learn(n->cpu.parts, n->block);
    free(parts_live_told(n->cpu.parts));
}

static bool same_gains(const partners_t *a, const partners_t *b, int cpu)
{
    const double *const one = partners_gains(a, cpu), *const other = partners_gains(b, cpu);
    return !one || !other ? one == other : memcmp(one, other, N_UE * sizeof *one) == 0;
}

static void both_turn(uint64_t number)
{
    struct schedule_user user[2][N_UE];
    turn(&node, number);
    turn(&twin, number);
    MUST(memcmp(node.home, twin.home, sizeof node.home) == 0);
    MUST(memcmp(node.serves, twin.serves, sizeof node.serves) == 0);
    MUST(memcmp(node.block->part->weight, twin.block->part->weight, N_UE * sizeof *node.block->part->weight) == 0);
    MUST(node.n_orders == twin.n_orders);
    for (int c = 1; c < N_CPU; c++) {
        MUST(same_gains(node.cpu.partners, twin.cpu.partners, c));
        MUST(same_gains(listener, listeners_twin, c == 1 ? 0 : c));
    }
    partners_users(listener, user[0]);
    partners_users(listeners_twin, user[1]);
    for (int k = 0; k < N_UE; k++) {
        MUST(user[0][k].alive == user[1][k].alive && user[0][k].heard_block == user[1][k].heard_block);
    }
}

/* Lines ------------------------------------------------------------------------------------------------------------ */

static struct fh_event event_of(const char *line, int id)
{
    return (struct fh_event){.kind = FH_EVENT_CONTROL,
                             .role = FH_ROLE_CPU,
                             .id = id,
                             .data = (const uint8_t *)line,
                             .n_bytes = strlen(line)};
}

static uint64_t refused_by(const struct node *n)
{
    return partners_refused(n->cpu.partners) + n->cpu.counters.other_data;
}

/* What is taken, by its type. */
static void count(const char *line)
{
    json_t *const root = json_loads(line, 0, NULL);
    const char *const type = json_string_value(json_object_get(root, "type"));
    MUST(type);
    n_gains += strcmp(type, "gains") == 0;
    n_alive += strcmp(type, "alive") == 0;
    n_handovers += strcmp(type, "handover") == 0;
    n_weights += strcmp(type, "weights") == 0;
    json_decref(root);
}

static void hear(const char *line, int id)
{
    const struct fh_event event = event_of(line, id), first = event_of(line, 0);
    const uint64_t before = refused_by(&node), before_there = partners_refused(listener);
    n_lines++;
    partners_hear(node.cpu.partners, &event);
    partners_hear(listener, &first);
    if (refused_by(&node) == before) {
        partners_hear(twin.cpu.partners, &event);
        MUST(refused_by(&twin) == 0);
        count(line);
    } else {
        n_refused++;
    }
    if (partners_refused(listener) == before_there) {
        partners_hear(listeners_twin, &first);
        json_t *const root = json_loads(line, 0, NULL);
        const char *const type = json_string_value(json_object_get(root, "type"));
        n_alive += type && strcmp(type, "alive") == 0;
        json_decref(root);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *const text = malloc(n_bytes + 1);
    if (!config) {
        open_network();
    }
    MUST(text);
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    begin(&node);
    begin(&twin);
    char *next = text;
    int n_heard = 0;
    for (uint64_t b = FIRST; b < FIRST + TURNS; b++) {
        if (b >= FIRST + HEAR_FROM - MAX_LINES && next && n_heard < MAX_LINES) {
            char *const line = strsep(&next, "\n");
            hear(line, 1 + n_heard++ % 2);
        }
        both_turn(b);
    }
    for (int k = 0; k < N_UE; k++) {
        n_moved += node.home[k] != k;
        MUST(node.home[k] != HOMES_NONE);
    }
    const struct homes_counters counters = homes_counters(node.cpu.homes);
    n_far += counters.far_orders + counters.far_gains;
    free(text);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu lines, %llu refused; taken: %llu of gains, %llu of who is alive, %llu handovers, %llu of weights\n",
           (unsigned long long)n_lines, (unsigned long long)n_refused, (unsigned long long)n_gains,
           (unsigned long long)n_alive, (unsigned long long)n_handovers, (unsigned long long)n_weights);
    printf("%10llu users elsewhere at the end, %llu orders and gains of blocks far away\n", (unsigned long long)n_moved,
           (unsigned long long)n_far);
    return n_refused == 0 || n_gains == 0 || n_alive == 0 || n_handovers == 0 || n_weights == 0 || n_moved == 0 ||
           n_far == 0;
}
