# SPDX-License-Identifier: GPL-3.0-or-later
# tutti_test(NAME test_frame SOURCES phy/test_frame.c LINK tutti_phy [TIMEOUT 60] [COST 10] [LABELS loop]): one cmocka program, one ctest;
# COST: its seconds if it takes some, so that it is begun early;
# one that ends with 77 is counted as skipped (tests/skip.h).
# What the tests labelled threads need, and so all that the thread sanitizer has to build.
add_custom_target(tests-threads)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
function(tutti_test)
  cmake_parse_arguments(T "" "NAME;TIMEOUT;COST" "SOURCES;LINK;LABELS;ARGS" ${ARGN})
  add_executable(${T_NAME} ${T_SOURCES})
  target_link_libraries(${T_NAME} PRIVATE ${T_LINK} PkgConfig::CMOCKA m)
  target_include_directories(${T_NAME} PRIVATE ${CMAKE_SOURCE_DIR}/tests) # skip.h
  add_test(NAME ${T_NAME} COMMAND ${T_NAME} ${T_ARGS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 900) # ends what hangs; no verdict about a busy machine
  endif()
  if(NOT T_COST)
    set(T_COST 0)
  endif()
  if("threads" IN_LIST T_LABELS)
    add_dependencies(tests-threads ${T_NAME})
  endif()
  set_tests_properties(${T_NAME} PROPERTIES TIMEOUT ${T_TIMEOUT} COST ${T_COST} SKIP_RETURN_CODE 77 LABELS "${T_LABELS}")
endfunction()
