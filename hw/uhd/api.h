/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libuhd's C functions, loaded when the first radio is opened: who has no radio neither needs the library nor waits for
 * it to start. Types are those of its header, so a call is checked as if it were linked. */
#ifndef TUTTI_HW_UHD_API_H
#define TUTTI_HW_UHD_API_H

#include <uhd.h>

#define UHD_FUNCTIONS(X)                                                                                               \
    X(get_last_error)                                                                                                  \
    X(get_abi_string)                                                                                                  \
    X(usrp_make)                                                                                                       \
    X(usrp_free)                                                                                                       \
    X(usrp_get_num_mboards)                                                                                            \
    X(usrp_get_mboard_name)                                                                                            \
    X(usrp_get_pp_string)                                                                                              \
    X(usrp_get_rx_num_channels)                                                                                        \
    X(usrp_get_tx_num_channels)                                                                                        \
    X(usrp_set_clock_source)                                                                                           \
    X(usrp_get_clock_source)                                                                                           \
    X(usrp_set_time_source)                                                                                            \
    X(usrp_get_time_source)                                                                                            \
    X(usrp_get_mboard_sensor_names)                                                                                    \
    X(usrp_get_mboard_sensor)                                                                                          \
    X(usrp_get_rx_sensor_names)                                                                                        \
    X(usrp_get_rx_sensor)                                                                                              \
    X(usrp_get_tx_sensor_names)                                                                                        \
    X(usrp_get_tx_sensor)                                                                                              \
    X(usrp_get_master_clock_rate)                                                                                      \
    X(usrp_set_rx_subdev_spec)                                                                                         \
    X(usrp_set_tx_subdev_spec)                                                                                         \
    X(usrp_set_rx_rate)                                                                                                \
    X(usrp_get_rx_rate)                                                                                                \
    X(usrp_get_rx_rates)                                                                                               \
    X(usrp_set_tx_rate)                                                                                                \
    X(usrp_get_tx_rate)                                                                                                \
    X(usrp_set_rx_gain)                                                                                                \
    X(usrp_get_rx_gain)                                                                                                \
    X(usrp_set_tx_gain)                                                                                                \
    X(usrp_get_tx_gain)                                                                                                \
    X(usrp_set_rx_antenna)                                                                                             \
    X(usrp_get_rx_antennas)                                                                                            \
    X(usrp_set_tx_antenna)                                                                                             \
    X(usrp_get_tx_antennas)                                                                                            \
    X(usrp_set_rx_bandwidth)                                                                                           \
    X(usrp_set_tx_bandwidth)                                                                                           \
    X(usrp_set_rx_freq)                                                                                                \
    X(usrp_get_rx_freq)                                                                                                \
    X(usrp_set_tx_freq)                                                                                                \
    X(usrp_get_tx_freq)                                                                                                \
    X(usrp_get_time_now)                                                                                               \
    X(usrp_set_time_now)                                                                                               \
    X(usrp_get_time_last_pps)                                                                                          \
    X(usrp_set_time_next_pps)                                                                                          \
    X(usrp_set_command_time)                                                                                           \
    X(usrp_clear_command_time)                                                                                         \
    X(usrp_get_rx_stream)                                                                                              \
    X(usrp_get_tx_stream)                                                                                              \
    X(rx_streamer_make)                                                                                                \
    X(rx_streamer_free)                                                                                                \
    X(rx_streamer_max_num_samps)                                                                                       \
    X(rx_streamer_recv)                                                                                                \
    X(rx_streamer_issue_stream_cmd)                                                                                    \
    X(tx_streamer_make)                                                                                                \
    X(tx_streamer_free)                                                                                                \
    X(tx_streamer_send)                                                                                                \
    X(tx_streamer_recv_async_msg)                                                                                      \
    X(rx_metadata_make)                                                                                                \
    X(rx_metadata_free)                                                                                                \
    X(rx_metadata_error_code)                                                                                          \
    X(rx_metadata_out_of_sequence)                                                                                     \
    X(rx_metadata_has_time_spec)                                                                                       \
    X(rx_metadata_time_spec)                                                                                           \
    X(tx_metadata_make)                                                                                                \
    X(tx_metadata_free)                                                                                                \
    X(async_metadata_make)                                                                                             \
    X(async_metadata_free)                                                                                             \
    X(async_metadata_channel)                                                                                          \
    X(async_metadata_has_time_spec)                                                                                    \
    X(async_metadata_time_spec)                                                                                        \
    X(async_metadata_event_code)                                                                                       \
    X(sensor_value_make_from_bool)                                                                                     \
    X(sensor_value_free)                                                                                               \
    X(sensor_value_to_int)                                                                                             \
    X(sensor_value_to_bool)                                                                                            \
    X(string_vector_make)                                                                                              \
    X(string_vector_free)                                                                                              \
    X(string_vector_size)                                                                                              \
    X(string_vector_at)                                                                                                \
    X(subdev_spec_make)                                                                                                \
    X(subdev_spec_free)                                                                                                \
    X(meta_range_make)                                                                                                 \
    X(meta_range_free)                                                                                                 \
    X(meta_range_to_pp_string)

struct uhd_api {
#define UHD_MEMBER(name) __typeof__(&uhd_##name) name;
    UHD_FUNCTIONS(UHD_MEMBER)
#undef UHD_MEMBER
};

/* Loads the library at the first call; it stays. TUTTI_EUNSUPPORTED with what to install. Not thread-safe. */
int uhd_api_get(const struct uhd_api **api);

#endif
