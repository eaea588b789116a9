/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/parts_live.h"

#include "base/error.h"
#include "cpu_node/homes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One central node's figures: those that count, and those that will. */
struct figures {
    struct parts_moments now, next;
    uint64_t from_block; /* of next; 0: none */
};

struct parts_live {
    struct parts_live_settings settings;
    struct figures *figures;       /* [n_cpu] */
    struct parts_moments learning; /* this node's, of the blocks since it last told */
    struct parts_moments heard;    /* a line that is being read */
    struct parts_moments *now;     /* [n_cpu] views of figures */
    uint64_t n_learnt, newest;     /* blocks in it, the last one's number */
    uint64_t n_far;                /* lines of blocks far ahead */
    bool told_once, tell_again;
    uint8_t *serves;        /* [n_cpu][n_ue] */
    double complex *weight; /* [n_cpu][n_ue] */
    double *memory;
};

/* Life ------------------------------------------------------------------------------------------------------------- */

/* Five doubles a user. */
static struct parts_moments moments_at(double *memory, size_t n_ue)
{
    return (struct parts_moments){.own = (double complex *)memory,
                                  .square = memory + 2 * n_ue,
                                  .power = memory + 3 * n_ue,
                                  .count = memory + 4 * n_ue};
}

static void forget(const struct parts_live *p, const struct parts_moments *moments)
{
    memset(moments->own, 0, 5 * (size_t)p->settings.n_ue * sizeof(double));
}

static void copy(const struct parts_live *p, const struct parts_moments *to, const struct parts_moments *from)
{
    memcpy(to->own, from->own, 5 * (size_t)p->settings.n_ue * sizeof(double));
}

int parts_live_create(parts_live_t **parts, const struct parts_live_settings *settings)
{
    struct parts_live *const p = *parts = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory for the weights of central nodes' parts");
    }
    const size_t n_cpu = (size_t)settings->n_cpu, n_ue = (size_t)settings->n_ue;
    p->settings = *settings;
    p->figures = calloc(n_cpu, sizeof *p->figures);
    p->now = calloc(n_cpu, sizeof *p->now);
    p->serves = calloc(n_cpu * n_ue, 1);
    p->weight = calloc(n_cpu * n_ue, sizeof *p->weight);
    p->memory = calloc((2 * n_cpu + 2) * 5 * n_ue, sizeof *p->memory);
    if (!p->figures || !p->now || !p->serves || !p->weight || !p->memory) {
        return error_set(TUTTI_ENOMEM, "out of memory for the weights of central nodes' parts");
    }
    for (size_t c = 0; c < n_cpu; c++) {
        p->now[c] = p->figures[c].now = moments_at(p->memory + 2 * c * 5 * n_ue, n_ue);
        p->figures[c].next = moments_at(p->memory + (2 * c + 1) * 5 * n_ue, n_ue);
    }
    p->learning = moments_at(p->memory + 2 * n_cpu * 5 * n_ue, n_ue);
    p->heard = moments_at(p->memory + (2 * n_cpu + 1) * 5 * n_ue, n_ue);
    return TUTTI_OK;
}

void parts_live_destroy(parts_live_t *p)
{
    if (p) {
        free(p->figures);
        free(p->now);
        free(p->serves);
        free(p->weight);
        free(p->memory);
        free(p);
    }
}

/* Who sends -------------------------------------------------------------------------------------------------------- */

void parts_live_alive(parts_live_t *p, int cpu, bool up)
{
    if (!p || cpu < 0 || cpu >= p->settings.n_cpu) {
        return;
    }
    p->tell_again = p->tell_again || up; /* it knows nothing of this one */
    if (!up) {
        forget(p, &p->figures[cpu].now);
        p->figures[cpu].from_block = 0;
    }
}

static void take_what_counts(struct parts_live *p, uint64_t block)
{
    for (int c = 0; c < p->settings.n_cpu; c++) {
        struct figures *const f = &p->figures[c];
        if (f->from_block > 0 && block >= f->from_block) {
            copy(p, &f->now, &f->next);
            f->from_block = 0;
        }
    }
}

void parts_live_turn(parts_live_t *p, const uint8_t *serves, const int *home, struct cpu_block *block)
{
    const int n_cpu = p->settings.n_cpu, n_ue = p->settings.n_ue;
    take_what_counts(p, block->number);
    for (int c = 0; c < n_cpu; c++) {
        for (int k = 0; k < n_ue; k++) {
            const bool helps = home[k] < 0 || (p->now[c].count[k] > 0 && p->now[home[k]].count[k] > 0);
            p->serves[c * n_ue + k] = serves[c * n_ue + k] && (c == home[k] || helps);
        }
    }
    parts_weights(n_cpu, n_ue, p->now, p->serves, parts_dual_power(n_cpu, n_ue, p->now, p->serves), p->weight);
    memcpy(block->part->weight, p->weight + p->settings.self * n_ue, (size_t)n_ue * sizeof *p->weight);
}

/* What is learnt and told ------------------------------------------------------------------------------------------ */

/* In the precision of the recording. */
static void write_sent(const struct cpu_block *block)
{
    const struct block_part *const part = block->part;
    const size_t n_ue = (size_t)block->shape.n_ue, n = (size_t)block->shape.n_sb * n_ue * n_ue;
    for (size_t i = 0; i < n; i++) {
        part->sent[i] = (tutti_cf32)part->gain[i];
    }
    for (size_t k = 0; k < n_ue; k++) {
        part->sent_by[k] = (tutti_cf32)part->weight[k];
    }
}

void parts_live_learn(parts_live_t *p, struct cpu_block *block)
{
    for (int sb = 0; sb < block->shape.n_sb; sb++) {
        const struct parts_heard heard = block_part_heard(block, sb);
        const double factor = block->part->factor[sb];
        parts_learn(p->settings.n_ue, &heard, block->user_used, factor, &p->learning);
        parts_apply_heard(p->settings.n_ue, block->part->weight, factor, &heard);
    }
    write_sent(block);
    p->n_learnt++;
    p->newest = block->number;
}

/* Figures of a central node that count from a block on. */
static void put_next(struct parts_live *p, int cpu, const struct parts_moments *moments, uint64_t from_block)
{
    copy(p, &p->figures[cpu].next, moments);
    p->figures[cpu].from_block = from_block;
}

static json_t *numbers(const double *values, size_t n)
{
    json_t *const array = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(array, json_real(values[i]));
    }
    return array;
}

/* What this node does, as the others get it. */
static char *line_of(const struct parts_live *p, const struct parts_moments *m, uint64_t from_block)
{
    const size_t n_ue = (size_t)p->settings.n_ue;
    json_t *const root =
        json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "type", "weights", "from_block", (json_int_t)from_block, "own",
                  numbers((const double *)m->own, 2 * n_ue), "square", numbers(m->square, n_ue), "power",
                  numbers(m->power, n_ue), "count", numbers(m->count, n_ue));
    char *const text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return text;
}

char *parts_live_told(parts_live_t *p)
{
    const uint64_t from_block = p->newest + p->settings.lead_blocks + 1;
    const struct figures *const own = &p->figures[p->settings.self];
    const bool first = !p->told_once && p->n_learnt >= PARTS_LIVE_FIRST_BLOCKS;
    if (p->n_learnt >= p->settings.every_blocks || first) {
        char *const line = line_of(p, &p->learning, from_block);
        put_next(p, p->settings.self, &p->learning, from_block);
        forget(p, &p->learning);
        p->n_learnt = 0;
        p->told_once = true;
        p->tell_again = false;
        return line;
    }
    if (!p->tell_again || !p->told_once) {
        return NULL;
    }
    p->tell_again = false;
    return own->from_block > 0 ? line_of(p, &own->next, own->from_block) : line_of(p, &own->now, from_block);
}

/* Exactly so many finite numbers, of magnitudes that squares of cannot overflow. */
static bool read_numbers(const json_t *array, size_t n, double least, double *values)
{
    static const double MOST = 1e60;
    bool good = json_array_size(array) == n;
    for (size_t i = 0; good && i < n; i++) {
        const json_t *const number = json_array_get(array, i);
        values[i] = json_number_value(number);
        good = json_is_number(number) && values[i] >= least && fabs(values[i]) <= MOST;
    }
    return good;
}

bool parts_live_hear(parts_live_t *p, int cpu, const json_t *root)
{
    const size_t n_ue = (size_t)p->settings.n_ue;
    const json_t *const from = json_object_get(root, "from_block");
    if (cpu < 0 || cpu >= p->settings.n_cpu || cpu == p->settings.self || !json_is_integer(from) ||
        json_integer_value(from) <= 0) {
        return false;
    }
    if (!read_numbers(json_object_get(root, "own"), 2 * n_ue, -INFINITY, (double *)p->heard.own) ||
        !read_numbers(json_object_get(root, "square"), n_ue, 0, p->heard.square) ||
        !read_numbers(json_object_get(root, "power"), n_ue, 0, p->heard.power) ||
        !read_numbers(json_object_get(root, "count"), n_ue, 0, p->heard.count)) {
        return false;
    }
    const uint64_t from_block = (uint64_t)json_integer_value(from);
    p->n_far += p->newest > 0 && from_block > p->newest + p->settings.lead_blocks + 1 + HOMES_AHEAD_BLOCKS;
    put_next(p, cpu, &p->heard, from_block);
    return true;
}

uint64_t parts_live_far(const parts_live_t *p)
{
    return p ? p->n_far : 0;
}
