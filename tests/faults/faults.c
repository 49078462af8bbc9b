/* Preloaded into a process; makes its system calls on an outbox's files fail: the files whose path begins
 * with KATALYS_FAULT_PATH. Probabilities are from 0 to 1.
 *
 *   KATALYS_FAULT_SEED    seed of the random numbers
 *   KATALYS_FAULT_EIO     probability that a read or write fails with EIO
 *   KATALYS_FAULT_ENOSPC  probability that a write or resize fails with ENOSPC
 *   KATALYS_FAULT_SHORT   probability that a write is short
 *   KATALYS_FAULT_FSYNC   probability that an fsync or fdatasync fails with EIO
 *   KATALYS_FAULT_PREAD   number of the one read of the main file that fails with EIO, from 1
 *   KATALYS_FAULT_COUNT   file that gets one byte per fault, for the test to count */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef enum { OTHER, MAIN, COMPANION } kind;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *prefix;
static uint64_t state;
static double eio, enospc, partial, sync_fails;
static long failing_read, reads;
static int count_file = -1;

static double probability(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : strtod(text, NULL);
}

__attribute__((constructor)) static void begin(void) {
    const char *seed = getenv("KATALYS_FAULT_SEED");
    const char *read = getenv("KATALYS_FAULT_PREAD");
    const char *count_path = getenv("KATALYS_FAULT_COUNT");
    prefix = getenv("KATALYS_FAULT_PATH");
    state = (seed == NULL ? 1 : strtoull(seed, NULL, 10)) * 0x9e3779b97f4a7c15u + 1;
    eio = probability("KATALYS_FAULT_EIO");
    enospc = probability("KATALYS_FAULT_ENOSPC");
    partial = probability("KATALYS_FAULT_SHORT");
    sync_fails = probability("KATALYS_FAULT_FSYNC");
    failing_read = read == NULL ? 0 : strtol(read, NULL, 10);
    if (count_path != NULL) {
        count_file = open(count_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static kind kind_of(int file) {
    char link[64], path[PATH_MAX];
    if (prefix == NULL) {
        return OTHER;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t known = strlen(prefix);
    if (length < 0 || (size_t)length < known || memcmp(path, prefix, known) != 0) {
        return OTHER;
    }
    return (size_t)length == known ? MAIN : COMPANION;
}

/* xorshift64*, under a lock; forked children continue with their parent's state. */
static bool happens(double chance) {
    if (chance <= 0) {
        return false;
    }
    pthread_mutex_lock(&lock);
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    uint64_t drawn = state * 0x2545f4914f6cdd1du;
    pthread_mutex_unlock(&lock);
    return (double)(drawn >> 11) / 9007199254740992.0 < chance;
}

static ssize_t (*real_write)(int, const void *, size_t);

#define REAL(name, result, ...)                                                                    \
    static result (*real)(__VA_ARGS__);                                                            \
    if (real == NULL) {                                                                            \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                 \
    }

static int fails(int error) {
    if (real_write == NULL) {
        *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    }
    if (count_file >= 0) {
        real_write(count_file, "x", 1);
    }
    errno = error;
    return -1;
}

static bool read_fails(int file) {
    kind found = kind_of(file);
    if (found == OTHER) {
        return false;
    }
    if (found == MAIN && failing_read > 0 && __sync_add_and_fetch(&reads, 1) == failing_read) {
        return true;
    }
    return happens(eio);
}

/* The error of a write, or 0; reduces `count` for a short write. */
static int write_error(int file, size_t *count) {
    if (kind_of(file) == OTHER) {
        return 0;
    }
    if (happens(eio)) {
        return EIO;
    }
    if (happens(enospc)) {
        return ENOSPC;
    }
    if (*count > 1 && happens(partial)) {
        *count /= 2;
        fails(0);
    }
    return 0;
}

#define READ(name, offset_type)                                                                    \
    ssize_t name(int file, void *bytes, size_t count, offset_type offset) {                        \
        REAL(name, ssize_t, int, void *, size_t, offset_type)                                      \
        return read_fails(file) ? fails(EIO) : real(file, bytes, count, offset);                   \
    }

#define WRITE(name, offset_type)                                                                   \
    ssize_t name(int file, const void *bytes, size_t count, offset_type offset) {                  \
        REAL(name, ssize_t, int, const void *, size_t, offset_type)                                \
        int error = write_error(file, &count);                                                     \
        return error != 0 ? fails(error) : real(file, bytes, count, offset);                       \
    }

#define RESIZE(name, offset_type)                                                                  \
    int name(int file, offset_type length) {                                                       \
        REAL(name, int, int, offset_type)                                                          \
        size_t whole = 0;                                                                          \
        int error = write_error(file, &whole);                                                     \
        return error != 0 ? fails(error) : real(file, length);                                     \
    }

#define SYNC(name)                                                                                 \
    int name(int file) {                                                                           \
        REAL(name, int, int)                                                                       \
        return kind_of(file) != OTHER && happens(sync_fails) ? fails(EIO) : real(file);            \
    }

READ(pread, off_t)
READ(pread64, off64_t)
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)
RESIZE(ftruncate, off_t)
RESIZE(ftruncate64, off64_t)
SYNC(fsync)
SYNC(fdatasync)

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(write, ssize_t, int, const void *, size_t)
    int error = write_error(file, &count);
    return error != 0 ? fails(error) : real(file, bytes, count);
}

ssize_t read(int file, void *bytes, size_t count) {
    REAL(read, ssize_t, int, void *, size_t)
    return read_fails(file) ? fails(EIO) : real(file, bytes, count);
}
