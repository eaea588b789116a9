/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of precoders. A row is all that the rest of the program knows of one: its name in network files and on
 * command lines, its number in recordings, what it needs and what may be asked of it. Names, help texts, the network
 * file's rules, the deadline ladder and the tests' lists follow from it; mimo/precoder.c finds the solver of row `name`
 * as scheme_NAME_solve (mimo/scheme.h). docs/precoders.md has the formulas. */
#ifndef TUTTI_BASE_SCHEMES_H
#define TUTTI_BASE_SCHEMES_H

#include "base/types.h"

/* Who builds the beams. */
enum mimo_kind {
    MIMO_CENTRAL, /* needs all APs' estimates together */
    MIMO_PER_AP,  /* each AP's beams from its own estimates: the AP can build them itself (precoding.local) */
    MIMO_PHASE    /* phase shifters only, one user at a time */
};

/* Least antennas. */
enum mimo_antennas {
    MIMO_ANTENNAS_ANY,
    MIMO_ANTENNAS_ALL, /* at least as many antennas in all as users */
    MIMO_ANTENNAS_AP   /* more antennas at each AP than users */
};

/* How a scheme shares the power out: word, bit, meaning. A row of the schemes' table allows some of them. One word, one
 * rule; `equal` is none, but short for the one of the last six that the scheme's row names. */
#define MIMO_POWER_MAP(X)                                                                                              \
    X(MIMO_POWER_EQUAL, equal, 0, "short for the rule that the scheme has of the last six")                            \
    X(MIMO_POWER_MAXMIN, maxmin, 1, "the least SINR as large as the APs' budgets allow")                               \
    X(MIMO_POWER_MAXMIN_USER, maxmin_user, 2, "the same with one power per user; differs for cb only")                 \
    X(MIMO_POWER_RLSPA_WC, rlspa_wc, 3, "robust least squares (worst error), about the sum rate of equal_sent")        \
    X(MIMO_POWER_RLSPA_WIENER, rlspa_wiener, 4, "the same in the mean over errors and noise")                          \
    X(MIMO_POWER_EQUAL_RECEIVED, equal_received, 5, "every user receives the same power, the worst AP at its budget")  \
    X(MIMO_POWER_EQUAL_SENT, equal_sent, 6, "every user is sent the same power, the worst AP at its budget")           \
    X(MIMO_POWER_EQUAL_SHARES, equal_shares, 7, "every AP gives each user the same share of its budget, on average")   \
    X(MIMO_POWER_BY_STRENGTH, by_strength, 8, "every AP at its budget, more to users it hears better")                 \
    X(MIMO_POWER_FRACTIONAL, fractional, 9, "by the user's gain to the -0.5, its busiest AP at its budget")            \
    X(MIMO_POWER_FRACTIONAL_AP, fractional_ap, 10, "every AP at its budget, by the square root of its users' gains")

/* X(enumerator, name, number in files, kind, antennas, allowed powers, the one that `equal` is short for
 * (MIMO_POWER_EQUAL: none), those whose AP budgets hold on average (mimo/precoder.h), rung below on the deadline
 * ladder, about). The last rung is its own rung below; every other one costs more than the one below it
 * (tests/cpu_node/ladder_costs.jsonl, measured). */
#define MIMO_SCHEME_MAP(X)                                                                                             \
    X(MIMO_CB, cb, 0, MIMO_PER_AP, MIMO_ANTENNAS_ANY, MIMO_CB_POWER, MIMO_POWER_BY_STRENGTH,                           \
      MIMO_ONLY(MIMO_POWER_MAXMIN) | MIMO_ONLY(MIMO_POWER_EQUAL_SHARES), MIMO_CB, "conjugate beams")                   \
    X(MIMO_ZF, zf, 1, MIMO_CENTRAL, MIMO_ANTENNAS_ALL, MIMO_CENTRAL_POWER, MIMO_POWER_EQUAL_RECEIVED, 0, MIMO_CB,      \
      "zero-forcing over all APs, needs at least as many antennas in all as users")                                    \
    X(MIMO_FZF, fzf, 2, MIMO_PER_AP, MIMO_ANTENNAS_AP, MIMO_AP_POWER, MIMO_POWER_EQUAL_SHARES,                         \
      MIMO_ONLY(MIMO_POWER_EQUAL_SHARES), MIMO_CB, "zero-forcing at each AP, needs more antennas per AP than users")   \
    X(MIMO_PZF, pzf, 3, MIMO_PER_AP, MIMO_ANTENNAS_ANY, MIMO_AP_POWER, MIMO_POWER_EQUAL_SHARES,                        \
      MIMO_ONLY(MIMO_POWER_EQUAL_SHARES), MIMO_CB, "zero-forcing of each AP's strong users only")                      \
    X(MIMO_PPZF, ppzf, 4, MIMO_PER_AP, MIMO_ANTENNAS_ANY, MIMO_AP_POWER, MIMO_POWER_EQUAL_SHARES,                      \
      MIMO_ONLY(MIMO_POWER_EQUAL_SHARES), MIMO_CB, "the same, weak users' beams kept off the strong users")            \
    X(MIMO_RZF, rzf, 5, MIMO_CENTRAL, MIMO_ANTENNAS_ANY, MIMO_CENTRAL_POWER, MIMO_POWER_EQUAL_SENT, 0, MIMO_CB,        \
      "regularised zero-forcing (MMSE) over all APs")                                                                  \
    X(MIMO_OB, ob, 6, MIMO_CENTRAL, MIMO_ANTENNAS_ANY, MIMO_ONLY(MIMO_POWER_MAXMIN), MIMO_POWER_EQUAL, 0, MIMO_ZF,     \
      "max-min optimum with a bound that no precoder exceeds")                                                         \
    X(MIMO_ANALOG, analog, 7, MIMO_PHASE, MIMO_ANTENNAS_ANY, MIMO_ONLY(MIMO_POWER_EQUAL_SENT) | MIMO_MAXMIN_POWER,     \
      MIMO_POWER_EQUAL_SENT, 0, MIMO_ANALOG,                                                                           \
      "phase shifters only: one RF chain, one user served per block in turn, with all power")                          \
    X(MIMO_P_MMSE, p_mmse, 8, MIMO_CENTRAL, MIMO_ANTENNAS_ANY, MIMO_CLUSTER_POWER, MIMO_POWER_FRACTIONAL, 0, MIMO_CB,  \
      "regularised zero-forcing over each user's own APs, of the users that share one")                                \
    X(MIMO_P_RZF, p_rzf, 9, MIMO_CENTRAL, MIMO_ANTENNAS_ANY, MIMO_CLUSTER_POWER, MIMO_POWER_FRACTIONAL, 0, MIMO_CB,    \
      "the same without the estimates' errors")                                                                        \
    X(MIMO_LP_MMSE, lp_mmse, 10, MIMO_CENTRAL, MIMO_ANTENNAS_ANY,                                                      \
      MIMO_ONLY(MIMO_POWER_FRACTIONAL_AP) | MIMO_MAXMIN_POWER, MIMO_POWER_FRACTIONAL_AP, 0, MIMO_CB,                   \
      "regularised zero-forcing at each AP alone, of the users that it serves; built by the CPU node")

enum mimo_power {
#define MIMO_POWER_ENUM(id, name, number, about) id = (number),
    MIMO_POWER_MAP(MIMO_POWER_ENUM)
#undef MIMO_POWER_ENUM
};
#define MIMO_COUNT(...) +1
enum { MIMO_N_POWERS = MIMO_POWER_MAP(MIMO_COUNT) };

enum mimo_scheme {
#define MIMO_SCHEME_ENUM(id, name, number, kind, antennas, powers, equal, mean, below, about) id = (number),
    MIMO_SCHEME_MAP(MIMO_SCHEME_ENUM)
#undef MIMO_SCHEME_ENUM
};
enum { MIMO_N_SCHEMES = MIMO_SCHEME_MAP(MIMO_COUNT) }; /* numbers 0 to MIMO_N_SCHEMES - 1, no gaps */

#define MIMO_ONLY(power) (1u << (power))
#define MIMO_ANY_SCHEME ((1u << MIMO_N_SCHEMES) - 1)
#define MIMO_RLSPA_POWER (MIMO_ONLY(MIMO_POWER_RLSPA_WC) | MIMO_ONLY(MIMO_POWER_RLSPA_WIENER))
#define MIMO_MAXMIN_POWER (MIMO_ONLY(MIMO_POWER_MAXMIN) | MIMO_ONLY(MIMO_POWER_MAXMIN_USER))
#define MIMO_CB_POWER (MIMO_ONLY(MIMO_POWER_BY_STRENGTH) | MIMO_ONLY(MIMO_POWER_EQUAL_SHARES) | MIMO_MAXMIN_POWER)
#define MIMO_AP_POWER (MIMO_ONLY(MIMO_POWER_EQUAL_SHARES) | MIMO_MAXMIN_POWER)
#define MIMO_CLUSTER_POWER                                                                                             \
    (MIMO_ONLY(MIMO_POWER_FRACTIONAL) | MIMO_ONLY(MIMO_POWER_EQUAL_RECEIVED) | MIMO_ONLY(MIMO_POWER_EQUAL_SENT) |      \
     MIMO_MAXMIN_POWER)
/* Those that know who serves whom; with the whole network in one cluster when nobody says so. */
#define MIMO_CLUSTER_SCHEMES (MIMO_ONLY(MIMO_P_MMSE) | MIMO_ONLY(MIMO_P_RZF) | MIMO_ONLY(MIMO_LP_MMSE))
#define MIMO_CENTRAL_POWER                                                                                             \
    (MIMO_ONLY(MIMO_POWER_EQUAL_RECEIVED) | MIMO_ONLY(MIMO_POWER_EQUAL_SENT) | MIMO_MAXMIN_POWER | MIMO_RLSPA_POWER)

struct mimo_scheme_row {
    const char *name, *about;
    enum mimo_kind kind;
    enum mimo_antennas antennas;
    unsigned powers;        /* bit `enum mimo_power` set = allowed; never that of MIMO_POWER_EQUAL */
    enum mimo_power equal;  /* what MIMO_POWER_EQUAL is short for; itself: nothing */
    unsigned mean;          /* bit set = AP budgets hold on average */
    enum mimo_scheme below; /* next rung of the deadline ladder */
};

/* The row of a scheme; NULL for a number that none has. */
const struct mimo_scheme_row *mimo_scheme_row(int scheme);
/* "cb", "zf", ... as in network files; "?" for a number that none has. */
const char *mimo_scheme_name(int scheme);
const char *mimo_power_name(int power);
/* The number of a name, -1 if none has it. */
int mimo_scheme_find(const char *name);
int mimo_power_find(const char *name);
/* The rule that a word stands for: with MIMO_POWER_EQUAL the scheme's own (equal_shares where APs build the beams
 * themselves, `local`), else the word itself. MIMO_POWER_EQUAL where it stands for nothing. */
enum mimo_power mimo_power_meant(int scheme, bool local, enum mimo_power power);
/* Whether a scheme has that rule; MIMO_POWER_EQUAL is asked for by what it is short for. */
bool mimo_scheme_allows(int scheme, int power);
/* Whether an AP can build the beams itself. */
bool mimo_scheme_is_local(int scheme);
/* The rung below on the deadline ladder; the last one gives itself. */
enum mimo_scheme mimo_scheme_below(enum mimo_scheme scheme);
/* The power rule of a rung that the scheme asked for has stepped down to: never one that takes longer (cb's users
 * interfere, so that balancing them takes longer than zero-forcing: the last rung has its `equal`). Never
 * MIMO_POWER_EQUAL itself, but for ob, which has none. */
enum mimo_power mimo_power_on_rung(enum mimo_scheme asked, enum mimo_scheme rung, enum mimo_power power);
/* 0, or TUTTI_EINVAL with a sentence when so few antennas cannot serve n_ue users with this scheme. */
int mimo_scheme_check_antennas(int scheme, int n_ap, int n_ant, int n_ue);

/* Lists for sentences and help texts, "cb, zf, ...": of all schemes, of those that an AP can build, of the powers that
 * a scheme allows. Each writes at most `room` bytes with the NUL and returns
 * text. */
const char *mimo_scheme_list(char *text, size_t room);
const char *mimo_scheme_list_local(char *text, size_t room);
const char *mimo_power_list(int scheme, char *text, size_t room);

#endif
