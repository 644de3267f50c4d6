// What native code of both processors is put together from. Control paths.

/// How two numbers compare, unsigned.
enum MachineCondition {
  case equal, notEqual, above, aboveOrEqual, below, belowOrEqual

  var inverse: MachineCondition {
    switch self {
    case .equal: .notEqual
    case .notEqual: .equal
    case .above: .belowOrEqual
    case .aboveOrEqual: .below
    case .below: .aboveOrEqual
    case .belowOrEqual: .above
    }
  }
}

/// A place in the code that jumps lead to.
struct MachineLabel {
  let number: Int
}

/// The order of A's bytes: a load whose value is only compared leaves them as they are in the frame.
enum ByteOrder {
  case number
  /// The lower halfword is swapped.
  case frame16
  /// The word is.
  case frame32

  /// A constant as A's bytes have it.
  func callAsFunction(_ k: UInt32) -> UInt32 {
    switch self {
    case .number: k
    case .frame16: k & 0xffff_0000 | UInt32(UInt16(truncatingIfNeeded: k).byteSwapped)
    case .frame32: k.byteSwapped
    }
  }
}

/// A processor. Calls append code; registers are the emitter's: A, X, scratch words, what is remembered of requirements, and
/// the four arguments of ``NativeEntry``.
protocol MachineEmitter {
  init(usesWords: UInt32)

  mutating func label() -> MachineLabel
  /// The label is here.
  mutating func place(_ label: MachineLabel)
  mutating func jump(_ label: MachineLabel)
  mutating func jump(_ label: MachineLabel, if condition: MachineCondition)

  /// Jumps when the frame has fewer bytes.
  mutating func checkLength(_ needed: UInt32, else label: MachineLabel)
  /// Jumps when the frame has fewer bytes than X and this.
  mutating func checkLengthFromX(_ needed: UInt64, else label: MachineLabel)
  mutating func clearA()
  mutating func clearX()
  /// A from the frame, 1, 2 or 4 bytes at k or at X + k; they are there.
  mutating func load(width: UInt64, at k: UInt32, fromX: Bool, order: ByteOrder)
  /// X = 4 * (the byte's lower half).
  mutating func loadHeaderLength(at k: UInt32)
  /// A from the metadata; jumps when there is none.
  mutating func loadMetadata(_ field: FrameMetadata.Field, else label: MachineLabel)
  /// Only the jump.
  mutating func checkMetadata(else label: MachineLabel)
  /// Any other instruction that is neither a jump nor a return. Jumps when it divides by an X of 0.
  mutating func run(_ instruction: Instruction, else label: MachineLabel)

  mutating func compareA(_ k: UInt32)
  mutating func compareAX()
  /// Compares A & k, or A & X, with 0.
  mutating func testA(_ k: UInt32)
  mutating func testAX()
  /// Compares A - low with span.
  mutating func compareA(minus low: UInt32, _ span: UInt32)
  /// Compares A with the table's slot for it.
  mutating func compareA(_ table: PerfectHash)

  /// Adds a violation to what is remembered: `A ^ k` or `A & k` when it is not 0, or that a condition holds.
  mutating func remember(_ violation: MachineViolation, first: Bool)
  /// Compares what is remembered with 0.
  mutating func compareRemembered()

  /// Notes that a condition holds; of several, whether all do. Overwrites the metadata's register.
  mutating func keep(_ condition: MachineCondition, first: Bool)
  /// Compares with 0 what was kept, together with what is remembered.
  mutating func compareKept(withRemembered: Bool)

  mutating func returnConstant(_ k: UInt32)
  mutating func returnA()
  /// Returns the one constant or the other.
  mutating func returnConstant(_ k: UInt32, if condition: MachineCondition, else other: UInt32)

  /// The code, whole.
  mutating func finish() -> [UInt8]
}

enum MachineViolation {
  case differs(UInt32)
  case bits(UInt32)
  case holds(MachineCondition)
}
