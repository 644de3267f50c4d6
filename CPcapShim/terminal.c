// The terminal's settings: see swpcap_control.h. What the handlers of fatal signals need is the one state that this target
// keeps.
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

#include "include/swpcap_control.h"

/// Signals that end a process and that nobody reads from a descriptor.
static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSYS, SIGQUIT, SIGXCPU, SIGXFSZ};
enum { FATAL = sizeof fatal / sizeof fatal[0] };

static struct termios saved;
static volatile sig_atomic_t saved_fd = -1;
static struct sigaction before[FATAL];
static int has_handlers;

int swpcap_terminal_foreground(int fd) { return tcgetpgrp(fd) == getpgrp(); }

static void died(int number, siginfo_t *info, void *context) {
  (void)context;
  int error = errno;
  int fd = saved_fd;
  if (fd >= 0 && swpcap_terminal_foreground(fd)) (void)tcsetattr(fd, TCSANOW, &saved);
  for (size_t i = 0; i < FATAL; i++)
    if (fatal[i] == number) (void)sigaction(number, &before[i], NULL);
  errno = error;
  // A fault comes again when the instruction is tried again, with its context, for whoever was there before us. A signal
  // that was sent does not.
  if (info->si_code <= 0 || info->si_code == SI_KERNEL) (void)raise(number);
}

int swpcap_terminal_save(int fd) {
  if (tcgetattr(fd, &saved) != 0) return -errno;
  saved_fd = fd;
  if (has_handlers) return 0;
  has_handlers = 1;
  struct sigaction action = {.sa_sigaction = died, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < FATAL; i++) {
    (void)sigaction(fatal[i], NULL, &before[i]);
    if ((before[i].sa_flags & SA_SIGINFO) == 0 && before[i].sa_handler == SIG_IGN) continue;
    (void)sigaction(fatal[i], &action, NULL);
  }
  return 0;
}

static int change(int fd, tcflag_t clear, tcflag_t set) {
  struct termios now = saved;
  now.c_lflag = (now.c_lflag & ~clear) | set;
  now.c_cc[VMIN] = clear != 0 ? 1 : saved.c_cc[VMIN];
  now.c_cc[VTIME] = clear != 0 ? 0 : saved.c_cc[VTIME];
  return tcsetattr(fd, TCSANOW, &now) == 0 ? 0 : -errno;
}

int swpcap_terminal_keys(int fd) { return change(fd, ICANON | ECHO, ISIG); }
int swpcap_terminal_lines(int fd) { return change(fd, 0, ICANON | ECHO | ISIG); }

void swpcap_terminal_restore(int fd) {
  if (saved_fd != fd) return;
  if (swpcap_terminal_foreground(fd)) (void)tcsetattr(fd, TCSANOW, &saved);
  saved_fd = -1;
}

void swpcap_terminal_never_stop(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  sigaddset(&set, SIGTTIN);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void swpcap_stop_self(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTSTP);
  (void)raise(SIGTSTP);
  (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}
