# SPDX-License-Identifier: GPL-3.0-or-later
# libuhd, if it is there: only its headers are needed to build, the library itself is loaded when a radio is opened. Defines
# TUTTI_UHD_LIBRARY, the name to load.
find_path(TUTTI_UHD_INCLUDE uhd.h)
find_library(TUTTI_UHD_FILE uhd)
if(TUTTI_UHD_INCLUDE AND TUTTI_UHD_FILE)
  file(REAL_PATH ${TUTTI_UHD_FILE} uhd_real)
  get_filename_component(TUTTI_UHD_LIBRARY ${uhd_real} NAME)
  message(STATUS "Radios: USRPs through ${TUTTI_UHD_LIBRARY}")
else()
  message(STATUS "Radios: no USRPs, libuhd's headers are missing (apt-get install libuhd-dev)")
endif()
