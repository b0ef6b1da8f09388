# shellcheck shell=bash
# The tour's pages on RISC-V show commands and what they print. For hypervisor-tests to source: it boots most of these
# machines anyway, so what they have printed is kept, and in the end compared with what the pages show.

tour=docs/tour/riscv
printed=$(mktemp -d)

# remember FILE ARGUMENT…: keeps what `scripts/riscv ARGUMENT…` has printed.
remember() {
    local file=$1
    shift
    cp "$file" "$printed/$(kept_name "$@")"
}

kept_name() { printf '%s ' "$@" | tr ' /' '__'; }

# The unmarked blocks of a page that begin with a prompt, one after the other: "$ COMMAND", and the lines below it.
examples() {
    awk '/^```/ { inside = !inside; first = inside && $0 == "```"; shown = 0; next }
        first { shown = /^\$ /; first = 0 }
        shown' "$1"
}

# What is the same in every build: without the addresses of the machine's memory, blanks at a line's end, empty lines.
comparable() {
    tr -d '\r' | sed -E 's/\<(0x)?(0{8})?8[0-9a-f]{7}\>/ADDRESS/g; s/[ \t]+$//; /^$/d'
}

# print COMMAND: what it prints, from the hypervisor's first line on if it boots one. The part before " | " may have
# been booted already.
print() {
    local program=${1%% | *} filter=cat name=none
    [ "$program" = "$1" ] || filter=${1#* | }
    if [[ $program == scripts/riscv\ * ]]; then name=$(eval "kept_name ${program#scripts/riscv }"); fi
    if [ ! -e "$printed/$name" ]; then
        timeout --kill-after=5 240 bash -c "$program" </dev/null >"$printed/raw" 2>/dev/null
        name=raw
        if grep -qa '^Booting hypervisor' "$printed/raw"; then
            sed -n '/^Booting hypervisor/,$p' "$printed/raw" >"$printed/$name.cut"
            name=raw.cut
        fi
    fi
    bash -c "$filter" <"$printed/$name"
}

# as_shown LINES TEXT: the text is the lines; "…" in them stands for anything, even for several lines.
as_shown() {
    local pattern=$1
    pattern=${pattern//\\/\\\\}
    pattern=${pattern//\*/\\*}
    pattern=${pattern//\?/\\?}
    pattern=${pattern//\[/\\[}
    pattern=${pattern//…/*}
    # shellcheck disable=SC2053
    [[ $2 == $pattern ]]
}

# compare_tour: a verdict for each command of each page, and one for each page without any.
compare_tour() {
    local page lines command shown text status
    for page in "$tour"/*.md; do
        lines=$(examples "$page")
        if [ -z "$lines" ]; then
            # shellcheck disable=SC2154  # hypervisor-tests has it.
            echo "it shows no command" >"$output"
            verdict 1 "tour, ${page##*/}"
            continue
        fi
        while IFS= read -r command; do
            shown=$(COMMAND="\$ $command" awk '/^\$ / { mine = $0 == ENVIRON["COMMAND"]; next } mine' <<<"$lines" | comparable)
            text=$(print "$command" | comparable)
            status=0
            as_shown "$shown" "$text" || status=1
            printf '%s\n' "The page shows:" "$shown" "It prints:" "$text" >"$output"
            verdict "$status" "tour, ${page##*/}: $command"
        done < <(sed -n 's/^\$ //p' <<<"$lines")
    done
}

# compare_readme: the README's table of chapters has a row for each page, with its title, and what it tells to look for is
# printed by its commands. Then: each lesson has a page that tells of it.
compare_readme() {
    local chapter commands texts title page rows='' command text status
    while IFS='|' read -r _ chapter commands texts _; do
        title=${chapter#*[} page=${chapter#*(}
        title=${title%%]*} page=${page%%)*}
        rows+="$page"$'\n'
        mapfile -t looked_for < <(quoted "$texts")
        : >"$printed/row"
        while IFS= read -r command; do run_row "$command" >>"$printed/row"; done < <(quoted "$commands")
        text=$(comparable <"$printed/row")
        status=0
        [ "$(head -n 1 "$page" 2>&1)" = "# $title" ] && [ -n "$text" ] || status=1
        for command in "${looked_for[@]}"; do
            as_shown "…$(comparable <<<"$command")…" "$text" || status=1
        done
        printf '%s\n' "The row: $chapter|$commands|$texts" "The page: $(head -n 1 "$page" 2>&1)" "It prints:" "$text" >"$output"
        verdict "$status" "README, $title"
    done < <(grep -E '^\| \[[0-9]+\. ' README.md)
    diff <(printf '%s' "$rows" | sort) <(printf '%s\n' "$tour"/*.md | sort) >"$output"
    verdict $? "README, a row for each chapter"
    status=0
    : >"$output"
    # The lessons in the help: its lines that begin with a name.
    for command in $(scripts/riscv --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'); do
        if ! grep -qE "(scripts/riscv|--beside) $command\\>" "$tour"/*.md; then
            echo "no page tells of the lesson $command" >>"$output"
            status=1
        fi
    done
    verdict "$status" "tour, each lesson has its place"
    rm -rf "$printed"
}

# What stands between backquotes, a line each.
# shellcheck disable=SC2016
quoted() { grep -o '`[^`]*`' <<<"$1" | tr -d '`'; }

# run_row COMMAND: what it prints, ended by Ctrl-A x once all in `looked_for` has been; of a bundle, what is in it.
run_row() {
    local words text
    read -r -a words <<<"${1#scripts/riscv}"
    case " ${words[*]} " in
        *' --build '*)
            scripts/riscv "${words[@]}"
            return
            ;;
        *' FILE '*)
            scripts/riscv "${words[@]/%FILE/$printed/file}" && tr '\0' '\n' <"$printed/file"
            return
            ;;
    esac
    if [ ! -e "$printed/$(kept_name "${words[@]}")" ]; then
        begin "${words[@]}"
        for text in "${looked_for[@]}"; do await "${text%%…*}"; done
        type_in '\001x'
        finish
        remember "$output" "${words[@]}"
    fi
    cat "$printed/$(kept_name "${words[@]}")"
}
