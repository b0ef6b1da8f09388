// Runs a program and takes its time, to the moment it prints a given text and to its end.
//
//     cc -O2 -Wall -Wextra -o stopwatch stopwatch.c
//
//     stopwatch [--mark TEXT] [--from TEXT] [--at-mark COMMAND] [--end-at-mark] [--log FILE] [--limit SECONDS]
//         -- PROGRAM ARGUMENT…
//
//   --mark TEXT         look for TEXT in what the program writes to standard output
//   --from TEXT         look for TEXT before the mark, too: the time to it is told apart
//   --at-mark COMMAND   at the mark, stop the program (SIGSTOP), run this shell command with the program's process
//                       number in $program, and let the program go on; the time of that is taken off the end's
//   --end-at-mark       kill the program at the mark
//   --log FILE          keep what the program writes, standard output and error
//   --limit SECONDS     kill it after this time and fail (default 120)
//
// The program gets a standard input that stays open and empty. Results are lines on standard output:
//
//     from NANOSECONDS    from before the program's start to the text of --from
//     mark NANOSECONDS    from before the program's start to the mark
//     end NANOSECONDS     to its end
//     cpu NANOSECONDS     processor time that it took, in user and kernel mode, all threads
//     status NUMBER       its exit status, or 128 and the signal that ended it
//
// The exit status is 0 when the program was run and the texts that were given were seen.

#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char *mark, *from, *at_mark, *log_path;
static int ends_at_mark;
static int64_t limit_seconds = 120;

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void usage(void) {
    errx(2, "usage: stopwatch [--mark TEXT] [--from TEXT] [--at-mark COMMAND] [--end-at-mark] [--log FILE] "
            "[--limit SECONDS] -- PROGRAM ARGUMENT...");
}

/// Reads the options; returns the index of PROGRAM.
static int read_options(int argc, char **argv) {
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--end-at-mark")) {
            ends_at_mark = 1;
            continue;
        }
        if (i + 1 == argc) usage();
        if (!strcmp(argv[i], "--mark")) mark = argv[++i];
        else if (!strcmp(argv[i], "--from")) from = argv[++i];
        else if (!strcmp(argv[i], "--at-mark")) at_mark = argv[++i];
        else if (!strcmp(argv[i], "--log")) log_path = argv[++i];
        else if (!strcmp(argv[i], "--limit")) limit_seconds = atoll(argv[++i]);
        else usage();
    }
    if (i + 1 >= argc || (mark && !*mark) || (from && !*from) || (!mark && (from || at_mark || ends_at_mark))) usage();
    return i + 1;
}

/// Does what is to be done at the mark; returns how long the program stood still for it.
static int64_t act_at_mark(pid_t program) {
    int64_t start = nanoseconds();
    if (at_mark) {
        int stopped;
        if (kill(program, SIGSTOP) < 0 || waitpid(program, &stopped, WUNTRACED) < 0) err(1, "stopping the program");
        // One that has ended already has no state left to look at, and waitpid has told of its end.
        if (!WIFSTOPPED(stopped)) errx(1, "the program ended before it could be looked at");
        char number[24];
        snprintf(number, sizeof number, "%d", (int)program);
        setenv("program", number, 1);
        if (system(at_mark) != 0) warnx("the command at the mark failed: %s", at_mark);
        kill(program, SIGCONT);
    }
    if (ends_at_mark) kill(program, SIGKILL);
    return nanoseconds() - start;
}

int main(int argc, char **argv) {
    int first = read_options(argc, argv);

    int output[2], input[2];
    if (pipe2(output, O_CLOEXEC) < 0 || pipe2(input, O_CLOEXEC) < 0) err(1, "pipe");
    int log = open(log_path ? log_path : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    if (log < 0) err(1, "%s", log_path);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);

    pid_t program;
    int64_t start = nanoseconds();
    int failure = posix_spawn(&program, argv[first], &actions, NULL, argv + first, environ);
    if (failure) errx(1, "%s: %s", argv[first], strerror(failure));
    close(output[1]);

    int64_t begun = -1, marked = -1, stood_still = 0, deadline = start + limit_seconds * 1000000000;
    // The end of what was read before is kept, so that a text in two pieces is found.
    static char text[1 << 16];
    size_t kept = 0, mark_length = mark ? strlen(mark) : 0, from_length = from ? strlen(from) : 0;
    size_t longest = mark_length > from_length ? mark_length : from_length;
    if (longest >= sizeof text / 2) errx(2, "the mark is too long");
    for (;;) {
        struct pollfd source = {.fd = output[0], .events = POLLIN};
        int64_t left = (deadline - nanoseconds()) / 1000000;
        int ready = left > 0 ? poll(&source, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) {
            kill(program, SIGKILL);
            errx(1, "%s: killed after %lld seconds%s", argv[first], (long long)limit_seconds,
                 mark && marked < 0 ? ", before the mark" : "");
        }
        ssize_t got = read(output[0], text + kept, sizeof text - kept);
        int64_t now = nanoseconds();
        if (got <= 0) break;
        if (write(log, text + kept, (size_t)got) < 0) err(1, "%s", log_path);
        kept += (size_t)got;
        if (from && begun < 0 && memmem(text, kept, from, from_length)) begun = now - start;
        if (mark && marked < 0 && memmem(text, kept, mark, mark_length)) {
            marked = now - start;
            stood_still = act_at_mark(program);
            deadline += stood_still;
        }
        size_t keep = longest < kept ? longest : kept;
        memmove(text, text + kept - keep, keep);
        kept = keep;
    }

    int ended;
    struct rusage used;
    if (wait4(program, &ended, 0, &used) < 0) err(1, "waiting for %s", argv[first]);
    int64_t end = nanoseconds() - start - stood_still;
    int64_t cpu = ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000 +
                  ((int64_t)used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
    if (begun >= 0) printf("from %lld\n", (long long)begun);
    if (marked >= 0) printf("mark %lld\n", (long long)marked);
    printf("end %lld\ncpu %lld\nstatus %d\n", (long long)end, (long long)cpu,
           WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended));
    if (mark && marked < 0) {
        warnx("%s: ended without the mark \"%s\"", argv[first], mark);
        return 1;
    }
    if (from && begun < 0) {
        warnx("%s: ended without the text \"%s\"", argv[first], from);
        return 1;
    }
    return 0;
}
