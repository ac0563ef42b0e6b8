# LEAT_BUILD_VERSION, for example 0.1.0+3f2a91c, taken when the tree is configured.
set(LEAT_BUILD_VERSION "${PROJECT_VERSION}")
if(GIT_FOUND)
    execute_process(
        COMMAND "${GIT_EXECUTABLE}" rev-parse --short HEAD
        WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
        OUTPUT_VARIABLE leat_git_hash
        RESULT_VARIABLE leat_git_failed
        ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT leat_git_failed)
        string(APPEND LEAT_BUILD_VERSION "+${leat_git_hash}")
    endif()
endif()
