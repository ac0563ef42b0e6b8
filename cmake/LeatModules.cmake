# leat_modules(TOPOLOGY <yaml> SOURCES <globs> [HELPERS <globs>] [PACKAGES <names>] [SUBDIR <dir>])
# Each source becomes <build>/bin/modules[/<SUBDIR>]/<name>.so, compiled against the header that
# `leat gen` writes for the topology: <build>/gen/<topology name>/<topology name>.h.
# HELPERS are compiled once and linked into each module that uses them, with the pkg-config PACKAGES
# they need. Nothing happens while the topology, the sources or the generator do not exist.

# Builds every module there is.
add_custom_target(modules)

# Reads the topology's `name:` (the header and its folder are called after it).
function(leat_topology_name yaml ret)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${yaml}")
    file(STRINGS "${yaml}" lines REGEX "^name:")
    if(NOT lines MATCHES "^name:[ \t]*[\"']?([A-Za-z0-9_-]+)")
        message(FATAL_ERROR "${yaml}: no 'name:' line")
    endif()
    set(${ret} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

function(leat_generated_header yaml ret_dir ret_target)
    leat_topology_name("${yaml}" name)
    set(dir "${CMAKE_BINARY_DIR}/gen/${name}")
    get_filename_component(home "${yaml}" DIRECTORY)
    if(NOT TARGET gen_${name})
        file(GLOB_RECURSE schemas CONFIGURE_DEPENDS
            "${home}/schemas/*.avsc" "${CMAKE_SOURCE_DIR}/schemas/*.avsc"
            "${CMAKE_SOURCE_DIR}/tests/bench/schemas/*.avsc")
        file(MAKE_DIRECTORY "${dir}")
        add_custom_command(
            OUTPUT "${dir}/${name}.h"
            COMMAND "${CMAKE_COMMAND}" -E env "ASAN_OPTIONS=detect_leaks=0"
                $<TARGET_FILE:leat> gen -t "${yaml}" -o "${dir}"
            DEPENDS leat "${yaml}" ${schemas}
            COMMENT "Generating ${name}.h from ${yaml}"
            VERBATIM)
        add_custom_target(gen_${name} DEPENDS "${dir}/${name}.h")
    endif()
    set(${ret_dir} "${dir}" PARENT_SCOPE)
    set(${ret_target} gen_${name} PARENT_SCOPE)
endfunction()

# Static library of the helper sources; *ret is empty without any.
function(leat_module_helpers target globs packages ret)
    set(sources "")
    foreach(pattern IN LISTS globs)
        file(GLOB found CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${pattern}")
        list(APPEND sources ${found})
    endforeach()
    set(${ret} "" PARENT_SCOPE)
    if(NOT sources)
        return()
    endif()
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src")
    foreach(package IN LISTS packages)
        if(NOT TARGET PkgConfig::pc_${package})
            pkg_check_modules(pc_${package} REQUIRED QUIET IMPORTED_TARGET ${package})
        endif()
        target_link_libraries(${target} PUBLIC -Wl,--as-needed PkgConfig::pc_${package})
    endforeach()
    set(${ret} ${target} PARENT_SCOPE)
endfunction()

function(leat_modules)
    cmake_parse_arguments(arg "" "TOPOLOGY;SUBDIR" "SOURCES;HELPERS;PACKAGES" ${ARGN})
    cmake_path(ABSOLUTE_PATH arg_TOPOLOGY BASE_DIRECTORY "${CMAKE_SOURCE_DIR}" OUTPUT_VARIABLE yaml)
    set(globs "")
    foreach(pattern IN LISTS arg_SOURCES)
        list(APPEND globs "${CMAKE_SOURCE_DIR}/${pattern}")
    endforeach()
    file(GLOB sources CONFIGURE_DEPENDS ${globs})
    file(GLOB generator CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/codec/gen*.c")
    if(NOT sources OR NOT generator OR NOT TARGET leat OR NOT EXISTS "${yaml}")
        return()
    endif()
    leat_generated_header("${yaml}" gen_dir gen_target)
    leat_module_helpers(${gen_target}_helpers "${arg_HELPERS}" "${arg_PACKAGES}" helpers)
    foreach(source IN LISTS sources)
        get_filename_component(name "${source}" NAME_WE)
        set(target ${gen_target}_${name})
        string(REGEX REPLACE "^gen_" "module_" target "${target}")
        add_library(${target} MODULE "${source}")
        set_target_properties(${target} PROPERTIES
            PREFIX "" OUTPUT_NAME "${name}"
            LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin/modules/${arg_SUBDIR}")
        target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src" "${gen_dir}")
        target_link_libraries(${target} PRIVATE leat ${helpers})
        add_dependencies(${target} ${gen_target})
        add_dependencies(modules ${target})
    endforeach()
endfunction()

# tests/e2e/topology/<name>.yaml with tests/e2e/modules/<name>/*.c -> bin/modules/<name>/*.so;
# the tests point LEAT_MODULES there, so that two test topologies may reuse a processor's name.
function(leat_e2e_modules)
    file(GLOB topologies CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/e2e/topology/*.yaml")
    foreach(yaml IN LISTS topologies)
        get_filename_component(name "${yaml}" NAME_WE)
        leat_modules(TOPOLOGY "${yaml}" SUBDIR "${name}" SOURCES "tests/e2e/modules/${name}/*.c")
    endforeach()
endfunction()
