/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "mimo/spzf_core.h"

#include <stdlib.h>
#include <string.h>

int spzf_work_init(struct spzf_work *work, int n_max, int budget, bool genetic)
{
    size_t n = (size_t)n_max;
    work->n_max = n_max;
    work->budget = budget;
    work->key = calloc(n, sizeof(*work->key));
    work->key_spare = calloc(n, sizeof(*work->key_spare));
    work->order = calloc(n, sizeof(*work->order));
    work->sorted = calloc(n, sizeof(*work->sorted));
    work->used = calloc(n, sizeof(*work->used));
    work->count = calloc(n, sizeof(*work->count));
    work->rank = calloc(n, sizeof(*work->rank));
    work->member = calloc(n, sizeof(*work->member));
    work->gap = calloc(n, sizeof(*work->gap));
    work->set = calloc(n, sizeof(*work->set));
    bool ok = work->key && work->key_spare && work->order && work->sorted && work->used && work->count && work->rank &&
              work->member && work->gap && work->set;
    if (genetic) {
        for (int g = 0; g < 2; g++) {
            work->genes[g] = calloc(10 * n * n, sizeof(*work->genes[g]));
            work->loss[g] = calloc(10 * n, sizeof(*work->loss[g]));
            ok = ok && work->genes[g] && work->loss[g];
        }
        work->elite = calloc(10 * n, sizeof(*work->elite));
        ok = ok && work->elite;
    }
    return ok ? 0 : TUTTI_ENOMEM;
}

void spzf_work_free(struct spzf_work *work)
{
    free(work->key);
    free(work->key_spare);
    free(work->order);
    free(work->sorted);
    free(work->used);
    free(work->count);
    free(work->rank);
    free(work->member);
    free(work->gap);
    free(work->set);
    for (int g = 0; g < 2; g++) {
        free(work->genes[g]);
        free(work->loss[g]);
    }
    free(work->elite);
}

/* Sorting -------------------------------------------------------------------------------------------------------- */

enum { RUN = 32, INDEX_BITS = 11 };

/* Sort one run, largest first, by counting for each key how many are larger: no branch to mispredict, and the compares
 * vectorise. Keys are distinct (they carry the index). */
static void sort_run(int n, const uint64_t *key, uint64_t *out)
{
    int64_t rank[RUN];
    for (int i = 0; i < n; i++) {
        rank[i] = 0;
    }
    for (int j = 0; j < n; j++) {
        int64_t other = (int64_t)key[j];
        for (int i = 0; i < n; i++) {
            rank[i] += other > (int64_t)key[i];
        }
    }
    for (int i = 0; i < n; i++) {
        out[rank[i]] = key[i];
    }
}

static void merge_runs(const uint64_t *a, int n_a, const uint64_t *b, int n_b, uint64_t *out)
{
    int i = 0, j = 0, k = 0;
    while (i < n_a && j < n_b) {
        bool from_b = b[j] > a[i];
        out[k++] = from_b ? b[j] : a[i];
        j += from_b;
        i += !from_b;
    }
    while (i < n_a) {
        out[k++] = a[i++];
    }
    while (j < n_b) {
        out[k++] = b[j++];
    }
}

void spzf_sort(struct spzf_work *work, int n, const double *r)
{
    uint64_t *from = work->key_spare, *to = work->key;
    for (int i = 0; i < n; i++) {
        /* The bits of a non-negative double order like the number; its last 11 make room for the index. */
        uint64_t bits;
        memcpy(&bits, &r[i], sizeof(bits));
        from[i] = ((bits >> INDEX_BITS) << INDEX_BITS) | (uint64_t)i;
    }
    for (int i = 0; i < n; i += RUN) {
        sort_run(n - i < RUN ? n - i : RUN, from + i, to + i);
    }
    for (int width = RUN; width < n; width *= 2) {
        uint64_t *swap = from;
        from = to;
        to = swap;
        for (int i = 0; i < n; i += 2 * width) {
            int n_a = n - i < width ? n - i : width;
            int n_b = n - i - n_a < width ? n - i - n_a : width;
            merge_runs(from + i, n_a, from + i + n_a, n_b, to + i);
        }
    }
    for (int i = 0; i < n; i++) {
        work->order[i] = (int)(to[i] & ((1u << INDEX_BITS) - 1));
        work->sorted[i] = r[work->order[i]];
    }
}

/* Random (5.1) --------------------------------------------------------------------------------------------------- */

void spzf_part_random(const struct spzf_input *in, struct spzf_work *work, struct splitmix *rng, int *labels)
{
    int *order = work->order;
    for (int i = 0; i < in->n; i++) {
        order[i] = i;
    }
    for (int i = in->n - 1; i > 0; i--) {
        int j = splitmix_below(rng, i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = 0, p = 0; i < in->n; i++) {
        labels[order[i]] = p;
        p = p + 1 == in->n_sets ? 0 : p + 1;
    }
}

void spzf_part_uniform(const struct spzf_input *in, struct splitmix *rng, int *labels)
{
    for (int i = 0; i < in->n; i++) {
        labels[i] = splitmix_below(rng, in->n_sets);
    }
}

/* Pair and fill (6.1) --------------------------------------------------------------------------------------------- */

static int widest_gap(int n, const double *gap)
{
    int best = 0;
    double width = gap[0];
    for (int p = 1; p < n; p++) {
        best = gap[p] > width ? p : best;
        width = spzf_larger(width, gap[p]);
    }
    return best;
}

/* Deals what is left round the sets, always to a smallest one. */
static void deal(const struct spzf_input *in, struct spzf_work *work, int first, int *labels)
{
    int level = in->n, p = 0;
    for (int q = 0; q < in->n_sets; q++) {
        level = work->count[q] < level ? work->count[q] : level;
    }
    for (int i = first; i < in->n; i++) {
        while (work->count[p] > level) {
            if (++p == in->n_sets) {
                p = 0;
                level++;
            }
        }
        labels[work->order[i]] = p;
        work->count[p]++;
    }
}

void spzf_part_pair_fill(const struct spzf_input *in, struct spzf_work *work, int *labels)
{
    int n_sets = in->n_sets, i = 0;
    for (int p = 0; p < n_sets; p++) {
        int left = in->n - i;
        work->count[p] = left < 2 ? left : 2;
        work->gap[p] = left >= 2 ? work->sorted[i] - work->sorted[i + 1] : 0.0;
        for (int k = 0; k < work->count[p]; k++) {
            labels[work->order[i++]] = p;
        }
    }
    for (; i < in->n; i++) {
        int p = widest_gap(n_sets, work->gap);
        if (work->gap[p] <= 0.0) {
            break;
        }
        labels[work->order[i]] = p;
        work->gap[p] -= work->sorted[i];
        work->count[p]++;
    }
    deal(in, work, i, labels);
}

/* Best-fit depth first (6.2) --------------------------------------------------------------------------------------- */

/* work->used tells what is taken; labels are indexed by rank in the sorted order until the search ends. */
struct search {
    const struct spzf_input *in;
    struct spzf_work *work;
    int *by_rank;
    int budget;
};

static void take(struct search *s, int rank, int set)
{
    s->work->used[rank] = 1;
    s->by_rank[rank] = set;
}

static int next_free(const struct search *s, int rank)
{
    while (rank < s->in->n && s->work->used[rank]) {
        rank++;
    }
    return rank;
}

/* The last (shortest) rank in after+1 .. n-1 with magnitude >= gap. */
static int shortest_reaching(const struct search *s, int after, double gap)
{
    int low = after, high = s->in->n; /* sorted[low] >= gap or low == after; sorted[high] < gap */
    while (high - low > 1) {
        int mid = (low + high) / 2;
        if (s->work->sorted[mid] >= gap) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool fill_sets(struct search *s, int set, int n_left);

/* Every third antenna that closes (head, partner), shortest first. */
static bool try_thirds(struct search *s, int set, int n_left, int head, int partner)
{
    const struct spzf_work *work = s->work;
    double gap = work->sorted[head] - work->sorted[partner];
    for (int third = shortest_reaching(s, partner, gap); third > partner; third--) {
        if (work->used[third]) {
            continue;
        }
        if (s->budget-- <= 0) {
            return false;
        }
        take(s, head, set);
        take(s, partner, set);
        take(s, third, set);
        if (fill_sets(s, set + 1, n_left - 3)) {
            return true;
        }
        s->work->used[head] = s->work->used[partner] = s->work->used[third] = 0;
    }
    return false;
}

/* More than three from the top until the head is covered, if enough is left for the other sets. */
static bool try_stack(struct search *s, int set, int n_left, int head)
{
    int spare = n_left - 3 * (s->in->n_sets - set), taken = 1, i = head;
    double gap = s->work->sorted[head];
    int first = head;
    take(s, head, set);
    while (gap > 0.0 && taken < 3 + spare) {
        i = next_free(s, i);
        if (i >= s->in->n) {
            break;
        }
        take(s, i, set);
        gap -= s->work->sorted[i];
        taken++;
    }
    if (gap <= 0.0 && s->budget-- > 0 && fill_sets(s, set + 1, n_left - taken)) {
        return true;
    }
    for (i = first; i < s->in->n; i++) {
        if (s->work->used[i] && s->by_rank[i] == set) {
            s->work->used[i] = 0;
        }
    }
    return false;
}

/* Depth = number of sets, at most SPZF_MAX_ANT / 3 small frames. */
static bool fill_sets(struct search *s, int set, int n_left)
{
    int sets_left = s->in->n_sets - set;
    if (sets_left == 0) {
        return true;
    }
    if (n_left < 3 * sets_left) {
        return false;
    }
    int head = next_free(s, 0);
    for (int partner = next_free(s, head + 1); partner < s->in->n; partner = next_free(s, partner + 1)) {
        if (try_thirds(s, set, n_left, head, partner)) {
            return true;
        }
        if (s->budget <= 0) {
            return false;
        }
    }
    return n_left > 3 * sets_left && try_stack(s, set, n_left, head);
}

/* Antennas left over go to the smallest set whose longest is not shorter: that never lowers a dist. Set 0 holds the
 * longest of all. */
static void place_spares(struct search *s)
{
    struct spzf_work *work = s->work;
    for (int p = 0; p < s->in->n_sets; p++) {
        work->count[p] = 0;
        work->gap[p] = 0.0;
    }
    for (int i = s->in->n - 1; i >= 0; i--) {
        if (work->used[i]) {
            work->count[s->by_rank[i]]++;
            work->gap[s->by_rank[i]] = work->sorted[i];
        }
    }
    for (int i = 0; i < s->in->n; i++) {
        if (work->used[i]) {
            continue;
        }
        int best = 0;
        for (int p = 1; p < s->in->n_sets; p++) {
            if (work->gap[p] >= work->sorted[i] && work->count[p] < work->count[best]) {
                best = p;
            }
        }
        take(s, i, best);
        work->count[best]++;
    }
}

bool spzf_part_best_fit(const struct spzf_input *in, struct spzf_work *work, int *labels)
{
    int budget = work->budget > 4 * in->n_sets ? work->budget : 4 * in->n_sets;
    struct search s = {in, work, work->rank, budget};
    memset(work->used, 0, (size_t)in->n);
    if (!fill_sets(&s, 0, in->n)) {
        spzf_part_pair_fill(in, work, labels);
        return false;
    }
    place_spares(&s);
    for (int i = 0; i < in->n; i++) {
        labels[work->order[i]] = s.by_rank[i];
    }
    return true;
}
