// Every structure has the size that the numbers of its requests say, and the records of each BSD their layout.
// Compiled for each set of names, as C and as C++.
#include <swbpf.h>

#include <stddef.h>
#include <sys/time.h>

#ifdef __cplusplus
#define ASSERT(condition) static_assert(condition, #condition)
#else
#define ASSERT(condition) _Static_assert(condition, #condition)
#endif
#define SIZE_OF(request) ((request) >> 16 & 0x1fff)

ASSERT(sizeof(struct bpf_insn) == 8 && sizeof(struct bpf_program) == 16 && offsetof(struct bpf_program, bf_insns) == 8);
ASSERT(SIZE_OF(BIOCSETF) == sizeof(struct bpf_program) && SIZE_OF(BIOCSETWF) == sizeof(struct bpf_program));
ASSERT(SIZE_OF(BIOCGSTATS) == sizeof(struct bpf_stat));
ASSERT(SIZE_OF(BIOCVERSION) == sizeof(struct bpf_version));
ASSERT(SIZE_OF(BIOCGDLTLIST) == sizeof(struct bpf_dltlist) && offsetof(struct bpf_dltlist, bfl_list) == 8);
ASSERT(SIZE_OF(BIOCSETIF) == sizeof(struct swbpf_ifreq) && SIZE_OF(BIOCGETIF) == sizeof(struct swbpf_ifreq));
ASSERT(SIZE_OF(BIOCSRTIMEOUT) == sizeof(struct timeval) && SIZE_OF(BIOCGRTIMEOUT) == sizeof(struct timeval));
ASSERT(SIZE_OF(BIOCGBLEN) == sizeof(unsigned int) && SIZE_OF(BIOCFLUSH) == 0 && SIZE_OF(BIOCLOCK) == 0);
ASSERT((BIOCGBLEN & 0xe0000000) == 0x40000000 && (BIOCIMMEDIATE & 0xe0000000) == 0x80000000);

#ifdef SWBPF_OPENBSD
ASSERT(sizeof(struct bpf_hdr) == 28 && BPF_WORDALIGN(5) == 8);
ASSERT(offsetof(struct bpf_hdr, bh_caplen) == 8 && offsetof(struct bpf_hdr, bh_hdrlen) == 16);
ASSERT(offsetof(struct bpf_hdr, bh_flags) == 22 && offsetof(struct bpf_hdr, bh_csumflags) == 24);
#else
ASSERT(sizeof(struct bpf_hdr) == 32 && BPF_WORDALIGN(9) == 16);
ASSERT(offsetof(struct bpf_hdr, bh_caplen) == 16 && offsetof(struct bpf_hdr, bh_hdrlen) == 24);
ASSERT(sizeof(struct bpf_xhdr) == 32 && offsetof(struct bpf_xhdr, bh_hdrlen) == 24);
ASSERT(BIOCGSEESENT == BIOCGDIRECTION && BIOCSSEESENT == BIOCSDIRECTION);
#endif
#ifdef BIOCGETIFLIST
ASSERT(SIZE_OF(BIOCGETIFLIST) == sizeof(struct bpf_iflist) && offsetof(struct bpf_iflist, bi_ubuf) == 8);
ASSERT(SIZE_OF(BIOCSETZBUF) == sizeof(struct bpf_zbuf) && SIZE_OF(BIOCGETZMAX) == sizeof(size_t));
#endif

struct bpf_insn program[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x800, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

int main(void) {
  return DLT_EN10MB == 1 && BPF_CLASS(program[3].code) == BPF_RET && BPF_D_INOUT == 1 ? 0 : 1;
}
