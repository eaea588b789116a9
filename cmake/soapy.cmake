# SPDX-License-Identifier: GPL-3.0-or-later
# SoapySDR, if it is there: only its headers are needed to build, the library itself is loaded when a radio is opened.
# TUTTI_SOAPY_INCLUDE: where they are, if so.
find_path(TUTTI_SOAPY_INCLUDE SoapySDR/Device.h)
if(TUTTI_SOAPY_INCLUDE)
  message(STATUS "Radios: others through SoapySDR")
else()
  message(STATUS "Radios: none through SoapySDR, its headers are missing (apt-get install libsoapysdr-dev)")
endif()
