/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slot thread's verbs: one block at a time, from samples to a report and from a precoder to samples. */
#include "ap_node/ap.h"
#include "base/clock.h"
#include "base/error.h"
#include "fronthaul/encoding.h"

/* The tick at which a block's pilots are over. */
static tutti_tick decision_tick(const struct ap *ap, uint64_t block)
{
    return node_radio_tick(&ap->radio, block, 0) + (tutti_tick)ap->decision_samples;
}

/* The block whose downlink is decided with this block's pilots. */
static uint64_t downlink_block(const struct ap *ap)
{
    return ap->block + ap->lag;
}

static tutti_tick first_downlink(const struct ap *ap)
{
    return node_radio_tick(&ap->radio, downlink_block(ap), ap->frame.dl_symbol[0]);
}

static void act_earlier(struct ap *ap, int samples, bool delays_move)
{
    ap->radio.shift += samples;
    if (samples != 0 && delays_move) {
        estimate_moved(ap->capture.estimate, samples);
    }
}

/* A new calibration may say how late this AP's clock is: whole samples are made up for by acting so much earlier. */
static void follow_calibration(struct ap *ap)
{
    const uint32_t before = ap->reciprocity.run;
    reciprocity_follow(&ap->reciprocity, ap->block);
    if (ap->reciprocity.run != before) { /* what the clocks have run apart since is not in it */
        atomic_store(&ap->link.silent, false);
        act_earlier(ap, ap->reciprocity.shift_samples - slave_moved(&ap->slave) - ap->radio.shift, true);
    }
}

void slot_prepare(struct ap *ap)
{
    node_radio_follow(&ap->radio, atomic_load_explicit(&ap->link.epoch, memory_order_relaxed), ap->span.next);
    ap->block = frame_block_of(&ap->frame, node_radio_epoch(&ap->radio), ap->span.next);
    if (ap->span.next >= decision_tick(ap, ap->block)) {
        ap->block++;
    }
    act_earlier(ap, -ap->move_samples, !slave_is_anchored(&ap->slave));
    ap->move_samples = 0;
    follow_calibration(ap);
    downlink_encode(&ap->downlink, downlink_block(ap));
}

/* Letters of the symbols that capture_execute, slave_hear, pulse_hear, sounder_hear and uplink_send look at. */
static const char *wanted(const struct ap *ap)
{
    static const char *const letters[2][2][2] = {{{"PG", "PGC"}, {"PGU", "PGUC"}},
                                                 {{"PGB", "PGCB"}, {"PGUB", "PGUCB"}}};
    return letters[ap->slave.follows || ap->pulse.checks][ap->uplink.config != NULL]
                  [sounder_listens(&ap->sounder, ap->block)];
}

int slot_receive(struct ap *ap)
{
    const tutti_tick to = decision_tick(ap, ap->block);
    if (!slave_searches(&ap->slave)) { /* who searches looks at everything */
        node_span_want(&ap->span, &ap->radio, to, wanted(ap));
    }
    return node_span_receive(&ap->span, &ap->radio, to);
}

bool slot_in_time(struct ap *ap)
{
    if (ap->span.next < decision_tick(ap, ap->block) || ap->span.next >= first_downlink(ap)) {
        return false; /* time went back, or the block has passed: the next one's account makes one of it, too */
    }
    accounts_begin(ap->accounts, ap->block);
    ap->blocks++;
    return true;
}

void slot_hear_notes(struct ap *ap)
{
    struct radio_note note;
    while (node_radio_note(&ap->radio, &note)) {
        if (!(note.tag & NODE_TAG_OTHER)) {
            note.tag -= ap->lag; /* accounts are the pilots' */
            accounts_note(ap->accounts, &note);
        }
    }
}

/* Who sends which pilot in this block, and who is served by the downlink made with them. */
static void follow_roster(struct ap *ap)
{
    const struct roster *const now = roster_book_at(ap->link.rosters, ap->block);
    for (int k = 0; k < ap->config->network.n_ue; k++) {
        ap->sequence[k] = roster_sequence(ap->config, &ap->frame, now, k, ap->block);
        if (ap->uplink.config) {
            ap->uplink.sends[k] = roster_place(now, k) >= 0 && ap->sequence[k] >= 0;
        }
    }
    ap->roster = roster_book_at(ap->link.rosters, ap->block + ap->lag);
    ap->downlink.roster = ap->streams.roster = ap->roster;
}

bool slot_estimate(struct ap *ap)
{
    follow_roster(ap);
    ap->capture_end_ns = clock_wall_ns();
    ap->reported_in = 0;
    ap->move_samples = slave_hear(&ap->slave, &ap->span, &ap->radio, ap->block, wanted(ap));
    pulse_hear(&ap->pulse, &ap->span, &ap->radio, ap->block);
    const struct roster *const roster = roster_book_at(ap->link.rosters, ap->block);
    const bool whole = capture_execute(&ap->capture, &ap->span, &ap->radio, ap->block, ap->sequence, roster);
    if (whole) {
        reciprocity_apply(&ap->reciprocity, &ap->capture);
    }
    for (uint64_t block = ap->block - (ap->block > 0); block <= ap->block; block++) {
        sounder_hear(&ap->sounder, &ap->span, node_radio_epoch(&ap->radio), block, ap->capture.noise_power);
    }
    return whole;
}

static void fill_header(const struct ap *ap, struct wire_header *header)
{
    *header = (struct wire_header){
        .type = WIRE_CSI,
        .node = (uint16_t)ap->id,
        .session = atomic_load_explicit(&ap->link.session, memory_order_acquire),
        .block = ap->block,
        .tick = frame_symbol_tick(&ap->frame, ap->radio.epoch, ap->block, 0), /* the network's */
        .n_sb = (uint16_t)ap->frame.n_sb,
        .n_ant = (uint16_t)ap->capture.n_ant,
        .n_stream = (uint16_t)ap->capture.n_column,
    };
    encoding_of_network(header, ap->config, WIRE_CSI);
}

static void fill_meta(struct ap *ap, uint32_t session, struct wire_csi_meta *meta)
{
    meta->capture_end_ns = ap->capture_end_ns;
    for (int i = 0; i < 5; i++) {
        meta->radio_events[i] = (uint32_t)ap->radio.counters.event[i];
    }
    meta->noise_power = (float)ap->capture.noise_power;
    meta->delay_samples = (float)ap->capture.delay_samples;
    meta->sync = (uint16_t)ap->slave.state;
    meta->beta = ap->capture.beta;
    meta->error_variance = ap->capture.error_variance;
    if (session != 0 && session != ap->session) {
        accounts_go_back(ap->accounts, ACCOUNTS_AGAIN);
        ap->session = session;
    }
    accounts_acknowledge(ap->accounts, atomic_load_explicit(&ap->link.account_ack, memory_order_relaxed));
    meta->n_account = accounts_collect(ap->accounts, ap->block, meta->account, WIRE_MAX_ACCOUNTS);
}

/* One measurement a block, as long as there are any. */
static void tell_sounding(struct ap *ap)
{
    struct ap_message *message = ap->sounder.n_to_tell > 0 ? ap_link_other(&ap->link) : NULL;
    if (message) {
        ap->sounder.shift_samples = ap->radio.shift + slave_moved(&ap->slave);
        message->n_bytes =
            sounder_tell(&ap->sounder, ap->block, atomic_load(&ap->link.session), message->bytes, ap->link.other_room);
        if (message->n_bytes > 0) {
            ap_link_send_other(&ap->link);
        }
    }
}

/* Users' gains, before the estimates that are to be split by them: when there are new ones, and in a new session. */
static void tell_gains(struct ap *ap)
{
    struct shared *const s = &ap->capture.shared;
    struct wire_header header;
    fill_header(ap, &header);
    if (s->n_pilot == 0 || (!s->news && header.session == ap->session)) {
        return;
    }
    struct ap_message *const message = ap_link_message(&ap->link);
    if (message) {
        message->n_bytes = shared_tell(s, &header, message->bytes, ap->link.message_room);
        ap_link_send(&ap->link);
    }
}

void slot_report(struct ap *ap)
{
    tell_sounding(ap);
    tell_gains(ap);

    struct ap_message *message = ap_link_message(&ap->link);
    if (!message) {
        ap->csi_dropped++;
        return;
    }
    struct wire_header header;
    struct wire_csi_meta meta;
    choice_collect(&ap->choice, ap->block, ap->accounts);
    fill_header(ap, &header);
    fill_meta(ap, header.session, &meta);
    message->n_bytes = wire_pack_csi(message->bytes, ap->link.message_room, &header, &meta, ap->capture.H_hat);
    ap_link_send(&ap->link);
    ap->reported_in = header.session;
}

void slot_uplink(struct ap *ap, bool whole)
{
    uplink_send(&ap->uplink, &ap->capture, &ap->span, &ap->link);
    if (whole) {
        uplink_remember(&ap->uplink, &ap->capture, &ap->reciprocity, &ap->radio, ap->block, ap->reported_in);
    }
}

/* Repeatable radios wait for an answer, bounded only against a dead peer, if there was something to answer: what was
 * sent to nobody, or to a central node that is gone, has none. Others wait until the downlink must leave, less what
 * precoding it takes. The instant is absolute: a slot thread that is late itself waits the less. */
static void set_deadline(const struct ap *ap, struct choice_deadline *deadline)
{
    const struct config_engine *e = &ap->config->engine;
    const tutti_tick first_dl = first_downlink(ap);
    deadline->repeatable = !ap->radio.info.paced;
    deadline->early_ns = (uint64_t)(e->on_time_us * 1e3);
    const bool asked =
        ap->reported_in && ap->reported_in == atomic_load_explicit(&ap->link.session, memory_order_relaxed);
    deadline->until_ns = deadline->repeatable
                             ? clock_mono_ns() + (asked ? (uint64_t)(e->lockstep_timeout_ms * 1e6) : 0)
                             : node_radio_deadline_ns(&ap->radio, &ap->span.got, first_dl, e->tx_lead_us) - ap->send_ns;
}

/* Fills the streams with what was chosen; true if they were scaled down. */
static bool prepare_streams(struct ap *ap, const struct choice_made *made)
{
    struct capture *const c = &ap->capture;
    struct shared *const s = &c->shared;
    const bool local = made->kind == WIRE_SENT_LOCAL_CB, shares = s->n_pilot > 0;
    if (shares && local) {
        shared_split(s, c->sequence, c->H_hat, c->beta, c->error_variance);
    }
    if (local) {
        return streams_prepare_local(&ap->streams, ap->block, &ap->choice.rules, shares ? s->user_H : c->H_hat);
    }
    const struct streams_estimates estimates = {shares ? s->user_H : c->H_hat, shares ? s->user_beta : c->beta,
                                                shares ? s->user_error : c->error_variance};
    const struct ap_precoder *p = made->precoder;
    return streams_prepare(&ap->streams, ap->block, &ap->choice.rules, &p->meta, p->header.n_stream, p->V, &estimates);
}

/* The longest of late, forgotten by 1/64 per block. */
static void learn_send_time(struct ap *ap, uint64_t took_ns)
{
    const uint64_t before_ns = ap->send_ns - ap->send_ns / 64;
    ap->send_ns = took_ns > before_ns ? took_ns : before_ns;
}

void slot_transmit(struct ap *ap)
{
    struct choice_deadline deadline;
    struct choice_made made;
    ap->downlink.delay_samples = ap->capture.delay_samples;
    set_deadline(ap, &deadline);
    if (slave_in_step(&ap->slave) && !atomic_load(&ap->link.silent)) {
        choice_make(&ap->choice, ap->block, &deadline, ap->capture.have, ap->accounts, &made);
    } else { /* what it sent would only disturb */
        made = (struct choice_made){.kind = WIRE_SENT_MUTE};
    }
    const uint64_t start_ns = clock_mono_ns();
    const bool silent = made.kind == WIRE_SENT_MUTE;
    struct wire_account account = {
        .block = ap->block,
        .capture_end_ns = ap->capture_end_ns,
        .precoder_received_ns = made.kind == WIRE_SENT_FRESH ? made.precoder->received_ns : 0,
        .applied_ns = clock_wall_ns(),
        .chosen = (uint8_t)made.kind,
        .arrival = (uint8_t)made.arrival,
        .scaled = !silent && prepare_streams(ap, &made),
    };
    const int sent = silent ? TUTTI_EAGAIN : downlink_send(&ap->downlink, &ap->streams, &ap->radio, downlink_block(ap));
    account.scaled = account.scaled || (!silent && ap->downlink.scaled);
    accounts_decided(ap->accounts, &account, sent >= 0, silent ? WIRE_SENT_MUTE : WIRE_SENT_LATE);
    if (!silent) {
        learn_send_time(ap, clock_mono_ns() - start_ns);
    }
    sounder_follow(&ap->sounder); /* an order came with the last precoder, at the latest */
    if (slave_in_step(&ap->slave)) {
        downlink_beacon(&ap->downlink, &ap->radio, downlink_block(ap) + 1);
        sounder_send(&ap->sounder, &ap->radio, downlink_block(ap) + 1);
    }
}
