# Finds the Debian packages a verb needs and installs the missing ones, without touching the
# servers Debian itself would start: ours run from their own folder on their own ports.

PACKAGES_build="gcc libc6-dev cmake ninja-build pkg-config git python3 libssl-dev libfyaml-dev
    libavro-dev libjansson-dev librdkafka-dev libpq-dev liblmdb-dev libhiredis-dev
    libcurl4-openssl-dev libmicrohttpd-dev libjwt-dev libcriterion-dev"
PACKAGES_servers="postgresql redis-server openjdk-17-jre-headless maven python3 util-linux"
PACKAGES_lint="clang-format clang-tidy python3 git"
PACKAGES_test="python3-venv openjdk-17-jdk-headless maven zsh groff-base nginx-light"
PACKAGES_package="dpkg-dev file gzip"
PACKAGES_fuzz="clang llvm libclang-rt-14-dev"

package_present() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ] && return 0
    # A newer Java, or a full one, serves as well; one that compiles has javac.
    [[ $1 == openjdk-*-jdk-* ]] && { command -v javac >/dev/null; return; }
    [[ $1 == openjdk-* ]] && command -v java >/dev/null
}

# need <group...>: every package of the groups is there afterwards, or the script ends.
need() {
    local group name missing=()
    if ! command -v dpkg-query >/dev/null; then
        say "dev: this is not a Debian system; taking the needed packages for granted"
        return
    fi
    for group in "$@"; do
        local list="PACKAGES_$group"
        for name in ${!list}; do
            package_present "$name" || [[ " ${missing[*]-} " == *" $name "* ]] || missing+=("$name")
        done
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$LEAT_NO_INSTALL" = 1 ]; then
        die "missing Debian packages (not installing, as asked): ${missing[*]}"
    fi
    install_packages "${missing[@]}"
}

install_packages() {
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "missing Debian packages, and neither root nor sudo to install them: $*"
        sudo=(sudo)
    fi
    say "dev: installing Debian packages: $*"
    mkdir -p build
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
        bash dev.d/apt_quiet.sh "$@" >build/install.log 2>&1 ||
        {
            tail -n 20 build/install.log >&2
            die "could not install packages; log in build/install.log"
        }
}
