# shellcheck shell=bash
# What the benchmarks share: statistics, and the rows of the table in docs/performance.md. Benchmarks/run sets
#
#     MINIKVM_BENCH_WORK      a folder for files of this run: stopwatch, minimal, the guests; also writable in the box
#     MINIKVM_BENCH_MONITOR   the minikvm to measure
#     MINIKVM_BENCH_QUICK     not empty: few repetitions, to see whether all works
set -euo pipefail
shopt -s inherit_errexit

work=${MINIKVM_BENCH_WORK:?"is set by Benchmarks/run, which is what to start"}
# shellcheck disable=SC2034 # for the benchmarks
monitor=${MINIKVM_BENCH_MONITOR:?"is set by Benchmarks/run, which is what to start"}
quick=${MINIKVM_BENCH_QUICK:-}
# shellcheck disable=SC2034 # for the benchmarks
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# repeat N QUICK: how often something is done, in a whole run or a quick one.
repeat() {
    if [ -n "$quick" ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

# value NAME FILE: the number after NAME in what the stopwatch printed.
value() {
    awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' "$2"
}

# summary SCALE DIGITS: of the numbers on standard input, divided by SCALE: "MEDIAN MINIMUM MAXIMUM".
summary() {
    sort -g | awk -v scale="$1" -v digits="$2" '
        { n[NR] = $1 / scale }
        END {
            if (!NR) exit 1
            median = NR % 2 ? n[(NR + 1) / 2] : (n[NR / 2] + n[NR / 2 + 1]) / 2
            printf "%.*f %.*f %.*f\n", digits, median, digits, n[1], digits, n[NR]
        }'
}

# range MEDIAN MINIMUM MAXIMUM UNIT: for the table.
range() {
    if [ "$2" = "$3" ]; then
        printf '%s%s' "$1" "${4:+ $4}"
    else
        printf '%s%s (%s–%s)' "$1" "${4:+ $4}" "$2" "$3"
    fi
}

# row WHAT OURS PEER FIGURE BAR NUMBER LIMIT: a row of the table; BAR is the words for "NUMBER may be at most LIMIT".
# An empty LIMIT is a row without a bar.
row() {
    local verdict=''
    [ -z "$7" ] || verdict=$(awk -v a="$6" -v b="$7" 'BEGIN { print a + 0 <= b + 0 ? "met" : "**MISSED**" }')
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" "$4" "$5" "$verdict" >>"$work/rows"
    printf '%s: %s; peer %s; %s%s\n' "$1" "$2" "$3" "$4" "${5:+; bar $5: ${verdict//\*/}}"
}
