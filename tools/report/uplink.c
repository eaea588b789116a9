/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/uplink.h"

#include <inttypes.h>
#include <math.h>

/* Numbers ---------------------------------------------------------------------------------------------------------- */

static void add_counts(struct report_uplink_user *user, const struct recording_uplink *u, size_t at)
{
    user->n_block += u->bits[at] > 0;
    user->bits += (uint64_t)u->bits[at];
    user->bit_errors += (uint64_t)u->bit_errors[at];
    user->coded_bits += (uint64_t)u->coded_bits[at];
    user->coded_bit_errors += (uint64_t)u->coded_bit_errors[at];
    user->code_blocks += (uint64_t)u->code_blocks[at];
    user->code_block_errors += (uint64_t)u->code_block_errors[at];
}

struct report_uplink_user report_uplink_user(const struct recording *r, int k)
{
    const struct recording_uplink *const u = &r->uplink;
    struct report_uplink_user user = {.throughput_bps = NAN};
    double right_bits = 0, square = 0;
    uint64_t n = 0, n_evm = 0;
    for (uint64_t b = 0; b < r->n_block; b++) {
        const size_t at = b * (size_t)r->n_ue + (size_t)k;
        add_counts(&user, u, at);
        if (u->code_blocks[at] > 0) {
            right_bits += (double)u->bits[at] * (double)(u->code_blocks[at] - u->code_block_errors[at]) /
                          (double)u->code_blocks[at];
        }
        if (isfinite(u->evm[at])) {
            square += u->evm[at] * u->evm[at];
            n_evm++;
        }
        if (!r->learning[b] && u->sinr_measured[at] > 0 && u->sinr_predicted[at] > 0) {
            user.measured_db += 10 * log10(u->sinr_measured[at]);
            user.predicted_db += 10 * log10(u->sinr_predicted[at]);
            n++;
        }
    }
    user.measured_db = n ? user.measured_db / (double)n : NAN;
    user.predicted_db = n ? user.predicted_db / (double)n : NAN;
    user.evm = n_evm ? sqrt(square / (double)n_evm) : NAN;
    if (isfinite(r->block_s) && r->n_block > 0) {
        user.throughput_bps = right_bits / (r->block_s * (double)r->n_block);
    }
    return user;
}

static double mean_of(const double *values, uint64_t n)
{
    double sum = 0;
    uint64_t count = 0;
    for (uint64_t i = 0; i < n; i++) {
        sum += isfinite(values[i]) ? values[i] : 0;
        count += isfinite(values[i]) ? 1 : 0;
    }
    return count ? sum / (double)count : NAN;
}

/* AP-blocks of a solve without data, of blocks of which anything was decoded; and bytes of a message. */
static uint64_t count_lost(const struct recording *r, double *bytes)
{
    const struct recording_uplink *const u = &r->uplink;
    uint64_t lost = 0, n = 0;
    double sum = 0;
    for (uint64_t i = 0; i < r->n_block * (uint64_t)r->n_ap; i++) {
        const bool decoded = isfinite(u->combine_s[i / (uint64_t)r->n_ap]);
        lost += decoded && r->ap_used[i] && !u->ap_used[i];
        sum += u->ap_used[i] ? (double)u->bytes[i] : 0;
        n += u->ap_used[i];
    }
    *bytes = n ? sum / (double)n : NAN;
    return lost;
}

/* Words ------------------------------------------------------------------------------------------------------------ */

static double ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

static const char *how(const struct recording *r)
{
    static const char *const central[] = {"combined centrally (mmse)", "combined centrally (zf)",
                                          "combined centrally (mr)"};
    static const char *const local[][2] = {
        {"combined at the access points (mmse), instant fusion", "combined at the access points (mmse), LSFD"},
        {"combined at the access points (mr), instant fusion", "combined at the access points (mr), LSFD"}};
    const struct config_uplink *const u = r->config ? &r->config->uplink : NULL;
    return !u                                 ? "combined"
           : u->mode == CONFIG_UPLINK_CENTRAL ? central[u->combiner]
                                              : local[u->combiner == CONFIG_COMBINER_MR][u->fusion];
}

static void write_cost(const struct recording *r, FILE *out)
{
    const struct recording_uplink *const u = &r->uplink;
    double bytes;
    const uint64_t lost = count_lost(r, &bytes);
    fprintf(out, "An access point's message: %.0f bytes a block", bytes);
    if (isfinite(r->block_s)) {
        fprintf(out, ", %.2f Mbit/s", 8e-6 * bytes / r->block_s);
    }
    fprintf(out, "; %" PRIu64 " of the access points' blocks came too late or not at all. ", lost);
    fprintf(out, "Processor time of the CPU node per block: combining %.0f us, decoding %.0f us.\n",
            1e6 * mean_of(u->combine_s, r->n_block), 1e6 * mean_of(u->decode_s, r->n_block));
}

void report_uplink_print(const struct recording *r, FILE *out)
{
    if (!r->uplink.there) {
        return;
    }
    fprintf(out, "\nUplink data of the users, %s (mean SINR; EVM: root mean square)\n", how(r));
    fprintf(out,
            "user  measured dB  predicted dB    EVM %%   raw BER       BER      BLER    wrong    blocks  Mbit/s\n");
    for (int k = 0; k < r->n_ue; k++) {
        const struct report_uplink_user v = report_uplink_user(r, k);
        fprintf(out,
                "%-4d  %11.2f  %12.2f  %7.2f  %8.2e  %8.2e  %8.2e  %3" PRIu64 "/%-5" PRIu64 " %4" PRIu64 "/%-4" PRIu64
                " %6.3f\n",
                k, v.measured_db, v.predicted_db, 100 * v.evm, ratio(v.coded_bit_errors, v.coded_bits),
                ratio(v.bit_errors, v.bits), ratio(v.code_block_errors, v.code_blocks), v.code_block_errors,
                v.code_blocks, v.n_block, r->n_block, 1e-6 * v.throughput_bps);
    }
    write_cost(r, out);
}

/* Page ------------------------------------------------------------------------------------------------------------- */

/* The last row with points of this user; NULL: there is none. */
static const tutti_cf32 *last_points(const struct recording_uplink *u, int n_ue, int k)
{
    for (uint64_t row = u->n_constellation; u->constellation && row-- > 0;) {
        const tutti_cf32 *points = u->constellation + (row * (size_t)n_ue + (size_t)k) * (size_t)u->n_point;
        if (isfinite(crealf(points[0])) && (crealf(points[0]) != 0 || cimagf(points[0]) != 0)) {
            return points;
        }
    }
    return NULL;
}

void report_uplink_collect(struct report_uplink *uplink, plot_t *plot, const struct recording *r)
{
    *uplink = (struct report_uplink){0};
    if (!r->uplink.there) {
        return;
    }
    uplink->n_user = r->n_ue < REPORT_MAX_USERS ? r->n_ue : REPORT_MAX_USERS;
    for (int k = 0; k < uplink->n_user; k++) {
        const tutti_cf32 *points = last_points(&r->uplink, r->n_ue, k);
        uplink->constellation[k] = points ? report_draw_points(plot, points, r->uplink.n_point) : -1;
    }
}

static void write_table(const struct recording *r, FILE *out)
{
    fputs("<div class=\"scroll\"><table>\n<tr><th class=\"l\">User</th><th>measured, dB</th><th>predicted, dB</th>"
          "<th>EVM, %</th><th>raw BER</th><th>BER</th><th>BLER</th><th>wrong</th><th>blocks</th><th>Mbit/s</th></tr>\n",
          out);
    for (int k = 0; k < r->n_ue; k++) {
        const struct report_uplink_user v = report_uplink_user(r, k);
        fprintf(out,
                "<tr><td class=\"l\">%d</td><td>%.2f</td><td>%.2f</td><td>%.2f</td><td>%.2e</td><td>%.2e</td>"
                "<td>%.2e</td><td>%" PRIu64 "/%" PRIu64 "</td><td>%" PRIu64 "</td><td>%.3f</td></tr>\n",
                k, v.measured_db, v.predicted_db, 100 * v.evm, ratio(v.coded_bit_errors, v.coded_bits),
                ratio(v.bit_errors, v.bits), ratio(v.code_block_errors, v.code_blocks), v.code_block_errors,
                v.code_blocks, v.n_block, 1e-6 * v.throughput_bps);
    }
    fputs("</table></div>\n<p class=\"note\">", out);
    write_cost(r, out);
    fputs("</p>\n", out);
}

void report_uplink_write(const struct report_uplink *uplink, const plot_t *plot, const struct recording *r, FILE *out)
{
    if (!r->uplink.there) {
        return;
    }
    fprintf(out, "<section>\n<h2>Uplink data</h2>\n<p class=\"note\">Users' data in the U symbols, %s.</p>\n", how(r));
    write_table(r, out);
    fputs("<div class=\"grid small\">\n", out);
    for (int k = 0; k < uplink->n_user; k++) {
        const char *const svg = plot && uplink->constellation[k] >= 0 ? plot_svg(plot, uplink->constellation[k]) : NULL;
        if (svg) {
            fprintf(out, "<figure><figcaption>User %d <span>last recorded block</span></figcaption>\n%s\n</figure>\n",
                    k, svg);
        }
    }
    fputs("</div>\n</section>\n", out);
}
