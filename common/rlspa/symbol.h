/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Robust least-squares power allocation per symbol, exactly as Algorithm 1 of [Mashdour 2026]: for every vector of
 * symbols x the factors p that minimise ||x - A p||^2 + lambda ||p||^2 with A = sqrt(rho) B diag(x) (eqs. (12), (16),
 * (26)). It is for studies: p depends on the data, so no receiver knows it and no access point could form it alone. A
 * is never formed: with Q = B^H B the normal matrix is rho Re(conj(x_i) x_j Q_ij). Symbols are solved side by side, one
 * per vector lane; about 12 n^2 + n^3 / 3 flops each. Create allocates, the others do not; one handle per thread. */
#ifndef TUTTI_RLSPA_SYMBOL_H
#define TUTTI_RLSPA_SYMBOL_H

#include "rlspa/links.h"

typedef struct symbol symbol_t;

int symbol_create(symbol_t **symbol, int n_max); /* 0, or TUTTI_ENOMEM */
void symbol_destroy(symbol_t *symbol);           /* NULL allowed */
/* Once per block: keeps what does not depend on the symbols. links and its arrays must outlive the executes. */
void symbol_load(symbol_t *symbol, const struct links *links);

/* lambda [T] of eq. (27), rho eps2 sum_k |x_k|^2 w2_k, for X [n][T]. */
void symbol_lambda(const struct links *links, double eps2, int T, const struct split *X, double *lambda);
/* P [n][T] for X [n][T] and lambda [T] >= 0, always finite: singular systems give the solution of least norm. */
void symbol_execute(symbol_t *symbol, int T, const struct split *X, const double *lambda, enum links_policy policy,
                    double *P);
/* ||x - A p||^2 + lambda ||p||^2 of one symbol, x and p stride doubles apart. */
double symbol_cost(const struct links *links, const struct split *x, double lambda, const double *p, size_t stride);
/* N [n][n] = Re(A^H A) + lambda I and r [n] = Re(A^H x) of one symbol, for whom an exact solution is wanted. */
void symbol_normal(const struct links *links, const struct split *x, double lambda, size_t stride, double *N,
                   double *r);

/* For tests and benches. The i-th variant of the inner loop that this processor can run, widest first, as its name;
 * NULL past the last. symbol_variant makes the handle use it. */
const char *symbol_variant_name(int i);
void symbol_variant(symbol_t *symbol, int i);

#endif
