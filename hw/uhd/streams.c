/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/streams.h"

#include "base/error.h"

static const double POLL_S = 0.1, SEND_TIMEOUT_S = 1, END_TIMEOUT_S = 0.1;

/* Receiving ------------------------------------------------------------------------------------------------------- */

static int streams_now(void *state, tutti_tick *now)
{
    const struct uhd_streams *s = state;
    return uhd_device_now(s->device, now);
}

static int command(struct uhd_streams *s, uhd_stream_mode_t mode, tutti_tick at)
{
    const struct stream_time time = stream_time_of(at, s->device->rate_hz);
    const uhd_stream_cmd_t command = {
        .stream_mode = mode,
        .stream_now = mode == UHD_STREAM_MODE_STOP_CONTINUOUS,
        .time_spec_full_secs = time.full_s,
        .time_spec_frac_secs = time.frac_s,
    };
    return s->device->api->rx_streamer_issue_stream_cmd(s->rx, &command)
               ? uhd_device_failed(s->device, "cannot start or stop its stream")
               : TUTTI_OK;
}

static int streams_start(void *state, tutti_tick at)
{
    return command(state, UHD_STREAM_MODE_START_CONTINUOUS, at);
}

static int streams_stop(void *state)
{
    return command(state, UHD_STREAM_MODE_STOP_CONTINUOUS, 0);
}

static enum stream_event event_of(struct uhd_streams *s, uhd_rx_metadata_error_code_t error)
{
    bool lost_packets = false;
    switch (error) {
    case UHD_RX_METADATA_ERROR_CODE_NONE:
        return STREAM_FINE;
    case UHD_RX_METADATA_ERROR_CODE_TIMEOUT:
        return STREAM_SILENT;
    case UHD_RX_METADATA_ERROR_CODE_OVERFLOW: /* libuhd starts the stream again after an overrun of the device */
        s->device->api->rx_metadata_out_of_sequence(s->rx_metadata, &lost_packets);
        return lost_packets ? STREAM_DROP : STREAM_OVERFLOW;
    case UHD_RX_METADATA_ERROR_CODE_BAD_PACKET:
        return STREAM_BAD;
    default:
        return STREAM_ENDED;
    }
}

static int streams_receive(void *state, void *const *buffers, struct stream_piece *piece)
{
    struct uhd_streams *s = state;
    const struct uhd_api *api = s->device->api;
    uhd_rx_metadata_error_code_t error = UHD_RX_METADATA_ERROR_CODE_NONE;
    struct stream_time time = {0};
    void *there[TUTTI_MAX_ANT];
    size_t n = 0;
    for (int a = 0; a < s->device->n_ant; a++) {
        there[a] = buffers[a];
    }
    if (api->rx_streamer_recv(s->rx, there, (size_t)s->packet_samples, &s->rx_metadata, POLL_S, true, &n)) {
        return uhd_device_failed(s->device, "cannot receive");
    }
    api->rx_metadata_error_code(s->rx_metadata, &error);
    api->rx_metadata_has_time_spec(s->rx_metadata, &piece->timed);
    api->rx_metadata_time_spec(s->rx_metadata, &time.full_s, &time.frac_s);
    piece->tick = stream_tick_of(time, s->device->rate_hz);
    piece->n = (int)n;
    piece->event = event_of(s, error);
    return TUTTI_OK;
}

/* Transmitting ---------------------------------------------------------------------------------------------------- */

static size_t send_locked(struct uhd_streams *s, const void *const *buffers, size_t n, uhd_tx_metadata_handle *metadata,
                          double timeout_s)
{
    const void *there[TUTTI_MAX_ANT];
    size_t n_sent = 0;
    for (int a = 0; a < s->device->n_ant; a++) {
        there[a] = buffers[a];
    }
    pthread_mutex_lock(&s->tx_call);
    s->device->api->tx_streamer_send(s->tx, there, n, metadata, timeout_s, &n_sent);
    pthread_mutex_unlock(&s->tx_call);
    return n_sent;
}

/* libuhd's metadata has no setters, so each is a heap allocation: not for the slot thread. */
static size_t streams_send(void *state, const void *const *buffers, size_t n, tutti_tick at)
{
    struct uhd_streams *s = state;
    const struct uhd_api *api = s->device->api;
    const struct stream_time time = stream_time_of(at, s->device->rate_hz);
    uhd_tx_metadata_handle metadata = NULL;
    size_t n_sent = 0;
    if (!api->tx_metadata_make(&metadata, true, time.full_s, time.frac_s, true, true)) {
        n_sent = send_locked(s, buffers, n, &metadata, SEND_TIMEOUT_S);
        api->tx_metadata_free(&metadata);
    }
    return n_sent;
}

static void streams_end(void *state, const void *const *buffers)
{
    struct uhd_streams *s = state;
    uhd_tx_metadata_handle metadata = NULL;
    if (!s->device->api->tx_metadata_make(&metadata, false, 0, 0, false, true)) {
        send_locked(s, buffers, 0, &metadata, END_TIMEOUT_S);
        s->device->api->tx_metadata_free(&metadata);
    }
}

static void read_message(struct uhd_streams *s, struct ledger_event *event)
{
    const struct uhd_api *api = s->device->api;
    uhd_async_metadata_event_code_t code = 0;
    struct stream_time time = {0};
    size_t channel = 0;
    api->async_metadata_event_code(s->tx_metadata, &code);
    api->async_metadata_channel(s->tx_metadata, &channel);
    api->async_metadata_has_time_spec(s->tx_metadata, &event->timed);
    api->async_metadata_time_spec(s->tx_metadata, &time.full_s, &time.frac_s);
    event->antenna = channel < TUTTI_MAX_ANT ? (int)channel : TUTTI_MAX_ANT;
    event->tick = stream_tick_of(time, s->device->rate_hz);
    if (!uhd_words_event((unsigned)code, &event->kind)) {
        event->kind = LEDGER_N_KINDS;
    }
}

static bool streams_message(void *state, struct ledger_event *event)
{
    struct uhd_streams *s = state;
    bool valid = false;
    pthread_mutex_lock(&s->tx_call);
    const uhd_error failed = s->device->api->tx_streamer_recv_async_msg(s->tx, &s->tx_metadata, 0, &valid);
    pthread_mutex_unlock(&s->tx_call);
    if (failed || !valid) {
        return false;
    }
    read_message(s, event);
    return true;
}

/* Life ------------------------------------------------------------------------------------------------------------ */

static const struct stream_ops OPS = {.now = streams_now,
                                      .start = streams_start,
                                      .stop = streams_stop,
                                      .receive = streams_receive,
                                      .send = streams_send,
                                      .end = streams_end,
                                      .message = streams_message};

static int make_receiver(struct uhd_streams *s)
{
    const struct uhd_api *api = s->device->api;
    size_t most = 0;
    uhd_stream_args_t stream = {.cpu_format = (char[]){"fc32"},
                                .otw_format = (char[]){"sc16"},
                                .args = (char[]){""},
                                .channel_list = s->device->channel,
                                .n_channels = s->device->n_ant};
    if (api->rx_streamer_make(&s->rx) || api->usrp_get_rx_stream(s->device->usrp, &stream, s->rx) ||
        api->rx_streamer_max_num_samps(s->rx, &most) || most < 1 || most > 1 << 20) {
        return uhd_device_failed(s->device, "no receive stream");
    }
    s->packet_samples = (int)most;
    return api->rx_metadata_make(&s->rx_metadata) ? uhd_device_failed(s->device, "no receive stream") : TUTTI_OK;
}

static int make_transmitter(struct uhd_streams *s)
{
    const struct uhd_api *api = s->device->api;
    uhd_stream_args_t stream = {.cpu_format = (char[]){"fc32"},
                                .otw_format = (char[]){"sc16"},
                                .args = (char[]){""},
                                .channel_list = s->device->channel,
                                .n_channels = s->device->n_ant};
    return api->tx_streamer_make(&s->tx) || api->usrp_get_tx_stream(s->device->usrp, &stream, s->tx) ||
                   api->async_metadata_make(&s->tx_metadata)
               ? uhd_device_failed(s->device, "no transmit stream")
               : TUTTI_OK;
}

int uhd_streams_create(struct uhd_streams *s, struct uhd_device *d, struct stream_device *stream)
{
    *s = (struct uhd_streams){.device = d};
    pthread_mutex_init(&s->tx_call, NULL);
    int status = make_receiver(s);
    status = status ? status : make_transmitter(s);
    *stream = (struct stream_device){.ops = &OPS,
                                     .state = s,
                                     .kind = "USRP",
                                     .name = d->name,
                                     .n_ant = d->n_ant,
                                     .tick_multiple = d->tick_multiple,
                                     .packet_samples = s->packet_samples,
                                     .rate_hz = d->rate_hz,
                                     .elastic = d->elastic};
    return status;
}

void uhd_streams_destroy(struct uhd_streams *s)
{
    if (!s->device) {
        return;
    }
    const struct uhd_api *api = s->device->api;
    if (s->rx_metadata) {
        api->rx_metadata_free(&s->rx_metadata);
    }
    if (s->tx_metadata) {
        api->async_metadata_free(&s->tx_metadata);
    }
    if (s->rx && !s->device->gone) {
        api->rx_streamer_free(&s->rx);
    }
    if (s->tx && !s->device->gone) {
        api->tx_streamer_free(&s->tx);
    }
    pthread_mutex_destroy(&s->tx_call);
    *s = (struct uhd_streams){0};
}
