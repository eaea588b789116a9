/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Estimates up: an AP's view of one block, and the accounts of blocks before it. */
#include "fronthaul/bytes.h"
#include "fronthaul/coefficients.h"
#include "fronthaul/wire.h"
#include "fronthaul/wire_internal.h"

/* Offsets in the payload, docs/wire.md. */
enum { AT_CAPTURE_END = 0, AT_EVENTS = 8, AT_NOISE_POWER = 28, AT_DELAY = 32, AT_N_ACCOUNT = 36, AT_SYNC = 38 };

static size_t meta_bytes(const struct wire_header *header, int n_account)
{
    return CSI_FIXED_BYTES + (size_t)CSI_USER_BYTES * header->n_stream + (size_t)ACCOUNT_BYTES * (size_t)n_account;
}

size_t wire_csi_bytes(const struct wire_header *header, int n_account)
{
    return n_account >= 0 && n_account <= WIRE_MAX_ACCOUNTS
               ? wire_message_bytes(header, WIRE_CSI, meta_bytes(header, n_account))
               : 0;
}

static void put_account(uint8_t *out, const struct wire_account *account)
{
    put_u64(out, account->block);
    put_u64(out + 8, account->capture_end_ns);
    put_u64(out + 16, account->precoder_received_ns);
    put_u64(out + 24, account->applied_ns);
    out[32] = account->sent;
    out[33] = account->chosen;
    out[34] = account->arrival;
    out[35] = account->scaled;
}

static void put_meta(uint8_t *out, const struct wire_csi_meta *meta, size_t n_user)
{
    put_u64(out + AT_CAPTURE_END, meta->capture_end_ns);
    for (size_t i = 0; i < 5; i++) {
        put_u32(out + AT_EVENTS + 4 * i, meta->radio_events[i]);
    }
    put_f32(out + AT_NOISE_POWER, meta->noise_power);
    put_f32(out + AT_DELAY, meta->delay_samples);
    put_u16(out + AT_N_ACCOUNT, (uint16_t)meta->n_account);
    put_u16(out + AT_SYNC, meta->sync);
    out += CSI_FIXED_BYTES;
    for (size_t k = 0; k < n_user; k++) {
        put_f32(out + 4 * k, meta->beta[k]);
        put_f32(out + 4 * (n_user + k), meta->error_variance[k]);
    }
    out += CSI_USER_BYTES * n_user;
    for (int i = 0; i < meta->n_account; i++) {
        put_account(out + ACCOUNT_BYTES * i, &meta->account[i]);
    }
}

size_t wire_pack_csi(uint8_t *out, size_t capacity, const struct wire_header *header, const struct wire_csi_meta *meta,
                     const tutti_cf32 *coefficients)
{
    const size_t n_bytes = wire_csi_bytes(header, meta->n_account);
    if (n_bytes == 0 || n_bytes > capacity || header->node >= TUTTI_MAX_AP) {
        return 0;
    }
    uint8_t *payload = out + WIRE_HEADER_BYTES;
    put_meta(payload, meta, header->n_stream);
    if (header->encoding != WIRE_NONE) {
        coefficients_pack(payload + meta_bytes(header, meta->n_account), header, coefficients);
    }
    wire_put_header(out, header, WIRE_CSI, n_bytes - WIRE_HEADER_BYTES);
    return n_bytes;
}

static bool not_negative(float v)
{
    return finite_f32(v) && v >= 0;
}

static bool get_account(struct wire_account *account, const uint8_t *in)
{
    *account = (struct wire_account){.block = get_u64(in),
                                     .capture_end_ns = get_u64(in + 8),
                                     .precoder_received_ns = get_u64(in + 16),
                                     .applied_ns = get_u64(in + 24),
                                     .sent = in[32],
                                     .chosen = in[33],
                                     .arrival = in[34],
                                     .scaled = in[35]};
    return account->sent > WIRE_SENT_UNKNOWN && account->sent < WIRE_SENT_LOST && account->chosen <= WIRE_SENT_MUTE &&
           account->arrival <= WIRE_ARRIVAL_LATE && account->scaled <= 1;
}

/* Every block at most once, oldest first. */
static bool get_accounts(struct wire_csi_meta *meta, const uint8_t *in)
{
    bool good = true;
    for (int i = 0; i < meta->n_account; i++) {
        good = get_account(&meta->account[i], in + ACCOUNT_BYTES * i) && good;
        good = good && (i == 0 || meta->account[i].block > meta->account[i - 1].block);
    }
    return good;
}

static bool get_meta(struct wire_csi_meta *meta, const uint8_t *in, size_t n_user)
{
    for (size_t i = 0; i < 5; i++) {
        meta->radio_events[i] = get_u32(in + AT_EVENTS + 4 * i);
    }
    meta->capture_end_ns = get_u64(in + AT_CAPTURE_END);
    meta->noise_power = get_f32(in + AT_NOISE_POWER);
    meta->delay_samples = get_f32(in + AT_DELAY);
    meta->sync = get_u16(in + AT_SYNC);
    bool good = finite_f32(meta->noise_power) && meta->noise_power > 0 && finite_f32(meta->delay_samples) &&
                meta->sync < WIRE_N_SYNC;
    in += CSI_FIXED_BYTES;
    for (size_t k = 0; k < n_user; k++) {
        meta->beta[k] = get_f32(in + 4 * k);
        meta->error_variance[k] = get_f32(in + 4 * (n_user + k));
        good = good && not_negative(meta->beta[k]) && not_negative(meta->error_variance[k]);
    }
    return get_accounts(meta, in + CSI_USER_BYTES * n_user) && good;
}

int wire_unpack_csi(const uint8_t *data, size_t n_bytes, struct wire_header *header, struct wire_csi_meta *meta,
                    int n_stream_room, tutti_cf32 *coefficients, size_t room)
{
    const int error = wire_unpack_start(data, n_bytes, header, WIRE_CSI, room);
    if (error) {
        return error;
    }
    const uint8_t *payload = data + WIRE_HEADER_BYTES;
    meta->n_account = get_u16(payload + AT_N_ACCOUNT);
    if (header->n_stream > n_stream_room || meta->n_account > WIRE_MAX_ACCOUNTS ||
        wire_csi_bytes(header, meta->n_account) != n_bytes) {
        meta->n_account = 0;
        return WIRE_BAD_SHAPE;
    }
    return get_meta(meta, payload, header->n_stream) &&
                   wire_get_coefficients(coefficients, header, payload + meta_bytes(header, meta->n_account))
               ? WIRE_OK
               : WIRE_BAD_VALUE;
}
