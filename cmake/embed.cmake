# SPDX-License-Identifier: GPL-3.0-or-later
# cmake -D INPUT=file -D OUTPUT=file.c -D NAME=symbol -P embed.cmake: the file's bytes as a NUL-terminated array.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUTPUT}"
  "/* Generated from ${NAME}'s source by embed.cmake. */\nextern const unsigned char ${NAME}[];\nconst unsigned char ${NAME}[] = {\n${bytes}0};\n")
