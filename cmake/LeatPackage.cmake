# `cpack --config <build>/CPackConfig.cmake`: a Debian package of what LeatInstall.cmake installs;
# `./dev package` builds what it needs and runs it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME leat)
set(CPACK_PACKAGE_VENDOR leat)
set(CPACK_PACKAGE_CONTACT "leat <leat@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Kafka stream-processing workers in C for CQRS")
set(CPACK_PACKAGE_DESCRIPTION
"One program runs a topology declared in one file: processors in C decide on commands, events go
to a Postgres event store in one transaction and on to Kafka in order, projections fold them into
read models that are served over HTTP. Holds the program, the headers for processor modules, a CMake
package, man pages and completions.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gcc | clang, cmake, libc6-dev")
include(CPack)
