/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile reports through the quick reader of the CPU node: whatever it takes, a real JSON parser takes too, and both
 * read the same values. Then into rows, as a user's and as an eavesdropper's: what is kept is of a block that can be.
 */
#include "cpu_node/record/reports.h"
#include "cpu_node/record/scan.h"
#include "fuzz.h"

#include <jansson.h>
#include <string.h>

static const char *const NAMES[SCAN_COUNTS] = {"bits",        "bit_errors",       "coded_bits", "coded_bit_errors",
                                               "code_blocks", "code_block_errors"};
enum { ROOM = 4 };
static uint64_t n_taken, n_with_points, n_left, n_kept, n_kept_eve;

static void compare(json_t *root, const struct scanned_report *r)
{
    MUST((int64_t)json_number_value(json_object_get(root, "block")) == r->block);
    MUST(json_number_value(json_object_get(root, "sinr")) == r->sinr);
    MUST(json_number_value(json_object_get(root, "evm")) == r->evm);
    for (int i = 0; i < SCAN_COUNTS; i++) {
        MUST(json_integer_value(json_object_get(root, NAMES[i])) == r->count[i]);
    }
    const json_t *points = json_object_get(root, "constellation");
    MUST(json_is_array(points) == (r->n_point >= 0) && r->n_point <= ROOM);
    for (int p = 0; p < r->n_point; p++) {
        MUST(json_number_value(json_array_get(points, (size_t)p)) == r->point[p]);
    }
}

/* Rows in memory, nothing is written. */
static struct record_reports *rows(void)
{
    static const struct record_shape shape = {.n_sb = 1, .n_ap = 1, .n_ant = 1, .n_ue = 2, .n_eve = 2, .n_points = 2};
    static struct record_reports *reports;
    static run_file_t *file;
    if (!reports) {
        const struct run_file_settings settings = {.path = "", .config = "", .shape = shape};
        MUST(run_file_create(&file, &settings) == 0);
        MUST(record_reports_create(&reports, file, &shape) == 0);
        run_file_begin(file, 32);
    }
    return reports;
}

static void keep(const char *text)
{
    const struct report_span span = {.first = 32, .end = 96, .over = 90, .solved = 64};
    for (int id = 0; id < 2; id++) {
        uint64_t block = 0;
        const int user = record_reports_user(rows(), id, text, span, &block);
        MUST(user != 0 || (block >= 32 && block < 90));
        const int eve = record_reports_eve(rows(), id, text, span, &block);
        MUST(eve != 0 || (block >= 32 && block < 90));
        MUST(user != 0 || eve != 0); /* it is of one type */
        n_kept += (uint64_t)(user == 0) + (uint64_t)(eve == 0);
        n_kept_eve += eve == 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *text = malloc(n_bytes + 1);
    double point[ROOM];
    struct scanned_report r = {.point = point, .room = ROOM};
    MUST(text);
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    if (scan_report(text, NAMES, &r)) {
        json_error_t error;
        json_t *root = json_loads(text, 0, &error);
        /* a number beyond a double's range is the one thing that only the parser refuses */
        MUST(root || strstr(error.text, "overflow"));
        if (root) {
            compare(root, &r);
        }
        json_decref(root);
        n_taken++;
        n_with_points += r.n_point > 0;
    } else {
        n_left++;
    }
    keep(text);
    free(text);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu taken, %llu of them with points, %llu left to the parser\n", (unsigned long long)n_taken,
           (unsigned long long)n_with_points, (unsigned long long)n_left);
    printf("%10llu kept, %llu of them of eavesdroppers\n", (unsigned long long)n_kept, (unsigned long long)n_kept_eve);
    return n_taken == 0 || n_with_points == 0 || n_left == 0 || n_kept == 0 || n_kept_eve == 0;
}
