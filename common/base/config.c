/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/config_internal.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const unsigned char config_defaults_text[]; /* defaults.yaml, see cmake/embed.cmake */

const char *config_defaults_yaml(void)
{
    return (const char *)config_defaults_text;
}

/* Loading --------------------------------------------------------------------------------------------------------- */

struct cyaml_report {
    char first[256]; /* libcyaml's first line says what; the rest is its backtrace */
};

static void keep_report(cyaml_log_t level, void *context, const char *format, va_list args)
{
    struct cyaml_report *report = context;
    if (level == CYAML_LOG_ERROR && !report->first[0]) {
        vsnprintf(report->first, sizeof(report->first), format, args);
    }
}

static cyaml_config_t cyaml_settings(struct cyaml_report *report)
{
    return (cyaml_config_t){.log_fn = report ? keep_report : NULL,
                            .log_ctx = report,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_DEFAULT};
}

/* The layers passed config_layers_validate, so a refusal here is a disagreement between our checks and libcyaml's. */
static int fill_struct(struct config **config, struct config_layers *layers)
{
    char *text = config_layers_text(layers);
    if (!text) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    struct cyaml_report report = {""};
    const cyaml_config_t settings = cyaml_settings(&report);
    const cyaml_err_t err =
        cyaml_load_data((const uint8_t *)text, strlen(text), &settings, &config_schema, (cyaml_data_t **)config, NULL);
    free(text);
    if (err == CYAML_OK) {
        return 0;
    }
    report.first[strcspn(report.first, "\n")] = '\0';
    return error_set(err == CYAML_ERR_OOM ? TUTTI_ENOMEM : TUTTI_ECONFIG, "configuration: %s (%s)", cyaml_strerror(err),
                     report.first);
}

/* "auto" ---------------------------------------------------------------------------------------------------------- */

static int resolve(char **value, const char *prefix, const char *directory, const char *name)
{
    if (strcmp(*value, "auto") != 0) {
        return 0;
    }
    char *text = NULL;
    if (asprintf(&text, "%s%s/%s", prefix, directory, name) < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    free(*value);
    *value = text;
    return 0;
}

static int resolve_auto(struct config *config)
{
    char leaf[128];
    snprintf(leaf, sizeof(leaf), "tutti-%lu-%.64s", (unsigned long)getuid(), config->network.name);
    int rc = resolve(&config->network.runtime_dir, "", "/tmp", leaf);
    const char *const directory = config->network.runtime_dir;
    if (rc == 0) {
        rc = resolve(&config->fronthaul.endpoint, "ipc://", directory, "fronthaul");
    }
    if (rc == 0) {
        rc = resolve(&config->fronthaul.lab_endpoint, "ipc://", directory, "lab");
    }
    if (rc == 0) {
        rc = resolve(&config->air.endpoint, "unix://", directory, "air");
    }
    return rc;
}

/* Relative to the network file, so that every program finds the same keys wherever it was started. */
static int resolve_key_dir(struct config *config, const char *path)
{
    char **const dir = &config->fronthaul.key_dir;
    const char *const slash = path ? strrchr(path, '/') : NULL;
    char *text = NULL;
    if (**dir == '/' || !**dir) {
        return 0;
    }
    char *const base = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    char *const absolute = base ? realpath(base, NULL) : NULL;
    const int n = base ? asprintf(&text, "%s/%s", absolute ? absolute : base, *dir) : -1;
    free(base);
    free(absolute);
    if (n < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    free(*dir);
    *dir = text;
    return 0;
}

int config_load(struct config **config, const char *path, const char *const *overrides, int n_overrides)
{
    struct config_layers *layers = NULL;
    *config = NULL;
    int rc = config_layers_open(&layers, path, overrides, n_overrides);
    if (rc == 0) {
        rc = config_layers_validate(layers);
    }
    if (rc == 0) {
        rc = fill_struct(config, layers);
    }
    if (rc == 0) {
        rc = resolve_auto(*config);
    }
    if (rc == 0) {
        rc = resolve_key_dir(*config, path);
    }
    if (rc == 0) {
        rc = config_check(layers, *config);
    }
    config_layers_close(layers);
    if (rc) {
        config_free(*config);
        *config = NULL;
    }
    return rc;
}

void config_free(struct config *config)
{
    const cyaml_config_t settings = cyaml_settings(NULL);
    if (config) {
        cyaml_free(&settings, &config_schema, config, 0);
    }
}

char *config_to_yaml(const struct config *config)
{
    return config_struct_text(config);
}

/* Security -------------------------------------------------------------------------------------------------------- */

/* address:port. A name that only looks like a loopback address ("127.example.org") is none. */
static bool is_loopback(const char *address)
{
    char host[64];
    struct in_addr number;
    const char *const colon = strrchr(address, ':');
    const size_t length = colon ? (size_t)(colon - address) : strlen(address);
    if (length >= sizeof(host)) {
        return false;
    }
    memcpy(host, address, length);
    host[length] = '\0';
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &number) == 1 && ntohl(number.s_addr) >> 24 == 127);
}

const char *config_key_dir(const struct config *config, const char *endpoint)
{
    const enum config_security security = config->fronthaul.security;
    const bool off_host = strncmp(endpoint, "tcp://", 6) == 0 && !is_loopback(endpoint + 6);
    return security == CONFIG_SECURITY_CURVE || (security == CONFIG_SECURITY_AUTO && off_host)
               ? config->fronthaul.key_dir
               : NULL;
}

bool config_is_lockstep(const struct config *config, const char *backend)
{
    return config->air.mode == CONFIG_AIR_LOCKSTEP && strcmp(backend, "air") == 0;
}

double config_peer_timeout_ms(const struct config *config)
{
    const struct config_engine *e = &config->engine;
    const bool patient = config_is_lockstep(config, config->radio.ap.backend);
    return patient && e->lockstep_timeout_ms > e->peer_timeout_ms ? e->lockstep_timeout_ms : e->peer_timeout_ms;
}

/* Fingerprint ----------------------------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

/* Meanings, not spellings: the schedule expanded, the default pilot assignment written out. */
static void write_canonical(FILE *out, const struct config *config)
{
    const struct config_frame *const f = &config->frame;
    char letters[TUTTI_MAX_SYMBOL + 1];
    int n_pilot = 0;
    config_schedule_expand(f->schedule, letters, sizeof(letters)); /* config_check saw to it */
    for (const char *p = letters; *p; p++) {
        n_pilot += *p == 'P';
    }
    fprintf(out, "network %d %d %d %" PRIu64 "\n", config->network.n_ap, config->network.n_ant, config->network.n_ue,
            config->network.seed);
    fprintf(out, "frame %.17g %d %d %d %.17g %s %d %d\n", f->sample_rate_hz, f->fft_size, f->n_used_subcarriers,
            f->n_cp_samples, f->block_us, letters, f->n_dl_pilot_symbols, f->subcarriers_per_subband);
    fprintf(out, "pilots %d %d", config->pilots.large_scale, config->pilots.tracking_blocks);
    for (int k = 0; k < config->network.n_ue; k++) {
        fprintf(out, " %d", config->pilots.assignment_count ? config->pilots.assignment[k] : k % n_pilot);
    }
    fprintf(out, "\npayload %d %d\n", config->payload.modulation, config->payload.max_code_block_bits);
}

uint64_t config_fingerprint(const struct config *config)
{
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    if (!out) {
        return 0;
    }
    write_canonical(out, config);
    fclose(out);
    return hash_text(text);
}

/* Command line ---------------------------------------------------------------------------------------------------- */

/* 1 and *value if argv[*i] is the option (as "--name value" or "--name=value"), 0 if it is another, negative if its
 * value is missing. */
static int option_value(const char *name, int argc, char **argv, int *i, const char **value)
{
    const char *const arg = argv[*i];
    const size_t length = strlen(name);
    if (strncmp(arg, name, length) != 0 || (arg[length] != '\0' && arg[length] != '=')) {
        return 0;
    }
    if (arg[length] == '=') {
        *value = arg + length + 1;
    } else {
        if (*i + 1 >= argc) {
            return error_set(TUTTI_EINVAL, "%s needs a value", name);
        }
        *value = argv[++*i];
    }
    ++*i;
    return 1;
}

static int add_override(struct config_options *options, const char *value)
{
    const int room = (int)(sizeof(options->overrides) / sizeof(options->overrides[0]));
    if (options->n_overrides >= room) {
        return error_set(TUTTI_EINVAL, "more than %d --set options", room);
    }
    options->overrides[options->n_overrides++] = value;
    return 1;
}

int config_options_take(struct config_options *options, int argc, char **argv, int *i)
{
    const char *value = NULL;
    int rc = option_value("--config", argc, argv, i, &value);
    if (rc > 0) {
        options->path = value;
    }
    if (rc != 0) {
        return rc;
    }
    rc = option_value("--set", argc, argv, i, &value);
    if (rc != 0) {
        return rc > 0 ? add_override(options, value) : rc;
    }
    rc = option_value("--log", argc, argv, i, &value);
    if (rc > 0) {
        enum log_level level;
        if (log_level_parse(value, &level) < 0) {
            return error_set(TUTTI_EINVAL, "--log %.40s: not one of error, warning, info, debug", value);
        }
        log_set_level(level);
    }
    return rc;
}
