// libpcap-order NEAR FAR: every call that libpcap's BSD back end makes of /dev/bpf, in its order, and every answer.
// Compiled twice: as libpcap is for FreeBSD, and with SWBPF_NETBSD as it is for NetBSD. The two interfaces share a cable.
#include <net/if.h>
#include <sys/time.h>
#include <time.h>

#include <swbpf.h>

#include "check.h"

#ifdef SWBPF_NETBSD
static const char profile[] = "netbsd";
enum { header_length = 34 };
typedef struct bpf_hdr record_header;
#else
static const char profile[] = "freebsd";
enum { header_length = 26 };
typedef struct bpf_xhdr record_header;
#endif

enum { snapshot = 96, frame_size = 120 };

// `bpf_open`: read and write, or only read where that is refused.
static int open_device(void) {
  int bpf = swbpf_open_profile(profile, O_RDWR);
  CHECK(bpf >= 0);
  return bpf;
}

static int set_interface(int bpf, const char *name) {
  // A whole ifreq of this system; the request takes the 32 bytes that its number says.
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  return swbpf_ioctl(bpf, BIOCSETIF, &request);
}

// `pcap_findalldevs`: each interface is bound once to see whether it can be captured from.
static void list_interfaces(void) {
  struct if_nameindex *all = if_nameindex();
  CHECK(all != NULL);
  int found = 0;
  for (struct if_nameindex *one = all; one->if_index != 0; one++) {
    int bpf = open_device();
    if (set_interface(bpf, one->if_name) == 0) found++;
    else CHECK(errno == ENXIO || errno == EINVAL);
    CHECK(swbpf_close(bpf) == 0);
  }
  CHECK(found >= 3);
  if_freenameindex(all);
#ifdef BIOCGETIFLIST
  int bpf = open_device();
  struct bpf_iflist list = {0, 0, NULL};
  CHECK(swbpf_ioctl(bpf, BIOCGETIFLIST, &list) == 0 && list.bi_count >= 3 && list.bi_size >= 3 * 3);
  char *names = malloc(list.bi_size);
  list.bi_ubuf = names;
  unsigned size = list.bi_size, number = list.bi_count;
  CHECK(swbpf_ioctl(bpf, BIOCGETIFLIST, &list) == 0 && list.bi_count == number);
  CHECK(names[size - 1] == 0);
  list.bi_size = 1;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCGETIFLIST, &list), ENOSPC);
  free(names);
  CHECK(swbpf_close(bpf) == 0);
#endif
}

// `pcap_activate_bpf`, step by step. Returns the size of its reads.
static unsigned activate(int bpf, const char *name, int milliseconds, int immediate, unsigned buffer_size) {
  // 1
  struct bpf_version version;
  CHECK(swbpf_ioctl(bpf, BIOCVERSION, &version) == 0);
  CHECK(version.bv_major == BPF_MAJOR_VERSION && version.bv_minor >= BPF_MINOR_VERSION);
  unsigned value;
#ifdef BIOCSETBUFMODE
  // 3: zero-copy is asked for and not there.
  value = BPF_BUFMODE_ZBUF;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSETBUFMODE, &value), EINVAL);
  size_t most;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCGETZMAX, &most), EOPNOTSUPP);
#endif
  // 4: the buffer size, before the interface
  CHECK_ERRNO(set_interface(bpf, "no-such-if"), ENXIO);
  CHECK(swbpf_ioctl(bpf, BIOCGBLEN, &value) == 0 && value == 32768);
  unsigned wanted = buffer_size != 0 ? buffer_size : value > 524288 ? value : 524288;
  value = wanted;
  CHECK(swbpf_ioctl(bpf, BIOCSBLEN, &value) == 0 && value == wanted);
  CHECK(set_interface(bpf, name) == 0);
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSBLEN, &value), EINVAL);
  // 5
  CHECK(swbpf_ioctl(bpf, BIOCGDLT, &value) == 0 && value == DLT_EN10MB);
  // 6
  struct bpf_dltlist list = {0, NULL};
  CHECK(swbpf_ioctl(bpf, BIOCGDLTLIST, &list) == 0 && list.bfl_len >= 1);
  list.bfl_list = malloc((list.bfl_len + 1) * sizeof *list.bfl_list);
  CHECK(swbpf_ioctl(bpf, BIOCGDLTLIST, &list) == 0);
  int offered = 0;
  for (unsigned i = 0; i < list.bfl_len; i++) offered += list.bfl_list[i] == DLT_EN10MB;
  CHECK(offered == 1);
  free(list.bfl_list);
  // 8
  value = 1;
  CHECK(swbpf_ioctl(bpf, BIOCSHDRCMPLT, &value) == 0);
  // 9
  if (milliseconds != 0) {
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000}, set;
    CHECK(swbpf_ioctl(bpf, BIOCSRTIMEOUT, &limit) == 0);
    CHECK(swbpf_ioctl(bpf, BIOCGRTIMEOUT, &set) == 0);
    CHECK(set.tv_sec == limit.tv_sec && set.tv_usec == limit.tv_usec);
  }
  // 10
  if (immediate) CHECK(swbpf_ioctl(bpf, BIOCIMMEDIATE, &immediate) == 0);
  // 11
  CHECK(swbpf_ioctl(bpf, BIOCPROMISC, NULL) == 0);
#ifdef BIOCSTSTAMP
  // 12
  value = BPF_T_BINTIME;
  CHECK(swbpf_ioctl(bpf, BIOCSTSTAMP, &value) == 0);
  value = 0;
  CHECK(swbpf_ioctl(bpf, BIOCGTSTAMP, &value) == 0 && value == BPF_T_BINTIME);
#endif
  // 13
  CHECK(swbpf_ioctl(bpf, BIOCGBLEN, &value) == 0 && value == wanted);
  // 14
  struct bpf_insn all = BPF_STMT(BPF_RET | BPF_K, snapshot);
  struct bpf_program program = {1, &all};
  CHECK(swbpf_ioctl(bpf, BIOCSETF, &program) == 0);
  return wanted;
}

// `pcap_setdirection`, then `pcap_setfilter`: tcpdump's order.
static void choose(int bpf, unsigned direction) {
  CHECK(swbpf_ioctl(bpf, BIOCSDIRECTION, &direction) == 0);
  unsigned set = 99;
  CHECK(swbpf_ioctl(bpf, BIOCGDIRECTION, &set) == 0 && set == direction);
  struct bpf_insn test_frames[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88b5, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, snapshot),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct bpf_program program = {4, test_frames};
  CHECK(swbpf_ioctl(bpf, BIOCSETF, &program) == 0);
  // One that the kernel refuses is run by libpcap itself; the old one stays.
  program.bf_len = BPF_MAXINSNS + 1;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSETF, &program), EINVAL);
}

// Checks a buffer of records with numbers from `next` on; returns the number after the last.
static unsigned check_records(const char *buffer, ssize_t count, unsigned next) {
  struct timeval now;
  gettimeofday(&now, NULL);
  for (ssize_t at = 0; at < count;) {
    const record_header *record = (const record_header *)(buffer + at);
    CHECK(record->bh_hdrlen == header_length);
    CHECK(record->bh_caplen == snapshot && record->bh_datalen == frame_size);
#ifdef SWBPF_NETBSD
    long seconds = record->bh_tstamp.tv_sec;
    CHECK(record->bh_tstamp.tv_usec >= 0 && record->bh_tstamp.tv_usec < 1000000);
#else
    long seconds = record->bh_tstamp.bt_sec;
#endif
    CHECK(seconds >= now.tv_sec - 60 && seconds <= now.tv_sec);
    unsigned char frame[frame_size];
    make_frame(frame, sizeof frame, next++);
    CHECK(memcmp(buffer + at + record->bh_hdrlen, frame, snapshot) == 0);
    at += BPF_WORDALIGN(record->bh_hdrlen + record->bh_caplen);
  }
  return next;
}

// `pcap_read_bpf` until a number is there.
static void read_until(int bpf, char *buffer, unsigned size, unsigned next, unsigned end) {
  while (next < end) {
    ssize_t count = swbpf_read(bpf, buffer, size);
    CHECK(count >= 0);
    next = check_records(buffer, count, next);
  }
  CHECK(next == end);
}

// `pcap_inject`
static void inject(int bpf, unsigned from, unsigned to) {
  unsigned char frame[frame_size];
  for (unsigned number = from; number < to; number++) {
    make_frame(frame, sizeof frame, number);
    CHECK(swbpf_write(bpf, frame, sizeof frame) == (ssize_t)sizeof frame);
  }
}

static void check_statistics(int bpf, unsigned least) {
  struct bpf_stat counts;
  memset(&counts, 0xff, sizeof counts);
  CHECK(swbpf_ioctl(bpf, BIOCGSTATS, &counts) == 0);
  CHECK(counts.bs_recv >= least && counts.bs_drop == 0);
#ifdef SWBPF_NETBSD
  CHECK(counts.bs_capt >= least && counts.bs_padding[12] == 0);
#endif
}

int main(int count, char **words) {
  if (count != 3) return 2;
  const char *near = words[1], *far = words[2];
  list_interfaces();

  int bpf = open_device(), other = open_device();
  unsigned size = activate(bpf, near, 100, 0, 0);
  activate(other, far, 250, 1, 2097152);
  char *buffer = malloc(2097152);

  // Nothing comes: 0 bytes when the time has passed. A read of another size is refused.
  choose(bpf, BPF_D_IN);
  CHECK(swbpf_read(bpf, buffer, size) == 0);
  CHECK_ERRNO(swbpf_read(bpf, buffer, size - 1), EINVAL);

  // -Q in: what the other end sends, not what is sent here.
  inject(bpf, 900, 905);
  inject(other, 0, 50);
  read_until(bpf, buffer, size, 0, 50);
  check_statistics(bpf, 50);

  // -Q out
  choose(bpf, BPF_D_OUT);
  inject(other, 900, 905);
  inject(bpf, 100, 150);
  read_until(bpf, buffer, size, 100, 150);
  check_statistics(bpf, 50);

  // -Q inout
  choose(bpf, BPF_D_INOUT);
  inject(bpf, 200, 210);
  read_until(bpf, buffer, size, 200, 210);
  inject(other, 210, 220);
  read_until(bpf, buffer, size, 210, 220);
  check_statistics(bpf, 20);
  unsigned direction = 3;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSDIRECTION, &direction), EINVAL);

  // `pcap_set_datalink`
  unsigned type = DLT_EN10MB;
  CHECK(swbpf_ioctl(bpf, BIOCSDLT, &type) == 0);
  type = DLT_IEEE802_11;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSDLT, &type), EINVAL);

  // `pcap_setnonblock`; FIONBIO does what fcntl does there.
  int on = 1;
  CHECK(swbpf_ioctl(bpf, 0x8004667eUL, &on) == 0);
  CHECK(swbpf_ioctl(bpf, BIOCFLUSH) == 0);
  CHECK_ERRNO(swbpf_read(bpf, buffer, size), EAGAIN);
  inject(bpf, 300, 301);
  ssize_t got;
  while ((got = swbpf_read(bpf, buffer, size)) < 0) {
    CHECK(errno == EAGAIN);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
  CHECK(check_records(buffer, got, 300) == 301);
  on = 0;
  CHECK(swbpf_ioctl(bpf, 0x8004667eUL, &on) == 0);

  // `pcap_cleanup_bpf`
  check_statistics(bpf, 1);
  CHECK(swbpf_close(bpf) == 0);

  // The interface goes while a read sleeps: the reader is told. The parent of this program deletes it now.
  bpf = open_device();
  size = activate(bpf, near, 0, 1, 0);
  choose(bpf, BPF_D_IN);
  puts("ready");
  fflush(stdout);
  CHECK_ERRNO(swbpf_read(bpf, buffer, size), ENXIO);
  CHECK_ERRNO(swbpf_write(bpf, buffer, frame_size), ENXIO);
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCGDLT, &type), EINVAL);
  CHECK(swbpf_close(bpf) == 0 && swbpf_close(other) == 0);
  free(buffer);
  puts("libpcap-order: ok");
  return 0;
}
