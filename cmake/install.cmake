# SPDX-License-Identifier: GPL-3.0-or-later
# What an installation consists of: the five programs, which find each other beside themselves, examples, documents, completion, units.
include(GNUInstallDirs)
set(TUTTI_UNIT_DIR "${CMAKE_INSTALL_PREFIX}/lib/systemd/system" CACHE PATH "Where units of systemd are installed")
install(TARGETS tutti tutti-air tutti-ap tutti-cpu tutti-ue)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(FILES README.md CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/tutti.bash RENAME tutti DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
# Programs of units lie where this installation puts them.
foreach(unit tutti-air.service tutti-ap@.service tutti-cpu.service tutti-ue@.service tutti-dashboard.service)
  configure_file(packaging/${unit}.in ${CMAKE_BINARY_DIR}/${unit} @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${unit} DESTINATION ${TUTTI_UNIT_DIR})
endforeach()

# Manual pages are made from what the programs print: no second text to keep up.
find_program(HELP2MAN help2man)
if(HELP2MAN AND NOT TUTTI_SANITIZE)
  set(pages)
  function(manual_page name program summary)
    string(TOUPPER ${name} upper)
    string(REPLACE "-" " " spoken ${name})
    add_custom_command(OUTPUT ${name}.1
      COMMAND ${HELP2MAN} --no-info --no-discard-stderr --name=${summary} --manual=Tutti --source=tutti\ ${PROJECT_VERSION}
              --version-string=${PROJECT_VERSION} --output=${name}.1 "$<TARGET_FILE:${program}> ${ARGN}"
      COMMAND sed -i -e "s#$<TARGET_FILE_DIR:${program}>/##g" -e "s/^.TH [A-Z]* /.TH ${upper} /" -e "s/^${spoken} /${name} /" ${name}.1
      DEPENDS ${program} VERBATIM)
    set(pages ${pages} ${CMAKE_BINARY_DIR}/${name}.1 PARENT_SCOPE)
    install(FILES ${CMAKE_BINARY_DIR}/${name}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
  endfunction()
  manual_page(tutti tutti "baseband stack for cell-free massive MIMO")
  manual_page(tutti-air tutti-air "emulated medium of a Tutti network")
  manual_page(tutti-ap tutti-ap "access point of a Tutti network")
  manual_page(tutti-cpu tutti-cpu "central node of a Tutti network")
  manual_page(tutti-ue tutti-ue "user or eavesdropper of a Tutti network")
  # The table of commands in tools/main.c: {"name", "summary", function}
  file(STRINGS tools/main.c rows REGEX "^    {\"[a-z]+\", \"")
  foreach(row ${rows})
    string(REGEX REPLACE "^    {\"([a-z]+)\", \"([^\"]*)\".*" "\\1" command "${row}")
    string(REGEX REPLACE "^    {\"([a-z]+)\", \"([^\"]*)\".*" "\\2" summary "${row}")
    string(REPLACE ";" "," summary "${summary}")
    manual_page(tutti-${command} tutti "${summary}" ${command})
  endforeach()
  option(TUTTI_MANUAL "Make the manual pages with everything else (help2man)" OFF)
  if(TUTTI_MANUAL)
    add_custom_target(manual ALL DEPENDS ${pages})
  else()
    add_custom_target(manual DEPENDS ${pages})
  endif()
endif()
