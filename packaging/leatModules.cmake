# leat_modules(TOPOLOGY <yaml> SOURCES <globs> [HELPERS <globs>] [SCHEMAS <globs>]
#              [LIBRARIES <targets>] [OUTPUT <dir>])
#
# `leat gen` writes the topology's header; each source becomes the module <name>.so in OUTPUT, by
# default `modules` beside the topology, where `leat run` looks for it. HELPERS are compiled once
# and linked into every module; LIBRARIES are linked to it as well. SCHEMAS (default: schemas/*.avsc
# beside the topology) only say when the header is to be written again.
#
# Targets: <topology>_header, <topology>_<source> for each module, <topology>_modules for all.
# Relative paths start at the calling CMakeLists.txt.
include_guard()

# The topology's `name:` names the header and its folder; an edit of the file configures again.
function(_leat_topology_name yaml ret)
    if(NOT EXISTS "${yaml}")
        message(FATAL_ERROR "leat_modules: there is no topology '${yaml}'")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${yaml}")
    file(STRINGS "${yaml}" lines REGEX "^name:")
    if(NOT lines MATCHES "^name:[ \t]*[\"']?([A-Za-z0-9_]+)")
        message(FATAL_ERROR "leat_modules: ${yaml} has no 'name:' line")
    endif()
    set(${ret} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

function(_leat_glob ret)
    set(found "")
    foreach(pattern IN LISTS ARGN)
        cmake_path(ABSOLUTE_PATH pattern BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
        file(GLOB files CONFIGURE_DEPENDS "${pattern}")
        list(APPEND found ${files})
    endforeach()
    set(${ret} "${found}" PARENT_SCOPE)
endfunction()

function(leat_modules)
    cmake_parse_arguments(arg "" "TOPOLOGY;OUTPUT" "SOURCES;HELPERS;SCHEMAS;LIBRARIES" ${ARGN})
    if(arg_UNPARSED_ARGUMENTS OR NOT arg_TOPOLOGY OR NOT arg_SOURCES)
        message(FATAL_ERROR
            "usage: leat_modules(TOPOLOGY <yaml> SOURCES <globs> [HELPERS <globs>] "
            "[SCHEMAS <globs>] [LIBRARIES <targets>] [OUTPUT <dir>])")
    endif()
    cmake_path(ABSOLUTE_PATH arg_TOPOLOGY BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
        OUTPUT_VARIABLE yaml)
    cmake_path(GET yaml PARENT_PATH home)
    if(NOT arg_OUTPUT)
        set(arg_OUTPUT "${home}/modules")
    endif()
    cmake_path(ABSOLUTE_PATH arg_OUTPUT BASE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
    if(NOT arg_SCHEMAS)
        set(arg_SCHEMAS "${home}/schemas/*.avsc")
    endif()
    _leat_topology_name("${yaml}" name)
    _leat_glob(schemas ${arg_SCHEMAS})
    _leat_glob(sources ${arg_SOURCES})
    _leat_glob(helpers ${arg_HELPERS})
    if(NOT sources)
        message(FATAL_ERROR "leat_modules: no file matches SOURCES ${arg_SOURCES}")
    endif()

    set(gen "${CMAKE_CURRENT_BINARY_DIR}/leat/${name}")
    add_custom_command(
        OUTPUT "${gen}/${name}.h"
        COMMAND leat::leat gen -t "${yaml}" -o "${gen}"
        DEPENDS leat::leat "${yaml}" ${schemas}
        COMMENT "Generating ${name}.h from ${yaml}"
        VERBATIM)
    add_custom_target(${name}_header DEPENDS "${gen}/${name}.h")
    add_custom_target(${name}_modules ALL)
    set(helper "")
    if(helpers)
        set(helper ${name}_helpers)
        add_library(${helper} STATIC ${helpers})
        target_include_directories(${helper} PUBLIC "${gen}")
        target_link_libraries(${helper} PUBLIC leat::headers ${arg_LIBRARIES})
        set_target_properties(${helper} PROPERTIES POSITION_INDEPENDENT_CODE ON)
        add_dependencies(${helper} ${name}_header)
    endif()
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM module)
        set(target ${name}_${module})
        add_library(${target} MODULE "${source}")
        set_target_properties(${target} PROPERTIES
            PREFIX "" OUTPUT_NAME "${module}" LIBRARY_OUTPUT_DIRECTORY "$<1:${arg_OUTPUT}>")
        target_include_directories(${target} PRIVATE "${gen}")
        # Mistakes C lets pass that would surprise later: a text where a leat_str belongs stores
        # nothing, a function nobody declared is missing when the module is loaded.
        target_compile_options(${target} PRIVATE -Wall -Wextra -Werror=missing-braces
            -Werror=implicit-function-declaration -Werror=incompatible-pointer-types)
        target_link_libraries(${target} PRIVATE leat::leat leat::headers ${helper} ${arg_LIBRARIES})
        add_dependencies(${target} ${name}_header)
        add_dependencies(${name}_modules ${target})
    endforeach()
endfunction()
