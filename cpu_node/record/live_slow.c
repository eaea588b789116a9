/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/live_slow.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int live_slow_create(struct live_slow *s, int n_ap, int n_ue, int n_zone)
{
    *s = (struct live_slow){.n_ap = n_ap, .n_ue = n_ue, .n_zone = n_zone};
    s->senses = calloc((size_t)n_ap, 1);
    s->now = calloc((size_t)n_ue, 1);
    s->masr = calloc((size_t)n_zone + 1, sizeof *s->masr);
    s->sinr_eve = calloc((size_t)n_zone + 1, sizeof *s->sinr_eve);
    return s->senses && s->now && s->masr && s->sinr_eve ? TUTTI_OK
                                                         : error_set(TUTTI_ENOMEM, "out of memory for the live status");
}

void live_slow_free(struct live_slow *s)
{
    free(s->senses);
    free(s->now);
    free(s->masr);
    free(s->sinr_eve);
}

void live_slow_block(struct live_slow *s, const struct cpu_block *block)
{
    memcpy(s->now, block->user_used, (size_t)s->n_ue);
    s->planned = block->planned && block->plan && s->n_zone > 0;
    if (!s->planned) {
        return;
    }
    const struct sensing_shape shape = {s->n_ap, s->n_ue, s->n_zone};
    const struct sensing_plan plan = sensing_plan_in(block->plan, &shape);
    for (int m = 0; m < s->n_ap; m++) {
        s->senses[m] = plan.mode[m] < 0.5;
    }
    memcpy(s->masr, plan.masr, (size_t)s->n_zone * sizeof *s->masr);
    memcpy(s->sinr_eve, plan.sinr_eve, (size_t)s->n_zone * sizeof *s->sinr_eve);
}

/* The number after " key=", or NaN. */
static double figure(const char *text, const char *key)
{
    char word[24];
    snprintf(word, sizeof word, " %s=", key);
    const char *const at = strstr(text, word);
    char *end = NULL;
    const double value = at ? strtod(at + strlen(word), &end) : NAN;
    return at && end != at + strlen(word) ? value : NAN;
}

static enum recovery_kind kind_of(const char *text)
{
    const char *const at = strstr(text, " kind=");
    const size_t length = at ? strcspn(at + 6, " ") : 0;
    for (int kind = RECOVERY_START; at && kind <= RECOVERY_BLOCKAGE; kind++) {
        const char *const name = recovery_kind_name((enum recovery_kind)kind);
        if (strlen(name) == length && strncmp(at + 6, name, length) == 0) {
            return (enum recovery_kind)kind;
        }
    }
    return RECOVERY_START;
}

static int number(const char *text, const char *key)
{
    const double value = figure(text, key);
    return value >= 0 && value < 1e6 ? (int)value : -1;
}

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

void live_slow_event(struct live_slow *s, const char *text)
{
    if (begins(text, "RESILIENCE-BEGIN ")) {
        s->any = s->busy = true;
        s->kind = kind_of(text);
        s->ap = number(text, "ap");
        s->user = number(text, "ue");
        s->n_candidates = 0;
        s->gap = s->absorption = s->ms = NAN;
        s->best = (struct resilience_score){NAN, NAN, NAN};
    } else if (begins(text, "RESILIENCE-ABSORBED ")) {
        s->gap = figure(text, "gap");
        s->absorption = figure(text, "r_abs");
    } else if (begins(text, "RESILIENCE-CANDIDATE ")) {
        const double score = figure(text, "score");
        s->n_candidates++;
        if (!(score <= s->best.score)) {
            s->best = (struct resilience_score){figure(text, "r_ada"), figure(text, "r_rec"), score};
            s->ms = figure(text, "ms");
            s->gap = figure(text, "gap");
        }
    } else if (begins(text, "RESILIENCE-END ")) {
        s->busy = false;
    }
}

/* JSON has no NaN. */
static json_t *rounded(double value, double unit)
{
    return isfinite(value) ? json_real(round(value / unit) * unit) : json_null();
}

static json_t *db(double x)
{
    return rounded(x > 0 ? 10 * log10(x) : NAN, 0.01);
}

void live_slow_ap(const struct live_slow *s, int ap, json_t *object)
{
    if (s->planned) {
        json_object_set_new(object, "mode", json_string(s->senses[ap] ? "senses" : "serves"));
    }
}

void live_slow_user(const struct live_slow *s, int user, json_t *object)
{
    json_object_set_new(object, "now", json_boolean(s->now[user]));
}

static json_t *resilience(const struct live_slow *s)
{
    return json_pack("{s:s, s:i, s:i, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", recovery_kind_name(s->kind),
                     "ap", s->ap, "user", s->user, "busy", s->busy, "candidates", s->n_candidates, "gap",
                     rounded(s->gap, 1e-6), "absorption", rounded(s->absorption, 1e-6), "adaptation",
                     rounded(s->best.adaptation, 1e-6), "recovery", rounded(s->best.recovery, 1e-6), "score",
                     rounded(s->best.score, 1e-6), "ms", rounded(s->ms, 1e-3));
}

void live_slow_tell(const struct live_slow *s, json_t *root)
{
    if (s->any) {
        json_object_set_new(root, "resilience", resilience(s));
    }
    if (!s->planned) {
        return;
    }
    json_t *const zones = json_array();
    for (int z = 0; z < s->n_zone; z++) {
        json_array_append_new(zones, json_pack("{s:o, s:o}", "masr_db", db(s->masr[z]), "eve_db", db(s->sinr_eve[z])));
    }
    json_object_set_new(root, "zones", zones);
}
