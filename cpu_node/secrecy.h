/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What run.h5 says of eavesdroppers (docs/files.md): their reports, secrecy rates, the pilot-attack detector. The
 * detector works whether or not there is an eavesdropper in the configuration: it knows only the estimates. Only the
 * record thread. */
#ifndef TUTTI_CPU_NODE_SECRECY_H
#define TUTTI_CPU_NODE_SECRECY_H

#include "cpu_node/cpu.h"

#include <jansson.h>

struct secrecy;

int secrecy_create(struct secrecy **secrecy, const struct cpu *cpu);
void secrecy_destroy(struct secrecy *secrecy); /* NULL allowed */
void secrecy_declare(struct secrecy *secrecy, struct recorder_files *files);

/* A block in turn: judges its estimates. */
void secrecy_block(struct secrecy *secrecy, struct recorder_files *files, const struct cpu *cpu,
                   const struct cpu_block *block);
void secrecy_user_joined(struct secrecy *secrecy, int user);
/* A user's SINR of a block; an eavesdropper's report, JSON as docs/wire.md says: 0, or TUTTI_EFORMAT. Block numbers are
 * checked by the caller. */
void secrecy_user(struct secrecy *secrecy, struct recorder_files *files, uint64_t block, int user, double sinr);
int secrecy_eve(struct secrecy *secrecy, struct recorder_files *files, uint64_t block, int eve, const json_t *users);
/* Writes what has come since. */
void secrecy_flush(struct secrecy *secrecy, struct recorder_files *files);

#endif
