/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/datasets.h"

static const struct {
    const char *path, *shape;
    enum h5_type type;
    enum record_source source;
    enum record_when when;
} TABLE[N_RECORD_DATASETS] = {
#define RECORD_ROW(id, path, type, shape, source, when) [id] = {path, shape, type, source, when},
    RECORD_MAP(RECORD_ROW)
#undef RECORD_ROW
};

static size_t length_of(char letter, const struct record_shape *s)
{
    switch (letter) {
    case 's':
        return (size_t)s->n_sb;
    case 'a':
        return (size_t)s->n_ap;
    case 'n':
        return (size_t)s->n_ant;
    case 'u':
        return (size_t)s->n_ue;
    case 'e':
        return (size_t)s->n_eve;
    case 'c':
        return (size_t)s->n_cpu;
    case 'z':
        return (size_t)s->n_zone;
    case 'p':
        return (size_t)s->n_points;
    case 'l':
        return RECORD_LOSSES;
    default:
        return 5;
    }
}

static size_t bytes_of(enum h5_type type)
{
    switch (type) {
    case H5_U8:
        return 1;
    case H5_I32:
    case H5_F32:
        return 4;
    default:
        return 8;
    }
}

static bool is_kept(enum record_when when, const struct record_shape *s)
{
    switch (when) {
    case WITH_CSI:
        return s->csi;
    case WITH_PRECODERS:
        return s->precoders;
    case WITH_NOISE:
        return s->noise;
    case WITH_NOISE_VECTORS:
        return s->precoders && s->noise_vectors;
    case WITH_EVE:
        return s->n_eve > 0;
    case WITH_SCHEDULE:
        return s->schedule;
    case WITH_CLUSTERS:
        return s->clusters;
    case WITH_PARTS:
        return s->parts;
    case WITH_POWERS:
        return s->powers;
    case WITH_SYNC:
        return s->sync;
    case WITH_UPLINK:
        return s->uplink;
    case WITH_UPLINK_PARTS:
        return s->uplink && s->n_cpu > 0;
    case WITH_UPLINK_POINTS:
        return s->uplink && s->n_points > 0;
    case WITH_CONTROLLER:
        return s->controller;
    case WITH_SENSING:
        return s->n_zone > 0;
    case WITH_SENSING_VECTORS:
        return s->n_zone > 0 && s->precoders;
    case WITH_PROBES:
        return s->n_zone > 0 && s->n_eve > 0;
    case WITH_POINTS:
        return s->n_points > 0;
    default:
        return true;
    }
}

struct record_column_spec record_spec(enum record_dataset id, const struct record_shape *shape)
{
    struct record_column_spec spec = {
        .path = TABLE[id].path,
        .type = TABLE[id].type,
        .source = TABLE[id].source,
        .rank = 1,
        .value_bytes = bytes_of(TABLE[id].type),
        .kept = is_kept(TABLE[id].when, shape),
    };
    spec.row_bytes = spec.cell_bytes = spec.value_bytes;
    for (const char *letter = TABLE[id].shape; *letter; letter++) {
        const size_t n = length_of(*letter, shape);
        spec.dims[spec.rank - 1] = n;
        spec.row_bytes *= n;
        spec.cell_bytes *= spec.rank > 1 ? n : 1;
        spec.rank++;
    }
    return spec;
}
