/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/realtime.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool have_cores;
static cpu_set_t first_cores;

int node_priority(const struct config_engine *engine, enum node_duty duty)
{
    static const int BELOW[] = {[NODE_DUTY_SLOT] = 0, [NODE_DUTY_LINK] = 1, [NODE_DUTY_SOLVE] = 2};
    if (engine->realtime_priority <= 0 || duty == NODE_DUTY_BACKGROUND) {
        return 0;
    }
    const int priority = engine->realtime_priority - BELOW[duty];
    return priority > 1 ? priority : 1;
}

static void keep_cores(void)
{
    pthread_mutex_lock(&lock);
    if (!have_cores) {
        have_cores = pthread_getaffinity_np(pthread_self(), sizeof first_cores, &first_cores) == 0;
    }
    pthread_mutex_unlock(&lock);
}

bool node_realtime_cores(cpu_set_t *cores)
{
    pthread_mutex_lock(&lock);
    const bool have = have_cores;
    *cores = first_cores;
    pthread_mutex_unlock(&lock);
    return have;
}

void node_realtime(const struct config_engine *engine, enum node_duty duty, int core)
{
    const int priority = node_priority(engine, duty);
    const bool lock_memory = priority > 0 && (duty == NODE_DUTY_SLOT || duty == NODE_DUTY_SOLVE);
    keep_cores();
    if (rt_pin(core) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    if (rt_priority(priority) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    if (lock_memory && rt_lock_memory() < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
}
