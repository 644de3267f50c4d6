// The names of links that this network namespace has, and those of hosts.
import Glibc
import SwBPFInterfaces
import SwBPFPackets

extension LinkNames {
  static let system = LinkNames(
    index: { name in
      let index = unsafe if_nametoindex(name)
      return index == 0 ? nil : index
    },
    name: { index in
      var text = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
      // SAFETY: the buffer has the IF_NAMESIZE bytes that the function may write.
      guard unsafe if_indextoname(index, &text) != nil else { return nil }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    })

  /// The same with the names of hosts. A question may take as long as the name servers do.
  var withHosts: LinkNames { LinkNames(index: index, name: name, host: Self.host) }

  /// The name of a host; nil where the system knows none.
  private static func host(_ address: IPAddress) -> String? {
    let size = address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    var storage = sockaddr_storage()
    let bytes = address.bytes
    // SAFETY: an address of either family and its 4 or 16 bytes are inside of the storage; the buffer has the bytes that the
    // function may write.
    return unsafe withUnsafeMutableBytes(of: &storage) { memory in
      unsafe memory.storeBytes(of: sa_family_t(address.isIPv6 ? AF_INET6 : AF_INET), as: sa_family_t.self)
      let offset = address.isIPv6 ? 8 : 4
      for index in bytes.indices { unsafe memory[offset + index] = bytes[index] }
      if address.isIPv6 { unsafe memory.storeBytes(of: address.scope, toByteOffset: 24, as: UInt32.self) }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let base = unsafe memory.baseAddress?.assumingMemoryBound(to: sockaddr.self)
      let result = unsafe getnameinfo(
        base, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NAMEREQD)
      guard result == 0 else { return nil }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
