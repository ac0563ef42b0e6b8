# Language, warnings and instrumentation, the same for every target.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Git QUIET)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
    -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough -Wswitch-enum)
if(LEAT_WERROR)
    add_compile_options(-Werror)
endif()

if(LEAT_FAULTS)
    add_compile_definitions(LEAT_FAULTS)
endif()

if(LEAT_SANITIZE)
    # Sanitized code is optimised a little: the tests that run it are long enough as they are.
    add_compile_options(
        -fsanitize=${LEAT_SANITIZE} -fno-omit-frame-pointer -fno-optimize-sibling-calls -g -O1)
    add_link_options(-fsanitize=${LEAT_SANITIZE})
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # Instrumented code misleads GCC's flow-based warnings; dev and release keep them as errors.
        add_compile_options(
            -Wno-array-bounds -Wno-format-truncation -Wno-maybe-uninitialized -Wno-restrict
            -Wno-stringop-overflow -Wno-stringop-overread)
    endif()
    if(LEAT_SANITIZE MATCHES "undefined")
        # GCC's UBSan beside ASan writes no log file, so a finding has to end the program.
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
endif()

if(LEAT_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "LEAT_FUZZ needs clang; use 'cmake --preset fuzz'")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(LEAT_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()

if(LEAT_HARDEN)
    include(CheckPIESupported)
    check_pie_supported(LANGUAGES C)
    add_compile_options(
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
    add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
