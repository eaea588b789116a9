/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The partition searches of [Hong 2025]: random, iterative, genetic. */
#include "mimo/spzf_core.h"

#include <string.h>

enum { MAX_EPOCHS = 50, STALL_GENERATIONS = 20, MAX_GENERATIONS = 100 };

/* Sets as running sums --------------------------------------------------------------------------------------------- */

static double set_dist(const struct spzf_set *set)
{
    return set->sum - 2.0 * set->top;
}

static bool set_closes(const struct spzf_set *set)
{
    return set->count > 0 && spzf_closes(set->sum, set_dist(set));
}

/* One term of the pseudo-loss (41): zero if and only if the set closes. */
static double deficit(const struct spzf_set *set, double largest)
{
    if (set_closes(set)) {
        return 0.0;
    }
    return set->count == 0 ? largest : -set_dist(set);
}

static void set_add(struct spzf_set *set, double r)
{
    set->sum += r;
    set->count++;
    if (r > set->top) {
        set->second = set->top;
        set->top = r;
    } else if (r > set->second) {
        set->second = r;
    }
}

static struct spzf_set with(const struct spzf_set *set, double r)
{
    struct spzf_set out = *set;
    set_add(&out, r);
    return out;
}

/* Good for one removal: the new second is not known, so only additions may follow. */
static struct spzf_set without(const struct spzf_set *set, double r)
{
    struct spzf_set out = *set;
    out.sum -= r;
    out.count--;
    if (r >= out.top) {
        out.top = out.second;
    }
    return out;
}

static void recount_set(const struct spzf_input *in, const int *labels, int p, struct spzf_set *set)
{
    *set = (struct spzf_set){0};
    for (int i = 0; i < in->n; i++) {
        if (labels[i] == p) {
            set_add(set, in->r[i]);
        }
    }
}

static void count_sets(const struct spzf_input *in, const int *labels, struct spzf_set *sets)
{
    memset(sets, 0, (size_t)in->n_sets * sizeof(*sets));
    for (int i = 0; i < in->n; i++) {
        set_add(&sets[labels[i]], in->r[i]);
    }
}

/* Failing sets, most negative dist first; returns how many. */
static int rank_failing(const struct spzf_input *in, const struct spzf_set *sets, int *rank)
{
    int n = 0;
    for (int p = 0; p < in->n_sets; p++) {
        if (set_closes(&sets[p])) {
            continue;
        }
        int k = n++;
        for (; k > 0 && set_dist(&sets[rank[k - 1]]) > set_dist(&sets[p]); k--) {
            rank[k] = rank[k - 1];
        }
        rank[k] = p;
    }
    return n;
}

/* Iterative (5.2, 5.3) ----------------------------------------------------------------------------------------------
 */

/* One change: antenna in joins the failing set; out (or -1) leaves it for the set in came from. */
struct change {
    int in, out;
    double total; /* deficits after, less the old deficit of the source */
};

/* Tells whether the search is over (both sets close); keeps the change in the pocket if it is the best so far. */
static bool weigh(const struct spzf_set *target, const struct spzf_set *source, double old_source, double largest,
                  struct change change, struct change *pocket)
{
    double after_target = deficit(target, largest), after_source = deficit(source, largest);
    change.total = after_target + after_source - old_source;
    bool ideal = after_target <= 0.0 && after_source <= 0.0;
    /* A gain of rounding size is none: among equal magnitudes it would move antennas about for nothing. */
    if (ideal || change.total < pocket->total - SPZF_DIST_TOLERANCE * largest) {
        *pocket = change;
    }
    return ideal;
}

static void find_move(const struct spzf_input *in, struct spzf_work *work, const int *labels, int p, double largest,
                      struct change *pocket)
{
    const struct spzf_set *sets = work->set;
    double least = -set_dist(&sets[p]);
    for (int k = in->n - 1; k >= 0; k--) {
        int i = work->order[k], s = labels[i];
        if (s == p || in->r[i] < least) {
            continue;
        }
        struct spzf_set target = with(&sets[p], in->r[i]), source = without(&sets[s], in->r[i]);
        if (weigh(&target, &source, deficit(&sets[s], largest), largest, (struct change){i, -1, 0.0}, pocket)) {
            return;
        }
    }
}

static void find_swap(const struct spzf_input *in, struct spzf_work *work, const int *labels, int p, double largest,
                      struct change *pocket)
{
    const struct spzf_set *sets = work->set;
    int n_member = 0;
    for (int k = in->n - 1; k >= 0; k--) {
        if (labels[work->order[k]] == p) {
            work->member[n_member++] = work->order[k];
        }
    }
    for (int k = in->n - 1; k >= 0; k--) {
        int i = work->order[k], s = labels[i];
        if (s == p) {
            continue;
        }
        struct spzf_set rest = without(&sets[s], in->r[i]);
        double old_source = deficit(&sets[s], largest);
        for (int j = 0; j < n_member; j++) {
            int m = work->member[j];
            struct spzf_set less = without(&sets[p], in->r[m]);
            struct spzf_set target = with(&less, in->r[i]), source = with(&rest, in->r[m]);
            if (weigh(&target, &source, old_source, largest, (struct change){i, m, 0.0}, pocket)) {
                return;
            }
        }
    }
}

static void iterate(const struct spzf_input *in, struct spzf_work *work, bool swap, int *labels)
{
    spzf_sort(work, in->n, in->r);
    count_sets(in, labels, work->set);
    double largest = work->sorted[0];
    bool moved = true;
    for (int epoch = 0; epoch < MAX_EPOCHS && moved; epoch++) {
        int n_failing = rank_failing(in, work->set, work->rank);
        moved = false;
        for (int k = 0; k < n_failing; k++) {
            int p = work->rank[k];
            struct change pocket = {-1, -1, deficit(&work->set[p], largest)};
            if (set_closes(&work->set[p])) {
                continue;
            }
            (swap ? find_swap : find_move)(in, work, labels, p, largest, &pocket);
            if (pocket.in < 0) {
                continue;
            }
            int s = labels[pocket.in];
            labels[pocket.in] = p;
            if (pocket.out >= 0) {
                labels[pocket.out] = s;
            }
            recount_set(in, labels, p, &work->set[p]);
            recount_set(in, labels, s, &work->set[s]);
            moved = true;
        }
    }
}

void spzf_part_iterate(const struct spzf_input *in, struct spzf_work *work, int *labels)
{
    iterate(in, work, false, labels);
}

void spzf_part_iterate_fc(const struct spzf_input *in, struct spzf_work *work, int *labels)
{
    iterate(in, work, true, labels);
}

/* Genetic (5.4) ------------------------------------------------------------------------------------------------------
 */

struct population {
    const struct spzf_input *in;
    struct spzf_work *work;
    struct splitmix *rng;
    int size, n_elite;
    double largest;
};

static double genes_loss(const struct population *pop, const uint16_t *genes)
{
    struct spzf_set *sets = pop->work->set;
    memset(sets, 0, (size_t)pop->in->n_sets * sizeof(*sets));
    for (int i = 0; i < pop->in->n; i++) {
        struct spzf_set *set = &sets[genes[i]];
        set->sum += pop->in->r[i];
        set->top = spzf_larger(set->top, pop->in->r[i]);
        set->count++;
    }
    double loss = 0.0;
    for (int p = 0; p < pop->in->n_sets; p++) {
        loss += deficit(&sets[p], pop->largest);
    }
    return loss;
}

static uint16_t *individual(const struct population *pop, int generation, int i)
{
    return pop->work->genes[generation & 1] + (size_t)i * (size_t)pop->in->n;
}

/* The n_elite best, best first, by insertion. */
static void find_elite(const struct population *pop, int generation)
{
    const double *loss = pop->work->loss[generation & 1];
    int *elite = pop->work->elite, n = 0;
    for (int i = 0; i < pop->size; i++) {
        if (n == pop->n_elite && loss[i] >= loss[elite[n - 1]]) {
            continue;
        }
        int k = n < pop->n_elite ? n++ : n - 1;
        for (; k > 0 && loss[elite[k - 1]] > loss[i]; k--) {
            elite[k] = elite[k - 1];
        }
        elite[k] = i;
    }
}

static int tournament(const struct population *pop, int generation)
{
    const double *loss = pop->work->loss[generation & 1];
    int a = splitmix_below(pop->rng, pop->size), b = splitmix_below(pop->rng, pop->size);
    return loss[b] < loss[a] ? b : a;
}

static void breed(const struct population *pop, int generation, uint16_t *child)
{
    int n = pop->in->n;
    const uint16_t *a = individual(pop, generation, tournament(pop, generation));
    const uint16_t *b = individual(pop, generation, tournament(pop, generation));
    int cut = splitmix_uniform(pop->rng) <= 0.8 ? 1 + splitmix_below(pop->rng, n - 1) : n;
    memcpy(child, a, (size_t)cut * sizeof(*child));
    memcpy(child + cut, b + cut, (size_t)(n - cut) * sizeof(*child));
    if (pop->in->n_sets < 2) {
        return;
    }
    for (int i = 0; i < n; i++) {
        if (splitmix_below(pop->rng, 10) != 0) {
            continue;
        }
        int other = splitmix_below(pop->rng, pop->in->n_sets - 1);
        child[i] = (uint16_t)(other >= child[i] ? other + 1 : other);
    }
}

static void next_generation(const struct population *pop, int generation)
{
    double *loss = pop->work->loss[(generation + 1) & 1];
    for (int i = 0; i < pop->size; i++) {
        uint16_t *child = individual(pop, generation + 1, i);
        if (i < pop->n_elite) {
            int source = pop->work->elite[i];
            memcpy(child, individual(pop, generation, source), (size_t)pop->in->n * sizeof(*child));
            loss[i] = pop->work->loss[generation & 1][source];
        } else {
            breed(pop, generation, child);
            loss[i] = genes_loss(pop, child);
        }
    }
}

void spzf_part_genetic(const struct spzf_input *in, struct spzf_work *work, struct splitmix *rng, int *labels)
{
    struct population pop = {in, work, rng, 10 * in->n, (10 * in->n + 19) / 20, 0.0};
    for (int i = 0; i < in->n; i++) {
        pop.largest = spzf_larger(pop.largest, in->r[i]);
    }
    for (int i = 0; i < pop.size; i++) {
        uint16_t *genes = individual(&pop, 0, i);
        for (int k = 0; k < in->n; k++) {
            genes[k] = (uint16_t)splitmix_below(rng, in->n_sets);
        }
        work->loss[0][i] = genes_loss(&pop, genes);
    }
    find_elite(&pop, 0);
    int generation = 0, stall = 0;
    double best = work->loss[0][work->elite[0]];
    while (best > 0.0 && stall < STALL_GENERATIONS && generation < MAX_GENERATIONS) {
        next_generation(&pop, generation++);
        find_elite(&pop, generation);
        double now = work->loss[generation & 1][work->elite[0]];
        stall = now < best ? 0 : stall + 1;
        best = now;
    }
    const uint16_t *winner = individual(&pop, generation, work->elite[0]);
    for (int i = 0; i < in->n; i++) {
        labels[i] = winner[i];
    }
}
