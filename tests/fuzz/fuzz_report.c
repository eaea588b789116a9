/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile reports through the quick reader of the CPU node: whatever it takes, a real JSON parser takes too, and both
 * read the same values. */
#include "cpu_node/record/scan.h"
#include "fuzz.h"

#include <jansson.h>
#include <string.h>

static const char *const NAMES[SCAN_COUNTS] = {"bits",        "bit_errors",       "coded_bits", "coded_bit_errors",
                                               "code_blocks", "code_block_errors"};
enum { ROOM = 4 };
static uint64_t n_taken, n_with_points, n_left;

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
    free(text);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu taken, %llu of them with points, %llu left to the parser\n", (unsigned long long)n_taken,
           (unsigned long long)n_with_points, (unsigned long long)n_left);
    return n_taken == 0 || n_with_points == 0 || n_left == 0;
}
