// The names of links that this network namespace has.
import Glibc
import SwBPFInterfaces

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
}
