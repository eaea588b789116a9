/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of a network: one CURVE key pair per node, each in a file of its own that only its owner may read, and the
 * list of all public keys, which is what the CPU node lets in and where the others find the CPU node's. Names are
 * "cpu" ("cpu1", .. of further central nodes), "observer" and a role with its id ("ap0"). Start-up only: reads files,
 * allocates. Secrets are never in an error text or a log line. */
#ifndef TUTTI_FRONTHAUL_KEYS_H
#define TUTTI_FRONTHAUL_KEYS_H

#include "fronthaul/peer.h"

enum { KEY_BYTES = 32, KEY_TEXT_ROOM = 41, KEY_NAME_ROOM = 16 };
#define KEY_NAME_CPU "cpu"

/* Z85 texts, as ZeroMQ takes them. */
struct key_pair {
    char public_key[KEY_TEXT_ROOM], secret_key[KEY_TEXT_ROOM];
};

struct key_list {
    int n;
    struct key_pin {
        char name[KEY_NAME_ROOM];
        char text[KEY_TEXT_ROOM];
        uint8_t public_key[KEY_BYTES];
    } *pin;
};

/* TUTTI_EUNSUPPORTED, naming the version, if this libzmq has no CURVE. */
int keys_supported(void);
/* How the key of a role and id is called; observers share one. */
void keys_name(char name[KEY_NAME_ROOM], enum fh_role role, int id);

/* directory/name.key. Refused with one line: not there, not a plain file, readable or writable by group or others, of
 * another node, not a pair that belongs together. */
int keys_read_pair(struct key_pair *pair, const char *directory, const char *name);
void keys_forget(struct key_pair *pair); /* overwrites the secret */
/* directory/public.keys. Refused also if others may write it, or if a name or a key is in it twice. */
int keys_read_list(struct key_list *list, const char *directory);
void keys_free_list(struct key_list *list);
const struct key_pin *keys_find_name(const struct key_list *list, const char *name);            /* NULL: not there */
const struct key_pin *keys_find_key(const struct key_list *list, const uint8_t key[KEY_BYTES]); /* NULL: not there */

/* Makes the directory (mode 0700) and every file in it: cpu, observer, APs, users, eavesdroppers. Overwrites nothing:
 * an existing file is an error. */
struct keys_network {
    int n_ap, n_ue, n_eve, n_cpu; /* n_cpu 0: one all the same */
};
int keys_generate(const char *directory, const struct keys_network *network);

#endif
