# What `cmake --install` puts where, relative to the prefix. `lib` is not split by architecture: the
# program looks for modules in ../lib/leat/modules. The tree's own modules are no part of it: names
# such as route.so would be found by any topology with a processor of that name.
include(CMakePackageConfigHelpers)

# The number of the public headers, for the CMake package and leat.pc.
function(leat_read_abi ret)
    set(header "${CMAKE_SOURCE_DIR}/src/leat/abi.h")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
    file(STRINGS "${header}" line REGEX "^#define LEAT_ABI +[0-9]+$")
    string(REGEX REPLACE ".* " "" abi "${line}")
    set(${ret} "${abi}" PARENT_SCOPE)
endfunction()

function(leat_install_package)
    set(dir "${CMAKE_BINARY_DIR}/package")
    set(LEAT_INCLUDE_DIR include)
    set(LEAT_EXECUTABLE bin/leat)
    configure_package_config_file("${CMAKE_SOURCE_DIR}/packaging/leatConfig.cmake.in"
        "${dir}/leatConfig.cmake" INSTALL_DESTINATION lib/cmake/leat
        PATH_VARS LEAT_INCLUDE_DIR LEAT_EXECUTABLE)
    write_basic_package_version_file("${dir}/leatConfigVersion.cmake"
        VERSION "${PROJECT_VERSION}" COMPATIBILITY SameMinorVersion)
    configure_file("${CMAKE_SOURCE_DIR}/packaging/leat.pc.in" "${dir}/leat.pc" @ONLY)
    install(FILES "${dir}/leatConfig.cmake" "${dir}/leatConfigVersion.cmake"
        "${CMAKE_SOURCE_DIR}/packaging/leatModules.cmake" DESTINATION lib/cmake/leat)
    install(EXPORT leat NAMESPACE leat:: FILE leatTargets.cmake DESTINATION lib/cmake/leat)
    install(FILES "${dir}/leat.pc" DESTINATION lib/pkgconfig)
endfunction()

# Pages and completions come from the program itself.
function(leat_install_pages)
    set(dir "${CMAKE_BINARY_DIR}/pages")
    set(run "${CMAKE_COMMAND}" -E env "ASAN_OPTIONS=detect_leaks=0" $<TARGET_FILE:leat>)
    find_program(LEAT_GZIP gzip REQUIRED)
    add_custom_command(
        OUTPUT "${dir}/stamp"
        COMMAND "${CMAKE_COMMAND}" -E rm -rf "${dir}"
        COMMAND ${run} options --man "${dir}/man"
        COMMAND sh -c "\"$0\" -9n \"$1\"/man?/*" "${LEAT_GZIP}" "${dir}/man"
        COMMAND "${CMAKE_COMMAND}" -E make_directory "${dir}/completions"
        COMMAND ${run} completion bash > "${dir}/completions/leat"
        COMMAND ${run} completion zsh > "${dir}/completions/_leat"
        COMMAND "${CMAKE_COMMAND}" -E touch "${dir}/stamp"
        DEPENDS leat
        COMMENT "Printing man pages and completions"
        VERBATIM)
    add_custom_target(pages ALL DEPENDS "${dir}/stamp")
    # Optional: a build of `leat` alone can be installed without them.
    install(DIRECTORY "${dir}/man/" DESTINATION share/man OPTIONAL)
    install(FILES "${dir}/completions/leat" DESTINATION share/bash-completion/completions OPTIONAL)
    install(FILES "${dir}/completions/_leat" DESTINATION share/zsh/site-functions OPTIONAL)
endfunction()

# The shop as a project of its own, laid out as `leat new` does it.
function(leat_install_example)
    set(dir "${CMAKE_BINARY_DIR}/package/shop")
    set(source "${CMAKE_SOURCE_DIR}/topology/shop.yaml")
    set(to share/doc/leat/examples/shop)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    file(READ "${source}" text)
    string(REPLACE "[../schemas/shop]" "[schemas]" text "${text}")
    file(CONFIGURE OUTPUT "${dir}/leat.yaml" CONTENT "${text}" @ONLY)
    set(topology shop)
    configure_file("${CMAKE_SOURCE_DIR}/src/cli/templates/new_cmake.tmpl" "${dir}/CMakeLists.txt"
        @ONLY)
    file(GLOB code CONFIGURE_DEPENDS
        "${CMAKE_SOURCE_DIR}/shop/*.c" "${CMAKE_SOURCE_DIR}/shop/*_test.yaml")
    file(GLOB schemas CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/schemas/shop/*.avsc")
    install(FILES "${dir}/leat.yaml" "${dir}/CMakeLists.txt" DESTINATION ${to})
    install(FILES ${code} DESTINATION ${to}/processors)
    install(FILES ${schemas} DESTINATION ${to}/schemas)
endfunction()

function(leat_install)
    if(NOT TARGET leat)
        return()
    endif()
    leat_read_abi(LEAT_ABI)
    add_library(headers INTERFACE)
    target_include_directories(headers INTERFACE "$<INSTALL_INTERFACE:include>")
    install(TARGETS leat headers EXPORT leat RUNTIME DESTINATION bin)
    file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/leat/*.h")
    install(FILES ${headers} DESTINATION include/leat)
    leat_install_package()
    leat_install_pages()
    leat_install_example()
    install(DIRECTORY "${CMAKE_SOURCE_DIR}/docs/" DESTINATION share/doc/leat)
endfunction()
