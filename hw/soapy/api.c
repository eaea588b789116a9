/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/soapy/api.h"

#include "base/error.h"

#include <SoapySDR/Version.h>
#include <dlfcn.h>
#include <stdlib.h>

static const char LIBRARY[] = "libSoapySDR.so." SOAPY_SDR_ABI_VERSION;

/* What its modules and the libraries below them print while streaming is ours to count and to tell. */
static void quieten(void)
{
    setenv("SOAPY_SDR_LOG_LEVEL", "FATAL", 0);
    setenv("UHD_LOG_FASTPATH_DISABLE", "1", 0); /* the module for USRPs stands on libuhd */
    setenv("UHD_LOG_CONSOLE_LEVEL", "fatal", 0);
}

static int load(void *handle, const char *name, void **function)
{
    *function = dlsym(handle, name);
    return *function ? TUTTI_OK
                     : error_set(TUTTI_EUNSUPPORTED, "%s has no %s: another version than this build was made for",
                                 LIBRARY, name);
}

int soapy_api_get(const struct soapy_api **api)
{
    static struct soapy_api loaded;
    static void *library;
    *api = &loaded;
    if (library) {
        return TUTTI_OK;
    }
    quieten();
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        return error_set(TUTTI_EUNSUPPORTED,
                         "backend soapy needs %s (apt-get install libsoapysdr" SOAPY_SDR_ABI_VERSION "): %s", LIBRARY,
                         dlerror());
    }
    int status = load(handle, "SoapySDR_free", (void **)&loaded.free);
    status = status ? status : load(handle, "SoapySDRStrings_clear", (void **)&loaded.strings_clear);
#define SOAPY_LOAD(name) status = status ? status : load(handle, "SoapySDRDevice_" #name, (void **)&loaded.name);
    SOAPY_FUNCTIONS(SOAPY_LOAD)
#undef SOAPY_LOAD
    library = status ? NULL : handle;
    return status;
}
