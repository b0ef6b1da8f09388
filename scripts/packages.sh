# shellcheck shell=bash
# Functions to fetch Debian packages into the project's own cache, for the other scripts to source.
#
# Nothing here installs a package or touches the system's apt: package lists, downloads and unpacked files all live
# in the cache folder, so no root is needed. The mirrors are those that the machine's own apt is set up with, and apt
# verifies every package against Debian's signatures.

# Where everything downloaded or derived from downloads is kept.
cache_folder="${MINIKVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mini-kvm}"

# say MESSAGE…: one line of progress on standard error, silent when nobody watches and MINIKVM_QUIET is set.
say() {
    [ -n "${MINIKVM_QUIET:-}" ] || printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# fail MESSAGE…: says what went wrong and ends the script with the status of "the script itself failed".
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit "${failure_status:-1}"
}

# cached NAME FUNCTION [ARGUMENT…]: prints the path of the cache entry NAME, a file or folder, after making it when it
# is not there: FUNCTION is called with the path to make and the arguments. The entry appears all at once, by a
# rename, so an interrupted or failed attempt leaves nothing behind that looks finished, and of several callers at the
# same time one makes the entry and the others wait for it.
cached() {
    local name=$1 function=$2 entry="$cache_folder/$1"
    shift 2
    if [ ! -e "$entry" ]; then
        mkdir -p "$cache_folder" 2>/dev/null \
            || fail "cannot make the cache folder $cache_folder; set MINIKVM_CACHE to a folder that may be written"
        (
            flock 9 || fail "cannot lock $cache_folder/.lock-$name"
            if [ ! -e "$entry" ]; then
                fresh="$cache_folder/.new-$name"
                rm -rf "$fresh"
                if ! ("$function" "$fresh" "$@") 9>&- >&2; then
                    rm -rf "$fresh"
                    fail "could not make $entry (see above); the next call tries again"
                fi
                mv -T "$fresh" "$entry"
            fi
        ) 9>"$cache_folder/.lock-$name" || exit "${failure_status:-1}"
    fi
    printf '%s\n' "$entry"
}

# The Debian release of this machine, as its mirrors name it: "bookworm".
debian_codename() {
    (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-}")
}

# Makes the private apt configuration at the folder $1: the machine's own mirrors for this release, and the release's
# backports from the same mirror when it has them (a file `backports` in the folder tells that it does).
make_apt_lists() {
    local folder=$1 codename site release component keyring
    codename=$(debian_codename)
    [ -n "$codename" ] || fail "this is not a Debian release (/etc/os-release has no VERSION_CODENAME)"
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"

    # A field that is not set comes out as its own name, hence the test for "$(".
    apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(SITE) \$(SIGNED_BY)" 'Created-By: Packages' \
        | sort -u | while read -r release component site keyring; do
        case "$release" in "$codename" | "$codename"-updates | "$codename"-security) ;; *) continue ;; esac
        [ "$component" = main ] || continue
        case "$keyring" in /*) ;; *) keyring=/usr/share/keyrings/debian-archive-keyring.gpg ;; esac
        printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$site" "$release"
    done >"$folder/sources.list"
    [ -s "$folder/sources.list" ] \
        || fail "apt has no mirror of Debian $codename (looked with 'apt-get indextargets'); add one to its sources"

    # While it is being made, the folder has another name: every path in the configuration is the final one, so the
    # first update runs with paths given on the command line.
    cat >"$folder/apt.conf" <<CONF
Dir::Etc::SourceList "$cache_folder/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$cache_folder/apt/lists";
Dir::Cache "$cache_folder/apt/cache";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Debug::NoLocking "true";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    sed "s|$cache_folder/apt/|$folder/|g" "$folder/apt.conf" >"$folder/first.conf"

    say "reading Debian's package lists (into $cache_folder/apt)"
    cp "$folder/sources.list" "$folder/plain.list"
    sed -n "s|^\(.*\) $codename main\$|\1 $codename-backports main|p" "$folder/plain.list" >>"$folder/sources.list"
    if APT_CONFIG="$folder/first.conf" apt-get update -qq --error-on=any 2>"$folder/update.log"; then
        touch "$folder/backports"
    else
        cp "$folder/plain.list" "$folder/sources.list"
        APT_CONFIG="$folder/first.conf" apt-get update -qq --error-on=any \
            || fail "apt could not read the package lists; is there a network, or a proxy to set for apt?"
    fi
    rm -f "$folder/plain.list" "$folder/update.log" "$folder/first.conf"
}

# Runs an apt tool with the private lists: private_apt apt-get|apt-cache ARGUMENT…
# They are those of this machine's own Debian, or with foreign_architecture=riscv64 those of Debian's riscv64.
private_apt() {
    local configuration
    case ${foreign_architecture:-} in
        riscv64) configuration=$(cached apt-riscv64 make_riscv64_apt_lists)/apt.conf || return ;;
        *) configuration=$(cached apt make_apt_lists)/apt.conf || return ;;
    esac
    APT_CONFIG="$configuration" flock "$cache_folder/.lock-apt-run" "$@"
}

# Makes the private apt configuration at the folder $1 for Debian's riscv64, which is in trixie and later: from the
# mirror that the machine's own apt is set up with, and apart from what the machine has installed.
#
# A mirror may for a while serve a list that its Release file, signed, does not name. apt refuses it then, and rightly.
# The same release often has a second name there, "stable", in a state that does agree; it is taken if what is signed
# says that it is trixie.
make_riscv64_apt_lists() {
    local folder=$1 final="$cache_folder/apt-riscv64" site suite
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    site=$(apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(SITE)" 'Created-By: Packages' \
        | sed -n "s/^$(debian_codename) main //p" | head -n 1)
    [ -n "$site" ] || fail "apt has no mirror of Debian (looked with 'apt-get indextargets'); add one to its sources"
    cat >"$folder/apt.conf" <<CONF
APT::Architecture "riscv64";
APT::Architectures "riscv64";
Dir::Etc::SourceList "$final/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$final/lists";
Dir::State::status "/dev/null";
Dir::Cache "$final/cache";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Debug::NoLocking "true";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    sed "s|$final/|$folder/|g" "$folder/apt.conf" >"$folder/first.conf"
    say "reading Debian's package lists for riscv64 (into $final)"
    for suite in trixie stable; do
        rm -rf "$folder/lists"
        mkdir -p "$folder/lists/partial"
        printf 'deb [arch=riscv64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
            "$site" "$suite" >"$folder/sources.list"
        if APT_CONFIG="$folder/first.conf" apt-get update -qq --error-on=any \
            && grep -qx 'Codename: trixie' "$folder"/lists/*Release; then
            rm -f "$folder/first.conf"
            return
        fi
        say "the mirror's suite $suite could not be used"
    done
    fail "apt could not read the package lists of trixie; is there a network, or a proxy to set for apt?"
}

# The packages' lists grow old, and a mirror drops what was replaced: read them anew.
refresh_apt_lists() {
    say "reading Debian's package lists again"
    private_apt apt-get update -qq
}

# unpack_packages FOLDER [--backports] [--with-libraries] PACKAGE…: downloads packages and unpacks them into FOLDER,
# which is made. With --backports the release's backports are preferred where the mirror has them. With
# --with-libraries whatever the packages depend on and this machine lacks is unpacked as well.
unpack_packages() {
    local folder=$1 archive target=() libraries=
    shift
    while [ "${1#--}" != "$1" ]; do
        case $1 in
            --backports) [ -e "$(cached apt make_apt_lists)/backports" ] && target=(-t "$(debian_codename)-backports") ;;
            --with-libraries) libraries=yes ;;
        esac
        shift
    done
    mkdir -p "$folder/.archives/partial"
    say "downloading $*"
    download_packages "$folder/.archives" "$libraries" "$@" || {
        refresh_apt_lists
        download_packages "$folder/.archives" "$libraries" "$@"
    } || fail "apt could not download $*"
    for archive in "$folder"/.archives/*.deb; do
        dpkg -x "$archive" "$folder" || return
    done
    rm -rf "$folder/.archives"
}

# The downloading part of unpack_packages, which passes its array `target` on: into the folder $1.
download_packages() {
    local folder=$1 libraries=$2
    shift 2
    if [ -n "$libraries" ]; then
        private_apt apt-get install -qq --download-only --no-install-recommends "${target[@]}" \
            -o Dir::Cache::archives="$folder" "$@" >/dev/null || return
    fi
    # What the machine has installed was left out above; the named packages themselves are always wanted.
    (cd "$folder" && private_apt apt-get download -qq "${target[@]}" "$@")
}

# The package that Debian's kernel metapackage $1 (linux-image-amd64) stands for: linux-image-6.1.0-…-amd64.
kernel_package() {
    private_apt apt-cache show --no-all-versions "$1" \
        | sed -n 's/^Depends: \(linux-image-[0-9][^ ,]*\).*/\1/p' | head -n 1
}

# Makes the folder $1 with the files of the kernel behind the metapackage $2, and in it, always by the same names:
# `bzImage`, and `vmlinux`, the uncompressed ELF kernel out of it.
make_kernel() {
    local folder=$1 package
    package=$(kernel_package "$2")
    [ -n "$package" ] || fail "Debian's package lists name no kernel for $2"
    unpack_packages "$folder" "$package" || return
    cp "$folder"/boot/vmlinuz-* "$folder/bzImage" || return
    (use_tools && "$(dirname "${BASH_SOURCE[0]}")/extract-vmlinux" "$folder/bzImage" "$folder/vmlinux") || return
    printf '%s\n' "$package" >"$folder/package"
}

# Makes the folder $1 with Debian's riscv64 kernel, always by the name `Image`, and busybox, `busybox`. Debian calls the
# kernel vmlinux; it is the format of arch/riscv/boot/Image all the same.
make_riscv64_linux() {
    local folder=$1 package
    local foreign_architecture=riscv64
    package=$(kernel_package linux-image-riscv64)
    [ -n "$package" ] || fail "Debian's package lists name no kernel for linux-image-riscv64"
    unpack_packages "$folder" "$package" busybox-static || return
    mv "$folder"/boot/vmlinu?-* "$folder/Image" || return
    mv "$folder"/boot/config-* "$folder/config" || return
    if [ -e "$folder/usr/bin/busybox" ]; then mv "$folder/usr/bin/busybox" "$folder"; else mv "$folder/bin/busybox" "$folder"; fi
    printf '%s\n' "$package" >"$folder/package"
}

# Makes the folder $1 with the small tools that a bare Debian lacks, used from there and never installed.
make_tools() {
    unpack_packages "$1" --with-libraries busybox-static cpio lz4 xz-utils zstd
}

# Puts the tools' folder behind PATH, so that the machine's own come first where it has them.
use_tools() {
    local tools
    tools=$(cached tools make_tools) || exit
    PATH="$PATH:$tools/usr/bin:$tools/bin"
    busybox_static="$tools/bin/busybox"
    [ -e "$busybox_static" ] || busybox_static="$tools/usr/bin/busybox"
    export busybox_static
}
