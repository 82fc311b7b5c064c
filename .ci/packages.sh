# SPDX-License-Identifier: Apache-2.0
# Installs what the build needs on Debian and Ubuntu, quietly nothing when all is there. To be sourced.
#
#   install_packages PACKAGE=PROBE...   PROBE is a command, a header in <...> that the compiler must find, or an import
#                                       that Python must manage
#   program_packages, test_packages     such lists: to build the program; to build and run the tests besides
#   configure_and_build SOURCE BUILD TARGET [CMAKE_OPTION...]

program_packages=(
    g++=c++ cmake=cmake 'libeigen3-dev=<Eigen/Core>' 'libpng-dev=<png.h>' 'libjpeg-dev=<jpeglib.h>' 'zlib1g-dev=<zlib.h>'
    'libdeflate-dev=<libdeflate.h>' 'nlohmann-json3-dev=<nlohmann/json.hpp>' 'libcli11-dev=<CLI/CLI.hpp>'
    'libxxhash-dev=<xxhash.h>' 'libtiff-dev=<tiffio.h>'
)
command -v make >/dev/null || program_packages+=(ninja-build=ninja)
test_packages=('libboost-test-dev=<boost/test/unit_test.hpp>' python3=python3)

# The packages among PACKAGE=PROBE... whose probe finds nothing, one a line.
missing_packages() {
    local row probe
    for row in "$@"; do
        probe=${row#*=}
        case $probe in
        '<'*)
            printf '#if !__has_include(%s)\n#error missing\n#endif\n' "$probe" |
                c++ -std=c++20 -I/usr/include/eigen3 -E -x c++ - >/dev/null 2>&1
            ;;
        'import '*) python3 -c "$probe" >/dev/null 2>&1 ;;
        *) command -v "$probe" >/dev/null ;;
        esac || echo "${row%%=*}"
    done
}

install_packages() {
    local missing root=()
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
    echo "== installing packages: ${missing[*]}"
    if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
        echo "These packages are missing, and this script cannot install them (that needs apt-get, and root or a sudo"
        echo "without password). Please install them:  sudo apt-get install ${missing[*]}"
        return 1
    fi
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
    if ! "${install[@]}" "${missing[@]}" && ! { "${root[@]}" apt-get update -q && "${install[@]}" "${missing[@]}"; }; then
        echo "The packages could not be installed. Please install them:  sudo apt-get install ${missing[*]}"
        return 1
    fi
}

# Ninja where there is one, else make; a build directory keeps the generator that it was made with. Goes on after a
# failed file, so that all faults show at once.
configure_and_build() {
    local source=$1 build=$2 target=$3 keep_going=(-k)
    shift 3
    local generator=()
    if [ ! -e "$build/CMakeCache.txt" ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
    cmake -S "$source" -B "$build" "${generator[@]}" "$@" || return 1
    if [ -e "$build/build.ninja" ]; then keep_going=(-k 0); fi
    cmake --build "$build" --target "$target" --parallel "$(nproc)" -- "${keep_going[@]}"
}
