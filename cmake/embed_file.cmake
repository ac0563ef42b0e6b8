# Script mode: writes the bytes of IN as a C array named SYMBOL to OUT.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," hex "${hex}")
file(WRITE "${OUT}"
    "extern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = {\n    ${hex}'\\0'};\n")
