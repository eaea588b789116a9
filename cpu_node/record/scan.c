/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/scan.h"

#include <stdlib.h>
#include <string.h>

enum { FIELD_BLOCK = SCAN_COUNTS, FIELD_SINR, FIELD_EVM, N_FIELDS };

static bool take(const char **at, char c)
{
    const bool there = **at == c;
    *at += there;
    return there;
}

/* A plain text in quotes, without escapes. */
static bool take_name(const char **at, const char **name, size_t *length)
{
    if (!take(at, '"')) {
        return false;
    }
    *name = *at;
    *length = strcspn(*at, "\"\\");
    *at += *length;
    return take(at, '"');
}

static size_t digits_at(const char *p)
{
    return strspn(p, "0123456789");
}

/* Characters of a JSON number, 0: it is none. *n_whole: of the part before dot and exponent. */
static size_t number_length(const char *p, size_t *n_whole)
{
    size_t n = p[0] == '-';
    const size_t digits = digits_at(p + n);
    if (digits == 0 || (digits > 1 && p[n] == '0')) {
        return 0;
    }
    n += digits;
    *n_whole = n;
    if (p[n] == '.') {
        const size_t more = digits_at(p + n + 1);
        if (more == 0) {
            return 0;
        }
        n += 1 + more;
    }
    if (p[n] == 'e' || p[n] == 'E') {
        const size_t sign = p[n + 1] == '+' || p[n + 1] == '-', more = digits_at(p + n + 1 + sign);
        if (more == 0) {
            return 0;
        }
        n += 1 + sign + more;
    }
    return n;
}

/* Up to 15 digits make exact integers; a dot, an exponent or more digits are strtod's. */
static bool take_number(const char **at, double *value, bool *whole)
{
    enum { EXACT_DIGITS = 15 };
    const char *p = *at;
    size_t n_whole = 0;
    const size_t n = number_length(p, &n_whole);
    if (n == 0) {
        return false;
    }
    *at = p + n;
    *whole = n == n_whole && n <= EXACT_DIGITS;
    if (!*whole) {
        *value = strtod(p, NULL);
        return true;
    }
    int64_t sum = 0;
    for (size_t i = p[0] == '-'; i < n; i++) {
        sum = 10 * sum + (p[i] - '0');
    }
    *value = p[0] == '-' ? -(double)sum : (double)sum; /* -0 stays -0 */
    return true;
}

static bool take_points(const char **at, struct scanned_report *r)
{
    if (!take(at, '[')) {
        return false;
    }
    r->n_point = 0;
    if (take(at, ']')) {
        return true;
    }
    do {
        double value;
        bool whole;
        if (!take_number(at, &value, &whole)) {
            return false;
        }
        if (r->n_point < r->room) {
            r->point[r->n_point++] = value;
        }
    } while (take(at, ','));
    return take(at, ']');
}

static bool is_name(const char *name, size_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(name, wanted, length) == 0;
}

static int field_of(const char *name, size_t length, const char *const count_name[SCAN_COUNTS])
{
    static const char *const OTHERS[] = {"block", "sinr", "evm"};
    for (int i = 0; i < N_FIELDS; i++) {
        if (is_name(name, length, i < SCAN_COUNTS ? count_name[i] : OTHERS[i - SCAN_COUNTS])) {
            return i;
        }
    }
    return -1;
}

static bool take_field(const char **at, int field, struct scanned_report *r)
{
    double value;
    bool whole;
    if (field < 0 || !take_number(at, &value, &whole)) {
        return false;
    }
    if (field == FIELD_SINR) {
        r->sinr = value;
    } else if (field == FIELD_EVM) {
        r->evm = value;
    } else if (!whole) {
        return false;
    } else if (field == FIELD_BLOCK) {
        r->block = (int64_t)value;
    } else {
        r->count[field] = (int64_t)value;
    }
    return true;
}

bool scan_report(const char *json, const char *const count_name[SCAN_COUNTS], struct scanned_report *r)
{
    static const char TYPE[] = "{\"type\":\"report\"";
    unsigned seen = 0;
    r->n_point = -1;
    if (strncmp(json, TYPE, sizeof TYPE - 1) != 0) {
        return false;
    }
    const char *at = json + sizeof TYPE - 1;
    while (take(&at, ',')) {
        const char *name;
        size_t length;
        if (!take_name(&at, &name, &length) || !take(&at, ':')) {
            return false;
        }
        if (is_name(name, length, "constellation")) {
            if (!take_points(&at, r)) {
                return false;
            }
            continue;
        }
        const int field = field_of(name, length, count_name);
        if (!take_field(&at, field, r)) {
            return false;
        }
        seen |= 1u << field;
    }
    return take(&at, '}') && *at == '\0' && seen == (1u << N_FIELDS) - 1;
}
