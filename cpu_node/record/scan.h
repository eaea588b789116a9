/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user's report read without building a tree: one comes from every user every block, and parsing them was half of
 * what the CPU node did. Takes one flat object of numbers, one array of numbers and the type; everything else, however
 * right as JSON, is left to a real parser. */
#ifndef TUTTI_CPU_NODE_RECORD_SCAN_H
#define TUTTI_CPU_NODE_RECORD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCAN_COUNTS = 6 };

struct scanned_report {
    int64_t block, count[SCAN_COUNTS];
    double sinr, evm;
    int n_point;   /* numbers in `constellation`, at most room are kept */
    double *point; /* the caller's, [room] */
    int room;
};

/* json is NUL-terminated; names of the counts. False: not of this form, nothing is said about its being right. No
 * allocation. */
bool scan_report(const char *json, const char *const count_name[SCAN_COUNTS], struct scanned_report *report);

#endif
