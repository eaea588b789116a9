/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SoapySDR's C functions, loaded when the first radio is opened: who has no radio neither needs the library nor waits
 * for its modules. Types are those of its header, so a call is checked as if it were linked. */
#ifndef TUTTI_HW_SOAPY_API_H
#define TUTTI_HW_SOAPY_API_H

#include <SoapySDR/Device.h>
#include <SoapySDR/Errors.h>
#include <SoapySDR/Formats.h>

#define SOAPY_FUNCTIONS(X)                                                                                             \
    X(lastStatus)                                                                                                      \
    X(lastError)                                                                                                       \
    X(makeStrArgs)                                                                                                     \
    X(unmake)                                                                                                          \
    X(getDriverKey)                                                                                                    \
    X(setFrontendMapping)                                                                                              \
    X(getNumChannels)                                                                                                  \
    X(getFullDuplex)                                                                                                   \
    X(setupStream)                                                                                                     \
    X(closeStream)                                                                                                     \
    X(getStreamMTU)                                                                                                    \
    X(activateStream)                                                                                                  \
    X(deactivateStream)                                                                                                \
    X(readStream)                                                                                                      \
    X(writeStream)                                                                                                     \
    X(readStreamStatus)                                                                                                \
    X(listAntennas)                                                                                                    \
    X(setAntenna)                                                                                                      \
    X(hasGainMode)                                                                                                     \
    X(setGainMode)                                                                                                     \
    X(setGain)                                                                                                         \
    X(getGain)                                                                                                         \
    X(setFrequency)                                                                                                    \
    X(getFrequency)                                                                                                    \
    X(setSampleRate)                                                                                                   \
    X(getSampleRate)                                                                                                   \
    X(setBandwidth)                                                                                                    \
    X(setMasterClockRate)                                                                                              \
    X(getMasterClockRate)                                                                                              \
    X(listClockSources)                                                                                                \
    X(setClockSource)                                                                                                  \
    X(getClockSource)                                                                                                  \
    X(listTimeSources)                                                                                                 \
    X(setTimeSource)                                                                                                   \
    X(getTimeSource)                                                                                                   \
    X(hasHardwareTime)                                                                                                 \
    X(getHardwareTime)                                                                                                 \
    X(setHardwareTime)                                                                                                 \
    X(listSensors)                                                                                                     \
    X(readSensor)                                                                                                      \
    X(listChannelSensors)                                                                                              \
    X(readChannelSensor)

struct soapy_api {
#define SOAPY_MEMBER(name) __typeof__(&SoapySDRDevice_##name) name;
    SOAPY_FUNCTIONS(SOAPY_MEMBER)
#undef SOAPY_MEMBER
    __typeof__(&SoapySDR_free) free;
    __typeof__(&SoapySDRStrings_clear) strings_clear;
};

/* Loads the library at the first call; it stays. TUTTI_EUNSUPPORTED with what to install. Not thread-safe. */
int soapy_api_get(const struct soapy_api **api);

#endif
