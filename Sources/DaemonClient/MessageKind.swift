// What can be asked of the daemon. The numbers stay; a kind that goes leaves a hole.

package enum MessageKind: UInt16, Sendable, CaseIterable {
  /// The first message of either side.
  case hello = 1
  /// An interface's name: nothing.
  case ifCreate = 16
  case ifDestroy = 17
  /// A name and an operation: nothing.
  case ifOperation = 18
  /// A name: a status.
  case ifStatus = 19
  /// A list of names.
  case ifNames = 20
  /// A name: a value.
  case sysctlGet = 32
  /// A name and a value: nothing.
  case sysctlSet = 33
  /// A list of names and values.
  case sysctlList = 34
  /// From now on the connection is a PF_KEY socket as well: nothing.
  case keyOpen = 48
  /// A message of PF_KEY, as it is, both ways: those of the daemon are events.
  case keyMessage = 49
  case keyClose = 50
  /// A bpf descriptor of the daemon's. The answer to `bpfOpen` carries two descriptors: slots, and the word that says
  /// what has been read.
  case bpfOpen = 64
  case bpfRequest = 65
  case bpfAttach = 66
  case bpfWrite = 67
  case bpfClose = 68
  /// A list of lines, one for each peer.
  case peers = 80
}

/// Tags of the fields of bodies, of every kind of message.
package enum MessageTag {
  /// Device and inode of a network namespace.
  package static let namespace: UInt16 = 1
  package static let pid: UInt16 = 2
  /// Set (1) when the client knows that the daemon is in another namespace.
  package static let anyNamespace: UInt16 = 3
  /// Why something was refused, for people.
  package static let text: UInt16 = 4
  /// The request of BSD that was refused.
  package static let request: UInt16 = 5
  package static let name: UInt16 = 6
  package static let operation: UInt16 = 7
  package static let status: UInt16 = 8
  package static let value: UInt16 = 9
  package static let key: UInt16 = 10
  package static let line: UInt16 = 11
  /// Of a list: how many entries are known already.
  package static let start: UInt16 = 12
  /// Of a list: there are more, and this many came until now.
  package static let next: UInt16 = 13
}
