// EpochMap: a hash table that readers walk without a lock while one writer changes it. The databases' indices are such.
internal import SwBPFKern
import Synchronization

/// A key of an ``EpochMap``.
protocol EpochKey: Equatable, Sendable {
  func hash(seed: UInt64) -> UInt64
}

/// One step of a hash: multiplies and folds.
@inline(__always) func mixed(_ hash: UInt64, _ value: UInt64) -> UInt64 {
  let product = (hash ^ value).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
  return product.high ^ product.low
}

/// A hash table from keys to objects; a key may have many, and they keep the order in which they came.
///
/// - Threads: ``first(_:)`` and what follows it any thread inside of the epoch; all else under the owner's lock.
/// - Cost: a lookup is constant and takes no lock and no reference; a change is constant, now and then linear.
/// What a change takes out is freed when no reader can see it any more.
@safe final class EpochMap<Key: EpochKey, Value: AnyObject>: @unchecked Sendable {
  /// One pair in the chain of its bucket. Readers load `next` only.
  @unsafe fileprivate struct Item: ~Copyable {
    let key: Key
    let value: Unmanaged<Value>
    let next: Atomic<UnsafeMutablePointer<Item>?>
  }

  @unsafe fileprivate struct Bucket: ~Copyable {
    let first = unsafe Atomic<UnsafeMutablePointer<Item>?>(nil)
    /// The writer's.
    var last: UnsafeMutablePointer<Item>?
  }

  /// A power of two of buckets. Replaced as a whole when it grows.
  @unsafe fileprivate struct Table: ~Copyable {
    let mask: Int
    let buckets: UnsafeMutablePointer<Bucket>

    init(count: Int) {
      unsafe mask = count - 1
      unsafe buckets = .allocate(capacity: count)
      for index in 0..<count { unsafe (buckets + index).initialize(to: Bucket()) }
    }
  }

  private let epoch: Epoch
  private let seed = UInt64.random(in: .min ... .max)
  private let table: Atomic<UnsafeMutablePointer<Table>>
  /// Pairs that are in it.
  private(set) var count = 0

  init(epoch: Epoch) {
    self.epoch = epoch
    // SAFETY: freed by deinit or, when another table replaces it, through the epoch.
    let first = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    unsafe first.initialize(to: Table(count: 8))
    unsafe table = Atomic(first)
  }

  deinit {
    // SAFETY: nobody can read a map whose owner is gone.
    unsafe EpochMap.free(table.load(ordering: .relaxed), releasing: true)
  }

  /// A pair that a lookup found. Valid while its reader stays in the epoch.
  @safe struct Cursor {
    fileprivate let item: UnsafeMutablePointer<Item>

    /// The object. Taking a reference to it makes it outlive the epoch.
    @inline(__always) var value: Unmanaged<Value> {
      // SAFETY: the reader is inside the epoch, which keeps the item.
      unsafe item.pointee.value
    }

    /// The next one of the same key, in the order in which they came.
    @inline(__always) var next: Cursor? {
      // SAFETY: as above.
      unsafe EpochMap.find(item.pointee.key, from: item.pointee.next.load(ordering: .sequentiallyConsistent))
    }
  }

  @inline(__always) func first(_ key: Key) -> Cursor? {
    // SAFETY: the reader is inside the epoch, which keeps the table and its items.
    let table = unsafe table.load(ordering: .sequentiallyConsistent)
    let index = unsafe Int(truncatingIfNeeded: key.hash(seed: seed)) & table.pointee.mask
    return unsafe EpochMap.find(key, from: table.pointee.buckets[index].first.load(ordering: .sequentiallyConsistent))
  }

  @inline(__always) private static func find(_ key: Key, from first: UnsafeMutablePointer<Item>?) -> Cursor? {
    var next = unsafe first
    while let item = unsafe next {
      if unsafe item.pointee.key == key { return unsafe Cursor(item: item) }
      unsafe next = item.pointee.next.load(ordering: .sequentiallyConsistent)
    }
    return nil
  }

  /// All objects of a key. The owner's lock is held.
  func all(_ key: Key) -> [Value] {
    var found: [Value] = []
    var cursor = first(key)
    while let here = cursor {
      // SAFETY: the map holds a reference, and only this thread takes it back.
      unsafe found.append(here.value.takeUnretainedValue())
      cursor = here.next
    }
    return found
  }

  func insert(_ value: Value, for key: Key) {
    // SAFETY: an item is reachable only after it is complete; the last one's `next` makes it so.
    let current = unsafe table.load(ordering: .relaxed)
    let item = UnsafeMutablePointer<Item>.allocate(capacity: 1)
    unsafe item.initialize(to: Item(key: key, value: .passRetained(value), next: Atomic(nil)))
    unsafe EpochMap.append(item, to: current, at: index(of: key, in: current))
    count += 1
    if unsafe count > current.pointee.mask { grow() }
  }

  /// Takes one pair out. False when it is not in the map.
  @discardableResult func remove(_ value: Value, for key: Key) -> Bool {
    replace(value, by: nil, for: key)
  }

  /// Puts an object in another's place, or takes the pair out. False when it is not in the map.
  @discardableResult func replace(_ value: Value, by replacement: Value?, for key: Key) -> Bool {
    let current = unsafe table.load(ordering: .relaxed)
    let bucket = unsafe current.pointee.buckets + index(of: key, in: current)
    var previous: UnsafeMutablePointer<Item>?
    var next = unsafe bucket.pointee.first.load(ordering: .relaxed)
    while let item = unsafe next {
      // SAFETY: items of the published table live until this thread retires them.
      let after = unsafe item.pointee.next.load(ordering: .relaxed)
      if unsafe item.pointee.key == key && item.pointee.value.toOpaque() == Unmanaged.passUnretained(value).toOpaque() {
        var following = unsafe after
        if let replacement {
          let new = UnsafeMutablePointer<Item>.allocate(capacity: 1)
          unsafe new.initialize(to: Item(key: key, value: .passRetained(replacement), next: Atomic(after)))
          unsafe following = new
        }
        if let previous = unsafe previous {
          unsafe previous.pointee.next.store(following, ordering: .sequentiallyConsistent)
        } else {
          unsafe bucket.pointee.first.store(following, ordering: .sequentiallyConsistent)
        }
        if unsafe bucket.pointee.last == item {
          unsafe bucket.pointee.last = replacement == nil ? previous : following
        }
        if replacement == nil { count -= 1 }
        unsafe retire(item)
        return true
      }
      unsafe previous = item
      unsafe next = after
    }
    return false
  }

  func removeAll() {
    guard count > 0 else { return }
    // SAFETY: out of reach with the exchange; freed through the epoch.
    let empty = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    unsafe empty.initialize(to: Table(count: 8))
    let old = unsafe table.exchange(empty, ordering: .sequentiallyConsistent)
    count = 0
    unsafe retire(old, releasing: true)
  }

  private func index(of key: Key, in table: UnsafeMutablePointer<Table>) -> Int {
    unsafe Int(truncatingIfNeeded: key.hash(seed: seed)) & table.pointee.mask
  }

  private static func append(_ item: UnsafeMutablePointer<Item>, to table: UnsafeMutablePointer<Table>, at index: Int) {
    let bucket = unsafe table.pointee.buckets + index
    if let last = unsafe bucket.pointee.last {
      unsafe last.pointee.next.store(item, ordering: .sequentiallyConsistent)
    } else {
      unsafe bucket.pointee.first.store(item, ordering: .sequentiallyConsistent)
    }
    unsafe bucket.pointee.last = item
  }

  /// Twice the buckets. Readers of the old chains go on in them, so the new ones are of new items.
  private func grow() {
    let old = unsafe table.load(ordering: .relaxed)
    let buckets = unsafe old.pointee.mask + 1
    let new = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    unsafe new.initialize(to: Table(count: buckets * 2))
    for bucket in 0..<buckets {
      var next = unsafe old.pointee.buckets[bucket].first.load(ordering: .relaxed)
      while let item = unsafe next {
        // SAFETY: the reference moves from the old item to its copy.
        let copy = UnsafeMutablePointer<Item>.allocate(capacity: 1)
        unsafe copy.initialize(to: Item(key: item.pointee.key, value: item.pointee.value, next: Atomic(nil)))
        unsafe EpochMap.append(copy, to: new, at: index(of: item.pointee.key, in: new))
        unsafe next = item.pointee.next.load(ordering: .relaxed)
      }
    }
    unsafe table.store(new, ordering: .sequentiallyConsistent)
    unsafe retire(old, releasing: false)
  }

  private func retire(_ item: UnsafeMutablePointer<Item>) {
    let address = UInt(bitPattern: item)
    epoch.retire {
      // SAFETY: no reader can reach the item any more; it is freed once.
      let item = unsafe UnsafeMutablePointer<Item>(bitPattern: address).unsafelyUnwrapped
      unsafe item.pointee.value.release()
      unsafe item.deinitialize(count: 1)
      unsafe item.deallocate()
      return true
    }
  }

  private func retire(_ table: UnsafeMutablePointer<Table>, releasing: Bool) {
    let address = UInt(bitPattern: table)
    epoch.retire {
      // SAFETY: no reader can reach the table any more; it is freed once.
      unsafe EpochMap.free(UnsafeMutablePointer<Table>(bitPattern: address).unsafelyUnwrapped, releasing: releasing)
      return true
    }
  }

  private static func free(_ table: UnsafeMutablePointer<Table>, releasing: Bool) {
    let buckets = unsafe table.pointee.mask + 1
    for index in 0..<buckets {
      var next = unsafe table.pointee.buckets[index].first.load(ordering: .relaxed)
      while let item = unsafe next {
        unsafe next = item.pointee.next.load(ordering: .relaxed)
        if releasing { unsafe item.pointee.value.release() }
        unsafe item.deinitialize(count: 1)
        unsafe item.deallocate()
      }
    }
    unsafe table.pointee.buckets.deinitialize(count: buckets)
    unsafe table.pointee.buckets.deallocate()
    unsafe table.deinitialize(count: 1)
    unsafe table.deallocate()
  }
}
