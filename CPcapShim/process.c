// The process: see swpcap_process.h.
#include "include/swpcap_process.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int swpcap_drop_capabilities(void) {
  for (int cap = 0; cap <= 63; cap++)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) break;  // EPERM without CAP_SETPCAP, EINVAL past the last one
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

int swpcap_keep_capabilities(const int *kept, int count) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return -errno;
  uint64_t mask = 0;
  for (int i = 0; i < count; i++) mask |= 1ull << kept[i];
  for (int cap = 0; cap <= 63; cap++)
    if ((mask >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) break;
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int i = 0; i < 2; i++) {
    data[i].permitted &= (uint32_t)(mask >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

int swpcap_may_open_raw(void) {
  int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 255);
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}

int swpcap_may_administer(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  // What is set is what was.
  struct ifreq request = {.ifr_name = "lo"};
  int result = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
  close(fd);
  return result;
}

int swpcap_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : -errno;
}

int swpcap_thread_count(void) {
  DIR *directory = opendir("/proc/self/task");
  if (directory == NULL) return -errno;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (entry->d_name[0] != '.') count++;
  closedir(directory);
  return count;
}

void swpcap_thread_nice(int nice) { (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice); }

int swpcap_become_user(const char *user) {
  errno = 0;
  struct passwd *entry = getpwnam(user);
  if (entry == NULL) return errno != 0 ? -errno : -ENOENT;
  // In a user namespace of his own nobody may set groups; who is that user already need not.
  int same = getuid() == entry->pw_uid && geteuid() == entry->pw_uid && getgid() == entry->pw_gid;
  if (initgroups(entry->pw_name, entry->pw_gid) != 0 && !(same && errno == EPERM)) return -errno;
  if (setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0) return -errno;
  return 0;
}

int swpcap_event_open(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

void swpcap_event_signal(int fd) {
  uint64_t one = 1;
  ssize_t result = write(fd, &one, sizeof one);
  (void)result;
}

void swpcap_event_clear(int fd) {
  uint64_t value;
  ssize_t result = read(fd, &value, sizeof value);
  (void)result;
}

int swpcap_signal_open(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (error != 0) return -error;
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int swpcap_signal_wait(int fd, int timeout_ms) {
  struct pollfd set = {.fd = fd, .events = POLLIN};
  int result = poll(&set, 1, timeout_ms);
  if (result < 0) return errno == EINTR ? 0 : -errno;
  if (result == 0) return 0;
  struct signalfd_siginfo info;
  if (read(fd, &info, sizeof info) != sizeof info) return 0;
  return (int)info.ssi_signo;
}

int swpcap_signal_ignored(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void swpcap_signal_ignore(int number) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  (void)sigaction(number, &action, NULL);
}

int swpcap_refuse_rings(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOL_PACKET, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_RX_RING, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -errno;
}
