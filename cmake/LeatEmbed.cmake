# leat_embed(<folder> <ret_sources>): every src/<folder>/**/*.sql and *.tmpl becomes a C file that
# defines
#   const char leat_<folder>_<stem>_sql[];   (or _tmpl; NUL terminated; dashes become underscores)
# so that a migration is plain SQL in the tree and a string in the program, and so are the files
# that `leat new` writes.
function(leat_embed folder ret_sources)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS
        "${CMAKE_SOURCE_DIR}/src/${folder}/*.sql" "${CMAKE_SOURCE_DIR}/src/${folder}/*.tmpl")
    set(sources "")
    foreach(file IN LISTS files)
        cmake_path(GET file STEM stem)
        cmake_path(GET file EXTENSION LAST_ONLY extension)
        string(MAKE_C_IDENTIFIER "leat_${folder}_${stem}${extension}" symbol)
        set(out "${CMAKE_BINARY_DIR}/gen/embed/${symbol}.c")
        add_custom_command(
            OUTPUT "${out}"
            COMMAND "${CMAKE_COMMAND}" -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol}
                -P "${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake"
            DEPENDS "${file}" "${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake"
            COMMENT "Embedding ${file}"
            VERBATIM)
        list(APPEND sources "${out}")
    endforeach()
    set(${ret_sources} "${sources}" PARENT_SCOPE)
endfunction()
