// swbpf.h: bpf(4) for C and C++ programs on Linux. Link with -lswbpf (pkg-config: swbpf).
//
// An open device behaves as an open /dev/bpf of a BSD: names, structures and request numbers are BSD's. A BSD program needs
// swbpf_ in front of open, ioctl, read, write, writev and close, and nothing in front of poll, select and epoll.
//
// FreeBSD's names are the default. Define SWBPF_NETBSD or SWBPF_OPENBSD before this header for a program of these systems,
// and open the device with swbpf_open_profile("netbsd", ...) or ("openbsd", ...).
//
// This header may stand before or behind <pcap/bpf.h>, <pcap.h>, <net/if.h> and <linux/filter.h>.
#ifndef SWBPF_H
#define SWBPF_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#if !defined(__linux__) || !defined(__LP64__)
#error "swbpf.h is for 64-bit Linux"
#endif
#if defined(SWBPF_NETBSD) && defined(SWBPF_OPENBSD)
#error "SWBPF_NETBSD or SWBPF_OPENBSD, not both"
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---- Calls ----------------------------------------------------------------------------------------------------------
// All return -1 and set errno when they fail, as the system calls they are named after. They may be called from any thread,
// several at a time on one descriptor. An address that is not the caller's is EFAULT. After fork the child may only exec.

// Opens a device. path: NULL, "/dev/bpf" or "/dev/bpfN", which are all the same; ENOENT for another. flags: O_RDONLY,
// O_WRONLY (a writer that costs the interface nothing) or O_RDWR, with O_NONBLOCK and O_CLOEXEC.
// EINVAL, ENOMEM, EMFILE, ENFILE. No right is needed before BIOCSETIF, which is EPERM without CAP_NET_RAW.
//
// The descriptor is a number for these calls and for poll, select and epoll: it is readable exactly while swbpf_read would
// not wait, and while nothing is attached. The time of BIOCSRTIMEOUT runs as if somebody polled all the time. (There is
// nothing to wait for before a write.) Never give it to read, write, close, dup or fcntl(F_SETFL): FIONBIO changes the mode.
int swbpf_open(const char *path, int flags);

// The same with the manners of one BSD: "freebsd", "netbsd" or "openbsd"; NULL is "freebsd". EINVAL for another.
// It decides the record header, and with "openbsd" the request numbers; FreeBSD's and NetBSD's are understood by both.
int swbpf_open_profile(const char *profile, int flags);

// A request: one of the BIOC numbers below, or the system's FIONREAD, FIONBIO, FIOASYNC, FIOSETOWN, FIOGETOWN, TIOCSPGRP,
// TIOCGPGRP. The argument is an address; requests without an argument ignore it. EINVAL for a number that there is not.
// BIOCSETIF looks the name up in the network namespace of the calling thread.
int swbpf_ioctl(int descriptor, unsigned long request, ...);

// Reads a buffer of records. size: exactly what BIOCGBLEN says, else EINVAL. 0 when the time of BIOCSRTIMEOUT passed.
// ENXIO when no interface is attached, or it went away, and nothing is left; EAGAIN; EINTR; EBADF when opened O_WRONLY.
ssize_t swbpf_read(int descriptor, void *buffer, size_t size);

// Sends one frame, link header first. ENXIO, ENETDOWN, EMSGSIZE, EPERM from the write program; EBADF when opened O_RDONLY.
ssize_t swbpf_write(int descriptor, const void *frame, size_t size);

// The same for a frame in up to 1024 pieces.
ssize_t swbpf_writev(int descriptor, const struct iovec *pieces, int count);

// The descriptor to poll, for programs that want to be told: the same number.
int swbpf_poll_fd(int descriptor);

// Closes a device. Threads that sleep in swbpf_read return.
int swbpf_close(int descriptor);

// Reads and changes a setting of this process, as sysctlbyname(3); every value is an int:
//   net.bpf.bufsize            bytes of the buffers of new devices
//   net.bpf.maxbufsize         the largest that BIOCSBLEN gives
//   net.bpf.maxinsns           instructions that a program may have
//   net.bpf.optimize_writers   1: a device does not listen before it has a program
//   swbpf.pushdown             whose programs the kernel may run: 0 nobody's, 1 the command's, 2 everybody's
// ENOENT for another name, EINVAL for a value out of range, ENOMEM when *oldlenp is too small.
int swbpf_sysctl(const char *name, void *oldp, size_t *oldlenp, const void *newp, size_t newlen);

// ---- Programs -------------------------------------------------------------------------------------------------------
#ifndef lib_pcap_bpf_h
// <pcap/bpf.h> stands aside for a BSD's <net/bpf.h>, whose guard this is; what it would have declared is here.
#ifndef _NET_BPF_H_
#define _NET_BPF_H_
#endif

typedef int32_t bpf_int32;
typedef uint32_t bpf_u_int32;

struct bpf_insn {
  uint16_t code;
  uint8_t jt;
  uint8_t jf;
  bpf_u_int32 k;
};

struct bpf_program {
  unsigned int bf_len;
  struct bpf_insn *bf_insns;
};

#define BPF_RELEASE 199606
#define BPF_MEMWORDS 16

#define BPF_CLASS(code) ((code) & 0x07)
#define BPF_LD 0x00
#define BPF_LDX 0x01
#define BPF_ST 0x02
#define BPF_STX 0x03
#define BPF_ALU 0x04
#define BPF_JMP 0x05
#define BPF_RET 0x06
#define BPF_MISC 0x07

#define BPF_SIZE(code) ((code) & 0x18)
#define BPF_W 0x00
#define BPF_H 0x08
#define BPF_B 0x10
#define BPF_MODE(code) ((code) & 0xe0)
#define BPF_IMM 0x00
#define BPF_ABS 0x20
#define BPF_IND 0x40
#define BPF_MEM 0x60
#define BPF_LEN 0x80
#define BPF_MSH 0xa0

#define BPF_OP(code) ((code) & 0xf0)
#define BPF_ADD 0x00
#define BPF_SUB 0x10
#define BPF_MUL 0x20
#define BPF_DIV 0x30
#define BPF_OR 0x40
#define BPF_AND 0x50
#define BPF_LSH 0x60
#define BPF_RSH 0x70
#define BPF_NEG 0x80
#define BPF_MOD 0x90
#define BPF_XOR 0xa0
#define BPF_JA 0x00
#define BPF_JEQ 0x10
#define BPF_JGT 0x20
#define BPF_JGE 0x30
#define BPF_JSET 0x40
#define BPF_SRC(code) ((code) & 0x08)
#define BPF_K 0x00
#define BPF_X 0x08

#define BPF_RVAL(code) ((code) & 0x18)
#define BPF_A 0x10
#define BPF_MISCOP(code) ((code) & 0xf8)
#define BPF_TAX 0x00
#define BPF_TXA 0x80

#undef BPF_STMT
#undef BPF_JUMP
#define BPF_STMT(code, k) { (uint16_t)(code), 0, 0, k }
#define BPF_JUMP(code, k, jt, jf) { (uint16_t)(code), jt, jf, k }

// libpcap's, for programs that use both libraries.
unsigned int bpf_filter(const struct bpf_insn *, const unsigned char *, unsigned int, unsigned int);
int bpf_validate(const struct bpf_insn *, int);
char *bpf_image(const struct bpf_insn *, int);
void bpf_dump(const struct bpf_program *, int);
#endif

#ifndef BPF_MAJOR_VERSION
#define BPF_MAJOR_VERSION 1
#define BPF_MINOR_VERSION 1
#endif
// Default of net.bpf.maxinsns.
#ifndef BPF_MAXINSNS
#define BPF_MAXINSNS 512
#endif

// ---- Link types -----------------------------------------------------------------------------------------------------
#if defined(__has_include)
#if __has_include(<pcap/dlt.h>)
#include <pcap/dlt.h>
#endif
#endif
#ifndef DLT_EN10MB
#define DLT_NULL 0
#define DLT_EN10MB 1
#define DLT_RAW 12
#define DLT_IEEE802_11 105
#define DLT_LOOP 108
#define DLT_LINUX_SLL 113
#define DLT_IEEE802_11_RADIO 127
#define DLT_LINUX_SLL2 276
#endif

// ---- Records --------------------------------------------------------------------------------------------------------
// A buffer is records one behind the other: a header of bh_hdrlen bytes, which may be less or more than the structure, then
// bh_caplen bytes of frame. The next one begins at BPF_WORDALIGN(bh_hdrlen + bh_caplen).
#undef BPF_ALIGNMENT
#undef BPF_WORDALIGN
#ifdef SWBPF_OPENBSD
#define BPF_ALIGNMENT sizeof(uint32_t)
#else
#define BPF_ALIGNMENT sizeof(long)
#endif
#define BPF_WORDALIGN(x) (((x) + (BPF_ALIGNMENT - 1)) & ~(BPF_ALIGNMENT - 1))

#ifdef SWBPF_OPENBSD
struct bpf_timeval {
  uint32_t tv_sec;
  uint32_t tv_usec;
};
struct bpf_hdr {
  struct bpf_timeval bh_tstamp;
  uint32_t bh_caplen;
  uint32_t bh_datalen;
  uint16_t bh_hdrlen;
  uint16_t bh_ifidx;
  uint16_t bh_flowid;
  uint8_t bh_flags;
  uint8_t bh_drops;
  uint16_t bh_csumflags;
  uint16_t bh_reserved;
};
#else
struct bpf_timeval {
  long tv_sec;
  long tv_usec;
};
struct bpf_hdr {
  struct bpf_timeval bh_tstamp;
  uint32_t bh_caplen;  // bytes that are here
  uint32_t bh_datalen; // bytes that the frame had
  uint16_t bh_hdrlen;
};
// Of a stamp in nanoseconds or as a binary fraction. (BIOCSTSTAMP)
struct bpf_ts {
  int64_t bt_sec;
  uint64_t bt_frac;
};
struct bpf_xhdr {
  struct bpf_ts bh_tstamp;
  uint32_t bh_caplen;
  uint32_t bh_datalen;
  uint16_t bh_hdrlen;
};
#endif

// ---- Structures of requests -----------------------------------------------------------------------------------------
struct bpf_version {
  uint16_t bv_major;
  uint16_t bv_minor;
};

#ifdef SWBPF_NETBSD
struct bpf_stat {
  uint64_t bs_recv;
  uint64_t bs_drop;
  uint64_t bs_capt;
  uint64_t bs_padding[13];
};
#else
struct bpf_stat {
  unsigned int bs_recv; // frames shown to the program
  unsigned int bs_drop; // frames that found no room
};
#endif

struct bpf_dltlist {
  unsigned int bfl_len;
  unsigned int *bfl_list;
};

struct bpf_iflist {
  unsigned int bi_size;
  unsigned int bi_count;
  void *bi_ubuf;
};

struct bpf_zbuf {
  void *bz_bufa;
  void *bz_bufb;
  size_t bz_buflen;
};

// What BIOCSETIF and BIOCGETIF take: the first 32 bytes of a `struct ifreq` of <net/if.h>, which does as well.
struct swbpf_ifreq {
  char name[16]; // <net/if.h> makes a macro of ifr_name
  char unused[16];
};

// Directions: received, all, sent. (BIOCSDIRECTION; BIOCSSEESENT knows the first two)
#define BPF_D_IN 0
#define BPF_D_INOUT 1
#define BPF_D_OUT 2

// Stamp formats. (BIOCSTSTAMP)
#define BPF_T_MICROTIME 0x0000
#define BPF_T_NANOTIME 0x0001
#define BPF_T_BINTIME 0x0002
#define BPF_T_NONE 0x0003
#define BPF_T_FORMAT_MASK 0x0003
#define BPF_T_NORMAL 0x0000
#define BPF_T_FAST 0x0100
#define BPF_T_MONOTONIC 0x0200
#define BPF_T_FORMAT(t) ((t) & BPF_T_FORMAT_MASK)

#define BPF_BUFMODE_BUFFER 1
#define BPF_BUFMODE_ZBUF 2

#define BPF_MINBUFSIZE 32

// ---- Request numbers ------------------------------------------------------------------------------------------------
// The same on every BSD. They are BSD's own: Linux's _IOR and _IOW write direction otherwise.
#define BIOCGBLEN 0x40044266UL     // unsigned int: bytes of a buffer
#define BIOCSBLEN 0xc0044266UL     // unsigned int, changed to what is used; before BIOCSETIF
#define BIOCSETF 0x80104267UL      // bpf_program: the read program; flushes
#define BIOCFLUSH 0x20004268UL     // none
#define BIOCPROMISC 0x20004269UL   // none
#define BIOCGDLT 0x4004426aUL      // unsigned int: a DLT_ number
#define BIOCGETIF 0x4020426bUL     // swbpf_ifreq, ifreq
#define BIOCSETIF 0x8020426cUL     // swbpf_ifreq, ifreq
#define BIOCIMMEDIATE 0x80044270UL // unsigned int: 1 wakes readers by each frame
#define BIOCVERSION 0x40044271UL   // bpf_version
#define BIOCGHDRCMPLT 0x40044274UL // unsigned int
#define BIOCSHDRCMPLT 0x80044275UL // unsigned int: 1 keeps the source address that frames are written with

#if defined(SWBPF_NETBSD)
#define BIOCGSTATS 0x4080426fUL     // bpf_stat
#define BIOCSTCPF 0x80104272UL
#define BIOCSUDPF 0x80104273UL
#define BIOCSDLT 0x80044276UL       // unsigned int
#define BIOCGDLTLIST 0xc0104277UL   // bpf_dltlist
#define BIOCGDIRECTION 0x40044278UL // unsigned int
#define BIOCSDIRECTION 0x80044279UL // unsigned int
#define BIOCSRTIMEOUT 0x8010427aUL  // timeval
#define BIOCGRTIMEOUT 0x4010427bUL  // timeval
#define BIOCGFEEDBACK 0x4004427cUL  // unsigned int
#define BIOCSFEEDBACK 0x8004427dUL  // unsigned int
#define BIOCFEEDBACK BIOCSFEEDBACK
#define BIOCLOCK 0x2000427eUL       // none
#define BIOCSETWF 0x8010427fUL      // bpf_program
#elif defined(SWBPF_OPENBSD)
#define BIOCSRTIMEOUT 0x8010426dUL
#define BIOCGRTIMEOUT 0x4010426eUL
#define BIOCGSTATS 0x4008426fUL
#define BIOCSRSIG 0x80044272UL
#define BIOCGRSIG 0x40044273UL
#define BIOCLOCK 0x20004276UL
#define BIOCSETWF 0x80104277UL
#define BIOCGFILDROP 0x40044278UL
#define BIOCSFILDROP 0x80044279UL
#define BIOCSDLT 0x8004427aUL
#define BIOCGDLTLIST 0xc010427bUL
#define BIOCGDIRFILT 0x4004427cUL
#define BIOCSDIRFILT 0x8004427dUL
#define BIOCSWTIMEOUT 0x8010427eUL
#define BIOCGWTIMEOUT 0x4010427eUL
#define BIOCDWTIMEOUT 0x2000427eUL
#define BIOCSETFNR 0x8010427fUL
#else
#define BIOCSRTIMEOUT 0x8010426dUL   // timeval: how long a read waits
#define BIOCGRTIMEOUT 0x4010426eUL   // timeval
#define BIOCGSTATS 0x4008426fUL      // bpf_stat
#define BIOCGRSIG 0x40044272UL       // unsigned int: a signal number
#define BIOCSRSIG 0x80044273UL       // unsigned int
#define BIOCGDIRECTION 0x40044276UL  // unsigned int: BPF_D_
#define BIOCSDIRECTION 0x80044277UL  // unsigned int
#define BIOCSDLT 0x80044278UL        // unsigned int
#define BIOCGDLTLIST 0xc0104279UL    // bpf_dltlist
#define BIOCLOCK 0x2000427aUL        // none: only harmless requests from now on
#define BIOCSETWF 0x8010427bUL       // bpf_program: what may be written
#define BIOCFEEDBACK 0x8004427cUL    // unsigned int: written frames are received, too
#define BIOCGETBUFMODE 0x4004427dUL  // unsigned int: BPF_BUFMODE_
#define BIOCSETBUFMODE 0x8004427eUL  // unsigned int
#define BIOCGETZMAX 0x4008427fUL     // size_t: EOPNOTSUPP, as all of zero-copy
#define BIOCROTZBUF 0x40184280UL     // bpf_zbuf
#define BIOCSETZBUF 0x80184281UL     // bpf_zbuf
#define BIOCSETFNR 0x80104282UL      // bpf_program: the read program; does not flush
#define BIOCGTSTAMP 0x40044283UL     // unsigned int: BPF_T_
#define BIOCSTSTAMP 0x80044284UL     // unsigned int
#define BIOCGETIFLIST 0xc0104286UL   // bpf_iflist
#endif

#ifdef BIOCGDIRECTION
#define BIOCGSEESENT BIOCGDIRECTION
#define BIOCSSEESENT BIOCSDIRECTION
#endif

#ifdef __cplusplus
}
#endif

#endif
