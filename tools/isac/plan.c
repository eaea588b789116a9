/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/isac/plan.h"

#include "base/error.h"
#include "channel/channel.h"
#include "tools/json_file.h"
#include "tools/terminal/plot.h"
#include "tools/terminal/table.h"
#include "tools/tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double db(double x)
{
    return 10 * log10(x);
}

static double from_db(double x_db)
{
    return pow(10, x_db / 10);
}

static int allocate(struct isac_plan *plan, size_t m, size_t k, size_t l)
{
    const struct {
        double **at;
        size_t n;
    } parts[] = {{&plan->position_m, 3 * (m + k)},
                 {&plan->beta, m * k},
                 {&plan->gamma, m * k},
                 {&plan->zeta, m * l},
                 {&plan->theta, m * l},
                 {&plan->eta_c, m * k},
                 {&plan->eta_s, m * l},
                 {&plan->a, m},
                 {&plan->sinr, k},
                 {&plan->masr, l},
                 {&plan->sinr_eve, l},
                 {&plan->power, m}};
    bool ok = (plan->mode = calloc(m, 1)) != NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ok = (*parts[i].at = calloc(parts[i].n, sizeof(double))) && ok;
    }
    return ok ? 0 : error_set(TUTTI_ENOMEM, "no memory for a plan of %zu access points", m);
}

void isac_plan_destroy(struct isac_plan *plan)
{
    double *const parts[] = {plan->position_m, plan->beta, plan->gamma, plan->zeta, plan->theta,    plan->eta_c,
                             plan->eta_s,      plan->a,    plan->sinr,  plan->masr, plan->sinr_eve, plan->power};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        free(parts[i]);
    }
    free(plan->mode);
}

/* Pilot energy over noise of one estimate: all pilot symbols of a user, averaged over a subband. */
static double pilot_energy(const struct config *config)
{
    int n_pilot = 0;
    char letters[TUTTI_MAX_SYMBOL + 1];
    config_schedule_expand(config->frame.schedule, letters, sizeof letters); /* checked when it was loaded */
    for (const char *p = letters; *p; p++) {
        n_pilot += *p == 'P';
    }
    return channel_uplink_snr_scale(config) * n_pilot * config->frame.subcarriers_per_subband;
}

int isac_plan_create(struct isac_plan *plan, const struct config *config)
{
    const int m = config->network.n_ap, k = config->network.n_ue, l = (int)config->sensing.zones_m_count;
    *plan = (struct isac_plan){.config = config};
    if (l == 0) {
        return error_set(TUTTI_ECONFIG, "sensing.zones_m is empty: give the zones' centres, such as sensing.zones_m: "
                                        "[[100, 50, 1.5], [300, 400, 1.5]]");
    }
    int status = allocate(plan, (size_t)m, (size_t)k, (size_t)l);
    status = status ? status : channel_large_scale(config, plan->beta);
    status = status ? status : channel_zones(config, 0, plan->zeta, plan->theta);
    if (status) {
        return status;
    }
    for (int i = 0; i < m * k; i++) {
        plan->beta[i] = from_db(plan->beta[i]);
    }
    channel_positions(config, plan->position_m, plan->position_m + 3 * m);
    isac_estimate_variance(m * k, pilot_energy(config), plan->beta, plan->gamma);
    plan->scene = (struct isac_scene){.n_ap = m,
                                      .n_ant = config->network.n_ant,
                                      .n_ue = k,
                                      .n_zone = l,
                                      .rho = channel_downlink_snr_scale(config),
                                      .d_over_lambda = config->sensing.d_over_lambda,
                                      .beta = plan->beta,
                                      .gamma = plan->gamma,
                                      .zeta = plan->zeta,
                                      .theta = plan->theta};
    plan->limits =
        (struct isac_limits){from_db(config->sensing.kappa_db), config->sensing.nu, from_db(config->sensing.qos_db)};
    plan->objective = config->sensing.objective == CONFIG_SENSING_SP ? ISAC_SP : ISAC_CP;
    return 0;
}

static int take_modes(struct isac_plan *plan, const char *modes)
{
    if (strlen(modes) != (size_t)plan->scene.n_ap || strspn(modes, "01") != strlen(modes)) {
        return error_set(TUTTI_EINVAL, "modes %s: %d letters are needed, 0 (senses) or 1 (communicates) for each AP",
                         modes, plan->scene.n_ap);
    }
    for (int m = 0; m < plan->scene.n_ap; m++) {
        plan->mode[m] = modes[m] == '1' ? ISAC_COMMUNICATION : ISAC_SENSING;
    }
    return 0;
}

static int solve_given(struct isac_plan *plan, const char *modes, isac_power_t *power)
{
    const int status = take_modes(plan, modes);
    if (!status) {
        plan->decision = (struct isac_decision){.bound = NAN, .solves = 1};
        isac_power_solve(power, &plan->scene, &plan->limits, plan->objective, plan->mode, plan->eta_c, plan->eta_s,
                         &plan->decision.solution);
    }
    return status;
}

int isac_plan_solve(struct isac_plan *plan, enum isac_effort effort, const char *modes)
{
    const struct isac_scene *const s = &plan->scene;
    isac_power_t *power = NULL;
    isac_modes_t *search = NULL;
    int status = isac_power_create(&power, s->n_ap, s->n_ue, s->n_zone);
    status = status ? status : isac_modes_create(&search, s->n_ap, s->n_ue, s->n_zone);
    if (!status) {
        memset(plan->mode, ISAC_EITHER, (size_t)s->n_ap);
        plan->largest_masr = isac_power_largest_masr(power, s, plan->mode);
        if (modes) {
            status = solve_given(plan, modes, power);
        } else {
            isac_modes_search(search, s, &plan->limits, plan->objective, effort, plan->mode, plan->eta_c, plan->eta_s,
                              &plan->decision);
        }
    }
    for (int m = 0; m < s->n_ap; m++) {
        plan->a[m] = plan->mode[m];
    }
    isac_evaluate(s, plan->a, plan->eta_c, plan->eta_s, NULL,
                  &(struct isac_metrics){plan->sinr, plan->masr, plan->sinr_eve, plan->power});
    isac_modes_destroy(search);
    isac_power_destroy(power);
    return status;
}

static void print_aps(const struct isac_plan *plan)
{
    static const char *const HEADERS[] = {"AP", "x m", "y m", "mode", "power", NULL};
    table_t *const table = table_create("Access points", HEADERS);
    for (int m = 0; m < plan->scene.n_ap; m++) {
        table_cell(table, "%d", m);
        table_number(table, 1, plan->position_m[3 * m]);
        table_number(table, 1, plan->position_m[3 * m + 1]);
        table_cell(table, "%s", plan->mode[m] ? "communication" : "sensing");
        table_number(table, 3, plan->power[m]);
    }
    table_print(table, stdout);
    table_destroy(table);
}

static void print_others(const struct isac_plan *plan)
{
    static const char *const USERS[] = {"user", "SINR dB", "rate bit/s/Hz", "secrecy bit/s/Hz", NULL};
    static const char *const ZONES[] = {"zone", "MASR dB", "eavesdropper's SINR", "its rate bit/s/Hz", NULL};
    table_t *const users = table_create("Users", USERS), *const zones = table_create("Zones", ZONES);
    double strongest = 0;
    for (int l = 0; l < plan->scene.n_zone; l++) {
        strongest = fmax(strongest, log2(1 + plan->sinr_eve[l]));
        table_cell(zones, "%d", l);
        table_number(zones, 2, db(plan->masr[l]));
        table_cell(zones, "%.4g", plan->sinr_eve[l]);
        table_number(zones, 3, log2(1 + plan->sinr_eve[l]));
    }
    for (int k = 0; k < plan->scene.n_ue; k++) {
        const double rate = log2(1 + plan->sinr[k]);
        table_cell(users, "%d", k);
        table_number(users, 2, db(plan->sinr[k]));
        table_number(users, 2, rate);
        table_number(users, 2, fmax(rate - strongest, 0));
    }
    table_print(users, stdout);
    table_print(zones, stdout);
    table_destroy(users);
    table_destroy(zones);
}

static void print_verdict(const struct isac_plan *plan)
{
    const struct isac_solution *const s = &plan->decision.solution;
    const struct config_sensing *const asked = &plan->config->sensing;
    if (s->verdict == ISAC_MASR_UNREACHABLE) {
        printf("Infeasible: sensing.kappa_db = %g is asked, all zones together reach %.2f dB at most%s.\n",
               asked->kappa_db, db(plan->largest_masr), plan->decision.solves > 1 ? "" : ", with all APs sensing");
    } else if (s->verdict == ISAC_QOS_UNREACHABLE && plan->objective == ISAC_SP) {
        printf("Infeasible: sensing.qos_db = %g is asked, all users together reach %.2f dB.\n", asked->qos_db,
               db(s->reachable));
    } else if (s->verdict == ISAC_QOS_UNREACHABLE) {
        printf("Infeasible: no choice of modes serves every user and every zone.\n");
    } else if (plan->objective == ISAC_CP) {
        printf(
            "Communication prioritised: every user has %.2f dB or more; no choice of modes gives them more than %.2f "
            "dB.\n",
            db(s->objective), db(plan->decision.bound));
    } else {
        printf(
            "Security prioritised: no eavesdropper has more than %.4g (bound of any choice %.4g); every user has its "
            "%.2f dB.\n",
            s->objective, plan->decision.bound, asked->qos_db);
    }
}

void isac_plan_print(const struct isac_plan *plan)
{
    if (plan->decision.solution.verdict == ISAC_FEASIBLE) {
        print_aps(plan);
        print_others(plan);
    }
    print_verdict(plan);
    printf("%d power problems solved, %d Newton steps. Rates are per downlink symbol.\n", plan->decision.solves,
           plan->decision.solution.steps);
}

int isac_plan_json(const struct isac_plan *plan, const char *path)
{
    static const char *const VERDICTS[] = {"feasible", "masr_unreachable", "qos_unreachable"};
    const struct isac_scene *const s = &plan->scene;
    const struct isac_solution *const solution = &plan->decision.solution;
    const double numbers[] = {solution->objective, plan->decision.bound, plan->largest_masr};
    json_t *const values = json_file_numbers(numbers, 3);
    json_t *const root = json_pack(
        "{s:s, s:s, s:O, s:O, s:O, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "objective",
        plan->objective == ISAC_CP ? "cp" : "sp", "verdict", VERDICTS[solution->verdict], "value",
        json_array_get(values, 0), "bound", json_array_get(values, 1), "largest_masr", json_array_get(values, 2),
        "solves", plan->decision.solves, "mode", json_file_numbers(plan->a, s->n_ap), "power",
        json_file_numbers(plan->power, s->n_ap), "sinr", json_file_numbers(plan->sinr, s->n_ue), "masr",
        json_file_numbers(plan->masr, s->n_zone), "sinr_eve", json_file_numbers(plan->sinr_eve, s->n_zone), "eta_c",
        json_file_numbers(plan->eta_c, s->n_ap * s->n_ue), "eta_s",
        json_file_numbers(plan->eta_s, s->n_ap * s->n_zone));
    json_decref(values);
    return json_file_write(path, root);
}

static void plot_points(FILE *out, const char *name, const double *position_m, int n, const unsigned char *mode,
                        int wanted)
{
    fprintf(out, "$%s << EOD\n", name);
    for (int i = 0; i < n; i++) {
        if (!mode || mode[i] == wanted) {
            fprintf(out, "%.2f %.2f %d\n", position_m[3 * i], position_m[3 * i + 1], i);
        }
    }
    fputs("nan nan 0\nEOD\n", out); /* never empty */
}

static void plot_map(FILE *out, const struct isac_plan *plan)
{
    const struct isac_scene *const s = &plan->scene;
    plot_points(out, "communication", plan->position_m, s->n_ap, plan->mode, ISAC_COMMUNICATION);
    plot_points(out, "sensing", plan->position_m, s->n_ap, plan->mode, ISAC_SENSING);
    plot_points(out, "users", plan->position_m + 3 * s->n_ap, s->n_ue, NULL, 0);
    for (int l = 0; l < s->n_zone; l++) {
        char name[32];
        snprintf(name, sizeof name, "zone%d", l);
        plot_points(out, name, plan->config->sensing.zones_m[l].value, 1, NULL, 0);
    }
    fputs("set size ratio -1\nset key outside bottom center horizontal\nset xlabel 'x, m'\nset ylabel 'y, m'\nplot "
          "$communication using 1:2:3 with labels point pt 5 ps 1 lc rgb '#2a6fb0' offset 1,0.6 title 'AP, "
          "communication', $sensing using 1:2:3 with labels point pt 9 ps 1.3 lc rgb '#c05020' offset 1,0.6 title 'AP, "
          "sensing', $users using 1:2:3 with labels point pt 7 ps 0.8 lc rgb '#208050' offset 1,0.6 title 'user'",
          out);
    for (int l = 0; l < s->n_zone; l++) {
        fprintf(out, ", $zone%d using 1:2 with points pt 6 ps 4 lw 2 lc rgb '#b02a2a' %s", l,
                l ? "notitle" : "title 'sensing zone'");
    }
    fputc('\n', out);
}

int isac_plan_map(const struct isac_plan *plan, const char *path)
{
    plot_t *plot;
    int status = plot_create(&plot);
    if (!status) {
        const int number = plot_begin(plot, 640, 640);
        plot_map(plot_script(plot), plan);
        status = plot_draw(plot);
        status = status ? status : tool_write_new(path, plot_svg(plot, number));
    }
    plot_destroy(plot);
    return status;
}
