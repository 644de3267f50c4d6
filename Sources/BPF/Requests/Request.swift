// The requests of bpf(4) as data: number, state rule, right, handler.
import SwBPFKern

/// One request. A class, so that looking one up copies a reference and no strings and closures.
final class Request: Sendable {
  /// What must be true of the descriptor.
  enum State: Sendable {
    case any
    case attached
    case unattached
  }

  /// Who may ask for it where a daemon serves others.
  enum Right: Sendable {
    /// Anybody, of a descriptor of his own.
    case own
    /// Who may capture from the interface.
    case capture
    /// Who may write to it.
    case inject
  }

  typealias Number = BPF.RequestNumber
  typealias Handler = @Sendable (BPF.Descriptor, inout RequestArgument) throws -> Void

  let name: String
  /// FreeBSD's and NetBSD's numbers, which never contradict each other.
  let numbers: [Number]
  let openbsd: Number?
  let state: State
  /// It works after BIOCLOCK, too.
  let isHarmless: Bool
  /// It is done before the lock is looked at, as the system above the driver does it.
  let precedesLock: Bool
  let right: Right
  let handler: Handler

  init(
    _ name: String, _ numbers: Number..., openbsd: Number? = nil, state: State = .any, harmless: Bool = false,
    precedesLock: Bool = false, right: Right = .own, handler: @escaping Handler
  ) {
    self.name = name
    self.numbers = numbers
    self.openbsd = openbsd
    self.state = state
    isHarmless = harmless
    self.precedesLock = precedesLock
    self.right = right
    self.handler = handler
  }

  /// Every request by its number, for FreeBSD's and NetBSD's programs and for OpenBSD's.
  static let byNumber = table(\.numbers)
  static let byOpenBSDNumber = table { $0.openbsd.map { [$0] } ?? [] }

  private static func table(_ numbers: (Request) -> [Number]) -> [Number: Request] {
    var table: [Number: Request] = [:]
    for request in all { for number in numbers(request) { table[number] = request } }
    return table
  }

  static let all: [Request] =
    buffers + programs + interfaces + reading + writing + signals + openBSDOnly
}

extension BPF.Descriptor {
  /// Asks for what a BSD program asks for with ioctl(2).
  ///
  /// The numbers are BSD's, FreeBSD's and NetBSD's alike (with the profile openbsd OpenBSD's). Addresses inside an argument
  /// (of programs, of lists) are addresses of this process.
  /// - Parameter argument: as many bytes as the number says, changed by requests that answer.
  /// - Throws: the request's errno; EINVAL for a number that there is not, or an argument of another size.
  public func ioctl(request: UInt32, argument: inout [UInt8]) throws(BPF.Failure) {
    let number = BPF.RequestNumber(rawValue: request)
    let isPolled = unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.stopPollTimer()
      return unsafe buffers.pointee.slots.readiness.isPolled
    }
    defer { if isPolled { unsafe buffers.pointee.lock.withLock { restartPollTimer() } } }
    let isOpenBSD = configuration.format.layout.profile == .openbsd
    guard let request = (isOpenBSD ? Request.byOpenBSDNumber : Request.byNumber)[number] else {
      throw .invalid("request 0x\(String(request, radix: 16))")
    }
    guard argument.count == number.size else { throw .invalid("\(request.name): \(argument.count) bytes of argument") }
    var copy = RequestArgument(bytes: argument)
    if !number.copiesIn { copy.bytes = [UInt8](repeating: 0, count: number.size) }
    if request.precedesLock { try perform(request, &copy) }
    if isLocked && !request.isHarmless { throw .notPermitted("\(request.name): the descriptor is locked") }
    try check(request)
    if !request.precedesLock { try perform(request, &copy) }
    if number.copiesOut { argument = copy.bytes }
  }

  /// The same with the argument at an address of the caller, who need not be right about it. - Throws: EFAULT, too.
  package func ioctl(request: UInt32, address: UInt64) throws(BPF.Failure) {
    let number = BPF.RequestNumber(rawValue: request)
    var argument = [UInt8](repeating: 0, count: number.size)
    if number.copiesIn {
      guard let bytes = CallerMemory.read(address, count: number.size) else { throw .badAddress }
      argument = bytes
    }
    try ioctl(request: request, argument: &argument)
    if number.copiesOut {
      guard CallerMemory.write(argument, to: address) else { throw .badAddress }
    }
  }

  private func check(_ request: Request) throws(BPF.Failure) {
    if request.state == .any || isAttached == (request.state == .attached) { return }
    throw .invalid("\(request.name): the descriptor is \(request.state == .attached ? "not attached" : "attached")")
  }

  private func perform(_ request: Request, _ argument: inout RequestArgument) throws(BPF.Failure) {
    do {
      try request.handler(self, &argument)
    } catch let error as BPF.Failure {
      throw error
    } catch {
      throw .invalid("\(request.name): \(error)")
    }
  }
}
