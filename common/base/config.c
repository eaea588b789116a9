/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/config_internal.h"
#include "base/endpoint.h"
#include "base/log.h"

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

static char *folder_of(const char *path)
{
    const char *const slash = path ? strrchr(path, '/') : NULL;
    char *const name = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    char *const absolute = name ? realpath(name, NULL) : NULL;
    char *const folder = absolute ? absolute : name; /* a folder that is gone: the names must do */
    if (folder != name) {
        free(name);
    }
    return folder;
}

char *config_file_path(const struct config *config, const char *name)
{
    char *text = NULL;
    if (*name == '/' || !*name) {
        return strdup(name);
    }
    return asprintf(&text, "%s/%s", strcmp(config->folder, "/") == 0 ? "" : config->folder, name) < 0 ? NULL : text;
}

/* A path behind `prefix` that begins elsewhere than at the root means the network file's folder, so that every program
 * finds the same thing wherever it was started. */
static int resolve_path(struct config *config, char **value, const char *prefix)
{
    const size_t length = strlen(prefix);
    char *text = NULL;
    if (strcmp(*value, "auto") == 0 || strncmp(*value, prefix, length) != 0 || !(*value)[length] ||
        (*value)[length] == '/' || (*value)[length] == '@') { /* ipc://@name: an abstract socket */
        return 0;
    }
    char *const path = config_file_path(config, *value + length);
    const int n = path ? asprintf(&text, "%s%s", prefix, path) : -1;
    free(path);
    if (n < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    free(*value);
    *value = text;
    return 0;
}

static int resolve_paths(struct config *config, const char *path)
{
    config->folder = folder_of(path);
    int rc = config->folder ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
    if (rc == 0) {
        rc = resolve_path(config, &config->network.runtime_dir, "");
    }
    if (rc == 0) {
        rc = resolve_auto(config);
    }
    if (rc == 0) {
        rc = config_cpus_resolve(config);
    }
    for (unsigned c = 0; rc == 0 && c < config->cpus_count; c++) {
        rc = resolve_path(config, &config->cpus[c].endpoint, "ipc://");
    }
    if (rc == 0) {
        rc = resolve_path(config, &config->fronthaul.endpoint, "ipc://");
    }
    if (rc == 0) {
        rc = resolve_path(config, &config->fronthaul.lab_endpoint, "ipc://");
    }
    if (rc == 0) {
        rc = resolve_path(config, &config->air.endpoint, "unix://");
    }
    if (rc == 0) {
        rc = resolve_path(config, &config->calibration.file, "");
    }
    if (rc == 0) {
        rc = resolve_path(config, &config->air.fading.file, "");
    }
    return rc ? rc : resolve_path(config, &config->fronthaul.key_dir, "");
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
        rc = config_radios_check(layers);
    }
    if (rc == 0) {
        rc = fill_struct(config, layers);
    }
    if (rc == 0) {
        config_text_unescape(*config);
        struct config_precoding *const p = &(*config)->precoding;
        p->power = mimo_power_meant((int)p->scheme, p->local, p->power);
        rc = resolve_paths(*config, path);
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
        free(config->folder);
        cyaml_free(&settings, &config_schema, config, 0);
    }
}

char *config_to_yaml(const struct config *config)
{
    return config_struct_text(config);
}

/* Security -------------------------------------------------------------------------------------------------------- */

const char *config_key_dir(const struct config *config, const char *endpoint)
{
    const enum config_security security = config->fronthaul.security;
    const bool off_host = strncmp(endpoint, "tcp://", 6) == 0 && !endpoint_is_loopback(endpoint);
    return security == CONFIG_SECURITY_CURVE || (security == CONFIG_SECURITY_AUTO && off_host)
               ? config->fronthaul.key_dir
               : NULL;
}

uint64_t config_user_silent_blocks(const struct config *config)
{
    return config_is_repeatable(config) ? UINT32_MAX : (uint64_t)config->engine.user_silent_blocks;
}

double config_peer_timeout_ms(const struct config *config)
{
    const struct config_engine *e = &config->engine;
    return config_is_repeatable(config) && e->lockstep_timeout_ms > e->peer_timeout_ms ? e->lockstep_timeout_ms
                                                                                       : e->peer_timeout_ms;
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

int config_options_add(struct config_options *options, const char *override)
{
    const int n = options->n_overrides;
    const char **grown = realloc(options->overrides, ((size_t)n + 1) * sizeof(*grown));
    if (!grown) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    options->overrides = grown;
    grown[options->n_overrides++] = override;
    return TUTTI_OK;
}

void config_options_free(struct config_options *options)
{
    free(options->overrides);
    *options = (struct config_options){0};
}

static int take_override(struct config_options *options, const char *value)
{
    const int rc = config_options_add(options, value);
    return rc ? rc : 1;
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
        return rc > 0 ? take_override(options, value) : rc;
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
