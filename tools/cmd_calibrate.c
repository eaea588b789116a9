/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti calibrate: asks the CPU node of a running network for a calibration, as an observer on the lab link, and
 * watches it to its end. */
#include "base/config.h"
#include "base/error.h"
#include "tools/observer.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: tutti calibrate --config FILE [--set KEY=VALUE]...\n"
    "\n"
    "Calibrates the access points of a running network against each other: in the C symbols of the next blocks they "
    "send\n"
    "in turn and all others listen, the CPU node solves, and from some blocks later on every access point turns its\n"
    "estimates by what came of it, without an interruption. Coefficients go to calibration.file, if that is set; the\n"
    "other keys of `calibration` (see `tutti config show --defaults`) are those of the CPU node's network file.\n"
    "For a network started by `tutti run`, FILE is DIR/config.yaml. Needs C symbols in frame.schedule.\n"
    "\n"
    "  tutti calibrate --config run-x/config.yaml\n"
    "\n"
    "The error told is what noise leaves of each coefficient; the misfit is how badly the pairs fit together, over "
    "what\n"
    "noise explains: about 1 is right, above 10 the result is refused.\n";

struct watch {
    json_int_t run; /* 0: not answered yet */
    int percent;    /* told last */
    struct observer_question question;
};

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct config_options *options, int argc, char **argv)
{
    const struct tool_words words = {.command = "calibrate", .help = help, .common = options};
    const int status = tool_words_take(&words, argc, argv);
    return status || options->path ? status : tool_usage_error("calibrate", "--config FILE is missing");
}

static void tell_progress(struct watch *w, const char *state, double done)
{
    const int percent = (int)(100 * done);
    if (isatty(STDOUT_FILENO)) {
        printf("\r%-10s %3d %%", state, percent);
        fflush(stdout);
    } else if (percent / 25 != w->percent / 25 || w->percent < 0) {
        printf("%s %d %%\n", state, percent);
        fflush(stdout);
    }
    w->percent = percent;
}

/* 1: it is there; negative: it failed. */
static int read_state(struct watch *w, const json_t *c)
{
    const char *state = json_string_value(json_object_get(c, "state"));
    if (!state || json_integer_value(json_object_get(c, "run")) < w->run) {
        return 0;
    }
    if (strcmp(state, "failed") == 0) {
        return error_set(TUTTI_ENUMERIC, "%s", json_string_value(json_object_get(c, "sentence")));
    }
    if (strcmp(state, "done") != 0) {
        tell_progress(w, state, json_number_value(json_object_get(c, "done")));
        return 0;
    }
    printf("%scalibrated: error %.2f degrees or %.3f dB per coefficient, misfit %.2f (1 = noise alone)\n",
           isatty(STDOUT_FILENO) ? "\r" : "", json_number_value(json_object_get(c, "error_rad")) * 180 / M_PI,
           20 * log10(1 + json_number_value(json_object_get(c, "error_rad"))),
           json_number_value(json_object_get(c, "misfit")));
    return 1;
}

/* Whatever is heard shows that the CPU node lives. */
static int hear(void *context, const char *text)
{
    struct watch *const w = context;
    json_t *root = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    int status = 0;
    w->question.deadline_ns = observer_deadline_ns();
    if (type && strcmp(type, "calibrate_answer") == 0) {
        const char *problem = json_string_value(json_object_get(root, "error"));
        w->run = json_integer_value(json_object_get(root, "run"));
        status = problem ? error_set(TUTTI_EREFUSED, "%s", problem) : 0;
    } else if (type && strcmp(type, "status") == 0 && w->run > 0) {
        status = read_state(w, json_object_get(root, "calibration"));
    }
    json_decref(root);
    return status;
}

static int ask(const struct config *config)
{
    struct watch w = {.percent = -1};
    w.question = (struct observer_question){
        .text = "{\"type\":\"calibrate\"}", .hear = hear, .context = &w, .deadline_ns = observer_deadline_ns()};
    return observer_ask(&w.question, config);
}

int tool_calibrate(int argc, char **argv)
{
    struct config_options options = {0};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0 &&
               (config_load(&config, options.path, options.overrides, options.n_overrides) < 0 || ask(config) < 0)) {
        status = tool_fault("calibrate");
    }
    config_free(config);
    config_options_free(&options);
    return status;
}
