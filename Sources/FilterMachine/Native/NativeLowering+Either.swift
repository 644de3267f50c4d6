// Several tests of which one must hold, made without a jump between them. Control paths.

extension NativeLowering {
  /// Ends a block whose test is the first of several.
  ///
  /// The loads of the others are made when the frame is long enough for all of them; else the tests are made one by one, each
  /// with its own check, as the program has them.
  /// - Returns: false: nothing was emitted.
  mutating func endEither(
    _ index: Int, _ test: FilterTest, _ known: Known, _ remembers: Bool, _ next: Int?
  ) -> Bool {
    guard mayKeep, let either = graph.either(of: index) else { return false }
    let other = either.others[0]
    // What is remembered leads to 0, and so must the last test's failure then.
    if remembers && either.fails != .exit(0) { return false }
    var orders = [known.order]
    for one in either.others {
      var order = orders[orders.count - 1]
      for step in graph.blocks[one].steps where step.instruction.code & 7 == BPF_LD { order = self.order(of: step) }
      orders.append(order)
    }
    guard isOneComparison(test, orders[0]) else { return false }
    for (one, order) in zip(either.others, orders.dropFirst()) {
      guard case .test(let test, _, _) = graph.blocks[one].end, isOneComparison(test, order) else { return false }
    }

    let slow = emitter.label()
    var fast = known
    var mayBeShort = false
    for one in either.others {
      let (length, fromX) = graph.asks(one)
      // More than any frame has.
      if length > UInt64(UInt32.max) || fromX > UInt64(UInt32.max) { return false }
      if length > fast.length {
        emitter.checkLength(UInt32(length), else: slow)
        fast.length = length
        mayBeShort = true
      }
      if fromX > fast.lengthFromX && fast.length < fast.x + fromX {
        emitter.checkLengthFromX(fromX, else: slow)
        fast.lengthFromX = fromX
        fast.length = max(fast.length, fromX)
        mayBeShort = true
      }
    }
    emitter.keep(compare(test, known.order)!.inverse, first: true)
    var nothing = false
    for (one, order) in zip(either.others, orders.dropFirst()) {
      for step in graph.blocks[one].steps { emit(step, &fast, &nothing) }
      guard case .test(let test, _, _) = graph.blocks[one].end else { preconditionFailure("it was one above") }
      emitter.keep(compare(test, order)!.inverse, first: false)
    }
    reach(either.holds, fast)
    reach(either.fails, fast)
    finishEither(either, remembers)

    if mayBeShort {
      emitter.place(slow)
      refuseRemembered(remembers)
      reach(either.holds, known)
      reach(.block(other), known)
      emitter.jump(label(either.holds), if: compare(test, known.order)!)
      if other != next { emitter.jump(labels[other]) }
    }
    return true
  }

  private mutating func finishEither(_ either: FilterEither, _ remembers: Bool) {
    emitter.compareKept(withRemembered: remembers)
    if case .exit(let k) = either.holds, case .exit(let other) = either.fails {
      return emitter.returnConstant(k, if: .equal, else: other)
    }
    emitter.jump(label(either.fails), if: .notEqual)
    if case .exit(let k) = either.holds {
      emitter.returnConstant(k)
    } else {
      emitter.jump(label(either.holds))
    }
  }

  private func isOneComparison(_ test: FilterTest, _ order: ByteOrder) -> Bool {
    guard case .member(let keys) = test else { return true }
    return PerfectHash(distinct(keys, order)) != nil
  }
}
