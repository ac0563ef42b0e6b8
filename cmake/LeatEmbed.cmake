# leat_embed(<folder> <ret_sources>): every src/<folder>/**/*.sql becomes a C file that defines
#   const char leat_<folder>_<stem>_sql[];   (NUL terminated; dashes and dots become underscores)
# so that a migration is plain SQL in the tree and a string in the program.
function(leat_embed folder ret_sources)
    file(GLOB_RECURSE sql_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${folder}/*.sql")
    set(sources "")
    foreach(sql IN LISTS sql_files)
        get_filename_component(stem "${sql}" NAME_WE)
        string(MAKE_C_IDENTIFIER "leat_${folder}_${stem}_sql" symbol)
        set(out "${CMAKE_BINARY_DIR}/gen/embed/${symbol}.c")
        add_custom_command(
            OUTPUT "${out}"
            COMMAND "${CMAKE_COMMAND}" -DIN=${sql} -DOUT=${out} -DSYMBOL=${symbol}
                -P "${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake"
            DEPENDS "${sql}" "${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake"
            COMMENT "Embedding ${sql}"
            VERBATIM)
        list(APPEND sources "${out}")
    endforeach()
    set(${ret_sources} "${sources}" PARENT_SCOPE)
endfunction()
