# package: build a Debian package of the program, headers, CMake package and man pages
#
# Usage: ./dev package
#
# From the release preset; the result is build/package/leat_<version>_<architecture>.deb, whose path
# is printed. Its dependencies are computed from what the program links.
. dev.d/install.sh
. dev.d/build.sh

verb_main() {
    [ $# -eq 0 ] || dev_usage "package: unexpected argument '$1'"
    need build package
    build_preset release leat pages
    rm -rf build/package
    mkdir -p build/package
    (cd build/package && cpack --config ../release/CPackConfig.cmake -B "$PWD") \
        >build/package/cpack.log 2>&1 || {
        tail -n 20 build/package/cpack.log >&2
        die "could not make the package; log in build/package/cpack.log"
    }
    ls build/package/leat_*.deb
}
