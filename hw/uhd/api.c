/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/api.h"

#include "base/error.h"

#include <dlfcn.h>
#include <stdlib.h>

/* Its letters U O D S L, its progress reports and its complaints are ours to count and to tell. */
static void quieten(void)
{
    setenv("UHD_LOG_FASTPATH_DISABLE", "1", 0);
    setenv("UHD_LOG_CONSOLE_LEVEL", "fatal", 0);
}

int uhd_api_get(const struct uhd_api **api)
{
    static struct uhd_api loaded;
    static void *library;
    *api = &loaded;
    if (library) {
        return TUTTI_OK;
    }
    quieten();
    void *handle = dlopen(TUTTI_UHD_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        return error_set(TUTTI_EUNSUPPORTED, "backend uhd needs %s (apt-get install libuhd4.3.0): %s",
                         TUTTI_UHD_LIBRARY, dlerror());
    }
#define UHD_LOAD(name)                                                                                                 \
    *(void **)&loaded.name = dlsym(handle, "uhd_" #name);                                                              \
    if (!loaded.name) {                                                                                                \
        return error_set(TUTTI_EUNSUPPORTED, "%s has no uhd_" #name ": another version than this build was made for",  \
                         TUTTI_UHD_LIBRARY);                                                                           \
    }
    UHD_FUNCTIONS(UHD_LOAD)
#undef UHD_LOAD
    library = handle;
    return TUTTI_OK;
}
