/* SPDX-License-Identifier: GPL-3.0-or-later */
/* argv[1]: folder with wrong/ (each file's first line is the error it must give), right/; argv[2]: examples. */
#include "base/config.h"
#include "base/error.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *folder, *examples;

/* Loading must not print ------------------------------------------------------------------------------------------- */

static int load(struct config **config, const char *path, const char *const *overrides, int n)
{
    char name[] = "/tmp/test_config_XXXXXX";
    const int spy = mkstemp(name), out = dup(1), err = dup(2);
    assert_true(spy >= 0 && out >= 0 && err >= 0);
    unlink(name);
    fflush(stdout);
    fflush(stderr);
    dup2(spy, 1);
    dup2(spy, 2);
    const int rc = config_load(config, path, overrides, n);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(err, 2);
    struct stat status;
    assert_int_equal(fstat(spy, &status), 0);
    close(out);
    close(err);
    close(spy);
    assert_int_equal(status.st_size, 0);
    return rc;
}

static struct config *load_ok(const char *path, const char *const *overrides, int n)
{
    struct config *config;
    if (load(&config, path, overrides, n) != 0) {
        fail_msg("%s: %s", path ? path : "defaults", error_text());
    }
    assert_non_null(config);
    return config;
}

static struct config *load_set(const char *override)
{
    return load_ok(NULL, &override, 1);
}

static void load_wrong(const char *path, const char *const *overrides, int n, const char *message)
{
    struct config *config = (struct config *)&config;
    assert_int_equal(load(&config, path, overrides, n), TUTTI_ECONFIG);
    assert_null(config);
    assert_string_equal(error_text(), message);
    assert_null(strchr(error_text(), '\n'));
}

static void load_wrong_set(const char *override, const char *message)
{
    load_wrong(NULL, &override, 1, message);
}

/* Writes bytes to a file of its own and expects message after the file's name. */
static void load_wrong_bytes(const char *bytes, size_t length, const char *message)
{
    char name[] = "/tmp/test_config_XXXXXX", whole[512];
    const int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
    snprintf(whole, sizeof(whole), "%s:%s", name, message);
    load_wrong(name, NULL, 0, whole);
    unlink(name);
}

/* Loading what config_to_yaml wrote must give the same text again. Returns it, caller frees. */
static char *round_trip(const struct config *config)
{
    char name[] = "/tmp/test_config_XXXXXX";
    char *const first = config_to_yaml(config);
    assert_non_null(first);
    const int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, first, strlen(first)), (ssize_t)strlen(first));
    close(fd);
    struct config *again = load_ok(name, NULL, 0);
    char *const second = config_to_yaml(again);
    assert_non_null(second);
    assert_string_equal(second, first);
    assert_true(config_fingerprint(again) == config_fingerprint(config));
    config_free(again);
    free(second);
    unlink(name);
    return first;
}

/* Folders of files --------------------------------------------------------------------------------------------------
 */

static int each_yaml(const char *directory, void (*visit)(const char *path))
{
    struct dirent **entries;
    const int n = scandir(directory, &entries, NULL, alphasort);
    int visited = 0;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char path[1400];
        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        if (strstr(entries[i]->d_name, ".yaml")) {
            visit(path);
            visited++;
        }
        free(entries[i]);
    }
    free(entries);
    return visited;
}

static void visit_wrong(const char *path)
{
    char expected[512], message[2000];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(expected, sizeof(expected), file));
    fclose(file);
    assert_memory_equal(expected, "# ", 2);
    expected[strcspn(expected, "\n")] = '\0';
    snprintf(message, sizeof(message), "%s:%s", path, expected + 2);
    message[511] = '\0'; /* error_set keeps as much */
    load_wrong(path, NULL, 0, message);
}

static void test_wrong_files(void **state)
{
    (void)state;
    char directory[1024];
    snprintf(directory, sizeof(directory), "%s/wrong", folder);
    assert_true(each_yaml(directory, visit_wrong) >= 100);
}

static void visit_right(const char *path)
{
    struct config *config = load_ok(path, NULL, 0);
    free(round_trip(config));
    config_free(config);
}

/* An example for USRPs needs a build with libuhd; without it the sentence says so. */
static void visit_example(const char *path)
{
    struct config *config = NULL;
    if (load(&config, path, NULL, 0) != 0 && strstr(error_text(), "is not built in: this build has no libuhd")) {
        return;
    }
    config_free(config);
    visit_right(path);
}

static void test_right_files(void **state)
{
    (void)state;
    char directory[1024];
    snprintf(directory, sizeof(directory), "%s/right", folder);
    assert_true(each_yaml(directory, visit_right) >= 8);
    assert_true(each_yaml(examples, visit_example) >= 4);
}

static struct config *load_right(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/right/%s", folder, name);
    return load_ok(path, NULL, 0);
}

/* Values --------------------------------------------------------------------------------------------------------------
 */

static void test_defaults(void **state)
{
    (void)state;
    struct config *config = load_ok(NULL, NULL, 0);
    char directory[64], endpoint[96];
    snprintf(directory, sizeof(directory), "/tmp/tutti-%u-tutti", getuid());
    assert_string_equal(config->network.runtime_dir, directory);
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/fronthaul", directory);
    assert_string_equal(config->fronthaul.endpoint, endpoint);
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/lab", directory);
    assert_string_equal(config->fronthaul.lab_endpoint, endpoint);
    snprintf(endpoint, sizeof(endpoint), "unix://%s/air", directory);
    assert_string_equal(config->air.endpoint, endpoint);
    assert_int_equal(config->network.n_ap, 4);
    assert_true(config->frame.sample_rate_hz == 1.92e6);
    assert_string_equal(config->frame.schedule, "B G P4 U24 G D38 G");
    assert_int_equal(config->precoding.scheme, MIMO_ZF);
    assert_int_equal(config->pilots.assignment_count, 0);
    assert_true(config->record.csi);
    assert_true(config->air.large_scale.reference_db == -30.5);
    assert_int_equal(config->air.fading.tap_delays_samples_count, 1);
    assert_int_equal(config->air.fading.tap_delays_samples[0], 0);
    assert_false(config->air.impairments.ue.clip);
    free(round_trip(config));
    config_free(config);
    config_free(NULL);
}

static void test_values_reach_the_struct(void **state)
{
    (void)state;
    struct config *config = load_right("numbers.yaml");
    assert_true(config->frame.sample_rate_hz == 1.92e6 && config->frame.block_us == 5000);
    assert_true(config->engine.on_time_us == 333.3333333333333 && config->engine.tx_lead_us == 0.1);
    assert_true(config->network.seed == 9007199254740992 && config->network.n_blocks == 0);
    char *text = config_to_yaml(config); /* shortest, but not a digit less */
    assert_non_null(text);
    assert_non_null(strstr(text, "on_time_us: 333.3333333333333\n"));
    assert_non_null(strstr(text, "tx_lead_us: 0.1\n"));
    assert_non_null(strstr(text, "sample_rate_hz: 1920000\n"));
    free(text);
    config_free(config);

    config = load_right("explicit_gains.yaml");
    assert_int_equal(config->air.large_scale.gain_db_count, 2);
    assert_int_equal(config->air.large_scale.gain_db[1].value_count, 3);
    assert_true(config->air.large_scale.gain_db[0].value[2] == -100);
    assert_true(config->air.large_scale.gain_db[1].value[2] == -90.0000001);
    config_free(config);

    config = load_right("aliases.yaml");
    assert_true(config->air.large_scale.gain_db[1].value[1] == -80.5);
    assert_true(config->air.impairments.ap.cfo_hz == 12.5 && config->air.impairments.ue.cfo_hz == 12.5);
    assert_true(config->air.impairments.ue.clip && config->air.impairments.ue.adc_bits == 12);
    config_free(config);

    config = load_right("texts.yaml");
    assert_string_equal(config->network.name, "null");
    assert_string_equal(config->radio.ap.args, "say \"hi\", back\\slash: #no comment \xc3\xa9");
    assert_string_equal(config->record.file, "");
    assert_string_equal(config->fronthaul.endpoint, "tcp://10.0.0.1:5555");
    assert_string_equal(config->air.endpoint, "unix:///tmp/a b/air");
    config_free(config);

    config = load_right("two_cpus.yaml");
    assert_int_equal(config_n_cpu(config), 2);
    for (int ap = 0; ap < 4; ap++) {
        assert_int_equal(config_cpu_of_ap(config, ap), ap % 2);
    }
    assert_string_equal(config_cpu_endpoint(config, 0), config->fronthaul.endpoint);
    assert_string_equal(config_cpu_endpoint(config, 1), "tcp://10.0.0.2:5001");
    text = config_record_name(config, 1);
    assert_string_equal(text, "run.cpu1.h5");
    free(text);
    config_free(config);

    config = load_right("taps.yaml");
    assert_int_equal(config->air.mode, CONFIG_AIR_PACED);
    assert_int_equal(config->air.fading.model, CONFIG_FADING_TDL);
    assert_int_equal(config->air.fading.variation, CONFIG_VARIATION_JAKES);
    assert_int_equal(config->air.fading.tap_delays_samples[2], 3);
    assert_true(config->air.fading.tap_powers_db[1] == -3.5);
    config_free(config);
}

static const char *const keys[] = {
    "network.name=other",
    "network.seed=12",
    "network.n_ap=5",
    "network.n_ant=3",
    "network.n_ue=3",
    "network.n_blocks=9",
    "network.runtime_dir=/run/tutti",
    "frame.sample_rate_hz=2000000",
    "frame.fft_size=64",
    "frame.n_used_subcarriers=60",
    "frame.n_cp_samples=8",
    "frame.block_us=6000",
    "frame.schedule=\"B G P5 U23 G D38 G\"",
    "frame.n_dl_pilot_symbols=6",
    "frame.subcarriers_per_subband=6",
    "pilots.assignment=[3, 1, 2, 0]",
    "pilots.large_scale=known",
    "pilots.tracking_blocks=7",
    "payload.modulation=qam256",
    "payload.max_code_block_bits=999",
    "precoding.scheme=cb",
    "precoding.power=equal_sent",
    "partners.helpers=false",
    "partners.help_db=7.5",
    "partners.hysteresis_db=2.5",
    "partners.hysteresis_blocks=51",
    "partners.lead_blocks=9",
    "partners.weights_every_blocks=101",
    "uplink.mode=local",
    "uplink.combiner=mr",
    "uplink.fusion=lsfd",
    "uplink.modulation=qam64",
    "uplink.streams=matched",
    "uplink.encoding=bfp",
    "uplink.n_workers=3",
    "engine.gather_deadline_us=11.5",
    "engine.n_workers=2",
    "engine.solve_cores=[1]",
    "engine.stale_blocks=5",
    "engine.mute_blocks=6",
    "engine.tx_lead_us=1.25",
    "engine.lag_blocks=1",
    "engine.on_time_us=2.5",
    "engine.lockstep_timeout_ms=3.5",
    "engine.peer_timeout_ms=44",
    "engine.user_silent_blocks=3",
    "engine.realtime_priority=50",
    "engine.attack_alarms_per_hour=0.5",
    "engine.ap_cores=[0, 1, 0, 1]",
    "fronthaul.endpoint=tcp://127.0.0.1:1",
    "fronthaul.lab_endpoint=ipc:///run/lab",
    "record.file=other.h5",
    "record.csi=false",
    "record.precoders=false",
    "record.constellation_points=5",
    "record.iq.dir=samples",
    "record.iq.nodes=[ap0, ue3]",
    "record.iq.from_block=5",
    "record.iq.n_blocks=6",
    "record.iq.symbols=PG",
    "radio.ap.args=\"type=x\"",
    "radio.ap.tx_power_dbm=1.5",
    "radio.ap.noise_figure_db=2.5",
    "radio.ap.tx_full_scale_dbm=3.5",
    "radio.ap.rx_full_scale_dbm=-4.5",
    "radio.ap.master_clock_rate_hz=200000000",
    "sync.reference_ap=2",
    "radio.ap.freq_hz=3500000000",
    "radio.ap.bandwidth_hz=40000000",
    "radio.ap.tx_gain_db=12.5",
    "radio.ap.rx_gain_db=13.5",
    "radio.ap.tx_antenna=TX/RX",
    "radio.ap.rx_antenna=RX2",
    "radio.ap.subdev=\"A:0 B:0\"",
    "radio.ap.channels=\"0,1\"",
    "radio.ap.clock_source=external",
    "radio.ap.time_source=gpsdo",
    "radio.ue.args=\"a, b\"",
    "radio.ue.tx_power_dbm=-1",
    "radio.ue.noise_figure_db=1",
    "radio.ue.tx_full_scale_dbm=2",
    "radio.ue.rx_full_scale_dbm=-3",
    "air.endpoint=tcp://127.0.0.1:2",
    "air.mode=paced",
    "air.chunk_samples=960",
    "air.wait_for_all=false",
    "air.tap.endpoint=tcp://127.0.0.1:3",
    "air.tap.radios=[ap1]",
    "air.tap.direction=tx",
    "air.radio_timeout_ms=5",
    "air.truth=truth.h5",
    "air.large_scale.model=geometry",
    "air.large_scale.snr_db=-3",
    "air.large_scale.area_m=77",
    "air.large_scale.ap_height_m=78",
    "air.large_scale.ue_height_m=79",
    "air.large_scale.path_loss=three_slope",
    "air.large_scale.reference_db=-31",
    "air.large_scale.exponent=2.1",
    "air.large_scale.shadowing_db=8",
    "air.fading.model=tdl",
    "air.fading.rician_k_db=3",
    "air.fading.tap_delays_samples=[1]",
    "air.fading.tap_powers_db=[-1]",
    "air.fading.variation=jakes",
    "air.fading.doppler_hz=5",
    "air.delay_samples=2",
    "air.impairments.ap.gain_mismatch_db=1",
    "air.impairments.ap.phase_mismatch_deg=2",
    "air.impairments.ap.cfo_hz=3",
    "air.impairments.ap.phase_noise_linewidth_hz=4",
    "air.impairments.ap.timing_offset_samples=5",
    "air.impairments.ap.timing_fraction_samples=0.25",
    "air.impairments.ap.clip=true",
    "air.impairments.ap.adc_bits=12",
    "air.impairments.ue.gain_mismatch_db=1",
    "air.impairments.ue.phase_mismatch_deg=2",
    "air.impairments.ue.cfo_hz=3",
    "air.impairments.ue.phase_noise_linewidth_hz=4",
    "air.impairments.ue.timing_offset_samples=5",
    "air.impairments.ue.timing_fraction_samples=0.25",
    "air.impairments.ue.clip=true",
    "air.impairments.ue.adc_bits=12",
};

/* Every key by itself: the override must come out of config_to_yaml as the first line that differs from the defaults,
 * so it went through its own field and no other. */
static void test_every_key(void **state)
{
    (void)state;
    const char *overrides[] = {"frame.n_used_subcarriers=48", /* so that the smallest FFT fits */
                               "air.fading.model=none",       /* and a lag */
                               NULL};
    struct config *config = load_ok(NULL, overrides, 2);
    char *const defaults = config_to_yaml(config);
    config_free(config);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char expected[128], line[128];
        overrides[2] = keys[i];
        config = load_ok(NULL, overrides, 3);
        char *const text = round_trip(config);
        const size_t path = strcspn(keys[i], "=");
        const char *key = keys[i] + path;
        while (key > keys[i] && key[-1] != '.') {
            key--;
        }
        snprintf(expected, sizeof(expected), "%.*s: %s", (int)(keys[i] + path - key), key, keys[i] + path + 1);
        size_t at = 0, start = 0;
        for (; text[at] && text[at] == defaults[at]; at++) {
            start = text[at] == '\n' ? at + 1 : start;
        }
        start += strspn(text + start, " ");
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(text + start, "\n"), text + start);
        assert_string_equal(line, expected);
        free(text);
        config_free(config);
    }
    free(defaults);
}

static void test_layers(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof(path), "%s/right/shared_pilots.yaml", folder);
    const char *const overrides[] = {"network.seed=7", "pilots={assignment: [3, 2, 1, 0, 0, 0], tracking_blocks: 5}",
                                     "pilots.tracking_blocks=6", "record.file=", "network.seed=8"};
    struct config *config = load_ok(path, overrides, 5);
    assert_int_equal(config->network.n_ue, 6);                     /* the file over the defaults */
    assert_int_equal(config->network.n_ant, 4);                    /* a mapping merges */
    assert_int_equal(config->pilots.large_scale, CONFIG_LS_KNOWN); /* also when a --set gives some of it */
    assert_int_equal(config->pilots.assignment_count, 6);          /* a list replaces */
    assert_int_equal(config->pilots.assignment[0], 3);
    assert_int_equal(config->pilots.tracking_blocks, 6); /* the later --set wins */
    assert_int_equal(config->network.seed, 8);
    assert_string_equal(config->record.file, "");
    config_free(config);
}

/* Errors without a file of their own --------------------------------------------------------------------------------
 */

static void test_wrong_overrides(void **state)
{
    (void)state;
    load_wrong_set("frame.fft_size=98", "--set frame.fft_size=98: 98 is not a product of powers of 2, 3 and 5");
    load_wrong_set("frame.fft_size=fast", "--set frame.fft_size=fast: expected a whole number, found 'fast'");
    load_wrong_set("frame.fft_size=", "--set frame.fft_size=: expected a whole number, found nothing");
    load_wrong_set("frame.fft_size", "--set frame.fft_size: expected path.to.key=value");
    load_wrong_set("=5", "--set =5: expected path.to.key=value");
    load_wrong_set("frame.=5", "--set frame.=5: unknown key, frame has sample_rate_hz, fft_size, n_used_subcarriers, "
                               "n_cp_samples, block_us, schedule, n_dl_pilot_symbols, subcarriers_per_subband");
    load_wrong_set("frame.ftt_size=128", "--set frame.ftt_size=128: unknown key, did you mean frame.fft_size?");
    load_wrong_set("pilots.assignment[0]=1",
                   "--set pilots.assignment[0]=1: unknown key, did you mean pilots.assignment?");
    load_wrong_set("frame={fft_size: fast}",
                   "--set frame={fft_size: fast}: frame.fft_size: expected a whole number, found 'fast'");
    load_wrong_set("frame=[1", "--set frame=[1: not valid YAML: did not find expected ',' or ']' while parsing a flow "
                               "sequence");
    load_wrong_set("network.name=#", "--set network.name=#: there is no value");
    load_wrong_set("network.name=a\nb\t: c",
                   "--set network.name=a?b?: c: not valid YAML: mapping values are not allowed "
                   "in this context");
    /* the topmost layer is to blame, whichever key of the rule it set */
    char path[1024];
    snprintf(path, sizeof(path), "%s/right/sections_in_any_order.yaml", folder);
    const char *const override = "network.n_ue=4";
    load_wrong(path, &override, 1,
               "--set network.n_ue=4: 4 users need as many downlink pilot symbols, n_dl_pilot_symbols is 2");
}

static void test_wrong_bytes(void **state)
{
    (void)state;
    load_wrong("/nonexistent/net.yaml", NULL, 0, "/nonexistent/net.yaml: No such file or directory");
    load_wrong("/tmp", NULL, 0, "/tmp: Is a directory");
    load_wrong_bytes("", 0, "1: the file holds no keys");
    load_wrong_bytes(
        "network:\n  name: \xff\n", 19,
        "2: network.name: '\xff' is not 1..48 letters, digits, '_', '-', '.' (it becomes a directory name)");
    load_wrong_bytes("network:\n\n  name: a\0b\n", 23, "3: not valid YAML: control characters are not allowed");
    load_wrong_bytes("a: &a [*a, *a]\n", 15,
                     "1: a: unknown key, a network file has network, frame, pilots, payload, "
                     "precoding, scheduler, cluster, cpus, partners, sync, uplink, calibration, eve, resilience, "
                     "sensing, engine, fronthaul, "
                     "record, radio, air");
}

/* The rest of the interface ------------------------------------------------------------------------------------------
 */

static char *agreement_of(const char *override)
{
    struct config *config = load_set(override);
    char *const text = config_agreement(config);
    assert_non_null(text);
    config_free(config);
    return text;
}

static uint64_t fingerprint_of(const char *override)
{
    struct config *config = load_set(override);
    const uint64_t fingerprint = config_fingerprint(config);
    config_free(config);
    return fingerprint;
}

/* What does not change a number on the wire, and other spellings of the same. */
static void test_agreement_is_about_meanings(void **state)
{
    (void)state;
    static const char *const same[] = {"network.name=b",
                                       "engine.tx_lead_us=10",
                                       "engine.stale_blocks=9",
                                       "air.fading.model=none",
                                       "precoding.scheme=cb",
                                       "uplink.modulation=qam64",
                                       "precoding.upsilon=0.5",
                                       "frame.schedule=BGPPPPU24GD38G",
                                       "pilots.assignment=[0, 1, 2, 3]",
                                       "network.n_blocks=3",
                                       "fronthaul.mantissa_bits=12",
                                       "radio.ap.args=\"addr=1.2.3.4\"",
                                       "radio.ap_list=[{id: 1, freq_hz: 1e9}]"};
    char sentence[200] = "untouched";
    char *const ours = agreement_of("network.name=other");
    const uint64_t standard = fingerprint_of("network.name=other");
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        char *const theirs = agreement_of(same[i]);
        assert_false(config_agreement_differs(ours, theirs, sentence, sizeof(sentence)));
        assert_string_equal(sentence, "untouched");
        assert_true(fingerprint_of(same[i]) == standard);
        free(theirs);
    }
    free(ours);
}

/* The sentence names the key and both values. */
static void test_agreement_names_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *override, *sentence;
    } cases[] = {
        {"network.n_ap=5", "network.n_ap: '5' there, '4' here"},
        {"network.n_ant=3", "network.n_ant: '3' there, '4' here"},
        {"network.n_ue=3", "network.n_ue: '3' there, '4' here"},
        {"network.seed=2", "network.seed: '2' there, '1' here"},
        {"frame={fft_size: 256, block_us: 10000}", "frame.fft_size: '256' there, '128' here"},
        {"frame.sample_rate_hz=1.93e6", "frame.sample_rate_hz: '1930000' there, '1920000' here"},
        {"frame.n_used_subcarriers=60", "frame.n_used_subcarriers: '60' there, '72' here"},
        {"frame.n_cp_samples=8", "frame.n_cp_samples: '8' there, '9' here"},
        {"frame.block_us=6000", "frame.block_us: '6000' there, '5000' here"},
        {"frame.schedule=B G P4 U23 G2 D38 G",
         "frame.schedule: 'BGPPPPUUUUUUUUUUUUUUUUUUUUUUUGGDDDDDDDDDDDDDDDDDDDDDDDDDDDDD' there, "
         "'BGPPPPUUUUUUUUUUUUUUUUUUUUUUUUGDDDDDDDDDDDDDDDDDDDDDDDDDDDDD' here"},
        {"frame.n_dl_pilot_symbols=5", "frame.n_dl_pilot_symbols: '5' there, '4' here"},
        {"frame.subcarriers_per_subband=6", "frame.subcarriers_per_subband: '6' there, '12' here"},
        {"pilots.assignment=[1, 0, 2, 3]", "pilots.assignment: '1 0 2 3' there, '0 1 2 3' here"},
        {"pilots.large_scale=known", "pilots.large_scale: 'known' there, 'tracked' here"},
        {"pilots.tracking_blocks=50", "pilots.tracking_blocks: '50' there, '100' here"},
        {"payload.modulation=qam256", "payload.modulation: 'qam256' there, 'qam16' here"},
        {"payload.max_code_block_bits=1024", "payload.max_code_block_bits: '1024' there, '6144' here"},
        {"precoding={local: true, scheme: cb, power: equal}", "precoding.local: 'true' there, 'false' here"},
        {"scheduler.n_served=2", "scheduler.n_served: '2' there, '0' here"},
        {"cpus=[{aps: [0, 1]}, {aps: [3, 2]}]", "cpus, aps of each: '0 1 | 3 2' there, 'nothing' here"},
        {"cluster.enabled=true", "cluster.pilots: '4' there, 'nothing' here"},
        {"uplink={mode: local, combiner: mr}", "uplink.mode: 'local' there, 'nothing' here"},
        {"calibration.power=together", "calibration.power: 'together' there, 'nothing' here"},
        {"precoding.subband=flat", "precoding.subband: 'flat' there, 'smooth' here"},
        {"air.mode=paced", "air.repeatable: 'false' there, 'true' here"},
        {"fronthaul.uplink_encoding=sc16", "fronthaul.uplink_encoding: 'sc16' there, 'cf32' here"},
        {"fronthaul.downlink_encoding=bfp", "fronthaul.downlink_encoding: 'bfp' there, 'cf32' here"},
        {"radio.ap.tx_power_dbm=20", "radio.ap.tx_power_dbm: '20' there, '23' here"},
        {"radio.ap.noise_figure_db=8", "radio.ap.noise_figure_db: '8' there, '9' here"},
        {"radio.ap.rx_full_scale_dbm=-41", "radio.ap.rx_full_scale_dbm: '-41' there, '-40' here"},
        {"radio.ue.tx_full_scale_dbm=31", "radio.ue.tx_full_scale_dbm: '31' there, '32' here"},
        {"radio.ap_list=[{id: 2, tx_power_dbm: 20}]", "radio.ap_list[2].tx_power_dbm: '20' there, 'nothing' here"},
    };
    char *const ours = agreement_of("network.name=other");
    const uint64_t standard = fingerprint_of("network.name=other");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char sentence[200], back[200];
        char *const theirs = agreement_of(cases[i].override);
        assert_true(config_agreement_differs(ours, theirs, sentence, sizeof(sentence)));
        assert_string_equal(sentence, cases[i].sentence);
        assert_true(config_agreement_differs(theirs, ours, back, sizeof(back)));
        assert_true(fingerprint_of(cases[i].override) != standard);
        free(theirs);
    }
    char sentence[200];
    assert_true(config_agreement_differs(ours, "", sentence, sizeof(sentence)));
    assert_string_equal(sentence, "network.n_ap: 'nothing' there, '4' here");
    assert_true(config_agreement_differs("", "rubbish", sentence, sizeof(sentence)));
    assert_string_equal(sentence, "rubbish: '' there, 'nothing' here");
    free(ours);
}

static void test_radios(void **state)
{
    (void)state;
    struct config *config = load_right("radios.yaml");
    const struct config_radio *radio = config_radio_of(config, CONFIG_ROLE_AP, 2);
    assert_string_equal(radio->args, "addr=192.168.10.3");
    assert_true(radio->tx_gain_db == 12.5 && radio->freq_hz == 3.5e9 && radio->tx_power_dbm == 20);
    assert_string_equal(radio->clock_source, "external");
    assert_string_equal(radio->channels, "0,1");
    assert_string_equal(config_radio_args(config, radio), "addr=192.168.10.3");
    radio = config_radio_of(config, CONFIG_ROLE_AP, 1); /* nothing of its own */
    assert_string_equal(radio->args, "type=x310");
    assert_true(radio->tx_gain_db == 20 && radio->tx_power_dbm == 23);
    radio = config_radio_of(config, CONFIG_ROLE_AP, 0);
    assert_string_equal(radio->rx_antenna, "RX2");
    assert_string_equal(radio->args, "type=x310");
    radio = config_radio_of(config, CONFIG_ROLE_UE, 3);
    assert_true(radio == &config->radio.ue);
    assert_string_equal(config_radio_args(config, radio), config->air.endpoint); /* of the emulated air */
    assert_true(config_radio_of(config, CONFIG_ROLE_EVE, 0)->tx_power_dbm == 10);
    config_free(config);
    config = load_set("radio.ap_list=[{id: 3, args: x}]"); /* a list replaces */
    assert_string_equal(config_radio_of(config, CONFIG_ROLE_AP, 3)->args, "x");
    assert_string_equal(config_radio_of(config, CONFIG_ROLE_AP, 2)->args, "");
    assert_true(config_is_repeatable(config));
    config_free(config);
    config = load_set("air.mode=paced");
    assert_false(config_is_repeatable(config));
    config_free(config);
}

/* What the running network needs to sense is said, key by key. */
static void test_sensing(void **state)
{
    (void)state;
    static const char *const RIGHT[] = {"sensing.live=true",      "sensing.zones_m=[[1, 2, 3], [4, 5, 6]]",
                                        "precoding.scheme=cb",    "precoding.power=maxmin",
                                        "precoding.subband=flat", "air.large_scale.model=geometry",
                                        "network.n_ue=2",         "frame.n_dl_pilot_symbols=4",
                                        "sensing.kappa_db=2"};
    static const struct {
        const char *set, *sentence;
    } WRONG[] = {
        {"precoding.scheme=zf", "sensing goes with scheme cb, power maxmin"},
        {"precoding.subband=smooth", "subband: flat"},
        {"frame.n_dl_pilot_symbols=3", "2 users and 2 sensing zones need as many downlink pilot symbols"},
        {"air.large_scale.model=uniform", "air.large_scale.model must be geometry"},
        {"air.events=[{kind: move, block: 3, zone: 2, to_m: [1, 2, 3]}]", "a move needs zone:, less than the 2"},
        {"air.events=[{kind: move, block: 3, zone: 1, to_m: [1, 2]}]", "to_m: [x, y, h]"},
        {"network.n_eve=1", NULL}};
    enum { N = sizeof RIGHT / sizeof *RIGHT };
    const char *sets[N + 1];
    memcpy(sets, RIGHT, sizeof RIGHT);
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct config *config = NULL;
        sets[N] = WRONG[i].set;
        const int status = config_load(&config, NULL, sets, N + 1);
        assert_int_equal(status < 0, WRONG[i].sentence != NULL);
        assert_true(status >= 0 || strstr(error_text(), WRONG[i].sentence) != NULL);
        assert_true(status < 0 || config_n_zone(config) == 2);
        config_free(config);
    }
}

/* Scripted events keep their lists, also through YAML and back; wrong ones are refused with the entry's name. */
static void test_events(void **state)
{
    (void)state;
    struct config *config =
        load_set("air.events=[{kind: blockage, block: 20, ap: [0, 1], ue: [2], loss_db: 20}, {kind: blockage, block: "
                 "2, to_block: 40, ap: [3], ue: [0, 1], loss_db: 6.5}]");
    char *text = config_to_yaml(config);
    assert_true(strstr(text, "{kind: blockage, block: 20, to_block: 0, ap: [0, 1], ue: [2], loss_db: 20, zone: 0}") !=
                NULL);
    char path[] = "/tmp/tutti-events-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    config_free(config);
    assert_int_equal(config_load(&config, path, NULL, 0), 0);
    unlink(path);
    free(text);
    assert_int_equal(config->air.events_count, 2);
    const struct config_event *event = &config->air.events[1];
    assert_true(event->kind == CONFIG_EVENT_BLOCKAGE && event->block == 2 && event->to_block == 40);
    assert_true(event->ap_count == 1 && event->ap[0] == 3 && event->ue_count == 2 && event->ue[1] == 1);
    assert_true(event->eve_count == 0 && event->loss_db == 6.5);
    config_free(config);
    load_wrong_set("air.events=[{block: 3}]",
                   "--set air.events=[{block: 3}]: air.events[0]: an event needs its kind, such as kind: blockage");
    load_wrong_set("air.events=[{kind: blockage, ap: [0], ue: [7]}]",
                   "--set air.events=[{kind: blockage, ap: [0], ue: [7]}]: air.events[0].ue[0]: there is no ue 7: "
                   "network.n_ue = 4");
    load_wrong_set("air.events=[{kind: blockage, ap: [0]}]",
                   "--set air.events=[{kind: blockage, ap: [0]}]: air.events[0]: a blockage needs ap: [...] and ue: "
                   "[...] or eve: [...], the two ends of the links that it weakens");
    load_wrong_set("air.events=[{kind: blockage, block: 4, to_block: 3, ap: [1], ue: [0]}]",
                   "--set air.events=[{kind: blockage, block: 4, to_block: 3, ap: [1], ue: [0]}]: air.events[0]: "
                   "to_block = 3 does not come after block = 4");
    load_wrong_set("air.events=[{kind: eclipse}]",
                   "--set air.events=[{kind: eclipse}]: air.events[0].kind: 'eclipse' is not one of blockage, move");
    load_wrong_set(
        "air.events=[{kinds: blockage}]",
        "--set air.events=[{kinds: blockage}]: air.events[0].kinds: unknown key, did you mean air.events[0].kind?");
}

/* What gains become needs gains that are written down and two blocks in order, and nobody knows it beforehand. */
static void test_gains_that_change(void **state)
{
    (void)state;
    static const char end[] = "air.large_scale={model: explicit, gain_db: [[1]], gain_db_end: [[-4.5]], "
                              "gain_db_end_from_block: 100, gain_db_end_to_block: 200}";
    static const char one[] = "network={n_ap: 1, n_ant: 1, n_ue: 1}", *const both[] = {one, end};
    struct config *config = NULL;
    assert_int_equal(config_load(&config, NULL, both, 2), 0);
    assert_true(config->air.large_scale.gain_db_end_count == 1 &&
                config->air.large_scale.gain_db_end[0].value[0] == -4.5 &&
                config->air.large_scale.gain_db_end_to_block == 200);
    config_free(config);
    load_wrong_set("air.large_scale.gain_db_end=[[1]]", "--set air.large_scale.gain_db_end=[[1]]: gain_db_end is what "
                                                        "gain_db becomes: air.large_scale.model must be explicit");
    const char *const known[] = {one, end, "pilots.large_scale=known"};
    assert_true(config_load(&config, NULL, known, 3) < 0 && strstr(error_text(), "are not known beforehand") != NULL);
    const char *const order[] = {one, end, "air.large_scale.gain_db_end_to_block=100"};
    assert_true(config_load(&config, NULL, order, 3) < 0 &&
                strstr(error_text(), "from block 100 to block 100, which must be a later one") != NULL);
    const char *const narrow[] = {one, end, "air.large_scale.gain_db_end=[[1, 2]]"};
    assert_true(config_load(&config, NULL, narrow, 3) < 0 &&
                strstr(error_text(), "row 0 of gain_db_end has 2 numbers, 1 are needed, one per network.n_ue") != NULL);
}

/* Taken as they are, whatever YAML would make of them; and they survive being written to a file and read again. */
static void test_literal_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"job #1",
                                        "a: b",
                                        "",
                                        "null",
                                        "-1",
                                        "[x",
                                        "\"quoted\" and back\\slash",
                                        "'",
                                        "caf\xe9",
                                        "\xc3\xa9\xff\x80",
                                        "x=y:=z",
                                        "\xed\xa0\x80",
                                        "- a",
                                        "&a *b !c %d @e `f"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char override[128];
        snprintf(override, sizeof(override), "radio.ap.args:=%s", texts[i]);
        struct config *config = load_set(override);
        assert_string_equal(config->radio.ap.args, texts[i]);
        free(round_trip(config));
        config_free(config);
        snprintf(override, sizeof(override), "network.runtime_dir:=/tmp/%s", texts[i]);
        config = load_set(override);
        char endpoint[160];
        snprintf(endpoint, sizeof(endpoint), "ipc:///tmp/%s/fronthaul", texts[i]);
        assert_string_equal(config->fronthaul.endpoint, endpoint);
        config_free(config);
    }
    load_wrong_set("network.n_ap:=4", "--set network.n_ap:=4: expected a whole number, found \"4\"");
    load_wrong_set("radio.ap.args:=a\nb", "--set radio.ap.args:=a?b: control characters are not allowed in a text");
    load_wrong_set("radio.ap.argz:=x", "--set radio.ap.argz:=x: unknown key, did you mean radio.ap.args?");
}

/* Relative paths mean the network file's folder, wherever the program was started. */
static void test_paths(void **state)
{
    (void)state;
    char here[1024], name[1400], wanted[1400];
    char *const base = realpath(folder, NULL);
    assert_non_null(getcwd(here, sizeof(here)));
    assert_non_null(base);
    assert_int_equal(chdir("/"), 0);
    snprintf(name, sizeof(name), "%s/right/relative.yaml", base);
    struct config *config = load_ok(name, NULL, 0);
    assert_int_equal(chdir(here), 0);
    snprintf(wanted, sizeof(wanted), "%s/right/run", base);
    assert_string_equal(config->network.runtime_dir, wanted);
    snprintf(wanted, sizeof(wanted), "unix://%s/right/run/air", base);
    assert_string_equal(config->air.endpoint, wanted);
    snprintf(wanted, sizeof(wanted), "ipc://%s/right/lab/socket", base);
    assert_string_equal(config->fronthaul.lab_endpoint, wanted);
    snprintf(wanted, sizeof(wanted), "%s/right/my keys", base);
    assert_string_equal(config->fronthaul.key_dir, wanted);
    assert_string_equal(config->record.file, "out/run.h5"); /* as written: the folder may move */
    char *path = config_file_path(config, config->record.file);
    snprintf(wanted, sizeof(wanted), "%s/right/out/run.h5", base);
    assert_string_equal(path, wanted);
    free(path);
    path = config_file_path(config, config->air.truth);
    assert_string_equal(path, "/tmp/truth.h5");
    free(path);
    path = config_file_path(config, "");
    assert_string_equal(path, "");
    free(path);
    config_free(config);
    config = load_ok(NULL, NULL, 0);
    path = config_file_path(config, "x.h5");
    snprintf(wanted, sizeof(wanted), "%s/x.h5", here);
    assert_string_equal(path, wanted);
    free(path);
    config_free(config);
    free(base);
}

/* A parser whose time grows with the square of the depth must not see it. */
static void test_deep_nesting(void **state)
{
    (void)state;
    enum { N = 60000 };
    static char text[N + 1];
    memset(text, '[', N);
    load_wrong_bytes(text, N, "1: nested deeper than 16 levels");
    for (int i = 0; i + 1 < N; i += 2) {
        memcpy(text + i, "- ", 2);
    }
    load_wrong_bytes(text, N, "1: nested deeper than 16 levels");
    memset(text, '{', N);
    load_wrong_bytes(text, N, "1: nested deeper than 16 levels");
}

/* Whether traffic is encrypted: only what surely stays on this host is not. */
static void test_key_dir(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint;
        bool leaves;
    } cases[] = {{"ipc:///tmp/x", false},
                 {"tcp://127.0.0.1:5000", false},
                 {"tcp://127.255.0.1:5000", false},
                 {"tcp://localhost:5000", false},
                 {"tcp://[::1]:5000", false},
                 {"tcp://10.0.0.1:5000", true},
                 {"tcp://128.0.0.1:5000", true},
                 {"tcp://126.0.0.1:5000", true},
                 {"tcp://127.example.org:5000", true},
                 {"tcp://localhost.example.org:5000", true},
                 {"tcp://*:5000", true},
                 {"tcp://0.0.0.0:5000", true},
                 {"tcp://[::]:5000", true},
                 {"tcp://[::ffff:10.0.0.1]:5000", true},
                 {"tcp://central:5000", true},
                 {"tcp://lo:5000", true}};
    static const char *const securities[] = {"fronthaul.security=auto", "fronthaul.security=curve",
                                             "fronthaul.security=none"};
    for (int s = 0; s < 3; s++) {
        struct config *config = load_set(securities[s]);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            const char *const dir = config_key_dir(config, cases[i].endpoint);
            const bool encrypted = s == 1 || (s == 0 && cases[i].leaves);
            assert_true((dir != NULL) == encrypted);
            assert_true(!dir || dir == config->fronthaul.key_dir);
        }
        config_free(config);
    }
}

static void test_schedule_expand(void **state)
{
    (void)state;
    char letters[12];
    memset(letters, 'x', sizeof(letters));
    assert_int_equal(config_schedule_expand(" B G2P3  D 1 0", letters, sizeof(letters)), TUTTI_ECONFIG);
    assert_string_equal(error_text(), "frame.schedule: more than 11 symbols from 'D' (character 10) on");
    assert_int_equal(config_schedule_expand("B12", letters, sizeof(letters)), TUTTI_ECONFIG); /* no room for the NUL */
    assert_int_equal(config_schedule_expand(" B G2P3  D 5", letters, sizeof(letters)), 11);
    assert_string_equal(letters, "BGGPPPDDDDD");
    assert_int_equal(config_schedule_expand("", letters, sizeof(letters)), 0);
    assert_string_equal(letters, "");
    assert_int_equal(config_schedule_expand("BGp", letters, sizeof(letters)), TUTTI_ECONFIG);
    assert_string_equal(error_text(), "frame.schedule: 'p' (character 3) is not one of B, P, U, G, D, C");
    assert_int_equal(config_schedule_expand("B00", letters, sizeof(letters)), TUTTI_ECONFIG);
}

static void test_options(void **state)
{
    (void)state;
    char *argv[] = {(char[]){"tutti-ap"}, (char[]){"--config"}, (char[]){"net.yaml"},       (char[]){"--id"},
                    (char[]){"2"},        (char[]){"--set"},    (char[]){"network.n_ue=3"}, (char[]){"--set=a=b=c"},
                    (char[]){"--log"},    (char[]){"debug"},    (char[]){"--configure"},    (char[]){"--set"}};
    const int argc = sizeof(argv) / sizeof(argv[0]);
    struct config_options options = {0};
    int i = 1;
    assert_int_equal(config_options_take(&options, argc, argv, &i), 1);
    assert_int_equal(i, 3);
    assert_string_equal(options.path, "net.yaml");
    assert_int_equal(config_options_take(&options, argc, argv, &i), 0); /* --id is the program's own */
    assert_int_equal(i, 3);
    i = 5;
    assert_int_equal(config_options_take(&options, argc, argv, &i), 1);
    assert_int_equal(config_options_take(&options, argc, argv, &i), 1);
    assert_int_equal(i, 8);
    assert_int_equal(options.n_overrides, 2);
    assert_string_equal(options.overrides[0], "network.n_ue=3");
    assert_string_equal(options.overrides[1], "a=b=c");
    assert_int_equal(config_options_take(&options, argc, argv, &i), 1);
    assert_int_equal(i, 10);
    assert_int_equal(config_options_take(&options, argc, argv, &i), 0); /* --configure is not --config */
    i = 11;
    assert_true(config_options_take(&options, argc, argv, &i) < 0);
    assert_string_equal(error_text(), "--set needs a value");
    char *loud[] = {(char[]){"--log=loud"}};
    i = 0;
    assert_true(config_options_take(&options, 1, loud, &i) < 0);
    assert_non_null(strstr(error_text(), "loud"));
    log_set_level(LOG_INFO);
    for (int n = 2; n < 500; n++) { /* as many as one likes */
        i = 7;
        assert_int_equal(config_options_take(&options, argc, argv, &i), 1);
        assert_string_equal(options.overrides[n], "a=b=c");
    }
    assert_int_equal(options.n_overrides, 500);
    config_options_free(&options);
    assert_int_equal(options.n_overrides, 0);
}

/* In lock-step nobody is dead before the time a block may wait; in real time nobody waits. */
static void test_peer_timeout(void **state)
{
    const struct {
        const char *override;
        double expected_ms;
    } cases[] = {
        {"engine.lockstep_timeout_ms=4000", 4000}, {"engine.lockstep_timeout_ms=1000", 1500}, {"air.mode=paced", 1500}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *config = load_set(cases[i].override);
        assert_true(config_peer_timeout_ms(config) == cases[i].expected_ms);
        config_free(config);
    }
}

/* In lock-step reports may come as late as they like: who is served is the same on any machine. */
static void test_silent_users(void **state)
{
    (void)state;
    struct config *config = load_set("engine.user_silent_blocks=3");
    assert_true(config_user_silent_blocks(config) > 1000000000);
    config_free(config);
    config = load_set("air.mode=paced");
    assert_int_equal(config_user_silent_blocks(config), 40);
    config_free(config);
}

/* Every scheme with every power rule, at the CPU node and at the APs: allowed is what the table allows, nothing else.
 */
static void test_table_of_precoders(void **state)
{
    (void)state;
    for (int i = 0; i < MIMO_N_SCHEMES * MIMO_N_POWERS * 2; i++) {
        const int scheme = i / 2 / MIMO_N_POWERS, power = i / 2 % MIMO_N_POWERS, local = i % 2;
        char sets[3][64];
        snprintf(sets[0], sizeof sets[0], "precoding.scheme=%s", mimo_scheme_name(scheme));
        snprintf(sets[1], sizeof sets[1], "precoding.power=%s", mimo_power_name(power));
        snprintf(sets[2], sizeof sets[2], "precoding.local=%s", local ? "true" : "false");
        const char *const overrides[] = {sets[0], sets[1], sets[2], "network.n_ant=8"};
        struct config *config = NULL;
        const int status = config_load(&config, NULL, overrides, 4);
        const enum mimo_power meant = mimo_power_meant(scheme, local, (enum mimo_power)power);
        const bool right =
            mimo_scheme_allows(scheme, power) &&
            (!local || (mimo_scheme_row(scheme)->kind == MIMO_PER_AP && meant == MIMO_POWER_EQUAL_SHARES));
        assert_int_equal(status, right ? 0 : TUTTI_ECONFIG);
        if (right) {
            assert_int_equal(config->precoding.scheme, scheme);
            assert_int_equal(config->precoding.power, meant);
        } else {
            assert_non_null(strstr(error_text(), "goes with"));
        }
        config_free(config);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    folder = argv[1];
    examples = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_reach_the_struct),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_right_files),
        cmocka_unit_test(test_wrong_overrides),
        cmocka_unit_test(test_wrong_bytes),
        cmocka_unit_test(test_agreement_is_about_meanings),
        cmocka_unit_test(test_agreement_names_the_key),
        cmocka_unit_test(test_sensing),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_radios),
        cmocka_unit_test(test_gains_that_change),
        cmocka_unit_test(test_literal_texts),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_key_dir),
        cmocka_unit_test(test_schedule_expand),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_peer_timeout),
        cmocka_unit_test(test_silent_users),
        cmocka_unit_test(test_table_of_precoders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
