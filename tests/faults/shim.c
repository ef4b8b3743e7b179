/* Lets the k-th call to the system fail, whoever makes it: Python, SQLite, or a thread of theirs.
 *
 * Loaded with LD_PRELOAD; armed and read with ctypes (`kth.py`). Files and sockets only: what
 * can fail on a full disk, a broken one, a network that goes, or a table that is full.
 *
 * In place of an error it may be a signal that ends the program: a negative number. Then names that
 * go and folders that come count as calls, too.
 *
 * And it lets a disk turn read-only under a program that has files open there, as kernels do with
 * one that is broken: while the file FAULT_FROZEN exists, nothing under the folder FAULT_DISK can
 * be written (`test_read_only_disks.py`). The wall clock is off by as many seconds as the eight
 * bytes of the file FAULT_CLOCK say (scripts/soak.py).
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile long calls, fatal, armed;
static volatile int chosen;
static char failed[64];

void fault_arm(long at, int error) {
    failed[0] = 0;
    calls = 0;
    fatal = at;
    chosen = error;
    armed = 1;
}

long fault_disarm(void) {
    armed = 0;
    return calls;
}

const char *fault_failed(void) { return failed; }

static int due(const char *name, int error) {
    if (!armed || __sync_add_and_fetch(&calls, 1) != fatal) return 0;
    strncpy(failed, name, sizeof failed - 1);
    if (chosen < 0) kill(getpid(), -chosen); /* the signal in place of an error */
    errno = chosen ? chosen : error;
    return 1;
}

/* Whether a path is on the disk that is read-only now. */
static int frozen(const char *path) {
    const char *disk = getenv("FAULT_DISK"), *flag = getenv("FAULT_FROZEN");
    if (!disk || !flag || strncmp(path, disk, strlen(disk))) return 0;
    int before = errno, is_there = !access(flag, F_OK);
    errno = is_there ? EROFS : before;
    return is_there;
}

static int frozen_fd(int fd) {
    char link[64], path[PATH_MAX];
    int before = errno;
    if (!getenv("FAULT_DISK")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    errno = before;
    if (n < 0) return 0;
    path[n] = 0;
    return frozen(path);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static __typeof__(&clock_gettime) real;
    static volatile int64_t *off;
    static int looked;
    if (!real) real = (__typeof__(&clock_gettime))dlsym(RTLD_NEXT, "clock_gettime");
    if (!looked) {
        const char *path = getenv("FAULT_CLOCK");
        looked = 1;
        FILE *file = path ? fopen(path, "r") : NULL;
        if (file) {
            void *there = mmap(NULL, 8, PROT_READ, MAP_SHARED, fileno(file), 0);
            if (there != MAP_FAILED) off = there;
            fclose(file);
        }
    }
    int result = real(clock, at);
    if (!result && off && clock == CLOCK_REALTIME) at->tv_sec += *off;
    return result;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAULTY(type, name, error, parameters, arguments) \
    type name parameters {                               \
        static __typeof__(&name) real;                   \
        if (!real) real = REAL(name);                    \
        if (due(#name, error)) return -1;                \
        return real arguments;                           \
    }
#define FAULTY_FILE(type, name, error, parameters, arguments) \
    type name parameters {                                    \
        static __typeof__(&name) real;                        \
        if (!real) real = REAL(name);                         \
        if (due(#name, error) || frozen_fd(fd)) return -1;    \
        return real arguments;                                \
    }
#define FAULTY_OPEN(name, parameters, arguments)         \
    int name parameters {                                \
        static __typeof__(&name) real;                   \
        int mode = 0;                                    \
        if (flags & (O_CREAT | O_TMPFILE)) {             \
            va_list more;                                \
            va_start(more, flags);                       \
            mode = va_arg(more, int);                    \
            va_end(more);                                \
        }                                                \
        if (!real) real = REAL(name);                    \
        if (due(#name, EMFILE)) return -1;               \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && frozen(path)) return -1; \
        return real arguments;                           \
    }

FAULTY_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
FAULTY_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
FAULTY_OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
FAULTY_OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

/* Not the pair of sockets by which threads and signals wake the loop: it cannot fail. */
static int wakes(int fd) {
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    int before = errno, found;
    found = !getsockname(fd, (struct sockaddr *)&own, &size) && own.ss_family == AF_UNIX;
    errno = before;
    return found;
}

#define FAULTY_UNLESS_IT_WAKES(name, error, parameters, arguments) \
    ssize_t name parameters {                                      \
        static __typeof__(&name) real;                             \
        if (!real) real = REAL(name);                              \
        if (!wakes(fd) && (due(#name, error) || frozen_fd(fd))) return -1; \
        return real arguments;                                     \
    }
FAULTY_UNLESS_IT_WAKES(write, ENOSPC, (int fd, const void *data, size_t n), (fd, data, n))
FAULTY_UNLESS_IT_WAKES(send, ECONNRESET, (int fd, const void *data, size_t n, int flags),
                       (fd, data, n, flags))
FAULTY_UNLESS_IT_WAKES(recv, ECONNRESET, (int fd, void *data, size_t n, int flags),
                       (fd, data, n, flags))

FAULTY_FILE(ssize_t, pwrite, ENOSPC, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
FAULTY_FILE(ssize_t, pwrite64, ENOSPC, (int fd, const void *data, size_t n, off64_t at),
       (fd, data, n, at))
FAULTY_FILE(ssize_t, writev, ENOSPC, (int fd, const struct iovec *parts, int n), (fd, parts, n))
FAULTY_FILE(int, fsync, EIO, (int fd), (fd))
FAULTY_FILE(int, fdatasync, EIO, (int fd), (fd))
FAULTY_FILE(int, ftruncate, EIO, (int fd, off_t n), (fd, n))
FAULTY_FILE(int, ftruncate64, EIO, (int fd, off64_t n), (fd, n))
int rename(const char *old, const char *new) {
    static __typeof__(&rename) real;
    if (!real) real = REAL(rename);
    if (due("rename", EIO) || frozen(new)) return -1;
    return real(old, new);
}
FAULTY(int, socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
FAULTY(int, bind, EADDRINUSE, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
FAULTY(int, listen, EADDRINUSE, (int fd, int n), (fd, n))
FAULTY(int, connect, ENETUNREACH, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
FAULTY(int, accept, EMFILE, (int fd, struct sockaddr *of, socklen_t *n), (fd, of, n))
FAULTY(int, accept4, EMFILE, (int fd, struct sockaddr *of, socklen_t *n, int flags),
       (fd, of, n, flags))
FAULTY(ssize_t, recvfrom, ECONNRESET,
       (int fd, void *data, size_t n, int flags, struct sockaddr *from, socklen_t *size),
       (fd, data, n, flags, from, size))

/* These do not fail: only the program may end before them. */
#define ENDS(name, parameters, arguments)        \
    int name parameters {                        \
        static __typeof__(&name) real;           \
        if (!real) real = REAL(name);            \
        if (armed && chosen < 0) due(#name, 0);  \
        return real arguments;                   \
    }
ENDS(unlink, (const char *path), (path))
ENDS(mkdir, (const char *path, mode_t mode), (path, mode))
ENDS(fchmod, (int fd, mode_t mode), (fd, mode))
ENDS(fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
