/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which hellos a hub accepts, and how it says no. It keeps nothing: who is there already is not asked here. */
#ifndef TUTTI_FRONTHAUL_HUB_HELLO_H
#define TUTTI_FRONTHAUL_HUB_HELLO_H

#include "fronthaul/hub.h"
#include "fronthaul/link.h"

/* Ids 0..n-1 of the role are accepted; 0 = the role is not. */
int hub_hello_n_ids(const struct fh_hub_settings *settings, enum fh_role role);
/* Why this hello can never be accepted; false if it can. key_owner: whose key its connection has; NULL: not
 * encrypted. */
bool hub_hello_misfit(const struct fh_hub_settings *settings, const struct control *control, const char *key_owner,
                      char *reason, size_t size);
/* Counted. final: there is no use in trying again. */
void hub_hello_refuse(struct link *link, uint64_t route, const char *reason, bool final);

#endif
