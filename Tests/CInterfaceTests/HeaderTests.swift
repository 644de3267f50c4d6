// swbpf.h as compilers see it.
import Testing

@testable import TestSupport

@Suite("swbpf.h", .needsTool("pkg-config"))
struct HeaderTests {
  static let names = ["", "-DSWBPF_NETBSD", "-DSWBPF_OPENBSD"]

  @Test("structures have the sizes that request numbers say, in C and C++", .timeLimit(.minutes(20)), arguments: names)
  func layout(names: String) throws {
    let staged = try Staged.library.get()
    let source = Staged.programs + "/layout.c"
    for compiler in [["cc", "-std=c11"], ["cc", "-std=gnu17"], ["c++", "-x", "c++", "-std=c++17"]] {
      try succeed(
        compiler + Staged.warnings + (names.isEmpty ? [] : [names]) + ["-fsyntax-only", source]
          + staged.flags("--cflags"))
    }
  }

  @Test(
    "it stands beside libpcap's and the system's headers, in any order, with the same names", .timeLimit(.minutes(20)),
    arguments: [
      ["swbpf.h"],
      ["sys/types.h", "pcap/bpf.h", "swbpf.h"],
      ["swbpf.h", "pcap/bpf.h"],
      ["pcap.h", "swbpf.h"],
      ["swbpf.h", "pcap.h"],
      ["net/if.h", "swbpf.h", "pcap.h"],
      ["pcap.h", "swbpf.h", "net/if.h"],
      ["linux/filter.h", "swbpf.h", "pcap.h"],
      ["swbpf.h", "linux/filter.h", "pcap.h"],
      ["pcap.h", "swbpf.h", "linux/filter.h"],
    ])
  func neighbours(headers: [String]) throws {
    let staged = try Staged.library.get()
    let folder = try Scratch()
    let hasLibpcap = headers.contains { $0.hasPrefix("pcap") }
    let text =
      headers.map { "#include <\($0)>\n" }.joined() + """
        struct bpf_insn code[] = {BPF_STMT(BPF_RET | BPF_K, 96), BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0)};
        struct bpf_program program = {1, code};
        unsigned int numbers[] = {DLT_EN10MB, BPF_D_INOUT, BPF_T_BINTIME, BPF_CLASS(5), BPF_RELEASE, BPF_MEMWORDS};
        unsigned char frame[BPF_WORDALIGN(sizeof(struct bpf_hdr) + 5)];
        int main(void) { return BPF_WORDALIGN(1) == sizeof(long) \(hasLibpcap ? "&& bpf_validate(code, 1)" : "") ? 0 : 1; }

        """
    for (compiler, name) in [(["cc", "-std=gnu99"], "a.c"), (["c++", "-std=c++17"], "a.cc")] {
      let source = try folder.file(name, holding: text)
      let program = folder.file("program")
      try succeed(
        compiler + Staged.warnings + ["-o", program, source] + staged.flags("--cflags")
          + (hasLibpcap ? ["-lpcap"] : []))
      try succeed([program])
    }
  }
}
