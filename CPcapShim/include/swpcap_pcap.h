// libpcap behind an opaque handle: compiling filter expressions, reading savefiles.
//
// Every function returns 0 or a count when it worked, a negative errno or SWPCAP_ERROR when not; texts of libpcap are copied
// into the caller's buffer of SWPCAP_ERRBUF bytes. A handle belongs to one thread at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SWPCAP_ERRBUF 512
#define SWPCAP_ERROR (-4096)

/// One classic BPF instruction, laid out as struct bpf_insn and struct sock_filter are.
struct swpcap_insn {
  uint16_t code;
  uint8_t jt;
  uint8_t jf;
  uint32_t k;
};

/// One record of a savefile.
struct swpcap_record {
  int64_t seconds;
  int32_t nanoseconds;
  uint32_t caplen;
  uint32_t len;
  uint32_t reserved;
};

/// The version text of the libpcap in use; static storage.
const char *swpcap_version(void);

/// Compiles an expression for a link type as for a live capture. `*insns` is malloc'd; free it with swpcap_free.
/// Returns the number of instructions, or SWPCAP_ERROR with libpcap's text in errbuf. Thread-safe.
int swpcap_compile(int linktype, int snaplen, const char *expression, int optimize, uint32_t netmask,
                   struct swpcap_insn **insns, char *errbuf);
void swpcap_free(void *memory);

/// libpcap's interpreter, the judge of differential tests: the program's result.
uint32_t swpcap_filter(const struct swpcap_insn *insns, const uint8_t *packet, uint32_t wirelen, uint32_t caplen);
/// libpcap's validator: 1 accepts, 0 refuses.
int swpcap_validate(const struct swpcap_insn *insns, uint32_t count);
/// libpcap's disassembler, another judge: one instruction as text. Static storage; one thread at a time.
const char *swpcap_image(const struct swpcap_insn *insn, int index);

/// Link types by number and name (DLT_EN10MB "EN10MB" "Ethernet"); NULL or -1 when unknown. Static storage.
const char *swpcap_linktype_name(int linktype);
const char *swpcap_linktype_description(int linktype);
int swpcap_linktype_from_name(const char *name);
/// The number that a savefile's header carries for a link type (DLT_RAW 12 is LINKTYPE_RAW 101).
int swpcap_linktype_for_file(int linktype);

/// An open savefile.
struct swpcap_file;
/// Opens a savefile (pcap or pcapng) on a descriptor, which it then owns, also when it fails. NULL with a text in errbuf.
/// Time stamps come as nanoseconds whatever the file holds.
struct swpcap_file *swpcap_file_open(int fd, char *errbuf);
/// Reads one record: 1 and *data valid until the next call, 0 at the end, SWPCAP_ERROR with a text.
int swpcap_file_next(struct swpcap_file *file, struct swpcap_record *record, const uint8_t **data, char *errbuf);
int swpcap_file_linktype(const struct swpcap_file *file);
int swpcap_file_snaplen(const struct swpcap_file *file);
/// As swpcap_compile, with the handle of the file (which knows no direction).
int swpcap_file_compile(struct swpcap_file *file, const char *expression, int optimize, struct swpcap_insn **insns,
                        char *errbuf);
void swpcap_file_close(struct swpcap_file *file);
